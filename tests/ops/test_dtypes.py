"""Types: how they mix, what is cast, what is refused."""

import numpy as np
import pytest

import weft
from weft.graph import DTypeError, as_dtype
from weft.graph.dtype import promote

NAMES = ["bool", "int32", "int64", "float32", "float64"]

# Rows and columns in the order of NAMES. Where it differs from NumPy's table (float32
# with an integer), it keeps the float.
TABLE = [
    ["bool", "int32", "int64", "float32", "float64"],
    ["int32", "int32", "int64", "float32", "float64"],
    ["int64", "int64", "int64", "float32", "float64"],
    ["float32", "float32", "float32", "float32", "float64"],
    ["float64", "float64", "float64", "float64", "float64"],
]

PAIRS = [(a, b, TABLE[i][j]) for i, a in enumerate(NAMES) for j, b in enumerate(NAMES)]


@pytest.mark.parametrize(("a", "b", "expected"), PAIRS)
def test_promotion(a, b, expected):
    assert promote([np.dtype(a), np.dtype(b)]) == expected
    if not (expected == "float32" and {a, b} & {"int32", "int64"}):
        assert np.promote_types(a, b) == expected


@pytest.mark.parametrize(("a", "b", "expected"), PAIRS)
def test_promotion_in_graphs_and_in_numbers(a, b, expected):
    x, y = weft.input("x", (2,), a), weft.input("y", (2,), b)
    left, right = np.ones(2, a), np.ones(2, b)
    for function in (weft.add, weft.multiply, weft.maximum, weft.power, weft.divide):
        if expected == "bool" or (
            expected[0] != "f" and function in (weft.power, weft.divide)
        ):
            with pytest.raises(DTypeError):
                function(x, y)
            continue
        node = function(x, y)
        assert node.dtype == expected
        value = weft.evaluate(node, {x: left, y: right})
        assert value.dtype == expected
        assert np.asarray(function(left, right)).dtype == expected
    assert weft.where(x > 0, x, y).dtype == expected
    assert weft.concatenate([x, y]).dtype == expected
    for compare in (weft.less, weft.equal, weft.greater_equal):
        assert compare(x, y).dtype == bool
        assert weft.evaluate(compare(x, y), {x: left, y: right}).dtype == bool


@pytest.mark.parametrize("number", [2, 2.5, True])
@pytest.mark.parametrize("dtype", NAMES)
def test_bare_numbers_do_not_widen(dtype, number):
    x = weft.input("x", (2,), dtype)
    if dtype == "bool" and number is True:
        with pytest.raises(DTypeError):
            x + number
        return
    node = x + number
    if dtype[0] == "f":
        assert node.dtype == dtype
    elif isinstance(number, float):
        assert node.dtype == "float32"
    else:
        assert node.dtype == ("int64" if dtype == "bool" else dtype)


@pytest.mark.parametrize("a", NAMES)
@pytest.mark.parametrize("b", NAMES)
def test_casts_are_numpys(a, b):
    values = np.array([0, 1, 2, -3, 2.7, -2.7])
    if a == "bool":
        values = values > 0
    array = values.astype(a)
    x = weft.input("x", array.shape, a)
    node = weft.cast(x, b)
    found = weft.evaluate(node, {x: array})
    assert node.dtype == found.dtype == b
    assert np.array_equal(found, array.astype(b))
    assert (node is x) == (a == b)
    assert np.array_equal(weft.cast(array, b), array.astype(b))


def test_derivatives_flow_through_casts_between_floats_only():
    x = weft.input("x", (), "float64")
    node = weft.cast(weft.sin(weft.cast(x, "float32")), "float64")
    gradient = weft.grad(node, x)
    assert gradient.dtype == np.float64
    assert np.isclose(weft.evaluate(gradient, {x: 0.5}), np.cos(0.5), atol=1e-6)
    stepped = weft.cast(weft.cast(x, "int64"), "float64") * x
    assert weft.evaluate(weft.grad(stepped, x), {x: 2.5}) == 2


@pytest.mark.parametrize("dtype", ["int64", "bool", "int32"])
def test_whole_numbers_have_no_gradient(dtype):
    x = weft.input("x", (), dtype)
    cost = weft.cast(x, "float64") ** 2
    with pytest.raises(weft.GraphError, match="derivatives are of floats"):
        weft.grad(cost, x)
    with pytest.raises(weft.GraphError, match="derived"):
        weft.grad(weft.cast(cost, "int64"), x)


@pytest.mark.parametrize("given", ["float32", np.float32, np.dtype("float32"), "f4"])
def test_names_of_types(given):
    assert as_dtype(given) == np.float32
    assert as_dtype(given) in weft.DTYPES


@pytest.mark.parametrize(
    "given", ["float16", "complex64", "U5", "object", "nonsense", None, 3, "uint8"]
)
def test_no_type(given):
    with pytest.raises(DTypeError, match="weft computes in bool, int32"):
        as_dtype(given)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1, "int64"),
        (1.5, "float32"),
        (True, "bool"),
        ([1, 2.5], "float32"),
        (np.float64(1.5), "float64"),
        (np.int32(1), "int32"),
        (np.zeros(2), "float64"),
        ([], "float32"),
    ],
)
def test_types_of_constants(value, dtype):
    assert weft.constant(value).dtype == dtype


def test_what_is_fed_is_fitted():
    x = weft.input("x", (2,), "float32")
    k = weft.input("k", (2,), "int64")
    assert weft.evaluate(x * 1, {x: np.array([1, 2])}).dtype == np.float32
    assert weft.evaluate(x * 1, {x: np.array([1.5, 2])}).dtype == np.float32
    assert weft.evaluate(k * 1, {k: np.array([1, 2], "int32")}).dtype == np.int64
    assert weft.evaluate(x * 1, {x: [True, False]}).dtype == np.float32
