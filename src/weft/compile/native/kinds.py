"""What becomes of each op: a part of any kernel, a reduction, a step of its own."""

from weft.compile.native.view import VIEWS
from weft.graph.leaf import Leaf
from weft.graph.node import Node
from weft.ops.record import Op

FOLDS = frozenset({"sum", "max", "min", "prod", "argmax"})
SCANS = frozenset({"cumsum"})
# Elements are chosen by positions that are checked.
POSITIONED = frozenset({"one_hot", "take", "take_along_axis"})
# Known from the position alone, so that no kernel need be told.
IMMEDIATE = frozenset({"arange", "size"})
# Not elementwise by their record, but known element by element.
_POINTWISE = POSITIONED | IMMEDIATE
# Written into memory piece by piece, or by kernels of their own.
_STEPS = frozenset(
    {
        "embed",
        "concatenate",
        "scatter_add",
        "put_along_axis",
        "matmul",
        "random_uniform",
    }
)


def is_fused(node: Node) -> bool:
    """Tell whether a node can be computed element by element within any kernel."""
    return node.op.name in _POINTWISE or (
        isinstance(node.op, Op) and node.op.emit is not None
    )


def is_native(node: Node) -> bool:
    """Tell whether a node needs no help from NumPy."""
    name = node.op.name
    known = VIEWS | FOLDS | SCANS | _STEPS
    return isinstance(node.op, Leaf) or name in known or is_fused(node)
