"""A network as a picture, in the two styles of the book's figure 6.2.

With ``"layers"``, a node is a whole layer, and what it computes is written in it. With
``"neurons"``, every unit is a circle, and every weight an arrow; of a wide layer a few
units stand for all.
"""

import math
from itertools import pairwise
from typing import Any

from weft.graph.errors import GraphError, ShapeError
from weft.graph.html import table
from weft.graph.tree import flatten
from weft.nn.layer import Parameter
from weft.show.diagram import Arrow, Box, Diagram
from weft.show.picture import Group, Label, Line, Picture, Rectangle, note
from weft.show.place import picture_of
from weft.show.style import GREY, INK, STYLES

_APART, _COLUMN, _CIRCLE, _MARGIN = 48.0, 150.0, 36.0, 24.0


def picture(
    network: Any, in_features: int | None = None, style: str = "layers", units: int = 8
) -> Picture:
    """Draw a network.

    Parameters
    ----------
    network : Network
    in_features : int, optional
        Needed for ``style="neurons"``; with layers, sizes are told if it is given.
    style : {"layers", "neurons"}
    units : int
        The most units of a layer to draw one by one.

    Returns
    -------
    Picture

    Raises
    ------
    GraphError
        If there is no such style, or `in_features` is missing.
    """
    if style == "layers":
        return _layers(network, in_features)
    if style != "neurons":
        raise GraphError(f"there is no style {style!r}: choose layers or neurons")
    if in_features is None:
        raise GraphError("to draw its neurons, say how many inputs: in_features=...")
    return _neurons(network, in_features, max(units, 3))


def html(network: Any) -> str:
    """Return a network for a notebook: a table of its layers, and its diagram."""
    rows = [["input", "", "(n, d)", ""]]
    for name, layer, shape, count in parts(network):
        rows.append([name, repr(layer), shape, count])
    said = table(["layer", "description", "gives", "parameters"], rows)
    return said + _layers(network, None).svg


def parts(network: Any) -> list[tuple[str, Any, str, str]]:
    """List the layers: name, layer, shape of the rows, number of parameters.

    The number of inputs is not known to a network: numbers that depend on it are linear
    in ``d``. Where a layer takes one number of inputs only, they are left open.
    """
    layers = [*((str(i), layer) for i, layer in enumerate(network.layers))]
    layers.append(("output", network.output))
    try:
        counts = [_counts(network, d) for d in (1, 2)]
        shapes = [str(s[-1]) if len(s) == 1 else str(s) for s in _shapes(network, 2)]
        at_one = [str(s[-1]) if len(s) == 1 else str(s) for s in _shapes(network, 1)]
        shapes = [a if a == b else "d" for a, b in zip(shapes, at_one, strict=True)]
    except ShapeError:
        return [(name, layer, "", "") for name, layer in layers]
    found = []
    for (name, layer), a, b, width in zip(layers, *counts, shapes, strict=True):
        slope, rest = b - a, 2 * a - b
        terms = [
            f"{slope:,} d" if slope else "",
            f"{rest:,}" if rest or not slope else "",
        ]
        found.append((name, layer, f"(n, {width})", " + ".join(filter(None, terms))))
    return found


def _counts(network: Any, in_features: int) -> list[int]:
    stated = network.parameters(in_features)
    return [
        sum(math.prod(p.shape) for p in flatten(part)[0] if isinstance(p, Parameter))
        for part in stated.values()
    ]


def _shapes(network: Any, in_features: int) -> list[tuple[int, ...]]:
    return [*network.body.shapes((in_features,)), (network.output.size,)]


def _layers(network: Any, in_features: int | None) -> Picture:
    boxes = [Box(("x", f"(n, {in_features or 'd'})"), "input")]
    if in_features is None:
        found = parts(network)
    else:
        counts, shapes = _counts(network, in_features), _shapes(network, in_features)
        names = [name for name, *_ in parts(network)]
        layers = [*network.layers, network.output]
        found = [
            (name, layer, f"(n, {', '.join(map(str, shape))})", f"{count:,}")
            for name, layer, shape, count in zip(
                names, layers, shapes, counts, strict=True
            )
        ]
    for name, layer, shape, count in found:
        lines = [f"{name}: {layer!r}", f"{shape}  {count} parameters".strip()]
        known = count not in ("", "0")
        kind = "output" if layer is network.output else "forward"
        boxes.append(Box((lines[0], lines[1] if known else shape), kind))
    arrows = tuple(Arrow(i, i + 1) for i in range(len(boxes) - 1))
    return picture_of(Diagram(tuple(boxes), arrows), "a network by layers", "own")


