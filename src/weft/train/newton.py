"""Newton-CG: Newton's method whose systems are solved by products alone.

Each iteration minimises a quadratic model of the cost, with the Gauss-Newton matrix as
its curvature, by conjugate gradients (Martens, Deep learning via Hessian-free
optimization, 2010). No matrix is made, and the systems are solved only as far as it
pays. How far the model is trusted is learnt on the way: damping falls while the cost
does what the model said, and rises where it does not (Levenberg and Marquardt's rule).
Each iteration counts as an epoch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from weft.nn.description import Description, register
from weft.train.errors import FitError
from weft.train.monitor import Monitor
from weft.train.whole import Array, Tree, ValueAndGradient

# A solution is good enough when k steps have brought less than k times this share of
# what was gained altogether, k at least 10 and a tenth of all steps (Martens, 4.4).
_PROGRESS = 5e-4
_WINDOW = 10
# The share of its first length at which a residual is nothing but rounding.
_SOLVED = 1e-12
# How much of the last direction the next system begins with (Martens and Sutskever,
# Training deep and recurrent networks with Hessian-free optimization, 2012, 8.9).
_MOMENTUM = 0.95
# What a step has to gain, of what the slope promises, and how often it is halved.
_ARMIJO = 1e-2
_HALVINGS = 12
# How often damping is raised before there is no better point to be found.
_ATTEMPTS = 12


@final
@dataclass(frozen=True, repr=False)
class NewtonCG(Description):
    """Newton's method by conjugate gradients on Gauss-Newton products (Hessian-free).

    It needs no learning rate, and far fewer iterations than gradients alone where the
    cost is long and narrow, as it is for deep or badly scaled networks; each takes some
    tens of passes over all rows. The number of iterations is bounded by
    ``fit(epochs=...)``.

    Parameters
    ----------
    tol : float
        The largest component of the gradient at which it has converged.
    damping : float
        What is added to the curvature at first; adapted by Levenberg and Marquardt's
        rule.
    cg_steps : int
        At most so many products per iteration.

    Examples
    --------
    >>> from weft import train
    >>> train.NewtonCG(cg_steps=50)
    NewtonCG(cg_steps=50)
    """

    tol: float = 1e-4
    damping: float = 1.0
    cg_steps: int = 250

    def __post_init__(self) -> None:
        if self.tol < 0 or self.damping <= 0 or self.cg_steps < 1:
            raise FitError(
                f"NewtonCG with tol {self.tol}, damping {self.damping} and cg_steps "
                f"{self.cg_steps}: give tol >= 0, damping > 0 and cg_steps >= 1"
            )


@final
@dataclass(frozen=True, eq=False)
class Solution:
    """What conjugate gradients found.

    Parameters
    ----------
    direction : numpy.ndarray
    model : float
        The damped quadratic model there; 0 at the origin.
    products : int
    """

    direction: Array
    model: float
    products: int


def conjugate_gradients(
    times: Callable[[Array], Array], slope: Array, start: Array, limit: int
) -> Solution:
    """Minimise ``slope' p + p' A p / 2`` as far as it pays.

    It ends early where the model has nearly stopped falling, and where it meets a
    direction in which A does not curve upward.

    Parameters
    ----------
    times : callable
        ``times(v)`` is ``A v``.
    slope, start : numpy.ndarray
    limit : int
        At most so many products, besides the one for `start`.

    Returns
    -------
    Solution

    Examples
    --------
    >>> A = np.diag([1.0, 4.0])
    >>> found = conjugate_gradients(A.dot, np.array([-1.0, -4.0]), np.zeros(2), 9)
    >>> found.direction.round(12), found.products
    (array([1., 1.]), 2)
    """
    p, products = start.copy(), 0
    residual = -slope
    if p.any():
        residual = residual - times(p)
        products = 1
    along, square = residual, float(residual @ residual)
    least = square * _SOLVED**2
    models = [-0.5 * float(p @ (residual - slope))]
    for i in range(1, limit + 1):
        if square <= least:
            break
        image = times(along)
        products += 1
        curvature = float(along @ image)
        if not curvature > 0:  # NaN included
            break
        p = p + (square / curvature) * along
        residual = residual - (square / curvature) * image
        before, square = square, float(residual @ residual)
        along = residual + (square / before) * along
        models.append(-0.5 * float(p @ (residual - slope)))
        window = max(_WINDOW, i // 10)
        gained = models[-1 - window] - models[-1] if i >= window else np.inf
        if models[-1] < 0 and gained < -models[-1] * window * _PROGRESS:
            break
    return Solution(p, models[-1], products)


def minimise(
    optimizer: NewtonCG,
    function: ValueAndGradient,
    monitor: Monitor,
    epochs: int,
    state: Tree,
    engine: str = "auto",
    threads: int | None = None,
) -> tuple[str, Tree, Tree]:
    """Run Newton-CG.

    Parameters
    ----------
    optimizer : NewtonCG
    function : ValueAndGradient
    monitor : Monitor
        Told of every iteration, with the length of its step as the learning rate; may
        ask to stop.
    epochs : int
        At most so many iterations.
    state : dict of str to numpy.ndarray
        What an earlier fit returned, to be continued; empty to begin.
    engine, threads
        As in `weft.compile`.

    Returns
    -------
    stopped : str
        As in `Fit.stopped`.
    params : nested dict of numpy.ndarray
        Of the last iteration.
    state : dict of str to numpy.ndarray
        Damping and last direction.
    """
    from weft.curvature import gauss_newton_operator  # SciPy is slow to import

    point = function.vector()
    search = _Search(optimizer, function, state, point.size)
    goal = function.goal
    matrix = gauss_newton_operator(
        goal.cost,
        goal.raw,
        function.wrt,
        function.feed(point),
        engine=engine,
        threads=threads,
    )
    stopped = "epochs"
    try:
        cost, slope = function(point)
        for _ in range(epochs):
            if np.abs(slope).max() <= optimizer.tol:
                stopped = "converged"
                monitor.message = f"no slope is above {optimizer.tol:g}"
                break
            there = matrix.at(function.parts(point))
            found = search.step(there.matvec, point, cost, slope)
            if found is None:
                stopped = "line search"
                monitor.message = "no better point was found in any direction tried"
                break
            point, cost, slope, length = found
            nll = function.nll
            reason = monitor.epoch(cost, nll, length, function.tree(point))
            if reason is not None:
                stopped = reason
                break
    except KeyboardInterrupt:
        stopped = "interrupted"
    return stopped, function.tree(point), search.state


@final
class _Search:
    """Damping and last direction, which one step hands to the next."""

    def __init__(
        self, optimizer: NewtonCG, function: ValueAndGradient, state: Tree, size: int
    ) -> None:
        self._function, self._limit = function, optimizer.cg_steps
        held = state or {
            "damping": np.array(optimizer.damping),
            "direction": np.zeros(size),
        }
        if held.keys() != {"damping", "direction"} or len(held["direction"]) != size:
            raise FitError(
                "the fit to continue has another optimizer, network or choice of "
                "frozen parameters: continue with the same ones, or give params= to "
                "start anew from its parameters"
            )
        self._damping = float(held["damping"])
        self._direction = np.array(held["direction"], np.float64)

    @property
    def state(self) -> Tree:
        """Both, as arrays."""
        return {"damping": np.array(self._damping), "direction": self._direction}

    def step(
        self,
        curvature: Callable[[Array], Array],
        point: Array,
        cost: float,
        slope: Array,
    ) -> tuple[Array, float, Array, float] | None:
        """Return the next point, its cost and slope, and the length of the step.

        None if there is no better one.
        """
        for _ in range(_ATTEMPTS):
            damping = self._damping
            found = conjugate_gradients(
                lambda v: curvature(v) + damping * v,  # noqa: B023 - called at once
                slope,
                _MOMENTUM * self._direction,
                self._limit,
            )
            # What the model foretells, without the damping, for the whole direction.
            p = found.direction
            foretold = found.model - 0.5 * damping * float(p @ p)
            if not slope @ p < 0:  # the model has failed altogether
                p, foretold = -slope, -np.inf
            taken = self._line(point, cost, slope, p)
            if taken is not None:
                whole = taken[3] == 1 and foretold < 0
                self._adapt((taken[1] - cost) / foretold if whole else -np.inf)
                self._direction = p
                return taken
            self._direction = np.zeros_like(p)
            self._damping *= 10
        return None

    def _line(
        self, point: Array, cost: float, slope: Array, p: Array
    ) -> tuple[Array, float, Array, float] | None:
        length = 1.0
        for _ in range(_HALVINGS):
            reached = self._function.rounded(point + length * p)
            new_cost, new_slope = self._function(reached)
            enough = cost + _ARMIJO * length * float(slope @ p)
            if new_cost < cost and new_cost <= enough:
                return reached, new_cost, new_slope, length
            length /= 2
        return None

    def _adapt(self, ratio: float) -> None:
        """Levenberg and Marquardt's rule, with Martens' factors."""
        if ratio < 0.25:
            self._damping *= 3 / 2
        elif ratio > 0.75:
            self._damping *= 2 / 3


register(NewtonCG)
