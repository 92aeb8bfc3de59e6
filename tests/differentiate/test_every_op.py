"""Every op in every mode, over symbols and nested, on all cases that records draw."""

import itertools
import zlib

import numpy as np
import pytest

import weft
from weft.graph.node import intern
from weft.ops import OPS

STATES_SIZES = {"shape", "length", "pieces", "depth"}


def rng_for(op):
    return np.random.default_rng(zlib.crc32(op.name.encode()))


def differentiable(op, case):
    floats = [a for a in case.args if a.dtype.kind == "f"]
    if op.derivative is None or not floats or not all(a.size for a in case.args):
        return False
    value = np.asarray(op.forward(*case.args, **case.params))
    return value.dtype == np.float64


CASES = {
    f"{op.name}-{case.label}": (op, case)
    for op in list(OPS.values())
    for case in op.cases(rng_for(op))
    if differentiable(op, case)
}
every = pytest.mark.parametrize(("op", "case"), CASES.values(), ids=CASES)


def built(op, case, symbolic=False):
    """The case as a graph; with symbols, equal sizes have the same one."""
    symbolic = symbolic and not STATES_SIZES & set(case.params)
    leaves = [
        weft.input(
            f"x{i}",
            [s if s == 1 or not symbolic else f"n{s}" for s in arg.shape],
            arg.dtype,
        )
        for i, arg in enumerate(case.args)
    ]
    floats = [leaf for leaf in leaves if leaf.dtype.kind == "f"]
    feed = dict(zip(leaves, case.args, strict=True))
    return op(*leaves, **case.params), floats, feed


def close(a, b):
    scale = max(np.max(np.abs(b), initial=0), 1)
    return np.shape(a) == np.shape(b) and np.allclose(
        a, b, rtol=1e-9, atol=1e-12 * scale
    )


def columns(node, leaf, feed):
    """The Jacobian, one product at a time."""
    found = []
    for at in np.ndindex(feed[leaf].shape):
        unit = np.zeros(feed[leaf].shape)
        unit[at] = 1
        tangent = weft.input("t", leaf.shape, leaf.dtype)
        product = weft.jvp(node, {leaf: tangent})
        found.append(weft.evaluate(product, {**feed, tangent: unit}))
    shape = (*found[0].shape, *feed[leaf].shape)
    return np.moveaxis(np.array(found), 0, -1).reshape(shape)


@every
def test_jacobians_over_symbols(op, case):
    node, floats, feed = built(op, case, symbolic=True)
    for leaf in floats:
        expected = columns(node, leaf, feed)
        both = [weft.jacobian(node, leaf, mode=m) for m in ("forward", "reverse")]
        assert [j.shape for j in both] == [(*node.shape, *leaf.shape)] * 2
        for found in weft.evaluate(both, feed):
            assert close(found, expected)


@every
def test_the_gradient_of_a_gradient_over_symbols(op, case):
    """Forward over reverse, reverse over reverse, reverse over forward: one number."""
    node, floats, feed = built(op, case, symbolic=True)
    rng = rng_for(op)
    v = {leaf: rng.normal(size=feed[leaf].shape) for leaf in floats}
    tangents = {leaf: weft.input("v", leaf.shape, leaf.dtype) for leaf in floats}
    fed = {**feed, **{tangents[leaf]: v[leaf] for leaf in floats}}
    cost = weft.sum(weft.sin(node))
    gradient = weft.grad(cost, floats)
    ways = [
        weft.jvp(gradient, tangents),
        weft.hvp(cost, floats, list(tangents.values())),
        weft.grad(weft.jvp(cost, tangents), floats),
    ]
    first, *others = weft.evaluate(ways, fed)
    for other in others:
        assert all(map(close, other, first))


