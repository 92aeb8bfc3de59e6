"""Tasks in an order, and how their values live.

A *schedule* is a list of tasks' numbers. A number that stands in it twice is computed
twice, and whoever reads a value reads what was computed last; so a schedule says all
there is to say, and no schedule can change a result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Task:
    """One thing to compute.

    Parameters
    ----------
    reads, writes : tuple of int
        Values, by number.
    cost : int
    """

    reads: tuple[int, ...]
    writes: tuple[int, ...]
    cost: int


@final
@dataclass(frozen=True)
class Work:
    """Tasks in an order in which each finds what it reads.

    Parameters
    ----------
    tasks : tuple of Task
        Each value is written by one of them.
    sizes : mapping of int to int
        The bytes of each value.
    fence : int
        Tasks from here on are not moved, and find kept what they read.
    ends : frozenset of int
        Values that are asked for behind the last task.
    """

    tasks: tuple[Task, ...]
    sizes: Mapping[int, int]
    fence: int
    ends: frozenset[int]

    def again(self, schedule: Sequence[int]) -> list[int]:
        """List the places of a schedule where a task is computed once more."""
        seen: set[int] = set()
        found = []
        for place, number in enumerate(schedule):
            if number in seen:
                found.append(place)
            seen.add(number)
        return found

    def extra(self, schedule: Sequence[int]) -> int:
        """Return what computing again costs."""
        return sum(self.tasks[schedule[i]].cost for i in self.again(schedule))


@final
@dataclass(frozen=True)
class Saving:
    """What a schedule under a byte budget comes to.

    Parameters
    ----------
    budget, bytes, without : int
        The memory allowed, the memory taken, and the memory without recomputation.
    again : frozenset of int
        The steps that are computed once more, by their places.
    extra, forward : int
        The flops of those, and of all steps before the turn.
    """

    budget: int
    bytes: int
    without: int
    again: frozenset[int]
    extra: int
    forward: int

    @property
    def passes(self) -> float:
        """How many forward passes computing again comes to."""
        return self.extra / self.forward if self.forward else 0.0

    def __str__(self) -> str:
        if not self.again:
            return f"memory: {self.bytes} B of {self.budget} B, nothing computed again"
        return (
            f"memory: {self.bytes} B of {self.budget} B (without computing again "
            f"{self.without} B); {len(self.again)} steps again, {self.passes:.2f} "
            "forward passes"
        )


def hastened(work: Work) -> list[int]:
    """Return an order in which values die early.

    A task that can run and makes less than its share of what it lets go of runs at
    once: a weight's gradient as soon as the two activations are there.

    Parameters
    ----------
    work : Work

    Returns
    -------
    list of int
        Every task once.

    Examples
    --------
    Task 2 turns a large value into a small one, and is taken before another is made:

    >>> tasks = (Task((), (0,), 1), Task((), (1,), 1), Task((0,), (2,), 1))
    >>> hastened(Work(tasks, {0: 100, 1: 100, 2: 1}, 3, frozenset({1, 2})))
    [0, 2, 1]
    """
    readers = readers_of(work)
    left = {value: len(by) for value, by in readers.items()}
    waits = [len(task.reads) for task in work.tasks]
    done = [False] * len(work.tasks)
    order: list[int] = []

    def pays(number: int) -> bool:
        task = work.tasks[number]
        freed = sum(work.sizes[v] / left[v] for v in task.reads if v not in work.ends)
        return freed > sum(work.sizes[v] for v in task.writes)

    for first in range(work.fence):
        ahead = [first]
        while ahead:
            number = ahead.pop()
            if done[number] or (waits[number] and number != first):
                continue
            done[number] = True
            order.append(number)
            task = work.tasks[number]
            for value in task.reads:
                left[value] -= 1
            for value in task.writes:
                for reader in readers.get(value, ()):
                    waits[reader] -= 1
            touched = {
                reader
                for value in (*task.reads, *task.writes)
                for reader in readers.get(value, ())
                if reader < work.fence and not done[reader] and not waits[reader]
            }
            ahead.extend(sorted(filter(pays, touched), reverse=True))
    return [*order, *range(work.fence, len(work.tasks))]


def peak(work: Work, schedule: Sequence[int]) -> int:
    """Return the most bytes that the values alive at one time take.

    Parameters
    ----------
    work : Work
    schedule : sequence of int

    Returns
    -------
    int

    Examples
    --------
    >>> chain = (Task((), (0,), 1), Task((0,), (1,), 1), Task((1,), (2,), 1))
    >>> peak(Work(chain, {0: 10, 1: 20, 2: 30}, 3, frozenset({2})), [0, 1, 2])
    50
    """
    # From the end: what is computed last is what later ones read.
    alive = set(work.ends)
    total = sum(work.sizes[v] for v in alive)
    most = total
    for number in reversed(schedule):
        task = work.tasks[number]
        for value in {*task.reads, *task.writes} - alive:
            alive.add(value)
            total += work.sizes[value]
        most = max(most, total)
        for value in task.writes:
            alive.discard(value)
            total -= work.sizes[value]
    return most


def readers_of(work: Work) -> dict[int, list[int]]:
    """List for each value the tasks that read it, in order."""
    found: dict[int, list[int]] = {}
    for number, task in enumerate(work.tasks):
        for value in task.reads:
            found.setdefault(value, []).append(number)
    return found
