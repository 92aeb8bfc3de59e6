"""Output units: true densities, stable costs, targets refused with a reason."""

import math

import mpmath
import numpy as np
import pytest
from scipy import integrate, stats

import weft
from weft import nn
from weft.testing import check_grads


def nll(unit, raw, y, dtype="float64"):
    """Return the unit's cost of each row."""
    z = weft.input("z", ("n", unit.size), dtype)
    target = unit.as_target(y, np.dtype(dtype))
    leaf = unit.target(target)
    return weft.evaluate(unit.nll(z, leaf), {z: np.asarray(raw, dtype), leaf: target})


RNG = np.random.default_rng(0)
RAW = RNG.normal(size=(5, 6))

# unit, raw outputs, targets, the same by SciPy
CASES = {
    "gaussian": (
        nn.Gaussian(),
        RAW[:, :1],
        RAW[:, 5] * 3,
        lambda z, y: stats.norm(z[:, 0], 1).logpdf(y),
    ),
    "gaussian-3": (
        nn.Gaussian(3),
        RAW[:, :3],
        RAW[:, 3:],
        lambda z, y: stats.norm(z, 1).logpdf(y).sum(1),
    ),
    "heteroscedastic": (
        nn.HeteroscedasticGaussian(),
        RAW[:, :2],
        RAW[:, 5] * 3,
        lambda z, y: stats.norm(z[:, 0], np.exp(-z[:, 1] / 2)).logpdf(y),
    ),
    "heteroscedastic-2": (
        nn.HeteroscedasticGaussian(2),
        RAW[:, :4],
        RAW[:, 4:],
        lambda z, y: stats.norm(z[:, :2], np.exp(-z[:, 2:] / 2)).logpdf(y).sum(1),
    ),
    "laplace": (
        nn.Laplace(),
        RAW[:, :1],
        RAW[:, 5] * 3,
        lambda z, y: stats.laplace(z[:, 0], 1).logpdf(y),
    ),
    "bernoulli": (
        nn.Bernoulli(),
        RAW[:, :1],
        np.array([0, 1, 1, 0, 1]),
        lambda z, y: stats.bernoulli(1 / (1 + np.exp(-z[:, 0]))).logpmf(y),
    ),
    "bernoulli-2": (
        nn.Bernoulli(2),
        RAW[:, :2],
        np.array([[0, 1], [1, 1], [0, 0], [1, 0], [0, 1]]),
        lambda z, y: stats.bernoulli(1 / (1 + np.exp(-z))).logpmf(y).sum(1),
    ),
    "categorical": (
        nn.Categorical(4),
        RAW[:, :4],
        np.array([3, 0, 1, 2, 2]),
        lambda z, y: np.log(np.exp(z)[range(5), y] / np.exp(z).sum(1)),
    ),
    "poisson": (
        nn.Poisson(),
        RAW[:, :1],
        np.array([0, 3, 1, 7, 2]),
        lambda z, y: stats.poisson(np.exp(z[:, 0])).logpmf(y),
    ),
}
each = pytest.mark.parametrize(
    ("unit", "raw", "y", "reference"), CASES.values(), ids=CASES.keys()
)


@each
def test_the_cost_is_the_negative_log_likelihood(unit, raw, y, reference):
    assert np.allclose(nll(unit, raw, y), -reference(raw, y), rtol=1e-12, atol=1e-14)


@each
def test_the_distribution_in_numbers_has_the_same_log_likelihood(
    unit, raw, y, reference
):
    assert np.allclose(unit.distribution(raw).log_prob(y), reference(raw, y))


@each
def test_gradients(unit, raw, y, reference):
    z = weft.input("z", ("n", unit.size), "float64")
    target = unit.as_target(y, np.dtype("float64"))
    leaf = unit.target(target)
    check_grads(unit.nll(z, leaf), {z: raw, leaf: target}, wrt=z)
    check_grads(unit.prediction(z), {z: raw})


@each
def test_the_prediction_is_the_mean(unit, raw, y, reference):
    z = weft.input("z", ("n", unit.size), "float64")
    prediction = weft.evaluate(unit.prediction(z), {z: raw})
    assert np.allclose(prediction, unit.distribution(raw).mean(), rtol=1e-12)


