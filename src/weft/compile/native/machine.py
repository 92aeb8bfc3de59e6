"""The limits of this machine: how fast it can compute, and how fast it can move bytes.

Nothing is looked up; everything is measured, once per process and when first asked for,
in about a second. The peak is the best rate of a matrix product, weft's own
or NumPy's; the bandwidth, that of loops that read and write arrays of a given size, so
that each level of cache shows its own. With several threads, each works for itself, as
a limit should: nobody waits for anybody.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, final

import numpy as np

from weft.compile.native.frame import Frame, aligned
from weft.compile.native.library import library
from weft.compile.native.lower import lower
from weft.compile.native.program import ask
from weft.compile.native.threads import cores, entry_points
from weft.graph.leaf import input, parameter
from weft.ops.sample import Array

# Working sets, in bytes: from what fits the nearest cache to what fits none.
_SIZES = tuple(1 << power for power in (14, 16, 18, 20, 22, 24, 26, 27))
# Of products: weft's, many of a size that the caches hold, and one of NumPy's, which
# has more to prepare.
_OWN, _MANY, _NUMPY = 256, 3, 768
# A loop is repeated until it has moved so many bytes, about a millisecond.
_MOVED = 1 << 26
# Whatever is measured is repeated so often, and as long as so many seconds allow: on a
# machine that has other work, the best of many short tries is near the truth.
_REPEATS, _ENOUGH = 3, 0.03


@final
@dataclass(frozen=True)
class Machine:
    """What this machine can do at best.

    Parameters
    ----------
    cores : int
    peaks : mapping of (str, int) to float
        By dtype and number of threads (1 and all), flops per second.
    bandwidths : mapping of int to tuple of (int, float)
        By number of threads, bytes per second for working sets of up to so many bytes,
        the smallest first.

    Examples
    --------
    >>> two = Machine(
    ...     cores=1,
    ...     peaks={("float32", 1): 1e11},
    ...     bandwidths={1: ((32768, 2e11), (1 << 27, 1e10))},
    ... )
    >>> two.limit_seconds(flops=1_000_000, bytes=1000, working_set=1000)
    1e-05
    >>> two.limit_seconds(flops=1_000_000, bytes=1_000_000, working_set=1_000_000)
    0.0001
    """

    cores: int
    peaks: Mapping[tuple[str, int], float]
    bandwidths: Mapping[int, tuple[tuple[int, float], ...]]

    def peak(self, dtype: str = "float32", threads: int = 1) -> float:
        """Return the most flops per second."""
        one, all = self.peaks[dtype, 1], self.peaks[dtype, self.cores]
        return one if threads == 1 else min(threads * one, all)

    def bandwidth(self, working_set: int, threads: int = 1) -> float:
        """Return the most bytes per second, of the level where a working set fits."""
        levels = self.bandwidths[1 if threads == 1 else self.cores]
        fitting = [rate for size, rate in levels if size >= working_set]
        return fitting[0] if fitting else levels[-1][1]

    def limit_seconds(
        self,
        flops: float,
        bytes: float,
        working_set: int,
        threads: int = 1,
        dtype: str = "float32",
    ) -> float:
        """Return the least seconds that a piece of work can take.

        Parameters
        ----------
        flops, bytes : float
            To compute, and to read and write.
        working_set : int
            The bytes in use meanwhile: which cache can hold them.
        threads : int
        dtype : str
            ``float32`` or ``float64``.

        Returns
        -------
        float
        """
        return max(
            flops / self.peak(dtype, threads),
            bytes / self.bandwidth(working_set, threads),
        )


@cache
def machine() -> Machine:
    """Return the limits of this machine, measured when first asked for."""
    return measure()


def measure() -> Machine:
    """Measure the limits of this machine.

    Returns
    -------
    Machine
    """
    counts = sorted({1, cores()})
    peaks = {
        (dtype, threads): max(_own(dtype, threads), _numpys(dtype, threads))
        for dtype in ("float32", "float64")
        for threads in counts
    }
    block = aligned(_SIZES[-1])
    block[:] = 0
    bandwidths = {threads: _falling(_rates(block, threads)) for threads in counts}
    return _consistent(Machine(cores(), peaks, bandwidths))


def best(first: Machine, second: Machine) -> Machine:
    """Return the better of two measurements: what disturbs only ever slows down."""
    peaks = {key: max(rate, second.peaks[key]) for key, rate in first.peaks.items()}
    bandwidths = {
        threads: tuple(
            (size, max(one, two))
            for (size, one), (_, two) in zip(
                levels, second.bandwidths[threads], strict=True
            )
        )
        for threads, levels in first.bandwidths.items()
    }
    return Machine(first.cores, peaks, bandwidths)


def _consistent(found: Machine) -> Machine:
    """Raise what was disturbed: one thread can do its part of what all can, and all of
    them what one can.
    """
    share = 1 / found.cores
    peaks = {
        (dtype, threads): max(
            rate,
            found.peaks[dtype, 1],
            found.peaks[dtype, found.cores] * (share if threads == 1 else 1),
        )
        for (dtype, threads), rate in found.peaks.items()
    }
    levels = zip(found.bandwidths[1], found.bandwidths[found.cores], strict=True)
    pairs = [
        (size, max(one, all * share), max(one, all)) for (size, one), (_, all) in levels
    ]
    bandwidths = {
        1: tuple((size, one) for size, one, _ in pairs),
        found.cores: tuple((size, all) for size, _, all in pairs),
    }
    return Machine(found.cores, peaks, bandwidths)


# Peaks ------------------------------------------------------------------------------


def _own(dtype: str, threads: int) -> float:
    """Return the rate of weft's own products."""
    a, b = (input(name, (_OWN, _OWN), dtype) for name in "ab")
    form = lower([a, b], [a @ b], {}, [])
    frames = [
        Frame(form, {}, library(), {}, ["placed", "placed"], collecting=False)
        for _ in range(threads)
    ]
    for frame in frames:
        for value in frame.inputs.values():
            value[...] = 1
    return threads * _MANY * 2 * _OWN**3 / _seconds(frames, _MANY)


