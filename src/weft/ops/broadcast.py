"""Shape and type rules that several ops share.

Broadcasting is NumPy's, decided at build time on symbolic shapes: two dimensions fit if
they are the same form or one is 1. One thing NumPy allows is refused: a vector of ``n``
rows beside a column ``(n, 1)`` would become an ``(n, n)`` table, which in a cost trains
the wrong thing in silence.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from weft.graph.dim import Dim, Shape, Size
from weft.graph.dtype import is_float, promote
from weft.graph.errors import DTypeError, ShapeError
from weft.graph.node import DType, Node


def broadcast_shapes(shapes: Sequence[Shape]) -> Shape:
    """Return the shape of an elementwise combination.

    Parameters
    ----------
    shapes : sequence of shape

    Returns
    -------
    shape

    Raises
    ------
    ShapeError
        If two do not fit, or would fit only as an accidental outer product.

    Examples
    --------
    >>> from weft.graph import as_shape
    >>> broadcast_shapes([as_shape(("n", 3)), (3,), ()])
    ('n', 3)
    """
    if all(shape == shapes[0] for shape in shapes[1:]):
        return shapes[0]
    rank = max(map(len, shapes))
    _refuse_accidental_outer(shapes)
    result: list[Size] = []
    for axis in range(-rank, 0):
        sizes = {shape[axis] for shape in shapes if len(shape) >= -axis}
        wide = sizes - {1}
        if len(wide) > 1:
            both = " and ".join(map(str, shapes))
            a, b = sorted(map(str, wide))[:2]
            raise ShapeError(f"shapes {both} do not broadcast: {a} against {b}")
        result.append(wide.pop() if wide else 1)
    return tuple(result)


def _refuse_accidental_outer(shapes: Sequence[Shape]) -> None:
    for vector in shapes:
        for column in shapes:
            if (
                len(vector) == 1
                and len(column) >= 2
                and column[-1] == 1
                and isinstance(vector[0], Dim)
                and vector[0] in column[:-1]
            ):
                raise ShapeError(
                    f"shapes {vector} and {column} would broadcast to every pair of "
                    f"{vector[0]}: drop the last axis by column[..., 0], or write "
                    "vector[:, None]; for all pairs write vector[None, :]"
                )


def elementwise_shape(inputs: tuple[Node, ...]) -> Shape:
    """Return the broadcast shape of `inputs`."""
    return broadcast_shapes([node.shape for node in inputs])


def common_dtype(inputs: tuple[Node, ...]) -> DType:
    """Return the type in which `inputs` are combined."""
    return promote([node.dtype for node in inputs])


def float_rule(*inputs: Node, **_: Any) -> tuple[Shape, DType]:
    """Return shape and type of an elementwise op that is of floats alone.

    The ``rule`` of a record such as that of `exp`.

    Raises
    ------
    DTypeError
        If the common type of the inputs is no float.

    Examples
    --------
    >>> import weft
    >>> float_rule(weft.input("x", ("n", 3)), weft.input("y", (3,)))
    (('n', 3), dtype('float32'))
    """
    dtype = common_dtype(inputs)
    if not is_float(dtype):
        raise DTypeError(
            f"this is computed in floats, and {dtype} was given: cast it first, for "
            "instance weft.cast(x, 'float32')"
        )
    return elementwise_shape(inputs), dtype


def normal_axis(axis: Any, ndim: int) -> int:
    """Return `axis` counted from the front.

    Raises
    ------
    ShapeError
        If there is no such axis.

    Examples
    --------
    >>> normal_axis(-1, 3)
    2
    """
    if not isinstance(axis, (int, np.integer)) or not -ndim <= axis < ndim:
        raise ShapeError(f"there is no axis {axis!r}: the value has {ndim} axes")
    return int(axis) % ndim


def normal_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return the axes meant by None (all), an int or several, sorted from the front.

    Raises
    ------
    ShapeError
        If one does not exist or is named twice.

    Examples
    --------
    >>> normal_axes(None, 2), normal_axes(-1, 2), normal_axes((1, 0), 2)
    ((0, 1), (1,), (0, 1))
    """
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(sorted(normal_axis(a, ndim) for a in given))
    if len(set(axes)) < len(axes):
        raise ShapeError(f"an axis is named twice in {axis!r}")
    return axes
