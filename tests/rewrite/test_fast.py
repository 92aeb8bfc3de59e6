"""The phase fast: each rule by the graph it makes, the value it keeps, its limits."""

import numpy as np
import pytest

import weft
from weft.graph.errors import FeedError
from weft.ops import OPS
from weft.rewrite import FAST, fast, rewrite

x = weft.input("x", ("n", 3), "float64")
y = weft.input("y", ("n", 3), "float64")
cube = weft.input("cube", (2, 4, 3), "float64")
row = weft.input("row", (3,), "float64")
column = weft.input("column", ("n", 1), "float64")
rows = weft.input("rows", ("n",), "float64")
single = weft.input("single", ("n",), "float32")
scalar = weft.input("scalar", (), "float64")
whole = weft.input("whole", (3,), "int32")
mask = weft.input("mask", (3,), "bool")

# What arithmetic treats specially, and two numbers that it does not.
EDGES = [0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, -1e-310, 1.5, -2.25]
FEED = {
    x: np.resize(EDGES, (5, 3)),
    y: np.resize(EDGES[::-1], (5, 3)),
    cube: np.resize(EDGES, (2, 4, 3)),
    row: np.array([np.nan, -0.0, 2.0]),
    column: np.array([[1.0], [np.inf], [-0.0], [np.nan], [-3.0]]),
    rows: np.resize(EDGES[2:], 5),
    single: np.array([np.nan, -0.0, 1e-45, np.inf, -3.5], np.float32),
    scalar: np.array(-0.0),
    whole: np.array([7, -(2**31), 0], np.int32),
    mask: np.array([True, False, True]),
}


def raw(name, *inputs, **params):
    """Apply an op as differentiation and batching do, with no shortcut taken."""
    return OPS[name](*inputs, **params)


def repeated(value, like):
    return weft.broadcast_to(weft.constant(np.asarray(value, like.dtype)), like.shape)


ONES = np.ones(3)
COUNT = weft.constant([3, 4])

