"""Exponentials, logarithms, waves, sigmoids and special functions, on each element.

Composites have a record here only where they need numerics of their own: `softplus`
never overflows, `sigmoid` keeps its small values, and their derivatives are written so
that those of every order stay finite.
"""

import math
from typing import Any

import numpy as np

from weft.graph.errors import GraphError
from weft.graph.node import names_operands
from weft.ops.arithmetic import square
from weft.ops.broadcast import float_rule
from weft.ops.record import Facts, Op, Value, elementwise
from weft.ops.sample import Array, Case, reals

exp: Op = elementwise(
    "exp",
    forward=np.exp,
    partials=(lambda out, x: out,),
    emit=lambda e, x: e.exp(x),
    latex="e^{{{0}}}",
    binds="power",
    facts=Facts(monotone=True, low=0, inverse="log"),
    sample=reals(-3, 3),
    rule=float_rule,
    doc="e to the power x.",
)

expm1: Op = elementwise(
    "expm1",
    forward=np.expm1,
    partials=(lambda out, x: exp(x),),
    emit=lambda e, x: e.expm1(x),
    latex="e^{{{0}}} - 1",
    binds="sum",
    facts=Facts(monotone=True, low=-1, inverse="log1p"),
    sample=reals(-3, 3),
    rule=float_rule,
    doc="e to the power x, minus 1, exact near 0.",
)

log: Op = elementwise(
    "log",
    forward=np.log,
    partials=(lambda out, x: 1 / x,),
    emit=lambda e, x: e.log(x),
    latex=r"\log\left({0}\right)",
    facts=Facts(monotone=True, inverse="exp"),
    sample=reals(0.3, 5),
    rule=float_rule,
    doc="The natural logarithm.",
)

log1p: Op = elementwise(
    "log1p",
    forward=np.log1p,
    partials=(lambda out, x: 1 / (1 + x),),
    emit=lambda e, x: e.log1p(x),
    latex=r"\log\left(1 + {0:big}\right)",
    facts=Facts(monotone=True, inverse="expm1"),
    sample=reals(-0.6, 5),
    rule=float_rule,
    doc="The natural logarithm of 1 + x, exact near 0.",
)

sin: Op = elementwise(
    "sin",
    forward=np.sin,
    partials=(lambda out, x: cos(x),),
    emit=lambda e, x: e.sin(x),
    latex=r"\sin\left({0}\right)",
    facts=Facts(odd=True, low=-1, high=1),
    sample=reals(-4, 4),
    rule=float_rule,
    doc="The sine of x, in radians.",
)

cos: Op = elementwise(
    "cos",
    forward=np.cos,
    partials=(lambda out, x: -sin(x),),
    emit=lambda e, x: e.cos(x),
    latex=r"\cos\left({0}\right)",
    facts=Facts(even=True, low=-1, high=1),
    sample=reals(-4, 4),
    rule=float_rule,
    doc="The cosine of x, in radians.",
)

tanh: Op = elementwise(
    "tanh",
    forward=np.tanh,
    partials=(lambda out, x: 1 - square(out),),
    emit=lambda e, x: e.tanh(x),
    latex=r"\tanh\left({0}\right)",
    facts=Facts(odd=True, monotone=True, low=-1, high=1),
    sample=reals(-3, 3),
    rule=float_rule,
    doc="The hyperbolic tangent.",
)


def _sigmoid(x: Any) -> Any:
    # One exponential of a nonpositive number: no overflow, and small values keep
    # their relative precision.
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, np.ones_like(e), e) / (1 + e)


sigmoid: Op = elementwise(
    "sigmoid",
    forward=_sigmoid,
    # sigmoid(-x) and not 1 - out, which is 0 where x is large.
    partials=(lambda out, x: out * sigmoid(-x),),
    emit=lambda e, x: e.div(
        e.select(e.less_equal(e.const(0, x), x), e.const(1, x), e.exp(e.neg(e.abs(x)))),
        e.add(e.const(1, x), e.exp(e.neg(e.abs(x)))),
    ),
    latex=r"\sigma\left({0}\right)",
    facts=Facts(monotone=True, low=0, high=1),
    sample=reals(-4, 4),
    rule=float_rule,
    doc="1 / (1 + exp(-x)), the logistic sigmoid.",
)

