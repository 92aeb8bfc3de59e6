"""Categories and booleans become features.

Two values and no more: one feature, -1 or +1, and 0 where there is neither. More: a
feature per category, the most frequent first; the rare share one called ``other``, and
so does whatever was never seen before. Missing is a category of its own where there
were gaps to learn from; elsewhere a gap is all zeros.

Values are compared as text, so that 3, 3.0 and "3" are one category in whatever form a
later table holds it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from weft.tables import words
from weft.tables.column import Column, Kind, Label, label_text
from weft.tables.encoding import (
    Dropped,
    Encoding,
    Remarks,
    changed_kind,
    note_missing,
)
from weft.tables.errors import counted
from weft.tables.table import Table

# A text column of which every value differs is an identifier, from this many rows on.
_IDENTIFIER_ROWS = 20

# So many rare categories are kept by name, to tell them from what was never seen: a
# column of countless words must not fill the model file.
_REMEMBERED = 1000


@final
@dataclass(frozen=True)
class BinaryCode:
    """A column of two values: -1, +1, and 0 for neither.

    Attributes
    ----------
    name : str
    kind : {"boolean", "category"}
    pair : tuple of two str, int, float or bool
        What becomes -1, and what becomes +1.
    indicator : bool
        Whether there is one more feature for missing values.
    """

    tag: ClassVar[str] = "binary"
    name: str
    kind: Kind
    pair: tuple[Label, Label]
    indicator: bool
    missing: int
    levels: int = 2

    @property
    def sources(self) -> tuple[str, ...]:
        """The one column read."""
        return (self.name,)

    @property
    def title(self) -> str:
        """The column's name."""
        return self.name

    def features(self) -> list[tuple[str, str]]:
        """The names of the features, each with the column it comes from."""
        names = [f"{self.name} = {self.pair[1]}"]
        names += [f"{self.name} missing"] if self.indicator else []
        return [(name, self.name) for name in names]

    def write(self, table: Table, out: NDArray[np.float32], remarks: Remarks) -> None:
        """Fill ``out``, of shape (rows, features), from the column."""
        column = table.column(self.name)
        slots = _slots(column, self._place, self.kind, table.source, remarks)
        note_missing(self.name, column.missing, self.indicator, remarks)
        out[:, 0] = np.array([-1.0, 1.0, 0.0], dtype=np.float32)[slots]
        if self.indicator:
            out[:, 1] = column.missing

    def _place(self, text: str) -> int | None:
        if self.kind == "boolean":
            return truth(text)
        pair = [label_text(label) for label in self.pair]
        return pair.index(text) if text in pair else None

    def treatment(self) -> str:
        """What is done, in words."""
        return f"-1 for {self.pair[0]!r}, +1 for {self.pair[1]!r}" + (
            ", missing marked" if self.indicator else ""
        )

    @property
    def note(self) -> str:
        """What a person should know of it."""
        return f"{counted(self.missing, 'missing value')}" if self.missing else ""


def truth(text: str) -> int | None:
    """Return 1 for a word that means true, 0 for one that means false.

    Examples
    --------
    >>> truth("Yes"), truth("0"), truth("maybe")
    (1, 0, None)
    """
    word = text.lower()
    if word in words.TRUE or word == "1":
        return 1
    return 0 if word in words.FALSE or word == "0" else None


@final
@dataclass(frozen=True)
class LevelsCode:
    """A column of categories, one feature each.

    Attributes
    ----------
    name : str
    kept : tuple of str, int, float or bool
        The categories with a feature of their own, the most frequent first.
    rare : tuple of str, int, float or bool
        The other categories there were, as far as they are remembered.
    other, gap : bool
        Whether there is a feature for the rest, and one for missing values.
    """

    tag: ClassVar[str] = "levels"
    name: str
    kept: tuple[Label, ...]
    rare: tuple[Label, ...]
    other: bool
    gap: bool
    missing: int
    levels: int

    @property
    def kind(self) -> Kind:
        """Categories."""
        return "category"

    @property
    def sources(self) -> tuple[str, ...]:
        """The one column read."""
        return (self.name,)

    @property
    def title(self) -> str:
        """The column's name."""
        return self.name

    def features(self) -> list[tuple[str, str]]:
        """The names of the features, each with the column it comes from."""
        names = [f"{self.name} = {level}" for level in self.kept]
        names += [f"{self.name} other"] if self.other else []
        names += [f"{self.name} missing"] if self.gap else []
        return [(name, self.name) for name in names]

    def write(self, table: Table, out: NDArray[np.float32], remarks: Remarks) -> None:
        """Fill ``out``, of shape (rows, features), from the column."""
        column = table.column(self.name)
        place = {label_text(level): slot for slot, level in enumerate(self.kept)}
        place |= {label_text(level): len(self.kept) for level in self.rare}
        slots = _slots(column, place.get, self.kind, table.source, remarks)
        note_missing(self.name, column.missing, self.gap, remarks)
        if self.other:
            slots = np.where((slots < 0) & ~column.missing, len(self.kept), slots)
        if self.gap:
            slots = np.where(column.missing, out.shape[1] - 1, slots)
        out[:] = 0.0
        rows = np.flatnonzero(slots >= 0)
        out[rows, slots[rows]] = 1.0

    def treatment(self) -> str:
        """What is done, in words."""
        done = [f"one-hot over {counted(len(self.kept), 'category')}"]
        done += ["rare ones as 'other'"] if self.other else []
        done += ["missing as one more"] if self.gap else []
        return ", ".join(done)

    @property
    def note(self) -> str:
        """What a person should know of it."""
        parts = []
        if self.levels > len(self.kept):
            rare = counted(self.levels - len(self.kept), "rare category")
            parts.append(f"{rare} put together")
        if self.missing:
            parts.append(f"{counted(self.missing, 'missing value')}")
        return "; ".join(parts)


