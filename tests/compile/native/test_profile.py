"""A profile adds up, says the truth about work, and leaves the program as it was."""

import numpy as np
import pytest

import weft
from weft.compile.native.machine import Machine, best, machine
from weft.compile.profile import Profile

ROWS = 64


def trained(engine: str = "native") -> weft.Program:
    """A network of one hidden layer that updates itself."""
    rng = np.random.default_rng(0)
    x = weft.input("x", ("n", 20))
    y = weft.input("y", ("n",), "int64")
    rate = weft.input("rate", ())
    leaves = {
        weft.parameter("W", (20, 32)): rng.standard_normal((20, 32)) / 5,
        weft.parameter("V", (32, 3)): rng.standard_normal((32, 3)) / 5,
    }
    W, V = leaves
    log_p = weft.log_softmax(weft.relu(x @ W) @ V, axis=1)
    cost = -weft.mean(weft.sum(log_p * weft.one_hot(y, 3), axis=1))
    slopes = weft.grad(cost, [W, V])
    updates = {leaf: leaf - rate * g for leaf, g in zip(leaves, slopes, strict=True)}
    return weft.compile([x, y, rate], cost, updates, leaves, engine=engine)


def data(rows: int = ROWS) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((rows, 20)).astype(np.float32)
    return [X, rng.integers(0, 3, rows), np.float32(0.1)]


def test_rows_and_what_lies_between_make_up_the_whole() -> None:
    program = trained()
    program.run(data(), np.arange(ROWS), 16)
    profile = program.profile()
    assert profile.sizes == {"n": 16}
    assert all(row.seconds >= 0 and row.limit >= 0 for row in profile.rows)
    total = sum(row.seconds for row in profile.rows) + profile.overhead
    # No more than what reading the clock costs, or a disturbance, may be off.
    assert profile.seconds <= total * (1 + 1e-9)
    assert total < 2 * profile.seconds
    assert sum(profile.beyond.values()) >= profile.seconds - profile.limit - 1e-12


def test_products_are_counted_by_their_shapes() -> None:
    program = trained()
    program(*data())
    rows = program.profile().rows
    products = [row for row in rows if row.kind == "products"]
    forward, backward = 20 * 32 + 32 * 3, 20 * 32 + 2 * 32 * 3
    least = 2 * ROWS * (forward + backward)
    assert least <= sum(row.flops for row in products) < 1.1 * least
    assert not any(row.kind == "rows in and out" for row in rows)


def test_sums_count_what_is_behind_them_once() -> None:
    x = weft.input("x", (100, 7))
    total = weft.sum(x, axis=1)
    program = weft.compile([x], total * total - total, engine="native")
    [row] = program.profile().rows
    # 7 additions, a product and a difference in each of 100 rows.
    assert row.flops == 100 * (7 + 2)
    assert row.bytes == 4 * 100 * (7 + 1)


def test_the_state_and_later_results_stay_the_same() -> None:
    program, other = trained(), trained()
    for one in (program, other):
        one.run(data(), np.arange(ROWS), 16)
    before = {leaf.name: value for leaf, value in program.state.items()}
    program.profile()
    for leaf, value in program.state.items():
        np.testing.assert_array_equal(value, before[leaf.name])
    np.testing.assert_array_equal(
        program.run(data(), np.arange(ROWS), 16), other.run(data(), np.arange(ROWS), 16)
    )


def test_rows_by_step_and_outputs_are_shown_apart() -> None:
    program = trained()
    X, y, rate = data()
    program.run([X, y, np.full(4, rate)], None, 16)
    kinds = [row.kind for row in program.profile().rows]
    assert kinds.count("rows in and out") == 2


def test_sizes_have_to_be_known() -> None:
    with pytest.raises(weft.FeedError, match="has no sizes yet"):
        trained().profile()


def test_without_symbols_no_call_is_needed() -> None:
    x = weft.input("x", (8, 8), "float64")
    program = weft.compile([x], weft.exp(x @ x), engine="native")
    assert program.profile().seconds > 0


def test_another_engine_says_which_one_to_ask() -> None:
    program = trained("reference")
    program(*data())
    with pytest.raises(weft.GraphError, match="engine='native'"):
        program.profile()


def test_a_profile_reads_as_a_table() -> None:
    program = trained()
    program(*data())
    profile = program.profile()
    lines = str(profile).splitlines()
    titles = [row.name for row in profile.rows]
    shown = [line for line in lines if any(line.endswith(title) for title in titles)]
    assert len(shown) == len(titles)
    assert "n = 64, 1 thread" in lines[0]
    assert (
        len({line.index(title) for line, title in zip(shown, titles, strict=True)}) == 1
    )


def test_limits_are_ordered_as_machines_are() -> None:
    found = machine()
    assert isinstance(found, Machine) and machine() is found
    for dtype in ("float32", "float64"):
        assert 0 < found.peak(dtype, 1) <= found.peak(dtype, found.cores)
    assert found.peak("float64") < found.peak("float32")
    sizes = [size for size, _ in found.bandwidths[1]]
    rates = [found.bandwidth(size) for size in sizes]
    assert sizes == sorted(sizes) and rates == sorted(rates, reverse=True)
    assert found.bandwidth(1 << 40) == rates[-1]
    assert best(found, found) == found


def test_an_empty_profile_reaches_its_limit() -> None:
    assert Profile((), 0.0, 1, {}).share == 1.0
