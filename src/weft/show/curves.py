"""Curves through points: cubic Bézier curves end to end, as 1 + 3 k points."""

from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]

_RADIUS = 6.0  # of round corners, in pixels


def upright(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return a curve through points, upright in each.

    Examples
    --------
    >>> upright([(0.0, 0.0), (10.0, 20.0)])
    ((0.0, 0.0), (0.0, 10.0), (10.0, 10.0), (10.0, 20.0))
    """
    curve = [points[0]]
    for (ax, ay), (bx, by) in pairwise(points):
        bend = (by - ay) * 0.5
        curve += [(ax, ay + bend), (bx, by - bend), (bx, by)]
    return tuple(curve)


def rounded(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return straight lines through points, as a curve with round corners.

    Examples
    --------
    >>> curve = rounded([(0.0, 0.0), (20.0, 0.0), (20.0, 20.0)])
    >>> curve[0], curve[-1], len(curve)
    ((0.0, 0.0), (20.0, 20.0), 10)
    """
    curve = [points[0]]

    def line_to(x: float, y: float) -> None:
        curve.extend([curve[-1], (x, y), (x, y)])

    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        first, second = _towards(corner, before), _towards(corner, after)
        line_to(*first)
        curve.extend([corner, corner, second])
    line_to(*points[-1])
    return tuple(curve)


def _towards(corner: Point, other: Point) -> Point:
    """Return the point where the rounding of a corner begins."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    share = min(_RADIUS, length / 2) / length
    return corner[0] + dx * share, corner[1] + dy * share
