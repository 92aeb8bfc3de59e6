"""Reductions and running totals: sum, mean, extremes, products, log-sum-exp, softmax.

A mean divides by `size`, an op, since over a symbolic axis the count is known at run
time only. Where several elements share a maximum, they share its derivative equally.
``logsumexp``, ``softmax`` and ``log_softmax`` subtract the maximum first (slide
"softmax(z) = softmax(z - max z)") and have derivatives that stay finite at any logit.
"""

from typing import Any

import numpy as np

from weft.graph.dim import Dim, Shape, product
from weft.graph.dtype import BOOL, INT64, is_float
from weft.graph.errors import DTypeError, ShapeError
from weft.graph.latex import dimension, indices, over
from weft.graph.node import DType, Node, names_operands
from weft.ops.arithmetic import cast, sign, stop_gradient
from weft.ops.broadcast import normal_axes, normal_axis
from weft.ops.index import positions
from weft.ops.logic import equal, where
from weft.ops.record import OPS, Facts, Op, Value, explicit, linear
from weft.ops.sample import Array, Case, Cases
from weft.ops.special import exp
from weft.ops.structure import broadcast_to, expand_dims, moveaxis, reshape

Axes = tuple[int, ...]


def _kept(shape: Shape, axis: Axes) -> Shape:
    return tuple(1 if a in axis else size for a, size in enumerate(shape))


def _reduced(shape: Shape, axis: Axes, keepdims: bool) -> Shape:
    if keepdims:
        return _kept(shape, axis)
    return tuple(size for a, size in enumerate(shape) if a not in axis)


def _rule(x: Node, axis: Axes, keepdims: bool) -> tuple[Shape, DType]:
    if x.dtype == BOOL:
        raise DTypeError("booleans have no sums: cast them to a number first")
    return _reduced(x.shape, axis, keepdims), x.dtype


def _float_rule(x: Node, axis: Axes, keepdims: bool) -> tuple[Shape, DType]:
    return _reduced(x.shape, axis, keepdims), _soft_rule(x, 0)[1]


def _soft_rule(x: Node, axis: int) -> tuple[Shape, DType]:
    if not is_float(x.dtype):
        raise DTypeError(f"this is computed in floats, and {x.dtype} was given")
    return x.shape, x.dtype


def _nonempty_rule(x: Node, axis: Axes, keepdims: bool) -> tuple[Shape, DType]:
    if any(x.shape[a] == 0 for a in axis):
        raise ShapeError(f"an axis of {x.shape} is empty: it has no largest value")
    return _rule(x, axis, keepdims)


def _counted(node: Node) -> str:
    """Return the number of elements as LaTeX."""
    lengths = [dimension(node.inputs[0].shape[a]) for a in node.params["axis"]]
    if len(lengths) == 1:
        return lengths[0]
    return r" \cdot ".join(
        length if length.isalnum() else rf"\left({length}\right)" for length in lengths
    )


def _along(name: str, node: Node) -> str:
    """Return the template of a function along an axis; the last one goes unsaid."""
    (x,) = node.inputs
    axis = node.params["axis"]
    told = "" if axis == x.ndim - 1 else f"_{{{{{indices(x, [axis])}}}}}"
    return rf"\operatorname{{{{{name}}}}}{told}\left({{0}}\right)"


def _spread(value: Value, x: Value, axis: Axes) -> Value:
    """Give a reduced value its axes back and repeat it to the shape of `x`."""
    return broadcast_to(reshape(value, _kept(x.shape, axis)), x.shape)


def _cases(positive: bool = False) -> Cases:
    def cases(rng: np.random.Generator) -> list[Case]:
        def draw(*shape: int) -> Array:
            values: Array = rng.permutation(int(np.prod(shape))) / 2.0 - 1.3
            values = values.reshape(shape)
            return np.asarray(np.abs(values) + 0.5) if positive else values

        return [
            Case("all", (draw(2, 3),), {"axis": (0, 1), "keepdims": False}),
            Case("last", (draw(2, 3),), {"axis": (1,), "keepdims": False}),
            Case("kept", (draw(2, 3, 2),), {"axis": (0, 2), "keepdims": True}),
            Case("scalar", (draw(),), {"axis": (), "keepdims": False}),
            Case("size-1", (draw(1, 1),), {"axis": (0,), "keepdims": False}),
            Case("empty", (draw(0, 3),), {"axis": (1,), "keepdims": False}),
        ]

    return cases


def _batch(op: str) -> Any:
    return lambda inputs, batched, axis, **rest: OPS[op](
        *inputs, axis=tuple(a + 1 for a in axis), **rest
    )


