"""One picture of a race: times beside weft's, and shares of the limit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.contestants import LIBRARIES
from benchmarks.steps import Result

# Colours that can be told apart without colour vision (Okabe and Ito), and shapes.
_LOOKS = {
    "weft": ("#000000", "D"),
    "torch": ("#D55E00", "o"),
    "jax": ("#0072B2", "s"),
    "sklearn": ("#009E73", "^"),
}


def draw(results: Sequence[Result], machine: dict[str, Any], path: Path) -> None:
    """Draw a race.

    Left, each library's time per step over weft's, best settings, on a logarithmic
    axis: right of the line weft is faster. Right, everyone's share of the limit. The
    bars span the quartiles of the turns.

    Parameters
    ----------
    results : sequence of Result
    machine : dict
        What `benchmarks.machine.describe` returned.
    path : Path
        A PNG file.
    """
    height = 1.8 + 0.5 * len(results)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11, height), sharey=True, layout="constrained"
    )
    for row, result in enumerate(results):
        _draw_times(left, row, result)
        _draw_shares(right, row, result)
    left.set_yticks(range(len(results)), [r.workload.name for r in results])
    left.set_ylim(len(results) - 0.5, -0.5)
    left.axvline(1, color=_LOOKS["weft"][0], linewidth=1)
    left.set_xscale("log")
    left.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    left.xaxis.set_minor_formatter(NullFormatter())
    left.set_xlabel("time per step / weft's (right of 1: weft is faster)")
    right.set_xlim(0, max(1.0, right.get_xlim()[1]))
    right.set_xlabel("share of the machine's limit")
    for axes in (left, right):
        axes.grid(axis="x", which="major", color="0.9")
        axes.set_axisbelow(True)
    shown = [each for each in LIBRARIES if any(r.best(each.key) for r in results)]
    handles = [
        plt.Line2D([], [], color=_LOOKS[each.key][0], marker=_LOOKS[each.key][1], ls="")
        for each in shown
    ]
    figure.legend(
        handles,
        [each.title for each in shown],
        loc="outside upper right",
        ncols=len(shown),
        frameon=False,
    )
    figure.suptitle(
        f"{machine['cpu']}, {machine['cores']} cores, {machine['date'][:10]}, "
        f"commit {machine['commit']}",
        x=0.01,
        ha="left",
        fontsize=9,
    )
    figure.savefig(path, dpi=150, format="png")
    plt.close(figure)


def _draw_times(axes: Axes, row: int, result: Result) -> None:
    weft = result.best("weft")
    if weft is None:
        axes.text(
            1, row, "weft did not count", va="center", fontsize=8, color="#D55E00"
        )
        return
    for each in LIBRARIES:
        timing = result.best(each.key)
        if timing is not None:
            ratios = [us / weft.median for us in timing.turns]
            _mark(axes, row, each.key, ratios, timing.median / weft.median)


def _draw_shares(axes: Axes, row: int, result: Result) -> None:
    for each in LIBRARIES:
        timing = result.best(each.key)
        if timing is not None:
            shares = [result.limit / us for us in timing.turns]
            _mark(axes, row, each.key, shares, result.limit / timing.median)


def _mark(
    axes: Axes, row: int, key: str, values: Sequence[float], middle: float
) -> None:
    colour, shape = _LOOKS[key]
    # Side by side, so that equals do not hide one another.
    y = row + 0.16 * (list(_LOOKS).index(key) - 1.5)
    ordered = sorted(values)
    quarter = len(ordered) // 4
    axes.plot([ordered[quarter], ordered[-1 - quarter]], [y, y], color=colour, lw=1.5)
    axes.plot([middle], [y], color=colour, marker=shape, markersize=5, ls="")
