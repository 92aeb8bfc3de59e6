"""Drawings: what is in them, where it lies, and how it is written to a file."""

import itertools
import os
import re
import stat
import sys
import textwrap
from xml.etree import ElementTree

import pytest
from hypothesis import given

import weft
from weft import nn
from weft.compile.nodecost import flops, moved_bytes
from weft.graph import GraphError
from weft.show.diagram import LEFT, RIGHT, Arrow, Box, Diagram
from weft.show.drawing import diagram_of
from weft.show.layout import isotonic, layered, rows_of
from weft.show.picture import Rectangle
from weft.show.place import dot, graphviz, picture_of
from weft.testing.strategies import graphs

x = weft.input("x", ("n", 2))
W, c = weft.parameter("W", (2, 2)), weft.parameter("c", (2,))
w, b = weft.parameter("w", (2, 1)), weft.parameter("b", ())
y = weft.input("y", ("n",))
XOR = weft.mean((y - ((weft.maximum(x @ W + c, 0) @ w)[:, 0] + b)) ** 2)


def edges(diagram, lanes):
    return [
        arrow
        for arrow in diagram.arrows
        if (diagram.boxes[arrow.source].lane, diagram.boxes[arrow.target].lane) == lanes
    ]


# What is drawn ------------------------------------------------------------------------


def test_the_derivative_stands_beside_the_graph_and_uses_it():
    diagram = diagram_of(XOR, wrt=[W, c, w, b])
    lanes = [box.lane for box in diagram.boxes]
    assert lanes.count(LEFT) and lanes.count(RIGHT)
    assert edges(diagram, (LEFT, RIGHT))
    assert not edges(diagram, (RIGHT, LEFT))
    lines = [line for box in diagram.boxes for line in box.lines]
    marked = sorted(line for line in lines if "gradient" in line)
    assert marked == [f"gradient for {name}" for name in "Wbcw"]


def test_the_derivative_of_tanh_is_that_of_figure_6_10_in_small():
    z = weft.input("z", ())
    diagram = diagram_of(weft.tanh(z), wrt=z)
    titles = [box.lines[0] for box in diagram.boxes]
    assert titles == ["z", "tanh", "square", "1 − ·"]
    pairs = [(titles[a.source], titles[a.target], a.style) for a in diagram.arrows]
    assert pairs == [
        ("z", "tanh", "plain"),
        ("tanh", "square", "across"),
        ("square", "1 − ·", "derivative"),
    ]


def test_a_shared_node_is_one_box():
    z = weft.input("z", ())
    e = weft.tanh(z)
    diagram = diagram_of(weft.exp(e) * weft.sin(e))
    assert [box.lines[0] for box in diagram.boxes].count("tanh") == 1
    assert (len(diagram.boxes), len(diagram.arrows)) == (5, 5)


def test_views_are_passed_over_or_shown():
    assert len(diagram_of(XOR, views=True).boxes) > len(diagram_of(XOR).boxes)
    titles = [box.lines[0] for box in diagram_of(XOR, wrt=W).boxes]
    assert "·ᵀ @ ·" in titles
    assert "transpose" not in titles


def test_costs_and_shapes_stand_on_the_nodes():
    z = weft.input("z", ("n", 3))
    V = weft.parameter("V", (3, 4))
    boxes = {box.lines[0]: box.lines for box in diagram_of(z @ V).boxes}
    assert boxes["matmul"] == ("matmul", "(n, 4)", "24n flop, 28n + 48 B")
    assert boxes["V"] == ("V", "(3, 4)")
    assert all("flop" not in str(box.lines) for box in diagram_of(z, costs=False).boxes)


def test_derivatives_can_be_given():
    gradient = weft.grad(XOR, W)
    given_ = diagram_of(XOR, derivatives={"dW": gradient * 2})
    assert any("derivative dW" in box.lines for box in given_.boxes)


