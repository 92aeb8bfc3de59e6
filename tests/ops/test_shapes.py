"""Shapes: broadcasting, reshaping, joining and products, against NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import weft
from weft.graph import ShapeError, as_shape
from weft.ops.broadcast import broadcast_shapes
from weft.testing import check_grads

SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@given(st.lists(SHAPES, min_size=1, max_size=3))
def test_broadcasting_is_numpys(shapes):
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(ShapeError):
            broadcast_shapes(shapes)
    else:
        assert broadcast_shapes(shapes) == expected


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([("n",), ()], ("n",)),
        ([("n", 3), (3,)], ("n", 3)),
        ([("n", 3), ("n", 1)], ("n", 3)),
        ([("n", 1), (1, "m")], ("n", "m")),
        ([("2n-1",), ("2n-1",)], ("2n-1",)),
        ([("n",), (1, "n")], (1, "n")),
        ([("n",), ("m", "n")], ("m", "n")),
        ([("n",), ("m", 1)], ("m", "n")),
    ],
)
def test_symbolic_broadcasting(shapes, expected):
    for order in (shapes, shapes[::-1]):
        assert broadcast_shapes(list(map(as_shape, order))) == as_shape(expected)


@pytest.mark.parametrize(
    "shapes",
    [
        [("n",), ("m",)],
        [("n",), (3,)],
        [("n",), ("2n",)],
        [("n", 2), ("n", 3)],
        [("n",), ("n", 1)],
        [("n",), ("n", "n", 1)],
        [("n",), (), ("n", 1)],
    ],
)
def test_what_does_not_broadcast(shapes):
    for order in (shapes, shapes[::-1]):
        with pytest.raises(ShapeError):
            broadcast_shapes(list(map(as_shape, order)))


# Reshape --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "target", "expected"),
    [
        (("n", 6), ("n", 2, 3), ("n", 2, 3)),
        (("n", 6), ("n", -1, 3), ("n", 2, 3)),
        (("n", 6), (-1, 6), ("n", 6)),
        (("n", 6), (-1,), ("6n",)),
        (("n", 6), -1, ("6n",)),
        (("n", 6), (-1, 3), ("2n", 3)),
        (("2n", 3), ("n", -1), ("n", 6)),
        (("6n",), ("n", 6), ("n", 6)),
        (("n", 2, "m"), ("n", -1, "m"), ("n", 2, "m")),
        (("n", "m"), ("m", "n"), ("m", "n")),
        (("n", "m", 4), ("m", -1, "n", 2), ("m", 2, "n", 2)),
        (("2n-2", 3), (-1, 6), ("n-1", 6)),
        ((), (1, 1), (1, 1)),
        ((4,), "4", (4,)),
        ((0, 3), (0, -1), (0, 3)),
        (("2n-2", 3), ("n-1", -1), ("n-1", 6)),
        ((0, 3), (-1, 3), (0, 3)),
    ],
)
def test_reshape(shape, target, expected):
    x = weft.input("x", shape, "float64")
    node = weft.reshape(x, target)
    assert node.shape == as_shape(expected)
    bindings = {"n": 3, "m": 5}
    size = [weft.graph.dim.resolve(s, bindings) for s in x.shape]
    array = np.arange(float(np.prod(size, dtype=int))).reshape(size)
    value = weft.evaluate(node, {x: array})
    wanted = [weft.graph.dim.resolve(s, bindings) for s in as_shape(expected)]
    assert np.array_equal(value, array.reshape(wanted))


@pytest.mark.parametrize(
    ("shape", "target"),
    [
        (("n", 3), ("n", 2)),
        (("n",), (3,)),
        ((6,), (4,)),
        ((6,), (4, -1)),
        ((6,), (-1, -1)),
        (("n",), ("2n",)),
        (("n",), (-1, 2)),
        (("2n-1", 3), ("n-1", -1)),
        (("2n",), ("m", -1)),
        ((6,), ("n", -1)),
        (("n", "m"), (-1,)),
        ((6,), (-2,)),
    ],
)
def test_what_does_not_reshape(shape, target):
    with pytest.raises(ShapeError):
        weft.reshape(weft.input("x", shape), target)


def test_a_product_of_symbols_is_given_a_name():
    x = weft.input("x", ("n", "m"), "float64")
    mask = weft.input("mask", ("nm",), "float64")
    node = weft.sum(weft.reshape(x, ("nm",)) * mask)
    array = np.arange(6.0).reshape(2, 3)
    feed = {x: array, mask: np.ones(6)}
    assert weft.evaluate(node, feed) == 15
    assert np.array_equal(weft.evaluate(weft.grad(node, x), feed), np.ones((2, 3)))
    with pytest.raises(weft.FeedError, match="reshape"):
        weft.evaluate(node, {x: array, mask: np.ones(5)})


# Axes -----------------------------------------------------------------------------


@pytest.mark.parametrize("axes", [None, (0, 1, 2), (2, 0, 1), (-1, 0, -2)])
def test_transpose(axes):
    array = np.random.default_rng(0).normal(size=(2, 3, 4))
    node = weft.transpose(weft.constant(array), axes)
    assert np.array_equal(node.numpy(), np.transpose(array, axes))


@pytest.mark.parametrize(("a", "b"), [(0, 2), (-1, 0), (1, 1), (-1, -3)])
def test_moved_axes(a, b):
    array = np.random.default_rng(0).normal(size=(2, 3, 4))
    x = weft.constant(array)
    assert np.array_equal(weft.moveaxis(x, a, b).numpy(), np.moveaxis(array, a, b))
    assert np.array_equal(weft.swapaxes(x, a, b).numpy(), np.swapaxes(array, a, b))


@pytest.mark.parametrize("call", [weft.moveaxis, weft.swapaxes])
def test_axes_that_are_not_there(call):
    with pytest.raises(ShapeError, match="no axis 2"):
        call(weft.input("x", (2, 3)), 0, 2)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_expand_and_squeeze(axis):
    x = weft.constant(np.zeros((2, 3)))
    wide = weft.expand_dims(x, axis)
    assert wide.shape == np.expand_dims(np.zeros((2, 3)), axis).shape
    assert weft.squeeze(wide, axis).shape == (2, 3)


def test_what_changes_nothing_is_the_node_itself():
    x = weft.input("x", ("n", 3))
    assert weft.reshape(x, ("n", 3)) is x
    assert weft.reshape(x, ("n", -1)) is x
    assert weft.transpose(x, (0, 1)) is x
    assert weft.broadcast_to(x, ("n", 3)) is x
    assert weft.cast(x, "float32") is x
    assert x[:] is x
    assert x[...] is x
    assert x[:, 0:3] is x


# Joining --------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_joining_is_numpys(axis):
    a, b = np.arange(6.0).reshape(2, 3), -np.arange(6.0).reshape(2, 3)
    nodes = [weft.constant(a), weft.constant(b)]
    found = weft.concatenate(nodes, axis).numpy()
    assert np.array_equal(found, np.concatenate([a, b], axis))
    assert np.array_equal(weft.stack(nodes, axis).numpy(), np.stack([a, b], axis))
    check_grads(lambda a, b: weft.sin(weft.stack([a, b * 2, a], axis)), a, b)


def test_joining_promotes():
    joined = weft.concatenate([weft.constant([1, 2]), weft.constant([0.5])])
    assert joined.dtype == np.float32
    assert np.array_equal(joined.numpy(), np.array([1, 2, 0.5], "float32"))


def test_joining_adds_lengths():
    x, y = weft.input("x", ("n", 2)), weft.input("y", ("m", 2))
    assert weft.concatenate([x, y, x]).shape == (weft.as_dim("m+2n"), 2)
    for join, what in ((weft.concatenate, "joining"), (weft.stack, "joining|stacking")):
        for values in ([], (), x):
            with pytest.raises(ShapeError, match=f"({what}) takes a list"):
                join(values)


# Matrix products ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3, 4)),
        ((5, 2, 3), (5, 3, 4)),
        ((5, 2, 3), (3,)),
        ((3,), (5, 3, 4)),
        ((1, 4, 2, 3), (5, 1, 3, 2)),
        ((0, 3), (3, 2)),
    ],
)
def test_matmul_is_numpys(a, b):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=a), rng.normal(size=b)
    node = weft.constant(x) @ weft.constant(y)
    assert node.shape == (x @ y).shape
    assert np.allclose(node.numpy(), x @ y, rtol=1e-14)
    check_grads(weft.matmul, x, y)


def test_matmul_of_symbolic_sizes():
    x, W = weft.input("x", ("n", "k")), weft.parameter("W", ("k", "m"))
    assert (x @ W).shape == as_shape(("n", "m"))
    with pytest.raises(ShapeError, match="n columns on the left against k rows"):
        x.T @ W


def test_gradients_of_a_product_are_the_slides():
    """U = H W, G the gradient of U: dH = G W' and dW = H' G."""
    rng = np.random.default_rng(0)
    H, W, G = (weft.constant(rng.normal(size=s)) for s in ((4, 3), (3, 2), (4, 2)))
    dH, dW = weft.vjp(H @ W, [H, W], G)
    assert dH is G @ W.T
    assert dW is H.T @ G


def test_stacking_takes_numbers_beside_nodes():
    x = weft.input("x", (), "float64")
    stacked = weft.stack([x, 2.0])
    assert stacked.dtype == "float64"
    assert weft.evaluate(stacked, {x: 1.0}).tolist() == [1.0, 2.0]
    assert weft.stack([1.0, 2.0]).tolist() == [1.0, 2.0]