# Sum, size, mean ------------------------------------------------------------------

_sum: Op = linear(
    "sum",
    forward=lambda x, axis, keepdims: np.sum(
        x, axis=axis, keepdims=keepdims, dtype=np.asarray(x).dtype
    ),
    rule=_rule,
    adjoints=[lambda ct, out, x, axis, keepdims: _spread(ct, x, axis)],
    batch=_batch("sum"),
    cases=lambda rng: [
        *_cases()(rng),
        Case("of-none", (rng.normal(size=(0, 3)),), {"axis": (0,), "keepdims": False}),
    ],
    latex=lambda node: over(r"\sum", node),
    binds="big",
    doc="The sum over some axes; 0 over none.",
)


@names_operands
def sum(x: Value, axis: Any = None, keepdims: bool = False) -> Value:
    """Return the sum of `x` over some axes.

    Parameters
    ----------
    x : Node or array
    axis : int or sequence of int, optional
        All by default.
    keepdims : bool
        Whether the axes stay, with size 1.

    Returns
    -------
    Node or array
        In the type of `x` (NumPy would widen int32).

    Examples
    --------
    >>> import weft
    >>> weft.sum(weft.input("x", ("n", 3)), axis=1).shape
    ('n',)
    """
    return _sum(x, axis=normal_axes(axis, len(x.shape)), keepdims=keepdims)


_size: Op = explicit(
    "size",
    forward=lambda x, axis: np.int64(np.prod([x.shape[a] for a in axis], dtype=int)),
    rule=lambda x, axis: ((), INT64),
    differentiable=False,
    batch=lambda inputs, batched, axis: broadcast_to(
        _size(*inputs, axis=tuple(a + 1 for a in axis)), (inputs[0].shape[0],)
    ),
    cases=lambda rng: [
        Case("all", (rng.normal(size=(2, 3)),), {"axis": (0, 1)}),
        Case("one", (rng.normal(size=(2, 3)),), {"axis": (1,)}),
        Case("none", (rng.normal(size=(0, 3)),), {"axis": (0,)}),
    ],
    latex=lambda node: _counted(node),
    binds="product",
    doc="The number of elements along some axes.",
)


@names_operands
def size(x: Value, axis: Any = None) -> Value:
    """Return the number of elements of `x` along some axes.

    Parameters
    ----------
    x : Node or array
    axis : int or sequence of int, optional
        All by default.

    Returns
    -------
    int or Node
        An int where it is known at build time, else an int64 scalar node.

    Examples
    --------
    >>> import weft
    >>> weft.size(weft.input("x", (2, 3)))
    6
    >>> weft.size(weft.input("x", ("n", 3)), axis=1)
    3
    """
    axes = normal_axes(axis, len(x.shape))
    lengths = [x.shape[a] for a in axes]
    if any(isinstance(length, Dim) for length in lengths):
        return _size(x, axis=axes)
    return product(lengths)


@names_operands
def mean(x: Value, axis: Any = None, keepdims: bool = False) -> Value:
    """Return the mean of `x` over some axes.

    Parameters
    ----------
    x : Node or array of floats
    axis : int or sequence of int, optional
        All by default.
    keepdims : bool

    Returns
    -------
    Node or array
        NaN over no elements.

    Examples
    --------
    >>> import weft
    >>> weft.mean(weft.constant([1.0, 2.0])).numpy()
    array(1.5, dtype=float32)
    """
    if not is_float(x.dtype):
        raise DTypeError(f"a mean is computed in floats, and {x.dtype} was given")
    return sum(x, axis, keepdims) / cast(size(x, axis), x.dtype)


# Extremes -------------------------------------------------------------------------


def _share(out: Value, x: Value, axis: Axes) -> Value:
    """Weights that sum to 1 over the elements that equal the extreme."""
    hit = cast(equal(x, _spread(out, x, axis)), x.dtype)
    return hit / _spread(_sum(hit, axis=axis, keepdims=False), x, axis)


def _sides(name: str) -> Any:
    """Slopes in an element that is the extreme: of several, none moves it alone."""

    def sides(out: Value, x: Value, axis: Axes, keepdims: bool) -> tuple[Value, Value]:
        hits = cast(equal(x, _spread(out, x, axis)), INT64)
        alone = cast(_sum(hits, axis=axis, keepdims=keepdims) <= 1, x.dtype)
        one = broadcast_to(cast(1, x.dtype), out.shape)
        return (alone, one) if name == "max" else (one, alone)

    return sides


