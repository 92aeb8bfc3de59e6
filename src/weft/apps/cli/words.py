"""What the commands say of tables, fits and figures: labels and texts, plain data."""

from collections.abc import Sequence
from typing import Any

from weft.apps import report
from weft.apps.report.html import duration
from weft.apps.report.words import (
    beside,
    count,
    interval,
    listed,
    meaning,
    quoted,
    shown,
)
from weft.tables import Schema
from weft.tables.column import KINDS

Fact = tuple[str, str]

_REMARKS = 4  # how many remarks are said before the rest is only counted

__all__ = [
    "Fact",
    "column_facts",
    "duration",
    "metric_data",
    "metric_rows",
    "remarks",
]


def remarks(said: Sequence[str]) -> list[Fact]:
    """Return the first remarks as facts without a label, and how many more there are.

    Examples
    --------
    >>> remarks(["a", "b"]), remarks(["a"] * 9)[-1]
    ([('', 'a'), ('', 'b')], ('', '... and 5 more such remarks'))
    """
    first = list(said)
    more = len(first) - _REMARKS
    if more > 1:
        first[_REMARKS:] = [f"... and {more} more such remarks"]
    return [("", remark) for remark in first]


def column_facts(schema: Schema, ignored: Sequence[str] = ()) -> list[Fact]:
    """Say what becomes of the columns, and what was dropped or imputed.

    Parameters
    ----------
    schema : Schema
    ignored : sequence of str
        Columns that were left out as asked.

    Examples
    --------
    >>> from weft.tables import Table
    >>> table = Table.from_frame({"a": [1, 2, 4], "b": ["x", "x", "y"], "c": [0] * 3})
    >>> for fact in column_facts(Schema.fit(table), ["d"]):
    ...     print(fact)
    ('columns', '1 number and 1 category, which make 4 inputs of the network')
    ('', '‘d’: left out as asked')
    ('', '‘c’: dropped, constant: always 0')
    """
    kinds = list(schema.kinds.values())
    held = [_counted(kinds.count(kind), kind) for kind in KINDS if kind in kinds]
    make = "makes" if len(kinds) == 1 else "make"
    said = f"{listed(held)}, which {make} {count(schema.width, 'input')} of the network"
    noted = [f"{quoted(name)}: left out as asked" for name in ignored]
    for column in schema.summary():
        if column.note:
            dropped = "" if column.width else "dropped, "
            noted.append(f"{quoted(column.name)}: {dropped}{column.note}")
    return [("columns", said), *remarks(noted)]


def _counted(often: int, kind: str) -> str:
    if kind == "category" and often > 1:
        return f"{often:,} categories"
    return count(often, kind)


def metric_rows(metrics: Sequence[report.Metric]) -> tuple[list[str], list[list[str]]]:
    r"""Return figures of merit as a table: its header and its rows.

    Examples
    --------
    >>> header, rows = metric_rows([report.Metric("accuracy", 0.98, 0.95, 0.99, 0.1)])
    >>> header
    ['', 'weft', '95 % interval', 'without looking']
    >>> [cell.replace("\xa0", " ") for cell in rows[0]]
    ['Accuracy', '98.0 %', '95.0–99.0 %', '10.0 %']
    """
    header = ["", "weft", "95 % interval", "without looking"]
    rows = []
    for metric in metrics:
        said = meaning(metric)
        value = shown(metric.value, said.form)
        rows.append([said.label, value, interval(metric), beside(metric)])
    return header, rows


def metric_data(metrics: Sequence[report.Metric]) -> dict[str, Any]:
    """Return figures of merit as a machine reads them.

    Examples
    --------
    >>> metric_data([report.Metric("accuracy", 0.98, 0.95, 0.99, 0.1)])["metrics"]
    {'accuracy': 0.98}
    """
    return {
        "metrics": {m.name: m.value for m in metrics},
        "baseline": {m.name: m.baseline for m in metrics if m.baseline is not None},
        "intervals": {m.name: [m.low, m.high] for m in metrics if m.low is not None},
    }
