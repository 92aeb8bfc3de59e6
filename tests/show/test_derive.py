"""Derivations and traces: every factor printed is a factor of the derivative."""

import numpy as np
import pytest

import weft
from weft.graph import GraphError
from weft.graph.errors import ShapeError

VALUES = {"x": 0.3, "y": -0.7, "w": 1.2}


def scalars():
    return [weft.input(name, (), "float64") for name in VALUES]


# Scalar pairs: the slide's chain, and graphs with several ways.
COSTS = {
    "chain": lambda x, y, w: (y - weft.tanh(w * x)) ** 2,
    "two ways": lambda x, y, w: weft.exp(x) * weft.sin(x) + y,
    "diamond": lambda x, y, w: weft.square(weft.tanh(x) + weft.exp(weft.tanh(x)) * w),
    "quotient": lambda x, y, w: weft.sigmoid(x * w) / (1 + weft.square(x)),
    "power": lambda x, y, w: weft.power(weft.softplus(x), 3) - x,
    "f(f(f(x)))": lambda x, y, w: weft.cos(weft.cos(weft.cos(x))),
    "twice": lambda x, y, w: x * x,
}


def numeric(cost, leaf, feed, h=1e-6):
    ends = [weft.evaluate(cost, {**feed, leaf: feed[leaf] + step}) for step in (h, -h)]
    return (ends[0] - ends[1]) / (2 * h)


@pytest.mark.parametrize("name", COSTS)
def test_the_product_of_the_factors_is_the_numeric_derivative(name):
    leaves = scalars()
    cost = COSTS[name](*leaves)
    feed = dict(zip(leaves, VALUES.values(), strict=True))
    derivation = weft.derive(cost, leaves[0])
    # Factors multiply along a way, and ways add up: nothing but the printed factors.
    total = {cost: 1.0}
    for step in derivation.steps:
        assert step.factor is not None
        factor = weft.evaluate(step.factor, feed)
        total[step.input] = total.get(step.input, 0.0) + total[step.node] * factor
    expected = numeric(cost, leaves[0], feed)
    assert total[leaves[0]] == pytest.approx(expected, rel=1e-7)
    for node in (derivation.derivative, derivation.result):
        assert weft.evaluate(node, feed) == pytest.approx(expected, rel=1e-7)


def test_the_chain_of_the_slide():
    x = weft.input("x", (3,), "float64")
    W, c = weft.parameter("W", (3, 2), "float64"), weft.parameter("c", (2,), "float64")
    w, b = weft.parameter("w", (2,), "float64"), weft.parameter("b", (), "float64")
    y = weft.input("y", (), "float64")
    J = (y - (weft.tanh(x @ W + c) @ w + b)) ** 2
    derivation = weft.derive(J, c)
    rules = [s.rule for s in derivation.steps if s.rule not in ("reshape",)]
    assert rules == ["square", "subtract", "add", "matmul", "tanh", "add"]
    rng = np.random.default_rng(0)
    feed = {leaf: rng.normal(size=leaf.shape) for leaf in (x, W, c, w, b, y)}
    # Every step by itself: what its local rule makes of what comes from above.
    made = {J: np.ones(())}
    for step in derivation.steps:
        local = weft.evaluate(step.local, {**feed, step.given: made[step.node]})
        made[step.input] = made.get(step.input, 0.0) + local
        assert np.allclose(weft.evaluate(step.product, feed), local, atol=1e-14)
    expected = weft.backprop(J, c, feed)
    written = weft.evaluate([derivation.derivative, derivation.result], feed)
    for value in (made[c], *written):
        assert np.allclose(value, expected, atol=1e-14)


@pytest.mark.parametrize("naive", [True, False])
def test_how_q_minus_p_arises(naive):
    z, p = (weft.input(name, (4,), "float64") for name in "zp")
    q = weft.exp(z) / weft.sum(weft.exp(z))
    J = -weft.sum(p * (weft.log(q) if naive else weft.log_softmax(z)))
    derivation = weft.derive(J, z)
    rng = np.random.default_rng(1)
    feed = {z: rng.normal(size=4), p: rng.uniform(size=4)}
    q_value = np.exp(feed[z]) / np.exp(feed[z]).sum()
    # As the slide has it only where p sums to 1 (here it does not).
    expected = q_value * feed[p].sum() - feed[p]
    assert np.allclose(weft.evaluate(derivation.result, feed), expected)
    assert np.allclose(weft.evaluate(derivation.derivative, feed), expected)
    assert str(derivation).count("\n") >= 8


def test_the_text_names_rules_factors_and_products():
    x, y, w = scalars()
    lines = str(weft.derive((y - weft.tanh(w * x)) ** 2, x)).splitlines()
    assert lines == [
        "forward",
        "  u1 = w * x",
        "  u2 = tanh(u1)",
        "  u3 = y - u2",
        "  J = u3**2",
        "",
        "backward, from dJ/dJ = 1",
        "  square    dJ/du3 = 2 * u3      dJ/du3 = 2 * u3",
        "  subtract  du3/du2 = -1         dJ/du2 = -(2 * u3)",
        "  tanh      du2/du1 = 1 - u2**2  dJ/du1 = -(2 * u3) * (1 - u2**2)",
        "  multiply  du1/dx = w           dJ/dx = (-(2 * u3) * (1 - u2**2)) * w",
        "",
        "simplified: dJ/dx =",
        *lines[13:],
    ]
    assert "+=" not in "\n".join(lines)
    assert str(weft.derive(x * weft.sin(x), x)).count("dJ/dx +=") == 2


