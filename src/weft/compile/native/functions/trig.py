"""Sine and cosine: |x| = n pi + r with |r| <= pi / 2, and sin(r) up to a sign.

For the cosine n is a whole number and a half, so that both need one polynomial only.
Arguments beyond some thousands (float) or a million (double) are left to the C library,
lane by lane.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from weft.compile.native.functions.each import where_rare
from weft.compile.native.functions.exponent import FORMATS, Whole, nearest
from weft.compile.native.functions.polynomial import horner
from weft.compile.native.ir import Value
from weft.compile.native.lanes import Lanes


@final
@dataclass(frozen=True)
class _Constants:
    # pi in parts. All but the last have so few bits that n times them is exact.
    pi: Sequence[float]
    # What is larger is rare.
    limit: float
    # (sin(r) - r) / r^3 as a polynomial in r^2.
    sin: Sequence[float]


_CONSTANTS = {
    "float": _Constants(
        pi=(3.140625, 0.0009675026, 1.5099067e-07, 5.1266883e-12),
        limit=2.0**12,
        # To 4.6e-10 of sin(r).
        sin=(
            -0.16666667,
            0.0083333505,
            -0.00019843093,
            2.7627061e-06,
            -2.5503287e-08,
        ),
    ),
    "double": _Constants(
        pi=(
            3.1415926534682512,
            1.2154201012607932e-10,
            4.044532497422333e-21,
            1.69568553207378e-31,
        ),
        limit=2.0**20,
        # To 3.0e-19 of sin(r).
        sin=(
            -0.16666666666666666,
            0.008333333333333207,
            -0.00019841269841212476,
            2.7557319211568394e-06,
            -2.5052106904256805e-08,
            1.6058940990206457e-10,
            -7.643018949353029e-13,
            2.7214138802972407e-15,
        ),
    ),
}


def sin(e: Lanes, x: Value) -> Value:
    """Return the sine, within 2 units in the last place, 2.5 of doubles."""
    size = e.abs(x)
    n = nearest(e, size, 1 / math.pi)
    value = _turned(e, _sine(e, size, n.value), n)
    # sin(-x) = -sin(x), for -0 too.
    sign = e.integer("xor", e.bits(x), e.bits(size))
    value = e.from_bits(e.integer("xor", e.bits(value), sign))
    return _with_library(e, "sin", x, size, value)


def cos(e: Lanes, x: Value) -> Value:
    """Return the cosine, within 2 units in the last place, 2.5 of doubles."""
    size = e.abs(x)
    half = e.const(0.5, x)
    n = nearest(e, e.fma(size, e.const(1 / math.pi, x), half))
    value = _turned(e, _sine(e, size, e.sub(n.value, half)), n)
    return _with_library(e, "cos", x, size, value)


def _sine(e: Lanes, x: Value, n: Value) -> Value:
    """Return sin(x - n pi)."""
    constants = _CONSTANTS[x.element]
    first, second, third, last = (e.const(-part, x) for part in constants.pi)
    x = e.fma(n, second, e.fma(n, first, x))
    # What the third difference rounds off is given to the last.
    change = e.mul(n, third)
    r = e.add(x, change)
    lost = e.add(e.sub(x, r), change)
    r = e.add(r, e.fma(n, last, lost))
    z = e.mul(r, r)
    value = e.fma(e.mul(r, z), horner(e, z, constants.sin), r)
    one = e.const(1, x)
    return e.min(one, e.max(e.neg(one), value))


def _turned(e: Lanes, value: Value, n: Whole) -> Value:
    """Return `value`, its sign turned over where n is odd."""
    kind = FORMATS[value.element]
    odd = e.integer("shl", e.bits(n.holder), kind.width - 1)
    return e.from_bits(e.integer("xor", e.bits(value), odd))


def _with_library(e: Lanes, name: str, x: Value, size: Value, value: Value) -> Value:
    """Return `value`, or in lanes that are huge what the C library gives."""

    def call(one: Value) -> Value:
        result = e.function.call(name, "double", e.convert(one, "double"))
        return e.convert(result, one.type)

    huge = e.less(e.const(_CONSTANTS[x.element].limit, x), size)
    return where_rare(e, huge, x, value, call)
