"""A figure of merit and what is known about its error.

One idea: a figure without its uncertainty misleads, most of all when few rows were
held out. So shares (accuracy, recall, coverage) carry Wilson's interval, and means over
rows (costs, absolute errors) one from their standard error. All intervals have a level
of 95 %.

References
----------
E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
JASA 22 (1927).
"""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from weft.apps.report.outcome import Bools, Floats

Z = 1.959963984540054  # of the normal distribution: leaves 2.5 % on either side
FEWEST = 20  # rows below which a curve of frequencies would show nothing but chance


@final
@dataclass(frozen=True)
class Metric:
    """One figure of merit on the held-out rows.

    Parameters
    ----------
    name : str
        "accuracy", "balanced_accuracy", "f1", "auc", "nll", "calibration_error",
        "rmse", "mae", "r2" or "coverage".
    value : float
    low, high : float, optional
        Ends of its 95 % interval.
    baseline : float, optional
        The same without looking at the inputs. For "coverage" the share that was
        promised; for "calibration_error" what chance alone would give.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    baseline: float | None = None


def wilson(successes: ArrayLike, trials: ArrayLike) -> tuple[Floats, Floats]:
    """Wilson's 95 % interval for a probability.

    Parameters
    ----------
    successes, trials : array_like
        Counts, 0 <= successes <= trials; they broadcast.

    Returns
    -------
    low, high : ndarray
        In [0, 1]; 0 and 1 where there were no trials.

    Examples
    --------
    >>> low, high = wilson(352, 360)
    >>> f"{low:.3f} {high:.3f}"
    '0.957 0.989'
    """
    x = np.asarray(successes, dtype=np.float64)
    n = np.asarray(trials, dtype=np.float64)
    some = np.maximum(n, 1)
    rate = x / some
    shrink = 1 + Z**2 / some
    middle = (rate + Z**2 / (2 * some)) / shrink
    half = Z * np.sqrt(rate * (1 - rate) / some + (Z / (2 * some)) ** 2) / shrink
    # said outright at the ends, where rounding would leave 1e-17 or 1 - 1e-16
    low = np.where(x == 0, 0.0, middle - half)
    high = np.where(x == n, 1.0, middle + half)
    return low, high


def share(name: str, hits: Bools) -> Metric:
    """How often something holds."""
    low, high = wilson(hits.sum(), len(hits))
    return Metric(name, float(hits.mean()), float(low), float(high))


def mean(name: str, values: Floats) -> Metric:
    """A mean over rows, its interval from Student's t."""
    value = float(values.mean())
    half = half_width(values)
    if half is None:
        return Metric(name, value)
    return Metric(name, value, value - half, value + half)


def half_width(values: Floats) -> float | None:
    """Half the width of the interval around the mean of `values`."""
    from scipy.special import stdtrit

    n = len(values)
    if n < 2:
        return None
    return float(stdtrit(n - 1, 0.975) * values.std(ddof=1) / math.sqrt(n))
