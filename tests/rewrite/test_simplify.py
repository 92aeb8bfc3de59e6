"""Canonical, stable and fast together: graph against graph, and back to itself."""

import numpy as np
import pytest
from hypothesis import given

import weft
from weft.graph import GraphError
from weft.rewrite import CANONICAL, FAST, STABLE, Rule, Step, simplify
from weft.rewrite import simplify as module_level
from weft.testing import RewriteError, check_simplify
from weft.testing.strategies import graphs

z = weft.input("z", ("n", 3))
p = weft.input("p", ("n", 3))
shares = weft.input("shares", ("n", 3), simplex=-1)
label = weft.input("label", ("n",), "int64")
x = weft.input("x", ("n",))
y = weft.input("y", ("n",))
s2, t2 = weft.input("s", (4,)), weft.input("t", (3,))
mask = y > 0
counts = weft.constant(np.array([1, 2, 3], "float32"))

e = weft.exp(z)
q = e / weft.sum(e, -1, keepdims=True)
column = label[:, None]
soft, logs = weft.softmax(z), weft.log_softmax(z)


def total(v):
    return weft.sum(v, -1, keepdims=True)


# What is written, and what becomes of it: by the rule that it is there for.
RULES = {
    "sign_of_product": [((-x) * y, -(x * y)), (x / (-y), -(x / y))],
    "sign_of_all": [(weft.sum(-z, 1), -weft.sum(z, 1)), ((-z).T, -(z.T))],
    "sign_of_joined": [
        (weft.concatenate([-x, -y]), -weft.concatenate([x, y])),
    ],
    "even": [(weft.square(-x), weft.square(x))],
    "odd": [(weft.tanh(-x), -weft.tanh(x))],
    "term_with_sign": [(x + (-y), x - y), (-x + y, y - x), (x - (-y), x + y)],
    "sign_of_difference": [(-(x - y), y - x)],
    "times_minus_one": [(x * -1, -x), (x / -1, -x)],
    "factor": [((x * 2) / 2, x), ((x * 4) * 2, x * 8), (3 * x, x * 3)],
    "zero_less": [(0 - x, -x)],
    "sum_of_shares": [(weft.sum(shares, 1) * x, x), (weft.sum(soft, 1) * x, x)],
    "sum_of_scaled_shares": [(weft.sum(soft * x[:, None], 1), x)],
    "sum_of_terms": [
        (weft.sum(soft * x[:, None] + p, 1), x + weft.sum(p, 1)),
        (weft.sum(soft - p, 1), 1 - weft.sum(p, 1)),
    ],
    "nothing_left": [(weft.sum(z) - weft.sum(z) * 1, weft.constant(np.float32(0)))],
    "choices_added": [
        (weft.where(mask, x, 0) + weft.where(mask, 0, y), weft.where(mask, x, y))
    ],
    "choice_within_choice": [
        (weft.where(mask, -weft.where(mask, x, y), y), weft.where(mask, -x, y))
    ],
    "no_choice": [(weft.where(mask, x, x), x)],
    "kept_axes": [(weft.sum(z, 1)[:, None], total(z))],
    "sum_of_transposed": [(weft.sum(z.T, 0), weft.sum(z, 1))],
    "sum_of_chosen": [
        (
            weft.sum(weft.one_hot(label, 3) * z, 1),
            weft.reshape(weft.take_along_axis(z, column), ("n",)),
        )
    ],
    "part_of_joined": [(weft.stack([x[:4], y[:4]], 0)[1], y[:4])],
    "joined_again": [(weft.concatenate([z[:, :1], z[:, 1:]], 1), z)],
    "embedded_side_by_side": [
        (
            weft.grad(weft.sum(s2[:1] * 3) + weft.sum(s2[1:] * t2), s2),
            weft.grad(weft.sum(weft.concatenate([s2[:1] * 3, s2[1:] * t2])), s2),
        ),
    ],
    "common_view": [
        (weft.logsumexp(z, 1)[None] - x[None], (weft.logsumexp(z, 1) - x)[None])
    ],
    "one_hot_of_type": [
        (
            weft.cast(weft.one_hot(label, 3), "float64"),
            weft.one_hot(label, 3, "float64"),
        )
    ],
    "counted_below": [(weft.size(weft.exp(x)) * label, weft.size(x) * label)],
    "view_of_formula": [(weft.transpose(weft.exp(z.T)), e)],
    "product_of_exponentials": [
        (q, soft),
        (1 / (1 + weft.exp(-x)), weft.sigmoid(x)),
        (weft.exp(x) / (1 + weft.exp(x)), weft.sigmoid(x)),
        (weft.exp(x) / (weft.exp(x) + weft.exp(y)), weft.sigmoid(x - y)),
        (weft.exp(logs), soft),
        (weft.exp(-weft.softplus(-x)), weft.sigmoid(x)),
        (
            weft.exp(z - weft.max(z, -1, keepdims=True))
            / total(weft.exp(z - weft.max(z, -1, keepdims=True))),
            soft,
        ),
    ],
    "distributed": [((p / q + y[:, None]) * q, p + soft * y[:, None])],
    "collected": [(y - y * weft.sigmoid(x), weft.sigmoid(-x) * y)],
    "constant_out_of_sum": [
        (weft.sum(p / total(e), -1, keepdims=True) * e, soft * total(p))
    ],
    "complement": [
        (1 - weft.sigmoid(x), weft.sigmoid(-x)),
        (weft.sigmoid(x) - 1, -weft.sigmoid(-x)),
        (weft.exp(x) - 1, weft.expm1(x)),
        (1 - weft.exp(x), -weft.expm1(x)),
    ],
    "tanh_by_exponentials": [
        (
            (weft.exp(x) - weft.exp(-x)) / (weft.exp(x) + weft.exp(-x)),
            weft.tanh(x),
        ),
        ((weft.exp(2 * x) - 1) / (weft.exp(2 * x) + 1), weft.tanh(x)),
        ((1 - weft.exp(-2 * x)) / (1 + weft.exp(-2 * x)), weft.tanh(x)),
    ],
    "tanh_by_sigmoid": [(2 * weft.sigmoid(2 * x) - 1, weft.tanh(x))],
    "one_beside_tanh": [((1 + weft.tanh(x)) / 2, weft.sigmoid(x * 2))],
    "log_of_choice": [
        (weft.log(q[:, 0]), logs[:, 0]),
        (
            weft.log(weft.where(mask, weft.sigmoid(x), 1.0)),
            weft.where(mask, -weft.softplus(-x), 0.0),
        ),
    ],
    "log_of_exponentials": [
        (weft.log(q), logs),
        (weft.log(weft.sigmoid(x)), -weft.softplus(-x)),
        (weft.log(1 - weft.sigmoid(x)), -weft.softplus(x)),
        (weft.log(1 + weft.exp(x)), weft.softplus(x)),
        (weft.log(weft.sum(e, 1)), weft.logsumexp(z, 1)),
        (weft.log(weft.exp(x)), x),
    ],
    "log1p_of_exponentials": [
        (weft.log1p(weft.exp(x)), weft.softplus(x)),
        (weft.log1p(-weft.sigmoid(x)), -weft.softplus(x)),
    ],
    "log_of_two": [
        (
            weft.log(weft.exp(x) + weft.exp(y)),
            weft.maximum(x, y) + weft.softplus(-weft.abs(x - y)),
        )
    ],
    "log_of_product": [
        (weft.log(weft.prod(weft.sigmoid(z), 1)), -weft.sum(weft.softplus(-z), 1))
    ],
    "log_of_weighted_sum": [
        (weft.log(weft.sum(counts * e, 1)), weft.logsumexp(z + weft.log(counts), 1))
    ],
    "log_of_power": [
        (weft.log(x**3), weft.log(x) * 3),
        (weft.log(x**2), weft.log(weft.abs(x)) * 2),
        (weft.log(weft.sqrt(x)), weft.log(x) * 0.5),
    ],
    "log_of_quotient": [
        (weft.log(p / (soft + shares)), weft.log(p) - weft.log(soft + shares)),
    ],
    "log_near_one": [
        (weft.log(1 + x), weft.log1p(x)),
        (weft.log(1 - x), weft.log1p(-x)),
    ],
    "sum_of_logarithms": [
        (z - weft.logsumexp(z, -1, keepdims=True), logs),
        (weft.softplus(x) - x, weft.softplus(-x)),
        (
            weft.softplus(x) - y * x,
            (1 - y) * weft.softplus(x) + y * weft.softplus(-x),
        ),
    ],
    "variance_of_moments": [
        (weft.mean(z**2, 1) - weft.mean(z, 1) ** 2, weft.variance(z, 1)),
    ],
    "entropy_at_zero": [
        (x * weft.log(x), x * weft.log(weft.where(weft.equal(x, 0), 1, x)))
    ],
}
CASES = [(name, *case) for name, cases in RULES.items() for case in cases]


