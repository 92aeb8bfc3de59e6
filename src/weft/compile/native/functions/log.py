"""The logarithm: x = 2^k m with m in [3/4, 3/2), then k log 2 + log m."""

from collections.abc import Sequence

from weft.compile.native.functions import machine
from weft.compile.native.functions.exponent import (
    FORMATS,
    Whole,
    power_of_two,
    split,
)
from weft.compile.native.functions.polynomial import horner
from weft.compile.native.ir import Value
from weft.compile.native.lanes import Lanes

INF, NAN = float("inf"), float("nan")

# log 2 in two parts; the first has so few bits that k times it is exact.
LOG_2 = {
    "float": (0.693359375, -0.00021219444),
    "double": (0.6931471803691238, 1.9082149292705877e-10),
}

# (log(1 + f) - f + f^2 / 2) / f^3 for f in [-1/4, 1/2], to 5.3e-9 of log(1 + f).
_DIRECT = (
    0.3333345,
    -0.25000075,
    0.19990712,
    -0.16648063,
    0.14482698,
    -0.13157229,
    0.10424594,
    -0.04465542,
)

# (2 atanh(s) - 2 s) / s^3 as a polynomial in s^2 up to 0.04, to 1.6e-17 of 2 atanh(s).
_BY_ATANH = (
    0.6666666666667282,
    0.3999999999609957,
    0.28571429406428595,
    0.22222137592092608,
    0.18186393308230372,
    0.15249443617024752,
    0.15373984295192122,
)


# The same, to 1.2e-11: enough for a double that becomes a float.
_SHORT = (
    0.666666630593452,
    0.40000867427512216,
    0.28506794542054864,
    0.24103482122940148,
)


def log(e: Lanes, x: Value) -> Value:
    """Return the natural logarithm, within 1 unit in the last place."""
    m, k = split(e, x)
    return edges(e, x, _log(e, e.sub(m, e.const(1, x)), k))


def short_log(e: Lanes, x: Value) -> Value:
    """Return the natural logarithm of a double, to 1.2e-11 of it."""
    m, k = split(e, x)
    return edges(e, x, _by_atanh(e, e.sub(m, e.const(1, x)), k, _SHORT))


def log1p(e: Lanes, x: Value) -> Value:
    """Return the natural logarithm of 1 + x, within 1 unit in the last place."""
    one = e.const(1, x)
    u = e.add(one, x)
    _, k = split(e, u)
    # 1 + x may have lost digits of x, and so has m - 1; (1 + x) 2^-k - 1 has not. 2^-k
    # itself may be out of range, four times as much is not.
    four = _four_by_power(e, k)
    quarter = e.const(0.25, x)
    f = e.fma(e.mul(x, quarter), four, e.fma(four, quarter, e.const(-1, x)))
    value = edges(e, u, _log(e, f, k))
    # Keeps -0 and the denormals.
    tiny = e.const(2.0 ** -(FORMATS[x.element].fraction + 2), x)
    return e.select(e.less(e.abs(x), tiny), x, value)


def _four_by_power(e: Lanes, k: Value) -> Value:
    """Return 4 2^-k."""
    four = e.const(4, k)
    if machine.has(e):
        return machine.scalef(e, four, e.neg(k))
    holder = e.sub(e.const(FORMATS[k.element].rounder + 2, k), k)
    return power_of_two(e, Whole(k, holder))


def edges(e: Lanes, x: Value, value: Value) -> Value:
    """Return `value` where x is a positive number, else the logarithm it has."""
    if machine.has(e):
        return machine.fixup(e, value, x, _EDGES)
    inf, zero = e.const(INF, x), e.const(0, x)
    value = e.select(e.less(x, inf), value, x)
    edge = e.select(e.equal(x, zero), e.neg(inf), e.const(NAN, x))
    return e.select(e.less_equal(x, zero), edge, value)


_EDGES = {"zero": "-inf", "-inf": "nan", "inf": "inf", "negative": "nan"}


def _log(e: Lanes, f: Value, k: Value) -> Value:
    """Return log(1 + f) + k log 2."""
    if f.element == "double":
        return _by_atanh(e, f, k, _BY_ATANH)
    high, low = (e.const(part, f) for part in LOG_2[f.element])
    # f - f^2 / 2 + f^3 R(f), the small terms first.
    tail = e.fma(horner(e, f, _DIRECT), f, e.const(-0.5, f))
    return e.fma(k, high, e.add(f, e.fma(k, low, e.mul(e.mul(f, f), tail))))


def _by_atanh(e: Lanes, f: Value, k: Value, coefficients: Sequence[float]) -> Value:
    """Return log(1 + f) + k log 2; log(1 + f) = 2 atanh(s) and 2 s = f - s f."""
    high, low = (e.const(part, f) for part in LOG_2[f.element])
    s = e.div(f, e.add(f, e.const(2, f)))
    z = e.mul(s, s)
    half = e.mul(e.mul(f, f), e.const(0.5, f))
    series = e.mul(z, horner(e, z, coefficients))
    tail = e.fma(s, e.add(half, series), e.mul(k, low))
    return e.fma(k, high, e.sub(f, e.sub(half, tail)))
