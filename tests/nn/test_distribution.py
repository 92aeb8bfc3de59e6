"""Distributions in numbers, held against SciPy and against their own draws."""

import math

import numpy as np
import pytest
from scipy import stats

from weft import nn

M = np.array([-1.0, 0.0, 2.5])
S = np.array([0.5, 1.0, 3.0])

PAIRS = {
    "normal": (nn.NormalDistribution(M, S), stats.norm(M, S)),
    "laplace": (nn.LaplaceDistribution(M, S), stats.laplace(M, S)),
    "bernoulli": (nn.BernoulliDistribution(M), stats.bernoulli(1 / (1 + np.exp(-M)))),
    "poisson": (nn.PoissonDistribution(np.log(S)), stats.poisson(S)),
}
each = pytest.mark.parametrize(("ours", "scipys"), PAIRS.values(), ids=PAIRS.keys())


@each
def test_moments(ours, scipys):
    assert np.allclose(ours.mean(), scipys.mean(), rtol=1e-12)
    assert np.allclose(ours.std(), scipys.std(), rtol=1e-12)


@each
@pytest.mark.parametrize("q", [0.001, 0.05, 0.3, 0.5, 0.7, 0.95, 0.999])
def test_quantiles(ours, scipys, q):
    assert np.allclose(ours.quantile(q), scipys.ppf(q), rtol=1e-12)


@each
def test_intervals(ours, scipys):
    low, high = ours.interval(0.8)
    assert np.allclose(low, scipys.ppf(0.1)) and np.allclose(high, scipys.ppf(0.9))


@each
def test_log_probabilities(ours, scipys):
    y = np.array([0, 1, 1])
    log = scipys.logpdf if hasattr(scipys.dist, "pdf") else scipys.logpmf
    assert np.allclose(ours.log_prob(y), log(y), rtol=1e-12)


@each
def test_draws_have_the_moments(ours, scipys):
    rng = np.random.default_rng(0)
    draws = np.array([ours.sample(rng) for _ in range(4000)])
    assert (
        abs(draws.mean(axis=0) - ours.mean()) < 4 * ours.std() / math.sqrt(4000)
    ).all()
    assert np.allclose(draws.std(axis=0), ours.std(), rtol=0.1)


def test_modes():
    assert nn.BernoulliDistribution(M).mode().tolist() == [0, 0, 1]
    assert nn.NormalDistribution(M, S).mode() is M
    assert nn.LaplaceDistribution(M, S).mode() is M
    assert nn.PoissonDistribution(np.log([2.5])).mode().tolist() == [2.0]


def test_categories():
    p = np.array([[0.2, 0.5, 0.3], [0.9, 0.05, 0.05]])
    d = nn.CategoricalDistribution(np.log(p) + 7)
    assert np.allclose(d.mean(), p) and d.mode().tolist() == [1, 0]
    assert np.allclose(d.std(), np.sqrt(p * (1 - p)))
    assert np.allclose(d.log_prob(np.array([2, 0])), np.log([0.3, 0.9]))
    assert np.allclose(d.log_prob(np.eye(3)[[2, 0]]), np.log([0.3, 0.9]))
    rng = np.random.default_rng(0)
    draws = np.array([d.sample(rng) for _ in range(3000)])
    assert abs(np.mean(draws[:, 0] == 1) - 0.5) < 4 * math.sqrt(0.25 / 3000)
    with pytest.raises(nn.DistributionError, match="no order"):
        d.interval(0.9)


def test_sure_categories_keep_their_log_probabilities():
    d = nn.CategoricalDistribution(np.array([[0.0, -2000.0]]))
    assert d.log_prob(np.array([1])) == -2000.0 and d.mean().tolist() == [[1.0, 0.0]]


def test_several_outputs_add_up():
    both = nn.NormalDistribution(np.stack([M, M], 1), np.array([1.0, 2.0]))
    y = np.ones((3, 2))
    alone = stats.norm(M, 1).logpdf(1) + stats.norm(M, 2).logpdf(1)
    assert np.allclose(both.log_prob(y), alone) and both.std().shape == (3, 2)


@pytest.mark.parametrize("q", [0.0, 1.0, -1, 1.5, float("nan")])
def test_impossible_levels_are_refused(q):
    for ours, _ in PAIRS.values():
        with pytest.raises(nn.DistributionError):
            ours.quantile(q)
        with pytest.raises(nn.DistributionError):
            ours.interval(q)
