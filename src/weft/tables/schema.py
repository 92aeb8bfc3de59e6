"""What was learnt about a table's columns, so that a later table is read the same way.

A schema is fitted to the rows one learns from, and from no others. It turns any table
with the same columns (in any order, with others beside them) into a float32 matrix, and
says what it could not take as it was. It is frozen and plain data: `to_json` gives it
away, `from_json` brings it back exactly.

>>> from weft.tables import Table
>>> table = Table.from_frame({"age": [20, 30, None, 50], "job": ["a", "b", "a", "b"]})
>>> schema = Schema.fit(table, encoding=Encoding(bins=0))
>>> schema.names
('age', 'age missing', 'job = b')
>>> later = Table.from_frame({"job": ["b", "z"], "age": [30, 40]})
>>> schema.encode(later).tolist()
[[0.0, 0.0, 1.0], [0.6..., 0.0, 0.0]]
>>> schema.transform(later).notes
("'job': 1 row with a category not known from when the model was fitted ('z')",)
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from weft.tables.categories import BinaryCode, LevelsCode, fit_boolean, fit_category
from weft.tables.column import Block, Column, Kind
from weft.tables.dates import DateCode, fit_date
from weft.tables.encoding import Dropped, Encoding, Remarks, from_plain, plain
from weft.tables.errors import TableError, counted, did_you_mean, listing
from weft.tables.joint import JointCode, are_alike, fit_joint
from weft.tables.numbers import NumberCode, fit_number
from weft.tables.table import Table

AnyCode: TypeAlias = (
    NumberCode | JointCode | BinaryCode | LevelsCode | DateCode | Dropped
)

_CLASSES = (NumberCode, JointCode, BinaryCode, LevelsCode, DateCode, Dropped)
_FORMAT = 1
_SAMPLE = 2000  # rows by which columns are judged to be alike


@final
@dataclass(frozen=True)
class ColumnSummary:
    """One line of a listing: a column, or a block of columns treated together.

    Attributes
    ----------
    name : str
    kind : str
    missing, levels : int
        Missing values and distinct values in the rows the schema was fitted to.
    treatment : str
        What is done with it, in words.
    note : str
        What a person should know; often empty.
    width : int
        How many features it makes.
    """

    name: str
    kind: Kind
    missing: int
    levels: int
    treatment: str
    note: str
    width: int


@final
@dataclass(frozen=True, eq=False)
class Encoded:
    """A table as numbers, and what was noticed on the way.

    Attributes
    ----------
    x : ndarray of float32, shape (rows, width)
    notes : tuple of str
        One sentence each.
    imputed : mapping of str to int
        Missing values in columns that had none when the schema was fitted.
    unseen : mapping of str to mapping of str to int
        Categories that did not occur then, and how often they occur now.
    """

    x: NDArray[np.float32]
    notes: tuple[str, ...]
    imputed: Mapping[str, int]
    unseen: Mapping[str, Mapping[str, int]]


@final
@dataclass(frozen=True)
class Schema:
    """How the columns of a table become features; made by `Schema.fit`.

    Attributes
    ----------
    codes : tuple
        One record per column, or per block of columns, also for those dropped.
    target : str or None
        The column that is learnt: it may stand in a later table, and is not read.
    given : tuple of str
        All columns of the table it was fitted to, in order, also those left out.
    rows : int
        How many rows it was fitted to.
    encoding : Encoding
    """

    codes: tuple[AnyCode, ...]
    target: str | None
    given: tuple[str, ...]
    rows: int
    encoding: Encoding

    @staticmethod
    def fit(
        table: Table,
        target: str | None = None,
        encoding: Encoding | None = None,
        ignore: Sequence[str] = (),
    ) -> "Schema":
        """Fit a schema to the rows of a table.

        Parameters
        ----------
        table : Table
            The rows one learns from, and no others.
        target : str, optional
            A column that is no input.
        encoding : Encoding, optional
        ignore : sequence of str
            Columns to leave out.

        Returns
        -------
        Schema

        Raises
        ------
        TableError
            If there are no rows, a column holds infinite values, or no column is left.
        """
        encoding = encoding or Encoding()
        if table.rows == 0:
            raise TableError(f"{table.source} has no rows to learn from")
        left_out = [name for name in ignore if name != target]
        unread = left_out + [name for name in (target,) if name and name in table]
        codes: list[AnyCode] = [
            Dropped(name, table.column(name).kind, "left out as asked")
            for name in left_out
        ]
        codes += _fit_codes(table.without(unread), encoding)
        if not any(code.sources for code in codes):
            why = [f"{c.name!r} ({c.reason})" for c in codes if isinstance(c, Dropped)]
            raise TableError(
                f"no input column is left in {table.source}: "
                + (", ".join(why[:5]) or "it has none beside the target")
            )
        order = {name: index for index, name in enumerate(table.names)}
        codes.sort(key=lambda code: order[_first_name(code)])
        return Schema(tuple(codes), target, table.origin, table.rows, encoding)

    @cached_property
    def features(self) -> tuple[tuple[str, str], ...]:
        """The names of the features, each with the column it comes from."""
        return tuple(pair for code in self.codes for pair in code.features())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the features, in the order of the matrix."""
        return tuple(name for name, _ in self.features)

    @property
    def sources(self) -> tuple[str, ...]:
        """For each feature the column it comes from."""
        return tuple(source for _, source in self.features)

    @property
    def width(self) -> int:
        """How many features there are."""
        return len(self.features)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a table must have."""
        return tuple(name for code in self.codes for name in code.sources)

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kind of each column that a table must have, for reading a file."""
        return {name: code.kind for code in self.codes for name in code.sources}

    @property
    def date_forms(self) -> dict[str, str]:
        """How the dates of each column were written, where they were texts."""
        dates = [code for code in self.codes if isinstance(code, DateCode)]
        return {code.name: code.form for code in dates if code.form}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was dropped, imputed or put together, one sentence per column."""
        return tuple(
            f"{code.title!r}: {'dropped, ' if isinstance(code, Dropped) else ''}"
            f"{code.note}"
            for code in self.codes
            if code.note
        )

    def summary(self) -> list[ColumnSummary]:
        """Return a listing of all columns with what is done with each."""
        return [
            ColumnSummary(
                name=code.title,
                kind=code.kind,
                missing=code.missing,
                levels=code.levels,
                treatment=code.treatment(),
                note=code.note,
                width=len(code.features()),
            )
            for code in self.codes
        ]

    def encode(self, table: Table) -> NDArray[np.float32]:
        """Return a table as numbers; `transform` also tells what was noticed.

        Parameters
        ----------
        table : Table

        Returns
        -------
        ndarray of float32, shape (rows, width)
            Finite, whatever is missing.

        Raises
        ------
        TableError
            If a column is missing, is of another kind than it was, or holds infinite
            values.
        """
        return self.transform(table).x

    def transform(self, table: Table) -> Encoded:
        """Return a table as numbers, with notes; it raises what `encode` raises."""
        self._require(table)
        out = np.empty((table.rows, self.width), dtype=np.float32)
        remarks = Remarks()
        at = 0
        for code in self.codes:
            end = at + len(code.features())
            code.write(table, out[:, at:end], remarks)
            at = end
        known = {*self.given, self.target}
        extra = [name for name in table.names if name not in known]
        notes = remarks.sentences()
        if extra:
            notes += (f"not used: {counted(len(extra), 'column')} ({listing(extra)})",)
        return Encoded(out, notes, remarks.imputed, remarks.unseen)

    def _require(self, table: Table) -> None:
        absent = [name for name in self.columns if name not in table]
        if not absent:
            return
        spare = [name for name in table.names if name not in self.given]
        near = [f"{n!r}:{did_you_mean(n, spare, 1)}" for n in absent]
        hints = [hint for hint in near if "Did you mean" in hint][:3]
        raise TableError(
            f"{table.source} lacks {counted(len(absent), 'column')} that the model was "
            f"fitted with: {listing(absent, most=12)}. "
            + (" ".join(hints) or f"It has {listing(table.names, most=12)}.")
        )

    def to_json(self) -> dict[str, Any]:
        """Return the schema as JSON data: dicts, lists, texts and finite numbers."""
        return {
            "schema": _FORMAT,
            "target": self.target,
            "given": list(self.given),
            "rows": self.rows,
            "encoding": asdict(self.encoding),
            "codes": [plain(code) for code in self.codes],
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Schema":
        """Return the schema that `to_json` gave away.

        Raises
        ------
        TableError
            If the data is none.
        """
        if data.get("schema") != _FORMAT:
            raise TableError(
                f"a schema of format {data.get('schema')!r} cannot be read: "
                f"this version of weft reads format {_FORMAT}"
            )
        try:
            return Schema(
                codes=tuple(from_plain(dict(c), _CLASSES) for c in data["codes"]),
                target=data["target"],
                given=tuple(data["given"]),
                rows=data["rows"],
                encoding=Encoding(**data["encoding"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise TableError(f"the schema is damaged: {error!r}") from error


def _first_name(code: AnyCode) -> str:
    if isinstance(code, JointCode):
        return (*code.names, *code.constant)[0]
    return code.name


def _fit_codes(inputs: Table, encoding: Encoding) -> list[AnyCode]:
    """Fit a code to each column, and one to each run of columns that are alike."""
    joint: list[AnyCode] = []
    apart: list[Column] = []
    step = max(1, inputs.rows // _SAMPLE)
    for names in _number_runs(inputs):
        run = inputs.select(names)
        if len(names) >= encoding.joint_columns and are_alike(
            run.take(slice(None, None, step)).matrix(names), encoding
        ):
            joint.append(fit_joint(tuple(names), run.matrix(names), inputs.source))
        else:
            apart.extend(run)
    apart += _others(inputs)
    numbers = [column for column in apart if column.kind == "number"]
    bins = min(encoding.bins, encoding.max_width // max(len(numbers), 1))
    return joint + [_fit_one(column, encoding, bins, inputs.source) for column in apart]


def _number_runs(inputs: Table) -> list[list[str]]:
    """Return the names of number columns that lie side by side, block by block."""
    runs: list[list[str]] = [[]]
    for part in inputs.parts:
        if isinstance(part, Block):
            runs += [list(part.names), []]
        elif part.kind == "number":
            runs[-1].append(part.name)
        else:
            runs.append([])
    return [run for run in runs if run]


def _others(inputs: Table) -> list[Column]:
    """Return the columns that hold no numbers."""
    columns = [part for part in inputs.parts if isinstance(part, Column)]
    return [column for column in columns if column.kind != "number"]


def _fit_one(column: Column, encoding: Encoding, bins: int, source: str) -> AnyCode:
    if column.empty:
        reason = "all its values are missing"
        return Dropped(column.name, column.kind, reason, column.missing_count)
    match column.kind:
        case "number":
            return fit_number(column, encoding, bins, source)
        case "boolean":
            return fit_boolean(column)
        case "category":
            return fit_category(column, encoding)
        case "date":
            return fit_date(column)
