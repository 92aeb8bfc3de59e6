"""The phase *fast*: less to compute for the same numbers.

Each rule keeps every value, NaN and infinities included, and every error that a run
would report. There is one exception, the sign of a zero, where a rule says so (and from
there the sign of an infinity that it divides). No rule makes a graph larger: it gives
one node for one node, computed from what the graph computes in any case.

The phase ends, since a rule makes an expression, written out in full, shorter, or puts
a cheaper op in the place of one; only `mask_of_rectified` lengthens it, by a rectifier
out of the finitely many that the graph has.

It comes after differentiation. `stop_gradient` is gone from what it leaves, so that a
derivative of that would be another one.
"""

from typing import Any

import numpy as np

from weft.graph.dim import Dim, Size, product, same_size
from weft.graph.dtype import BOOL, FLOAT32, FLOAT64, INT32, INT64
from weft.graph.errors import FeedError, ShapeError
from weft.graph.leaf import CONSTANT, constant
from weft.graph.node import Node, intern
from weft.ops.arithmetic import add, cast, square, subtract
from weft.ops.propagate import compute
from weft.ops.record import Op
from weft.ops.rectifier import relu
from weft.ops.structure import Piece, broadcast_to, reshape, transpose
from weft.rewrite.rule import Rule, rule

# Constants ------------------------------------------------------------------------

# What is folded becomes part of the graph; so small, it is interned as well.
_FOLDED_SIZE = 16


@rule(of=("constant",))
def fold(node: Node) -> Node | None:
    """``f(constants) -> constant``, if it has at most 16 elements.

    Computed as `evaluate` would. Where that is an error, the node stays, and a run
    reports it.
    """
    if any(i.op is not CONSTANT for i in node.inputs):
        return None
    return _value(node)


@rule("arange")
def counted(node: Node) -> Node | None:
    """``arange(3) -> [0, 1, 2]``, if it has at most 16 elements."""
    return _value(node)


def _value(node: Node) -> Node | None:
    if _has_symbol(node):
        return None
    size = product(node.shape)
    assert isinstance(size, int)
    if size > _FOLDED_SIZE:
        return None
    values = [i.params["value"] for i in node.inputs]
    try:
        with np.errstate(all="ignore"):
            return constant(np.asarray(compute(node, values, node.params)))
    except FeedError:
        return None


def _has_symbol(node: Node) -> bool:
    """Tell whether shape or parameters hold a length that is known at run time only."""
    pending: list[Any] = [node.shape, *node.params.values()]
    while pending:
        value = pending.pop()
        if isinstance(value, Dim):
            return True
        if isinstance(value, tuple):
            pending += value
    return False


def _is(node: Node, number: float) -> bool:
    """Tell whether all elements of `node` are known to be `number`."""
    if node.op.name == "broadcast_to":
        (node,) = node.inputs
    return node.op is CONSTANT and bool(np.all(node.params["value"] == number))


# Arithmetic -----------------------------------------------------------------------


@rule(
    "add",
    "subtract",
    "multiply",
    "divide",
    "power",
    of=("constant", "broadcast_to"),
)
def neutral(node: Node) -> Node | None:
    """``x + 0 -> x``, ``x - 0 -> x``, ``x * 1 -> x``, ``x / 1 -> x``, ``x**1 -> x``.

    Also ``0 + x`` and ``1 * x``. Repeated to the shape of the node where the neutral
    element is the larger of the two. A zero keeps its sign, which ``-0.0 + 0`` loses.
    """
    assert isinstance(node.op, Op)
    element, commutes = node.op.facts.neutral, node.op.facts.commutative
    assert element is not None
    x, y = node.inputs
    if _is(y, element):
        return _repeated(x, node)
    return _repeated(y, node) if commutes and _is(x, element) else None


def _repeated(x: Node, node: Node) -> Node:
    repeated: Node = broadcast_to(x, node.shape)
    return repeated


@rule("negative", of=("negative",))
def double_negative(node: Node) -> Node | None:
    """``-(-x) -> x``, exact."""
    return node.inputs[0].inputs[0]