@pytest.mark.parametrize(
    ("name", "written", "expected"), CASES, ids=[case[0] for case in CASES]
)
def test_each_rule_by_the_graph_it_makes(name, written, expected):
    found, steps = simplify(written, trace=True)
    assert name in [step.rule for step in steps]
    assert found is simplify(expected), weft.text(found)
    assert (found.shape, found.dtype) == (written.shape, written.dtype)


@pytest.mark.parametrize(
    ("name", "written", "expected"), CASES, ids=[case[0] for case in CASES]
)
def test_each_rule_keeps_the_value(name, written, expected):
    rng = np.random.default_rng(5)
    weights = rng.uniform(0.1, 1, (5, 3))
    feed = {
        z: rng.normal(size=(5, 3)),
        p: rng.uniform(0.1, 1, (5, 3)),
        shares: weights / weights.sum(1, keepdims=True),
        label: np.array([0, 2, 1, 1, 0]),
        x: rng.uniform(0.1, 0.9, 5),
        y: np.array([1.0, -0.5, 0.25, -1.0, 2.0]),
        s2: rng.normal(size=4),
        t2: rng.normal(size=3),
    }
    used = {leaf for leaf in weft.leaves([written]) if leaf in feed}
    steps = check_simplify(written, {leaf: feed[leaf] for leaf in used}, 1e-6)
    assert steps


