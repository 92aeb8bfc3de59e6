"""A graph as a picture: every node once, its gradient beside it.

The graph is on the left and runs down from its inputs to its outputs. The derivative
graph that `weft.grad` adds is on the right and runs up again, as back-propagation does;
dashed arrows show where it uses what forward propagation has computed (book, figure
6.10). What mathematics does not write (a reshape, a repetition, another type) is passed
over, and a number is written into the node that it is an argument of.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from weft.compile.nodecost import flops, moved_bytes, short
from weft.differentiate import grad
from weft.graph.errors import GraphError
from weft.graph.leaf import CONSTANT, INPUT, Leaf
from weft.graph.node import Node, describe
from weft.graph.text import text
from weft.graph.tree import flatten, paths
from weft.graph.walk import topological
from weft.show.diagram import LEFT, RIGHT, Arrow, Box, Diagram
from weft.show.picture import Picture
from weft.show.place import picture_of

_PASSED_OVER = frozenset({"reshape", "broadcast_to", "cast", "transpose"})
_TIPS = 60  # boxes, above which a tip does not repeat the whole formula


@runtime_checkable
class Drawable(Protocol):
    """What draws itself, a network for instance."""

    def picture(self, **options: Any) -> Picture:
        """Return a picture."""


def draw(
    nodes: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    wrt: Any = None,
    derivatives: Any = None,
    costs: bool = True,
    views: bool = False,
    engine: str = "auto",
    limit: int = 300,
    **options: Any,
) -> Picture:
    """Draw a graph, and its derivative beside it.

    Parameters
    ----------
    nodes : Node, tree of Node, or something that draws itself
        A network, for instance; then the other arguments are those of its ``picture``.
    path : path, optional
        Ending in ``.svg``, ``.png`` or ``.pdf``: where to write it.
    wrt : Node or tree of Node, optional
        The gradient of `nodes`, one scalar, with respect to these is drawn as well.
    derivatives : Node or tree of Node, optional
        Nodes to draw beside the graph: what they need beyond it.
    costs : bool
        Whether to write operations and bytes on the nodes.
    views : bool
        Whether to draw reshapes, repetitions and casts as well.
    engine : {"auto", "dot", "own"}
        Who finds the places: Graphviz, if it is installed, or weft.
    limit : int
        The most nodes to draw.
    **options
        For what draws itself.

    Returns
    -------
    Picture
        Shown by notebooks; ``.svg`` is the text, ``.save(path)`` writes it.

    Raises
    ------
    GraphError
        If there are more nodes than `limit`, or the ending of the path is unknown.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n",))
    >>> picture = weft.draw(weft.sum(weft.tanh(x)), wrt=x)
    >>> picture.count("node"), picture.count("edge")
    (6, 5)
    """
    if isinstance(nodes, Drawable):
        picture = nodes.picture(**options)
    else:
        if options:
            raise GraphError(f"draw has no option {', '.join(options)} for nodes")
        diagram = diagram_of(nodes, wrt, derivatives, costs, views, limit)
        picture = picture_of(diagram, "a graph", engine)
    if path is not None:
        picture.save(path)
    return picture


def diagram_of(
    nodes: Any,
    wrt: Any = None,
    derivatives: Any = None,
    costs: bool = True,
    views: bool = False,
    limit: int = 300,
) -> Diagram:
    """Return what `draw` draws, before it has places.

    Parameters
    ----------
    nodes, wrt, derivatives, costs, views, limit
        As in `draw`.

    Returns
    -------
    Diagram
    """
    outputs, _ = flatten(nodes)
    for node in outputs:
        if not isinstance(node, Node):
            raise GraphError(f"{node!r} is no node: give nodes, or a network, to draw")
    marks: dict[Node, list[str]] = {}
    if wrt is not None:
        if len(outputs) != 1:
            raise GraphError("wrt= is for the gradient of one node: give one to draw")
        for leaf, gradient in zip(*_gradients(outputs[0], wrt), strict=True):
            called = leaf.name or leaf.op.name
            marks.setdefault(gradient, []).append(f"gradient for {called}")
    if derivatives is not None:
        found, _ = flatten(derivatives)
        for place, node in zip(paths(derivatives), found, strict=True):
            marks.setdefault(node, []).append(place and f"derivative {place}")
    forward = topological(outputs)
    behind = set(forward)
    backward = [n for n in topological(marks, stop=behind) if n not in behind]
    ends = {*outputs, *marks}
    shown = _shown(forward + backward, ends, views)
    if len(shown) > limit:
        raise GraphError(
            f"the graph has {len(shown)} nodes to draw, more than limit={limit}: draw "
            "some nodes inside it, or give a higher limit"
        )
    number = {node: i for i, node in enumerate(shown)}
    arrows = [
        (source, node)
        for node in shown
        for source in dict.fromkeys(_through(i, shown) for i in node.inputs)
        if source in number
    ]
    rows = _rows(shown, arrows, behind) if backward else {}
    boxes = []
    for node in shown:
        lines = [_title(node, shown), _shape(node), *filter(None, marks.get(node, ()))]
        if costs and not isinstance(node.op, Leaf):
            lines.insert(2, f"{short(flops(node))} flop, {short(moved_bytes(node))} B")
        tip = describe(node) + ("" if len(shown) > _TIPS else f"\n{text(node)}")
        style = _style(node, node in behind, node in outputs, node in marks)
        lane = LEFT if node in behind else RIGHT
        boxes.append(Box(tuple(lines), style, tip, rows.get(node), lane))
    styles = [
        "plain" if b in behind else "across" if a in behind else "derivative"
        for a, b in arrows
    ]
    return Diagram(
        tuple(boxes),
        tuple(
            Arrow(number[a], number[b], style)
            for (a, b), style in zip(arrows, styles, strict=True)
        ),
        ("forward", "derivative") if backward else (),
    )


def _gradients(cost: Node, wrt: Any) -> tuple[list[Node], list[Node]]:
    leaves, _ = flatten(wrt)
    gradients, _ = flatten(grad(cost, wrt))
    return leaves, gradients


def _shown(order: Sequence[Node], ends: set[Node], views: bool) -> dict[Node, None]:
    """Return what gets a box."""
    kept: dict[Node, None] = {}
    used = {i for node in order for i in node.inputs}
    for node in order:
        passed = not views and node.op.name in _PASSED_OVER
        number = _number(node) is not None and node in used
        if node in ends or not (passed or number):
            kept[node] = None
    return kept


def _through(node: Node, shown: Mapping[Node, None]) -> Node:
    """Return the node with a box that stands for a node without one."""
    while node not in shown and node.op.name in _PASSED_OVER:
        (node,) = node.inputs
    return node


def _number(node: Node) -> str | None:
    """Return a constant that is one number as text, whatever its shape has become."""
    while node.op.name in _PASSED_OVER:
        (node,) = node.inputs
    if node.op is not CONSTANT or node.params["value"].size != 1:
        return None
    value = node.params["value"].reshape(())[()]
    return f"{value:.4g}" if isinstance(value, np.floating) else str(value)


def _slot(node: Node, shown: Mapping[Node, None]) -> str:
    """Return what stands for an input in a title: a dot, or the number that it is."""
    turned = False
    number = _number(node)
    while node not in shown and node.op.name in _PASSED_OVER:
        turned ^= node.op.name == "transpose"
        (node,) = node.inputs
    if node not in shown and number is not None:
        return number
    return "·ᵀ" if turned else "·"


def _title(node: Node, shown: Mapping[Node, None]) -> str:
    if node.op is CONSTANT:
        return _number(node) or "constant"
    if isinstance(node.op, Leaf):
        return node.name
    inputs = [_slot(i, shown) for i in node.inputs]
    template = node.op.text
    plain = all(word == "·" for word in inputs)
    if template and not plain:
        title = template.format(*inputs, **node.params)
        if title.startswith("(") and title.endswith(")"):
            title = title[1:-1]
        return title.replace(" * ", " × ").replace("**2", "²").replace("-", "−")
    if len(inputs) == 1 and inputs != ["·"] and not template:
        return f"{node.op.name}({inputs[0]})"
    axis = node.params.get("axis")
    axes = axis if isinstance(axis, tuple) else () if axis is None else (axis,)
    told = bool(axes) and len(axes) < node.inputs[0].ndim
    name = node.op.name if plain else f"{node.op.name}({', '.join(inputs)})"
    return f"{name} axis {', '.join(map(str, axes))}" if told else name


def _shape(node: Node) -> str:
    comma = "," if len(node.shape) == 1 else ""
    return f"({', '.join(map(str, node.shape))}{comma})" if node.shape else "scalar"


def _style(node: Node, forward: bool, output: bool, gradient: bool) -> str:
    if node.op is CONSTANT:
        return "constant"
    if isinstance(node.op, Leaf):
        return "input" if node.op is INPUT else "parameter"
    if forward:
        return "output" if output else "forward"
    return "gradient" if gradient else "derivative"


def _rows(
    shown: Mapping[Node, None],
    arrows: Sequence[tuple[Node, Node]],
    forward: set[Node],
) -> dict[Node, int]:
    """Return rows for a graph and its derivative.

    The graph has the even rows, its derivative the odd ones, so that no arrow from one
    to the other runs along a row. A derivative node stands just below what it uses of
    the graph, or higher, above the derivative nodes that it uses.
    """
    rows: dict[Node, int] = {}
    uses: dict[Node, list[Node]] = {node: [] for node in shown}
    used_by: dict[Node, list[Node]] = {node: [] for node in shown}
    for source, target in arrows:
        uses[target].append(source)
        used_by[source].append(target)
    for node in shown:
        if node in forward:
            rows[node] = max((rows[i] + 2 for i in uses[node]), default=0)
    for node in shown:
        if node in forward and not uses[node]:
            after = [rows[j] for j in used_by[node] if j in forward]
            rows[node] = min(after, default=2) - 2
    lowest = max(rows.values(), default=0)
    for node in shown:
        if node not in forward:
            beside = [rows[i] + 1 for i in uses[node] if i in forward]
            above = [rows[i] - 2 for i in uses[node] if i not in forward]
            rows[node] = min([max(beside, default=lowest + 1), *above])
    return rows
