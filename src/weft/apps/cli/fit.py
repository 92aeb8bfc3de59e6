"""``weft fit``: a table goes in; a model, figures and a report come out.

The order is a promise. What can be wrong with the command is found before the table is
read, what can be wrong with the table before the network is fitted, and the model is
written before anything else is made of it.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

from weft.apps.cli.errors import INTERRUPTED, OK, CommandError, say_interrupted
from weft.apps.cli.outputs import checked, require_suffix
from weft.apps.cli.request import Reading, Request
from weft.apps.cli.terminal import Terminal, write_json

if TYPE_CHECKING:
    from weft.apps.cli.learning import Learnt
    from weft.apps.report import Findings, Metric


@final
@dataclass(frozen=True)
class Fit(Request):
    """What ``weft fit`` was asked: its options.

    Attributes
    ----------
    settings : dict
        What the estimator is to be made with, where a person says so.
    command : str
        The whole command, as the report quotes it.
    """

    table: str
    reading: Reading
    target: str | None = None
    task: Literal["classification", "regression"] | None = None
    ignore: tuple[str, ...] = ()
    drop_missing_target: bool = False
    holdout: float = 0.2
    validation: float = 0.1
    settings: dict[str, Any] = field(default_factory=dict)
    output: str | None = None
    report: str | None = None
    plot: str | None = None
    force: bool = False
    json: bool = False
    quiet: bool = False
    command: str = ""

    def run(self) -> int:
        """Fit, measure, write and say."""
        paths = self._check()
        terminal = Terminal(machine=self.json, quiet=self.quiet)
        learnt = None
        with suppress(KeyboardInterrupt):
            learnt = self._learn(terminal)
        if learnt is None or not learnt.epochs:
            return say_interrupted(" before anything was learnt; nothing is written")
        try:
            self._finish(learnt, paths, terminal)
        except KeyboardInterrupt:
            kept = self.output is not None and Path(self.output).exists()
            return say_interrupted(f"; the model is in {self.output}" if kept else "")
        return INTERRUPTED if learnt.interrupted else OK

    def _check(self) -> dict[str, Path]:
        """Find what is wrong with the command itself; return the paths to write to."""
        from weft.apps.cli.learning import check_settings
        from weft.apps.report.pictures import FORMS

        for option, share in (
            ("--holdout", self.holdout),
            ("--validation", self.validation),
        ):
            if not 0 <= share < 1:
                raise CommandError(
                    f"{option} {share:g}: give a share of the rows, 0 <= share < 1"
                )
        require_suffix("--plot", self.plot, tuple(f".{form}" for form in FORMS))
        outputs = {"model": self.output, "report": self.report, "picture": self.plot}
        paths = checked(outputs, {"table": self.table}, self.force)
        check_settings(self.settings)
        return paths

    def _learn(self, terminal: Terminal) -> "Learnt":
        from weft.apps.cli.learning import learn
        from weft.apps.cli.question import understood

        with terminal.working(f"reading {self.table}"):
            question = understood(
                self.table,
                self.reading,
                self.target,
                self.task,
                self.ignore,
                self.drop_missing_target,
                self.holdout,
                self.validation,
                self.settings["random_state"],
            )
        settings = {**self.settings, "validation_fraction": self.validation}
        return learn(question, settings, terminal)

    def _finish(
        self, learnt: "Learnt", paths: dict[str, Path], terminal: Terminal
    ) -> None:
        """Write the model, measure it, write what else was asked, and say it all."""
        from weft.apps import report
        from weft.apps.cli.words import metric_rows

        if "model" in paths:
            learnt.estimator.save(paths["model"], self.force)
        findings = self._findings(learnt)
        metrics = report.metrics(findings.outcome)
        terminal.facts([*learnt.facts(), ("result", report.verdict(findings))])
        if metrics:
            terminal.line()
            terminal.figures(*metric_rows(metrics))
        terminal.line()
        if "model" in paths:
            terminal.facts([("model", str(paths["model"]))])
        else:
            terminal.facts([("model", "not written; --output FILE keeps it")])
        if "report" in paths:
            with terminal.working("drawing the report"):
                report.write(findings, paths["report"], self.force)
            terminal.facts([("report", str(paths["report"]))])
        if "picture" in paths:
            with terminal.working("drawing the picture"):
                report.save_picture(findings, paths["picture"], self.force)
            terminal.facts([("picture", str(paths["picture"]))])
        if self.json:
            write_json(_data(learnt, metrics, paths))

    def _findings(self, learnt: "Learnt") -> "Findings":
        from weft.apps.cli.findings import findings_of, outcome_of

        outcome = outcome_of(learnt.estimator, *learnt.question.held())
        now = datetime.now()
        return findings_of(
            learnt,
            outcome,
            model_file=self.output or "",
            command=self.command,
            created=f"{now.day} {now:%B %Y, %H:%M}",
        )


def _data(
    learnt: "Learnt", metrics: "Sequence[Metric]", paths: dict[str, Path]
) -> dict[str, Any]:
    """What a machine is told of a fit."""
    from weft.apps.cli.words import metric_data

    question, estimator = learnt.question, learnt.estimator
    fit = estimator.fit_
    return {
        "task": question.task.kind,
        "rows": question.target.rows,
        **metric_data(metrics),
        "seconds": fit.seconds,
        "source": question.inputs.source,
        "target": question.target.name,
        "columns": len(question.inputs.names),
        "rows_fitted": fit.train_rows,
        "rows_validation": fit.validation_rows,
        "rows_held_out": len(question.parts.held),
        "parameters": learnt.parameters,
        "epochs": fit.epochs,
        "best_epoch": fit.best_epoch,
        "stopped": fit.stopped,
        "interrupted": learnt.interrupted,
        "seed": estimator.random_state,
        **dict.fromkeys(("model", "report", "picture")),
        **{name: str(path) for name, path in paths.items()},
        "notes": [*question.notes, *learnt.estimator.schema_.notes, *learnt.warnings],
    }
