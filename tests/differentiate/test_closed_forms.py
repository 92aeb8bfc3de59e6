"""Derivatives against closed forms and SciPy, and the ways to ask for them."""

import numpy as np
import pytest
import scipy.differentiate
import scipy.optimize
import scipy.special

import weft
from weft.graph import FeedError, GraphError, ShapeError
from weft.testing import check_grads

F = "float64"


def scalar(name="x"):
    return weft.input(name, (), F)


SLOPES = {
    # function, its derivative in NumPy, points
    "exp": (weft.exp, np.exp, (-2, 3)),
    "log": (weft.log, lambda x: 1 / x, (0.2, 5)),
    "log1p": (weft.log1p, lambda x: 1 / (1 + x), (-0.5, 5)),
    "expm1": (weft.expm1, np.exp, (-2, 3)),
    "sqrt": (weft.sqrt, lambda x: 0.5 / np.sqrt(x), (0.2, 5)),
    "sin": (weft.sin, np.cos, (-4, 4)),
    "cos": (weft.cos, lambda x: -np.sin(x), (-4, 4)),
    "tanh": (weft.tanh, lambda x: 1 / np.cosh(x) ** 2, (-3, 3)),
    "sigmoid": (
        weft.sigmoid,
        lambda x: scipy.special.expit(x) * scipy.special.expit(-x),
        (-9, 9),
    ),
    "softplus": (weft.softplus, scipy.special.expit, (-9, 9)),
    "erf": (weft.erf, lambda x: 2 / np.sqrt(np.pi) * np.exp(-x * x), (-2, 2)),
    "lgamma": (weft.lgamma, scipy.special.digamma, (0.3, 9)),
    "reciprocal": (lambda x: 1 / x, lambda x: -1 / x**2, (0.3, 4)),
    "cube": (lambda x: x**3, lambda x: 3 * x**2, (-2, 2)),
    "x to the x": (lambda x: x**x, lambda x: x**x * (1 + np.log(x)), (0.2, 3)),
    "two to the x": (lambda x: 2.0**x, lambda x: 2**x * np.log(2), (-2, 3)),
    "silu": (
        weft.silu,
        lambda x: scipy.special.expit(x) * (1 + x * scipy.special.expit(-x)),
        (-5, 5),
    ),
    "gelu": (
        weft.gelu,
        lambda x: scipy.special.ndtr(x) + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi),
        (-4, 4),
    ),
    "elu": (weft.elu, lambda x: np.where(x > 0, 1, np.exp(x)), (-3, 3)),
    "log_sigmoid": (weft.log_sigmoid, lambda x: scipy.special.expit(-x), (-9, 9)),
}


@pytest.mark.parametrize(("function", "slope", "limits"), SLOPES.values(), ids=SLOPES)
def test_slopes(function, slope, limits):
    at = np.linspace(*limits, 31)
    x = weft.input("x", at.shape, F)
    y = function(x)
    gradient = weft.evaluate(weft.grad(weft.sum(y), x), {x: at})
    assert np.allclose(gradient, slope(at), rtol=1e-13)
    tangent = weft.evaluate(weft.jvp(y, {x: np.ones_like(at)}), {x: at})
    assert np.allclose(tangent, slope(at), rtol=1e-13)
    numbers = weft.backprop(weft.sum(y), x, {x: at})
    assert np.array_equal(numbers, gradient)


def test_against_scipys_own_differentiation():
    x = scalar()
    y = weft.sin(x) * weft.exp(-(x**2)) + weft.softplus(3 * x)

    def f(at):
        flat = [weft.evaluate(y, {x: v}) for v in np.ravel(at)]
        return np.reshape(flat, np.shape(at))

    for at in (-1.0, 0.3, 2.0):
        expected = scipy.differentiate.derivative(f, at).df
        assert np.isclose(weft.evaluate(weft.grad(y, x), {x: at}), expected, rtol=1e-9)


def test_rosenbrock():
    x = weft.input("x", (5,), F)
    cost = weft.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    rng = np.random.default_rng(0)
    for at in rng.normal(size=(5, 5)):
        feed = {x: at}
        assert np.isclose(weft.evaluate(cost, feed), scipy.optimize.rosen(at))
        gradient = weft.evaluate(weft.grad(cost, x), feed)
        assert np.allclose(gradient, scipy.optimize.rosen_der(at), rtol=1e-12)
        matrix = weft.evaluate(weft.hessian(cost, x), feed)
        assert np.allclose(matrix, scipy.optimize.rosen_hess(at), rtol=1e-12)
        v = rng.normal(size=5)
        product = weft.evaluate(weft.hvp(cost, x, v), feed)
        assert np.allclose(product, scipy.optimize.rosen_hess_prod(at, v), rtol=1e-11)


