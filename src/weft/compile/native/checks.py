"""What only the sizes of a run can tell: whether every step has what it asks for.

The reference finds out as it goes, since NumPy refuses. A kernel reads what it is told
to, so sizes are looked at once, before the first kernel runs on them.
"""

from collections.abc import Iterable, Mapping
from math import prod

from weft.graph.dim import Dim, Shape, resolve
from weft.graph.errors import FeedError
from weft.graph.node import Node, describe
from weft.graph.origin import origin_of
from weft.ops.structure import slices

_EXTREMES = frozenset({"max", "min", "argmax"})


def depending_on_sizes(nodes: Iterable[Node]) -> list[Node]:
    """Return the nodes that some sizes may not suit.

    Parameters
    ----------
    nodes : iterable of Node

    Returns
    -------
    list of Node
    """
    return [
        node
        for node in nodes
        if any(isinstance(size, Dim) for x in (node, *node.inputs) for size in x.shape)
    ]


def check_sizes(nodes: Iterable[Node], bindings: Mapping[str, int]) -> None:
    """Raise FeedError if a node cannot be computed with such sizes.

    Parameters
    ----------
    nodes : iterable of Node
    bindings : mapping of str to int
        The values of the symbols.

    Raises
    ------
    FeedError
        If a length would be negative or is not known, a slice is not inside its axis, a
        reshape would change the number of elements, or there is no largest value.
    """

    def lengths(shape: Shape) -> tuple[int, ...]:
        return tuple(resolve(size, bindings) for size in shape)

    for node in nodes:
        try:
            shape = lengths(node.shape)
            match node.op.name:
                case "slice" | "embed":
                    given = node.params["pieces"]
                    pieces = [tuple(resolve(p, bindings) for p in g) for g in given]
                    whole = node.inputs[0] if node.op.name == "slice" else node
                    slices(pieces, lengths(whole.shape))  # type: ignore[arg-type]
                case "reshape":
                    before = lengths(node.inputs[0].shape)
                    if prod(before) != prod(shape):
                        raise FeedError(
                            f"cannot reshape {before} into shape {shape}: they do not "
                            "have equally many elements"
                        )
                case name if name in _EXTREMES:
                    before, axes = lengths(node.inputs[0].shape), node.params["axis"]
                    along = (axes,) if isinstance(axes, int) else axes
                    if any(before[a] == 0 for a in along):
                        raise FeedError(f"there is no {name} over no elements")
        except FeedError as error:
            origin = origin_of(node)
            place = f" (at {origin})" if origin else ""
            raise FeedError(f"{describe(node)}: {error}{place}") from None
