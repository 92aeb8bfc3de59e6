"""How columns become numbers: the options, and what is remarked on the way.

Each column is given one *code*, a small frozen record fitted to the rows one learns
from. A code knows how many features it makes, what they are called, and how to write
them into their place in a matrix; it is plain data, and survives JSON exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Protocol, final

import numpy as np
from numpy.typing import NDArray

from weft.tables.column import Column, Kind
from weft.tables.errors import TableError, counted, listing, rows_named
from weft.tables.table import Table


@final
@dataclass(frozen=True)
class Encoding:
    """Choices that hold for all columns of a table.

    Attributes
    ----------
    bins : int
        Pieces of the piecewise-linear encoding that a number is given beside its
        scaled value; 0 leaves it out. Never more than the column has distinct values.
    max_levels : int
        Most categories of one column that get a feature of their own; the rest share
        one, called ``other``.
    min_count : int
        Categories that occur less often than this share ``other``, too, which so
        learns what a category never seen before may mean.
    max_width : int
        Most piecewise-linear features of the whole table: wide tables get fewer
        pieces per column, or none.
    joint_columns : int
        From this many number columns on, columns with one range and few distinct
        values (the pixels of an image) are scaled together instead of one by one.

    Raises
    ------
    TableError
        If a choice is out of range.
    """

    bins: int = 32
    max_levels: int = 64
    min_count: int = 2
    max_width: int = 1024
    joint_columns: int = 32

    def __post_init__(self) -> None:
        least = {"bins": 0, "max_levels": 1, "min_count": 1}
        for entry in fields(self):
            value, low = getattr(self, entry.name), least.get(entry.name, 0)
            if not isinstance(value, int) or value < low:
                raise TableError(
                    f"encoding option {entry.name}={value!r}: "
                    f"a whole number of at least {low} is needed"
                )


@final
@dataclass
class Remarks:
    """What is noticed while a table is encoded, gathered column by column.

    Attributes
    ----------
    imputed : dict of str to int
        Missing values in columns that had none when the schema was fitted.
    unseen : dict of str to dict of str to int
        Categories that did not occur then, and how often they occur now.
    """

    imputed: dict[str, int] = field(default_factory=dict)
    unseen: dict[str, dict[str, int]] = field(default_factory=dict)

    def sentences(self) -> tuple[str, ...]:
        """Return the remarks as sentences."""
        return (
            *(
                f"{name!r}: {counted(often, 'missing value')} imputed, "
                "though none was missing when the model was fitted"
                for name, often in self.imputed.items()
            ),
            *(
                f"{name!r}: {counted(sum(often.values()), 'row')} with a category not "
                "known from when the model was fitted "
                f"({listing(list(often), most=3)})"
                for name, often in self.unseen.items()
            ),
        )


class Code(Protocol):
    """How one column, or one block of columns, becomes features.

    Attributes
    ----------
    tag : str
        Names the class in JSON.
    kind : str
        What the column held when the schema was fitted.
    missing, levels : int
        How many values were missing then, and how many distinct ones there were.
    """

    tag: ClassVar[str]

    @property
    def kind(self) -> Kind:
        """What the column held."""
        ...

    @property
    def missing(self) -> int:
        """How many values were missing."""
        ...

    @property
    def levels(self) -> int:
        """How many distinct values there were."""
        ...

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns read, empty if the column was dropped."""
        ...

    @property
    def title(self) -> str:
        """What to call the column or block in a listing."""
        ...

    def features(self) -> list[tuple[str, str]]:
        """The names of the features, each with the column it comes from."""
        ...

    def write(self, table: Table, out: NDArray[np.float32], remarks: Remarks) -> None:
        """Fill ``out``, of shape (rows, features), from the columns of ``table``."""
        ...

    def treatment(self) -> str:
        """What is done, in words."""
        ...

    @property
    def note(self) -> str:
        """What a person should know of it, or nothing."""
        ...


@final
@dataclass(frozen=True)
class Dropped:
    """A column of which nothing is kept, and why."""

    tag: ClassVar[str] = "dropped"
    name: str
    kind: Kind
    reason: str
    missing: int = 0
    levels: int = 0

    @property
    def sources(self) -> tuple[str, ...]:
        """No column is read."""
        return ()

    @property
    def title(self) -> str:
        """The column's name."""
        return self.name

    def features(self) -> list[tuple[str, str]]:
        """No feature comes of it."""
        return []

    def write(self, table: Table, out: NDArray[np.float32], remarks: Remarks) -> None:
        """Write nothing."""

    def treatment(self) -> str:
        """What is done, in words."""
        return "dropped"

    @property
    def note(self) -> str:
        """Why it was dropped."""
        return self.reason


def refuse_infinite(name: str, values: NDArray[Any], source: str) -> None:
    """Raise an error if a number is infinite; NaN means missing and may pass."""
    if values.dtype.kind != "f":
        return
    infinite = np.isinf(values)
    if infinite.any():
        rows = np.flatnonzero(infinite)
        raise TableError(
            f"column {name!r} of {source} holds infinite values ({rows_named(rows)}): "
            "replace them by numbers, or leave them empty"
        )


def check_finite(table: Table) -> None:
    """Raise an error if a number in a table is infinite.

    To be called before rows are chosen, so that the message counts them as they stand
    in the table.

    Parameters
    ----------
    table : Table

    Raises
    ------
    TableError
        It names the first such column and its rows.

    Examples
    --------
    >>> check_finite(Table.from_frame({"x": [1.0, float("inf")]}))
    Traceback (most recent call last):
    weft.tables.errors.TableError: column 'x' of the table holds infinite values ...
    """
    for part in table.parts:
        if isinstance(part, Column):
            if part.kind == "number":
                refuse_infinite(part.name, part.values, table.source)
        elif part.values.dtype.kind == "f" and np.isinf(part.values).any():
            for place, name in enumerate(part.names):
                refuse_infinite(name, part.values[:, place], table.source)


_HELD: dict[Kind, str] = {
    "number": "numbers",
    "boolean": "booleans",
    "category": "text",
    "date": "dates",
}


def changed_kind(column: Column, kind: Kind, source: str) -> TableError:
    """Return the error for a column that holds another kind than it did."""
    examples = listing(
        [v for v in column.take(slice(200)).labels() if v is not None][:1]
    )
    return TableError(
        f"column {column.name!r} of {source} holds {_HELD[column.kind]} ({examples}), "
        f"but held {_HELD[kind]} when the model was fitted"
    )


def note_missing(
    name: str, missing: NDArray[np.bool_], expected: bool, remarks: Remarks
) -> None:
    """Remark on values that are missing where none was before."""
    if not expected:
        often = int(np.count_nonzero(missing))
        if often:
            remarks.imputed[name] = often


def plain(code: Any) -> dict[str, Any]:
    """Return a code as JSON data."""
    data: dict[str, Any] = {"code": code.tag}
    for entry in fields(code):
        value = getattr(code, entry.name)
        data[entry.name] = list(value) if isinstance(value, tuple) else value
    return data


def from_plain(data: dict[str, Any], classes: Sequence[type[Any]]) -> Any:
    """Return the code that `plain` wrote.

    Raises
    ------
    TableError
        If it is none.
    """
    by_tag = {kind.tag: kind for kind in classes}
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    tag = values.pop("code", None)
    if tag not in by_tag or set(values) != {e.name for e in fields(by_tag[tag])}:
        raise TableError(f"the schema is damaged: it holds a code {tag!r}")
    return by_tag[tag](**values)
