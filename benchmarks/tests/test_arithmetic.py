"""The arithmetic that needs no peer: counts, limits, laws, and who agrees."""

# A test's name says what it shows.
# ruff: noqa: D101, D102, D103

from dataclasses import replace

import numpy as np
import pytest
from benchmarks import growth, steps
from benchmarks.fits import Fit, ratios
from benchmarks.machine import Machine
from benchmarks.steps import Result, Timing, judged
from benchmarks.workloads import (
    WORKLOADS,
    BenchmarkError,
    bytes_moved,
    flops,
    limit,
    named,
    working_set,
)

from weft.apps.bench import problem

(TINY,) = named(["tiny"])
(DEEP,) = named(["deep"])

# 2 batch sum(m n times the products of that layer), with numbers put in by hand.
FLOPS = {
    "tiny": 2 * 32 * (2 * 2 * 8 + 3 * 8 * 8 + 3 * 8 * 2),
    "small": 2 * 32 * (2 * 20 * 64 + 3 * 64 * 64 + 3 * 64 * 2),
    "table": 2 * 256 * (2 * 54 * 256 + 3 * 256 * 256 + 3 * 256 * 7),
    "mnist": 2 * 128 * (2 * 784 * 256 + 3 * 256 * 256 + 3 * 256 * 10),
    "wide": 2 * 512 * (2 * 784 * 1024 + 6 * 1024 * 1024 + 3 * 1024 * 10),
    "deep": 2 * 128 * (2 * 64 * 128 + 19 * 3 * 128 * 128 + 3 * 128),
    "hvp": 2 * 1024 * (3 * 784 * 256 + 8 * 256 * 256 + 8 * 256 * 10),
    "predict-1": 2 * (20 * 64 + 64 * 64 + 64 * 2),
}


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda w: w.name)
def test_flops_are_those_counted_by_hand(workload):
    assert flops(workload) == FLOPS[workload.name]


def test_parameters_and_bytes_of_tiny_are_those_counted_by_hand():
    parameters = (2 * 8 + 8) + (8 * 8 + 8) + (8 * 2 + 2)
    rows, units = 32 * 2, 32 * 16
    assert TINY.parameters == parameters
    assert bytes_moved(TINY) == 4 * (6 * parameters + rows + 2 * units)
    assert working_set(TINY) == 4 * (4 * parameters + rows + units)


def test_the_limit_is_the_larger_of_the_two():
    assert limit(TINY, peak=flops(TINY), bandwidth=float("inf")) == 1
    assert limit(TINY, peak=float("inf"), bandwidth=bytes_moved(TINY) / 3) == 3


def test_every_hidden_layer_is_in_one_block():
    for workload in WORKLOADS:
        layers = [i for block in workload.blocks for i in block]
        assert layers == list(range(len(workload.hidden)))
    sizes = [len(block) for block in DEEP.blocks]
    assert sizes == [1, *[2] * 9, 1]


def test_epochs_are_whole_batches_of_at_most_60_000_rows():
    assert all(w.rows % w.batch == 0 and w.rows <= 60_000 for w in WORKLOADS)


def test_an_unknown_workload_is_one_clear_line():
    with pytest.raises(BenchmarkError, match="no workload 'huge': choose from tiny"):
        named(["huge"])


def test_problems_and_orders_are_the_same_whoever_draws_them():
    one, other = problem.make(TINY), problem.make(TINY)
    assert np.array_equal(one.X, other.X) and np.array_equal(one.y, other.y)
    for (W, b), (V, c), shape in zip(
        one.layers, other.layers, TINY.shapes, strict=True
    ):
        assert np.array_equal(W, V) and np.array_equal(b, c)
        assert W.shape == shape and W.dtype == b.dtype == np.float32
    assert np.array_equal(problem.order(TINY, 1), problem.order(TINY, 1))
    assert not np.array_equal(problem.order(TINY, 1), problem.order(TINY, 2))
    assert np.array_equal(np.sort(problem.order(TINY, 1)), np.arange(TINY.rows))


