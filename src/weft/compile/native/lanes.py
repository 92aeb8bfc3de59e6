"""Arithmetic on vectors of 1, 2, 4, ... lanes: what a machine computes exactly.

A scalar of the emitter's language is an `ir.Value`: one number (one lane) or as many as
a loop takes at a time. Here are the words that IEEE 754 and the machine settle, every
result as NumPy gives it; and, beside those words, the few that look at a number's bits,
from which `weft.compile.native.functions` builds the others.
"""

from typing import Any

import numpy as np

from weft.compile.native.ir import (
    Function,
    Value,
    element_of,
    lanes_of,
    literal,
    register_type,
    vector,
)
from weft.ops.emitter import Emitter

FLOATS = ("float", "double")
_INTEGER = {"float": "i32", "double": "i64"}
_FLOAT = {"i32": "float", "i64": "double"}
_MANGLED = {"float": "f32", "double": "f64"}
# From here on every float is whole.
_WHOLE = {"float": 2.0**23, "double": 2.0**52}


class Lanes(Emitter):
    """The part of a vector emitter that needs no approximation.

    Parameters
    ----------
    function : Function
        Where the instructions are written.
    """

    def __init__(self, function: Function) -> None:
        self.function = function
        self.target = function.target

    # Arithmetic ---------------------------------------------------------------------

    def const(self, value: float, like: Value) -> Value:
        """`value` in the type of `like`."""
        return literal(value, like.type)

    def add(self, x: Value, y: Value) -> Value:
        """X + y."""
        return self._arithmetic("add", x, y)

    def sub(self, x: Value, y: Value) -> Value:
        """X - y."""
        return self._arithmetic("sub", x, y)

    def mul(self, x: Value, y: Value) -> Value:
        """X * y."""
        return self._arithmetic("mul", x, y)

    def div(self, x: Value, y: Value) -> Value:
        """X / y; of whole numbers cut towards zero, and 0 where y is 0."""
        if x.element in FLOATS:
            return self._arithmetic("div", x, y)
        zero = self.equal(y, self.const(0, y))
        minus = self.equal(y, self.const(-1, y))
        cut = self.function.binary("sdiv", x, self._safe(y))
        return self.select(zero, self.const(0, x), self.select(minus, self.neg(x), cut))

    def rem(self, x: Value, y: Value) -> Value:
        """What that cut division leaves, with the sign of x."""
        if x.element in FLOATS:
            return self._arithmetic("rem", x, y)
        # By 1 nothing is left, as by 0 and -1.
        return self.function.binary("srem", x, self._safe(y))

    def _safe(self, y: Value) -> Value:
        """`y`, and 1 for the divisors at which the machine stops: 0 and -1."""
        one = self.const(1, y)
        stops = self.logical_or(
            self.equal(y, self.const(0, y)), self.equal(y, self.const(-1, y))
        )
        return self.select(stops, one, y)

    def _arithmetic(self, opcode: str, x: Value, y: Value) -> Value:
        prefix = "f" if x.element in FLOATS else ""
        return self.function.binary(prefix + opcode, x, y)

    def fma(self, x: Value, y: Value, z: Value) -> Value:
        """X * y + z, rounded once where the machine can, else twice."""
        if self.target.fma:
            return self.intrinsic("fma", x, y, z)
        return self.add(self.mul(x, y), z)

    def neg(self, x: Value) -> Value:
        """-x."""
        if x.element in FLOATS:
            return self.function.op(f"fneg {x.text}", x.type)
        return self.sub(self.const(0, x), x)

    def abs(self, x: Value) -> Value:
        """The absolute value."""
        if x.element in FLOATS:
            return self.intrinsic("fabs", x)
        return self.max(x, self.neg(x))

    def max(self, x: Value, y: Value) -> Value:
        """The larger; NaN if either is NaN."""
        return self._extreme("gt", x, y)

    def min(self, x: Value, y: Value) -> Value:
        """The smaller; NaN if either is NaN."""
        return self._extreme("lt", x, y)

    def _extreme(self, how: str, x: Value, y: Value) -> Value:
        f = self.function
        if x.element not in FLOATS:
            return f.select(f.compare(f"s{how}", x, y), x, y)
        # One machine instruction each, which gives `y` where either is NaN: all that is
        # needed if `x` is a number.
        if is_number(y):
            x, y = y, x
        extreme = f.select(self.compare(f"o{how}", x, y), x, y)
        if is_number(x):
            return extreme
        return f.select(self.compare("uno", x, x), x, extreme)

    def sqrt(self, x: Value) -> Value:
        """The square root; NaN below 0."""
        return self.intrinsic("sqrt", x)

    def rint(self, x: Value) -> Value:
        """The nearest whole number, halves to even."""
        if x.element not in FLOATS:
            return x
        if self.target.name != "sse2":
            return self.intrinsic("rint", x)
        size, whole = self.abs(x), self.const(_WHOLE[x.element], x)
        rounded = self.sub(self.add(size, whole), whole)
        return self.copysign(self.select(self.less(size, whole), rounded, size), sign=x)

    def floor(self, x: Value) -> Value:
        """The largest whole number not above x."""
        if x.element not in FLOATS:
            return x
        if self.target.name != "sse2":
            return self.intrinsic("floor", x)
        near = self.rint(x)
        return self.select(self.less(x, near), self.sub(near, self.const(1, x)), near)

    # Comparison and choice ----------------------------------------------------------

    def compare(self, how: str, x: Value, y: Value) -> Value:
        """Compare floats: ``"olt"``, ``"uno"``, ..., as LLVM calls it."""
        kind = vector("i1", x.lanes)
        return self.function.op(f"fcmp {how} {x.type} {x.name}, {y.name}", kind)

    def _compare(self, how: str, x: Value, y: Value) -> Value:
        if x.element in FLOATS:
            return self.compare(f"o{how}", x, y)
        # A boolean is one bit, which as a signed number would be -1.
        sign = {"eq": "", "lt": "s", "le": "s"}[how]
        if x.element == "i1" and sign:
            sign = "u"
        return self.function.compare(sign + how, x, y)

    def less(self, x: Value, y: Value) -> Value:
        """X < y."""
        return self._compare("lt", x, y)

    def less_equal(self, x: Value, y: Value) -> Value:
        """X <= y."""
        return self._compare("le", x, y)

    def equal(self, x: Value, y: Value) -> Value:
        """X == y."""
        return self._compare("eq", x, y)

    def logical_and(self, x: Value, y: Value) -> Value:
        """Both."""
        return self.function.binary("and", x, y)

    def logical_or(self, x: Value, y: Value) -> Value:
        """Either."""
        return self.function.binary("or", x, y)

    def logical_not(self, x: Value) -> Value:
        """Not."""
        return self.function.binary("xor", x, self.const(1, x))

    def select(self, condition: Value, x: Value, y: Value) -> Value:
        """`x` where the condition holds, else `y`."""
        return self.function.select(condition, x, y)

    # Types --------------------------------------------------------------------------

    def cast(self, x: Value, dtype: Any) -> Value:
        """`x` in another type; floats to integers are cut towards zero."""
        return self.convert(x, register_type(dtype))

    def convert(self, x: Value, element: str) -> Value:
        """`x` with lanes of another type, named as LLVM does."""
        old, kind = x.element, vector(element, x.lanes)
        if old == element:
            return x
        if element == "i1":
            zero = self.const(0, x)
            if old in FLOATS:
                return self.compare("une", x, zero)
            return self.function.compare("ne", x, zero)
        if old in FLOATS and element not in FLOATS:
            return self._cut(x, element)
        return self.function.op(f"{_conversion(old, element)} {x.text} to {kind}", kind)

    def _cut(self, x: Value, element: str) -> Value:
        # Out of range LLVM's word means nothing; x86, and so NumPy, gives the least
        # integer, which is exactly a float.
        least = float(np.iinfo(np.int32 if element == "i32" else np.int64).min)
        inside = self.logical_and(
            self.less_equal(self.const(least, x), x),
            self.less(x, self.const(-least, x)),
        )
        safe = self.select(inside, x, self.const(least, x))
        kind = vector(element, x.lanes)
        return self.function.op(f"fptosi {safe.text} to {kind}", kind)

    # Bits ---------------------------------------------------------------------------

    def bits(self, x: Value) -> Value:
        """The bits of floats, as integers."""
        return self._bitcast(x, _INTEGER[x.element])

    def from_bits(self, x: Value) -> Value:
        """The floats that have these bits."""
        return self._bitcast(x, _FLOAT[x.element])

    def _bitcast(self, x: Value, element: str) -> Value:
        kind = vector(element, x.lanes)
        return self.function.op(f"bitcast {x.text} to {kind}", kind)

    def integer(self, opcode: str, x: Value, y: Value | int) -> Value:
        """``"and"``, ``"xor"``, ``"shl"``, ``"lshr"``, ``"add"``, ... of integers."""
        if isinstance(y, int):
            y = literal(y, x.type)
        return self.function.binary(opcode, x, y)

    def copysign(self, x: Value, sign: Value) -> Value:
        """`x` with the sign of `sign`."""
        return self.intrinsic("copysign", x, sign)

    def intrinsic(self, name: str, *args: Value) -> Value:
        """One of LLVM's own functions of floats of one type."""
        return self.function.call(
            f"llvm.{name}.{mangled(args[0].type)}", args[0].type, *args
        )


