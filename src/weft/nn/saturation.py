"""Where an output has stopped to listen: saturation, and gradients that vanish.

Two looks at an output unit. `saturation` tells how much of a batch's predictions lies
where the prediction hardly moves with the raw output (slide "Saturation"); that is
harmless where the cost undoes it, as a negative log-likelihood from logits does. `lint`
tells whether it does: it looks for answers that are wrong and have no gradient.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.differentiate import backprop
from weft.graph.leaf import input as make_input
from weft.graph.walk import topological
from weft.nn.distribution import (
    Array,
    BernoulliDistribution,
    CategoricalDistribution,
    Distribution,
    DistributionError,
)
from weft.nn.network import Network
from weft.nn.output import OutputUnit
from weft.ops import reduce
from weft.ops.propagate import propagate


@final
@dataclass(frozen=True)
class Saturation:
    """The share of predictions that hardly move, for each output.

    Parameters
    ----------
    at_one, at_zero : numpy.ndarray of shape (n,)
        Saturated at probability 1, and at probability 0.

    Examples
    --------
    >>> from weft import nn
    >>> nn.saturation(nn.Bernoulli().distribution(np.array([[9.0], [0.0]]))).at_one
    array([0.5])
    """

    at_one: Array
    at_zero: Array


def saturation(distribution: Distribution, slope: float = 0.01) -> Saturation:
    """Return how much of a batch is saturated.

    A probability p = sigmoid(z) or softmax(z)_i has the slope p (1 - p) with respect
    to its own logit. It is saturated where that is less than `slope`: at 1, if its
    logit is far above the others, or at 0, if another one is far above it.

    Parameters
    ----------
    distribution : BernoulliDistribution or CategoricalDistribution
        As ``unit.distribution(raw)`` returns it.
    slope : float

    Returns
    -------
    Saturation

    Raises
    ------
    DistributionError
        If the output is no probability: linear units do not saturate.

    Examples
    --------
    >>> from weft import nn
    >>> raw = np.array([[20.0, 0.0, 0.0], [0.1, 0.0, 0.2]])
    >>> found = nn.saturation(nn.Categorical(3).distribution(raw))
    >>> found.at_one, found.at_zero
    (array([0.5, 0. , 0. ]), array([0. , 0.5, 0.5]))
    """
    if not isinstance(distribution, BernoulliDistribution | CategoricalDistribution):
        raise DistributionError(
            f"{type(distribution).__name__} gives no probabilities: only sigmoid and "
            "softmax outputs saturate"
        )
    p = np.atleast_2d(distribution.mean().T).T
    flat = slope > np.atleast_2d(distribution.std().T).T ** 2
    return Saturation((flat & (p > 0.5)).mean(axis=0), (flat & (p <= 0.5)).mean(axis=0))


@final
@dataclass(frozen=True)
class Finding:
    """Something about a network that will keep it from learning.

    Parameters
    ----------
    path : str
        Which part.
    unit : str
    message : str
        What is wrong, and what to take instead.

    Examples
    --------
    >>> print(Finding("output", "Sigmoid()", "it is saturated"))
    output (Sigmoid()): it is saturated
    """

    path: str
    unit: str
    message: str

    def __str__(self) -> str:
        return f"{self.path} ({self.unit}): {self.message}"


# Raw outputs to look at: moderate ones, and some as far off as a bad start may be.
_PROBES = (-200.0, -30.0, -5.0, -0.5, 0.25, 0.75, 1.5, 5.0, 30.0, 200.0)
_BETTER = 1e-3  # how much lower the cost could be, for an answer to count as wrong


def lint(network: Network) -> tuple[Finding, ...]:
    """Look for outputs that are wrong and have no gradient to mend it.

    Nothing is known of the formulas: the cost is computed at raw outputs near and far,
    in float32, with the targets that the unit takes, and so is its gradient.

    Parameters
    ----------
    network : Network

    Returns
    -------
    tuple of Finding
        Empty if all is well.

    Examples
    --------
    >>> from weft import nn
    >>> nn.lint(nn.mlp([8], "relu", nn.Bernoulli()))
    ()
    >>> clipped = nn.pair("clipped", "binary_cross_entropy", allow_mismatch=True)
    >>> print(*nn.lint(nn.mlp([8], "relu", clipped)))
    output (Mismatched('clipped', 'binary_cross_entropy')): the gradient is 0 ...
    """
    unit = network.output
    flat = [z for z, cost, slope, least in _probes(unit) if slope == 0 and cost > least]
    if not flat:
        return ()
    shown = ", ".join(f"{z:g}" for z in sorted(set(flat)))
    message = (
        f"the gradient is 0 where the answer is wrong, at raw outputs such as {shown}, "
        "so that nothing is learnt there: take a distribution, such as nn.Bernoulli() "
        "or nn.Categorical(k), whose cost undoes the saturation"
    )
    return (Finding("output", repr(unit), message),)


def _probes(unit: OutputUnit) -> Iterator[tuple[float, float, float, float]]:
    """Yield a raw output, the cost and its slope there, and a cost that counts as good.

    One raw output is varied, the others are 0.
    """
    raw = make_input("raw", ("n", unit.size))
    values = np.zeros((len(_PROBES), unit.size), np.float32)
    values[:, 0] = _PROBES
    for y in _targets(unit, len(_PROBES)):
        node = unit.target(y)
        each = unit.nll(raw, node)
        feed: dict[Any, Any] = {raw: values, node: y}
        cost = propagate(topological([each]), feed)[0][each]
        slopes = backprop(reduce.sum(each), raw, feed)
        least = np.nanmin(cost) + _BETTER
        for z, c, slope in zip(_PROBES, cost, np.abs(slopes).max(axis=1), strict=True):
            yield z, float(c), float(slope), float(least)


def _targets(unit: OutputUnit, rows: int) -> Iterator[Array]:
    """Yield targets that the unit takes: the first output wanted, and not wanted."""
    n = unit.target_shape[0] if unit.target_shape else unit.size
    shapes: list[Any] = [
        np.zeros((rows, *unit.target_shape)),
        np.ones((rows, *unit.target_shape)),
    ]
    if n > 1:
        shapes = [np.eye(n)[np.full(rows, i)] for i in (0, 1)]
        if not unit.target_shape:
            shapes = [np.full(rows, i) for i in (0, 1)]
    for y in shapes:
        yield unit.as_target(y, np.dtype("float32"))
