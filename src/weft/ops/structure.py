"""Ops that move values without computing: reshape, transpose, slice, join.

All are linear, so each declares its adjoint and nothing else: the adjoint of repeating
is summing, of a slice an embedding into zeros, of joining a slice.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from weft.graph.dim import (
    Dim,
    Shape,
    Size,
    as_dim,
    as_shape,
    product,
    same_size,
)
from weft.graph.errors import FeedError, ShapeError
from weft.graph.latex import dimension
from weft.graph.leaf import constant
from weft.graph.node import DType, Node, Params, names_operands
from weft.ops.broadcast import broadcast_shapes, normal_axes, normal_axis
from weft.ops.record import Op, Value, as_nodes, linear, promoted, unbroadcast
from weft.ops.sample import Case

# Transpose ------------------------------------------------------------------------


def _inverse(axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


def _transposed(node: Node) -> str:
    """Return the template of a transpose; its axes are told if it is not a matrix's."""
    axes, rank = node.params["axes"], node.ndim
    if axes == (*range(rank - 2), rank - 1, rank - 2):
        return r"{{{0:indexed}}}^{{\top}}"
    return rf"{{{{{{0:indexed}}}}}}^{{{{\top({','.join(map(str, axes))})}}}}"


def _in_shape(node: Node) -> str:
    """Return the template of a reshape; axes of length 1 come and go unsaid."""
    (x,) = node.inputs
    if [s for s in x.shape if s != 1] == [s for s in node.shape if s != 1]:
        return "{0}"
    sizes = r" \times ".join(map(dimension, node.shape))
    return rf"\operatorname{{{{reshape}}}}_{{{{{sizes}}}}}\left({{0}}\right)"


_transpose: Op = linear(
    "transpose",
    forward=lambda x, axes: np.transpose(x, axes),
    rule=lambda x, axes: (tuple(x.shape[a] for a in axes), x.dtype),
    adjoints=[lambda ct, out, x, axes: _transpose(ct, axes=_inverse(axes))],
    batch=lambda inputs, batched, axes: _transpose(
        *inputs, axes=(0, *(a + 1 for a in axes))
    ),
    cases=lambda rng: [
        Case("matrix", (rng.normal(size=(2, 3)),), {"axes": (1, 0)}),
        Case("cube", (rng.normal(size=(2, 3, 4)),), {"axes": (2, 0, 1)}),
        Case("empty", (rng.normal(size=(0, 3)),), {"axes": (1, 0)}),
    ],
    latex=lambda node: _transposed(node),
    binds="power",
    doc="The same values with the axes in another order.",
)


@names_operands
def transpose(x: Value, axes: Sequence[int] | None = None) -> Value:
    """Return `x` with its axes in another order.

    Parameters
    ----------
    x : Node or array
    axes : sequence of int, optional
        Which axis of `x` comes first, second ...; reversed by default.

    Returns
    -------
    Node or array

    Raises
    ------
    ShapeError
        If `axes` does not name every axis once.

    Examples
    --------
    >>> import weft
    >>> weft.transpose(weft.input("x", ("n", 3))).shape
    (3, 'n')
    """
    ndim = len(x.shape)
    if axes is None:
        order = tuple(range(ndim))[::-1]
    else:
        order = tuple(normal_axis(a, ndim) for a in axes)
    if sorted(order) != list(range(ndim)):
        raise ShapeError(f"axes {axes} do not name each of {ndim} axes once")
    return x if order == tuple(range(ndim)) else _transpose(x, axes=order)


@names_operands
def swapaxes(x: Value, a: int, b: int) -> Value:
    """Return `x` with two axes exchanged.

    Examples
    --------
    >>> import weft
    >>> swapaxes(weft.input("x", ("n", 3)), 0, 1).shape
    (3, 'n')
    """
    axes = list(range(len(x.shape)))
    first, second = normal_axis(a, len(axes)), normal_axis(b, len(axes))
    axes[first], axes[second] = second, first
    return transpose(x, axes)