@rule("add", "subtract", of=("negative",))
def negative_term(node: Node) -> Node | None:
    """``x + (-y) -> x - y``, ``-x + y -> y - x``, ``x - (-y) -> x + y``, all exact."""
    x, y = node.inputs
    adds = node.op.name == "add"
    if y.op.name == "negative":
        return _binary(subtract if adds else add, x, y.inputs[0])
    if adds and x.op.name == "negative":
        return _binary(subtract, y, x.inputs[0])
    return None


def _binary(op: Op, x: Node, y: Node) -> Node:
    return intern(op, (x, y), {})


@rule("multiply")
def square_of_product(node: Node) -> Node | None:
    """``x * x -> square(x)``, exact: one spelling, so that both are computed once."""
    x, y = node.inputs
    return intern(square, (x,), {}) if x is y else None


@rule("greater", "less_equal", of=("constant", "broadcast_to"), shared=True)
def mask_of_rectified(node: Node) -> Node | None:
    """``x > 0 -> relu(x) > 0``, ``x <= 0 -> relu(x) <= 0``, if relu(x) is computed too.

    Exact, NaN included. The derivative of a rectified layer then needs the layer's
    value alone, and `x` can be given up.
    """
    x, bound = node.inputs
    if x.dtype.kind != "f" or not _is(bound, 0):
        return None
    return intern(node.op, (relu(x), bound), {})


# What changes nothing -------------------------------------------------------------


@rule("stop_gradient")
def stopped(node: Node) -> Node | None:
    """``stop_gradient(x) -> x``: once derivatives are taken it means nothing."""
    return node.inputs[0]


@rule("reshape", "broadcast_to", "cast", "concatenate")
def unchanged(node: Node) -> Node | None:
    """``f(x) -> x``, if the value has the shape and type that `x` has.

    For reshaping, repeating, casting and the joining of a single value.
    """
    x, *others = node.inputs
    same = not others and (x.shape, x.dtype) == (node.shape, node.dtype)
    return x if same else None


@rule("transpose")
def unchanged_axes(node: Node) -> Node | None:
    """``transpose(x, (0, 1, ...)) -> x``."""
    axes = node.params["axes"]
    return node.inputs[0] if axes == tuple(range(len(axes))) else None


@rule("slice")
def whole_slice(node: Node) -> Node | None:
    """``x[:, :, ...] -> x``."""
    (x,) = node.inputs
    whole = tuple((0, size, 1) for size in x.shape)
    return x if node.params["pieces"] == whole else None


@rule("sum", "prod", "max", "min", "logsumexp")
def lone_element(node: Node) -> Node | None:
    """``sum(x, axis) -> reshape(x)``, if every axis is of size 1.

    So with products, extremes and logsumexp. A zero keeps its sign.
    """
    (x,) = node.inputs
    if any(x.shape[a] != 1 for a in node.params["axis"]):
        return None
    alone: Node = reshape(x, node.shape)
    return alone


# Two steps in one -----------------------------------------------------------------

# Types that hold every number of another one.
_WIDER = {
    BOOL: (INT32, INT64, FLOAT32, FLOAT64),
    INT32: (INT64, FLOAT64),
    FLOAT32: (FLOAT64,),
}


@rule("cast", of=("cast",))
def cast_of_cast(node: Node) -> Node | None:
    """``cast(cast(x, a), b) -> cast(x, b)``, if `a` holds every number `x` can be."""
    (inner,) = node.inputs
    (x,) = inner.inputs
    if inner.dtype not in _WIDER.get(x.dtype, ()):
        return None
    once: Node = cast(x, node.dtype)
    return once


@rule("transpose", of=("transpose",))
def transpose_of_transpose(node: Node) -> Node | None:
    """``transpose(transpose(x, a), b) -> transpose(x, a[b])``.

    Not where `b` exchanges the last two axes and `a` moves others: a product reads such
    a `b` in place, and would have to wait for a copy of `x` of its own.
    """
    (inner,) = node.inputs
    first, second = inner.params["axes"], node.params["axes"]
    if _of_last_two(second) and not _of_last_two(first):
        return None
    once: Node = transpose(inner.inputs[0], [first[a] for a in second])
    return once


