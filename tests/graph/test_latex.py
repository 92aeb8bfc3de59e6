"""A graph as mathematics: every op, the parentheses that are needed, shared parts."""

import re
import zlib

import numpy as np
import pytest
from hypothesis import given

import weft
from weft.graph.latex import LEVELS
from weft.graph.node import intern
from weft.ops import OPS
from weft.testing.strategies import graphs

x, y = weft.input("x", ("n",)), weft.input("y", ("n",))
A, B = weft.input("A", ("n", 3)), weft.input("B", (4, 4))
W, b = weft.parameter("1/W", (3, 2)), weft.parameter("1/b", (2,))

CASES = [
    (x / y, r"\frac{x}{y}"),
    (weft.sqrt(x), r"\sqrt{x}"),
    (weft.exp(x * y), r"e^{x \cdot y}"),
    (weft.sigmoid(x), r"\sigma\left(x\right)"),
    (weft.softplus(x), r"\zeta\left(x\right)"),
    (W, "W_{1}"),
    (A @ W + b, "A W_{1} + b_{1}"),
    (A.T @ A, r"{A}^{\top} A"),
    (W.T, r"{W_{1}}^{\top}"),
    (x * -np.inf, r"x \cdot \left(-\infty\right)"),
    (x * 2.5e-7, r"x \cdot 2.5 \cdot 10^{-7}"),
    (weft.where(x > 0, x, y), r"\begin{cases} x & \text{if } \left[x > 0\right] \\ y"),
    (weft.sum(x), r"\sum_{i=1}^{n} x_{i}"),
    (weft.mean(A, 0), r"\frac{\sum_{i=1}^{n} A_{ij}}{n}"),
    (weft.sum(W), r"\sum_{i=1}^{3} \sum_{j=1}^{2} \left(W_{1}\right)_{ij}"),
    (weft.max(x - y), r"\max_{i} \left(x - y\right)_{i}"),
    (weft.logsumexp(A, 1), r"\log \sum_{j=1}^{3} e^{A_{ij}}"),
    (weft.softmax(A), r"\operatorname{softmax}\left(A\right)"),
    (weft.softmax(A, 0), r"\operatorname{softmax}_{i}\left(A\right)"),
    (A[:, 0], "A_{:, 0}"),
    (A[1:3, ::2], "A_{1:3, ::2}"),
    (weft.reshape(B, (2, 8)), r"\operatorname{reshape}_{2 \times 8}\left(B\right)"),
    (weft.concatenate([x, y]), r"\left[x, y\right]"),
    (weft.constant(np.eye(3)), r"\mathrm{const}_{3 \times 3}"),
    (x * weft.constant(np.full((1,), 2.0)), r"x \cdot 2"),
    (weft.constant([1, 2]), r"\left[1, 2\right]"),
    (weft.constant(True), r"\mathrm{true}"),
]


@pytest.mark.parametrize(("node", "expected"), CASES, ids=[e for _, e in CASES])
def test_it_is_written_as_in_a_book(node, expected):
    assert weft.latex(node).startswith(expected)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda a, b, c: a + b + c, "a + b + c"),
        (lambda a, b, c: a + (b + c), r"a + \left(b + c\right)"),
        (lambda a, b, c: a - (b - c), r"a - \left(b - c\right)"),
        (lambda a, b, c: a - b - c, "a - b - c"),
        (lambda a, b, c: a + b * c, r"a + b \cdot c"),
        (lambda a, b, c: (a + b) * c, r"\left(a + b\right) \cdot c"),
        (lambda a, b, c: a * -b, r"a \cdot \left(-b\right)"),
        (lambda a, b, c: -(a * b), r"-a \cdot b"),
        (lambda a, b, c: -(a + b), r"-\left(a + b\right)"),
        (lambda a, b, c: -a + b, "-a + b"),
        (lambda a, b, c: a - -b, r"a - \left(-b\right)"),
        (lambda a, b, c: (a + b) / (a * b), r"\frac{a + b}{a \cdot b}"),
        (lambda a, b, c: weft.square(a / b), r"{\left(\frac{a}{b}\right)}^{2}"),
        (lambda a, b, c: weft.square(-a), r"{\left(-a\right)}^{2}"),
        (lambda a, b, c: a ** (b + c), "{a}^{b + c}"),
        (lambda a, b, c: a.T @ (b * c), r"{a}^{\top} \left(b \cdot c\right)"),
        (lambda a, b, c: (a @ b) + c, "a b + c"),
        (lambda a, b, c: a @ (b + c), r"a \left(b + c\right)"),
        (lambda a, b, c: weft.log(a + b), r"\log\left(a + b\right)"),
        (lambda a, b, c: abs(a + b), r"\left|a + b\right|"),
        (lambda a, b, c: weft.log1p(a * b), r"\log\left(1 + a \cdot b\right)"),
    ],
)
def test_parentheses_stand_where_they_are_needed(build, expected):
    a, b, c = (weft.input(name, (4, 4)) for name in "abc")
    assert weft.latex(build(a, b, c)) == expected


