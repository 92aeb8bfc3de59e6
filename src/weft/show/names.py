"""Names for the nodes inside a graph, so that each can be spoken of."""

from collections.abc import Iterable, Iterator
from itertools import chain, count

from weft.graph.latex import symbol
from weft.graph.node import Node

# What mathematics does not write, and what therefore has the name of its input.
SILENT = frozenset({"reshape", "broadcast_to", "cast"})


def named(order: Iterable[Node], cost: Node) -> dict[Node, str]:
    """Name nodes: leaves as they are, the cost J, what is between u1, u2, ...

    No two have one name, but for views of what they view: further leaves of a name are
    numbered, and so is the cost if leaves are called J and cost.

    Parameters
    ----------
    order : iterable of Node
        Inputs before users.
    cost : Node

    Returns
    -------
    dict of Node to str

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ())
    >>> order = weft.topological([weft.exp(weft.sin(x))])
    >>> list(named(order, order[-1]).values())
    ['x', 'u1', 'J']
    >>> order = weft.topological([x * weft.parameter("x", ())])
    >>> list(named(order, order[-1]).values())
    ['x', 'x_2', 'J']
    """
    order = list(order)
    taken = {node.name for node in order if node.name}
    between = _free((f"u{i}" for i in count(1)), taken)
    names: dict[Node, str] = {}
    met: set[str] = set()
    for node in order:
        if node.name in met:
            numbered = (f"{node.name}_{i}" for i in count(2))
            names[node] = next(_free(numbered, taken))
        elif node.name:
            names[node] = node.name
            met.add(node.name)
        elif node is cost:
            whole = chain(("J", "cost"), (f"J_{i}" for i in count(2)))
            names[node] = next(_free(whole, taken))
        elif node.op.name in SILENT and node.inputs[0] in names:
            names[node] = names[node.inputs[0]]
        else:
            names[node] = next(between)
    return names


def _free(wanted: Iterable[str], taken: set[str]) -> Iterator[str]:
    """Yield the names that are not taken, and take them."""
    for name in wanted:
        if name not in taken:
            taken.add(name)
            yield name


def as_symbol(name: str) -> str:
    """Return a name of `named` as LaTeX.

    Examples
    --------
    >>> as_symbol("u12"), as_symbol("1/W")
    ('u_{12}', 'W_{1}')
    """
    return (
        f"u_{{{name[1:]}}}" if name[:1] == "u" and name[1:].isdigit() else symbol(name)
    )
