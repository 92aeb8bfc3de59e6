"""Initialisers: where the search for parameters begins.

An initialiser draws an array of a given shape from a generator that it is handed, so a
draw is a function of the seed alone. For a weight matrix of shape (in, out) the first
axis is the fan-in and the last one the fan-out. `Glorot`, `He` and `LeCun` choose the
variance so that signals neither grow nor fade from layer to layer; the book (section
6.2) asks for small random weights and biases that are zero or small and positive.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from weft.nn.description import Description, DescriptionError, register

Array = np.ndarray[Any, Any]
Lengths = tuple[int, ...]
Distribution = Literal["uniform", "normal"]


class Initialiser(Description, ABC):
    """A rule that draws the first value of a parameter.

    A class of one's own defines `init` and `std`.

    Examples
    --------
    >>> from weft import nn
    >>> nn.He().init(np.random.default_rng(0), (2, 3)).shape
    (2, 3)
    """

    @abstractmethod
    def init(self, rng: np.random.Generator, shape: Lengths) -> Array:
        """Draw an array.

        Parameters
        ----------
        rng : numpy.random.Generator
        shape : tuple of int

        Returns
        -------
        numpy.ndarray of float64
        """

    @abstractmethod
    def std(self, shape: Lengths) -> float:
        """Return the standard deviation that the entries are drawn with."""


def fans(shape: Lengths) -> tuple[int, int]:
    """Return fan-in and fan-out of a weight array.

    Examples
    --------
    >>> fans((784, 256))
    (784, 256)
    """
    if not shape:
        return 1, 1
    return math.prod(shape[:-1]) or 1, shape[-1] or 1


def _draw(
    rng: np.random.Generator, shape: Lengths, std: float, distribution: Distribution
) -> Array:
    if distribution == "normal":
        return rng.normal(0.0, std, shape)
    limit = math.sqrt(3) * std
    return rng.uniform(-limit, limit, shape)


def _check(distribution: str, gain: float) -> None:
    if distribution not in ("uniform", "normal"):
        raise DescriptionError(
            f"distribution is {distribution!r}: choose 'uniform' or 'normal'"
        )
    if not gain > 0:
        raise DescriptionError(f"gain is {gain}: give a number above 0")


@final
@dataclass(frozen=True, repr=False)
class Glorot(Initialiser):
    """Variance 2 / (fan-in + fan-out), a compromise between both directions.

    Glorot and Bengio (2010), "Understanding the difficulty of training deep feedforward
    neural networks". Suits units that are like the identity near 0 (tanh, sigmoid).

    Parameters
    ----------
    distribution : {"uniform", "normal"}
    gain : float
        Multiplies the standard deviation; above 0.

    Examples
    --------
    >>> import numpy as np
    >>> Glorot().init(np.random.default_rng(0), (3, 2)).shape
    (3, 2)
    >>> round(Glorot().std((3, 2)), 3)
    0.632
    """

    distribution: Distribution = "uniform"
    gain: float = 1.0

    def __post_init__(self) -> None:
        _check(self.distribution, self.gain)

    def std(self, shape: Lengths) -> float:
        """Return gain * sqrt(2 / (fan-in + fan-out))."""
        return self.gain * math.sqrt(2 / sum(fans(shape)))

    def init(self, rng: np.random.Generator, shape: Lengths) -> Array:
        """Draw an array of float64."""
        return _draw(rng, shape, self.std(shape), self.distribution)


@final
@dataclass(frozen=True, repr=False)
class He(Initialiser):
    """Variance 2 / ((1 + slope^2) fan-in), which keeps the size of rectified signals.

    He et al. (2015), "Delving deep into rectifiers". Suits the rectifier and its kin.

    Parameters
    ----------
    distribution : {"uniform", "normal"}
    slope : float
        The unit's slope below 0: 0 for ReLU, 0.01 for the leaky one.

    Examples
    --------
    >>> He().std((8, 5))
    0.5
    """

    distribution: Distribution = "normal"
    slope: float = 0.0

    def __post_init__(self) -> None:
        _check(self.distribution, 1.0)

    def std(self, shape: Lengths) -> float:
        """Return sqrt(2 / ((1 + slope^2) fan-in))."""
        return math.sqrt(2 / ((1 + self.slope**2) * fans(shape)[0]))

    def init(self, rng: np.random.Generator, shape: Lengths) -> Array:
        """Draw an array of float64."""
        return _draw(rng, shape, self.std(shape), self.distribution)


@final
@dataclass(frozen=True, repr=False)
class LeCun(Initialiser):
    """Variance 1 / fan-in, which keeps the size of a signal through a linear map.

    LeCun et al. (1998), "Efficient backprop". Suits units that keep the size
    themselves: identity, absolute value, maxout of two, cosine with a random phase.

    Parameters
    ----------
    distribution : {"uniform", "normal"}
    gain : float
        Multiplies the standard deviation; above 0.

    Examples
    --------
    >>> LeCun().std((4, 5))
    0.5
    """

    distribution: Distribution = "normal"
    gain: float = 1.0

    def __post_init__(self) -> None:
        _check(self.distribution, self.gain)

    def std(self, shape: Lengths) -> float:
        """Return gain / sqrt(fan-in)."""
        return self.gain / math.sqrt(fans(shape)[0])

    def init(self, rng: np.random.Generator, shape: Lengths) -> Array:
        """Draw an array of float64."""
        return _draw(rng, shape, self.std(shape), self.distribution)


@final
@dataclass(frozen=True, repr=False)
class Orthogonal(Initialiser):
    """A random matrix with orthonormal rows or columns, whichever are fewer.

    Saxe et al. (2014), "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks". Drawn uniformly (by QR with the signs of R's diagonal).

    Parameters
    ----------
    gain : float
        Multiplies the matrix; above 0.

    Examples
    --------
    >>> import numpy as np
    >>> Q = Orthogonal().init(np.random.default_rng(0), (5, 3))
    >>> bool(np.allclose(Q.T @ Q, np.eye(3)))
    True
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        _check("normal", self.gain)

    def std(self, shape: Lengths) -> float:
        """Return gain / sqrt(max(fan-in, fan-out))."""
        return self.gain / math.sqrt(max(fans(shape)))

    def init(self, rng: np.random.Generator, shape: Lengths) -> Array:
        """Draw an array of float64."""
        rows, columns = fans(shape)
        tall = rng.normal(size=(max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(tall)
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


@final
@dataclass(frozen=True, repr=False)
class Uniform(Initialiser):
    """Uniform between two bounds.

    Parameters
    ----------
    low, high : float

    Examples
    --------
    >>> import numpy as np
    >>> bool((Uniform(-1, 1).init(np.random.default_rng(0), (9,)) < 1).all())
    True
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise DescriptionError(
                f"Uniform from {self.low} to {self.high} is empty: give low < high"
            )

    def std(self, shape: Lengths) -> float:
        """Return (high - low) / sqrt(12)."""
        return (self.high - self.low) / math.sqrt(12)

    def init(self, rng: np.random.Generator, shape: Lengths) -> Array:
        """Draw an array of float64."""
        return rng.uniform(self.low, self.high, shape)


@final
@dataclass(frozen=True, repr=False)
class Normal(Initialiser):
    """Normal with mean 0 and a stated standard deviation.

    Parameters
    ----------
    scale : float
        The standard deviation; above 0.

    Examples
    --------
    >>> Normal(0.1).std((3, 2))
    0.1
    """

    scale: float

    def __post_init__(self) -> None:
        _check("normal", self.scale)

    def std(self, shape: Lengths) -> float:
        """Return the stated standard deviation."""
        return self.scale

    def init(self, rng: np.random.Generator, shape: Lengths) -> Array:
        """Draw an array of float64."""
        return rng.normal(0.0, self.scale, shape)


@final
@dataclass(frozen=True, repr=False)
class Constant(Initialiser):
    """The same number everywhere.

    A small positive bias such as 0.1 makes rectifiers active at first for most inputs
    (book, section 6.3.1).

    Parameters
    ----------
    value : float

    Examples
    --------
    >>> import numpy as np
    >>> Constant(0.1).init(np.random.default_rng(0), (2,))
    array([0.1, 0.1])
    """

    value: float

    def std(self, shape: Lengths) -> float:
        """Return 0."""
        return 0.0

    def init(self, rng: np.random.Generator, shape: Lengths) -> Array:
        """Return an array of float64."""
        return np.full(shape, float(self.value))


@final
@dataclass(frozen=True, repr=False)
class Zeros(Initialiser):
    """Zero everywhere: the usual bias. As weights it leaves all units alike.

    Examples
    --------
    >>> import numpy as np
    >>> Zeros().init(np.random.default_rng(0), (2,))
    array([0., 0.])
    """

    def std(self, shape: Lengths) -> float:
        """Return 0."""
        return 0.0

    def init(self, rng: np.random.Generator, shape: Lengths) -> Array:
        """Return an array of float64."""
        return np.zeros(shape)


@final
@dataclass(frozen=True, repr=False)
class RandomPhase(Initialiser):
    """Uniform in [0, 2 pi): the bias of a cosine unit.

    From small weights and a zero bias every cosine starts at its crest, with value 1
    and slope 0, and nothing is learnt. With a random phase the units differ from the
    start, and a typical slope is not small (Rahimi and Recht 2007).

    Examples
    --------
    >>> import numpy as np
    >>> bool((RandomPhase().init(np.random.default_rng(0), (9,)) >= 0).all())
    True
    """

    def std(self, shape: Lengths) -> float:
        """Return 2 pi / sqrt(12)."""
        return 2 * math.pi / math.sqrt(12)

    def init(self, rng: np.random.Generator, shape: Lengths) -> Array:
        """Draw an array of float64."""
        return rng.uniform(0.0, 2 * math.pi, shape)


register(Glorot, He, LeCun, Orthogonal, Uniform, Normal, Constant, Zeros, RandomPhase)