@every
def test_vmap_of_jvp_of_grad_over_symbols(op, case):
    node, floats, feed = built(op, case, symbolic=True)
    v = [weft.input("v", leaf.shape, leaf.dtype) for leaf in floats]
    cost = weft.sum(weft.sin(node))
    product = weft.jvp(weft.grad(cost, floats), dict(zip(floats, v, strict=True)))
    rng = rng_for(op)
    rows = {
        leaf: np.stack([np.roll(feed[leaf], k) for k in range(3)]) for leaf in floats
    }
    rows |= {
        t: rng.normal(size=(3, *feed[leaf].shape))
        for t, leaf in zip(v, floats, strict=True)
    }
    stacks = {x: weft.input("s", ("batch", *x.shape), x.dtype) for x in rows}
    fixed = {x: value for x, value in feed.items() if x not in rows}
    found = weft.evaluate(
        weft.vmap(product, stacks), {**fixed, **{stacks[x]: r for x, r in rows.items()}}
    )
    loop = [
        weft.evaluate(product, {**fixed, **{x: r[k] for x, r in rows.items()}})
        for k in range(3)
    ]
    for one, *each in zip(found, *loop, strict=True):
        assert close(one, np.stack(each))


@every
def test_vmap_of_vmap(op, case):
    """Two new axes, over one argument each or over the same."""
    node, floats, feed = built(op, case)
    for x, y in itertools.product(floats[:2], floats[-1:]):
        inner = weft.input("inner", ("a", *x.shape), x.dtype)
        once = weft.vmap(node, {x: inner})
        then = inner if x is y else y
        outer = weft.input("outer", ("b", *then.shape), then.dtype)
        twice = weft.vmap(once, {then: outer})
        first = np.stack([np.roll(feed[x], k) for k in range(2)])
        if x is y:
            stack = np.stack([first, first[::-1], first])
            pairs = [[(x, stack[b, a]) for a in range(2)] for b in range(3)]
            given = {outer: stack}
        else:
            second = np.stack([np.roll(feed[y], k) for k in range(3)])
            pairs = [[(y, second[b]) for _ in range(2)] for b in range(3)]
            given = {inner: first, outer: second}
        found = weft.evaluate(twice, {**feed, **given})
        for b in range(3):
            for a in range(2):
                one = {**feed, x: first[a], **dict([pairs[b][a]])}
                assert close(found[b, a], weft.evaluate(node, one))


# Random numbers -------------------------------------------------------------------


def noisy():
    seed, step = weft.input("seed", (), "int64"), weft.input("step", (), "int64")
    x = weft.input("x", (4, 3), "float64")
    kept = weft.random_bernoulli(0.5, seed, step, (4, 3), "mask")
    noise = weft.random_normal(seed, step, (4, 3), "noise", dtype="float64")
    return seed, step, x, weft.sum(weft.where(kept, x, 0) ** 2 * noise)


@pytest.mark.parametrize("stacked", ["seed", "step", "x", "seed step x"])
def test_vmap_over_random_numbers(stacked):
    """New numbers for each seed and step; the same for all where neither is stacked."""
    seed, step, x, cost = noisy()
    gradient = weft.grad(cost, x)
    rng = np.random.default_rng(0)
    rows = {
        seed: np.arange(3),
        step: np.arange(10, 13),
        x: rng.normal(size=(3, 4, 3)),
    }
    chosen = [leaf for leaf in rows if leaf.name in stacked.split()]
    stacks = {leaf: weft.input("s", (3, *leaf.shape), leaf.dtype) for leaf in chosen}
    rest = {leaf: rows[leaf][0] for leaf in rows if leaf not in chosen}
    found = weft.evaluate(
        weft.vmap([cost, gradient], stacks),
        {**rest, **{stacks[leaf]: rows[leaf] for leaf in chosen}},
    )
    for k in range(3):
        one = weft.evaluate(
            [cost, gradient], {**rest, **{leaf: rows[leaf][k] for leaf in chosen}}
        )
        assert np.isclose(found[0][k], one[0])
        assert close(found[1][k], one[1])


def test_an_op_without_arguments_is_repeated():
    node = intern(OPS["arange"], (), {"length": 3})
    x = weft.input("x", (), "int64")
    xs = weft.input("xs", ("n",), "int64")
    found = weft.evaluate(weft.vmap([node, node + x], {x: xs}), {xs: [10, 20]})
    assert np.array_equal(found[0], [[0, 1, 2]] * 2)
    assert np.array_equal(found[1], [[10, 11, 12], [20, 21, 22]])
