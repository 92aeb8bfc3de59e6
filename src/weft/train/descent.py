"""Descent by minibatches: a program that takes an optimizer's steps.

The program holds the parameters and the optimizer's state; one call of `Descent.epoch`
runs it through an epoch. What may change without compiling (learning rates, momentum,
penalties, dropout rates, bounds) is handed in with every call.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.compile import compile
from weft.differentiate import grad
from weft.graph.leaf import parameter
from weft.graph.node import DType, Node
from weft.graph.tree import flatten, paths, tree_map, unflatten
from weft.nn.network import Network
from weft.nn.penalties import Constraint
from weft.train.data import Rows, batch_weights, order
from weft.train.errors import FitError
from weft.train.objective import (
    PenaltyLike,
    by_path,
    chosen,
    number,
    objective,
    row_leaves,
)
from weft.train.optimizers import Optimizer, clip_by_norm

Array = np.ndarray[Any, Any]
Tree = dict[str, Any]
ConstraintLike = Constraint | Callable[[Tree], Tree]


@final
class Descent:
    """A training program.

    Parameters
    ----------
    network : Network
    rows : Rows
        The training rows.
    optimizer : Optimizer
    params : nested dict of numpy.ndarray
        To begin with.
    optimizer_state : nested dict of numpy.ndarray, optional
        To go on with; the optimizer's first state by default.
    penalties : sequence of Penalty or callable
    constraints : sequence of Constraint or callable
    clip_norm : float, optional
        The bound on the norm of the gradient.
    freeze : sequence of str
        Paths, or their beginnings, of parameters that stay as they are.
    seed : int
    batch_size : int
    shuffle : bool
    dtype : numpy.dtype
    engine : str
    threads : int or None
    epochs : int
        About how many will be taken: very few are not worth compiling.
    """

    def __init__(
        self,
        network: Network,
        rows: Rows,
        optimizer: Optimizer,
        params: Tree,
        *,
        optimizer_state: Tree | None,
        penalties: Sequence[PenaltyLike],
        constraints: Sequence[ConstraintLike],
        clip_norm: float | None,
        freeze: Sequence[str] | str,
        seed: int,
        batch_size: int,
        shuffle: bool,
        dtype: DType,
        engine: str,
        threads: int | None,
        epochs: int,
    ) -> None:
        self._rows, self._seed, self._shuffle = rows, seed, shuffle
        self._batch_size = batch_size
        self._symbols = network.symbols(rows.X.shape[1], dtype)
        leaves = row_leaves(rows, network, dtype)
        goal = objective(network, self._symbols, leaves, penalties)
        frozen = chosen(freeze, list(goal.params)) if freeze else set()
        trained = {
            path: leaf
            for path, leaf in goal.params.items()
            if path not in frozen and path not in goal.updates
        }
        if not trained:
            raise FitError("nothing is left to train: every parameter is frozen")
        given = by_path(params)
        fresh = optimizer.init({path: given[path] for path in trained})
        held = fresh if optimizer_state is None else optimizer_state
        _check_like(held, fresh)
        self._moments = _parameters_like(fresh)
        step = build_step(
            goal.cost, trained, self._moments, optimizer, constraints, clip_norm
        )
        numbers = {**goal.numbers, **step.numbers}
        self._values = {**goal.values, **step.values}
        updates = {leaf: step.params[path] for path, leaf in trained.items()}
        updates |= {
            goal.params[path]: value
            for path, value in goal.updates.items()
            if path not in frozen
        }
        updates |= dict(
            zip(flatten(self._moments)[0], flatten(step.moments)[0], strict=True)
        )
        state = {leaf: given[path] for path, leaf in goal.params.items()}
        state |= dict(zip(flatten(self._moments)[0], flatten(held)[0], strict=True))
        self._names = list(numbers)
        self._running = False
        self._program = compile(
            [*goal.rows, goal.seed, goal.step, *numbers.values()],
            [goal.cost, goal.nll],
            updates=updates,
            state=state,
            engine=engine,
            threads=threads,
            steps=epochs * self.steps,
        )

    @property
    def steps(self) -> int:
        """The number of steps of an epoch."""
        return -(-len(self._rows) // self._batch_size)

    def progress(self) -> int:
        """Return how many steps of the present epoch are taken; 0 between two."""
        return self._program.progress if self._running else 0

    def epoch(self, number: int, first_step: int, rates: Array) -> tuple[float, float]:
        """Take one epoch.

        Parameters
        ----------
        number : int
            How many were taken before: it decides the order of the rows.
        first_step : int
            How many steps were taken before: it decides the dropout masks.
        rates : numpy.ndarray, shape (steps,)

        Returns
        -------
        cost, nll : float
            The means over the epoch, each step with the weight of its rows.
        """
        rows = self._rows
        taken = order(self._seed, number, len(rows), self._shuffle)
        steps = np.arange(first_step, first_step + self.steps)
        values: dict[str, Any] = {**self._values, "lr": np.asarray(rates, np.float64)}
        data = (
            [rows.X, rows.y] if rows.weight is None else [rows.X, rows.y, rows.weight]
        )
        arrays = [*data, np.int64(self._seed), steps, *map(values.get, self._names)]
        self._running = True
        try:
            costs, nlls = self._program.run(arrays, taken, self._batch_size)
        finally:
            self._running = False
        weights = batch_weights(rows, taken, self._batch_size)
        with np.errstate(invalid="ignore", over="ignore"):
            return (
                float(np.average(costs.astype(np.float64), weights=weights)),
                float(np.average(nlls.astype(np.float64), weights=weights)),
            )

    def params(self) -> Tree:
        """Return a copy of the present parameters."""
        state = self._program.state
        tree: Tree = tree_map(lambda leaf: np.array(state[leaf]), self._symbols)
        return tree

    def optimizer_state(self) -> Tree:
        """Return a copy of the optimizer's present state."""
        state = self._program.state
        tree: Tree = tree_map(lambda leaf: np.array(state[leaf]), self._moments)
        return tree


