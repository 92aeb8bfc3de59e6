"""The debug engines find the first kernel that goes wrong, and the line behind it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weft
from weft import nn, train
from weft.compile.native import debug

ENGINES = ("debug", "compare")


def network(engine: str, rows: str = "n") -> tuple[weft.Program, weft.Node]:
    """Two layers and gradient descent with momentum."""
    rng = np.random.default_rng(0)
    x, y = weft.input("x", (rows, 5)), weft.input("y", (rows,), "int64")
    state = {
        weft.parameter("W", (5, 16)): rng.standard_normal((5, 16)),
        weft.parameter("V", (16, 3)): rng.standard_normal((16, 3)),
        weft.parameter("m", (5, 16)): np.zeros((5, 16)),
    }
    W, V, m = state
    log_p = weft.log_softmax(weft.tanh(x @ W) @ V, axis=1)
    cost = -weft.mean(weft.sum(log_p * weft.one_hot(y, 3), axis=1))
    dW, dV = weft.grad(cost, [W, V])
    moved = 0.9 * m + dW
    updates = {W: W - 0.1 * moved, V: V - 0.1 * dV, m: moved}
    return weft.compile([x, y], cost, updates, state, engine=engine), W


def data(rows: int = 40) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((rows, 5)).astype(np.float32)
    return [x, rng.integers(0, 3, rows)]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_healthy_program_computes_the_same_bits(engine: str) -> None:
    (watched, _), (native, _) = network(engine), network("native")
    order = np.random.default_rng(2).permutation(40)
    costs = [program.run(data(), order, 16) for program in (watched, native)]
    np.testing.assert_array_equal(*costs)
    np.testing.assert_array_equal(watched(*data()), native(*data()))
    for one, other in zip(watched.state.values(), native.state.values(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_line_that_overflows_is_named(engine: str) -> None:
    x = weft.input("x", ("n", 3))
    W = weft.parameter("W", (3, 4))
    h = weft.tanh(x @ W)
    scores = weft.exp(200 * h)  # beyond float32 from h = 0.45 on
    share = scores - weft.mean(scores, axis=1, keepdims=True)
    weights = np.full((3, 4), 0.01, np.float32)
    weights[2, 1] = 2.0
    program = weft.compile([x], share, state={W: weights}, engine=engine)
    rows = np.zeros((5, 3), np.float32)
    program(rows)
    rows[3, 2] = 1.0
    with pytest.raises(weft.DebugError) as caught:
        program(rows)
    said = str(caught.value)
    assert "is inf at [3, 1], made of 192" in said
    assert "exp(" in said and "kernel" in said
    assert "scores = weft.exp(200 * h)" in said and __file__ in said


def test_a_step_that_fails_leaves_the_state_as_it_was() -> None:
    x = weft.input("x", ("n",))
    w = weft.parameter("w", (4,))
    slope = weft.grad(weft.sum(weft.exp(w) * weft.sum(x)), w)
    updates = {w: w - slope}
    program = weft.compile([x], weft.sum(w), updates, {w: np.ones(4)}, "debug")
    program(np.full(3, -0.1, np.float32))
    before = program.state[w]
    with pytest.raises(weft.DebugError, match="inf"):
        program(np.full(3, -3e38, np.float32))
    np.testing.assert_array_equal(program.state[w], before)
    assert np.isfinite(program(np.full(3, 0.1, np.float32)))


def test_an_update_that_overflows_in_place_is_found() -> None:
    w = weft.parameter("w", (3,))
    program = weft.compile([], w, {w: w * w}, {w: np.full(3, 1e10)}, engine="debug")
    program()
    with pytest.raises(weft.DebugError, match=r"inf at \[0\], made of 1e\+20"):
        program()


def test_a_product_that_overflows_is_told_by_what_it_was_made_of() -> None:
    a, b = weft.input("a", (2, 3)), weft.input("b", (3, 2))
    program = weft.compile([a, b], a @ b, engine="debug")
    with pytest.raises(weft.DebugError, match=r"at most 1e\+30 and b.*at most 1e\+30"):
        program(np.full((2, 3), 1e30), np.full((3, 2), 1e30))


def test_what_is_given_is_blamed_if_no_kernel_is() -> None:
    program, _ = network("debug")
    x, y = data()
    x[7, 2] = np.nan
    with pytest.raises(weft.DebugError, match=r"x.* is given with nan at \[7, 2\]"):
        program(x, y)


def test_infinity_that_is_given_and_goes_away_is_no_mistake() -> None:
    x = weft.input("x", (3,))
    program = weft.compile([x], weft.exp(-x), engine="debug")
    found = program(np.array([0, np.inf, np.inf], np.float32))
    np.testing.assert_array_equal(found, [1, 0, 0])


def test_pieces_are_looked_at_when_they_are_all_there() -> None:
    x = weft.input("x", ("n",))
    joined = weft.concatenate([weft.exp(x), x, weft.exp(2 * x)])
    program = weft.compile([x], joined * 2.0, engine="compare")
    values = np.array([0.5, 1.0], np.float32)
    expected = 2 * np.concatenate([np.exp(values), values, np.exp(2 * values)])
    np.testing.assert_allclose(program(values), expected, rtol=1e-6)


Corrupt = Callable[[str, Callable[[], Any]], None]


@pytest.fixture
def corrupt(monkeypatch: pytest.MonkeyPatch) -> Corrupt:
    """Spoil what is written by the kernel with a given op, behind the kernel."""
    run_entry = debug._run_entry

    def spoil(op: str, what: Callable[[np.ndarray], None]) -> None:
        def spoilt(frame: Any, i: int) -> None:
            run_entry(frame, i)
            step = frame.steps[i]
            if any(node.op.name == op for node in step.nodes):
                what(frame.view(step.writes[-1]))

        monkeypatch.setattr(debug, "_run_entry", spoilt)

    return spoil


def test_a_kernel_that_is_slightly_wrong_is_found_by_comparison(
    corrupt: Corrupt,
) -> None:
    def one_off(value: np.ndarray) -> None:
        value.reshape(-1)[3] += 0.01

    corrupt("tanh", one_off)
    program, _ = network("debug")
    program(*data())
    program, W = network("compare")
    before = program.state[W]
    with pytest.raises(weft.DebugError) as caught:
        program(*data())
    said = str(caught.value)
    assert "at [0, 3], where the reference is" in said and "(1 of 640 differ)" in said
    assert "tanh((x @ W))" in said and "log_p = weft.log_softmax(weft.tanh(" in said
    np.testing.assert_array_equal(program.state[W], before)


def test_a_kernel_that_alone_makes_nan_is_told_from_the_formula(
    corrupt: Corrupt,
) -> None:
    corrupt("tanh", lambda value: value.fill(np.nan))
    program, _ = network("debug")
    with pytest.raises(weft.DebugError, match="where the reference is finite"):
        program(*data())


def test_mistakes_of_the_caller_are_told_as_ever() -> None:
    x, i = weft.input("x", (4,)), weft.input("i", (2,), "int64")
    program = weft.compile([x, i], weft.take(x, i), engine="debug")
    with pytest.raises(weft.FeedError):
        program(np.zeros(4, np.float32), np.array([0, 9]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_fit_can_be_debugged(dtype: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    y = rng.integers(0, 3, 60)
    described = nn.mlp([8], "relu", nn.Categorical(3))
    fits = [
        train.fit(described, X, y, epochs=2, batch_size=25, dtype=dtype, engine=engine)
        for engine in ("compare", "native")
    ]
    first, second = ([epoch.cost for epoch in fit.history] for fit in fits)
    assert first == second
