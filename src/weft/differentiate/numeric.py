"""From symbols to numbers: Algorithms 6.1 and 6.2 as the book writes them.

The same graph and the same rules as the symbolic modes, but the rules are given arrays
and no graph comes out. `backprop` fills a ``grad_table``, so each node is visited once;
`path_sum` adds up one product per path from leaf to cost, which the table avoids.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weft.differentiate.reverse import Step, accumulate
from weft.differentiate.sides import (
    at_kinks,
    carries,
    check_kink,
    derivative_of,
    on_path,
    refuse,
)
from weft.graph.errors import GraphError, ShapeError
from weft.graph.node import Node, describe
from weft.graph.origin import place
from weft.graph.tree import flatten, unflatten
from weft.graph.walk import reached_from, topological
from weft.ops.propagate import propagate, resolved
from weft.ops.sample import Array


def _prepare(
    cost: Node, targets: Sequence[Node] | None, feed: Mapping[Node, Any], kink: str
) -> tuple[list[Node], dict[Node, Any], Step]:
    check_kink(kink)
    if cost.shape != ():
        raise ShapeError(f"a gradient is of a scalar, not of {describe(cost)}{place()}")
    order = topological([cost], stop=set(feed))
    values, bindings = propagate(order, feed)
    if kink == "report":
        computed = [node for node in order if node not in feed]
        path = on_path(computed, [cost], order if targets is None else targets)
        refuse(at_kinks(computed, path, values, bindings))

    def step(i: int, ct: Any, node: Node) -> Any:
        derivative = derivative_of(node, kink)
        if derivative is None or node in feed:  # what is fed was not computed
            return None
        inputs = tuple(values[x] for x in node.inputs)
        params = resolved(node.params, bindings)
        return derivative.vjp(i, ct, values[node], inputs, params)

    return order, values, step


def backprop(
    cost: Node,
    wrt: Any,
    feed: Mapping[Node, Any],
    table: bool = False,
    kink: str = "left",
) -> Any:
    """Return the gradient of a scalar in numbers (Algorithms 6.1 and 6.2).

    Parameters
    ----------
    cost : Node of shape ()
    wrt : Node or tree of Node
    feed : mapping of Node to array
        Values of every input and parameter.
    table : bool
        Whether to return the whole ``grad_table``.
    kink : {"left", "right", "report"}
        Which one-sided derivative to take where an op has two; "report" takes none,
        and lists the elements that sit at a kink.

    Returns
    -------
    array or tree of arrays like `wrt`
        Or, with `table`, a dict with the derivative of the cost with respect to every
        node it depends on.

    Raises
    ------
    FeedError
        If a value is missing or does not fit.
    KinkError
        With "report", if a value on the way sits at a kink.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", (), "float64")
    >>> weft.backprop(x * x, x, {x: 3.0})
    array(6.)
    """
    targets, structure = flatten(wrt)
    order, values, step = _prepare(cost, None if table else targets, feed, kink)
    needed = {n for n in order if n.dtype.kind == "f"}
    if not table:
        needed = reached_from(order, targets, carries)
    seeds = {cost: np.ones((), cost.dtype)}
    with np.errstate(all="ignore"):
        found = accumulate(order, seeds, needed, step, keep=None if table else targets)
    if table:
        return {node: np.asarray(ct) for node, ct in found.items()}
    return unflatten(
        structure,
        [np.asarray(found[t]) if t in found else _zeros(t, values) for t in targets],
    )


def _zeros(node: Node, values: Mapping[Node, Any]) -> Array:
    if node not in values:
        raise GraphError(
            f"the cost does not depend on {describe(node)}, so its shape is not known"
        )
    return np.zeros(np.shape(values[node]), node.dtype)


def path_sum(
    cost: Node, leaf: Node, feed: Mapping[Node, Any], kink: str = "left"
) -> Array:
    """Return the derivative as the naive sum over all paths from `leaf` to `cost`.

    The number of paths, and so the time, can be exponential in the depth; it is here to
    be compared with `backprop` (slide "Efficiency").

    Parameters
    ----------
    cost : Node of shape ()
    leaf : Node
    feed : mapping of Node to array
    kink : {"left", "right", "report"}
        As in `backprop`.

    Returns
    -------
    numpy.ndarray of the shape of `leaf`

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", (), "float64")
    >>> weft.path_sum(x * x, x, {x: 3.0})
    array(6.)
    """
    order, values, step = _prepare(cost, [leaf], feed, kink)
    toward = reached_from(order, [leaf], carries)
    total = np.zeros(np.shape(values[leaf]), leaf.dtype) if leaf in values else None
    if total is None:
        raise GraphError(f"the cost does not depend on {describe(leaf)}{place()}")
    stack: list[tuple[Node, Any]] = [(cost, np.ones((), cost.dtype))]
    with np.errstate(all="ignore"):
        while stack:
            node, product = stack.pop()
            if node is leaf:
                total = total + product
                continue
            for i, x in enumerate(node.inputs):
                if x in toward:
                    part = step(i, product, node)
                    if part is not None:
                        stack.append((x, part))
    return np.asarray(total)
