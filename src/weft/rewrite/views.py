"""Moving values about, seen from what is moved: a view applied to a part of a formula.

A view (reshape, transpose, slice, a choice of positions) of an elementwise formula is
the formula of views of its parts. A part may be smaller than the formula, repeated by
broadcasting; `viewed` says what its view is, or None where it cannot be said.
"""

from typing import Any

from weft.graph.dim import Shape, same_size
from weft.graph.node import Node, intern
from weft.ops.record import OPS
from weft.ops.structure import Piece, reshape, transpose
from weft.rewrite.facts import DEPTH, same_axis

VIEWS = ("reshape", "transpose", "slice", "take", "take_along_axis", "cast")


def viewed(view: Node, part: Node) -> Node | None:
    """Return `part` of the input of `view` as the same part of `view` itself.

    Parameters
    ----------
    view : Node
        A reshape, transpose, slice, take or take_along_axis; or a cast.
    part : Node
        Of a shape that broadcasts to that of what is viewed.

    Returns
    -------
    Node or None

    Examples
    --------
    >>> import weft
    >>> x, row = weft.input("x", ("n", 3)), weft.input("row", (1, 3))
    >>> viewed(x.T, row).shape
    (3, 1)
    >>> viewed(x[:, 1:], row) is row[:, 1:]
    True
    """
    x = view.inputs[0]
    if view.op.name == "cast":
        return simple(intern(view.op, (part,), view.params))
    if all(size == 1 for size in part.shape):
        return reshape(part, ()) if part.ndim else part
    if part.ndim != x.ndim:
        return None
    found = _VIEWED[view.op.name](view, x, part)
    return None if found is None else simple(found)


def _transposed(view: Node, x: Node, part: Node) -> Node | None:
    return intern(view.op, (part,), view.params)


def _reshaped(view: Node, x: Node, part: Node) -> Node | None:
    if part.shape == x.shape:
        return intern(view.op, (part,), view.params)
    # Axes of size 1 that come and go leave the others in their order.
    lengths = [size for size in x.shape if size != 1]
    if lengths != [size for size in view.shape if size != 1]:
        return None
    own = iter([p for p, size in zip(part.shape, x.shape, strict=True) if size != 1])
    shape = tuple(1 if size == 1 else next(own) for size in view.shape)
    if not same_size(part.shape, shape):
        return None
    node: Node = reshape(part, shape)
    return node


def _sliced(view: Node, x: Node, part: Node) -> Node | None:
    pieces: list[Piece] = [
        piece if own == size else (0, 1, 1)
        for piece, own, size in zip(
            view.params["pieces"], part.shape, x.shape, strict=True
        )
    ]
    return intern(view.op, (part,), {"pieces": tuple(pieces)})


def _chosen(view: Node, x: Node, part: Node) -> Node | None:
    axis, (_, index) = view.params["axis"], view.inputs
    if index.ndim != (1 if view.op.name == "take" else x.ndim):
        return None
    if part.shape[axis] == 1 and x.shape[axis] != 1:
        return part
    if part.shape != x.shape:
        return None
    return intern(view.op, (part, index), view.params)


_VIEWED = {
    "transpose": _transposed,
    "reshape": _reshaped,
    "slice": _sliced,
    "take": _chosen,
    "take_along_axis": _chosen,
}


