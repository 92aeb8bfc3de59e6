"""The column to learn: taken from the table, understood, and turned into numbers.

A class label of any kind becomes a code 0, 1, ...; a number is brought to mean 0 and
standard deviation 1. Both ways back are exact as far as floats allow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from weft.tables.column import Column, Label, label_text
from weft.tables.encoding import refuse_infinite
from weft.tables.errors import (
    TableError,
    counted,
    did_you_mean,
    listing,
    rows_named,
)
from weft.tables.table import Table

_FEW = 20  # whole numbers with at most so many distinct values may be classes ...
_PER_CLASS = 10  # ... if each has so many rows on average


def separate(
    table: Table, target: str, *, drop_missing_target: bool = False
) -> tuple[Table, Column]:
    """Part a table into its inputs and the column to learn.

    Parameters
    ----------
    table : Table
    target : str
        The name of the column.
    drop_missing_target : bool
        Leave out the rows in which it is missing, with a note on the inputs; without
        this such rows are an error.

    Returns
    -------
    inputs : Table
        All other columns.
    target : Column
        Without gaps.

    Raises
    ------
    TableError
        If there is no such column, or some of its values are missing.

    Examples
    --------
    >>> table = Table.from_frame({"x": [1, 2, 3], "y": ["a", None, "b"]})
    >>> separate(table, "y")
    Traceback (most recent call last):
    weft.tables.errors.TableError: the target 'y' is missing in 1 of 3 rows (row 2): ...
    >>> inputs, target = separate(table, "y", drop_missing_target=True)
    >>> inputs.rows, target.labels()
    (2, ['a', 'b'])
    """
    column = table.column(target)
    inputs = table.without([target])
    if not column.missing_count:
        return inputs, column
    rows = np.flatnonzero(column.missing)
    if column.empty:
        raise TableError(f"the target {target!r} is missing in every row")
    if not drop_missing_target:
        raise TableError(
            f"the target {target!r} is missing in {len(rows):,} of "
            f"{counted(table.rows, 'row')} ({rows_named(rows)}): fill it in, or leave "
            "these rows out (--drop-missing-target, or drop_missing_target=True)"
        )
    there = ~column.missing
    note = f"{counted(len(rows), 'row')} without the target {target!r} left out"
    return inputs.take(there).noting(note), column.take(there)


@final
@dataclass(frozen=True)
class Task:
    """What kind of answer a column asks for, and why it was taken so.

    Attributes
    ----------
    kind : {"classification", "regression"}
    reason : str
    """

    kind: Literal["classification", "regression"]
    reason: str


def infer_task(column: Column) -> Task:
    """Tell whether a column holds classes or quantities.

    Parameters
    ----------
    column : Column

    Returns
    -------
    Task
        Classification for texts and booleans, for numbers of two values, and for whole
        numbers with at most 20 values and 10 rows to each; else regression.

    Raises
    ------
    TableError
        If the column holds dates.

    Examples
    --------
    >>> infer_task(Column.of(["a", "b"]))
    Task(kind='classification', reason='its values are texts')
    >>> infer_task(Column.of([1.5, 2.5, 0.5])).kind
    'regression'
    """
    if column.kind == "date":
        raise TableError(
            f"the target {column.name!r} holds dates, which cannot be learnt: "
            "give days since a fixed date as a number"
        )
    if column.kind != "number":
        held = "texts" if column.kind == "category" else "true or false"
        return Task("classification", f"its values are {held}")
    values = column.present
    finite = values[np.isfinite(values)]
    distinct = np.unique(finite)
    if len(distinct) <= 2:
        return Task("classification", f"it has {counted(len(distinct), 'value')} only")
    if np.any(distinct != np.floor(distinct)):
        return Task("regression", "its values are fractions")
    few = len(distinct) <= _FEW and len(finite) >= _PER_CLASS * len(distinct)
    reason = f"its values are whole numbers, {len(distinct):,} different ones"
    return Task("classification" if few else "regression", reason)


@final
@dataclass(frozen=True)
class ClassTarget:
    """Class labels and their codes 0, 1, ...

    Attributes
    ----------
    name : str
    labels : tuple of str, int, float or bool
        In the order of the codes: sorted.
    counts : tuple of int
        How many rows each had.

    Examples
    --------
    >>> target = ClassTarget.fit(Column.of(["no", "yes", "no"], "answer"))
    >>> target.labels, target.encode(Column.of(["yes", "no"])).tolist()
    (('no', 'yes'), [1, 0])
    >>> target.decode([1, 0]).tolist()
    ['yes', 'no']
    """

    name: str
    labels: tuple[Label, ...]
    counts: tuple[int, ...]

    @staticmethod
    def fit(column: Column) -> "ClassTarget":
        """Take the labels from a column.

        Raises
        ------
        TableError
            If there are gaps, fewer than two classes, or as many classes as rows.
        """
        _refuse_gaps(column)
        if column.kind == "date":
            infer_task(column)  # raises
        refuse_infinite(column.name, column.values, "the table")
        counts = column.counts
        if len(counts) == 1:
            only = next(iter(counts))
            raise TableError(
                f"the target {column.name!r} has one class only, {only!r}: "
                "there is nothing to tell apart"
            )
        if len(counts) == column.rows > 2 * _FEW:
            raise TableError(
                f"the target {column.name!r} has as many classes as rows "
                f"({column.rows:,}): is it an identifier, or a quantity to regress on?"
            )
        return ClassTarget(column.name, tuple(counts), tuple(counts.values()))

    def encode(self, column: Column) -> NDArray[np.int64]:
        """Return the codes of a column; `transform` also tells what was noticed.

        Raises
        ------
        TableError
            If a label is missing, or was not there when the labels were taken.
        """
        return self.transform(column)[0]

    def transform(self, column: Column) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Return the codes of a column, and notes.

        A label that differs from one class alone, and only in upper and lower case or
        in a full stop behind it, is taken for that class, with a note.

        Parameters
        ----------
        column : Column

        Returns
        -------
        codes : ndarray of int64, shape (rows,)
        notes : tuple of str

        Examples
        --------
        >>> target = ClassTarget.fit(Column.of(["<=50K", ">50K"]))
        >>> codes, notes = target.transform(Column.of([">50K.", ">50K"], "income"))
        >>> codes.tolist(), notes
        ([1, 1], ("'income': '>50K.' was taken for '>50K'",))
        """
        _refuse_gaps(column)
        exact = {label_text(label): code for code, label in enumerate(self.labels)}
        loose = _only_ones((_loose(text), code) for text, code in exact.items())
        table, notes, unknown = [], [], []
        levels, codes = _levels(column)
        for text in levels:
            code = exact.get(text)
            if code is None:
                code = loose.get(_loose(text))
                if code is None:
                    unknown.append(text)
                else:
                    taken = label_text(self.labels[code])
                    notes.append(f"{column.name!r}: {text!r} was taken for {taken!r}")
            table.append(-1 if code is None else code)
        if unknown:
            near = did_you_mean(unknown[0], exact, 1)
            raise TableError(
                f"the target {column.name!r} holds {listing(unknown, most=3)}, but the "
                f"classes learnt are {listing(list(exact), most=12)}.{near}"
            )
        return np.array(table, dtype=np.int64)[codes], tuple(notes)

    def decode(self, codes: Any) -> NDArray[Any]:
        """Return the labels of codes, in the type the labels came in.

        Parameters
        ----------
        codes : array-like of int, shape (rows,)

        Returns
        -------
        ndarray, shape (rows,)
        """
        return np.asarray(np.array(self.labels)[np.asarray(codes)])

    def to_json(self) -> dict[str, Any]:
        """Return the target as JSON data."""
        return {
            "task": "classification",
            "name": self.name,
            "labels": list(self.labels),
            "counts": list(self.counts),
        }


