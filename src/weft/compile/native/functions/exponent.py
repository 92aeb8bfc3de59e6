"""Powers of two: the nearest whole number, x 2^n, and a number's own exponent.

Adding 3/2 2^p to a float of p + 1 bits rounds it to a whole number and leaves that
number in the lowest bits, from where shifts bring it into an exponent. That costs two
instructions on every machine, and none of them converts.
"""

from dataclasses import dataclass
from typing import final

from weft.compile.native.functions import machine
from weft.compile.native.ir import Value
from weft.compile.native.lanes import Lanes


@final
@dataclass(frozen=True)
class Format:
    """A binary float: its bits, those of its fraction, the offset of its exponent.

    Parameters
    ----------
    width, fraction, bias : int
    """

    width: int
    fraction: int
    bias: int

    @property
    def one(self) -> int:
        """The bits of 1."""
        return self.bias << self.fraction

    @property
    def rounder(self) -> float:
        """What, added and taken away again, rounds to a whole number."""
        return 1.5 * 2.0**self.fraction

    @property
    def least(self) -> float:
        """The least number of full precision."""
        return 2.0 ** (1 - self.bias)


FORMATS = {"float": Format(32, 23, 127), "double": Format(64, 52, 1023)}


@final
@dataclass(frozen=True)
class Whole:
    """A whole number, as a float and with its two's complement in the lowest bits.

    Parameters
    ----------
    value, holder : Value
    """

    value: Value
    holder: Value


def nearest(e: Lanes, x: Value, factor: float = 1) -> Whole:
    """Return the whole number nearest to `factor` x, below 2^22 in size."""
    rounder = e.const(FORMATS[x.element].rounder, x)
    if factor == 1:
        holder = e.add(x, rounder)
    else:
        holder = e.fma(x, e.const(factor, x), rounder)
    return Whole(e.sub(holder, rounder), holder)


def power_of_two(e: Lanes, n: Whole) -> Value:
    """Return 2^n, where that is a float of full precision."""
    kind = FORMATS[n.value.element]
    shifted = e.integer("shl", e.bits(n.holder), kind.fraction)
    return e.from_bits(e.integer("add", shifted, kind.one))


def scale(e: Lanes, x: Value, n: Whole) -> Value:
    """Return x 2^n, rounded once, for n that leave n / 2 an exponent."""
    if machine.has(e):
        return machine.scalef(e, x, n.value)
    # In two steps, for 2^n may be out of range where x 2^n is not.
    kind = FORMATS[x.element]
    bits = e.bits(n.holder)
    half = e.integer(
        "and", e.integer("shl", bits, kind.fraction - 1), -1 << kind.fraction
    )
    rest = e.integer("sub", e.integer("shl", bits, kind.fraction), half)
    for part in (half, rest):
        x = e.mul(x, e.from_bits(e.integer("add", part, kind.one)))
    return x


def split(e: Lanes, x: Value) -> tuple[Value, Value]:
    """Return m in [3/4, 3/2) and k, a float, of x = m 2^k; x positive and finite."""
    if machine.has(e):
        m = machine.getmant(e, x)
        return m, e.sub(machine.getexp(e, x), machine.getexp(e, m))
    kind = FORMATS[x.element]
    # A denormal is first made a number of full precision.
    up = kind.fraction + 1
    small = e.less(x, e.const(kind.least, x))
    x = e.select(small, e.mul(x, e.const(2.0**up, x)), x)
    three_quarters = kind.one - (1 << (kind.fraction - 1))
    shifted = e.integer("add", e.bits(x), kind.one - three_quarters)
    fraction = e.integer("and", shifted, (1 << kind.fraction) - 1)
    m = e.from_bits(e.integer("add", fraction, three_quarters))
    # An integer in the fraction of 2^p is that integer, plus 2^p.
    base = 2.0**kind.fraction
    biased = e.integer("lshr", shifted, kind.fraction)
    exponent = e.integer("or", biased, (kind.bias + kind.fraction) << kind.fraction)
    offset = e.select(
        small, e.const(base + kind.bias + up, x), e.const(base + kind.bias, x)
    )
    return m, e.sub(e.from_bits(exponent), offset)
