"""Choosing by position: take, its adjoint scatter, one-hot, sorting, counting.

Positions are integers and carry no derivative; the values do, and `scatter_add` is the
adjoint of `take`. A position outside the axis is an error when it is run, never a wrong
row; negative positions count from the end.
"""

from typing import Any

import numpy as np

from weft.graph.dim import Shape, Size, as_dim, product
from weft.graph.dtype import INT64, as_dtype
from weft.graph.errors import DTypeError, FeedError, ShapeError
from weft.graph.latex import dimension, indices, over
from weft.graph.leaf import constant
from weft.graph.node import DType, Node, intern, names_operands
from weft.ops.broadcast import normal_axis
from weft.ops.record import Facts, Op, Value, explicit, linear
from weft.ops.sample import Array, Case
from weft.ops.structure import broadcast_to, moveaxis, reshape, transpose


def _integers(index: Node) -> None:
    if index.dtype.kind != "i":
        raise DTypeError(
            f"positions are integers, and {index.dtype} was given: cast them, or "
            "choose by a mask with weft.where"
        )


def _inside(index: Any, length: int) -> Array:
    """Return positions counted from the front, or say which one is outside."""
    index = np.asarray(index)
    if index.size and (index.min() < -length or index.max() >= length):
        outside = index[(index < -length) | (index >= length)].flat[0]
        raise FeedError(f"position {outside} is outside an axis of {length} values")
    return np.asarray(np.where(index < 0, index + length, index))


def _as_index(index: Value) -> Value:
    if isinstance(index, Node):
        return index
    array = np.asarray(index)
    if array.size == 0 and array.dtype.kind == "f":  # NumPy's type for []
        array = array.astype(np.int64)
    return array


# Counting -------------------------------------------------------------------------

_arange: Op = explicit(
    "arange",
    forward=lambda length: np.arange(length),
    rule=lambda length: ((length,), INT64),
    differentiable=False,
    batch=lambda inputs, batched, length: _arange(length=length),
    cases=lambda rng: [
        Case("five", (), {"length": 5}),
        Case("none", (), {"length": 0}),
    ],
    latex=lambda node: rf"\left(0, \dots, {dimension(node.shape[0])} - 1\right)",
    doc="The whole numbers from 0.",
)


@names_operands
def arange(length: Any) -> Node:
    """Return the int64 node 0, 1, ..., length - 1.

    Parameters
    ----------
    length : int, str or Dim
        May be symbolic.

    Returns
    -------
    Node

    Examples
    --------
    >>> import weft
    >>> weft.arange(3).numpy()
    array([0, 1, 2])
    """
    return intern(_arange, (), {"length": as_dim(length)})


def positions(x: Value, axis: int) -> Value:
    """Return 0, 1, ... along an axis of `x`: a node for a node, else an array.

    Examples
    --------
    >>> positions(np.zeros((2, 3)), 1)
    array([0, 1, 2])
    """
    length = x.shape[axis]
    return arange(length) if isinstance(x, Node) else np.arange(length)


# Take and scatter -----------------------------------------------------------------


def _take_rule(x: Node, index: Node, axis: int) -> tuple[Shape, DType]:
    _integers(index)
    return (*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]), x.dtype


def _scatter_forward(x: Array, index: Array, axis: int, length: int) -> Array:
    index = _inside(index, length)
    rank = index.ndim
    moved = np.moveaxis(x, range(axis, axis + rank), range(rank))
    out = np.zeros((length, *moved.shape[rank:]), x.dtype)
    np.add.at(out, index, moved)
    return np.moveaxis(out, 0, axis)


def _scatter_rule(x: Node, index: Node, axis: int, length: Size) -> tuple[Shape, DType]:
    _integers(index)
    rank = index.ndim
    if x.shape[axis : axis + rank] != index.shape:
        raise ShapeError(
            f"positions of shape {index.shape} do not match the values' axes "
            f"{x.shape[axis : axis + rank]}"
        )
    return (*x.shape[:axis], length, *x.shape[axis + rank :]), x.dtype


def _take_batch(inputs: Any, batched: Any, axis: int) -> Node:
    x, index = inputs
    if not batched[1]:
        return _node(_take(x, index, axis=axis + 1))
    if not batched[0]:
        return _node(moveaxis(_take(x, index, axis=axis), axis, 0))
    before, after = x.shape[: axis + 1], x.shape[axis + 2 :]
    taken = _take_along(x, _widened(index, before, after), axis=axis + 1)
    return _node(reshape(taken, (*before, *index.shape[1:], *after)))


