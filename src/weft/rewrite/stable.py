"""The phase *stable*: the same numbers, computed so that none is lost on the way.

What is written as in a book may overflow, underflow or cancel long before its value
does. The rules here are identities of real numbers; a graph may become dearer by them.
They stand in three modules, by what goes wrong: logarithms of what has underflowed,
exponentials that overflow before they are divided, squares and differences of squares.

The phase ends: logarithms move towards the leaves, exponentials become fewer, and what
is left matches no rule once more.
"""

from weft.rewrite.rule import Rule
from weft.rewrite.stable_exponentials import EXPONENTIALS
from weft.rewrite.stable_logarithms import LOGARITHMS
from weft.rewrite.stable_moments import MOMENTS

STABLE: tuple[Rule, ...] = (*EXPONENTIALS, *LOGARITHMS, *MOMENTS)
