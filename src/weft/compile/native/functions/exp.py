"""The exponential: x = n log 2 + r with |r| <= log(2) / 2, then 2^n exp(r)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from weft.compile.native.functions.exponent import (
    FORMATS,
    Whole,
    nearest,
    power_of_two,
    scale,
)
from weft.compile.native.functions.polynomial import horner
from weft.compile.native.ir import Value
from weft.compile.native.lanes import Lanes

LOG2_E = 1.4426950408889634


@final
@dataclass(frozen=True)
class _Constants:
    # log 2 in two parts; the first has so few bits that n times it is exact.
    log_2: tuple[float, float]
    # Outside of this, exp is 0 or infinite.
    limits: tuple[float, float]
    # (exp(r) - 1 - r) / r^2, for exp and for expm1.
    exp: Sequence[float]
    expm1: Sequence[float]
    # Below this, expm1 is -1; below the other in size, it is x.
    minus_one: float
    tiny: float


_CONSTANTS = {
    "float": _Constants(
        log_2=(0.693359375, -0.00021219444),
        limits=(-104.0, 89.0),
        # To 3.2e-9 of exp(r).
        exp=(0.49999994, 0.16666517, 0.041668102, 0.0083691925, 0.0013838903),
        # To 3.4e-9 of expm1(r).
        expm1=(0.5, 0.16666636, 0.04166651, 0.008341511, 0.0013930543, 0.00015043857),
        minus_one=-18.0,
        tiny=2.0**-30,
    ),
    "double": _Constants(
        log_2=(0.6931471803691238, 1.9082149292705877e-10),
        limits=(-746.0, 710.0),
        # To 6.5e-18 of exp(r).
        exp=(
            0.5000000000000011,
            0.16666666666666166,
            0.0416666666665227,
            0.008333333333665717,
            0.0013888888946211799,
            0.00019841269111294942,
            2.4801490004059818e-05,
            2.7557953723611826e-06,
            2.763145825361555e-07,
            2.488137092632477e-08,
        ),
        # To 6.5e-19 of expm1(r).
        expm1=(
            0.5,
            0.16666666666666677,
            0.04166666666666669,
            0.008333333333321742,
            0.0013888888888867643,
            0.00019841269886232125,
            2.4801587358256753e-05,
            2.7557243510376032e-06,
            2.7557254244799137e-07,
            2.510947539083141e-08,
            2.091570098747167e-09,
        ),
        minus_one=-40.0,
        tiny=2.0**-60,
    ),
}

# (exp(r) - 1 - r) / r^2, to 3.1e-9 of exp(r).
_SHORT = (
    0.49999993447680313,
    0.16666520632451584,
    0.04166838813820404,
    0.00836871645189092,
    0.0013814588251066838,
)


def exp(e: Lanes, x: Value) -> Value:
    """Return e to the x, within 1.2 units in the last place."""
    return exp_of_pair(e, x)


def exp_of_pair(e: Lanes, x: Value, low: Value | None = None) -> Value:
    """Return e to the x + low, `low` so small that it could be rounded off."""
    constants = _CONSTANTS[x.element]
    n, r = _reduce(e, _clip(e, x, *constants.limits))
    if low is not None:
        r = e.add(r, low)
    return scale(e, horner(e, r, (1.0, 1.0, *constants.exp)), n)


def short_exp(e: Lanes, x: Value) -> Value:
    """Return e to the x of doubles, to 3.1e-9 of it, far enough to be cut to floats."""
    n, r = _reduce(e, _clip(e, x, -200.0, 200.0))
    return e.mul(horner(e, r, (1.0, 1.0, *_SHORT)), power_of_two(e, n))


def _clip(e: Lanes, x: Value, low: float, high: float) -> Value:
    return e.min(e.const(high, x), e.max(e.const(low, x), x))


def _reduce(e: Lanes, x: Value) -> tuple[Whole, Value]:
    n = nearest(e, x, LOG2_E)
    high, low = _CONSTANTS[x.element].log_2
    r = e.fma(n.value, e.const(-high, x), x)
    return n, e.fma(n.value, e.const(-low, x), r)


def expm1(e: Lanes, x: Value) -> Value:
    """Return e to the x minus 1, within 2 units in the last place."""
    constants = _CONSTANTS[x.element]
    inside = _clip(e, x, constants.minus_one, constants.limits[1])
    value = e.mul(e.const(2, x), half_expm1(e, inside))
    # Keeps -0 and the denormals.
    return e.select(e.less(e.abs(x), e.const(constants.tiny, x)), x, value)


def half_expm1(e: Lanes, x: Value) -> Value:
    """Return half of expm1, whose 2^n is in range, of an x neither huge nor tiny.

    With p = expm1(r) it is (2^n p + 2^n - 1) / 2.
    """
    constants = _CONSTANTS[x.element]
    kind = FORMATS[x.element]
    n, r = _reduce(e, x)
    p = e.fma(e.mul(r, r), horner(e, r, constants.expm1), r)
    bits = e.integer("shl", e.bits(n.holder), kind.fraction)
    half = e.from_bits(e.integer("add", bits, kind.one - (1 << kind.fraction)))
    return e.fma(p, half, e.sub(half, e.const(0.5, x)))