def _widened(index: Node, before: Shape, after: Shape) -> Node:
    """Repeat positions per batch entry to one line of positions per line of values."""
    lines = product(index.shape[1:])
    ones = (1,) * (len(before) - 1), (1,) * len(after)
    spread = reshape(index, (index.shape[0], *ones[0], lines, *ones[1]))
    return _node(broadcast_to(spread, (*before, lines, *after)))


def move_block(x: Node, source: int, width: int, destination: int) -> Node:
    """Move `width` axes that start at `source` to start at `destination`."""
    axes = [a for a in range(x.ndim) if not source <= a < source + width]
    axes[destination:destination] = range(source, source + width)
    return _node(transpose(x, axes))


def _node(value: Value) -> Node:
    assert isinstance(value, Node)
    return value


def _scatter_batch(inputs: Any, batched: Any, axis: int, length: Size) -> Node:
    x, index = inputs
    rank = index.ndim - batched[1]
    if not batched[1]:
        return _node(_scatter_add(x, index, axis=axis + 1, length=length))
    if not batched[0]:
        x = broadcast_to(x, (index.shape[0], *x.shape))
    before, after = x.shape[: axis + 1], x.shape[axis + 1 + rank :]
    wide = _widened(index, before, after)
    flat = reshape(x, wide.shape)
    return _node(_put_along(flat, wide, axis=axis + 1, length=length))


_take: Op = linear(
    "take",
    forward=lambda x, index, axis: np.take(
        x, _inside(index, np.shape(x)[axis]), axis=axis
    ),
    rule=_take_rule,
    adjoints=[
        lambda ct, out, x, index, axis: _scatter_add(
            ct, index, axis=axis, length=x.shape[axis]
        ),
        None,
    ],
    batch=_take_batch,
    cases=lambda rng: [
        Case("rows", (rng.normal(size=(4, 3)), np.array([2, 0, 2])), {"axis": 0}),
        Case(
            "table", (rng.normal(size=(2, 3)), np.array([[0, 2], [1, 1]])), {"axis": 1}
        ),
        Case("deep", (rng.normal(size=(2, 3, 4)), np.array([3, 0])), {"axis": 2}),
        Case("from-the-end", (rng.normal(size=(2, 3)), np.array([-1, 0])), {"axis": 1}),
        Case("one", (rng.normal(size=(2, 3)), np.array(1)), {"axis": 1}),
        Case("none", (rng.normal(size=(2, 3)), np.zeros((0,), np.int64)), {"axis": 0}),
    ],
    latex=lambda node: r"{0:atom}_{{" + ":, " * node.params["axis"] + r"{1:any}}}",
    binds="indexed",
    doc="The values at some positions along an axis.",
)

_scatter_add: Op = linear(
    "scatter_add",
    forward=_scatter_forward,
    rule=_scatter_rule,
    adjoints=[
        lambda ct, out, x, index, axis, length: _take(ct, index, axis=axis),
        None,
    ],
    batch=_scatter_batch,
    cases=lambda rng: [
        Case(
            "rows",
            (rng.normal(size=(3, 2)), np.array([2, 0, 2])),
            {"axis": 0, "length": 4},
        ),
        Case(
            "table",
            (rng.normal(size=(2, 2, 2)), np.array([[0, 2], [1, 1]])),
            {"axis": 1, "length": 3},
        ),
        Case(
            "deep",
            (rng.normal(size=(2, 3, 2)), np.array([-1, 0])),
            {"axis": 2, "length": 4},
        ),
        Case("one", (rng.normal(size=(2,)), np.array(1)), {"axis": 1, "length": 3}),
    ],
    latex=r"\operatorname{{scatter}}\left({0:any}, {1:any}\right)",
    doc="Zeros with the values added at some positions: the adjoint of take.",
)


@names_operands
def take(x: Value, index: Value, axis: int = 0) -> Value:
    """Return the values of `x` at some positions along an axis.

    Parameters
    ----------
    x : Node or array
    index : Node or array of integers, of any shape
    axis : int

    Returns
    -------
    Node or array
        The axes of `index` stand where `axis` was.

    Raises
    ------
    FeedError
        When run, if a position is outside.

    Examples
    --------
    >>> import weft
    >>> weft.take(weft.constant([1.0, 2.0, 3.0]), [2, 0]).numpy()
    array([3., 1.], dtype=float32)
    """
    index = _as_index(index)
    if isinstance(x, Node) or isinstance(index, Node):
        x, index = _pair(x, index)
    return _take(x, index, axis=normal_axis(axis, len(x.shape)))


