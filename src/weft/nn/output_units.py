"""The output units that weft has: one distribution each.

=====================  ==========================  ====================  ==============
target                 distribution                raw outputs           prediction
=====================  ==========================  ====================  ==============
a real number          `Gaussian`                  mean                  mean
..., noise that varies `HeteroscedasticGaussian`   mean, log-precision   mean
..., with outliers     `Laplace`                   median                median
0 or 1, several labels `Bernoulli`                 logit                 P(1)
one of k categories    `Categorical`               k logits              P of each
a count                `Poisson`                   log-rate              rate
=====================  ==========================  ====================  ==============
"""

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.graph.errors import ShapeError
from weft.graph.leaf import constant
from weft.graph.node import DType, Node, describe
from weft.nn.description import DescriptionError, register
from weft.nn.distribution import (
    Array,
    BernoulliDistribution,
    CategoricalDistribution,
    Distribution,
    LaplaceDistribution,
    NormalDistribution,
    PoissonDistribution,
)
from weft.nn.initialisers import Initialiser, Lengths
from weft.nn.output import (
    GLOROT,
    ZEROS,
    OutputUnit,
    TargetError,
    as_numbers,
    check_count,
    check_rows,
    check_target_node,
    numbers_per_target,
    per_target,
    row_of,
    weighted_mean,
)
from weft.ops import arithmetic, index, reduce, special, structure

_LOG_2PI = math.log(2 * math.pi)


def _sum_targets(each: Node, n: int) -> Node:
    node: Node = each if n == 1 else reduce.sum(each, axis=1)
    return node


@final
@dataclass(frozen=True, repr=False)
class Gaussian(OutputUnit):
    """A real number, normal with variance 1 in the cost: linear output units.

    The negative log-likelihood is ``(y - mean)^2 / 2 + log(2 pi) / 2``, so minimising
    it is least squares. The variance, which the cost holds at 1, is estimated after the
    fit from the residuals, one for each output; intervals are honest only with it.

    Parameters
    ----------
    n : int
        How many numbers per row; they are independent given the row.
    weights, bias : Initialiser
        Of the last affine layer.

    Examples
    --------
    >>> import weft
    >>> from weft import nn
    >>> raw, y = weft.constant([[1.0], [2.0]]), weft.constant([1.0, 4.0])
    >>> nn.Gaussian().nll(raw, y).numpy().round(4)
    array([0.9189, 2.9189], dtype=float32)
    """

    n: int = 1
    weights: Initialiser = GLOROT
    bias: Initialiser = ZEROS

    def __post_init__(self) -> None:
        check_count(self.n, self)

    @property
    def size(self) -> int:
        """One mean per target."""
        return self.n

    @property
    def target_shape(self) -> Lengths:
        """() for one target, else (n,)."""
        return row_of(self.n)

    def nll(self, raw: Node, y: Node) -> Node:
        """Build half the squared error, plus log(2 pi) / 2 per target."""
        check_target_node(raw, y, self.target_shape, self)
        half = 0.5 * arithmetic.square(y - per_target(raw, self.n))
        return _sum_targets(half, self.n) + 0.5 * _LOG_2PI * self.n

    def prediction(self, raw: Node) -> Node:
        """Build the mean."""
        return per_target(raw, self.n)

    @property
    def estimates_dispersion(self) -> bool:
        """True: the cost holds the scale at 1."""
        return True

    def dispersion(
        self, raw: Array, y: Array, sample_weight: Array | None = None
    ) -> Array | None:
        """Return the mean squared residual of each output."""
        residual = np.asarray(y, np.float64) - numbers_per_target(raw, self.n)
        variance = weighted_mean(residual**2, sample_weight)
        return np.maximum(variance, np.finfo(np.float64).tiny)

    def distribution(self, raw: Array, dispersion: Array | None = None) -> Distribution:
        """Return normals; with standard deviation 1 if no dispersion is given."""
        mean = numbers_per_target(raw, self.n)
        scale = np.ones(()) if dispersion is None else np.sqrt(dispersion)
        return NormalDistribution(mean, scale)


