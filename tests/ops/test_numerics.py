"""Values where formulas break: overflow, cancellation, infinities; against mpmath."""

import mpmath
import numpy as np
import pytest
import scipy.special

import weft

FLOATS = ["float32", "float64"]
INF, NAN = np.inf, np.nan


def run(function, values, dtype="float64", **params):
    x = weft.constant(np.asarray(values, dtype))
    result = function(x, **params).numpy()
    assert result.dtype == dtype
    return result


def slope(function, values, dtype="float64"):
    """The derivative of a function of each element."""
    array = np.asarray(values, dtype)
    x = weft.input("x", array.shape, dtype)
    return weft.evaluate(weft.grad(weft.sum(function(x)), x), {x: array})


def ulps(found, expected):
    expected = np.asarray(expected, found.dtype)
    with np.errstate(all="ignore"):
        off = np.abs(found - expected) / np.spacing(np.abs(expected))
    return np.where(found == expected, 0, off)


# A table of extremes --------------------------------------------------------------

TABLE = [
    # function, argument, value, slope
    (weft.softplus, 1e4, 1e4, 1),
    (weft.softplus, -1e4, 0, 0),
    (weft.softplus, INF, INF, 1),
    (weft.softplus, -INF, 0, 0),
    (weft.softplus, 0, np.log(2), 0.5),
    (weft.sigmoid, 1e4, 1, 0),
    (weft.sigmoid, -1e4, 0, 0),
    (weft.sigmoid, INF, 1, 0),
    (weft.sigmoid, -INF, 0, 0),
    (weft.sigmoid, 0, 0.5, 0.25),
    (weft.log_sigmoid, 1e4, 0, 0),
    (weft.log_sigmoid, -1e4, -1e4, 1),
    (weft.log_sigmoid, -INF, -INF, 1),
    (weft.tanh, 1e4, 1, 0),
    (weft.tanh, -INF, -1, 0),
    (weft.erf, 1e4, 1, 0),
    (weft.erf, -INF, -1, 0),
    (weft.expm1, -1e4, -1, 0),
    (weft.exp, -1e4, 0, 0),
    (weft.exp, 1e4, INF, INF),
    (weft.relu, 1e4, 1e4, 1),
    (weft.relu, INF, INF, 1),
    (weft.relu, -INF, 0, 0),
    (weft.relu, NAN, NAN, 0),
    (weft.elu, -1e4, -1, 0),
    (weft.elu, 1e4, 1e4, 1),
    (weft.gelu, 1e4, 1e4, 1),
    (weft.gelu, -1e4, 0, 0),
    (weft.silu, 1e4, 1e4, 1),
    (weft.silu, -1e4, 0, 0),
    (weft.hard_tanh, 1e4, 1, 0),
    (weft.hard_tanh, -1e4, -1, 0),
    (weft.leaky_relu, -1e4, -100, 0.01),
    (weft.sqrt, 1e8, 1e4, 0.5e-4),
    (weft.sqrt, INF, INF, 0),
    (weft.log1p, 1e-9, 1e-9, 1),
    (weft.lgamma, 1, 0, -np.euler_gamma),
    (weft.lgamma, 2, 0, 1 - np.euler_gamma),
    (weft.abs, -INF, INF, -1),
    (weft.square, -1e4, 1e8, -2e4),
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("function", "at", "value", "derivative"),
    TABLE,
    ids=[f"{getattr(f, '__name__', '') or f.name}-{x}" for f, x, *_ in TABLE],
)
def test_extremes(function, at, value, derivative, dtype):
    with np.errstate(over="ignore"):
        value, derivative = np.asarray([value, derivative], dtype)
    assert np.allclose(run(function, at, dtype), value, rtol=1e-6, equal_nan=True)
    found = slope(function, at, dtype)
    assert np.allclose(found, derivative, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("name", ["softplus", "sigmoid", "tanh", "erf", "log_sigmoid"])
def test_derivatives_of_every_order_stay_finite(name, order):
    x = weft.input("x", (8,), "float64")
    node = getattr(weft, name)(x)
    for _ in range(order):
        node = weft.grad(weft.sum(node), x)
    at = np.array([-1e4, -750.0, -40.0, -1e-9, 0.0, 40.0, 750.0, 1e4])
    value = weft.evaluate(node, {x: at})
    assert np.all(np.isfinite(value))
    assert np.all(value[[0, 1, 6, 7]] == 0)


# Elementary and special functions, to the last digits -------------------------------

ORACLES = {
    "softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), -30, 30, 3),
    "sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), -30, 30, 3),
    "log_sigmoid": (lambda x: -mpmath.log1p(mpmath.exp(-x)), -30, 30, 3),
    "tanh": (mpmath.tanh, -3, 3, 3),
    "erf": (mpmath.erf, -3, 3, 3),
    "expm1": (mpmath.expm1, -1e-3, 1e-3, 3),
    "log1p": (mpmath.log1p, -1e-3, 1e-3, 3),
    "lgamma": (mpmath.loggamma, 3, 50, 4),
    "silu": (lambda x: x / (1 + mpmath.exp(-x)), -30, 30, 4),
}


@pytest.mark.parametrize("name", ORACLES)
def test_against_mpmath(name):
    oracle, low, high, allowed = ORACLES[name]
    x = np.random.default_rng(0).uniform(low, high, 300)
    with mpmath.workdps(40):
        expected = np.array([float(oracle(mpmath.mpf(v))) for v in x])
    assert np.max(ulps(run(getattr(weft, name), x), expected)) <= allowed


@pytest.mark.parametrize("n", range(4))
def test_polygamma(n):
    x = np.random.default_rng(1).uniform(0.2, 20, 50)
    expected = np.array([float(mpmath.polygamma(n, v)) for v in x])
    found = weft.polygamma(n, weft.constant(x)).numpy()
    assert np.allclose(found, expected, rtol=1e-12)
    assert found.dtype == np.float64


def test_polygamma_follows_from_lgamma():
    x = weft.input("x", (), "float64")
    node = weft.lgamma(x)
    for n in range(4):
        node = weft.grad(node, x)
        expected = float(mpmath.polygamma(n, 2.5))
        assert np.isclose(weft.evaluate(node, {x: 2.5}), expected, rtol=1e-12)


@pytest.mark.parametrize("at", [0.0, -1.0, INF, -0.5, -2.5])
def test_lgamma_at_poles_and_below_zero(at):
    with np.errstate(all="ignore"):
        expected = scipy.special.gammaln(at)
    assert run(weft.lgamma, at) == expected


# Soft extremes --------------------------------------------------------------------

ROWS = {
    "large": [1e4, -1e4, 0.0],
    "small": [-1e4, -1e4 + 1, -1e4 - 1],
    "equal": [1e4, 1e4, 1e4],
    "one-off": [-INF, 0.0, 1.0],
    "all-off-but-one": [-INF, 2.0, -INF],
    "wide": [700.0, -745.0, 710.0],
    "tiny": [1e-300, -1e-300, 0.0],
    "one": [5.0],
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_soft_extremes(row, dtype):
    z = np.array(row, dtype)
    exact = z.astype(np.float64)
    with np.errstate(all="ignore"):
        expected = {
            "logsumexp": scipy.special.logsumexp(exact),
            "softmax": scipy.special.softmax(exact),
            "log_softmax": scipy.special.log_softmax(exact),
        }
    room = 1e-6 if dtype == "float32" else 1e-14
    for name, value in expected.items():
        found = run(getattr(weft, name), z, dtype)
        assert np.allclose(found, value, rtol=room, atol=room), name


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_slope_of_logsumexp_is_softmax(row):
    z = np.array(row)
    x = weft.input("x", z.shape, "float64")
    gradient = weft.evaluate(weft.grad(weft.logsumexp(x), x), {x: z})
    assert np.allclose(gradient, scipy.special.softmax(z), atol=1e-15)


def test_soft_extremes_of_nothing_and_of_infinity():
    assert run(weft.logsumexp, [-INF, -INF]) == -INF
    assert run(weft.logsumexp, [INF, 0.0]) == INF
    assert run(weft.logsumexp, [INF, INF]) == INF
    assert run(weft.logsumexp, [INF, -INF]) == INF
    assert np.isnan(run(weft.logsumexp, [NAN, 0.0]))
    empty = weft.constant(np.zeros((2, 0)))
    assert np.array_equal(weft.logsumexp(empty, axis=1).numpy(), [-INF, -INF])
    assert weft.softmax(empty).numpy().shape == (2, 0)
    # Like SciPy: no distribution has all its weight nowhere, or at two infinities.
    for row in ([-INF, -INF], [INF, 0.0]):
        assert np.isnan(run(weft.softmax, row)).any()
        assert np.isnan(run(weft.log_softmax, row)).any()


def test_log_softmax_keeps_what_softmax_rounds_away():
    z = np.array([0.0, 1000.0, -1000.0])
    assert run(weft.softmax, z)[0] == 0
    assert np.array_equal(run(weft.log_softmax, z), [-1000.0, 0.0, -2000.0])


def test_the_slope_of_logsumexp_keeps_its_digits_at_large_values():
    x = weft.input("x", (2, 2), "float32")
    at = np.array([[30000.0, 30001.0], [29999.0, 29990.0]], "float32")
    for axis in (0, 1, None, (0, 1)):
        node = weft.grad(weft.sum(weft.logsumexp(x, axis)), x)
        expected = scipy.special.softmax(at.astype(float), axis)
        assert np.allclose(weft.evaluate(node, {x: at}), expected, rtol=1e-6)


@pytest.mark.parametrize("z", [[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4], [0.0, 800.0]])
@pytest.mark.parametrize("label", [0, 1])
def test_cross_entropy_has_the_gradient_softmax_minus_one_hot(z, label):
    x = weft.input("z", (2,), "float64")
    gradient = weft.evaluate(weft.grad(-weft.log_softmax(x)[label], x), {x: z})
    expected = scipy.special.softmax(z) - np.eye(2)[label]
    assert np.allclose(gradient, expected, atol=1e-15)


def test_gradient_of_softmax_at_saturation():
    x = weft.input("z", (3,), "float64")
    matrix = weft.evaluate(weft.jacobian(weft.softmax(x), x), {x: [1e4, 0.0, -1e4]})
    assert np.array_equal(matrix, np.zeros((3, 3)))


# Reductions -----------------------------------------------------------------------


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (2, 0), ()])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod", "logsumexp"])
def test_reductions_are_numpys(name, keepdims, axis):
    array = np.random.default_rng(2).normal(size=(2, 3, 4))
    oracle = scipy.special.logsumexp if name == "logsumexp" else getattr(np, name)
    expected = oracle(array, axis=axis, keepdims=keepdims)
    node = getattr(weft, name)(weft.constant(array), axis=axis, keepdims=keepdims)
    assert node.shape == expected.shape
    assert np.allclose(node.numpy(), expected, rtol=1e-14)
    assert np.allclose(
        getattr(weft, name)(array, axis=axis, keepdims=keepdims), expected, rtol=1e-14
    )


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_cumsum(axis, reverse):
    array = np.random.default_rng(3).normal(size=(3, 4))
    expected = np.cumsum(array, axis)
    if reverse:
        expected = np.flip(np.cumsum(np.flip(array, axis), axis), axis)
    found = weft.cumsum(weft.constant(array), axis, reverse).numpy()
    assert np.array_equal(found, expected)


