"""Metrics against scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics

from weft import nn, train

RNG = np.random.default_rng(0)
WEIGHTS = [None, RNG.random(50)]


@pytest.mark.parametrize("weight", WEIGHTS, ids=["plain", "weighted"])
def test_accuracy(weight):
    logits, y = RNG.normal(size=(50, 3)), RNG.integers(0, 3, 50)
    found = train.accuracy(y, nn.CategoricalDistribution(logits), weight)
    expected = metrics.accuracy_score(y, logits.argmax(1), sample_weight=weight)
    assert found == pytest.approx(expected)
    soft = train.accuracy(np.eye(3)[y], nn.CategoricalDistribution(logits), weight)
    assert soft == found


def test_accuracy_of_several_labels_needs_them_all():
    y = np.array([[0.0, 1.0], [1.0, 1.0]])
    logits = np.array([[-1.0, 1.0], [1.0, -1.0]])
    assert train.accuracy(y, nn.BernoulliDistribution(logits)) == 0.5


@pytest.mark.parametrize("weight", WEIGHTS, ids=["plain", "weighted"])
@pytest.mark.parametrize("shape", [(50,), (50, 2)])
def test_regression(weight, shape):
    y, mean = RNG.normal(size=shape), RNG.normal(size=shape)
    d = nn.NormalDistribution(mean, np.ones(()))
    square = metrics.mean_squared_error(y, mean, sample_weight=weight)
    assert train.rmse(y, d, weight) == pytest.approx(np.sqrt(square))
    expected = metrics.r2_score(y, mean, sample_weight=weight)
    assert train.r2(y, d, weight) == pytest.approx(expected)


@pytest.mark.parametrize(("mean", "expected"), [(2.0, 1.0), (3.0, 0.0)])
def test_r2_of_a_constant_target(mean, expected):
    d = nn.NormalDistribution(np.full(4, mean), np.ones(()))
    assert train.r2(np.full(4, 2.0), d) == expected