def _slots(
    column: Column,
    place: Callable[[str], int | None],
    kind: Kind,
    source: str,
    remarks: Remarks,
) -> NDArray[np.intp]:
    """Return the slot of each row's category, -1 where it has none.

    Raises
    ------
    TableError
        If the column is of another kind, and none of its values is known.
    """
    codes, texts = _coded(column)
    slots = [place(text) for text in texts]
    table = np.array([-1 if slot is None else slot for slot in slots] + [-1])
    found = np.asarray(table[codes], dtype=np.intp)
    unknown = codes[(found < 0) & ~column.missing]
    if len(unknown):
        if column.kind != kind and not (found >= 0).any():
            raise changed_kind(column, kind, source)
        often = np.bincount(unknown, minlength=len(texts))
        order = np.argsort(-often, kind="stable")
        remarks.unseen[column.name] = {
            texts[i]: int(often[i]) for i in order if often[i]
        }
    return found


def _coded(column: Column) -> tuple[NDArray[np.intp], list[str]]:
    """Return each row's value as a code into distinct texts, -1 where missing."""
    if column.kind == "category":
        return column.values, [label_text(level) for level in column.levels]
    codes = np.full(column.rows, -1, dtype=np.intp)
    values, codes[~column.missing] = np.unique(column.present, return_inverse=True)
    if column.kind == "boolean" and column.levels:
        return codes, [label_text(column.levels[int(value)]) for value in values]
    if column.kind == "date":
        return codes, [str(value) for value in values]
    return codes, [label_text(value) for value in values.tolist()]


def fit_boolean(column: Column) -> BinaryCode | Dropped:
    """Fit the code of a boolean column, not all of it missing."""
    pair = column.levels or (False, True)
    levels, missing = len(column.counts), column.missing_count
    if levels == 1 and not missing:
        reason = f"constant: always {next(iter(column.counts))!r}"
        return Dropped(column.name, "boolean", reason, missing, levels)
    both = (pair[0], pair[1])
    return BinaryCode(column.name, "boolean", both, missing > 0, missing, levels)


def fit_category(
    column: Column, encoding: Encoding
) -> BinaryCode | LevelsCode | Dropped:
    """Fit the code of a category column, not all of it missing.

    Returns
    -------
    BinaryCode, LevelsCode or Dropped
        Dropped if it is constant, or an identifier: no value occurs twice.
    """
    counts, missing = column.counts, column.missing_count
    levels = len(counts)
    order = sorted(counts, key=lambda level: (-counts[level], label_text(level)))

    def dropped(reason: str) -> Dropped:
        return Dropped(column.name, "category", reason, missing, levels)

    if levels == 1 and not missing:
        return dropped(f"constant: always {order[0]!r}")
    if levels == 2:
        pair = tuple(sorted(order, key=label_text))
        return BinaryCode(
            column.name, "category", (pair[0], pair[1]), missing > 0, missing
        )
    present = column.rows - missing
    if levels == present >= _IDENTIFIER_ROWS:
        return dropped("looks like an identifier: all its values differ")
    kept = [level for level in order if counts[level] >= encoding.min_count]
    kept = kept[: encoding.max_levels]
    if not kept:
        return dropped(f"no category occurs {encoding.min_count} times")
    rare = [level for level in order if level not in set(kept)]
    return LevelsCode(
        name=column.name,
        kept=tuple(kept),
        rare=tuple(rare[:_REMEMBERED]),
        other=len(rare) > 0,
        gap=missing > 0,
        missing=missing,
        levels=levels,
    )
