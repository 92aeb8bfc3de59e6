"""Polynomials, by Horner's rule.

It has the fewest instructions. Its chain is long, but in a loop over many elements the
machine works on several of them at a time, and the chain costs nothing.
"""

from collections.abc import Sequence

from weft.compile.native.ir import Value
from weft.compile.native.lanes import Lanes


def horner(e: Lanes, x: Value, coefficients: Sequence[float]) -> Value:
    """Return c0 + c1 x + c2 x^2 + ...

    Parameters
    ----------
    e : Lanes
    x : Value
    coefficients : sequence of float
        From the constant term upwards.

    Returns
    -------
    Value
    """
    *rest, last = coefficients
    total = e.const(last, x)
    for coefficient in reversed(rest):
        total = e.fma(total, x, e.const(coefficient, x))
    return total
