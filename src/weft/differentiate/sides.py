"""One-sided derivatives: which one is taken, and where that makes a difference.

A record with a kink holds two derivatives, from the left and from the right. Wherever
both are the same, and that is almost everywhere, the choice between them is none; here
it is said where it is one. ``kink="report"`` asks for a derivative that holds on both
sides, and is refused with the places where there is none:

- numbers (`backprop`, `path_sum`): the elements that sit at a kink for the values fed;
- symbols (`grad`, `vjp`, `jvp`, ...): the nodes that have a kink at all, since a graph
  does not know yet what it will be fed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.graph.dtype import is_float
from weft.graph.errors import GraphError
from weft.graph.leaf import CONSTANT
from weft.graph.node import Node, describe
from weft.graph.origin import Origin, origin_of, place
from weft.graph.tree import flatten
from weft.graph.walk import leaves, reached_from, topological
from weft.ops.propagate import propagate, resolved
from weft.ops.record import Derivative, Op
from weft.ops.sample import Array

KINKS = ("left", "right", "report")


def check_kink(kink: str) -> None:
    """Raise GraphError unless `kink` names a side, or asks for a report."""
    if kink not in KINKS:
        raise GraphError(f"kink={kink!r} is not one of {', '.join(KINKS)}{place()}")


def derivative_of(node: Node, kink: str) -> Derivative | None:
    """Return the derivative that `node`'s op has on the side `kink`; None for none."""
    if not isinstance(node.op, Op):
        return None
    if kink == "right" and node.op.right is not None:
        return node.op.right
    return node.op.derivative


def carries(node: Node) -> bool:
    """Tell whether a derivative can flow through `node`."""
    return is_float(node.dtype) and derivative_of(node, "left") is not None


@final
@dataclass(frozen=True, eq=False)
class Kink:
    """A node whose derivative from the left differs from that from the right.

    Parameters
    ----------
    node : Node
    where : numpy.ndarray of bool, optional
        Which elements of its value sit at the kink; None where no values are known.
    left, right : numpy.ndarray, optional
        The two slopes at those elements, in the first argument in which they differ.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ())
    >>> (kink,) = weft.kinks(abs(x), {x: 0.0})
    >>> kink.node is abs(x), kink.count, float(kink.left[0]), float(kink.right[0])
    (True, 1, -1.0, 1.0)
    """

    node: Node
    where: Array | None = None
    left: Array | None = None
    right: Array | None = None

    @property
    def count(self) -> int:
        """How many elements sit at the kink."""
        return 0 if self.where is None else int(np.sum(self.where))

    @property
    def origin(self) -> Origin | None:
        """The line of the user's program that made the node."""
        return origin_of(self.node)

    def __str__(self) -> str:
        said = describe(self.node)
        if self.where is not None and self.left is not None and self.right is not None:
            slopes = f"{self.left[0]:g} from the left, {self.right[0]:g} from the right"
            said += (
                f" is at its kink in {self.count} of {self.where.size} elements "
                f"(slope {slopes})"
            )
        return f"{said} (at {self.origin})" if self.origin else said


@final
class KinkError(GraphError):
    """A derivative was asked for that holds on both sides, and there is none.

    Attributes
    ----------
    kinks : tuple of Kink

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ())
    >>> try:
    ...     weft.grad(abs(x), x, kink="report")
    ... except KinkError as error:
    ...     [kink.node.op.name for kink in error.kinks]
    ['abs']
    """

    kinks: tuple[Kink, ...] = ()


