"""A diagram before it has places: boxes, and arrows between them.

A box is a few lines of text in a style; an arrow leads from one box to another, by
their numbers. Rows are counted from the top. Lanes stand side by side: a graph is in
the left one, its derivative in the right one.
"""

from dataclasses import dataclass
from typing import final

LEFT, RIGHT = 0, 1

# Widths of letters of DejaVu Sans, in hundredths of the size of the font; others are
# 64. Only a layout needs them, and it may be a little off.
_NARROW = dict.fromkeys("ijl.,:;'|!I()[] /ft", 36)
_WIDE = dict.fromkeys("mwMW@%", 98)


@final
@dataclass(frozen=True)
class Box:
    """Something to be drawn: its text, its style and, if known, its row and lane.

    Parameters
    ----------
    lines : tuple of str
        The first is the title, the others are smaller.
    style : str
        A key of `weft.show.style.STYLES`.
    tip : str
        What shows when a pointer rests on it.
    row : int, optional
        Counted from the top; None lets the layout find one.
    lane : int
        `LEFT` or `RIGHT`.
    """

    lines: tuple[str, ...]
    style: str = "forward"
    tip: str = ""
    row: int | None = None
    lane: int = LEFT

    @property
    def size(self) -> tuple[float, float]:
        """Width and height that the text needs, in pixels."""
        title, *rest = self.lines or ("",)
        widths = [text_width(title, TITLE, bold=True)]
        widths += [text_width(line, SMALL) for line in rest]
        height = TITLE * 1.25 + len(rest) * SMALL * 1.35 + 12
        return max(max(widths) + 20, 40.0), max(height, 28.0)


@final
@dataclass(frozen=True)
class Arrow:
    """An arrow between boxes, by their numbers.

    Parameters
    ----------
    source, target : int
    style : str
        ``"plain"``, or ``"across"`` for what leads from one lane to another.
    """

    source: int
    target: int
    style: str = "plain"


@final
@dataclass(frozen=True)
class Diagram:
    """Boxes and arrows.

    Parameters
    ----------
    boxes : tuple of Box
    arrows : tuple of Arrow
    titles : tuple of str
        One per lane that is used; empty for none.
    """

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    titles: tuple[str, ...] = ()


# Sizes of the font, in pixels.
TITLE, SMALL = 13.0, 10.5


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Return about how many pixels wide a text is.

    Examples
    --------
    >>> text_width("mm", 10) > text_width("ll", 10)
    True
    """
    units = sum(_NARROW.get(c) or _WIDE.get(c) or 64 for c in text)
    return units * size / 100 * (1.12 if bold else 1.0)