@each
def test_the_cost_of_a_stack_is_the_sum_of_its_rows(unit, raw, y, reference):
    alone = [nll(unit, raw[i : i + 1], y[i : i + 1])[0] for i in range(5)]
    assert np.allclose(nll(unit, raw, y), alone, rtol=1e-14)


@each
def test_units_are_written_and_read(unit, raw, y, reference):
    assert nn.from_data(nn.to_data(unit)) == unit


@each
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_cost_keeps_the_networks_type(unit, raw, y, reference, dtype):
    assert nll(unit, raw, y, dtype).dtype == dtype
    assert nll(unit, raw, y, dtype).shape == (5,)


# exp(-nll) is a density ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "raw"),
    [
        (nn.Gaussian(), [0.7]),
        (nn.HeteroscedasticGaussian(), [0.7, 1.3]),
        (nn.HeteroscedasticGaussian(), [-0.2, -2.0]),
        (nn.Laplace(), [0.7]),
    ],
    ids=repr,
)
def test_a_density_integrates_to_one(unit, raw):
    total, _ = integrate.quad(
        lambda y: math.exp(-nll(unit, [raw], [y])[0]),
        -30,
        30,
        points=[raw[0]],
        limit=200,
    )
    assert total == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize(
    ("unit", "raw", "outcomes"),
    [
        (nn.Bernoulli(), [0.7], [0, 1]),
        (nn.Categorical(3), [0.7, -2.0, 1.0], [0, 1, 2]),
        (nn.Poisson(), [1.2], range(40)),
    ],
    ids=["bernoulli", "categorical", "poisson"],
)
def test_probabilities_sum_to_one(unit, raw, outcomes):
    total = sum(math.exp(-nll(unit, [raw], [y])[0]) for y in outcomes)
    assert total == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("unit", [case[0] for case in CASES.values()], ids=CASES.keys())
def test_the_score_has_mean_zero(unit):
    """Of targets drawn from the distribution itself, the gradients average to 0."""
    count = 20000
    raw = np.repeat(RAW[:1, : unit.size], count, axis=0)
    y = unit.distribution(raw).sample(np.random.default_rng(1))
    z = weft.input("z", ("n", unit.size), "float64")
    target = unit.as_target(y, np.dtype("float64"))
    leaf = unit.target(target)
    score = weft.evaluate(
        weft.grad(weft.sum(unit.nll(z, leaf)), z), {z: raw, leaf: target}
    )
    error = score.std(axis=0) / math.sqrt(count)
    assert (abs(score.mean(axis=0)) < 4 * error).all()


# Numerics -----------------------------------------------------------------------------


def ulps(value, exact):
    exact32 = np.float32(float(exact))
    return abs(float(value) - float(exact)) / float(np.spacing(abs(exact32)))


@pytest.mark.parametrize("z", [-1e4, -87.0, -3.0, -1e-3, 0.0, 0.5, 20.0, 1e4])
@pytest.mark.parametrize("y", [0, 1])
def test_bernoulli_from_logits_is_exact_in_float32(z, y):
    value = nll(nn.Bernoulli(), [[z]], [y], "float32")[0]
    with mpmath.workdps(50):
        exact = mpmath.log1p(mpmath.exp((1 - 2 * y) * mpmath.mpf(float(np.float32(z)))))
    # NumPy's own exp and log1p in float32 are each off by up to about two.
    assert np.isfinite(value) and ulps(value, exact) <= 4


def test_the_slope_of_a_very_wrong_answer_does_not_vanish():
    unit, z, y = nn.Bernoulli(), weft.input("z", ("n", 1)), weft.input("y", ("n",))
    slope = weft.grad(weft.sum(unit.nll(z, y)), z)
    feed = {z: np.array([[1e4], [-1e4]], "f4"), y: np.array([0, 1], "f4")}
    assert weft.evaluate(slope, feed).tolist() == [[1.0], [-1.0]]


