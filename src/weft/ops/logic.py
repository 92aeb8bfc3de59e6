"""Comparison, logic and choice: masks, through which no derivative passes.

`where` passes derivatives to its branches; an unselected one gets a cotangent of
exactly 0. What the branch itself does with that 0 is its own affair: ``where(x > 0,
log(x), 0)`` still asks log for a slope at 0, so write ``log(where(x > 0, x, 1))`` where
a branch is not defined.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from weft.graph.dim import Shape
from weft.graph.dtype import BOOL
from weft.graph.errors import DTypeError
from weft.graph.leaf import constant
from weft.graph.node import DType, Node, names_operands
from weft.ops import kinks
from weft.ops.broadcast import broadcast_shapes, elementwise_shape
from weft.ops.record import (
    OPS,
    Derivative,
    Facts,
    Op,
    Value,
    align,
    as_nodes,
    elementwise,
    promoted,
    total,
    unbroadcast,
)
from weft.ops.sample import booleans, domain_cases, integers, reals


def _comparison(
    name: str,
    forward: Callable[..., Any],
    emit: Callable[..., Any],
    sign: str,
    text: str,
    doc: str,
) -> Op:
    return elementwise(
        name,
        forward=forward,
        differentiable=False,
        emit=emit,
        latex=r"\left[{0:sum} " + sign + r" {1:sum}\right]",
        text=f"({{0}} {text} {{1}})",
        facts=Facts(commutative=name in ("equal", "not_equal")),
        sample=[integers(-1, 1), integers(-1, 1)],
        dtype=BOOL,
        doc=doc,
    )


equal: Op = _comparison(
    "equal",
    lambda x, y: x == y,
    lambda e, x, y: e.equal(x, y),
    "=",
    "==",
    "Whether x equals y; NaN equals nothing.",
)
not_equal: Op = _comparison(
    "not_equal",
    lambda x, y: x != y,
    lambda e, x, y: e.logical_not(e.equal(x, y)),
    r"\ne",
    "!=",
    "Whether x differs from y.",
)
less: Op = _comparison(
    "less",
    lambda x, y: x < y,
    lambda e, x, y: e.less(x, y),
    "<",
    "<",
    "Whether x < y.",
)
less_equal: Op = _comparison(
    "less_equal",
    lambda x, y: x <= y,
    lambda e, x, y: e.less_equal(x, y),
    r"\leq",
    "<=",
    "Whether x <= y.",
)
greater: Op = _comparison(
    "greater",
    lambda x, y: x > y,
    lambda e, x, y: e.less(y, x),
    ">",
    ">",
    "Whether x > y.",
)
greater_equal: Op = _comparison(
    "greater_equal",
    lambda x, y: x >= y,
    lambda e, x, y: e.less_equal(y, x),
    r"\geq",
    ">=",
    "Whether x >= y.",
)


def _masks(*inputs: Node) -> tuple[Shape, DType]:
    for node in inputs:
        if node.dtype != BOOL:
            raise DTypeError(
                f"logic is on booleans, and {node.dtype} was given: compare first, "
                "for instance x > 0"
            )
    return elementwise_shape(inputs), BOOL


def _logical(
    name: str, forward: Callable[..., Any], emit: Callable[..., Any], sign: str
) -> Op:
    arity = 1 if name == "logical_not" else 2
    between = r"{0:sum} " + sign + r" {1:sum}" if arity == 2 else sign + " {0}"
    return elementwise(
        name,
        forward=forward,
        differentiable=False,
        emit=emit,
        latex=rf"\left({between}\right)",
        facts=Facts(commutative=arity == 2, associative=arity == 2),
        sample=[booleans] * arity,
        rule=_masks,
        promotes=False,
        doc=f"{name.removeprefix('logical_')}, of masks.",
    )


logical_and: Op = _logical(
    "logical_and", np.logical_and, lambda e, x, y: e.logical_and(x, y), r"\wedge"
)
logical_or: Op = _logical(
    "logical_or", np.logical_or, lambda e, x, y: e.logical_or(x, y), r"\vee"
)
logical_not: Op = _logical(
    "logical_not", np.logical_not, lambda e, x: e.logical_not(x), r"\neg"
)


def _where_rule(condition: Node, x: Node, y: Node) -> tuple[Shape, DType]:
    if condition.dtype != BOOL:
        raise DTypeError(f"the condition is {condition.dtype}: compare first, as x > 0")
    return broadcast_shapes([condition.shape, x.shape, y.shape]), x.dtype


def _where_vjp(i: int, ct: Value, out: Value, inputs: Any, params: Any) -> Value:
    condition = inputs[0]
    if i == 0:
        return None
    part = _where(condition, ct, 0) if i == 1 else _where(condition, 0, ct)
    return unbroadcast(part, inputs[i].shape)


def _where_jvp(tangents: Any, out: Value, inputs: Any, params: Any) -> Value:
    condition, t_x, t_y = inputs[0], tangents[1], tangents[2]
    if t_x is None and t_y is None:
        return None
    chosen = _where(condition, 0 if t_x is None else t_x, 0 if t_y is None else t_y)
    return total([chosen], out)


def _choose(condition: Value, x: Value, y: Value) -> Value:
    # A bare 0 beside float32 must not widen it: np.where ignores the weak type.
    typed = [v.dtype for v in (x, y) if isinstance(v, (np.ndarray, np.generic))]
    dtype = typed[0] if len(typed) == 1 else None
    return np.where(condition, np.asarray(x, dtype), np.asarray(y, dtype))


_where: Op = Op(
    name="where",
    forward=_choose,
    rule=_where_rule,
    derivative=Derivative(_where_vjp, _where_jvp),
    batch=lambda inputs, batched, params: _where(*align(inputs, batched)),
    cases=domain_cases([booleans, reals(-3, 3), reals(-3, 3)]),
    emit=lambda e, c, x, y: e.select(c, x, y),
    latex=(
        r"\begin{{cases}} {1:sum} & \text{{if }} {0:any} \\ "
        r"{2:sum} & \text{{otherwise}} \end{{cases}}"
    ),
    binds="any",
    spelling=kinks.where,
    doc="x where the condition holds, else y.",
)


@names_operands
def where(condition: Value, x: Value, y: Value) -> Value:
    """Return `x` where `condition` holds, else `y`, element by element.

    Parameters
    ----------
    condition : Node or array of bool
    x, y : Node, array or number
        Brought to one type; all three broadcast.

    Returns
    -------
    Node or array

    Examples
    --------
    >>> import weft
    >>> x = weft.constant([-1.0, 2.0])
    >>> weft.where(x > 1, x, 0).numpy()
    array([0., 2.], dtype=float32)
    """
    if any(isinstance(part, Node) for part in (condition, x, y)):
        if not (isinstance(x, Node) or isinstance(y, Node)):
            x = _as_node(x)
        x, y = promoted(as_nodes((x, y)))
        condition = _as_node(condition)
    return OPS["where"](condition, x, y)


def _as_node(value: Value) -> Value:
    return value if isinstance(value, Node) else constant(value)