def _extreme(name: str, forward: Any) -> Op:
    return explicit(
        name,
        forward=lambda x, axis, keepdims: forward(x, axis=axis, keepdims=keepdims),
        rule=_nonempty_rule,
        vjp=[
            lambda ct, out, x, axis, keepdims: (
                _spread(ct, x, axis) * _share(out, x, axis)
            )
        ],
        jvp=lambda tangents, out, x, axis, keepdims: _sum(
            tangents[0] * _share(out, x, axis), axis=axis, keepdims=keepdims
        ),
        sides=_sides(name),
        batch=_batch(name),
        cases=_cases(),
        latex=lambda node: over(rf"\{name}", node),
        binds="big",
        facts=Facts(monotone=True),
        doc=f"The {name}imum over some axes.",
    )


_max: Op = _extreme("max", np.max)
_min: Op = _extreme("min", np.min)


@names_operands
def max(x: Value, axis: Any = None, keepdims: bool = False) -> Value:
    """Return the largest value over some axes.

    Parameters
    ----------
    x : Node or array
    axis : int or sequence of int, optional
        All by default.
    keepdims : bool

    Returns
    -------
    Node or array
        Equal largest values share the derivative equally.

    Raises
    ------
    ShapeError
        If an axis is empty.

    Examples
    --------
    >>> import weft
    >>> weft.max(weft.constant([[1.0, 3.0], [2.0, 0.0]]), axis=1).numpy()
    array([3., 2.], dtype=float32)
    """
    return _max(x, axis=normal_axes(axis, len(x.shape)), keepdims=keepdims)


@names_operands
def min(x: Value, axis: Any = None, keepdims: bool = False) -> Value:
    """Return the smallest value over some axes; see `max`.

    Examples
    --------
    >>> import weft
    >>> weft.min(weft.constant([1.0, 3.0])).numpy()
    array(1., dtype=float32)
    """
    return _min(x, axis=normal_axes(axis, len(x.shape)), keepdims=keepdims)


# Product and running sum ----------------------------------------------------------


def _others(x: Value) -> Value:
    """The product of all other elements along the last axis, for each element.

    Quadratic in the length, but exact at zeros, where out / x is not, and, being
    written with `prod` again, right for every order.
    """
    length = x.shape[-1]
    place = positions(x, -1)
    diagonal = equal(expand_dims(place, 1), expand_dims(place, 0))
    rows = broadcast_to(expand_dims(x, -2), (*x.shape[:-1], length, length))
    return _prod(where(diagonal, 1, rows), axis=(len(x.shape),), keepdims=False)


def _prod_partial(x: Value, axis: Axes) -> Value:
    """The product of all other elements over several axes, one axis at a time.

    What is left of the product without an element is what is left of its own line,
    times the other lines: no axes are merged, so each may have a symbol of its own.
    """
    if not axis:
        return broadcast_to(cast(1, x.dtype), x.shape)
    *rest, last = axis
    line = _prod(x, axis=(last,), keepdims=True)
    own = moveaxis(_others(moveaxis(x, last, -1)), -1, last)
    return own * _prod_partial(line, tuple(rest)) if rest else own


_prod: Op = explicit(
    "prod",
    forward=lambda x, axis, keepdims: np.prod(
        x, axis=axis, keepdims=keepdims, dtype=np.asarray(x).dtype
    ),
    rule=_rule,
    vjp=[
        lambda ct, out, x, axis, keepdims: _spread(ct, x, axis) * _prod_partial(x, axis)
    ],
    jvp=lambda tangents, out, x, axis, keepdims: _sum(
        tangents[0] * _prod_partial(x, axis), axis=axis, keepdims=keepdims
    ),
    batch=_batch("prod"),
    cases=lambda rng: [
        *_cases(positive=True)(rng),
        Case(
            "with-zero",
            (np.array([[1.5, 0.0, 2.0], [0.0, 0.0, 3.0]]),),
            {"axis": (1,), "keepdims": False},
        ),
    ],
    latex=lambda node: over(r"\prod", node),
    binds="big",
    doc="The product over some axes; 1 over none.",
)


@names_operands
def prod(x: Value, axis: Any = None, keepdims: bool = False) -> Value:
    """Return the product of `x` over some axes.

    Parameters
    ----------
    x : Node or array
    axis : int or sequence of int, optional
        All by default.
    keepdims : bool

    Returns
    -------
    Node or array
        Its derivative is exact where elements are 0, and costs the square of the
        length of each axis.

    Examples
    --------
    >>> import weft
    >>> weft.prod(weft.constant([2.0, 3.0])).numpy()
    array(6., dtype=float32)
    """
    return _prod(x, axis=normal_axes(axis, len(x.shape)), keepdims=keepdims)


