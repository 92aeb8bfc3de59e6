"""What all contestants are given: the same rows, first parameters and order.

Everything is a pure function of the workload and of one seed, so that processes that
never meet start from the same bits.
"""

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.apps.bench.workloads import Workload

Array = np.ndarray[Any, Any]
Layers = tuple[tuple[Array, Array], ...]

SEED = 6
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


@final
@dataclass(frozen=True, eq=False)
class Problem:
    """Rows and first parameters.

    Parameters
    ----------
    workload : Workload
    X : numpy.ndarray of float32, shape (rows, inputs)
    y : numpy.ndarray, shape (rows,)
        Classes as int64, or float32 for the squared error.
    layers : tuple of (W, b)
        float32; W has shape (m, n), b has shape (n,).
    direction : tuple of (W, b)
        Of the same shapes: what a Hessian is multiplied by.
    """

    workload: Workload
    X: Array
    y: Array
    layers: Layers
    direction: Layers


def make(workload: Workload) -> Problem:
    """Draw a problem: standard normal rows, targets from a noisy linear teacher."""
    rng = np.random.default_rng(SEED)
    X = rng.standard_normal((workload.rows, workload.inputs), dtype=np.float32)
    teacher = rng.standard_normal((workload.inputs, workload.outputs), dtype=np.float32)
    signal = X @ teacher / math.sqrt(workload.inputs)
    signal += 0.5 * rng.standard_normal(signal.shape, dtype=np.float32)
    if workload.cost == "cross_entropy":
        y = signal.argmax(axis=1)
    else:
        y = np.tanh(signal[:, 0])
    layers = _draw(workload, rng, _gains(workload), bias=0.0)
    direction = _draw(workload, rng, [1.0] * len(workload.shapes), bias=1.0)
    return Problem(workload, X, y, layers, direction)


def order(workload: Workload, epoch: int) -> Array:
    """Return the order in which an epoch takes the rows."""
    return np.random.default_rng((SEED, epoch)).permutation(workload.rows)


def _gains(workload: Workload) -> list[float]:
    """He for rectifiers (fan-in), and Glorot's like for the rest."""
    hidden = 2.0 if workload.unit == "relu" else 1.0
    return [hidden] * len(workload.hidden) + [1.0]


def _draw(
    workload: Workload, rng: np.random.Generator, gains: list[float], bias: float
) -> Layers:
    def one(m: int, n: int, gain: float) -> tuple[Array, Array]:
        # He counts the inputs alone, Glorot the mean of inputs and outputs.
        fan = m if gain == 2.0 else (m + n) / 2
        W = math.sqrt(gain / fan) * rng.standard_normal((m, n))
        b = bias * rng.standard_normal(n)
        return W.astype(np.float32), b.astype(np.float32)

    return tuple(
        one(m, n, gain) for (m, n), gain in zip(workload.shapes, gains, strict=True)
    )