def test_every_rule_says_its_identity():
    rules = [*CANONICAL, *STABLE]
    assert all(isinstance(r, Rule) for r in rules)
    assert [r.name for r in rules if "->" not in r.identity] == []
    names = [r.name for r in (*rules, *FAST)]
    assert len(set(names)) == len(names)


# The landmark ---------------------------------------------------------------------

VIEWS = {
    "plain": lambda u: u,
    "flat": lambda u: weft.reshape(u, ("3n",)),
    "transposed": lambda u: u.T,
    "cube": lambda u: weft.reshape(u, ("n", 3, 1)),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_the_gradient_of_cross_entropy_is_softmax_times_the_sum_less_p(view):
    cost = -weft.sum(view(p) * weft.log(view(q)))
    expected = soft * weft.sum(p, -1, keepdims=True) - p
    assert simplify(weft.grad(cost, z)) is expected
    assert simplify(weft.grad(simplify(cost), z)) is expected


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize(
    "target",
    [shares, weft.one_hot(label, 3), weft.softmax(p)],
    ids=["stated", "one-hot", "softmax"],
)
def test_and_softmax_less_p_where_p_sums_to_one(target, view):
    cost = -weft.sum(view(target) * weft.log(view(q)))
    assert simplify(weft.grad(cost, z)) is soft - target
    assert simplify(weft.grad(simplify(cost), z)) is soft - target


def test_rows_turned_into_columns():
    turned = weft.exp(z.T)
    cost = -weft.sum(p.T * weft.log(turned / weft.sum(turned, 0)))
    found = simplify(weft.grad(cost, z))
    assert found is soft * weft.sum(p, -1, keepdims=True) - p


def test_simplex_along_another_axis_is_no_sum_of_one():
    other = weft.input("other", ("n", 3), simplex=0)
    cost = -weft.sum(other * weft.log(q))
    found = simplify(weft.grad(cost, z))
    assert found is soft * weft.sum(other, -1, keepdims=True) - other


# Where naive formulas lose everything ---------------------------------------------


def test_a_norm_and_a_hypotenuse_do_not_overflow():
    u, v = weft.input("u", (2,)), weft.input("v", (2,))
    big = np.array([3e30, 0.0], np.float32)
    other = np.array([4e30, 0.0], np.float32)
    length = simplify(weft.sqrt(u**2 + v**2))
    np.testing.assert_allclose(
        weft.evaluate(length, {u: big, v: other}), [5e30, 0], rtol=1e-6
    )
    norm = weft.sqrt(weft.sum(u * u))
    found = weft.evaluate(simplify(u / norm), {u: big})
    np.testing.assert_allclose(found, [1, 0])
    slope = simplify(weft.grad(simplify(norm), u))
    np.testing.assert_allclose(weft.evaluate(slope, {u: [3.0, 4.0]}), [0.6, 0.8])


def test_a_variance_does_not_cancel():
    u = weft.input("u", (4,))
    naive = weft.mean(u**2) - weft.mean(u) ** 2
    far = {u: np.float32([10000, 10001, 10002, 10003])}
    assert weft.evaluate(simplify(naive), far) == 1.25
    assert weft.evaluate(naive, far) != 1.25


def test_entropy_at_zero():
    u = weft.input("u", (2,))
    cost = -weft.sum(u * weft.log(u))
    assert np.isnan(weft.evaluate(cost, {u: [0.0, 1.0]}))
    assert weft.evaluate(simplify(cost), {u: [0.0, 1.0]}) == 0


def test_the_logarithm_of_what_is_left_of_one():
    u = weft.input("u", ())
    found = simplify(weft.log(1 - weft.exp(u)))
    for value in (-1e-10, -1e-3, -0.5, -3.0, -50.0):
        u64 = np.float64(np.float32(value))
        exact = np.log1p(-np.exp(u64)) if value < -1 else np.log(-np.expm1(u64))
        np.testing.assert_allclose(
            weft.evaluate(found, {u: value}), exact, rtol=1e-6, atol=1e-30
        )


# What is kept ---------------------------------------------------------------------


def test_stop_gradient_still_stops():
    cost = weft.sum(weft.stop_gradient(x) * x * 1)
    slope = weft.grad(simplify(cost), x)
    assert weft.evaluate(slope, {x: [3.0]}) == [3.0]


def test_a_tree_keeps_its_structure():
    found = simplify({"cost": 0 + x, "parts": [x * 1, (y,)]})
    assert found == {"cost": x, "parts": [x, (y,)]}
    assert weft.simplify is module_level


def test_steps_are_told_by_name():
    found, steps = simplify([weft.log(weft.sigmoid(x))], trace=True)
    assert found == [-weft.softplus(-x)]
    assert steps == [
        Step("log_of_exponentials", weft.log(weft.sigmoid(x)), found[0]),
    ]


def test_what_is_no_node_is_refused():
    with pytest.raises(GraphError, match="is no node"):
        simplify([x, 3])


def test_a_deep_graph():
    node = x
    for _ in range(20_000):
        node = weft.sin(node * 1 + 0)
    assert len(weft.topological([simplify(node)])) == 20_001


def test_a_wrong_rule_is_named(monkeypatch):
    from weft.rewrite import rule

    def spoilt(node):
        """``sin(x) -> cos(x)``, wrong on purpose."""
        return weft.cos(node.inputs[0])

    import sys

    module = sys.modules["weft.rewrite.simplify"]
    monkeypatch.setattr(module, "STABLE", (rule("sin")(spoilt),))
    with pytest.raises(RewriteError, match=r"'spoilt'.*\n.*sin") as caught:
        check_simplify(weft.sin(x), {x: [1.0]})
    assert "cos" in str(caught.value)


@given(graphs(kinks=True, scalar=True))
def test_any_graph_and_its_gradient(graph):
    floats = list(graph.leaves)
    outputs = [graph.output, *weft.grad(graph.output, floats)]
    found = simplify(outputs)
    assert simplify(found) == found
    before = weft.evaluate(outputs, graph.feed)
    after = weft.evaluate(found, graph.feed)
    for old, new in zip(before, after, strict=True):
        fine = np.isfinite(old)
        scale = np.max(np.abs(old[fine]), initial=1)
        np.testing.assert_allclose(
            np.asarray(new)[fine], old[fine], rtol=1e-6, atol=1e-9 * scale
        )
