"""What notebooks show: formulas, drawings, tables."""

import subprocess
import sys
from xml.etree import ElementTree

import pytest

import weft
from weft import nn

x = weft.input("x", ("n", 3))
SMALL = weft.tanh(x) / 2


def chain(length):
    node = x
    for i in range(length):
        node = weft.sin(node) if i % 2 else weft.tanh(node)
    return node


def test_a_small_node_is_a_formula():
    assert SMALL._repr_latex_() == rf"$\displaystyle {weft.latex(SMALL)}$"
    assert SMALL._repr_svg_() is None


def test_a_larger_node_is_a_drawing():
    node = chain(60)
    assert node._repr_latex_() is None
    assert ElementTree.fromstring(node._repr_svg_()).tag.endswith("svg")


def test_a_huge_node_is_a_line():
    node = chain(100_000)
    assert node._repr_latex_() is None
    assert node._repr_svg_() is None


def test_a_network_is_a_table_and_a_diagram():
    network = nn.mlp([64, 32], "tanh", nn.Categorical(10))
    html = network._repr_html_()
    for words in ("Dense(64, Tanh())", "64 d + 64", "2,080", "330", "<svg"):
        assert words in html
    assert "Skip" in nn.Network([nn.Skip(nn.Affine(7))], nn.Gaussian())._repr_html_()


def value(written, d):
    """The number that ``"5 d + 15"`` is."""
    total = 0
    for term in written.replace(",", "").split(" + "):
        count, _, symbol = term.partition(" ")
        total += int(count) * (d if symbol else 1)
    return total


def test_the_numbers_of_parameters_are_those_of_the_network():
    from weft.graph import flatten
    from weft.nn.diagram import parts

    network = nn.mlp([5, 4], "relu", nn.Gaussian(), norm="layer")
    for d in (3, 8):
        stated = [value(written, d) for *_, written in parts(network)]
        drawn = network.init(0, d)
        arrays = [flatten(drawn[name])[0] for name in ("0", "1", "output")]
        assert stated == [sum(a.size for a in found) for found in arrays]


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_program_is_a_table_of_its_kernels(engine):
    W = weft.parameter("W", (3, 4))
    program = weft.compile(
        [x], weft.sum(weft.tanh(x @ W)), state={W: [[1.0] * 4] * 3}, engine=engine
    )
    kernels = program.kernels()
    html = program._repr_html_()
    assert kernels
    assert all(kernel.replace("'", "&#x27;") in html for kernel, *_ in kernels)
    assert any("24*n" in flop for _, flop, _ in kernels)


def test_ipython_takes_what_is_shown():
    formatters = pytest.importorskip("IPython.core.formatters")
    formatter = formatters.DisplayFormatter()
    shown, _ = formatter.format(SMALL)
    assert "text/latex" in shown
    assert "image/svg+xml" not in shown
    shown, _ = formatter.format(chain(60))
    assert "image/svg+xml" in shown
    assert "text/latex" not in shown
    shown, _ = formatter.format(nn.mlp([2]))
    assert "text/html" in shown
    shown, _ = formatter.format(weft.draw(SMALL))
    assert "image/svg+xml" in shown
    shown, _ = formatter.format(weft.derive(weft.sum(SMALL), x))
    assert "text/latex" in shown


def test_weft_alone_loads_none_of_it():
    code = "import sys, weft; print([m for m in sys.modules if 'weft.show' in m])"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
