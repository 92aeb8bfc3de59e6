"""Pictures of answers that are numbers.

One idea: what came is held against what was said, point by point (answers, residuals)
and as a whole (intervals, the PIT).
"""

from typing import TYPE_CHECKING

import numpy as np

from weft.apps.report import numbers
from weft.apps.report.drawing import MANY_POINTS, SIZE, Panel, axes, cloud
from weft.apps.report.metric import Z
from weft.apps.report.numbers import Coverage
from weft.apps.report.outcome import Floats, Regression
from weft.apps.report.style import FIRST, MUTED, SECOND
from weft.apps.report.words import count, number, percent, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

ENOUGH_FOR_BANDS = 200  # rows, for quantiles of the residuals in ten parts


def panels(outcome: Regression, label: str, unit: str) -> list[Panel]:
    """Every picture that the outcome allows; `label` and `unit` are the target's."""
    name = plain(label, 30) + (f" ({plain(unit, 12)})" if unit else "")
    found = [_agreement(outcome, name), _residuals(outcome, name)]
    curve, histogram = numbers.coverage_curve(outcome), numbers.pit_histogram(outcome)
    if curve is not None and histogram is not None:
        found += [_coverage(curve), _pit(histogram, outcome.rows)]
    return found


def _dashes(ax: "Axes", x: tuple[float, float], y: tuple[float, float]) -> None:
    ax.plot(x, y, color=MUTED, linewidth=1.2, linestyle=(0, (3, 3)))


def _readable(ax: "Axes") -> None:
    """Thousands with commas; no more numbers than fit side by side."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for axis in (ax.xaxis, ax.yaxis):
        low, high = axis.get_view_interval()
        if 1e4 <= max(abs(low), abs(high)) < 1e9:
            axis.set_major_formatter(FuncFormatter(_thousands))
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.yaxis.set_major_locator(MaxNLocator(6))


def _thousands(value: float, _: object) -> str:
    return f"{value:,.0f}".replace("-", "\N{MINUS SIGN}")


def _agreement(outcome: Regression, name: str) -> Panel:
    low = float(min(outcome.y_true.min(), outcome.y_pred.min()))
    high = float(max(outcome.y_true.max(), outcome.y_pred.max()))

    def draw(figure: "FigureBase") -> None:
        ax = axes(figure, f"predicted {name}", "true")
        cloud(ax, outcome.y_pred, outcome.y_true)
        _dashes(ax, (low, high), (low, high))
        _readable(ax)

    return Panel(
        "agreement",
        "Predicted and true",
        "Each held-out row, the prediction across and the truth up"
        + _shading(outcome.rows)
        + ". On the dashed line both agree.",
        f"{count(outcome.rows)}; predictions from {number(outcome.y_pred.min())} to "
        f"{number(outcome.y_pred.max())}, true values from "
        f"{number(outcome.y_true.min())} to {number(outcome.y_true.max())}.",
        SIZE,
        draw,
    )


def _shading(rows: int) -> str:
    return ", the fuller the more of them" if rows >= MANY_POINTS else ""


def _residuals(outcome: Regression, name: str) -> Panel:
    residual = outcome.y_true - outcome.y_pred
    missed = numbers.residuals(outcome)
    assert missed is not None
    banded = outcome.rows >= ENOUGH_FOR_BANDS and np.ptp(outcome.y_pred) > 0

    def draw(figure: "FigureBase") -> None:
        ax = axes(figure, f"predicted {name}", "residual: true − predicted")
        cloud(ax, outcome.y_pred, residual)
        _dashes(ax, (outcome.y_pred.min(), outcome.y_pred.max()), (0, 0))
        if banded:
            middle, quantiles = _bands(outcome.y_pred, residual)
            for level, style in zip(quantiles, (":", "-", ":"), strict=True):
                ax.plot(middle, level, style, color=SECOND, linewidth=1.8)
        _readable(ax)

    bands = (
        " Orange: their median, and dotted the range that holds the middle "
        "90\N{NO-BREAK SPACE}% of them. The median should lie on 0."
    )
    return Panel(
        "residuals",
        "Residuals",
        "What is left of the truth when the prediction is taken away."
        + (bands if banded else " They should lie evenly around 0."),
        f"The mean residual is {number(missed.bias)}, its standard deviation "
        f"{number(missed.deviation)}; 90 % of the predictions miss by at most "
        f"{number(missed.most)}.",
        SIZE,
        draw,
    )


def _bands(answer: Floats, residual: Floats) -> tuple[Floats, Floats]:
    """Median answer, and the residuals' 5 %, 50 % and 95 % quantiles, in ten parts."""
    inner = np.quantile(answer, np.linspace(0, 1, 11)[1:-1])
    number_of = np.searchsorted(inner, answer)
    parts = [number_of == part for part in np.unique(number_of)]
    middle = np.array([np.median(answer[of]) for of in parts])
    levels = [np.quantile(residual[of], [0.05, 0.5, 0.95]) for of in parts]
    return middle, np.array(levels).T


def _coverage(curve: Coverage) -> Panel:
    def draw(figure: "FigureBase") -> None:
        ax = axes(figure, "share of rows promised", "share of rows held")
        _dashes(ax, (0, 1), (0, 1))
        ax.fill_between(curve.promised, curve.low, curve.high, color=FIRST, alpha=0.2)
        ax.plot(curve.promised, curve.came, "o-", color=FIRST, markersize=4.5)
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))

    at = int(np.argmin(np.abs(curve.promised - 0.9)))
    return Panel(
        "coverage",
        "Do its intervals hold?",
        "Intervals of every level, and how often the truth lay in them, with a "
        "95\N{NO-BREAK SPACE}% interval. On the dashed line they hold what they "
        "promise; below it they are too narrow.",
        f"Intervals of level {percent(curve.promised[at])} held "
        f"{percent(curve.came[at])} of the rows.",
        SIZE,
        draw,
    )


def _pit(histogram: Floats, rows: int) -> Panel:
    bins = len(histogram)
    # of a count with mean rows/bins, divided by that mean
    half = Z * np.sqrt((bins - 1) / rows)

    def draw(figure: "FigureBase") -> None:
        ax = axes(figure, "predictive distribution function at the truth", "density")
        ax.axhspan(max(0.0, 1 - half), 1 + half, color=MUTED, alpha=0.18, linewidth=0)
        middle = (np.arange(bins) + 0.5) / bins
        ax.bar(middle, histogram, width=0.92 / bins, color=FIRST, alpha=0.85)
        _dashes(ax, (0, 1), (1, 1))
        ax.set_xlim(-0.02, 1.02)
        ax.grid(axis="x", visible=False)

    return Panel(
        "pit",
        "Where the truth falls",
        "Where in its predictive distribution each truth lay. Level bars are honest; "
        "a hump in the middle means too wide, heaps at the ends too narrow, a slope "
        "off to one side. The grey band is what chance allows.",
        f"The bars lie between {number(histogram.min())} and "
        f"{number(histogram.max())}; 1 everywhere would be honest.",
        SIZE,
        draw,
    )
