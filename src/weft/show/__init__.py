"""Seeing: graphs as pictures, derivations step by step, values on their way.

Text and LaTeX come from the floors below (`weft.text`, `weft.latex`). Here a graph is
drawn with its derivative beside it (`draw`), a derivative is derived by the chain rule,
factor by factor (`derive`), and back-propagation is stepped through with numbers
(`trace`).
"""

from weft.show.derivation import Derivation, derive
from weft.show.drawing import draw
from weft.show.picture import Picture
from weft.show.trace import Trace, trace

__all__ = ["Derivation", "Picture", "Trace", "derive", "draw", "trace"]
