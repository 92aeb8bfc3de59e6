"""Random numbers as functions: known answers, uniformity, independence, cutting."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

import weft
from weft.ops.random import philox

# The known answers of Random123's philox4x32-10: zeros, ones, and digits of pi.
KNOWN = [
    (
        (0, 0, 0, 0),
        (0, 0),
        (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
    ),
    (
        (0xFFFFFFFF,) * 4,
        (0xFFFFFFFF,) * 2,
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN, ids=["0", "1", "pi"])
def test_known_answers(counter, key, expected):
    def words(values):
        return tuple(np.array([v], np.uint64) for v in values)

    found = philox(words(counter), words(key))
    assert tuple(int(w[0]) for w in found) == expected


def draw(shape, seed=0, step=0, stream="s", index=None, dtype="float64"):
    return weft.random_uniform(seed, step, shape, stream, index, dtype).numpy()


# Shape of the distribution ----------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(200, 500), (100_000,), (10, 10_000)])
def test_uniform(shape, dtype):
    u = draw(shape, dtype=dtype).ravel()
    assert u.dtype == dtype
    assert u.min() >= 0
    assert u.max() < 1
    counts = np.histogram(u, 100, (0, 1))[0]
    assert scipy.stats.chisquare(counts).pvalue > 1e-4
    assert scipy.stats.kstest(u.astype(float), "uniform").pvalue > 1e-4


def test_low_bits_are_random_too():
    u = draw((100_000,), dtype="float32")
    low = (u * 2.0**24).astype(np.int64) % 64
    assert scipy.stats.chisquare(np.bincount(low, minlength=64)).pvalue > 1e-4
    v = draw((100_000,), dtype="float64")
    low = (v * 2.0**53).astype(np.int64) % 64
    assert scipy.stats.chisquare(np.bincount(low, minlength=64)).pvalue > 1e-4


def test_pairs_fill_the_square():
    u = draw((50_000, 2))
    counts = np.histogram2d(u[:, 0], u[:, 1], 20, [[0, 1], [0, 1]])[0]
    assert scipy.stats.chisquare(counts.ravel()).pvalue > 1e-4
    counts = np.histogram2d(u[:-1, 0], u[1:, 0], 20, [[0, 1], [0, 1]])[0]
    assert scipy.stats.chisquare(counts.ravel()).pvalue > 1e-4


VARIANTS = {
    "seed": ({"seed": 1}, {"seed": 2}),
    "step": ({"step": 1}, {"step": 2}),
    "stream": ({"stream": "a"}, {"stream": "b"}),
    "large-step": ({"step": 1}, {"step": 1 + 2**32}),
    "large-seed": ({"seed": 1}, {"seed": 1 + 2**32}),
    "negative-seed": ({"seed": 1}, {"seed": -1}),
    "seed-and-step": ({"seed": 1, "step": 0}, {"seed": 0, "step": 1}),
}


@pytest.mark.parametrize(("one", "other"), VARIANTS.values(), ids=VARIANTS)
def test_different_streams_are_independent(one, other):
    u, v = draw((20_000,), **one), draw((20_000,), **other)
    assert not np.array_equal(u, v)
    assert abs(np.corrcoef(u, v)[0, 1]) < 0.03
    counts = np.histogram2d(u, v, 10, [[0, 1], [0, 1]])[0]
    assert scipy.stats.chisquare(counts.ravel()).pvalue > 1e-4


def test_steps_and_samples_are_independent():
    table = np.stack([draw((2000,), step=k) for k in range(20)])
    correlation = np.corrcoef(table) - np.eye(20)
    assert np.abs(correlation).max() < 0.12
    assert len(np.unique(table)) == table.size


def test_samples_far_apart_differ():
    index = weft.constant([0, 1, 2**32, 2**32 + 1, 2**40])
    u = draw((5, 4), index=index)
    assert len(np.unique(u)) == 20


# A pure function of explicit things -----------------------------------------------


def test_the_same_again():
    first = weft.random_uniform(3, 4, (5, 2), "layer/0")
    assert weft.random_uniform(3, 4, (5, 2), "layer/0") is first
    x = weft.random_uniform(3, 4, (5, 2), "layer/0").numpy()
    assert np.array_equal(x, first.numpy())


def test_values_are_fixed_for_ever():
    """A model trained with a seed must train so again: these may never change."""
    assert draw((2, 2), 1, 2, "a").tolist() == [
        [0.3694446184242238, 0.6568703765011777],
        [0.5302156144967194, 0.7611014384355692],
    ]
    assert draw((3,), 1, 2, "a", dtype="float32").tolist() == [
        0.3694446086883545,
        0.5302155613899231,
        0.1314176321029663,
    ]


@given(st.lists(st.integers(1, 7), min_size=1, max_size=5), st.integers(0, 9))
def test_however_a_batch_is_cut(lengths, step):
    total = sum(lengths)
    seed, now = weft.input("seed", (), "int64"), weft.input("step", (), "int64")
    index = weft.input("index", ("n",), "int64")
    node = weft.random_uniform(seed, now, ("n", 3), "mask", index)
    feed = {seed: 5, now: step}
    whole = weft.evaluate(node, {**feed, index: np.arange(total)})
    ends = np.cumsum([0, *lengths])
    parts = [
        weft.evaluate(node, {**feed, index: np.arange(a, b)}) for a, b in pairwise(ends)
    ]
    assert np.array_equal(np.concatenate(parts), whole)
    at_once = weft.random_uniform(5, step, (total, 3), "mask").numpy()
    assert np.array_equal(at_once, whole)


def test_a_row_does_not_depend_on_the_width_before_it():
    narrow, wide = draw((4, 3)), draw((4, 8))
    assert np.array_equal(wide[:, :3], narrow)


def test_seed_and_step_may_be_symbols():
    step = weft.input("step", (), "int32")
    node = weft.random_uniform(7, step, (4,), "s", dtype="float64")
    for k in (0, 1, 1000):
        assert np.array_equal(weft.evaluate(node, {step: k}), draw((4,), 7, k))


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 3, 4), (0, 2), (2, 0)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shapes(shape, dtype):
    node = weft.random_uniform(1, 0, shape, dtype=dtype)
    assert node.shape == node.numpy().shape == shape
    assert weft.random_normal(1, 0, shape, dtype=dtype).numpy().shape == shape
    assert weft.random_bernoulli(0.5, 1, 0, shape).numpy().shape == shape


def test_vmap_over_seeds_and_steps():
    seed, step = weft.input("seed", (), "int64"), weft.input("step", (), "int64")
    node = weft.random_uniform(seed, step, (3, 2), "s", dtype="float64")
    seeds, steps = (
        weft.input("seeds", ("k",), "int64"),
        weft.input("t", ("k",), "int64"),
    )
    many = weft.vmap(node, {seed: seeds, step: steps})
    found = weft.evaluate(many, {seeds: [1, 2], steps: [5, 6]})
    assert np.array_equal(found, np.stack([draw((3, 2), 1, 5), draw((3, 2), 2, 6)]))


def test_no_derivative_flows():
    x = weft.input("x", (3,), "float64")
    noise = weft.random_uniform(1, 0, (3,), dtype="float64")
    gradient = weft.grad(weft.sum(x * noise), x)
    assert np.array_equal(weft.evaluate(gradient, {x: np.ones(3)}), noise.numpy())


# Normal and Bernoulli -------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal(dtype):
    z = weft.random_normal(3, 0, (100_000,), "noise", dtype=dtype).numpy()
    assert z.dtype == dtype
    assert np.all(np.isfinite(z))
    z = z.astype(float)
    assert abs(z.mean()) < 0.015
    assert abs(z.var() - 1) < 0.02
    assert abs(scipy.stats.skew(z)) < 0.04
    assert abs(scipy.stats.kurtosis(z)) < 0.08
    assert scipy.stats.kstest(z, "norm").pvalue > 1e-4
    assert np.abs(z).max() > 3.8  # the tails are there


def test_normal_is_finite_at_the_ends_of_uniform():
    """The radius takes log(1 - u), and u = 0 is possible, u = 1 is not."""
    u = np.array([0.0, 1 - 2.0**-24], "float32")
    radius = weft.sqrt(-2 * weft.log1p(-weft.constant(u))).numpy()
    assert radius[0] == 0
    assert np.isfinite(radius[1])


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_bernoulli(p):
    mask = weft.random_bernoulli(p, 1, 0, (50_000,)).numpy()
    assert mask.dtype == bool
    count = int(mask.sum())
    assert scipy.stats.binomtest(count, mask.size, p).pvalue > 1e-4


def test_the_probability_may_be_a_run_time_value():
    p = weft.input("p", (), "float32")
    mask = weft.random_bernoulli(p, 1, 0, (1000,))
    low, high = (weft.evaluate(mask, {p: v}) for v in (0.2, 0.6))
    assert low.mean() < 0.3 < 0.5 < high.mean()
    assert np.all(high[low])  # the same numbers, another threshold


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: weft.random_uniform(0.5, 0, (2,)), "are integers, not float32"),
        (
            lambda: weft.random_uniform(1, 0, (2,), dtype="int64"),
            "are floats, not int64",
        ),
        (lambda: weft.random_normal(1, 0, (-2,)), "cannot be negative"),
    ],
)
def test_refused(make, message):
    with pytest.raises(weft.WeftError, match=message):
        make()
