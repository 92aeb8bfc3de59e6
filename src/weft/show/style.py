"""How diagrams look: fills and strokes that colour-blind readers can tell apart.

Blue and orange differ in every kind of colour blindness (Okabe and Ito 2008), and the
styles differ in shape or stroke as well, so that a grey print can be read.
"""

from dataclasses import dataclass
from typing import final

INK, MUTED, PAPER = "#1d2430", "#5c6675", "#ffffff"
BLUE, ORANGE, GREY = "#1f6fb2", "#c8590a", "#8a94a3"
FONT = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"


@final
@dataclass(frozen=True)
class Style:
    """The look of a box.

    Parameters
    ----------
    fill, stroke : str
    radius : float
        Of the corners.
    width : float
        Of the stroke.
    dashed : bool
    """

    fill: str
    stroke: str
    radius: float = 6.0
    width: float = 1.3
    dashed: bool = False


STYLES = {
    "forward": Style("#e8f1f9", BLUE),
    "derivative": Style("#fdf0e4", ORANGE),
    "input": Style(PAPER, INK, radius=14.0),
    "parameter": Style("#eef0f3", INK, radius=0.0),
    "constant": Style(PAPER, GREY, radius=14.0, dashed=True),
    "output": Style("#cfe3f4", BLUE, width=2.6),
    "gradient": Style("#f9dcc2", ORANGE, width=2.6),
    "unit": Style("#e8f1f9", BLUE, radius=18.0),
}
ARROWS = {"plain": (INK, False), "across": (BLUE, True), "derivative": (ORANGE, False)}