def test_variance():
    array = np.random.default_rng(4).normal(size=(5, 3))
    node = weft.variance(weft.constant(array), axis=0)
    assert np.allclose(node.numpy(), array.var(axis=0), rtol=1e-14)


def test_a_mean_over_a_symbolic_axis_divides_by_its_length():
    x = weft.input("x", ("n", 2), "float64")
    node = weft.mean(x)
    for n in (1, 2, 5):
        array = np.arange(2.0 * n).reshape(n, 2)
        assert weft.evaluate(node, {x: array}) == array.mean()
        gradient = weft.evaluate(weft.grad(node, x), {x: array})
        assert np.allclose(gradient, 1 / (2 * n))
    assert np.isnan(weft.evaluate(node, {x: np.zeros((0, 2))}))
    assert weft.evaluate(weft.size(x), {x: np.zeros((5, 2))}) == 10


@pytest.mark.parametrize("name", ["max", "min"])
def test_equal_extremes_share_the_derivative(name):
    x = weft.input("x", (4,), "float64")
    node = weft.grad(getattr(weft, name)(x), x)
    assert np.array_equal(
        weft.evaluate(node, {x: [2.0, 2.0, 2.0, 2.0]}), [0.25, 0.25, 0.25, 0.25]
    )


@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_the_slope_of_a_product_with_zeros(zeros):
    array = np.array([2.0, 3.0, 5.0, 7.0])
    array[:zeros] = 0
    x = weft.input("x", (4,), "float64")
    gradient = weft.evaluate(weft.grad(weft.prod(x), x), {x: array})
    expected = [np.prod(np.delete(array, i)) for i in range(4)]
    assert np.array_equal(gradient, expected)


