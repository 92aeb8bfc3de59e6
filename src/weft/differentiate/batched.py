"""The same graph over a new leading axis: vmap, and the matrices made with it.

`vmap` gives some leaves a new first axis and rebuilds what depends on them, each op by
its own rule. A Jacobian is then one reverse product, batched over the rows of an
identity: products, not copies of the graph.
"""

from collections.abc import Mapping
from typing import Any

from weft.differentiate.reverse import check_floats, grad, vjp
from weft.graph.dim import Size, product
from weft.graph.errors import GraphError, ShapeError
from weft.graph.leaf import constant, input
from weft.graph.node import Node, describe
from weft.graph.origin import derived_from, place
from weft.graph.tree import flatten, tree_map, unflatten
from weft.graph.walk import topological
from weft.ops.index import arange, one_hot
from weft.ops.record import Op
from weft.ops.structure import broadcast_to, reshape


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
        Each with the new leading axis.

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


def jacobian(y: Node, x: Any, kink: str = "left") -> Any:
    """Return the matrix of derivatives of `y` with respect to `x`, as graph.

    Parameters
    ----------
    y : Node
    x : Node or tree of Node
    kink : {"left", "right"}
        Which one-sided derivative to take where an op has two.

    Returns
    -------
    Node or tree like `x`
        Of shape ``y.shape + x.shape``. In the book's notation the Jacobian of y = Wx
        is W.

    Raises
    ------
    GraphError, ShapeError
        If `y` is no node of floats, or its number of elements is a product of symbols.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", (2,))
    >>> weft.jacobian(x * x, x).shape
    (2, 2)
    """
    check_floats([y], "derived")
    ct = input("cotangent", y.shape, y.dtype)
    count = product(y.shape)
    basis = reshape(one_hot(arange(count), count, y.dtype), (count, *y.shape))
    rows = vmap(vjp(y, x, ct, kink), {ct: basis})
    return tree_map(lambda row: reshape(row, (*y.shape, *row.shape[1:])), rows)


def hessian(cost: Node, wrt: Any, kink: str = "left") -> Any:
    """Return the matrix of second derivatives of a scalar, as graph.

    Parameters
    ----------
    cost : Node of shape ()
    wrt : Node or tree of Node
    kink : {"left", "right"}
        As in `jacobian`, in both derivatives.

    Returns
    -------
    Node or tree of trees like `wrt`
        For a node, of shape ``wrt.shape + wrt.shape``; for a tree, the blocks.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", (3,))
    >>> weft.hessian(weft.sum(x * x), x).shape
    (3, 3)
    """
    return tree_map(lambda g: jacobian(g, wrt, kink), grad(cost, wrt, kink))
