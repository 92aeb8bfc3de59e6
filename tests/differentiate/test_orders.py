"""Higher orders: closed forms to order four, and the modes nested either way."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings

import weft
from weft.testing import check_grads
from weft.testing.strategies import graphs

# 30 in the quick tier, and in proportion under WEFT_PROVE.
SOME = settings(max_examples=settings().max_examples * 3 // 5)
# 100 in the quick tier, 1,000 under WEFT_PROVE.
MANY = settings(max_examples=1000 if settings().max_examples > 1000 else 100)

POINTS = np.array([0.3, 0.8, 1.7, 2.5])

FUNCTIONS = {
    "tanh": (weft.tanh, mpmath.tanh),
    "softplus": (weft.softplus, lambda x: mpmath.log(1 + mpmath.exp(x))),
    "x to the x": (lambda x: x**x, lambda x: x**x),
    "sigmoid": (weft.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x))),
    "sqrt": (weft.sqrt, mpmath.sqrt),
    "log": (weft.log, mpmath.log),
    "erf": (weft.erf, mpmath.erf),
    "lgamma": (weft.lgamma, mpmath.loggamma),
    "quotient": (lambda x: weft.sin(x) / x, lambda x: mpmath.sin(x) / x),
    "cube": (lambda x: x**3, lambda x: x**3),
    "gauss": (lambda x: weft.exp(-(x**2)), lambda x: mpmath.exp(-(x**2))),
}

ORDERS = [1, 2, 3, 4]


def expected(oracle, order):
    with mpmath.workdps(50):
        return np.array([float(mpmath.diff(oracle, x, order)) for x in POINTS])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("function", "oracle"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_reverse_over_reverse(function, oracle, order):
    x = weft.input("x", POINTS.shape, "float64")
    node = function(x)
    for _ in range(order):
        node = weft.grad(weft.sum(node), x)
    found = weft.evaluate(node, {x: POINTS})
    assert np.allclose(found, expected(oracle, order), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("function", "oracle"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_forward_over_forward(function, oracle, order):
    x = weft.input("x", POINTS.shape, "float64")
    node = function(x)
    for _ in range(order):
        node = weft.jvp(node, {x: np.ones(POINTS.shape)})
    found = weft.evaluate(node, {x: POINTS})
    assert np.allclose(found, expected(oracle, order), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("way", ["ffrr", "rrff", "frfr", "rfrf"])
@pytest.mark.parametrize(("function", "oracle"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_modes_nested_to_order_four(function, oracle, way):
    x = weft.input("x", POINTS.shape, "float64")
    node = function(x)
    for mode in way:
        if mode == "f":
            node = weft.jvp(node, {x: np.ones(POINTS.shape)})
        else:
            node = weft.grad(weft.sum(node), x)
    found = weft.evaluate(node, {x: POINTS})
    assert np.allclose(found, expected(oracle, 4), rtol=1e-10, atol=1e-12)


def test_closed_forms_written_out():
    x = weft.input("x", (), "float64")
    t = np.tanh(0.7)
    s = 1 - t * t
    tanh = [s, -2 * t * s, s * (6 * t * t - 2), 8 * t * s * (2 - 3 * t * t)]
    p = 1 / (1 + np.exp(-0.7))
    q = p * (1 - p)
    softplus = [p, q, q * (1 - 2 * p), q * (1 - 6 * p + 6 * p * p)]
    y, a = 0.7**0.7, 1 + np.log(0.7)
    power = [
        y * a,
        y * (a**2 + 1 / 0.7),
        y * (a**3 + 3 * a / 0.7 - 1 / 0.7**2),
        y * (a**4 + 6 * a**2 / 0.7 - 4 * a / 0.7**2 + 3 / 0.7**2 + 2 / 0.7**3),
    ]
    for node, wanted in (
        (weft.tanh(x), tanh),
        (weft.softplus(x), softplus),
        (x**x, power),
    ):
        for value in wanted:
            node = weft.grad(node, x)
            assert np.isclose(weft.evaluate(node, {x: 0.7}), value, rtol=1e-13)


def test_a_polynomial_ends():
    x = weft.input("x", (), "float64")
    node = x**4
    for value in (32.0, 48.0, 48.0, 24.0, 0.0, 0.0):
        node = weft.grad(node, x)
        assert weft.evaluate(node, {x: 2.0}) == value


def test_mixed_partials_commute():
    x, y = weft.input("x", (), "float64"), weft.input("y", (), "float64")
    f = weft.sin(x * y) / (1 + x**2) + y**x
    xy = weft.grad(weft.grad(f, x), y)
    yx = weft.grad(weft.grad(f, y), x)
    for at in ((0.3, 1.2), (1.5, 0.4)):
        feed = dict(zip((x, y), at, strict=True))
        assert np.isclose(*weft.evaluate([xy, yx], feed), rtol=1e-13)


def test_a_derivative_inside_a_cost():
    """A gradient penalty: the cost itself holds a gradient."""
    rng = np.random.default_rng(0)
    x, w = weft.input("x", (3,), "float64"), weft.parameter("w", (3,), "float64")
    y = weft.tanh(weft.sum(x * w))
    slope = weft.grad(y, x)
    feed = {x: rng.normal(size=3), w: rng.normal(size=3)}
    check_grads(y + weft.sum(slope * slope), feed)


# Random graphs --------------------------------------------------------------------


def directions(graph, seed=0):
    rng = np.random.default_rng(seed)
    return {leaf: rng.normal(size=leaf.shape) for leaf in graph.leaves}


def close(a, b):
    scale = max(np.max(np.abs(b), initial=0), 1)
    return np.allclose(a, b, rtol=1e-9, atol=1e-11 * scale)


@SOME
@given(graphs())
def test_random_graphs_against_finite_differences(graph):
    check_grads(graph.output, graph.feed, order=2)


@MANY
@given(graphs(kinks=True, scalar=True))
def test_forward_over_reverse_is_reverse_over_reverse(graph):
    """And reverse over forward too."""
    leaves, v = list(graph.leaves), directions(graph)
    gradient = weft.grad(graph.output, leaves)
    ways = [
        weft.jvp(gradient, v),
        weft.vjp(gradient, leaves, list(v.values())),
        weft.grad(weft.jvp(graph.output, v), leaves),
    ]
    first, *others = weft.evaluate(ways, graph.feed)
    for other in others:
        assert all(map(close, other, first))


@SOME
@given(graphs(scalar=True))
def test_the_hessian_along_a_direction_is_a_difference_of_gradients(graph):
    leaves, v = list(graph.leaves), directions(graph)
    forward, finite = weft.evaluate(
        [
            weft.hvp(graph.output, leaves, list(v.values()), mode=mode)
            for mode in ("forward", "finite")
        ],
        graph.feed,
    )
    scale = max(1, *(np.max(np.abs(a), initial=0) for a in forward))
    for a, b in zip(forward, finite, strict=True):
        assert np.allclose(a, b, rtol=1e-4, atol=1e-4 * scale)


@SOME
@given(graphs(kinks=True))
def test_reverse_and_forward_mode_are_adjoint(graph):
    v = directions(graph)
    u = np.random.default_rng(1).normal(size=graph.output.shape)
    pushed = weft.jvp(graph.output, v)
    pulled = weft.vjp(graph.output, list(v), u)
    pushed, pulled = weft.evaluate([pushed, pulled], graph.feed)
    assert close(np.vdot(u, pushed), sum(map(np.vdot, pulled, v.values())))


@SOME
@given(graphs(kinks=True, scalar=True))
def test_backprop_in_numbers_is_the_gradient_graph(graph):
    leaves = list(graph.leaves)
    symbols = weft.evaluate(weft.grad(graph.output, leaves), graph.feed)
    numbers = weft.backprop(graph.output, leaves, graph.feed)
    for a, b in zip(numbers, symbols, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        assert close(a, b)


@SOME
@given(graphs(kinks=True, scalar=True, max_ops=5))
def test_the_sum_over_paths_is_backprop(graph):
    for leaf in graph.leaves:
        if leaf not in weft.topological([graph.output]):
            continue
        paths = weft.path_sum(graph.output, leaf, graph.feed)
        assert close(paths, weft.backprop(graph.output, leaf, graph.feed))


@SOME
@given(graphs(kinks=True))
def test_vmap_is_a_loop(graph):
    rng = np.random.default_rng(2)
    x, *_ = graph.leaves
    stack = graph.feed[x] + 0.01 * rng.normal(size=(3, *x.shape))
    xs = weft.input("xs", ("batch", *x.shape), x.dtype)
    batched = weft.evaluate(weft.vmap(graph.output, {x: xs}), {**graph.feed, xs: stack})
    loop = [weft.evaluate(graph.output, {**graph.feed, x: row}) for row in stack]
    assert close(batched, np.stack(loop))


@SOME
@given(graphs(scalar=True))
def test_the_jacobian_of_the_gradient_is_symmetric(graph):
    x, *_ = graph.leaves
    matrix = weft.evaluate(weft.hessian(graph.output, x), graph.feed)
    size = int(np.prod(x.shape, dtype=int))
    flat = matrix.reshape(size, size)
    assert close(flat, flat.T)


@SOME
@given(graphs(scalar=True, dtype="float32"))
def test_float32_stays_float32(graph):
    gradients = weft.grad(graph.output, list(graph.leaves))
    for gradient, leaf in zip(gradients, graph.leaves, strict=True):
        assert gradient.dtype == leaf.dtype == np.float32
        assert weft.evaluate(gradient, graph.feed).dtype == np.float32
    assert all(n.dtype != np.float64 for n in weft.topological(gradients))
