"""Measures of predictions, for `fit(metrics=...)` and for reports.

Each is a function ``(y, distribution, sample_weight) -> float`` of targets, predicted
distributions and weights (or None).
"""

from typing import Any

import numpy as np

from weft.nn.distribution import Distribution

Array = np.ndarray[Any, Any]


def _labels(y: Array, distribution: Distribution) -> tuple[Array, Array]:
    guess = distribution.mode()
    if y.ndim > guess.ndim:  # weights of categories
        y = y.argmax(axis=1)
    return y, guess


def accuracy(
    y: Array, distribution: Distribution, sample_weight: Array | None = None
) -> float:
    """Return the part of the rows whose most probable target is the right one.

    With several labels per row all of them must be right.

    Examples
    --------
    >>> from weft.nn import BernoulliDistribution
    >>> accuracy(np.array([0, 1]), BernoulliDistribution(np.array([-1.0, -1.0])))
    0.5
    """
    y, guess = _labels(y, distribution)
    hit = (y == guess).reshape(len(y), -1).all(axis=1)
    return float(np.average(hit, weights=sample_weight))


def rmse(
    y: Array, distribution: Distribution, sample_weight: Array | None = None
) -> float:
    """Return the root of the mean squared error of the predicted mean.

    Examples
    --------
    >>> from weft.nn import NormalDistribution
    >>> rmse(
    ...     np.array([0.0, 2.0]), NormalDistribution(np.zeros(2), np.ones(2))
    ... ).__round__(3)
    1.414
    """
    square = (np.asarray(y, np.float64) - distribution.mean()) ** 2
    mean = np.average(square.reshape(len(y), -1).mean(axis=1), weights=sample_weight)
    return float(np.sqrt(mean))


def r2(
    y: Array, distribution: Distribution, sample_weight: Array | None = None
) -> float:
    """Return the coefficient of determination, averaged over outputs.

    Examples
    --------
    >>> from weft.nn import NormalDistribution
    >>> r2(np.array([0.0, 2.0]), NormalDistribution(np.array([0.0, 2.0]), np.ones(2)))
    1.0
    """
    y = np.asarray(y, np.float64).reshape(len(y), -1)
    mean = distribution.mean().reshape(len(y), -1)
    centre = np.average(y, axis=0, weights=sample_weight)
    left = np.average((y - mean) ** 2, axis=0, weights=sample_weight)
    whole = np.average((y - centre) ** 2, axis=0, weights=sample_weight)
    # A constant output is explained wholly or not at all.
    ratio = np.where(whole > 0, left / np.where(whole > 0, whole, 1), left > 0)
    return float(np.mean(1 - ratio))
