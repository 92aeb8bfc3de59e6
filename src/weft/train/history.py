"""What happened, epoch by epoch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from weft.nn.description import nearest

# What every epoch has, in the order in which it is shown.
MEASURES = ("cost", "nll", "validation", "lr", "seconds")


@final
@dataclass(frozen=True)
class Epoch:
    """One epoch, or one iteration of a line-search method.

    Parameters
    ----------
    number : int
        From 1, over all fits that were continued.
    cost : float
        What was minimised, penalties included: the mean over the epoch's steps, each
        with the weight of its rows, while the parameters moved.
    nll : float
        The same without penalties.
    validation : float
        The mean negative log-likelihood of the validation rows after the epoch; NaN
        without any.
    lr : float
        The learning rate of the last step.
    seconds : float
        Since the fit began.
    metrics : mapping of str to float
        Further measures of the validation rows.

    Examples
    --------
    >>> Epoch(1, 0.7, 0.6, 0.8, 0.1, 0.0, {"accuracy": 0.5}).value("accuracy")
    0.5
    """

    number: int
    cost: float
    nll: float
    validation: float
    lr: float
    seconds: float
    metrics: Mapping[str, float] = field(default_factory=dict)

    def value(self, name: str) -> float:
        """Return a measure by name: cost, nll, validation, lr, seconds, or a metric.

        Raises
        ------
        DescriptionError
            If there is none of that name.
        """
        if name in MEASURES:
            value: float = getattr(self, name)
            return value
        if name not in self.metrics:
            raise nearest(name, [*MEASURES, *self.metrics], "measure")
        return self.metrics[name]


@final
@dataclass(frozen=True)
class History:
    """The epochs of a fit, in order.

    Parameters
    ----------
    epochs : sequence of Epoch

    Examples
    --------
    >>> history = History((Epoch(1, 0.7, 0.7, 0.8, 0.1, 0.0),))
    >>> len(history), history["cost"]
    (1, array([0.7]))
    """

    epochs: Sequence[Epoch] = ()

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self.epochs)

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        """Return a measure of every epoch as an array; see `Epoch.value`."""
        return np.array([epoch.value(name) for epoch in self.epochs], np.float64)

    def as_dict(self) -> dict[str, list[float]]:
        """Return every measure as a list, fit for `json.dumps` but for NaN."""
        names = [*MEASURES, *(self.epochs[0].metrics if self.epochs else ())]
        return {name: self[name].tolist() for name in names}
