"""The workloads: what is trained or asked, and what that costs at the least.

Flops and bytes follow from a description by formula, so that the limit is the same
whoever does the work. Rows, first parameters and orders follow from one seed.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, final

import numpy as np

from weft.compile.native.machine import Machine
from weft.graph.errors import FeedError

Array = np.ndarray[Any, Any]
Layers = tuple[tuple[Array, Array], ...]

SEED = 6
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
_FLOAT = 4


@final
@dataclass(frozen=True)
class Workload:
    """A network, a batch, and what is done with them.

    Parameters
    ----------
    name : str
    inputs : int
    hidden : tuple of int
    outputs : int
    batch : int
        Rows per step.
    steps : int
        Steps per turn.
    task : {"train", "predict"}
        A step of Adam, or a prediction per call.
    deep : bool
        Whether units are tanh, every two hidden layers after the first have a
        connection around them, and the cost is half the squared error; instead of
        rectifiers and cross-entropy.
    one_core : bool
        Whether a second core cannot help.
    learning_rate : float
    """

    name: str
    inputs: int
    hidden: tuple[int, ...]
    outputs: int
    batch: int
    steps: int
    task: Literal["train", "predict"] = "train"
    deep: bool = False
    one_core: bool = False
    learning_rate: float = 1e-3

    @property
    def rows(self) -> int:
        """The rows of a turn."""
        return self.batch * self.steps

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """The shapes (m, n) of the weights, first layer first."""
        return tuple(pairwise((self.inputs, *self.hidden, self.outputs)))

    @property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """Hidden layers by number: alone, or two with a connection around them."""
        count = len(self.hidden)
        if not self.deep:
            return tuple((i,) for i in range(count))
        pairs = [(i, i + 1) for i in range(1, count - 1, 2)]
        return ((0,), *pairs, *((i,) for i in range(1 + 2 * len(pairs), count)))


WORKLOADS = (
    Workload("tiny", 2, (8, 8), 2, 32, steps=500, one_core=True),
    Workload("small", 20, (64, 64), 2, 32, steps=500, one_core=True),
    Workload("table", 54, (256, 256), 7, 256, steps=40),
    Workload("mnist", 784, (256, 256), 10, 128, steps=40),
    Workload("wide", 784, (1024,) * 3, 10, 512, steps=4, learning_rate=1e-4),
    Workload("deep", 64, (128,) * 20, 1, 128, 30, deep=True, learning_rate=1e-4),
    Workload("predict-1", 20, (64, 64), 2, 1, 1000, task="predict", one_core=True),
)


def named(name: str) -> Workload:
    """Return a workload.

    Raises
    ------
    FeedError
        If there is none of that name.
    """
    for workload in WORKLOADS:
        if workload.name == name:
            return workload
    known = ", ".join(workload.name for workload in WORKLOADS)
    raise FeedError(f"there is no workload {name!r}: choose from {known}")


def flops(workload: Workload) -> int:
    """Count the operations of one step's matrix products.

    Examples
    --------
    >>> flops(Workload("one layer", 3, (), 5, batch=10, steps=1))
    600
    """
    # Forward and the gradient of the weights; but for the first layer, of the input.
    first, other = (2, 3) if workload.task == "train" else (1, 1)
    (m, n), *rest = workload.shapes
    products = first * m * n + sum(other * m * n for m, n in rest)
    return 2 * workload.batch * products


def limit(workload: Workload, machine: Machine) -> float:
    """Return the least seconds that one step can take on a machine.

    Training reads and writes parameters and both moments, reads rows, and writes and
    reads activations; predicting reads parameters and rows.
    """
    parameters = sum(m * n + n for m, n in workload.shapes)
    rows = workload.batch * workload.inputs
    units = workload.batch * sum(workload.hidden)
    train = workload.task == "train"
    moved = 6 * parameters + rows + 2 * units if train else parameters + rows
    used = 4 * parameters + rows + units if train else parameters + rows
    threads = 1 if workload.one_core else machine.cores
    return machine.limit_seconds(
        flops(workload), _FLOAT * moved, _FLOAT * used, threads
    )


@final
@dataclass(frozen=True, eq=False)
class Problem:
    """What all are given.

    Parameters
    ----------
    workload : Workload
    X, y : array
        Rows of float32; classes, or float32 for the squared error.
    layers : tuple of (W, b)
        First parameters, float32.
    """

    workload: Workload
    X: Array
    y: Array
    layers: Layers

    def order(self, turn: int) -> Array:
        """Return the order in which a turn takes the rows."""
        rng = np.random.default_rng((SEED, turn))
        return rng.permutation(self.workload.rows)


def draw(workload: Workload) -> Problem:
    """Draw a problem: standard normal rows, targets from a noisy linear teacher."""
    rng = np.random.default_rng(SEED)
    X = rng.standard_normal((workload.rows, workload.inputs), dtype=np.float32)
    teacher = rng.standard_normal((workload.inputs, workload.outputs), dtype=np.float32)
    signal = X @ teacher / math.sqrt(workload.inputs)
    signal += 0.5 * rng.standard_normal(signal.shape, dtype=np.float32)
    y = np.tanh(signal[:, 0]) if workload.deep else signal.argmax(axis=1)
    layers = []
    for k, (m, n) in enumerate(workload.shapes):
        # He counts the inputs alone, Glorot the mean of inputs and outputs.
        he = not workload.deep and k < len(workload.hidden)
        scale = math.sqrt(2 / m if he else 2 / (m + n))
        W = scale * rng.standard_normal((m, n))
        layers.append((W.astype(np.float32), np.zeros(n, np.float32)))
    return Problem(workload, X, y, tuple(layers))
