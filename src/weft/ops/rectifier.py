"""The rectifier and its family (the book, 6.3.1; slide "ReLU generalizations").

`relu` has a record; the others are functions of ops. All follow the kink contract: the
left derivative at 0, or the right one where ``kink="right"`` is asked for.
"""

import math
from typing import Any

import numpy as np

from weft.ops.arithmetic import clip, minimum
from weft.ops.broadcast import float_rule
from weft.ops.record import OPS, Facts, Op, Value, elementwise
from weft.ops.sample import reals
from weft.ops.special import erf, expm1, sigmoid


def _active(compare: str) -> Any:
    return lambda out, x: OPS[compare](x, 0)


relu: Op = elementwise(
    "relu",
    forward=lambda x: np.maximum(x, 0),
    partials=(_active("greater"),),
    right_partials=(_active("greater_equal"),),
    emit=lambda e, x: e.max(x, e.const(0, x)),
    latex=r"\max\left(0, {0:any}\right)",
    facts=Facts(monotone=True, low=0),
    sample=reals(-3, 3, avoid=[0]),
    rule=float_rule,
    doc="max(0, x), the rectified linear unit; slope 0 at 0 (1 with kink='right').",
)


def leaky_relu(x: Value, alpha: Value = 0.01) -> Value:
    """Return ``max(0, x) + alpha * min(0, x)``.

    Parameters
    ----------
    x : Node or array
    alpha : Node, array or float
        The slope below 0: 0.01 by convention, -1 for the absolute value, a parameter
        for the parametric rectifier.

    Returns
    -------
    Node or array

    Examples
    --------
    >>> import weft
    >>> weft.leaky_relu(weft.constant([-2.0, 3.0]), 0.5).numpy()
    array([-1.,  3.], dtype=float32)
    """
    # Written with the two one-sided parts, each of which has the slope asked for at 0.
    return relu(x) + alpha * minimum(x, 0)


def elu(x: Value, alpha: Value = 1.0) -> Value:
    """Return `x` above 0 and ``alpha * (exp(x) - 1)`` below (Clevert et al. 2015).

    Parameters
    ----------
    x : Node or array
    alpha : Node, array or float

    Returns
    -------
    Node or array

    Examples
    --------
    >>> import weft
    >>> weft.elu(weft.constant([-100.0, 3.0])).numpy()
    array([-1.,  3.], dtype=float32)
    """
    # The exponential of what is above 0 must not overflow: its slope is 0 there.
    return relu(x) + alpha * expm1(minimum(x, 0))


def gelu(x: Value) -> Value:
    """Return ``x * Phi(x)``, Phi the normal distribution (Hendrycks and Gimpel 2016).

    Parameters
    ----------
    x : Node or array

    Returns
    -------
    Node or array

    Examples
    --------
    >>> import weft
    >>> weft.gelu(weft.constant([0.0, 10.0])).numpy()
    array([ 0., 10.], dtype=float32)
    """
    return x * (0.5 * (1 + erf(x * (1 / math.sqrt(2)))))


def silu(x: Value) -> Value:
    """Return ``x * sigmoid(x)``, also called swish.

    Parameters
    ----------
    x : Node or array

    Returns
    -------
    Node or array

    Examples
    --------
    >>> import weft
    >>> weft.silu(weft.constant([0.0, 100.0])).numpy()
    array([  0., 100.], dtype=float32)
    """
    return x * sigmoid(x)


def hard_tanh(x: Value) -> Value:
    """Return `x` clipped to [-1, 1] (Collobert 2004).

    Parameters
    ----------
    x : Node or array

    Returns
    -------
    Node or array

    Examples
    --------
    >>> import weft
    >>> weft.hard_tanh(weft.constant([-3.0, 0.5])).numpy()
    array([-1. ,  0.5], dtype=float32)
    """
    return clip(x, -1, 1)
