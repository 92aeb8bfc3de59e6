"""A drawing as an element of a page: small, themed, and with ids of its own.

One idea: matplotlib writes a whole SVG document; a page wants one element of it. What
belongs to a document (namespaces, metadata, a style sheet, comments) goes, and whatever
would clash or repeat in a page is rewritten: ids get a name before them, colours become
CSS variables, the font becomes the page's, coordinates lose digits that no eye can see.

The invariant: nothing in the element points outside the page.
"""

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from weft.apps.report.style import ROLES, encoded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GEOMETRY = {"d", "height", "points", "transform", "width", "x", "y"}
_POINTS_PER_REM = 12  # 16 pixels of 3/4 point


def inline(figure: "Figure", name: str, title: str, description: str) -> str:
    """The figure as an SVG element to stand inside an HTML page.

    Parameters
    ----------
    figure : Figure
        Made and drawn under ``styled("none")``.
    name : str
        Put before every id in the element; unique in the page.
    title, description : str
        What a screen reader says.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    root = ElementTree.fromstring(encoded(figure, "svg"))
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(key): v for key, v in element.attrib.items()}
        if element.tag != "text":
            element.text = None
        element.tail = None
    pointed_at = {
        target
        for element in root.iter()
        for value in element.attrib.values()
        for target in re.findall(r"(?:^|url\()#([\w-]+)", value)
    }
    for element in root.iter():
        _rewrite(element, name, pointed_at)
    _prune(root)
    box = root.attrib["viewBox"]
    root.attrib = {
        "class": "plot",
        "viewBox": box,
        "style": f"max-width: {float(box.split()[2]) / _POINTS_PER_REM:.1f}rem",
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-text",
    }
    for place, (tag, end, text) in enumerate(
        [("title", "title", title), ("desc", "text", description)]
    ):
        label = Element(tag, id=f"{name}-{end}")
        label.text = text
        root.insert(place, label)
    return ElementTree.tostring(root, encoding="unicode")


def _local(name: str) -> str:
    """A name without its namespace."""
    return name.rpartition("}")[2]


def _rewrite(element: Element, name: str, pointed_at: set[str]) -> None:
    """Make one element's attributes fit for a page."""
    kept = {}
    for key, value in element.attrib.items():
        if key == "id" and value not in pointed_at:
            continue
        if key == "transform" and value.startswith("rotate(-0 "):
            continue
        if key == "id":
            value = f"{name}-{value}"
        elif key == "href":
            value = re.sub(r"^#", f"#{name}-", "".join(value.split()))
        elif key == "clip-path":
            value = value.replace("url(#", f"url(#{name}-")
        elif key == "style":
            value = _themed(value)
        elif key in _GEOMETRY:
            value = _rounded(value)
        kept[key] = value
    element.attrib = kept


def _themed(style: str) -> str:
    """A style with roles for colours and without a font of its own.

    Examples
    --------
    >>> _themed("font-size: 9px; font-family: 'DejaVu Sans', serif; fill: #1d2430")
    'font-size: 9px; fill: var(--ink)'
    """
    style = re.sub(r"font-family: [^;]*(; )?", "", style)
    return re.sub(r"#[0-9a-f]{6}", lambda hit: _role(hit.group()), style)


def _role(colour: str) -> str:
    return f"var(--{ROLES[colour]})" if colour in ROLES else colour


def _rounded(geometry: str) -> str:
    r"""Coordinates to a hundredth of a point, on one line.

    Examples
    --------
    >>> _rounded("M 55.059303 123.99976 \nL 2 -0.001 \nz\n")
    'M55.06 124L2 0z'
    """
    short = re.sub(r"-?\d+\.\d+", _short, " ".join(geometry.split()))
    return re.sub(r" ?([a-zA-Z]) ?", r"\1", short)


def _short(number: re.Match[str]) -> str:
    text = f"{float(number.group()):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _prune(parent: Element) -> None:
    """Drop what belongs to a document, and groups that hold nothing together."""
    kept: list[Element] = []
    for child in parent:
        _prune(child)
        if child.tag in {"metadata", "style"}:
            continue
        empty = child.tag in {"g", "defs"} and not len(child)
        if child.tag == "g" and not child.attrib:
            kept.extend(child)
        elif not empty:
            kept.append(child)
    parent[:] = kept
