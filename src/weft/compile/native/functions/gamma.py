"""The logarithm of gamma and its derivatives.

That and the first derivative are SciPy's, called lane by lane. It publishes no others.
For those x is brought to 1/2 and above by reflection, then beyond 12 by the recurrence,
where the asymptotic series is exact to the last digits.
"""

import math
from collections.abc import Sequence

from weft.compile.native.functions.each import each
from weft.compile.native.functions.polynomial import horner
from weft.compile.native.functions.symbols import scipy_function
from weft.compile.native.functions.trig import cos, sin
from weft.compile.native.ir import Value, literal
from weft.compile.native.lanes import Lanes

# B2, B4, ... of Bernoulli.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
_BEYOND = 12


def lgamma(e: Lanes, x: Value) -> Value:
    """Return the logarithm of the absolute value of gamma, SciPy's."""
    return _scipy(e, "gammaln", x)


def polygamma(e: Lanes, n: int, x: Value) -> Value:
    """Return the n-th derivative of digamma.

    Raises
    ------
    ValueError
        If `n` is negative.
    """
    if n < 0:
        raise ValueError(f"the derivative of digamma of order {n}: give 0 or more")
    if n == 0:
        return _scipy(e, "psi", x)
    return e.convert(_polygamma(e, n, e.convert(x, "double")), x.element)


def _scipy(e: Lanes, name: str, x: Value) -> Value:
    function, zero = scipy_function(name), literal(0, "i32")

    def call(one: Value) -> Value:
        wide = e.convert(one, "double")
        result = e.function.call(function, "double", wide, zero)
        return e.convert(result, one.element)

    return each(e, x, call)


def _polygamma(e: Lanes, n: int, x: Value) -> Value:
    zero, one = e.const(0, x), e.const(1, x)
    left = e.less(x, e.const(0.5, x))
    direct = _above_half(e, n, e.select(left, e.sub(one, x), x))
    # psi_n(x) = (-1)^n psi_n(1 - x) - pi d^n/dx^n cot(pi x)
    turn = e.mul(e.const(math.pi, x), e.sub(x, e.rint(x)))
    cotangent = e.div(cos(e, turn), sin(e, turn))
    slope = horner(e, cotangent, _cotangent_derivative(n))
    reflected = e.sub(
        e.mul(e.const((-1.0) ** n, x), direct),
        e.mul(e.const(math.pi ** (n + 1), x), slope),
    )
    pole = e.logical_and(e.less_equal(x, zero), e.equal(x, e.rint(x)))
    infinite = e.const(math.inf if n % 2 else -math.inf, x)
    return e.select(left, e.select(pole, infinite, reflected), direct)


def _above_half(e: Lanes, n: int, x: Value) -> Value:
    """Return psi_n(x) = (-1)^(n+1) n! (x^-(n+1) + (x + 1)^-(n+1) + ...)."""
    one = e.const(1, x)
    total = e.const(0, x)
    for _ in range(_BEYOND):
        total = e.add(total, _power(e, e.div(one, x), n + 1))
        x = e.add(x, one)
    # What is left of the sum, by Euler and Maclaurin:
    # x^-n / n + x^-(n+1) / 2 + sum B_2k (n+1) ... (n+2k-1) / (2k)! x^-(n+2k)
    inverse = e.div(one, x)
    series = [
        b * math.prod(range(n + 1, n + 2 * k)) / math.factorial(2 * k)
        for k, b in enumerate(_BERNOULLI, 1)
    ]
    tail = e.mul(e.mul(inverse, inverse), horner(e, e.mul(inverse, inverse), series))
    tail = e.add(e.const(1 / n, x), e.fma(e.const(0.5, x), inverse, tail))
    total = e.add(total, e.mul(_power(e, inverse, n), tail))
    return e.mul(e.const((-1.0) ** (n + 1) * math.factorial(n), x), total)


def _power(e: Lanes, x: Value, n: int) -> Value:
    total = x
    for _ in range(n - 1):
        total = e.mul(total, x)
    return total


def _cotangent_derivative(n: int) -> Sequence[float]:
    """Return the n-th derivative of cot as a polynomial in cot."""
    coefficients = [0.0, 1.0]
    for _ in range(n):
        # d/dx p(cot) = -p'(cot) (1 + cot^2)
        slope = [k * c for k, c in enumerate(coefficients)][1:]
        coefficients = [
            -(a + b)
            for a, b in zip([*slope, 0.0, 0.0], [0.0, 0.0, *slope], strict=True)
        ]
    return coefficients