def _running(x: Array, axis: int, reverse: bool) -> Array:
    if not reverse:
        return np.cumsum(x, axis, dtype=x.dtype)
    return np.flip(np.cumsum(np.flip(x, axis), axis, dtype=x.dtype), axis)


_cumsum: Op = linear(
    "cumsum",
    forward=_running,
    rule=lambda x, axis, reverse: _rule(x, (), False),
    adjoints=[
        lambda ct, out, x, axis, reverse: _cumsum(ct, axis=axis, reverse=not reverse)
    ],
    batch=lambda inputs, batched, axis, reverse: _cumsum(
        *inputs, axis=axis + 1, reverse=reverse
    ),
    cases=lambda rng: [
        Case("last", (rng.normal(size=(2, 3)),), {"axis": 1, "reverse": False}),
        Case("back", (rng.normal(size=(3, 2)),), {"axis": 0, "reverse": True}),
        Case("empty", (rng.normal(size=(0, 2)),), {"axis": 0, "reverse": False}),
    ],
    latex=lambda node: _along("cumsum", node),
    doc="The sum of all elements up to each one.",
)


@names_operands
def cumsum(x: Value, axis: int = 0, reverse: bool = False) -> Value:
    """Return the running sum of `x` along an axis.

    Parameters
    ----------
    x : Node or array
    axis : int
    reverse : bool
        Whether to run from the end.

    Returns
    -------
    Node or array

    Examples
    --------
    >>> import weft
    >>> weft.cumsum(weft.constant([1, 2, 3])).numpy()
    array([1, 3, 6])
    """
    return _cumsum(x, axis=normal_axis(axis, len(x.shape)), reverse=reverse)


# Soft extremes --------------------------------------------------------------------


def _logsumexp_forward(x: Array, axis: Axes, keepdims: bool) -> Any:
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    # Where all are -inf, or one is inf, the maximum itself is the answer.
    shift = np.where(np.isfinite(top), top, np.zeros_like(top))
    value = np.log(np.sum(np.exp(x - shift), axis=axis, keepdims=True)) + shift
    return value if keepdims else np.squeeze(value, axis)


def _softmax_over(x: Value, axis: Axes) -> Value:
    """The derivative of logsumexp. Not exp(x - out): large values round out."""
    if len(axis) == 1:
        return _softmax(x, axis=axis[0])
    e = exp(x - stop_gradient(_max(x, axis=axis, keepdims=True)))
    return e / _sum(e, axis=axis, keepdims=True)


_logsumexp: Op = explicit(
    "logsumexp",
    forward=_logsumexp_forward,
    rule=_float_rule,
    vjp=[
        lambda ct, out, x, axis, keepdims: _spread(ct, x, axis) * _softmax_over(x, axis)
    ],
    jvp=lambda tangents, out, x, axis, keepdims: _sum(
        tangents[0] * _softmax_over(x, axis), axis=axis, keepdims=keepdims
    ),
    batch=_batch("logsumexp"),
    cases=_cases(),
    latex=lambda node: r"\log " + over(r"\sum", node, "e^{{", "}}"),
    binds="big",
    facts=Facts(monotone=True),
    doc="The logarithm of the sum of exponentials, without overflow.",
)


@names_operands
def logsumexp(x: Value, axis: Any = None, keepdims: bool = False) -> Value:
    """Return ``log(sum(exp(x)))`` over some axes, without overflow.

    Parameters
    ----------
    x : Node or array of floats
    axis : int or sequence of int, optional
        All by default.
    keepdims : bool

    Returns
    -------
    Node or array

    Examples
    --------
    >>> import weft
    >>> weft.logsumexp(weft.constant([1000.0, 1000.0])).numpy().round(2)
    np.float32(1000.69)
    """
    return _logsumexp(x, axis=normal_axes(axis, len(x.shape)), keepdims=keepdims)


def _softmax_forward(x: Array, axis: int) -> Array:
    e = np.exp(x - np.max(x, axis=axis, keepdims=True, initial=-np.inf))
    value: Array = e / np.sum(e, axis=axis, keepdims=True)
    return value


def _soft_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case("last", (rng.normal(size=(2, 3)),), {"axis": 1}),
        Case("first", (rng.normal(size=(3, 2)),), {"axis": 0}),
        Case("size-1", (rng.normal(size=(2, 1)),), {"axis": 1}),
        Case("empty", (rng.normal(size=(0, 3)),), {"axis": 1}),
    ]


