"""A graph in the words that kernels know.

Softmax and its kin become the reductions and elementwise ops that they are made of, so
that they are fused with what stands around them; a choice of one element per row
becomes a masked sum where the row is being computed anyway. What has to lie in memory
in one piece, and would not, is copied: the copy is a node like any other.

The expansion is for this back end only. It happens behind rewriting and
differentiation, which never meet it.
"""

from collections.abc import Callable, Iterable, Sequence

from weft.compile.native.kinds import is_native
from weft.compile.native.view import (
    VIEWS,
    View,
    nonunit,
    peeled,
    row_major,
    strided,
)
from weft.graph.dim import same_size
from weft.graph.leaf import INPUT, Leaf, constant
from weft.graph.node import Node, intern
from weft.graph.origin import derived_from
from weft.graph.walk import topological
from weft.ops.arithmetic import cast
from weft.ops.index import arange, one_hot
from weft.ops.logic import where
from weft.ops.record import OPS, Op
from weft.ops.special import exp, log, log1p
from weft.ops.structure import broadcast_to, expand_dims, reshape


def expand(
    outputs: Sequence[Node], targets: Iterable[Node] = ()
) -> tuple[list[Node], dict[Node, Node]]:
    """Rebuild a graph in the words that kernels know.

    Parameters
    ----------
    outputs : sequence of Node
    targets : iterable of Node
        State leaves that an output may not be: they are written to.

    Returns
    -------
    outputs : list of Node
        Each of them a node of its own, in one piece.
    causes : dict of Node to Node
        The node given, for those that stand for one.
    """
    new: dict[Node, Node] = {}
    causes: dict[Node, Node] = {}
    for node in topological(outputs):
        if isinstance(node.op, Leaf):
            new[node] = node
            continue
        inputs = tuple(new[i] for i in node.inputs)
        with derived_from(node, node.op.name):
            found = node
            if inputs != node.inputs:
                found = intern(node.op, inputs, dict(node.params))
            found = _expanded(found)
        new[node] = found
        causes.setdefault(found, node)
    return [_in_one_piece(new[output], output) for output in outputs], causes


def copy(node: Node) -> Node:
    """Return a node with the values of another, that have to be computed."""
    return intern(OPS["stop_gradient"], (node,), {})


def _in_one_piece(node: Node, given: Node) -> Node:
    if isinstance(node.op, Leaf):
        return copy(node)
    if node.op.name in VIEWS:
        view = strided(node)
        if view is None or isinstance(view.base.op, Leaf) or not _plain(node, view):
            with derived_from(given, given.op.name):
                return copy(node)
    return node


def _plain(node: Node, view: View) -> bool:
    """Tell whether a view is the whole of its base, in order."""
    whole = same_size(node.shape, view.base.shape) and view.offset == 0
    return whole and all(
        size == 1 or stride == wanted
        for size, stride, wanted in zip(
            node.shape, view.strides, row_major(node.shape), strict=True
        )
    )


def _expanded(node: Node) -> Node:
    rule = _RULES.get(node.op.name)
    if isinstance(node.op, Op) and node.op.emit is not None:
        rule = _of_numbers
    if rule is None and not is_native(node):
        rule = _whole_inputs
    found = node if rule is None else rule(node)
    return node if found is None else found


def _of_numbers(node: Node) -> Node | None:
    """Compute with single numbers what would be computed with repeated ones."""
    if not nonunit(node.shape):
        return None
    numbers = [peeled(x, (None,) * x.ndim)[0] for x in node.inputs]
    if any(nonunit(x.shape) for x in numbers):
        return None
    one = intern(node.op, tuple(reshape(x, ()) for x in numbers), dict(node.params))
    repeated: Node = broadcast_to(one, node.shape)
    return repeated


# Softmax and its kin ----------------------------------------------------------------


def _softmax(node: Node) -> Node | None:
    (x,), axis = node.inputs, node.params["axis"]
    if x.shape[axis] == 0:
        return None
    e = exp(x - _top(x, (axis,)))
    result: Node = e / OPS["sum"](e, axis=(axis,), keepdims=True)
    return result


def _log_softmax(node: Node) -> Node | None:
    (x,), axis = node.inputs, node.params["axis"]
    length = x.shape[axis]
    if length == 0:
        return None
    z = x - _top(x, (axis,))
    # As the op's own meaning has it: the largest term, exactly 1, is left out.
    found = OPS["argmax"](x, axis=axis)
    known = _argmax(found)
    at = expand_dims(found if known is None else known, axis)
    # Of full rank: (n,) beside (n, 1) would look like an accident.
    around = (1,) * axis, (1,) * (x.ndim - 1 - axis)
    places = reshape(arange(length), (*around[0], length, *around[1]))
    largest = OPS["equal"](places, at)
    others = OPS["sum"](where(largest, 0, exp(z)), axis=(axis,), keepdims=True)
    result: Node = z - log1p(others)
    return result


