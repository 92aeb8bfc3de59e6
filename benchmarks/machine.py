"""The machine: what it is called, and the best it shows."""

import datetime
import os
import platform
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, final

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.contestants import CORES
from benchmarks.workloads import Workload, working_set

_SIDE = 2048
_PACKAGES = ("weft", "numpy", "scipy", "llvmlite", "torch", "jax", "scikit-learn")

# A smaller copy takes less than the call that makes it, and cannot be timed.
_LEAST_BYTES = 1 << 14


def describe() -> dict[str, Any]:
    """Return what has to be known to judge figures: machine, versions, date, commit."""
    return {
        "cpu": _cpu(),
        "cores": CORES,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


@final
class Machine:
    """The best rates seen so far; ask again between workloads."""

    def __init__(self) -> None:
        self._peaks = {1: 0.0, CORES: 0.0}
        self._bandwidths: dict[str, float] = {}

    def look(self, repeats: int = 5) -> None:
        """Multiply matrices once more, on one core and on all."""
        a = np.ones((_SIDE, _SIDE), np.float32)
        out = np.empty_like(a)
        for threads in self._peaks:
            with threadpool_limits(threads):
                seconds = _best(lambda: np.matmul(a, a, out=out), repeats)
            self._peaks[threads] = max(self._peaks[threads], 2 * _SIDE**3 / seconds)

    def look_at_memory(self, workload: Workload, repeats: int = 20) -> None:
        """Copy what a workload uses, with the cores that it is allowed."""
        cores = _cores(workload)
        # A copy reads one half of what it uses and writes the other.
        share = max(working_set(workload), _LEAST_BYTES) // (2 * 4 * cores)
        parts = [
            (np.ones(share, np.float32), np.empty(share, np.float32))
            for _ in range(cores)
        ]
        nothing = [(source[:0], target[:0]) for source, target in parts]
        rounds = max(1, (1 << 24) // (share * 4))

        def copy(part: tuple[Any, Any]) -> None:
            source, target = part
            for _ in range(rounds):
                np.copyto(target, source)

        with ThreadPoolExecutor(cores) as pool:
            whole = _best(lambda: list(pool.map(copy, parts)), repeats)
            calls = _best(lambda: list(pool.map(copy, nothing)), repeats)
        rate = rounds * cores * share * 8 / (whole - calls)
        known = self._bandwidths.get(workload.name, 0.0)
        self._bandwidths[workload.name] = max(known, rate)

    def peak(self, workload: Workload) -> float:
        """Return the best rate of products, in flops per second."""
        return self._peaks[_cores(workload)]

    def bandwidth(self, workload: Workload) -> float:
        """Return the best rate of copies at a workload's size, in bytes per second."""
        return self._bandwidths[workload.name]


def _cores(workload: Workload) -> int:
    return 1 if workload.cores == "one" else CORES


def _best(function: Callable[[], Any], repeats: int) -> float:
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