def test_linear_regression():
    """The gradient of |Xw - y|**2 is 2 X'(Xw - y), and its Hessian 2 X'X."""
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(7, 3)), rng.normal(size=7)
    w = weft.parameter("w", (3,), F)
    cost = weft.sum((weft.constant(X) @ w - y) ** 2)
    at = rng.normal(size=3)
    gradient = weft.evaluate(weft.grad(cost, w), {w: at})
    assert np.allclose(gradient, 2 * X.T @ (X @ at - y))
    assert np.allclose(weft.evaluate(weft.hessian(cost, w), {w: at}), 2 * X.T @ X)


def test_two_layers_as_the_book_derives_them():
    """Section 6.5.7: J = cross-entropy of relu(X W1) W2, gradients by hand."""
    rng = np.random.default_rng(2)
    X, labels = rng.normal(size=(6, 4)), rng.integers(0, 3, 6)
    A, B = rng.normal(size=(4, 5)), rng.normal(size=(5, 3))
    x, k = weft.input("x", ("n", 4), F), weft.input("k", ("n",), "int64")
    W1, W2 = weft.parameter("W1", (4, 5), F), weft.parameter("W2", (5, 3), F)
    H = weft.relu(x @ W1)
    picked = weft.take_along_axis(weft.log_softmax(H @ W2), k[:, None], 1)
    cost = -weft.mean(picked)
    feed = {x: X, k: labels, W1: A, W2: B}
    got1, got2 = weft.evaluate(weft.grad(cost, [W1, W2]), feed)
    hidden = np.maximum(X @ A, 0)
    G = (scipy.special.softmax(hidden @ B, 1) - np.eye(3)[labels]) / 6
    assert np.allclose(got2, hidden.T @ G)
    assert np.allclose(got1, X.T @ ((G @ B.T) * (hidden > 0)))


# Trees, interior nodes, independence ------------------------------------------------


def test_wrt_may_be_a_tree():
    x, y = scalar("x"), scalar("y")
    cost = x * x * y
    found = weft.evaluate(weft.grad(cost, {"a": x, "b": [y, (x,)]}), {x: 3.0, y: 5.0})
    assert found == {"a": 30.0, "b": [9.0, (30.0,)]}
    same = weft.backprop(cost, {"a": x, "b": [y, (x,)]}, {x: 3.0, y: 5.0})
    assert same == found


def test_wrt_may_be_an_interior_node():
    x = scalar()
    h = weft.exp(x)
    cost = h * h + x
    to_h, to_x = weft.grad(cost, [h, x])
    feed = {x: 0.5}
    assert np.isclose(weft.evaluate(to_h, feed), 2 * np.exp(0.5))
    assert np.isclose(weft.evaluate(to_x, feed), 2 * np.exp(1.0) + 1)
    tangent = weft.jvp(cost, {h: 1.0})
    assert np.isclose(weft.evaluate(tangent, feed), 2 * np.exp(0.5))


def test_wrt_the_cost_itself_is_one():
    x = scalar()
    y = weft.exp(x)
    assert weft.evaluate(weft.grad(y, y), {x: 1.0}) == 1
    assert weft.evaluate(weft.grad(x, x), {x: 5.0}) == 1
    assert weft.backprop(x, x, {x: 5.0}) == 1
    assert weft.path_sum(x, x, {x: 5.0}) == 1


def test_no_dependence_is_zero_in_shape_and_type():
    x, z = scalar(), weft.input("z", ("n", 2), "float32")
    gradient = weft.grad(x * x, z)
    assert (gradient.shape, gradient.dtype) == (z.shape, z.dtype)
    found = weft.evaluate(gradient, {z: np.ones((3, 2))})
    assert np.array_equal(found, np.zeros((3, 2)))
    assert found.dtype == np.float32