def test_a_gradient_that_is_in_the_graph_already_is_marked_there():
    a, z = weft.input("a", ()), weft.input("z", ())
    diagram = diagram_of(a * z, wrt=z)
    assert ("a", "scalar", "gradient for z") in [box.lines for box in diagram.boxes]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: weft.draw(XOR, limit=3), "more than limit=3"),
        (lambda: weft.draw([3]), "no node"),
        (lambda: weft.draw([XOR, x], wrt=x), "gradient of one node"),
        (lambda: weft.draw(XOR, style="neurons"), "no option style"),
        (lambda: weft.draw(XOR, engine="neato"), "no engine"),
        (lambda: weft.draw(XOR, "graph.gif"), "end it in"),
        (lambda: weft.draw(XOR, "graph"), "end it in"),
    ],
)
def test_mistakes_are_told(call, message):
    with pytest.raises(GraphError, match=message):
        call()


def test_a_long_chain_is_refused_quickly():
    node = weft.input("z", ())
    for _ in range(100_000):
        node = weft.sin(node)
    with pytest.raises(GraphError, match="100001 nodes"):
        weft.draw(node)


# Where it lies ------------------------------------------------------------------------


def rectangles(picture):
    return [
        shape
        for group in picture.groups
        if group.kind == "node"
        for shape in group.shapes
        if isinstance(shape, Rectangle)
    ]


def check_places(picture):
    boxes = rectangles(picture)
    for box in boxes:
        (px, py), (width, height) = box.centre, box.size
        assert width / 2 <= px <= picture.width - width / 2
        assert height / 2 <= py <= picture.height - height / 2
    for a, b_ in itertools.combinations(boxes, 2):
        apart = [
            abs(a.centre[i] - b_.centre[i]) - (a.size[i] + b_.size[i]) / 2
            for i in (0, 1)
        ]
        assert max(apart) >= 8, (a, b_)


@given(graphs(kinks=True))
def test_boxes_never_overlap(graph):
    check_places(weft.draw(graph.output, engine="own"))


@pytest.mark.parametrize("wrt", [[W, c, w, b], [x], [W]])
def test_boxes_of_a_graph_and_its_derivative_never_overlap(wrt):
    check_places(weft.draw(XOR, wrt=wrt))


def test_the_graph_runs_down_and_its_derivative_up():
    diagram = diagram_of(XOR, wrt=[W, c, w, b])
    places = layered(diagram).centres
    for arrow in diagram.arrows:
        rise = places[arrow.target][1] - places[arrow.source][1]
        if arrow.style == "plain":
            assert rise > 0
        if arrow.style == "derivative":
            assert rise < 0


def test_arrows_begin_and_end_at_their_boxes():
    diagram = diagram_of(XOR, wrt=[W, c, w, b])
    layout = layered(diagram)
    for arrow, curve in zip(diagram.arrows, layout.curves, strict=True):
        ends = ((arrow.source, curve[0]), (arrow.target, curve[-1]))
        for i, (px, py) in ends:
            (cx, cy), (width, height) = layout.centres[i], diagram.boxes[i].size
            assert abs(px - cx) <= width / 2 + 0.1
            assert abs(py - cy) <= height / 2 + 0.1


def test_arrows_that_need_not_cross_do_not():
    boxes = tuple(Box((letter,)) for letter in "abcdef")
    crossed = (Arrow(0, 5), Arrow(1, 4), Arrow(2, 3))
    layout = layered(Diagram(boxes, crossed))
    xs = [px for px, _ in layout.centres]
    order = sorted(range(3), key=lambda i: xs[i])
    assert order == sorted(range(3), key=lambda i: xs[5 - i])


def test_a_deep_graph_is_laid_out_by_a_bounded_number_of_steps(monkeypatch):
    """Each level is read by the last: there are places for arrows by the square."""
    x, h = weft.input("x", ("n", 8)), 0
    weights = [weft.parameter(f"W{i}", (8, 8)) for i in range(60)]
    for weight in weights:
        h = weft.tanh((h + x) @ weight)
    placed = []

    def counted(wanted, weights):
        placed.append(len(wanted))
        return isotonic(wanted, weights)

    monkeypatch.setattr("weft.show.layout.isotonic", counted)
    layered(diagram_of(weft.mean(h), wrt=weights, limit=1000))
    assert sum(placed) <= 120_000


