"""Forward mode, from symbols to symbols: a tangent follows the graph.

One pass in topological order; each op gives the tangent of its value from those of its
inputs. One pass costs about as much as the function and yields one directional
derivative, whatever the number of outputs.
"""

from collections.abc import Mapping
from typing import Any

from weft.differentiate.reverse import of_like_shape
from weft.differentiate.sides import (
    carries,
    check_kink,
    derivative_of,
    kinks,
    refuse,
)
from weft.graph.dtype import is_float
from weft.graph.errors import GraphError
from weft.graph.node import Node, describe
from weft.graph.origin import derived_from, place
from weft.graph.tree import flatten, tree_map
from weft.graph.walk import topological
from weft.ops.record import zeros_like


def jvp(outputs: Any, tangents: Mapping[Node, Any], kink: str = "left") -> Any:
    """Return the product of the Jacobian of `outputs` with `tangents`, as graph.

    Parameters
    ----------
    outputs : Node or tree of Node
    tangents : mapping of Node to Node or array
        The direction: per leaf (or interior node) a tangent of its shape.
    kink : {"left", "right", "report"}
        Which one-sided derivative to take where an op has two; "report" takes none,
        and lists the nodes that have two.

    Returns
    -------
    Node or tree like `outputs`
        Zeros where an output does not depend on the leaves named.

    Raises
    ------
    GraphError, ShapeError
        If a tangent does not have its node's shape, or the node is not a float.
    KinkError
        With "report", if a node on the way has a kink.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ())
    >>> print(weft.text(weft.jvp(weft.exp(x), {x: weft.constant(1.0)})))
    exp(x)
    """
    check_kink(kink)
    outs, _ = flatten(outputs)
    if kink == "report":
        refuse(kinks(outs, wrt=list(tangents)))
    known: dict[Node, Any] = {x: _tangent(x, t) for x, t in tangents.items()}
    for node in topological(outs):
        parts = tuple(known.get(i) for i in node.inputs)
        derivative = derivative_of(node, kink)
        if node in known or derivative is None or not carries(node):
            continue
        if all(part is None for part in parts):
            continue
        with derived_from(node, node.op.name):
            known[node] = derivative.jvp(parts, node, node.inputs, node.params)
    return tree_map(
        lambda out: zeros_like(out) if known.get(out) is None else known[out], outputs
    )


def _tangent(x: Any, given: Any) -> Node:
    if not isinstance(x, Node) or not is_float(x.dtype):
        what = describe(x) if isinstance(x, Node) else repr(x)
        raise GraphError(f"{what} has no tangent: it is no node of floats{place()}")
    return of_like_shape("tangent", x, given)
