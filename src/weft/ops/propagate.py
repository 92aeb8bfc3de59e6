"""Forward propagation in numbers: Algorithm 6.1, as the book writes it.

``u[i] <- f[i](inputs of u[i])`` for every node in topological order. This is the
meaning of a graph; every engine is held against it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from weft.graph.dim import Bindings, Dim, bind, resolve
from weft.graph.dtype import is_float
from weft.graph.errors import FeedError
from weft.graph.leaf import CONSTANT, Leaf
from weft.graph.node import Node, Params, describe
from weft.graph.origin import origin_of
from weft.graph.walk import topological
from weft.ops.record import Op
from weft.ops.sample import Array


def resolved(params: Params, bindings: Bindings) -> dict[str, Any]:
    """Return `params` with a number in place of every symbolic dimension.

    Examples
    --------
    >>> from weft.graph import as_dim
    >>> resolved({"shape": (as_dim("2n"), 3)}, {"n": 4})
    {'shape': (8, 3)}
    """
    return {name: _resolved(value, bindings) for name, value in params.items()}


def _resolved(value: Any, bindings: Bindings) -> Any:
    if isinstance(value, Dim):
        return resolve(value, bindings)
    if isinstance(value, tuple):
        return tuple(_resolved(part, bindings) for part in value)
    return value


def fitted(node: Node, value: Any) -> Array:
    """Return `value` as an array of the type of `node`.

    Raises
    ------
    FeedError
        If that would lose more than precision: text, floats for integers, or
        integers beyond the type's range.

    Examples
    --------
    >>> import weft
    >>> fitted(weft.input("x", (2,)), [1, 2])
    array([1., 2.], dtype=float32)
    """
    if isinstance(value, Node):
        raise FeedError(f"{describe(node)} was fed a node: feed numbers")
    array = np.asarray(value)
    if array.dtype == node.dtype:
        return array
    # Whole numbers may become floats, and float64 float32; nothing else is silent.
    allowed = np.can_cast(array.dtype, node.dtype, "same_kind") or (
        is_float(node.dtype) and array.dtype.kind in "biu"
    )
    if not allowed:
        raise FeedError(
            f"{describe(node)} was fed {array.dtype}: convert it to {node.dtype} first"
        )
    if node.dtype.kind == "i" and array.dtype.kind in "iu" and array.size:
        info = np.iinfo(node.dtype)
        if array.min() < info.min or array.max() > info.max:
            raise FeedError(
                f"{describe(node)} was fed {array.min()} to {array.max()}, which "
                f"{node.dtype} cannot hold: feed smaller numbers"
            )
    return array.astype(node.dtype)


def bind_feed(nodes: Sequence[Node], arrays: Sequence[Array]) -> dict[str, int]:
    """Find the symbols' values from arrays fed to `nodes`, as `weft.graph.dim.bind`."""
    shapes = [(node.name or node.op.name, node.shape) for node in nodes]
    return bind(shapes, [array.shape for array in arrays])


def propagate(
    order: Iterable[Node], feed: Mapping[Node, Any]
) -> tuple[dict[Node, Any], dict[str, int]]:
    """Compute the value of every node of `order`.

    Parameters
    ----------
    order : iterable of Node
        Inputs before users.
    feed : mapping of Node to array
        Values of inputs and parameters; an interior node that is fed is not computed.

    Returns
    -------
    values : dict of Node to array
    bindings : dict of str to int
        The values of the symbolic dimensions.

    Raises
    ------
    FeedError
        If a value is missing, unknown or does not fit.
    """
    order = list(order)
    values: dict[Node, Any] = {n: fitted(n, value) for n, value in feed.items()}
    bindings = bind_feed(list(values), list(values.values()))
    check_fed(order, values)
    with np.errstate(all="ignore"):
        for node in order:
            if node in values:
                continue
            if node.op is CONSTANT:
                values[node] = node.params["value"]
            else:
                inputs = [values[i] for i in node.inputs]
                values[node] = compute(node, inputs, resolved(node.params, bindings))
    return values, bindings


def compute(node: Node, inputs: Sequence[Any], params: Params) -> Any:
    """Apply the op of `node` to numbers.

    Raises
    ------
    FeedError
        What the op says is wrong with the values, with the line that made the node.
    """
    assert isinstance(node.op, Op)
    try:
        return node.op.forward(*inputs, **params)
    except (ValueError, IndexError) as error:
        at = origin_of(node)
        place = f" (at {at})" if at else ""
        raise FeedError(f"{describe(node)}: {error}{place}") from None


def check_fed(order: Iterable[Node], fed: Mapping[Node, Any]) -> None:
    """Raise FeedError naming every input and parameter of `order` that is not fed."""
    missing = [
        describe(node)
        for node in order
        if node not in fed and isinstance(node.op, Leaf) and node.op is not CONSTANT
    ]
    if missing:
        raise FeedError(f"no value was fed for {', '.join(missing)}")


def numpy(node: Node) -> Array:
    """Return the value of a node that needs no feed."""
    values, _ = propagate(topological([node]), {})
    return np.asarray(values[node])
