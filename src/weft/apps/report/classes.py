"""What was learnt of classes: confusions, recall and precision, calibration.

One idea: everything follows from two columns of class numbers and the probabilities
beside them. scikit-learn counts; here the intervals are added.

References
----------
G. Y. Zou, A. Donner, "Construction of confidence limits about effect measures: a
general approach", Statistics in Medicine 27 (2008), for the balanced accuracy.
E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, "Comparing the areas under two or more
correlated receiver operating characteristic curves", Biometrics 44 (1988).
"""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from weft.apps.report.metric import FEWEST, Metric, Z, mean, share, wilson
from weft.apps.report.outcome import Bools, Classification, Codes, Floats


@final
@dataclass(frozen=True)
class ClassScore:
    """What was learnt of one class.

    Parameters
    ----------
    name : str
    support : int
        Held-out rows of this class.
    answered : int
        Held-out rows for which this class was answered.
    precision : float, optional
        Share of `answered` that are of this class.
    recall : float, optional
        Share of `support` for which it was answered.
    low, high : float, optional
        Wilson's interval for the recall.
    f1 : float, optional
        Harmonic mean of precision and recall; None where neither is known.
    """

    name: str
    support: int
    answered: int
    precision: float | None
    recall: float | None
    low: float | None
    high: float | None
    f1: float | None


@final
@dataclass(frozen=True)
class Confusion:
    """One class taken for another: how often, and as a share of its rows."""

    true: str
    answered: str
    rows: int
    share: float


@final
@dataclass(frozen=True, eq=False)
class Calibration:
    """What the model said of its certainty against what came.

    Parameters
    ----------
    event : str
        What the probabilities speak of: a class, or "" for "the answer is right".
    said, came : ndarray, shape (b,)
        Mean probability and frequency in each bin of about equally many rows.
    low, high : ndarray, shape (b,)
        Wilson's interval for `came`.
    rows : ndarray, shape (b,)
    error : float
        Expected calibration error: the mean over rows of abs(said - came).
    chance : float
        What `error` would be on average if the model were calibrated perfectly: with
        few rows it is not 0.
    """

    event: str
    said: Floats
    came: Floats
    low: Floats
    high: Floats
    rows: Codes
    error: float
    chance: float


def confusion(outcome: Classification) -> Codes:
    """The confusion matrix.

    Returns
    -------
    ndarray of int, shape (k, k)
        Rows of each true class (down) by answered class (across).
    """
    k = len(outcome.classes)
    if outcome.rows == 0:
        return np.zeros((k, k), dtype=np.int64)
    from sklearn.metrics import confusion_matrix

    matrix = confusion_matrix(outcome.y_true, outcome.y_pred, labels=range(k))
    return np.asarray(matrix, dtype=np.int64)


def confusions(outcome: Classification, limit: int = 10) -> tuple[Confusion, ...]:
    """The commonest mistakes, the most frequent first."""
    matrix = confusion(outcome)
    support = matrix.sum(axis=1)
    mistakes = matrix - np.diag(matrix.diagonal())
    order = np.argsort(-mistakes, axis=None, kind="stable")[:limit]
    pairs = [divmod(int(flat), len(matrix)) for flat in order]
    return tuple(
        Confusion(
            outcome.classes[true],
            outcome.classes[answered],
            int(mistakes[true, answered]),
            float(mistakes[true, answered] / support[true]),
        )
        for true, answered in pairs
        if mistakes[true, answered]
    )


def class_scores(outcome: Classification) -> tuple[ClassScore, ...]:
    """Precision, recall and support of every class, in the classes' order.

    Examples
    --------
    >>> outcome = Classification(["no", "yes"], [0, 1, 1, 1], [1, 1, 1, 1])
    >>> no, yes = class_scores(outcome)
    >>> no.recall, no.precision, yes.recall, yes.precision
    (0.0, None, 1.0, 0.75)
    """
    matrix = confusion(outcome)
    support, answered = matrix.sum(axis=1), matrix.sum(axis=0)
    right = matrix.diagonal()
    lows, highs = wilson(right, support)
    scores = []
    for c, name in enumerate(outcome.classes):
        s, a, r = int(support[c]), int(answered[c]), int(right[c])
        scores.append(
            ClassScore(
                name=name,
                support=s,
                answered=a,
                precision=r / a if a else None,
                recall=r / s if s else None,
                low=float(lows[c]) if s else None,
                high=float(highs[c]) if s else None,
                f1=2 * r / (s + a) if s + a else None,
            )
        )
    return tuple(scores)


