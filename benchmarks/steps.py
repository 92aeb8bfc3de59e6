"""Microseconds per step, everybody in turn.

Each contestant lives in a process of its own. After the first epoch and a warm-up they
take their turns one after the other, again and again, so that a noise of the machine
hits all alike. A contestant counts only if its costs agree with the others'.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, final

from benchmarks import racer
from benchmarks.contestants import Contestant, contestants
from benchmarks.machine import Machine
from benchmarks.processes import Process, answer
from benchmarks.workloads import (
    BenchmarkError,
    Workload,
    bytes_moved,
    flops,
    limit,
)

TOLERANCE = 1e-3  # relative, of the mean cost of the first epoch
_LEAST = 0.05  # seconds of a turn
# Threads of BLAS and OpenMP spin for some milliseconds before they sleep.
_SETTLE = 0.05


@final
@dataclass(frozen=True)
class Timing:
    """How fast one contestant was.

    Parameters
    ----------
    name, library : str
    threads : int
    first_epoch : float
        Seconds, with building and compiling.
    turns : tuple of float
        Microseconds per step.
    curve : tuple of float
        The values of the first and of the warm-up epoch.
    counts : bool
        Whether the first of them agrees with the others'.
    """

    name: str
    library: str
    threads: int
    first_epoch: float
    turns: tuple[float, ...]
    curve: tuple[float, ...]
    counts: bool = True

    @property
    def median(self) -> float:
        """Microseconds per step."""
        return statistics.median(self.turns)


@final
@dataclass(frozen=True)
class Result:
    """One workload's timings, and its limit.

    Parameters
    ----------
    workload : Workload
    timings : tuple of Timing
    left_out : mapping of str to str
        Who could not take part, and why.
    peak, bandwidth : float
        Flops and bytes per second.
    """

    workload: Workload
    timings: tuple[Timing, ...]
    left_out: dict[str, str]
    peak: float
    bandwidth: float

    @property
    def limit(self) -> float:
        """Microseconds per step."""
        return 1e6 * limit(self.workload, self.peak, self.bandwidth)

    def best(self, library: str) -> Timing | None:
        """Return a library's fastest setting among those that count."""
        found = [t for t in self.timings if t.library == library and t.counts]
        return min(found, key=lambda t: t.median, default=None)

    @property
    def best_peer(self) -> Timing | None:
        """The fastest of all but weft."""
        found = [t for t in self.timings if t.library != "weft" and t.counts]
        return min(found, key=lambda t: t.median, default=None)

    @property
    def ratio(self) -> float | None:
        """How many times faster weft is than the best peer."""
        weft, peer = self.best("weft"), self.best_peer
        return peer.median / weft.median if weft and peer else None

    @property
    def share(self) -> float | None:
        """The fraction of the limit that weft reaches."""
        weft = self.best("weft")
        return self.limit / weft.median if weft else None

    def as_data(self) -> dict[str, Any]:
        """Return the result as JSON data."""
        return {
            "workload": self.workload.name,
            "flops": flops(self.workload),
            "bytes": bytes_moved(self.workload),
            "peak_flops_per_second": self.peak,
            "bandwidth_bytes_per_second": self.bandwidth,
            "limit_us": self.limit,
            "ratio_to_best_peer": self.ratio,
            "share_of_limit": self.share,
            "left_out": self.left_out,
            "timings": [
                {
                    **timing.__dict__,
                    "median_us": timing.median,
                    "least_us": min(timing.turns),
                }
                for timing in self.timings
            ],
        }


def measure(
    workloads: Sequence[Workload],
    engine: str = "auto",
    quick: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> list[Result]:
    """Race all contestants over all workloads.

    Parameters
    ----------
    workloads : sequence of Workload
    engine : str
        weft's.
    quick : bool
        Three turns instead of nine, of epochs of a fifth: a look, not a measurement.
    say : callable
        Is told what is going on.

    Returns
    -------
    list of Result
        One per workload. All limits are those of the best rates of the whole run.
    """
    machine, results = Machine(), []
    for given in workloads:
        workload = replace(given, steps=given.steps // 5) if quick else given
        say(f"{workload.name} ...")
        machine.look()
        machine.look_at_memory(workload)
        timings, left_out = race(workload, engine, turns=3 if quick else 9)
        machine.look()
        machine.look_at_memory(workload)
        results.append(
            Result(
                workload,
                judged(timings),
                left_out,
                machine.peak(workload),
                machine.bandwidth(workload),
            )
        )
    return [replace(r, peak=machine.peak(r.workload)) for r in results]


@final
class Runner:
    """A contestant on the line; one that stumbles is out, and says why.

    Parameters
    ----------
    contestant : Contestant
    process : Process
        Where a racer of it has entered, or will.
    """

    def __init__(self, contestant: Contestant, process: Process) -> None:
        self.contestant, self.process = contestant, process
        self.taken: list[racer.Turn] = []
        self.trouble: str | None = None

    def turn(self, least: float = 0.0) -> None:
        """Take a turn."""
        if self.trouble is None:
            try:
                self.taken.append(self.process.call(racer.turn, least))
            except BenchmarkError as error:
                self.trouble = str(error)


def race(
    workload: Workload, engine: str, turns: int
) -> tuple[list[Timing], dict[str, str]]:
    """Let all contestants take turns on a workload.

    Returns
    -------
    list of Timing
    dict of str to str
        Who did not finish, and why.
    """
    with ExitStack() as stack:
        line = [
            Runner(each, stack.enter_context(Process(each.environment)))
            for each in contestants(workload, engine)
        ]
        _enter(line, workload)
        for runner in line:
            runner.turn()
        for number in range(1 + turns):  # the first of these is the warm-up
            for runner in line:
                time.sleep(_SETTLE)
                runner.turn(_LEAST if number else 0.0)
    finished = [_timing(r, workload) for r in line if r.trouble is None]
    return finished, {r.contestant.name: r.trouble for r in line if r.trouble}


def _enter(line: Sequence[Runner], workload: Workload) -> None:
    """Import libraries and draw problems, everybody at once: nothing is timed."""
    futures = [
        runner.process.submit(
            racer.enter,
            runner.contestant.library.key,
            workload,
            runner.contestant.setting,
        )
        for runner in line
    ]
    for runner, future in zip(line, futures, strict=True):
        try:
            answer(future)
        except BenchmarkError as error:
            runner.trouble = str(error)


def _timing(runner: Runner, workload: Workload) -> Timing:
    first, warm_up, *rest = runner.taken
    return Timing(
        runner.contestant.name,
        runner.contestant.library.key,
        runner.contestant.setting.threads,
        first.seconds,
        tuple(1e6 * turn.seconds / workload.steps for turn in rest),
        (*first.values, *warm_up.values),
    )


def judged(timings: Sequence[Timing]) -> tuple[Timing, ...]:
    """Mark the timings whose costs do not agree with the others'.

    The others are the median of the libraries, each by its first setting: many settings
    of one library do not make a majority.
    """
    by_library = {t.library: t.curve[0] for t in reversed(timings)}
    if not by_library:
        return ()
    middle = statistics.median(by_library.values())

    def agrees(timing: Timing) -> bool:
        return abs(timing.curve[0] - middle) <= TOLERANCE * abs(middle)

    return tuple(replace(t, counts=agrees(t)) for t in timings)
