"""Kinks are found and told: by values the elements, by symbols the nodes."""

import numpy as np
import pytest

import weft
from weft.ops import OPS

F = "float64"


def leaf(*shape):
    return weft.input("x", shape, F)


def test_kinks_by_values():
    x = leaf(4)
    y = weft.sum(weft.where(x > 0, x, 0) + 2 * abs(x - 1))
    rectifier, size = weft.kinks(y, {x: [0.0, 1.0, -1.0, 1.0]})
    assert rectifier.node is weft.relu(x)
    assert np.array_equal(rectifier.where, [True, False, False, False])
    assert (rectifier.left, rectifier.right) == (0, 1)
    assert size.node is weft.abs(x - 1)
    assert np.array_equal(size.where, [False, True, False, True])
    assert np.array_equal(size.left, [-1, -1])
    assert np.array_equal(size.right, [1, 1])
    assert (rectifier.count, size.count) == (1, 2)
    assert "abs: float64(4,) is at its kink in 2 of 4 elements" in str(size)
    assert "slope -1 from the left, 1 from the right" in str(size)
    # The user's own line is told.
    assert size.origin.filename == __file__
    assert "2 * abs(x - 1)" in str(size)
    assert weft.kinks(y, {x: [0.1, 2.0, -1.0, 3.0]}) == []


@pytest.mark.parametrize(
    ("function", "at", "count"),
    [
        (lambda x: weft.maximum(x, 1), 1.0, 1),
        (lambda x: weft.minimum(2, x), 2.0, 1),
        (lambda x: weft.maximum(x, x**2), 1.0, 1),
        (weft.hard_tanh, -1.0, 1),
        (weft.hard_tanh, 1.0, 1),
        (weft.hard_tanh, 0.0, 0),
        (weft.leaky_relu, 0.0, 2),  # two one-sided parts
        (weft.tanh, 0.0, 0),
        (lambda x: weft.maximum(x, np.nan), 1.0, 0),
    ],
)
def test_every_op_with_sides(function, at, count):
    x = leaf()
    assert len(weft.kinks(function(x), {x: at})) == count


@pytest.mark.parametrize(("reduce", "sides"), [("max", (0, 1)), ("min", (1, 0))])
def test_a_tie_is_a_kink(reduce, sides):
    x = leaf(3, 2)
    y = getattr(weft, reduce)(x, axis=0)
    tied = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    (kink,) = weft.kinks(y, {x: tied})
    assert np.array_equal(kink.where, [True, False])
    assert (kink.left, kink.right) == sides
    assert weft.kinks(y, {x: np.arange(6.0).reshape(3, 2)}) == []


def test_the_slopes_told_are_one_sided_differences():
    for name, op in OPS.items():
        if op.right is None:
            continue
        x = leaf()
        y = op(x, weft.constant(0.5, F)) if name in ("maximum", "minimum") else op(x)
        at = 0.5 if name in ("maximum", "minimum") else 0.0
        (kink,) = weft.kinks(y, {x: at})
        below, here, above = (weft.evaluate(y, {x: at + d}) for d in (-0.125, 0, 0.125))
        assert kink.left == (here - below) / 0.125
        assert kink.right == (above - here) / 0.125


def test_kinks_by_symbols():
    x, z = leaf(3), weft.input("z", (3,), F)
    y = weft.sum(weft.relu(x) * weft.tanh(z))
    assert [kink.node for kink in weft.kinks(y)] == [weft.relu(x)]
    assert [kink.node for kink in weft.kinks(y, wrt=x)] == [weft.relu(x)]
    assert weft.kinks(y, wrt=z) == []  # not on the way
    assert weft.kinks(y)[0].where is None
    assert weft.kinks(weft.stop_gradient(weft.relu(x))) == []
    assert weft.kinks(weft.where(weft.relu(x) > 0, x, 2 * x)) == []


# As a side ------------------------------------------------------------------------

MODES = {
    "grad": lambda y, x: weft.grad(weft.sum(y), x, kink="report"),
    "vjp": lambda y, x: weft.vjp(y, x, np.ones(3), kink="report"),
    "jvp": lambda y, x: weft.jvp(y, {x: np.ones(3)}, kink="report"),
    "jacobian": lambda y, x: weft.jacobian(y, x, kink="report"),
    "hessian": lambda y, x: weft.hessian(weft.sum(y), x, kink="report"),
    "hvp": lambda y, x: weft.hvp(weft.sum(y), x, np.ones(3), kink="report"),
}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_symbols_refuse_a_path_with_a_kink(mode):
    x = leaf(3)
    with pytest.raises(weft.KinkError, match='take a side with kink="left"') as error:
        mode(weft.tanh(weft.relu(x)), x)
    assert [kink.node for kink in error.value.kinks] == [weft.relu(x)]
    assert "test_sides.py" in str(error.value)
    smooth = mode(weft.tanh(x), x)
    assert smooth is not None


def test_numbers_refuse_only_values_at_a_kink():
    x = leaf(3)
    y = weft.sum(weft.relu(x))
    at, beside = {x: [-1.0, 0.0, 2.0]}, {x: [-1.0, 0.5, 2.0]}
    for table in (False, True):
        with pytest.raises(weft.KinkError, match="1 of 3 elements") as error:
            weft.backprop(y, x, at, kink="report", table=table)
        assert error.value.kinks[0].count == 1
    assert np.array_equal(weft.backprop(y, x, beside, kink="report"), [0, 1, 1])
    z = leaf()
    with pytest.raises(weft.KinkError):
        weft.path_sum(abs(z), z, {z: 0.0}, kink="report")
    assert weft.path_sum(abs(z), z, {z: -2.0}, kink="report") == -1


def test_a_kink_off_the_path_is_none_of_its_business():
    x, z = leaf(), weft.input("z", (), F)
    y = x * weft.relu(z)
    assert weft.backprop(y, x, {x: 1.0, z: 0.0}, kink="report") == 0
    with pytest.raises(weft.KinkError):
        weft.backprop(y, z, {x: 1.0, z: 0.0}, kink="report")
    # What is fed was not computed.
    h = weft.relu(z)
    assert weft.backprop(h * h, h, {h: 0.0}, kink="report") == 0
