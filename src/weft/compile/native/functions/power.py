"""x to the y, as exp(y log |x|) with the sign of x where y is odd.

The exponential magnifies an error of its argument by the size of that argument, so the
logarithm has to be known better than the result: of floats it is computed in doubles,
of doubles in pairs of them.
"""

import math

from weft.compile.native.functions import pair
from weft.compile.native.functions.exp import exp_of_pair, short_exp
from weft.compile.native.functions.exponent import split
from weft.compile.native.functions.log import LOG_2, edges, short_log
from weft.compile.native.functions.polynomial import horner
from weft.compile.native.ir import Value
from weft.compile.native.lanes import Lanes, is_literal, literal_value

# Whole powers up to this are products.
_FEW = 4

# ((2 atanh(s) - 2 s) / s^3 - 2/3) / s^2 as a polynomial in s^2 up to 0.04, to 3.3e-21
# of 2 atanh(s); and 2/3 in two parts.
_BY_ATANH = (
    0.3999999999999972,
    0.2857142857157987,
    0.22222222190792804,
    0.1818182156705198,
    0.15384404587993686,
    0.13341203022992848,
    0.11591480433401029,
    0.12576835423588456,
)
_TWO_THIRDS = (2 / 3, 3.700743415417188e-17)


def power(e: Lanes, x: Value, y: Value) -> Value:
    """Return x to the y, within 1 unit in the last place, 2 of doubles."""
    if is_literal(y) and literal_value(y) in range(1, _FEW + 1):
        return _product(e, x, int(literal_value(y)))
    zero, one = e.const(0, x), e.const(1, x)
    size = e.abs(x)
    # There 1 is the answer even where the formula knows none.
    is_one = e.logical_or(e.equal(size, one), e.equal(y, zero))
    compute = _of_floats if x.element == "float" else _of_doubles
    value = compute(e, size, y, is_one)
    half = e.mul(y, e.const(0.5, y))
    whole = e.equal(e.rint(y), y)
    odd = e.logical_and(whole, e.logical_not(e.equal(e.rint(half), half)))
    value = e.select(odd, e.copysign(value, sign=x), value)
    # Below 0, but not at -inf, only whole powers exist.
    below = e.logical_and(e.less(x, zero), e.less(e.const(-math.inf, x), x))
    nowhere = e.logical_and(below, e.logical_not(whole))
    return e.select(nowhere, e.const(math.nan, x), value)


def _product(e: Lanes, x: Value, n: int) -> Value:
    if n == 1:
        return x
    square = e.mul(x, x)
    if n == 2:
        return square
    return e.mul(square, x if n == 3 else square)


def _of_floats(e: Lanes, x: Value, y: Value, is_one: Value) -> Value:
    x, y = e.convert(x, "double"), e.convert(y, "double")
    exponent = e.mul(y, short_log(e, x))
    value = short_exp(e, e.select(is_one, e.const(0, x), exponent))
    return e.convert(value, "float")


def _of_doubles(e: Lanes, x: Value, y: Value, is_one: Value) -> Value:
    high, low = _log(e, x)
    exponent, rest = pair.mul(e, y, edges(e, x, high))
    rest = e.fma(y, low, rest)
    zero = e.const(0, x)
    # Where the exponent is 0 or beyond all numbers, the rest may be NaN.
    usual = e.less(e.abs(exponent), e.const(800, x))
    rest = e.select(usual, rest, zero)
    return exp_of_pair(e, e.select(is_one, zero, exponent), rest)


def _log(e: Lanes, x: Value) -> tuple[Value, Value]:
    """Return the logarithm of a positive x as a sum of two, to 2^-63 of it."""
    m, k = split(e, x)
    one, two = e.const(1, x), e.const(2, x)
    # s = f / (2 + f)
    f = e.sub(m, one)
    below, below_low = pair.add(e, two, f)
    inverse = e.div(one, below)
    s = e.mul(f, inverse)
    product, product_low = pair.mul(e, s, below)
    missing = e.sub(e.sub(e.sub(f, product), product_low), e.mul(s, below_low))
    s_low = e.mul(missing, inverse)
    # s^2 and s^3
    z, z_low = pair.mul(e, s, s)
    z_low = e.fma(e.mul(two, s), s_low, z_low)
    cube, cube_low = pair.mul(e, z, s)
    cube_low = e.add(cube_low, e.fma(z, s_low, e.mul(z_low, s)))
    # 2/3 + 2/5 s^2 + ...
    first, first_low = (e.const(part, x) for part in _TWO_THIRDS)
    series, series_low = pair.add(e, first, e.mul(z, horner(e, z, _BY_ATANH)))
    series_low = e.add(series_low, first_low)
    tail, tail_low = pair.mul(e, cube, series)
    tail_low = e.add(tail_low, e.fma(cube, series_low, e.mul(cube_low, series)))
    # k log 2 + 2 s + s^3 (...)
    log_2, log_2_low = (e.const(part, x) for part in LOG_2[x.element])
    total, lost = pair.add(e, e.mul(k, log_2), e.mul(two, s))
    total, lost_again = pair.add(e, total, tail)
    small = e.fma(two, s_low, e.fma(k, log_2_low, tail_low))
    return total, e.add(e.add(lost, lost_again), small)
