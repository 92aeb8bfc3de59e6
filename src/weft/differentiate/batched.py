"""The same graph over a new leading axis, and the product with a Hessian.

`vmap` gives some leaves a new first axis and rebuilds what depends on them, each op by
its own rule: a product of matrices becomes one product of stacks of matrices, never a
copy of the graph per entry.
"""

from collections.abc import Mapping
from typing import Any

from weft.graph.dim import Size
from weft.graph.errors import GraphError, ShapeError
from weft.graph.leaf import constant
from weft.graph.node import Node, describe
from weft.graph.origin import derived_from, place
from weft.graph.tree import flatten, unflatten
from weft.graph.walk import topological
from weft.ops.record import Op
from weft.ops.structure import broadcast_to


def vmap(outputs: Any, stacked: Mapping[Node, Any]) -> Any:
    """Return `outputs` over a new leading axis of some leaves, as graph.

    Parameters
    ----------
    outputs : Node or tree of Node
    stacked : mapping of Node to Node or array
        Per leaf (or interior node) its values, one more leading axis than it has.

    Returns
    -------
    Node or tree like `outputs`
        Each with the new leading axis. What depends on nothing that is stacked is
        repeated: random numbers too, unless their seed, step or index is stacked.

    Raises
    ------
    GraphError, ShapeError
        If nothing is stacked, or the stacks do not fit their nodes or one another.

    Examples
    --------
    >>> import weft
    >>> x, w = weft.input("x", (3,)), weft.parameter("w", (3,))
    >>> rows = weft.input("rows", ("n", 3))
    >>> weft.vmap(weft.sum(x * w), {x: rows}).shape
    ('n',)

    Of the gradient of one example's cost: the gradients of all examples.

    >>> weft.vmap(weft.grad(weft.sum(weft.tanh(x * w)), w), {x: rows}).shape
    ('n', 3)
    """
    if not stacked:
        raise GraphError(
            f"nothing is stacked: give a dict from leaves to their stacks{place()}"
        )
    mapped = {x: _stack(x, given) for x, given in stacked.items()}
    lengths = {node.shape[0] for node in mapped.values()}
    if len(lengths) != 1:
        raise ShapeError(
            f"the stacks have {len(lengths)} different leading lengths, "
            f"{sorted(map(str, lengths))}: they must have one{place()}"
        )
    (length,) = lengths
    outs, structure = flatten(outputs)
    for node in topological(outs, stop=mapped):
        flags = tuple(i in mapped for i in node.inputs)
        if node in mapped or not any(flags):
            continue
        assert isinstance(node.op, Op)
        inputs = tuple(mapped.get(i, i) for i in node.inputs)
        with derived_from(node, node.op.name):
            mapped[node] = node.op.batch(inputs, flags, node.params)
    return unflatten(
        structure,
        [mapped[out] if out in mapped else _repeat(out, length) for out in outs],
    )


def _stack(x: Any, given: Any) -> Node:
    if not isinstance(x, Node):
        raise GraphError(f"{x!r} is no node and cannot be stacked{place()}")
    node = given if isinstance(given, Node) else constant(given, x.dtype)
    if node.shape[1:] != x.shape or node.ndim != x.ndim + 1 or node.dtype != x.dtype:
        raise ShapeError(
            f"the stack of {describe(x)} must be {x.dtype} of shape (?, "
            f"{', '.join(map(str, x.shape))}), not {node.dtype}{list(node.shape)}"
            f"{place()}"
        )
    return node


def _repeat(out: Node, length: Size) -> Node:
    node: Node = broadcast_to(out, (length, *out.shape))
    return node
