"""Programs: simultaneous updates, state, epochs, and what they refuse."""

import threading

import numpy as np
import pytest

import weft
from weft.compile.interpret import Tape
from weft.graph.errors import FeedError, GraphError, ShapeError


def _descent(engine="reference"):
    """Least squares by gradient descent: inputs, cost, parameter, program."""
    x = weft.input("x", ("n", 2), "float64")
    y = weft.input("y", ("n",), "float64")
    rate = weft.input("rate", (), "float64")
    w = weft.parameter("w", (2,), "float64")
    cost = weft.mean(weft.square(x @ w - y))
    step = w - rate * weft.grad(cost, w)
    return w, weft.compile([x, y, rate], cost, {w: step}, {w: np.zeros(2)}, engine)


def _rows(n=7):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 2))
    return x, x @ [1.0, -2.0]


def _hand(x, y, w, rate):
    return w - rate * 2 / len(x) * x.T @ (x @ w - y)


def test_a_call_returns_the_old_cost_and_then_updates():
    x, y = _rows()
    w, program = _descent()
    first = program(x, y, 0.1)
    assert first == pytest.approx(np.mean(y**2))
    np.testing.assert_allclose(program.state[w], _hand(x, y, np.zeros(2), 0.1))


def test_updates_are_simultaneous():
    a, b = weft.parameter("a", ()), weft.parameter("b", ())
    program = weft.compile([], [a, b], {a: b, b: a + b}, {a: 0.0, b: 1.0})
    seen = [tuple(float(v) for v in program()) for _ in range(5)]
    assert seen == [(0, 1), (1, 1), (1, 2), (2, 3), (3, 5)]


def test_an_update_may_pass_an_input_on_without_sharing_its_memory():
    x, s = weft.input("x", (2,), "float64"), weft.parameter("s", (2,), "float64")
    program = weft.compile([x], s, {s: x}, {s: np.zeros(2)})
    mine = np.array([1.0, 2.0])
    program(mine)
    mine[:] = 99
    np.testing.assert_array_equal(program.state[s], [1.0, 2.0])


def test_the_first_state_is_copied():
    s = weft.parameter("s", (2,), "float64")
    mine = np.zeros(2)
    program = weft.compile([], s, {s: s + 1}, {s: mine})
    program()
    assert mine.tolist() == [0, 0]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_an_epoch_is_its_steps_one_by_one(size):
    x, y = _rows()
    order = np.random.default_rng(1).permutation(7)
    w, program = _descent()
    costs = program.run([x, y, 0.05], order, size)
    by_hand, expected = np.zeros(2), []
    for at in range(0, 7, size):
        rows = order[at : at + size]
        expected.append(np.mean((x[rows] @ by_hand - y[rows]) ** 2))
        by_hand = _hand(x[rows], y[rows], by_hand, 0.05)
    np.testing.assert_allclose(costs, expected, rtol=1e-12)
    np.testing.assert_allclose(program.state[w], by_hand, rtol=1e-12)


def test_an_input_with_one_more_axis_is_consumed_per_step():
    x, y = _rows(6)
    rates = np.array([0.1, 0.0, 0.2])
    w, program = _descent()
    program.run([x, y, rates], None, 2)
    by_hand = np.zeros(2)
    for k, rate in enumerate(rates):
        part = slice(2 * k, 2 * k + 2)
        by_hand = _hand(x[part], y[part], by_hand, rate)
    np.testing.assert_allclose(program.state[w], by_hand, rtol=1e-12)


def test_an_epoch_twice_gives_the_same_bits():
    x, y = _rows()
    states = []
    for _ in range(2):
        w, program = _descent()
        program.run([x, y, 0.1], [3, 1, 2, 0, 6], 2)
        states.append(program.state[w].tobytes())
    assert states[0] == states[1]


def test_an_epoch_of_no_rows_has_no_steps():
    w, program = _descent()
    assert program.run([np.zeros((0, 2)), np.zeros(0), 0.1], None, 4).shape == (0,)
    assert program.state[w].tolist() == [0, 0]


