"""A question becomes a fitted estimator, with a progress bar on the way."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from weft import nn
from weft.apps.cli.network import count_parameters, in_one_line
from weft.apps.cli.progress import Progress
from weft.apps.cli.question import Question
from weft.apps.cli.terminal import Terminal
from weft.apps.cli.words import Fact, column_facts, duration, remarks
from weft.apps.report.words import count
from weft.estimators import TabularClassifier, TabularRegressor
from weft.train import Beginning


@final
@dataclass(frozen=True, eq=False)
class Learnt:
    """What came of a question.

    Attributes
    ----------
    question : Question
    estimator : TabularClassifier or TabularRegressor
        Fitted, unless it was interrupted before the first epoch was over.
    warnings : tuple of str
        What was warned of while it was fitted.
    """

    question: Question
    estimator: Any
    warnings: tuple[str, ...]

    @property
    def epochs(self) -> int:
        """How many epochs were done."""
        done: int = self.estimator.fit_.epochs
        return done

    @property
    def interrupted(self) -> bool:
        """Whether a person ended the fit."""
        return bool(self.estimator.fit_.stopped == "interrupted")

    @property
    def parameters(self) -> int:
        """How many numbers were learnt."""
        width = self.estimator.schema_.width
        return count_parameters(self.estimator.network_, width)

    def facts(self) -> list[Fact]:
        """Say how the fit went."""
        fit = self.estimator.fit_
        done = f"{count(fit.epochs, 'epoch')} in {duration(fit.seconds)}"
        kept = f"epoch {fit.best_epoch} is kept"
        if self.interrupted:
            said = f"{done}, then interrupted: the best so far, {kept}"
        else:
            said = f"{done}; {kept} ({fit.message})"
        return [("fitted", said), *remarks(self.warnings)]


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise an error if no network can be made with such settings.

    Raises
    ------
    WeftError
    """
    made = TabularClassifier(**settings)
    nn.mlp(list(made.hidden), made.unit, dropout=made.dropout)


def learn(
    question: Question, settings: Mapping[str, Any], terminal: Terminal
) -> Learnt:
    """Fit an estimator to the rows to learn from.

    Parameters
    ----------
    question : Question
    settings : mapping
        What the estimator is to be made with.
    terminal : Terminal
        Told what was understood, and shown the progress.

    Returns
    -------
    Learnt

    Raises
    ------
    WeftError
        If the table cannot be learnt from.
    """
    kind = TabularClassifier if question.classes else TabularRegressor
    estimator = kind(**settings)
    terminal.facts(question.facts())

    def begun(beginning: Beginning) -> None:
        terminal.facts(_beginning_facts(question, estimator, beginning))

    progress = Progress(terminal.progress_console(), begun)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        estimator.fit(*question.to_learn(), callbacks=[progress])
    said = dict.fromkeys(str(warning.message) for warning in caught)
    return Learnt(question, estimator, tuple(said))


def _beginning_facts(
    question: Question, estimator: Any, beginning: Beginning
) -> list[Fact]:
    ignored = [column.name for column in question.ignored]
    rows = [f"{beginning.rows:,} to learn from"]
    if beginning.validation_rows:
        rows.append(f"{beginning.validation_rows:,} to choose the epoch by")
    held = len(question.parts.held)
    rows.append(f"{held:,} held out" if held else "none held out")
    width = estimator.schema_.width
    return [
        *column_facts(estimator.schema_, ignored),
        ("rows", ", ".join(rows)),
        ("network", in_one_line(beginning.network, width)),
    ]