@names_operands
def scatter_add(x: Value, index: Value, length: Any, axis: int = 0) -> Value:
    """Return zeros with `x` added at some positions along an axis.

    Parameters
    ----------
    x : Node or array
        Its axes from `axis` on are those of `index`, then the rest.
    index : Node or array of integers
    length : int, str or Dim
        The size of the axis of the result.
    axis : int

    Returns
    -------
    Node or array

    Examples
    --------
    >>> import weft
    >>> weft.scatter_add(weft.constant([1.0, 2.0]), [1, 1], 3).numpy()
    array([0., 3., 0.], dtype=float32)
    """
    index = _as_index(index)
    if isinstance(x, Node) or isinstance(index, Node):
        x, index = _pair(x, index)
    at = normal_axis(axis, len(x.shape) - len(index.shape) + 1)
    return _scatter_add(x, index, axis=at, length=as_dim(length))


def _pair(x: Value, index: Value) -> tuple[Node, Node]:
    x = x if isinstance(x, Node) else constant(x)
    index = index if isinstance(index, Node) else constant(index)
    return x, index


# One position per row -------------------------------------------------------------


def _along_rule(x: Node, index: Node, axis: int) -> tuple[Shape, DType]:
    _integers(index)
    if index.ndim != x.ndim or any(
        a != b
        for i, (a, b) in enumerate(zip(x.shape, index.shape, strict=True))
        if i != axis
    ):
        raise ShapeError(
            f"positions of shape {index.shape} must have the shape {x.shape} of the "
            f"values, but for axis {axis}"
        )
    return index.shape, x.dtype


def _put_forward(x: Array, index: Array, axis: int, length: int) -> Array:
    shape = list(x.shape)
    shape[axis] = length
    out = np.zeros(shape, x.dtype)
    places: list[Array] = list(np.indices(x.shape, sparse=True))
    places[axis] = _inside(index, length)
    np.add.at(out, tuple(places), x)
    return out


def _both(inputs: Any, batched: Any) -> tuple[Node, ...]:
    count = next(x.shape[0] for x, has in zip(inputs, batched, strict=True) if has)
    return tuple(
        x if has else broadcast_to(x, (count, *x.shape))
        for x, has in zip(inputs, batched, strict=True)
    )


_take_along: Op = linear(
    "take_along_axis",
    forward=lambda x, index, axis: np.take_along_axis(
        x, _inside(index, x.shape[axis]), axis
    ),
    rule=_along_rule,
    adjoints=[
        lambda ct, out, x, index, axis: _put_along(
            ct, index, axis=axis, length=x.shape[axis]
        ),
        None,
    ],
    batch=lambda inputs, batched, axis: _take_along(
        *_both(inputs, batched), axis=axis + 1
    ),
    cases=lambda rng: [
        Case(
            "labels", (rng.normal(size=(3, 4)), np.array([[1], [0], [3]])), {"axis": 1}
        ),
        Case(
            "order", (rng.normal(size=(3, 2)), rng.integers(0, 3, (3, 2))), {"axis": 0}
        ),
    ],
    latex=lambda node: (
        r"{0:atom}_{{" + indices(node, range(node.params["axis"])) + r"\,{1:any}}}"
    ),
    binds="indexed",
    doc="One value, or several, per row, at positions of its own.",
)

_put_along: Op = linear(
    "put_along_axis",
    forward=_put_forward,
    rule=lambda x, index, axis, length: (
        (*x.shape[:axis], length, *x.shape[axis + 1 :]),
        x.dtype,
    ),
    adjoints=[
        lambda ct, out, x, index, axis, length: _take_along(ct, index, axis=axis),
        None,
    ],
    batch=lambda inputs, batched, axis, length: _put_along(
        *_both(inputs, batched), axis=axis + 1, length=length
    ),
    cases=lambda rng: [
        Case(
            "labels",
            (rng.normal(size=(3, 1)), np.array([[1], [0], [3]])),
            {"axis": 1, "length": 4},
        ),
        Case(
            "twice",
            (rng.normal(size=(2, 2)), np.array([[1, 1], [0, 1]])),
            {"axis": 1, "length": 2},
        ),
    ],
    latex=r"\operatorname{{put}}\left({0:any}, {1:any}\right)",
    doc="Zeros with values added per row: the adjoint of take_along_axis.",
)


@names_operands
def take_along_axis(x: Value, index: Value, axis: int = -1) -> Value:
    """Return the values of `x` at positions that each row has of its own.

    Parameters
    ----------
    x : Node or array
    index : Node or array of integers
        Of the shape of `x` but for `axis`.
    axis : int

    Returns
    -------
    Node or array of the shape of `index`

    Examples
    --------
    >>> import weft
    >>> z = weft.constant([[1.0, 2.0], [3.0, 4.0]])
    >>> weft.take_along_axis(z, [[1], [0]]).numpy()
    array([[2.],
           [3.]], dtype=float32)
    """
    index = _as_index(index)
    if isinstance(x, Node) or isinstance(index, Node):
        x, index = _pair(x, index)
    return _take_along(x, index, axis=normal_axis(axis, len(x.shape)))


