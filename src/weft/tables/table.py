"""A raw table: named columns as they came, before anything is made of them.

A table knows what to call itself in messages (`source`), what was noticed while it was
read (`notes`), and, where that is known (a built-in set, the labels beside the
images), which column is the one to learn (`target`). It is never changed: `take`,
`select` and `without` give new tables that share memory where they can.

>>> table = Table.from_frame({"age": [39, 50], "job": ["clerk", None]})
>>> table.names, table.rows
(('age', 'job'), 2)
>>> table.column("jobs")
Traceback (most recent call last):
weft.tables.errors.TableError: no column 'jobs' in the table. Did you mean 'job'?
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from weft.tables.column import Block, Column, Rows
from weft.tables.errors import TableError, counted, did_you_mean, listing


@final
@dataclass(frozen=True, eq=False)
class Table:
    """Named columns with as many rows each.

    Attributes
    ----------
    parts : tuple of Column or Block
        The columns from left to right.
    source : str
        What to call the table in messages: a path, or a built-in name.
    notes : tuple of str
        What was noticed while it was read, one sentence each.
    target : str or None
        The column that is usually learnt, where the source itself says so.
    whole : tuple of str
        Of a selection of columns: all the columns it was selected from.

    Raises
    ------
    TableError
        If two columns have one name, or their numbers of rows differ.
    """

    parts: tuple[Column | Block, ...]
    source: str = "the table"
    notes: tuple[str, ...] = ()
    target: str | None = None
    whole: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self._places) < len(self.names):
            twice = [n for n in self._places if self.names.count(n) > 1]
            raise TableError(
                f"{self.source} has more than one column called {listing(twice)}: "
                "give each column a name of its own"
            )
        if len({part.rows for part in self.parts}) > 1:
            rows = [f"{_title(part)} {part.rows}" for part in self.parts]
            raise TableError(
                f"the columns of {self.source} differ in length: " + ", ".join(rows)
            )

    def __repr__(self) -> str:
        columns = counted(len(self.names), "column")
        return f"Table({self.source!r}: {counted(self.rows, 'row')}, {columns})"

    @staticmethod
    def from_frame(frame: Any, source: str = "the table") -> "Table":
        """Make a table of what is in memory already.

        Parameters
        ----------
        frame : pandas, polars or Arrow table, dict, or 2-D array
            A dict maps names to columns; the columns of an array are called ``x1``,
            ``x2``, ... A pandas index is no column.
        source : str
            What to call it in messages.

        Returns
        -------
        Table

        Raises
        ------
        TableError
            If it is none of these, or holds columns of other kinds than numbers,
            booleans, texts and dates.

        Examples
        --------
        >>> Table.from_frame(np.zeros((3, 2))).names
        ('x1', 'x2')
        """
        from weft.tables.frames import table_of  # it builds on this module

        return table_of(frame, source)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all columns, from left to right."""
        return tuple(name for part in self.parts for name in _names(part))

    @property
    def origin(self) -> tuple[str, ...]:
        """The names of all columns of the table that this one was selected from."""
        return self.whole or self.names

    @cached_property
    def rows(self) -> int:
        """How many rows there are."""
        return self.parts[0].rows if self.parts else 0

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        """For each name: which part, and which column of that part."""
        return {
            name: (index, position)
            for index, part in enumerate(self.parts)
            for position, name in enumerate(_names(part))
        }

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[Column]:
        return (self.column(name) for name in self.names)

    def column(self, name: str) -> Column:
        """Return the column of that name.

        Raises
        ------
        TableError
            If there is none; the message names the nearest.
        """
        index, position = self._place(name)
        part = self.parts[index]
        return part.column(position) if isinstance(part, Block) else part

    def part(self, name: str) -> Column | Block:
        """Return the part of the table in which the column of that name lies."""
        return self.parts[self._place(name)[0]]

    def _place(self, name: str) -> tuple[int, int]:
        if name not in self._places:
            raise TableError(
                f"no column {name!r} in {self.source}."
                f"{did_you_mean(name, self.names) or f' It has {self._has()}.'}"
            )
        return self._places[name]

    def _has(self) -> str:
        return f"{listing(self.names, most=12)}" if self.names else "no columns"

    def take(self, rows: Rows) -> "Table":
        """Return the rows given (indices, a boolean mask or a slice)."""
        return replace(self, parts=tuple(part.take(rows) for part in self.parts))

    def select(self, names: Sequence[str]) -> "Table":
        """Return the columns given, in that order.

        Raises
        ------
        TableError
            If there is no such column; the message names the nearest.
        """
        places = [self._place(name) for name in names]
        parts: list[Column | Block] = []
        for index, run in groupby(places, key=lambda place: place[0]):
            part = self.parts[index]
            if isinstance(part, Block):
                parts.append(part.select([position for _, position in run]))
            else:
                parts.extend(part for _ in run)
        return replace(self, parts=tuple(parts), whole=self.origin)

    def without(self, names: Iterable[str]) -> "Table":
        """Return all columns but these; a name that does not occur is an error."""
        gone = set(names)
        for name in gone:
            self._place(name)
        return self.select([name for name in self.names if name not in gone])

    def matrix(self, names: Sequence[str]) -> NDArray[Any]:
        """Return number columns as one array, without a copy where one holds them all.

        Parameters
        ----------
        names : sequence of str

        Returns
        -------
        ndarray, shape (rows, len(names))
            NaN where missing. Not to be written to.
        """
        chosen = self.select(names)
        if len(chosen.parts) == 1 and isinstance(chosen.parts[0], Block):
            return chosen.parts[0].values
        for part in chosen.parts:
            if isinstance(part, Column) and part.kind != "number":
                raise TableError(f"column {part.name!r} holds no numbers: {part.kind}")
        arrays = [
            part.values if isinstance(part, Block) else part.values[:, None]
            for part in chosen.parts
        ]
        return np.concatenate(arrays, axis=1)

    def noting(self, *notes: str) -> "Table":
        """Return the same table with more notes."""
        return replace(self, notes=(*self.notes, *notes))


def _names(part: Column | Block) -> tuple[str, ...]:
    return part.names if isinstance(part, Block) else (part.name,)


def _title(part: Column | Block) -> str:
    names = _names(part)
    return repr(names[0]) if len(names) == 1 else f"{names[0]!r} … {names[-1]!r}"
