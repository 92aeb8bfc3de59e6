"""The elementary functions, held against NumPy in double and mpmath in 40 digits.

Errors are in units in the last place of the exact result. The float points come from
all bit patterns alike, so every exponent, the denormals and NaN are among them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import mpmath
import numpy as np
import pytest
from scipy import special

from weft.compile.native.target import available

Array = np.ndarray


@dataclass(frozen=True)
class Case:
    """A function, its oracles, its bounds in ulp, and where it is looked at closely."""

    double: Callable[..., Array]
    exact: Callable
    bounds: tuple[float, float]
    low: float
    high: float


CASES = {
    "exp": Case(np.exp, mpmath.exp, (1.2, 1.2), -20, 20),
    "expm1": Case(np.expm1, mpmath.expm1, (2, 2), -5, 5),
    "log": Case(np.log, mpmath.log, (1, 1), 0.2, 3),
    "log1p": Case(np.log1p, mpmath.log1p, (1, 1), -0.99, 3),
    "sin": Case(np.sin, mpmath.sin, (2, 2.5), -4100, 4100),
    "cos": Case(np.cos, mpmath.cos, (2, 2.5), -4100, 4100),
    "tanh": Case(np.tanh, mpmath.tanh, (2.6, 2.6), -10, 10),
    "erf": Case(special.erf, mpmath.erf, (2, 2), -5, 5),
}

every_target = pytest.mark.parametrize("target", available())
every_function = pytest.mark.parametrize("name", CASES)


def special_values(dtype: str) -> Array:
    info = np.finfo(dtype)
    edges = [0.0, 1.0, np.pi, info.max, info.tiny, info.smallest_subnormal, np.inf]
    limits = [88.72284, 103.97, 87.3366, 709.782712893384, 745.133, 708.3964185]
    found = np.array([*edges, *limits, info.tiny / 2, 2.0**22, 2.0**23 + 1], dtype)
    with np.errstate(all="ignore"):
        below, above = (np.nextafter(found, found.dtype.type(t)) for t in (0, np.inf))
    positive = np.concatenate([found, below, above])
    return np.concatenate([positive, -positive, np.array([np.nan], dtype)])


def floats(count: int, seed: int = 0) -> Array:
    """Return floats of every exponent: bit patterns, one from each stretch of them."""
    step = 2**32 // count
    shift = np.random.default_rng(seed).integers(0, step, count, dtype=np.uint64)
    patterns = np.arange(count, dtype=np.uint64) * np.uint64(step) + shift
    return patterns.astype(np.uint32).view(np.float32)


def near_roots(dtype: str, count: int, step: int) -> Array:
    """Return the floats nearest to multiples of pi / 2, where sin and cos are small."""
    return (np.arange(1, count * step, step) * (np.pi / 2)).astype(dtype)


def float_errors(got: Array, exact: Array) -> Array:
    """Return errors in ulps of float32; `exact` in float64."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(np.float32)
        exponent = np.maximum(np.frexp(exact)[1] - 24, -149)
        errors = np.abs(got.astype(np.float64) - exact) / np.ldexp(1.0, exponent)
    return where_finite(errors, got, rounded)


def where_finite(errors: Array, got: Array, rounded: Array) -> Array:
    """Where infinity or NaN is due, or was given, only the very same will do."""
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    finite = np.isfinite(got) & np.isfinite(rounded)
    return np.where(finite, errors, np.where(same, 0.0, np.inf))


@cache
def exact_values(name: str, points: bytes) -> tuple[Array, Array]:
    """Return values to 32 digits, as sums of two doubles."""
    found = [in_two(CASES[name].exact, x) for x in np.frombuffer(points)]
    return tuple(np.array(found).T)


def in_two(function: Callable, *args: float) -> tuple[float, float]:
    """Return an exact value as the sum of two doubles; NaN where it is not real."""
    with mpmath.workdps(40):
        try:
            value = function(*(mpmath.mpf(float(x)) for x in args))
        except (ValueError, ZeroDivisionError):
            return np.nan, 0.0
        if mpmath.im(value) != 0 or mpmath.isnan(value):
            return np.nan, 0.0
        high = float(value)
        return high, float(value - high) if np.isfinite(high) else 0.0


def double_errors(got: Array, high: Array, low: Array) -> Array:
    """Return errors in ulps of float64; the exact values are ``high + low``."""
    with np.errstate(all="ignore"):
        inward = np.where(low * np.sign(high) < 0, np.nextafter(high, 0), high)
        errors = np.abs((got - high) - low) / np.spacing(np.abs(inward))
    return where_finite(errors, got, high)


