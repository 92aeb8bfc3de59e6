"""Memory for time: which values to let go of, and when to compute them again.

Where memory is at its highest, the tasks *turn*: what was made before is read behind,
mostly backward (the activations of a network). `scheduled` sets *marks* among the tasks
before the turn. What crosses a mark is kept; the rest of what lies between two marks is
let go of, and computed again, all of it at once, when the first of it is asked for.
Between two marks there may be deeper ones, for going through the same part once more.

How far apart the marks are follows from the memory that is left: the first part may
fill all of it, the next one what the first mark leaves, and so on. This is the binomial
schedule of Griewank and Walther, "Algorithm 799: revolve" (2000), for values of any
sizes; one level of it is Chen et al., "Training deep nets with sublinear memory cost"
(2016).
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import final

from weft.compile.tasks import Work, readers_of

# How often a task may be computed again.
_LEVELS = 4
# How many plans are tried once one is found that fits.
_TRIES = 8
# The smallest values are kept, together no more than this share of all at the peak.
_SMALL = 1 / 512

# A mark: the task before which it stands, and how deep it lies.
Mark = tuple[int, int]


def scheduled(
    work: Work,
    budget: int,
    measure: Callable[[Sequence[int]], int],
    least: Callable[[Sequence[int]], int],
) -> tuple[list[int] | None, int, int]:
    """Find a schedule that needs no more than so many bytes, and computes little again.

    Parameters
    ----------
    work : Work
    budget : int
    measure : callable
        The bytes that a schedule needs.
    least : callable
        The bytes that it needs at least, more quickly known.

    Returns
    -------
    schedule : list of int or None
        None if none was found.
    bytes : int
        What it needs; if none was found, the least that one does: with so much, one
        will be.
    turn : int
        The first task that is not computed again.

    Examples
    --------
    Four values are made and read backward; all are kept, or one is computed again:

    >>> from weft.compile.tasks import Task, peak
    >>> forward = [Task((i - 1,) if i else (), (i,), 1) for i in range(4)]
    >>> backward = [Task((3 - i, 3 + i) if i else (3,), (4 + i,), 1) for i in range(4)]
    >>> sizes = dict.fromkeys(range(8), 64)
    >>> work = Work((*forward, *backward), sizes, 8, frozenset({7}))
    >>> def needs(schedule):
    ...     return peak(work, schedule)
    >>> scheduled(work, 5 * 64, needs, needs)[:2]
    ([0, 1, 2, 3, 4, 5, 6, 7], 320)
    >>> scheduled(work, 4 * 64, needs, needs)[:2]
    ([0, 1, 2, 3, 4, 5, 6, 0, 7], 256)
    """
    schedule = list(range(len(work.tasks)))
    thriftiest = measure(schedule)
    course = _Course(work, int(_SMALL * thriftiest))
    if thriftiest <= budget:
        return schedule, thriftiest, course.turn
    for levels in range(1, _LEVELS + 1):
        low, high = course.least_room(levels), course.full
        while (marks := course.marks(low, levels)) is None:
            low = (low + high + 1) // 2  # with all of it, none are needed
        schedule = course.unrolled(marks)
        needed = measure(schedule)
        thriftiest = min(thriftiest, needed)
        if needed > budget:
            continue
        # More room, and less to compute again, until it is too much.
        best = work.extra(schedule), needed, schedule
        for _ in range(_TRIES):
            room = (low + high) // 2
            fits = False
            if (marks := course.marks(room, levels)) is not None:
                schedule = course.unrolled(marks)
                fits = least(schedule) <= budget
                needed = measure(schedule) if fits else needed
                fits = fits and needed <= budget
            if fits:
                best = min(best, (work.extra(schedule), needed, schedule))
                low = room
            else:
                high = room
        return best[2], best[1], course.turn
    return None, thriftiest, course.turn


@final
class _Course:
    """How values live, and where marks may stand.

    Parameters
    ----------
    work : Work
    small : int
        The smallest values are kept, together so many bytes.

    Attributes
    ----------
    turn : int
        Tasks before it may be computed again.
    """

    def __init__(self, work: Work, small: int) -> None:
        self.work = work
        self.readers = readers_of(work)
        self.born = {v: i for i, task in enumerate(work.tasks) for v in task.writes}
        self.kept = {
            v
            for v in self.born
            if v in work.ends or self.readers.get(v, [0])[-1] >= work.fence
        }
        self.turn = self._highest()
        self._keep_smallest(small)
        # Per task before the turn: the bytes of what it makes for those behind it; and
        # the most that other values take while these read it.
        self.saved, self.beside = self._lasting()
        self.crossing = self._crossing()

    def _highest(self) -> int:
        """Return the task behind the one where droppable values take the most."""
        change = [0] * (self.work.fence + 1)
        for value, at in self.born.items():
            if at < self.work.fence and value not in self.kept:
                change[at] += self.work.sizes[value]
                change[self.readers.get(value, [at])[-1] + 1] -= self.work.sizes[value]
        total = most = turn = 0
        for i in range(self.work.fence):
            total += change[i]
            if total > most:
                most, turn = total, i + 1
        return turn

    def _is_saved(self, value: int) -> bool:
        """Tell whether a value of before the turn is read behind it."""
        return self.readers.get(value, [0])[-1] >= self.turn

    def _keep_smallest(self, room: int) -> None:
        droppable = [
            v
            for v, at in self.born.items()
            if at < self.turn and v not in self.kept and self._is_saved(v)
        ]
        for value in sorted(droppable, key=lambda v: (self.work.sizes[v], v)):
            room -= self.work.sizes[value]
            if room < 0:
                break
            self.kept.add(value)

    def _lasting(self) -> tuple[list[int], list[int]]:
        sizes, tasks = self.work.sizes, self.work.tasks
        change = [0] * (len(tasks) + 1)
        for value, at in self.born.items():
            if at >= self.turn or value in self.kept:
                end = self.readers.get(value, [at])[-1] + 1
                change[at] += sizes[value]
                change[len(tasks) if value in self.work.ends else end] -= sizes[value]
        others, total = [], 0
        for number in change:
            total += number
            others.append(total)
        saved, beside = [0] * self.turn, [0] * self.turn
        for i in range(self.turn):
            lasting = [
                v for v in tasks[i].writes if v not in self.kept and self._is_saved(v)
            ]
            if lasting:
                saved[i] = sum(sizes[v] for v in lasting)
                behind = [r for v in lasting for r in self.readers[v] if r >= self.turn]
                beside[i] = max(others[min(behind) : max(behind) + 1])
        return saved, beside

    def _last_before(self, value: int) -> int:
        """Return the last task before the turn that makes or reads a value."""
        by = self.readers.get(value, [])
        at = bisect_right(by, self.turn - 1)
        return by[at - 1] if at else self.born[value]

    def _crossing(self) -> list[int]:
        """Return for each place before the turn the bytes that cross it."""
        change = [0] * (self.turn + 2)
        for value, at in self.born.items():
            if at < self.turn and value not in self.kept:
                change[at + 1] += self.work.sizes[value]
                change[self._last_before(value) + 1] -= self.work.sizes[value]
        found, total = [], 0
        for number in change[: self.turn + 1]:
            total += number
            found.append(total)
        return found

    # Marks --------------------------------------------------------------------------

    def _is_narrow(self, place: int) -> bool:
        """Tell whether as little crosses a place as its neighbours."""
        around = self.crossing[place - 1 : place + 2]
        return self.crossing[place] == min(around)

    def _held(self, start: int, mark: int) -> int:
        """Return the bytes made from `start` on that cross a mark."""
        return sum(
            self.work.sizes[v]
            for i in range(start, mark)
            for v in self.work.tasks[i].writes
            if v not in self.kept and self._last_before(v) >= mark
        )

    def _furthest(self, start: int, room: int, levels: int) -> int:
        """Return how far one gets with so much memory and so many levels of marks."""
        if levels == 0:
            total = beside = 0
            for end in range(start, self.turn):
                total += self.saved[end]
                beside = max(beside, self.beside[end])
                if total + beside > room:
                    while end > start and not self._is_narrow(end):
                        end -= 1
                    return end
            return self.turn
        while start < self.turn:
            end = self._furthest(start, room, levels - 1)
            if end == start:
                break
            room -= self._held(start, end)
            start = end
        return start

    @property
    def full(self) -> int:
        """The memory for which no marks are needed."""
        return sum(self.saved) + max(self.beside, default=0)

    def least_room(self, levels: int) -> int:
        """Return the least memory for which marks are found."""
        low, high = 0, self.full
        while low < high:
            room = (low + high) // 2
            if self._furthest(0, room, levels) < self.turn:
                low = room + 1
            else:
                high = room
        return high

    def marks(self, room: int, levels: int) -> list[Mark] | None:
        """Choose marks with which so much memory is enough; None if it is too little.

        Marks stand at narrow places, which may be further on than those that
        `_furthest` goes by: what is left behind them may then be too little.
        """
        found: list[Mark] = []
        parts = [(0, self.turn, room, levels, 1)]
        while parts:
            start, end, room, levels, depth = parts.pop()
            enough = (
                n for n in range(levels + 1) if self._furthest(start, room, n) >= end
            )
            fewest = next(enough, None)
            if fewest is None:
                return None
            levels = fewest
            if levels == 0:
                continue
            while True:
                mark, left = self._next(start, end, room, levels)
                parts.append((start, mark, room, levels - 1, depth + 1))
                found.append((mark, depth))
                start, room = mark, left
                if self._furthest(start, room, levels - 1) >= end:
                    break
            parts.append((start, end, room, levels - 1, depth + 1))
        return sorted(found)

    def _next(self, start: int, end: int, room: int, levels: int) -> tuple[int, int]:
        """Return the next mark, and the memory that is left behind it.

        It stands as far on as it can; the last one as far back as the rest behind it,
        which is not gone through again, lets it.
        """
        far = min(self._furthest(start, room, levels - 1), end - 1)
        low, high = start + 1, far
        if self._furthest(far, room - self._held(start, far), levels - 1) < end:
            low = far
        while low < high:
            middle = (low + high) // 2
            left = room - self._held(start, middle)
            if self._furthest(middle, left, levels - 1) >= end:
                high = middle
            else:
                low = middle + 1
        while low < far and not self._is_narrow(low):
            low += 1
        return low, room - self._held(start, low)

    # Schedules ----------------------------------------------------------------------

    def unrolled(self, marks: Sequence[Mark]) -> list[int]:
        """Return the schedule that marks stand for."""
        tasks = self.work.tasks
        places = [0, *(place for place, _ in marks)]
        depths = [0, *(depth for _, depth in marks)]
        order = list(range(self.turn))
        present: set[int] = set(self.kept)
        self._leave(present, order, places, depths, len(places) - 1)
        for number in range(self.turn, len(tasks)):
            while True:
                missing = [
                    self.born[v]
                    for v in tasks[number].reads
                    if v not in present and self.born[v] < self.turn
                ]
                if not missing:
                    break
                part = bisect_right(places, max(missing)) - 1
                wanted = self._part(places, part, number)
                again = self._needed([v for v in wanted if v not in present], present)
                order.extend(again)
                self._leave(present, again, places, depths, part)
            order.append(number)
        return order

    def _part(self, places: Sequence[int], part: int, number: int) -> list[int]:
        """List what a part makes that is read from task `number` on."""
        end = places[part + 1] if part + 1 < len(places) else self.turn
        return [
            v
            for i in range(places[part], end)
            for v in self.work.tasks[i].writes
            if self.readers.get(v, [0])[-1] >= number
        ]

    def _needed(self, wanted: Sequence[int], present: set[int]) -> list[int]:
        """List the tasks that make values of what is present."""
        found: set[int] = set()
        ahead = [self.born[v] for v in wanted]
        while ahead:
            number = ahead.pop()
            if number not in found:
                found.add(number)
                reads = self.work.tasks[number].reads
                ahead.extend(self.born[v] for v in reads if v not in present)
        return sorted(found)

    def _leave(
        self,
        present: set[int],
        computed: Sequence[int],
        places: Sequence[int],
        depths: Sequence[int],
        part: int,
    ) -> None:
        """Note what stays of tasks computed for the sake of a part.

        It is what the part itself has made, and what crosses a mark that is still to be
        gone back to: one with no shallower mark between it and the part.
        """
        seen: list[int] = []
        shallowest = depths[part]
        for k in range(part, 0, -1):
            if depths[k] <= shallowest:
                shallowest = depths[k]
                seen.append(places[k])
        seen.reverse()
        for number in computed:
            first = bisect_right(seen, number)
            mark = seen[first] if first < len(seen) else None
            for value in self.work.tasks[number].writes:
                inside = number >= places[part]
                if inside or (mark is not None and self._last_before(value) >= mark):
                    present.add(value)
