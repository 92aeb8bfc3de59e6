"""``weft describe``: what a model learnt, from which columns, and how."""

from dataclasses import dataclass
from typing import Any, final

from weft.apps.cli.errors import OK
from weft.apps.cli.request import Request
from weft.apps.cli.terminal import Terminal, write_json

_CLASSES = 10  # how many classes are named
_COLUMNS = 40  # how many columns are listed


@final
@dataclass(frozen=True)
class Describe(Request):
    """What ``weft describe`` was asked: its options."""

    model: str
    json: bool = False

    def run(self) -> int:
        """Read and say."""
        from weft.apps.cli.models import load_tabular

        estimator = load_tabular(self.model)
        if self.json:
            write_json(_data(estimator))
        else:
            _say(estimator, self.model, Terminal())
        return OK


def _data(estimator: Any) -> dict[str, Any]:
    """What a machine is told of a model."""
    about = estimator.describe()
    return {
        "task": about.pop("task"),
        "rows": sum(about.pop("rows").values()),
        "metrics": {},
        "seconds": about.pop("seconds"),
        "rows_fitted": about.pop("train_rows"),
        "rows_validation": about.pop("validation_rows"),
        **about,
    }


def _say(estimator: Any, path: str, terminal: Terminal) -> None:
    from weft.apps.cli.models import task_of
    from weft.apps.cli.network import in_one_line
    from weft.apps.cli.words import column_facts, duration, remarks
    from weft.apps.report.words import count, listed, quoted
    from weft.tables import ClassTarget

    about, fit, target = estimator.describe(), estimator.fit_, estimator.target_
    schema = estimator.schema_
    answer = task_of(estimator)
    if isinstance(target, ClassTarget):
        names = [quoted(label) for label in target.labels]
        answer += f" into {count(len(names), 'class')}: {listed(names, _CLASSES)}"
    settings = [
        f"{name.replace('_', ' ')} {_said(value)}"
        for name, value in about["settings"].items()
        if value is not None and name not in ("hidden", "unit", "dropout", "engine")
    ]
    terminal.facts(
        [
            ("model", f"{path}: {about['estimator']}"),
            ("predicts", f"{quoted(target.name)}: {answer}"),
            column_facts(schema)[0],
            ("network", in_one_line(estimator.network_, schema.width)),
            ("optimiser", about["optimizer"]),
            ("settings", "; ".join([*settings, f"batches of {fit.batch_size}"])),
            (
                "rows",
                f"{fit.train_rows:,} to learn from, {fit.validation_rows:,} to choose "
                "the epoch by",
            ),
            (
                "fitted",
                f"{count(fit.epochs, 'epoch')} in {duration(fit.seconds)}; epoch "
                f"{fit.best_epoch} is kept ({fit.message})",
            ),
        ]
    )
    terminal.line()
    lines = schema.summary()
    shown = lines[:_COLUMNS]
    terminal.listing(
        ["column", "kind", "treatment", "remark"],
        [(line.name, line.kind, line.treatment, line.note) for line in shown],
    )
    if len(lines) > len(shown):
        more = count(len(lines) - len(shown), "more column")
        terminal.facts(remarks([f"... and {more}; --json lists all"]))


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
