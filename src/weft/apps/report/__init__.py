"""The report of a fit: one HTML file that stands alone, and the pictures in it.

One idea: *findings* are plain data (`findings`, `outcome`), figures of merit are
computed from them (`measures`, `classes`, `numbers`), said in words (`words`,
`verdict`), drawn (`pictures`) and laid out (`html`). Each knows those before it only.

The invariant: the same findings give the same bytes.

Examples
--------
>>> outcome = Classification(["no", "yes"], y_true=[0, 1, 1], y_pred=[0, 1, 0])
>>> findings = Findings("Rain", "rain.csv", "rain", Rows(9, 3, 3), outcome)
>>> render(findings).startswith("<!DOCTYPE html>")
True
"""

from weft.apps.report.findings import (
    Column,
    Findings,
    History,
    Layer,
    Model,
    Note,
    Rows,
)
from weft.apps.report.html import render, write
from weft.apps.report.measures import metrics
from weft.apps.report.metric import Metric
from weft.apps.report.outcome import (
    Classification,
    Regression,
    ReportError,
    encode,
)
from weft.apps.report.pictures import save_picture
from weft.apps.report.verdict import caveats, verdict

__all__ = [
    "Classification",
    "Column",
    "Findings",
    "History",
    "Layer",
    "Metric",
    "Model",
    "Note",
    "Regression",
    "ReportError",
    "Rows",
    "caveats",
    "encode",
    "metrics",
    "render",
    "save_picture",
    "verdict",
    "write",
]
