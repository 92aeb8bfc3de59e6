"""Many number columns on one scale: the pixels of an image.

Scaled one by one, a pixel that is hardly ever lit would be blown up and brightness
would mean something else in every corner. Columns that have one range and take few
distinct values therefore get one mean and one standard deviation together. Nothing but
the values decides that, so that a table of pixels is treated alike whether it comes as
an image file, an array or a CSV of 784 columns.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from weft.tables.column import Block, Kind
from weft.tables.encoding import Encoding, Remarks, note_missing, refuse_infinite
from weft.tables.errors import counted
from weft.tables.numbers import as_numbers
from weft.tables.table import Table

_CHUNK = 1024  # rows at a time, so that what is computed stays in the cache


@final
@dataclass(frozen=True)
class JointCode:
    """Many number columns on one scale, such as the pixels of an image.

    One mean and one standard deviation serve all of them, so that brightness keeps its
    meaning from pixel to pixel. Columns that were constant are left out.

    Attributes
    ----------
    names : tuple of str
        The columns that are kept.
    mean, scale : float
        A feature is ``(x - mean) * scale``.
    constant : tuple of str
        The columns that are left out.
    """

    tag: ClassVar[str] = "joint"
    names: tuple[str, ...]
    mean: float
    scale: float
    constant: tuple[str, ...]
    missing: int
    levels: int

    @property
    def kind(self) -> Kind:
        """Numbers."""
        return "number"

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns read."""
        return self.names

    @property
    def title(self) -> str:
        """The first and the last name."""
        return f"{self.names[0]} … {self.names[-1]}"

    def features(self) -> list[tuple[str, str]]:
        """The names of the features, each with the column it comes from."""
        return [(name, name) for name in self.names]

    def write(self, table: Table, out: NDArray[np.float32], remarks: Remarks) -> None:
        """Fill ``out``, of shape (rows, features), from the columns."""
        values, chosen = _array(table, self.names)
        offset = np.float32(-self.mean * self.scale)
        for start in range(0, len(values), _CHUNK):
            rows = slice(start, start + _CHUNK)
            x = values[rows]
            if chosen is not None:
                x = np.take(x, chosen, axis=1)
            here = out[rows]
            # Scaled before it is shifted: exact enough for the few distinct values.
            np.multiply(x, np.float32(self.scale), out=here, casting="unsafe")
            here += offset
        if values.dtype.kind == "f":
            self._mend(table, out, remarks)

    def _mend(self, table: Table, out: NDArray[np.float32], remarks: Remarks) -> None:
        """Give missing values the mean, and refuse infinite ones."""
        if np.isfinite(out).all():
            return
        for index, name in enumerate(self.names):
            if not np.isfinite(out[:, index]).all():
                column = table.column(name)
                refuse_infinite(name, column.values, table.source)
                note_missing(name, column.missing, self.missing > 0, remarks)
                out[column.missing, index] = 0.0

    def treatment(self) -> str:
        """What is done, in words."""
        return f"{len(self.names)} columns scaled together"

    @property
    def note(self) -> str:
        """What a person should know of it."""
        parts = []
        if self.constant:
            parts.append(f"{counted(len(self.constant), 'constant column')} dropped")
        if self.missing:
            parts.append(f"{counted(self.missing, 'missing value')} imputed (the mean)")
        return "; ".join(parts)


def _array(table: Table, names: tuple[str, ...]) -> tuple[NDArray[Any], Any]:
    """Return an array that holds the columns, and which of its own these are.

    A block is handed out whole, however few of its columns are asked for: they are
    chosen row by row later, without a second copy of it.
    """
    part = table.part(names[0])
    if isinstance(part, Block):
        place = {name: index for index, name in enumerate(part.names)}
        if all(name in place for name in names):
            chosen = np.array([place[name] for name in names])
            whole = len(chosen) == len(place) and bool((np.diff(chosen) == 1).all())
            return part.values, None if whole else chosen
    numbers = [as_numbers(table.column(n), table.source).values for n in names]
    return np.stack(numbers, axis=1), None


def are_alike(values: NDArray[Any], encoding: Encoding) -> bool:
    """Tell whether number columns share one scale, as pixels do.

    Parameters
    ----------
    values : ndarray, shape (rows, columns)
        Some rows are enough.
    encoding : Encoding

    Returns
    -------
    bool
        True if there are enough columns, none of their values is missing, all have the
        same least value (not far from zero), at least half of those that vary reach
        half of the greatest, and there are 3 to 256 distinct values.

    Examples
    --------
    >>> pixels = np.arange(64 * 40).reshape(64, 40) % 17
    >>> are_alike(pixels, Encoding()), are_alike(pixels[:, :8], Encoding())
    (True, False)
    """
    if values.shape[1] < max(encoding.joint_columns, 2) or len(values) < 2:
        return False
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return False
    low, high = values.min(axis=0), values.max(axis=0)
    varies = high > low
    if np.any(low != low[0]) or 2 * np.count_nonzero(varies) < encoding.joint_columns:
        return False
    if abs(float(low[0])) > float(high.max()) - float(low[0]):
        return False  # far from zero: one factor in float32 would lose digits
    half = float(low[0]) / 2 + float(high.max()) / 2
    if 2 * np.count_nonzero(high[varies] >= half) < np.count_nonzero(varies):
        return False
    return 3 <= len(np.unique(values)) <= 256


def fit_joint(names: tuple[str, ...], values: NDArray[Any], source: str) -> JointCode:
    """Fit one scale to many columns.

    Parameters
    ----------
    names : tuple of str
    values : ndarray, shape (rows, columns)
        Not all equal; a gap here and there counts as the mean.
    source : str
        What to call the table in messages.

    Raises
    ------
    TableError
        If a value is infinite.
    """
    if values.dtype.kind == "f":
        for index, name in enumerate(names):
            refuse_infinite(name, values[:, index], source)
    # fmin and fmax pass over gaps; a column of gaps alone is NaN, and never varies.
    varies = np.fmax.reduce(values, axis=0) > np.fmin.reduce(values, axis=0)
    kept = np.flatnonzero(varies)
    size = missing = 0
    total = square = 0.0
    for start in range(0, len(values), _CHUNK):
        x = np.take(values[start : start + _CHUNK], kept, axis=1).astype(np.float64)
        gaps = np.isnan(x)
        missing += int(np.count_nonzero(gaps))
        size += x.size
        x[gaps] = 0.0
        total += float(x.sum())
        square += float(np.square(x, out=x).sum())
    mean = total / (size - missing)
    spread = max(square / (size - missing) - mean * mean, 0.0) ** 0.5
    return JointCode(
        names=tuple(names[i] for i in kept),
        mean=mean,
        scale=1.0 / spread,
        constant=tuple(names[i] for i in np.flatnonzero(~varies)),
        levels=len(np.unique(values[:_CHUNK])),
        missing=missing,
    )
