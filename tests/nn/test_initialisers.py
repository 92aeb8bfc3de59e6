"""Initialisers draw with the spread they state, from the seed alone."""

import math

import numpy as np
import pytest

import weft
from weft import nn

DRAWN = [
    nn.Glorot(),
    nn.Glorot("normal", gain=2.0),
    nn.He(),
    nn.He("uniform", slope=0.25),
    nn.LeCun(),
    nn.LeCun("uniform", gain=0.5),
    nn.Uniform(-0.1, 0.3),
    nn.Normal(0.02),
    nn.RandomPhase(),
]


@pytest.mark.parametrize("initialiser", DRAWN, ids=repr)
def test_the_sampled_spread_is_the_stated_one_within_three_sigma(initialiser):
    shape = (120, 80)
    values = initialiser.init(np.random.default_rng(5), shape)
    assert values.shape == shape and values.dtype == np.float64
    spread = initialiser.std(shape)
    centred = values - values.mean()
    # The standard error of a sample variance, from the sample's own fourth moment.
    error = np.sqrt((np.mean(centred**4) - spread**4) / values.size)
    assert abs(np.mean(centred**2) - spread**2) < 3 * error


@pytest.mark.parametrize(
    ("initialiser", "variance"),
    [
        (nn.Glorot(), 2 / (120 + 80)),
        (nn.He(), 2 / 120),
        (nn.He(slope=0.5), 2 / (1.25 * 120)),
        (nn.LeCun(), 1 / 120),
        (nn.Uniform(-1, 1), 1 / 3),
        (nn.Orthogonal(), 1 / 120),
    ],
    ids=repr,
)
def test_the_stated_spread_is_the_papers(initialiser, variance):
    assert initialiser.std((120, 80)) == pytest.approx(math.sqrt(variance))


@pytest.mark.parametrize("initialiser", DRAWN, ids=repr)
def test_a_draw_is_a_function_of_the_seed(initialiser):
    one, two, other = (
        initialiser.init(np.random.default_rng(seed), (4, 3)) for seed in (1, 1, 2)
    )
    assert np.array_equal(one, two) and not np.array_equal(one, other)


@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (5, 5)])
def test_orthogonal_columns_or_rows(shape):
    q = nn.Orthogonal(2.0).init(np.random.default_rng(0), shape) / 2.0
    small = q.T @ q if shape[0] >= shape[1] else q @ q.T
    assert np.allclose(small, np.eye(min(shape)), atol=1e-12)


def test_orthogonal_matrices_are_drawn_from_both_sides():
    rng = np.random.default_rng(0)
    signs = {
        round(float(np.linalg.det(nn.Orthogonal().init(rng, (3, 3)))))
        for _ in range(20)
    }
    assert signs == {-1, 1}


def test_constants():
    rng = np.random.default_rng(0)
    assert np.array_equal(nn.Zeros().init(rng, (2, 2)), np.zeros((2, 2)))
    assert np.array_equal(nn.Constant(0.1).init(rng, (3,)), np.full(3, 0.1))


def test_a_random_phase_covers_the_circle():
    phases = nn.RandomPhase().init(np.random.default_rng(0), (4000,))
    assert 0 <= phases.min() < 0.01 and 2 * math.pi - 0.01 < phases.max() < 2 * math.pi
    counts, _ = np.histogram(phases, 8, (0, 2 * math.pi))
    assert (abs(counts - 500) < 5 * math.sqrt(500 * 7 / 8)).all()


def active_fraction(bias):
    """Measure how many rectifiers of a first layer are active for N(0, 1) inputs."""
    network = nn.mlp([400], "relu", nn.Gaussian(), bias=bias)
    params = network.init(seed=3, in_features=25, dtype="float64")
    x = weft.input("x", ("n", 25), "float64")
    leaves = network.symbols(25, "float64")
    h = network.hidden(leaves, x)
    feed = {leaves["0"][k]: params["0"][k] for k in ("W", "b")}
    rows = np.random.default_rng(4).normal(size=(500, 25))
    return (weft.evaluate(h, {**feed, x: rows}) > 0).mean()


def test_a_small_positive_bias_makes_more_units_active_by_the_predicted_amount():
    # He weights: a pre-activation is N(b, 2), so it is above 0 with Phi(b / sqrt 2).
    predicted = 0.5 * math.erf(0.1 / 2)
    gained = active_fraction(nn.Constant(0.1)) - active_fraction(nn.Zeros())
    assert gained == pytest.approx(predicted, abs=0.003)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Glorot("lognormal"),
        lambda: nn.LeCun(gain=0.0),
        lambda: nn.Uniform(1, 1),
        lambda: nn.Normal(-1.0),
    ],
)
def test_impossible_settings_are_refused(make):
    with pytest.raises(nn.DescriptionError):
        make()
