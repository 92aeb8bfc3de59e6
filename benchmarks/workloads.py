"""The workloads of `weft bench`, in longer epochs, and one more.

Networks, counts and limits are defined once, in `weft.apps.bench`.
"""

from collections.abc import Iterable
from dataclasses import replace

from weft.apps.bench.workloads import WORKLOADS as SHORT
from weft.apps.bench.workloads import (
    Workload,
    bytes_moved,
    flops,
    limit,
    working_set,
)


class BenchmarkError(Exception):
    """Something that was asked for cannot be done; the message is one clear line."""


# Epochs are short enough for many of them and long enough to be timed: the slowest
# contestant takes a few seconds, and the fastest takes as many as fill a turn.
_STEPS = {
    "tiny": 1250,
    "small": 1250,
    "table": 200,
    "mnist": 200,
    "wide": 10,
    "deep": 150,
    "predict-1": 3000,
}
*_TRAINED, _PREDICT = (replace(w, steps=_STEPS[w.name]) for w in SHORT)
_HVP = Workload("hvp", 784, (256, 256), 10, 1024, steps=10, task="hvp")
WORKLOADS = (*_TRAINED, _HVP, _PREDICT)


def named(names: Iterable[str]) -> tuple[Workload, ...]:
    """Return workloads by name.

    Raises
    ------
    BenchmarkError
        If there is none of such a name.
    """
    known = {workload.name: workload for workload in WORKLOADS}
    for name in names:
        if name not in known:
            raise BenchmarkError(
                f"there is no workload {name!r}: choose from {', '.join(known)}"
            )
    return tuple(known[name] for name in names)


__all__ = [
    "WORKLOADS",
    "BenchmarkError",
    "Workload",
    "bytes_moved",
    "flops",
    "limit",
    "named",
    "working_set",
]
