"""What goes with what: pairs right and wrong, fixed logits, saturation, the linter."""

import json

import numpy as np
import pytest

import weft
from weft import nn
from weft.nn.distribution import DistributionError


def slope(unit: nn.OutputUnit, raw: list, y: list) -> np.ndarray:
    z = weft.input("raw", ("n", unit.size), "float64")
    target = unit.target(np.asarray(y))
    cost = weft.sum(unit.nll(z, target))
    return weft.backprop(cost, z, {z: np.array(raw, float), target: np.asarray(y)})


# --- pairs ---------------------------------------------------------------------------


@pytest.mark.parametrize("row", nn.OUTPUT_TYPES, ids=lambda row: row.unit.__name__)
def test_a_right_pair_is_its_unit(row: nn.OutputType) -> None:
    assert nn.pair(row.output, row.loss, 2) == row.unit(2)


@pytest.mark.parametrize(
    ("output", "loss", "mend"),
    [
        (
            "sigmoid",
            "squared_error",
            r"'binary_cross_entropy', that is nn.Bernoulli\(2\)",
        ),
        ("softmax", "squared_error", r"'cross_entropy', that is nn.Categorical\(2\)"),
        ("linear", "cross_entropy", "'squared_error'.* or 'absolute_error'"),
        ("clipped", "binary_cross_entropy", "take 'sigmoid'"),
    ],
)
def test_a_wrong_pair_is_refused_with_the_right_cost(
    output: str, loss: str, mend: str
) -> None:
    with pytest.raises(nn.DescriptionError, match=mend):
        nn.pair(output, loss, 2)
    unit = nn.pair(output, loss, 2, allow_mismatch=True)
    assert (unit.size, unit.target_shape) == (2, (2,))
    assert nn.from_data(json.loads(json.dumps(nn.to_data(unit)))) == unit


@pytest.mark.parametrize(
    ("output", "loss", "known"),
    [("sigmoyd", "cross_entropy", "'sigmoid'"), ("softmax", "cross", "cross_entropy")],
)
def test_an_unknown_word_is_told_the_nearest(
    output: str, loss: str, known: str
) -> None:
    with pytest.raises(nn.DescriptionError, match=known):
        nn.pair(output, loss, allow_mismatch=True)


def test_a_mismatched_unit_takes_no_other_parts() -> None:
    with pytest.raises(nn.DescriptionError, match="exponential"):
        nn.pair("exponential", "squared_error", allow_mismatch=True)
    with pytest.raises(nn.DescriptionError, match="at least 2"):
        nn.Mismatched("softmax", "squared_error")


@pytest.mark.parametrize("output", ["linear", "clipped", "sigmoid", "softmax"])
def test_a_mismatched_unit_predicts_what_its_distribution_says(output: str) -> None:
    raw = np.array([[0.25, 0.75], [-3.0, 2.0]])
    unit = nn.Mismatched(output, "squared_error", 2)
    predicted = unit.prediction(weft.constant(raw)).numpy()
    np.testing.assert_allclose(predicted, unit.distribution(raw).mean(), atol=1e-12)


def test_it_trains_as_any_other() -> None:
    unit = nn.pair("sigmoid", "squared_error", allow_mismatch=True)
    X = np.array([[-1.0], [1.0]] * 4)
    fitted = weft.train.fit(
        nn.Network((), unit),
        X,
        (X[:, 0] > 0).astype(float),
        epochs=100,
        optimizer=weft.train.Adam(0.1),
        engine="reference",
    )
    assert fitted.params["output"]["W"][0, 0] > 1


def test_the_table_has_a_line_for_each_unit() -> None:
    lines = nn.output_types().splitlines()
    assert len(lines) == 1 + len(nn.OUTPUT_TYPES)
    for line, row in zip(lines[1:], nn.OUTPUT_TYPES, strict=True):
        assert line.startswith(row.target)
        assert line.endswith(row.unit.__name__)


# --- a logit that is fixed -----------------------------------------------------------


@pytest.mark.parametrize("fixed", [0, 1, 2])
def test_the_fixed_logit_is_0(fixed: int) -> None:
    unit = nn.Categorical(3, reference_class=fixed)
    raw = np.array([[0.5, -1.0], [2.0, 0.0]])
    filled = np.insert(raw, fixed, 0, axis=1)
    full = nn.Categorical(3)
    y = np.array([0, 2])
    assert unit.size == 2
    np.testing.assert_array_equal(
        unit.prediction(weft.constant(raw)).numpy(),
        full.prediction(weft.constant(filled)).numpy(),
    )
    np.testing.assert_array_equal(
        unit.distribution(raw).mean(), full.distribution(filled).mean()
    )
    expected = np.delete(slope(full, filled, y), fixed, axis=1)
    np.testing.assert_allclose(slope(unit, raw, y), expected, atol=1e-15)
    assert nn.from_data(nn.to_data(unit)) == unit


@pytest.mark.parametrize("fixed", [-1, 3, True, 1.0, "0"])
def test_no_such_class(fixed: object) -> None:
    with pytest.raises(nn.DescriptionError, match="from 0 to 2"):
        nn.Categorical(3, reference_class=fixed)


# --- saturation ----------------------------------------------------------------------


def test_saturation_of_labels_and_of_one_label() -> None:
    raw = np.array([[9.0, 0.0], [-9.0, 0.0], [9.0, 0.0], [0.0, 0.0]])
    found = nn.saturation(nn.Bernoulli(2).distribution(raw))
    assert (found.at_one.tolist(), found.at_zero.tolist()) == ([0.5, 0.0], [0.25, 0.0])
    one = nn.saturation(nn.Bernoulli().distribution(raw[:, :1]))
    assert (one.at_one.tolist(), one.at_zero.tolist()) == ([0.5], [0.25])


def test_linear_outputs_do_not_saturate() -> None:
    with pytest.raises(DistributionError, match="only sigmoid and softmax"):
        nn.saturation(nn.Gaussian().distribution(np.zeros((2, 1))))


# --- the linter ----------------------------------------------------------------------

UNITS = (
    nn.Gaussian(2),
    nn.HeteroscedasticGaussian(),
    nn.Laplace(),
    nn.Bernoulli(),
    nn.Bernoulli(3),
    nn.Categorical(3),
    nn.Categorical(2, reference_class=1),
    nn.Poisson(),
)


@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_the_linter_finds_nothing_in_a_likelihood(unit: nn.OutputUnit) -> None:
    assert nn.lint(nn.mlp([4], "relu", unit)) == ()


@pytest.mark.parametrize(
    ("output", "loss", "n"),
    [
        ("clipped", "binary_cross_entropy", 1),
        ("clipped", "squared_error", 1),
        ("sigmoid", "squared_error", 1),
        ("softmax", "squared_error", 3),
    ],
)
def test_the_linter_names_what_cannot_learn(output: str, loss: str, n: int) -> None:
    unit = nn.pair(output, loss, n, allow_mismatch=True)
    (finding,) = nn.lint(nn.Network((), unit))
    assert finding.path == "output"
    assert str(finding).startswith(f"output ({unit!r}): the gradient is 0")