@names_operands
def moveaxis(x: Value, source: int, destination: int) -> Value:
    """Return `x` with one axis moved to another place.

    Examples
    --------
    >>> import weft
    >>> moveaxis(weft.input("x", ("n", 3, 4)), 0, -1).shape
    (3, 4, 'n')
    """
    ndim = len(x.shape)
    axes = [a for a in range(ndim) if a != normal_axis(source, ndim)]
    axes.insert(normal_axis(destination, ndim), normal_axis(source, ndim))
    return transpose(x, axes)


# Reshape --------------------------------------------------------------------------


def _reshape_rule(x: Node, shape: Shape) -> tuple[Shape, DType]:
    if not same_size(x.shape, shape):
        known = {s for size in x.shape if isinstance(size, Dim) for s in size.symbols}
        new = {s for size in shape if isinstance(size, Dim) for s in size.symbols}
        if not new - known:  # a new name is bound, and checked, at run time
            raise ShapeError(f"{x.shape} and {shape} do not have equally many elements")
    return shape, x.dtype


_reshape: Op = linear(
    "reshape",
    forward=lambda x, shape: np.reshape(x, shape),
    rule=_reshape_rule,
    adjoints=[lambda ct, out, x, shape: _reshape(ct, shape=x.shape)],
    batch=lambda inputs, batched, shape: _reshape(
        *inputs, shape=(inputs[0].shape[0], *shape)
    ),
    cases=lambda rng: [
        Case("flatten", (rng.normal(size=(2, 3)),), {"shape": (6,)}),
        Case("split", (rng.normal(size=(6,)),), {"shape": (2, 1, 3)}),
        Case("scalar", (rng.normal(size=(1, 1)),), {"shape": ()}),
        Case("empty", (rng.normal(size=(0, 4)),), {"shape": (2, 0)}),
    ],
    latex=lambda node: _in_shape(node),
    doc="The same values, in the same order, in another shape.",
)


@names_operands
def reshape(x: Value, shape: Any) -> Value:
    """Return `x` in another shape.

    Parameters
    ----------
    x : Node or array
    shape : int, str or sequence of them
        One entry may be -1: what is left over. A product of symbols has no name of its
        own; give one, and it is checked at run time.

    Returns
    -------
    Node or array

    Raises
    ------
    ShapeError
        If the number of elements would change.

    Examples
    --------
    >>> import weft
    >>> weft.reshape(weft.input("x", ("n", 2, 3)), ("n", -1)).shape
    ('n', 6)
    """
    given = (shape,) if isinstance(shape, (int, str, Dim)) else tuple(shape)
    target = _fill_in(x.shape, given)
    return x if target == tuple(x.shape) else _reshape(x, shape=target)


def _fill_in(shape: Shape, given: tuple[Any, ...]) -> Shape:
    if given.count(-1) > 1:
        raise ShapeError(f"{given} leaves more than one dimension open")
    if -1 not in given:
        return as_shape(given)
    at = given.index(-1)
    before, after = as_shape(given[:at]), as_shape(given[at + 1 :])
    rest, remaining = list(before + after), list(shape)
    # Dimensions that stand on both sides cancel: only what remains is divided.
    for size in list(rest):
        if size in remaining:
            remaining.remove(size)
            rest.remove(size)
    left = _divide(product(remaining), product(rest))
    if left is None:
        raise ShapeError(
            f"{shape} cannot be reshaped to {given}: -1 has no whole value"
        )
    return (*before, left, *after)