@pytest.mark.parametrize(
    "z", [[0, 0, 0], [100, 0, -5], [1e4, 1e4 - 3, 0], [-1e4, 1e4, 0], [1000, 985, 1]]
)
@pytest.mark.parametrize("label", [0, 1, 2])
def test_categorical_from_logits_is_exact_in_float32(z, label):
    value = nll(nn.Categorical(3), [z], [label], "float32")[0]
    with mpmath.workdps(50):
        logits = [mpmath.mpf(float(np.float32(v))) for v in z]
        top = max(logits)
        # Written so that the digits of a cost near 0 survive.
        total = sum(mpmath.exp(v - top) for v in logits)
        exact = top - logits[label] + mpmath.log(total)
    tiny = float(np.finfo(np.float32).smallest_subnormal)
    assert np.isfinite(value)
    assert ulps(value, exact) <= 4 or abs(float(value) - float(exact)) <= tiny


def test_the_gradient_of_the_categorical_cost_is_q_minus_p():
    unit, z = nn.Categorical(4), weft.input("z", ("n", 4), "float64")
    labels = np.array([3, 0, 1])
    leaf = unit.target(labels)
    cost = weft.sum(unit.nll(z, leaf))
    slope, q = weft.evaluate(
        [weft.grad(cost, z), weft.softmax(z)], {z: RAW[:3, :4], leaf: labels}
    )
    assert np.allclose(slope, q - np.eye(4)[labels], rtol=0, atol=1e-15)


def test_weights_of_categories_need_not_sum_to_one():
    unit, p = nn.Categorical(4), RNG.uniform(0.1, 0.9, size=(5, 4))
    z = weft.input("z", ("n", 4), "float64")
    leaf = unit.target(unit.as_target(p, np.dtype("float64")))
    cost = weft.sum(unit.nll(z, leaf))
    slope, q = weft.evaluate(
        [weft.grad(cost, z), weft.softmax(z)], {z: RAW[:, :4], leaf: p}
    )
    assert np.allclose(slope, q * p.sum(1, keepdims=True) - p)
    one_hot = np.eye(4)[[3, 0, 1, 2, 2]]
    labels = nll(unit, RAW[:, :4], [3, 0, 1, 2, 2])
    assert np.allclose(nll(unit, RAW[:, :4], one_hot), labels, rtol=1e-15)


def test_shifting_logits_changes_nothing():
    z, y = np.array([[3.0, -1.0, 2.0]]), [1]
    unit = nn.Categorical(3)
    assert np.array_equal(nll(unit, z, y), nll(unit, z + 64.0, y))


@pytest.mark.parametrize("log_precision", [-60.0, 0.0, 60.0, 80.0])
def test_the_heteroscedastic_cost_does_not_overflow_before_it_must(log_precision):
    """(y - m)^2 alone would be 1e38 in the first case, and beta 5e34 in the last."""
    error = 1e19 if log_precision < 0 else math.exp(-log_precision / 2)
    value = nll(
        nn.HeteroscedasticGaussian(), [[0.0, log_precision]], [error], "float32"
    )
    exact = 0.5 * (math.log(2 * math.pi) - log_precision)
    exact += 0.5 * (error * math.exp(log_precision / 2)) ** 2
    assert np.isfinite(value[0]) and value[0] == pytest.approx(exact, rel=1e-5)


# Targets ------------------------------------------------------------------------------

FLOAT = np.dtype("float32")


