"""Programs with state: native takes the reference's steps, and refuses what it does."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import weft
from weft import nn, train
from weft.compile.program import Program
from weft.graph.errors import FeedError
from weft.graph.tree import flatten
from weft.ops import OPS
from weft.ops.record import explicit

ENGINES = ("native", "reference")


def rng_for(seed=0):
    return np.random.default_rng(seed)


@dataclass(frozen=True)
class Steps:
    """A program and what it is fed: one tuple of arrays per call."""

    inputs: list[weft.Node]
    outputs: Any
    updates: dict[weft.Node, weft.Node]
    state: dict[weft.Node, Any]
    feeds: list[tuple[Any, ...]]

    def program(self, engine: str) -> Program:
        return weft.compile(self.inputs, self.outputs, self.updates, self.state, engine)


def check(steps, differs, room=1e-12):
    """Take the steps with both engines; outputs and state agree after each."""
    native, reference = map(steps.program, ENGINES)
    for k, arrays in enumerate(steps.feeds):
        found, expected = (flatten(p(*arrays))[0] for p in (native, reference))
        for i, pair in enumerate(zip(found, expected, strict=True)):
            assert not differs(*pair, room), f"output {i} of step {k}"
        for leaf in steps.state:
            said = differs(native.state[leaf], reference.state[leaf], room)
            assert not said, f"{leaf.name} after step {k}: {said}"


# Updates are simultaneous -----------------------------------------------------------


def vectors(*names, size=5):
    """Return parameters of some numbers each, and their first values."""
    leaves = [weft.parameter(name, (size,), "float64") for name in names]
    return leaves, {leaf: rng_for(i).normal(size=size) for i, leaf in enumerate(leaves)}


def swap():
    (a, b), state = vectors("a", "b")
    return Steps([], [a, b], {a: b, b: a}, state, [()] * 3)


def turn_around_three():
    (a, b, c), state = vectors("a", "b", "c")
    return Steps([], a + b, {a: b, b: c, c: a}, state, [()] * 4)


def fibonacci():
    a, b = weft.parameter("a", (), "int64"), weft.parameter("b", (), "int64")
    return Steps([], [a, b], {a: b, b: a + b}, {a: 0, b: 1}, [()] * 10)


def used_after_being_updated():
    (w, v), state = vectors("w", "v")
    new = weft.tanh(w) + 1
    return Steps([], [weft.sum(w * v), new], {w: new, v: v + w * new}, state, [()] * 3)


def outputs_that_are_no_work():
    (w, v), state = vectors("w", "v")
    x = weft.input("x", ("n", 2), "float64")
    c = weft.constant(np.arange(3.0))
    y = weft.exp(x)
    outputs = {"leaf": w, "given": x, "constant": c, "twice": [y, y], "turned": x.T}
    feeds = [(rng_for(n).normal(size=(n, 2)),) for n in (1, 3, 0, 8)]
    return Steps([x], outputs, {w: v, v: w + 1}, state, feeds)


def the_same_next_value_twice():
    (a, b), state = vectors("a", "b")
    new = weft.sin(a) * b
    return Steps([], new, {a: new, b: new}, state, [()] * 3)


def a_constant_and_an_input_as_next_values():
    (a, b), state = vectors("a", "b")
    x = weft.input("x", (5,), "float64")
    updates = {a: x, b: weft.constant(np.arange(5.0))}
    feeds = [(rng_for(k).normal(size=5),) for k in range(3)]
    return Steps([x], [a, b], updates, state, feeds)


def nothing_new():
    (a, b), state = vectors("a", "b")
    return Steps([], a * b, {a: a, b: a + b}, state, [()] * 3)


def backwards():
    (a,), state = vectors("a")
    return Steps([], weft.sum(a), {a: a[::-1] + 0.5}, state, [()] * 3)


def shifted():
    (a,), state = vectors("a")
    moved = weft.concatenate([a[1:], a[:1]])
    return Steps([], a, {a: moved}, state, [()] * 6)


def turned():
    w = weft.parameter("w", (4, 4), "float64")
    v = weft.parameter("v", (4, 4), "float64")
    state = {w: rng_for(1).normal(size=(4, 4)), v: rng_for(2).normal(size=(4, 4))}
    updates = {w: w.T + 0.1 * v, v: 0.5 * w.T}
    return Steps([], weft.sum(w * v), updates, state, [()] * 4)


def turned_alone():
    w = weft.parameter("w", (4, 4), "float64")
    state = {w: np.arange(16.0).reshape(4, 4)}
    return Steps([], w[0], {w: w.T}, state, [()] * 3)


def slices_of_one_another():
    (a, b), state = vectors("a", "b", size=6)
    updates = {
        a: weft.concatenate([b[:3], a[3:]]) * 2,
        b: weft.concatenate([a[3:], b[::2]]),
    }
    return Steps([], [a[1:3], b[::-2]], updates, state, [()] * 4)


def spread():
    (a,), state = vectors("a")
    s = weft.parameter("s", (), "float64")
    updates = {a: a - weft.broadcast_to(s, (5,)), s: a[2] + weft.mean(a)}
    return Steps([], s, updates, {**state, s: 0.3}, [()] * 4)


def a_product_with_itself():
    w = weft.parameter("w", (6, 6), "float64")
    state = {w: rng_for(3).normal(size=(6, 6)) / 3}
    return Steps([], weft.sum(w), {w: w @ w - 0.1 * w}, state, [()] * 3)


def a_product_with_the_next_value():
    w = weft.parameter("w", (6, 6), "float64")
    v = weft.parameter("v", (6, 6), "float64")
    state = {w: rng_for(3).normal(size=(6, 6)) / 3, v: np.eye(6)}
    new = w - 0.1 * v
    return Steps([], weft.sum(w @ v), {w: new, v: new @ w}, state, [()] * 3)


def a_normalised_leaf():
    """Every element needs all old ones: the sum, then the quotient."""
    w = weft.parameter("w", (7, 9), "float64")
    state = {w: rng_for(4).normal(size=(7, 9))}
    new = w / weft.sqrt(weft.sum(weft.square(w), axis=0, keepdims=True))
    return Steps([], weft.max(w), {w: new + 0.1}, state, [()] * 3)


def softmax_of_a_leaf():
    w = weft.parameter("w", (7, 9), "float64")
    state = {w: rng_for(4).normal(size=(7, 9))}
    return Steps([], w[0], {w: weft.softmax(w, axis=0)}, state, [()] * 3)


def gathered_from_itself():
    w = weft.parameter("w", (6, 2), "float64")
    k = weft.input("k", (6,), "int64")
    state = {w: rng_for(4).normal(size=(6, 2))}
    feeds = [(rng_for(i).permutation(6),) for i in range(3)]
    return Steps([k], weft.sum(w), {w: weft.take(w, k, axis=0)}, state, feeds)


def sorted_leaf():
    """An op that NumPy computes."""
    (a, b), state = vectors("a", "b")
    return Steps([], weft.argsort(a), {a: weft.sort(b), b: a * 2}, state, [()] * 4)


def whole_numbers_and_masks():
    t = weft.parameter("t", (), "int64")
    m = weft.parameter("m", (5,), "bool")
    (a,), state = vectors("a")
    updates = {t: t + 1, m: weft.logical_not(m), a: weft.where(m, a, -a)}
    held = {**state, t: 0, m: np.arange(5) % 2 == 0}
    return Steps([], [t, m, weft.cast(t, "float64") * a], updates, held, [()] * 3)


def two_types():
    w = weft.parameter("w", (3, 4), "float32")
    v = weft.parameter("v", (3, 4), "float64")
    state = {w: np.ones((3, 4)), v: rng_for(5).normal(size=(3, 4))}
    updates = {w: weft.cast(v, "float32") + w, v: v + weft.cast(w, "float64")}
    return Steps([], weft.sum(w), updates, state, [()] * 3)


def empty_leaves():
    w = weft.parameter("w", (0, 4), "float64")
    x = weft.input("x", ("n", 0), "float64")
    feeds = [(np.zeros((n, 0)),) for n in (3, 0)]
    return Steps([x], [x @ w, weft.sum(w)], {w: w + 1}, {w: np.zeros((0, 4))}, feeds)


UPDATES = (
    swap,
    turn_around_three,
    fibonacci,
    used_after_being_updated,
    outputs_that_are_no_work,
    the_same_next_value_twice,
    a_constant_and_an_input_as_next_values,
    nothing_new,
    backwards,
    shifted,
    turned,
    turned_alone,
    slices_of_one_another,
    spread,
    a_product_with_itself,
    a_product_with_the_next_value,
    a_normalised_leaf,
    softmax_of_a_leaf,
    gathered_from_itself,
    sorted_leaf,
    whole_numbers_and_masks,
    two_types,
    empty_leaves,
)


@pytest.mark.parametrize("build", UPDATES, ids=lambda build: build.__name__)
def test_updates_are_simultaneous(build, differs):
    check(build(), differs)


@pytest.mark.parametrize("build", UPDATES, ids=lambda build: build.__name__)
def test_without_outputs(build, differs):
    steps = build()
    bare = Steps(steps.inputs, [], steps.updates, steps.state, steps.feeds)
    check(bare, differs)


# Training ---------------------------------------------------------------------------

X = rng_for(0).normal(size=(37, 3))
Y = np.sin(X[:, 0]) + 0.1 * rng_for(1).normal(size=37)
LABELS = (X[:, 1] > 0).astype(int) + (X[:, 2] > 0.5)
WEIGHTS = rng_for(2).uniform(0.5, 2, 37)
PLAIN = nn.mlp([6, 5], "tanh", nn.Gaussian())
# 37 rows: the last batch has 7.
FIT = {"epochs": 3, "batch_size": 10, "seed": 3, "dtype": "float64"}


def check_fits(network, differs, y=Y, room=1e-9, **settings):
    """Fit with both engines: costs, parameters and what the optimizer holds agree."""
    native, reference = (
        train.fit(network, X, y, engine=engine, **{**FIT, **settings})
        for engine in ENGINES
    )
    assert native.stopped == reference.stopped
    for measure in ("cost", "nll"):
        said = differs(native.history[measure], reference.history[measure], room)
        assert not said, f"{measure}: {said}"
    trees = (
        ("params", native.params, reference.params),
        (
            "optimizer",
            native.state.optimizer,
            reference.state.optimizer,
        ),
    )
    for name, *both in trees:
        found, expected = (flatten(tree)[0] for tree in both)
        for i, pair in enumerate(zip(found, expected, strict=True)):
            # What batch norm takes away again has a gradient of rounding only.
            said = differs(*pair, room, 0.01)
            assert not said, f"{name} {i}: {said}"


OPTIMIZERS = (
    train.SGD(0.05),
    train.SGD(0.05, momentum=0.9),
    train.SGD(0.05, momentum=0.9, nesterov=True),
    train.Adam(0.01),
    train.AdamW(0.01, decay=0.1),
    train.RMSProp(0.01),
    train.AdaGrad(0.05),
)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_optimizers(optimizer, differs):
    check_fits(PLAIN, differs, optimizer=optimizer)


def test_lbfgs(differs):
    check_fits(PLAIN, differs, optimizer=train.LBFGS(), room=1e-6)


def test_float32(differs):
    check_fits(PLAIN, differs, dtype="float32", room=1e-3)


OUTPUTS = {
    "gaussian": (nn.Gaussian(), Y),
    "gaussian-3": (nn.Gaussian(3), X**2),
    "heteroscedastic": (nn.HeteroscedasticGaussian(), Y),
    "laplace": (nn.Laplace(), Y),
    "bernoulli": (nn.Bernoulli(), LABELS > 0),
    "bernoulli-3": (nn.Bernoulli(3), (X > 0).astype(int)),
    "categorical": (nn.Categorical(3), LABELS),
    "poisson": (nn.Poisson(), np.exp(X[:, 0]).astype(int)),
}


@pytest.mark.parametrize(("output", "y"), OUTPUTS.values(), ids=OUTPUTS)
def test_output_units(output, y, differs):
    check_fits(nn.mlp([6], "tanh", output), differs, y=y)


@pytest.mark.parametrize("unit", sorted(set(nn.UNITS) - {"logistic"}))
def test_hidden_units(unit, differs):
    check_fits(nn.mlp([6, 4], unit, nn.Categorical(3)), differs, y=LABELS)


LAYERS = {
    "dropout": nn.mlp([8, 8], "relu", nn.Gaussian(), dropout=0.4),
    "batch-norm": nn.mlp([6, 6], "tanh", nn.Gaussian(), norm="batch"),
    "layer-norm": nn.mlp([6, 6], "tanh", nn.Gaussian(), norm="layer"),
    "skip": nn.Network(
        (nn.Dense(6, nn.Tanh()), nn.Skip((nn.Dense(6, nn.Tanh()), nn.Affine(6)))),
        nn.Gaussian(),
    ),
    "low-rank": nn.Network(
        (nn.LowRankAffine(6, 2), nn.Dense(4, nn.ReLU())), nn.Gaussian()
    ),
    "no-layers": nn.Network((), nn.Gaussian()),
}


@pytest.mark.parametrize("network", LAYERS.values(), ids=LAYERS)
def test_layers(network, differs):
    check_fits(network, differs)


SETTINGS = {
    "weights": {"sample_weight": WEIGHTS},
    "penalties": {"penalties": [nn.L2(0.1), nn.L1(0.01)]},
    "max-norm": {"constraints": [nn.MaxNorm(0.8)], "optimizer": train.SGD(0.5)},
    "clip-norm": {"clip_norm": 0.05, "optimizer": train.SGD(0.5)},
    "freeze": {"freeze": ["0"]},
    "schedule": {"schedule": train.Cosine()},
    "validation": {
        "validation": (X[:9], Y[:9]),
        "early_stopping": train.EarlyStopping(1),
    },
    "one-row-batches": {"batch_size": 1, "epochs": 1},
    "a-batch-of-all": {"batch_size": 37},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_settings(settings, differs):
    check_fits(PLAIN, differs, **settings)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_fit_is_continued_with_the_same_bits(dtype):
    network = nn.mlp([8], "relu", nn.Gaussian(), dropout=0.3, norm="batch")
    settings = {
        **FIT,
        "dtype": dtype,
        "engine": "native",
        "optimizer": train.Adam(0.01),
    }
    whole = train.fit(network, X, Y, **settings)
    first = train.fit(network, X, Y, **{**settings, "epochs": 1})
    second = train.fit(network, X, Y, resume=first, **{**settings, "epochs": 2})
    assert bits(second.params) == bits(whole.params)
    assert bits(second.state.optimizer) == bits(whole.state.optimizer)


def bits(tree):
    return [np.asarray(array).tobytes() for array in flatten(tree)[0]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_numbers_have_the_same_bits(dtype):
    seed, step = (weft.input(name, (), "int64") for name in ("seed", "step"))
    k = weft.input("k", ("n",), "int64")
    outputs = [
        weft.random_uniform(seed, step, ("n", 5), "mask", k, dtype),
        weft.random_uniform(seed, step, (3,), "few", dtype=dtype),
        weft.random_uniform(seed, step, (), "one", dtype=dtype),
        weft.random_uniform(seed, step, ("n", 3, 7), "deep", k, dtype),
        weft.random_bernoulli(0.3, seed, step, ("n", 11), "mask", k),
        # The same numbers, elsewhere than in memory.
        weft.random_uniform(seed, step, ("n", 5), "mask", k, dtype) < 0.5,
    ]
    native, reference = (
        weft.compile([seed, step, k], outputs, engine=e) for e in ENGINES
    )
    for n in (0, 1, 7, 8, 1000):
        for s, t in ((0, 0), (-5, 2**40), (2**62, 3)):
            rows = rng_for(n).integers(0, 2**45, n)
            assert bits(native(s, t, rows)) == bits(reference(s, t, rows))


# Epochs and calls -------------------------------------------------------------------


def descent(engine, batch="n", dtype="float64", features=3, threads=None):
    """A network's steps: rows, targets, a rate per step; cost and its parameters."""
    x = weft.input("x", (batch, features), dtype)
    y = weft.input("y", (batch,), dtype)
    rate = weft.input("rate", (), dtype)
    rng = rng_for(4)
    w, v = weft.parameter("w", (features, 8), dtype), weft.parameter("v", (8,), dtype)
    state = {w: rng.normal(size=(features, 8)), v: rng.normal(size=8)}
    state = {leaf: value.astype(dtype) for leaf, value in state.items()}
    cost = weft.mean(weft.square(weft.tanh(x @ w) @ v - y))
    slopes = weft.grad(cost, [w, v])
    updates = {p: p - rate * g for p, g in zip((w, v), slopes, strict=True)}
    return weft.compile([x, y, rate], cost, updates, state, engine, threads)


