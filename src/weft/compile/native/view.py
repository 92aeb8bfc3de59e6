"""Where the values of a node lie: strides over a buffer, or axes of another node.

Transposing, broadcasting, slicing and most reshaping move nothing. `strided` expresses
such a node by strides over the buffer of the node it comes from. `peeled` goes through
those that only rename axes, so that what is behind them can be computed in place.
"""

from dataclasses import dataclass
from typing import final

from weft.compile.native.extent import Polynomial, plus, times
from weft.graph.dim import Shape, Size
from weft.graph.node import Node

Extent = int | Polynomial

# For each axis of a node: which axis of something else it runs along, or None where it
# has but one position.
Mapping = tuple[int | None, ...]

VIEWS = frozenset({"transpose", "broadcast_to", "reshape", "slice"})


@final
@dataclass(frozen=True)
class View:
    """A node as a part of the buffer of another.

    Parameters
    ----------
    base : Node
        Whose buffer it is.
    strides : tuple of extent
        In elements, by axis of the node.
    offset : extent
        Of the first element.
    """

    base: Node
    strides: tuple[Extent, ...]
    offset: Extent = 0


def row_major(shape: Shape) -> tuple[Extent, ...]:
    """Return the strides of values that lie one after the other.

    Examples
    --------
    >>> row_major((2, 3, 4))
    (12, 4, 1)
    """
    strides: list[Extent] = []
    step: Extent = 1
    for size in reversed(shape):
        strides.append(step)
        step = times(step, size)
    return tuple(reversed(strides))


def strided(node: Node) -> View | None:
    """Express a node by strides over the buffer of what it is a view of.

    Parameters
    ----------
    node : Node

    Returns
    -------
    View or None
        None if its values have to be copied first: a reshape of values that do not lie
        one after the other.
    """
    chain: list[Node] = []
    while node.op.name in VIEWS:
        chain.append(node)
        node = node.inputs[0]
    view = View(node, row_major(node.shape))
    for step in reversed(chain):
        found = _through(step, view)
        if found is None:
            return None
        view = found
    return view


def _through(node: Node, view: View) -> View | None:
    """Return `node` as a view, given its input as one."""
    inner = node.inputs[0].shape
    strides = view.strides
    match node.op.name:
        case "transpose":
            return View(
                view.base, tuple(strides[a] for a in node.params["axes"]), view.offset
            )
        case "broadcast_to":
            lead = len(node.shape) - len(inner)
            kept = (
                0 if size == 1 and node.shape[lead + a] != 1 else strides[a]
                for a, size in enumerate(inner)
            )
            return View(view.base, (0,) * lead + tuple(kept), view.offset)
        case "slice":
            pieces = node.params["pieces"]
            moved = (
                times(start, stride)
                for (start, _, _), stride in zip(pieces, strides, strict=True)
            )
            steps = tuple(
                times(step, stride)
                for (_, _, step), stride in zip(pieces, strides, strict=True)
            )
            return View(view.base, steps, plus(view.offset, *moved))
    same = _renamed(inner, node.shape)
    if same is not None:
        return View(
            view.base,
            tuple(0 if a is None else strides[a] for a in same),
            view.offset,
        )
    if _contiguous(inner, strides):
        return View(view.base, row_major(node.shape), view.offset)
    return None


def _contiguous(shape: Shape, strides: tuple[Extent, ...]) -> bool:
    return all(
        size == 1 or stride == wanted
        for size, stride, wanted in zip(shape, strides, row_major(shape), strict=True)
    )


def _renamed(old: Shape, new: Shape) -> Mapping | None:
    """Return which axis of `old` each axis of `new` is, if only axes of 1 differ."""
    kept = [a for a, size in enumerate(old) if size != 1]
    if [old[a] for a in kept] != [size for size in new if size != 1]:
        return None
    following = iter(kept)
    return tuple(None if size == 1 else next(following) for size in new)


def broadcast_mapping(node: Node, shape: Shape, mapping: Mapping) -> Mapping:
    """Return what the axes of an operand run along, given those of the result.

    Parameters
    ----------
    node : Node
        The operand, broadcast by NumPy's rule.
    shape : tuple
        Of the result.
    mapping : tuple of int or None
        What the axes of the result run along.
    """
    lead = len(shape) - len(node.shape)
    return tuple(
        None if size == 1 else mapping[lead + a] for a, size in enumerate(node.shape)
    )


def peeled(node: Node, mapping: Mapping) -> tuple[Node, Mapping]:
    """Go through views that only rename, add or repeat axes.

    Parameters
    ----------
    node : Node
    mapping : tuple of int or None
        What its axes run along.

    Returns
    -------
    node : Node
        The first that is no such view.
    mapping : tuple of int or None
        What its axes run along.
    """
    while True:
        inner = _peel(node, mapping)
        if inner is None:
            return node, mapping
        node, mapping = inner


def _peel(node: Node, mapping: Mapping) -> tuple[Node, Mapping] | None:
    if node.op.name not in VIEWS:
        return None
    (x,) = node.inputs
    match node.op.name:
        case "transpose":
            found: list[int | None] = [None] * len(mapping)
            for a, source in enumerate(node.params["axes"]):
                found[source] = mapping[a]
            return x, tuple(found)
        case "broadcast_to":
            return x, broadcast_mapping(x, node.shape, mapping)
        case "reshape":
            same = _renamed(x.shape, node.shape)
            if same is None:
                return None
            inner: list[int | None] = [None] * len(x.shape)
            for a, source in enumerate(same):
                if source is not None:
                    inner[source] = mapping[a]
            return x, tuple(inner)
    return None


def nonunit(shape: Shape) -> tuple[Size, ...]:
    """Return the dimensions that are not always 1."""
    return tuple(size for size in shape if size != 1)


def identity(shape: Shape) -> Mapping:
    """Return the mapping of a node's axes to the dimensions of its own space."""
    dims = iter(range(len(shape)))
    return tuple(None if size == 1 else next(dims) for size in shape)