def _of_last_two(axes: tuple[int, ...]) -> bool:
    """Tell whether every axis but the last two stays where it is."""
    kept = len(axes) - 2
    return axes[:kept] == tuple(range(kept))


@rule("reshape", of=("reshape",))
def reshape_of_reshape(node: Node) -> Node | None:
    """``reshape(reshape(x, s), t) -> reshape(x, t)``.

    Only if all three are known to have equally many elements; else a run checks it.
    """
    (inner,) = node.inputs
    (x,) = inner.inputs
    if not (same_size(x.shape, inner.shape) and same_size(x.shape, node.shape)):
        return None
    once: Node = reshape(x, node.shape)
    return once


@rule("broadcast_to", of=("broadcast_to",))
def broadcast_of_broadcast(node: Node) -> Node | None:
    """``broadcast_to(broadcast_to(x, s), t) -> broadcast_to(x, t)``."""
    return _repeated(node.inputs[0].inputs[0], node)


@rule("broadcast_to", of=("reshape",))
def broadcast_of_reshape(node: Node) -> Node | None:
    """``broadcast_to(reshape(x, (1, *s)), t) -> broadcast_to(x, t)``, `x` of shape s.

    With any number of new axes in front: broadcasting adds those by itself. Not for a
    vector (n,) on its way to (n, n), where the new axis says which of the two it is.
    """
    (inner,) = node.inputs
    (x,) = inner.inputs
    padded = (*(1,) * (inner.ndim - x.ndim), *x.shape)
    if inner.shape != padded or (x.ndim == 1 and x.shape[0] in node.shape[:-1]):
        return None
    return _repeated(x, node)


@rule("slice", of=("slice",))
def slice_of_slice(node: Node) -> Node | None:
    """``x[a:b][c:d] -> x[a+c:a+d]``, also with steps.

    Along each axis all lengths are whole numbers, or one of the two takes all there is;
    else a run checks both.
    """
    (inner,) = node.inputs
    (x,) = inner.inputs
    firsts, seconds = inner.params["pieces"], node.params["pieces"]
    pieces = tuple(map(_composed, firsts, seconds, x.shape))
    if None in pieces:
        return None
    return intern(node.op, (x,), {"pieces": pieces})


def _composed(first: Piece, second: Piece, size: Size) -> Piece | None:
    """Return the part `second` of the part `first` of an axis of that size."""
    if second == (0, first[1], 1):
        return first
    if first == (0, size, 1):
        return second
    if any(isinstance(bound, Dim) for bound in (size, *first, *second)):
        return None
    return (first[0] + second[0] * first[2], second[1], first[2] * second[2])


@rule(of=("broadcast_to",))
def implicit_broadcast(node: Node) -> Node | None:
    """``f(broadcast_to(x, s), y) -> f(x, y)``, `f` elementwise, if the shape stays.

    Not where `x` beside `y` would look like an accident, as (n,) beside (n, 1) does.
    """
    op, inputs = node.op, node.inputs
    assert isinstance(op, Op)
    if op.emit is None:
        return None
    for i, x in enumerate(inputs):
        if x.op.name == "broadcast_to":
            bare = (*inputs[:i], x.inputs[0], *inputs[i + 1 :])
            if _stays(op, bare, node):
                return intern(op, bare, node.params)
    return None


def _stays(op: Op, inputs: tuple[Node, ...], node: Node) -> bool:
    try:
        return op.infer(inputs, node.params) == (node.shape, node.dtype)
    except ShapeError:
        return False


FAST: tuple[Rule, ...] = (
    fold,
    counted,
    neutral,
    double_negative,
    negative_term,
    square_of_product,
    stopped,
    unchanged,
    unchanged_axes,
    whole_slice,
    lone_element,
    cast_of_cast,
    transpose_of_transpose,
    reshape_of_reshape,
    broadcast_of_broadcast,
    broadcast_of_reshape,
    slice_of_slice,
    implicit_broadcast,
    mask_of_rectified,
)
