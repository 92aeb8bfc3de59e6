"""``weft predict``: a model and a table give a table of predictions."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import final

from weft.apps.cli.errors import OK, CommandError
from weft.apps.cli.outputs import checked, require_suffix
from weft.apps.cli.request import Reading, Request
from weft.apps.cli.terminal import Terminal, write_bytes, write_json

STDOUT = "-"


@final
@dataclass(frozen=True)
class Predict(Request):
    """What ``weft predict`` was asked: its options."""

    model: str
    table: str
    reading: Reading
    output: str = STDOUT
    force: bool = False
    coverage: float = 0.9
    json: bool = False
    quiet: bool = False

    def run(self) -> int:
        """Read, predict, write and say."""
        path = self._check()
        from weft.apps.cli.models import load_tabular, read_for, task_of
        from weft.apps.cli.predictions import as_csv, as_parquet, predictions
        from weft.apps.cli.words import remarks
        from weft.apps.report.words import count
        from weft.estimators.modelfile import atomic_write

        estimator = load_tabular(self.model)
        table = read_for(estimator, self.table, self.reading)
        start = time.perf_counter()
        noticed = estimator.schema_.transform(table).notes
        found = predictions(estimator, table, self.coverage)
        seconds = time.perf_counter() - start
        form = as_parquet if path and path.suffix.lower() == ".parquet" else as_csv
        if path is None:
            write_bytes(form(found))
        else:
            atomic_write(path, form(found), self.force)
        notes = [*table.notes, *noticed]
        terminal = Terminal(machine=self.json or path is None, quiet=self.quiet)
        rows = f"{table.source}: {count(table.rows)}"
        terminal.facts([("table", rows), *remarks(notes)])
        if path is not None:
            terminal.facts(
                [
                    (
                        "written",
                        f"{path}: {', '.join(list(found)[:4])}"
                        + (", ..." if len(found) > 4 else ""),
                    )
                ]
            )
        if self.json:
            write_json(
                {
                    "task": task_of(estimator),
                    "rows": table.rows,
                    "metrics": {},
                    "seconds": seconds,
                    "source": table.source,
                    "target": estimator.target_.name,
                    "columns": list(found),
                    "predictions": str(path),
                    "notes": notes,
                }
            )
        return OK

    def _check(self) -> Path | None:
        """Find what is wrong with the command itself; return the path to write to."""
        from weft.apps.cli.predictions import SUFFIXES

        if not 0 < self.coverage < 1:
            raise CommandError(
                f"--coverage {self.coverage:g}: give a share, 0 < share < 1"
            )
        if self.output == STDOUT:
            if self.json:
                raise CommandError(
                    "--json needs the standard output, where the predictions would "
                    "go: say --output FILE"
                )
            return None
        require_suffix("--output", self.output, SUFFIXES)
        inputs = {"model": self.model, "table": self.table}
        return checked({"predictions": self.output}, inputs, self.force)["predictions"]
