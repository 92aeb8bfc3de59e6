"""L-BFGS: SciPy's line-search method, driven by one value-and-gradient program.

SciPy decides where to look next; the program says what the cost and its gradient are
there, over all rows at once. Each iteration counts as an epoch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.compile import compile
from weft.differentiate import grad
from weft.graph.leaf import input as make_input
from weft.graph.node import DType
from weft.graph.tree import flatten, tree_map, unflatten
from weft.graph.walk import topological
from weft.nn.description import Description, register
from weft.nn.network import Network
from weft.train.data import Rows
from weft.train.errors import FitError
from weft.train.monitor import Monitor
from weft.train.objective import (
    Objective,
    PenaltyLike,
    by_path,
    chosen,
    objective,
    row_leaves,
)

Array = np.ndarray[Any, Any]
Tree = dict[str, Any]


@final
@dataclass(frozen=True, repr=False)
class LBFGS(Description):
    """The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno.

    For small data: it needs no learning rate and converges fast, but looks at all rows
    in every iteration. The number of iterations is bounded by ``fit(epochs=...)``.

    Parameters
    ----------
    tol : float
        The largest component of the gradient at which it has converged.
    max_fun : int
        How many times the cost may be evaluated.
    memory : int
        How many past steps the approximation of curvature rests on.

    Examples
    --------
    >>> from weft import train
    >>> train.LBFGS(tol=1e-6)
    LBFGS(1e-06)
    """

    tol: float = 1e-4
    max_fun: int = 15000
    memory: int = 10

    def __post_init__(self) -> None:
        if self.tol < 0 or self.max_fun < 1 or self.memory < 1:
            raise FitError(
                f"LBFGS with tol {self.tol}, max_fun {self.max_fun} and memory "
                f"{self.memory}: give tol >= 0 and the others >= 1"
            )


@final
class ValueAndGradient:
    """A cost and its gradient as functions of one flat vector of float64.

    Parameters
    ----------
    network : Network
    rows : Rows
    params : nested dict of numpy.ndarray
        Where to begin; what is frozen stays there.
    penalties : sequence of Penalty or callable
    freeze : sequence of str
    dtype : numpy.dtype
    engine : str
    threads : int or None
    iterations : int
        About how often it will be asked.
    """

    def __init__(
        self,
        network: Network,
        rows: Rows,
        params: Tree,
        penalties: Sequence[PenaltyLike],
        freeze: Sequence[str] | str,
        dtype: DType,
        engine: str,
        threads: int | None,
        iterations: int,
    ) -> None:
        self._params, self._dtype = params, dtype
        symbols = tree_map(lambda a: make_input("parameter", a.shape, dtype), params)
        goal = objective(network, symbols, row_leaves(rows, network, dtype), penalties)
        _refuse_randomness(goal)
        frozen = chosen(freeze, list(goal.params)) if freeze else set()
        self._trained = [path for path in goal.params if path not in frozen]
        if not self._trained:
            raise FitError("nothing is left to train: every parameter is frozen")
        grads = grad(goal.cost, [goal.params[path] for path in self._trained])
        self._program = compile(
            [*goal.rows, *goal.numbers.values(), *flatten(symbols)[0]],
            [goal.cost, goal.nll, *grads],
            engine=engine,
            threads=threads,
            steps=iterations,
        )
        self._fixed: list[Any] = [rows.X, rows.y]
        if rows.weight is not None:
            self._fixed.append(rows.weight)
        self._fixed += [goal.values[name] for name in goal.numbers]
        self.nll = float("nan")  # of the last evaluation

    def vector(self) -> Array:
        """Return where to begin."""
        given = by_path(self._params)
        return np.concatenate(
            [given[path].ravel().astype(np.float64) for path in self._trained]
        )

    def tree(self, vector: Array) -> Tree:
        """Return the parameters that a vector stands for."""
        given = by_path(self._params)
        at = 0
        for path in self._trained:
            shape, size = given[path].shape, given[path].size
            # A copy: SciPy goes on working in its vector.
            given[path] = np.array(vector[at : at + size], self._dtype).reshape(shape)
            at += size
        _, structure = flatten(self._params)
        tree: Tree = unflatten(structure, list(given.values()))
        return tree

    def __call__(self, vector: Array) -> tuple[float, Array]:
        """Return cost and gradient."""
        values = flatten(self.tree(vector))[0]
        cost, nll, *grads = self._program(*self._fixed, *values)
        self.nll = float(nll)
        flat = [np.asarray(g, np.float64).ravel() for g in grads]
        return float(cost), np.concatenate(flat)


def _refuse_randomness(goal: Objective) -> None:
    random = [
        node for node in topological([goal.cost]) if node in (goal.seed, goal.step)
    ]
    if goal.updates or random:
        raise FitError(
            "L-BFGS takes one fixed cost, and this network draws "
            "random masks or keeps running statistics (Dropout, BatchNorm): leave them "
            "out, or use Adam"
        )


def minimise(
    optimizer: LBFGS, function: ValueAndGradient, monitor: Monitor, epochs: int
) -> tuple[str, Tree]:
    """Run L-BFGS.

    Parameters
    ----------
    optimizer : LBFGS
    function : ValueAndGradient
    monitor : Monitor
        Told of every iteration; may ask to stop.
    epochs : int
        At most so many iterations.

    Returns
    -------
    stopped : str
        As in `Fit.stopped`.
    params : nested dict of numpy.ndarray
        Of the last iteration.
    """
    from scipy.optimize import OptimizeResult  # SciPy is slow to import
    from scipy.optimize import minimize as scipy_minimize

    reached = function.vector()
    reason: str | None = None

    def after(intermediate_result: OptimizeResult) -> None:
        nonlocal reached, reason
        reached = np.array(intermediate_result.x)
        cost = float(intermediate_result.fun)
        reason = monitor.epoch(cost, function.nll, 1.0, function.tree(reached))
        if reason is not None:
            raise StopIteration

    try:
        result = scipy_minimize(
            function,
            reached,
            method="L-BFGS-B",
            jac=True,
            callback=after,
            options={
                "maxiter": epochs,
                "maxfun": optimizer.max_fun,
                "maxcor": optimizer.memory,
                "gtol": optimizer.tol,
            },
        )
    except KeyboardInterrupt:
        return "interrupted", function.tree(reached)
    if reason is None:
        reason = {0: "converged", 1: "epochs"}.get(result.status, "line search")
        reached = np.array(result.x)
        monitor.message = str(result.message)
    return reason, function.tree(reached)


register(LBFGS)