def _numpys(dtype: str, threads: int) -> float:
    """Return the rate of NumPy's products."""
    from threadpoolctl import threadpool_limits

    a = np.ones((_NUMPY, _NUMPY), dtype)
    out = np.empty_like(a)
    with threadpool_limits(threads):
        return 2 * _NUMPY**3 / _least(lambda: np.matmul(a, a, out=out))


# Bandwidths -------------------------------------------------------------------------


def _rates(block: Array, threads: int) -> list[tuple[int, float]]:
    """Return how fast a loop moves working sets of each size.

    The loop changes the sign of an array in place, which moves as many bytes to as from
    the processor and leaves the caches nothing else to hold.
    """
    x = parameter("x", ("n",))
    form = lower([], [], {x: -x}, [x])
    number = form.state[x].number
    found = []
    for size in _SIZES:
        share = size // threads
        parts = [
            block[i * share : (i + 1) * share].view(np.float32) for i in range(threads)
        ]
        frames = [
            Frame(form, {"n": part.size}, library(), {number: part}, [], False)
            for part in parts
        ]
        rounds = max(_MOVED // (2 * size), 1)
        found.append((size, 2 * size * rounds / _seconds(frames, rounds)))
    return found


def _falling(rates: Sequence[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """Let no larger working set be faster: what moves one moves a smaller one, too."""
    found: list[tuple[int, float]] = []
    most = 0.0
    for size, rate in reversed(rates):
        most = max(most, rate)
        found.append((size, most))
    return tuple(reversed(found))


# Time -------------------------------------------------------------------------------


def _seconds(frames: Sequence[Frame], steps: int) -> float:
    """Return the least seconds in which each frame, on a thread of its own, steps."""
    lead: Any = entry_points(library())[0]
    for frame in frames:
        ask(frame, frame, steps, batch=0, has_last=False)
    if len(frames) == 1:
        return _least(lambda: lead(frames[0].argument))
    with ThreadPoolExecutor(len(frames)) as pool:
        return _least(lambda: list(pool.map(lambda f: lead(f.argument), frames)))


def _least(function: Callable[[], Any]) -> float:
    function()
    times: list[float] = []
    while len(times) < _REPEATS or sum(times) < _ENOUGH:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)