def test_calls_from_several_threads_lose_no_update():
    s = weft.parameter("s", (), "float64")
    program = weft.compile([], s, {s: s + 1}, {s: 0.0})
    threads = [
        threading.Thread(target=lambda: [program() for _ in range(50)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert program.state[s] == 400


def test_a_step_that_is_interrupted_changes_nothing(monkeypatch):
    x, y = _rows()
    w, program = _descent()
    program(x, y, 0.1)
    before = program.state[w].copy()

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(program._tape), "run", interrupt)
    with pytest.raises(KeyboardInterrupt):
        program(x, y, 0.1)
    np.testing.assert_array_equal(program.state[w], before)


def test_the_state_that_is_read_is_not_changed_by_later_steps():
    x, y = _rows()
    w, program = _descent()
    seen = program.state
    program(x, y, 0.1)
    assert seen[w].tolist() == [0, 0]
    with pytest.raises(TypeError):
        seen[w] = np.ones(2)


def test_symbolic_dimensions_are_checked_against_one_another():
    x, y = _rows()
    _, program = _descent()
    with pytest.raises(FeedError, match=r"y has shape .* n is 7 by x"):
        program(x, y[:5], 0.1)


@pytest.mark.parametrize(
    ("arrays", "order", "size", "says"),
    [
        (2, None, 2, "2 arrays were given for 3 inputs"),
        (3, [0, 7], 2, "outside 0 ... 6"),
        (3, [0.5], 2, "list of row numbers"),
        (3, None, 0, "at least one row"),
    ],
)
def test_an_epoch_refuses(arrays, order, size, says):
    x, y = _rows()
    _, program = _descent()
    with pytest.raises(FeedError, match=says):
        program.run([x, y, 0.1][:arrays], order, size)


def test_per_step_values_must_be_one_per_step():
    x, y = _rows()
    _, program = _descent()
    with pytest.raises(FeedError, match="2 entries, but there are 4 steps"):
        program.run([x, y, [0.1, 0.1]], None, 2)


def test_an_output_of_batch_shape_is_stacked_only_where_it_can_be():
    x = weft.input("x", ("n", 2), "float64")
    program = weft.compile([x], 2 * x)
    assert program.run([np.ones((4, 2))], None, 2).shape == (2, 2, 2)
    with pytest.raises(FeedError, match="smaller batch"):
        program.run([np.ones((5, 2))], None, 2)


def test_what_is_missing_or_foreign_is_named():
    x, y = weft.input("x", ("n",)), weft.input("y", ("n",))
    w = weft.parameter("w", ())
    with pytest.raises(FeedError, match="y: float32"):
        weft.compile([x], x + y)
    with pytest.raises(FeedError, match=r"w: float32\(\) is not in the state"):
        weft.compile([x], x * w)
    with pytest.raises(GraphError, match="is no input"):
        weft.compile([w], w, state={w: 1.0})
    with pytest.raises(GraphError, match="no parameter"):
        weft.compile([x], x, updates={x: x})
    with pytest.raises(ShapeError, match="shape and type must stay"):
        weft.compile([x], x, updates={w: x}, state={w: 1.0})
    with pytest.raises(GraphError, match="no engine 'fast'"):
        weft.compile([x], x, engine="fast")


def test_evaluate_takes_interior_nodes_and_keeps_the_structure():
    x = weft.input("x", (), "float64")
    h = weft.exp(x)
    got = weft.evaluate({"a": [h + 1, h]}, {h: 2.0})
    assert got == {"a": [3.0, 2.0]}


def test_evaluate_does_not_round_in_silence():
    k = weft.input("k", (), "int64")
    with pytest.raises(FeedError, match="was fed float64"):
        weft.evaluate(k + 1, {k: 2.5})


def test_threads_may_be_limited():
    x = weft.input("x", (3, 3), "float64")
    program = weft.compile([x], x @ x, threads=1)
    np.testing.assert_array_equal(program(np.eye(3)), np.eye(3))


def test_an_output_is_not_the_state_itself():
    w = weft.parameter("w", (2,), "float64")
    program = weft.compile([], [w, w + 1, (w + 1)[::-1]], {w: w + 1}, {w: np.zeros(2)})
    for output in program():
        output[:] = 99
    assert program.state[w].tolist() == [1, 1]
    still = weft.compile([], w, state={w: np.zeros(2)})
    still()[:] = 99
    assert still.state[w].tolist() == [0, 0]


def test_what_a_tape_remembers_is_replaced_and_never_changed():
    # Another thread may be looking something up in it.
    x = weft.input("x", ("n",))
    tape = Tape([2 * x], [x])
    for n in range(20):
        before = tape._params
        copy = dict(before)
        tape.run({x: np.ones(n, np.float32)}, {"n": n})
        assert before == copy
        assert len(tape._params) <= 8


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("int32", 2**40), ("int32", -(2**40)), ("int64", np.uint64(2**63))],
)
def test_integers_that_do_not_fit_are_not_wrapped(dtype, value):
    i = weft.input("i", (), dtype)
    with pytest.raises(FeedError, match=f"which {dtype} cannot hold"):
        weft.evaluate(i + 1, {i: value})
