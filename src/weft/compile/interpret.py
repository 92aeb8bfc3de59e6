"""The reference interpreter: NumPy, one op at a time, always there.

A `Tape` is a graph laid out once as a list of instructions over numbered slots, each
with the slots that die behind it. Running it is Algorithm 6.1 with nothing left to look
up: it never rewrites and never works in place, so it is what any other engine's result
is compared with.
"""

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np

from weft.graph.errors import FeedError
from weft.graph.leaf import CONSTANT
from weft.graph.node import Node, describe
from weft.graph.origin import origin_of
from weft.graph.tree import flatten, unflatten
from weft.graph.walk import topological
from weft.ops.propagate import bind_feed, check_fed, fitted, resolved
from weft.ops.record import Op
from weft.ops.sample import Array

# How many sets of symbol values a tape keeps its parameters for: a full batch, a last
# partial one, a validation batch and its last partial one, and some to spare.
_REMEMBERED = 8


@final
class Tape:
    """A graph laid out for running.

    Parameters
    ----------
    outputs : sequence of Node
    given : collection of Node
        Nodes whose values will be supplied; what they are computed from is left out.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", (2,), "float64")
    >>> tape = Tape([weft.exp(x)], [x])
    >>> tape.run({x: np.zeros(2)}, {})
    [array([1., 1.])]
    """

    def __init__(self, outputs: Sequence[Node], given: Sequence[Node]) -> None:
        order = topological(outputs, stop=set(given))
        check_fed(order, dict.fromkeys(given))
        slot = {node: i for i, node in enumerate(order)}
        supplied = set(given)
        self._given = [(node, slot[node]) for node in given if node in slot]
        self._constants: list[Any] = [
            node.params["value"] if node.op is CONSTANT else None for node in order
        ]
        self._nodes = [n for n in order if n not in supplied and n.op is not CONSTANT]
        self._outputs = [slot[node] for node in outputs]
        last = {i: node for node in self._nodes for i in node.inputs}
        dying: dict[Node, list[int]] = {}
        kept = set(outputs)
        for x, node in last.items():
            if x not in kept and x.op is not CONSTANT:
                dying.setdefault(node, []).append(slot[x])
        self._code = []
        for node in self._nodes:
            assert isinstance(node.op, Op)
            inputs = tuple(slot[i] for i in node.inputs)
            self._code.append(
                (node.op.forward, inputs, slot[node], tuple(dying.get(node, ())))
            )
        self._params: dict[tuple[tuple[str, int], ...], list[dict[str, Any]]] = {}

    def run(
        self, values: Mapping[Node, Array], bindings: Mapping[str, int]
    ) -> list[Any]:
        """Compute the outputs.

        Parameters
        ----------
        values : mapping of Node to array
            Of every node in `given`, in its type and shape.
        bindings : mapping of str to int
            The values of the symbolic dimensions.

        Returns
        -------
        list of array
            May be views of one another or of `values`.
        """
        params = self._params_for(bindings)
        slots = list(self._constants)
        for node, at in self._given:
            slots[at] = values[node]
        at = 0
        try:
            with np.errstate(all="ignore"):
                for at, (forward, inputs, out, dead) in enumerate(self._code):
                    slots[out] = forward(*[slots[i] for i in inputs], **params[at])
                    for i in dead:
                        slots[i] = None
        except (ValueError, IndexError, FeedError) as error:
            node = self._nodes[at]
            where = origin_of(node)
            place = f" (at {where})" if where else ""
            raise FeedError(f"{describe(node)}: {error}{place}") from None
        return [slots[i] for i in self._outputs]

    def _params_for(self, bindings: Mapping[str, int]) -> list[dict[str, Any]]:
        key = tuple(bindings.items())
        params = self._params.get(key)
        if params is None:
            params = [resolved(node.params, bindings) for node in self._nodes]
            # Replaced and not changed: several threads may run one tape at a time.
            kept = list(self._params.items())[1 - _REMEMBERED :]
            self._params = {**dict(kept), key: params}
        return params


def evaluate(outputs: Any, feed: Mapping[Node, Any] | None = None) -> Any:
    """Compute the values of nodes (forward propagation, Algorithm 6.1).

    Parameters
    ----------
    outputs : Node or tree of Node
    feed : mapping of Node to array
        Values of the inputs and parameters that `outputs` depend on; an interior node
        that is fed is not computed.

    Returns
    -------
    array or tree of arrays like `outputs`

    Raises
    ------
    FeedError
        If a value is missing, does not fit its node, or contradicts another.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n",), "float64")
    >>> weft.evaluate({"double": 2 * x}, {x: [1.0, 2.0]})
    {'double': array([2., 4.])}
    """
    nodes, structure = flatten(outputs)
    for node in nodes:
        if not isinstance(node, Node):
            raise FeedError(f"{node!r} is no node and has no value")
    for node in feed or {}:
        if not isinstance(node, Node):
            raise FeedError(f"values are fed to nodes, not to {node!r}: {{x: ...}}")
    values = {node: fitted(node, value) for node, value in (feed or {}).items()}
    bindings = bind_feed(list(values), list(values.values()))
    found = Tape(nodes, list(values)).run(values, bindings)
    return unflatten(structure, [np.asarray(value) for value in found])
