"""Reverse mode, from symbols to symbols: a gradient is more graph.

This is Algorithm 6.2 with nodes where the book has numbers. The table holds one
cotangent per node; a node is visited once, after all its users, and asks its op for one
Jacobian-transpose product per input, so the work is linear in the edges. Since the
result is a graph of the same ops, it can be differentiated again, to any order.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from weft.differentiate.sides import (
    carries,
    check_kink,
    derivative_of,
    kinks,
    refuse,
)
from weft.graph.dtype import is_float
from weft.graph.errors import GraphError, ShapeError
from weft.graph.leaf import constant
from weft.graph.node import Node, describe
from weft.graph.origin import derived_from, place
from weft.graph.tree import flatten, unflatten
from weft.graph.walk import reached_from, topological
from weft.ops.record import Value, zeros_like

# step(i, ct, node): what the cotangent of `node` contributes to its input i.
Step = Callable[[int, Value, Node], Value | None]


def accumulate(
    order: Sequence[Node],
    seeds: Mapping[Node, Value],
    needed: Iterable[Node],
    step: Step,
    keep: Iterable[Node] | None = None,
) -> dict[Node, Value]:
    """Fill the table of cotangents: the loop of Algorithm 6.2.

    Parameters
    ----------
    order : sequence of Node
        Inputs before users.
    seeds : mapping of Node to value
        The cotangents of the outputs.
    needed : iterable of Node
        The nodes whose cotangent is wanted or passed on.
    step : callable
        ``step(i, ct, node)``, in symbols or in numbers.
    keep : iterable of Node, optional
        The entries to return; all by default. Others are dropped once passed on.

    Returns
    -------
    dict of Node to value
        Nodes that the outputs do not depend on are missing.
    """
    table: dict[Node, Value] = dict(seeds)
    wanted, kept = set(needed), None if keep is None else set(keep)
    for node in reversed(order):
        if node not in table:
            continue
        ct = table[node]
        for i, x in enumerate(node.inputs):
            if x in wanted:
                part = step(i, ct, node)
                if part is not None:
                    table[x] = table[x] + part if x in table else part
        if kept is not None and node not in kept:
            del table[node]
    return table


def vjp(outputs: Any, wrt: Any, cotangents: Any, kink: str = "left") -> Any:
    """Return the product of `cotangents` with the Jacobian of `outputs`, as graph.

    Parameters
    ----------
    outputs : Node or tree of Node
    wrt : Node or tree of Node
        Leaves or interior nodes.
    cotangents : tree like `outputs`
        Nodes or arrays of the shapes of `outputs`.
    kink : {"left", "right", "report"}
        Which one-sided derivative to take where an op has two; "report" takes none,
        and lists the nodes that have two.

    Returns
    -------
    Node or tree like `wrt`
        Zeros where `outputs` do not depend on it.

    Raises
    ------
    GraphError, ShapeError
        If a node is not a float, or a cotangent does not have its output's shape.
    KinkError
        With "report", if a node on the way has a kink.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", (2,))
    >>> print(weft.text(weft.vjp(3 * x, x, x)))
    (x * 3)
    """
    outs, shape_of_outputs = flatten(outputs)
    targets, structure = flatten(wrt)
    cts, shape_of_cts = flatten(cotangents)
    if shape_of_outputs != shape_of_cts:
        raise GraphError(f"cotangents must be a tree like the outputs{place()}")
    check_kink(kink)
    check_floats(outs, "derived")
    check_floats(targets, "differentiated for")
    if kink == "report":
        refuse(kinks(outs, wrt=targets))
    seeds: dict[Node, Node] = {}
    for out, given in zip(outs, cts, strict=True):
        ct = of_like_shape("cotangent", out, given)
        seeds[out] = seeds[out] + ct if out in seeds else ct
    order = topological(outs)
    needed = reached_from(order, targets, carries)

    def step(i: int, ct: Value, node: Node) -> Value | None:
        derivative = derivative_of(node, kink)
        if derivative is None:
            return None
        with derived_from(node, node.op.name):
            return derivative.vjp(i, ct, node, node.inputs, node.params)

    table = accumulate(order, seeds, needed, step, keep=targets)
    found = [table[t] if t in table else zeros_like(t) for t in targets]
    return unflatten(structure, found)


def grad(cost: Node, wrt: Any, kink: str = "left") -> Any:
    """Return the gradient of a scalar as graph.

    Parameters
    ----------
    cost : Node of shape ()
    wrt : Node or tree of Node
        Leaves or interior nodes (a hidden layer, for instance).
    kink : {"left", "right", "report"}
        Which one-sided derivative to take where an op has two; "report" takes none,
        and lists the nodes that have two.

    Returns
    -------
    Node or tree like `wrt`
        Each of the shape of its node; zeros where the cost does not depend on it.

    Raises
    ------
    GraphError, ShapeError
        If the cost is not a float scalar, or `wrt` holds something that is not float.
    KinkError
        With "report", if a node on the way has a kink.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ())
    >>> print(weft.text(weft.grad(weft.tanh(x), x)))
    (1 - tanh(x)**2)
    """
    if not isinstance(cost, Node):
        raise GraphError(f"the cost is no node: {cost!r}{place()}")
    if cost.shape != ():
        raise ShapeError(
            f"a gradient is of a scalar, and {describe(cost)} has shape {cost.shape}: "
            f"take weft.mean or weft.sum of it, or use weft.jacobian{place()}"
        )
    return vjp(cost, wrt, constant(1, cost.dtype), kink)


def check_floats(nodes: Sequence[Any], role: str) -> None:
    """Raise GraphError unless all are nodes of floats; `role` ends the sentence."""
    for node in nodes:
        if not isinstance(node, Node):
            raise GraphError(f"{node!r} is no node and cannot be {role}{place()}")
        if not is_float(node.dtype):
            raise GraphError(
                f"{describe(node)} cannot be {role}: derivatives are of floats{place()}"
            )


def of_like_shape(role: str, node: Node, given: Any) -> Node:
    """Return `given` as a node of the shape and type of `node`.

    Raises
    ------
    ShapeError
        If it is not; `role` says what it is of `node`, such as its cotangent.
    """
    found = given if isinstance(given, Node) else constant(given, node.dtype)
    if found.shape != node.shape or found.dtype != node.dtype:
        raise ShapeError(
            f"the {role} of {describe(node)} must have its shape and type, not "
            f"{found.dtype}{list(found.shape)}{place()}"
        )
    return found
