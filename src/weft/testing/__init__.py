"""Tools to test with: gradient checks, and NumPy as a back end for emitted code.

`check_grads` holds both modes of differentiation, of every order asked for, against
finite differences; `check_record` holds an op against all that its record promises, and
`define` makes an op of one's own that has passed. `algorithm_6_3` and `algorithm_6_4`
are the book's, in NumPy alone. `NumpyEmitter` runs a record's ``emit`` on arrays.
Strategies for Hypothesis live in `weft.testing.strategies`, which alone needs
Hypothesis.
"""

from weft.testing.define import define
from weft.testing.gradients import GradientError, check_grads
from weft.testing.numpy_emitter import NumpyEmitter
from weft.testing.precision import in_float64
from weft.testing.records import check_record
from weft.testing.textbook import algorithm_6_3, algorithm_6_4

__all__ = [
    "GradientError",
    "NumpyEmitter",
    "algorithm_6_3",
    "algorithm_6_4",
    "check_grads",
    "check_record",
    "define",
    "in_float64",
]
