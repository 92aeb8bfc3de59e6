"""Other orders of the chain rule: the same Jacobian, at another price."""

import itertools

import numpy as np
import pytest

import weft
from weft.differentiate.elimination import eliminate, elimination_costs

F = "float64"


def scalars(count):
    return [weft.input(f"x{i}", (), F) for i in range(count)]


def hourglass(ends, waist):
    """As many inputs as outputs, and a chain of `waist` functions between."""
    inputs = scalars(ends)
    h = inputs[0]
    for x in inputs[1:]:
        h = h * x
    for _ in range(waist):
        h = weft.sin(h)
    return [weft.cos(h + k) for k in range(ends)], inputs


def random_graph(rng, inner=8):
    nodes = inputs = scalars(int(rng.integers(1, 4)))
    for _ in range(inner):
        kind = rng.choice(["sin", "exp", "add", "multiply", "subtract"])
        arity = 1 if kind in ("sin", "exp") else 2
        args = [nodes[int(i)] for i in rng.integers(0, len(nodes), arity)]
        nodes = [*nodes, getattr(weft, kind)(*args)]
    # Some that are used again, some that are not.
    outputs = [nodes[int(i)] for i in rng.integers(len(inputs), len(nodes), 3)]
    return list(dict.fromkeys([*outputs, nodes[-1]])), inputs


def feed_of(inputs, rng):
    return {x: rng.uniform(-0.5, 0.5) for x in inputs}


def jacobian(outputs, inputs, feed):
    rows = [[weft.grad(y, x) for x in inputs] for y in outputs]
    return np.array(weft.evaluate(rows, feed))


def test_a_graph_where_neither_mode_is_cheapest():
    """Four inputs, a narrow waist, four outputs: best from the middle outwards."""
    outputs, inputs = hourglass(4, 6)
    found = elimination_costs(outputs, inputs)
    assert found.proven
    assert found.best < min(found.forward, found.reverse)
    feed = feed_of(inputs, np.random.default_rng(0))
    matrix, made = eliminate(outputs, inputs, feed, found.order)
    assert made == found.best
    assert np.allclose(matrix, jacobian(outputs, inputs, feed))
    assert str(found).endswith("(the least there is)")


@pytest.mark.parametrize("waist", [1, 3, 8])
def test_the_three_costs_of_an_hourglass_counted_by_hand(waist):
    """Two inputs, one product, a chain of some links, two outputs."""
    found = elimination_costs(*straight_hourglass(waist))
    # The product, then every link with two edges before it, the last with two behind.
    assert found.forward == 2 + 2 * (waist - 1) + 4
    # The last link with two edges behind it, then every other, the product with 2 x 2.
    assert found.reverse == 2 + 2 * (waist - 1) + 4
    # One product for each pair of links; then there are two vertices with two ends.
    assert found.best == (waist - 1) + 2 + 4


def straight_hourglass(waist):
    x, y = scalars(2)
    h = x * y
    for _ in range(waist):
        h = weft.tanh(h)
    return [weft.sin(h), weft.cos(h)], [x, y]


def test_forward_and_reverse_are_best_where_they_should_be():
    # One input, many outputs: from the input on.
    (x,) = scalars(1)
    h = weft.sin(weft.exp(x))
    many = [weft.cos(h) * (k + 2.0) for k in range(4)]
    found = elimination_costs(many, x)
    assert found.best == found.forward < found.reverse
    # Many inputs, one output: from the output back, which is backpropagation.
    inputs = scalars(4)
    parts = [weft.sin(weft.exp(x)) for x in inputs]
    total = weft.tanh(weft.exp(parts[0] + parts[1] + parts[2] + parts[3]))
    found = elimination_costs(total, inputs)
    assert found.best == found.reverse < found.forward


@pytest.mark.parametrize("seed", range(12))
def test_every_order_gives_the_jacobian(seed):
    rng = np.random.default_rng(seed)
    outputs, inputs = random_graph(rng)
    feed = feed_of(inputs, rng)
    found = elimination_costs(outputs, inputs)
    expected = jacobian(outputs, inputs, feed)
    assert found.best <= min(found.forward, found.reverse)
    matrix, made = eliminate(outputs, inputs, feed, found.order)
    assert np.allclose(matrix, expected, rtol=1e-10)
    assert made == found.best  # what is counted is what is done
    for _ in range(3):
        order = [found.order[i] for i in rng.permutation(len(found.order))]
        matrix, made = eliminate(outputs, inputs, feed, order)
        assert np.allclose(matrix, expected, rtol=1e-10)
        assert made >= found.best


@pytest.mark.parametrize("seed", range(4))
def test_the_best_is_the_best_of_all(seed):
    rng = np.random.default_rng(100 + seed)
    outputs, inputs = random_graph(rng, inner=6)
    feed = feed_of(inputs, rng)
    found = elimination_costs(outputs, inputs)
    costs = [
        eliminate(outputs, inputs, feed, order)[1]
        for order in itertools.permutations(found.order)
    ]
    assert found.proven
    assert min(costs) == found.best


def test_a_large_graph_is_searched_by_markowitz():
    outputs, inputs = hourglass(6, 40)
    found = elimination_costs(outputs, inputs)
    assert not found.proven
    assert "the least found" in str(found)
    assert found.best < min(found.forward, found.reverse) / 3
    feed = feed_of(inputs, np.random.default_rng(0))
    matrix, made = eliminate(outputs, inputs, feed, found.order)
    assert made == found.best
    assert np.allclose(matrix, jacobian(outputs, inputs, feed))


def test_what_is_refused():
    x = weft.input("x", (3,), F)
    with pytest.raises(weft.ShapeError, match="a graph of scalars, and x: float64"):
        elimination_costs(weft.sum(weft.exp(x)), x)
    (z,) = scalars(1)
    h = weft.exp(z)
    with pytest.raises(weft.GraphError, match="each of the 1 between"):
        eliminate(weft.sin(h), z, {z: 1.0}, [])
    with pytest.raises(weft.GraphError, match="each of the 1 between"):
        eliminate(weft.sin(h), z, {z: 1.0}, [h, h])
