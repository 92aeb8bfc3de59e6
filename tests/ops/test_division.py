"""``//`` and ``%``: NumPy's to the last bit, on both engines, and their slopes."""

import numpy as np
import pytest

import weft
from weft.testing import check_grads

FUNCTIONS = {
    "floor_divide": (lambda x, y: x // y, np.floor_divide),
    "remainder": (lambda x, y: x % y, np.remainder),
}
SPECIAL = [0.0, -0.0, 1, -1, 0.5, 0.1, 7.3, -7.3, 1e-30, 3, 1e4, -1e4]


def pairs(dtype):
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        edge = [*SPECIAL, np.inf, -np.inf, np.nan]
        more = rng.normal(size=(2, 2000)) * [[100], [1]]
    else:
        info = np.iinfo(dtype)
        edge = [0, 1, -1, 7, -7, 3, -3, info.min, info.max]
        more = rng.integers(-100, 100, (2, 500))
    grid = np.array(np.meshgrid(edge, edge), dtype).reshape(2, -1)
    return np.concatenate([grid, more.astype(dtype)], axis=1)


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize(("ours", "numpys"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_they_are_numpys_to_the_last_bit(ours, numpys, dtype, engine):
    x, y = (weft.input(name, ("n",), dtype) for name in "xy")
    a, b = pairs(dtype)
    found = weft.compile([x, y], ours(x, y), engine=engine)(a, b)
    with np.errstate(all="ignore"):
        expected = numpys(a, b)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected, equal_nan=expected.dtype.kind == "f")
    if expected.dtype.kind == "f":  # zeros of either sign too
        known = ~np.isnan(expected)
        assert np.array_equal(np.signbit(found[known]), np.signbit(expected[known]))


def test_operators_on_either_side():
    k = weft.input("k", (3,), "int64")
    at = {k: [5, -5, 7]}
    for node, expected in (
        (k // 2, [2, -3, 3]),
        (k % 3, [2, 1, 1]),
        (17 // k, [3, -4, 2]),
        (17 % k, [2, -3, 3]),
        (weft.remainder(k, 4), [1, 3, 3]),
    ):
        assert np.array_equal(weft.evaluate(node, at), expected)
    assert weft.text(k // 2) == "(k // 2)"
    assert weft.text(k % 2) == "(k % 2)"
    with pytest.raises(weft.DTypeError, match="booleans have no arithmetic"):
        weft.input("b", (), "bool") % weft.input("c", (), "bool")


def test_slopes():
    """Of x - y * floor(x / y): 1 in x, minus the floor in y; steps are flat."""
    x, y = weft.input("x", (3,), "float64"), weft.input("y", (3,), "float64")
    feed = {x: [5.0, -5.0, 7.5], y: [2.0, 3.0, -2.0]}
    slopes = weft.evaluate(weft.grad(weft.sum(x % y), [x, y]), feed)
    assert np.array_equal(slopes, [[1, 1, 1], [-2, 2, 4]])
    flat = weft.evaluate(weft.grad(weft.sum(x // y) + 0 * weft.sum(x), [x, y]), feed)
    assert not np.any(flat)
    check_grads((x % y) ** 2, feed)
    # Every whole is taken apart again.
    whole, rest, back = weft.evaluate([x // y, x % y, (x // y) * y + x % y], feed)
    assert np.array_equal(back, feed[x])
    assert np.array_equal(whole, np.floor(whole))
    assert np.all(np.abs(rest) < np.abs(feed[y]))
