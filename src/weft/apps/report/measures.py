"""Figures of merit of an outcome, each beside what is reached without looking.

One idea: a figure means little until it is held against the *baseline*: the same figure
for an answer that never looks at the inputs, the commonest class or the mean of the
training rows.

The invariant: nothing here is NaN or infinite. What cannot be computed (precision of a
class that was never answered, R² of a constant target, the standard error of one row)
is None or left out.
"""

from dataclasses import replace

import numpy as np

from weft.apps.report import classes, numbers
from weft.apps.report.metric import Metric, share
from weft.apps.report.outcome import Classification, Regression


def metrics(outcome: Classification | Regression) -> tuple[Metric, ...]:
    """Every figure of merit that can be computed, the chief one first.

    Parameters
    ----------
    outcome : Classification or Regression

    Returns
    -------
    tuple of Metric
        Empty if no rows were held out.

    Examples
    --------
    >>> outcome = Classification(["no", "yes"], [0, 1, 1, 1], [0, 1, 1, 0])
    >>> [f"{metric.name} {metric.value:.2f}" for metric in metrics(outcome)]
    ['accuracy 0.75', 'balanced_accuracy 0.83', 'f1 0.73']
    """
    if outcome.rows == 0:
        return ()
    beside = baseline(outcome)
    known = {} if beside is None else {m.name: m.value for m in _figures(beside)}
    return tuple(
        replace(metric, baseline=known.get(metric.name, metric.baseline))
        for metric in (*_figures(outcome), *_promises(outcome))
    )


def baseline(
    outcome: Classification | Regression,
) -> Classification | Regression | None:
    """What an answer that never looks at the inputs makes of the same rows.

    It answers the training part's commonest class, with the frequencies there as its
    probabilities (one row is added to each class, so that none is impossible), or the
    training part's mean. None if nothing is known of the training part.
    """
    n = outcome.rows
    if isinstance(outcome, Classification):
        if outcome.train_counts is None:
            return None
        counts = outcome.train_counts + 1
        return Classification(
            outcome.classes,
            outcome.y_true,
            np.full(n, counts.argmax()),
            np.tile(counts / counts.sum(), (n, 1)),
        )
    if outcome.train_mean is None:
        return None
    spread = outcome.train_deviation
    return Regression(
        outcome.y_true,
        np.full(n, outcome.train_mean),
        deviation=np.full(n, spread) if spread else None,
    )


def _figures(outcome: Classification | Regression) -> list[Metric]:
    if isinstance(outcome, Classification):
        return classes.figures(outcome)
    return numbers.figures(outcome)


def _promises(outcome: Classification | Regression) -> list[Metric]:
    """The figures that hold a model against what it said of its own certainty."""
    if isinstance(outcome, Classification):
        curve = classes.calibration(outcome)
        if curve is None:
            return []
        return [Metric("calibration_error", curve.error, baseline=curve.chance)]
    if outcome.low is None or outcome.high is None:
        return []
    held = share("coverage", numbers.held(outcome.low, outcome.y_true, outcome.high))
    return [replace(held, baseline=outcome.coverage)]
