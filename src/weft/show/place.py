"""A diagram becomes a picture: laid out by Graphviz or here, then made of shapes."""

import os
import re
import shutil
from collections.abc import Sequence

from weft.graph.errors import GraphError
from weft.show.curves import Point
from weft.show.diagram import LEFT, RIGHT, SMALL, TITLE, Box, Diagram
from weft.show.layout import Layout, layered
from weft.show.picture import (
    Group,
    Label,
    Line,
    Picture,
    Rectangle,
    note,
    writable,
)
from weft.show.style import ARROWS, INK, MUTED, STYLES

_HEADING = 26.0


def picture_of(diagram: Diagram, title: str = "", engine: str = "auto") -> Picture:
    """Lay a diagram out and draw it.

    Parameters
    ----------
    diagram : Diagram
    title : str
    engine : {"auto", "dot", "own"}
        Who finds the places: Graphviz, or `weft.show.layout`. "auto" is Graphviz where
        it is installed and the diagram has no rows of its own.

    Returns
    -------
    Picture

    Raises
    ------
    GraphError
        If there is no such engine, or Graphviz is asked for and is not there.
    """
    if engine not in ("auto", "dot", "own"):
        raise GraphError(f"there is no engine {engine!r}: choose auto, dot or own")
    there = shutil.which("dot") is not None
    if engine == "dot" and not there:
        raise GraphError(
            "Graphviz is not installed (no dot on the path): use engine='own'"
        )
    rows = any(box.row is not None for box in diagram.boxes)
    asked = engine == "dot" or (engine == "auto" and there and not rows)
    layout = graphviz(diagram) if asked else layered(diagram)
    return _drawn(diagram, layout, title)


def _drawn(diagram: Diagram, layout: Layout, title: str) -> Picture:
    top = _HEADING if diagram.titles else 0.0
    groups = []
    for arrow, curve in zip(diagram.arrows, layout.curves, strict=True):
        colour, dashed = ARROWS[arrow.style]
        points = tuple((x, y + top) for x, y in curve)
        groups.append(Group("edge", (Line(points, colour, dashed=dashed),)))
    for box, (x, y) in zip(diagram.boxes, layout.centres, strict=True):
        groups.append(box_at(box, (x, y + top)))
    for lane, text in zip((LEFT, RIGHT), diagram.titles, strict=False):
        xs = [
            x
            for (x, _), box in zip(layout.centres, diagram.boxes, strict=True)
            if box.lane == lane
        ]
        if xs:
            groups.append(note(((min(xs) + max(xs)) / 2, _HEADING / 2 + 6), text))
    return Picture(layout.width, layout.height + top, tuple(groups), title)


def box_at(box: Box, centre: Point, size: Point | None = None) -> Group:
    """Return the shapes of a box at a place."""
    style = STYLES[box.style]
    x, y = centre
    w, h = size or box.size
    shapes: list[Rectangle | Label] = [
        Rectangle(
            centre,
            (w, h),
            min(style.radius, h / 2),
            style.fill,
            style.stroke,
            style.width,
            style.dashed,
        )
    ]
    title, *rest = box.lines
    lines = [(title, TITLE, INK, True), *((line, SMALL, MUTED, False) for line in rest)]
    heights = [1.25 * TITLE, *(1.35 * SMALL for _ in rest)]
    at = y - sum(heights) / 2
    for (text, points, colour, bold), height in zip(lines, heights, strict=True):
        shapes.append(Label((x, at + height / 2), text, points, colour, bold))
        at += height
    return Group("node", tuple(shapes), box.tip)


# Graphviz -----------------------------------------------------------------------------

_INCH = 72.0


def dot(diagram: Diagram) -> str:
    r"""Return a diagram in Graphviz's language; names are numbers, labels are escaped.

    Examples
    --------
    >>> print(dot(Diagram((Box(('a "b"',)),), ())))
    digraph {
    node [shape=box, fixedsize=true]
    n0 [label="a \"b\"", width=0.868, height=0.392]
    }
    """
    lines = ["digraph {", "node [shape=box, fixedsize=true]"]
    for i, box in enumerate(diagram.boxes):
        width, height = box.size
        label = r"\n".join(_quoted(line) for line in box.lines)
        lines.append(
            f'n{i} [label="{label}", width={width / _INCH:.3f}, '
            f"height={height / _INCH:.3f}]"
        )
    if len({box.lane for box in diagram.boxes}) > 1:
        for lane in (LEFT, RIGHT):
            inside = [f"n{i}" for i, b in enumerate(diagram.boxes) if b.lane == lane]
            lines.append(f"subgraph cluster_{lane} {{ {'; '.join(inside)} }}")
    lines += [f"n{arrow.source} -> n{arrow.target}" for arrow in diagram.arrows]
    return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", writable(text)).replace("\n", " ")


def graphviz(diagram: Diagram) -> Layout:
    """Return the places that Graphviz's dot gives a diagram.

    It is called without a shell, and given the graph through a pipe.

    Raises
    ------
    GraphError
        If it fails, takes longer than half a minute, or answers something else.
    """
    import subprocess

    try:
        answer = subprocess.run(
            ["dot", "-Tplain"],
            input=dot(diagram),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=30,
            check=True,
            env={**os.environ, "LC_ALL": "C"},
        ).stdout
        return _plain(answer, len(diagram.boxes), diagram)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        raise GraphError(
            f"Graphviz did not lay the graph out ({error}): use engine='own'"
        ) from None


def _plain(answer: str, count: int, diagram: Diagram) -> Layout:
    """Read the answer of ``dot -Tplain``: inches, counted from below."""
    centres: dict[int, Point] = {}
    curves: dict[tuple[int, int], list[tuple[Point, ...]]] = {}
    width = height = 0.0

    def points(words: Sequence[str]) -> list[Point]:
        numbers = [float(word) * _INCH for word in words]
        return [
            (x + 16, height - y + 16)
            for x, y in zip(numbers[::2], numbers[1::2], strict=True)
        ]

    for line in answer.splitlines():
        match line.split():
            case ["graph", _, w, h]:
                width, height = float(w) * _INCH, float(h) * _INCH
            case ["node", name, x, y, *_]:
                (centres[int(name[1:])],) = points([x, y])
            case ["edge", source, target, n, *rest]:
                key = int(source[1:]), int(target[1:])
                curves.setdefault(key, []).append(tuple(points(rest[: 2 * int(n)])))
    ends = [curves[a.source, a.target].pop(0) for a in diagram.arrows]
    places = tuple(centres[i] for i in range(count))
    return Layout(width + 32, height + 32, places, tuple(ends))
