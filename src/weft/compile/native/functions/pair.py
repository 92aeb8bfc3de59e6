"""Numbers of twice the precision, as sums of two; what one operation rounds off."""

from weft.compile.native.ir import Value
from weft.compile.native.lanes import Lanes

# Cuts a double in two halves of 26 bits.
_CUT = 2.0**27 + 1


def add(e: Lanes, x: Value, y: Value) -> tuple[Value, Value]:
    """Return x + y and what it rounds off, for an x that is larger in size, or 0."""
    total = e.add(x, y)
    return total, e.add(e.sub(x, total), y)


def mul(e: Lanes, x: Value, y: Value) -> tuple[Value, Value]:
    """Return x * y, of doubles, and what it rounds off."""
    product = e.mul(x, y)
    if e.target.fma:
        return product, e.fma(x, y, e.neg(product))
    x_high, x_low = _halves(e, x)
    y_high, y_low = _halves(e, y)
    # The products of halves are exact.
    rest = e.sub(e.mul(x_high, y_high), product)
    rest = e.add(e.add(rest, e.mul(x_high, y_low)), e.mul(x_low, y_high))
    return product, e.add(rest, e.mul(x_low, y_low))


def _halves(e: Lanes, x: Value) -> tuple[Value, Value]:
    large = e.mul(x, e.const(_CUT, x))
    high = e.sub(large, e.sub(large, x))
    return high, e.sub(x, high)
