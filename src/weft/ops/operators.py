"""What Python's operators mean on nodes: they are the ops, spelt shorter."""

from typing import Any

import numpy as np

from weft.graph.dim import Dim
from weft.graph.errors import DTypeError, ShapeError
from weft.graph.node import Node, define_methods, names_operands
from weft.ops import arithmetic, logic
from weft.ops.index import move_block, take
from weft.ops.product import matmul
from weft.ops.propagate import numpy
from weft.ops.record import Value
from weft.ops.reduce import size
from weft.ops.structure import reshape, slice_axes, transpose


@names_operands
def getitem(x: Node, index: Any) -> Value:
    """Return a part of `x`, as NumPy's basic indexing and one array of positions.

    Parameters
    ----------
    x : Node
    index : int, slice, None, Ellipsis, array or Node of integers, or a tuple of them
        At most one array or node.

    Returns
    -------
    Node

    Raises
    ------
    ShapeError, DTypeError
        If it names more axes than there are, or chooses by a mask.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n", 3))
    >>> x[:, None, 0].shape, x[..., 1:].shape, x[[0, 2]].shape
    (('n', 1), ('n', 2), (2, 3))
    """
    parts = _without_ellipsis(x, index if isinstance(index, tuple) else (index,))
    slices: list[slice] = []
    positions: list[tuple[int, Value]] = []
    shape: list[Any] = []  # of the result: True stands for the axis after slicing
    axis = 0
    for part in parts:
        if part is None:
            shape.append(1)
            continue
        if isinstance(part, slice):
            slices.append(part)
            shape.append(("axis", axis))
        elif isinstance(part, (int, np.integer)) and not isinstance(part, bool):
            slices.append(_one(int(part), x.shape[axis]))
        else:
            positions.append((axis, _positions(part)))
            slices.append(slice(None))
            shape.append(("axis", axis))
        axis += 1
    if len(positions) > 1:
        raise ShapeError(
            "only one axis can be indexed by an array: use weft.take_along_axis to "
            "choose one element per row"
        )
    part_node = slice_axes(x, slices)
    kept = part_node.shape
    target = [entry if entry == 1 else kept[entry[1]] for entry in shape]
    result = reshape(part_node, target)
    if positions:
        (at, chosen) = positions[0]
        where = next(i for i, e in enumerate(shape) if e != 1 and e[1] == at)
        taken = take(result, chosen, axis=where)
        # NumPy's rule: whole numbers count as arrays, and where they are apart from
        # the array, its axes come first.
        width = taken.ndim - result.ndim + 1
        result = taken if _adjacent(index) else move_block(taken, where, width, 0)
    return result


def _adjacent(index: Any) -> bool:
    """Tell whether the whole numbers and arrays of an index stand side by side."""
    parts = index if isinstance(index, tuple) else (index,)
    between = (slice, type(None), type(Ellipsis))
    chosen = [i for i, part in enumerate(parts) if not isinstance(part, between)]
    return chosen[-1] - chosen[0] == len(chosen) - 1


def _without_ellipsis(x: Node, parts: tuple[Any, ...]) -> list[Any]:
    consumed = len([p for p in parts if p is not None and p is not Ellipsis])
    if consumed > x.ndim:
        raise ShapeError(f"{consumed} indices were given for {x.ndim} axes")
    full: list[Any] = []
    seen = False
    for part in parts:
        if part is Ellipsis and not seen:
            full += [slice(None)] * (x.ndim - consumed)
            seen = True
        else:
            full.append(part)
    if not seen:
        full += [slice(None)] * (x.ndim - consumed)
    return full


def _one(position: int, length: Any) -> slice:
    if isinstance(length, int) and not -length <= position < length:
        raise ShapeError(f"position {position} is outside an axis of {length} values")
    if isinstance(length, Dim) and position < 0:
        # A negative position keeps its meaning for every length.
        return slice(length + position, length + position + 1)
    if isinstance(length, int) and position < 0:
        position += length
    return slice(position, position + 1)


def _positions(part: Any) -> Value:
    array = part if isinstance(part, Node) else np.asarray(part)
    if array.dtype.kind == "b":
        raise DTypeError(
            "a mask chooses a number of elements that is not known before it is run: "
            "use weft.where, or multiply by the mask"
        )
    if array.dtype.kind not in "iu" and np.size(part):
        raise DTypeError(f"{part!r} is no index: give ints, slices or integer arrays")
    return part


define_methods(
    add=arithmetic.add,
    radd=lambda x, y: arithmetic.add(y, x),
    subtract=arithmetic.subtract,
    rsubtract=lambda x, y: arithmetic.subtract(y, x),
    multiply=arithmetic.multiply,
    rmultiply=lambda x, y: arithmetic.multiply(y, x),
    divide=arithmetic.divide,
    rdivide=lambda x, y: arithmetic.divide(y, x),
    floor_divide=arithmetic.floor_divide,
    rfloor_divide=lambda x, y: arithmetic.floor_divide(y, x),
    remainder=arithmetic.remainder,
    rremainder=lambda x, y: arithmetic.remainder(y, x),
    power=arithmetic.power,
    rpower=lambda x, y: arithmetic.power(y, x),
    matmul=matmul,
    rmatmul=lambda x, y: matmul(y, x),
    negative=arithmetic.negative,
    abs=arithmetic.abs,
    less=logic.less,
    less_equal=logic.less_equal,
    greater=logic.greater,
    greater_equal=logic.greater_equal,
    logical_and=logic.logical_and,
    logical_or=logic.logical_or,
    logical_not=logic.logical_not,
    getitem=getitem,
    transpose=transpose,
    size=size,
    numpy=numpy,
)
