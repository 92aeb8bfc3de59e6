"""weft: deep feedforward networks as graphs.

A network is a graph; a gradient is more graph; training is a graph that updates itself;
the compiler turns it into a program. Everything here starts from `weft.input`,
`weft.parameter` and functions with NumPy's names; networks live in `weft.nn`, training
in `weft.train`, and whoever has a table begins with `weft.TabularClassifier`,
`weft.TabularRegressor` or the command ``weft fit``.
"""

from weft.graph import *  # noqa: F403
from weft.ops import *  # noqa: F403
