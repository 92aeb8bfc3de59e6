"""Where a rule must not apply: its identity holds, but not for these numbers."""

import numpy as np
import pytest

import weft
from weft.graph.walk import leaves
from weft.rewrite import simplify

z = weft.input("z", (2, 3), "float64")
t = weft.input("t", (3, 3), "float64")
x = weft.input("x", (), "float64")
w = weft.input("w", (3,), "float64")
v = weft.input("v", (3,), "float64")
y = weft.input("y", (), "float64")

Z = np.array([[0.5, -1.0, 2.0], [3.0, 0.25, -0.5]])
T = np.array([[0.5, -1.0, 2.0], [3.0, 0.25, -0.5], [1.0, 1.5, -2.0]])


def same(node, feed, gradient_by=None):
    """Compare a node, and perhaps its gradients, with what it is simplified to."""
    pairs = [(node, simplify(node))]
    if gradient_by is not None:
        slope = weft.grad(weft.sum(node), gradient_by)
        pairs.append((slope, simplify(slope)))
        pairs.append((slope, weft.grad(weft.sum(simplify(node)), gradient_by)))
    for before, after in pairs:
        expected = weft.evaluate(before, feed)
        np.testing.assert_allclose(weft.evaluate(after, feed), expected, rtol=1e-12)


def rules(node):
    return [step.rule for step in simplify(node, trace=True)[1]]


def lse(a, keepdims=False):
    return weft.logsumexp(a, -1, keepdims=keepdims)


def share(part, a, keepdims=False):
    return weft.exp(part) / weft.sum(weft.exp(a), -1, keepdims=keepdims)


CHOICES = {
    "columns": z[:, :2] - lse(z),
    "column beside kept": z[:, 0] - lse(z, keepdims=True),
    "whole": t - lse(t),
    "column": z[:, 0] - lse(z),
    "columns beside kept": z[:, :2] - lse(z, keepdims=True),
    "share of columns": share(z[:, :2], z),
    "share of column beside kept": share(z[:, 0], z, keepdims=True),
    "share of whole": share(t, t),
    "share of column": share(z[:, 0], z),
    "share of columns beside kept": share(z[:, :2], z, keepdims=True),
    "first row": t[0] - weft.logsumexp(t, 0),
    "first row beside kept": t[0] - weft.logsumexp(t, 0, keepdims=True),
    "first rows": weft.exp(t[:2]) / weft.sum(weft.exp(t), 0),
}


@pytest.mark.parametrize("name", CHOICES)
def test_a_total_belongs_to_its_row(name):
    node = CHOICES[name]
    by, value = (z, Z) if z in leaves([node]) else (t, T)
    feed = {by: value}
    same(node, feed, by)
    if "share" in name:
        same(weft.log(node), feed, by)


def test_a_form_in_which_nothing_is_left():
    for node in (
        weft.log(weft.exp(x) + weft.exp(x)),
        weft.softplus(x - x) - x,
        weft.sigmoid(x - x) * weft.exp(x),
        1 + weft.tanh(x - x),
        weft.tanh(x - x),
        weft.log1p(-weft.sigmoid(x - x)),
        weft.log(weft.exp(x - x) + weft.exp(x * 1 - x)),
    ):
        same(node, {x: 0.75}, x)


def test_a_product_of_hundreds_of_factors():
    many = weft.input("many", (50,), "float64")
    product = x
    nested = x
    for k in range(500):
        product = product * many[k % 50]
        nested = weft.softplus(-nested) * many[k % 50]
    for node in (weft.exp(product), weft.exp(nested), weft.log(weft.exp(nested) + 1)):
        same(node, {many: np.full(50, 0.9), x: 2.0})


def test_what_is_stable_stays_so():
    far = {w: [1000.0, 0.0, 0.0], v: [1.0, 2.0, 3.0]}
    total = weft.logsumexp(w)
    same(weft.sigmoid(total) * weft.softmax(w) * weft.exp(v), far)
    same(weft.softmax(w) - weft.softmax(w) * weft.sigmoid(-total), far)
    steep = weft.softplus(weft.logsumexp(weft.exp(w)))
    same(weft.grad(steep, w), {w: [7.0, 1.0, 2.0]})


def test_factors_that_the_type_cannot_hold():
    same(weft.exp(x) * (1e300 * y) ** 8, {x: 1.0, y: 1e-300})
    same(weft.exp(x) * weft.square(1e-200 * y), {x: 1.0, y: 1e200})
    same(weft.exp(x) * ((y * 1e-300) * 1e-300), {x: 1.0, y: 3.0})
    same(weft.softplus((y * 1e200) * 1e200), {y: 1e-300})


