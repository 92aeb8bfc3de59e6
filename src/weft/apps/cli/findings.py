"""From a fitted estimator and rows held out to what a report shows.

One idea: the estimator is asked only what anyone may ask it; what it answers for the
rows held out is the outcome, and every figure of merit is computed from that by the
report, so that the terminal, the JSON line and the report cannot disagree.
"""

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.apps import report
from weft.apps.cli.learning import Learnt
from weft.apps.cli.network import layers
from weft.tables import Block, ClassTarget, Column, ColumnSummary, RealTarget, Table

COVERAGE = 0.9


def outcome_of(
    estimator: Any, inputs: Table, truth: Column
) -> report.Classification | report.Regression:
    """Return what an estimator answers for some rows, beside the truth.

    Parameters
    ----------
    estimator : fitted TabularClassifier or TabularRegressor
    inputs : Table
    truth : Column
        The target of the same rows.

    Returns
    -------
    Classification or Regression

    Raises
    ------
    TableError
        If the table lacks a column, or the truth a value; or it holds a class that was
        not learnt.
    """
    target = estimator.target_
    if isinstance(target, ClassTarget):
        return _classes(estimator, target, inputs, truth)
    return _numbers(estimator, target, inputs, truth)


def findings_of(
    learnt: Learnt,
    outcome: report.Classification | report.Regression,
    *,
    model_file: str = "",
    command: str = "",
    created: str = "",
) -> report.Findings:
    """Return everything that a report of a fit shows.

    Parameters
    ----------
    learnt : Learnt
    outcome : Classification or Regression
        On the rows held out.
    model_file : str
        Where the model was written, or nothing.
    command : str
        The whole command, ready to be given again.
    created : str
        When, in words.

    Returns
    -------
    Findings
    """
    question, estimator = learnt.question, learnt.estimator
    fit = estimator.fit_
    source = Path(question.inputs.source).name
    target = question.target.name
    return report.Findings(
        title=f"{target}, learnt from {source}",
        source=source,
        target=target,
        rows=report.Rows(fit.train_rows, fit.validation_rows, outcome.rows),
        outcome=outcome,
        history=_history(learnt),
        model=_model(estimator, command),
        columns=_columns(estimator.schema_.summary(), question.ignored),
        notes=_notes(learnt),
        model_file=model_file,
        created=created,
    )


# --- the outcome ---------------------------------------------------------------------


def _classes(
    estimator: Any, target: ClassTarget, inputs: Table, truth: Column
) -> report.Classification:
    codes = target.encode(truth)
    if truth.rows:
        probabilities = estimator.predict_proba(inputs)
    else:
        probabilities = np.empty((0, len(target.labels)))
    return report.Classification(
        classes=[str(label) for label in target.labels],
        y_true=codes,
        y_pred=probabilities.argmax(axis=1),
        probabilities=probabilities,
        train_counts=np.array(target.counts, dtype=np.float64),
        images=_images(inputs),
    )


def _numbers(
    estimator: Any, target: RealTarget, inputs: Table, truth: Column
) -> report.Regression:
    known: dict[str, Any] = {"train_mean": target.mean, "train_deviation": target.scale}
    if not truth.rows:
        return report.Regression(np.empty(0), np.empty(0), **known)
    y_true = target.values(truth)
    answer = estimator.predict_dist(inputs)
    low, high = answer.interval(COVERAGE)
    return report.Regression(
        y_true,
        answer.mean(),
        deviation=answer.std(),
        low=low,
        high=high,
        coverage=COVERAGE,
        log_density=answer.log_prob(y_true),
        **known,
    )


def _images(inputs: Table) -> NDArray[Any] | None:
    """The rows as pictures, where the whole table is one block of pictures."""
    block = inputs.parts[0] if len(inputs.parts) == 1 else None
    if not isinstance(block, Block) or len(block.shape) != 2:
        return None
    return block.values.reshape(block.rows, *block.shape)


# --- the fit -------------------------------------------------------------------------


def _history(learnt: Learnt) -> report.History:
    history, fit = learnt.estimator.history_, learnt.estimator.fit_
    validation = history["validation"]
    return report.History(
        epoch=np.array([epoch.number for epoch in history], dtype=np.float64),
        train_cost=history["cost"],
        validation_cost=None if np.isnan(validation).all() else validation,
        learning_rate=history["lr"],
        seconds=history["seconds"],
        best_epoch=fit.best_epoch or None,
        stopped=fit.message,
        interrupted=learnt.interrupted,
        cost="negative log-likelihood",
    )


def _model(estimator: Any, command: str) -> report.Model:
    about = estimator.describe()
    settings = {
        name.replace("_", " ").capitalize(): _setting(value)
        for name, value in about["settings"].items()
        if name != "random_state" and value is not None
    }
    settings["Batch size"] = str(estimator.fit_.batch_size)
    return report.Model(
        layers=layers(estimator.network_, estimator.schema_.width),
        output=about["output"],
        optimiser=about["optimizer"],
        settings=settings,
        seed=estimator.random_state,
        seconds=estimator.fit_.seconds,
        versions=versions(),
        command=command,
    )


def _setting(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def versions() -> dict[str, str]:
    """Return the versions of weft and of what its numbers depend on."""
    known = {name: version(name) for name in ("weft", "numpy", "scipy")}
    return known | {"python": platform.python_version()}


# --- the table -----------------------------------------------------------------------


def _columns(
    summary: Sequence[ColumnSummary], ignored: Sequence[Column]
) -> list[report.Column]:
    seen = [
        report.Column(
            name=line.name,
            kind=line.kind,
            treatment=line.treatment,
            missing=line.missing,
            levels=None if line.kind == "number" else line.levels,
            note=line.note,
            used=line.width > 0,
        )
        for line in summary
    ]
    return seen + [
        report.Column(
            name=column.name,
            kind=column.kind,
            treatment="left out",
            missing=column.missing_count,
            note="as asked",
            used=False,
        )
        for column in ignored
    ]


def _notes(learnt: Learnt) -> list[report.Note]:
    notes = []
    if learnt.interrupted:
        kept = learnt.estimator.fit_.best_epoch
        notes.append(
            report.Note(
                "interrupted",
                f"The fit was interrupted after {learnt.epochs} epochs; the network is "
                f"that of epoch {kept}, the best so far.",
            )
        )
    notes += [report.Note("warning", f"{said}.") for said in learnt.warnings]
    for line in learnt.estimator.schema_.summary():
        if line.note:
            gone = not line.width or "dropped" in line.note
            kind = "dropped" if gone else "imputed" if line.missing else "information"
            notes.append(report.Note(kind, f"{line.name}: {line.note}."))
    notes += [report.Note("information", f"{said}.") for said in learnt.question.notes]
    return notes