def assert_within(errors: Array, bound: float, *args: Array) -> None:
    worst = np.argmax(errors)
    assert errors[worst] <= bound, [float(a[worst]) for a in args]


def emitting(name: str) -> Callable:
    return lambda e, *args: getattr(e, name)(*args)


@every_target
@every_function
def test_floats(name, target, elementwise, count):
    case = CASES[name]
    n = count(2**16, 2**26)
    for part in range(max(1, n // 2**22)):
        x = np.concatenate(
            [
                special_values("float32"),
                floats(min(n, 2**22), seed=part),
                np.linspace(case.low, case.high, 2**16 + part, dtype=np.float32),
                near_roots("float32", 2**12, 1),
            ]
        )
        with np.errstate(all="ignore"):
            exact = case.double(x.astype(np.float64))
        got = elementwise(name, emitting(name), [x], np.dtype("float32"), target)
        assert_within(float_errors(got, exact), case.bounds[0], x, got, exact)


@every_target
@every_function
def test_doubles(name, target, elementwise, count):
    case = CASES[name]
    n = count(400, 20_000)
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], n)
    x = np.concatenate(
        [
            special_values("float64"),
            rng.integers(0, 2**64, n // 4, dtype=np.uint64).view(np.float64),
            signs * np.exp(rng.uniform(-40, 7, n)),
            rng.uniform(case.low, case.high, n),
            rng.uniform(-1, 1, n),
            near_roots("float64", n // 4, 1499),
        ]
    )
    # Beyond this mpmath is slow, and exp no number.
    x = x[~(np.abs(x) > 1e100) | np.isinf(x)]
    high, low = exact_values(name, x.tobytes())
    got = elementwise(name, emitting(name), [x], np.dtype("float64"), target)
    assert_within(double_errors(got, high, low), case.bounds[1], x, got, high)


@every_target
@every_function
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_lane_does_not_know_its_neighbours(name, dtype, target, elementwise):
    """The same bits in one lane, in a register, and in several registers at once."""
    x = special_values(dtype)
    kind = np.dtype(dtype)
    alone = elementwise(name, emitting(name), [x], kind, target, lanes=1)
    for lanes in (2, None, 32):
        got = elementwise(name, emitting(name), [x], kind, target, lanes=lanes)
        np.testing.assert_array_equal(got, alone)
        numbers = ~np.isnan(alone)
        assert (np.signbit(got) == np.signbit(alone))[numbers].all()


@every_target
@pytest.mark.parametrize("name", ["expm1", "log1p", "sin", "tanh", "erf"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_odd_functions_keep_the_sign_of_zero(name, dtype, target, elementwise):
    x = np.array([0.0, -0.0], dtype)
    got = elementwise(name, emitting(name), [x], x.dtype, target)
    assert (np.signbit(got) == [False, True]).all()


@every_target
@pytest.mark.parametrize("name", ["expm1", "log1p", "sin", "tanh", "erf"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_denormals_are_rounded_as_they_should_be(name, dtype, target, elementwise):
    x = (np.arange(-40, 41) * np.finfo(dtype).smallest_subnormal).astype(dtype)
    slope = 2 / np.sqrt(np.longdouble(np.pi)) if name == "erf" else np.longdouble(1)
    got = elementwise(name, emitting(name), [x], x.dtype, target)
    np.testing.assert_array_equal(got, (x * slope).astype(dtype))


@every_target
@pytest.mark.parametrize("name", ["sin", "cos", "tanh", "erf"])
def test_nothing_is_beyond_one(name, target, elementwise, count):
    x = floats(count(2**18, 2**24), seed=1)
    near = near_roots("float32", 2**12, 1)
    x = np.concatenate([x[np.isfinite(x)], near, np.linspace(-10, 10, 2**18)])
    x = x.astype(np.float32)
    got = elementwise(name, emitting(name), [x], x.dtype, target)
    assert np.abs(got).max() == 1


def power_points(dtype: str, n: int) -> tuple[Array, Array]:
    """Return bases and exponents: ordinary, near 1, near the ends, whole, special."""
    rng = np.random.default_rng(0)
    largest = np.log(np.finfo(dtype).max)
    least = np.log(np.finfo(dtype).smallest_subnormal)
    logs = rng.uniform(least, largest, n)
    signs = rng.choice([-1.0, 1.0], n)
    edge = [0.0, 1.0, 0.5, 1.5, 2, 3, 33, 1e-40, 1e30, 2.0**24 + 1, 2.0**53 - 1, np.inf]
    edge = [*edge, *(-v for v in edge), np.nan]
    with np.errstate(all="ignore"):
        edge = np.array(edge).astype(dtype)
    bases, exponents = (v.ravel() for v in np.meshgrid(edge, edge))
    near_one = 1 + rng.uniform(-1e-3, 1e-3, n)
    any_size = rng.uniform(least, largest, n)
    x = [
        np.exp(logs),
        rng.uniform(0.4, 2.5, n),
        near_one,
        rng.uniform(0.75, 1.5, n),
        signs * rng.uniform(0, 5, n),
    ]
    y = [
        any_size / logs,
        rng.uniform(-20, 20, n),
        any_size / np.log(near_one),
        any_size / np.log(x[3]),
        rng.integers(-30, 30, n),
    ]
    return (
        np.concatenate([*x, bases]).astype(dtype),
        np.concatenate([*y, exponents]).astype(dtype),
    )


@every_target
def test_power_of_floats(target, elementwise, count):
    x, y = power_points("float32", count(2**14, 2**22))
    with np.errstate(all="ignore"):
        exact = np.power(x.astype(np.float64), y.astype(np.float64))
    got = elementwise("power", emitting("power"), [x, y], x.dtype, target)
    assert_within(float_errors(got, exact), 1, x, y, got, exact)
    assert_signs_agree(got, exact)


@cache
def exact_powers(n: int) -> tuple[Array, Array]:
    x, y = power_points("float64", n)
    with np.errstate(all="ignore"):
        high = np.power(x, y)
        low = np.zeros_like(high)
        # The others are exact, or beyond all numbers; mpmath would write those out.
        usual = np.isfinite(y) & (np.abs(y * np.log(np.abs(x))) < 800)
    for i in np.flatnonzero(usual):
        high[i], low[i] = in_two(mpmath.power, x[i], y[i])
    return high, low


@every_target
def test_power_of_doubles(target, elementwise, count):
    n = count(400, 20_000)
    x, y = power_points("float64", n)
    high, low = exact_powers(n)
    got = elementwise("power", emitting("power"), [x, y], x.dtype, target)
    assert_within(double_errors(got, high, low), 2, x, y, got, high)
    assert_signs_agree(got, high)


def assert_signs_agree(got: Array, exact: Array) -> None:
    numbers = ~np.isnan(exact)
    assert (np.signbit(got) == np.signbit(exact))[numbers].all()


@every_target
@pytest.mark.parametrize("exponent", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_few_whole_powers_are_products(exponent, dtype, target, elementwise):
    x = np.concatenate([special_values(dtype), np.linspace(-3, 3, 101, dtype=dtype)])
    wide = x.astype(np.longdouble)
    got = elementwise(
        f"power_{exponent}",
        lambda e, x: e.power(x, e.const(exponent, x)),
        [x],
        x.dtype,
        target,
    )
    with np.errstate(all="ignore"):
        expected = np.power(wide, exponent).astype(dtype)
        # Each of two products rounds by half a unit.
        np.testing.assert_allclose(got, expected, rtol=3 * np.finfo(dtype).eps, atol=0)


@every_target
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gamma_and_digamma_are_scipys(dtype, target, elementwise):
    x = np.concatenate([special_values(dtype), np.linspace(-5, 30, 401, dtype=dtype)])
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        expected = special.gammaln(wide).astype(dtype)
        digamma = special.psi(wide).astype(dtype)
    got = elementwise("lgamma", emitting("lgamma"), [x], x.dtype, target)
    np.testing.assert_array_equal(got, expected)
    got = elementwise("digamma", lambda e, x: e.polygamma(0, x), [x], x.dtype, target)
    np.testing.assert_array_equal(got, digamma)


@every_target
@pytest.mark.parametrize("n", [1, 2, 5])
def test_polygamma(n, target, elementwise, count):
    rng = np.random.default_rng(n)
    points = rng.uniform(-3, 25, count(60, 2000)), np.exp(rng.uniform(-9, 9, 30))
    x = np.concatenate([*points, [-0.5, -2.5]])
    with mpmath.workdps(30):
        expected = np.array([float(mpmath.polygamma(n, mpmath.mpf(v))) for v in x])
    got = elementwise(
        f"polygamma{n}", lambda e, x: e.polygamma(n, x), [x], x.dtype, target
    )
    # Near its roots between the poles only the absolute error is small.
    np.testing.assert_allclose(got, expected, rtol=2e-14, atol=1e-12)


@every_target
@pytest.mark.parametrize("n", [1, 2])
def test_polygamma_at_poles_and_ends_is_scipys(n, target, elementwise):
    x = np.array([0.0, -1.0, -7.0, np.inf, np.nan, 1e30, -1e30])
    got = elementwise(
        f"polygamma{n}", lambda e, x: e.polygamma(n, x), [x], x.dtype, target
    )
    np.testing.assert_allclose(got, special.polygamma(n, x), rtol=1e-15)