# What is written, and what becomes of it, by the rule it is there for.
RULES = {
    "fold": [
        (weft.constant(2.0) * weft.constant([3.0, 4.0]), weft.constant([6.0, 8.0])),
        (weft.cast(COUNT, "float32"), weft.constant([3.0, 4.0])),
        (weft.log(weft.constant(0.0)), weft.constant(np.float32(-np.inf))),
        (weft.sum(weft.constant(np.ones(100))), weft.constant(np.float64(100))),
        (weft.broadcast_to(COUNT, (0, 2)), weft.constant(np.zeros((0, 2), int))),
        (scalar + (weft.constant(0.5) - 0.25), scalar + 0.25),
    ],
    "counted": [
        (weft.arange(3), weft.constant([0, 1, 2])),
        (weft.arange(3) * 2, weft.constant([0, 2, 4])),
    ],
    "neutral": [
        (x + 0, x),
        (0 + x, x),
        (x - 0, x),
        (x * 1, x),
        (1 * x, x),
        (x / 1, x),
        (x * ONES, x),
        (x + repeated(0, x), x),
        (repeated(1, x) * x, x),
        (raw("power", x, 1), x),
        (whole * 1, whole),
        (row + np.zeros((2, 3)), weft.broadcast_to(row, (2, 3))),
        (scalar * repeated(1, x), weft.broadcast_to(scalar, x.shape)),
    ],
    "double_negative": [(weft.negative(-x), x), (weft.negative(weft.negative(-x)), -x)],
    "negative_term": [
        (x + (-y), x - y),
        (-x + y, y - x),
        (x - (-y), x + y),
        (-x + (-y), -x - y),
        (rows + (-scalar), rows - scalar),
    ],
    "square_of_product": [(x * x, weft.square(x)), (whole * whole, weft.square(whole))],
    "stopped": [
        (weft.stop_gradient(x), x),
        (weft.exp(weft.stop_gradient(x)), weft.exp(x)),
    ],
    "unchanged": [
        (raw("reshape", x, shape=x.shape), x),
        (raw("broadcast_to", x, shape=x.shape), x),
        (raw("cast", x, dtype=x.dtype), x),
        (weft.concatenate([x]), x),
    ],
    "unchanged_axes": [(raw("transpose", cube, axes=(0, 1, 2)), cube)],
    "whole_slice": [(raw("slice", x, pieces=((0, x.shape[0], 1), (0, 3, 1))), x)],
    "lone_element": [
        (weft.sum(column, 1), weft.reshape(column, ("n",))),
        (weft.sum(column, 1, keepdims=True), column),
        (weft.max(column, 1), weft.reshape(column, ("n",))),
        (weft.min(column, 1, keepdims=True), column),
        (weft.prod(column, -1), weft.reshape(column, ("n",))),
        (weft.logsumexp(column, 1), weft.reshape(column, ("n",))),
        (raw("sum", x, axis=(), keepdims=False), x),
    ],
    "cast_of_cast": [
        (weft.cast(weft.cast(single, "float64"), "float32"), single),
        (weft.cast(weft.cast(single, "float64"), "int64"), weft.cast(single, "int64")),
        (weft.cast(weft.cast(mask, "float32"), "float64"), weft.cast(mask, "float64")),
        (weft.cast(weft.cast(mask, "int32"), "bool"), mask),
        (weft.cast(weft.cast(whole, "float64"), "int32"), whole),
    ],
    "transpose_of_transpose": [
        (x.T.T, x),
        (cube.T.T, cube),
        (
            weft.transpose(weft.transpose(cube, (1, 2, 0)), (1, 2, 0)),
            weft.transpose(cube, (2, 0, 1)),
        ),
        (
            weft.transpose(weft.swapaxes(cube, 1, 2), (1, 0, 2)),
            weft.transpose(cube, (2, 0, 1)),
        ),
        (weft.swapaxes(weft.swapaxes(cube, 1, 2), 1, 2), cube),
    ],
    "reshape_of_reshape": [
        (weft.reshape(weft.reshape(x, ("3n",)), (3, "n")), weft.reshape(x, (3, "n"))),
        (weft.reshape(weft.reshape(x, ("3n",)), ("n", 3)), x),
        (weft.reshape(weft.reshape(cube, -1), (6, 4)), weft.reshape(cube, (6, 4))),
    ],
    "broadcast_of_broadcast": [
        (
            weft.broadcast_to(weft.broadcast_to(scalar, (3,)), x.shape),
            weft.broadcast_to(scalar, x.shape),
        ),
    ],
    "broadcast_of_reshape": [
        (
            weft.broadcast_to(weft.reshape(row, (1, 1, 3)), (2, "n", 3)),
            weft.broadcast_to(row, (2, "n", 3)),
        ),
        (
            weft.broadcast_to(weft.reshape(scalar, (1,)), ("n",)),
            weft.broadcast_to(scalar, ("n",)),
        ),
    ],
    "slice_of_slice": [
        (cube[:, 1:][:, :2], cube[:, 1:3]),
        (
            cube[:, ::-1][:, ::2],
            raw("slice", cube, pieces=((0, 2, 1), (3, 2, -2), (0, 3, 1))),
        ),
        (cube[:, ::-1][:, ::-1], cube),
        (x[1:][:, 1:], x[1:, 1:]),
        (x[:, 1:][2:], x[2:, 1:]),
        (
            cube[:, 2:][:, :0],
            raw("slice", cube, pieces=((0, 2, 1), (2, 0, 1), (0, 3, 1))),
        ),
    ],
    "implicit_broadcast": [
        (weft.broadcast_to(rows[None, :], ("n", "n")) * column, rows[None, :] * column),
        (x * weft.broadcast_to(row, x.shape), x * row),
        (weft.broadcast_to(scalar, ("n",)) * rows, scalar * rows),
        (weft.broadcast_to(column, x.shape) - y, column - y),
        (
            weft.where(x > y, weft.broadcast_to(row, x.shape), 0),
            weft.where(x > y, row, 0),
        ),
        (
            weft.where(
                weft.broadcast_to(mask, x.shape), x, weft.broadcast_to(row, x.shape)
            ),
            weft.where(mask, x, row),
        ),
    ],
}
CASES = [
    pytest.param(name, before, after, id=f"{name}-{i}")
    for name, pairs in RULES.items()
    for i, (before, after) in enumerate(pairs)
]


@pytest.mark.parametrize(("name", "before", "after"), CASES)
def test_a_rule_makes_its_graph_and_keeps_the_value(name, before, after):
    steps = []
    (found,) = rewrite([before], [FAST], steps.append)
    assert found is after, weft.text(found)
    assert name in [step.rule for step in steps]
    feed = {leaf: FEED[leaf] for leaf in weft.leaves([before]) if leaf in FEED}
    expected, value = weft.evaluate(
        [before, after], feed | dict(list(FEED.items())[:1])
    )
    assert value.dtype == expected.dtype
    np.testing.assert_array_equal(value, expected)


def test_every_rule_has_cases_and_says_its_identity():
    shown = {*RULES, "mask_of_rectified"}  # which has tests of its own, below
    assert [rule.name for rule in FAST if rule.name not in shown] == []
    assert len({rule.name for rule in FAST}) == len(FAST) == len(shown)
    assert [rule.name for rule in FAST if "->" not in rule.identity] == []


# Their limits ---------------------------------------------------------------------

