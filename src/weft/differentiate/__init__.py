"""Differentiation: two approaches on one graph.

Symbol to symbol (`grad`, `vjp`, `jvp`, `vmap`, `jacobian`, `hessian`, `hvp`): graph
in, graph out, to any order. Symbol to number (`backprop`, `path_sum`): the book's
algorithms as written. Both read the same rules from the records of the ops.
"""

from weft.differentiate.batched import vmap
from weft.differentiate.forward import jvp
from weft.differentiate.jacobian import (
    JacobianPlan,
    hessian,
    jacobian,
    plan_jacobian,
)
from weft.differentiate.numeric import backprop, path_sum
from weft.differentiate.reverse import grad, vjp
from weft.differentiate.second import hvp
from weft.differentiate.sides import Kink, KinkError, kinks

__all__ = [
    "JacobianPlan",
    "Kink",
    "KinkError",
    "backprop",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "kinks",
    "path_sum",
    "plan_jacobian",
    "vjp",
    "vmap",
]
