"""Numbers become features.

A column is scaled so that its middle half has length one, which no outlier can spoil,
and then squeezed smoothly into (-3, 3) by ``z / sqrt(1 + (z / 3)**2)``: RealMLP's
preprocessing (Holzmüller, Grinsztajn and Steinwart 2024, "Better by default", section
3). Beside that it may be given a *piecewise-linear encoding* (Gorishniy, Rubachev and
Babenko 2022, "On embeddings for numerical features", eq. 1): between quantiles
``b_0 < ... < b_T`` feature t is ``clip((x - b_t) / (b_{t+1} - b_t), 0, 1)``, a
thermometer with soft edges. Over few distinct values it has an edge at each, and can
say whatever one-hot features could: such numbers need no treatment of their own.

A gap is filled with the median; where there were gaps to learn from, one more feature
tells that there was one.
"""

import re
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from weft.tables.column import Column, Kind
from weft.tables.encoding import (
    Dropped,
    Encoding,
    Remarks,
    changed_kind,
    note_missing,
    refuse_infinite,
)
from weft.tables.errors import counted
from weft.tables.table import Table

# What a column of row numbers is called; it is dropped only if it also looks like one.
_ROW_NAMES = re.compile(
    r"(row|record)?[_. ]?(id|index|names?|number|no)|row|unnamed:? ?\d+"
)

_CHUNK = 1024  # rows at a time, so that what is computed stays in the cache
_LIMIT = 1e6  # in units of the middle half: beyond it the squeezed value is 3 anyway


def squeeze(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``z / sqrt(1 + (z / 3)**2)``: the identity near 0, never beyond ±3.

    Examples
    --------
    >>> squeeze(np.array([0.0, 0.01, 1e9])).round(4).tolist()
    [0.0, 0.01, 3.0]
    """
    z = np.clip(z, -_LIMIT, _LIMIT)
    return np.asarray(z / np.sqrt(1.0 + (z / 3.0) ** 2))


def quantiles(
    ordered: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return quantiles of sorted values, interpolated linearly.

    Examples
    --------
    >>> quantiles(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.25, 1.0])).tolist()
    [0.0, 0.5, 2.0]
    """
    place = levels * (len(ordered) - 1)
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, len(ordered) - 1)
    share = place - below
    return np.asarray(ordered[below] * (1 - share) + ordered[above] * share)


def robust_scale(ordered: NDArray[np.float64]) -> float:
    """Return the factor that makes the middle half one long.

    If at least half of the values are equal, the whole range is made two long; if all
    are, the factor is 0.

    Examples
    --------
    >>> robust_scale(np.array([0.0, 1.0, 2.0, 3.0, 100.0]))
    0.5
    >>> robust_scale(np.array([0.0, 0.0, 0.0, 0.0, 4.0]))
    0.5
    """
    # Halved before they are subtracted, so that the largest numbers cannot overflow.
    low, first, third, high = map(
        float, quantiles(ordered, np.array([0.0, 0.25, 0.75, 1.0])) * 0.5
    )
    least = float(np.finfo(np.float64).tiny)  # below it the inverse would overflow
    if third - first > least:
        return 0.5 / (third - first)
    return 1.0 / (high - low) if high - low > least else 0.0


def bin_edges(ordered: NDArray[np.float64], bins: int) -> tuple[float, ...]:
    """Return the edges of a piecewise-linear encoding, none if one piece would do.

    Parameters
    ----------
    ordered : ndarray, shape (rows,)
        The values, sorted.
    bins : int
        Most pieces.

    Returns
    -------
    tuple of float
        Strictly ascending: every distinct value if these are few; else quantiles. If
        one value is so frequent that many quantiles fall together, quantiles of the
        *distinct* values fill the rest.

    Examples
    --------
    >>> bin_edges(np.array([1.0, 1.0, 2.0, 5.0]), bins=4)
    (1.0, 2.0, 5.0)
    >>> bin_edges(np.array([1.0, 1.0, 2.0, 2.0]), bins=4)
    ()
    """
    distinct = np.unique(ordered)
    if bins < 2 or len(distinct) <= 2:
        return ()
    if len(distinct) <= bins + 1:
        edges = distinct
    else:
        edges = np.unique(quantiles(ordered, np.linspace(0.0, 1.0, bins + 1)))
    lost = min(bins + 1, len(distinct)) - len(edges)
    if 2 * lost >= bins:
        inner = np.linspace(0.0, 1.0, lost + 2)[1:-1]
        edges = np.union1d(edges, quantiles(distinct, inner))
    with np.errstate(over="ignore"):
        if not np.isfinite(edges[-1] - edges[0]):
            return ()  # differences of the largest numbers overflow
    return tuple(edges.tolist())


