"""What pictures are drawn with, and the one that every fit has: its learning curves.

One idea: a `Panel` is a picture that is not drawn yet, words and a function that draws
it into a figure or a part of one; so the same panel stands alone in a report and beside
others in an overview.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from weft.apps.report.findings import History
from weft.apps.report.outcome import Floats
from weft.apps.report.style import FIRST, MUTED, PAPER, SECOND
from weft.apps.report.words import count, number, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

MANY_POINTS = 800  # from here on a cloud of points is drawn as its density
SIZE = (4.7, 3.7)  # of a panel, in inches: readable on a telephone, two beside a screen
_SHADES = (0.14, 0.26, 0.40, 0.55, 0.85, 1.0)


@final
@dataclass(frozen=True)
class Panel:
    """One picture.

    Parameters
    ----------
    name : str
        Unique among the panels of a fit; letters and hyphens.
    title : str
    caption : str
        How to read it, in a sentence or two.
    description : str
        What it shows, for whoever cannot see it.
    size : (float, float)
        Width and height in inches.
    draw : callable
        Draws it into a figure or a part of one.
    """

    name: str
    title: str
    caption: str
    description: str
    size: tuple[float, float]
    draw: Callable[["FigureBase"], None]


def axes(figure: "FigureBase", x: str, y: str) -> "Axes":
    """The one set of axes of a panel, its sides named."""
    ax = figure.subplots()
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    return ax


def cells(
    ax: "Axes",
    corners: tuple[Floats, Floats],
    size: tuple[float, float],
    strength: Floats,
    colour: str,
) -> None:
    """Fill equal rectangles, each the fuller the greater its strength.

    Parameters
    ----------
    ax : Axes
    corners : (ndarray, ndarray), each of shape (c,)
        Lower left ends.
    size : (float, float)
        Width and height.
    strength : ndarray, shape (c,)
        In (0, 1]. All cells of one of six shades are one path, so that a file stays
        small.
    colour : str
    """
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    turn = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]) * size
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    shade = np.minimum((strength * len(_SHADES)).astype(int), len(_SHADES) - 1)
    for level in np.unique(shade):
        lower = np.column_stack([corner[shade == level] for corner in corners])
        outline = (lower[:, None, :] + turn).reshape(-1, 2)
        path = Path(outline, np.tile(codes, len(lower)).astype(np.uint8))
        ax.add_patch(
            PathPatch(path, facecolor=colour, alpha=_SHADES[level], linewidth=0)
        )


def cloud(ax: "Axes", x: Floats, y: Floats) -> None:
    """Points, or their density where there are too many to be told apart."""
    if len(x) < MANY_POINTS:
        ax.plot(
            x,
            y,
            "o",
            markersize=4 if len(x) > 100 else 5,
            color=FIRST,
            alpha=0.45,
            markeredgewidth=0,
        )
        return
    counts, across, up = np.histogram2d(x, y, bins=(_edges(x), _edges(y)))
    i, j = np.nonzero(counts)
    # shades follow the logarithm: a single row stays visible beside a crowd
    strength = np.log1p(counts[i, j]) / np.log1p(counts.max())
    size = (across[1] - across[0], up[1] - up[0])
    cells(ax, (across[i], up[j]), size, strength, FIRST)
    ax.autoscale_view()


def _edges(values: Floats) -> Floats:
    """Ends of 56 equal bins over the values; never of width 0."""
    low, high = float(values.min()), float(values.max())
    middle = (low + high) / 2
    # wide enough for the bins to differ in float64, whatever the size of the numbers
    half = max((high - low) / 2, abs(middle) * 1e-9, 1e-300) * (1 + 1e-9)
    return np.linspace(middle - half, middle + half, 57)


def learning(history: History) -> Panel:
    """The learning curves."""

    def draw(figure: "FigureBase") -> None:
        from matplotlib.ticker import MaxNLocator

        ax = axes(figure, "epoch", plain(history.cost, 40))
        lines = [(history.train_cost, FIRST, "training")]
        if history.validation_cost is not None:
            lines.append((history.validation_cost, SECOND, "validation"))
        for cost, colour, label in lines:
            known = np.isfinite(cost)
            alone = "o" if known.sum() == 1 else ""
            ax.plot(history.epoch[known], cost[known], alone + "-", color=colour)
            ax.lines[-1].set_label(label)
        _choose_scale(ax, [cost for cost, _, _ in lines])
        _mark_best(ax, history)
        ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
        ax.legend(
            loc="lower left",
            bbox_to_anchor=(-0.02, 1),
            ncols=3,
            handlelength=1.2,
            columnspacing=1.2,
        )

    text = f"The cost over {count(len(history.epoch), 'epoch')}: training from "
    known = history.train_cost[np.isfinite(history.train_cost)]
    text += f"{number(known[0])} to {number(known[-1])}"
    best = _best(history)
    if best is not None:
        text += f"; the best validation cost, {number(best)}, in epoch "
        text += f"{history.best_epoch}"
    caption = "The cost after each epoch, on the rows that were fitted to"
    if history.validation_cost is not None:
        caption += " and on the validation part, which chose the epoch that was kept"
    return Panel("learning", "Learning curves", f"{caption}.", f"{text}.", SIZE, draw)


def _best(history: History) -> float | None:
    """The validation cost in the best epoch."""
    if history.best_epoch is None or history.validation_cost is None:
        return None
    cost = float(history.validation_cost[history.epoch == history.best_epoch][0])
    return cost if np.isfinite(cost) else None


def _choose_scale(ax: "Axes", costs: list[Floats]) -> None:
    """A logarithmic scale where the costs span more than a power of ten."""
    from matplotlib.ticker import FuncFormatter

    every = np.concatenate(costs)
    every = every[np.isfinite(every)]
    if every.min() > 0 and every.max() > 10 * every.min():
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(FuncFormatter(lambda cost, _: f"{cost:g}"))
        ax.grid(which="minor", alpha=0.35)
    ax.margins(y=0.12)


def _mark_best(ax: "Axes", history: History) -> None:
    if history.best_epoch is None:
        return
    ax.axvline(history.best_epoch, color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
    ax.lines[-1].set_label(f"best: epoch {history.best_epoch}")
    best = _best(history)
    if best is not None:
        ax.plot(
            [history.best_epoch],
            [best],
            "o",
            color=SECOND,
            markeredgecolor=PAPER,
            markersize=8,
        )