def _divide(size: Size, by: Size) -> Size | None:
    if isinstance(by, Dim) and isinstance(size, Dim):
        ratio = size.terms[0][1] // by.terms[0][1]
        return ratio if by * ratio == size else None
    if not isinstance(by, int) or by == 0:
        return 0 if size == 0 and by == 0 else None
    if isinstance(size, int):
        return None if size % by else size // by
    parts = [*(c for _, c in size.terms), size.constant]
    if any(part % by for part in parts):
        return None
    terms = tuple((symbol, c // by) for symbol, c in size.terms)
    return Dim(terms, size.constant // by)


@names_operands
def expand_dims(x: Value, axis: int) -> Value:
    """Return `x` with a new axis of size 1 at `axis`.

    Examples
    --------
    >>> import weft
    >>> weft.expand_dims(weft.input("x", ("n",)), -1).shape
    ('n', 1)
    """
    at = normal_axis(axis, len(x.shape) + 1)
    return reshape(x, (*x.shape[:at], 1, *x.shape[at:]))


@names_operands
def squeeze(x: Value, axis: Any) -> Value:
    """Return `x` without the axes of size 1 that `axis` names.

    Raises
    ------
    ShapeError
        If one of them is not of size 1.

    Examples
    --------
    >>> import weft
    >>> weft.squeeze(weft.input("x", ("n", 1)), -1).shape
    ('n',)
    """
    axes = normal_axes(axis, len(x.shape))
    for a in axes:
        if x.shape[a] != 1:
            raise ShapeError(f"axis {a} of {x.shape} is not of size 1")
    return reshape(x, [size for a, size in enumerate(x.shape) if a not in axes])


# Broadcast ------------------------------------------------------------------------


def _broadcast_rule(x: Node, shape: Shape) -> tuple[Shape, DType]:
    if broadcast_shapes([x.shape, shape]) != shape:
        raise ShapeError(f"{x.shape} does not broadcast to {shape}")
    return shape, x.dtype


def _broadcast_batch(inputs: Any, batched: Any, shape: Shape) -> Node:
    (x,) = inputs
    missing = len(shape) - (x.ndim - 1)
    lifted = reshape(x, (x.shape[0], *(1,) * missing, *x.shape[1:]))
    node: Node = broadcast_to(lifted, (x.shape[0], *shape))
    return node


_broadcast_to: Op = linear(
    "broadcast_to",
    forward=lambda x, shape: np.broadcast_to(x, shape),
    rule=_broadcast_rule,
    adjoints=[lambda ct, out, x, shape: unbroadcast(ct, x.shape)],
    batch=_broadcast_batch,
    cases=lambda rng: [
        Case("row", (rng.normal(size=(3,)),), {"shape": (2, 3)}),
        Case("column", (rng.normal(size=(2, 1)),), {"shape": (2, 3)}),
        Case("scalar", (rng.normal(size=()),), {"shape": (2, 3)}),
        Case("empty", (rng.normal(size=(1, 3)),), {"shape": (0, 3)}),
    ],
    latex="{0}",
    doc="The values repeated to a larger shape.",
)


@names_operands
def broadcast_to(x: Value, shape: Any) -> Value:
    """Return `x` repeated to `shape`, by NumPy's rule.

    Parameters
    ----------
    x : Node, array or number
    shape : int, str or sequence of them

    Returns
    -------
    Node or array

    Raises
    ------
    ShapeError
        If it does not broadcast to that shape.

    Examples
    --------
    >>> import weft
    >>> weft.broadcast_to(weft.constant([1.0, 2.0]), ("n", 2)).shape
    ('n', 2)
    """
    target = as_shape(shape)
    if any(isinstance(size, Dim) for size in target):
        x = x if isinstance(x, Node) else constant(x)
    return x if np.shape(x) == target else _broadcast_to(x, shape=target)


# Slices ---------------------------------------------------------------------------

# A slice is kept as (start, length, step) with start and length dimensions and step an
# int, so that its shape rule is just the lengths.
Piece = tuple[Size, Size, int]


def _places(params: Params, shape: Shape) -> str:
    """Return the pieces of a slice as LaTeX, as one writes them in Python."""
    written = []
    for (start, length, step), size in zip(params["pieces"], shape, strict=True):
        stop = start + length * step
        if length == 1:
            written.append(dimension(start))
        elif (start, stop, step) == (0, size, 1):
            written.append(":")
        else:
            begin = "" if start == 0 and step > 0 else dimension(start)
            whole = isinstance(stop, int) and isinstance(size, int) and stop >= size
            end = "" if whole or stop in (size, -1) else dimension(stop)
            written.append(f"{begin}:{end}" + (f":{step}" if step != 1 else ""))
    return ", ".join(written)


def slices(
    pieces: Sequence[tuple[int, int, int]], shape: Sequence[int]
) -> tuple[slice, ...]:
    """Return Python slices, or say which piece is not inside its axis."""
    result = []
    for (start, length, step), size in zip(pieces, shape, strict=True):
        last = start + (length - 1) * step
        if length and not (0 <= start < size and 0 <= last < size):
            raise FeedError(
                f"positions {start} to {last} are not all inside an axis of {size} "
                "values"
            )
        stop = start + length * step
        result.append(slice(start, stop if stop >= 0 else None, step))
    return tuple(result)


def _embed_forward(x: Any, shape: tuple[int, ...], pieces: Any) -> Any:
    out = np.zeros(shape, x.dtype)
    out[slices(pieces, shape)] = x
    return out


def _whole(size: Size) -> Piece:
    return (0, size, 1)


_slice: Op = linear(
    "slice",
    forward=lambda x, pieces: x[slices(pieces, x.shape)],
    rule=lambda x, pieces: (tuple(length for _, length, _ in pieces), x.dtype),
    adjoints=[
        lambda ct, out, x, pieces: _embed(ct, shape=tuple(x.shape), pieces=pieces)
    ],
    batch=lambda inputs, batched, pieces: _slice(
        *inputs, pieces=(_whole(inputs[0].shape[0]), *pieces)
    ),
    cases=lambda rng: [
        Case("middle", (rng.normal(size=(4, 5)),), {"pieces": ((1, 2, 1), (0, 5, 1))}),
        Case("step", (rng.normal(size=(7,)),), {"pieces": ((1, 3, 2),)}),
        Case("reverse", (rng.normal(size=(3,)),), {"pieces": ((2, 3, -1),)}),
        Case("empty", (rng.normal(size=(3,)),), {"pieces": ((1, 0, 1),)}),
    ],
    latex=lambda node: (
        f"{{0:atom}}_{{{{{_places(node.params, node.inputs[0].shape)}}}}}"
    ),
    binds="indexed",
    doc="A regular part of the values.",
)

_embed: Op = linear(
    "embed",
    forward=_embed_forward,
    rule=lambda x, shape, pieces: (shape, x.dtype),
    adjoints=[lambda ct, out, x, shape, pieces: _slice(ct, pieces=pieces)],
    batch=lambda inputs, batched, shape, pieces: _embed(
        *inputs,
        shape=(inputs[0].shape[0], *shape),
        pieces=(_whole(inputs[0].shape[0]), *pieces),
    ),
    cases=lambda rng: [
        Case(
            "middle",
            (rng.normal(size=(2, 5)),),
            {"shape": (4, 5), "pieces": ((1, 2, 1), (0, 5, 1))},
        ),
        Case("step", (rng.normal(size=(3,)),), {"shape": (7,), "pieces": ((1, 3, 2),)}),
    ],
    latex=lambda node: (
        r"\operatorname{{embed}}"
        f"_{{{{{_places(node.params, node.shape)}}}}}" + r"\left({0}\right)"
    ),
    doc="Zeros with the values put into a regular part: the adjoint of a slice.",
)


def slice_axes(x: Value, index: Sequence[slice]) -> Value:
    """Return the part of `x` that one Python slice per axis names.

    Parameters
    ----------
    x : Node or array
    index : sequence of slice
        Bounds are ints or dimensions; negative ones count from the end.

    Returns
    -------
    Node or array

    Raises
    ------
    ShapeError
        If the length of a part is not known as a linear form.
    """
    pieces = tuple(_piece(s, size) for s, size in zip(index, x.shape, strict=True))
    if pieces == tuple(_whole(size) for size in x.shape):
        return x
    return _slice(x, pieces=pieces)


def _piece(part: slice, size: Size) -> Piece:
    bounds = first, end = _position(part.start), _position(part.stop)
    step = _position(part.step) or 1
    if part.step == 0 or not isinstance(step, int):
        raise ShapeError(f"a slice cannot have step {part.step!r}")
    if isinstance(size, int) and not any(isinstance(b, Dim) for b in bounds):
        where = range(*slice(first, end, step).indices(size))
        return (where.start, len(where), step) if where else (0, 0, 1)
    if step == -1 and bounds == (None, None):
        return (size - 1, size, -1)
    if step != 1:
        raise ShapeError(
            f"a step of {step} along dimension {size} has no length that is known "
            "before it is run: reshape to make the step an axis"
        )
    start = 0 if first is None else _from_front(first, size)
    stop = size if end is None else _from_front(end, size)
    length = stop - start
    if isinstance(length, int) and length <= 0:
        return (0, 0, 1)
    return (start, length, 1)


def _position(given: Any) -> Size | None:
    """Return a bound or step as an int of either sign or a dimension."""
    if given is None or isinstance(given, Dim):
        return given
    return int(given) if isinstance(given, (int, np.integer)) else as_dim(given)


def _from_front(position: Size, size: Size) -> Size:
    negative = isinstance(position, int) and position < 0
    return size + position if negative else position


# Joining --------------------------------------------------------------------------


def _concatenate_rule(*inputs: Node, axis: int) -> tuple[Shape, DType]:
    first = inputs[0].shape
    total: Size = 0
    for node in inputs:
        here = node.shape
        if len(here) != len(first) or any(
            a != b
            for i, (a, b) in enumerate(zip(here, first, strict=True))
            if i != axis
        ):
            raise ShapeError(
                f"{first} and {here} cannot be joined along axis {axis}: they differ "
                "along another"
            )
        total = here[axis] + total
    return (*first[:axis], total, *first[axis + 1 :]), inputs[0].dtype


def _concatenate_adjoint(
    i: int, ct: Value, out: Value, *inputs: Value, axis: int
) -> Value:
    start: Size = 0
    for x in inputs[:i]:
        start = x.shape[axis] + start
    pieces = [_whole(size) for size in inputs[i].shape]
    pieces[axis] = (start, inputs[i].shape[axis], 1)
    return _slice(ct, pieces=tuple(pieces))


def _concatenate_batch(inputs: Any, batched: Any, axis: int) -> Node:
    length = next(x.shape[0] for x, has in zip(inputs, batched, strict=True) if has)
    whole = [
        x if has else broadcast_to(x, (length, *x.shape))
        for x, has in zip(inputs, batched, strict=True)
    ]
    node: Node = _concatenate(*whole, axis=axis + 1)
    return node


_concatenate: Op = linear(
    "concatenate",
    forward=lambda *arrays, axis: np.concatenate(arrays, axis),
    rule=_concatenate_rule,
    adjoints=_concatenate_adjoint,
    joint=True,
    batch=_concatenate_batch,
    cases=lambda rng: [
        Case("rows", (rng.normal(size=(2, 3)), rng.normal(size=(1, 3))), {"axis": 0}),
        Case(
            "three",
            tuple(rng.normal(size=(2, k)) for k in (1, 2, 3)),
            {"axis": 1},
        ),
        Case("empty", (rng.normal(size=(0, 3)), rng.normal(size=(2, 3))), {"axis": 0}),
    ],
    latex=lambda node: (
        r"\left["
        + ", ".join(f"{{{i}:any}}" for i in range(len(node.inputs)))
        + r"\right]"
    ),
    doc="The values one after the other along an axis.",
)


@names_operands
def concatenate(values: Any, axis: int = 0) -> Value:
    """Join `values` along an existing axis.

    Parameters
    ----------
    values : sequence of Node or array
        At least one; equal in shape but for `axis`.
    axis : int

    Returns
    -------
    Node or array

    Raises
    ------
    ShapeError
        If they do not fit.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n", 3))
    >>> weft.concatenate([x, x[1:]]).shape
    ('2n-1', 3)
    """
    if isinstance(values, Node) or not len(values):
        raise ShapeError("joining takes a list of at least one value")
    parts: Sequence[Value] = list(values)
    if any(isinstance(v, Node) for v in parts):
        parts = promoted(as_nodes(parts))
    return _concatenate(*parts, axis=normal_axis(axis, len(parts[0].shape)))


@names_operands
def stack(values: Any, axis: int = 0) -> Value:
    """Join `values` along a new axis.

    Parameters
    ----------
    values : sequence of Node or array
        At least one; all of one shape.
    axis : int
        Where the new axis stands in the result.

    Returns
    -------
    Node or array

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n",))
    >>> weft.stack([x, 2 * x], axis=1).shape
    ('n', 2)
    """
    if isinstance(values, Node):
        raise ShapeError("stacking takes a list of at least one value")
    parts: Sequence[Value] = list(values)
    if any(isinstance(v, Node) for v in parts):
        parts = as_nodes(parts)
    else:
        parts = [np.asarray(v) for v in parts]
    return concatenate([expand_dims(v, axis) for v in parts], axis)
