"""What a network says of its targets, in numbers: one distribution per row.

An output unit turns raw outputs into a `Distribution` of arrays. Nothing here is graph:
it is what a person asks after the fit, such as a mean, an interval, a draw.

Every array has the shape of the targets: (rows,) for one output, (rows, n) for n of
them, which are independent given the row; `log_prob` adds them up.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.graph.errors import WeftError

Array = np.ndarray[Any, Any]


class DistributionError(WeftError, ValueError):
    """Something that a distribution does not have, or a level that is none."""


class Distribution(ABC):
    """A distribution of the target of each row.

    Examples
    --------
    >>> from weft import nn
    >>> raw = np.array([[0.0], [1.0]])
    >>> distribution = nn.Gaussian().distribution(raw, dispersion=np.array(4.0))
    >>> distribution.mean(), distribution.std()
    (array([0., 1.]), array([2., 2.]))
    """

    @abstractmethod
    def mean(self) -> Array:
        """Return the expected target; for categories their probabilities."""

    @abstractmethod
    def std(self) -> Array:
        """Return the standard deviation, of the shape of the mean."""

    @abstractmethod
    def mode(self) -> Array:
        """Return the most probable target."""

    @abstractmethod
    def quantile(self, q: float) -> Array:
        """Return the value that the target does not exceed with probability `q`.

        Parameters
        ----------
        q : float
            In (0, 1).
        """

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> Array:
        """Draw one target per row."""

    @abstractmethod
    def log_prob(self, y: Array) -> Array:
        """Return the logarithm of the density or probability of `y`.

        Parameters
        ----------
        y : numpy.ndarray of the shape of the targets

        Returns
        -------
        numpy.ndarray of shape (rows,)
        """

    def interval(self, coverage: float = 0.9) -> tuple[Array, Array]:
        """Return the central interval that holds the target with that probability.

        Parameters
        ----------
        coverage : float
            In (0, 1).

        Returns
        -------
        low, high : numpy.ndarray
        """
        if not 0 < coverage < 1:
            raise DistributionError(
                f"a coverage of {coverage} is none: give a number between 0 and 1"
            )
        return self.quantile((1 - coverage) / 2), self.quantile((1 + coverage) / 2)


def _level(q: float) -> float:
    if not 0 < q < 1:
        raise DistributionError(f"a quantile at {q} is none: give 0 < q < 1")
    return float(q)


def _per_row(values: Array) -> Array:
    return values if values.ndim == 1 else values.sum(axis=1)


def _expit(z: Array) -> Array:
    e = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, 1, e) / (1 + e))


@final
@dataclass(frozen=True, eq=False)
class NormalDistribution(Distribution):
    """Normal with a location and a scale.

    Parameters
    ----------
    location, scale : numpy.ndarray, shape (rows,) or (rows, n)

    Examples
    --------
    >>> d = NormalDistribution(np.array([0.0]), np.array([2.0]))
    >>> d.interval(0.95)[1].round(2)
    array([3.92])
    """

    location: Array
    scale: Array

    def mean(self) -> Array:
        """Return the location."""
        return self.location

    def std(self) -> Array:
        """Return the scale."""
        return np.broadcast_to(self.scale, self.location.shape)

    def mode(self) -> Array:
        """Return the location."""
        return self.location

    def quantile(self, q: float) -> Array:
        """Return location + scale * (the normal quantile)."""
        from scipy.special import ndtri  # SciPy is slow to import

        return np.asarray(self.location + self.scale * ndtri(_level(q)))

    def sample(self, rng: np.random.Generator) -> Array:
        """Draw one target per row."""
        return rng.normal(self.location, self.scale)

    def log_prob(self, y: Array) -> Array:
        """Return the log-density."""
        z = (y - self.location) / self.scale
        density = -0.5 * z * z - np.log(self.scale) - 0.5 * math.log(2 * math.pi)
        return _per_row(np.broadcast_to(density, self.location.shape))


@final
@dataclass(frozen=True, eq=False)
class LaplaceDistribution(Distribution):
    """Laplace with a location and a scale (its mean absolute deviation).

    Parameters
    ----------
    location, scale : numpy.ndarray, shape (rows,) or (rows, n)

    Examples
    --------
    >>> LaplaceDistribution(np.array([1.0]), np.array([2.0])).quantile(0.5)
    array([1.])
    """

    location: Array
    scale: Array

    def mean(self) -> Array:
        """Return the location."""
        return self.location

    def std(self) -> Array:
        """Return sqrt(2) times the scale."""
        return np.broadcast_to(math.sqrt(2) * self.scale, self.location.shape)

    def mode(self) -> Array:
        """Return the location, which is the median too."""
        return self.location

    def quantile(self, q: float) -> Array:
        """Return the quantile in closed form."""
        # log(2 q) below the median, -log(2 (1 - q)) above it.
        q = _level(q)
        z = math.log(2 * q) if q < 0.5 else -math.log(2 * (1 - q))
        return np.asarray(self.location + self.scale * z)

    def sample(self, rng: np.random.Generator) -> Array:
        """Draw one target per row."""
        return rng.laplace(self.location, self.scale)

    def log_prob(self, y: Array) -> Array:
        """Return the log-density."""
        density = -np.abs(y - self.location) / self.scale - np.log(2 * self.scale)
        return _per_row(np.broadcast_to(density, self.location.shape))


@final
@dataclass(frozen=True, eq=False)
class BernoulliDistribution(Distribution):
    """0 or 1, with the probability of 1 given by its logit.

    Parameters
    ----------
    logits : numpy.ndarray, shape (rows,) or (rows, n)

    Examples
    --------
    >>> BernoulliDistribution(np.array([-2.0, 2.0])).mode()
    array([0, 1])
    """

    logits: Array

    def mean(self) -> Array:
        """Return the probability of 1."""
        return _expit(self.logits)

    def std(self) -> Array:
        """Return sqrt(p (1 - p))."""
        array: Array = np.sqrt(_expit(self.logits) * _expit(-self.logits))
        return array

    def mode(self) -> Array:
        """Return the more probable value, 0 at a tie."""
        return (self.logits > 0).astype(np.int64)

    def quantile(self, q: float) -> Array:
        """Return 0 where the probability of 0 is at least `q`, else 1."""
        return (_expit(-self.logits) < _level(q)).astype(np.int64)

    def sample(self, rng: np.random.Generator) -> Array:
        """Draw one target per row."""
        return (rng.random(self.logits.shape) < _expit(self.logits)).astype(np.int64)

    def log_prob(self, y: Array) -> Array:
        """Return the log-probability of `y`, 0 or 1."""
        return _per_row(-np.logaddexp(0, (1 - 2 * np.asarray(y)) * self.logits))


@final
@dataclass(frozen=True, eq=False)
class CategoricalDistribution(Distribution):
    """One of k categories.

    Parameters
    ----------
    logits : numpy.ndarray, shape (rows, k)

    Examples
    --------
    >>> d = CategoricalDistribution(np.array([[0.0, np.log(3.0)]]))
    >>> d.mean().round(2), d.mode()
    (array([[0.25, 0.75]]), array([1]))
    """

    logits: Array

    def log_probabilities(self) -> Array:
        """Return the logarithm of each category's probability, shape (rows, k)."""
        z = self.logits - self.logits.max(axis=1, keepdims=True)
        return np.asarray(z - np.log(np.exp(z).sum(axis=1, keepdims=True)))

    def mean(self) -> Array:
        """Return each category's probability, shape (rows, k)."""
        return np.exp(self.log_probabilities())

    def std(self) -> Array:
        """Return sqrt(p (1 - p)) of each category, shape (rows, k)."""
        p = self.mean()
        array: Array = np.sqrt(p * (1 - p))
        return array

    def mode(self) -> Array:
        """Return the number of the most probable category, the first at a tie."""
        array: Array = self.logits.argmax(axis=1)
        return array

    def quantile(self, q: float) -> Array:
        """Refuse: categories have no order."""
        raise DistributionError(
            "categories have no order, hence no quantiles or intervals: use mean() for "
            "their probabilities"
        )

    def sample(self, rng: np.random.Generator) -> Array:
        """Draw one category per row."""
        gumbel = rng.gumbel(size=self.logits.shape)
        array: Array = (self.logits + gumbel).argmax(axis=1)
        return array

    def log_prob(self, y: Array) -> Array:
        """Return the log-probability of `y`: labels (rows,) or weights (rows, k)."""
        log_p, y = self.log_probabilities(), np.asarray(y)
        if y.ndim == 2:
            return np.asarray((y * log_p).sum(axis=1))
        return np.take_along_axis(log_p, y[:, None], axis=1)[:, 0]


