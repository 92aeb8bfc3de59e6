"""A picture: shapes at places, written as SVG, PNG or PDF.

The SVG is written here, shape by shape. PNG and PDF are drawn from the same shapes by
matplotlib, which is loaded only then. A file is written whole or not at all: beside its
place first, then moved there.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, final
from xml.sax import saxutils

from weft.graph.errors import GraphError
from weft.show.style import FONT, INK, MUTED, PAPER

Point = tuple[float, float]


@final
@dataclass(frozen=True)
class Rectangle:
    """A rectangle with rounded corners; as high as wide and round, it is a circle."""

    centre: Point
    size: Point
    radius: float
    fill: str
    stroke: str
    width: float = 1.3
    dashed: bool = False


@final
@dataclass(frozen=True)
class Line:
    """Cubic Bézier curves end to end (1 + 3 k points), perhaps with a head."""

    points: tuple[Point, ...]
    colour: str = INK
    width: float = 1.2
    dashed: bool = False
    head: bool = True


@final
@dataclass(frozen=True)
class Label:
    """A line of text, centred at a place."""

    centre: Point
    text: str
    size: float
    colour: str = INK
    bold: bool = False


Shape = Rectangle | Line | Label


@final
@dataclass(frozen=True)
class Group:
    """Shapes that belong together: ``"node"``, ``"edge"`` or ``"note"``.

    Parameters
    ----------
    kind : str
    shapes : tuple of Shape
    tip : str
        What shows when a pointer rests on it.
    """

    kind: str
    shapes: tuple[Shape, ...]
    tip: str = ""


@final
@dataclass(frozen=True)
class Picture:
    """Shapes on a page. Shown by notebooks, and saved by `save`.

    Parameters
    ----------
    width, height : float
        In pixels.
    groups : tuple of Group
        Later ones lie on top.
    title : str
        What a screen reader says.

    Examples
    --------
    >>> dot = Rectangle((10, 10), (8, 8), 4, "#ffffff", "#000000")
    >>> picture = Picture(20, 20, (Group("node", (dot,)),), "a dot")
    >>> picture.count("node"), picture.svg.startswith("<svg")
    (1, True)
    """

    width: float
    height: float
    groups: tuple[Group, ...]
    title: str = ""

    def count(self, kind: str) -> int:
        """Return how many groups of a kind there are."""
        return sum(group.kind == kind for group in self.groups)

    @property
    def svg(self) -> str:
        """The picture as an ``<svg>`` element."""
        return svg(self)

    def _repr_svg_(self) -> str:
        return self.svg

    def __str__(self) -> str:
        size = f"{self.width:.0f} x {self.height:.0f} pixels"
        return f"{self.title or 'a picture'}: {size}; .save(path) or .svg"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a file.

        Parameters
        ----------
        path : path
            Ending in ``.svg``, ``.png`` or ``.pdf``. What is there is replaced.

        Returns
        -------
        Path

        Raises
        ------
        GraphError
            If the ending is another one, or it names a folder.
        OSError
            If it cannot be written there.
        """
        path = Path(path)
        form = path.suffix.lower().removeprefix(".")
        if form not in ("svg", "png", "pdf"):
            raise GraphError(
                f"{path.name!r} does not say what to draw: end it in .svg, .png or .pdf"
            )
        if path.is_dir():
            raise GraphError(f"{path} is a folder: name a file in it")
        if not path.parent.is_dir():
            raise GraphError(f"{path} cannot be written: there is no such folder")
        content = svg(self).encode() if form == "svg" else drawn(self, form)
        beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            beside.write_bytes(content)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        return path


# SVG ----------------------------------------------------------------------------------


