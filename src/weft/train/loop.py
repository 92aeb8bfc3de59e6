"""The training loop. There is one: only a program's engine differs beneath it.

`fit` checks what it is given, takes epochs until something says stop, and returns the
best parameters. Every random choice is a function of the seed, the epoch and the step,
so the same call gives the same bits, and a fit can be continued where it stopped.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.graph.dtype import as_dtype, is_float
from weft.graph.node import DType
from weft.graph.tree import flatten, tree_map
from weft.nn.layer import check_shapes
from weft.nn.network import Network
from weft.train import lbfgs, newton
from weft.train.callbacks.base import Beginning, Callback
from weft.train.data import Rows, as_rows
from weft.train.descent import ConstraintLike, Descent
from weft.train.errors import DivergenceWarning, FitError
from weft.train.evaluate import Evaluator
from weft.train.lbfgs import LBFGS
from weft.train.monitor import Metric, Monitor, Tree
from weft.train.newton import NewtonCG
from weft.train.objective import PenaltyLike
from weft.train.optimizers import Adam, Optimizer
from weft.train.result import Fit, State
from weft.train.schedules import Ahead, ConstantRate, Schedule
from weft.train.stopping import EarlyStopping
from weft.train.whole import ValueAndGradient


def fit(
    network: Network,
    X: Any,
    y: Any,
    *,
    optimizer: Optimizer | LBFGS | NewtonCG | None = None,
    epochs: int = 100,
    batch_size: int | None = None,
    schedule: Schedule | None = None,
    sample_weight: Any = None,
    validation: Sequence[Any] | None = None,
    early_stopping: EarlyStopping | None = None,
    metrics: Mapping[str, Metric] | None = None,
    penalties: Sequence[PenaltyLike] = (),
    constraints: Sequence[ConstraintLike] = (),
    clip_norm: float | None = None,
    freeze: Sequence[str] | str = (),
    seed: int = 0,
    params: Tree | None = None,
    resume: Fit | State | None = None,
    shuffle: bool = True,
    callbacks: Sequence[Callback] = (),
    dtype: Any = "float32",
    engine: str = "auto",
    threads: int | None = None,
) -> Fit:
    """Fit a network to data.

    Parameters
    ----------
    network : Network
    X : array-like, shape (rows, features)
    y : array-like, shape (rows, *network.output.target_shape)
    optimizer : Optimizer, LBFGS or NewtonCG
        `Adam()` by default.
    epochs : int
        At most so many, counted from the start of this call.
    batch_size : int, optional
        Rows per step, fewer in the last; by default 200, or all rows if there are
        fewer.
    schedule : Schedule, optional
        The optimizer's learning rate throughout, by default.
    sample_weight : array-like, shape (rows,), optional
        Each batch's cost is ``sum(w L) / sum(w)``; rows of weight 0 are left out.
    validation : (X, y) or (X, y, sample_weight), optional
        Rows that the fit is judged by after every epoch: the best parameters by them
        are the ones returned.
    early_stopping : EarlyStopping, optional
    metrics : mapping of str to callable, optional
        ``metric(y, distribution, sample_weight) -> float``, on the validation rows;
        for instance ``{"accuracy": train.accuracy}``.
    penalties : sequence of Penalty or callable
        Terms added to the cost: ``nn.L2(1e-4)``, or a function of the parameters.
    constraints : sequence of Constraint or callable
        Projections behind every update: ``nn.MaxNorm(3.0)``, or a function from trees
        of parameters, by path, to such trees.
    clip_norm : float, optional
        A bound on the norm of the gradient.
    freeze : str or sequence of str
        Parameters that stay as they are: paths (``"0/W"``) or layers (``"0"``).
    seed : int
        At least 0. First parameters, order and masks are functions of it.
    params : nested dict of numpy.ndarray, optional
        Where to begin, instead of drawing.
    resume : Fit or State, optional
        A fit to continue: parameters, optimizer state, epoch and step.
    shuffle : bool
        Whether every epoch takes the rows in a new order.
    callbacks : sequence of Callback
        For instance ``train.ProgressBar()``.
    dtype : {"float32", "float64"}
        In which to compute; X and y are converted.
    engine : str
        As in `weft.compile`.
    threads : int, optional
        How many threads may share the work; by default as many as there are cores,
        where steps are large enough. The result does not depend on it.

    Returns
    -------
    Fit

    Raises
    ------
    FitError, DataError, TargetError, DescriptionError, ShapeError
        If something given cannot be used.

    Warns
    -----
    DivergenceWarning
        If the cost stops being a finite number; the best parameters so far are kept.

    Examples
    --------
    >>> import numpy as np
    >>> from weft import nn, train
    >>> X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> y = np.array([0, 1, 1, 0])
    >>> network = nn.mlp([8], "relu", nn.Bernoulli(), bias=nn.Constant(0.1))
    >>> fitted = train.fit(network, X, y, optimizer=train.Adam(0.03), epochs=300)
    >>> evaluator = train.Evaluator(network, in_features=2)
    >>> evaluator.distribution(fitted.params, X).mode()
    array([0, 1, 1, 0])
    """
    _check_kinds(optimizer, schedule, early_stopping, callbacks)
    kind = as_dtype(dtype)
    if not is_float(kind):
        raise FitError(f"a network computes in float32 or float64, not in {kind}")
    rows = as_rows(network, X, y, sample_weight, kind)
    task = _Task(
        network=network,
        rows=rows,
        validation=_validation(network, validation, rows, kind),
        start=_start(network, rows, params, resume, seed, kind),
        optimizer=Adam() if optimizer is None else optimizer,
        epochs=_count(epochs, "epochs", 0),
        batch_size=_batch_size(batch_size, len(rows)),
        schedule=ConstantRate() if schedule is None else schedule,
        penalties=_several(penalties),
        constraints=_several(constraints),
        clip_norm=clip_norm,
        freeze=freeze,
        seed=_count(seed, "seed", 0),
        shuffle=shuffle,
        dtype=kind,
        engine=engine,
        threads=threads,
    )
    evaluator = Evaluator(
        network,
        rows.X.shape[1],
        kind,
        engine,
        threads=threads,
        calls=1 if task.validation is None else task.epochs,
    )
    monitor = Monitor(
        network,
        evaluator,
        task.validation,
        dict(metrics or {}),
        early_stopping,
        callbacks,
        task.start.params,
        task.start.epoch,
    )
    ended: Fit | None = None
    try:
        for callback in callbacks:
            callback.on_fit_begin(task.beginning(monitor))
        stopped, state = task.run(monitor)
        ended = _conclude(task, monitor, evaluator, stopped, state)
    finally:
        for callback in callbacks:
            callback.on_fit_end(ended)
    return ended


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """A fit that has been checked. The fields are the arguments of `fit`."""

    network: Network
    rows: Rows
    validation: Rows | None
    start: State
    optimizer: Optimizer | LBFGS | NewtonCG
    epochs: int
    batch_size: int
    schedule: Schedule
    penalties: Sequence[PenaltyLike]
    constraints: Sequence[ConstraintLike]
    clip_norm: float | None
    freeze: Sequence[str] | str
    seed: int
    shuffle: bool
    dtype: DType
    engine: str
    threads: int | None

    def beginning(self, monitor: Monitor) -> Beginning:
        """Return what the callbacks are told at first."""
        whole = isinstance(self.optimizer, LBFGS | NewtonCG)
        return Beginning(
            self.network,
            rows=len(self.rows),
            validation_rows=0 if self.validation is None else len(self.validation),
            epochs=self.epochs,
            steps=1 if whole else -(-len(self.rows) // self.batch_size),
            steps_taken=lambda: monitor.steps_taken(),
        )

    def run(self, monitor: Monitor) -> tuple[str, State]:
        """Take epochs until something says stop."""
        if isinstance(self.optimizer, LBFGS | NewtonCG):
            return self._minimise(self.optimizer, monitor)
        return self._descend(self.optimizer, monitor)

    def _descend(self, optimizer: Optimizer, monitor: Monitor) -> tuple[str, State]:
        start = self.start
        descent = Descent(
            self.network,
            self.rows,
            optimizer,
            start.params,
            optimizer_state=start.optimizer or None,
            penalties=self.penalties,
            constraints=self.constraints,
            clip_norm=self.clip_norm,
            freeze=self.freeze,
            seed=self.seed,
            batch_size=self.batch_size,
            shuffle=self.shuffle,
            dtype=self.dtype,
            engine=self.engine,
            threads=self.threads,
            epochs=self.epochs,
        )
        monitor.steps_taken = descent.progress
        done, steps = start.epoch, descent.steps
        stopped = "epochs"
        try:
            while done < start.epoch + self.epochs:
                ahead = Ahead(
                    optimizer.lr,
                    done,
                    start.epoch + self.epochs,
                    steps,
                    len(self.rows),
                    monitor.so_far,
                )
                if self.schedule.finished(ahead):
                    stopped = "schedule"
                    monitor.message = "the learning rate has become too small"
                    break
                rates = self.schedule.rates(ahead)
                first = start.step + (done - start.epoch) * steps
                cost, nll = descent.epoch(done, first, rates)
                done += 1
                reason = monitor.epoch(cost, nll, float(rates[-1]), descent.params())
                if reason is not None:
                    stopped = reason
                    break
        except KeyboardInterrupt:
            stopped = "interrupted"
        taken = start.step + (done - start.epoch) * steps
        state = State(descent.params(), descent.optimizer_state(), done, taken)
        return stopped, state

    def _minimise(
        self, optimizer: LBFGS | NewtonCG, monitor: Monitor
    ) -> tuple[str, State]:
        idle = self.constraints or self.clip_norm is not None
        if idle or not isinstance(self.schedule, ConstantRate):
            raise FitError(
                "L-BFGS and Newton-CG choose their own steps: they take no schedule, "
                "constraints or clip_norm"
            )
        function = ValueAndGradient(
            self.network,
            self.rows,
            self.start.params,
            self.penalties,
            self.freeze,
            self.dtype,
            self.engine,
            self.threads,
            self.epochs,
        )
        kept: Tree = {}
        if isinstance(optimizer, NewtonCG):
            stopped, params, kept = newton.minimise(
                optimizer,
                function,
                monitor,
                self.epochs,
                self.start.optimizer,
                self.engine,
                self.threads,
            )
        else:
            stopped, params = lbfgs.minimise(optimizer, function, monitor, self.epochs)
        done = self.start.epoch + len(monitor.history)
        return stopped, State(params, kept, done, self.start.step)


def _conclude(
    task: _Task, monitor: Monitor, evaluator: Evaluator, stopped: str, state: State
) -> Fit:
    params, best_epoch = monitor.kept
    epochs = len(monitor.history)
    if stopped == "diverged":
        message = (
            f"{monitor.message}; the parameters of epoch {best_epoch} are kept. Try a "
            "smaller learning rate, clip_norm, or inputs brought to a like scale"
        )
        warnings.warn(message, DivergenceWarning, stacklevel=3)
    else:
        message = monitor.message or _all_done(epochs)
        if stopped == "interrupted":
            message = f"interrupted after {epochs} epochs"
        # Without validation rows the present parameters are the result, and the epoch
        # counts as reached; after an interruption they may be a little further.
        if not monitor.chooses or not epochs:
            params, best_epoch = state.params, state.epoch
    judged = task.rows if task.validation is None else task.validation
    return Fit(
        network=task.network,
        params=params,
        history=monitor.history,
        best_epoch=best_epoch,
        stopped=stopped,
        message=message,
        seconds=monitor.seconds,
        dispersion=_dispersion(task.network, evaluator, params, judged),
        state=state,
    )


def _all_done(epochs: int) -> str:
    return "the one epoch is done" if epochs == 1 else f"all {epochs} epochs are done"


def _dispersion(
    network: Network, evaluator: Evaluator, params: Tree, rows: Rows
) -> Any:
    if not network.output.estimates_dispersion:
        return None
    raw, _ = evaluator.score(params, rows)
    return network.output.dispersion(raw, rows.y, rows.weight)


# Checks ---------------------------------------------------------------------------


def _check_kinds(
    optimizer: Any, schedule: Any, early_stopping: Any, callbacks: Any
) -> None:
    """Raise FitError if a setting is not the kind of object it has to be."""
    wanted: list[tuple[str, Any, tuple[type, ...], str]] = [
        ("optimizer", optimizer, (Optimizer, LBFGS, NewtonCG), "train.Adam(0.001)"),
        ("schedule", schedule, (Schedule,), "train.Cosine()"),
        ("early_stopping", early_stopping, (EarlyStopping,), "train.EarlyStopping(10)"),
    ]
    for name, given, kinds, example in wanted:
        if given is not None and not isinstance(given, kinds):
            raise FitError(f"{name} is {given!r}: give an object such as {example}")
    for callback in _several(callbacks):
        if not isinstance(callback, Callback):
            raise FitError(
                f"{callback!r} is no callback: give a list of objects such as "
                "train.ProgressBar(), of classes derived from train.Callback"
            )


def _several(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, (list, tuple)) else (given,)


def _count(given: Any, name: str, least: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int | np.integer):
        raise FitError(f"{name} is {given!r}: give a whole number")
    if given < least:
        raise FitError(f"{name} is {given}: give at least {least}")
    return int(given)


def _batch_size(given: int | None, count: int) -> int:
    if given is None:
        return min(200, count)
    return min(_count(given, "batch_size", 1), count)


def _validation(network: Network, given: Any, rows: Rows, dtype: DType) -> Rows | None:
    if given is None:
        return None
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise FitError("validation is (X, y) or (X, y, sample_weight)")
    X, y, *rest = given
    found = as_rows(network, X, y, rest[0] if rest else None, dtype, "validation")
    if found.X.shape[1] != rows.X.shape[1]:
        raise FitError(
            f"validation X has {found.X.shape[1]} columns and X has {rows.X.shape[1]}"
        )
    return found


def _start(
    network: Network,
    rows: Rows,
    params: Tree | None,
    resume: Fit | State | None,
    seed: int,
    dtype: DType,
) -> State:
    features = rows.X.shape[1]
    if resume is not None:
        if params is not None:
            raise FitError("give params= to start anew or resume= to go on, not both")
        state = resume.state if isinstance(resume, Fit) else resume
        return State(
            _as_params(network, state.params, features, dtype),
            state.optimizer,
            state.epoch,
            state.step,
        )
    if params is None:
        return State(network.init(_count(seed, "seed", 0), features, dtype), {})
    return State(_as_params(network, params, features, dtype), {})


def _as_params(network: Network, params: Tree, features: int, dtype: DType) -> Tree:
    stated = network.parameters(features)
    check_shapes(stated, params)
    if len(flatten(params)[0]) != len(flatten(stated)[0]):
        raise FitError("params holds arrays that the network does not have")
    tree: Tree = tree_map(
        lambda part, array: np.array(array, dtype), stated, _ordered(stated, params)
    )
    return tree


def _ordered(stated: Tree, params: Tree) -> Tree:
    """Bring `params` into the order of `stated`: a file may have sorted its names."""
    return {
        name: _ordered(part, params.get(name, {}))
        if isinstance(part, dict)
        else params[name]
        for name, part in stated.items()
    }