def kinks(
    outputs: Any, feed: Mapping[Node, Any] | None = None, wrt: Any = None
) -> list[Kink]:
    """Find where a derivative of `outputs` is one-sided.

    Parameters
    ----------
    outputs : Node or tree of Node
    feed : mapping of Node to array, optional
        Values of every input and parameter. Without, every node is listed that has a
        kink for some values.
    wrt : Node or tree of Node, optional
        Only on the paths from these nodes; from all inputs and parameters by default.

    Returns
    -------
    list of Kink
        In the order of evaluation.

    Raises
    ------
    FeedError
        If a value is missing or does not fit.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", (3,), "float64")
    >>> y = weft.sum(weft.maximum(x, 0))
    >>> [kink.node.op.name for kink in weft.kinks(y)]
    ['relu']
    >>> (kink,) = weft.kinks(y, {x: [-1, 0, 1]})
    >>> kink.where, kink.left, kink.right
    (array([False,  True, False]), array([0.]), array([1.]))
    """
    outs, _ = flatten(outputs)
    if wrt is None:
        sources = [leaf for leaf in leaves(outs) if leaf.op is not CONSTANT]
    else:
        sources = flatten(wrt)[0]
    fed = set(feed or ())
    order = topological(outs, stop=fed)
    path = on_path([n for n in order if n not in fed], outs, sources)
    if feed is None:
        return [Kink(node) for node in order if _may_kink(node, path)]
    values, bindings = propagate(order, feed)
    return at_kinks(order, path, values, bindings)


def on_path(
    order: Sequence[Node], outputs: Iterable[Node], sources: Iterable[Node]
) -> set[Node]:
    """Return the nodes through which a derivative of `outputs` flows to `sources`.

    Parameters
    ----------
    order : sequence of Node
        Inputs before users.
    outputs, sources : iterable of Node

    Returns
    -------
    set of Node
        Sources included.
    """
    reached = reached_from(order, sources, carries)
    live = set(outputs)
    for node in reversed(order):
        if node in live and carries(node):
            live.update(node.inputs)
    return reached & live


def _may_kink(node: Node, path: set[Node]) -> bool:
    op = node.op
    return (
        node in path
        and isinstance(op, Op)
        and (op.right is not None or op.sides is not None)
        and any(x in path for x in node.inputs)
    )


def at_kinks(
    nodes: Iterable[Node],
    path: set[Node],
    values: Mapping[Node, Any],
    bindings: Mapping[str, int],
) -> list[Kink]:
    """Return those of `nodes` that some value is at a kink of.

    Parameters
    ----------
    nodes : iterable of Node
    path : set of Node
        Those that count, as arguments too.
    values : mapping of Node to array
    bindings : mapping of str to int

    Returns
    -------
    list of Kink
    """
    found = []
    for node in nodes:
        if not _may_kink(node, path):
            continue
        for left, right in _slopes(node, path, values, bindings):
            where = left != right
            if where.any():
                found.append(Kink(node, where, left[where], right[where]))
                break
    return found


def _slopes(
    node: Node,
    path: set[Node],
    values: Mapping[Node, Any],
    bindings: Mapping[str, int],
) -> Iterable[tuple[Array, Array]]:
    """Yield both slopes in each argument, in the shape of the value."""
    op, out = node.op, values[node]
    inputs = tuple(values[x] for x in node.inputs)
    params = resolved(node.params, bindings)
    assert isinstance(op, Op)
    with np.errstate(all="ignore"):
        if op.sides is not None:
            left, right = op.sides(out, *inputs, **params)
            yield np.asarray(left, out.dtype), np.asarray(right, out.dtype)
        if op.right is None or op.derivative is None:
            return
        for i, x in enumerate(node.inputs):
            if x in path:
                ones = np.ones(np.shape(inputs[i]), x.dtype)
                tangents = tuple(ones if j == i else None for j in range(len(inputs)))
                left = op.derivative.jvp(tangents, out, inputs, params)
                right = op.right.jvp(tangents, out, inputs, params)
                yield np.asarray(left, out.dtype), np.asarray(right, out.dtype)


def refuse(found: Sequence[Kink]) -> None:
    """Raise KinkError that lists `found`, if there are any.

    Raises
    ------
    KinkError
    """
    if not found:
        return
    lines = "\n".join(f"  {kink}" for kink in found)
    error = KinkError(
        f"the derivative is one-sided{place()}:\n{lines}\n"
        'take a side with kink="left" or kink="right"'
    )
    error.kinks = tuple(found)
    raise error
