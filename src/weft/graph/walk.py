"""Ways through a graph. Every one is iterative: depth costs memory, never a stack.

The order of `topological` is the order of Algorithm 6.1: a node stands after all its
inputs, and it is the same for equal graphs, since it follows outputs and inputs from
left to right.
"""

from collections.abc import Callable, Collection, Iterable

from weft.graph.leaf import Leaf
from weft.graph.node import Node


def topological(
    outputs: Iterable[Node], stop: Collection[Node] = frozenset()
) -> list[Node]:
    """List the nodes that `outputs` are computed from, inputs before users.

    Parameters
    ----------
    outputs : iterable of Node
    stop : collection of Node
        Nodes taken as given: they are listed, what they are computed from is not.

    Returns
    -------
    list of Node
        Each once.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ())
    >>> [node.op.name for node in topological([weft.exp(x) * x])]
    ['input', 'exp', 'multiply']
    """
    order: list[Node] = []
    seen: set[Node] = set()
    for output in outputs:
        stack: list[tuple[Node, int]] = [(output, 0)]
        while stack:
            node, at = stack.pop()
            if at == 0:
                if node in seen:
                    continue
                seen.add(node)
            inputs = () if node in stop else node.inputs
            while at < len(inputs) and inputs[at] in seen:
                at += 1
            if at < len(inputs):
                stack.append((node, at + 1))
                stack.append((inputs[at], 0))
            else:
                order.append(node)
    return order


def leaves(outputs: Iterable[Node]) -> list[Node]:
    """List the inputs, parameters and constants that `outputs` depend on.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ())
    >>> leaves([weft.exp(x)]) == [x]
    True
    """
    return [node for node in topological(outputs) if isinstance(node.op, Leaf)]


def reached_from(
    order: Iterable[Node],
    sources: Iterable[Node],
    through: Callable[[Node], bool] = lambda _: True,
) -> set[Node]:
    """Collect the nodes of `order` that depend on `sources`.

    Parameters
    ----------
    order : iterable of Node
        Inputs before users.
    sources : iterable of Node
    through : callable
        Whether dependence passes through a node.

    Returns
    -------
    set of Node
        Sources included.
    """
    reached = set(sources)
    for node in order:
        if any(i in reached for i in node.inputs) and through(node):
            reached.add(node)
    return reached


def rebuild(
    outputs: Iterable[Node],
    replacements: dict[Node, Node],
    build: Callable[[Node, tuple[Node, ...]], Node],
) -> list[Node]:
    """Build `outputs` anew, with some nodes replaced.

    Parameters
    ----------
    outputs : iterable of Node
    replacements : dict of Node to Node
        Taken instead of the nodes named; they are not looked into.
    build : callable
        ``build(node, new_inputs)`` gives the node that takes `node`'s place; it is
        called only where an input has changed.

    Returns
    -------
    list of Node
    """
    outputs = list(outputs)
    new = dict(replacements)
    for node in topological(outputs, stop=replacements):
        if node in new:
            continue
        inputs = tuple(new[i] for i in node.inputs)
        new[node] = node if inputs == node.inputs else build(node, inputs)
    return [new[output] for output in outputs]
