"""What was learnt of a number: sizes of the errors, and whether intervals hold.

One idea: everything follows from the residuals and from the predictive distribution
function at the truth (the probability integral transform, PIT), which is uniform if the
model knows how sure it may be.

References
----------
T. Gneiting, F. Balabdaoui, A. E. Raftery, "Probabilistic forecasts, calibration and
sharpness", JRSS B 69 (2007).
"""

import math
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from weft.apps.report.metric import FEWEST, Metric, half_width, mean, wilson
from weft.apps.report.outcome import Bools, Floats, Regression


@final
@dataclass(frozen=True)
class Residuals:
    """What predictions miss by, in the target's own unit; a residual is true - answer.

    Parameters
    ----------
    bias : float
        The mean residual: above 0 if the answers are too low.
    deviation : float
        Standard deviation of the residuals.
    half, most, worst : float
        What 50 %, 90 % and 100 % of the predictions miss by at most.
    """

    bias: float
    deviation: float
    half: float
    most: float
    worst: float


@final
@dataclass(frozen=True)
class ErrorRange:
    """The errors among rows whose answers lie between `low` and `high`.

    Parameters
    ----------
    low, high : float
        The smallest and the largest answer.
    rows : int
    bias, rmse, mae : float
        Mean residual, root of the mean squared and mean absolute residual.
    coverage : float, optional
        Share of the rows whose interval holds the truth.
    """

    low: float
    high: float
    rows: int
    bias: float
    rmse: float
    mae: float
    coverage: float | None


@final
@dataclass(frozen=True, eq=False)
class Coverage:
    """How often central predictive intervals held the truth.

    Parameters
    ----------
    promised, came : ndarray, shape (l,)
        The intervals' levels, and the share of rows that each held.
    low, high : ndarray, shape (l,)
        Wilson's interval for `came`.
    """

    promised: Floats
    came: Floats
    low: Floats
    high: Floats


def residuals(outcome: Regression) -> Residuals | None:
    """What the predictions miss by; None if no rows were held out.

    Examples
    --------
    >>> residuals(Regression([1, 2, 4], [1, 2, 3])).worst
    1.0
    """
    if outcome.rows == 0:
        return None
    residual = outcome.y_true - outcome.y_pred
    half, most, worst = np.quantile(np.abs(residual), [0.5, 0.9, 1.0])
    return Residuals(
        float(residual.mean()),
        float(residual.std()),
        float(half),
        float(most),
        float(worst),
    )


def error_ranges(outcome: Regression, parts: int = 5) -> tuple[ErrorRange, ...]:
    """Size of the errors by size of the answer, in parts of about equally many rows.

    Rows are parted by the answer, not by the truth: it is what is known when a
    prediction is used. Equal answers stay together, so that there may be fewer parts.
    """
    if outcome.rows == 0:
        return ()
    answer = outcome.y_pred
    inner = np.quantile(answer, np.linspace(0, 1, parts + 1)[1:-1])
    number = np.searchsorted(inner, answer)
    found = []
    for part in np.unique(number):
        of = number == part
        residual = outcome.y_true[of] - answer[of]
        inside = None
        if outcome.low is not None and outcome.high is not None:
            inside = float(
                held(outcome.low[of], outcome.y_true[of], outcome.high[of]).mean()
            )
        found.append(
            ErrorRange(
                float(answer[of].min()),
                float(answer[of].max()),
                int(of.sum()),
                float(residual.mean()),
                math.sqrt(float((residual**2).mean())),
                float(np.abs(residual).mean()),
                inside,
            )
        )
    return tuple(found)


def held(low: Floats, y_true: Floats, high: Floats) -> Bools:
    """Whether each interval holds the truth, its ends included."""
    return (low <= y_true) & (y_true <= high)


def coverage_curve(outcome: Regression) -> Coverage | None:
    """How often central intervals of level 5 %, 10 %, … 95 % held the truth.

    A central interval of level p holds the truth where the predictive distribution
    function there (the PIT) lies within p/2 of 1/2. None if the PIT is not known or
    fewer than `FEWEST` rows were held out.
    """
    if outcome.pit is None or outcome.rows < FEWEST:
        return None
    promised = np.arange(1, 20) / 20
    distance = np.sort(2 * np.abs(outcome.pit - 0.5))
    rows = np.searchsorted(distance, promised, side="right")
    low, high = wilson(rows, outcome.rows)
    return Coverage(promised, rows / outcome.rows, low, high)


def pit_histogram(outcome: Regression, bins: int = 10) -> Floats | None:
    """Share of rows in equal bins of the PIT, times `bins`: 1 everywhere if honest.

    None if the PIT is not known or fewer than `FEWEST` rows were held out.
    """
    if outcome.pit is None or outcome.rows < FEWEST:
        return None
    counts, _ = np.histogram(outcome.pit, bins=bins, range=(0, 1))
    return np.asarray(counts * bins / outcome.rows)


def figures(outcome: Regression) -> list[Metric]:
    """The figures of merit that a baseline has as well."""
    residual = outcome.y_true - outcome.y_pred
    mae = mean("mae", np.abs(residual))
    if mae.low is not None:
        mae = replace(mae, low=max(0.0, mae.low))
    found = [_rmse(residual), mae]
    centred = outcome.y_true - outcome.y_true.mean()
    if (centred**2).any() and outcome.rows > 2:
        found.append(_r2(residual, centred))
    if outcome.log_density is not None:
        found.append(mean("nll", -outcome.log_density))
    return found


def _rmse(residual: Floats) -> Metric:
    """Root mean squared error; d sqrt(m) = dm / (2 sqrt(m)) gives its interval."""
    value = math.sqrt(float((residual**2).mean()))
    half = half_width(residual**2)
    if half is None or value == 0:
        return Metric("rmse", value)
    half /= 2 * value
    return Metric("rmse", value, max(0.0, value - half), value + half)


def _r2(residual: Floats, centred: Floats) -> Metric:
    """Share of the variance that is explained: 1 - A/B, A and B means of squares."""
    unexplained, total = float((residual**2).mean()), float((centred**2).mean())
    value = 1 - unexplained / total
    # what each row adds to A/B, to first order
    influence = (residual**2 - unexplained / total * centred**2) / total
    half = half_width(influence)
    assert half is not None
    return Metric("r2", value, value - half, min(1.0, value + half))
