"""How pictures look: a palette that colour-blind readers can tell apart, one style.

One idea: a colour is a *role* (ink, rule, first series, …). A picture in a file gets
the role's colour on white; the same picture inside a report gets the role's name as a
CSS variable instead, so that it follows the reader's light or dark scheme (`svg`).

The invariant: no two roles share a colour, so that a colour in a drawing names its
role.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#1d2430"
MUTED = "#5c6675"
RULE = "#d8dde4"
PAPER = "#ffffff"
FIRST = "#1f6fb2"  # blue and orange: told apart in every kind of colour blindness
SECOND = "#c8590a"
ON_FIRST = "#fffffe"  # text on a field of the first colour
ON_SECOND = "#fffffd"

ROLES = {
    INK: "ink",
    MUTED: "muted",
    RULE: "rule",
    PAPER: "paper",
    FIRST: "first",
    SECOND: "second",
    ON_FIRST: "on-first",
    ON_SECOND: "on-second",
}

_SETTINGS: dict[str, object] = {
    "axes.axisbelow": True,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 10,
    "axes.linewidth": 1.0,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.unicode_minus": True,
    "figure.facecolor": PAPER,
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
    "font.size": 10,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "path.simplify": True,
    "savefig.facecolor": PAPER,
    "svg.hashsalt": "weft",  # names within the file would else be drawn by chance
    "text.color": INK,
    "text.parse_math": False,  # a $ in the name of a class is a $
    "text.usetex": False,
    "xtick.color": RULE,
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": 9,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.color": RULE,
    "ytick.labelcolor": MUTED,
    "ytick.labelsize": 9,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
}


@contextmanager
def styled(svg_text: str = "path") -> Iterator[None]:
    """Draw and save in weft's style, whatever the user's own settings are.

    Parameters
    ----------
    svg_text : str
        "path" draws letters as shapes: the same everywhere. "none" writes text that a
        browser sets in a font of its own.
    """
    import matplotlib

    # the back end is no matter of style, and to touch it may start one
    defaults = {k: v for k, v in matplotlib.rcParamsDefault.items() if k != "backend"}
    settings: dict[Any, Any] = {**defaults, **_SETTINGS, "svg.fonttype": svg_text}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # a script that the font lacks: a browser has it, a file shows a box
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        yield


def encoded(figure: "Figure", form: str) -> bytes:
    """The figure as a file: "png", "svg" or "pdf", the same bytes every time."""
    file = BytesIO()
    figure.savefig(file, format=form, dpi=160, metadata=_UNDATED[form])
    return file.getvalue()


# Each form says the date and the version of matplotlib under keys of its own.
_UNDATED: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
    "svg": {"Creator": None, "Date": None, "Format": None, "Type": None},
}
