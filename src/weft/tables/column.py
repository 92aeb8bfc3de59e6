"""One column, and a block of columns that lie side by side in one array.

A column is a NumPy array with an explicit mask of what is missing, in one of four
kinds:

=========  ==========================================================================
number     integers or floats; NaN where missing
boolean    bool; `levels` keeps how the two were spelt, so that "no" stays "no"
category   int32 codes into `levels`, the distinct values; -1 where missing
date       datetime64[us] without a time zone; NaT where missing
=========  ==========================================================================

A `Block` holds many number columns as one 2-D array in the type they came in: an image
of 784 pixels is 784 columns to whoever asks by name, and still one array of bytes.

The invariant of both: arrays are never written to after they are handed in, and the
mask says everything about what is missing.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from weft.tables.errors import TableError

Kind: TypeAlias = Literal["number", "boolean", "category", "date"]
Label: TypeAlias = str | int | float | bool
Rows: TypeAlias = NDArray[Any] | slice | Sequence[int]

KINDS: tuple[Kind, ...] = ("number", "boolean", "category", "date")


def label_text(label: Label) -> str:
    """Return the text by which labels are compared: ``3``, ``3.0`` and ``"3"`` agree.

    Examples
    --------
    >>> label_text(3), label_text(3.0), label_text("3"), label_text(2.5)
    ('3', '3', '3', '2.5')
    """
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)


@final
@dataclass(frozen=True, eq=False)
class Column:
    """One named column of a table.

    Attributes
    ----------
    name : str
    kind : {"number", "boolean", "category", "date"}
    values : ndarray, shape (rows,)
    missing : ndarray of bool, shape (rows,)
        True where there is no value.
    levels : tuple of str, int, float or bool
        Of a category: what the codes stand for. Of a boolean: the spellings of false
        and true, empty where the values were booleans from the start. Of dates that
        were texts: the form in which they were written.

    Examples
    --------
    >>> column = Column.of(["red", None, "blue", "red"], "colour")
    >>> column.kind, column.levels, column.values
    ('category', ('blue', 'red'), array([ 1, -1,  0,  1], dtype=int32))
    """

    name: str
    kind: Kind
    values: NDArray[Any]
    missing: NDArray[np.bool_]
    levels: tuple[Label, ...] = ()

    @staticmethod
    def of(values: Any, name: str = "value") -> "Column":
        """Make a column of an array, a sequence, or a pandas, polars or Arrow series.

        Parameters
        ----------
        values : array-like of shape (rows,)
        name : str
            What to call it where the values bring no name of their own.

        Returns
        -------
        Column

        Raises
        ------
        TableError
            If the values are not one column of numbers, booleans, texts or dates.
        """
        from weft.tables.frames import column_of  # it builds on this module

        return column_of(values, name)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.values)

    @cached_property
    def missing_count(self) -> int:
        """How many rows have no value."""
        return int(np.count_nonzero(self.missing))

    @property
    def empty(self) -> bool:
        """Whether no row has a value."""
        return self.missing_count == self.rows

    @property
    def present(self) -> NDArray[Any]:
        """The values that are there, in the order of the rows."""
        return self.values[~self.missing] if self.missing_count else self.values

    @cached_property
    def counts(self) -> dict[Label, int]:
        """How often each value occurs: sorted by value, missing ones left out."""
        if self.kind == "category":
            often = np.bincount(self.present, minlength=len(self.levels))
            pairs = zip(self.levels, often.tolist(), strict=True)
            seen = [(level, times) for level, times in pairs if times]
            return dict(sorted(seen, key=lambda pair: (str(type(pair[0])), pair[0])))
        values, often = np.unique(self.present, return_counts=True)
        if self.kind == "boolean" and self.levels:
            spelt = [self.levels[int(value)] for value in values]
            return dict(zip(spelt, often.tolist(), strict=True))
        if self.kind == "date":
            values = np.datetime_as_string(values)
        return dict(zip(values.tolist(), often.tolist(), strict=True))

    def take(self, rows: Rows) -> "Column":
        """Return the same column with the rows given (indices, a mask or a slice)."""
        return replace(self, values=self.values[rows], missing=self.missing[rows])

    def renamed(self, name: str) -> "Column":
        """Return the same column under another name."""
        return replace(self, name=name)

    def labels(self) -> list[Label | datetime.datetime | None]:
        """Return the values as Python objects, None where missing."""
        if self.kind == "category":
            return [None if c < 0 else self.levels[c] for c in self.values.tolist()]
        values = self.values.tolist()
        if self.kind == "boolean" and self.levels:
            values = [self.levels[int(value)] for value in values]
        if self.missing_count:
            missing = self.missing.tolist()
            values = [
                None if gone else v for v, gone in zip(values, missing, strict=True)
            ]
        return list(values)


def number_column(name: str, values: NDArray[Any]) -> Column:
    """Return a number column; NaN is missing.

    Parameters
    ----------
    name : str
    values : ndarray of integers or floats, shape (rows,)
    """
    if values.dtype.kind == "f":
        missing = np.isnan(values)
    else:
        missing = np.zeros(len(values), dtype=bool)
    return Column(name, "number", values, missing)


def category_column(name: str, codes: NDArray[Any], levels: Sequence[Label]) -> Column:
    """Return a category column of codes into levels, -1 where missing."""
    codes = codes.astype(np.int32, copy=False)
    return Column(name, "category", codes, codes < 0, tuple(levels))


@final
@dataclass(frozen=True, eq=False)
class Block:
    """Number columns side by side in one array, whatever its type.

    Attributes
    ----------
    names : tuple of str
        One name per column.
    values : ndarray of numbers, shape (rows, columns)
        NaN where missing.
    shape : tuple of int
        What one row looked like before it was laid flat, for instance ``(28, 28)``.

    Examples
    --------
    >>> block = Block(("a", "b"), np.array([[1, 2], [3, 4]], dtype=np.uint8))
    >>> block.column(1).values
    array([2, 4], dtype=uint8)
    """

    names: tuple[str, ...]
    values: NDArray[Any]
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names):
            raise TableError(
                f"{len(self.names)} names do not fit an array of shape "
                f"{self.values.shape}: one name per column is needed"
            )
        if self.values.dtype.kind not in "iuf":
            raise TableError(f"a block holds numbers, not {self.values.dtype}")

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.values)

    def column(self, position: int) -> Column:
        """Return one column, sharing the block's memory."""
        return number_column(self.names[position], self.values[:, position])

    def take(self, rows: Rows) -> "Block":
        """Return the same columns with the rows given (indices, a mask or a slice)."""
        return replace(self, values=self.values[rows])

    def select(self, positions: Sequence[int]) -> "Block":
        """Return some of the columns; neighbours in order share the memory."""
        if list(positions) == list(range(len(self.names))):
            return self
        first, last = positions[0], positions[-1] + 1
        chosen: Any = list(positions)
        if chosen == list(range(first, last)):
            chosen = slice(first, last)
        names = tuple(self.names[p] for p in positions)
        return Block(names, self.values[:, chosen])
