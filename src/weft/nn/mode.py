"""Modes: what a network is run for.

In `Train` a layer may draw random numbers (dropout) and look at the batch as a whole
(batch statistics); in `Predict` each row's value depends on that row alone. A mode also
carries the *path* of the layer that is being called, such as ``"2"`` or ``"2/0"``, so
that each layer draws from a stream of its own, and run-time values of numbers that a
layer would otherwise take from its description.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

from weft.graph.node import Node

# A number that is known when the graph is built, or a scalar node.
Number = Any


def join(path: str, name: str) -> str:
    """Return the path of a part called `name`.

    Examples
    --------
    >>> join("", "0"), join("0", "W")
    ('0', '0/W')
    """
    return f"{path}/{name}" if path else name


@final
@dataclass(frozen=True)
class Train:
    """Training: masks are drawn, statistics are those of the batch.

    Parameters
    ----------
    seed : Node of int64 or int
        Which run; the same seed and step draw the same numbers.
    step : Node of int64 or int
        Which step of it.
    index : Node of int64, shape (n,), optional
        The position of each row in the whole batch; 0, 1, ... by default. Numbers are
        drawn per position, so that cutting a batch up changes nothing.
    numbers : mapping of str to Node
        By path, run-time values of numbers such as a dropout rate (`Layer.numbers`).
    path : str
        The layer being called.

    Examples
    --------
    >>> Train(seed=0, step=7).at("2").path
    '2'
    """

    seed: Node | int
    step: Node | int
    index: Node | None = None
    numbers: Mapping[str, Node] = field(default_factory=dict)
    path: str = ""

    def at(self, name: str) -> "Train":
        """Return the mode for the part called `name`."""
        return replace(self, path=join(self.path, name))

    def number(self, name: str, value: float) -> Number:
        """Return the run-time value of a number of this layer, or else `value`."""
        return self.numbers.get(join(self.path, name), value)


@final
@dataclass(frozen=True)
class Predict:
    """Prediction: nothing is drawn, statistics are those that training has kept.

    Examples
    --------
    >>> Predict().at("2")
    Predict()
    """

    def at(self, name: str) -> "Predict":
        """Return the mode for the part called `name`: itself."""
        return self


Mode = Train | Predict
