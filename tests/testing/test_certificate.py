"""Certificates: the worst error of a formula, before and after it is rewritten."""

import numpy as np
import pytest

import weft
from weft.graph import GraphError
from weft.testing import certify, high_precision

x, y = weft.input("x", ()), weft.input("y", ())

FORMULAS = {
    "softplus": (weft.log(1 + weft.exp(x)), {x: (-80, 80)}),
    "log sigmoid": (weft.log(1 / (1 + weft.exp(-x))), {x: (-80, 80)}),
    "log of the rest": (weft.log(1 - 1 / (1 + weft.exp(-x))), {x: (-80, 80)}),
    "expm1": (weft.exp(x) - 1, {x: (-10, 10)}),
    "log1p": (weft.log(1 + x), {x: (-0.5, 10)}),
    "hypotenuse": (weft.sqrt(x**2 + y**2), {x: (-1e30, 1e30), y: (-1e30, 1e30)}),
}


@pytest.mark.parametrize(("node", "ranges"), FORMULAS.values(), ids=FORMULAS)
def test_what_is_rewritten_is_right(node, ranges):
    found = certify(node, ranges, points=60, digits=120)
    assert found.before.worst > 100
    assert found.after.worst <= 4
    assert found.after.lost == 0
    assert found.rules
    assert "before" in str(found) and found.rules[0] in str(found)


def test_a_formula_that_needs_nothing_stays():
    found = certify(weft.square(x), {x: (-1, 1)}, points=20)
    assert found.rules == () and found.before == found.after
    assert found.before.worst <= 0.5


def test_the_same_points_every_time():
    node, ranges = FORMULAS["softplus"]
    first, second = (certify(node, ranges, 20, 120) for _ in range(2))
    assert first == second


def test_an_input_needs_a_range_and_is_a_number():
    with pytest.raises(GraphError, match="no range"):
        certify(x + y, {x: (0, 1)})
    v = weft.input("v", (3,))
    with pytest.raises(GraphError, match="single float"):
        certify(weft.sum(v), {v: (0, 1)})


def test_high_precision_means_what_evaluate_computes():
    z = weft.input("z", ("n", 3), "float64")
    k = weft.input("k", ("n",), "int64")
    e = weft.exp(z)
    cost = weft.mean(-weft.log(weft.take_along_axis(e, k[:, None])))
    rich = [
        cost,
        weft.sum(weft.softmax(z) * weft.tanh(z)),
        weft.sum(weft.logsumexp(z, 1) - weft.log_softmax(z)[:, 1]),
        weft.sum(weft.where(z > 0, weft.sqrt(weft.abs(z)), z**3)),
        *[weft.sum(g) for g in [weft.grad(cost, z)]],
    ]
    feed = {z: np.random.default_rng(0).normal(size=(4, 3)), k: np.array([0, 2, 1, 1])}
    for node in rich:
        exact = float(high_precision(node, feed)[()])
        np.testing.assert_allclose(weft.evaluate(node, feed), exact, rtol=1e-12)
