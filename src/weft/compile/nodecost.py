"""What a node costs: operations and bytes, before anything runs.

Each op of a record counts as one operation per element, a product as two per term, as
programs count them. Views cost nothing.
"""

from weft.compile.native.extent import Polynomial, plus, times
from weft.graph.leaf import Leaf
from weft.graph.node import Node

Extent = int | Polynomial

VIEWS = frozenset({"reshape", "broadcast_to", "transpose", "slice", "stop_gradient"})


def flops(node: Node) -> Extent:
    """Return how many operations a node takes.

    Examples
    --------
    >>> import weft
    >>> x, W = weft.input("x", ("n", 3)), weft.parameter("W", (3, 2))
    >>> str(flops(x @ W)), str(flops(weft.sum(x))), flops(x.T)
    ('12*n', '3*n', 0)
    """
    if isinstance(node.op, Leaf) or node.op.name in VIEWS:
        return 0
    if node.op.name == "matmul":
        return times(2, *node.shape, node.inputs[0].shape[-1])
    sizes = [node.shape, *(i.shape for i in node.inputs)]
    # A reduction looks at each element of its input, all else makes each of its output.
    widest = max(sizes, key=len) if len(node.inputs) == 1 else node.shape
    return times(*widest)


def moved_bytes(node: Node) -> Extent:
    """Return how many bytes a node reads and writes, when it is computed by itself.

    Examples
    --------
    >>> import weft
    >>> moved_bytes(weft.exp(weft.input("x", (10,))))
    80
    """
    if isinstance(node.op, Leaf):
        return times(*node.shape, node.dtype.itemsize)
    if node.op.name in VIEWS:
        return 0
    touched = dict.fromkeys([node, *node.inputs])
    return plus(*(times(*n.shape, n.dtype.itemsize) for n in touched))


def short(amount: Extent) -> str:
    """Write an amount in a few letters.

    Examples
    --------
    >>> from weft.graph import as_dim
    >>> short(81920), short(times(2000, as_dim("n"))), short(times(as_dim("n"), 2))
    ('81.9k', '2k·n', '2n')
    """
    if isinstance(amount, int):
        return _number(amount)
    terms = []
    for symbols, count in amount.terms:
        number = "" if count == 1 and symbols else _number(count)
        names = "·".join(symbols)
        dot = "·" if number[-1:].isalpha() and names else ""
        terms.append(f"{number}{dot}{names}")
    return " + ".join(terms[::-1]).replace("+ -", "- ")


def _number(amount: int) -> str:
    for factor, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if abs(amount) >= factor:
            return f"{amount / factor:.3g}{letter}"
    return str(amount)