def _only_ones(pairs: Any) -> dict[str, int]:
    """Return a dict of the keys that occur once."""
    found: dict[str, list[int]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return {key: values[0] for key, values in found.items() if len(values) == 1}


def _loose(text: str) -> str:
    return text.strip().rstrip(".").casefold()


def _levels(column: Column) -> tuple[list[str], NDArray[np.intp]]:
    """Return the distinct values that occur as texts, and each row's place in them."""
    values, codes = np.unique(column.values, return_inverse=True)
    if column.kind in ("category", "boolean") and column.levels:
        return [label_text(column.levels[int(v)]) for v in values], codes
    return [label_text(value) for value in values.tolist()], codes


def _refuse_gaps(column: Column) -> None:
    if column.missing_count:
        rows = np.flatnonzero(column.missing)
        raise TableError(
            f"the target {column.name!r} is missing in "
            f"{counted(len(rows), 'row')} ({rows_named(rows)})"
        )


@final
@dataclass(frozen=True)
class RealTarget:
    """A quantity, standardised to mean 0 and standard deviation 1.

    Attributes
    ----------
    name : str
    mean, scale : float
        In the quantity's own unit; ``(y - mean) / scale`` is what is learnt.

    Examples
    --------
    >>> target = RealTarget.fit(Column.of([1.0, 3.0], "y"))
    >>> target.encode(Column.of([1.0, 3.0])).tolist(), target.decode([0.0]).tolist()
    ([-1.0, 1.0], [2.0])
    """

    name: str
    mean: float
    scale: float

    @staticmethod
    def fit(column: Column) -> "RealTarget":
        """Take mean and standard deviation from a column.

        Raises
        ------
        TableError
            If it holds no numbers, gaps, infinite values, or always the same number.
        """
        values = RealTarget._values(column)
        if np.ptp(values) == 0:
            raise TableError(
                f"the target {column.name!r} is constant, always {values[0]:.6g}: "
                "there is nothing to learn"
            )
        return RealTarget(column.name, float(values.mean()), float(values.std()))

    @staticmethod
    def _values(column: Column) -> NDArray[np.float64]:
        if column.kind not in ("number", "boolean"):
            examples = listing(column.take(slice(1)).labels())
            raise TableError(
                f"the target {column.name!r} holds no numbers ({examples}): "
                "regression needs them"
            )
        _refuse_gaps(column)
        refuse_infinite(column.name, column.values, "the table")
        return column.values.astype(np.float64)

    def encode(self, column: Column) -> NDArray[np.float32]:
        """Return the standardised values, float32 of shape (rows,)."""
        values = (self._values(column) - self.mean) / self.scale
        return values.astype(np.float32)

    def values(self, column: Column) -> NDArray[np.float64]:
        """Return the values in their own unit, float64 of shape (rows,)."""
        return self._values(column)

    def decode(self, standardised: Any) -> NDArray[np.float64]:
        """Return standardised values, of any shape, in the quantity's own unit."""
        return np.asarray(standardised, dtype=np.float64) * self.scale + self.mean

    def to_json(self) -> dict[str, Any]:
        """Return the target as JSON data."""
        return {
            "task": "regression",
            "name": self.name,
            "mean": self.mean,
            "scale": self.scale,
        }


def target_from_json(data: Mapping[str, Any]) -> ClassTarget | RealTarget:
    """Return the target that `to_json` gave away.

    Raises
    ------
    TableError
        If the data is none.

    Examples
    --------
    >>> target_from_json(RealTarget("y", 1.0, 2.0).to_json())
    RealTarget(name='y', mean=1.0, scale=2.0)
    """
    try:
        if data["task"] == "regression":
            return RealTarget(data["name"], data["mean"], data["scale"])
        labels: Sequence[Label] = data["labels"]
        return ClassTarget(data["name"], tuple(labels), tuple(data["counts"]))
    except (KeyError, TypeError) as error:
        raise TableError(f"the target is damaged: {error!r}") from error
