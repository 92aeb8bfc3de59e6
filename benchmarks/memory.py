"""The memory that training `wide` adds to a process.

Measured in a fresh process between two points: before anything is built, with the
library imported and the rows drawn, and after two epochs.
"""

import gc
import importlib
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, final

import psutil

from benchmarks.contestants import THREADS, Contestant, contestants
from benchmarks.contestants.kinds import Setting
from benchmarks.processes import call_alone
from benchmarks.workloads import BenchmarkError, Workload, named
from weft.apps.bench import problem


@final
@dataclass(frozen=True)
class Memory:
    """Resident bytes of a process.

    Parameters
    ----------
    contestant : str
    before, after : int
        Before anything is built, and after two epochs.
    peak : int
        The most in between.
    """

    contestant: str
    before: int
    after: int
    peak: int

    def as_data(self) -> dict[str, Any]:
        """Return the result as JSON data."""
        return asdict(self) | {
            "added": self.after - self.before,
            "added_at_peak": self.peak - self.before,
        }


def measure(
    engine: str = "auto",
    quick: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[list[Memory], dict[str, str]]:
    """Measure everyone, medians of five processes (quick: one).

    Returns
    -------
    list of Memory
    dict of str to str
        Who failed, and why.
    """
    (workload,) = named(["wide"])
    found, left_out = [], {}
    for each in contestants(workload, engine, THREADS[-1:]):
        say(f"{each.name} ...")
        try:
            taken = [_measure(each, workload) for _ in range(1 if quick else 5)]
        except BenchmarkError as error:
            left_out[each.name] = str(error)
            continue
        found.append(
            replace(
                taken[0],
                before=int(statistics.median(one.before for one in taken)),
                after=int(statistics.median(one.after for one in taken)),
                peak=int(statistics.median(one.peak for one in taken)),
            )
        )
    return found, left_out


def _measure(contestant: Contestant, workload: Workload) -> Memory:
    args = (contestant.library.key, workload, contestant.setting)
    found = call_alone(contestant.environment, train_and_look, *args)
    return Memory(contestant.name, *found)


def train_and_look(
    library: str, workload: Workload, setting: Setting
) -> tuple[int, int, int]:
    """Train for two epochs; return the resident bytes before, after and at the peak."""
    module = importlib.import_module(f"benchmarks.contestants.{library}")
    given = problem.make(workload)
    orders = [problem.order(workload, number) for number in range(2)]
    gc.collect()
    process = psutil.Process()
    _forget_peak()
    before = process.memory_info().rss
    epoch = module.train(given, setting)
    for order in orders:
        epoch(order)
    return before, process.memory_info().rss, _peak()


def _forget_peak() -> None:
    """Start the high-water mark anew, where the system can (Linux)."""
    marks = Path("/proc/self/clear_refs")
    if marks.exists():
        marks.write_text("5")


def _peak() -> int:
    """Return the high-water mark of resident bytes since `_forget_peak`."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM"):
                return 1024 * int(line.split()[1])
    raise BenchmarkError("the peak of resident memory can be read only on Linux")
