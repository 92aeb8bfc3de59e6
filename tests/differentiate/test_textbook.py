"""Gradients against Algorithms 6.3 and 6.4, and the work that the book promises."""

import numpy as np
import pytest

import weft
from weft import nn
from weft.ops import OPS
from weft.testing import algorithm_6_3, algorithm_6_4
from weft.testing.textbook import LOSSES, PENALTIES, UNITS

F = "float64"

# What each name of the book's side is in weft.
OURS = {
    "identity": nn.Identity(),
    "relu": nn.ReLU(),
    "absolute_value": nn.AbsoluteValue(),
    "leaky_relu": nn.LeakyReLU(0.01),
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "hard_tanh": nn.HardTanh(),
    "softplus": nn.Softplus(),
    "cos": nn.Cos(),
    "elu": nn.ELU(),
    "gelu": nn.GELU(),
    "silu": nn.SiLU(),
}
FUNCTIONS = {
    "absolute_value": weft.abs,
    "identity": lambda a: a,
    **{
        name: getattr(weft, name)
        for name in UNITS
        if name not in ("absolute_value", "identity")
    },
}


def penalty_node(name, leaf):
    if name == "L2":
        return 0.5 * weft.sum(leaf**2)
    return weft.l1_norm(leaf) if name == "L1" else 0.0 * weft.sum(leaf)


def loss_node(name, yhat, y):
    if name == "squared error":
        return 0.5 * weft.sum((yhat - y) ** 2)
    return weft.logsumexp(yhat) - weft.sum(y * yhat)


def random_network(rng):
    depth = int(rng.integers(1, 7))
    sizes = rng.integers(1, 6, depth + 1)
    units = [str(name) for name in rng.choice(sorted(UNITS), depth)]
    pairs = list(zip(sizes[1:], sizes[:-1], strict=True))
    W = [rng.normal(size=pair) / np.sqrt(pair[1]) for pair in pairs]
    b = [rng.normal(size=rows) for rows, _ in pairs]
    x, y = rng.normal(size=sizes[0]), rng.dirichlet(np.ones(sizes[-1]))
    loss, penalty = (str(rng.choice(sorted(kind))) for kind in (LOSSES, PENALTIES))
    return x, y, W, b, units, loss, penalty, float(rng.uniform(0, 0.5))


def as_graph(x, y, W, b, units, loss, penalty, lam):
    leaves = {
        kind: [weft.parameter(kind, value.shape, F) for value in values]
        for kind, values in (("W", W), ("b", b))
    }
    inputs = [weft.input(name, v.shape, F) for name, v in (("x", x), ("y", y))]
    h = inputs[0]
    for weight, bias, unit in zip(leaves["W"], leaves["b"], units, strict=True):
        h = FUNCTIONS[unit](weight @ h + bias)
    cost = loss_node(loss, h, inputs[1])
    for leaf in (*leaves["W"], *leaves["b"]):
        cost = cost + lam * penalty_node(penalty, leaf)
    feed = dict(zip(inputs, (x, y), strict=True))
    for kind, values in (("W", W), ("b", b)):
        feed.update(zip(leaves[kind], values, strict=True))
    return cost, leaves, feed


def test_gradients_are_the_books(count):
    """Random depth, widths, units, loss and penalty."""
    met = set()
    for seed in range(count(20, 200)):
        network = random_network(np.random.default_rng(seed))
        met |= {*network[4], network[5], network[6]}
        cost, leaves, feed = as_graph(*network)
        gradient = weft.grad(cost, [leaves["W"], leaves["b"]])
        value, symbols = weft.evaluate([cost, gradient], feed)
        numbers = weft.backprop(cost, [leaves["W"], leaves["b"]], feed)
        assert np.isclose(value, algorithm_6_3(*network).cost, rtol=1e-12)
        for expected, *found in zip(
            algorithm_6_4(*network), symbols, numbers, strict=True
        ):
            for want, *have in zip(expected, *found, strict=True):
                for one in have:
                    assert np.allclose(one, want, rtol=1e-10, atol=1e-12)
    assert met >= {*UNITS, *LOSSES, *PENALTIES}  # nothing was left out by chance


@pytest.mark.parametrize("name", UNITS)
def test_units_of_layers_are_the_books(name):
    """The units of `weft.nn` have the value and slope written down here, at 0 too."""
    at = np.array([-2.0, -1.0, -0.3, 0.0, 0.3, 1.0, 2.0])
    x = weft.input("x", (1, at.size), F)
    unit = OURS[name]
    rng = np.random.default_rng(0)
    y, _ = unit(unit.init(rng, (at.size,)), x, nn.Predict())
    found = weft.evaluate([y, weft.grad(weft.sum(y), x)], {x: at[None]})
    for have, function in zip(found, UNITS[name], strict=True):
        assert np.allclose(have[0], function(at), rtol=1e-12, atol=1e-15)


def test_every_elementwise_unit_has_a_line_in_the_book():
    assert set(OURS) == set(UNITS)
    units = {
        name
        for name, unit in vars(nn).items()
        if isinstance(unit, type)
        and issubclass(unit, nn.HiddenUnit)
        and unit is not nn.HiddenUnit
    }
    # Those that have parameters, or no formula, of their own.
    units -= {"PReLU", "Maxout", "RBF", "Unit"}
    assert {type(unit).__name__ for unit in OURS.values()} == units


