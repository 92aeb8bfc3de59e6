"""The cost over all rows at once, as a function of one flat vector.

What line-search methods look at: they choose where to look next, and the program says
what the cost and its gradient are there.
"""

from collections.abc import Sequence
from typing import Any, final

import numpy as np

from weft.compile import compile
from weft.differentiate import grad
from weft.graph.leaf import input as make_input
from weft.graph.node import DType, Node
from weft.graph.tree import flatten, tree_map, unflatten
from weft.graph.walk import topological
from weft.nn.network import Network
from weft.train.data import Rows
from weft.train.errors import FitError
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

    Attributes
    ----------
    goal : Objective
        The graph.
    wrt : list of Node
        The leaves that the vector stands for, in its order.
    nll : float
        The cost without penalties, of the last evaluation.
    calls : int
        How many evaluations there were.
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
        self.goal = goal
        self.wrt = [goal.params[path] for path in self._trained]
        grads = grad(goal.cost, self.wrt)
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
        self.nll = float("nan")
        self.calls = 0

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

    def parts(self, vector: Array) -> list[Array]:
        """Return the arrays that a vector stands for, in the order of `wrt`."""
        values = by_path(self.tree(vector))
        return [values[path] for path in self._trained]

    def rounded(self, vector: Array) -> Array:
        """Return the vector of float64 that the parameters of `vector` are."""
        parts = [part.ravel().astype(np.float64) for part in self.parts(vector)]
        return np.concatenate(parts)

    def feed(self, vector: Array) -> dict[Node, Any]:
        """Return the values of all leaves of the goal."""
        goal = self.goal
        leaves = [*goal.rows, *goal.numbers.values(), *goal.params.values()]
        values = [*self._fixed, *flatten(self.tree(vector))[0]]
        return dict(zip(leaves, values, strict=True))

    def __call__(self, vector: Array) -> tuple[float, Array]:
        """Return cost and gradient."""
        values = flatten(self.tree(vector))[0]
        cost, nll, *grads = self._program(*self._fixed, *values)
        self.nll = float(nll)
        self.calls += 1
        flat = [np.asarray(g, np.float64).ravel() for g in grads]
        return float(cost), np.concatenate(flat)


def _refuse_randomness(goal: Objective) -> None:
    random = [
        node for node in topological([goal.cost]) if node in (goal.seed, goal.step)
    ]
    if goal.updates or random:
        raise FitError(
            "L-BFGS and Newton-CG take one fixed cost, and this network draws random "
            "masks or keeps running statistics (Dropout, BatchNorm): leave them out, "
            "or use Adam"
        )