def svg(picture: Picture) -> str:
    """Return a picture as an ``<svg>`` element, the same every time."""
    width, height = _short(picture.width), _short(picture.height)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="{FONT}" '
        f"aria-label={saxutils.quoteattr(writable(picture.title))}>",
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
    ]
    for group in picture.groups:
        tip = f"<title>{_escaped(group.tip)}</title>" if group.tip else ""
        shapes = "".join(map(_element, group.shapes))
        lines.append(f'<g class="{group.kind}">{tip}{shapes}</g>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def _element(shape: Shape) -> str:
    match shape:
        case Rectangle((x, y), (w, h)):
            box = f'x="{_short(x - w / 2)}" y="{_short(y - h / 2)}" '
            box += (
                f'width="{_short(w)}" height="{_short(h)}" rx="{_short(shape.radius)}"'
            )
            paint = f'fill="{shape.fill}" stroke="{shape.stroke}"'
            return f'<rect {box} {paint} stroke-width="{shape.width}"{_dashes(shape)}/>'
        case Line():
            (x, y), *rest = shape.points
            path = f"M{_short(x)} {_short(y)}C"
            path += " ".join(f"{_short(a)} {_short(b)}" for a, b in rest)
            paint = f'stroke="{shape.colour}" stroke-width="{shape.width}"'
            line = f'<path d="{path}" fill="none" {paint}{_dashes(shape)}/>'
            if not shape.head:
                return line
            corners = " ".join(
                f"{_short(a)},{_short(b)}" for a, b in head(shape.points)
            )
            return f'{line}<polygon points="{corners}" fill="{shape.colour}"/>'
        case Label((x, y)):
            weight = ' font-weight="bold"' if shape.bold else ""
            # Browsers differ in what they take for the middle of a letter's height.
            place = f'x="{_short(x)}" y="{_short(y + 0.35 * shape.size)}"'
            paint = f'font-size="{shape.size}" fill="{shape.colour}"{weight}'
            text = _escaped(shape.text)
            return f'<text {place} text-anchor="middle" {paint}>{text}</text>'


# What XML 1.0 has no place for, escaped or not: control characters and lone surrogates.
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def writable(text: str) -> str:
    r"""Return a text with U+FFFD for each character that no file can have.

    References
    ----------
    Extensible Markup Language (XML) 1.0, fifth edition, production 2, Char.

    Examples
    --------
    >>> writable("a\x00b\udc80 \t<") == "a\ufffdb\ufffd \t<"
    True
    """
    return _FORBIDDEN.sub("\ufffd", text)


def _escaped(text: str) -> str:
    return saxutils.escape(writable(text))


def _dashes(shape: Rectangle | Line) -> str:
    return ' stroke-dasharray="5 3"' if shape.dashed else ""


def _short(number: float) -> str:
    text = f"{number:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def head(points: Sequence[Point], length: float = 8.0) -> list[Point]:
    """Return the corners of an arrow's head at the end of a curve."""
    x, y = points[-1]
    # The direction is that of the last stretch that has one.
    dx, dy = next(
        ((x - a, y - b) for a, b in reversed(points[:-1]) if (a, b) != (x, y)),
        (0.0, 1.0),
    )
    norm = (dx * dx + dy * dy) ** 0.5
    dx, dy = length * dx / norm, length * dy / norm
    side = 0.38
    return [
        (x, y),
        (x - dx - side * dy, y - dy + side * dx),
        (x - dx + side * dy, y - dy - side * dx),
    ]


# PNG and PDF --------------------------------------------------------------------------

_SCALE = 2  # pixels of a PNG per pixel of the page, for sharp letters
_UNDATED = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


def drawn(picture: Picture, form: str) -> bytes:
    """Return a picture as a PNG or PDF file, the same bytes every time.

    Raises
    ------
    GraphError
        If it has more pixels than such a file can sensibly hold.
    """
    if max(picture.width, picture.height) * _SCALE > 2**15:
        raise GraphError(
            f"{picture} is too large for a {form.upper()}: save it as .svg, or draw a "
            "part of the graph"
        )
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    inch = 72.0  # a pixel of the page is a point
    with matplotlib.rc_context({"text.parse_math": False, "text.usetex": False}):
        figure = Figure(figsize=(picture.width / inch, picture.height / inch))
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, picture.width)
        axes.set_ylim(picture.height, 0)
        axes.axis("off")
        figure.patch.set_facecolor(PAPER)
        for order, group in enumerate(picture.groups):
            for shape in group.shapes:
                _draw(axes, shape, order)
        file = BytesIO()
        figure.savefig(file, format=form, dpi=inch * _SCALE, metadata=_UNDATED[form])
    return file.getvalue()


def _draw(axes: object, shape: Shape, order: int) -> None:
    from matplotlib.axes import Axes
    from matplotlib.patches import Circle, FancyBboxPatch, PathPatch, Polygon
    from matplotlib.path import Path as Curve

    assert isinstance(axes, Axes)
    match shape:
        case Rectangle((x, y), (w, h)):
            corner, radius = (x - w / 2, y - h / 2), min(shape.radius, w / 2, h / 2)
            paint: dict[str, Any] = {
                "facecolor": shape.fill,
                "edgecolor": shape.stroke,
                "linewidth": shape.width,
                "linestyle": (0, (4, 2.5)) if shape.dashed else "solid",
                "zorder": order,
            }
            if radius == w / 2 == h / 2:
                axes.add_patch(Circle(shape.centre, radius, **paint))
            else:
                box = f"round,pad=0,rounding_size={radius or 0.01}"
                axes.add_patch(FancyBboxPatch(corner, w, h, boxstyle=box, **paint))
        case Line():
            codes = [Curve.MOVETO] + [Curve.CURVE4] * (len(shape.points) - 1)
            axes.add_patch(
                PathPatch(
                    Curve(list(shape.points), codes),
                    facecolor="none",
                    edgecolor=shape.colour,
                    linewidth=shape.width,
                    linestyle=(0, (4, 2.5)) if shape.dashed else "solid",
                    zorder=order,
                )
            )
            if shape.head:
                axes.add_patch(
                    Polygon(head(shape.points), facecolor=shape.colour, zorder=order)
                )
        case Label((x, y)):
            axes.text(
                x,
                y,
                writable(shape.text),
                fontsize=shape.size,
                color=shape.colour,
                fontfamily="DejaVu Sans",
                fontweight="bold" if shape.bold else "normal",
                ha="center",
                va="center_baseline",
                zorder=order,
            )


def note(centre: Point, text: str, size: float = 12.0) -> Group:
    """Return a line of text that belongs to no node."""
    return Group("note", (Label(centre, text, size, MUTED, bold=True),))
