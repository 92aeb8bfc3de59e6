"""Algorithms 6.1 and 6.2 in numbers: the table, the sum over paths, their work."""

import numpy as np
import pytest

import weft
from weft.graph import Node
from weft.ops import OPS

F = "float64"


def ladder(depth):
    """Width two, every node used by both of the next rung: 2**depth paths."""
    x = weft.input("x", (), F)
    a, b = weft.sin(x), weft.cos(x)
    for _ in range(depth):
        a, b = a + b, a * b
    return x, a + b


def edges(outputs):
    return sum(len(node.inputs) for node in weft.topological(outputs))


# The table ------------------------------------------------------------------------


def test_the_table_holds_every_derivative():
    x, y = weft.input("x", (), F), weft.input("y", (), F)
    a = x * y
    b = weft.exp(a)
    cost = a + b
    table = weft.backprop(cost, [x, y], {x: 2.0, y: 0.5}, table=True)
    e = np.exp(1.0)
    assert table[cost] == 1
    assert table[b] == 1
    assert np.isclose(table[a], 1 + e)
    assert np.isclose(table[x], 0.5 * (1 + e))
    assert np.isclose(table[y], 2 * (1 + e))
    assert set(table) == {x, y, a, b, cost}
    assert all(isinstance(node, Node) for node in table)


def test_the_table_agrees_with_the_gradient_for_any_node():
    rng = np.random.default_rng(0)
    x, W = weft.input("x", ("n", 3), F), weft.parameter("W", (3, 2), F)
    h = weft.tanh(x @ W)
    cost = weft.mean(weft.logsumexp(h, axis=1))
    feed = {x: rng.normal(size=(4, 3)), W: rng.normal(size=(3, 2))}
    table = weft.backprop(cost, W, feed, table=True)
    for node in weft.topological([cost]):
        if node.dtype != F or node not in table:
            continue
        gradient = weft.evaluate(weft.grad(cost, node), feed)
        assert table[node].shape == gradient.shape
        assert np.allclose(table[node], gradient, rtol=1e-13)
    assert {x, W, h, cost} <= set(table)


def test_whole_numbers_are_not_in_the_table():
    x, k = weft.input("x", (3,), F), weft.input("k", (2,), "int64")
    cost = weft.sum(weft.take(x, k))
    table = weft.backprop(cost, x, {x: np.ones(3), k: [0, 0]}, table=True)
    assert k not in table
    assert np.array_equal(table[x], [2, 0, 0])


def test_numbers_come_as_arrays_of_the_right_shape():
    x = weft.input("x", ("n", 2), F)
    found = weft.backprop(weft.sum(x), x, {x: np.zeros((3, 2))})
    assert np.array_equal(found, np.ones((3, 2)))
    assert isinstance(
        weft.backprop(weft.sum(x[0, 0]), x, {x: np.ones((3, 2))}), np.ndarray
    )
    z = weft.input("z", (), "float32")
    assert weft.backprop(z * z, z, {z: 3}).dtype == np.float32


def test_a_leaf_that_does_not_matter_has_zeros():
    x, z = weft.input("x", (), F), weft.input("z", (2,), F)
    found = weft.backprop(x * x, [x, z], {x: 3.0, z: np.ones(2)})
    assert found[0] == 6
    assert np.array_equal(found[1], [0, 0])


def test_an_interior_node_may_be_fed():
    x = weft.input("x", (), F)
    h = weft.exp(x)
    assert weft.backprop(h * h, h, {h: 3.0}) == 6
    # It is taken as given: nothing flows to what it would be computed from.
    found = weft.backprop(h * h + x, [h, x], {h: 3.0, x: 1.0})
    assert found == [6, 1]
    assert weft.path_sum(h * h + x, x, {h: 3.0, x: 1.0}) == 1


# The ladder -----------------------------------------------------------------------


@pytest.mark.parametrize("depth", range(1, 9))
def test_the_sum_over_paths_equals_backprop(depth):
    x, cost = ladder(depth)
    feed = {x: 0.3}
    paths = weft.path_sum(cost, x, feed)
    assert np.isclose(paths, weft.backprop(cost, x, feed), rtol=1e-12)
    assert np.isclose(paths, weft.evaluate(weft.grad(cost, x), feed), rtol=1e-12)


def visits(monkeypatch, run):
    """Count the Jacobian products that `run` asks the rules for."""
    count = 0
    for op in (OPS["add"], OPS["multiply"], OPS["sin"], OPS["cos"]):
        original = op.derivative

        def counted(*args, original=original):
            nonlocal count
            count += 1
            return original.vjp(*args)

        derivative = type(original)(counted, original.jvp)
        monkeypatch.setitem(vars(op), "derivative", derivative)
    run()
    monkeypatch.undo()
    return count


@pytest.mark.parametrize("depth", [2, 4, 8])
def test_work_is_paths_or_edges(depth, monkeypatch):
    x, cost = ladder(depth)
    feed = {x: 0.3}
    by_table = visits(monkeypatch, lambda: weft.backprop(cost, x, feed))
    by_paths = visits(monkeypatch, lambda: weft.path_sum(cost, x, feed))
    assert by_table == edges([cost])
    # Every path is walked to its end; what two paths share is walked twice.
    assert by_paths >= 2 ** (depth + 1)


def test_a_balanced_graph_with_2_20_paths_costs_its_80_edges(monkeypatch):
    """Depth 20 and width 2: a million paths through 80 edges between the rungs."""
    x, cost = ladder(20)
    count = edges([cost])
    assert 80 <= count <= 90
    numbers = visits(monkeypatch, lambda: weft.backprop(cost, x, {x: 0.01}))
    assert numbers == count
    symbols = visits(monkeypatch, lambda: weft.grad(cost, x))
    assert symbols == count
    forward = len(weft.topological([cost]))
    with_gradient = len(weft.topological([cost, weft.grad(cost, x)]))
    # At most a product and a sum per edge.
    assert with_gradient - forward <= 2 * count
    assert len(weft.topological([weft.jvp(cost, {x: 1.0})])) - forward <= 2 * count


def test_second_derivatives_of_a_ladder_stay_linear():
    sizes = []
    for depth in (10, 20, 40):
        x, cost = ladder(depth)
        second = weft.grad(weft.grad(cost, x), x)
        sizes.append(len(weft.topological([second])))
    assert sizes[2] - sizes[1] == 2 * (sizes[1] - sizes[0])


# Depth ----------------------------------------------------------------------------


def chain(length):
    node = x = weft.input("x", (), F)
    for _ in range(length):
        node = OPS["sin"](node)
    return x, node


def test_a_chain_of_100_000_nodes():
    x, node = chain(100_000)
    value, u = 1.0, 1.0
    for _ in range(100_000):
        value *= np.cos(u)
        u = np.sin(u)
    gradient = weft.evaluate(weft.grad(node, x), {x: 1.0})
    assert np.isclose(gradient, value, rtol=1e-9)
    assert np.isclose(weft.backprop(node, x, {x: 1.0}), value, rtol=1e-9)


def test_a_deep_chain_in_forward_mode_and_batched():
    x, node = chain(10_000)
    reverse, forward = weft.grad(node, x), weft.jvp(node, {x: 1.0})
    assert np.isclose(*weft.evaluate([forward, reverse], {x: 1.0}), rtol=1e-9)
    xs = weft.input("xs", ("n",), F)
    found = weft.evaluate(weft.vmap(node, {x: xs}), {xs: [1.0, 2.0]})
    assert found[0] == weft.evaluate(node, {x: 1.0})
