"""The op matrix: native equals reference on every case that a record draws.

Nothing but the last part names an op: a new record brings its tests along.
"""

import os
import subprocess
import sys
import zlib
from functools import cache

import numpy as np
import pytest

import weft
from weft.compile.native.target import available
from weft.graph.errors import FeedError
from weft.graph.node import intern
from weft.ops import OPS

SIZES = (0, 1, 7, 8, 1000)
FLOATS = ("float64", "float32")


def rng_for(name, seed=0):
    return np.random.default_rng([zlib.crc32(name.encode()), seed])


@cache
def matrix():
    return {
        f"{op.name}-{case.label}": (op, case)
        for op in OPS.values()
        for case in op.cases(rng_for(op.name))
    }


def every(condition=lambda op, case: True):
    chosen = {k: pair for k, pair in matrix().items() if condition(*pair)}
    return pytest.mark.parametrize(("op", "case"), chosen.values(), ids=chosen)


def every_op(condition):
    chosen = {name: op for name, op in OPS.items() if condition(op)}
    return pytest.mark.parametrize("op", chosen.values(), ids=chosen)


def apply(op, inputs, case):
    # An op without inputs is not called but interned.
    return op(*inputs, **case.params) if inputs else intern(op, (), case.params)


def in_type(case, dtype):
    """Return a case's arguments, those of floats in another type."""
    return [a.astype(dtype) if a.dtype.kind == "f" else a for a in case.args]


def leaves_for(arrays):
    return [weft.input(f"x{i}", a.shape, a.dtype) for i, a in enumerate(arrays)]


def derivatives(op, node, leaves, case):
    """Return reverse and forward mode, and the derivative of both, by name.

    Directions are constants in the shapes of the case, whatever leads `node` beside.
    """
    floats = [x for x in leaves if x.dtype.kind == "f"]
    if op.derivative is None or not floats or node.dtype.kind != "f":
        return {}
    rng = rng_for(op.name, 5)
    shape = op.forward(*case.args, **case.params).shape
    u = weft.constant(rng.uniform(0.5, 1.5, shape), node.dtype)
    tangents = {
        x: weft.broadcast_to(
            weft.constant(rng.uniform(0.5, 1, a.shape), x.dtype), x.shape
        )
        for x, a in zip(leaves, case.args, strict=True)
        if x in floats
    }
    pulled = weft.vjp(node, floats, weft.broadcast_to(u, node.shape))
    pushed = weft.jvp(node, tangents)
    curved = weft.sum(u * weft.square(pushed))
    for x, g in zip(floats, pulled, strict=True):
        curved = weft.cast(curved, "float64") + weft.sum(tangents[x] * weft.square(g))
    second = weft.grad(curved, floats)
    return {
        "jvp": pushed,
        **{f"vjp {x.name}": g for x, g in zip(floats, pulled, strict=True)},
        **{f"second {x.name}": g for x, g in zip(floats, second, strict=True)},
    }


# Cases as they are ------------------------------------------------------------------


@every()
def test_value(op, case, agree):
    leaves = leaves_for(case.args)
    agree(leaves, {"value": apply(op, leaves, case)}, case.args)


@every()
def test_derivatives(op, case, agree):
    """The value beside its derivatives of first and second order, in one program."""
    leaves = leaves_for(case.args)
    node = apply(op, leaves, case)
    agree(leaves, {"value": node, **derivatives(op, node, leaves, case)}, case.args)


# Batches ----------------------------------------------------------------------------


def draws(op, case, size, dtype="float64"):
    """Stack as many draws of a case: (size, *shape) per argument."""
    stacks = []
    for i, arg in enumerate(in_type(case, dtype)):
        rng = rng_for(op.name, 7)
        some = [
            next(c for c in op.cases(rng_for(op.name, b)) if c.label == case.label)
            for b in range(3)
        ]
        stack = np.stack([draw.args[i] for draw in some])[rng.integers(0, 3, size)]
        if arg.dtype.kind == "i" and arg.ndim:  # positions: vary, but stay inside
            stack = np.stack([np.roll(a, b) for b, a in enumerate(stack)] or [arg])[
                :size
            ]
        stacks.append(stack.astype(arg.dtype))
    return stacks


@pytest.mark.parametrize("dtype", FLOATS)
@every(lambda op, case: case.args)
def test_batch(op, case, dtype, agree):
    """Every op in front of a batch whose size is known only when the program runs."""
    arrays = in_type(case, dtype)
    leaves = leaves_for(arrays)
    rows = [weft.input(f"r{i}", ("n", *a.shape), a.dtype) for i, a in enumerate(arrays)]
    node = weft.vmap(apply(op, leaves, case), dict(zip(leaves, rows, strict=True)))
    outputs = {"value": node, **derivatives(op, node, rows, case)}
    agree(rows, outputs, *(draws(op, case, size, dtype) for size in SIZES))


# Views ------------------------------------------------------------------------------

