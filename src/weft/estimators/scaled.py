"""Distributions in the target's own unit, where a standardised one was learnt."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.nn import Distribution
from weft.nn.distribution import Array


@final
@dataclass(frozen=True, eq=False)
class ScaledDistribution(Distribution):
    """The distribution of ``shift + scale * z``, where z has a known one.

    Parameters
    ----------
    inner : Distribution
        Of z.
    shift : float
    scale : float
        Above 0.

    Examples
    --------
    >>> from weft import nn
    >>> z = nn.NormalDistribution(np.array([0.0]), np.array([1.0]))
    >>> ScaledDistribution(z, 10.0, 2.0).std()
    array([2.])
    """

    inner: Distribution
    shift: float
    scale: float

    def mean(self) -> Array:
        """Return the expected target."""
        return self._outward(self.inner.mean())

    def std(self) -> Array:
        """Return the standard deviation."""
        return np.asarray(self.inner.std(), np.float64) * self.scale

    def mode(self) -> Array:
        """Return the most probable target."""
        return self._outward(self.inner.mode())

    def quantile(self, q: float) -> Array:
        """Return the value that the target does not exceed with probability `q`."""
        return self._outward(self.inner.quantile(q))

    def sample(self, rng: np.random.Generator) -> Array:
        """Draw one target per row."""
        return self._outward(self.inner.sample(rng))

    def log_prob(self, y: Array) -> Array:
        """Return the log-density of `y`, in the target's own unit."""
        z = (np.asarray(y, np.float64) - self.shift) / self.scale
        return np.asarray(self.inner.log_prob(z) - np.log(self.scale))

    def _outward(self, z: Any) -> Array:
        return np.asarray(z, np.float64) * self.scale + self.shift
