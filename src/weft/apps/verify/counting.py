"""What back-propagation costs, counted while `weft.backprop` itself runs.

The loop of Algorithm 6.2 is given the same graph and the same rules as ever; its step
counts how often it is taken, and the entries of its table how often one is added to.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import weft
from weft.apps.verify.tools import Array
from weft.differentiate import numeric
from weft.graph.node import Node
from weft.graph.walk import topological


@final
@dataclass
class Count:
    """How often each step of the algorithm was taken.

    Parameters
    ----------
    products : int
        Products of a Jacobian with a gradient: one per edge.
    additions : int
        Contributions added to a table entry that was there.
    """

    products: int = 0
    additions: int = 0


@final
@dataclass(frozen=True)
class _Entry:
    """An entry of the table that counts what is added to it."""

    value: Any
    count: Count

    def __add__(self, other: "_Entry") -> "_Entry":
        self.count.additions += 1
        return _Entry(self.value + other.value, self.count)


@contextmanager
def counting() -> Iterator[Count]:
    """Count what `weft.backprop` does, for as long as the context lasts.

    Examples
    --------
    >>> x = weft.parameter("x", (), "float64")
    >>> with counting() as count:
    ...     slope = weft.backprop(weft.sin(x) * x, x, {x: 0.0})
    >>> count, slope
    (Count(products=3, additions=1), array(0.))
    """
    count = Count()
    loop: Callable[..., Any] = vars(numeric)["accumulate"]

    def counted(
        order: Any, seeds: Mapping[Node, Any], needed: Any, step: Any, keep: Any = None
    ) -> dict[Node, Any]:
        def counted_step(i: int, ct: _Entry, node: Node) -> _Entry | None:
            count.products += 1
            part = step(i, ct.value, node)
            return None if part is None else _Entry(part, count)

        entries = {node: _Entry(ct, count) for node, ct in seeds.items()}
        table = loop(order, entries, needed, counted_step, keep)
        return {node: entry.value for node, entry in table.items()}

    vars(numeric)["accumulate"] = counted
    try:
        yield count
    finally:
        vars(numeric)["accumulate"] = loop


def counted_backprop(
    cost: Node, leaf: Node, feed: Mapping[Node, Any]
) -> tuple[Count, Array]:
    """Return what a call of `weft.backprop` costs, and the gradient that it finds."""
    with counting() as count:
        gradient = weft.backprop(cost, leaf, feed)
    return count, gradient


def written_out(outputs: Iterable[Node], op: str) -> int:
    """Count how often an op stands in expressions that share nothing.

    Examples
    --------
    >>> x = weft.parameter("x", ())
    >>> written_out([weft.sin(x) * weft.sin(x)], "sin")
    2
    """
    outputs = list(outputs)
    times: dict[Node, int] = {}
    for node in topological(outputs):
        times[node] = (node.op.name == op) + sum(times[i] for i in node.inputs)
    return sum(times[output] for output in outputs)
