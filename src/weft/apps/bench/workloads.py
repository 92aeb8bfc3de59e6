"""The workloads: what is trained or asked, and what that costs at the least.

A `Workload` is a frozen description: a network, a batch, and what is done with them.
Flops and bytes are counted from it by formula, never measured, so that the limit of a
machine is the same whoever does the work.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, final

from weft.compile.native.machine import Machine
from weft.graph.errors import FeedError

FLOAT = 4  # bytes of a float32


@final
@dataclass(frozen=True)
class Workload:
    """A network, a batch, and what is done with them.

    Parameters
    ----------
    name : str
    inputs : int
        Features of a row.
    hidden : tuple of int
        Widths of the hidden layers.
    outputs : int
    batch : int
        Rows per step.
    steps : int
        Steps per epoch.
    task : {"train", "hvp", "predict"}
        A step of Adam, a Hessian-vector product, or a prediction.
    unit : {"relu", "tanh"}
    cost : {"cross_entropy", "squared_error"}
        The second is half the square, averaged over the rows.
    skips : bool
        Whether every two hidden layers after the first have a connection around them.
    learning_rate : float
        Of Adam. Smaller where the first steps would overshoot: rounding grows there,
        and costs can no longer be compared.
    cores : {"one", "all"}
        What the limit is measured with: one core where a second cannot help.
    """

    name: str
    inputs: int
    hidden: tuple[int, ...]
    outputs: int
    batch: int
    steps: int
    task: Literal["train", "hvp", "predict"] = "train"
    unit: Literal["relu", "tanh"] = "relu"
    cost: Literal["cross_entropy", "squared_error"] = "cross_entropy"
    skips: bool = False
    learning_rate: float = 1e-3
    cores: Literal["one", "all"] = "all"

    @property
    def rows(self) -> int:
        """The rows of an epoch; the last batch is as full as the others."""
        return self.batch * self.steps

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """The shapes (m, n) of the weights, first layer first."""
        widths = (self.inputs, *self.hidden, self.outputs)
        return tuple(pairwise(widths))

    @property
    def parameters(self) -> int:
        """The number of weights and biases."""
        return sum(m * n + n for m, n in self.shapes)

    @property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """Hidden layers by number: alone, or two with a connection around them."""
        count = len(self.hidden)
        if not self.skips:
            return tuple((i,) for i in range(count))
        pairs = [(i, i + 1) for i in range(1, count - 1, 2)]
        return ((0,), *pairs, *((i,) for i in range(1 + 2 * len(pairs), count)))


# Products that a task needs per layer: (first layer, every other layer). The first
# layer has no gradient with respect to its input.
#   train    forward, gradient of the weights; gradient of the input
#   hvp      forward over reverse: forward (1), its tangent (2), gradient of the input
#            (1), its tangent (2), tangent of the gradient of the weights (2); in the
#            first layer the input has no tangent and no gradient: 1, 1 and 1
#   predict  forward
_PRODUCTS = {"train": (2, 3), "hvp": (3, 8), "predict": (1, 1)}


def flops(workload: Workload) -> int:
    """Count the floating-point operations of one step's matrix products.

    Examples
    --------
    >>> flops(Workload("one layer", 3, (), 5, batch=10, steps=1))
    600
    """
    first, other = _PRODUCTS[workload.task]
    (m, n), *rest = workload.shapes
    products = first * m * n + sum(other * m * n for m, n in rest)
    return 2 * workload.batch * products


def bytes_moved(workload: Workload) -> int:
    """Count the bytes that one step has to read or write, if nothing is moved twice.

    - train: parameters and both of Adam's moments are read and written; rows are read;
      activations are written going forward and read coming back.
    - hvp: parameters and direction are read, the product is written; rows are read;
      activations and their tangents are written and read.
    - predict: parameters and rows are read.
    """
    parameters, rows = workload.parameters, workload.batch * workload.inputs
    units = workload.batch * sum(workload.hidden)
    words = {
        "train": 6 * parameters + rows + 2 * units,
        "hvp": 3 * parameters + rows + 4 * units,
        "predict": parameters + rows,
    }
    return FLOAT * words[workload.task]


def working_set(workload: Workload) -> int:
    """Count the bytes that are in use during one step: what has to fit into a cache."""
    parameters, rows = workload.parameters, workload.batch * workload.inputs
    units = workload.batch * sum(workload.hidden)
    words = {
        "train": 4 * parameters + rows + units,
        "hvp": 3 * parameters + rows + 2 * units,
        "predict": parameters + rows,
    }
    return FLOAT * words[workload.task]


def limit(workload: Workload, peak: float, bandwidth: float) -> float:
    """Return the least seconds that one step can take on a machine.

    Parameters
    ----------
    workload : Workload
    peak : float
        Floating-point operations per second.
    bandwidth : float
        Bytes per second, of the level of cache that the working set fits in.
    """
    return max(flops(workload) / peak, bytes_moved(workload) / bandwidth)


WORKLOADS = (
    Workload("tiny", 2, (8, 8), 2, 32, steps=500, cores="one"),
    Workload("small", 20, (64, 64), 2, 32, steps=500, cores="one"),
    Workload("table", 54, (256, 256), 7, 256, steps=40),
    Workload("mnist", 784, (256, 256), 10, 128, steps=40),
    Workload("wide", 784, (1024,) * 3, 10, 512, steps=4, learning_rate=1e-4),
    Workload(
        *("deep", 64, (128,) * 20, 1, 128),
        steps=30,
        unit="tanh",
        cost="squared_error",
        skips=True,
        learning_rate=1e-4,
    ),
    Workload(
        *("predict-1", 20, (64, 64), 2, 1), steps=1000, task="predict", cores="one"
    ),
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


def least(workload: Workload, machine: Machine) -> float:
    """Return the least seconds that one step can take on a measured machine."""
    threads = 1 if workload.cores == "one" else machine.cores
    peak = machine.peak("float32", threads)
    return limit(workload, peak, machine.bandwidth(working_set(workload), threads))
