"""Every figure against scikit-learn, SciPy or a simulation that knows the truth."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import sklearn.metrics as oracle
from scipy import stats

from weft.apps.report import Classification, Metric, Regression, metrics
from weft.apps.report.classes import (
    calibration,
    class_scores,
    confusion,
    confusions,
    overconfidence,
)
from weft.apps.report.metric import wilson
from weft.apps.report.numbers import (
    coverage_curve,
    error_ranges,
    pit_histogram,
    residuals,
)


def named(outcome: Classification | Regression) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics(outcome)}


# --- intervals -----------------------------------------------------------------------


@pytest.mark.parametrize(("x", "n"), [(0, 1), (1, 1), (3, 7), (352, 360), (50, 50)])
def test_wilson_is_scipys(x: int, n: int) -> None:
    said = stats.binomtest(x, n).proportion_ci(0.95, method="wilson")
    low, high = wilson(x, n)
    assert low == pytest.approx(said.low, abs=1e-12)
    assert high == pytest.approx(said.high, abs=1e-12)


def test_nothing_is_known_without_trials() -> None:
    low, high = wilson([0, 0], [0, 4])
    assert (low[0], high[0]) == (0, 1)
    assert low[1] == 0
    assert 0 < high[1] < 1


def share_held(
    make: Callable[[int, int], Classification | Regression], names: set[str]
) -> dict[str, float]:
    """How often the intervals of 200 small samples hold the figures of a large one.

    A true share of 0.95 is met outside 0.90 to 0.99 about once in a hundred times; the
    samples are the same in every run.
    """
    truth = named(make(400_000, 0))
    small = [named(make(150, seed)) for seed in range(1, 201)]
    return {
        name: np.mean([m[name].low <= truth[name].value <= m[name].high for m in small])
        for name in names
    }


def test_intervals_of_a_regression_hold_the_truth_in_95_percent(
    regression: Callable[..., Regression],
) -> None:
    held = share_held(
        lambda n, seed: regression(n=n, spread=2.0, said=1.5, seed=seed),
        {"rmse", "mae", "r2", "nll", "coverage"},
    )
    assert all(0.90 <= share <= 0.99 for share in held.values()), held


def test_intervals_of_a_classification_hold_the_truth_in_95_percent(
    classification: Callable[..., Classification],
) -> None:
    held = share_held(
        lambda n, seed: classification(n=n, k=2, skill=1.0, seed=seed),
        {"accuracy", "balanced_accuracy", "auc", "nll"},
    )
    assert all(0.90 <= share <= 0.99 for share in held.values()), held


# --- classes -------------------------------------------------------------------------


def test_figures_of_classes_are_scikit_learns(
    classification: Callable[..., Classification],
) -> None:
    outcome = classification(n=500, k=4)
    y, answer, p = outcome.y_true, outcome.y_pred, outcome.probabilities
    found = named(outcome)
    assert found["accuracy"].value == oracle.accuracy_score(y, answer)
    assert found["balanced_accuracy"].value == pytest.approx(
        oracle.balanced_accuracy_score(y, answer)
    )
    assert found["f1"].value == pytest.approx(
        oracle.f1_score(y, answer, average="macro")
    )
    assert found["nll"].value == pytest.approx(oracle.log_loss(y, p))
    assert "auc" not in found
    matrix = oracle.confusion_matrix(y, answer)
    assert (confusion(outcome) == matrix).all()
    scores = class_scores(outcome)
    precision, recall, f1, support = oracle.precision_recall_fscore_support(y, answer)
    np.testing.assert_allclose([s.precision for s in scores], precision)
    np.testing.assert_allclose([s.recall for s in scores], recall)
    np.testing.assert_allclose([s.f1 for s in scores], f1)
    assert [s.support for s in scores] == support.tolist()
    assert [s.answered for s in scores] == matrix.sum(axis=0).tolist()


def test_the_area_is_scikit_learns_ties_included(
    classification: Callable[..., Classification],
) -> None:
    p = classification(n=300, k=2, skill=0.7).probabilities.round(1)
    y = classification(n=300, k=2, skill=0.7).y_true
    outcome = Classification("ab", y, p.argmax(1), p)
    assert named(outcome)["auc"].value == pytest.approx(
        oracle.roc_auc_score(y, p[:, 1])
    )


def test_the_baseline_answers_the_commonest_training_class(
    classification: Callable[..., Classification],
) -> None:
    outcome = classification(n=400, k=3, train_counts=[10, 70, 20])
    found = named(outcome)
    always = np.full(400, 1)
    y = outcome.y_true
    assert found["accuracy"].baseline == (y == 1).mean()
    assert found["balanced_accuracy"].baseline == pytest.approx(1 / 3)
    assert found["f1"].baseline == pytest.approx(
        oracle.f1_score(y, always, average="macro")
    )
    prior = np.tile(np.array([11, 71, 21]) / 103, (400, 1))
    assert found["nll"].baseline == pytest.approx(oracle.log_loss(y, prior))


def test_without_counts_there_is_no_baseline(
    classification: Callable[..., Classification],
) -> None:
    found = named(classification(train_counts=None))
    assert {m.baseline for m in found.values() if m.name != "calibration_error"} == {
        None
    }


def test_a_class_new_to_the_model_costs_a_finite_amount() -> None:
    outcome = Classification("ab", [0, 1, 1], [0, 0, 0], [[1, 0]] * 3, [9, 0])
    found = named(outcome)
    assert math.isfinite(found["nll"].value)
    assert math.isfinite(found["nll"].baseline)


def test_what_is_not_defined_is_none_or_left_out() -> None:
    outcome = Classification("abc", [0, 0, 1], [0, 0, 0], [[1, 0, 0]] * 3, [3, 2, 1])
    a, b, c = class_scores(outcome)
    assert (a.precision, a.recall) == (2 / 3, 1)
    assert (b.precision, b.recall, b.f1) == (None, 0, 0)
    assert (c.precision, c.recall, c.low, c.high, c.f1) == (None,) * 5
    assert calibration(outcome) is None
    one = Classification("ab", [0], [0], [[0.9, 0.1]], [1, 1])
    assert {m.name for m in metrics(one)} == {
        "accuracy",
        "balanced_accuracy",
        "f1",
        "nll",
    }
    assert named(one)["nll"].low is None


def test_the_commonest_mistakes_come_first() -> None:
    outcome = Classification("abc", [0, 0, 0, 1, 2, 2], [1, 1, 0, 1, 0, 2])
    first, second = confusions(outcome)
    assert (first.true, first.answered, first.rows) == ("a", "b", 2)
    assert first.share == pytest.approx(2 / 3)
    assert (second.true, second.answered, second.share) == ("c", "a", 0.5)
    assert len(confusions(outcome, limit=1)) == 1


def test_the_calibration_curve_is_scikit_learns() -> None:
    from sklearn.calibration import calibration_curve

    draw = np.random.default_rng(0)
    p = draw.uniform(size=1000)
    y = (draw.uniform(size=1000) < p**2).astype(int)
    outcome = Classification(
        ["no", "yes"], y, (p > 0.5).astype(int), np.column_stack([1 - p, p])
    )
    curve = calibration(outcome)
    came, said = calibration_curve(y, p, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(curve.said, said)
    np.testing.assert_allclose(curve.came, came)
    assert curve.event == "yes"
    assert curve.rows.tolist() == [100] * 10
    assert curve.error == pytest.approx(np.abs(said - came).mean())
    # E(p - p^2) = 1/6: far from what chance gives
    assert curve.error == pytest.approx(1 / 6, abs=0.03)
    assert curve.chance < 0.05
    assert ((curve.low <= curve.came) & (curve.came <= curve.high)).all()


def test_a_calibrated_model_errs_by_what_chance_gives() -> None:
    draw = np.random.default_rng(1)
    errors, chances = [], []
    for _ in range(200):
        p = draw.uniform(size=400)
        y = (draw.uniform(size=400) < p).astype(int)
        outcome = Classification(
            "ab", y, (p > 0.5).astype(int), np.column_stack([1 - p, p])
        )
        curve = calibration(outcome)
        errors.append(curve.error)
        chances.append(curve.chance)
    assert np.mean(errors) == pytest.approx(np.mean(chances), rel=0.05)


def test_almost_certain_answers_share_a_bin(
    classification: Callable[..., Classification],
) -> None:
    outcome = classification(n=1000, k=5, skill=12.0)
    curve = calibration(outcome)
    assert len(curve.rows) < 4
    assert curve.rows.sum() == 1000
    assert (np.diff(curve.said) > 0).all()


def test_overconfidence_is_confidence_minus_accuracy() -> None:
    outcome = Classification(
        "ab", [0] * 6 + [1] * 4, [0] * 10, [[0.9, 0.1]] * 10, [1, 1]
    )
    assert overconfidence(outcome).value == pytest.approx(0.3)


# --- numbers -------------------------------------------------------------------------


def test_figures_of_numbers_are_scikit_learns(
    regression: Callable[..., Regression],
) -> None:
    outcome = regression(said=1.3)
    y, answer = outcome.y_true, outcome.y_pred
    found = named(outcome)
    assert found["rmse"].value == pytest.approx(
        oracle.root_mean_squared_error(y, answer)
    )
    assert found["mae"].value == pytest.approx(oracle.mean_absolute_error(y, answer))
    assert found["r2"].value == pytest.approx(oracle.r2_score(y, answer))
    assert found["nll"].value == pytest.approx(
        -stats.norm(answer, 1.3).logpdf(y).mean()
    )
    inside = np.abs(y - answer) <= stats.norm.ppf(0.95) * 1.3
    assert found["coverage"].value == inside.mean()
    assert found["coverage"].baseline == 0.9
    mean = np.full(len(y), 50.0)
    assert found["rmse"].baseline == pytest.approx(
        oracle.root_mean_squared_error(y, mean)
    )
    assert found["r2"].baseline == pytest.approx(oracle.r2_score(y, mean))
    assert found["nll"].baseline == pytest.approx(-stats.norm(50, 5).logpdf(y).mean())


def test_what_is_not_known_of_numbers_is_left_out() -> None:
    assert [m.name for m in metrics(Regression([3, 3, 3], [1, 2, 3]))] == [
        "rmse",
        "mae",
    ]
    (rmse, mae) = metrics(Regression([3], [1]))
    assert rmse == Metric("rmse", 2.0)
    assert mae == Metric("mae", 2.0)
    exact = named(Regression([1, 2, 3], [1, 2, 3]))
    assert exact["rmse"] == Metric("rmse", 0.0)
    assert exact["r2"].value == 1


def test_no_rows_no_figures() -> None:
    for outcome in (Classification("ab", [], []), Regression([], [])):
        assert metrics(outcome) == ()
    assert residuals(Regression([], [])) is None
    assert error_ranges(Regression([], [])) == ()
    assert confusion(Classification("ab", [], [])).tolist() == [[0, 0], [0, 0]]


def test_residuals_are_summed_up() -> None:
    missed = residuals(Regression([1, 2, 3, 4, 10], [1, 1, 1, 1, 5]))
    assert missed.bias == pytest.approx(11 / 5)
    assert missed.half == 2
    assert missed.worst == 5
    assert missed.deviation == pytest.approx(np.std([0, 1, 2, 3, 5]))


def test_errors_by_range_part_the_rows_by_their_answers(
    regression: Callable[..., Regression],
) -> None:
    outcome = regression(n=1000)
    parts = error_ranges(outcome)
    assert [part.rows for part in parts] == [200] * 5
    assert sum(part.rows for part in parts) == 1000
    ends = [end for part in parts for end in (part.low, part.high)]
    assert ends == sorted(ends)
    whole = named(outcome)
    squares = sum(part.rows * part.rmse**2 for part in parts)
    assert math.sqrt(squares / 1000) == pytest.approx(whole["rmse"].value)
    held = sum(part.rows * part.coverage for part in parts)
    assert held / 1000 == pytest.approx(whole["coverage"].value)


def test_equal_answers_stay_in_one_range() -> None:
    (part,) = error_ranges(Regression([1, 2, 3], [2, 2, 2]))
    assert (part.low, part.high, part.rows, part.coverage) == (2, 2, 3, None)


def test_honest_intervals_lie_on_the_diagonal_and_narrow_ones_below(
    regression: Callable[..., Regression],
) -> None:
    honest = coverage_curve(regression(n=5000, spread=1.0, said=1.0))
    assert np.abs(honest.came - honest.promised).max() < 0.03
    narrow = coverage_curve(regression(n=5000, spread=1.0, said=0.5))
    # a 90 % interval half as wide as it should be
    expected = 1 - 2 * stats.norm.cdf(-stats.norm.ppf(0.95) / 2)
    assert narrow.came[narrow.promised == 0.9] == pytest.approx(expected, abs=0.02)
    assert (narrow.high < narrow.promised)[2:].all()


def test_the_pit_is_level_if_honest_and_hollow_if_too_narrow(
    regression: Callable[..., Regression],
) -> None:
    honest = pit_histogram(regression(n=20_000))
    assert honest.mean() == pytest.approx(1)
    assert np.abs(honest - 1).max() < 0.1
    narrow = pit_histogram(regression(n=20_000, said=0.5))
    assert narrow[0] > 1.5 < narrow[-1]
    assert coverage_curve(regression(said=None)) is None
    assert pit_histogram(regression(n=19)) is None
