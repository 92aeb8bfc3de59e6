"""What a fit comes to: one sentence for anyone, and what speaks against it.

One idea: the verdict is a sentence that a layperson understands, with its uncertainty
and with what is reached without looking; and what speaks against a model is said as
plainly as what speaks for it.
"""

from collections.abc import Sequence

import numpy as np

from weft.apps.report import classes, measures, numbers
from weft.apps.report.findings import Findings
from weft.apps.report.metric import Metric
from weft.apps.report.outcome import Classification, Regression
from weft.apps.report.words import (
    SPACE,
    count,
    interval,
    listed,
    meaning,
    percent,
    quoted,
    shown,
)

FEW_ROWS = 10  # of a class: fewer say next to nothing about its recall


def verdict(findings: Findings) -> str:
    r"""What was found, in one sentence (a second one if it is nothing).

    Examples
    --------
    >>> from weft.apps.report.findings import Rows
    >>> y = [0] * 50 + [1] * 50
    >>> outcome = Classification(["no", "yes"], y, [1] + y[1:], None, [300, 100])
    >>> findings = Findings("", "rain.csv", "rain", Rows(400, 0, 100), outcome)
    >>> print(verdict(findings).replace("\xa0", " "))
    weft recognises ‘rain’ correctly in 99 % of 100 rows that it never saw
    (95 % interval 94.6–99.8 %); always answering the commonest class would give 50 %.
    """
    found = measures.metrics(findings.outcome)
    if not found:
        return (
            "No rows were held out, so nothing is known of how well weft predicts "
            f"{quoted(findings.label)} in rows that it never saw."
        )
    chief = found[0]
    rows = f"{count(findings.outcome.rows)} that it never saw"
    if isinstance(findings.outcome, Classification):
        sentence = (
            f"weft recognises {quoted(findings.label)} correctly in "
            f"{percent(chief.value, short=True)} of {rows} "
            f"(95{SPACE}% interval {interval(chief)})"
        )
        if chief.baseline is not None:
            given = percent(chief.baseline, short=True)
            sentence += f"; always answering the commonest class would give {given}"
    else:
        sentence = _verdict_on_numbers(findings, findings.outcome, chief, rows)
    return f"{sentence}. {_doubt(chief)}".rstrip()


def _verdict_on_numbers(
    findings: Findings, outcome: Regression, chief: Metric, rows: str
) -> str:
    missed = numbers.residuals(outcome)
    assert missed is not None
    within = shown(missed.half, "target", findings.unit)
    sentence = (
        f"weft predicts {quoted(findings.label)} to within {within} for half of "
        f"{rows}; the root mean squared error is "
        f"{shown(chief.value, 'target', findings.unit)}"
    )
    if interval(chief):
        sentence += f" (95{SPACE}% interval {interval(chief)})"
    if chief.baseline is not None:
        given = shown(chief.baseline, "target", findings.unit)
        sentence += f", where always answering the mean gives {given}"
    return sentence


def _doubt(chief: Metric) -> str:
    """What must be added to the verdict on a model that is not plainly better."""
    if chief.baseline is None or chief.low is None or chief.high is None:
        return ""
    sign = 1 if meaning(chief).better == "higher" else -1
    if sign * chief.value <= sign * chief.baseline:
        return "So the network is no better than an answer that never looks at a row."
    if chief.low <= chief.baseline <= chief.high:
        return "So few rows cannot tell the network from such an answer."
    return ""


def caveats(findings: Findings) -> tuple[str, ...]:
    """What a reader should keep in mind, the specific before the general."""
    found = measures.metrics(findings.outcome)
    of_outcome: list[str] = []
    if found and isinstance(findings.outcome, Classification):
        of_outcome = _on_classes(findings.outcome, found)
    elif found and isinstance(findings.outcome, Regression):
        of_outcome = _on_numbers(findings.outcome, found)
    return (
        *_on_training(findings),
        *_on_rows(found, findings.outcome.rows),
        *of_outcome,
        "All figures are of rows drawn from the same table. Rows of another time or "
        "place may differ from them, and then so will the errors.",
        "What was learnt is what goes together in this table. It need not be a cause: "
        "changing an input in the world may not change the target as predicted.",
    )