def test_a_tangent_that_reaches_nothing_is_zero():
    x, z = scalar("x"), scalar("z")
    out = weft.jvp([x * x, weft.exp(z)], {z: 2.0})
    assert weft.evaluate(out, {x: 3.0, z: 0.0}) == [0.0, 2.0]


def test_a_node_used_twice_as_output_counts_twice():
    x = scalar()
    y = weft.exp(x)
    found = weft.vjp([y, y], x, [weft.constant(2.0, F), weft.constant(3.0, F)])
    assert np.isclose(weft.evaluate(found, {x: 0.0}), 5)


def test_gradients_keep_the_type_of_their_node():
    x, w = weft.input("x", (2,), "float32"), weft.input("w", (2,), "float64")
    to_x, to_w = weft.grad(weft.sum(x * w), [x, w])
    assert (to_x.dtype, to_w.dtype) == ("float32", "float64")


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda v, k: weft.grad(v, v), ShapeError, r"v: float64\(3,\).*weft\.sum"),
        (lambda v, k: weft.grad(1.0, v), GraphError, "the cost is no node"),
        (lambda v, k: weft.grad(weft.sum(v), 1.0), GraphError, "is no node"),
        (lambda v, k: weft.grad(weft.sum(v), k), GraphError, "of floats"),
        (lambda v, k: weft.grad(k, v), GraphError, "of floats"),
        (lambda v, k: weft.vjp(v, v, np.ones(2)), ShapeError, "cotangent of v"),
        (lambda v, k: weft.vjp([v], v, np.ones(3)), GraphError, "tree like"),
        (lambda v, k: weft.jvp(v, {v: np.ones(2)}), ShapeError, "tangent of v"),
        (lambda v, k: weft.jvp(v, {k: 1}), GraphError, "no node of floats"),
        (lambda v, k: weft.jvp(v, {"v": 1}), GraphError, "no node of floats"),
        (lambda v, k: weft.vmap(v, {}), GraphError, "nothing is stacked: give a dict"),
        (lambda v, k: weft.vmap(v, {v: np.ones(3)}), ShapeError, "stack of v"),
        (lambda v, k: weft.hvp(weft.sum(v), [v], [1.0, 2.0]), GraphError, "tree like"),
        (lambda v, k: weft.backprop(v, v, {v: np.ones(3)}), ShapeError, "scalar"),
        (lambda v, k: weft.backprop(weft.sum(v), v, {}), FeedError, "v: float64"),
        (lambda v, k: weft.path_sum(weft.sum(v), v, {}), FeedError, "v: float64"),
        (
            lambda v, k: weft.path_sum(weft.sum(v), scalar("z"), {v: np.ones(3)}),
            GraphError,
            "does not depend on z",
        ),
    ],
)
def test_what_cannot_be_differentiated(ask, error, message):
    v, k = weft.input("v", (3,), F), weft.input("k", (), "int64")
    with pytest.raises(error, match=message) as caught:
        ask(v, k)
    assert "\n" not in str(caught.value)


# Jacobian, Hessian, products --------------------------------------------------------


def test_the_jacobian_of_a_linear_map_is_its_matrix():
    rng = np.random.default_rng(3)
    W, x = weft.constant(rng.normal(size=(4, 3))), weft.input("x", (3,), F)
    matrix = weft.evaluate(weft.jacobian(W @ x, x), {x: np.zeros(3)})
    assert np.allclose(matrix, W.numpy())


def test_the_jacobian_of_softmax():
    x = weft.input("x", (4,), F)
    at = np.array([0.3, -1.0, 2.0, 0.0])
    p = scipy.special.softmax(at)
    matrix = weft.evaluate(weft.jacobian(weft.softmax(x), x), {x: at})
    assert np.allclose(matrix, np.diag(p) - np.outer(p, p), atol=1e-16)


@pytest.mark.parametrize("shape_x", [(), (2,), (2, 3)])
@pytest.mark.parametrize("shape_y", [(), (3,), (1, 3)])
def test_shapes_of_jacobians(shape_x, shape_y):
    x = weft.input("x", shape_x, F)
    base = weft.sum(weft.sin(x))
    y = weft.broadcast_to(base, shape_y) * np.ones(shape_y)
    matrix = weft.jacobian(y, x)
    assert matrix.shape == (*shape_y, *shape_x)
    at = np.random.default_rng(0).normal(size=shape_x)
    expected = np.broadcast_to(np.cos(at), (*shape_y, *shape_x))
    assert np.allclose(weft.evaluate(matrix, {x: at}), expected)