def test_a_logarithm_of_a_choice_of_what_may_be_negative():
    soft = weft.softmax(w)
    far = {w: [0.0, 1.0, -80.0]}
    same(weft.log(weft.maximum(soft - 0.1, 1e-12)), far, w)
    same(weft.log(weft.minimum(soft - 0.1, soft + 1)[:2]), {w: [0.0, 0.0, -80.0]}, w)
    clipped = simplify(weft.log(weft.maximum(soft, 1e-12)))
    found = weft.evaluate(clipped, {w: [0.0, 800.0, 800.0]})
    np.testing.assert_allclose(found, np.log([1e-12, 0.5, 0.5]))


def test_a_power_of_what_may_be_negative():
    same(weft.log((weft.exp(x) - 3) ** y), {x: 0.0, y: 2.0})
    same(weft.log(weft.expm1(x) ** y), {x: -1.0, y: 2.0})
    positive = weft.exp(x) + weft.square(v)
    assert "log_of_power" in rules(weft.log(positive**y))


def test_empty_axes():
    n = weft.input("n", ("n",), "float64")
    k = weft.input("k", (2, "k"), "float64")
    same(weft.sqrt(weft.sum(weft.square(n))), {n: np.zeros(0)})
    same(weft.sum(weft.softmax(k, -1), -1), {k: np.zeros((2, 0))})
    same(weft.sum(k * weft.softmax(k, -1), -1), {k: np.zeros((2, 0))})
    assert "norm" in rules(weft.sqrt(weft.sum(weft.square(w))))


def test_no_logarithm_stays_none():
    gap = weft.log(1 - weft.exp(w))
    same(gap, {w: [1.0, -1e-1, -3.0]})
    same(gap, {w: [-1.0, -1e-1, -3.0]}, w)
    assert np.isnan(weft.evaluate(simplify(gap), {w: [1.0, 0.1, 1e-9]})).all()


def test_what_is_not_chosen_does_not_reach_the_derivative():
    s = weft.exp(w) - 2
    points = {w: [0.5, np.log(2.0), 1.5]}
    safe = weft.where(s > 0, s, 1)
    same(weft.log(safe), points, w)
    same(weft.exp(w) / safe, points, w)
    same(weft.where(s > 0, weft.log(safe), 0), points, w)
    zero = weft.equal(w, 0)
    slope = weft.where(zero, 1, w / weft.where(zero, 1, weft.expm1(w)))
    same(slope, {w: [0.0, 1.0, -2.0]}, w)
    same(weft.log(s[:2]), {w: [1.0, 2.0, np.log(2.0)]}, w)
    same(weft.exp(v) * weft.where(w > 0, 1 / w, 0), {w: [0.0, 1.0, 2.0], v: Z[0]}, v)


def test_a_power_of_an_exponential_that_is_zero():
    bases = weft.exp(weft.log(w))
    same(weft.softplus(bases**v), {w: [2.0, 0.0, 0.5], v: [1.0, 2.0, 0.0]}, v)


def test_the_side_of_a_kink():
    same(weft.abs(-x), {x: 0.0}, x)
    same(weft.abs(x * -1) + x, {x: 0.0}, x)


def test_weights_of_zero():
    weights = weft.softplus(v) * 0 + weft.square(v)
    cost = weft.log(weft.sum(weights * weft.exp(w)))
    same(cost, {w: Z[0], v: [0.0, 1.0, 2.0]}, v)
    shares = weft.input("shares", (3,), "float64", simplex=-1)
    same(weft.log(weft.sum(shares * weft.exp(w))), {w: Z[0], shares: [0, 0.5, 0.5]}, w)
    pair = weft.log(weft.square(v) * weft.exp(w) + weft.exp(x))
    same(pair, {w: Z[0], v: [0.0, 1.0, 2.0], x: 0.5}, v)


def test_facts_of_what_is_doubled_many_times():
    total, logs = weft.exp(x), weft.softplus(x)
    for _ in range(60):
        total, logs = total + total, logs * logs
    positives = weft.abs(x)
    for _ in range(60):
        positives = positives * positives + positives
    shares = weft.sigmoid(x) * 1
    for _ in range(60):
        shares = weft.maximum(shares * shares, shares)
    for node in (
        weft.log(total),
        weft.log(positives * weft.exp(x)),
        weft.log(1 - shares),
        x - logs,
        weft.log(1 + positives / weft.exp(x)),
    ):
        simplify(node)


def test_logarithms_of_quotients_keep_their_digits():
    quotient = weft.log(weft.abs(x) / weft.abs(y))
    assert simplify(quotient) is quotient


def test_a_cast_there_and_back():
    a = weft.input("a", (3,), "float32")
    narrow = weft.cast(weft.cast(w, "float32"), "float64")
    same(weft.log(weft.exp(narrow)), {w: [0.1, 0.2, 0.3]})
    same(weft.log(weft.softmax(narrow)[0]), {w: [0.1, 0.2, 0.3]})
    assert simplify(weft.cast(weft.cast(a, "float64"), "float32")) is a