@final
@dataclass(frozen=True, repr=False)
class HeteroscedasticGaussian(OutputUnit):
    """A real number, normal with a mean and a precision that are both learnt.

    The second half of the raw outputs is the logarithm of the precision (the inverse of
    the variance); it needs no bounds, and nothing is clamped. The residual is scaled by
    the square root of the precision before it is squared, so that the product does not
    overflow where one factor is large and the other small.

    Parameters
    ----------
    n : int
        How many numbers per row; they are independent given the row.
    weights, bias : Initialiser
        Of the last affine layer.

    Examples
    --------
    >>> import weft
    >>> from weft import nn
    >>> raw, y = weft.constant([[0.0, 0.0], [0.0, 2.0]]), weft.constant([1.0, 1.0])
    >>> nn.HeteroscedasticGaussian().nll(raw, y).numpy().round(3)
    array([1.419, 3.613], dtype=float32)
    """

    n: int = 1
    weights: Initialiser = GLOROT
    bias: Initialiser = ZEROS

    def __post_init__(self) -> None:
        check_count(self.n, self)

    @property
    def size(self) -> int:
        """A mean and a log-precision per target."""
        return 2 * self.n

    @property
    def target_shape(self) -> Lengths:
        """() for one target, else (n,)."""
        return row_of(self.n)

    def nll(self, raw: Node, y: Node) -> Node:
        """Build the negative log-density."""
        check_target_node(raw, y, self.target_shape, self)
        mean = per_target(raw[:, : self.n], self.n)
        log_precision = per_target(raw[:, self.n :], self.n)
        scaled = (y - mean) * special.exp(0.5 * log_precision)
        each = 0.5 * (arithmetic.square(scaled) - log_precision)
        return _sum_targets(each, self.n) + 0.5 * _LOG_2PI * self.n

    def prediction(self, raw: Node) -> Node:
        """Build the mean."""
        return per_target(raw[:, : self.n], self.n)

    def distribution(self, raw: Array, dispersion: Array | None = None) -> Distribution:
        """Return normals, each row with a standard deviation of its own."""
        mean = numbers_per_target(raw[:, : self.n], self.n)
        log_precision = numbers_per_target(raw[:, self.n :], self.n)
        return NormalDistribution(mean, np.exp(-0.5 * log_precision))


@final
@dataclass(frozen=True, repr=False)
class Laplace(OutputUnit):
    """A real number with a Laplace density: least absolute deviations.

    The scale is held at 1 in the cost and estimated after the fit. The prediction is
    the median; far outliers move it less than they move a mean.

    Parameters
    ----------
    n : int
        How many numbers per row; they are independent given the row.
    weights, bias : Initialiser
        Of the last affine layer.

    Examples
    --------
    >>> import weft
    >>> from weft import nn
    >>> nn.Laplace().nll(weft.constant([[1.0]]), weft.constant([3.0])).numpy().round(4)
    array([2.6931], dtype=float32)
    """

    n: int = 1
    weights: Initialiser = GLOROT
    bias: Initialiser = ZEROS

    def __post_init__(self) -> None:
        check_count(self.n, self)

    @property
    def size(self) -> int:
        """One median per target."""
        return self.n

    @property
    def target_shape(self) -> Lengths:
        """() for one target, else (n,)."""
        return row_of(self.n)

    def nll(self, raw: Node, y: Node) -> Node:
        """Build the absolute error, plus log 2 per target."""
        check_target_node(raw, y, self.target_shape, self)
        error = arithmetic.abs(y - per_target(raw, self.n))
        return _sum_targets(error, self.n) + math.log(2) * self.n

    def prediction(self, raw: Node) -> Node:
        """Build the median."""
        return per_target(raw, self.n)

    @property
    def estimates_dispersion(self) -> bool:
        """True: the cost holds the scale at 1."""
        return True

    def dispersion(
        self, raw: Array, y: Array, sample_weight: Array | None = None
    ) -> Array | None:
        """Return the mean absolute residual of each output."""
        residual = np.asarray(y, np.float64) - numbers_per_target(raw, self.n)
        scale = weighted_mean(np.abs(residual), sample_weight)
        return np.maximum(scale, np.finfo(np.float64).tiny)

    def distribution(self, raw: Array, dispersion: Array | None = None) -> Distribution:
        """Return Laplace distributions; of scale 1 if no dispersion is given."""
        scale = np.ones(()) if dispersion is None else np.asarray(dispersion)
        return LaplaceDistribution(numbers_per_target(raw, self.n), scale)