def mangled(type: str) -> str:
    """Return how LLVM writes a type in the name of an intrinsic.

    Examples
    --------
    >>> mangled("<16 x float>"), mangled("double")
    ('v16f32', 'f64')
    """
    element, lanes = element_of(type), lanes_of(type)
    short = _MANGLED.get(element, element)
    return short if lanes == 1 else f"v{lanes}{short}"


def is_literal(x: Value) -> bool:
    """Return whether `x` is written as a literal, the same in every lane."""
    return x.name[0] != "%"


def is_number(x: Value) -> bool:
    """Return whether `x` is a literal float that is not NaN."""
    return is_literal(x) and not np.isnan(literal_value(x))


def literal_value(x: Value) -> float:
    """Return the number that a literal float is.

    Examples
    --------
    >>> literal_value(literal(0.5, "<4 x float>"))
    0.5
    """
    digits = x.name.rpartition("0x")[2].rstrip(")")
    return float(np.uint64(int(digits, 16)).view(np.float64))


def _conversion(old: str, new: str) -> str:
    if old in FLOATS:
        return "fpext" if new == "double" else "fptrunc"
    if new in FLOATS:
        return "uitofp" if old == "i1" else "sitofp"
    if old == "i1":
        return "zext"
    return "sext" if new == "i64" else "trunc"
