"""The scalar language that elementwise ops are compiled to.

A record's ``emit`` says, for one element, what the op computes, in the words of this
class and no others. A back end (a vector unit through LLVM, C, a GPU, NumPy in the
tests) is one subclass; adding one changes no record. A ``Scalar`` is whatever the back
end handles: emit functions pass it on and never look inside.

Comparisons yield booleans; `select` chooses by one. ``fma`` is exact only where a back
end has it, so a record says fma only where either result will do.
"""

from abc import ABC, abstractmethod
from typing import Any

Scalar = Any


class Emitter(ABC):
    """One back end's words for arithmetic on a single element."""

    @abstractmethod
    def const(self, value: float, like: Scalar) -> Scalar:
        """`value` in the type of `like`."""

    @abstractmethod
    def cast(self, x: Scalar, dtype: Any) -> Scalar:
        """`x` in another type; floats to integers are cut towards zero."""

    @abstractmethod
    def add(self, x: Scalar, y: Scalar) -> Scalar:
        """X + y."""

    @abstractmethod
    def sub(self, x: Scalar, y: Scalar) -> Scalar:
        """X - y."""

    @abstractmethod
    def mul(self, x: Scalar, y: Scalar) -> Scalar:
        """X * y."""

    @abstractmethod
    def div(self, x: Scalar, y: Scalar) -> Scalar:
        """X / y; of whole numbers cut towards zero, and 0 where y is 0."""

    @abstractmethod
    def rem(self, x: Scalar, y: Scalar) -> Scalar:
        """What that cut division leaves, with the sign of x: C's fmod; exact."""

    @abstractmethod
    def fma(self, x: Scalar, y: Scalar, z: Scalar) -> Scalar:
        """X * y + z, rounded once where the machine can."""

    @abstractmethod
    def neg(self, x: Scalar) -> Scalar:
        """-x."""

    @abstractmethod
    def abs(self, x: Scalar) -> Scalar:
        """The absolute value."""

    @abstractmethod
    def max(self, x: Scalar, y: Scalar) -> Scalar:
        """The larger; NaN if either is NaN."""

    @abstractmethod
    def min(self, x: Scalar, y: Scalar) -> Scalar:
        """The smaller; NaN if either is NaN."""

    @abstractmethod
    def floor(self, x: Scalar) -> Scalar:
        """The largest whole number not above x."""

    @abstractmethod
    def rint(self, x: Scalar) -> Scalar:
        """The nearest whole number, halves to even."""

    @abstractmethod
    def sqrt(self, x: Scalar) -> Scalar:
        """The square root; NaN below 0."""

    @abstractmethod
    def exp(self, x: Scalar) -> Scalar:
        """E to the x."""

    @abstractmethod
    def expm1(self, x: Scalar) -> Scalar:
        """E to the x, minus 1, exact near 0."""

    @abstractmethod
    def log(self, x: Scalar) -> Scalar:
        """The natural logarithm."""

    @abstractmethod
    def log1p(self, x: Scalar) -> Scalar:
        """The natural logarithm of 1 + x, exact near 0."""

    @abstractmethod
    def sin(self, x: Scalar) -> Scalar:
        """The sine."""

    @abstractmethod
    def cos(self, x: Scalar) -> Scalar:
        """The cosine."""

    @abstractmethod
    def tanh(self, x: Scalar) -> Scalar:
        """The hyperbolic tangent."""

    @abstractmethod
    def erf(self, x: Scalar) -> Scalar:
        """The error function."""

    @abstractmethod
    def power(self, x: Scalar, y: Scalar) -> Scalar:
        """X to the y."""

    @abstractmethod
    def lgamma(self, x: Scalar) -> Scalar:
        """The logarithm of the absolute gamma function."""

    @abstractmethod
    def polygamma(self, n: int, x: Scalar) -> Scalar:
        """The n-th derivative of digamma at x."""

    @abstractmethod
    def less(self, x: Scalar, y: Scalar) -> Scalar:
        """X < y."""

    @abstractmethod
    def less_equal(self, x: Scalar, y: Scalar) -> Scalar:
        """X <= y."""

    @abstractmethod
    def equal(self, x: Scalar, y: Scalar) -> Scalar:
        """X == y."""

    @abstractmethod
    def logical_and(self, x: Scalar, y: Scalar) -> Scalar:
        """Both."""

    @abstractmethod
    def logical_or(self, x: Scalar, y: Scalar) -> Scalar:
        """Either."""

    @abstractmethod
    def logical_not(self, x: Scalar) -> Scalar:
        """Not."""

    @abstractmethod
    def select(self, condition: Scalar, x: Scalar, y: Scalar) -> Scalar:
        """`x` where the condition holds, else `y`."""