def test_a_circle_of_arrows_is_refused():
    boxes = (Box(("a",)), Box(("b",)))
    with pytest.raises(GraphError, match="circle"):
        rows_of(Diagram(boxes, (Arrow(0, 1), Arrow(1, 0))))


def test_isotonic_regression_keeps_order_and_mean():
    wanted, weights = [3.0, 1.0, 2.0, 5.0, 4.0], [1.0, 2.0, 1.0, 1.0, 3.0]
    found = isotonic(wanted, weights)
    assert found == sorted(found)
    assert sum(a * v for a, v in zip(found, weights, strict=True)) == pytest.approx(
        sum(a * v for a, v in zip(wanted, weights, strict=True))
    )


# Files --------------------------------------------------------------------------------


def test_the_svg_has_a_group_per_node_and_edge():
    picture = weft.draw(XOR, wrt=[W, c, w, b])
    diagram = diagram_of(XOR, wrt=[W, c, w, b])
    root = ElementTree.fromstring(picture.svg)
    classes = [group.get("class") for group in root]
    assert classes.count("node") == len(diagram.boxes) == picture.count("node")
    assert classes.count("edge") == len(diagram.arrows) == picture.count("edge")
    assert picture.svg == weft.draw(XOR, wrt=[W, c, w, b]).svg
    assert picture._repr_svg_() == picture.svg


def test_names_are_escaped_in_the_svg():
    name = "<script>\"&'</script>"
    svg = weft.draw(weft.exp(weft.input(name, ()))).svg
    assert "<script" not in svg
    assert name in [element.text for element in ElementTree.fromstring(svg).iter()]


@pytest.mark.parametrize("bad", ["\x00", "\x1b", "\x1f\ufffe", "\ud800", "a\udfffb"])
def test_characters_that_no_xml_has_are_replaced(bad, tmp_path):
    node = weft.exp(weft.input(f"x{bad}y", ()))
    picture = weft.draw(node)
    texts = [element.text for element in ElementTree.fromstring(picture.svg).iter()]
    assert re.sub("[\0\x1b\x1f\ufffe\ud800\udfff]", "\ufffd", f"x{bad}y") in texts
    for ending in ("svg", "png", "pdf"):
        assert picture.save(tmp_path / f"a.{ending}").stat().st_size > 0
    assert dot(diagram_of(node)).encode()


@pytest.mark.parametrize(
    ("ending", "magic"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF")]
)
def test_the_ending_says_what_is_written(tmp_path, ending, magic):
    path = tmp_path / f"graph.{ending}"
    path.write_text("before")
    weft.draw(weft.tanh(weft.input("z", ())), path)
    first = path.read_bytes()
    assert first.startswith(magic)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    weft.draw(weft.tanh(weft.input("z", ())), path)
    assert path.read_bytes() == first


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path):
    with pytest.raises(GraphError, match="folder"):
        (tmp_path / "a.svg").mkdir()
        weft.draw(XOR, tmp_path / "a.svg")
    with pytest.raises(GraphError, match="no such folder"):
        weft.draw(XOR, tmp_path / "missing" / "a.svg")
    assert [p.name for p in tmp_path.iterdir()] == ["a.svg"]


# Graphviz -----------------------------------------------------------------------------

DOT = r"""
import re, sys
graph = sys.stdin.read()
size = r"width=([\d.]+), height=([\d.]+)"
nodes = re.findall(rf'^(n\d+) \[label="(.*)", {size}\]$', graph, re.M)
print("graph 1 4 %d" % len(nodes))
for i, (name, label, width, height) in enumerate(nodes):
    y = len(nodes) - i - 0.5
    print(f'node {name} 2 {y} {width} {height} "{label}" solid box black')
for a, b in re.findall(r"^(n\d+) -> (n\d+)$", graph, re.M):
    print(f"edge {a} {b} 4 2 1 2 0.8 2 0.6 2 0.5 solid black")
print("stop")
"""


@pytest.fixture
def a_dot(tmp_path, monkeypatch):
    """A stand-in for Graphviz: it answers as ``dot -Tplain`` does."""
    if sys.platform == "win32":
        pytest.skip("a script needs another ending there")
    path = tmp_path / "dot"
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(DOT)}")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return path