def test_an_empty_axis_has_no_extreme_when_run():
    x = weft.input("x", ("n",))
    with pytest.raises(weft.FeedError, match="zero-size"):
        weft.evaluate(weft.max(x), {x: np.zeros(0)})


def test_the_l1_norm_has_slope_0_at_0():
    x = weft.input("w", (3,), "float64")
    gradient = weft.grad(weft.l1_norm(x), x)
    assert np.array_equal(weft.evaluate(gradient, {x: [-2.0, 0.0, 3.0]}), [-1, 0, 1])


# Powers ---------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [-2, -1, 0, 0.5, 1, 2, 3, 2.5])
def test_powers_and_their_slopes(exponent):
    x = weft.input("x", (3,), "float64")
    at = np.array([0.5, 1.0, 3.0])
    node = x**exponent
    assert np.allclose(weft.evaluate(node, {x: at}), at**exponent, rtol=1e-15)
    gradient = weft.evaluate(weft.grad(weft.sum(node), x), {x: at})
    assert np.allclose(gradient, exponent * at ** (exponent - 1), rtol=1e-14)


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 4])
def test_whole_powers_have_slopes_at_zero_and_below(exponent):
    x = weft.input("x", (2,), "float64")
    node = x**exponent
    expected = [np.array([-1.5, 0.0]) ** exponent]
    for order in range(1, 4):
        node = weft.grad(weft.sum(node), x)
        factor = np.prod([exponent - k for k in range(order)])
        rest = max(exponent - order, 0)
        expected = factor * np.array([-1.5, 0.0]) ** rest
        assert np.allclose(weft.evaluate(node, {x: [-1.5, 0.0]}), expected)


