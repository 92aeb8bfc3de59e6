"""A contestant at work, inside the process that is measured.

The process holds one `Racer`; the functions here are what the other side calls.
"""

import importlib
import time
from dataclasses import dataclass
from typing import final

from benchmarks.contestants.kinds import Epoch, Setting
from benchmarks.workloads import Workload
from weft.apps.bench import problem


@final
@dataclass(frozen=True)
class Turn:
    """What a turn came to.

    Parameters
    ----------
    seconds : float
        Per epoch.
    values : tuple of float
        What every epoch returned.
    """

    seconds: float
    values: tuple[float, ...]


@final
class Racer:
    """A contestant with its problem; epochs are counted on.

    Parameters
    ----------
    library : str
        A module of `benchmarks.contestants`.
    workload : Workload
    setting : Setting
    """

    def __init__(self, library: str, workload: Workload, setting: Setting) -> None:
        module = importlib.import_module(f"benchmarks.contestants.{library}")
        self._build = getattr(module, workload.task)
        self._problem = problem.make(workload)
        self._setting = setting
        self._epoch: Epoch | None = None
        self._done = 0

    def turn(self, least: float = 0.0) -> Turn:
        """Take epochs until `least` seconds have gone, at least one.

        The first turn builds, compiles and takes one epoch. Orders are drawn off the
        clock.
        """
        spent, values = 0.0, []
        while not values or spent < least:
            order = problem.order(self._problem.workload, self._done)
            start = time.perf_counter()
            if self._epoch is None:
                self._epoch = self._build(self._problem, self._setting)
            values.append(self._epoch(order))
            spent += time.perf_counter() - start
            self._done += 1
        return Turn(spent / len(values), tuple(values))


_racer: Racer | None = None


def enter(library: str, workload: Workload, setting: Setting) -> None:
    """Put a racer on the line."""
    global _racer
    _racer = Racer(library, workload, setting)


def turn(least: float = 0.0) -> Turn:
    """Let it take a turn."""
    assert _racer is not None
    return _racer.turn(least)
