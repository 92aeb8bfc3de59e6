"""Arithmetic on each element: sums, products, powers, rounding, extremes, types.

At a tie or a kink every op here has its *left* derivative in the first argument, and
the right one where ``kink="right"`` is asked for: `maximum(x, 0)` has slope 0 at 0 from
the left and 1 from the right, and `abs` has -1 and 1.
"""

from typing import Any

import numpy as np

from weft.graph.dim import Shape
from weft.graph.dtype import BOOL, as_dtype, is_float
from weft.graph.errors import DTypeError
from weft.graph.leaf import CONSTANT
from weft.graph.node import DType, Node, names_operands
from weft.ops import kinks
from weft.ops.broadcast import common_dtype, elementwise_shape, float_rule
from weft.ops.record import OPS, Derivative, Facts, Op, Value, elementwise
from weft.ops.sample import Case, reals


def _numbers(*inputs: Node, **_: Any) -> tuple[Shape, DType]:
    dtype = common_dtype(inputs)
    if dtype == BOOL:
        raise DTypeError(
            "booleans have no arithmetic: cast them to a number first, or use "
            "weft.logical_and, logical_or, where"
        )
    return elementwise_shape(inputs), dtype


# Cast -----------------------------------------------------------------------------


def _cast_vjp(i: int, ct: Value, out: Value, inputs: Any, params: Any) -> Value:
    (x,) = inputs
    return cast(ct, x.dtype) if is_float(x.dtype) and is_float(out.dtype) else None


def _cast_jvp(tangents: Any, out: Value, inputs: Any, params: Any) -> Value:
    return cast(tangents[0], out.dtype) if is_float(out.dtype) else None


_cast: Op = Op(
    name="cast",
    forward=lambda x, dtype: np.asarray(x).astype(dtype),
    rule=lambda x, dtype: (x.shape, dtype),
    derivative=Derivative(_cast_vjp, _cast_jvp),
    batch=lambda inputs, batched, params: _cast(*inputs, **params),
    cases=lambda rng: [
        Case("to-float32", (rng.normal(size=(2, 3)),), {"dtype": np.dtype("float32")}),
        Case("to-int64", (rng.normal(size=(3,)),), {"dtype": np.dtype("int64")}),
        Case("to-bool", (rng.normal(size=()),), {"dtype": np.dtype("bool")}),
        Case("from-int", (rng.integers(0, 5, (2,)),), {"dtype": np.dtype("float64")}),
    ],
    emit=lambda e, x, dtype: e.cast(x, dtype),
    latex="{0}",
    text="{0}",
    doc="The values in another type; floats become integers by cutting towards zero.",
)


@names_operands
def cast(x: Value, dtype: Any) -> Value:
    """Return `x` in another data type.

    Parameters
    ----------
    x : Node or array
    dtype : str or numpy.dtype
        Floats become integers by cutting towards zero, and True where not 0.

    Returns
    -------
    Node or array
        `x` itself if it has that type.

    Examples
    --------
    >>> import weft
    >>> weft.cast(weft.constant([1, 2]), "float32").numpy()
    array([1., 2.], dtype=float32)
    """
    wanted = as_dtype(dtype)
    if not isinstance(x, (Node, np.ndarray, np.generic)):
        x = np.asarray(x)
    return x if x.dtype == wanted else _cast(x, dtype=wanted)


# Sums and products ----------------------------------------------------------------

add: Op = elementwise(
    "add",
    forward=lambda x, y: x + y,
    partials=(1, 1),
    emit=lambda e, x, y: e.add(x, y),
    latex="{0:sum} + {1:big}",
    binds="sum",
    text="({0} + {1})",
    facts=Facts(monotone=True, commutative=True, associative=True, neutral=0),
    sample=[reals(-3, 3), reals(-3, 3)],
    rule=_numbers,
    doc="x + y.",
)

subtract: Op = elementwise(
    "subtract",
    forward=lambda x, y: x - y,
    partials=(1, -1),
    emit=lambda e, x, y: e.sub(x, y),
    latex="{0:sum} - {1:big}",
    binds="sum",
    text="({0} - {1})",
    facts=Facts(monotone=True, neutral=0),
    sample=[reals(-3, 3), reals(-3, 3)],
    rule=_numbers,
    doc="x - y.",
)