@final
@dataclass(frozen=True, repr=False)
class Bernoulli(OutputUnit):
    """0 or 1, by a logit; with n > 1, as many labels that may hold together.

    The negative log-likelihood is ``softplus((1 - 2 y) z)``: its slope does not vanish
    where the answer is very wrong (slide "J(theta) = zeta((1 - 2y)z)").

    Parameters
    ----------
    n : int
        How many labels per row; they are independent given the row.
    weights, bias : Initialiser
        Of the last affine layer.

    Examples
    --------
    >>> import weft
    >>> from weft import nn
    >>> raw, y = weft.constant([[100.0], [100.0]]), weft.constant([1.0, 0.0])
    >>> nn.Bernoulli().nll(raw, y).numpy().round(6)
    array([  0., 100.], dtype=float32)
    """

    n: int = 1
    weights: Initialiser = GLOROT
    bias: Initialiser = ZEROS

    def __post_init__(self) -> None:
        check_count(self.n, self)

    @property
    def size(self) -> int:
        """One logit per label."""
        return self.n

    @property
    def target_shape(self) -> Lengths:
        """() for one label, else (n,)."""
        return row_of(self.n)

    def nll(self, raw: Node, y: Node) -> Node:
        """Build softplus((1 - 2 y) z)."""
        check_target_node(raw, y, self.target_shape, self)
        each = special.softplus((1 - 2 * y) * per_target(raw, self.n))
        return _sum_targets(each, self.n)

    def prediction(self, raw: Node) -> Node:
        """Build the probability of 1."""
        node: Node = special.sigmoid(per_target(raw, self.n))
        return node

    def as_target(self, y: Any, dtype: DType) -> Array:
        """Return targets that are all 0 or 1."""
        array = super().as_target(y, dtype)
        wrong = (array != 0) & (array != 1)
        if wrong.any():
            raise TargetError(
                f"{self} takes targets 0 and 1, and {array[wrong][0]:g} is among them: "
                "encode two classes as 0 and 1, or use Categorical(k) for more"
            )
        return array

    def distribution(self, raw: Array, dispersion: Array | None = None) -> Distribution:
        """Return Bernoulli distributions."""
        return BernoulliDistribution(numbers_per_target(raw, self.n))


@final
@dataclass(frozen=True, repr=False)
class Categorical(OutputUnit):
    """One of k categories, by k logits: softmax output units.

    The categories exclude one another; for labels that may hold together use
    ``Bernoulli(n)``. Targets are category numbers, an int64 array of shape (n,), or
    weights of the categories, a float array of shape (n, k); for those the cost is
    ``-sum(p * log softmax(z))``, also where a row's weights do not sum to 1.

    Parameters
    ----------
    k : int
        The number of categories, at least 2.
    weights, bias : Initialiser
        Of the last affine layer.
    reference_class : int, optional
        The category whose logit is held at 0 and not learnt. A softmax does not change
        when one number is added to all logits, so one of them can be fixed (slide
        "Softmax output units"): the same distributions, one column of weights fewer,
        and a cost that is not flat along that direction.

    Examples
    --------
    >>> import weft
    >>> from weft import nn
    >>> raw, y = weft.constant([[0.0, 0.0], [0.0, 1e4]]), weft.constant([1, 0])
    >>> nn.Categorical(2).nll(raw, y).numpy().round(4)
    array([6.931e-01, 1.000e+04], dtype=float32)
    >>> nn.Categorical(3, reference_class=0).size
    2
    """

    k: int
    weights: Initialiser = GLOROT
    bias: Initialiser = ZEROS
    reference_class: int | None = None

    def __post_init__(self) -> None:
        check_count(self.k, self, least=2)
        fixed = self.reference_class
        if fixed is not None and (type(fixed) is not int or not 0 <= fixed < self.k):
            raise DescriptionError(
                f"reference_class={fixed!r} is no category: give a whole number from 0 "
                f"to {self.k - 1}, or None to learn all logits"
            )

    @property
    def size(self) -> int:
        """One logit per category, but for the one that is fixed."""
        return self.k - (self.reference_class is not None)

    def logits(self, raw: Node) -> Node:
        """Build all k logits: the raw outputs, and 0 for the reference class.

        Parameters
        ----------
        raw : Node of shape (n, size)

        Returns
        -------
        Node of shape (n, k)
        """
        fixed = self.reference_class
        if fixed is None:
            return raw
        zero = structure.broadcast_to(constant(0, raw.dtype), (raw.shape[0], 1))
        parts = [raw[:, :fixed], zero, raw[:, fixed:]]
        filled = [part for part in parts if part.shape[1] != 0]
        node: Node = structure.concatenate(filled, axis=1)
        return node

    @property
    def target_shape(self) -> Lengths:
        """One category number."""
        return ()

    def nll(self, raw: Node, y: Node) -> Node:
        """Build -log softmax(z) at the target."""
        if y.dtype.kind == "f" and y.ndim == 2:
            check_target_node(raw, y, (self.k,), self)
            log_p = reduce.log_softmax(self.logits(raw))
            weighted: Node = -reduce.sum(y * log_p, axis=1)
            return weighted
        check_target_node(raw, y, (), self)
        if y.dtype.kind != "i":
            raise ShapeError(
                f"{self} takes category numbers as integers, and {describe(y)} was "
                "given: cast them to int64"
            )
        chosen = structure.expand_dims(y, 1)
        log_p = reduce.log_softmax(self.logits(raw))
        picked = index.take_along_axis(log_p, chosen, axis=1)
        node: Node = -structure.squeeze(picked, 1)
        return node

    def prediction(self, raw: Node) -> Node:
        """Build the probability of each category."""
        node: Node = reduce.softmax(self.logits(raw))
        return node

    def as_target(self, y: Any, dtype: DType) -> Array:
        """Return category numbers as int64, or weights of categories as floats."""
        array = as_numbers(y, self)
        if array.ndim == 2 and array.shape[1] == self.k:
            if (array < 0).any():
                raise TargetError("weights of categories cannot be negative")
            if ((array == 0) | (array == 1)).all() and (array.sum(axis=1) > 1).any():
                raise TargetError(
                    "several categories of one row are 1, but categories exclude one "
                    f"another: for labels that hold together use Bernoulli({self.k})"
                )
            return array.astype(dtype)
        check_rows(array, (), self)
        wrong = (array < 0) | (array >= self.k) | (array != np.rint(array))
        if wrong.any():
            raise TargetError(
                f"{self} takes category numbers from 0 to {self.k - 1}, and "
                f"{array[wrong][0]} is among them: number the categories from 0, or "
                "give Categorical the number of categories there are"
            )
        return array.astype(np.int64)

    def distribution(self, raw: Array, dispersion: Array | None = None) -> Distribution:
        """Return categorical distributions."""
        if self.reference_class is not None:
            raw = np.insert(raw, self.reference_class, 0, axis=1)
        return CategoricalDistribution(raw)


