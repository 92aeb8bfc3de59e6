"""What a fit hands back."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.nn.network import Network
from weft.train.history import History

Tree = dict[str, Any]


@final
@dataclass(frozen=True, eq=False)
class State:
    """Where a fit stands, so that it can be continued.

    Parameters
    ----------
    params : nested dict of numpy.ndarray
        The present parameters, not the best ones.
    optimizer : nested dict of numpy.ndarray
        The optimizer's state; empty for L-BFGS.
    epoch : int
        How many epochs have been completed.
    step : int
        How many steps have been taken; random numbers are counted by it.

    Examples
    --------
    Two epochs, then one more, are three epochs bit for bit:

    >>> from weft import nn, train
    >>> X, y = np.eye(3), np.arange(3.0)
    >>> network = nn.mlp([4], "tanh", nn.Gaussian())
    >>> first = train.fit(network, X, y, epochs=2)
    >>> again = train.fit(network, X, y, epochs=1, resume=first.state)
    >>> whole = train.fit(network, X, y, epochs=3)
    >>> bool((again.params["0"]["W"] == whole.params["0"]["W"]).all())
    True
    """

    params: Tree
    optimizer: Tree
    epoch: int = 0
    step: int = 0


@final
@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """A fitted network.

    Parameters
    ----------
    network : Network
    params : nested dict of numpy.ndarray
        The best ones by the validation rows, if there were any, else the last ones.
    history : History
        The epochs of this fit.
    best_epoch : int
        The number of the epoch that `params` are from; 0 if from before the first.
    stopped : str
        Why it ended: "epochs" (all are done), "patience" (early stopping), "schedule"
        (the learning rate has become too small), "converged" or "line search" (L-BFGS
        or Newton-CG: no slope is left, no better point was found), "callback",
        "interrupted" or "diverged".
    message : str
        The same in a sentence.
    seconds : float
    dispersion : numpy.ndarray or None
        What the output unit estimated after the fit, such as a residual variance: from
        the validation rows if there are any, else from the training rows.
    state : State
        Where it stands, for `fit(resume=...)`.

    Examples
    --------
    >>> from weft import nn, train
    >>> fit = train.fit(nn.mlp([4]), np.eye(3), np.arange(3.0), epochs=2)
    >>> fit.stopped, fit.message, len(fit.history)
    ('epochs', 'all 2 epochs are done', 2)
    """

    network: Network
    params: Tree
    history: History
    best_epoch: int
    stopped: str
    message: str
    seconds: float
    dispersion: np.ndarray[Any, Any] | None
    state: State

    def __repr__(self) -> str:
        return (
            f"Fit({self.network!r}: {self.message}, {len(self.history)} epochs, best "
            f"{self.best_epoch}, {self.seconds:.1f} s)"
        )
