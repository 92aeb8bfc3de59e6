"""The one node: frozen, final, interned; leaves with an identity of their own."""

import copy
import gc
import pickle
import sys
import threading
import weakref

import numpy as np
import pytest

import weft
from weft.graph import GraphError, Node
from weft.graph import node as node_module
from weft.graph.node import intern
from weft.ops import OPS


def scalar(name="x"):
    return weft.input(name, (), "float64")


def table_size():
    gc.collect()
    return len(node_module._table)


# Identity -------------------------------------------------------------------------


def test_equal_expressions_are_one_node():
    x = scalar()
    assert weft.exp(x) * 2 + 1 is weft.exp(x) * 2 + 1


def test_order_of_operands_matters():
    x, y = scalar("x"), scalar("y")
    assert x - y is not y - x
    assert x + y is not y + x


@pytest.mark.parametrize("make", [weft.input, weft.parameter])
def test_leaves_of_one_name_are_two(make):
    a, b = make("W", (2,)), make("W", (2,))
    assert a is not b
    assert weft.exp(a) is not weft.exp(b)


def test_equality_and_hash_are_identity():
    x, y = scalar("x"), scalar("y")
    assert (x == y) is False
    assert x == x
    assert x != y
    assert len({x, y, x}) == 2
    assert weft.equal(x, y).dtype == bool


VALUES = [0, 1, False, True, 0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, "1", None]


def probe(**params):
    op = OPS["stop_gradient"]
    return intern(op, (PROBED,), params)


PROBED = scalar("probed")


@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: (v,), lambda v: ((v, 2), "a")])
def test_keys_tell_types_and_bits_apart(wrap, monkeypatch):
    monkeypatch.setattr(
        type(OPS["stop_gradient"]), "infer", lambda *_: ((), np.dtype("float64"))
    )
    nodes = [probe(value=wrap(value)) for value in VALUES]
    assert len(set(nodes)) == len(VALUES)
    assert [probe(value=wrap(value)) for value in VALUES] == nodes


@pytest.mark.parametrize("dtype", weft.DTYPES)
def test_small_constants_are_interned_by_type_and_bits(dtype):
    once, twice = (weft.constant(np.ones(3), dtype) for _ in range(2))
    assert once is twice
    others = [weft.constant(np.ones(3), d) for d in weft.DTYPES if d != dtype]
    assert once not in others
    assert weft.constant(np.ones((3, 1)), dtype) is not once


def test_signs_of_zero_are_two_constants():
    assert weft.constant(0.0) is not weft.constant(-0.0)
    assert weft.constant(0.0) is weft.constant(0.0)
    assert weft.constant(np.nan) is weft.constant(np.nan)


def test_large_constants_have_an_identity_and_are_copied_once():
    array = np.arange(1000.0)
    a, b = weft.constant(array), weft.constant(array)
    assert a is not b
    array[0] = 7
    assert a.numpy()[0] == 0
    assert a.numpy() is a.params["value"]


@pytest.mark.parametrize("size", [3, 1000])
def test_constants_are_read_only(size):
    value = weft.constant(np.zeros(size)).params["value"]
    with pytest.raises(ValueError, match="read-only"):
        value[0] = 1


def test_what_cannot_be_a_parameter_is_refused():
    with pytest.raises(GraphError, match="cannot be a parameter of an op"):
        probe(value=object())


# Frozen and final -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["op", "inputs", "params", "shape", "dtype", "new"])
def test_frozen(name):
    x = scalar()
    with pytest.raises(AttributeError, match="frozen"):
        setattr(x, name, 1)
    with pytest.raises(AttributeError, match="frozen"):
        delattr(x, name)


def test_params_are_read_only():
    with pytest.raises(TypeError):
        scalar().params["name"] = "y"


def test_no_instance_dict():
    assert not hasattr(scalar(), "__dict__")


def test_final():
    assert Node.__final__


def test_not_made_by_calling():
    with pytest.raises(GraphError, match=r"weft\.input"):
        Node()


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy])
def test_a_copy_is_the_node(copier):
    y = weft.exp(scalar())
    assert copier(y) is y
    assert copier([y])[0] is y


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_is_refused(protocol):
    with pytest.raises(TypeError, match="to_json"):
        pickle.dumps(weft.exp(scalar()), protocol)


# What a node is not ---------------------------------------------------------------


def test_no_truth_value():
    x = scalar()
    with pytest.raises(GraphError, match=r"weft\.where"):
        bool(x > 0)
    with pytest.raises(GraphError, match=r"weft\.where"):
        _ = 0 < x < 1
    with pytest.raises(GraphError, match=r"weft\.where"):
        _ = not x


@pytest.mark.parametrize("convert", [np.asarray, np.array, np.atleast_1d, np.sum])
def test_not_an_array(convert):
    for node in (scalar(), weft.input("x", (3,)), weft.input("x", ("n", 2))):
        with pytest.raises((GraphError, TypeError)) as caught:
            convert(node)
        if convert in (np.asarray, np.array):
            assert "weft.evaluate" in str(caught.value)


def test_numpy_functions_are_refused():
    with pytest.raises(TypeError):
        np.exp(scalar())


def test_length_and_iteration():
    x = weft.input("x", (3, 2))
    assert len(x) == 3
    rows = list(x)
    assert [row.shape for row in rows] == [(2,)] * 3
    assert rows[1] is x[1]
    a, _, c = x
    assert (a, c) == (rows[0], rows[2])
    for node in (scalar(), weft.input("x", ("n", 2))):
        with pytest.raises(GraphError, match="no length known"):
            len(node)
        with pytest.raises(GraphError, match="no length known"):
            list(node)