def test_a_jacobian_of_a_symbolic_length():
    x = weft.input("x", ("n",), F)
    y = weft.sum(x) * x
    matrix = weft.jacobian(y, x)
    n = weft.as_dim("n")
    assert matrix.shape == (n, n)
    for count in (1, 4):
        at = np.arange(1.0, count + 1)
        expected = np.eye(count) * at.sum() + at[:, None]
        assert np.allclose(weft.evaluate(matrix, {x: at}), expected)


def test_a_jacobian_for_a_tree():
    x, y = weft.input("x", (2,), F), weft.input("y", (), F)
    found = weft.evaluate(
        weft.jacobian(x * y, {"x": x, "y": y}), {x: [1.0, 2.0], y: 3.0}
    )
    assert np.array_equal(found["x"], 3 * np.eye(2))
    assert np.array_equal(found["y"], [1.0, 2.0])


def test_a_jacobian_of_what_does_not_depend_is_zero():
    x, z = weft.input("x", (2,), F), weft.input("z", (3,), F)
    found = weft.evaluate(weft.jacobian(x * 2, z), {x: np.ones(2), z: np.ones(3)})
    assert np.array_equal(found, np.zeros((2, 3)))


def network(seed=0):
    rng = np.random.default_rng(seed)
    x = weft.constant(rng.normal(size=(5, 3)))
    W, v = weft.parameter("W", (3, 4), F), weft.parameter("v", (4,), F)
    cost = weft.mean(weft.softplus(weft.tanh(x @ W) @ v)) + 0.1 * weft.sum(W * W)
    feed = {W: rng.normal(size=(3, 4)), v: rng.normal(size=4)}
    return cost, W, v, feed


def numeric_hessian(cost, wrt, feed, h=1e-4):
    gradient = weft.grad(cost, wrt)
    at = feed[wrt]
    rows = []
    for i in np.ndindex(at.shape):
        step = np.zeros(at.shape)
        step[i] = h
        ahead = weft.evaluate(gradient, {**feed, wrt: at + step})
        behind = weft.evaluate(gradient, {**feed, wrt: at - step})
        rows.append((ahead - behind) / (2 * h))
    return np.reshape(rows, (*at.shape, *at.shape))


def test_the_hessian_against_differences_of_the_gradient():
    cost, W, _, feed = network()
    matrix = weft.evaluate(weft.hessian(cost, W), feed)
    assert matrix.shape == (3, 4, 3, 4)
    assert np.allclose(matrix, numeric_hessian(cost, W, feed), atol=1e-8)
    flat = matrix.reshape(12, 12)
    assert np.allclose(flat, flat.T, atol=1e-14)


def test_blocks_of_the_hessian_of_a_tree():
    cost, W, v, feed = network()
    blocks = weft.evaluate(weft.hessian(cost, [W, v]), feed)
    assert [[b.shape for b in row] for row in blocks] == [
        [(3, 4, 3, 4), (3, 4, 4)],
        [(4, 3, 4), (4, 4)],
    ]
    assert np.allclose(blocks[0][1], np.moveaxis(blocks[1][0], 0, -1), atol=1e-14)


def test_hessian_vector_products():
    cost, W, v, feed = network()
    rng = np.random.default_rng(5)
    d = [rng.normal(size=(3, 4)), rng.normal(size=4)]
    products = weft.evaluate(weft.hvp(cost, [W, v], d), feed)
    blocks = weft.evaluate(weft.hessian(cost, [W, v]), feed)
    for product, row in zip(products, blocks, strict=True):
        expected = sum(
            np.tensordot(block, part, part.ndim)
            for block, part in zip(row, d, strict=True)
        )
        assert np.allclose(product, expected, atol=1e-13)
    # Forward over reverse is the same.
    gradient = weft.grad(cost, [W, v])
    forward = weft.evaluate(weft.jvp(gradient, dict(zip([W, v], d, strict=True))), feed)
    for a, b in zip(forward, products, strict=True):
        assert np.allclose(a, b, atol=1e-14)


