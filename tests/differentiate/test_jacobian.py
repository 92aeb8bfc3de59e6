"""Jacobians: both modes, the plan between them, and products instead of copies."""

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings

import weft
from weft.graph.dim import resolve
from weft.testing import check_grads
from weft.testing.strategies import graphs

F = "float64"
SOME = settings(max_examples=settings().max_examples * 3 // 5)


def close(a, b):
    scale = max(np.max(np.abs(b), initial=0), 1)
    return np.allclose(a, b, rtol=1e-10, atol=1e-12 * scale)


# The plan -------------------------------------------------------------------------


def sized(y_shape, x_shape):
    x = weft.input("x", x_shape, F)
    rest = weft.input("rest", y_shape, F)
    return weft.sum(x) * rest, x


@pytest.mark.parametrize(
    ("y_shape", "x_shape", "mode", "passes", "reason"),
    [
        ((), (5,), "reverse", 1, "y has 1 element and x has 5"),
        ((5,), (), "forward", 1, "y has 5 elements and x has 1"),
        ((2, 3), (6,), "reverse", 6, "y has 6 elements and x has 6, a tie"),
        ((7,), (2, 3), "forward", 6, "y has 7 elements and x has 6"),
        (("n", 3), ("n", 2), "forward", "2*n", "y has 3*n elements and x has 2*n"),
        (("n", 2), ("n", 3), "reverse", "2*n", "y has 2*n elements and x has 3*n"),
        (("n",), ("n",), "reverse", "n", "y has n elements and x has n, a tie"),
        (("n", "m"), ("n",), "reverse", "m*n", "depends on the symbols"),
        (("n",), (4,), "reverse", "n", "depends on the symbols"),
        (("n+1",), ("n",), "forward", "n", "y has n + 1 elements and x has n"),
        (("n-1",), ("n",), "reverse", "n - 1", "y has n - 1 elements and x has n"),
        ((0,), (4,), "reverse", 0, "y has 0 elements and x has 4"),
    ],
)
def test_the_plan_and_its_reason(y_shape, x_shape, mode, passes, reason):
    plan = weft.plan_jacobian(*sized(y_shape, x_shape))
    assert (plan.mode, plan.passes) == (mode, passes)
    assert reason in plan.reason
    assert str(plan).startswith(f"{mode} mode, {passes} product")


def test_a_tree_counts_as_one():
    x, z = weft.input("x", (2,), F), weft.input("z", (3,), F)
    y = weft.sum(x) * weft.sum(z) * weft.input("rest", (4,), F)
    assert weft.plan_jacobian(y, x).mode == "forward"
    assert weft.plan_jacobian(y, z).mode == "forward"
    assert weft.plan_jacobian(y, {"x": x, "z": z}).mode == "reverse"


def test_a_mode_that_is_asked_for():
    y, x = sized((), (5,))
    plan = weft.plan_jacobian(y, x, "forward")
    assert (plan.mode, plan.passes, plan.reason) == ("forward", 5, "asked for")
    with pytest.raises(weft.GraphError, match="'sideways' is not one of auto, forward"):
        weft.jacobian(y, x, mode="sideways")
    with pytest.raises(weft.GraphError, match="derivatives are of floats"):
        weft.plan_jacobian(y, weft.input("k", (3,), "int64"))


def multiplications(node, bindings):
    """Those of the matrix products that `node` is computed by."""
    total = 0
    for part in weft.topological([node]):
        if part.op.name == "matmul":
            inner = part.inputs[0].shape[-1]
            total += prod(resolve(s, bindings) for s in (*part.shape, inner))
    return total


def test_cost_crosses_over_where_outputs_are_as_many_as_inputs():
    """A square network of ten layers between `a` inputs and `b` outputs."""
    rng = np.random.default_rng(0)

    def counts(a, b):
        x = h = weft.input("x", (a,), F)
        for i in range(10):
            shape = (a if i == 0 else 16, b if i == 9 else 16)
            h = weft.tanh(h @ weft.constant(rng.normal(size=shape)))
        forward, reverse = (weft.jacobian(h, x, mode=m) for m in ("forward", "reverse"))
        auto = multiplications(weft.jacobian(h, x), {})
        counted = multiplications(forward, {}), multiplications(reverse, {})
        assert auto == counted[weft.plan_jacobian(h, x).mode == "reverse"]
        return counted

    for inputs in (4, 16, 64):
        for outputs in (4, 16, 64):
            forward, reverse = counts(inputs, outputs)
            if inputs == outputs:
                assert forward == reverse
            else:
                assert (forward < reverse) == (inputs < outputs)


# Equal results --------------------------------------------------------------------


@SOME
@given(graphs(kinks=True))
def test_modes_are_equal_on_random_graphs(graph):
    leaves = list(graph.leaves)
    both = [weft.jacobian(graph.output, leaves, mode=m) for m in ("forward", "reverse")]
    for a, b in zip(*weft.evaluate(both, graph.feed), strict=True):
        assert a.shape == b.shape
        assert close(a, b)


@SOME
@given(graphs(batch="n"))
def test_modes_are_equal_over_a_symbol(graph):
    x = graph.leaves[0]
    both = [weft.jacobian(graph.output, x, mode=m) for m in ("forward", "reverse")]
    a, b = weft.evaluate(both, graph.feed)
    assert a.shape == graph.value.shape + graph.feed[x].shape
    assert close(a, b)


def two_symbols():
    x, W = weft.input("x", ("n", "m"), F), weft.parameter("W", ("m", "k"), F)
    rng = np.random.default_rng(0)
    feed = {x: rng.normal(size=(3, 4)), W: rng.normal(size=(4, 2))}
    return x, W, weft.tanh(x @ W), feed


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_over_two_symbolic_axes(mode):
    x, W, y, feed = two_symbols()
    of_x, of_w = weft.jacobian(y, (x, W), mode=mode)
    assert of_x.shape == (*y.shape, *x.shape)
    assert of_w.shape == (*y.shape, *W.shape)
    slope = 1 - np.tanh(feed[x] @ feed[W]) ** 2
    found_x, found_w = weft.evaluate((of_x, of_w), feed)
    assert close(found_x, np.einsum("nk,mk,np->nkpm", slope, feed[W], np.eye(3)))
    assert close(found_w, np.einsum("nk,nm,kl->nkml", slope, feed[x], np.eye(2)))


def test_hessian_over_two_symbolic_axes():
    x, W, y, feed = two_symbols()
    cost = weft.sum(y * y)
    blocks = weft.evaluate(weft.hessian(cost, [x, W]), feed)
    v = [np.full(feed[leaf].shape, 0.5) for leaf in (x, W)]
    product = [
        sum(np.tensordot(b, u, u.ndim) for b, u in zip(r, v, strict=True))
        for r in blocks
    ]
    nodes = [weft.input("v", leaf.shape, F) for leaf in (x, W)]
    fed = {**feed, **dict(zip(nodes, v, strict=True))}
    for a, b in zip(
        product, weft.evaluate(weft.hvp(cost, [x, W], nodes), fed), strict=True
    ):
        assert close(a, b)


def test_a_product_over_two_symbolic_axes():
    x = weft.input("x", ("n", "m", 2), F)
    at = np.random.default_rng(0).uniform(0.5, 1.5, (2, 3, 2))
    at[0, 1, 0] = 0
    for axis in ((0, 1), (0, 2), None):
        check_grads(weft.prod(x, axis=axis), {x: at})


# Powers at 0 ----------------------------------------------------------------------


def test_slopes_of_a_power_at_0():
    """x**0 is 1 for every x, so it is flat; log 0 is not met."""
    x, y = weft.input("x", (4,), F), weft.input("y", (4,), F)
    feed = {x: [0.0, 0.0, 2.0, 0.0], y: [0.0, 2.0, 0.0, 1.0]}
    total = weft.sum(x**y)
    slopes = [[0, 0, 0, 1], [0, 0, np.log(2), 0]]
    assert np.allclose(weft.evaluate(weft.grad(total, [x, y]), feed), slopes)
    assert np.allclose(weft.backprop(total, [x, y], feed), slopes)
    ones = np.ones(4)
    assert np.allclose(weft.evaluate(weft.jvp(x**y, {x: ones}), feed), slopes[0])
    assert np.allclose(weft.evaluate(weft.jvp(x**y, {y: ones}), feed), slopes[1])


def test_powers_of_exponent_0_have_their_mixed_derivative():
    x, y = weft.input("x", (3,), F), weft.input("y", (3,), F)
    mixed = weft.grad(weft.sum(weft.grad(weft.sum(x**y), x)), y)
    at = np.array([0.5, 1.0, 4.0])
    assert np.allclose(weft.evaluate(mixed, {x: at, y: np.zeros(3)}), 1 / at)


# Per example ----------------------------------------------------------------------


def network(x, W1, W2):
    return weft.tanh(x @ W1) @ W2


def per_example():
    x, t = weft.input("x", (5,), F), weft.input("t", (2,), F)
    W1, W2 = weft.parameter("W1", (5, 4), F), weft.parameter("W2", (4, 2), F)
    cost = weft.sum((network(x, W1, W2) - t) ** 2)
    rows, targets = weft.input("rows", ("n", 5), F), weft.input("targets", ("n", 2), F)
    gradients = weft.vmap(weft.grad(cost, [W1, W2]), {x: rows, t: targets})
    return (x, t, W1, W2), cost, (rows, targets), gradients


def test_gradients_per_example_are_products_of_stacks():
    (_, _, W1, W2), cost, _, gradients = per_example()
    n = weft.as_dim("n")
    assert [g.shape for g in gradients] == [(n, 5, 4), (n, 4, 2)]
    single = weft.topological(weft.grad(cost, [W1, W2]))
    stacked = weft.topological(gradients)
    # One product of stacks for each product: nothing is repeated per example.
    products = [
        sum(p.op.name == "matmul" for p in nodes) for nodes in (single, stacked)
    ]
    assert products[0] == products[1]
    # The parameters themselves are not copied along the batch.
    assert not any(
        p.op.name == "broadcast_to" and set(p.inputs) & {W1, W2} for p in stacked
    )
    sizes = set()
    for count in (2, 50):
        (x, t, *weights), cost, _, _ = per_example()
        stacks = {
            x: weft.input("rows", (count, 5), F),
            t: weft.input("targets", (count, 2), F),
        }
        mapped = weft.vmap(weft.grad(cost, weights), stacks)
        sizes.add(len(weft.topological(mapped)))
    assert len(sizes) == 1  # as many nodes for 50 examples as for 2


def test_gradients_per_example_are_those_of_each():
    (x, t, W1, W2), cost, (rows, targets), gradients = per_example()
    rng = np.random.default_rng(0)
    weights = {W1: rng.normal(size=(5, 4)), W2: rng.normal(size=(4, 2))}
    X, T = rng.normal(size=(6, 5)), rng.normal(size=(6, 2))
    found = weft.evaluate(gradients, {**weights, rows: X, targets: T})
    for i in range(6):
        feed = {**weights, x: X[i], t: T[i]}
        for stack, one in zip(found, weft.backprop(cost, [W1, W2], feed), strict=True):
            assert close(stack[i], one)


# Nested ---------------------------------------------------------------------------


@SOME
@given(graphs(kinks=True, scalar=True, max_ops=6))
def test_vmap_of_jvp_of_grad_is_a_loop(graph):
    rng = np.random.default_rng(3)
    x, *_ = graph.leaves
    v = weft.input("v", x.shape, x.dtype)
    product = weft.jvp(weft.grad(graph.output, x), {x: v})
    stacks = {leaf: weft.input("s", (3, *leaf.shape), leaf.dtype) for leaf in (x, v)}
    batched = weft.vmap(product, stacks)
    xs = graph.feed[x] + 0.001 * rng.normal(size=(3, *x.shape))
    vs = rng.normal(size=(3, *x.shape))
    rest = {leaf: value for leaf, value in graph.feed.items() if leaf is not x}
    found = weft.evaluate(batched, {**rest, stacks[x]: xs, stacks[v]: vs})
    loop = [
        weft.evaluate(product, {**rest, x: a, v: b})
        for a, b in zip(xs, vs, strict=True)
    ]
    assert close(found, np.stack(loop))


@SOME
@given(graphs(max_ops=5))
def test_derivatives_of_a_vmap_are_the_vmap_of_derivatives(graph):
    x, *_ = graph.leaves
    stack = weft.input("xs", (3, *x.shape), x.dtype)
    outside = weft.grad(weft.sum(weft.vmap(graph.output, {x: stack})), stack)
    inside = weft.vmap(weft.grad(weft.sum(graph.output), x), {x: stack})
    feed = {**graph.feed, stack: np.stack([graph.feed[x]] * 3)}
    assert close(*weft.evaluate([outside, inside], feed))


@SOME
@given(graphs(scalar=True, max_ops=5))
def test_a_hessian_is_made_of_products(graph):
    """Column by column, the Hessian is what `hvp` and forward over reverse give."""
    x, *_ = graph.leaves
    matrix = weft.evaluate(weft.hessian(graph.output, x), graph.feed)
    at = tuple(0 for _ in x.shape)
    unit = np.zeros(x.shape)
    unit[at] = 1
    columns = [
        weft.hvp(graph.output, x, unit),
        weft.jvp(weft.grad(graph.output, x), {x: unit}),
    ]
    for column in weft.evaluate(columns, graph.feed):
        assert close(matrix[(..., *at)], column)