def calibration(outcome: Classification) -> Calibration | None:
    """The calibration curve over at most ten bins of about equally many rows.

    With two classes the probability of the second one is held against how often it
    came; with more, the probability of the answer against how often it was right.
    Bins whose ends lie closer than 0.01 are joined: most probabilities of a good model
    are almost 1, and parting those would show chance only. None without probabilities,
    or with fewer rows than `FEWEST`.
    """
    if outcome.probabilities is None or outcome.rows < FEWEST:
        return None
    if len(outcome.classes) == 2:
        event = outcome.classes[1]
        p, came = outcome.probabilities[:, 1], outcome.y_true == 1
    else:
        event = ""
        p, came = confidence(outcome), outcome.y_true == outcome.y_pred
    bins = min(10, len(p) // FEWEST)
    ends = [0.0]
    for end in np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]):
        if end - ends[-1] >= 0.01:
            ends.append(end)
    number = np.searchsorted(ends[1:], p)
    rows = np.bincount(number, minlength=len(ends))

    def means(values: ArrayLike) -> Floats:
        sums = np.bincount(number, values, minlength=len(ends))
        return np.asarray(sums[rows > 0] / rows[rows > 0])

    said, frequency, noise = means(p), means(came), means(p * (1 - p))
    rows = rows[rows > 0]
    low, high = wilson(np.rint(frequency * rows), rows)
    weight = rows / rows.sum()
    # the mean of |x| is sqrt(2/pi) standard deviations for a normal x of mean 0
    chance = np.sqrt(2 / np.pi * noise / rows)
    return Calibration(
        event,
        said,
        frequency,
        low,
        high,
        rows,
        error=float(weight @ np.abs(said - frequency)),
        chance=float(weight @ chance),
    )


def confidence(outcome: Classification) -> Floats:
    """The probability that the model gave its own answer, shape (n,)."""
    assert outcome.probabilities is not None
    return outcome.probabilities[np.arange(outcome.rows), outcome.y_pred]


def overconfidence(outcome: Classification) -> Metric | None:
    """How far the mean probability of the answers lies above the accuracy."""
    if outcome.probabilities is None or outcome.rows == 0:
        return None
    return mean(
        "overconfidence", confidence(outcome) - (outcome.y_true == outcome.y_pred)
    )


def figures(outcome: Classification) -> list[Metric]:
    """The figures of merit that a baseline has as well."""
    from sklearn.metrics import f1_score

    y_true, y_pred = outcome.y_true, outcome.y_pred
    f1 = f1_score(y_true, y_pred, average="macro", zero_division=0)
    found = [
        share("accuracy", y_true == y_pred),
        _balanced_accuracy(outcome),
        Metric("f1", float(f1)),
    ]
    if outcome.probabilities is None:
        return found
    if len(outcome.classes) == 2 and len(np.unique(y_true)) == 2:
        found.append(_area(outcome.probabilities[:, 1], y_true == 1))
    p = outcome.probabilities[np.arange(outcome.rows), y_true]
    # a probability that was rounded to 0 costs 36, not infinity
    cost = -np.log(np.maximum(p, np.finfo(np.float64).eps))
    found.append(mean("nll", cost))
    return found


def _balanced_accuracy(outcome: Classification) -> Metric:
    """The mean recall; its interval put together from Wilson's (Zou and Donner)."""
    matrix = confusion(outcome)
    support = matrix.sum(axis=1)
    right, support = matrix.diagonal()[support > 0], support[support > 0]
    recall = right / support
    low, high = wilson(right, support)
    value = float(recall.mean())
    return Metric(
        "balanced_accuracy",
        value,
        max(0.0, value - math.hypot(*(recall - low)) / len(recall)),
        min(1.0, value + math.hypot(*(high - recall)) / len(recall)),
    )


def _area(score: Floats, positive: Bools) -> Metric:
    """Area under the ROC curve, its standard error after DeLong."""
    yes, no = np.sort(score[positive]), np.sort(score[~positive])

    def above(values: Floats, others: Floats) -> Floats:
        """The share of `others` below each value, ties counted by half."""
        fewer = np.searchsorted(others, values, side="left")
        no_more = np.searchsorted(others, values, side="right")
        return np.asarray((fewer + no_more) / (2 * len(others)))

    yes_over_no, no_over_yes = above(yes, no), above(no, yes)
    area = float(yes_over_no.mean())
    if min(len(yes), len(no)) < 2:
        return Metric("auc", area)
    variance = yes_over_no.var(ddof=1) / len(yes) + no_over_yes.var(ddof=1) / len(no)
    if variance == 0:  # a perfect order: its error is not known to be 0
        return Metric("auc", area)
    half = Z * math.sqrt(variance)
    return Metric("auc", area, max(0.0, area - half), min(1.0, area + half))