def test_a_product_of_matrices_is_not_mixed_with_one_of_elements():
    a, b, c = (weft.input(name, (4, 4)) for name in "abc")
    assert weft.latex((a @ b) * c) != weft.latex(a @ (b * c))


def test_shared_parts_are_said_once_after_the_formula():
    e = weft.tanh(x)
    lines = weft.latex(weft.exp(e * e) + e).splitlines()
    assert lines == [
        r"\begin{aligned}",
        r"& e^{a \cdot a} + a \\",
        r"& \text{where } a = \tanh\left(x\right)",
        r"\end{aligned}",
    ]


def test_what_is_short_is_repeated():
    assert weft.latex(-x * -x).count("x") == 2
    assert "where" not in weft.latex(A.T @ A + A.T @ A * 2)


def test_letters_of_leaves_are_not_taken():
    a, t = weft.input("a", ()), weft.input("t/x", ())
    e = weft.tanh(a)
    assert r"\text{where } b = \tanh" in weft.latex(e * e + t)


def test_many_shared_parts_have_different_letters():
    node = weft.input("x", ())
    for _ in range(40):
        node = weft.tanh(node) * weft.tanh(node)
    letters = re.findall(r"where }}? (\S+) =", weft.latex(node))
    assert len(letters) == len(set(letters)) == 40


def test_several_nodes_are_several_formulas():
    written = weft.latex({"a": x + y, "b": [x - y]})
    assert written.splitlines()[1:3] == [r"& x + y \\", "& x - y"]


@pytest.mark.parametrize("name", ["a_b", "%", "100%", "{x}", "a^b", "c:\\d", "#&$~"])
def test_names_are_escaped(name):
    written = weft.latex(weft.exp(weft.input(name, ())))
    check_balanced(written)
    plain = re.sub(r"\\.", "", written)
    assert not any(sign in plain for sign in "%&#$~")


def test_what_is_no_node_is_refused():
    with pytest.raises(weft.GraphError, match="no formula"):
        weft.latex([3.0])


def test_a_deep_chain_is_broken_into_lines():
    node = weft.input("x", ())
    for _ in range(20_000):
        node = weft.sin(node)
    lines = weft.latex(node).splitlines()
    assert max(map(len, lines)) < 3000
    assert sum(map(len, lines)) < 40 * 20_000


@given(graphs(kinks=True))
def test_length_is_proportional_to_the_graph(graph):
    written = weft.latex(graph.output)
    check_balanced(written)
    assert len(written) < 150 * len(weft.topological([graph.output]))
    assert written == weft.latex(graph.output)


# Every op -----------------------------------------------------------------------------


def check_balanced(written):
    """Braces, left and right, begin and end: each is closed by its like."""
    pairs = {"}": "{", r"\right": r"\left", r"\end": r"\begin"}
    opened = []
    bare = re.sub(r"\\[{}]", "", written)
    for sign in re.findall(r"\\left|\\right|\\begin|\\end|[{}]", bare):
        if sign in pairs:
            assert opened and opened.pop() == pairs[sign], written
        else:
            opened.append(sign)
    assert not opened, written
    assert not re.search(r"(?<![\\{]){[0-9]}(?=_)|:(any|sum|atom)\b", written)


def applied():
    for op in OPS.values():
        for case in op.cases(np.random.default_rng(zlib.crc32(op.name.encode()))):
            leaves = [
                weft.input(f"x/{i}", arg.shape, arg.dtype)
                for i, arg in enumerate(case.args)
            ]
            node = op(*leaves, **case.params) if leaves else intern(op, (), case.params)
            yield pytest.param(op, leaves, node, id=f"{op.name}-{case.label}")


APPLIED = list(applied())


@pytest.mark.parametrize(("op", "leaves", "node"), APPLIED)
def test_every_op_is_typeset(op, leaves, node):
    assert op.binds in LEVELS
    written = weft.latex(node)
    check_balanced(written)
    check_balanced(weft.latex(weft.exp(weft.cast(node, "float64")) + 1))
    silent = {"cast", "broadcast_to", "reshape", "arange", "random_uniform", "size"}
    if node.op is op and op.name not in silent:
        assert written != weft.latex(leaves[0])
        assert all(weft.latex(leaf) in written for leaf in leaves)


@pytest.mark.parametrize(("op", "leaves", "node"), APPLIED)
def test_what_is_written_can_be_set(op, leaves, node):
    mathtext = pytest.importorskip("matplotlib.mathtext")
    written = weft.latex(weft.sqrt(weft.cast(node, "float64")))
    if "cases" in written:
        pytest.skip("mathtext has no environments; browsers and LaTeX do")
    mathtext.MathTextParser("path").parse(f"${written}$")