@pytest.mark.parametrize(
    ("unit", "y", "words"),
    [
        (nn.Gaussian(), np.zeros((3, 1)), r"shape \(3,\), and \(3, 1\).*y\[:, 0\]"),
        (nn.Gaussian(2), np.zeros(3), r"shape \(3, 2\), and \(3,\).*2 targets per row"),
        (nn.Gaussian(), np.zeros((3, 2)), "2 targets per row, so say so"),
        (nn.Gaussian(), np.zeros(()), "targets of shape"),
        (nn.Gaussian(), ["a", "b"], "encode them"),
        (nn.Gaussian(), [0.0, np.nan], "target of row 1 is nan"),
        (nn.Bernoulli(), [0, 1, 2], "0 and 1, and 2 is among them.*Categorical"),
        (nn.Bernoulli(), [-1, 1], "encode two classes as 0 and 1"),
        (nn.Bernoulli(), [0.5, 1], "0.5 is among them"),
        (nn.Categorical(3), [0, 1, 3], "from 0 to 2, and 3 is among them"),
        (nn.Categorical(3), [1, -1], "from 0 to 2, and -1"),
        (nn.Categorical(3), [0.5, 1], "0.5 is among them"),
        (nn.Categorical(3), np.zeros((4, 1)), r"y\[:, 0\]"),
        (nn.Categorical(2), [[1, 1], [0, 1]], r"exclude one another.*Bernoulli\(2\)"),
        (nn.Categorical(2), [[0.5, -0.5]], "cannot be negative"),
        (nn.Poisson(), [1, -1], "counts 0, 1, 2, ..., not -1"),
        (nn.Poisson(), [0.5], "not 0.5"),
    ],
)
def test_targets_that_do_not_fit_are_refused_with_a_reason(unit, y, words):
    with pytest.raises(nn.TargetError, match=words):
        unit.as_target(y, FLOAT)


def test_targets_are_converted():
    assert nn.Gaussian().as_target([1, 2], FLOAT).dtype == FLOAT
    assert nn.Bernoulli().as_target([True, False], FLOAT).tolist() == [1.0, 0.0]
    assert nn.Categorical(3).as_target([2.0, 0.0], FLOAT).dtype == np.int64
    assert nn.Categorical(2).as_target([[0, 1]], FLOAT).dtype == FLOAT


@pytest.mark.parametrize(
    ("unit", "shape", "dtype", "words"),
    [
        (nn.Gaussian(), ("n", 1), "float32", r"\('n',\), and y.*y\[:, 0\]"),
        (nn.Gaussian(2), ("n",), "float32", "2 targets per row"),
        (nn.Bernoulli(), ("m",), "float32", r"\('n',\), and y"),
        (nn.Categorical(3), ("n",), "float32", "cast them to int64"),
        (nn.Categorical(3), ("n", 2), "float32", r"\('n', 3\)"),
    ],
)
def test_target_nodes_are_never_broadcast(unit, shape, dtype, words):
    z, y = weft.input("z", ("n", unit.size)), weft.input("y", shape, dtype)
    with pytest.raises(weft.ShapeError, match=words):
        unit.nll(z, y)


# What is estimated afterwards ---------------------------------------------------------


def test_gaussian_estimates_its_residual_variance():
    raw = RNG.normal(size=(4000, 1))
    y = raw[:, 0] + 0.3 * RNG.normal(size=4000)
    unit = nn.Gaussian()
    variance = unit.dispersion(raw, y)
    assert variance == pytest.approx(np.mean((y - raw[:, 0]) ** 2))
    low, high = unit.distribution(raw, variance).interval(0.9)
    assert 0.88 < np.mean((low < y) & (y < high)) < 0.92
    weight = RNG.integers(0, 3, 4000)
    twice = np.repeat(np.arange(4000), weight)
    assert unit.dispersion(raw, y, weight) == pytest.approx(
        unit.dispersion(raw[twice], y[twice])
    )


def test_each_output_has_a_dispersion_of_its_own():
    raw = RNG.normal(size=(3000, 2))
    y = raw + np.array([0.1, 2.0]) * RNG.normal(size=(3000, 2))
    assert np.allclose(nn.Gaussian(2).dispersion(raw, y), [0.01, 4], rtol=0.1)
    y = raw + np.array([0.1, 2.0]) * RNG.laplace(size=(3000, 2))
    assert np.allclose(nn.Laplace(2).dispersion(raw, y), [0.1, 2], rtol=0.1)


def test_a_perfect_fit_has_a_distribution_all_the_same():
    unit, raw = nn.Gaussian(), np.zeros((3, 1))
    distribution = unit.distribution(raw, unit.dispersion(raw, np.zeros(3)))
    assert np.isfinite(distribution.log_prob(np.zeros(3))).all()


def test_what_has_nothing_to_estimate_says_so():
    for unit in (nn.HeteroscedasticGaussian(), nn.Bernoulli(), nn.Categorical(2)):
        assert not unit.estimates_dispersion
        assert unit.dispersion(np.zeros((2, unit.size)), np.zeros(2)) is None