def _on_training(findings: Findings) -> list[str]:
    said = []
    history = findings.history
    if history is not None and history.interrupted:
        said.append(
            "Training was interrupted before it had come to its own end; the best "
            "parameters so far were kept. A full run may do better."
        )
    if history is not None and len(history.epoch) and not history.interrupted:
        last = history.epoch[-1]
        measured = history.validation_cost is not None
        if measured and history.best_epoch == last and len(history.epoch) > 1:
            said.append(
                "The validation cost was at its lowest in the last epoch: more epochs "
                "may do better."
            )
    if history is not None and np.isinf(history.train_cost).any():
        said.append(
            "The training cost was not finite in some epochs: the learning rate may be "
            "too large."
        )
    if findings.rows.validation == 0 and history is not None:
        said.append(
            "There was no validation part: nothing told training when to stop before "
            "it fitted the noise."
        )
    return said


def _on_rows(found: Sequence[Metric], rows: int) -> list[str]:
    """How much the number of held-out rows leaves open."""
    if not found:
        return [
            "Without held-out rows there is no honest figure of merit: a network is "
            "always better on rows that it was fitted to."
        ]
    chief = found[0]
    if rows == 1:
        return ["One row was held out. It tells next to nothing."]
    if chief.low is None or chief.high is None:
        return []
    wide = chief.high - chief.low > (
        0.1 if chief.name == "accuracy" else chief.value / 5
    )
    if not wide:
        return []
    return [
        f"Only {count(rows)} were held out, so the figures are rough: "
        f"{meaning(chief).label.lower()} may be anywhere in {interval(chief)}."
    ]


def _on_classes(outcome: Classification, found: Sequence[Metric]) -> list[str]:
    said = []
    scores = classes.class_scores(outcome)
    rare = [
        f"{quoted(s.name)} ({s.support or 'none'})"
        for s in scores
        if s.support < FEW_ROWS
    ]
    if rare and outcome.rows > 1:
        said.append(
            f"Too few held-out rows to judge by: {listed(rare)}. Recall and precision "
            "of so few rows are mostly chance."
        )
    never = [quoted(s.name) for s in scores if s.support and not s.answered]
    if never:
        said.append(
            f"No row was ever answered as {listed(never).replace(' and ', ' or ')}."
        )
    most = max(scores, key=lambda score: score.support)
    if most.support / outcome.rows > 0.75 and outcome.rows >= FEW_ROWS:
        said.append(
            f"{percent(most.support / outcome.rows, short=True)} of the held-out rows "
            f"are {quoted(most.name)}, so accuracy alone flatters: look at the "
            "balanced accuracy and at each class."
        )
    gap = classes.overconfidence(outcome)
    if gap is not None and gap.low is not None and gap.high is not None:
        sure = percent(float(classes.confidence(outcome).mean()), short=True)
        right = percent(found[0].value, short=True)
        if gap.low > 0 and gap.value > 0.01:
            said.append(
                f"The probabilities promise too much: they say {sure} on average, and "
                f"{right} of the answers are right."
            )
        if gap.high < 0 and gap.value < -0.01:
            said.append(
                f"The probabilities are too modest: they say {sure} on average, and "
                f"{right} of the answers are right."
            )
    if found[0].value == 1 and outcome.rows >= 3 * FEW_ROWS:
        said.append(_LEAK.format("Every answer is right."))
    return said


def _on_numbers(outcome: Regression, found: Sequence[Metric]) -> list[str]:
    said = []
    for metric in found:
        if metric.name == "r2" and metric.value > 0.9999:
            said.append(_LEAK.format("The predictions are all but exact."))
        if metric.name == "coverage":
            said.append(_on_coverage(outcome, metric))
    if outcome.rows > 1 and np.ptp(outcome.y_pred) == 0 < np.ptp(outcome.y_true):
        said.append(
            "Every row got the same answer: the network uses none of the inputs."
        )
    if outcome.low is None:
        said.append(
            "The model gives no intervals: it does not say how sure a prediction is."
        )
    return said


_LEAK = (
    "{} That is rare: make sure that no column gives the target away, and that no row "
    "stands in the table twice."
)


def _on_coverage(outcome: Regression, metric: Metric) -> str:
    promised = percent(outcome.coverage, short=True)
    came = percent(metric.value, short=True)
    said = (
        f"The {promised} intervals held the truth in {came} "
        f"of the held-out rows (95{SPACE}% interval {interval(metric)})"
    )
    assert metric.low is not None and metric.high is not None
    if metric.high < outcome.coverage:
        return f"{said}: they are too narrow. Read them as less than they promise."
    if metric.low > outcome.coverage:
        return f"{said}: they are wider than they need be."
    return f"{said}, which agrees with what they promise."
