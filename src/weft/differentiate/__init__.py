"""Differentiation: two approaches on one graph.

Symbol to symbol (`grad`, `vjp`, `jvp`, `vmap`, `jacobian`, `hessian`, `hvp`): graph
in, graph out, to any order. Symbol to number (`backprop`, `path_sum`): the book's
algorithms as written. Both read the same rules from the records of the ops.
"""

from weft.differentiate.batched import hessian, jacobian, vmap
from weft.differentiate.forward import jvp
from weft.differentiate.numeric import backprop, path_sum
from weft.differentiate.reverse import grad, vjp
from weft.differentiate.second import hvp

__all__ = [
    "backprop",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "path_sum",
    "vjp",
    "vmap",
]