softplus: Op = elementwise(
    "softplus",
    forward=lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    partials=(lambda out, x: sigmoid(x),),
    emit=lambda e, x: e.add(e.max(x, e.const(0, x)), e.log1p(e.exp(e.neg(e.abs(x))))),
    latex=r"\zeta\left({0}\right)",
    facts=Facts(monotone=True, low=0),
    sample=reals(-20, 20),
    rule=float_rule,
    doc="log(1 + exp(x)), without overflow.",
)


def log_sigmoid(x: Value) -> Value:
    """Return the logarithm of `sigmoid(x)`, finite for every finite `x`.

    Parameters
    ----------
    x : Node or array

    Returns
    -------
    Node or array

    Examples
    --------
    >>> import weft
    >>> weft.log_sigmoid(weft.constant([-1000.0])).numpy()
    array([-1000.], dtype=float32)
    """
    return -softplus(-x)


def _scipy_erf(x: Array) -> Array:
    from scipy.special import erf as scipy_erf  # SciPy is slow to import

    value: Array = scipy_erf(x)
    return value


erf: Op = elementwise(
    "erf",
    forward=_scipy_erf,
    partials=(lambda out, x: (2 / math.sqrt(math.pi)) * exp(-square(x)),),
    emit=lambda e, x: e.erf(x),
    latex=r"\operatorname{{erf}}\left({0}\right)",
    facts=Facts(odd=True, monotone=True, low=-1, high=1),
    sample=reals(-2, 2),
    rule=float_rule,
    doc="The error function.",
)


def _scipy_lgamma(x: Array) -> Array:
    from scipy.special import gammaln

    value: Array = gammaln(x)
    return value


def _scipy_polygamma(x: Array, n: int) -> Array:
    from scipy.special import polygamma as scipy_polygamma

    # SciPy computes it in float64 whatever it is given.
    return np.asarray(scipy_polygamma(n, x), dtype=np.asarray(x).dtype)


lgamma: Op = elementwise(
    "lgamma",
    forward=_scipy_lgamma,
    partials=(lambda out, x: _polygamma(x, n=0),),
    emit=lambda e, x: e.lgamma(x),
    latex=r"\log\Gamma\left({0}\right)",
    sample=reals(0.5, 5),
    rule=float_rule,
    doc="The logarithm of the absolute value of the gamma function.",
)

_polygamma: Op = elementwise(
    "polygamma",
    forward=_scipy_polygamma,
    partials=(lambda out, x, n: _polygamma(x, n=n + 1),),
    emit=lambda e, x, n: e.polygamma(n, x),
    latex=r"\psi^{{({n})}}\left({0}\right)",
    sample=lambda rng: [
        Case(f"order-{n}", (rng.uniform(0.8, 5, (2, 3)),), {"n": n}) for n in range(3)
    ],
    rule=float_rule,
    doc="The n-th derivative of the digamma function.",
)


@names_operands
def polygamma(n: Any, x: Value) -> Value:
    """Return the n-th derivative of the digamma function at `x`.

    Parameters
    ----------
    n : int
        0 or more; 0 is digamma, the derivative of `lgamma`.
    x : Node or array

    Returns
    -------
    Node or array

    Raises
    ------
    GraphError
        If there is no such order.

    Examples
    --------
    >>> import weft
    >>> weft.polygamma(1, weft.constant(1.0)).numpy().round(4)
    np.float32(1.6449)
    """
    if not isinstance(n, (int, np.integer)) or n < 0:
        raise GraphError(f"polygamma has the orders 0, 1, 2, ..., not {n!r}")
    return _polygamma(x, n=int(n))
