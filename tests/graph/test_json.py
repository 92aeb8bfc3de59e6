"""A graph as data: exact round trips, and only clear refusals of what is damaged."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import weft
from weft.graph import GraphError, Node, WeftError
from weft.graph.json import register, registered
from weft.graph.node import intern
from weft.ops import OPS
from weft.testing.strategies import graphs


def round_trip(nodes):
    document = weft.to_json(nodes)
    again = weft.from_json(document)
    assert weft.to_json(again) == document
    return again


# Round trips ----------------------------------------------------------------------


@given(graphs(kinks=True))
def test_random_graphs(graph):
    again = round_trip({"y": graph.output, "leaves": list(graph.leaves)})
    feed = dict(zip(again["leaves"], graph.feed.values(), strict=True))
    old, new = weft.evaluate(graph.output, graph.feed), weft.evaluate(again["y"], feed)
    assert old.tobytes() == new.tobytes()
    assert weft.text(again["y"]) == weft.text(graph.output)


def test_leaves_keep_what_was_stated():
    x = weft.input("x", ("n", "2n-1", 3), "float64", simplex=-1)
    W = weft.parameter("W", (2,), "int32")
    new_x, new_W = round_trip([x, W])
    assert (new_x.op, new_x.shape, new_x.dtype) == (x.op, x.shape, x.dtype)
    assert dict(new_x.params) == {"name": "x", "simplex": 2}
    assert (new_W.op, dict(new_W.params)) == (W.op, {"name": "W"})
    assert new_x is not x


@pytest.mark.parametrize("dtype", weft.DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 2), (5, 7)])
def test_constants_keep_their_bits(dtype, shape):
    rng = np.random.default_rng(0)
    array = rng.integers(-100, 100, shape).astype(dtype)
    if dtype.kind == "f" and array.size:
        array = array / np.asarray(3, dtype)
        array.flat[:4] = [np.nan, np.inf, -np.inf, -0.0][: array.size]
    value = round_trip(weft.constant(array)).params["value"]
    assert value.dtype == dtype
    assert value.shape == shape
    assert value.tobytes() == array.astype(dtype).tobytes()
    assert not value.flags.writeable


PARAMS = [
    *(0, 1, -7, 2**62, True, False, None, "", "axis", "Ω\n\"'"),
    *(0.1, -0.0, 1e-320, 1.7976931348623157e308, np.inf, -np.inf, np.nan),
    *((), (1, (2.5, None)), np.dtype("int32"), weft.as_dim("2n-1")),
    *(np.arange(6).reshape(2, 3), np.array(-0.0)),
]


@pytest.mark.parametrize("value", PARAMS, ids=repr)
def test_params_keep_type_and_bits(value, monkeypatch):
    op = OPS["stop_gradient"]
    monkeypatch.setattr(type(op), "infer", lambda *_: ((), np.dtype("float64")))
    x = weft.input("x", (), "float64")
    old = intern(op, (x,), {"value": value})
    new_x, new = round_trip((x, old))
    assert intern(op, (new_x,), {"value": value}) is new
    assert type(new.params["value"]) is type(value)


@pytest.mark.parametrize(
    "tree",
    [
        lambda x, y: x,
        lambda x, y: [x, y, x],
        lambda x, y: (y, [x], ()),
        lambda x, y: {"0": {"W": x, "b": y}, "1": {}},
        lambda x, y: [],
    ],
)
def test_trees(tree):
    x = weft.input("x", ())
    nodes = tree(x, weft.exp(x))
    again = round_trip(nodes)
    _, structure = weft.flatten(nodes)
    assert weft.flatten(again)[1] == structure


def test_order_of_dicts_is_kept():
    x, y = weft.input("x", ()), weft.input("y", ())
    again = round_trip({"b": x, "a": y})
    assert [(key, node.name) for key, node in again.items()] == [("b", "x"), ("a", "y")]


def test_sharing_is_kept():
    x = weft.input("x", ())
    shared = weft.exp(x)
    nodes = json.loads(weft.to_json([shared + shared, shared]))["nodes"]
    assert len(nodes) == 3
    total, part = round_trip([shared + shared, shared])
    assert total.inputs == (part, part)
    assert len(weft.topological([total])) == 3


def test_interior_nodes_are_interned_on_reading():
    document = weft.to_json(weft.constant(2.0) * 3)
    assert weft.from_json(document) is weft.from_json(document)


def test_a_ladder_is_written_by_its_nodes_not_its_paths():
    x = weft.input("x", ())
    for _ in range(60):
        x = x + x
    assert len(weft.to_json(x)) < 10_000
    assert len(weft.topological([round_trip(x)])) == 61


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ({1: weft.input("x", ())}, "string keys"),
        ([1], "neither a node nor a tree"),
        ({"a": np.zeros(2)}, "neither a node nor a tree"),
    ],
)
def test_what_cannot_be_written(nodes, message):
    with pytest.raises(GraphError, match=message):
        weft.to_json(nodes)


# Damage ---------------------------------------------------------------------------


def example():
    x = weft.input("x", ("n", 3), "float64")
    W = weft.parameter("W", (3, 2), "float64")
    h = weft.softmax(weft.relu(x @ W + np.array([np.inf, -0.0]))[..., ::-1])
    return {"cost": weft.mean(weft.where(h > 0.5, h, weft.log(h))), "h": [h, (x,)]}


DOCUMENT = weft.to_json(example())


def refused_or_read(text):
    """Only a WeftError may come of a damaged document, never a crash."""
    try:
        return weft.from_json(text)
    except WeftError as error:
        assert "\n" not in str(error)
        return None


def test_truncated_anywhere():
    for end in range(len(DOCUMENT)):
        with pytest.raises(GraphError):
            weft.from_json(DOCUMENT[:end])


def walk(part, way=()):
    yield way
    if isinstance(part, dict):
        for key, child in part.items():
            yield from walk(child, (*way, key))
    elif isinstance(part, list):
        for i, child in enumerate(part):
            yield from walk(child, (*way, i))


PLACES = [way for way in walk(json.loads(DOCUMENT)) if way]


def changed(way, change):
    document = json.loads(DOCUMENT)
    part = document
    for key in way[:-1]:
        part = part[key]
    change(part, way[-1])
    return json.dumps(document)


def name_of(way):
    return "/".join(map(str, way))


@pytest.mark.parametrize("way", PLACES, ids=name_of)
def test_a_part_is_missing(way):
    refused_or_read(changed(way, lambda part, key: part.pop(key)))


@pytest.mark.parametrize("way", PLACES, ids=name_of)
def test_a_part_is_replaced(way):
    junk = [None, True, -1, 10**9, 2**70, 0.5, "", "n", "exp", [], {}, [[]], {"dim": 1}]
    junk += [{"float": "x"}, {"tuple": 3}, {"array": "!", "dtype": "bool", "shape": []}]
    junk += [{"array": "", "dtype": "int64", "shape": [2**40]}, {"dtype": "object"}]
    for value in junk:

        def put(part, key, value=value):
            part[key] = value

        refused_or_read(changed(way, put))


@given(st.integers(0, len(DOCUMENT) - 1), st.characters(min_codepoint=32))
def test_a_character_is_changed(at, character):
    refused_or_read(DOCUMENT[:at] + character + DOCUMENT[at + 1 :])


@given(st.text() | st.binary() | st.none() | st.integers())
def test_what_is_no_document(anything):
    with pytest.raises(GraphError):
        weft.from_json(anything)


def edited(**fields):
    return json.dumps({**json.loads(DOCUMENT), **fields})


def nodes_with(i, **fields):
    nodes = json.loads(DOCUMENT)["nodes"]
    nodes[i] |= fields
    return edited(nodes=nodes)


FIRST_OP = next(i for i, n in enumerate(json.loads(DOCUMENT)["nodes"]) if "inputs" in n)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("[]", "no graph that weft wrote"),
        ("{}", "no graph that weft wrote"),
        (edited(format="other"), "no graph that weft wrote"),
        (edited(version=2), "format 2, this weft reads up to 1: upgrade"),
        (edited(version="1"), "damaged"),
        (edited(version=0), "damaged"),
        (edited(outputs=10**6), "no node of it"),
        (edited(outputs=-1), "no node of it"),
        (edited(outputs=True), "damaged"),
        (edited(outputs={"set": [0]}), "damaged"),
        (nodes_with(FIRST_OP, op="quux"), "'quux', which is not known here"),
        (nodes_with(FIRST_OP, inputs=[FIRST_OP, 0]), "before its inputs"),
        (nodes_with(FIRST_OP, inputs=[10**6, 0]), "before its inputs"),
        (nodes_with(FIRST_OP, inputs=[-1, 0]), "before its inputs"),
        (nodes_with(FIRST_OP, inputs=[0]), "damaged"),
        (nodes_with(FIRST_OP, shape=[1, 2]), r"matmul gives .* is written"),
        (nodes_with(FIRST_OP, dtype="float32"), r"matmul gives .* is written"),
        (nodes_with(0, shape=None), "damaged"),
        ("[" * 100_000, "damaged"),
        ('{"a":' * 100_000, "damaged"),
    ],
)
def test_damage_is_named(document, message):
    with pytest.raises(GraphError, match=message):
        weft.from_json(document)


def test_nesting_without_end_is_refused():
    deep = {"tuple": []}
    for _ in range(5_000):
        deep = {"tuple": [deep]}
    text = edited(outputs="deep").replace('"deep"', "[" * 500 + "]" * 500)
    with pytest.raises(GraphError):
        weft.from_json(text)


def test_a_leaf_is_no_op_to_apply():
    assert "input" not in registered()
    with pytest.raises(GraphError, match="choose a new name"):
        register(weft.input("x", ()).op)


def test_reading_runs_nothing_but_known_ops():
    for name in ("__import__", "eval", "weft.ops.record.Op", "constant"):
        text = nodes_with(FIRST_OP, op=name)
        with pytest.raises(GraphError):
            weft.from_json(text)


# Depth ----------------------------------------------------------------------------


def test_a_chain_of_100_000_nodes():
    x = weft.input("x", (), "float64")
    node = x
    for _ in range(100_000):
        node = OPS["sin"](node)
    order = weft.topological([node])
    assert len(order) == 100_001
    assert order[0] is x
    assert weft.leaves([node]) == [x]
    value = float(weft.evaluate(node, {x: 1.0}))
    assert 0 < value < 0.01  # sin iterated tends to sqrt(3 / k)
    assert abs(value - (3 / 100_000) ** 0.5) < 1e-5
    again = weft.from_json(weft.to_json({"x": x, "y": node}))
    assert isinstance(again["y"], Node)
    assert float(weft.evaluate(again["y"], {again["x"]: 1.0})) == value
