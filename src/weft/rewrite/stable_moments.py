"""Roots, norms, variances and entropies that neither overflow nor cancel.

A square overflows at the root of the largest number, and a small difference of two
large squares has no digits left. Both are avoided by an exact change of scale or
origin. The scale is `stop_gradient` of the largest element: the value does not depend
on it, so the derivative does not either.
"""

from weft.graph.dim import Dim
from weft.graph.leaf import CONSTANT
from weft.graph.node import Node
from weft.ops.arithmetic import abs as absolute
from weft.ops.arithmetic import maximum, sqrt, square, stop_gradient
from weft.ops.logic import equal, logical_and, where
from weft.ops.record import OPS
from weft.ops.reduce import max as largest
from weft.ops.reduce import sum as sum_over
from weft.ops.reduce import variance
from weft.ops.special import log
from weft.rewrite.facts import uniform
from weft.rewrite.rule import Rule, rule
from weft.rewrite.stable_exponentials import fitting


@rule("sqrt", of=("add",))
def hypotenuse(node: Node) -> Node | None:
    """``sqrt(x**2 + y**2) -> m * sqrt((x / m)**2 + (y / m)**2)``, m the larger."""
    x, y = (_root(i) for i in node.inputs[0].inputs)
    if x is None or y is None or _is_scaled(x) or _is_scaled(y):
        return None
    scale = _scale(maximum(absolute(x), absolute(y)))
    root = sqrt(square(x / scale) + square(y / scale))
    return fitting(scale * root, node)


@rule("sqrt", of=("sum",))
def norm(node: Node) -> Node | None:
    """``sqrt(sum(x**2)) -> m * sqrt(sum((x / m)**2))``, m the largest ``|x|``.

    Over axes that are known not to be empty.
    """
    (total,) = node.inputs
    x, axes = _root(total.inputs[0]), total.params["axis"]
    # Of no numbers there is no largest one.
    if x is None or _is_scaled(x):
        return None
    # Of no numbers there is no largest one.
    if any(isinstance(x.shape[a], Dim) or x.shape[a] == 0 for a in axes):
        return None
    scale = _scale(largest(absolute(x), axes, keepdims=True))
    root = sqrt(sum_over(square(x / scale), axes, keepdims=True))
    whole: Node = OPS["reshape"](scale * root, shape=node.shape)
    return whole


def _root(node: Node) -> Node | None:
    """Return x if `node` is its square."""
    if node.op.name == "square":
        return node.inputs[0]
    if node.op.name == "multiply" and node.inputs[0] is node.inputs[1]:
        return node.inputs[0]
    return None


def _scale(size: Node) -> Node:
    # 0 and infinity scale nothing: 0/0 would be NaN.
    fixed = stop_gradient(size)
    usable = logical_and(fixed > 0, fixed < float("inf"))
    scale: Node = where(usable, fixed, 1)
    return scale


def _is_scaled(x: Node) -> bool:
    """Tell whether `x` is ``something / _scale(something)``."""
    if x.op.name != "divide":
        return False
    scale = x.inputs[1]
    while scale.op.name in ("broadcast_to", "reshape"):
        (scale,) = scale.inputs
    if scale.op.name != "where":
        return False
    mask, size, other = scale.inputs
    compared = [i.inputs[0] for i in mask.inputs if i.inputs]
    return uniform(other) == 1 and size in compared


@rule("subtract")
def variance_of_moments(node: Node) -> Node | None:
    """``mean(x**2) - mean(x)**2 -> mean((x - mean(x))**2)``."""
    of_squares, squared = node.inputs
    centre = _root(squared)
    first = _mean(of_squares)
    second = None if centre is None else _mean(centre)
    if first is None or second is None:
        return None
    (squares, *way), (x, *same) = first, second
    if _root(squares) is not x or way != same:
        return None
    _, axes, keepdims, _ = first
    return fitting(variance(x, axes, keepdims), node)


def _mean(node: Node) -> tuple[Node, tuple[int, ...], bool, object] | None:
    """Return what `node` is a mean of, over which axes, and by what it divides."""
    if node.op.name != "divide":
        return None
    total, count = node.inputs
    if total.op.name != "sum":
        return None
    (x,), axes = total.inputs, total.params["axis"]
    number: object = uniform(count)
    lengths = [x.shape[a] for a in axes]
    if number is None:
        while count.op.name == "cast":
            (count,) = count.inputs
        if count.op.name != "size" or count.params["axis"] != axes:
            return None
        if count.inputs[0].shape != x.shape:
            return None
        number = tuple(lengths)
    else:
        product = 1
        for length in lengths:
            if not isinstance(length, int):
                return None
            product *= length
        if number != product:
            return None
    return x, axes, total.params["keepdims"], number


@rule("multiply")
def entropy_at_zero(node: Node) -> Node | None:
    """``x * log(x) -> 0`` at 0, the limit, also within ``x * (log(x) - y)``.

    There the derivative with respect to x is 0 as well, where that of the formula is
    infinite: a share of nothing is taken to stay one.
    """
    for x, other in (node.inputs, node.inputs[::-1]):
        if x.op is CONSTANT or x.dtype.kind != "f":
            continue
        found = _guarded(other, x, 3)
        if found is not None:
            return fitting(x * found, node)
    return None


def _guarded(node: Node, x: Node, depth: int) -> Node | None:
    """Return the sum `node` with log(x) made finite at 0, if that is in it."""
    if node.op.name == "log" and node.inputs[0] is x:
        guarded: Node = log(where(equal(x, 0), 1, x))
        return guarded
    if depth and node.op.name in ("add", "subtract", "negative", "multiply"):
        inputs = [_guarded(i, x, depth - 1) for i in node.inputs]
        if any(i is not None for i in inputs):
            pairs = zip(inputs, node.inputs, strict=True)
            rebuilt: Node = OPS[node.op.name](
                *(old if new is None else new for new, old in pairs)
            )
            return rebuilt
    return None


MOMENTS: tuple[Rule, ...] = (hypotenuse, norm, variance_of_moments, entropy_at_zero)
