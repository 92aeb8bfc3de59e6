"""``weft evaluate``: how well a model does on rows whose target is known."""

import time
from dataclasses import dataclass
from typing import final

from weft.apps.cli.errors import OK
from weft.apps.cli.request import Reading, Request
from weft.apps.cli.terminal import Terminal, write_json


@final
@dataclass(frozen=True)
class Evaluate(Request):
    """What ``weft evaluate`` was asked: its options."""

    model: str
    table: str
    reading: Reading
    drop_missing_target: bool = False
    json: bool = False

    def run(self) -> int:
        """Read, measure and say."""
        from weft.apps import report
        from weft.apps.cli.findings import outcome_of
        from weft.apps.cli.models import load_tabular, read_for, task_of
        from weft.apps.cli.words import metric_data, metric_rows, remarks
        from weft.apps.report.words import count, quoted
        from weft.tables import ClassTarget, separate

        estimator = load_tabular(self.model)
        target = estimator.target_
        table = read_for(estimator, self.table, self.reading)
        drop = self.drop_missing_target
        inputs, truth = separate(table, target.name, drop_missing_target=drop)
        start = time.perf_counter()
        outcome = outcome_of(estimator, inputs, truth)
        metrics = report.metrics(outcome)
        seconds = time.perf_counter() - start
        notes = [*inputs.notes, *estimator.schema_.transform(inputs).notes]
        if isinstance(target, ClassTarget):
            notes += target.transform(truth)[1]
        terminal = Terminal(machine=self.json)
        rows = (
            f"{table.source}: {count(truth.rows)}, to predict {quoted(target.name)} in"
        )
        terminal.facts([("table", rows), *remarks(notes)])
        terminal.line()
        terminal.figures(*metric_rows(metrics))
        if self.json:
            write_json(
                {
                    "task": task_of(estimator),
                    "rows": truth.rows,
                    **metric_data(metrics),
                    "seconds": seconds,
                    "source": table.source,
                    "target": target.name,
                    "notes": notes,
                }
            )
        return OK