# Work -----------------------------------------------------------------------------


class Counted(np.ndarray):
    """An array that counts what is computed with it."""

    work = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        Counted.work += 1
        plain = [np.asarray(i) if isinstance(i, Counted) else i for i in inputs]
        return np.asarray(getattr(ufunc, method)(*plain, **kwargs)).view(Counted)


def random_dag(rng, size):
    """Nodes that each combine two earlier ones by a sum or a product."""
    x = weft.input("x", (), F)
    nodes = [weft.sin(x), weft.cos(x)]
    while len(nodes) < size:
        i, j = rng.choice(len(nodes), 2, replace=False)
        op = weft.add if rng.random() < 0.5 else weft.multiply
        nodes.append(op(nodes[i], nodes[j]))
    # A tree over all of them, so that every node lies on a path.
    while len(nodes) > 1:
        nodes = [
            weft.add(*pair) if len(pair) == 2 else pair[0]
            for pair in (nodes[k : k + 2] for k in range(0, len(nodes), 2))
        ]
    return x, nodes[0]


def edges(cost):
    return sum(len(node.inputs) for node in weft.topological([cost]))


def backward_work(cost, x, monkeypatch):
    """Count the rules asked, and the arithmetic on numbers, of the way back."""
    from weft.differentiate import numeric

    calls = 0
    accumulate = numeric.accumulate

    def counting(order, seeds, needed, step, keep=None):
        def counted(i, ct, node):
            nonlocal calls
            calls += 1
            return step(i, ct, node)

        Counted.work = 0
        seeds = {node: np.asarray(ct).view(Counted) for node, ct in seeds.items()}
        return accumulate(order, seeds, needed, counted, keep)

    monkeypatch.setattr(numeric, "accumulate", counting)
    found = weft.backprop(cost, x, {x: 0.3})
    monkeypatch.undo()
    return calls, Counted.work, found


def test_cost_is_linear_in_the_edges(monkeypatch):
    """At most one product and one sum per edge (slide "Algorithm 6.2")."""
    sizes, works = [], []
    for seed, size in enumerate([50, 100, 200, 400, 800, 1200, 1600, 2000] * 2):
        x, cost = random_dag(np.random.default_rng(seed), size)
        calls, work, found = backward_work(cost, x, monkeypatch)
        assert np.isclose(found, weft.evaluate(weft.grad(cost, x), {x: 0.3}))
        # One product of Jacobian and gradient for every edge on the path.
        assert calls == edges(cost)
        assert work <= 2 * edges(cost)
        sizes.append(edges(cost))
        works.append(work)
    sizes, works = np.array(sizes, float), np.array(works, float)
    slope, start = np.polyfit(sizes, works, 1)
    residual = works - (slope * sizes + start)
    r2 = 1 - residual.var() / works.var()
    assert r2 > 0.999
    assert 0.5 < slope <= 2
    ratio = (works / sizes)[sizes > 300]
    assert ratio.max() / ratio.min() < 1.1  # no term that grows faster


def test_only_the_path_costs(monkeypatch):
    """What the derivative does not pass through asks no rule."""
    x, z = weft.input("x", (), F), weft.input("z", (), F)
    aside = z
    for _ in range(100):
        aside = weft.sin(aside)
    cost = weft.exp(x) * aside
    monkeypatch.setitem(vars(OPS["sin"]), "derivative", None)
    assert np.isclose(
        weft.backprop(cost, x, {x: 0.0, z: 0.5}), weft.evaluate(aside, {z: 0.5})
    )


def test_a_million_paths_through_eighty_edges():
    """Width 2, depth 20: each rung's two values are used by both of the next."""
    x = weft.input("x", (), F)
    a, b = 1.0 * x, weft.sin(x)
    paths, rungs = 2, 0
    for _ in range(20):
        a, b = 0.5 * a + 0.4 * b, 0.3 * a * b
        paths, rungs = paths * 2, rungs + 4
    assert (paths // 2, rungs) == (1_048_576, 80)
    cost = a + b
    found = weft.backprop(cost, x, {x: 0.7})
    step = 1e-6
    ahead, behind = (weft.evaluate(cost, {x: 0.7 + d}) for d in (step, -step))
    assert np.isclose(found, (ahead - behind) / (2 * step), rtol=1e-6)


@pytest.mark.prove
def test_the_naive_sum_over_a_million_paths():
    """The same number as the table's, a thousand times as slow."""
    from time import perf_counter

    x = weft.input("x", (), F)
    a, b = 1.0 * x, weft.sin(x)
    for _ in range(20):
        a, b = 0.5 * a + 0.4 * b, 0.3 * a * b
    cost = a + b
    start = perf_counter()
    table = weft.backprop(cost, x, {x: 0.7})
    middle = perf_counter()
    paths = weft.path_sum(cost, x, {x: 0.7})
    end = perf_counter()
    assert np.isclose(table, paths, rtol=1e-9)
    assert (end - middle) / (middle - start) > 1000
