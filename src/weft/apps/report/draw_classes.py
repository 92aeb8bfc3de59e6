"""Pictures of answers that are classes.

One idea: what is right is blue, what is wrong is orange, and both are the fuller the
more often they come.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from weft.apps.report import classes
from weft.apps.report.classes import Calibration
from weft.apps.report.drawing import SIZE, Panel, axes, cells
from weft.apps.report.outcome import Classification, Codes, Floats
from weft.apps.report.style import FIRST, INK, MUTED, ON_FIRST, ON_SECOND, SECOND
from weft.apps.report.words import count, percent, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

COUNTED_CLASSES = 30  # up to here each field of a confusion matrix shows its count
NAMED_CLASSES = 60  # up to here each class is named at the sides of the matrix
MISTAKES_SHOWN = 12
FULL = 4 / 6  # share from which a field is so full that its count changes colour


def panels(outcome: Classification) -> list[Panel]:
    """Every picture that the outcome allows."""
    found = [_confusion(outcome)]
    curve = classes.calibration(outcome)
    if curve is not None:
        found.append(_calibration(curve))
    wrong = np.flatnonzero(outcome.y_true != outcome.y_pred)
    if outcome.images is not None and len(wrong):
        found.append(_mistakes(outcome, wrong))
    return found


# --- the confusion matrix ------------------------------------------------------------


def _confusion(outcome: Classification) -> Panel:
    k = len(outcome.classes)
    matrix = classes.confusion(outcome)
    right = count(int(matrix.trace()))
    text = f"{right} of {matrix.sum():,} lie on the diagonal."
    for mistake in classes.confusions(outcome, 3):
        text += (
            f" {plain(mistake.true, 40)} was taken for {plain(mistake.answered, 40)} "
            f"{count(mistake.rows, 'time')}."
        )

    def draw(figure: "FigureBase") -> None:
        ax = axes(figure, "answered", "true")
        ax.grid(False)
        _fill(ax, matrix)
        if k <= COUNTED_CLASSES:
            _write_counts(ax, matrix)
        _name_sides(ax, outcome.classes)

    # room for a count in each field, but never wider than a page
    side = min(8.6, max(SIZE[0], 1.4 + (0.31 if k <= COUNTED_CLASSES else 0.13) * k))
    return Panel(
        "confusion",
        "Confusion matrix",
        "Each row of the matrix is a true class, each column an answer. Blue fields "
        "are right, orange ones wrong; the fuller, the larger the share of the true "
        "class.",
        text,
        (side, side * 0.94),
        draw,
    )


def _fill(ax: "Axes", matrix: Codes) -> None:
    k = len(matrix)
    true, answered = np.nonzero(matrix)
    share = _shares(matrix)[true, answered]
    for right, colour in ((True, FIRST), (False, SECOND)):
        of = (true == answered) == right
        corners = (answered[of] - 0.5, true[of] - 0.5)
        cells(ax, corners, (1.0, 1.0), share[of], colour)
    ax.set(xlim=(-0.5, k - 0.5), ylim=(k - 0.5, -0.5), aspect="equal")
    if k <= NAMED_CLASSES:
        edges = np.arange(k + 1) - 0.5
        ax.set_xticks(edges, minor=True)
        ax.set_yticks(edges, minor=True)
        ax.grid(True, which="minor")
    ax.spines[["left", "bottom"]].set_visible(False)


def _shares(matrix: Codes) -> Floats:
    """Each count as a share of its true class, shape (k, k)."""
    return np.asarray(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1))


def _write_counts(ax: "Axes", matrix: Codes) -> None:
    k = len(matrix)
    share = _shares(matrix)
    for true, answered in np.argwhere(matrix):
        rows = matrix[true, answered]
        text = f"{rows:,}" if k <= 10 else str(rows)
        if k <= 4:
            text += f"\n{percent(share[true, answered])}"
        on = ON_FIRST if true == answered else ON_SECOND
        ax.text(
            answered,
            true,
            text,
            ha="center",
            va="center",
            color=on if share[true, answered] >= FULL else INK,
            fontsize=11 if k <= 4 else 9 if k <= 10 else 6.5,
        )


def _name_sides(ax: "Axes", names: Sequence[str]) -> None:
    k = len(names)
    if k > NAMED_CLASSES:
        ax.set_xlabel(f"answered (class 1 to {k})")
        ax.set_ylabel(f"true (class 1 to {k})")
        ax.set_xticks([])
        ax.set_yticks([])
        return
    shown = [plain(name, 18) for name in names]
    # side by side there is room for some 50 letters
    upright = k * max(len(name) for name in shown) > 50
    size = 9 if k <= 20 else 7 if k <= COUNTED_CLASSES else 5.5
    ax.set_xticks(range(k), shown, rotation=90 if upright else 0, fontsize=size)
    ax.set_yticks(range(k), shown, fontsize=size)


# --- calibration ---------------------------------------------------------------------


def _calibration(curve: Calibration) -> Panel:
    event = f"‘{plain(curve.event, 24)}’" if curve.event else "the answer is right"

    def draw(figure: "FigureBase") -> None:
        ax = axes(figure, "probability that was given", "how often it came true")
        # ten crowded points at the upper end say nothing: show the range that is used
        start = 0.0
        if not curve.event:
            start = float(np.floor(10 * min(curve.said.min(), curve.low.min())) / 10)
        ax.plot([start, 1], [start, 1], color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
        bars = np.stack([curve.came - curve.low, curve.high - curve.came])
        ax.errorbar(
            curve.said,
            curve.came,
            yerr=np.maximum(bars, 0),
            fmt="o-",
            color=FIRST,
            linewidth=1,
            elinewidth=1.6,
            markersize=6,
        )
        pad = 0.03 * (1 - start)
        ax.set(xlim=(start - pad, 1 + pad), ylim=(start - pad, 1 + pad))

    subject = f"of {event}" if curve.event else f"that {event}"
    return Panel(
        "calibration",
        "Calibration",
        f"Is it as sure as it may be? Rows are parted by the probability {subject}; "
        "each point sets what was said against what came, with a 95\N{NO-BREAK SPACE}% "
        "interval. On the dashed line both agree; below it the model is too sure.",
        f"{count(len(curve.rows), 'point')}; the mean distance from the diagonal is "
        f"{percent(curve.error)}, where chance alone gives {percent(curve.chance)}.",
        SIZE,
        draw,
    )


# --- mistakes ------------------------------------------------------------------------


def _mistakes(outcome: Classification, wrong: Codes) -> Panel:
    assert outcome.images is not None
    order = wrong
    if outcome.probabilities is not None:
        sure = classes.confidence(outcome)[wrong]
        order = wrong[np.argsort(-sure, kind="stable")]
    shown = order[:MISTAKES_SHOWN]
    images = _bright(outcome.images)
    across = 4
    down = -(-len(shown) // across)

    def draw(figure: "FigureBase") -> None:
        places = figure.subplots(max(down, 1), across, squeeze=False).ravel()
        for ax in places:
            ax.set_axis_off()
        for ax, row in zip(places, shown, strict=False):
            # low is paper, high is ink, as in pictures of handwriting
            ax.imshow(images[row], cmap="gray_r", vmin=0, vmax=1, interpolation="none")
            true, answer = (
                plain(outcome.classes[codes[row]], 14)
                for codes in (outcome.y_true, outcome.y_pred)
            )
            ax.set_title(
                f"{true} → {answer}",
                loc="center",
                fontsize=9,
                weight="normal",
                color=SECOND,
            )

    surest = ", the surest first" if outcome.probabilities is not None else ""
    return Panel(
        "mistakes",
        "Mistakes",
        f"{len(shown)} of {count(len(wrong), 'mistake')}{surest}: true class → answer.",
        "; ".join(
            f"{plain(outcome.classes[outcome.y_true[row]], 40)} answered as "
            f"{plain(outcome.classes[outcome.y_pred[row]], 40)}"
            for row in shown
        )
        + ".",
        (SIZE[0], 0.3 + 1.25 * down),
        draw,
    )


def _bright(images: Floats) -> Floats:
    """Images with brightness 0 to 1: all on one scale, colours by their own."""
    values = images.astype(np.float64)
    if values.ndim == 4:
        return np.clip(values / (255 if values.max() > 1 else 1), 0, 1)
    low, high = values.min(), values.max()
    return np.asarray((values - low) / (high - low or 1))
