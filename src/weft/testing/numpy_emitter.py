"""NumPy as a back end: what a record emits, run on whole arrays.

The simplest subclass of `Emitter` there can be. With it, a record's scalar code is held
against its ``forward`` without any compiler, so that a difference met later is the
compiler's.
"""

from typing import Any, final

import numpy as np

from weft.ops.emitter import Emitter
from weft.ops.sample import Array


@final
class NumpyEmitter(Emitter):
    """Runs emitted code on NumPy arrays; a `Scalar` is an array here.

    Examples
    --------
    >>> from weft.ops import OPS
    >>> OPS["relu"].emit(NumpyEmitter(), np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def const(self, value: float, like: Array) -> Array:
        """`value` in the type of `like`."""
        return np.asarray(value, like.dtype)

    def cast(self, x: Array, dtype: Any) -> Array:
        """`x` in another type."""
        return np.asarray(x).astype(dtype)

    def add(self, x: Array, y: Array) -> Array:
        """X + y."""
        return np.add(x, y)

    def sub(self, x: Array, y: Array) -> Array:
        """X - y."""
        return np.subtract(x, y)

    def mul(self, x: Array, y: Array) -> Array:
        """X * y."""
        return np.multiply(x, y)

    def div(self, x: Array, y: Array) -> Array:
        """X / y; of whole numbers cut towards zero, and 0 where y is 0."""
        if np.result_type(x, y).kind == "f":
            return np.divide(x, y)
        cut = np.floor_divide(np.subtract(x, np.fmod(x, y)), y)
        return np.asarray(cut, np.result_type(x, y))

    def rem(self, x: Array, y: Array) -> Array:
        """What that cut division leaves, with the sign of x."""
        return np.asarray(np.fmod(x, y))

    def fma(self, x: Array, y: Array, z: Array) -> Array:
        """X * y + z, rounded twice: NumPy has no other."""
        return np.add(np.multiply(x, y), z)

    def neg(self, x: Array) -> Array:
        """-x."""
        return np.negative(x)

    def abs(self, x: Array) -> Array:
        """The absolute value."""
        return np.absolute(x)

    def max(self, x: Array, y: Array) -> Array:
        """The larger; NaN if either is NaN."""
        return np.maximum(x, y)

    def min(self, x: Array, y: Array) -> Array:
        """The smaller; NaN if either is NaN."""
        return np.minimum(x, y)

    def floor(self, x: Array) -> Array:
        """The largest whole number not above x."""
        return np.floor(x)

    def rint(self, x: Array) -> Array:
        """The nearest whole number, halves to even."""
        return np.rint(x)

    def sqrt(self, x: Array) -> Array:
        """The square root."""
        return np.sqrt(x)

    def exp(self, x: Array) -> Array:
        """E to the x."""
        return np.exp(x)

    def expm1(self, x: Array) -> Array:
        """E to the x, minus 1."""
        return np.expm1(x)

    def log(self, x: Array) -> Array:
        """The natural logarithm."""
        return np.log(x)

    def log1p(self, x: Array) -> Array:
        """The natural logarithm of 1 + x."""
        return np.log1p(x)

    def sin(self, x: Array) -> Array:
        """The sine."""
        return np.sin(x)

    def cos(self, x: Array) -> Array:
        """The cosine."""
        return np.cos(x)

    def tanh(self, x: Array) -> Array:
        """The hyperbolic tangent."""
        return np.tanh(x)

    def erf(self, x: Array) -> Array:
        """The error function."""
        from scipy.special import erf  # SciPy is slow to import

        return np.asarray(erf(x))

    def power(self, x: Array, y: Array) -> Array:
        """X to the y."""
        return np.power(x, y)

    def lgamma(self, x: Array) -> Array:
        """The logarithm of the absolute gamma function."""
        from scipy.special import gammaln

        return np.asarray(gammaln(x))

    def polygamma(self, n: int, x: Array) -> Array:
        """The n-th derivative of digamma."""
        from scipy.special import polygamma

        return np.asarray(polygamma(n, x), dtype=x.dtype)

    def less(self, x: Array, y: Array) -> Array:
        """X < y."""
        return np.less(x, y)

    def less_equal(self, x: Array, y: Array) -> Array:
        """X <= y."""
        return np.less_equal(x, y)

    def equal(self, x: Array, y: Array) -> Array:
        """X == y."""
        return np.equal(x, y)

    def logical_and(self, x: Array, y: Array) -> Array:
        """Both."""
        return np.logical_and(x, y)

    def logical_or(self, x: Array, y: Array) -> Array:
        """Either."""
        return np.logical_or(x, y)

    def logical_not(self, x: Array) -> Array:
        """Not."""
        return np.logical_not(x)

    def select(self, condition: Array, x: Array, y: Array) -> Array:
        """`x` where the condition holds, else `y`."""
        return np.where(condition, x, y)
