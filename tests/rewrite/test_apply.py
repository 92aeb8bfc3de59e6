"""Rewriting: a fixed point, reached from below, with every step on record."""

import inspect

import numpy as np
import pytest
from hypothesis import given

import weft
from weft import nn, train
from weft.graph import GraphError, flatten, tree_map
from weft.graph.leaf import CONSTANT
from weft.ops import OPS
from weft.ops.propagate import bind_feed, compute, fitted, resolved
from weft.rewrite import FAST, Rule, Step, fast, rewrite, rule
from weft.testing.strategies import graphs
from weft.train.descent import build_step
from weft.train.objective import objective

x = weft.input("x", ("n",), "float64")
y = weft.input("y", ("n",), "float64")


def size(nodes):
    return len(weft.topological(nodes))


# Rules of their own, so that nothing here depends on the phases there are.


@rule("exp", of=("log",))
def undone(node):
    """``exp(log(x)) -> x``."""
    return node.inputs[0].inputs[0]


@rule("sin")
def through_logarithm(node):
    """``sin(x) -> exp(log(cos(x)))``: it makes more work for others."""
    return weft.exp(weft.log(weft.cos(node.inputs[0])))


@rule("add")
def exchanged(node):
    """``x + y -> y + x``."""
    return OPS["add"](*node.inputs[::-1])


@rule("exp", shared=True)
def from_tanh(node):
    """``exp(x) -> log(tanh(x))``, wrong on purpose, where tanh(x) is computed."""
    return weft.log(weft.tanh(node.inputs[0]))


def test_a_rule_is_its_function_with_a_name_and_an_identity():
    assert isinstance(undone, Rule)
    assert (undone.name, undone.identity) == ("undone", "``exp(log(x)) -> x``.")
    assert inspect.getdoc(undone) == undone.identity
    assert undone.matches(weft.exp(weft.log(x)))
    assert not undone.matches(weft.log(weft.exp(x)))
    assert not undone.matches(weft.exp(weft.exp(x)))


def test_what_replaces_is_rewritten_as_well_and_so_are_its_users():
    assert rewrite([weft.sin(x) * 2, x], [[undone, through_logarithm]]) == [
        weft.cos(x) * 2,
        x,
    ]


def test_rules_are_tried_in_their_order():
    steps = []
    other = rule("sin")(lambda node: weft.exp(node.inputs[0]))
    rewrite([weft.sin(x)], [[through_logarithm, other]], steps.append)
    assert [step.rule for step in steps] == ["through_logarithm"]


def test_phases_follow_each_other():
    both = rewrite([weft.sin(x)], [[through_logarithm], [undone]])
    assert both == [weft.cos(x)]
    late = rewrite([weft.sin(x)], [[undone], [through_logarithm]])
    assert late == [weft.exp(weft.log(weft.cos(x)))]


def test_without_rules_nothing_changes():
    outputs = [weft.exp(x), x, weft.exp(x)]
    assert rewrite(outputs, []) == rewrite(outputs, [[]]) == outputs
    assert rewrite([], [[undone]]) == []


def test_a_step_has_its_rule_and_what_it_replaced():
    steps = []
    rewrite([weft.exp(weft.sin(x))], [[through_logarithm, undone]], steps.append)
    written = weft.exp(weft.log(weft.cos(x)))
    assert steps == [
        Step("through_logarithm", weft.sin(x), written),
        Step("undone", written, weft.cos(x)),
    ]


def test_a_step_begins_where_those_below_have_ended():
    steps = []
    rewrite([weft.stop_gradient(weft.negative(x * 1))], [FAST], steps.append)
    assert steps == [
        Step("neutral", x * 1, x),
        Step("stopped", weft.stop_gradient(-x), -x),
    ]


def test_a_shared_replacement_needs_what_it_is_computed_from():
    beside = weft.tanh(x)
    replaced = [weft.log(beside), beside]
    assert rewrite([weft.exp(x)], [[from_tanh]]) == [weft.exp(x)]
    assert rewrite([weft.exp(x), beside], [[from_tanh]]) == replaced
    # Also where only another rule makes the two nodes speak of one value.
    later = [weft.exp(x), weft.tanh(weft.exp(weft.log(x)))]
    assert rewrite(later, [[undone, from_tanh]]) == replaced


def test_rules_that_go_in_a_circle_are_told():
    with pytest.raises(GraphError, match="back to itself"):
        rewrite([weft.exp(x + y)], [[exchanged]])


@pytest.mark.parametrize(
    "spoilt",
    [lambda node: weft.sum(node), lambda node: weft.cast(node.inputs[0], "float32")],
    ids=["shape", "type"],
)
def test_a_rule_that_changes_shape_or_type_is_named(spoilt):
    def spoils(node):
        """``exp(x) -> something else``."""
        return spoilt(node)

    with pytest.raises(GraphError, match=r"'spoils'.*keeps shape and type"):
        rewrite([weft.exp(x)], [[rule("exp")(spoils)]])