def test_gradients_per_example():
    """Vmap of the gradient: one row per example, their sum the gradient of the sum."""
    rng = np.random.default_rng(6)
    x, w = weft.input("x", (3,), F), weft.parameter("w", (3,), F)
    xs = weft.input("xs", ("n", 3), F)
    one = weft.softplus(weft.sum(x * w))
    per_example = weft.vmap(weft.grad(one, w), {x: xs})
    assert per_example.shape == (weft.as_dim("n"), 3)
    X, at = rng.normal(size=(5, 3)), rng.normal(size=3)
    rows = weft.evaluate(per_example, {xs: X, w: at})
    expected = scipy.special.expit(X @ at)[:, None] * X
    assert np.allclose(rows, expected, rtol=1e-14)
    whole = weft.grad(weft.sum(weft.softplus(xs @ w)), w)
    assert np.allclose(weft.evaluate(whole, {xs: X, w: at}), rows.sum(0))


def test_vmap_of_vmap():
    x, y = weft.input("x", (2,), F), weft.input("y", (2,), F)
    xs, ys = weft.input("xs", ("n", 2), F), weft.input("ys", ("m", 2), F)
    inner = weft.vmap(weft.sum(x * y), {x: xs})
    both = weft.vmap(inner, {y: ys})
    assert both.shape == (weft.as_dim("m"), weft.as_dim("n"))
    a, b = np.arange(6.0).reshape(3, 2), np.arange(4.0).reshape(2, 2)
    assert np.array_equal(weft.evaluate(both, {xs: a, ys: b}), b @ a.T)


def test_vmap_gives_every_output_the_new_axis():
    x, z = scalar("x"), weft.input("z", (2,), F)
    xs = weft.input("xs", (3,), F)
    found = weft.vmap({"a": x * 2, "b": z}, {x: xs})
    assert found["b"].shape == (3, 2)
    value = weft.evaluate(found, {xs: [1.0, 2.0, 3.0], z: [4.0, 5.0]})
    assert np.array_equal(value["a"], [2, 4, 6])
    assert np.array_equal(value["b"], [[4, 5]] * 3)


def test_gradients_flow_through_vmap():
    x, w = scalar("x"), scalar("w")
    xs = weft.input("xs", ("n",), F)
    cost = weft.sum(weft.vmap(weft.sin(x * w), {x: xs}))
    at = np.array([0.1, 0.5, 2.0])
    found = weft.evaluate(weft.grad(cost, w), {xs: at, w: 3.0})
    assert np.isclose(found, np.sum(at * np.cos(3 * at)))


def test_functions_can_be_checked_as_they_stand():
    rng = np.random.default_rng(7)

    def cost(W, b, x):
        return weft.mean(weft.logsumexp(weft.tanh(x @ W + b), axis=1))

    check_grads(
        cost, rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=(5, 3))
    )


# At a kink, and at the first step ---------------------------------------------------


@pytest.mark.parametrize(("side", "slope"), [("left", 0), ("right", 1)])
def test_matrices_and_products_take_the_side_that_is_asked_for(side, slope):
    x = weft.input("x", (2,), "float64")
    y = weft.relu(x)
    at = {x: [0.0, 3.0]}
    matrix = weft.evaluate(weft.jacobian(y, x, kink=side), at)
    np.testing.assert_array_equal(matrix, np.diag([slope, 1]))
    cost = weft.sum(y * y)
    expected = np.diag([2 * slope, 2])
    np.testing.assert_array_equal(
        weft.evaluate(weft.hessian(cost, x, kink=side), at), expected
    )
    np.testing.assert_array_equal(
        weft.evaluate(weft.hvp(cost, x, [1.0, 1.0], kink=side), at), expected.sum(1)
    )


def test_the_direction_of_a_product_is_never_broadcast():
    x = weft.input("x", ("n", 3))
    with pytest.raises(ShapeError, match="the direction of x"):
        weft.hvp(weft.sum(x * x), x, np.ones(3, np.float32))


def test_a_jacobian_is_of_a_node():
    with pytest.raises(GraphError, match="3 is no node and cannot be derived"):
        weft.jacobian(3, weft.input("x", ()))


def test_the_first_factor_of_a_gradient_stands_alone():
    x = weft.input("x", ())
    y = weft.input("y", ())
    assert weft.text(weft.grad(weft.tanh(x), x)) == "(1 - tanh(x)**2)"
    assert weft.grad(x * y, x) is y
    assert weft.jvp(weft.exp(x), {x: weft.constant(1.0)}) is weft.exp(x)
