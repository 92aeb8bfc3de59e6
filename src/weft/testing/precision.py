"""A graph once more, in float64.

A finite difference in float32 has three digits at best. The formulas of a graph do not
depend on the type, so what is checked is the same graph with every float32, in leaves,
constants, casts and other parameters, made float64.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from weft.graph.dtype import FLOAT32, FLOAT64
from weft.graph.leaf import CONSTANT, INPUT, Leaf, constant, input, parameter
from weft.graph.node import Node
from weft.graph.walk import topological
from weft.ops.record import Op


def in_float64(outputs: Sequence[Node]) -> tuple[list[Node], dict[Node, Node]]:
    """Build `outputs` anew with float64 in place of float32.

    Parameters
    ----------
    outputs : sequence of Node

    Returns
    -------
    outputs : list of Node
    twins : dict of Node to Node
        What each node of the old graph has become; itself, where nothing changed.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n",))
    >>> (y,), twins = in_float64([weft.exp(x)])
    >>> y.dtype, twins[x].shape
    (dtype('float64'), ('n',))
    """
    twins: dict[Node, Node] = {}
    for node in topological(outputs):
        if isinstance(node.op, Leaf):
            twins[node] = _leaf(node) if node.dtype == FLOAT32 else node
        else:
            assert isinstance(node.op, Op)
            params = {name: _wide(value) for name, value in node.params.items()}
            twins[node] = node.op(*(twins[i] for i in node.inputs), **params)
    return [twins[output] for output in outputs], twins


def _leaf(node: Node) -> Node:
    if node.op is CONSTANT:
        return constant(node.params["value"], FLOAT64)
    if node.op is INPUT:
        return input(node.name, node.shape, FLOAT64, node.params["simplex"])
    return parameter(node.name, node.shape, FLOAT64)


def _wide(value: Any) -> Any:
    return FLOAT64 if isinstance(value, np.dtype) and value == FLOAT32 else value
