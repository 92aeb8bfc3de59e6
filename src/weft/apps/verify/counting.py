"""Algorithm 6.2 with a counter: what back-propagation costs, in operations.

The rules are those of the ops' records, as everywhere; what is counted is how often one
is asked for, and how often two contributions are added.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.apps.verify.tools import Array
from weft.differentiate.reverse import carries, derivative_of
from weft.graph.node import Node
from weft.graph.walk import reached_from, topological
from weft.ops.propagate import propagate, resolved


@final
@dataclass(frozen=True)
class Count:
    """How often each step of the algorithm was taken.

    Parameters
    ----------
    products : int
        Products of a Jacobian with a gradient: one per edge.
    additions : int
        Contributions added to a table entry that was there.
    """

    products: int
    additions: int


def counted_backprop(
    cost: Node, leaf: Node, feed: Mapping[Node, Any]
) -> tuple[Count, Array]:
    """Return what Algorithm 6.2 costs, and the gradient that it finds.

    Examples
    --------
    >>> import weft
    >>> x = weft.parameter("x", (), "float64")
    >>> counted_backprop(weft.sin(x) * x, x, {x: 0.0})
    (Count(products=3, additions=1), array(0.))
    """
    order = topological([cost])
    values, bindings = propagate(order, feed)
    needed = reached_from(order, [leaf], carries)
    table: dict[Node, Any] = {cost: np.ones((), cost.dtype)}
    products = additions = 0
    for node in reversed(order):
        if node not in table or node is leaf:
            continue
        derivative = derivative_of(node, "left")
        for i, x in enumerate(node.inputs):
            if x not in needed or derivative is None:
                continue
            inputs = tuple(values[k] for k in node.inputs)
            params = resolved(node.params, bindings)
            part = derivative.vjp(i, table[node], values[node], inputs, params)
            products += 1
            if part is None:
                continue
            additions += x in table
            table[x] = table[x] + part if x in table else part
    return Count(products, additions), np.asarray(table[leaf])


def written_out(outputs: Iterable[Node], op: str) -> int:
    """Count how often an op stands in expressions that share nothing.

    Examples
    --------
    >>> import weft
    >>> x = weft.parameter("x", ())
    >>> written_out([weft.sin(x) * weft.sin(x)], "sin")
    2
    """
    outputs = list(outputs)
    times: dict[Node, int] = {}
    for node in topological(outputs):
        times[node] = (node.op.name == op) + sum(times[i] for i in node.inputs)
    return sum(times[output] for output in outputs)
