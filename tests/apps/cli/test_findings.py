"""From a fitted estimator to what a report shows."""

from collections.abc import Callable

import numpy as np
import pytest

from weft import nn
from weft.apps import report
from weft.apps.cli.findings import findings_of, outcome_of
from weft.apps.cli.learning import Learnt, learn
from weft.apps.cli.network import count_parameters, in_one_line, layers
from weft.apps.cli.question import Question, understood
from weft.apps.cli.request import Reading
from weft.apps.cli.terminal import Terminal

BRIEF = {"hidden": (4,), "epochs": 3, "random_state": 0}


@pytest.fixture(scope="session")
def learnt() -> Callable[..., Learnt]:
    """Fit to a built-in table, briefly."""

    def fit(name: str, **more: object) -> Learnt:
        question = understood(name, Reading(), None, **more)
        return learn(question, BRIEF, Terminal(quiet=True))

    return fit


def test_a_question_parts_the_table() -> None:
    question = understood("iris", Reading(), None, ignore=("petal length (cm)",))
    assert (question.task.kind, question.classes) == ("classification", 3)
    assert [column.name for column in question.ignored] == ["petal length (cm)"]
    assert "petal length (cm)" not in question.inputs
    assert "species" not in question.inputs
    inputs, target = question.held()
    assert inputs.rows == target.rows == 30
    assert set(target.counts.values()) == {10}  # in proportion
    to_learn, _ = question.to_learn()
    assert to_learn.rows == 120


def test_an_unasked_regression_has_no_classes() -> None:
    question = understood("diabetes", Reading(), None)
    assert (question.task.kind, question.classes) == ("regression", 0)
    fact = dict(question.facts())["target"]
    assert fact == (
        "‘progression’: regression (its values are whole numbers, 214 different ones)"
    )


def test_findings_of_classes(learnt: Callable[..., Learnt]) -> None:
    found = learnt("iris")
    estimator, question = found.estimator, found.question
    inputs, truth = question.held()
    outcome = outcome_of(estimator, inputs, truth)
    assert isinstance(outcome, report.Classification)
    assert outcome.classes == tuple(estimator.classes_)
    assert outcome.probabilities == pytest.approx(estimator.predict_proba(inputs))
    assert [outcome.classes[code] for code in outcome.y_true] == truth.labels()
    assert [outcome.classes[code] for code in outcome.y_pred] == (
        estimator.predict(inputs).tolist()
    )
    assert outcome.train_counts.tolist() == [40, 40, 40]
    assert outcome.images is None

    findings = findings_of(found, outcome, model_file="m.weft", command="weft fit iris")
    assert findings.rows == report.Rows(108, 12, 30)
    assert (findings.source, findings.target) == ("iris", "species")
    assert findings.history.epoch.tolist() == [1, 2, 3]
    assert findings.history.best_epoch == estimator.fit_.best_epoch
    assert np.isfinite(findings.history.validation_cost).all()
    assert findings.model.parameters == found.parameters
    assert findings.model.seed == 0
    assert set(findings.model.versions) == {"weft", "numpy", "scipy", "python"}
    assert [column.name for column in findings.columns] == list(question.inputs.names)
    html = report.render(findings)
    assert "weft fit iris" in html
    assert "weft predict m.weft" in html


def test_findings_of_quantities(learnt: Callable[..., Learnt]) -> None:
    found = learnt("diabetes")
    inputs, truth = found.question.held()
    outcome = outcome_of(found.estimator, inputs, truth)
    assert isinstance(outcome, report.Regression)
    assert outcome.y_true == pytest.approx(truth.values)
    assert outcome.y_pred == pytest.approx(found.estimator.predict(inputs))
    low, high = found.estimator.predict_interval(inputs, coverage=0.9)
    assert outcome.low == pytest.approx(low)
    assert outcome.high == pytest.approx(high)
    known = {m.name: m.value for m in report.metrics(outcome)}
    evaluated = found.estimator.evaluate(inputs, truth)
    for name in ("rmse", "mae", "r2", "nll"):
        assert known[name] == pytest.approx(evaluated[name]), name
    _, learnt_from = found.question.to_learn()
    # The baseline knows what the network was fitted to, without the validation rows.
    assert outcome.train_mean == found.estimator.target_.mean
    assert outcome.train_mean == pytest.approx(learnt_from.values.mean(), rel=0.05)
    assert "progression" in report.render(findings_of(found, outcome))


def test_pictures_are_shown_as_pictures(learnt: Callable[..., Learnt]) -> None:
    found = learnt("digits", holdout=0.05)
    inputs, truth = found.question.held()
    outcome = outcome_of(found.estimator, inputs, truth)
    pixels = inputs.matrix(inputs.names)
    assert np.array_equal(outcome.images, pixels.reshape(-1, 8, 8))


def test_columns_that_are_not_used_are_listed_with_the_reason(
    learnt: Callable[..., Learnt],
) -> None:
    found = learnt("iris", ignore=("sepal width (cm)",))
    outcome = outcome_of(found.estimator, *found.question.held())
    columns = {c.name: c for c in findings_of(found, outcome).columns}
    left_out = columns["sepal width (cm)"]
    assert (left_out.used, left_out.treatment, left_out.note) == (
        False,
        "left out",
        "as asked",
    )
    assert columns["sepal length (cm)"].used


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (
            nn.mlp([8, 6], ["relu", "tanh"], nn.Categorical(3)),
            "4 → 8 → 6 → 3 (relu, tanh; categorical), 115 parameters",
        ),
        (nn.mlp([], "relu", nn.Gaussian()), "4 → 1 (gaussian), 5 parameters"),
        (
            nn.mlp([2], "relu", nn.Gaussian(), input_dropout=0.5),
            "4 → 4 → 2 → 1 (relu; gaussian), 13 parameters",
        ),
    ],
    ids=["two units", "linear", "input dropout"],
)
def test_a_network_in_words(network: nn.Network, said: str) -> None:
    assert in_one_line(network, 4) == said
    drawn = network.init(0, 4)
    arrays = [array for layer in drawn.values() for array in layer.values()]
    assert count_parameters(network, 4) == sum(array.size for array in arrays)
    assert sum(layer.parameters for layer in layers(network, 4)) == sum(
        array.size for array in arrays
    )


def test_the_question_is_data() -> None:
    assert isinstance(
        understood("xor", Reading(), None, holdout=0, validation=0), (Question)
    )