def held(program):
    return [value.tobytes() for value in program.state.values()]


@pytest.mark.parametrize("size", [1, 3, 10, 36, 37, 100])
@pytest.mark.parametrize("ordered", [False, True])
def test_an_epoch_has_the_bits_of_its_steps(size, ordered):
    order = rng_for(7).permutation(37)[:31] if ordered else None
    rows = np.arange(37) if order is None else order
    rates = 0.01 * np.arange(1, 1 + -(-len(rows) // size))
    whole, single = descent("native"), descent("native")
    costs = whole.run([X, Y, rates], order, size)
    expected = [
        single(X[rows[k * size :][:size]], Y[rows[k * size :][:size]], rate)
        for k, rate in enumerate(rates)
    ]
    assert costs.tobytes() == np.array(expected).tobytes()
    assert held(whole) == held(single)


@pytest.mark.parametrize("size", [1, 5, 37])
def test_an_epoch_is_the_references(size, differs):
    order = rng_for(7).integers(0, 37, 50)  # a row may come twice
    native, reference = map(descent, ENGINES)
    for _ in range(2):
        costs = [p.run([X, Y, 0.05], order, size) for p in (native, reference)]
        assert not differs(*costs, 1e-12)
    for a, b in zip(native.state.values(), reference.state.values(), strict=True):
        assert not differs(a, b, 1e-12)


def test_epochs_of_other_lengths_follow_one_another(differs):
    """One program, any batch size and number of rows; calls in between."""
    native, reference = map(descent, ENGINES)
    lengths = (
        (37, 10),
        (37, 37),
        (5, 10),
        (37, 15),
        (0, 4),
        (20, 1),
        (37, 10),
        (21, 7),
    )
    for rows, size in lengths:
        costs = [
            p.run([X[:rows], Y[:rows], 0.02], None, size) for p in (native, reference)
        ]
        assert not differs(*costs, 1e-11)
        called = [p(X[:rows], Y[:rows], 0.01) for p in (native, reference)]
        if rows:
            assert not differs(*called, 1e-11)
        else:
            native, reference = map(descent, ENGINES)


def test_outputs_of_all_steps_are_stacked(differs):
    x = weft.input("x", ("n", 3), "float64")
    k = weft.input("k", (), "int64")
    outputs = {
        "rows": weft.exp(x),
        "sum": weft.sum(x, 0),
        "k": k,
        "odd": weft.equal(k, 1),
    }
    native, reference = (weft.compile([x, k], outputs, engine=e) for e in ENGINES)
    fed = [X[:36], np.arange(9)]
    found, expected = (
        p.run(fed, rng_for(1).permutation(36), 4) for p in (native, reference)
    )
    for name in outputs:
        assert not differs(found[name], expected[name], 1e-13), name
    with pytest.raises(FeedError, match="smaller batch"):
        native.run([X, np.arange(10)], None, 4)


def test_inputs_by_step_whole_and_gathered(differs):
    """A table per step, a table for all, rows: of every size and layout."""
    x = weft.input("x", ("n", 30), "float32")
    per_step = weft.input("m", (30, 2), "float32")
    whole = weft.input("t", (2, 900), "float32")
    output = weft.sum(weft.tanh(x @ per_step) @ whole, axis=0)
    native, reference = (
        weft.compile([x, per_step, whole], output, engine=e) for e in ENGINES
    )
    rng = rng_for(8)
    rows = rng.normal(size=(30, 200)).astype("float32").T
    tables = rng.normal(size=(7, 60, 2)).astype("float32")[:, ::2]
    fed = [rows, tables, np.asfortranarray(rng.normal(size=(2, 900)).astype("float32"))]
    order = rng.permutation(200)[:49]
    assert not differs(*(p.run(fed, order, 7) for p in (native, reference)), 1e-5)
    called = [rows[::-3], tables[2], fed[2][:, ::-1]]
    assert not differs(*(p(*called) for p in (native, reference)), 1e-5)


@pytest.mark.parametrize("rows", [3, 3000])
def test_arrays_of_any_layout_and_type(rows, differs):
    """Small arrays are copied and large ones read in place; neither is changed."""
    x = weft.input("x", ("n", 4), "float64")
    y = weft.input("y", ("n", 4), "float64")
    native, reference = (
        weft.compile([x, y], [x * y, x.T @ y], engine=e) for e in ENGINES
    )
    a = rng_for(1).normal(size=(2 * rows, 8))
    layouts = {
        "columns": a[:rows, ::2],
        "turned": np.ascontiguousarray(a[:rows, :4].T).T,
        "backwards": a[rows - 1 :: -1, 3::-1],
        "every other": a[::2, :4],
        "one row": np.broadcast_to(a[0, :4], (rows, 4)),
        "float32": a[:rows, :4].astype("float32"),
        "int64": np.arange(4 * rows).reshape(rows, 4),
        "lists": a[:rows, :4].tolist(),
        "read only": a[:rows, :4].copy(),
    }
    layouts["read only"].flags.writeable = False
    for name, array in layouts.items():
        before = np.array(array)
        for fed in ((array, array), (array, a[:rows, 4:]), (a[:rows, 4:], array)):
            found, expected = (p(*fed) for p in (native, reference))
            for pair in zip(found, expected, strict=True):
                assert not differs(*pair, 1e-12), name
        assert np.array_equal(array, before)


def test_outputs_belong_to_the_caller():
    w = weft.parameter("w", (2,), "float64")
    x = weft.input("x", ("n", 2), "float64")
    program = weft.compile([x], [w, x, x + w], {w: w + 1}, {w: np.zeros(2)}, "native")
    mine = np.ones((3, 2))
    first = program(mine)
    kept = [value.copy() for value in first]
    program(2 * mine)
    for value, before in zip(first, kept, strict=True):
        np.testing.assert_array_equal(value, before)
        value[:] = 99
    assert (mine == 1).all()
    assert program.state[w].tolist() == [2, 2]


def test_each_look_at_the_state_is_a_copy():
    w = weft.parameter("w", (2,), "float64")
    mine = np.zeros(2)
    program = weft.compile([], w, {w: w + 1}, {w: mine}, "native")
    seen = program.state[w]
    program()
    assert seen.tolist() == mine.tolist() == [0, 0]
    seen[:] = 99
    assert program.state[w].tolist() == [1, 1]
    assert list(program.state) == [w] and len(program.state) == 1


# Mistakes ---------------------------------------------------------------------------


def picking(engine):
    """Take rows of a parameter; the positions may be wrong."""
    k = weft.input("k", ("n",), "int64")
    y = weft.input("y", ("n",), "float64")
    w = weft.parameter("w", (5, 2), "float64")
    rows = weft.take(w, k, axis=0)
    cost = weft.mean(weft.square(weft.sum(rows, axis=1) - y))
    state = {w: rng_for(3).normal(size=(5, 2))}
    updates = {w: w - 0.1 * weft.grad(cost, w)}
    return weft.compile([k, y], cost, updates, state, engine)


@pytest.mark.parametrize("wrong", [5, -6, 2**40, -(2**62)])
def test_a_position_outside_is_the_references_error_and_no_step(wrong, differs):
    native, reference = map(picking, ENGINES)
    k, y = np.array([0, 4, -5, wrong, 1]), np.ones(5)
    said, states = [], []
    for program in (native, reference):
        before = held(program)
        with pytest.raises(FeedError) as caught:
            program(k, y)
        assert held(program) == before
        said.append(str(caught.value))
        with pytest.raises(FeedError) as caught:
            program.run([np.tile(k, 2), np.tile(y, 2)], [0, 1, 2, 4, 5, 6, 8, 2, 3], 2)
        said.append(str(caught.value))
        # And it goes on as if nothing had been.
        program(k[:3], y[:3])
        states.append(program.state)
    assert said[:2] == said[2:]
    for a, b in zip(states[0].values(), states[1].values(), strict=True):
        assert not differs(a, b, 1e-12)


INDEXED = {
    "take": lambda x, k: weft.take(x, k, axis=1),
    "take_along_axis": lambda x, k: weft.take_along_axis(
        x, weft.stack([k] * 2), axis=1
    ),
    "take_along_axis of a product": lambda x, k: weft.take_along_axis(
        x.T @ x, weft.stack([k] * 4), axis=0
    ),
    "one per row": lambda x, k: weft.take_along_axis(weft.tanh(x), k[:2, None], axis=1),
    "one_hot": lambda x, k: weft.one_hot(k, 4),
    "scatter_add": lambda x, k: weft.scatter_add(x.T, k, 4, axis=0),
    "nll": lambda x, k: weft.mean(
        weft.take_along_axis(weft.log_softmax(x), k[:2, None], axis=1)
    ),
}


@pytest.mark.parametrize("name", INDEXED)
@pytest.mark.parametrize("wrong", [4, -5, 100])
def test_positions_are_checked_wherever_they_are_used(name, wrong):
    x = weft.input("x", (2, 4), "float64")
    k = weft.input("k", (4,), "int64")
    node = INDEXED[name](x, k)
    node = weft.cast(node, "float64")
    said = []
    for engine in ENGINES:
        program = weft.compile([x, k], weft.sum(node), engine=engine)
        with pytest.raises(FeedError) as caught:
            program(np.ones((2, 4)), [0, wrong, -1, 1])
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_arrays_that_do_not_fit_are_the_references_errors():
    native, reference = map(descent, ENGINES)
    before = held(native)
    for fed in (
        (X, Y),
        (X, Y[:5], 0.1),
        (X[:, :2], Y, 0.1),
        (X, Y, [0.1]),
        (X.astype(complex), Y, 0.1),
        (X, "abc", 0.1),
        (X[0], Y, 0.1),
    ):
        said = []
        for program in (native, reference):
            with pytest.raises(FeedError) as caught:
                program(*fed)
            said.append(str(caught.value))
        assert said[0] == said[1]
    for fed, order, size in (
        ((X, Y), None, 2),
        ((X, Y[:5], 0.1), None, 2),
        ((X, Y, 0.1), [0, 37], 2),
        ((X, Y, 0.1), [0.5], 2),
        ((X, Y, 0.1), None, 0),
        ((X, Y, [0.1, 0.2]), None, 2),
    ):
        said = []
        for program in (native, reference):
            with pytest.raises(FeedError) as caught:
                program.run(list(fed), order, size)
            said.append(str(caught.value))
        assert said[0] == said[1]
    assert held(native) == before


# Several threads --------------------------------------------------------------------


def in_threads(work, count=8):
    """Do some work on several threads; what any of them raises is raised here."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def test_calls_from_several_threads_do_not_mix():
    x = weft.input("x", ("n", 6), "float64")
    w = weft.parameter("w", (6, 6), "float64")
    held = {w: rng_for(0).normal(size=(6, 6))}
    native, reference = (
        weft.compile([x], weft.softmax(weft.tanh(x @ w) @ w), state=held, engine=e)
        for e in ENGINES
    )
    rows = [rng_for(i).normal(size=(1 + 30 * (i % 3), 6)) for i in range(8)]
    expected = [reference(r) for r in rows]

    def work(i):
        first = native(rows[i])
        np.testing.assert_allclose(first, expected[i], rtol=1e-12)
        return all(native(rows[i]).tobytes() == first.tobytes() for _ in range(300))

    assert all(in_threads(work))


def test_calls_from_several_threads_lose_no_update():
    s = weft.parameter("s", (100,), "float64")
    program = weft.compile([], weft.sum(s), {s: s + 1}, {s: np.zeros(100)}, "native")
    sums = in_threads(lambda _: [float(program()) for _ in range(200)])
    assert sorted(v for one in sums for v in one) == [100 * k for k in range(1600)]


def test_epochs_calls_and_looks_from_several_threads():
    """Every look sees the state of a whole step."""
    x = weft.input("x", ("n",), "float64")
    a, b = (weft.parameter(name, (50,), "float64") for name in "ab")
    step = weft.mean(x)
    state = {a: np.zeros(50), b: np.zeros(50)}
    program = weft.compile([x], step, {a: a + step, b: b - step}, state, "native")

    def work(i):
        for _ in range(50):
            if i % 3 == 0:
                program.run([np.ones(40)], None, 4)
            elif i % 3 == 1:
                program(np.ones(3))
            else:
                assert len(set(program.state[a])) == 1
        return i

    in_threads(work)
    assert program.state[a][0] == 3 * 50 * 10 + 3 * 50
    assert (program.state[a] == -program.state[b]).all()


# Ops that NumPy computes ------------------------------------------------------------


@pytest.fixture
def logged():
    """A user's op without scalar code."""
    # An op is made once in a process.
    return OPS["logged"] if "logged" in OPS else _logged()


def _logged():

    def forward(x):
        if not np.all(x > 0):
            raise ValueError("logged needs numbers above 0")
        return np.log(x)

    return explicit(
        "logged",
        forward=forward,
        rule=lambda x: (x.shape, x.dtype),
        batch=lambda inputs, batched: inputs[0],
        cases=lambda rng: [],
        latex="",
        vjp=[lambda ct, out, x: ct / x],
        jvp=lambda tangents, out, x: tangents[0] / x,
    )


def with_an_op_of_ones_own(logged, engine):
    x = weft.input("x", ("n", 3), "float64")
    w = weft.parameter("w", (3, 3), "float64")
    inner = logged(weft.transpose(weft.exp(x @ w)) + 0.5)
    cost = weft.mean(inner) + weft.sum(logged(x[:, 1]))
    updates = {w: w - 0.01 * weft.grad(cost, w)}
    outputs = {"cost": cost, "order": weft.argsort(inner, axis=1)}
    return weft.compile([x], outputs, updates, {w: np.eye(3)}, engine)


def test_ops_of_ones_own(logged, differs):
    native, reference = (with_an_op_of_ones_own(logged, e) for e in ENGINES)
    rows = np.exp(X)
    for n in (7, 1, 37):
        found, expected = native(rows[:n]), reference(rows[:n])
        for name in found:
            assert not differs(found[name], expected[name], 1e-12)
    found, expected = (p.run([rows[:36]], None, 9) for p in (native, reference))
    assert not differs(found["cost"], expected["cost"], 1e-12)
    assert not differs(
        *(next(iter(p.state.values())) for p in (native, reference)), 1e-12
    )


def test_what_ones_own_op_refuses_is_no_step(logged):
    said = []
    for engine in ENGINES:
        program = with_an_op_of_ones_own(logged, engine)
        before = held(program)
        with pytest.raises(FeedError) as caught:
            program(-np.exp(X))
        said.append(str(caught.value))
        assert held(program) == before
        program(np.exp(X))
    assert said[0] == said[1]


def test_progress_is_the_number_of_whole_steps():
    """An op that looks: it stands within a step, so that one has not been taken."""
    programs, seen = {}, []

    def look(x):
        seen.append([program.progress for program in programs.values()][-1])
        return x

    looking = explicit(
        "looking",
        forward=look,
        rule=lambda x: (x.shape, x.dtype),
        batch=lambda inputs, batched: inputs[0],
        cases=lambda rng: [],
        latex="",
        differentiable=False,
    )
    x = weft.input("x", ("n",), "float64")
    for engine in ("native", "reference"):
        program = weft.compile([x], weft.sum(looking(x)), engine=engine)
        programs[engine] = program
        assert program.progress == 0
        for _ in range(2):
            program.run([np.arange(7.0)], batch_size=2)
            assert program.progress == 4
    assert seen == [0, 1, 2, 3] * 4


@pytest.mark.parametrize("shape, axis", [((1_000_000,), 0), ((300_000, 4), 0)])
def test_a_long_sum_is_as_exact_as_a_short_one(shape, axis):
    x = weft.input("x", ("n", *shape[1:]), "float32")
    program = weft.compile([x], weft.sum(x, axis=axis), engine="native")
    values = np.full(shape, 0.1, np.float32)
    exact = np.sum(values.astype(np.float64), axis=axis)
    np.testing.assert_allclose(program(values), exact, rtol=4e-6)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_long_sum_with_infinities_is_what_it_is(value):
    x = weft.input("x", ("n",), "float32")
    program = weft.compile([x], weft.sum(x), engine="native")
    values = np.ones(100_000, np.float32)
    values[70_000] = value
    np.testing.assert_equal(program(values), np.float32(value))
