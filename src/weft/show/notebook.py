"""How a notebook shows a node: as a formula, a drawing, or in one line.

A formula says most as long as it can be taken in at a glance; then a drawing does; and
what is too large for either is shown as what ``repr`` says.
"""

from itertools import islice

from weft.graph.latex import latex
from weft.graph.node import Node, define_methods
from weft.show.drawing import draw

# Nodes of the largest formula and of the largest drawing.
_FORMULA, _DRAWING = 24, 150


def _size(node: Node) -> int:
    """Count the nodes of a graph, at most one more than a drawing has."""
    seen = {node}
    new = [node]
    while new and len(seen) <= _DRAWING:
        new = [
            i for i in dict.fromkeys(j for n in new for j in n.inputs) if i not in seen
        ]
        seen.update(islice(new, _DRAWING + 1))
    return len(seen)


def repr_latex(node: Node) -> str | None:
    """Return a node as a formula, if it is short enough."""
    return f"$\\displaystyle {latex(node)}$" if _size(node) <= _FORMULA else None


def repr_svg(node: Node) -> str | None:
    """Return a node as a drawing, if it is too long for a formula."""
    return draw(node).svg if _FORMULA < _size(node) <= _DRAWING else None


define_methods(repr_latex=repr_latex, repr_svg=repr_svg)