multiply: Op = elementwise(
    "multiply",
    forward=lambda x, y: x * y,
    partials=(lambda out, x, y: y, lambda out, x, y: x),
    emit=lambda e, x, y: e.mul(x, y),
    latex=r"{0:product} \cdot {1:product}",
    binds="product",
    text="({0} * {1})",
    facts=Facts(commutative=True, associative=True, neutral=1),
    sample=[reals(-3, 3), reals(-3, 3)],
    rule=_numbers,
    spelling=kinks.multiply,
    doc="x * y.",
)

divide: Op = elementwise(
    "divide",
    forward=lambda x, y: x / y,
    partials=(lambda out, x, y: 1 / y, lambda out, x, y: -out / y),
    emit=lambda e, x, y: e.div(x, y),
    latex=r"\frac{{{0}}}{{{1}}}",
    binds="matrix",
    text="({0} / {1})",
    facts=Facts(neutral=1),
    sample=[reals(-3, 3), reals(0.5, 3)],
    rule=float_rule,
    spelling=kinks.divide,
    doc="x / y, of floats.",
)

negative: Op = elementwise(
    "negative",
    forward=lambda x: -x,
    partials=(-1,),
    emit=lambda e, x: e.neg(x),
    latex="-{0:big}",
    binds="sum",
    text="-{0}",
    facts=Facts(odd=True, inverse="negative"),
    sample=reals(-3, 3),
    rule=_numbers,
    doc="-x.",
)

# Division with a remainder ----------------------------------------------------------


def _emit_remainder(e: Any, x: Any, y: Any) -> Any:
    rest, zero = e.rem(x, y), e.const(0, x)
    turned = e.select(e.less(y, zero), e.less(zero, rest), e.less(rest, zero))
    # Of floats, what is left of nothing has the sign of y as well.
    none = e.select(e.less(y, zero), e.neg(zero), zero)
    return e.select(turned, e.add(rest, y), e.select(e.equal(rest, zero), none, rest))


def _emit_floor_divide(e: Any, x: Any, y: Any) -> Any:
    rest, zero = e.rem(x, y), e.const(0, x)
    turned = e.select(e.less(y, zero), e.less(zero, rest), e.less(rest, zero))
    # Less what is left it divides to a whole number, but for rounding.
    near = e.div(e.sub(x, rest), y)
    near = e.select(turned, e.sub(near, e.const(1, x)), near)
    whole = e.floor(near)
    above = e.less(e.const(0.5, x), e.sub(near, whole))
    whole = e.select(above, e.add(whole, e.const(1, x)), whole)
    # A zero has the sign of the quotient; x / 0 is what floats say it is.
    plain = e.div(x, y)
    whole = e.select(e.equal(near, zero), e.mul(zero, plain), whole)
    return e.select(e.equal(y, zero), plain, whole)


remainder: Op = elementwise(
    "remainder",
    forward=np.remainder,
    partials=(1, lambda out, x, y: -floor_divide(x, y)),
    emit=_emit_remainder,
    latex=r"{0:product} \;\mathrm{{mod}}\; {1:product}",
    binds="product",
    text="({0} % {1})",
    sample=[reals(4.7, 5.4), reals(2.05, 2.25)],
    rule=_numbers,
    doc="What is left of x divided by y, with the sign of y.",
)

floor_divide: Op = elementwise(
    "floor_divide",
    forward=np.floor_divide,
    differentiable=False,
    emit=_emit_floor_divide,
    latex=r"\left\lfloor \frac{{{0:any}}}{{{1:any}}} \right\rfloor",
    text="({0} // {1})",
    sample=[reals(-5, 5), reals(0.5, 3)],
    rule=_numbers,
    doc="x divided by y, cut to the whole number below.",
)

# Powers ---------------------------------------------------------------------------

square: Op = elementwise(
    "square",
    forward=lambda x: x * x,
    partials=(lambda out, x: 2 * x,),
    emit=lambda e, x: e.mul(x, x),
    latex="{{{0:indexed}}}^{{2}}",
    binds="power",
    text="{0}**2",
    facts=Facts(even=True, low=0),
    sample=reals(-3, 3),
    rule=_numbers,
    doc="x * x.",
)