@final
@dataclass(frozen=True, repr=False)
class Poisson(OutputUnit):
    """A count with a rate whose logarithm is learnt.

    Parameters
    ----------
    n : int
        How many counts per row; they are independent given the row.
    weights, bias : Initialiser
        Of the last affine layer.

    Examples
    --------
    >>> import weft
    >>> from weft import nn
    >>> nn.Poisson().nll(weft.constant([[0.0]]), weft.constant([0.0])).numpy()
    array([1.], dtype=float32)
    """

    n: int = 1
    weights: Initialiser = GLOROT
    bias: Initialiser = ZEROS

    def __post_init__(self) -> None:
        check_count(self.n, self)

    @property
    def size(self) -> int:
        """One log-rate per count."""
        return self.n

    @property
    def target_shape(self) -> Lengths:
        """() for one count, else (n,)."""
        return row_of(self.n)

    def nll(self, raw: Node, y: Node) -> Node:
        """Build rate - y log(rate) + log(y!)."""
        check_target_node(raw, y, self.target_shape, self)
        log_rate = per_target(raw, self.n)
        each = special.exp(log_rate) - y * log_rate + special.lgamma(y + 1)
        return _sum_targets(each, self.n)

    def prediction(self, raw: Node) -> Node:
        """Build the rate."""
        node: Node = special.exp(per_target(raw, self.n))
        return node

    def as_target(self, y: Any, dtype: DType) -> Array:
        """Return targets that are whole numbers of at least 0."""
        array = super().as_target(y, dtype)
        wrong = (array < 0) | (array != np.rint(array))
        if wrong.any():
            raise TargetError(
                f"{self} takes counts 0, 1, 2, ..., not {array[wrong][0]:g}"
            )
        return array

    def distribution(self, raw: Array, dispersion: Array | None = None) -> Distribution:
        """Return Poisson distributions."""
        return PoissonDistribution(numbers_per_target(raw, self.n))


register(Gaussian, HeteroscedasticGaussian, Laplace, Bernoulli, Categorical, Poisson)
