"""How weft's costs grow: with batch, width, depth and number of nodes.

Each series is fitted by a power law ``seconds = c size^exponent``: least squares of
the logarithms.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, final

import numpy as np

from benchmarks.contestants import environment, library
from benchmarks.contestants.kinds import Setting
from benchmarks.processes import call_alone
from benchmarks.racer import Racer
from benchmarks.workloads import BenchmarkError, Workload

_BASE = Workload("growth", 64, (128, 128), 10, batch=64, steps=1)
SERIES = {
    "batch": (16, 32, 64, 128, 256, 512, 1024, 2048),
    "width": (32, 64, 128, 256, 512, 1024),
    "depth": (1, 2, 4, 8, 16, 32, 64),
    "nodes": (64, 128, 256, 512, 1024, 2048),
}
_LEAST = 0.1  # seconds to be timed per size


@final
@dataclass(frozen=True)
class Law:
    """A power law: ``seconds = factor * size ** exponent``.

    Parameters
    ----------
    factor, exponent : float
    r2 : float
        The share of the variance of the logarithms that it explains.
    """

    factor: float
    exponent: float
    r2: float


@final
@dataclass(frozen=True)
class Growth:
    """One series.

    Parameters
    ----------
    axis : str
        What grows.
    sizes : tuple of int
    building, step : tuple of float
        Seconds to build and compile, and per step.
    """

    axis: str
    sizes: tuple[int, ...]
    building: tuple[float, ...]
    step: tuple[float, ...]

    @property
    def building_law(self) -> Law:
        """How building and compiling grows."""
        return power_law(self.sizes, self.building)

    @property
    def step_law(self) -> Law:
        """How a step grows."""
        return power_law(self.sizes, self.step)

    def as_data(self) -> dict[str, Any]:
        """Return the result as JSON data."""
        laws = {
            "building_law": asdict(self.building_law),
            "step_law": asdict(self.step_law),
        }
        return asdict(self) | laws


def power_law(sizes: Sequence[float], seconds: Sequence[float]) -> Law:
    """Fit a power law.

    Examples
    --------
    >>> law = power_law([1, 2, 4], [3.0, 12.0, 48.0])
    >>> round(law.factor, 9), round(law.exponent, 9), round(law.r2, 9)
    (3.0, 2.0, 1.0)
    """
    x, y = np.log(sizes), np.log(seconds)
    exponent, offset = np.polyfit(x, y, 1)
    residual = np.sum(np.square(y - exponent * x - offset))
    total = np.sum(np.square(y - y.mean()))
    r2 = 1.0 if total == 0 else 1 - residual / total
    return Law(math.exp(offset), float(exponent), float(r2))


def measure(
    engine: str = "auto",
    quick: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> list[Growth]:
    """Measure all series, each in a process of its own.

    Parameters
    ----------
    engine : str
    quick : bool
        Every second size only.
    say : callable
    """
    found = []
    for axis, sizes in SERIES.items():
        say(f"{axis} ...")
        taken = sizes[::2] if quick else sizes
        one_thread = environment(library("weft"), 1)
        pairs = call_alone(one_thread, series, axis, taken, Setting(engine=engine))
        building, step = zip(*pairs, strict=True)
        found.append(Growth(axis, taken, building, step))
    return found


def series(
    axis: str, sizes: Sequence[int], setting: Setting
) -> list[tuple[float, float]]:
    """Measure one series in this process: (building, step) seconds per size."""
    if axis not in SERIES:
        raise BenchmarkError(f"nothing grows with {axis!r}")
    one = _chain if axis == "nodes" else _network(axis)
    one(sizes[0], setting)  # what only a first network pays for
    return [one(size, setting) for size in sizes]


def _network(axis: str) -> Callable[[int, Setting], tuple[float, float]]:
    """Return what trains a network of which one thing grows."""
    changed: dict[str, Callable[[int], Workload]] = {
        "batch": lambda size: replace(_BASE, batch=size),
        "width": lambda size: replace(_BASE, hidden=(size, size)),
        "depth": lambda size: replace(_BASE, hidden=(64,) * size),
    }

    def one(size: int, setting: Setting) -> tuple[float, float]:
        racer = Racer("weft", changed[axis](size), setting)
        first = racer.turn().seconds
        racer.turn()
        turns = [racer.turn(_LEAST / 5).seconds for _ in range(5)]
        step = statistics.median(turns)
        return max(first - step, 1e-9), step

    return one


def _chain(size: int, setting: Setting) -> tuple[float, float]:
    """Differentiate a chain of so many sines of a vector, and run that."""
    import weft

    start = time.perf_counter()
    x = weft.input("x", ("n",))
    y = x
    for _ in range(size):
        y = weft.sin(y)
    program = weft.compile(
        [x],
        weft.grad(weft.sum(y), x),
        engine=setting.engine,
        threads=setting.threads,
    )
    row = np.linspace(-1, 1, 64, dtype=np.float32)
    program(row)
    building = time.perf_counter() - start
    calls = max(1, 20_000 // size)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(calls):
            program(row)
        times.append((time.perf_counter() - start) / calls)
    step = statistics.median(times)
    return max(building - step, 1e-9), step