def _neurons(network: Any, in_features: int, units: int) -> Picture:
    shapes = _shapes(network, in_features)
    if any(len(shape) != 1 for shape in shapes):
        raise GraphError(
            "rows that are not vectors have no neurons: use style='layers'"
        )
    widths = [in_features, *(shape[0] for shape in shapes)]
    stated = list(network.parameters(in_features).values())
    columns = [_chosen(width, units) for width in widths]
    tallest = max(len(column) for column in columns)
    height = _APART * tallest + 2 * _MARGIN + 30
    letters = ["x", *_letters(len(network.layers)), "y"]
    names = ["input", *(type(x).__name__ for x in network.layers)]
    names.append(type(network.output).__name__)
    places: list[dict[int, tuple[float, float]]] = []
    groups: list[Group] = []
    for k, column in enumerate(columns):
        x = _MARGIN + 40 + k * _COLUMN
        top = 30 + _MARGIN + (tallest - len(column) + 1) * _APART / 2
        places.append({u: (x, top + _APART * i) for i, u in enumerate(column)})
    for k, (left, right) in enumerate(pairwise(places)):
        full = isinstance(stated[k], dict) and _mixes(
            stated[k], widths[k], widths[k + 1]
        )
        for i, start in left.items():
            for j, end in right.items():
                if i >= 0 and j >= 0 and (full or i == j):
                    groups.append(_arrow(start, end))
    for k, column in enumerate(columns):
        style = STYLES[
            "input" if k == 0 else "output" if k == len(columns) - 1 else "unit"
        ]
        for u, centre in places[k].items():
            if u < 0:
                groups.append(note(centre, "⋮", 18.0))
                continue
            circle = Rectangle(
                centre,
                (_CIRCLE, _CIRCLE),
                _CIRCLE / 2,
                style.fill,
                style.stroke,
                style.width,
            )
            label = letters[k] + (_lowered(u + 1) if widths[k] > 1 else "")
            groups.append(
                Group(
                    "node",
                    (circle, Label(centre, label, 13.0, INK)),
                    f"{names[k]} {u + 1}",
                )
            )
        groups.append(note((places[k][column[0]][0], _MARGIN), names[k], 11.0))
        if len(column) < widths[k]:
            x, y = places[k][column[-1]]
            groups.append(note((x, y + 30), f"{widths[k]} units", 10.5))
    width = 2 * _MARGIN + 80 + _COLUMN * (len(columns) - 1)
    return Picture(width, height, tuple(groups), "a network by neurons")


def _letters(count: int) -> list[str]:
    return ["h"] if count == 1 else [f"h{_raised(i + 1)}" for i in range(count)]


def _chosen(width: int, units: int) -> list[int]:
    """Return which units are drawn; -1 stands for those left out."""
    if width <= units:
        return list(range(width))
    return [*range(units - 2), -1, width - 1]


def _mixes(stated: dict[str, Any], width: int, next_width: int) -> bool:
    """Tell whether each unit of a layer sees all of the one before."""
    shapes = [p.shape for p in flatten(stated)[0]]
    return width != next_width or any(len(shape) >= 2 for shape in shapes)


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> Group:
    (ax, ay), (bx, by) = start, end
    length = math.hypot(bx - ax, by - ay)
    dx, dy = (bx - ax) / length * _CIRCLE / 2, (by - ay) / length * _CIRCLE / 2
    a, b = (ax + dx, ay + dy), (bx - dx, by - dy)
    return Group("edge", (Line((a, a, b, b), GREY, 1.0),))


def _lowered(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _raised(number: int) -> str:
    return "⁽" + str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")) + "⁾"
