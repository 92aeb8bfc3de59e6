"""Dates become features: a trend, and where in the year, the week and the day it is.

What comes round again is given as the sine and cosine of its phase, so that December
lies beside January. A part that does not vary among the rows one learns from (the hour,
if all dates are days) is left out.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from weft.tables import words
from weft.tables.column import Column, Kind
from weft.tables.encoding import Dropped, Remarks, changed_kind, note_missing
from weft.tables.errors import counted
from weft.tables.numbers import quantiles, robust_scale, squeeze
from weft.tables.table import Table

_DAY = np.timedelta64(1, "D")

# How long a turn is, in the unit of the part.
_TURNS = {"month": 12.0, "day of year": 365.25, "weekday": 7.0, "hour": 24.0}
_TRENDS = ("elapsed days", "year")


def date_parts(dates: NDArray[np.datetime64]) -> dict[str, NDArray[np.float64]]:
    """Return what dates say, part by part; counts begin with 0, weeks with Monday.

    Examples
    --------
    >>> parts = date_parts(np.array(["1970-02-03T06:00"], dtype="datetime64[us]"))
    >>> {name: values.tolist() for name, values in parts.items()}
    {'elapsed days': [33.25], 'year': [1970.0], 'month': [1.0],
     'day of year': [33.0], 'weekday': [1.0], 'hour': [6.0]}
    """
    days = dates.astype("datetime64[D]")
    years = dates.astype("datetime64[Y]")
    months = dates.astype("datetime64[M]")
    in_day = (dates - days) / np.timedelta64(1, "h")
    parts: dict[str, NDArray[Any]] = {
        "elapsed days": days.astype(np.int64) + in_day / 24.0,
        "year": years.astype(np.int64) + 1970,
        "month": months.astype(np.int64) % 12,
        "day of year": (days - years.astype("datetime64[D]")) / _DAY,
        "weekday": (days.astype(np.int64) + 3) % 7,  # 1 January 1970 was a Thursday
        "hour": in_day,
    }
    return {name: values.astype(np.float64) for name, values in parts.items()}


@final
@dataclass(frozen=True)
class DateCode:
    """A column of dates.

    Attributes
    ----------
    name : str
    parts : tuple of str
        The parts that are used, out of `date_parts`.
    centers, scales : tuple of float
        Of the trends among them ("elapsed days", "year"), as numbers have them.
    indicator : bool
        Whether there is a feature for missing dates; the others are then 0.
    form : str
        How the dates were written, if they were texts.
    """

    tag: ClassVar[str] = "date"
    name: str
    parts: tuple[str, ...]
    centers: tuple[float, ...]
    scales: tuple[float, ...]
    indicator: bool
    missing: int
    levels: int
    form: str = ""

    @property
    def kind(self) -> Kind:
        """Dates."""
        return "date"

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
        names = []
        for part in self.parts:
            ends = ("",) if part in _TRENDS else (" sin", " cos")
            names += [f"{self.name} {part}{end}" for end in ends]
        names += [f"{self.name} missing"] if self.indicator else []
        return [(name, self.name) for name in names]

    def write(self, table: Table, out: NDArray[np.float32], remarks: Remarks) -> None:
        """Fill ``out``, of shape (rows, features), from the column."""
        column = as_dates(table.column(self.name), table.source, self.form)
        note_missing(self.name, column.missing, self.indicator, remarks)
        here = ~column.missing
        out[:] = 0.0
        parts = date_parts(column.present)
        trends = iter(zip(self.centers, self.scales, strict=True))
        at = 0
        for part in self.parts:
            values = parts[part]
            if part in _TRENDS:
                center, scale = next(trends)
                out[here, at] = squeeze((values - center) * scale)
                at += 1
            else:
                phase = values * (2.0 * np.pi / _TURNS[part])
                out[here, at] = np.sin(phase)
                out[here, at + 1] = np.cos(phase)
                at += 2
        if self.indicator:
            out[:, at] = column.missing

    def treatment(self) -> str:
        """What is done, in words."""
        done = list(self.parts) + (["missing marked"] if self.indicator else [])
        return ", ".join(done)

    @property
    def note(self) -> str:
        """What a person should know of it."""
        return f"{counted(self.missing, 'missing value')}" if self.missing else ""


def as_dates(column: Column, source: str, form: str = "") -> Column:
    """Return a column as dates; texts are taken if all of them are dates."""
    if column.kind == "date":
        return column
    if column.empty:
        none = np.full(column.rows, "NaT", dtype="datetime64[us]")
        return Column(column.name, "date", none, column.missing)
    read = words.as_date(column, form) if column.kind == "category" else None
    if read is None:
        raise changed_kind(column, "date", source)
    return read[0]


def fit_date(column: Column) -> DateCode | Dropped:
    """Fit the code of a date column, not all of it missing.

    Returns
    -------
    DateCode or Dropped
        Dropped if it is constant.
    """
    levels = len(np.unique(column.present))
    missing = column.missing_count
    if levels == 1 and not missing:
        only = np.datetime_as_string(column.present[0], unit="auto")
        reason = f"constant: always {only}"
        return Dropped(column.name, "date", reason, missing, levels)
    parts = date_parts(column.present)
    used = [part for part, values in parts.items() if np.ptp(values) > 0]
    centers, scales = [], []
    for part in used:
        if part in _TRENDS:
            ordered = np.sort(parts[part])
            centers.append(float(quantiles(ordered, np.array([0.5]))[0]))
            scales.append(robust_scale(ordered))
    return DateCode(
        name=column.name,
        parts=tuple(used),
        centers=tuple(centers),
        scales=tuple(scales),
        indicator=missing > 0,
        missing=missing,
        levels=levels,
        form=str(column.levels[0]) if column.levels else "",
    )
