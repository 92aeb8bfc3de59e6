"""Figures of merit of predictions on rows whose targets are known."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def classification(codes: Array, log_probabilities: Array) -> dict[str, float]:
    """Return accuracy and mean negative log-likelihood.

    Parameters
    ----------
    codes : ndarray of int, shape (rows,)
        The true classes.
    log_probabilities : ndarray, shape (rows, classes)

    Returns
    -------
    dict
        ``accuracy`` in [0, 1]; ``nll`` in nats, at least 0.

    Examples
    --------
    >>> classification(np.array([0, 1]), np.log([[0.5, 0.5], [0.9, 0.1]]))
    {'accuracy': 0.5, 'nll': 1.4978661367769954}
    """
    own = np.take_along_axis(log_probabilities, codes[:, None], axis=1)
    hit = log_probabilities.argmax(axis=1) == codes
    return {"accuracy": float(hit.mean()), "nll": float(-own.mean())}


def regression(y: Array, mean: Array, log_density: Array) -> dict[str, float]:
    """Return the usual errors and the mean negative log-likelihood.

    Parameters
    ----------
    y, mean : ndarray, shape (rows,)
        True and expected targets, in the target's own unit.
    log_density : ndarray, shape (rows,)
        Of the true targets.

    Returns
    -------
    dict
        ``rmse`` and ``mae`` in the target's unit; ``r2``, at most 1 and 0 for a
        constant guess (for constant targets it is 0); ``nll`` in nats.

    Examples
    --------
    >>> regression(np.array([1.0, 3.0]), np.array([1.0, 2.0]), np.zeros(2))["mae"]
    0.5
    """
    error = np.asarray(y, np.float64) - mean
    spread = float(np.var(y))
    square = float(np.mean(error**2))
    return {
        "rmse": float(np.sqrt(square)),
        "mae": float(np.mean(np.abs(error))),
        "r2": 1 - square / spread if spread else 0.0,
        "nll": float(-np.mean(log_density)),
    }