sqrt: Op = elementwise(
    "sqrt",
    forward=np.sqrt,
    partials=(lambda out, x: 0.5 / out,),
    emit=lambda e, x: e.sqrt(x),
    latex=r"\sqrt{{{0}}}",
    facts=Facts(monotone=True, low=0),
    sample=reals(0.3, 4),
    rule=float_rule,
    spelling=kinks.sqrt,
    doc="The square root.",
)


def _power_slope(out: Value, x: Value, y: Value) -> Value:
    if isinstance(y, Node) and y.op is CONSTANT:
        y = y.params["value"]
    if isinstance(y, Node):
        # At (0, 0) it is 0 * inf: there, x**0 is flat. Only the base is replaced, and
        # only there, so that derivatives of every order are the formula's elsewhere.
        flat = OPS["logical_and"](OPS["equal"](x, 0), OPS["equal"](y, 0))
        return y * power(OPS["where"](flat, 1, x), y - 1)
    # x**0 has slope 0 everywhere, and 0 * x**-1 has none at 0.
    below = np.asarray(y - (y != 0))
    if y.ndim == 0:  # as numbers: x**3 gives 3 * square(x), not 3 * x**(3 - 1)
        return y.item() * power(x, below.item())
    return y * power(x, below)


def _log_of_base(out: Value, x: Value, y: Value) -> Value:
    # d/dy x**y = x**y log(x), and 0 at x = 0; negative bases have no slope in y.
    positive = OPS["greater"](x, 0)
    safe = OPS["where"](positive, x, 1)
    return out * OPS["log"](safe)


_power: Op = elementwise(
    "power",
    forward=np.power,
    partials=(_power_slope, _log_of_base),
    emit=lambda e, x, y: e.power(x, y),
    latex="{{{0:indexed}}}^{{{1}}}",
    binds="power",
    text="({0} ** {1})",
    facts=Facts(neutral=1),
    sample=[reals(0.4, 2.5), reals(-2, 3)],
    rule=float_rule,
    doc="x to the power y.",
)


def power(x: Value, y: Value) -> Value:
    """Return x to the power y, of floats.

    Parameters
    ----------
    x, y : Node, array or number
        The exponents 1, 2, 0.5 and -1, given as numbers, become `x`, `square`, `sqrt`
        and a division.

    Returns
    -------
    Node or array
        At x = 0 its slope in y is 0, and at (0, 0) that in x as well: ``x**0`` is 1
        for every x. Below 0 only whole exponents give numbers, so the slope in y is
        taken as 0 there.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ())
    >>> weft.power(x, 2) is weft.square(x)
    True
    """
    if isinstance(x, Node) and isinstance(y, (int, float)):
        if y == 1:
            return x
        if y == 2:
            return square(x)
        if y == 0.5:
            return sqrt(x)
        if y == -1:
            return 1 / x
    return _power(x, y)


# Size, sign, rounding -------------------------------------------------------------


def _sign_of(slope_at_zero_is_positive: bool) -> Any:
    compare = "greater_equal" if slope_at_zero_is_positive else "greater"

    def partial(out: Value, x: Value) -> Value:
        one = cast(1, x.dtype)
        return OPS["where"](OPS[compare](x, 0), one, -one)

    return partial


abs: Op = elementwise(
    "abs",
    forward=np.abs,
    partials=(_sign_of(False),),
    right_partials=(_sign_of(True),),
    emit=lambda e, x: e.abs(x),
    latex=r"\left|{0}\right|",
    text="|{0}|",
    facts=Facts(even=True, low=0),
    sample=reals(-3, 3, avoid=[0]),
    rule=_numbers,
    doc="The absolute value; slope -1 at 0 (1 with kink='right').",
)

sign: Op = elementwise(
    "sign",
    forward=np.sign,
    differentiable=False,
    emit=lambda e, x: e.select(
        e.less(x, e.const(0, x)),
        e.const(-1, x),
        e.select(e.less(e.const(0, x), x), e.const(1, x), x),
    ),
    latex=r"\operatorname{{sign}}\left({0}\right)",
    facts=Facts(odd=True, monotone=True, low=-1, high=1),
    sample=reals(-3, 3, avoid=[0]),
    rule=_numbers,
    doc="-1, 0 or 1.",
)

