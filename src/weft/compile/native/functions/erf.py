"""The error function, as 1 - exp(-q) with q = -log(1 - erf(x)).

For x of 0 and above q is smooth and nearly x + x h(x) with a small h, a polynomial; and
expm1 loses nothing where erf is small.
"""

from weft.compile.native.functions.exp import half_expm1
from weft.compile.native.functions.polynomial import horner
from weft.compile.native.ir import Value
from weft.compile.native.lanes import Lanes

# -log(1 - erf(x)) / x - 1 for x up to where erf is 1.
_COEFFICIENTS = {
    # To 8.3e-9 of erf(x).
    "float": (
        0.12837917,
        0.6366194,
        0.10277783,
        -0.019153064,
        -0.00016039457,
        0.0016670256,
        -0.0006328356,
        0.00011764086,
        -9.256212e-06,
    ),
    # To 2.9e-17 of erf(x).
    "double": (
        0.12837916709551256,
        0.6366197723675909,
        0.10277260330131535,
        -0.01912844699309253,
        -0.00020919485395019534,
        0.0016962076700716739,
        -0.0005901324311489474,
        2.59045030582565e-05,
        6.442046423932249e-05,
        -2.95756538175287e-05,
        3.1696524996621757e-06,
        3.1329840011038223e-06,
        -2.0372084423437045e-06,
        5.706470951457107e-07,
        -1.1716695686613952e-08,
        -6.572967184168162e-08,
        3.458346131389466e-08,
        -1.0772960851692792e-08,
        2.3604302221543034e-09,
        -3.760572328918304e-10,
        4.301618201253068e-11,
        -3.3642104563219808e-12,
        1.614799707149931e-13,
        -3.592026107451238e-15,
    ),
}
_ONE = {"float": 3.95, "double": 5.95}
_TINY = 2.0**-60


def erf(e: Lanes, x: Value) -> Value:
    """Return the error function, within 2 units in the last place."""
    size = e.min(e.const(_ONE[x.element], x), e.abs(x))
    q = e.fma(size, horner(e, size, _COEFFICIENTS[x.element]), size)
    value = e.mul(half_expm1(e, e.neg(q)), e.const(-2, x))
    # Keeps the denormals.
    value = e.select(e.less(size, e.const(_TINY, x)), q, value)
    return e.copysign(value, sign=x)
