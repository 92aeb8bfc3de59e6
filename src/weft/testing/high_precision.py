"""A graph in as many digits as are asked for: what it means, not what it gives.

`evaluate` of mathematics: every number is one of mpmath's, so nothing rounds, overflows
or cancels that matters. It is slow, and made for a handful of numbers. Ops that only
move values run their own NumPy meaning on arrays of such numbers; the others have the
function that they are named after.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from weft.graph.errors import GraphError
from weft.graph.leaf import CONSTANT
from weft.graph.node import Node, describe
from weft.graph.walk import topological
from weft.ops.propagate import bind_feed, check_fed, compute, fitted, resolved

Numbers = Any  # An array of mpmath's numbers, or of booleans or integers.


def high_precision(node: Node, feed: Mapping[Node, Any], digits: int = 50) -> Numbers:
    """Return the value of a node in high precision.

    Parameters
    ----------
    node : Node
    feed : mapping of Node to array
        Taken as the exact numbers that they are.
    digits : int
        Decimal digits of every intermediate result. A formula that cancels n digits
        needs n more of them.

    Returns
    -------
    array of mpmath.mpf
        Of integers or booleans, where the node is of those.

    Raises
    ------
    GraphError
        If an op has no meaning here.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ())
    >>> value = high_precision(weft.log(1 + weft.exp(x)), {x: -20.0})
    >>> float(value[()])
    2.061153620314381e-09
    """
    import mpmath  # a tool of development, loaded where it is used

    order = topological([node])
    fed = {leaf: fitted(leaf, value) for leaf, value in feed.items()}
    bindings = bind_feed(list(fed), list(fed.values()))
    check_fed(order, fed)
    values: dict[Node, Any] = {leaf: _exact(value) for leaf, value in fed.items()}
    functions = _functions()
    with mpmath.workdps(digits):
        for n in order:
            if n in values:
                continue
            if n.op is CONSTANT:
                values[n] = _exact(n.params["value"])
                continue
            inputs = [values[i] for i in n.inputs]
            params = resolved(n.params, bindings)
            values[n] = _applied(n, inputs, params, functions)
        # Out of the working precision unrounded.
        return np.asarray(values[node])


def _exact(value: Any) -> Numbers:
    import mpmath

    array = np.asarray(value)
    if array.dtype.kind != "f":
        return array
    exact = np.empty(array.shape, object)
    for at in np.ndindex(array.shape):
        exact[at] = mpmath.mpf(float(array[at]))
    return exact


def _applied(
    node: Node,
    inputs: list[Numbers],
    params: dict[str, Any],
    functions: dict[str, Callable[..., Any]],
) -> Numbers:
    name = node.op.name
    if name in functions:
        return np.asarray(np.frompyfunc(functions[name], len(inputs), 1)(*inputs))
    if name in _REDUCTIONS:
        return _REDUCTIONS[name](*inputs, **params)
    if name == "cast":
        if node.dtype.kind == "f":
            return _exact(inputs[0]) if inputs[0].dtype != object else inputs[0]
        if inputs[0].dtype == object:
            return np.asarray(inputs[0].astype(float)).astype(node.dtype)
    if name in _COMPARISONS:
        return np.asarray(compute(node, inputs, params)).astype(bool)
    if name == "one_hot":
        return _exact(compute(node, inputs, params))
    if name in _MOVING:
        return np.asarray(compute(node, inputs, params))
    raise GraphError(f"{describe(node)} has no meaning in high precision yet")


def _functions() -> dict[str, Callable[..., Any]]:
    """Return what each elementwise op means, in mpmath."""
    import mpmath as m

    def log(x: Any) -> Any:
        return m.log(x) if x > 0 else m.mpf("-inf") if x == 0 else m.nan

    def divide(x: Any, y: Any) -> Any:
        if y == 0:
            return m.nan if x == 0 or m.isnan(x) else m.sign(x) * m.inf
        return x / y

    def power(x: Any, y: Any) -> Any:
        if x < 0 and y != int(y):
            return m.nan
        return divide(m.mpf(1), x**-y) if x == 0 and y < 0 else m.mpf(x) ** y

    return {
        "exp": m.exp,
        "expm1": m.expm1,
        "log": log,
        "log1p": lambda x: log(1 + x),
        "sin": m.sin,
        "cos": m.cos,
        "tanh": m.tanh,
        "sigmoid": lambda x: 1 / (1 + m.exp(-x)),
        "softplus": lambda x: max(x, m.mpf(0)) + m.log1p(m.exp(-abs(x))),
        "erf": m.erf,
        "sqrt": lambda x: m.sqrt(x) if x >= 0 else m.nan,
        "square": lambda x: x * x,
        "power": power,
        "divide": divide,
        "relu": lambda x: max(x, m.mpf(0)),
        "abs": abs,
        "negative": lambda x: -x,
        "sign": m.sign,
        "floor": m.floor,
        "add": lambda x, y: x + y,
        "subtract": lambda x, y: x - y,
        "multiply": lambda x, y: x * y,
        "maximum": max,
        "minimum": min,
    }


def _logsumexp(x: Numbers, axis: Any, keepdims: bool) -> Numbers:
    import mpmath as m

    top = np.max(x, axis=axis, keepdims=True)
    e = np.frompyfunc(m.exp, 1, 1)(x - top)
    total = np.frompyfunc(m.log, 1, 1)(np.sum(e, axis=axis, keepdims=True)) + top
    return total if keepdims else np.asarray(np.squeeze(total, axis))


def _log_softmax(x: Numbers, axis: int) -> Numbers:
    return x - _logsumexp(x, (axis,), True)


def _softmax(x: Numbers, axis: int) -> Numbers:
    import mpmath as m

    return np.frompyfunc(m.exp, 1, 1)(_log_softmax(x, axis))


def _total(x: Numbers, axis: Any, keepdims: bool) -> Numbers:
    return np.asarray(np.sum(x, axis=axis, keepdims=keepdims))


def _product(x: Numbers, axis: Any, keepdims: bool) -> Numbers:
    return np.asarray(np.prod(x, axis=axis, keepdims=keepdims))


_REDUCTIONS: dict[str, Callable[..., Numbers]] = {
    "sum": _total,
    "prod": _product,
    "logsumexp": _logsumexp,
    "log_softmax": _log_softmax,
    "softmax": _softmax,
    "matmul": lambda x, y: np.asarray(np.dot(x, y) if x.ndim == 2 else x @ y),
    "where": lambda c, x, y: np.asarray(np.where(c, x, y)),
}
_COMPARISONS = frozenset(
    (
        "equal",
        "not_equal",
        "less",
        "less_equal",
        "greater",
        "greater_equal",
        "logical_and",
        "logical_or",
        "logical_not",
    )
)
_MOVING = frozenset(
    (
        "reshape",
        "transpose",
        "slice",
        "embed",
        "broadcast_to",
        "concatenate",
        "take",
        "take_along_axis",
        "put_along_axis",
        "scatter_add",
        "stop_gradient",
        "max",
        "min",
        "size",
        "arange",
        "argmax",
    )
)