def test_slope_in_the_exponent():
    x, y = weft.input("x", (), "float64"), weft.input("y", (), "float64")
    gradient = weft.grad(x**y, y)
    assert np.isclose(weft.evaluate(gradient, {x: 3.0, y: 2.0}), 9 * np.log(3))
    assert weft.evaluate(gradient, {x: 0.0, y: 2.0}) == 0


def test_where_hides_an_undefined_branch():
    x = weft.input("x", (2,), "float64")
    node = weft.where(x > 0, weft.log(weft.where(x > 0, x, 1)), 0)
    gradient = weft.grad(weft.sum(node), x)
    assert np.array_equal(weft.evaluate(gradient, {x: [-1.0, 2.0]}), [0, 0.5])


def test_a_mask_gives_zero_also_to_an_infinite_cotangent():
    x = weft.input("x", (2,), "float64")
    found = weft.evaluate(
        weft.vjp(weft.relu(x), x, np.array([INF, INF])), {x: [-1.0, 1.0]}
    )
    assert np.array_equal(found, [0.0, INF])


def test_stop_gradient():
    x = weft.input("x", (), "float64")
    assert weft.evaluate(weft.grad(weft.stop_gradient(x) * x, x), {x: 3.0}) == 3
    assert weft.evaluate(weft.grad(weft.stop_gradient(x), x), {x: 3.0}) == 0
