"""L-BFGS: SciPy's line-search method, driven by one value-and-gradient program.

SciPy decides where to look next; the program says what the cost and its gradient are
there, over all rows at once. Each iteration counts as an epoch.
"""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.nn.description import Description, register
from weft.train.errors import FitError
from weft.train.monitor import Monitor
from weft.train.whole import ValueAndGradient

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
