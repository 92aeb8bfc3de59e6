"""What a graph costs, before anything is run.

Counted is what a program of it would do: its kernels, over shapes alone. So a value
that is never written to memory costs no bytes, and what dies makes room.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from weft.compile.profile import count
from weft.graph.dim import Dim
from weft.graph.errors import FeedError, GraphError
from weft.graph.leaf import INPUT, PARAMETER
from weft.graph.node import Node
from weft.graph.tree import flatten
from weft.graph.walk import topological
from weft.rewrite import fast


@final
@dataclass(frozen=True)
class Cost:
    """What computing some nodes once comes to.

    Parameters
    ----------
    nodes, edges : int
        Of the graph as it is given.
    flops : int
        Operations on numbers: two per multiply-and-add of a product, one per element
        for any other op.
    bytes : int
        Read and written by all kernels, each buffer once per kernel.
    peak_bytes : int
        The most that values take at one time, outputs among them; inputs, parameters
        and constants lie beside. A program takes a little more, and ``memory=`` of
        `weft.compile` counts that too: gaps between values of different sizes, copies
        of inputs of at most 4096 bytes and of the rows that a run gathers, and where
        there are products room for their tiles, which depends on the machine. So this
        may be too little for a budget, by as much; ``program.saving.without`` is not.

    Examples
    --------
    >>> print(Cost(3, 2, 1500, 24000, 800))
    3 nodes, 2 edges: 1.5 kflop, 24 kB moved, at most 800 B at one time
    """

    nodes: int
    edges: int
    flops: int
    bytes: int
    peak_bytes: int

    def __str__(self) -> str:
        flops, moved, most = (
            _amount(n) for n in (self.flops, self.bytes, self.peak_bytes)
        )
        return (
            f"{self.nodes} nodes, {self.edges} edges: {flops}flop, {moved}B moved, "
            f"at most {most}B at one time"
        )


def cost(outputs: Any, /, **sizes: int) -> Cost:
    """Say what computing nodes costs, before running anything.

    Parameters
    ----------
    outputs : Node or tree of Node
    **sizes : int
        The value of each symbolic dimension.

    Returns
    -------
    Cost

    Raises
    ------
    GraphError
        If an output is no node.
    FeedError
        If a symbolic dimension has no value, or there is no such dimension.

    Examples
    --------
    >>> import weft
    >>> x, W = weft.input("x", ("n", 20)), weft.parameter("W", (20, 30))
    >>> found = weft.cost(weft.tanh(x @ W), n=100)
    >>> found.nodes, found.edges, found.flops, found.peak_bytes
    (4, 3, 123000, 12032)
    """
    # The native engine takes a while to load: only where it is used.
    from weft.compile.native.arena import occupied
    from weft.compile.native.extent import value
    from weft.compile.native.lower import lower
    from weft.compile.native.show import flops, moved_bytes

    nodes, _ = flatten(outputs)
    for node in nodes:
        if not isinstance(node, Node):
            raise GraphError(f"{node!r} is no node and costs nothing")
    order = topological(nodes)
    _check(order, sizes)
    leaves = {kind: [n for n in order if n.op is kind] for kind in (INPUT, PARAMETER)}
    form = lower(leaves[INPUT], fast(nodes), {}, leaves[PARAMETER])
    return Cost(
        len(order),
        sum(len(node.inputs) for node in order),
        sum(value(flops(step), sizes) for step in form.steps),
        sum(value(moved_bytes(step), sizes) for step in form.steps),
        occupied(form, sizes),
    )


def _check(order: list[Node], sizes: Mapping[str, int]) -> None:
    """Raise FeedError if the sizes are not those of the graph's symbols."""
    symbols = {
        symbol: None
        for node in order
        for size in node.shape
        if isinstance(size, Dim)
        for symbol in size.symbols
    }
    missing = [name for name in symbols if name not in sizes]
    if missing:
        given = ", ".join(f"{name}=..." for name in missing)
        raise FeedError(f"the cost depends on sizes that are not given: add {given}")
    unknown = [name for name in sizes if name not in symbols]
    if unknown:
        known = ", ".join(symbols) or "none"
        raise FeedError(
            f"the graph has no symbolic dimension {unknown[0]!r}: it has {known}"
        )
    for name, size in sizes.items():
        if size < 0:
            raise FeedError(f"{name}={size!r} is no size: give 0 or more")


def _amount(number: int) -> str:
    return count(number) if number >= 1000 else f"{number} "
