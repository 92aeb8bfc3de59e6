"""What is to be learnt, from what: the table of a fit, understood and parted.

Everything that can be wrong with a table is found here, before a network is fitted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count as count_up
from typing import Literal, final

import numpy as np

from weft.apps.cli.errors import CommandError
from weft.apps.cli.request import Reading
from weft.apps.cli.words import Fact, remarks
from weft.apps.report.words import count, quoted
from weft.tables import (
    ClassTarget,
    Column,
    RealTarget,
    Split,
    Table,
    Task,
    check_finite,
    infer_task,
    read,
    separate,
    split,
)


@final
@dataclass(frozen=True, eq=False)
class Question:
    """A table parted into inputs and target, and into rows to learn from and others.

    Attributes
    ----------
    inputs : Table
        Without the target and the columns to ignore.
    target : Column
        Without gaps.
    task : Task
        The kind of answer that is asked for, and why it was taken so.
    ignored : tuple of Column
    parts : Split
        The rows to learn from (the ones to validate by among them), and those held out.
    notes : tuple of str
        What was noticed while the table was read.
    """

    inputs: Table
    target: Column
    task: Task
    ignored: tuple[Column, ...]
    parts: Split
    notes: tuple[str, ...]

    @property
    def classes(self) -> int:
        """How many classes the target has, 0 if it is a quantity."""
        return len(self.target.counts) if self.task.kind == "classification" else 0

    def to_learn(self) -> tuple[Table, Column]:
        """The rows to learn from."""
        return self.inputs.take(self.parts.train), self.target.take(self.parts.train)

    def held(self) -> tuple[Table, Column]:
        """The rows held out."""
        return self.inputs.take(self.parts.held), self.target.take(self.parts.held)

    def facts(self) -> list[Fact]:
        """Say what was understood of the table."""
        columns = len(self.inputs.names) + len(self.ignored)
        held = f"{count(self.target.rows)}, {count(columns, 'column')}"
        kind: str = self.task.kind
        if self.classes:
            kind += f" into {count(self.classes, 'class')}"
        return [
            ("table", f"{self.inputs.source}: {held} beside the target"),
            *remarks(self.notes),
            ("target", f"{quoted(self.target.name)}: {kind} ({self.task.reason})"),
        ]


def understood(
    source: str,
    reading: Reading,
    target: str | None,
    task: Literal["classification", "regression"] | None = None,
    ignore: Sequence[str] = (),
    drop_missing_target: bool = False,
    holdout: float = 0.2,
    validation: float = 0.1,
    seed: int = 0,
) -> Question:
    """Read a table and find out what is to be learnt from it.

    Parameters
    ----------
    source : str
        As `weft.tables.read` takes it.
    reading : Reading
    target : str or None
        The column to learn; None takes the one that the table itself names.
    task : {"classification", "regression"} or None
        None finds it out.
    ignore : sequence of str
        Columns to leave out.
    drop_missing_target : bool
        Leave out rows without the target.
    holdout : float
        The share of rows to hold out, 0 <= holdout < 1.
    validation : float
        The share of the others that will choose the epoch, 0 <= validation < 1.
    seed : int

    Returns
    -------
    Question

    Raises
    ------
    TableError or CommandError
        If the table cannot be read or learnt from.

    Examples
    --------
    >>> question = understood("iris", Reading(), None)
    >>> question.target.name, question.task.kind, len(question.parts.held)
    ('species', 'classification', 30)
    """
    table = read(source, header=reading.header, columns=reading.columns)
    name = _target_name(table, target)
    if name in ignore:
        raise CommandError(f"--ignore {name}: this is the column to learn")
    inputs, column = separate(table, name, drop_missing_target=drop_missing_target)
    ignored = tuple(inputs.column(other) for other in ignore)
    inputs = inputs.without(ignore)
    check_finite(replace(inputs, parts=(*inputs.parts, column)))
    found = infer_task(column) if task is None else Task(task, "as asked")
    if found.kind == "classification":
        codes = ClassTarget.fit(column).encode(column)
    else:
        RealTarget.fit(column)  # says what is wrong with it
        codes = None
    _require_rows(column.rows, holdout, validation, table.source)
    parts = Split(np.arange(column.rows), np.arange(0))
    if holdout:
        parts = split(column.rows, holdout, seed, codes)
    return Question(inputs, column, found, ignored, parts, inputs.notes)


def _require_rows(rows: int, holdout: float, validation: float, source: str) -> None:
    """Raise an error if there are too few rows for the parts that are wanted."""
    if _enough(rows, holdout, validation):
        return
    least = next(n for n in count_up(rows) if _enough(n, holdout, validation))
    shares = [f"{100 * holdout:g} % to hold out"] if holdout else []
    shares += [f"{100 * validation:g} % to choose the epoch by"] if validation else []
    raise CommandError(
        f"{source} has {count(rows)}, and at least {least} are needed: some to learn "
        f"from, {' and '.join(shares)} (--holdout 0 --validation 0 learns from all)"
    )


def _enough(rows: int, holdout: float, validation: float) -> bool:
    """Whether no part is empty; shares are rounded as `weft.tables.split` does."""
    for share in (holdout, validation):
        taken = int(rows * share + 0.5)
        rows -= taken
        if share and not taken:
            return False
    return rows > 0


def _target_name(table: Table, target: str | None) -> str:
    if target is not None:
        return target
    if table.target is not None:
        return table.target
    names = ", ".join(map(repr, table.names[:12]))
    more = f" and {len(table.names) - 12} more" if len(table.names) > 12 else ""
    raise CommandError(
        f"{table.source} does not say which column is to be learnt: say --target "
        f"COLUMN. It has {names}{more}"
    )
