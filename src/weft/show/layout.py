"""Places for the boxes of a diagram: layers, as Sugiyama, Tagawa and Toda (1981) do it.

Every arrow leads from one row to another. Where it passes rows between, it is given a
place in each of them, so that the rest of the layout knows arrows between neighbouring
rows only. Then the order within the rows is found (by barycentres, sweeping down and up
and keeping the order with the fewest crossings), and then the horizontal places: the
least squares nearest to the mean of the neighbours that keep the order and the gaps,
which is an isotonic regression.

Lanes stand side by side, each laid out by itself. An arrow from one to the other leaves
its box at the side, runs in a corridor of its own between the lanes, and comes to the
other box from above or below.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

from weft.graph.errors import GraphError
from weft.show.curves import Point, rounded, upright
from weft.show.diagram import LEFT, RIGHT, Diagram

# Pixels between boxes of a row, between an arrow and its neighbours, between rows, and
# around everything.
_GAP, _ARROW_GAP, _ROW_GAP, _MARGIN = 22.0, 12.0, 34.0, 16.0
# Between corridors, and between an arrow's run and the box it comes to.
_CORRIDOR, _RUN = 7.0, 10.0
# How often all are gone through at most, for their order and for their places; where
# that would be more visits than so many, less often, but twice.
_ORDER_SWEEPS, _PLACE_SWEEPS, _VISITS = 24, 30, 120_000


@final
@dataclass(frozen=True)
class Layout:
    """Where everything is.

    Parameters
    ----------
    width, height : float
    centres : tuple of point
        One per box.
    curves : tuple of tuple of point
        One per arrow: points of cubic Bézier curves, end to end (1 + 3 k points).
    """

    width: float
    height: float
    centres: tuple[Point, ...]
    curves: tuple[tuple[Point, ...], ...]


def layered(diagram: Diagram) -> Layout:
    """Return places for a diagram.

    Parameters
    ----------
    diagram : Diagram

    Returns
    -------
    Layout

    Raises
    ------
    GraphError
        If arrows lead in a circle and the rows are not given.

    Examples
    --------
    >>> from weft.show.diagram import Arrow, Box
    >>> places = layered(Diagram((Box(("a",)), Box(("b",))), (Arrow(0, 1),)))
    >>> (_, top), (_, bottom) = places.centres
    >>> top < bottom
    True
    """
    if not diagram.boxes:
        return Layout(2 * _MARGIN, 2 * _MARGIN, (), ())
    grid = _Grid(diagram, rows_of(diagram))
    grid.order()
    xs = grid.across()
    ys = grid.down()
    centres = [(xs[i], ys[grid.rows[i]]) for i in range(len(diagram.boxes))]
    curves = grid.curves(xs, ys)
    every = [point for curve in curves for point in curve]
    for (x, y), box in zip(centres, diagram.boxes, strict=True):
        w, h = box.size
        every += [(x - w / 2, y - h / 2), (x + w / 2, y + h / 2)]
    left, top = (min(axis) - _MARGIN for axis in zip(*every, strict=True))
    right, bottom = (max(axis) + _MARGIN for axis in zip(*every, strict=True))
    return Layout(
        right - left,
        bottom - top,
        tuple((x - left, y - top) for x, y in centres),
        tuple(tuple((x - left, y - top) for x, y in curve) for curve in curves),
    )


def rows_of(diagram: Diagram) -> list[int]:
    """Return the row of each box: as given, else one below the lowest that leads to it.

    Boxes that nothing leads to stand just above the first box that they lead to.

    Raises
    ------
    GraphError
        If arrows lead in a circle.
    """
    boxes = diagram.boxes
    if all(box.row is not None for box in boxes):
        return [box.row or 0 for box in boxes]
    leads: dict[int, list[int]] = defaultdict(list)
    waiting = [0] * len(boxes)
    for arrow in diagram.arrows:
        leads[arrow.source].append(arrow.target)
        waiting[arrow.target] += 1
    sources = [i for i, count in enumerate(waiting) if not count]
    rows, ready, seen = [0] * len(boxes), list(sources), 0
    while ready:
        i = ready.pop()
        seen += 1
        for j in leads[i]:
            rows[j] = max(rows[j], rows[i] + 1)
            waiting[j] -= 1
            if not waiting[j]:
                ready.append(j)
    if seen < len(boxes):
        raise GraphError("the arrows of a diagram lead in a circle: give the rows")
    for i in sources:
        if leads[i]:
            rows[i] = min(rows[j] for j in leads[i]) - 1
    return rows


class _Grid:
    """Boxes and the places of passing arrows, in rows."""

    def __init__(self, diagram: Diagram, rows: Sequence[int]) -> None:
        self.diagram = diagram
        self.rows = list(rows)
        self.lanes = [box.lane for box in diagram.boxes]
        self.widths = [box.size[0] for box in diagram.boxes]
        self.heights = [box.size[1] for box in diagram.boxes]
        self.above: dict[int, list[int]] = defaultdict(list)
        self.below: dict[int, list[int]] = defaultdict(list)
        # Rows, as far as a lane has boxes there.
        self.used = set(zip(self.rows, self.lanes, strict=True))
        self.chains: list[list[int]] = []
        for arrow in diagram.arrows:
            self.chains.append(self._chain(arrow.source, arrow.target))
        self.layers: dict[int, list[int]] = defaultdict(list)
        for i, row in enumerate(self.rows):
            self.layers[row].append(i)

    def _chain(self, source: int, target: int) -> list[int]:
        """Make places for an arrow in the rows that it passes."""
        lane = self.lanes[source]
        if self.lanes[target] != lane:
            return []
        first, last = self.rows[source], self.rows[target]
        step = 1 if last > first else -1
        chain: list[int] = []
        for row in range(first + step, last, step):
            if (row, lane) not in self.used:
                continue
            chain.append(len(self.rows))
            self.rows.append(row)
            self.lanes.append(lane)
            self.widths.append(0.0)
            self.heights.append(0.0)
        path = [source, *chain, target]
        for i, j in pairwise(path):
            upper, lower = (i, j) if step == 1 else (j, i)
            self.below[upper].append(lower)
            self.above[lower].append(upper)
        return chain

    def _sweeps(self, most: int) -> int:
        """Return how often everything may be gone through."""
        return max(2, min(most, _VISITS // len(self.rows)))

    # Order ----------------------------------------------------------------------------

    def order(self) -> None:
        """Order the rows so that few arrows cross."""
        rows = sorted(self.layers)
        for row in rows:
            self.layers[row].sort(key=lambda i: self.lanes[i])
        place = self._within_rows()
        best, fewest = self._copy(), self._crossings(rows)
        for sweep in range(self._sweeps(_ORDER_SWEEPS)):
            down = sweep % 2 == 0
            near = self.above if down else self.below
            for row in rows if down else reversed(rows):
                self._sort(row, near, place)
            crossings = self._crossings(rows)
            if crossings < fewest:
                best, fewest = self._copy(), crossings
            if not fewest:
                break
        self.layers = best

    def _copy(self) -> dict[int, list[int]]:
        return {row: list(layer) for row, layer in self.layers.items()}

    def _within_rows(self) -> list[int]:
        """Return for everything how many stand left of it in its row."""
        place = [0] * len(self.rows)
        for layer in self.layers.values():
            for k, i in enumerate(layer):
                place[i] = k
        return place

    def _sort(self, row: int, near: dict[int, list[int]], place: list[int]) -> None:
        def barycentre(i: int) -> tuple[int, float]:
            beside = near[i]
            mean = sum(place[j] for j in beside) / len(beside) if beside else place[i]
            return self.lanes[i], mean

        self.layers[row].sort(key=barycentre)
        for k, i in enumerate(self.layers[row]):
            place[i] = k

    def _crossings(self, rows: Sequence[int]) -> int:
        total = 0
        place = self._within_rows()
        for row in rows:
            for lane in (LEFT, RIGHT):
                ends = [
                    place[j]
                    for i in self.layers[row]
                    if self.lanes[i] == lane
                    for j in sorted(self.below[i], key=place.__getitem__)
                ]
                total += _inversions(ends)
        return total

    # Places ---------------------------------------------------------------------------

    def across(self) -> list[float]:
        """Return a horizontal place for everything."""
        xs = [0.0] * len(self.rows)
        rows = sorted(self.layers)
        for row in rows:
            at = 0.0
            for left, i in zip(
                [None, *self.layers[row]], self.layers[row], strict=False
            ):
                at += 0.0 if left is None else self._gap(left, i)
                xs[i] = at
        sweeps = self._sweeps(_PLACE_SWEEPS)
        for sweep in range(sweeps):
            down = sweep % 2 == 0
            for row in rows if down else reversed(rows):
                self._settle(row, xs, down, sweep >= sweeps // 2)
        self._side_by_side(xs)
        return xs

    def _gap(self, left: int, right: int) -> float:
        """Return the least distance of the centres of two neighbours."""
        narrow = not self.widths[left] or not self.widths[right]
        gap = _ARROW_GAP if narrow else _GAP
        return (self.widths[left] + self.widths[right]) / 2 + gap

    def _settle(self, row: int, xs: list[float], down: bool, both: bool) -> None:
        layer = self.layers[row]
        for lane in (LEFT, RIGHT):
            members = [i for i in layer if self.lanes[i] == lane]
            if not members:
                continue
            wanted, weights, offsets = [], [], []
            offset = 0.0
            for k, i in enumerate(members):
                near = self.above[i] if down else self.below[i]
                if both or not near:
                    near = self.above[i] + self.below[i]
                mean = self._mean(near, xs) if near else xs[i]
                offset += self._gap(members[k - 1], i) if k else 0.0
                offsets.append(offset)
                wanted.append(mean - offset)
                # What passes wants to be straight; beginnings and ends give way.
                through = bool(self.above[i] and self.below[i])
                weights.append(4.0 if not self.widths[i] else 1.0 if through else 0.1)
            for i, x, offset in zip(
                members, isotonic(wanted, weights), offsets, strict=True
            ):
                xs[i] = x + offset

    def _mean(self, near: Sequence[int], xs: Sequence[float]) -> float:
        """Return the mean place of neighbours; what is on a way through counts more."""
        pulls = [6.0 if self.above[j] and self.below[j] else 1.0 for j in near]
        weighted = sum(w * xs[j] for w, j in zip(pulls, near, strict=True))
        return weighted / sum(pulls)

    def _side_by_side(self, xs: list[float]) -> None:
        """Move the right lane to the right of the left one and of the corridors."""
        self.corridors = self._corridors()
        sides: dict[int, list[float]] = {LEFT: [], RIGHT: []}
        for x, width, lane in zip(xs, self.widths, self.lanes, strict=True):
            sides[lane] += [x - width / 2, x + width / 2]
        if not sides[LEFT] or not sides[RIGHT]:
            return
        self.edge = max(sides[LEFT]) + _GAP
        shift = self.edge + _CORRIDOR * len(self.corridors) + _GAP - min(sides[RIGHT])
        for i, lane in enumerate(self.lanes):
            if lane == RIGHT:
                xs[i] += shift

    def _corridors(self) -> dict[int, int]:
        """Number the boxes from which arrows lead to the other lane."""
        crossing = [
            arrow.source
            for arrow in self.diagram.arrows
            if self.lanes[arrow.source] != self.lanes[arrow.target]
        ]
        # What starts lower runs further left, so that few runs cross.
        ordered = sorted(dict.fromkeys(crossing), key=lambda i: -self.rows[i])
        return {i: k for k, i in enumerate(ordered)}

    def down(self) -> dict[int, float]:
        """Return a vertical place for every row; lanes may overlap in height."""
        ys: dict[int, float] = {}
        reach: dict[int, float] = {}
        latest = 0.0
        for row in sorted(self.layers):
            boxes = [i for i in self.layers[row] if self.widths[i]]
            y = latest + _RUN if ys else 0.0
            for i in boxes:
                if self.lanes[i] in reach:
                    y = max(y, reach[self.lanes[i]] + _ROW_GAP + self.heights[i] / 2)
            ys[row] = latest = y
            for i in boxes:
                bottom = y + self.heights[i] / 2
                reach[self.lanes[i]] = max(reach.get(self.lanes[i], bottom), bottom)
        return ys

    # Arrows ---------------------------------------------------------------------------

    def curves(
        self, xs: Sequence[float], ys: dict[int, float]
    ) -> list[tuple[Point, ...]]:
        """Return a curve for every arrow."""
        made = []
        runs: dict[tuple[int, bool], list[int]] = defaultdict(list)
        for arrow, chain in zip(self.diagram.arrows, self.chains, strict=True):
            i, j = arrow.source, arrow.target
            if self.lanes[i] == self.lanes[j]:
                sign = 1 if self.rows[j] > self.rows[i] else -1
                start = xs[i], ys[self.rows[i]] + sign * self.heights[i] / 2
                end = xs[j], ys[self.rows[j]] - sign * self.heights[j] / 2
                between = []
                for k in chain:  # straight past the boxes of a row
                    half = sign * self._height(self.rows[k], self.lanes[k]) / 2
                    y = ys[self.rows[k]]
                    between += [(xs[k], y - half), (xs[k], y + half)]
                made.append(upright([start, *between, end]))
            else:
                down = ys[self.rows[i]] < ys[self.rows[j]]
                same = runs[self.rows[j], down]
                if i not in same:
                    same.append(i)
                made.append(self._cross(i, j, xs, ys, down, same.index(i)))
        return made

    def _height(self, row: int, lane: int) -> float:
        boxes = [i for i in self.layers[row] if self.lanes[i] == lane]
        return max(self.heights[i] for i in boxes if self.widths[i])

    def _cross(
        self,
        i: int,
        j: int,
        xs: Sequence[float],
        ys: dict[int, float],
        down: bool,
        run: int,
    ) -> tuple[Point, ...]:
        """Lead an arrow from lane to lane, the `run`-th that comes to that row so."""
        corridor = self.edge + _CORRIDOR * self.corridors[i]
        y = ys[self.rows[i]]
        beside = [k for k in self.layers[self.rows[i]] if self.lanes[k] == LEFT]
        if any(xs[k] > xs[i] for k in beside):  # under those that are in the way
            under = y + max(self.heights[k] for k in beside) / 2 + 6
            points = [(xs[i] + 8, y + self.heights[i] / 2), (xs[i] + 8, under)]
            points.append((corridor, under))
        else:
            points = [(xs[i] + self.widths[i] / 2, y), (corridor, y)]
        sign = -1 if down else 1
        end = ys[self.rows[j]] + sign * self.heights[j] / 2
        level = end + sign * (_RUN + 3 * (run % 6))
        # To the side of the middle, where arrows of the lane itself arrive.
        x = xs[j] - self.widths[j] / 4
        return rounded([*points, (corridor, level), (x, level), (x, end)])


def isotonic(wanted: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the nondecreasing numbers nearest to `wanted` in weighted least squares.

    Pool adjacent violators: neighbours in the wrong order become their mean.

    Examples
    --------
    >>> isotonic([1.0, 3.0, 2.0], [1.0, 1.0, 1.0])
    [1.0, 2.5, 2.5]
    """
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(wanted, weights, strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, total, count = pools.pop()
            whole = total + pool[1]
            pool = ((mean * total + pool[0] * pool[1]) / whole, whole, count + pool[2])
        pools.append(pool)
    return [mean for mean, _, count in pools for _ in range(count)]


def _inversions(numbers: list[int]) -> int:
    """Count the pairs in the wrong order, by merging."""
    total, width = 0, 1
    numbers = list(numbers)
    while width < len(numbers):
        for start in range(0, len(numbers), 2 * width):
            left = numbers[start : start + width]
            right = numbers[start + width : start + 2 * width]
            merged, a, b = [], 0, 0
            while a < len(left) and b < len(right):
                if left[a] <= right[b]:
                    merged.append(left[a])
                    a += 1
                else:
                    merged.append(right[b])
                    b += 1
                    total += len(left) - a
            numbers[start : start + 2 * width] = merged + left[a:] + right[b:]
        width *= 2
    return total
