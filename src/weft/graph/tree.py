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
    structure = _structure(tree, leaves)
    return leaves, structure


# Functions of their own, not inside others: one that calls itself from inside another
# is garbage in a circle after each call, and these are called at every step.


def _structure(part: Any, leaves: list[Any]) -> Structure:
    """Describe a part, and append its leaves."""
    if isinstance(part, dict):
        parts = tuple([_structure(v, leaves) for v in part.values()])
        return Structure(type(part), tuple(part), parts)
    if isinstance(part, (list, tuple)):
        return Structure(type(part), (), tuple([_structure(v, leaves) for v in part]))
    leaves.append(part)
    return _LEAF


def unflatten(structure: Structure, leaves: Any) -> Any:
    """Put `leaves` into the places that `structure` describes.

    Raises
    ------
    GraphError
        If there are more or fewer leaves than places.
    """
    rest = iter(leaves)
    tree = _build(structure, rest)
    if next(rest, rest) is not rest:
        raise GraphError("more leaves were given than the structure has places")
    return tree


def _build(part: Structure, rest: Iterator[Any]) -> Any:
    """Put the next leaves into the places of a part."""
    if part.kind is None:
        return _next(rest)
    values = [_build(p, rest) for p in part.parts]
    if issubclass(part.kind, dict):
        return dict(zip(part.keys, values, strict=True))
    if part.kind in (list, tuple):
        return part.kind(values)
    return part.kind(*values)


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
    _name(tree, "", found)
    return found


def _name(part: Any, way: str, found: list[str]) -> None:
    """Append the ways to the leaves of a part."""
    if isinstance(part, (dict, list, tuple)):
        pairs = part.items() if isinstance(part, dict) else enumerate(part)
        for key, child in pairs:
            _name(child, f"{way}/{key}" if way else str(key), found)
    else:
        found.append(way)