@final
@dataclass(frozen=True, eq=False)
class PoissonDistribution(Distribution):
    """A count, with the logarithm of its rate.

    Parameters
    ----------
    log_rate : numpy.ndarray, shape (rows,) or (rows, n)

    Examples
    --------
    >>> PoissonDistribution(np.log([4.0])).std()
    array([2.])
    """

    log_rate: Array

    def mean(self) -> Array:
        """Return the rate."""
        return np.exp(self.log_rate)

    def std(self) -> Array:
        """Return the square root of the rate."""
        return np.exp(0.5 * self.log_rate)

    def mode(self) -> Array:
        """Return the largest count that is most probable."""
        return np.floor(self.mean())

    def quantile(self, q: float) -> Array:
        """Return the smallest count that is not exceeded with probability `q`."""
        from scipy.stats import poisson  # SciPy is slow to import

        return np.asarray(poisson.ppf(_level(q), self.mean()))

    def sample(self, rng: np.random.Generator) -> Array:
        """Draw one count per row."""
        return rng.poisson(self.mean())

    def log_prob(self, y: Array) -> Array:
        """Return the log-probability of the count `y`."""
        from scipy.special import gammaln

        y = np.asarray(y)
        return _per_row(y * self.log_rate - self.mean() - gammaln(y + 1))