@final
@dataclass(frozen=True)
class Step:
    """The graph of one step.

    Parameters
    ----------
    params : mapping of str to Node
        Next values of the trained parameters, by path.
    moments : tree of Node
        The optimizer's next state.
    numbers : mapping of str to Node
        Input leaves for the run-time numbers of the step.
    values : mapping of str to float
        What they are by the descriptions.
    """

    params: Mapping[str, Node]
    moments: Tree
    numbers: Mapping[str, Node]
    values: Mapping[str, float]


def build_step(
    cost: Node,
    trained: Mapping[str, Node],
    moments: Tree,
    optimizer: Optimizer,
    constraints: Sequence[ConstraintLike] = (),
    clip_norm: float | None = None,
) -> Step:
    """Build the step: gradient, bound on its norm, update, projections.

    Parameters
    ----------
    cost : Node of shape ()
    trained : mapping of str to Node
        Parameter leaves by path.
    moments : tree of Node
        Leaves for the optimizer's state.
    optimizer : Optimizer
    constraints : sequence of Constraint or callable
    clip_norm : float, optional

    Returns
    -------
    Step
    """
    numbers: dict[str, Node] = {}
    values: dict[str, float] = {}

    def run_time(name: str, value: float) -> Node:
        values[name], numbers[name] = value, number(name)
        return numbers[name]

    grads = grad(cost, dict(trained))
    if clip_norm is not None:
        if not clip_norm > 0:
            raise FitError(f"clip_norm is {clip_norm}: give a number above 0")
        grads = clip_by_norm(grads, run_time("clip_norm", clip_norm))
    own = {
        name: run_time(f"optimizer/{name}", value)
        for name, value in optimizer.numbers().items()
    }
    own["lr"] = run_time("lr", optimizer.lr)
    new, new_moments = optimizer.update(dict(trained), grads, moments, own)
    for i, constraint in enumerate(constraints):
        if isinstance(constraint, Constraint):
            bound = run_time(f"constraint/{i}", constraint.bound)
            new = constraint.project(new, bound)
        else:
            new = constraint(new)
    return Step(new, new_moments, numbers, values)


def _parameters_like(state: Tree) -> Tree:
    found, structure = flatten(state)
    leaves = [
        parameter(f"optimizer/{path}", np.shape(array), np.asarray(array).dtype)
        for path, array in zip(paths(state), found, strict=True)
    ]
    tree: Tree = unflatten(structure, leaves)
    return tree


def _check_like(held: Tree, fresh: Tree) -> None:
    same = paths(held) == paths(fresh) and all(
        np.shape(a) == np.shape(b)
        for a, b in zip(flatten(held)[0], flatten(fresh)[0], strict=True)
    )
    if not same:
        raise FitError(
            "the fit to continue has another optimizer, network or choice of frozen "
            "parameters: continue with the same ones, or give params= to start anew "
            "from its parameters"
        )
