"""What goes with what: target, distribution, output layer and cost.

The table of the slide "Output Types" as data: one row per output unit, so that one
argument chooses all of them consistently. Whoever asks for a pair that is no row of it
(slide "Don't mix and match") is told which cost belongs to the output;
``allow_mismatch=True`` builds the pair nevertheless, to study what goes wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from weft.graph.errors import ShapeError
from weft.graph.node import Node, describe
from weft.nn.description import DescriptionError, nearest, register
from weft.nn.distribution import (
    Array,
    BernoulliDistribution,
    CategoricalDistribution,
    Distribution,
    NormalDistribution,
)
from weft.nn.initialisers import Initialiser, Lengths
from weft.nn.output import (
    GLOROT,
    ZEROS,
    OutputUnit,
    check_count,
    check_target_node,
    numbers_per_target,
    per_target,
    row_of,
)
from weft.nn.output_units import (
    Bernoulli,
    Categorical,
    Gaussian,
    HeteroscedasticGaussian,
    Laplace,
    Poisson,
)
from weft.ops import arithmetic, reduce, special


@final
@dataclass(frozen=True)
class OutputType:
    """A row of the table: what one output unit consists of.

    Parameters
    ----------
    target, distribution, layer, cost : str
        In the words of the book.
    output, loss : str
        The short names of layer and cost, as `pair` takes them.
    unit : type of OutputUnit
    on_slide : bool
        Whether the chapter's own table has this row.

    Examples
    --------
    >>> from weft import nn
    >>> row = nn.OUTPUT_TYPES[0]
    >>> row.target, row.distribution, row.layer, row.cost
    ('binary', 'Bernoulli', 'sigmoid', 'binary cross-entropy')
    """

    target: str
    distribution: str
    layer: str
    cost: str
    output: str
    loss: str
    unit: Callable[..., OutputUnit]
    on_slide: bool = False


# fmt: off
OUTPUT_TYPES: tuple[OutputType, ...] = (
    OutputType("binary", "Bernoulli", "sigmoid", "binary cross-entropy",
               "sigmoid", "binary_cross_entropy", Bernoulli, True),
    OutputType("discrete", "multinoulli", "softmax", "discrete cross-entropy",
               "softmax", "cross_entropy", Categorical, True),
    OutputType("continuous", "Gaussian", "linear", "mean squared error",
               "linear", "squared_error", Gaussian, True),
    OutputType("continuous, noise that varies", "Gaussian with learnt precision",
               "linear mean, exponential precision", "Gaussian log-likelihood",
               "linear_and_precision", "gaussian", HeteroscedasticGaussian),
    OutputType("continuous, with outliers", "Laplace", "linear",
               "mean absolute error", "linear", "absolute_error", Laplace),
    OutputType("count", "Poisson", "exponential", "Poisson deviance",
               "exponential", "poisson", Poisson),
)
# fmt: on


def output_types() -> str:
    """Return the table of output types as text.

    Returns
    -------
    str
        A header, and a line for each row of `OUTPUT_TYPES`.

    Examples
    --------
    >>> from weft import nn
    >>> for line in nn.output_types().splitlines()[:2]:
    ...     print(line.split())
    ['target', 'distribution', 'output', 'layer', 'cost', 'unit']
    ['binary', 'Bernoulli', 'sigmoid', 'binary', 'cross-entropy', 'Bernoulli']
    """
    header = ("target", "distribution", "output layer", "cost", "unit")
    rows = [header] + [
        (r.target, r.distribution, r.layer, r.cost, _name(r)) for r in OUTPUT_TYPES
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(f"{c:{w}}" for c, w in zip(row, widths, strict=True)) for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def _name(row: OutputType) -> str:
    return str(getattr(row.unit, "__name__", row.unit))


def _clipped(z: Node) -> Node:
    node: Node = arithmetic.clip(z, 0, 1)
    return node


def _linear(z: Node) -> Node:
    return z


# The outputs that can be paired with a cost that is not theirs, and such costs, as the
# chapter has them: written as they stand there, with no form of their own.
_OUTPUTS: dict[str, Callable[[Node], Node]] = {
    "linear": _linear,
    "clipped": _clipped,
    "sigmoid": special.sigmoid,
    "softmax": reduce.softmax,
}
_LOSSES: dict[str, Callable[[Node, Node], Node]] = {
    "squared_error": lambda p, y: 0.5 * arithmetic.square(y - p),
    "absolute_error": lambda p, y: arithmetic.abs(y - p),
    "binary_cross_entropy": lambda p, y: (
        -(y * special.log(p) + (1 - y) * special.log(1 - p))
    ),
    "cross_entropy": lambda p, y: -(y * special.log(p)),
}


def pair(
    output: str, loss: str, n: int = 1, *, allow_mismatch: bool = False
) -> OutputUnit:
    """Return the output unit that has this output layer and this cost.

    Parameters
    ----------
    output : str
        ``"linear"``, ``"sigmoid"``, ``"softmax"``, ...; ``"clipped"`` is the linear
        output cut to [0, 1], which no cost goes with.
    loss : str
        ``"squared_error"``, ``"binary_cross_entropy"``, ``"cross_entropy"``, ...
    n : int
        How many targets, or categories.
    allow_mismatch : bool
        Whether to build a pair that does not belong together.

    Returns
    -------
    OutputUnit

    Raises
    ------
    DescriptionError
        If they do not belong together; the message names the cost that does.

    Examples
    --------
    >>> from weft import nn
    >>> nn.pair("sigmoid", "binary_cross_entropy")
    Bernoulli()
    >>> nn.pair("softmax", "squared_error", 3)
    Traceback (most recent call last):
    weft.nn.description.DescriptionError: a softmax output does not go with ...
    >>> nn.pair("softmax", "squared_error", 3, allow_mismatch=True)
    Mismatched('softmax', 'squared_error', n=3)
    """
    outputs = {*_OUTPUTS, *(row.output for row in OUTPUT_TYPES)}
    losses = {*_LOSSES, *(row.loss for row in OUTPUT_TYPES)}
    if output not in outputs:
        raise nearest(output, outputs, "output layer")
    if loss not in losses:
        raise nearest(loss, losses, "cost")
    for row in OUTPUT_TYPES:
        if (row.output, row.loss) == (output, loss):
            return row.unit(n)
    if not allow_mismatch:
        raise DescriptionError(_belongs(output, loss, n))
    return Mismatched(output, loss, n)


def _belongs(output: str, loss: str, n: int) -> str:
    said = f"a {output} output does not go with the cost {loss!r}"
    right = [row for row in OUTPUT_TYPES if row.output == output]
    if right:
        costs = " or ".join(f"{r.loss!r}, that is nn.{_name(r)}({n})" for r in right)
        mend = f"its cost is {costs}"
    else:
        mend = "nor with any other, its gradient is 0 where it is cut: take 'sigmoid'"
    return f"{said}: {mend}; allow_mismatch=True builds it to be studied"


@final
@dataclass(frozen=True, repr=False)
class Mismatched(OutputUnit):
    """An output layer with a cost that is not its own, to see why that fails.

    Made by `pair`. The cost is computed from the prediction, as the formula stands: it
    may be infinite, and its gradient may vanish where the answer is wrong.

    Parameters
    ----------
    output : {"linear", "clipped", "sigmoid", "softmax"}
    loss : {"squared_error", "absolute_error", "binary_cross_entropy", "cross_entropy"}
    n : int
        How many targets, or categories.
    weights, bias : Initialiser
        Of the last affine layer.

    Examples
    --------
    The gradient of the squared error through a sigmoid, where the answer is very wrong:

    >>> import weft
    >>> from weft import nn
    >>> unit = nn.Mismatched("sigmoid", "squared_error")
    >>> raw, y = weft.input("raw", (1, 1)), weft.constant([1.0])
    >>> slope = weft.grad(weft.sum(unit.nll(raw, y)), raw)
    >>> weft.evaluate(slope, {raw: [[-20.0]]})
    array([[-2.0611537e-09]], dtype=float32)
    """

    output: str
    loss: str
    n: int = 1
    weights: Initialiser = GLOROT
    bias: Initialiser = ZEROS

    def __post_init__(self) -> None:
        for given, known in ((self.output, _OUTPUTS), (self.loss, _LOSSES)):
            if given not in known:
                raise nearest(given, known, "part of a mismatched pair")
        check_count(self.n, self, least=2 if self.output == "softmax" else 1)

    @property
    def size(self) -> int:
        """One raw output per target or category."""
        return self.n

    @property
    def target_shape(self) -> Lengths:
        """() for one target, else (n,): of categories their weights."""
        return row_of(self.n)

    def nll(self, raw: Node, y: Node) -> Node:
        """Build the cost, which need not be a negative log-likelihood."""
        check_target_node(raw, y, self.target_shape, self)
        if y.dtype.kind != "f":
            raise ShapeError(f"{self} takes float targets, and {describe(y)} was given")
        each = _LOSSES[self.loss](self.prediction(raw), y)
        node: Node = each if self.n == 1 else reduce.sum(each, axis=1)
        return node

    def prediction(self, raw: Node) -> Node:
        """Build what the output layer gives."""
        return _OUTPUTS[self.output](per_target(raw, self.n))

    def distribution(self, raw: Array, dispersion: Array | None = None) -> Distribution:
        """Return the distribution that the output layer would belong to."""
        if self.output == "softmax":
            return CategoricalDistribution(raw)
        z = numbers_per_target(raw, self.n)
        if self.output == "sigmoid":
            return BernoulliDistribution(z)
        if self.output == "clipped":
            p = np.clip(z, 0, 1)
            with np.errstate(divide="ignore"):
                return BernoulliDistribution(np.log(p) - np.log1p(-p))
        return NormalDistribution(z, np.ones(()))


register(Mismatched)