def test_new_nodes_point_to_the_line_of_what_they_replace():
    z = weft.input("z", ("n",))
    written = weft.sin(z)
    above = weft.tanh(written)
    expected = [weft.origin_of(written), weft.origin_of(above)]
    (found,) = rewrite([above], [[through_logarithm, undone]])
    (inner,) = found.inputs
    assert [weft.origin_of(inner), weft.origin_of(found)] == expected
    assert expected[0].line != inspect.currentframe().f_lineno


def test_a_derived_node_still_names_what_it_was_derived_from():
    z = weft.input("z", ("n",))
    slope = weft.grad(weft.sum(weft.tanh(z * 1)), z)
    origins = {
        weft.origin_of(node).derived_from
        for node in weft.topological(fast([slope]))
        if node.inputs
    }
    assert "tanh" in origins


# Deep and wide --------------------------------------------------------------------


def test_a_deep_chain():
    node = x
    for _ in range(25_000):
        node = OPS["negative"](OPS["negative"](weft.stop_gradient(weft.sin(node))))
    (found,) = fast([node])
    assert size([node]) == 100_001
    assert size([found]) == 25_001
    assert {n.op.name for n in weft.topological([found])} == {"input", "sin"}


def test_a_ladder_is_rewritten_by_its_edges():
    node = straight = x
    for _ in range(200):  # 2**200 paths
        node, straight = node * 1 + node, straight + straight
    steps = []
    assert rewrite([node], [FAST], steps.append) == [straight]
    assert len(steps) == 200


# Any graph ------------------------------------------------------------------------


@given(graphs(kinks=True, scalar=True))
def test_any_graph_and_its_gradient(graph):
    floats = list(graph.leaves)
    slopes = weft.grad(graph.output, floats)
    curved = weft.grad(weft.sum(weft.square(slopes[0])), floats)
    outputs = [graph.output, *slopes, *curved]
    steps = []
    found = rewrite(outputs, [FAST], steps.append)

    assert fast(found) == found
    assert size(found) <= size(outputs)
    assert {step.rule for step in steps} <= {rule.name for rule in FAST}
    for old, new in zip(outputs, found, strict=True):
        assert (new.shape, new.dtype) == (old.shape, old.dtype)
    sides = [part for step in steps for part in (step.before, step.after)]
    values = evaluated([*outputs, *found, *sides], graph.feed)
    check_equal(outputs, found, values)
    for step in steps:
        check_equal([step.before], [step.after], values)


def evaluated(nodes, feed):
    """Compute like `weft.evaluate`, but lay every value out in memory in one way.

    NumPy sums in another order where an array is laid out otherwise, a copy or a view.
    """
    values = dict(feed)
    bindings = bind_feed(list(feed), list(feed.values()))
    for node in weft.topological(nodes):
        if node.op is CONSTANT:
            values[node] = node.params["value"]
        elif node not in values:
            inputs = [values[i] for i in node.inputs]
            with np.errstate(all="ignore"):
                value = compute(node, inputs, resolved(node.params, bindings))
            values[node] = np.array(value, order="C")
    return values


def check_equal(expected, found, values):
    for before, after in zip(expected, found, strict=True):
        np.testing.assert_array_equal(values[after], values[before])


# A training step ------------------------------------------------------------------


def training(unit="relu"):
    """The outputs of a step of Adam on a small classifier, and values to feed it."""
    dtype = np.dtype("float32")
    network = nn.mlp([8, 6], unit, nn.Categorical(3))
    params = network.symbols(5, dtype)
    rows = weft.input("x", ("n", 5)), network.output.target(np.zeros(4, int))
    goal = objective(network, params, rows)
    optimizer = train.Adam()
    first = optimizer.init(
        tree_map(lambda leaf: np.zeros(leaf.shape, dtype), goal.params)
    )
    moments = tree_map(
        lambda a: weft.parameter("moment", np.shape(a), np.asarray(a).dtype), first
    )
    step = build_step(goal.cost, goal.params, moments, optimizer)
    rng = np.random.default_rng(0)
    feed = {leaf: rng.normal(size=leaf.shape) for leaf in goal.params.values()}
    feed |= dict(zip(flatten(moments)[0], flatten(first)[0], strict=True))
    feed |= {step.numbers[name]: value for name, value in step.values.items()}
    feed |= {rows[0]: rng.normal(size=(9, 5)), rows[1]: rng.integers(0, 3, 9)}
    outputs = [goal.cost, *step.params.values(), *flatten(step.moments)[0]]
    return outputs, {leaf: fitted(leaf, value) for leaf, value in feed.items()}


@pytest.mark.parametrize("unit", ["relu", "tanh", "gelu", "maxout"])
def test_a_training_step_gives_the_same_numbers(unit):
    outputs, feed = training(unit)
    found = fast(outputs)
    assert size(found) <= size(outputs)
    assert fast(found) == found
    check_equal(outputs, found, evaluated([*outputs, *found], feed))


def test_a_training_step_keeps_no_preactivation():
    outputs, _ = training("relu")
    found = weft.topological(fast(outputs))
    rectified = {node.inputs[0] for node in found if node.op.name == "relu"}
    assert len(rectified) == 2
    users = [n.op.name for n in found for i in n.inputs if i in rectified]
    assert users == ["relu", "relu"]
