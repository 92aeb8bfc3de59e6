"""Any number of threads, stopped or not: the same bits, of whole steps."""

import signal
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

import weft
from weft import nn, train
from weft.compile.native import program as native
from weft.graph.tree import flatten


@pytest.fixture(autouse=True)
def helpers_for_everything(monkeypatch):
    """Call other threads for steps of any size."""
    monkeypatch.setattr(native, "_WORTH_HELP", 0)


@pytest.fixture(autouse=True)
def interruptible():
    """Hear Ctrl-C also where a shell has started the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def bits(tree):
    return [np.asarray(array).tobytes() for array in flatten(tree)[0]]


def classes(inputs, hidden, outputs, batch, steps, **rest):
    network = nn.mlp(hidden, "relu", nn.Categorical(outputs), **rest)
    rng = np.random.default_rng(0)
    # A last batch that is smaller.
    rows = batch * steps - batch // 3
    return (
        network,
        rng.normal(size=(rows, inputs)),
        rng.integers(0, outputs, rows),
        batch,
    )


def deep():
    blocks = [nn.Skip([nn.Dense(128, "tanh"), nn.Dense(128, "tanh")]) for _ in range(4)]
    network = nn.Network((nn.Dense(128, "tanh"), *blocks), nn.Gaussian())
    rng = np.random.default_rng(0)
    return network, rng.normal(size=(300, 64)), rng.normal(size=300), 128


WORKLOADS = {
    "tiny": lambda: classes(2, [8, 8], 2, 32, 6),
    "small": lambda: classes(20, [64, 64], 2, 32, 6),
    "table": lambda: classes(54, [256, 256], 7, 256, 3),
    "mnist": lambda: classes(784, [256, 256], 10, 128, 3),
    "wide": lambda: classes(784, [1024, 1024, 1024], 10, 512, 2),
    "deep": deep,
    "dropout": lambda: classes(30, [100], 3, 50, 3, dropout=0.3, norm="batch"),
}


@pytest.mark.parametrize("name", WORKLOADS)
def test_any_number_of_threads_gives_the_same_bits(name):
    network, X, y, batch = WORKLOADS[name]()
    fits = [
        train.fit(
            network, X, y, epochs=1, batch_size=batch, engine="native", threads=threads
        )
        for threads in (1, 2, 4)
    ]
    for other in fits[1:]:
        assert bits(other.params) == bits(fits[0].params)
        assert bits(other.state.optimizer) == bits(fits[0].state.optimizer)
        assert np.array_equal(other.history["cost"], fits[0].history["cost"])


SHAPES = [(1, 1), (3, 5000), (5000, 3), (700, 900), (100_003,), (64, 64, 64)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_kernels_of_every_kind_give_the_same_bits(shape, dtype):
    """Elementwise, folds of every axis and of all, running sums, gathers, softmax."""
    x = weft.input("x", shape, dtype)
    k = weft.input("k", (shape[0],), "int64")
    outputs = [
        weft.tanh(x) * x,
        weft.sum(x),
        *(weft.sum(weft.exp(x), axis=a) for a in range(len(shape))),
        *(weft.max(x * x, axis=a) for a in range(len(shape))),
        weft.softmax(x, axis=0),
        weft.logsumexp(x, axis=-1),
        weft.cumsum(x, axis=0),
        weft.take(x, k, axis=0),
        weft.scatter_add(x, k, shape[0], axis=0),
        weft.concatenate([x, weft.transpose(weft.transpose(x)[::-1])]),
    ]
    rng = np.random.default_rng(1)
    fed = rng.normal(size=shape).astype(dtype), rng.integers(0, shape[0], shape[0])
    one, *others = (
        bits(weft.compile([x, k], outputs, engine="native", threads=t)(*fed))
        for t in (1, 2, 4)
    )
    assert all(other == one for other in others)


@pytest.mark.parametrize(
    "shape", [(5, 700, 3), (256, 64, 256), (130, 1, 1000), (1, 999, 65)]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_give_the_same_bits(shape, dtype):
    m, k, n = shape
    a, b = weft.input("a", (m, k), dtype), weft.input("b", (k, n), dtype)
    at, bt = weft.input("at", (k, m), dtype), weft.input("bt", (n, k), dtype)
    outputs = [a @ b, weft.tanh(at.T @ b), a @ bt.T + 1, weft.sum(at.T @ bt.T, axis=0)]
    rng = np.random.default_rng(1)
    fed = [rng.normal(size=x.shape).astype(dtype) for x in (a, b, at, bt)]
    one, *others = (
        bits(weft.compile([a, b, at, bt], outputs, engine="native", threads=t)(*fed))
        for t in (1, 2, 4)
    )
    assert all(other == one for other in others)


def test_the_same_bits_run_after_run():
    """Which thread takes which tile changes; what comes out does not."""
    network, X, y, batch = WORKLOADS["table"]()
    settings = {"batch_size": batch, "epochs": 1, "engine": "native", "threads": 4}
    first, *more = (bits(train.fit(network, X, y, **settings).params) for _ in range(6))
    assert all(again == first for again in more)


# Stopping and going on --------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2])
def test_stopping_and_going_on_gives_the_same_bits(threads):
    network, X, y, batch = WORKLOADS["small"]()
    settings = {"batch_size": batch, "engine": "native", "threads": threads}
    whole = train.fit(network, X, y, epochs=5, **settings)
    first = train.fit(network, X, y, epochs=2, **settings)
    second = train.fit(network, X, y, epochs=3, resume=first, **settings)
    assert bits(second.params) == bits(whole.params)
    assert bits(second.state.optimizer) == bits(whole.state.optimizer)


def counting(threads, width=200):
    """A network's steps, and a leaf that counts them."""
    x = weft.input("x", ("n", width), "float32")
    w = weft.parameter("w", (width, width), "float32")
    count = weft.parameter("count", (), "int64")
    cost = weft.mean(weft.square(weft.tanh(x @ w) - x))
    rng = np.random.default_rng(2)
    state = {w: rng.normal(size=(width, width)).astype("float32"), count: 0}
    updates = {w: w - 0.01 * weft.grad(cost, w), count: count + 1}
    program = weft.compile([x], cost, updates, state, "native", threads)
    return count, program