# How an array lies within a larger or smaller one: the leaf's value, and the view.
VIEWS = {
    "transposed": (lambda a: a.T.copy(), weft.transpose),
    "every-other": (
        lambda a: np.repeat(a, 2, axis=0) if a.ndim else a,
        lambda x: x[::2] if x.ndim else x,
    ),
    "backwards": (
        lambda a: a[(slice(None, None, -1),) * a.ndim].copy(),
        lambda x: x[(slice(None, None, -1),) * x.ndim],
    ),
    "part": (
        lambda a: np.pad(a, 1, constant_values=a.dtype.type(0)),
        lambda x: x[(slice(1, -1),) * x.ndim],
    ),
    "row-of-a-stack": (
        lambda a: np.stack([a, a[::-1] if a.ndim else a]),
        lambda x: x[0],
    ),
    "reshaped": (lambda a: a.reshape(-1), None),
}


def through_view(view, x, shape):
    return weft.reshape(x, shape) if view is None else view(x)


@every(lambda op, case: case.args)
def test_views(op, case, agree):
    """Each argument as a view of an input, and of what has been computed."""
    one = weft.input("one", (), "float64")
    outputs, inputs, arrays = {}, [one], [np.array(1.0)]
    for label, (lay, view) in VIEWS.items():
        laid = [lay(a) for a in case.args]
        leaves = [
            weft.input(f"{label}{i}", a.shape, a.dtype) for i, a in enumerate(laid)
        ]
        computed = [
            weft.where(
                one > 0, x, weft.broadcast_to(x[..., :1], x.shape) if x.ndim else x
            )
            for x in leaves
        ]
        for kind, parts in (("given", leaves), ("computed", computed)):
            seen = [
                through_view(view, x, a.shape)
                for x, a in zip(parts, case.args, strict=True)
            ]
            outputs[f"{label} {kind}"] = apply(op, seen, case)
        inputs += leaves
        arrays += laid
    agree(inputs, outputs, arrays)


@every(lambda op, case: any(a.size > 1 for a in case.args))
def test_broadcast_views(op, case, agree):
    """Each argument repeats one row, or one number."""
    outputs, inputs, arrays = {}, [], []
    for axes in (1, None):
        laid = [a[(slice(0, 1),) * min(a.ndim, axes or a.ndim)] for a in case.args]
        leaves = [
            weft.input(f"x{axes}{i}", a.shape, a.dtype) for i, a in enumerate(laid)
        ]
        seen = [
            weft.broadcast_to(x, a.shape)
            for x, a in zip(leaves, case.args, strict=True)
        ]
        outputs[f"along {axes}"] = apply(op, seen, case)
        inputs += leaves
        arrays += laid
    agree(inputs, outputs, arrays)


@every(lambda op, case: any(a.ndim > 1 for a in case.args))
def test_arrays_that_are_not_in_one_piece(op, case, agree):
    leaves = leaves_for(case.args)
    outputs = {"value": apply(op, leaves, case)}
    turned = [np.array(a, order="F") for a in case.args]
    thinned = [np.repeat(a, 3, axis=-1)[..., ::3] if a.ndim else a for a in case.args]
    backwards = [a[::-1].copy()[::-1] if a.ndim else a for a in case.args]
    agree(leaves, outputs, turned, thinned, backwards)


# Special values ---------------------------------------------------------------------

EXTREMES = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e-40, 1e-310, -1e-300, 1e4, -1e4]


def is_elementwise_of_floats(op):
    cases = op.cases(rng_for(op.name))
    kinds = {a.dtype.kind for case in cases for a in case.args}
    return op.emit is not None and kinds == {"f"}


@pytest.mark.parametrize("dtype", FLOATS)
@every_op(is_elementwise_of_floats)
def test_extremes(op, dtype):
    """Zeros of both signs, denormals, infinities and NaN, in every combination."""
    case = op.cases(rng_for(op.name))[0]
    with np.errstate(all="ignore"):
        values = np.array([*EXTREMES, np.inf, -np.inf, np.nan]).astype(dtype)
    grid = [g.ravel() for g in np.meshgrid(*[values] * len(case.args))]
    leaves = [weft.input(f"x{i}", ("n",), dtype) for i in range(len(grid))]
    node = apply(op, leaves, case)
    native, reference = (
        weft.compile(leaves, node, engine=e)(*grid) for e in ("native", "reference")
    )
    if node.dtype.kind != "f":
        assert np.array_equal(native, reference)
        return
    with np.errstate(all="ignore"):
        room = 8 * np.spacing(np.abs(reference))
        close = np.abs(native - reference) <= room
    same = (native == reference) | (np.isnan(native) & np.isnan(reference))
    wrong = ~(same | close)
    shown = zip(*(g[wrong] for g in grid), native[wrong], reference[wrong], strict=True)
    assert not wrong.any(), [tuple(map(float, row)) for row in shown]


# Axes as long as a symbol -----------------------------------------------------------


X = weft.input("x", ("n", 3), "float64")
Y = weft.input("y", ("n",), "float64")
K = weft.input("k", ("n",), "int64")
T = weft.input("t", (4, 3), "float64")