@final
@dataclass(frozen=True)
class NumberCode:
    """One number column.

    Attributes
    ----------
    name : str
    center, scale : float
        ``z = (x - center) * scale`` is what is squeezed.
    value, indicator : bool
        Whether there is a feature for the value, and one for its absence.
    edges : tuple of float
        Of the piecewise-linear encoding; empty if there is none.
    """

    tag: ClassVar[str] = "number"
    name: str
    center: float
    scale: float
    value: bool
    indicator: bool
    edges: tuple[float, ...]
    missing: int
    levels: int

    @property
    def kind(self) -> Kind:
        """Numbers."""
        return "number"

    @property
    def sources(self) -> tuple[str, ...]:
        """The one column read."""
        return (self.name,)

    @property
    def title(self) -> str:
        """The column's name."""
        return self.name

    @property
    def pieces(self) -> int:
        """How many piecewise-linear features there are."""
        return max(len(self.edges) - 1, 0)

    def features(self) -> list[tuple[str, str]]:
        """The names of the features, each with the column it comes from."""
        names = [self.name] if self.value else []
        names += [f"{self.name} > {edge:.8g}" for edge in self.edges[:-1]]
        names += [f"{self.name} missing"] if self.indicator else []
        return [(name, self.name) for name in names]

    def write(self, table: Table, out: NDArray[np.float32], remarks: Remarks) -> None:
        """Fill ``out``, of shape (rows, features), from the column."""
        column = as_numbers(table.column(self.name), table.source)
        refuse_infinite(self.name, column.values, table.source)
        note_missing(self.name, column.missing, self.indicator, remarks)
        edges = np.array(self.edges)
        widths = np.diff(edges)
        for start in range(0, column.rows, _CHUNK):
            rows = slice(start, start + _CHUNK)
            x = column.values[rows].astype(np.float64)
            x[column.missing[rows]] = self.center
            at = 0
            if self.value:
                with np.errstate(over="ignore"):
                    out[rows, 0] = squeeze((x - self.center) * self.scale)
                at = 1
            if self.pieces:
                pieces = (x[:, None] - edges[:-1]) / widths
                out[rows, at : at + self.pieces] = np.clip(pieces, 0.0, 1.0)
        if self.indicator:
            out[:, -1] = column.missing

    def treatment(self) -> str:
        """What is done, in words."""
        done = ["scaled by quantiles"] if self.value else []
        done += [f"{self.pieces} linear pieces"] if self.edges else []
        done += ["missing marked"] if self.indicator else []
        return ", ".join(done)

    @property
    def note(self) -> str:
        """What a person should know of it."""
        if not self.missing:
            return ""
        how = (
            f"by the median {self.center:.6g}" if self.value else "all others are equal"
        )
        return f"{counted(self.missing, 'missing value')} imputed ({how})"


def as_numbers(column: Column, source: str) -> Column:
    """Return a column as numbers; texts and dates are refused unless all is missing."""
    if column.kind == "number":
        return column
    if column.empty or column.kind == "boolean":
        values = column.values.astype(np.float64)
        values[column.missing] = np.nan
        return Column(column.name, "number", values, column.missing)
    raise changed_kind(column, "number", source)


def fit_number(
    column: Column, encoding: Encoding, bins: int, source: str
) -> NumberCode | Dropped:
    """Fit the code of a number column.

    Parameters
    ----------
    column : Column
        Not all of it missing.
    encoding : Encoding
    bins : int
        Most linear pieces, as the width of the whole table allows.
    source : str
        What to call the table in messages.

    Returns
    -------
    NumberCode or Dropped
        Dropped if it is constant, or numbers the rows.

    Raises
    ------
    TableError
        If a value is infinite.
    """
    refuse_infinite(column.name, column.values, source)
    ordered = np.sort(column.present.astype(np.float64))
    levels = 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))
    missing = column.missing_count

    def dropped(reason: str) -> Dropped:
        return Dropped(column.name, "number", reason, missing, levels)

    if levels == 1 and not missing:
        return dropped(f"constant: always {ordered[0]:.6g}")
    if _numbers_rows(column, levels):
        return dropped("numbers the rows: all its values differ, and its name says so")
    scale = robust_scale(ordered)
    return NumberCode(
        name=column.name,
        center=float(quantiles(ordered, np.array([0.5]))[0]),
        scale=scale,
        value=scale > 0,
        indicator=missing > 0,
        edges=bin_edges(ordered, bins),
        missing=missing,
        levels=levels,
    )


def _numbers_rows(column: Column, levels: int) -> bool:
    """Tell whether a column is called like row numbers and holds such."""
    whole = column.values.dtype.kind in "iu"
    named = _ROW_NAMES.fullmatch(column.name.lower()) is not None
    return named and whole and levels == column.rows > 1
