"""Figures of the chapter that are formulas: computed by weft, written as SVG."""

import numpy as np

import weft
from weft.apps.verify.tools import largest

_WIDTH, _HEIGHT, _MARGIN = 480, 300, 44
# Two colours that all eyes part.
_COLOURS = ("#0072b2", "#d55e00")


def sigmoid_with_target_one() -> bytes:
    """Draw the two costs of a sigmoid whose target is 1 (slide "Don't mix and match").

    The likelihood, softplus(-z), falls in a straight line from far left; the squared
    error, (1 - sigmoid(z))^2, is flat there.

    Returns
    -------
    bytes
        SVG; the same bytes every time.

    Examples
    --------
    >>> sigmoid_with_target_one()[:4]
    b'<svg'
    """
    at = np.linspace(-6, 6, 121)
    z = weft.constant(at)
    curves = {
        "cross-entropy": weft.softplus(-z).numpy(),
        "squared error": weft.square(1 - weft.sigmoid(z)).numpy(),
    }
    top = largest(curve.max() for curve in curves.values())

    def point(x: float, y: float) -> str:
        across = _MARGIN + (x + 6) / 12 * (_WIDTH - 2 * _MARGIN)
        down = _HEIGHT - _MARGIN - y / top * (_HEIGHT - 2 * _MARGIN)
        return f"{across:.2f},{down:.2f}"

    parts = []
    for (name, curve), colour in zip(curves.items(), _COLOURS, strict=True):
        points = " ".join(map(point, at, curve))
        x, y = point(-5.6, float(curve[4])).split(",")
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" '
            'stroke-width="2"/>'
            f'<text x="{float(x) + 18}" y="{float(y) - 8}" fill="{colour}">'
            f"{name}</text>"
        )
    left, bottom = point(-6, 0).split(",")
    right, _ = point(6, 0).split(",")
    axes = (
        f'<path d="M{left},{_MARGIN} V{bottom} H{right}" fill="none" stroke="#444"/>'
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 14}" text-anchor="middle">logit z</text>'
        f'<text x="{_WIDTH / 2}" y="24" text-anchor="middle" font-weight="bold">'
        "Sigmoid output, target 1</text>"
        f'<text x="{left}" y="{float(bottom) + 16}">-6</text>'
        f'<text x="{right}" y="{float(bottom) + 16}" text-anchor="end">6</text>'
        f'<text x="{float(left) - 6}" y="{_MARGIN + 4}" text-anchor="end">'
        f"{top:.0f}</text>"
    )
    text = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="13">{axes}{"".join(parts)}</svg>\n'
    )
    return text.encode()
