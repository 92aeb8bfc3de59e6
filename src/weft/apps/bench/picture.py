"""Two pictures: where a step's time goes, and who needs how long.

matplotlib is used without its state, so that nothing of a program's own is disturbed.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from weft.apps.bench.race import Result
from weft.compile.profile import LOOP, NUMPY, PRODUCT, RANDOM, ROWS, Profile

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colours that can be told apart without colour vision (Okabe and Ito).
_KINDS = {
    PRODUCT: "#0072B2",
    LOOP: "#E69F00",
    ROWS: "#009E73",
    RANDOM: "#CC79A7",
    NUMPY: "#D55E00",
    "between kernels": "#999999",
}
_LIBRARIES = {
    "weft": ("#000000", "D"),
    "PyTorch": ("#D55E00", "o"),
    "JAX": ("#0072B2", "s"),
    "scikit-learn": ("#009E73", "^"),
}
_LONGEST = 64


def draw_profile(profile: Profile, title: str, format: str) -> bytes:
    """Draw a bar per kernel: its time, and within it the least that it could be.

    Parameters
    ----------
    profile : Profile
    title : str
    format : {"png", "svg", "pdf"}

    Returns
    -------
    bytes
    """
    bars = [(row.name, row.kind, row.seconds, row.limit) for row in profile.rows]
    bars.append(("between kernels", "between kernels", profile.overhead, 0.0))
    figure = _figure(10, 1.5 + 0.27 * len(bars))
    axes = figure.add_subplot()
    for i, (_, kind, seconds, least) in enumerate(bars):
        colour = _KINDS[kind]
        axes.barh(i, 1e6 * seconds, 0.74, color=colour, alpha=0.35)
        axes.barh(i, 1e6 * min(least, seconds), 0.74, color=colour)
        if seconds > 0.004 * profile.seconds:
            share = f" {100 * seconds / profile.seconds:.0f} %"
            axes.text(1e6 * seconds, i, share, va="center", fontsize=7, color="0.35")
    labels = [_short(name) for name, *_ in bars]
    axes.set_yticks(range(len(bars)), labels, fontsize=7.5)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlabel("microseconds per step; dark: what the machine allows at best")
    sizes = ", ".join(f"{name} = {size}" for name, size in profile.sizes.items())
    said = f"{title} ({sizes}): {_us(profile.seconds)} us per step"
    said += f", {100 * profile.share:.0f} % of the limit"
    axes.set_title(said, fontsize=11, loc="left")
    kinds = {kind for _, kind, *_ in bars}
    _legend(figure, [k for k in _KINDS if k in kinds])
    _tidy(axes)
    return _saved(figure, format)


def draw_results(results: Sequence[Result], machine: str, format: str) -> bytes:
    """Draw everybody's time beside weft's, and weft's share of the limit.

    Parameters
    ----------
    results : sequence of Result
    machine : str
        What it is called.
    format : {"png", "svg", "pdf"}

    Returns
    -------
    bytes
    """
    from matplotlib.ticker import FuncFormatter, NullFormatter

    figure = _figure(10, 1.7 + 0.45 * len(results))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[2, 1])
    for i, result in enumerate(results):
        for name, timing in result.timings.items():
            colour, shape = _LIBRARIES[name]
            style: dict[str, Any] = {"color": colour, "marker": shape, "ls": ""}
            hollow = {} if timing.agrees else {"fillstyle": "none"}
            once = {"label": name} if i == 0 else {}
            left.plot([timing.seconds / result.weft], [i], **style, **hollow, **once)
        right.barh(i, 100 * result.share, 0.6, color="#000000", alpha=0.75)
        right.text(
            100 * result.share,
            i,
            f" {100 * result.share:.0f} %",
            va="center",
            fontsize=8,
        )
    names = [f"{r.workload.name}\n{_us(r.weft)} us" for r in results]
    left.set_yticks(range(len(results)), names, fontsize=8)
    left.set_ylim(len(results) - 0.5, -0.5)
    left.axvline(1, color="#000000", lw=1)
    left.set_xscale("log")
    left.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    left.xaxis.set_minor_formatter(NullFormatter())
    left.set_xlabel("time per step / weft's (right of 1: weft is faster)")
    right.set_xlim(0, max(100.0, right.get_xlim()[1]))
    right.set_xlabel("weft's share of the machine's limit, %")
    for axes in (left, right):
        _tidy(axes)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper right", ncols=len(labels), frameon=False
    )
    figure.suptitle(machine, x=0.01, ha="left", fontsize=9)
    return _saved(figure, format)


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _legend(figure: "Figure", kinds: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    figure.legend(
        [Patch(color=_KINDS[kind]) for kind in kinds],
        kinds,
        loc="outside lower right",
        ncols=len(kinds),
        frameon=False,
        fontsize=8,
    )


def _tidy(axes: Any) -> None:
    axes.grid(axis="x", which="major", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."


def _us(seconds: float) -> str:
    us = 1e6 * seconds
    return f"{us:,.0f}" if us >= 100 else f"{us:.3g}"


def _saved(figure: "Figure", format: str) -> bytes:
    whole = io.BytesIO()
    figure.savefig(whole, format=format, dpi=150)
    return whole.getvalue()
