"""Other orders of the chain rule: vertices eliminated one by one, and what it costs.

Backpropagation is one way among many to apply the chain rule. Put the partial
derivative on every edge of a graph of scalars. To *eliminate* a vertex j, multiply each
edge into it with each edge out of it,

    c[i, k] += c[i, j] * c[j, k],

and drop it: (edges in) x (edges out) multiplications. Once only inputs and outputs are
left, their edges are the Jacobian, whatever the order. Eliminating from the inputs on
is forward mode, from the outputs back is reverse mode. The cheapest way to a Jacobian
is an NP-complete question (Naumann 2008), so a better order is looked for: among all of
them in small graphs, by Markowitz's rule (least product first) in large ones. (Deep
Learning, section 6.5.9.)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.differentiate.sides import carries, derivative_of, on_path
from weft.graph.errors import GraphError, ShapeError
from weft.graph.node import Node, describe
from weft.graph.origin import place
from weft.graph.tree import flatten
from weft.graph.walk import topological
from weft.ops.propagate import propagate, resolved

# All orders of so many vertices are looked at: one step per subset, not per order.
_EXHAUSTIVE = 14

Edges = dict[tuple[Node, Node], float]


@final
@dataclass(frozen=True)
class Elimination:
    """What the chain rule costs in three orders.

    Parameters
    ----------
    forward, reverse, best : int
        Multiplications from the inputs on, from the outputs back, and in `order`.
    order : tuple of Node
        The cheapest order found.
    proven : bool
        Whether every order was looked at, so that no other is cheaper.
    """

    forward: int
    reverse: int
    best: int
    order: tuple[Node, ...]
    proven: bool

    def __str__(self) -> str:
        found = "the least there is" if self.proven else "the least found"
        return (
            f"multiplications: forward {self.forward}, reverse {self.reverse}, "
            f"best {self.best} ({found})"
        )


def elimination_costs(outputs: Any, wrt: Any) -> Elimination:
    """Count the multiplications of the Jacobian of scalars in several orders.

    Parameters
    ----------
    outputs : Node or tree of Node
        Scalars, computed by scalars.
    wrt : Node or tree of Node

    Returns
    -------
    Elimination

    Raises
    ------
    ShapeError
        If a node in between is no scalar: its partial is then no number.

    Examples
    --------
    Two inputs meet in a chain of two, which parts into two outputs. Whoever begins in
    the middle has a 1 x 1 product first:

    >>> import weft
    >>> a, b = weft.input("a", ()), weft.input("b", ())
    >>> h = weft.exp(weft.tanh(a * b))
    >>> print(elimination_costs([weft.sin(h), weft.cos(h)], [a, b]))
    multiplications: forward 8, reverse 8, best 7 (the least there is)
    """
    graph = _Graph.of(outputs, wrt)
    forward, reverse = graph.between, tuple(reversed(graph.between))
    small = len(graph.between) <= _EXHAUSTIVE
    best = graph.exhaustive() if small else graph.greedy()
    costs = {order: graph.cost(order) for order in (forward, reverse, best)}
    order = min((best, reverse, forward), key=lambda one: costs[one])
    return Elimination(costs[forward], costs[reverse], costs[order], order, small)


def eliminate(
    outputs: Any, wrt: Any, feed: Mapping[Node, Any], order: Sequence[Node]
) -> tuple[np.ndarray[Any, Any], int]:
    """Compute the Jacobian of scalars by eliminating vertices in an order of one's own.

    Parameters
    ----------
    outputs : Node or tree of Node
    wrt : Node or tree of Node
    feed : mapping of Node to number
    order : sequence of Node
        Every node between, once.

    Returns
    -------
    jacobian : numpy.ndarray of shape (outputs, wrt)
    multiplications : int
        How many were made.

    Raises
    ------
    GraphError
        If the order is not of the nodes between.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", (), "float64")
    >>> h = x * x
    >>> eliminate([h * h, 3 * h], x, {x: 2.0}, [h])
    (array([[32.],
           [12.]]), 2)
    """
    graph = _Graph.of(outputs, wrt)
    if sorted(map(id, order)) != sorted(map(id, graph.between)):
        raise GraphError(
            f"the order has {len(order)} nodes, and must have each of the "
            f"{len(graph.between)} between outputs and leaves once{place()}"
        )
    edges = graph.partials(feed)
    made = 0
    for vertex in order:
        into = [(i, c) for (i, j), c in edges.items() if j is vertex]
        out = [(k, c) for (j, k), c in edges.items() if j is vertex]
        for i, before in into:
            for k, after in out:
                edges[i, k] = edges.get((i, k), 0.0) + before * after
                made += 1
        edges = {pair: c for pair, c in edges.items() if vertex not in pair}
    rows = [[graph.entry(edges, x, y) for x in graph.inputs] for y in graph.outputs]
    return np.array(rows), made


@final
@dataclass(frozen=True)
class _Graph:
    """The vertices that a derivative flows through, numbered by their place."""

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    between: tuple[Node, ...]
    order: tuple[Node, ...]
    pairs: frozenset[tuple[Node, Node]]

    @classmethod
    def of(cls, outputs: Any, wrt: Any) -> "_Graph":
        outs, inputs = flatten(outputs)[0], flatten(wrt)[0]
        order = topological(outs, stop=set(inputs))
        path = on_path(order, outs, inputs)
        for node in order:
            if node in path and node.shape != ():
                raise ShapeError(
                    f"vertices are eliminated from a graph of scalars, and "
                    f"{describe(node)} is none{place()}"
                )
        pairs = {
            (x, node)
            for node in order
            if node in path and node not in inputs and carries(node)
            for x in node.inputs
            if x in path
        }
        # An output that is used again is kept: it has a copy of its own at the end.
        ends = {*inputs, *(out for out in outs if not _used(out, pairs))}
        between = tuple(n for n in order if n in path and n not in ends)
        return cls(tuple(inputs), tuple(outs), between, tuple(order), frozenset(pairs))

    def neighbours(self) -> tuple[dict[Node, set[Any]], dict[Node, set[Any]]]:
        """Return who is before and who behind each vertex."""
        before: dict[Node, set[Any]] = {vertex: set() for vertex in self.between}
        behind: dict[Node, set[Any]] = {vertex: set() for vertex in self.between}
        for x, y in self.pairs:
            if y in before:
                before[y].add(x)
            if x in behind:
                behind[x].add(y)
        for out in self.outputs:
            if out in behind:
                behind[out].add(("copy", out))
        return before, behind

    def cost(self, order: Iterable[Node]) -> int:
        """Count the multiplications of an order."""
        before, behind = self.neighbours()
        total = 0
        for vertex in order:
            total += len(before[vertex]) * len(behind[vertex])
            _drop(vertex, before, behind)
        return total

    def greedy(self) -> tuple[Node, ...]:
        """Markowitz's rule: next the vertex that costs least now."""
        before, behind = self.neighbours()
        left, order = list(self.between), []
        while left:
            vertex = min(left, key=lambda v: len(before[v]) * len(behind[v]))
            left.remove(vertex)
            order.append(vertex)
            _drop(vertex, before, behind)
        return tuple(order)

    def exhaustive(self) -> tuple[Node, ...]:
        """Return a cheapest order of all, set by set.

        What is left after a set of vertices does not depend on the order in which they
        went, so the cheapest order of a set extends those of its subsets: 2**n steps
        instead of n! (Bellman 1962, Held and Karp 1962).
        """
        vertices = self.between
        best: dict[int, tuple[int, tuple[Node, ...]]] = {0: (0, ())}
        for gone in range(1 << len(vertices)):
            cost, order = best.pop(gone)
            left = [i for i in range(len(vertices)) if not gone >> i & 1]
            if not left:
                return order
            before, behind = self.neighbours()
            for vertex in order:
                _drop(vertex, before, behind)
            for i in left:
                vertex = vertices[i]
                total = cost + len(before[vertex]) * len(behind[vertex])
                key = gone | 1 << i
                if key not in best or total < best[key][0]:
                    best[key] = total, (*order, vertex)
        return ()

    def partials(self, feed: Mapping[Node, Any]) -> dict[tuple[Any, Any], float]:
        """Return the derivative on every edge, at the point of `feed`."""
        values, bindings = propagate(self.order, feed)
        edges: dict[tuple[Any, Any], float] = {}
        with np.errstate(all="ignore"):
            for node in self.order:
                derivative = derivative_of(node, "left")
                if derivative is None or node in self.inputs:
                    continue
                inputs = tuple(values[x] for x in node.inputs)
                params = resolved(node.params, bindings)
                one = np.ones((), node.dtype)
                for i, x in enumerate(node.inputs):
                    if (x, node) in self.pairs:
                        part = derivative.vjp(i, one, values[node], inputs, params)
                        known = edges.get((x, node), 0.0)
                        edges[x, node] = known + (0.0 if part is None else float(part))
        for out in self.outputs:
            if out in self.between:
                edges[out, ("copy", out)] = 1.0
        return edges

    def entry(self, edges: Mapping[Any, float], x: Node, y: Node) -> float:
        """Return one entry of the Jacobian from what is left."""
        if x is y:
            return 1.0
        return edges.get((x, ("copy", y) if y in self.between else y), 0.0)


def _used(out: Node, pairs: Iterable[tuple[Node, Node]]) -> bool:
    return any(x is out for x, _ in pairs)


def _drop(
    vertex: Node, before: dict[Node, set[Any]], behind: dict[Node, set[Any]]
) -> None:
    """Join what is before a vertex with what is behind it, and take it out."""
    for x in before[vertex]:
        if x in behind:
            behind[x].discard(vertex)
            behind[x] |= behind[vertex]
    for y in behind[vertex]:
        if y in before:
            before[y].discard(vertex)
            before[y] |= before[vertex]
