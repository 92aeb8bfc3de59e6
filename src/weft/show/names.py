"""Names for the nodes inside a graph, so that each can be spoken of."""

from collections.abc import Iterable

from weft.graph.latex import symbol
from weft.graph.node import Node

# What mathematics does not write, and what therefore has the name of its input.
SILENT = frozenset({"reshape", "broadcast_to", "cast"})


def named(order: Iterable[Node], cost: Node) -> dict[Node, str]:
    """Name nodes: leaves as they are, the cost J, what is between u1, u2, ...

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
    """
    order = list(order)
    taken = {node.name for node in order}
    names: dict[Node, str] = {}
    free = (f"u{i}" for i in range(1, 2 * len(order) + 2) if f"u{i}" not in taken)
    for node in order:
        if node.name:
            names[node] = node.name
        elif node is cost:
            names[node] = next(n for n in ("J", "cost", "J_") if n not in taken)
        elif node.op.name in SILENT and node.inputs[0] in names:
            names[node] = names[node.inputs[0]]
        else:
            names[node] = next(free)
    return names


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