# Operators ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operate", "expected"),
    [
        (lambda x: x + 1, 3.0),
        (lambda x: 1 + x, 3.0),
        (lambda x: x - 1, 1.0),
        (lambda x: 1 - x, -1.0),
        (lambda x: x * 3, 6.0),
        (lambda x: 3 * x, 6.0),
        (lambda x: x / 4, 0.5),
        (lambda x: 4 / x, 2.0),
        (lambda x: x**3, 8.0),
        (lambda x: 3**x, 9.0),
        (lambda x: -x, -2.0),
        (lambda x: +x, 2.0),
        (lambda x: abs(-x), 2.0),
        (lambda x: x < 3, True),
        (lambda x: x <= 2, True),
        (lambda x: x > 2, False),
        (lambda x: x >= 2, True),
        (lambda x: weft.constant(3.0) < x, False),
        (lambda x: (x > 1) & (x < 3), True),
        (lambda x: (x > 3) | (x < 1), False),
        (lambda x: ~(x > 3), True),
        (lambda x: np.float64(1) - x, -1.0),
        (lambda x: np.array([1.0, 2.0]) * x, [2.0, 4.0]),
        (lambda x: x * np.array([1.0, 2.0]), [2.0, 4.0]),
        (lambda x: np.array([1.0, 2.0]) < x, [True, False]),
        (lambda x: np.array([[1.0, 2.0]]) @ weft.stack([x, x]), [6.0]),
    ],
)
def test_operators(operate, expected):
    x = scalar()
    value = weft.evaluate(operate(x), {x: 2.0})
    assert np.array_equal(value, expected)
    assert value.dtype == np.asarray(expected).dtype


def test_numbers_take_the_type_they_stand_beside():
    x = weft.input("x", (), "float32")
    k = weft.input("k", (), "int32")
    assert (x + 1).dtype == (x * 0.1).dtype == (2**x).dtype == np.float32
    assert (k + 1).dtype == np.int32
    assert (k + 0.5).dtype == np.float32
    assert (x + np.float64(1)).dtype == np.float64
    assert (x + np.ones(2)).dtype == np.float64


def test_attributes():
    x = weft.input("x", ("n", 3), "float32")
    n = weft.as_dim("n")
    assert (x.name, x.ndim, x.shape, x.dtype) == ("x", 2, (n, 3), np.float32)
    assert x.T.shape == (3, n)
    assert weft.input("y", (2, 3)).size == 6
    assert isinstance(x.size, Node)
    assert (x + 1).name == ""
    assert repr(x) == "<x: float32(n, 3)>"
    assert repr(weft.exp(x)[0]) == "<reshape: float32(3,)>"


def test_a_node_without_feed_knows_its_value():
    assert np.array_equal((weft.constant([1, 2]) * 3).numpy(), [3, 6])
    with pytest.raises(weft.FeedError, match=r"x: float64\(\)"):
        (scalar() + 1).numpy()


# The table ------------------------------------------------------------------------


def test_nodes_die():
    before = table_size()
    x = scalar()
    y = weft.exp(x) + weft.tanh(x)
    alive = weakref.ref(y.inputs[0])
    assert table_size() > before
    del y
    gc.collect()
    assert alive() is None
    del x
    assert table_size() == before


def test_a_node_that_died_can_be_built_again():
    x = scalar()
    for _ in range(3):
        y = weft.exp(x) * weft.constant(0.1234567)
        assert y is weft.exp(x) * weft.constant(0.1234567)
        del y


def test_no_leak_after_many_graphs():
    def build(i):
        x = weft.input("x", ("n", 3), "float64")
        cost = weft.sum(weft.tanh(x * (i + 0.5)))
        return weft.grad(cost, x) if i % 10 == 0 else cost

    for i in range(10):
        build(i)
    nodes, objects = table_size(), len(gc.get_objects())
    for i in range(10_000):
        build(i)
    assert table_size() == nodes
    assert len(gc.get_objects()) < objects + 1000
    assert len(weft.graph.origin._origins) < nodes + 1000


def test_a_deep_chain_is_dropped_without_recursion():
    node = scalar()
    spec = node.shape, node.dtype
    for _ in range(200_000):
        node = intern(OPS["sin"], (node,), {}, spec)
    first = weakref.ref(weft.topological([node])[1])
    del node
    gc.collect()
    assert first() is None


def test_interning_from_many_threads():
    x = scalar()
    found, barrier = [], threading.Barrier(8)

    def build():
        barrier.wait()
        nodes = []
        for i in range(300):
            y = weft.sin(x * float(i)) + weft.cos(x)
            nodes.append(y)
        found.append(nodes)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=build) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(found) == 8
    for nodes in found[1:]:
        assert all(a is b for a, b in zip(nodes, found[0], strict=True))


def test_threads_that_build_and_drop():
    """Nodes die in one thread while another asks for the same ones."""
    x = scalar()
    wrong, barrier = [], threading.Barrier(8)

    def churn():
        barrier.wait()
        for i in range(500):
            a = weft.exp(x * float(i % 3))
            b = weft.exp(x * float(i % 3))
            if a is not b or a.inputs[0].inputs[0] is not x:
                wrong.append(i)
            del a, b

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=churn) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong
