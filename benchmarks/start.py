"""How long a start takes: imports, the first step of a process, and a further network.

Every figure comes from fresh processes, the libraries in turn.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, final

from benchmarks import racer
from benchmarks.contestants import (
    LIBRARIES,
    THREADS,
    Contestant,
    Library,
    contestants,
    environment,
)
from benchmarks.processes import Process
from benchmarks.workloads import BenchmarkError, Workload, named

_NAMES = ("tiny", "small", "mnist", "deep")


@final
@dataclass(frozen=True)
class Import:
    """Seconds to import a library when NumPy is there already."""

    library: str
    seconds: float


@final
@dataclass(frozen=True)
class FirstStep:
    """Seconds to a first step.

    Parameters
    ----------
    workload, contestant : str
    process : float
        From the start of the process, with Python, imports and drawing one batch.
    first : float
        Of these: building, compiling and the first step.
    further : float
        The same for a further network in that process, of other widths.
    """

    workload: str
    contestant: str
    process: float
    first: float
    further: float


@final
@dataclass(frozen=True)
class Start:
    """Import times and first steps; who failed, and why, is left out."""

    imports: tuple[Import, ...]
    steps: tuple[FirstStep, ...]
    left_out: dict[str, str]

    def as_data(self) -> dict[str, Any]:
        """Return the result as JSON data."""
        return asdict(self)


def measure(
    engine: str = "auto",
    quick: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Start:
    """Measure imports and first steps, medians of five (quick: two)."""
    repeats = 2 if quick else 5
    say("imports ...")
    installed = [each for each in LIBRARIES if each.installed]
    taken = [[_import(each) for each in installed] for _ in range(repeats)]
    imports = tuple(
        Import(each.title, statistics.median(column))
        for each, column in zip(installed, zip(*taken, strict=True), strict=True)
    )
    steps, left_out = [], {}
    for workload in named(_NAMES):
        say(f"first step of {workload.name} ...")
        line = [
            each
            for each in contestants(workload, engine, THREADS[-1:])
            if each.setting.variant != "step"
        ]
        found: dict[Contestant, list[FirstStep]] = {each: [] for each in line}
        for _ in range(repeats):
            for each in line:
                try:
                    found[each].append(_first_step(each, workload))
                except BenchmarkError as error:
                    left_out[each.name] = str(error)
        steps += [_middle(each) for each in found.values() if each]
    return Start(imports, tuple(steps), left_out)


def _import(library: Library) -> float:
    """Import a library in a fresh process, after NumPy."""
    code = (
        "import time, numpy; start = time.perf_counter()\n"
        f"import {', '.join(library.modules)}\n"
        "print(time.perf_counter() - start)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def _first_step(contestant: Contestant, workload: Workload) -> FirstStep:
    key, setting = contestant.library.key, contestant.setting
    one = replace(workload, steps=1)
    # Wider by eight, so that nothing compiled for the first network fits by its sizes.
    other = replace(one, hidden=tuple(n + 8 for n in one.hidden))
    start = time.perf_counter()
    with Process(environment(contestant.library, setting.threads)) as process:
        process.call(racer.enter, key, one, setting)
        first = process.call(racer.turn)
        seconds = time.perf_counter() - start
        process.call(racer.enter, key, other, setting)
        further = process.call(racer.turn)
    return FirstStep(
        workload.name, contestant.name, seconds, first.seconds, further.seconds
    )


def _middle(found: Sequence[FirstStep]) -> FirstStep:
    return replace(
        found[0],
        process=statistics.median(each.process for each in found),
        first=statistics.median(each.first for each in found),
        further=statistics.median(each.further for each in found),
    )
