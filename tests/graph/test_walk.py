"""Ways through a graph, and trees of nodes."""

from collections import OrderedDict, namedtuple

import pytest
from hypothesis import given

import weft
from weft.graph import GraphError, flatten, paths, tree_map, unflatten
from weft.graph.walk import reached_from, rebuild
from weft.ops import OPS
from weft.testing.strategies import graphs


@given(graphs(kinks=True))
def test_topological_order(graph):
    order = weft.topological([graph.output])
    assert len(set(order)) == len(order)
    assert order[-1] is graph.output
    place = {node: i for i, node in enumerate(order)}
    for node in order:
        assert all(place[i] < place[node] for i in node.inputs)


def test_topological_follows_inputs_from_left_to_right():
    x, y = weft.input("x", ()), weft.input("y", ())
    order = weft.topological([weft.sin(y) + x, weft.cos(x)])
    assert [n.name or n.op.name for n in order] == ["y", "sin", "x", "add", "cos"]


def test_topological_stops():
    x = weft.input("x", ())
    h = weft.exp(x)
    assert weft.topological([h * 2], stop={h})[0] is h
    assert x not in weft.topological([h * 2], stop={h})


def test_a_ladder_is_walked_by_its_edges():
    x = weft.input("x", ())
    node = x
    for _ in range(200):  # 2**200 paths
        node = node + node
    assert len(weft.topological([node])) == 201


def test_reached_from():
    x, y = weft.input("x", ()), weft.input("y", ())
    h = weft.exp(x)
    out = h + y
    order = weft.topological([out])
    assert reached_from(order, [x]) == {x, h, out}
    assert reached_from(order, [y]) == {y, out}
    assert reached_from(order, [x], lambda n: n is not h) == {x}
    assert reached_from(order, [weft.input("z", ())]).isdisjoint(order)


def test_rebuild_keeps_what_does_not_change():
    x, y = weft.input("x", ()), weft.input("y", ())
    untouched, changed = weft.sin(y), weft.exp(x) + weft.sin(y)
    again, kept = rebuild(
        [changed, untouched], {x: y}, lambda node, inputs: node.op(*inputs)
    )
    assert kept is untouched
    assert again is weft.exp(y) + weft.sin(y)


def test_rebuild_of_a_deep_chain():
    x, y = weft.input("x", ()), weft.input("y", ())
    node = x
    for _ in range(20_000):
        node = OPS["sin"](node)
    (again,) = rebuild([node], {x: y}, lambda node, inputs: node.op(*inputs))
    assert weft.leaves([again]) == [y]


# Trees ----------------------------------------------------------------------------

Pair = namedtuple("Pair", "W b")

TREES = [
    1,
    [],
    {},
    [1, [2, (3,)], {"a": 4}],
    {"b": 1, "a": (2, {"c": []})},
    Pair(1, [2]),
    (None, "x"),
]


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_flatten_and_unflatten(tree):
    leaves, structure = flatten(tree)
    again = unflatten(structure, leaves)
    assert again == tree
    assert type(again) is type(tree)
    assert len(paths(tree)) == len(leaves)


def test_dicts_keep_their_own_order():
    leaves, structure = flatten({"b": 1, "a": 2})
    assert leaves == [1, 2]
    assert list(unflatten(structure, leaves)) == ["b", "a"]
    assert unflatten(flatten(OrderedDict(a=1))[1], [2]) == {"a": 2}


def test_too_few_or_many_leaves():
    _, structure = flatten([1, 2])
    with pytest.raises(GraphError, match="more leaves"):
        unflatten(structure, [1, 2, 3])
    with pytest.raises(GraphError, match="fewer leaves"):
        unflatten(structure, [1])


def test_tree_map():
    assert tree_map(lambda a, b: a + b, {"W": 1, "b": [2]}, {"W": 10, "b": [20]}) == {
        "W": 11,
        "b": [22],
    }
    with pytest.raises(GraphError, match="same structure"):
        tree_map(lambda a, b: a, [1], (1,))


def test_paths():
    assert paths({"0": {"W": 1, "b": [2, 3]}, "1": 4}) == ["0/W", "0/b/0", "0/b/1", "1"]
    assert paths(1) == [""]
