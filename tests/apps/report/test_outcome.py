"""An outcome that could be built can be shown; anything else is refused in one line."""

from typing import Any

import numpy as np
import pytest

from weft.apps.report import Classification, History, Regression, ReportError, encode
from weft.graph.errors import WeftError


def test_labels_become_numbers_of_classes() -> None:
    codes = encode(["b", "a", "b"], ["a", "b"])
    assert codes.tolist() == [1, 0, 1]
    assert codes.dtype == np.int64


def test_a_label_that_is_no_class_is_named() -> None:
    with pytest.raises(ReportError, match=r"'c' is none of the classes \(a, b\)"):
        encode(["a", "c"], ["a", "b"])


def test_arrays_are_copied_and_read_only() -> None:
    y_true = np.array([0.0, 1.0])
    outcome = Regression(y_true, [0, 1])
    y_true[0] = 7
    assert outcome.y_true.tolist() == [0, 1]
    with pytest.raises(ValueError, match="read-only"):
        outcome.y_pred[0] = 1


def test_probabilities_of_float32_are_taken_and_sum_to_one() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(7), 50).astype(np.float32)
    outcome = Classification(
        list("abcdefg"), p.argmax(1), p.argmax(1), probabilities=p * np.float32(1.00001)
    )
    assert outcome.probabilities is not None
    assert np.allclose(outcome.probabilities.sum(axis=1), 1, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"classes": ["one"]}, "classifying needs two"),
        ({"y_true": [0, 2]}, "y_true must hold the numbers of classes, 0 to 1"),
        ({"y_pred": [0, 0.5]}, "y_pred must hold the numbers of classes"),
        ({"y_pred": [0]}, "y_pred has 1 values; expected 2"),
        ({"y_true": [[0, 1]]}, "expected one dimension"),
        ({"probabilities": [[1, 0]]}, r"shape \(1, 2\); expected \(2, 2\)"),
        ({"probabilities": [[1, 2], [0, 1]]}, "each row with sum 1"),
        ({"probabilities": [[2, -1], [0, 1]]}, "nonnegative"),
        ({"probabilities": [[np.nan, 1], [0, 1]]}, "nonnegative"),
        ({"train_counts": [0, 0]}, "not all of them zero"),
        ({"train_counts": [1, 2, 3]}, "train_counts has 3 values"),
        ({"images": np.zeros((3, 8, 8))}, r"expected \(2, height, width\)"),
        ({"images": np.zeros((2, 64))}, "images have shape"),
    ],
)
def test_a_classification_that_contradicts_itself_is_refused(
    given: dict[str, Any], said: str
) -> None:
    right: dict[str, Any] = {"classes": "ab", "y_true": [0, 1], "y_pred": [0, 1]}
    Classification(**right)
    with pytest.raises(ReportError, match=said):
        Classification(**right | given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"y_pred": [1]}, "y_pred has 1 values; expected 2"),
        ({"y_pred": [1, np.inf]}, "y_pred holds values that are not finite"),
        ({"y_pred": [1, -1e71]}, "y_pred holds values beyond 1e\\+70"),
        ({"deviation": [1, 0]}, "must be positive"),
        ({"low": [0, 0]}, "needs both its ends"),
        ({"low": [0, 3], "high": [1, 2]}, "low end lies above"),
        ({"coverage": 90}, "expected 0 < coverage < 1"),
        ({"pit": [0, 1.5]}, "pit holds values outside"),
    ],
)
def test_a_regression_that_contradicts_itself_is_refused(
    given: dict[str, Any], said: str
) -> None:
    right: dict[str, Any] = {"y_true": [0, 1], "y_pred": [0, 1]}
    Regression(**right)
    with pytest.raises(WeftError, match=said):
        Regression(**right | given)


def test_a_deviation_is_read_as_a_normal_distribution() -> None:
    from scipy.stats import norm

    y_true, y_pred, deviation = [1.0, 2.0, 9.0], [1.5, 2.0, 5.0], [0.5, 1.0, 3.0]
    outcome = Regression(y_true, y_pred, deviation, coverage=0.8)
    said = norm(y_pred, deviation)
    np.testing.assert_allclose(outcome.low, said.ppf(0.1))
    np.testing.assert_allclose(outcome.high, said.ppf(0.9))
    np.testing.assert_allclose(outcome.pit, said.cdf(y_true))
    np.testing.assert_allclose(outcome.log_density, said.logpdf(y_true))


def test_what_was_given_is_not_replaced_by_the_normal_distribution() -> None:
    outcome = Regression(
        [1], [1], deviation=[1], low=[0], high=[3], pit=[0.25], log_density=[-2]
    )
    assert (outcome.low, outcome.high, outcome.pit) == ([0], [3], [0.25])
    assert outcome.log_density == [-2]


def test_a_history_keeps_gaps_and_knows_its_best_epoch() -> None:
    history = History([1, 2], [0.5, np.nan], best_epoch=2)
    assert np.isnan(history.train_cost[1])
    with pytest.raises(ReportError, match="best_epoch is 3, which is no epoch"):
        History([1, 2], [0.5, 0.4], best_epoch=3)
    with pytest.raises(ReportError, match="validation_cost has 1 values; expected 2"):
        History([1, 2], [0.5, 0.4], [0.5])
