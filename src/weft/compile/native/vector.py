"""The vector unit as a back end: what a record emits becomes LLVM's instructions."""

from typing import final

from weft.compile.native.functions.erf import erf
from weft.compile.native.functions.exp import exp, expm1
from weft.compile.native.functions.gamma import lgamma, polygamma
from weft.compile.native.functions.log import log, log1p
from weft.compile.native.functions.power import power
from weft.compile.native.functions.tanh import tanh
from weft.compile.native.functions.trig import cos, sin
from weft.compile.native.ir import Value
from weft.compile.native.lanes import Lanes


@final
class VectorEmitter(Lanes):
    """Writes emitted code into a function; a `Scalar` is an `ir.Value` of any lanes.

    Parameters
    ----------
    function : Function
        Where the instructions are written.

    Examples
    --------
    >>> from weft.compile.native.ir import Function, literal
    >>> from weft.compile.native.target import target
    >>> from weft.ops import OPS
    >>> f = Function("relu", [("float", "x")], target(), "float")
    >>> print(f.finish(OPS["relu"].emit(VectorEmitter(f), f.params[0])))
    define float @"relu"(float %x) #0 {
    ...
    """

    def exp(self, x: Value) -> Value:
        """E to the x."""
        return exp(self, x)

    def expm1(self, x: Value) -> Value:
        """E to the x, minus 1, exact near 0."""
        return expm1(self, x)

    def log(self, x: Value) -> Value:
        """The natural logarithm."""
        return log(self, x)

    def log1p(self, x: Value) -> Value:
        """The natural logarithm of 1 + x, exact near 0."""
        return log1p(self, x)

    def tanh(self, x: Value) -> Value:
        """The hyperbolic tangent."""
        return tanh(self, x)

    def sin(self, x: Value) -> Value:
        """The sine."""
        return sin(self, x)

    def cos(self, x: Value) -> Value:
        """The cosine."""
        return cos(self, x)

    def erf(self, x: Value) -> Value:
        """The error function."""
        return erf(self, x)

    def power(self, x: Value, y: Value) -> Value:
        """X to the y."""
        return power(self, x, y)

    def lgamma(self, x: Value) -> Value:
        """The logarithm of the absolute gamma function."""
        return lgamma(self, x)

    def polygamma(self, n: int, x: Value) -> Value:
        """The n-th derivative of digamma at x."""
        return polygamma(self, n, x)
