"""Turns: each library does the same steps, one after the other, again and again."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from weft.apps.bench.libraries import can, installed, program_of
from weft.apps.bench.problem import make, order
from weft.apps.bench.workloads import Workload
from weft.compile.native.threads import cores
from weft.compile.profile import Profile

# Turns that count, behind one that does not; who has taken so many seconds for them
# takes no other.
_TURNS, _PATIENCE = 5, 1.2
# Whose mean costs are further apart than this, relatively, have not done the same.
_AGREE = 1e-3
# A turn of weft's lasts so long at least, in seconds.
_LEAST = 0.02


@final
@dataclass(frozen=True)
class Timing:
    """How fast a library was.

    Parameters
    ----------
    seconds : float
        Per step, the median of the turns.
    first : float
        Of the first turn, building and compiling included.
    agrees : bool
        Whether its costs are weft's.
    """

    seconds: float
    first: float
    agrees: bool


@final
@dataclass(frozen=True)
class Result:
    """What came of a workload.

    Parameters
    ----------
    workload : Workload
    timings : mapping of str to Timing
        By library, weft first.
    limit : float
        The least seconds per step that the machine allows; 0 before it is known.
    """

    workload: Workload
    timings: dict[str, Timing]
    limit: float = 0.0

    @property
    def weft(self) -> float:
        """Weft's seconds per step."""
        return self.timings["weft"].seconds

    @property
    def share(self) -> float:
        """The share of the limit that weft reaches."""
        return self.limit / self.weft

    @property
    def ratio(self) -> float | None:
        """The time of the best peer over weft's; None without a peer that agrees."""
        peers = [
            timing.seconds
            for name, timing in self.timings.items()
            if name != "weft" and timing.agrees
        ]
        return min(peers) / self.weft if peers else None

    def data(self) -> dict[str, Any]:
        """Return it as a machine reads it."""
        return {
            "workload": self.workload.name,
            "limit_us": 1e6 * self.limit,
            "share": self.share,
            "ratio": self.ratio,
            "libraries": {
                name: {
                    "us": 1e6 * timing.seconds,
                    "first_seconds": timing.first,
                    "agrees": timing.agrees,
                }
                for name, timing in self.timings.items()
            },
        }


def measure(
    workload: Workload, say: Callable[[str], Any] = lambda what: None
) -> Result:
    """Let every library that is installed do a workload.

    Parameters
    ----------
    workload : Workload
    say : callable, optional
        Told which library is being built or run.

    Returns
    -------
    Result
    """
    problem = make(workload)
    threads = 1 if workload.cores == "one" else cores()
    turns, firsts, costs = {}, {}, {}
    for name, library in installed().items():
        if not can(name, workload):
            continue
        say(name)
        start = time.perf_counter()
        turns[name] = library(problem, threads)
        costs[name] = turns[name](order(workload, 0))
        firsts[name] = time.perf_counter() - start
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(1, _TURNS + 1):
        rows = order(workload, number)
        for name, turn in turns.items():
            if sum(seconds[name]) * workload.steps > _PATIENCE:
                continue
            say(f"{name}, turn {number} of {_TURNS}")
            seconds[name].append(_timed(lambda: turn(rows)) / workload.steps)  # noqa: B023
    timings = {
        name: Timing(
            statistics.median(seconds[name]),
            firsts[name],
            abs(costs[name] - costs["weft"]) <= _AGREE * abs(costs["weft"]),
        )
        for name in turns
    }
    return Result(workload, timings)


def profile(workload: Workload) -> Profile:
    """Return the profile of weft's program for a workload."""
    problem = make(workload)
    threads = 1 if workload.cores == "one" else cores()
    program, numbers = program_of(problem, threads)
    if workload.task == "predict":
        program(problem.X[:1])
    else:
        program.run([problem.X, problem.y, *numbers], None, workload.batch)
    return program.profile()


def _timed(turn: Callable[[], Any]) -> float:
    """Return the seconds of a turn; of short ones, the mean of some."""
    count, start = 0, time.perf_counter()
    while True:
        turn()
        count += 1
        passed = time.perf_counter() - start
        if passed >= _LEAST:
            return passed / count
