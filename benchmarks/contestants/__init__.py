"""Who takes part, and under which settings. Nothing here imports a library measured.

A library's module is imported only in the process that is to be timed, whose
environment says beforehand how many threads it may use.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import final

from benchmarks.contestants.kinds import Setting
from benchmarks.workloads import BenchmarkError, Workload

CORES = os.cpu_count() or 1
THREADS = tuple(sorted({1, min(2, CORES)}))


@final
@dataclass(frozen=True)
class Library:
    """A library that takes part.

    Parameters
    ----------
    key : str
        The module of `benchmarks.contestants` that speaks to it.
    title : str
    modules : tuple of str
        What a user imports to train a network, top-level package first.
    tasks : frozenset of str
    general : bool
        Whether skips and any cost can be had.
    """

    key: str
    title: str
    modules: tuple[str, ...]
    tasks: frozenset[str] = frozenset({"train", "hvp", "predict"})
    general: bool = True

    @property
    def installed(self) -> bool:
        """Whether it can be imported here."""
        return find_spec(self.modules[0]) is not None

    def can(self, workload: Workload) -> bool:
        """Tell whether the library has what a workload needs."""
        plain = workload.cost == "cross_entropy" and not workload.skips
        return workload.task in self.tasks and (self.general or plain)


LIBRARIES = (
    Library("weft", "weft", ("weft", "weft.nn", "weft.train")),
    Library("torch", "PyTorch", ("torch",)),
    Library("jax", "JAX", ("jax", "jax.numpy")),
    Library(
        "sklearn",
        "scikit-learn",
        ("sklearn", "sklearn.neural_network"),
        frozenset({"train", "predict"}),
        general=False,
    ),
)


@final
@dataclass(frozen=True)
class Contestant:
    """A library under one setting."""

    library: Library
    setting: Setting

    @property
    def name(self) -> str:
        """What tables call it, such as "JAX scan, 2 threads"."""
        threads = self.setting.threads
        title = f"{self.library.title} {self.setting.variant}".strip()
        return f"{title}, {threads} thread{'s' if threads > 1 else ''}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment that its process has to start in."""
        return environment(self.library, self.setting.threads)


def environment(library: Library, threads: int) -> dict[str, str]:
    """Return the variables that hold a library to a number of threads."""
    pools = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    found = dict.fromkeys(pools, str(threads))
    if library.key == "jax":
        eigen = "true" if threads > 1 else "false"
        found |= {
            "JAX_PLATFORMS": "cpu",
            "NPROC": str(threads),  # the size of XLA's pool
            "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen={eigen}",
        }
    return found


def library(key: str) -> Library:
    """Return a library by its key."""
    return next(found for found in LIBRARIES if found.key == key)


def missing() -> list[str]:
    """Return the titles of the libraries that are not installed."""
    return [each.title for each in LIBRARIES if not each.installed]


def contestants(
    workload: Workload, engine: str, threads: Sequence[int] = THREADS
) -> list[Contestant]:
    """Return everyone who is installed and can do a workload, weft first."""
    # Whoever makes one call at a time has no epoch to scan.
    jax_variants = ("scan", "step") if workload.task == "train" else ("",)
    return [
        Contestant(each, Setting(count, variant, engine))
        for each in LIBRARIES
        if each.installed and each.can(workload)
        for variant in (jax_variants if each.key == "jax" else ("",))
        for count in threads
    ]


def check_engine(engine: str) -> None:
    """Refuse an engine that weft does not have, or that cannot be loaded here.

    Raises
    ------
    BenchmarkError
    """
    import weft

    try:
        weft.compile([], weft.constant(0.0), engine=engine)
    except (weft.GraphError, ImportError) as error:
        raise BenchmarkError(str(error)) from error
