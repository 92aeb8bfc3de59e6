"""The callback: what is told of a fit while it goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from weft.nn.network import Network
from weft.train.history import Epoch

if TYPE_CHECKING:
    from weft.train.result import Fit


@final
@dataclass(frozen=True)
class Beginning:
    """What a fit is about to do.

    Parameters
    ----------
    network : Network
    rows, validation_rows : int
    epochs : int
        At most so many.
    steps : int
        Per epoch.
    steps_taken : callable
        Tells how many steps of the present epoch are taken; may be asked at any time,
        from another thread as well.

    Examples
    --------
    >>> from weft import nn
    >>> Beginning(nn.mlp([8]), 100, 0, epochs=5, steps=1).rows
    100
    """

    network: Network
    rows: int
    validation_rows: int
    epochs: int
    steps: int
    steps_taken: Callable[[], int] = lambda: 0

    def position(self, done: int) -> float:
        """Return how many epochs are taken, when `done` of them are over.

        Examples
        --------
        >>> from weft import nn
        >>> begun = Beginning(nn.mlp([8]), 100, 0, 5, steps=4, steps_taken=lambda: 1)
        >>> begun.position(done=2)
        2.25
        """
        return done + self.steps_taken() / max(self.steps, 1)


class Callback:
    """Base of callbacks: each method does nothing unless it is defined anew.

    Examples
    --------
    >>> from weft import train
    >>> class StopAtOne(train.Callback):
    ...     def on_epoch_end(self, epoch):
    ...         return epoch.cost < 1
    """

    def on_fit_begin(self, beginning: Beginning) -> None:
        """Be told that a fit begins."""

    def on_epoch_end(self, epoch: Epoch) -> bool | None:
        """Be told of an epoch; return True to ask for the end of the fit."""
        return None

    def on_fit_end(self, fit: "Fit | None") -> None:
        """Be told that the fit is over; None if an error ended it."""
