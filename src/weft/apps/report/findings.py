"""Everything that a report of a fit shows, as plain data.

One idea: whoever trained the network writes down what was found, and what draws and
words it knows nothing else. So a report can be made from any model, tested without
training one, and made again with the same bytes.

The centre of `Findings` is its outcome (`weft.apps.report.outcome`). No figure of merit
is stored: all of them are computed from the outcome (`weft.apps.report.measures`), so
that no two places of a report can disagree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from weft.apps.report.outcome import (
    Classification,
    Floats,
    Regression,
    ReportError,
    column,
    put,
)


@final
@dataclass(frozen=True)
class Rows:
    """How many rows each part of the table had.

    Parameters
    ----------
    train : int
        Rows that the parameters were fitted to.
    validation : int
        Rows that chose the epoch (and anything else that was chosen).
    held_out : int
        Rows that nothing was fitted to or chosen by.
    """

    train: int
    validation: int
    held_out: int


@final
@dataclass(frozen=True, eq=False)
class History:
    """How the training went, one value per epoch.

    Parameters
    ----------
    epoch : array_like of int, shape (e,)
        Numbers of the epochs, rising.
    train_cost : array_like, shape (e,)
        NaN where it was not measured; so in all others.
    validation_cost, learning_rate, seconds : array_like, shape (e,), optional
        Seconds are counted from the beginning of the fit.
    best_epoch : int, optional
        The one whose parameters were kept.
    stopped : str
        Why training ended, as the end of a sentence: "the validation cost had not
        fallen for 20 epochs".
    interrupted : bool
        Whether a person ended it.
    cost : str
        What the cost is, in words.
    """

    epoch: Floats
    train_cost: Floats
    validation_cost: Floats | None = None
    learning_rate: Floats | None = None
    seconds: Floats | None = None
    best_epoch: int | None = None
    stopped: str = ""
    interrupted: bool = False
    cost: str = "cost"

    def __post_init__(self) -> None:
        epoch = column("history's epoch", self.epoch)
        put(self, epoch=epoch)
        if self.best_epoch is not None and self.best_epoch not in epoch:
            raise ReportError(f"best_epoch is {self.best_epoch}, which is no epoch")
        for name in ("train_cost", "validation_cost", "learning_rate", "seconds"):
            values = getattr(self, name)
            if values is not None:
                checked = column(f"history's {name}", values, len(epoch), finite=False)
                put(self, **{name: checked})


@final
@dataclass(frozen=True)
class Column:
    """What was done with one column of the table.

    Parameters
    ----------
    name : str
    kind : str
        "number", "category", "boolean", "date", …
    treatment : str
        In words: "standardised", "one input per level", "dropped", …
    missing : int
        Rows without a value, among all that were read.
    levels : int, optional
        How many different values a category has.
    note : str
        Why it was treated so, where that is not plain.
    used : bool
        Whether the network sees it.
    """

    name: str
    kind: str
    treatment: str
    missing: int = 0
    levels: int | None = None
    note: str = ""
    used: bool = True


@final
@dataclass(frozen=True)
class Note:
    """Something that a reader should know.

    Parameters
    ----------
    kind : str
        "dropped", "imputed", "warning", "interrupted" or "information". Warnings and
        interruptions are shown at the top of the report too.
    text : str
        A sentence.
    """

    kind: str
    text: str


@final
@dataclass(frozen=True)
class Layer:
    """One layer of the network, in words.

    Parameters
    ----------
    name : str
        "dense 1", "output", …
    shape : str
        "64 → 128".
    unit : str
        What it computes from its affine map: "relu", "softmax", …
    parameters : int
        How many numbers it learnt.
    """

    name: str
    shape: str
    unit: str
    parameters: int


@final
@dataclass(frozen=True)
class Model:
    """The network, how it was trained and how to have it again.

    Parameters
    ----------
    layers : sequence of Layer
    output : str
        The output unit: the distribution that the network answers with.
    optimiser : str
    settings : mapping from str to anything that prints well
        Of the optimiser and the loop: learning rate, batch size, weight decay, …
    seed : int, optional
    seconds : float, optional
        How long the fit took.
    versions : mapping from str to str
        Of weft and of what it stood on.
    command : str
        What made the model: one command, ready to be given again.
    """

    layers: Sequence[Layer]
    output: str = ""
    optimiser: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    seed: int | None = None
    seconds: float | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""

    @property
    def parameters(self) -> int:
        """How many numbers the network learnt."""
        return sum(layer.parameters for layer in self.layers)


@final
@dataclass(frozen=True, eq=False)
class Findings:
    """Everything that a report shows.

    Parameters
    ----------
    title : str
        The report's heading.
    source : str
        Where the table came from: a file's name, or that of a built-in set.
    target : str
        The column that was learnt.
    rows : Rows
    outcome : Classification or Regression
        The answers on the held-out rows.
    label : str
        How the target is called in pictures and sentences, if not by its column's name;
        without a unit, which `unit` holds.
    unit : str
        Unit of a regression's target: "USD".
    history : History, optional
    model : Model, optional
    columns : sequence of Column
    notes : sequence of Note
    model_file : str
        Where the model was written; empty if it was not.
    created : str
        When, in words. Empty by default, so that the same findings give the same bytes.

    Raises
    ------
    ReportError
        If `rows.held_out` is not the number of rows in `outcome`.

    Examples
    --------
    >>> outcome = Classification(["no", "yes"], y_true=[0, 1, 1], y_pred=[0, 1, 0])
    >>> findings = Findings("A small fit", "rain.csv", "rain", Rows(9, 3, 3), outcome)
    >>> findings.task, findings.label
    ('classification', 'rain')
    """

    title: str
    source: str
    target: str
    rows: Rows
    outcome: Classification | Regression
    label: str = ""
    unit: str = ""
    history: History | None = None
    model: Model | None = None
    columns: Sequence[Column] = ()
    notes: Sequence[Note] = ()
    model_file: str = ""
    created: str = ""

    def __post_init__(self) -> None:
        if self.rows.held_out != self.outcome.rows:
            raise ReportError(
                f"rows.held_out is {self.rows.held_out}, but the outcome has "
                f"{self.outcome.rows} rows"
            )
        put(self, label=self.label or self.target)

    @property
    def task(self) -> str:
        """Either "classification" or "regression"."""
        return self.outcome.task
