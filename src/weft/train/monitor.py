"""The monitor: what is looked at after every epoch, whatever took it.

It evaluates the validation rows, keeps the history and the best parameters, tells the
callbacks, and says when to stop. The loop over minibatches and the driver of L-BFGS
both report to it.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import numpy as np

from weft.graph.tree import flatten
from weft.nn.distribution import Distribution
from weft.nn.network import Network
from weft.train.callbacks.base import Callback
from weft.train.data import Rows
from weft.train.errors import FitError
from weft.train.evaluate import Evaluator
from weft.train.history import Epoch, History
from weft.train.stopping import EarlyStopping

Array = np.ndarray[Any, Any]
Tree = dict[str, Any]
Metric = Callable[[Array, Distribution, Array | None], float]


def finite(params: Tree) -> bool:
    """Tell whether every number of a tree is finite."""
    return all(bool(np.isfinite(array).all()) for array in flatten(params)[0])


@final
class Monitor:
    """Watches a fit.

    Parameters
    ----------
    network : Network
    evaluator : Evaluator
    validation : Rows or None
    metrics : mapping of str to callable
        ``metric(y, distribution, sample_weight) -> float``.
    stopping : EarlyStopping or None
    callbacks : sequence of Callback
    params : nested dict of numpy.ndarray
        Those before the first epoch.
    done : int
        How many epochs were completed before.
    """

    def __init__(
        self,
        network: Network,
        evaluator: Evaluator,
        validation: Rows | None,
        metrics: Mapping[str, Metric],
        stopping: EarlyStopping | None,
        callbacks: Sequence[Callback],
        params: Tree,
        done: int = 0,
    ) -> None:
        if validation is None and metrics:
            raise FitError(
                "metrics are computed on validation rows: give validation=(X, y)"
            )
        if stopping is not None:
            _check_metric(stopping, validation is not None, metrics)
        self._network, self._evaluator = network, evaluator
        self._validation, self._metrics = validation, metrics
        self._stopping, self._callbacks = stopping, callbacks
        self._started = time.perf_counter()
        self._done = done
        self._epochs: list[Epoch] = []
        self._watched: list[float] = []  # what early stopping looks at
        # The parameters that would be returned, the epoch they are from, and how good
        # they are. Without validation rows: those of the epoch of the lowest cost,
        # which are wanted only if the fit diverges.
        self._kept: tuple[Tree, int] = (params, done)
        self._best = math.inf
        self.message = ""
        # How many steps of the present epoch are taken, once there is who takes them.
        self.steps_taken: Callable[[], int] = lambda: 0

    @property
    def history(self) -> History:
        """The epochs so far."""
        return History(tuple(self._epochs))

    @property
    def so_far(self) -> History:
        """The same as a view, which grows: copying it every epoch would cost."""
        return History(self._epochs)

    @property
    def kept(self) -> tuple[Tree, int]:
        """The best parameters so far and the number of their epoch."""
        return self._kept

    @property
    def chooses(self) -> bool:
        """Whether the best parameters are returned, rather than the last ones."""
        return self._validation is not None

    @property
    def seconds(self) -> float:
        """The time since the fit began."""
        return time.perf_counter() - self._started

    def epoch(self, cost: float, nll: float, lr: float, params: Tree) -> str | None:
        """Take note of an epoch.

        Parameters
        ----------
        cost, nll, lr : float
            As in `Epoch`.
        params : nested dict of numpy.ndarray
            Those after it; kept as they are, so they must not change any more.

        Returns
        -------
        str or None
            A reason to stop, as in `Fit.stopped`.
        """
        number = self._done + len(self._epochs) + 1
        if not (math.isfinite(cost) and finite(params)):
            self._record(number, cost, nll, math.nan, lr, {})
            what = "the parameters" if math.isfinite(cost) else "the cost"
            value = "infinite" if math.isfinite(cost) else f"{cost}"
            self.message = (
                f"{what} became {value} in epoch {number} (learning rate {lr:g})"
            )
            return "diverged"
        validation, metrics = self._validate(params)
        epoch = self._record(number, cost, nll, validation, lr, metrics)
        self._keep(epoch, params)
        asked = [callback.on_epoch_end(epoch) for callback in self._callbacks]
        if any(answer is True for answer in asked):
            self.message = f"a callback asked to stop after epoch {number}"
            return "callback"
        if self._stopping is not None:
            stopping = self._stopping
            self._watched.append(epoch.value(stopping.metric))
            if stopping.enough(self._watched):
                self.message = (
                    f"{stopping.metric} did not improve for more than "
                    f"{stopping.patience} epochs, up to epoch {number}"
                )
                return "patience"
        return None

    def _record(
        self,
        number: int,
        cost: float,
        nll: float,
        validation: float,
        lr: float,
        metrics: Mapping[str, float],
    ) -> Epoch:
        epoch = Epoch(number, cost, nll, validation, lr, self.seconds, metrics)
        self._epochs.append(epoch)
        return epoch

    def _validate(self, params: Tree) -> tuple[float, dict[str, float]]:
        rows = self._validation
        if rows is None:
            return math.nan, {}
        raw, nll = self._evaluator.score(params, rows)
        cost = float(np.average(nll.astype(np.float64), weights=rows.weight))
        if not self._metrics:
            return cost, {}
        distribution = self._network.output.distribution(raw)
        return cost, {
            name: float(metric(rows.y, distribution, rows.weight))
            for name, metric in self._metrics.items()
        }

    def _keep(self, epoch: Epoch, params: Tree) -> None:
        if not self.chooses:
            loss = epoch.cost
        elif self._stopping is None or self._stopping.metric == "cost":
            loss = epoch.validation
        else:
            loss = epoch.value(self._stopping.metric)
            loss = -loss if self._stopping.greater_is_better else loss
        if loss < self._best:
            self._best, self._kept = loss, (params, epoch.number)


def _check_metric(
    stopping: EarlyStopping, validated: bool, metrics: Mapping[str, Metric]
) -> None:
    known = {"cost", "nll", "validation", *metrics}
    if stopping.metric not in known:
        raise FitError(
            f"early stopping watches {stopping.metric!r}, which is none of "
            f"{', '.join(sorted(known))}"
        )
    if stopping.metric not in ("cost", "nll") and not validated:
        raise FitError(
            f"early stopping watches {stopping.metric!r}, which needs validation rows: "
            "give validation=(X, y), or EarlyStopping(metric='cost')"
        )