def _logsumexp(node: Node) -> Node | None:
    (x,), axis = node.inputs, node.params["axis"]
    if any(x.shape[a] == 0 for a in axis):
        return None
    top = _top(x, axis)
    finite = OPS["less"](OPS["abs"](top), float("inf"))
    shift = where(finite, top, 0)
    total = OPS["sum"](exp(x - shift), axis=axis, keepdims=True)
    return _as(log(total) + shift, node)


def _top(x: Node, axis: tuple[int, ...]) -> Node:
    node: Node = OPS["max"](x, axis=axis, keepdims=True)
    return node


def _as(value: Node, node: Node) -> Node:
    shaped: Node = reshape(value, node.shape)
    return shaped


# One element per row ----------------------------------------------------------------


def _take_along(node: Node) -> Node | None:
    x, index = node.inputs
    base = strided(x)
    computed = base is None or base.base.op.name not in ("input", "parameter", "matmul")
    if not computed or not _one_per_row(index, node.params["axis"]):
        return None
    mask = _mask(index, x)
    result: Node = OPS["sum"](where(mask, x, 0), axis=(x.ndim - 1,), keepdims=True)
    return result if x.dtype.kind == "f" else None


def _put_along(node: Node) -> Node | None:
    x, index = node.inputs
    if not _one_per_row(index, node.params["axis"]):
        return None
    result: Node = where(_mask(index, node), x, 0)
    return result


def _one_per_row(index: Node, axis: int) -> bool:
    return axis == index.ndim - 1 and index.shape[axis] == 1


def _mask(index: Node, like: Node) -> Node:
    """Return where along the last axis the positions are; they are checked."""
    rows = reshape(index, index.shape[:-1])
    node: Node = one_hot(rows, like.shape[-1], "bool")
    return node


# In one piece -----------------------------------------------------------------------


def _reshape(node: Node) -> Node | None:
    if strided(node) is not None:
        return None
    return intern(node.op, (copy(node.inputs[0]),), dict(node.params))


def _matmul(node: Node) -> Node | None:
    inputs = tuple(x if _is_matrix(x) else copy(x) for x in node.inputs)
    if inputs == node.inputs:
        return None
    return intern(node.op, inputs, dict(node.params))


def _is_matrix(x: Node) -> bool:
    """Tell whether the last two axes are rows or columns in memory."""
    view = strided(x)
    if view is None:
        return False
    row, column = view.strides[-2:]
    rows, columns = x.shape[-2:]
    along_rows = column == 1 or columns == 1
    along_columns = row == 1 or rows == 1
    repeated = (row == 0 and rows != 1) or (column == 0 and columns != 1)
    return (along_rows or along_columns) and not repeated


def _whole_inputs(node: Node) -> Node | None:
    """Give an op that NumPy computes, or a serial one, inputs in one piece."""
    inputs = []
    for x in node.inputs:
        view = strided(x) if x.op.name in VIEWS else None
        whole = x.op.name not in VIEWS or (view is not None and _plain(x, view))
        # An input is read where it lies, which NumPy is not told.
        fed = x.op is INPUT or (view is not None and view.base.op is INPUT)
        inputs.append(x if whole and not fed else copy(x))
    if tuple(inputs) == node.inputs:
        return None
    return intern(node.op, tuple(inputs), dict(node.params))


def _cumsum(node: Node) -> Node | None:
    """Turn a running sum from the end into one from the front, of turned values."""
    (x,), axis = node.inputs, node.params["axis"]
    if not node.params["reverse"]:
        return None
    return _turned(OPS["cumsum"](_turned(x, axis), axis=axis, reverse=False), axis)


def _turned(x: Node, axis: int) -> Node:
    pieces = tuple(
        (size - 1, size, -1) if a == axis else (0, size, 1)
        for a, size in enumerate(x.shape)
    )
    node: Node = OPS["slice"](x, pieces=pieces)
    return node


def _argmax(node: Node) -> Node | None:
    (x,), axis = node.inputs, node.params["axis"]
    if x.shape[axis] == 1:
        found: Node = broadcast_to(constant(0, "int64"), node.shape)
        return found
    if x.dtype.kind == "b":
        found = OPS["argmax"](cast(x, "int32"), axis=axis)
        return found
    return None


_RULES: dict[str, Callable[[Node], Node | None]] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "take_along_axis": _take_along,
    "put_along_axis": _put_along,
    "reshape": _reshape,
    "matmul": _matmul,
    "cumsum": _cumsum,
    "argmax": _argmax,
    "argsort": _whole_inputs,
    "random_uniform": _whole_inputs,
}
