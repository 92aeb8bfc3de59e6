"""Costs before running: held against what is counted while the graph is computed."""

from dataclasses import replace

import numpy as np
import pytest

import weft
from weft import nn
from weft.compile.native.expand import expand
from weft.compile.native.view import VIEWS
from weft.graph.errors import FeedError, GraphError
from weft.graph.leaf import Leaf
from weft.graph.tree import flatten
from weft.ops.propagate import propagate
from weft.rewrite import fast

FREE = VIEWS | {"arange", "size", "take", "take_along_axis", "concatenate", "embed"}


def counted(outputs, feed):
    """Compute a graph one op at a time, and count the operations on real arrays."""
    nodes, _ = expand(fast(flatten(outputs)[0]))
    order = weft.topological(nodes)
    values, _ = propagate(order, feed)
    total = 0
    for node in order:
        if isinstance(node.op, Leaf) or node.op.name in FREE:
            continue
        read = [np.asarray(values[x]) for x in node.inputs]
        if node.op.name == "matmul":
            total += 2 * read[0].size * read[1].shape[-1]
        elif node.op.name in ("sum", "max", "min", "prod", "argmax"):
            total += read[0].size
        else:
            total += np.asarray(values[node]).size
    return total


def network(width, rows=96, depth=2, unit="tanh"):
    """Return a network's cost, its parameters, and a feed."""
    net = nn.mlp([width] * depth, unit, nn.Categorical(4))
    params, first = net.symbols(20), net.init(0, 20)
    x, y = weft.input("x", ("n", 20)), weft.input("y", ("n",), "int64")
    value, _ = net.cost(params, x, y, nn.Predict())
    leaves = flatten(params)[0]
    rng = np.random.default_rng(0)
    feed = dict(zip(leaves, flatten(first)[0], strict=True))
    feed[x] = rng.normal(size=(rows, 20)).astype("float32")
    feed[y] = rng.integers(0, 4, rows)
    return value, leaves, feed


@pytest.mark.parametrize("unit", ["tanh", "relu", "softplus", "gelu"])
@pytest.mark.parametrize("width", [16, 100])
def test_flops_are_those_counted_while_computing(unit, width):
    value, leaves, feed = network(width, unit=unit)
    for outputs in (value, [value, weft.grad(value, leaves)]):
        found = weft.cost(outputs, n=96).flops
        assert found == pytest.approx(counted(outputs, feed), rel=0.05)


def test_backward_takes_about_twice_as_much_as_forward():
    value, leaves, _ = network(64, depth=6)
    forward = weft.cost(value, n=256).flops
    both = weft.cost([value, weft.grad(value, leaves)], n=256).flops
    assert both / forward == pytest.approx(3, rel=0.05)


def test_flops_grow_with_the_number_of_weights():
    """Forward and backward are O(w)."""
    for backward in (False, True):
        per_weight = []
        for width in (256, 512, 1024):
            value, leaves, _ = network(width)
            outputs = [value, weft.grad(value, leaves)] if backward else value
            weights = sum(int(np.prod(leaf.shape)) for leaf in leaves)
            per_weight.append(weft.cost(outputs, n=64).flops / weights)
        assert max(per_weight) < 1.05 * min(per_weight)


def test_memory_grows_with_the_batch_by_the_units_that_are_kept():
    """Each hidden layer more keeps its units for every row of the batch."""

    def slope(depth):
        value, leaves, _ = network(64, depth=depth)
        outputs = weft.grad(value, leaves)
        most = [weft.cost(outputs, n=n).peak_bytes for n in (4096, 8192)]
        return (most[1] - most[0]) / 4096 / 4

    # Values of the way back are alive beside those kept: their number is the same.
    kept = [slope(depth) for depth in (2, 4, 8)]
    assert (kept[1] - kept[0]) / 2 == pytest.approx((kept[2] - kept[1]) / 4)
    assert (kept[1] - kept[0]) / 2 == pytest.approx(64, rel=0.01)


def test_peak_is_what_a_program_takes():
    value, leaves, feed = network(64)
    outputs = weft.grad(value, leaves)
    inputs = [leaf for leaf in feed if leaf.op.name == "input"]
    state = {leaf: v for leaf, v in feed.items() if leaf not in inputs}
    program = weft.compile(inputs, outputs, state=state, engine="native")
    program(*(feed[x] for x in inputs))
    (frame,) = next(iter(program._calls.values()))
    expected = weft.cost(outputs, n=96).peak_bytes
    # Inputs that are copied lie there too.
    copied = sum(a.nbytes for a in frame.inputs.values())
    assert frame.arena.size == pytest.approx(expected + copied, rel=0.05)


def test_nodes_and_edges_are_those_of_the_graph_as_given():
    x = weft.input("x", (3,))
    found = weft.cost({"y": weft.exp(x) * x})
    assert (found.nodes, found.edges) == (3, 3)
    assert found.flops == 6
    assert found.bytes == 24
    assert replace(found, flops=2_000_000).flops == 2_000_000
    assert "3 nodes" in str(found)


def test_sizes_are_the_graphs():
    x = weft.input("x", ("n", "m"))
    with pytest.raises(FeedError, match="not given: add m="):
        weft.cost(weft.exp(x), n=3)
    with pytest.raises(FeedError, match="no symbolic dimension 'k': it has n, m"):
        weft.cost(weft.exp(x), n=3, m=4, k=5)
    with pytest.raises(FeedError, match="m=-1 is no size"):
        weft.cost(weft.exp(x), n=3, m=-1)
    with pytest.raises(GraphError, match="is no node"):
        weft.cost([1.0])