# One-hot --------------------------------------------------------------------------


def _one_hot_rule(index: Node, depth: Size, dtype: DType) -> tuple[Shape, DType]:
    _integers(index)
    return (*index.shape, depth), dtype


_one_hot: Op = explicit(
    "one_hot",
    forward=lambda index, depth, dtype: (
        np.expand_dims(_inside(index, depth), -1) == np.arange(depth)
    ).astype(dtype),
    rule=_one_hot_rule,
    differentiable=False,
    batch=lambda inputs, batched, depth, dtype: _one_hot(
        *inputs, depth=depth, dtype=dtype
    ),
    cases=lambda rng: [
        Case("labels", (np.array([2, 0]),), {"depth": 3, "dtype": np.dtype("float64")}),
        Case(
            "none", (np.zeros((0,), int),), {"depth": 3, "dtype": np.dtype("float32")}
        ),
    ],
    latex=r"\operatorname{{onehot}}\left({0}\right)",
    facts=Facts(low=0, high=1, simplex=True),
    doc="1 at the position, 0 elsewhere, along a new last axis.",
)


@names_operands
def one_hot(index: Value, depth: Any, dtype: Any = "float32") -> Value:
    """Return vectors that are 1 at a position and 0 elsewhere.

    Parameters
    ----------
    index : Node or array of integers
    depth : int, str or Dim
        The length of the new last axis.
    dtype : str or numpy.dtype

    Returns
    -------
    Node or array

    Examples
    --------
    >>> import weft
    >>> weft.one_hot([1, 0], 2)
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """
    return _one_hot(_as_index(index), depth=as_dim(depth), dtype=as_dtype(dtype))


# Order ----------------------------------------------------------------------------


def _position_rule(x: Node, axis: int) -> tuple[Shape, DType]:
    if x.shape[axis] == 0:
        raise ShapeError(f"axis {axis} of {x.shape} is empty: it has no largest value")
    return (*x.shape[:axis], *x.shape[axis + 1 :]), INT64


_argmax: Op = explicit(
    "argmax",
    forward=lambda x, axis: np.argmax(x, axis),
    rule=_position_rule,
    differentiable=False,
    batch=lambda inputs, batched, axis: _argmax(*inputs, axis=axis + 1),
    cases=lambda rng: [
        Case("last", (rng.normal(size=(2, 3)),), {"axis": 1}),
        Case("first", (rng.normal(size=(3,)),), {"axis": 0}),
        Case("tie", (np.array([1.0, 1.0]),), {"axis": 0}),
    ],
    latex=lambda node: r"\operatorname{{arg}}" + over(r"\max", node),
    binds="big",
    doc="The position of the largest value; the first of equals.",
)


@names_operands
def argmax(x: Value, axis: int = -1) -> Value:
    """Return the position of the largest value along an axis, the first of equals.

    Examples
    --------
    >>> import weft
    >>> weft.argmax(weft.constant([1.0, 3.0, 3.0])).numpy()
    array(1)
    """
    return _argmax(x, axis=normal_axis(axis, len(x.shape)))


_argsort: Op = explicit(
    "argsort",
    forward=lambda x, axis: np.argsort(x, axis, kind="stable"),
    rule=lambda x, axis: (x.shape, INT64),
    differentiable=False,
    batch=lambda inputs, batched, axis: _argsort(*inputs, axis=axis + 1),
    cases=lambda rng: [
        Case("last", (rng.normal(size=(2, 3)),), {"axis": 1}),
        Case("ties", (np.array([1.0, 0.0, 1.0, 0.0]),), {"axis": 0}),
        Case("empty", (rng.normal(size=(0, 3)),), {"axis": 0}),
    ],
    latex=r"\operatorname{{argsort}}\left({0}\right)",
    doc="The positions that put the values in ascending order; stable.",
)


@names_operands
def argsort(x: Value, axis: int = -1) -> Value:
    """Return the positions that put `x` in ascending order along an axis.

    Examples
    --------
    >>> import weft
    >>> weft.argsort(weft.constant([3.0, 1.0, 2.0])).numpy()
    array([1, 2, 0])
    """
    return _argsort(x, axis=normal_axis(axis, len(x.shape)))


@names_operands
def sort(x: Value, axis: int = -1) -> Value:
    """Return `x` in ascending order along an axis.

    Examples
    --------
    >>> import weft
    >>> weft.sort(weft.constant([3.0, 1.0, 2.0])).numpy()
    array([1., 2., 3.], dtype=float32)
    """
    return take_along_axis(x, argsort(x, axis), axis)