def simple(node: Node) -> Node:
    """Return a view of a view, or one that changes nothing, as a single one or none.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n", 3))
    >>> simple(weft.transpose(x.T)) is x
    True
    """
    name = node.op.name
    if name == "slice":
        whole = tuple((0, size, 1) for size in node.inputs[0].shape)
        return node.inputs[0] if node.params["pieces"] == whole else node
    if name not in ("reshape", "transpose", "cast"):
        return node
    x = node.inputs[0]
    if name == "cast":
        # There and back, if nothing was lost on the way.
        if x.op.name == "cast" and x.inputs[0].dtype == node.dtype:
            kinds = (node.dtype.kind, x.dtype.kind)
            if kinds == ("f", "f") and x.dtype.itemsize >= node.dtype.itemsize:
                return x.inputs[0]
        return x if x.dtype == node.dtype else node
    if name == "transpose" and x.op.name == "take_along_axis":
        axis = node.params["axes"].index(x.params["axis"])
        parts = [simple(as_node(transpose(i, node.params["axes"]))) for i in x.inputs]
        return intern(x.op, tuple(parts), {"axis": axis})
    if name == "transpose" and x.op.name == "transpose":
        first, second = x.params["axes"], node.params["axes"]
        return as_node(transpose(x.inputs[0], [first[a] for a in second]))
    if name == "reshape":
        if x.op.name == "reshape" and same_size(x.inputs[0].shape, node.shape):
            return as_node(reshape(x.inputs[0], node.shape))
        return as_node(reshape(x, node.shape))
    return node


def as_node(value: Any) -> Node:
    """Return what an op made of nodes: ops are typed for arrays as well."""
    assert isinstance(value, Node)
    return value


def viewed_axis(view: Node, axis: int) -> int | None:
    """Return where `view` has the axis `axis` of its input, whole; None if nowhere.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n", 3))
    >>> viewed_axis(x.T, 0), viewed_axis(x[:, :2], 1), viewed_axis(x[:, :2], 0)
    (1, None, 0)
    """
    x, name = view.inputs[0], view.op.name
    if name == "transpose":
        return int(view.params["axes"].index(axis))
    if name == "reshape":
        return same_axis(x.shape, view.shape, axis)
    if name == "cast":
        return axis
    if name == "slice":
        whole = view.params["pieces"][axis] == (0, x.shape[axis], 1)
        return axis if whole else None
    return None


def row_of(part: Node, whole: Node, axes: tuple[int, ...]) -> list[Node] | None:
    """Return the views that choose `part` of `whole` along `axes` alone.

    The innermost first; None if it is not such a part. Every other axis is left as it
    is, so that each number comes from the row in which it stands.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n", 3))
    >>> [view.op.name for view in row_of(x[:, 0], x, (1,))]
    ['slice', 'reshape']
    >>> row_of(x[1:, 0], x, (1,)) is None
    True
    """
    path: list[Node] = []
    node = part
    while node is not whole:
        if len(path) == DEPTH or node.op.name not in VIEWS:
            return None
        path.append(node)
        node = node.inputs[0]
    path.reverse()
    for view in path:
        left = _still(view, axes)
        if left is None:
            return None
        axes = left
    return path


def _still(view: Node, axes: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the axes once more, if `view` touches no other one."""
    x, name = view.inputs[0], view.op.name
    if name == "slice":
        others = [a for a in range(x.ndim) if a not in axes]
        pieces = view.params["pieces"]
        return axes if all(pieces[a] == (0, x.shape[a], 1) for a in others) else None
    if name == "take_along_axis":
        return axes if view.params["axis"] in axes else None
    if name == "take":
        whole = view.inputs[1].ndim == 1 and view.params["axis"] in axes
        return axes if whole else None
    if name == "reshape":
        return _left(x.shape, view.shape, axes)
    return None


def _left(before: Shape, after: Shape, axes: tuple[int, ...]) -> tuple[int, ...] | None:
    # The chosen axes, of size 1 by now, go; or axes of size 1 come.
    rest = tuple(size for a, size in enumerate(before) if a not in axes)
    if after == rest and all(before[a] == 1 for a in axes):
        return ()
    return None


def select_again(path: list[Node], whole: Node) -> Node:
    """Apply the views of `row_of` to another value of the same shape."""
    for view in path:
        whole = intern(view.op, (whole, *view.inputs[1:]), view.params)
    return whole


def reduced(op: str, x: Node, axes: tuple[int, ...], keepdims: bool) -> Node:
    """Return the reduction of `x` called `op`."""
    return as_node(OPS[op](x, axis=axes, keepdims=keepdims))
