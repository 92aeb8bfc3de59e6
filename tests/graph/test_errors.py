"""What a mistake is answered with: op, operands as given, the user's line, the fix."""

import linecache
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import weft
from weft.graph import (
    DTypeError,
    FeedError,
    GraphError,
    ShapeError,
    WeftError,
    origin_of,
)

HERE = Path(__file__).name


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (ShapeError, ValueError),
        (DTypeError, TypeError),
        (GraphError, ValueError),
        (FeedError, ValueError),
    ],
)
def test_errors_are_what_a_programmer_looks_for(error, builtin):
    assert issubclass(error, WeftError)
    assert issubclass(error, builtin)


x = weft.input("x", ("n", 3))
y = weft.input("y", ("n",))
W = weft.parameter("W", (4, 2))
k = weft.input("k", (2, 3), "int64")
b = weft.input("b", (2, 3), "bool")
f = weft.input("f", (2, 3), "float64")

MISTAKES = {
    "matmul": (
        lambda: x @ W,
        r"^matmul\(x: float32\(n, 3\), W: float32\(4, 2\)\): .*"
        r"3 columns on the left against 4 rows on the right",
    ),
    "matmul-scalar": (lambda: x @ 2.0, r"^matmul\(x: .*multiply with \*"),
    "matmul-bool": (lambda: b @ b.T, r"^matmul\(b: bool\(2, 3\), .*cast them"),
    "broadcast": (
        lambda: x + W,
        r"^add\(x: float32\(n, 3\), W: float32\(4, 2\)\): "
        r"shapes \('n', 3\) and \(4, 2\) do not broadcast",
    ),
    "arrays": (
        lambda: x + np.ones(4, "float32"),
        r"^add\(x: .*constant: float32\(4,\)",
    ),
    "three": (lambda: weft.where(x > 0, x, W), r"^where\(.*do not broadcast"),
    "bool-sum": (lambda: b + b, r"^add\(b: bool\(2, 3\), b: bool\(2, 3\)\): .*cast"),
    "int-exp": (lambda: weft.exp(k), r"^exp\(k: int64\(2, 3\)\): .*cast"),
    "int-mean": (lambda: weft.mean(k), r"^mean\(k: int64\(2, 3\)\): .*floats"),
    "bool-reduce": (lambda: weft.sum(b), r"^sum\(b: bool\(2, 3\)\): .*cast"),
    "condition": (lambda: weft.where(x, x, 0), r"^where\(.*condition is float32"),
    "logic": (lambda: (x > 0) & x, r"^logical_and\(.*compare first"),
    "axis": (lambda: weft.sum(x, axis=2), r"^sum\(x: .*no axis 2: .* 2 axes"),
    "axis-inside": (lambda: weft.mean(x, 5), r"^mean\(x: .*no axis 5"),
    "axis-twice": (lambda: weft.max(x, (0, -2)), r"^max\(x: .*named twice"),
    "axis-float": (lambda: weft.sum(x, 0.5), r"^sum\(x: .*no axis 0.5"),
    "empty-max": (lambda: weft.max(x[:, :0], 1), r"^max\(.*empty"),
    "reshape": (lambda: weft.reshape(x, (2, 2)), r"^reshape\(x: .*equally many"),
    "reshape-open": (
        lambda: weft.reshape(x, (-1, -1)),
        r"^reshape\(x: .*more than one",
    ),
    "reshape-left": (
        lambda: weft.reshape(x, (2, -1)),
        r"^reshape\(x: .*no whole value",
    ),
    "squeeze": (lambda: weft.squeeze(x, 1), r"^squeeze\(x: .*not of size 1"),
    "transpose": (lambda: weft.transpose(x, (0, 0)), r"^transpose\(x: .*once"),
    "spread": (lambda: weft.broadcast_to(x, (2, 3)), r"^broadcast_to\(x: "),
    "spread-less": (lambda: weft.broadcast_to(f, (3,)), r"^broadcast_to\(f: .*not"),
    "join": (lambda: weft.concatenate([x, W]), r"^concatenate\(x: .*W: .*cannot be"),
    "join-axis": (lambda: weft.concatenate([f, f], 2), r"^concatenate\(f: .*no axis 2"),
    "stack": (lambda: weft.stack([y, x]), r"^stack\(y: .*x: .*cannot be joined"),
    "take": (lambda: weft.take(x, f), r"^take\(x: .*f: .*positions are integers"),
    "one-hot": (lambda: weft.one_hot(x, 3), r"^one_hot\(x: .*positions are integers"),
    "along": (lambda: weft.take_along_axis(x, k, 1), r"^take_along_axis\(x: .*k: "),
    "scatter": (lambda: weft.scatter_add(f, k[0], 3), r"^scatter_add\(f: .*match"),
    "index": (lambda: x[0, 0, 0], r"^getitem\(x: .*3 indices .* 2 axes"),
    "outside": (lambda: x[:, 3], r"^getitem\(x: .*position 3 is outside an axis of 3"),
    "mask": (lambda: x[x > 0], r"^getitem\(x: .*weft\.where"),
    "mask-list": (lambda: f[[True, False]], r"^getitem\(f: .*weft\.where"),
    "order": (lambda: weft.polygamma(-1, x), r"^polygamma\(x: .*orders 0, 1.*not -1"),
    "two-arrays": (lambda: f[[0, 1], [0, 1]], r"^getitem\(f: .*take_along_axis"),
    "word": (lambda: f["a"], r"^getitem\(f: "),
    "float-index": (lambda: f[1.0], r"^getitem\(f: .*no index"),
    "step": (lambda: x[::2], r"^getitem\(x: .*step of 2 along dimension n"),
    "step-0": (lambda: f[::0], r"^getitem\(f: .*step 0"),
    "float-slice": (lambda: f[0.5:], r"^getitem\(f: .*0.5"),
    "symbols": (
        lambda: weft.reshape(weft.input("z", ("n", "m")), -1),
        "name of its own",
    ),
    "dtype": (lambda: weft.input("x", (), "float16"), r"float16.*weft computes in"),
    "dtype-none": (lambda: weft.input("x", (), None), r"None.*weft computes in"),
    "cast": (lambda: weft.cast(x, "complex128"), r"^cast\(x: .*complex128"),
    "name": (lambda: weft.input("", ()), r"a leaf needs a name, but ''"),
    "name-none": (lambda: weft.parameter(None, ()), r"a leaf needs a name, but None"),
    "dimension": (lambda: weft.input("x", (-1,)), "cannot be negative, but -1"),
    "simplex": (lambda: weft.input("p", ("n", 3), simplex=2), "simplex=2 .* p"),
    "simplex-int": (lambda: weft.input("p", 3, "int64", simplex=0), "float input"),
    "text": (lambda: weft.constant("a"), "numbers or booleans"),
    "text-dtype": (lambda: weft.constant("1.5", "float32"), "numbers or booleans"),
    "ragged": (lambda: weft.constant([[1], [1, 2]]), "not an array of numbers"),
    "object": (lambda: weft.constant(object()), "numbers or booleans"),
    "uint8": (lambda: weft.constant(np.zeros(2, "uint8")), "uint8.*weft computes in"),
    "overflow": (lambda: weft.constant(2**40, "int32"), "does not fit into int32"),
    "overflow-beside": (lambda: weft.input("i", (), "int32") + 2**40, "int32"),
    "node-constant": (lambda: weft.constant(x), "a node is no value"),
    "truth": (lambda: bool(x), "no truth value"),
    "length": (lambda: len(x), "no length"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_explained(name):
    make, pattern = MISTAKES[name]
    with pytest.raises(WeftError) as caught:
        make()
    message = str(caught.value)
    assert re.search(pattern, message), message
    assert "\n" not in message


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_the_line_once(name):
    make, _ = MISTAKES[name]
    with pytest.raises(WeftError) as caught:
        make()
    code = make.__code__
    place = f"{code.co_filename}:{code.co_firstlineno}"
    assert str(caught.value).count(place) == 1, str(caught.value)
    assert str(caught.value).count(HERE) == 1


def test_the_line_itself_is_shown():
    with pytest.raises(ShapeError) as caught:
        x @ W + 1
    line = sys._getframe().f_lineno - 1
    assert str(caught.value).endswith(f"{__file__}:{line}: x @ W + 1)")


def test_an_error_keeps_its_type_and_hides_the_machinery():
    with pytest.raises(DTypeError) as caught:
        weft.mean(k)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


# Vectors against columns ----------------------------------------------------------


@pytest.mark.parametrize("combine", [lambda a, b: a - b, lambda a, b: b * a])
def test_a_vector_against_a_column_is_an_error(combine):
    column = weft.input("t", ("n", 1))
    with pytest.raises(ShapeError) as caught:
        weft.mean(combine(y, column) ** 2)
    message = str(caught.value)
    assert "('n',)" in message
    assert "('n', 1)" in message
    assert "column[..., 0]" in message
    assert "vector[:, None]" in message
    assert "y: float32(n,)" in message
    assert "t: float32(n, 1)" in message


def test_the_fixes_that_the_message_offers_work():
    column = weft.input("t", ("n", 1))
    n = weft.as_dim("n")
    assert (y - column[..., 0]).shape == (n,)
    assert (y[:, None] - column).shape == (n, 1)
    assert (y[None, :] - column).shape == (n, n)


def test_a_vector_against_another_column_is_no_accident():
    column = weft.input("t", ("m", 1))
    assert (y - column).shape == (weft.as_dim("m"), weft.as_dim("n"))
    assert (y - weft.input("u", (1,))).shape == (weft.as_dim("n"),)
    assert (x - weft.input("c", ("n", 1))).shape == x.shape


def test_a_column_fed_to_a_vector_is_an_error():
    with pytest.raises(FeedError, match=r"array\[:, 0\]"):
        weft.evaluate(y * 2, {y: np.zeros((5, 1))})


# Feeding --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        (lambda: {}, r"no value was fed for x: float32\(n, 3\)"),
        (lambda: {x: np.zeros((2, 4))}, r"x has shape \('n', 3\)"),
        (lambda: {x: np.zeros(3)}, r"x has shape"),
        (lambda: {x: [["a"] * 3]}, r"x: float32\(n, 3\) was fed <U1"),
        (lambda: {x: np.zeros((2, 3), complex)}, "complex128"),
        (lambda: {x: weft.constant(np.zeros((2, 3)))}, "was fed a node"),
        (lambda: {x: np.zeros((2, 3)), y: np.zeros(4)}, r"\(4,\).*n is 2 by x"),
    ],
)
def test_feeding_errors(feed, message):
    with pytest.raises(FeedError, match=message):
        weft.evaluate(weft.exp(x), feed())


