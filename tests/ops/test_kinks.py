"""Every stated spelling of the rectifier and of abs is that function; no other is."""

import numpy as np
import pytest

import weft
from weft.testing import check_grads

INF = np.inf

RELU = {
    "relu": lambda x: weft.relu(x),
    "maximum": lambda x: weft.maximum(x, 0),
    "maximum-turned": lambda x: weft.maximum(0, x),
    "maximum-float": lambda x: weft.maximum(x, 0.0),
    "maximum-array": lambda x: weft.maximum(x, np.zeros((), x.dtype)),
    "maximum-minus-zero": lambda x: weft.maximum(x, -0.0),
    "where-above": lambda x: weft.where(x > 0, x, 0),
    "where-from": lambda x: weft.where(x >= 0, x, 0),
    "where-below": lambda x: weft.where(x < 0, 0, x),
    "where-up-to": lambda x: weft.where(x <= 0, 0, x),
    "where-float": lambda x: weft.where(x > 0.0, x, 0.0),
    "where-turned": lambda x: weft.where(0 < x, x, 0),  # noqa: SIM300
    "clip": lambda x: weft.clip(x, 0, INF),
    "clip-open": lambda x: weft.clip(x, 0),
    "clip-none": lambda x: weft.clip(x, 0, None),
    "clip-numpy": lambda x: weft.clip(x, 0, np.float32(INF)),
    "mask": lambda x: x * (x > 0),
    "mask-from": lambda x: x * (x >= 0),
    "mask-turned": lambda x: (x > 0) * x,
    "mask-cast": lambda x: x * weft.cast(x > 0, x.dtype),
    "half": lambda x: (x + abs(x)) / 2,
    "half-turned": lambda x: (abs(x) + x) / 2,
    "half-times": lambda x: 0.5 * (x + abs(x)),
    "half-times-turned": lambda x: (x + weft.abs(x)) * 0.5,
}

ABS = {
    "abs": lambda x: weft.abs(x),
    "operator": lambda x: abs(x),
    "maximum": lambda x: weft.maximum(x, -x),
    "maximum-turned": lambda x: weft.maximum(-x, x),
    "where-above": lambda x: weft.where(x > 0, x, -x),
    "where-from": lambda x: weft.where(x >= 0, x, -x),
    "where-below": lambda x: weft.where(x < 0, -x, x),
    "where-up-to": lambda x: weft.where(x <= 0, -x, x),
    "sign": lambda x: x * weft.sign(x),
    "sign-turned": lambda x: weft.sign(x) * x,
    "root": lambda x: weft.sqrt(weft.square(x)),
    "root-power": lambda x: weft.sqrt(x**2),
    "power-half": lambda x: (x**2) ** 0.5,
}

NEAR_MISSES = {
    "other-bound": lambda x, y: weft.maximum(x, 1),
    "other-node": lambda x, y: weft.where(x > 0, y, 0),
    "other-condition": lambda x, y: weft.where(y > 0, x, 0),
    "other-threshold": lambda x, y: weft.where(x > 1, x, 0),
    "other-branch": lambda x, y: weft.where(x > 0, x, 1),
    "wrong-side": lambda x, y: weft.where(x > 0, 0, x),
    "wrong-side-below": lambda x, y: weft.where(x < 0, x, 0),
    "other-mask": lambda x, y: x * (y > 0),
    "mask-below": lambda x, y: x * (x < 0),
    "other-sign": lambda x, y: x * weft.sign(y),
    "minimum": lambda x, y: weft.minimum(x, 0),
    "other-half": lambda x, y: (x + abs(y)) / 2,
    "a-third": lambda x, y: (x + abs(x)) / 3,
    "difference": lambda x, y: (abs(x) - x) / 2,
    "clip-above": lambda x, y: weft.clip(x, 0, 6),
    "clip-below": lambda x, y: weft.clip(x, -INF, 0),
    "leaky": lambda x, y: weft.leaky_relu(x, 0.1),
    "maximum-other": lambda x, y: weft.maximum(x, -y),
    "a-vector-of-zeros": lambda x, y: weft.maximum(x, np.zeros((3,), x.dtype)),
    "root-of-other": lambda x, y: weft.sqrt(x**2 + y**2),
    "equal": lambda x, y: weft.where(weft.equal(x, 0), x, 0),
}

FLOATS = ["float32", "float64"]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("spell", RELU.values(), ids=RELU)
def test_spellings_of_relu_are_the_same_node(spell, dtype):
    x = weft.input("x", ("n", 3), dtype)
    assert spell(x) is weft.relu(x)
    h = weft.tanh(x)  # not only of leaves
    assert spell(h) is weft.relu(h)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("spell", ABS.values(), ids=ABS)
def test_spellings_of_abs_are_the_same_node(spell, dtype):
    x = weft.input("x", ("n", 3), dtype)
    assert spell(x) is weft.abs(x)
    h = weft.tanh(x)
    assert spell(h) is weft.abs(h)