@pytest.mark.usefixtures("a_dot")
def test_graphviz_finds_the_places_where_it_is_installed():
    picture = weft.draw(XOR)
    assert picture.svg == weft.draw(XOR, engine="dot").svg
    assert picture.svg != weft.draw(XOR, engine="own").svg
    check = rectangles(picture)
    assert [r.centre[1] for r in check] == sorted(r.centre[1] for r in check)


def test_a_graphviz_that_fails_is_told(a_dot):
    a_dot.write_text(f"#!{sys.executable}\nraise SystemExit(3)\n")
    with pytest.raises(GraphError, match="Graphviz did not"):
        weft.draw(XOR, engine="dot")
    a_dot.write_text(f"#!{sys.executable}\nprint('nonsense')\n")
    with pytest.raises(GraphError, match="Graphviz did not"):
        graphviz(diagram_of(XOR))


def test_without_graphviz_our_own_places_are_found(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert weft.draw(XOR).svg == weft.draw(XOR, engine="own").svg
    with pytest.raises(GraphError, match="not installed"):
        weft.draw(XOR, engine="dot")


def test_labels_are_escaped_for_graphviz():
    written = dot(Diagram((Box(('a"]; b [label="\\\n',)),), ()))
    (label,) = re.findall(r'label="((?:[^"\\]|\\.)*)", width', written)
    assert label == r"a\"]; b [label=\"\\ "


def test_a_picture_of_nothing():
    assert picture_of(Diagram((), ())).count("node") == 0


# Costs --------------------------------------------------------------------------------


def test_costs_of_nodes():
    A, B = weft.input("A", (3, 4)), weft.input("B", (4, 5))
    assert (flops(A @ B), moved_bytes(A @ B)) == (2 * 3 * 4 * 5, 4 * (12 + 20 + 15))
    assert (flops(weft.exp(A)), moved_bytes(weft.exp(A))) == (12, 96)
    assert (flops(A * A), moved_bytes(A * A)) == (12, 96)
    assert (flops(weft.sum(A, 0)), flops(A.T), moved_bytes(A.T)) == (12, 0, 0)


# Networks -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hidden", "inputs", "nodes", "arrows"),
    [([2], 2, 5, 6), ([3, 4], 2, 10, 6 + 12 + 4), ([], 3, 4, 3), ([5], 1, 7, 10)],
)
def test_neurons_and_weights_are_drawn_one_by_one(hidden, inputs, nodes, arrows):
    network = nn.mlp(hidden, "relu", nn.Gaussian())
    picture = weft.draw(network, style="neurons", in_features=inputs)
    assert (picture.count("node"), picture.count("edge")) == (nodes, arrows)


def test_layers_are_drawn_as_one_node_each():
    network = nn.mlp([64, 32], "tanh", nn.Categorical(10), dropout=0.5)
    for options in ({}, {"in_features": 20}):
        picture = weft.draw(network, **options)
        assert (picture.count("node"), picture.count("edge")) == (4, 3)
        check_places(picture)
    assert "1,344 parameters" in weft.draw(network, in_features=20).svg


def test_of_a_wide_layer_some_units_are_drawn():
    network = nn.mlp([500], "relu", nn.Categorical(10))
    picture = weft.draw(network, style="neurons", in_features=784, units=5)
    assert (picture.count("node"), picture.count("edge")) == (12, 32)
    assert "500 units" in picture.svg
    check_places(picture)


def test_a_layer_without_weights_joins_equals():
    network = nn.Network([nn.Affine(3), nn.ReLU(), nn.Dropout(0.5)], nn.Gaussian())
    picture = weft.draw(network, style="neurons", in_features=2)
    assert picture.count("edge") == 6 + 3 + 3 + 3


@pytest.mark.parametrize(
    ("options", "message"),
    [({"style": "neurons"}, "in_features"), ({"style": "dots"}, "no style")],
)
def test_mistakes_with_networks_are_told(options, message):
    with pytest.raises(GraphError, match=message):
        weft.draw(nn.mlp([2]), **options)