def test_first_weights_have_the_spread_of_he_and_glorot():
    (mnist,) = named(["mnist"])
    first, _, last = problem.make(replace(mnist, steps=1)).layers
    assert first[0].std() == pytest.approx((2 / 784) ** 0.5, rel=0.02)
    assert last[0].std() == pytest.approx((2 / 266) ** 0.5, rel=0.05)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_a_power_law_is_found(exponent):
    sizes = [1, 2, 4, 8, 16]
    law = growth.power_law(sizes, [3 * n**exponent for n in sizes])
    assert law.factor == pytest.approx(3)
    assert law.exponent == pytest.approx(exponent)
    assert law.r2 == pytest.approx(1)


def test_the_exponent_is_the_slope_of_least_squares():
    sizes, seconds = [1, 2, 4], [1.0, 4.0, 4.0]
    law = growth.power_law(sizes, seconds)
    # Logarithms to base 2: (0, 0), (1, 2), (2, 2); slope 1, offset 1/3.
    assert law.exponent == pytest.approx(1)
    assert law.factor == pytest.approx(2 ** (1 / 3))
    assert law.r2 == pytest.approx(1 - (1 / 9 + 4 / 9 + 1 / 9) / (8 / 3))


def timing(library, cost, us=1.0, threads=1):
    name = f"{library} {threads}"
    return Timing(name, library, threads, 0.0, (us, us, us), (cost, cost))


def test_who_does_not_agree_does_not_count():
    given = [
        *(timing("weft", 1.0), timing("torch", 1.0005)),
        *(timing("jax", 1.0), timing("sklearn", 1.002)),
    ]
    assert [t.counts for t in judged(given)] == [True, True, True, False]


def test_settings_of_one_library_make_no_majority():
    wrong = [timing("jax", 2.0, threads=n) for n in (1, 2, 3, 4)]
    given = [timing("weft", 1.0), timing("torch", 1.0), *wrong]
    assert [t.counts for t in judged(given)] == [True, True] + [False] * 4


def test_a_cost_that_is_no_number_does_not_count():
    given = [timing("weft", float("nan")), timing("torch", 1.0), timing("jax", 1.0)]
    assert not judged(given)[0].counts


def test_ratio_and_share_are_those_of_the_best_that_count():
    timings = judged(
        [
            *(timing("weft", 1.0, us=20), timing("weft", 1.0, us=10, threads=2)),
            *(timing("torch", 1.0, us=40), timing("jax", 1.0, us=30)),
            timing("sklearn", 5.0, us=1),
        ]
    )
    result = Result(TINY, timings, {}, peak=flops(TINY) / 4e-6, bandwidth=1e30)
    assert result.best_peer.library == "jax"
    assert result.ratio == pytest.approx(3)
    assert result.share == pytest.approx(0.4)


def test_who_stumbles_is_out_and_says_why():
    runner = steps.Runner(None, StumblingProcess())
    for _ in range(4):
        runner.turn()
    assert runner.process.calls == 2
    assert (runner.taken, runner.trouble) == ([1], "MemoryError: no more")


class StumblingProcess:
    def __init__(self):
        self.calls = 0

    def call(self, function, *args):
        self.calls += 1
        if self.calls > 1:
            raise BenchmarkError("MemoryError: no more")
        return 1


def test_fits_are_compared_by_their_best_setting():
    seconds = {("weft", 1): 2.0, ("weft", 2): 1.0, ("sklearn", 1): 5.0}
    fits = [
        Fit("iris", f"{key} {n}", key, s, 1, 0.0, 1.0)
        for (key, n), s in seconds.items()
    ]
    alone = Fit("digits", "weft 1", "weft", 1.0, 1, 0.0, 1.0)
    assert ratios([*fits, alone]) == {"iris": 5.0}


def test_a_machine_keeps_its_best():
    machine = Machine()
    machine.look(repeats=1)
    first = machine.peak(TINY)
    machine.look(repeats=1)
    assert machine.peak(TINY) >= first > 0
    machine.look_at_memory(TINY, repeats=3)
    assert machine.bandwidth(TINY) > 0