@pytest.mark.parametrize("miss", NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_near_misses_are_what_they_say(miss):
    x, y = weft.input("x", (3,), "float64"), weft.input("y", (3,), "float64")
    node = miss(x, y)
    for other in (weft.relu(x), weft.abs(x), weft.relu(y), weft.abs(y)):
        assert node is not other
    at = np.array([-1.5, 0.5, 2.5])
    check_grads(lambda x, y: miss(x, y) + 0 * y, at, at[::-1])


@pytest.mark.parametrize("spell", [*RELU.values(), *ABS.values()], ids=[*RELU, *ABS])
def test_spellings_mean_the_same_in_numbers(spell):
    """What is recognised as a node is no other function of arrays."""
    at = np.array([-2.0, -0.0, 0.0, 3.0, 1e300])
    expected = np.maximum(at, 0) if spell in RELU.values() else np.abs(at)
    x = weft.input("x", at.shape, "float64")
    assert np.array_equal(weft.evaluate(spell(x), {x: at}), expected)


@pytest.mark.parametrize("spell", [*RELU.values(), *ABS.values()], ids=[*RELU, *ABS])
@pytest.mark.parametrize("kink", ["left", "right"])
def test_one_derivative_at_the_kink_however_it_is_spelt(spell, kink):
    x = weft.input("x", (3,), "float64")
    node = spell(x)
    at = np.array([-1.0, 0.0, 1.0])
    low = 0.0 if spell in RELU.values() else -1.0
    expected = [low, low if kink == "left" else 1.0, 1.0]
    gradient = weft.grad(weft.sum(node), x, kink=kink)
    assert np.array_equal(weft.evaluate(gradient, {x: at}), expected)
    tangent = weft.jvp(node, {x: np.ones(3)}, kink=kink)
    assert np.array_equal(weft.evaluate(tangent, {x: at}), expected)
    numbers = weft.backprop(weft.sum(node), x, {x: at}, kink=kink)
    assert np.array_equal(numbers, expected)
    for i, slope in enumerate(expected):
        z = weft.input("z", (), "float64")
        assert weft.path_sum(spell(z), z, {z: at[i]}, kink=kink) == slope


KINKED = {
    # function of x, kink, slope from the left, from the right
    "hard_tanh-low": (weft.hard_tanh, -1, 0, 1),
    "hard_tanh-high": (weft.hard_tanh, 1, 1, 0),
    "clip": (lambda x: weft.clip(x, 2, 3), 3, 1, 0),
    "minimum": (lambda x: weft.minimum(x, 0), 0, 1, 0),
    "maximum": (lambda x: weft.maximum(x, 1), 1, 0, 1),
    "maximum-turned": (lambda x: weft.maximum(1, x), 1, 0, 1),
    "minimum-turned": (lambda x: weft.minimum(1, x), 1, 1, 0),
}


@pytest.mark.parametrize(
    ("function", "at", "left", "right"), KINKED.values(), ids=KINKED
)
def test_other_kinks(function, at, left, right):
    x = weft.input("x", (), "float64")
    node = function(x)
    for kink, expected in (("left", left), ("right", right)):
        assert weft.evaluate(weft.grad(node, x, kink=kink), {x: at}) == expected
        assert weft.evaluate(weft.jvp(node, {x: 1.0}, kink=kink), {x: at}) == expected


def test_an_unknown_side_is_refused():
    x = weft.input("x", (), "float64")
    for differentiate in (
        lambda: weft.grad(weft.relu(x), x, kink="middle"),
        lambda: weft.jvp(weft.relu(x), {x: 1.0}, kink="middle"),
        lambda: weft.backprop(weft.relu(x), x, {x: 1.0}, kink="middle"),
        lambda: weft.path_sum(weft.relu(x), x, {x: 1.0}, kink="middle"),
    ):
        with pytest.raises(weft.GraphError, match="'middle' is not one of left, right"):
            differentiate()


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_whole_numbers_have_no_kinks_and_keep_their_type(dtype):
    k = weft.input("k", (3,), dtype)
    at = np.array([-2, 0, 3], dtype)
    for node in (
        weft.maximum(k, 0),
        weft.where(k > 0, k, 0),
        k * (k > 0),
        weft.clip(k, 0),
    ):
        value = weft.evaluate(node, {k: at})
        assert value.dtype == node.dtype == dtype
        assert np.array_equal(value, [0, 0, 3])
    for node in (abs(k), weft.maximum(k, -k), weft.where(k > 0, k, -k)):
        assert np.array_equal(weft.evaluate(node, {k: at}), [2, 0, 3])


@pytest.mark.parametrize("mode", ["grad", "jvp"])
@pytest.mark.parametrize(
    ("function", "left", "right"),
    [
        (lambda x: weft.leaky_relu(x, 0.25), 0.25, 1),
        (lambda x: weft.leaky_relu(x, -1), -1, 1),
        (lambda x: weft.elu(x, 2.0), 2, 1),
        (lambda x: weft.hard_tanh(x + 1), 1, 0),
        (lambda x: weft.hard_tanh(x - 1), 0, 1),
    ],
)
def test_the_rectifiers_family_has_both_slopes_at_its_kink(function, left, right, mode):
    x = weft.input("x", (), "float64")
    y = function(x)
    for side, slope in (("left", left), ("right", right)):
        if mode == "grad":
            node = weft.grad(y, x, kink=side)
        else:
            node = weft.jvp(y, {x: 1.0}, kink=side)
        assert weft.evaluate(node, {x: 0.0}) == slope