ANY_LENGTH = {
    "sum": weft.sum(X),
    "sum 0": weft.sum(X, axis=0),
    "sum 1": weft.sum(X, axis=1),
    "sum kept": weft.sum(X, axis=0, keepdims=True),
    "sum of turned": weft.sum(weft.exp(X.T), axis=1),
    "count": weft.sum(weft.cast(X > 0, "int64"), axis=0),
    "mean": weft.mean(X),
    "variance": weft.variance(X, axis=0),
    "prod": weft.prod(1 + 0.01 * X, axis=0),
    "cumsum": weft.cumsum(X, axis=0),
    "cumsum of vector": weft.cumsum(Y, axis=0),
    "cumsum 1": weft.cumsum(X, axis=1),
    "matmul": weft.tanh(X) @ T.T,
    "gram": X.T @ X,
    "outer": X @ X.T,
    "matrix vector": X @ T[0],
    "vector matrix": Y @ X,
    "dot": Y @ Y,
    "product, then along rows": weft.softmax(weft.tanh(X @ T.T + 1), axis=1),
    "product, then along columns": weft.sum(weft.exp(X @ T.T), axis=0),
    "take": weft.take(T, K, axis=0),
    "take columns": weft.take(T.T, K, axis=1),
    "pick": weft.take_along_axis(T @ X.T, K[None], axis=0),
    "pick from rows": weft.take_along_axis(X @ T.T, K[:, None], axis=1),
    "one_hot": weft.one_hot(K, 4),
    "scatter_add": weft.scatter_add(X, K, 4, axis=0),
    "concatenate": weft.concatenate([X, 2 * X], axis=0),
    "concatenate 1": weft.concatenate([X, Y[:, None]], axis=1),
    "stack": weft.stack([X[:, 0], Y], axis=1),
    "flat": weft.reshape(X, -1),
    "flat of turned": weft.reshape(X.T, -1),
    "softmax 0": weft.softmax(X, axis=0),
    "softmax 1": weft.softmax(X, axis=1),
    "log_softmax 1": weft.log_softmax(X, axis=1),
    "logsumexp 1": weft.logsumexp(X, axis=1),
    "argsort": weft.argsort(X, axis=0),
    "sort": weft.sort(Y),
    "turned": X.T,
    "broadcast": weft.broadcast_to(Y, (3, "n")),
    "where": weft.where(Y[:, None] > 0, X, 0),
    "arange": weft.arange("n"),
    "size": weft.size(X),
}
# There is none of no rows.
AT_LEAST_ONE = {
    "max": weft.max(X, axis=0),
    "min": weft.min(X, axis=0),
    "max of all": weft.max(X),
    "argmax": weft.argmax(X, axis=0),
    "argmax of vector": weft.argmax(Y, axis=0),
    "log_softmax": weft.log_softmax(X, axis=0),
    "log_softmax of a square": weft.log_softmax(X @ X.T, axis=1),
    "logsumexp": weft.logsumexp(X, axis=0),
    "logsumexp of all": weft.logsumexp(X),
    "first": X[0],
    "last": X[-1],
    "backwards": X[::-1],
}


def along_arrays(size):
    rng = np.random.default_rng(size)
    rows, values = rng.normal(size=(size, 3)), rng.normal(size=size)
    return rows, values, rng.integers(-4, 4, size), rng.normal(size=(4, 3))


def with_slopes(node):
    """Return a node, and the slopes of a sum of curved values of it."""
    if node.dtype.kind != "f":
        return {"value": node}
    # Of large sums too, whose sines would say little.
    slopes = weft.grad(weft.sum(weft.sqrt(1 + weft.square(node))), [X, Y, T])
    return {"value": node, "x": slopes[0], "y": slopes[1], "t": slopes[2]}


@pytest.mark.parametrize("name", ANY_LENGTH)
def test_along_a_symbol(name, agree):
    outputs = with_slopes(ANY_LENGTH[name])
    # A slope may be 0 in exact numbers (of softmax, along an axis of one): then what is
    # left of rounding is compared with numbers of usual size.
    agree([X, Y, K, T], outputs, *map(along_arrays, SIZES), least=1e-3)


@pytest.mark.parametrize("name", AT_LEAST_ONE)
def test_along_a_symbol_of_at_least_one(name, agree):
    outputs = with_slopes(AT_LEAST_ONE[name])
    agree([X, Y, K, T], outputs, *map(along_arrays, SIZES[1:]))


@pytest.mark.parametrize("name", AT_LEAST_ONE)
def test_what_no_rows_do_not_have(name):
    """Where the reference refuses no rows, native does; where not, they agree."""
    seen = []
    for engine in ("native", "reference"):
        program = weft.compile([X, Y, K, T], AT_LEAST_ONE[name], engine=engine)
        try:
            seen.append(program(*along_arrays(0)).tolist())
        except FeedError:
            seen.append("refused")
    assert seen[0] == seen[1]


# Other processors -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sse2", "avx2"])
def test_other_targets(name):
    """A sample of this file and its neighbours, in a process of its own."""
    if name not in available():
        pytest.skip(f"this machine has no {name}")
    sample = "test_along_a_symbol[ or test_extremes and (exp or power)"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", __file__, "-k", sample],
        env={**os.environ, "WEFT_TARGET": name},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
