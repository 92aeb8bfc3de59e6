"""Tools to test with: gradients, ops and rewriting held against what they promise.

`check_grads` holds both modes of differentiation, of every order asked for, against
finite differences; `check_record` holds an op against all that its record promises, and
`define` makes an op of one's own that has passed. `algorithm_6_3` and `algorithm_6_4`
are the book's, in NumPy alone. `NumpyEmitter` runs a record's ``emit`` on arrays.
`check_simplify` holds every step of rewriting against what it replaced; `certify` says
how far from the truth a formula is before and after, the truth being that of
`high_precision`. Strategies for Hypothesis live in `weft.testing.strategies`, which
alone needs Hypothesis.
"""

from weft.testing.certificate import Certificate, Errors, certify
from weft.testing.define import define
from weft.testing.gradients import GradientError, check_grads
from weft.testing.high_precision import high_precision
from weft.testing.numpy_emitter import NumpyEmitter
from weft.testing.precision import in_float64
from weft.testing.records import check_record
from weft.testing.rewriting import RewriteError, check_simplify
from weft.testing.textbook import algorithm_6_3, algorithm_6_4

__all__ = [
    "Certificate",
    "Errors",
    "GradientError",
    "NumpyEmitter",
    "RewriteError",
    "algorithm_6_3",
    "algorithm_6_4",
    "certify",
    "check_grads",
    "check_record",
    "check_simplify",
    "define",
    "high_precision",
    "in_float64",
]
