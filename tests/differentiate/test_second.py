"""The Hessian along a direction: three ways that agree, and what they cost."""

import time

import numpy as np
import pytest

import weft
from weft import nn
from weft.graph.walk import topological
from weft.rewrite import fast

MODES = ("forward", "reverse", "finite")


def mnist_network(dtype="float32"):
    """Return cost, parameters, directions and the other inputs of 784-256-256-10."""
    network = nn.mlp([256, 256], "relu", nn.Categorical(10))
    first = network.init(0, 784, dtype)
    leaves = [weft.input("p", a.shape, dtype) for a in weft.flatten(first)[0]]
    _, structure = weft.flatten(first)
    x, y = weft.input("x", ("n", 784), dtype), network.output.target(np.arange(10))
    cost, _ = network.cost(weft.unflatten(structure, leaves), x, y, nn.Predict())
    v = [weft.input("v", leaf.shape, dtype) for leaf in leaves]
    return cost, leaves, v, [x, y], weft.flatten(first)[0]


def products(nodes):
    """Return the shapes (m, k, n) of the matrix products that nodes need."""
    found = [n for n in topological(fast(nodes)) if n.op.name == "matmul"]
    return [(*map(str, n.inputs[0].shape), str(n.shape[1])) for n in found]


def multiplications(shapes, rows):
    return sum(
        int(np.prod([rows if d == "n" else int(d) for d in shape])) for shape in shapes
    )


@pytest.mark.parametrize("unit", [weft.tanh, weft.softplus, weft.silu, weft.relu])
def test_the_modes_agree(unit):
    rng = np.random.default_rng(0)
    x, W = weft.input("x", ("n", 3), "float64"), weft.parameter("W", (3, 4), "float64")
    u = weft.parameter("u", (4,), "float64")
    cost = weft.mean(unit(x @ W) @ u * weft.sum(x, 1)) ** 2
    feed = {
        x: rng.normal(size=(6, 3)),
        W: rng.normal(size=(3, 4)),
        u: rng.normal(size=4),
    }
    v = [rng.normal(size=(3, 4)), rng.normal(size=4)]
    forward, reverse, finite = (
        weft.evaluate(weft.hvp(cost, [W, u], v, mode=mode), feed) for mode in MODES
    )
    for a, b, c in zip(forward, reverse, finite, strict=True):
        assert np.allclose(a, b, rtol=1e-12, atol=1e-13)
        assert np.allclose(a, c, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("mode", MODES)
def test_a_hidden_layer_may_be_the_variable(mode):
    x = weft.input("x", (2,), "float64")
    h = weft.exp(x)
    found = weft.hvp(weft.sum(h**3), h, [1.0, 2.0], mode=mode)
    exact = 6 * np.exp([0.3, -0.2]) * [1, 2]
    assert np.allclose(weft.evaluate(found, {x: [0.3, -0.2]}), exact, rtol=1e-6)


def test_no_direction_is_no_difference():
    x = weft.input("x", (2,), "float64")
    found = weft.hvp(weft.sum(x**3), x, [0.0, 0.0], mode="finite")
    assert weft.evaluate(found, {x: [1.0, 2.0]}).tolist() == [0.0, 0.0]


def test_there_is_no_other_mode():
    x = weft.input("x", ())
    with pytest.raises(weft.GraphError, match="forward, reverse, finite"):
        weft.hvp(x * x, x, 1.0, mode="backward")


def test_the_products_of_a_network_are_no_more_than_needed():
    """3 in the first layer and 8 in every other one, and all come out by rows.

    In the second layer 7: a rectifier's slope has no slope of its own, so that nothing
    asks for the gradient of what the first layer returns.
    """
    cost, leaves, v, _, _ = mnist_network()
    forward = products(weft.hvp(cost, leaves, v))
    assert len(forward) == 3 + 7 + 8
    reverse = products(weft.hvp(cost, leaves, v, mode="reverse"))
    assert multiplications(forward, 1024) == multiplications(reverse, 1024)
    assert not [shape for shape in forward if shape[2] == "n"]
    assert len([shape for shape in reverse if shape[2] == "n"]) == 2
    gradient = products(weft.grad(cost, leaves))
    ratio = multiplications(forward, 1024) / multiplications(gradient, 1024)
    assert ratio < 1.8


def test_a_product_costs_less_than_four_gradients():
    cost, leaves, v, inputs, values = mnist_network()
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(1024, 784)).astype("f4"), rng.integers(10, size=1024)
    directions = [rng.normal(size=a.shape).astype("f4") for a in values]
    settings = {"engine": "native", "threads": 1}
    gradient = weft.compile([*inputs, *leaves], weft.grad(cost, leaves), **settings)
    product = weft.compile(
        [*inputs, *leaves, *v], weft.hvp(cost, leaves, v), **settings
    )
    seconds = {gradient: [], product: []}
    for _ in range(8):
        for program, more in ((gradient, []), (product, directions)):
            began = time.perf_counter()
            program(X, y, *values, *more)
            seconds[program].append(time.perf_counter() - began)
    ratio = min(seconds[product][1:]) / min(seconds[gradient][1:])
    print(f"one product costs {ratio:.2f} gradients")
    assert ratio <= 4