floor: Op = elementwise(
    "floor",
    forward=np.floor,
    differentiable=False,
    emit=lambda e, x: e.floor(x),
    latex=r"\left\lfloor {0:any} \right\rfloor",
    facts=Facts(monotone=True),
    sample=reals(-3, 3),
    rule=float_rule,
    doc="The largest whole number not above x.",
)

round: Op = elementwise(
    "round",
    forward=np.rint,
    differentiable=False,
    emit=lambda e, x: e.rint(x),
    latex=r"\operatorname{{round}}\left({0}\right)",
    facts=Facts(odd=True, monotone=True),
    sample=reals(-3, 3),
    rule=float_rule,
    doc="The nearest whole number, halves to even.",
)

# Extremes -------------------------------------------------------------------------


def _mask(compare: str) -> Any:
    return lambda out, x, y: OPS[compare](x, y)


maximum: Op = elementwise(
    "maximum",
    forward=np.maximum,
    partials=(_mask("greater"), _mask("less_equal")),
    right_partials=(_mask("greater_equal"), _mask("less")),
    emit=lambda e, x, y: e.max(x, y),
    latex=r"\max\left({0:any}, {1:any}\right)",
    facts=Facts(monotone=True, commutative=True, associative=True),
    sample=[reals(-3, 0.9), reals(1.1, 3)],
    rule=_numbers,
    spelling=kinks.maximum,
    doc="The larger of x and y; NaN if either is.",
)

minimum: Op = elementwise(
    "minimum",
    forward=np.minimum,
    partials=(_mask("less_equal"), _mask("greater")),
    right_partials=(_mask("less"), _mask("greater_equal")),
    emit=lambda e, x, y: e.min(x, y),
    latex=r"\min\left({0:any}, {1:any}\right)",
    facts=Facts(monotone=True, commutative=True, associative=True),
    sample=[reals(-3, 0.9), reals(1.1, 3)],
    rule=_numbers,
    spelling=kinks.minimum,
    doc="The smaller of x and y; NaN if either is.",
)


@names_operands
def clip(x: Value, low: Value = None, high: Value = None) -> Value:
    """Return `x` kept between `low` and `high`.

    Parameters
    ----------
    x : Node or array
    low, high : Node, array or number, optional
        No bound by default. An infinite number is no bound either.

    Returns
    -------
    Node or array

    Examples
    --------
    >>> import weft
    >>> weft.clip(weft.constant([-2.0, 0.5, 2.0]), -1, 1).numpy()
    array([-1. ,  0.5,  1. ], dtype=float32)
    """
    if not _is_open(low, -np.inf):
        x = maximum(x, low)
    if not _is_open(high, np.inf):
        x = minimum(x, high)
    return x


def _is_open(bound: Value, infinity: float) -> bool:
    """Tell whether `bound` is None or the number `infinity`."""
    return not isinstance(bound, (Node, np.ndarray)) and bound in (None, infinity)


def stop_gradient(x: Value) -> Value:
    """Return `x` as a value through which no derivative flows.

    Parameters
    ----------
    x : Node or array

    Returns
    -------
    Node or array

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ())
    >>> slope = weft.grad(weft.stop_gradient(x) * x, x)
    >>> weft.evaluate(slope, {x: 3.0})
    array(3., dtype=float32)
    """
    return _stop_gradient(x)


_stop_gradient: Op = elementwise(
    "stop_gradient",
    forward=lambda x: x,
    differentiable=False,
    emit=lambda e, x: x,
    latex=r"\operatorname{{stop}}\left({0}\right)",
    facts=Facts(odd=True, monotone=True),
    sample=reals(-3, 3),
    doc="x, with no derivative.",
)

__all__ = [
    "abs",
    "add",
    "cast",
    "clip",
    "divide",
    "floor",
    "floor_divide",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "power",
    "remainder",
    "round",
    "sign",
    "sqrt",
    "square",
    "stop_gradient",
    "subtract",
]
