"""A graph for the eye: text, with shared parts named once."""

import numpy as np
import pytest
from hypothesis import given

import weft
from weft.testing.strategies import graphs

x, y = weft.input("x", ("n",)), weft.input("y", ("n",))
W = weft.parameter("W_1", ("n", 2))


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (lambda: x + y, "(x + y)"),
        (lambda: 2 * x - y / 3, "((2 * x) - (y / 3))"),
        (lambda: weft.exp(-x), "exp(-x)"),
        (lambda: x**2, "x**2"),
        (lambda: x**3, "(x ** 3)"),
        (lambda: weft.sum(x), "sum(x, axis=(0,))"),
        (lambda: weft.sum(W, 1, keepdims=True), "sum(W_1, axis=(1,), keepdims=True)"),
        (lambda: x @ W, "reshape"),
        (lambda: x > 0, "(x > 0)"),
        (lambda: weft.where(x > 0, x, y), "where((x > 0), x, y)"),
        (lambda: weft.maximum(x, 0), "relu(x)"),
        (lambda: abs(x), "|x|"),
        (lambda: x * np.inf, "(x * inf)"),
        (lambda: x * 0.1, "(x * 0.1)"),
        (lambda: weft.constant(np.zeros(9)), "constant[9]"),
        (lambda: weft.stack([x, y]).T, "transpose"),
        (lambda: weft.constant([1, 2]), "[1, 2]"),
        (lambda: weft.constant(True), "True"),
    ],
)
def test_text(node, expected):
    assert expected in weft.text(node())


def test_shared_parts_are_named_once():
    e = weft.exp(x)
    assert weft.text(e * e + weft.sin(e)) == "a = exp(x)\n((a * a) + sin(a))"


def test_names_of_leaves_are_not_taken_for_shared_parts():
    a, t = weft.input("a", ()), weft.input("t27", ())
    e = weft.exp(a)
    assert weft.text(e * e + t) == "b = exp(a)\n((b * b) + t27)"


def test_many_shared_parts():
    node = weft.input("x", ())
    for _ in range(40):
        node = node + node
    lines = weft.text(node).splitlines()
    assert len(lines) == 40
    names = [line.split(" = ")[0] for line in lines[:-1]]
    assert len(set(names)) == 39
    assert names[:2] == ["a", "b"]


def test_a_deep_chain_is_broken_into_lines():
    node = weft.input("x", ())
    for _ in range(20_000):
        node = weft.sin(node)
    lines = weft.text(node).splitlines()
    assert max(map(len, lines)) < 600
    assert sum(map(len, lines)) < 10 * 20_000
    assert lines[0].startswith("a = sin(sin(")
    assert weft.text(weft.sin(weft.sin(weft.input("x", ())))) == "sin(sin(x))"


def test_trees_are_written_in_order():
    assert weft.text({"b": x, "a": [y, -x]}) == "x\ny\n-x"


@given(graphs(kinks=True))
def test_length_is_proportional_to_the_graph(graph):
    order = weft.topological([graph.output])
    written = weft.text(graph.output)
    assert len(written) < 100 * len(order)
    assert written == weft.text(graph.output)


def test_a_sign_under_a_power_is_in_parentheses():
    assert weft.text(weft.square(-x)) == "(-x)**2"
    assert weft.text(weft.power(-x, 3)) == "((-x) ** 3)"
