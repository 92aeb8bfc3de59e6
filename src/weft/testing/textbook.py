"""Algorithms 6.3 and 6.4 as the book writes them: an oracle in NumPy alone.

Forward and backward propagation of a deep network with elementwise units and a penalty,
line by line, for one example. Nothing of weft is used, so that what weft derives can be
held against it. Columns are vectors here, as in the book: ``W h``, not ``h W``.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

Array = np.ndarray[Any, Any]
Function = Callable[[Array], Array]


def _sigmoid(a: Array) -> Array:
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1.0, e) / (1 + e)


def _phi(a: Array) -> Array:
    """The normal distribution function."""
    erf = np.vectorize(math.erf, otypes=[float])
    return np.asarray(0.5 * (1 + erf(a / math.sqrt(2))))


def _density(a: Array) -> Array:
    return np.asarray(np.exp(-(a**2) / 2) / math.sqrt(2 * math.pi))


# f and f' of every unit that works on each element; at a kink the slope from the left.
UNITS: dict[str, tuple[Function, Function]] = {
    "identity": (lambda a: a, np.ones_like),
    "relu": (lambda a: np.maximum(a, 0), lambda a: np.where(a > 0, 1.0, 0.0)),
    "absolute_value": (np.abs, lambda a: np.where(a > 0, 1.0, -1.0)),
    "leaky_relu": (
        lambda a: np.maximum(a, 0) + 0.01 * np.minimum(a, 0),
        lambda a: np.where(a > 0, 1.0, 0.01),
    ),
    "sigmoid": (_sigmoid, lambda a: _sigmoid(a) * _sigmoid(-a)),
    "tanh": (np.tanh, lambda a: 1 - np.tanh(a) ** 2),
    "hard_tanh": (
        lambda a: np.clip(a, -1, 1),
        lambda a: np.where((a > -1) & (a <= 1), 1.0, 0.0),
    ),
    "softplus": (lambda a: np.logaddexp(0, a), _sigmoid),
    "cos": (np.cos, lambda a: -np.sin(a)),
    "elu": (
        lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, 0))),
        lambda a: np.where(a > 0, 1.0, np.exp(np.minimum(a, 0))),
    ),
    "gelu": (lambda a: a * _phi(a), lambda a: _phi(a) + a * _density(a)),
    "silu": (
        lambda a: a * _sigmoid(a),
        lambda a: _sigmoid(a) * (1 + a * _sigmoid(-a)),
    ),
}

# L(yhat, y) and its gradient with respect to yhat.
LOSSES: dict[str, tuple[Callable[..., float], Callable[..., Array]]] = {
    "squared error": (
        lambda yhat, y: 0.5 * float(np.sum((yhat - y) ** 2)),
        lambda yhat, y: yhat - y,
    ),
    "cross-entropy of logits": (
        lambda z, y: float(np.log(np.sum(np.exp(z - z.max()))) + z.max() - y @ z),
        lambda z, y: np.exp(z - z.max()) / np.sum(np.exp(z - z.max())) - y,
    ),
}

# Omega of one array of parameters, and its gradient.
PENALTIES: dict[str, tuple[Callable[[Array], float], Function]] = {
    "none": (lambda w: 0.0, np.zeros_like),
    "L2": (lambda w: 0.5 * float(np.sum(w**2)), lambda w: w),
    "L1": (lambda w: float(np.sum(np.abs(w))), np.sign),
}


@final
@dataclass(frozen=True)
class Propagation:
    """What forward propagation leaves for the way back.

    Parameters
    ----------
    a : list of numpy.ndarray
        Before the unit, per layer.
    h : list of numpy.ndarray
        ``h[0]`` is the input, ``h[k]`` the value of layer k.
    cost : float
        J = L(yhat, y) + lambda Omega(theta).
    """

    a: list[Array]
    h: list[Array]
    cost: float


def algorithm_6_3(
    x: Array,
    y: Array,
    W: Sequence[Array],
    b: Sequence[Array],
    units: Sequence[str],
    loss: str = "squared error",
    penalty: str = "L2",
    lam: float = 0.0,
) -> Propagation:
    """Return the cost of a deep network for one example (Algorithm 6.3).

    Parameters
    ----------
    x, y : numpy.ndarray
        Input and target, vectors.
    W, b : sequence of numpy.ndarray
        Per layer a matrix with a row per unit, and a vector.
    units : sequence of str
        Per layer a name of `UNITS`.
    loss, penalty : str
        Names of `LOSSES` and `PENALTIES`; the penalty is on weights and biases.
    lam : float
        The weight of the penalty.

    Returns
    -------
    Propagation

    Examples
    --------
    >>> x, y, I = np.array([1.0, -2.0]), np.zeros(2), np.eye(2)
    >>> algorithm_6_3(x, y, [I], [np.zeros(2)], ["relu"]).cost
    0.5
    """
    h = [x]
    a = []
    for k in range(len(W)):
        a.append(b[k] + W[k] @ h[k])
        h.append(UNITS[units[k]][0](a[k]))
    yhat = h[-1]
    omega = PENALTIES[penalty][0]
    cost = LOSSES[loss][0](yhat, y) + lam * sum(omega(w) for w in [*W, *b])
    return Propagation(a, h, cost)


def algorithm_6_4(
    x: Array,
    y: Array,
    W: Sequence[Array],
    b: Sequence[Array],
    units: Sequence[str],
    loss: str = "squared error",
    penalty: str = "L2",
    lam: float = 0.0,
) -> tuple[list[Array], list[Array]]:
    """Return the gradient of that cost for every W and b (Algorithm 6.4).

    Parameters
    ----------
    x, y, W, b, units, loss, penalty, lam
        As in `algorithm_6_3`.

    Returns
    -------
    gradients of W, gradients of b : lists of numpy.ndarray

    Examples
    --------
    >>> x, y, I = np.array([1.0, -2.0]), np.zeros(2), np.eye(2)
    >>> of_W, of_b = algorithm_6_4(x, y, [I], [np.zeros(2)], ["relu"])
    >>> of_W[0].tolist(), of_b[0].tolist()
    ([[1.0, -2.0], [0.0, 0.0]], [1.0, 0.0])
    """
    forward = algorithm_6_3(x, y, W, b, units, loss, penalty, lam)
    slope_of_omega = PENALTIES[penalty][1]
    of_W, of_b = [np.empty(0)] * len(W), [np.empty(0)] * len(b)
    # After the forward computation, the gradient on the output layer.
    g = LOSSES[loss][1](forward.h[-1], y)
    for k in reversed(range(len(W))):
        # Into a gradient on what goes into the unit.
        g = g * UNITS[units[k]][1](forward.a[k])
        # On weights and biases, the penalty's included.
        of_b[k] = g + lam * slope_of_omega(b[k])
        of_W[k] = np.outer(g, forward.h[k]) + lam * slope_of_omega(W[k])
        # To the next lower hidden layer.
        g = W[k].T @ g
    return of_W, of_b
