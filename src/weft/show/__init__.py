"""Seeing: graphs as pictures, derivations step by step, values on their way.

Text and LaTeX come from the floors below (`weft.text`, `weft.latex`). Here a graph is
drawn with its derivative beside it (`draw`).
"""

from weft.show.draw import draw
from weft.show.picture import Picture

__all__ = ["Picture", "draw"]
