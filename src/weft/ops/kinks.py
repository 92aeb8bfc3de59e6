"""Spellings of the rectifier and of the absolute value, recognised as they are built.

A function with a kink has one derivative there, however it is written. By local rules
alone that cannot be kept for every formula; it is kept for this list and no other:

- the rectifier, as ``relu(x)``: ``maximum(x, 0)``, ``maximum(0, x)``,
  ``where(x > 0, x, 0)``, ``where(x >= 0, x, 0)``, ``where(x < 0, 0, x)``,
  ``where(x <= 0, 0, x)``, ``clip(x, 0, inf)``, ``x * (x > 0)``, ``x * (x >= 0)``,
  ``(x + abs(x)) / 2`` and ``0.5 * (x + abs(x))``;
- the absolute value, as ``abs(x)``: ``maximum(x, -x)``, ``where(x > 0, x, -x)``,
  ``where(x >= 0, x, -x)``, ``where(x < 0, -x, x)``, ``where(x <= 0, -x, x)``,
  ``x * sign(x)``, ``sqrt(square(x))``.

Bounds are written second: ``maximum(1, x)`` is ``maximum(x, 1)``, and ``minimum``
likewise, so that `x` has the one-sided slope that is asked for.

Each function below is the ``spelling`` of the op it is named after: given the inputs of
a node about to be built, it returns the node to take instead, or None. Two cautions:
``x * (x > 0)`` is NaN at -inf where the rectifier is 0, and a formula is matched as it
is written, not after algebra.
"""

from weft.graph.leaf import CONSTANT
from weft.graph.node import Node
from weft.ops.record import OPS


def _is(node: Node, value: float) -> bool:
    """Tell whether `node` is the scalar constant `value`, of whatever type."""
    return (
        node.op is CONSTANT
        and node.shape == ()
        and bool(node.params["value"][()] == value)
    )


def _is_op(node: Node, name: str) -> bool:
    return node.op is OPS.get(name)


def _negates(a: Node, b: Node) -> bool:
    return _is_op(a, "negative") and a.inputs[0] is b


def _rectified(mask: Node, x: Node) -> bool:
    """Tell whether `mask` is the number ``x > 0`` or ``x >= 0``."""
    if _is_op(mask, "cast"):
        mask = mask.inputs[0]
    return (
        (_is_op(mask, "greater") or _is_op(mask, "greater_equal"))
        and mask.inputs[0] is x
        and _is(mask.inputs[1], 0)
    )


def maximum(x: Node, y: Node) -> Node | None:
    """``maximum(x, 0) -> relu(x)``, ``maximum(x, -x) -> abs(x)``."""
    for a, b in ((x, y), (y, x)):
        if _is(b, 0) and a.dtype.kind == "f":
            return _op("relu", a)
        if _negates(b, a):
            return _op("abs", a)
    return _constant_last("maximum", x, y)


def minimum(x: Node, y: Node) -> Node | None:
    """``minimum(1, x) -> minimum(x, 1)``."""
    return _constant_last("minimum", x, y)


def _constant_last(name: str, x: Node, y: Node) -> Node | None:
    """Put what varies first: it is the first argument whose side is kept at a tie."""
    if x.op is CONSTANT and y.op is not CONSTANT:
        node: Node = OPS[name](y, x)
        return node
    return None


def where(condition: Node, x: Node, y: Node) -> Node | None:
    """``where(x > 0, x, 0) -> relu(x)``, ``where(x > 0, x, -x) -> abs(x)``, ..."""
    op, inputs = condition.op, condition.inputs
    if op in (OPS["greater"], OPS["greater_equal"]):
        kept, other = x, y
    elif op in (OPS["less"], OPS["less_equal"]):
        kept, other = y, x
    else:
        return None
    if inputs[0] is not kept or not _is(inputs[1], 0) or kept.dtype.kind != "f":
        return None
    if _is(other, 0):
        return _op("relu", kept)
    return _op("abs", kept) if _negates(other, kept) else None


def multiply(x: Node, y: Node) -> Node | None:
    """``x * (x > 0) -> relu(x)``, ``x * sign(x) -> abs(x)``, ``0.5 * (x + |x|)``."""
    for a, b in ((x, y), (y, x)):
        if _rectified(b, a) and a.dtype.kind == "f":
            return _op("relu", a)
        if _is_op(b, "sign") and b.inputs[0] is a:
            return _op("abs", a)
        if _is(b, 0.5):
            return _half_sum(a)
    return None


def divide(x: Node, y: Node) -> Node | None:
    """``(x + abs(x)) / 2 -> relu(x)``."""
    return _half_sum(x) if _is(y, 2) else None


def sqrt(x: Node) -> Node | None:
    """``sqrt(square(x)) -> abs(x)``."""
    return _op("abs", x.inputs[0]) if _is_op(x, "square") else None


def _half_sum(total: Node) -> Node | None:
    if _is_op(total, "add"):
        for a, b in (total.inputs, total.inputs[::-1]):
            if _is_op(b, "abs") and b.inputs[0] is a and a.dtype.kind == "f":
                return _op("relu", a)
    return None


def _op(name: str, x: Node) -> Node:
    node: Node = OPS[name](x)
    return node