def _centred(out: Value, t: Value, axis: int) -> Value:
    """The Jacobian of softmax, which is symmetric, times `t`."""
    return out * (t - _sum(out * t, axis=(axis,), keepdims=True))


_softmax: Op = explicit(
    "softmax",
    forward=_softmax_forward,
    rule=_soft_rule,
    vjp=[lambda ct, out, x, axis: _centred(out, ct, axis)],
    jvp=lambda tangents, out, x, axis: _centred(out, tangents[0], axis),
    batch=lambda inputs, batched, axis: _softmax(*inputs, axis=axis + 1),
    cases=_soft_cases,
    latex=lambda node: _along("softmax", node),
    facts=Facts(low=0, high=1, simplex=True),
    doc="exp(x) / sum(exp(x)) along an axis.",
)


@names_operands
def softmax(x: Value, axis: int = -1) -> Value:
    """Return ``exp(x) / sum(exp(x))`` along an axis.

    Parameters
    ----------
    x : Node or array of floats
    axis : int

    Returns
    -------
    Node or array
        Nonnegative, with sum 1 along `axis`.

    Examples
    --------
    >>> import weft
    >>> weft.softmax(weft.constant([1e4, 1e4])).numpy()
    array([0.5, 0.5], dtype=float32)
    """
    return _softmax(x, axis=normal_axis(axis, len(x.shape)))


def _log_softmax_forward(x: Array, axis: int) -> Array:
    if not x.shape[axis]:
        return x
    at = np.argmax(x, axis=axis, keepdims=True)
    z = x - np.take_along_axis(x, at, axis)
    # The largest term is exactly 1. Left out, the others keep their digits in log1p,
    # and with them the small cost of an answer that is right and sure of it.
    others = np.exp(z)
    np.put_along_axis(others, at, 0, axis)
    value: Array = z - np.log1p(np.sum(others, axis=axis, keepdims=True))
    return value


_log_softmax: Op = explicit(
    "log_softmax",
    forward=_log_softmax_forward,
    rule=_soft_rule,
    vjp=[
        lambda ct, out, x, axis: ct - exp(out) * _sum(ct, axis=(axis,), keepdims=True)
    ],
    jvp=lambda tangents, out, x, axis: (
        tangents[0] - _sum(exp(out) * tangents[0], axis=(axis,), keepdims=True)
    ),
    batch=lambda inputs, batched, axis: _log_softmax(*inputs, axis=axis + 1),
    cases=_soft_cases,
    latex=lambda node: r"\log " + _along("softmax", node),
    facts=Facts(high=0),
    doc="The logarithm of softmax, exact where softmax itself rounds to 0 or 1.",
)


@names_operands
def log_softmax(x: Value, axis: int = -1) -> Value:
    """Return the logarithm of `softmax` along an axis.

    Parameters
    ----------
    x : Node or array of floats
    axis : int

    Returns
    -------
    Node or array

    Examples
    --------
    >>> import weft
    >>> weft.log_softmax(weft.constant([0.0, 1e4])).numpy()
    array([-10000.,      0.], dtype=float32)
    """
    return _log_softmax(x, axis=normal_axis(axis, len(x.shape)))


@names_operands
def variance(x: Value, axis: Any = None, keepdims: bool = False) -> Value:
    """Return the mean squared distance from the mean over some axes.

    Parameters
    ----------
    x : Node or array of floats
    axis : int or sequence of int, optional
        All by default.
    keepdims : bool

    Returns
    -------
    Node or array
        Divided by the count, not by the count less one.

    Examples
    --------
    >>> import weft
    >>> weft.variance(weft.constant([1.0, 3.0])).numpy()
    array(1., dtype=float32)
    """
    centred = x - mean(x, axis, keepdims=True)
    return mean(centred * centred, axis, keepdims)


@names_operands
def l1_norm(x: Value, axis: Any = None) -> Value:
    """Return the sum of absolute values, with slope 0 at 0.

    As a penalty it must leave a weight of 0 where it is, so its slope there is the
    middle of the subdifferential and not the one-sided slope that `abs` has.

    Parameters
    ----------
    x : Node or array of floats
    axis : int or sequence of int, optional
        All by default.

    Returns
    -------
    Node or array

    Examples
    --------
    >>> import weft
    >>> w = weft.constant([0.0, -2.0])
    >>> weft.grad(weft.l1_norm(w), w).numpy()
    array([ 0., -1.], dtype=float32)
    """
    return sum(x * stop_gradient(sign(x)), axis)