def test_shared_parts_are_visited_once():
    x, *_ = scalars()
    u = weft.tanh(x)
    node = weft.exp(u) * weft.sin(u)
    assert [s.rule for s in weft.derive(node, x).steps].count("tanh") == 1
    assert str(weft.derive(node, x)).count("= tanh(x)") == 2  # once in each part


def test_latex_is_balanced_and_has_the_chain():
    x, y, w = scalars()
    derivation = weft.derive((y - weft.tanh(w * x)) ** 2, x, format="latex")
    written = str(derivation)
    assert written == derivation.latex()
    assert written.count("{") == written.count("}")
    assert written.count(r"\left") == written.count(r"\right")
    assert r"\frac{\partial u_{2}}{\partial u_{1}}" in written
    assert derivation._repr_latex_() == f"$${written}$$"


def test_an_interior_node_is_as_good_as_a_leaf():
    x, y, _ = scalars()
    h = weft.tanh(x)
    derivation = weft.derive(weft.square(y - h), h)
    assert derivation.steps[-1].input is h
    assert len(derivation.steps) == 2


@pytest.mark.parametrize("kink", ["left", "right"])
def test_the_side_of_a_kink_is_told(kink):
    x, *_ = scalars()
    derivation = weft.derive(weft.maximum(x, 0), x, kink=kink)
    value = weft.evaluate(derivation.result, {x: 0.0})
    assert value == (kink == "right")
    assert weft.evaluate(derivation.derivative, {x: 0.0}) == value


def test_mistakes_are_told():
    x, y, _ = scalars()
    v = weft.input("v", (3,))
    with pytest.raises(GraphError, match="no way"):
        weft.derive(weft.tanh(x), y)
    with pytest.raises(ShapeError, match="scalar"):
        weft.derive(weft.tanh(v), v)
    with pytest.raises(GraphError, match="text or latex"):
        weft.derive(x * x, x, format="html")
    node = x
    for _ in range(1000):
        node = weft.sin(node)
    with pytest.raises(GraphError, match="not for reading"):
        weft.derive(node, x)


# Traces -------------------------------------------------------------------------------


def test_a_trace_is_in_the_order_of_the_algorithms():
    x, y, w = scalars()
    J = (y - weft.tanh(w * x)) ** 2
    feed = {x: 0.3, y: -0.7, w: 1.2}
    trace = weft.trace(J, feed)
    names = [visit.name for visit in trace.forward]
    assert names[-4:] == ["u1", "u2", "u3", "J"]
    assert sorted(names[:-4]) == ["w", "x", "y"]
    # Back from the cost: each derivative after those of all that uses its node.
    assert [v.name for v in trace.backward] == [f"dJ/d{n}" for n in reversed(names)]
    for visit in trace.forward:
        assert visit.value == pytest.approx(weft.evaluate(visit.node, feed))
    table = weft.backprop(J, [], feed, table=True)
    for visit in trace.backward:
        assert visit.value == table[visit.node]
        if visit.node in feed:
            assert visit.value == pytest.approx(numeric(J, visit.node, feed), rel=1e-6)


def test_a_repeated_part_is_computed_once():
    x, *_ = scalars()
    f = weft.tanh
    w = f(f(f(x)))
    trace = weft.trace(w * f(f(x)) + f(x), {x: 0.5})
    assert sum("tanh" in visit.formula for visit in trace.forward) == 3


def test_large_arrays_are_told_in_short():
    v = weft.input("v", (50,), "float64")
    said = str(weft.trace(weft.sum(v * v), {v: np.ones(50)}))
    assert "norm 7.071" in said
    assert max(map(len, said.splitlines())) < 88


def test_a_missing_value_is_told():
    x, y, _ = scalars()
    with pytest.raises(weft.FeedError, match="y"):
        weft.trace(x * y, {x: 1.0})


def test_every_name_is_taken_once():
    names = ("J", "cost", "J_", "J_2", "w", "w_2")
    leaves = [weft.input(name, (), "float64") for name in names]
    twin = weft.parameter("w", (), "float64")
    cost = weft.sin(leaves[4]) * weft.exp(twin)
    for leaf in leaves[:4] + leaves[5:]:
        cost = cost * leaf
    text = str(weft.derive(cost, twin))
    assert "J_3 = " in text
    assert "exp(w_3)" in text
    assert "sin(w)" in text
    end = text[text.index("simplified: dJ_3/dw_3 =") :]
    assert "exp(w_3)" in end
    assert "sin(w)" in end
    latex = weft.derive(cost, twin).latex()
    assert latex.count("w_{3}") > 3
    table = weft.trace(cost, dict.fromkeys([*leaves, twin], 1.0))
    assert "dJ_3/dw_3" in str(table)
