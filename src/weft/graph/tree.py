"""Trees: what functions take and give that speak of several nodes at once.

A tree is a node or array (a leaf), or a dict, list or tuple of trees. `flatten` takes
it apart into its leaves and a description of what held them; `unflatten` puts other
leaves into the same places. Dicts keep their own order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

from weft.graph.errors import GraphError


@final
@dataclass(frozen=True, slots=True)
class Structure:
    """What holds the leaves of a tree: a kind, its keys and its parts.

    Parameters
    ----------
    kind : type or None
        dict, list, tuple or a named tuple; None for a leaf.
    keys : tuple
        The keys of a dict, else empty.
    parts : tuple of Structure
        One per child.
    """

    kind: type | None
    keys: tuple[Any, ...] = ()
    parts: tuple["Structure", ...] = ()


_LEAF = Structure(None)


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """Take `tree` apart.

    Returns
    -------
    leaves : list
        From left to right.
    structure : Structure
        For `unflatten`.

    Examples
    --------
    >>> leaves, structure = flatten({"W": 1, "b": [2, 3]})
    >>> leaves
    [1, 2, 3]
    >>> unflatten(structure, "xyz")
    {'W': 'x', 'b': ['y', 'z']}
    """
    leaves: list[Any] = []

    def visit(part: Any) -> Structure:
        if isinstance(part, dict):
            parts = tuple(visit(v) for v in part.values())
            return Structure(type(part), tuple(part), parts)
        if isinstance(part, (list, tuple)):
            return Structure(type(part), (), tuple(visit(v) for v in part))
        leaves.append(part)
        return _LEAF

    structure = visit(tree)
    return leaves, structure


def unflatten(structure: Structure, leaves: Any) -> Any:
    """Put `leaves` into the places that `structure` describes.

    Raises
    ------
    GraphError
        If there are more or fewer leaves than places.
    """
    rest = iter(leaves)

    def build(part: Structure) -> Any:
        if part.kind is None:
            return _next(rest)
        if issubclass(part.kind, dict):
            return dict(zip(part.keys, map(build, part.parts), strict=True))
        values = [build(p) for p in part.parts]
        if part.kind in (list, tuple):
            return part.kind(values)
        return part.kind(*values)

    tree = build(structure)
    if next(rest, rest) is not rest:
        raise GraphError("more leaves were given than the structure has places")
    return tree


def _next(rest: Iterator[Any]) -> Any:
    for leaf in rest:
        return leaf
    raise GraphError("fewer leaves were given than the structure has places")


def tree_map(function: Callable[..., Any], *trees: Any) -> Any:
    """Apply `function` to the leaves of equally structured trees.

    Examples
    --------
    >>> tree_map(lambda a, b: a + b, {"W": 1}, {"W": 10})
    {'W': 11}
    """
    flat = [flatten(tree) for tree in trees]
    if any(structure != flat[0][1] for _, structure in flat[1:]):
        raise GraphError("the trees are not of the same structure")
    leaves = [
        function(*parts) for parts in zip(*(leaf for leaf, _ in flat), strict=True)
    ]
    return unflatten(flat[0][1], leaves)


def paths(tree: Any) -> list[str]:
    """Name every leaf of `tree` by the way to it, in the order of `flatten`.

    Examples
    --------
    >>> paths({"0": {"W": 1, "b": 2}})
    ['0/W', '0/b']
    """
    found: list[str] = []

    def visit(part: Any, way: str) -> None:
        if isinstance(part, (dict, list, tuple)):
            pairs = part.items() if isinstance(part, dict) else enumerate(part)
            for key, child in pairs:
                visit(child, f"{way}/{key}" if way else str(key))
        else:
            found.append(way)

    visit(tree, "")
    return found
