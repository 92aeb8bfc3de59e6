"""The pictures of a fit: how it learnt, where it errs, whether it knows how sure it is.

One idea: a picture is a `Panel`, a name, words and a function that draws it into a
figure or a part of one. A report shows each panel on its own; `save_picture` sets the
chief ones side by side. Which panels there are follows from what the findings hold.

The invariant: matplotlib's global state is left as it was (no pyplot; settings are put
back), and the same findings draw the same bytes.
"""

import os
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from weft.apps.report import draw_classes, draw_numbers
from weft.apps.report.drawing import Panel, learning
from weft.apps.report.files import write_whole
from weft.apps.report.findings import Findings
from weft.apps.report.outcome import Classification, Regression, ReportError
from weft.apps.report.style import MUTED, encoded, styled
from weft.apps.report.verdict import verdict
from weft.apps.report.words import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMS = ("png", "svg", "pdf")
_CHIEF = {"learning", "confusion", "calibration", "agreement", "coverage"}


def panels(findings: Findings) -> tuple[Panel, ...]:
    """Every picture that the findings allow, in a report's order.

    Examples
    --------
    >>> from weft.apps.report.findings import Rows
    >>> outcome = Classification(["no", "yes"], [0, 1, 1], [0, 1, 0])
    >>> [p.name for p in panels(Findings("", "", "rain", Rows(9, 0, 3), outcome))]
    ['confusion']
    """
    found = []
    history, outcome = findings.history, findings.outcome
    if history is not None and np.isfinite(history.train_cost).any():
        found.append(learning(history))
    if outcome.rows and isinstance(outcome, Classification):
        found += draw_classes.panels(outcome)
    elif outcome.rows and isinstance(outcome, Regression):
        found += draw_numbers.panels(outcome, findings.label, findings.unit)
    return tuple(found)


def figure_of(panel: Panel) -> "Figure":
    """A panel drawn on its own; to be called, and saved, under ``styled()``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=panel.size, layout="constrained")
    panel.draw(figure)
    return figure


def save_picture(
    findings: Findings, path: str | os.PathLike[str], force: bool = False
) -> Path:
    """Save one picture of the fit: the verdict, and the chief panels side by side.

    Parameters
    ----------
    findings : Findings
    path : path
        Its suffix says the form: .png, .svg or .pdf.
    force : bool
        Whether a file that is there already may be replaced.

    Returns
    -------
    Path

    Raises
    ------
    ReportError
        If the suffix is none of these, or `path` exists and must stay.
    OSError
        If it cannot be written.
    """
    form = Path(path).suffix.lower().removeprefix(".")
    if form not in FORMS:
        raise ReportError(
            f"a picture cannot be written to {path}: its name must end in .png, .svg "
            "or .pdf"
        )
    with styled():
        content = encoded(_overview(findings), form)
    return write_whole(path, content, force)


def _overview(findings: Findings) -> "Figure":
    """The verdict above at most three panels."""
    from matplotlib.figure import Figure

    every = panels(findings)
    # the chief ones first, each lot in its own order
    shown = sorted(every, key=lambda panel: panel.name not in _CHIEF)[:3]
    width = 4.4 * max(2, len(shown))
    words = fill(verdict(findings), int(width * 12))
    heights = [0.75 + 0.22 * (words.count("\n") + 1)] + [4.2] * bool(shown)
    figure = Figure(figsize=(width, sum(heights)), layout="constrained")
    bands = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
    top, *below = bands[:, 0]
    title = plain(findings.title, 90)
    top.text(0.012, 0.9, title, size=15, weight="bold", va="top")
    under = 0.9 - 0.36 / heights[0]
    top.text(0.012, under, words, va="top", color=MUTED, linespacing=1.35)
    for band in below:
        parts = band.subfigures(1, len(shown), squeeze=False, wspace=0.03)[0]
        for part, panel in zip(parts, shown, strict=True):
            part.suptitle(panel.title, x=0.04, ha="left", size=11, weight="bold")
            panel.draw(part)
    return figure
