"""Tools to test with: gradient checks, and NumPy as a back end for emitted code.

`check_grads` holds both modes of differentiation, of every order asked for, against
finite differences. `NumpyEmitter` runs a record's ``emit`` on arrays. Strategies for
Hypothesis live in `weft.testing.strategies`, which alone needs Hypothesis.

`check_simplify` holds every step of rewriting against what it replaced; `certify` says
how far from the truth a formula is before and after, the truth being that of
`high_precision`.
"""

from weft.testing.certificate import Certificate, Errors, certify
from weft.testing.gradients import GradientError, check_grads
from weft.testing.high_precision import high_precision
from weft.testing.numpy_emitter import NumpyEmitter
from weft.testing.precision import in_float64
from weft.testing.rewriting import RewriteError, check_simplify

__all__ = [
    "Certificate",
    "Errors",
    "GradientError",
    "NumpyEmitter",
    "RewriteError",
    "certify",
    "check_grads",
    "check_simplify",
    "high_precision",
    "in_float64",
]