LIMITS = {
    "fold: too large": weft.constant(np.ones(17)) + 1.0,
    "fold: a length of the run": weft.broadcast_to(weft.constant(1.0), ("n",)),
    "fold: a start of the run": raw(
        "slice", weft.constant(np.ones(5)), pieces=((weft.as_dim("n"), 1, 1),)
    ),
    "counted: too many": weft.arange(17),
    "counted: known at the run": weft.arange("n"),
    "neutral: x * 0 of infinity": x * 0,
    "neutral: 0 - x": 0 - x,
    "neutral: 1 / x": 1 / x,
    "neutral: not all ones": x * np.array([1.0, 1.0, 2.0]),
    "cast_of_cast: rounds": weft.cast(weft.cast(x, "float32"), "float64"),
    "cast_of_cast: rounds integers": weft.cast(
        weft.cast(weft.cast(x, "int64"), "float64"), "int64"
    ),
    "cast_of_cast: int32 in float32": weft.cast(weft.cast(whole, "float32"), "int32"),
    "transpose_of_transpose: a product reads the outer one in place": weft.swapaxes(
        weft.transpose(cube, (1, 0, 2)), 1, 2
    ),
    "reshape_of_reshape: a name that the run checks": weft.reshape(
        weft.reshape(weft.input("a", ("n", "m")), ("nm",)), ("n", "m")
    ),
    "broadcast_of_reshape: a column": weft.broadcast_to(
        weft.reshape(row, (3, 1)), (3, 3)
    ),
    "slice_of_slice: a length that the run checks": x[2:4][:1],
    "lone_element: another axis too": weft.sum(column),
    "implicit_broadcast: gives the shape": weft.broadcast_to(row, (2, 3)) * scalar,
    "broadcast_of_reshape: the axis that tells pairs apart": weft.broadcast_to(
        rows[None, :], ("n", "n")
    ),
    "implicit_broadcast: the accident": raw(
        "multiply", weft.broadcast_to(rows, ("n", "n")), column
    ),
    "implicit_broadcast: not elementwise": weft.broadcast_to(row, (2, 3))
    @ row[:, None],
}


@pytest.mark.parametrize("node", LIMITS.values(), ids=LIMITS)
def test_a_rule_keeps_to_its_limits(node):
    steps = []
    (found,) = rewrite([node], [FAST], steps.append)
    assert (found, steps) == (node, [])


def test_a_constant_that_cannot_be_computed_is_left_to_the_run():
    outside = weft.take(weft.constant([1.0, 2.0]), weft.constant(2))
    assert fast([outside]) == [outside]
    with pytest.raises(FeedError, match="position 2 is outside"):
        outside.numpy()


def test_a_part_outside_is_still_told():
    (part,) = fast([x[2:4][:1] * 1])
    with pytest.raises(FeedError, match="not all inside"):
        weft.evaluate(part, {x: np.zeros((3, 3))})


def test_folding_spares_the_sign_of_zero_and_the_type():
    (zero,) = fast([weft.constant(np.float32(-0.0)) * weft.constant(1.0)])
    assert np.signbit(zero.numpy()) and zero.dtype == np.float32
    (kept,) = fast([scalar + 0])  # a run would make 0.0 of -0.0
    assert np.signbit(weft.evaluate(kept, {scalar: -0.0}))


# Masks ----------------------------------------------------------------------------


@pytest.mark.parametrize("compare", ["greater", "less_equal"])
def test_the_mask_of_a_rectified_value_is_read_from_it(compare):
    z = x @ weft.parameter("W", (3, 3), "float64")
    before = raw(compare, z, 0)
    h, after = fast([weft.relu(z), before])
    assert after is raw(compare, h, 0)
    assert fast([before]) == [before]  # the rectified value is nobody else's


def test_the_mask_of_a_rectified_value_is_the_same():
    edge = {x: FEED[x]}
    for compare in ("greater", "less_equal"):
        before = raw(compare, x, 0)
        np.testing.assert_array_equal(
            *weft.evaluate([before, raw(compare, weft.relu(x), 0)], edge)
        )
        assert raw(compare, weft.relu(x), 0) in fast([weft.relu(x), before])


@pytest.mark.parametrize("compare", ["greater_equal", "less"])
def test_masks_that_differ_at_zero_stay(compare):
    before = raw(compare, x, 0)
    assert fast([weft.relu(x), before])[1] is before


def test_a_mask_beside_another_bound_stays():
    assert fast([weft.relu(x), x > 1])[1] is (x > 1)


def test_a_gradient_needs_no_preactivation():
    W = weft.parameter("W", (3, 4), "float64")
    z = x @ W
    cost = weft.sum(weft.relu(z))
    found = fast([cost, weft.grad(cost, W)])
    users = {
        node.op.name for node in weft.topological(found) for i in node.inputs if i is z
    }
    assert users == {"relu"}


def test_a_mask_is_found_when_other_rules_have_made_its_value():
    h, after = fast([weft.relu(x * 1), (x + 0) > 0])
    assert (h, after) == (weft.relu(x), weft.relu(x) > 0)


def test_masks_that_become_one_are_computed_once():
    # Neither mask is seen to be the other before x * 1 is x.
    h = weft.relu(x * 1)
    masks = [weft.cast(raw("greater", z, 0), "float64") for z in (x, h)]
    _, product = fast([h, raw("multiply", *masks)])
    assert product is weft.square(weft.cast(weft.relu(x) > 0, "float64"))