def held(program):
    return [value.tobytes() for value in program.state.values()]


@contextmanager
def ctrl_c(after):
    """Send this thread, the main one, a SIGINT in so many seconds."""
    me = threading.get_ident()
    timer = threading.Timer(after, signal.pthread_kill, (me, signal.SIGINT))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_leaves_whole_steps(threads):
    """A long epoch stops, and can be gone on with."""
    rows = np.random.default_rng(3).normal(size=(64, 200)).astype("float32")
    count, program = counting(threads)
    order = np.tile(np.arange(64), 50_000)
    program.run([rows], order[:16], 8)  # compiled before the signal comes
    with pytest.raises(KeyboardInterrupt), ctrl_c(1.0):
        program.run([rows], order, 8)
    taken = int(program.state[count])
    assert 2 < taken < len(order) // 8
    _, again = counting(threads)
    again.run([rows], order[:16], 8)
    again.run([rows], order[: 8 * (taken - 2)], 8)
    assert held(program) == held(again)
    # Both go on alike.
    for one in (program, again):
        one.run([rows], None, 10)
    assert held(program) == held(again)


LONG = {
    "loop": (lambda x, y: weft.sum(weft.tanh(weft.sin(x * y)), axis=1), 1000),
    "fold": (lambda x, y: weft.sum(weft.tanh(weft.sin(x * y))), 1000),
    "product": (lambda x, y: weft.exp(x + y) @ weft.cos(y[:, None] + y[:500]), 1000),
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", LONG)
def test_ctrl_c_drops_the_step_it_meets(name, threads):
    """It stops long before the step's end, and the state is as before the step."""
    build, columns = LONG[name]
    x, y = (
        weft.input("x", ("n", 1), "float64"),
        weft.input("y", (columns,), "float64"),
    )
    count = weft.parameter("count", (), "int64")
    program = weft.compile(
        [x, y], build(x, y), {count: count + 1}, {count: 0}, "native", threads
    )
    few, many = np.ones((2_000, 1)), np.ones((200_000, 1))
    program(few, np.ones(columns))
    began = time.perf_counter()
    program(few, np.ones(columns))
    whole = 100 * (time.perf_counter() - began)
    began = time.perf_counter()
    with pytest.raises(KeyboardInterrupt), ctrl_c(whole / 20):
        program(many, np.ones(columns))
    assert time.perf_counter() - began < whole / 2
    assert program.state[count] == 2
    program(few, np.ones(columns))
    assert program.state[count] == 3
