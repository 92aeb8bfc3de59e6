"""weft's speed on this machine: beside its limits, and beside whatever peers are there.

The workloads and what they count are those of the thorough benchmarks, which live
outside of the package; here everything runs in one process and takes less than a
minute. So figures are a look, and no measurement: libraries take turns, the median
counts, and whoever computes other costs than weft is in no ratio.
"""

from weft.apps.bench.picture import draw_profile, draw_results
from weft.apps.bench.race import Result, Timing, measure, profile
from weft.apps.bench.workloads import WORKLOADS, Workload, least, named

__all__ = [
    "WORKLOADS",
    "Result",
    "Timing",
    "Workload",
    "draw_profile",
    "draw_results",
    "least",
    "measure",
    "named",
    "profile",
]