def test_floats_are_not_fed_to_integers():
    with pytest.raises(FeedError, match="convert it to int64 first"):
        weft.evaluate(k + 1, {k: np.zeros((2, 3))})
    with pytest.raises(FeedError, match="convert it to bool first"):
        weft.evaluate(~b, {b: np.zeros((2, 3), int)})


def test_what_is_wrong_when_run_names_the_line_that_made_the_node():
    index = weft.input("index", ("m",), "int64")
    picked = weft.take(x, index)
    line = sys._getframe().f_lineno - 1
    with pytest.raises(FeedError) as caught:
        weft.evaluate(picked, {x: np.zeros((2, 3)), index: [0, 2]})
    message = str(caught.value)
    assert "position 2 is outside an axis of 2 values" in message
    assert f"{HERE}:{line}" in message


# Origins --------------------------------------------------------------------------


def test_the_first_creator_wins():
    z = weft.input("z", ())
    first = weft.exp(z)
    line = sys._getframe().f_lineno - 1
    again = weft.exp(z)
    assert again is first
    origin = origin_of(first)
    assert origin.line == line
    assert Path(origin.filename) == Path(__file__)
    assert origin.function == "test_the_first_creator_wins"
    assert str(origin).endswith(f"{HERE}:{line}: first = weft.exp(z)")


def test_a_derived_node_points_to_its_cause():
    z = weft.input("z", ())
    cost = weft.tanh(z)
    line = sys._getframe().f_lineno - 1
    gradient = weft.grad(cost, z)
    origin = origin_of(gradient)
    assert (origin.line, origin.derived_from) == (line, "tanh")
    assert str(origin).endswith("(derived from tanh)")


def test_origins_do_not_keep_nodes_alive():
    before = len(weft.graph.origin._origins)
    for _ in range(100):
        weft.input("z", ()) + 1
    assert len(weft.graph.origin._origins) <= before + 5


def test_lines_are_found_through_a_helper_in_another_file(tmp_path):
    helper = tmp_path / "users_own.py"
    helper.write_text("def double(x):\n    return x @ x\n")
    space = {}
    exec(compile(helper.read_text(), str(helper), "exec"), space)
    linecache.checkcache()
    with pytest.raises(ShapeError, match=r"users_own\.py:2: return x @ x"):
        space["double"](x)
