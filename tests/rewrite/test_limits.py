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
