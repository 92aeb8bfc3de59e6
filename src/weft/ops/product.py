"""The matrix product, also of stacks of matrices.

``U = H W`` has the gradients ``dH = G W'`` and ``dW = H' G`` for the gradient G of U
(slide "Gradients for matrix multiplication"; the slide after it swaps the two labels).
"""

from typing import Any

import numpy as np

from weft.graph.dim import Shape
from weft.graph.dtype import BOOL, promote
from weft.graph.errors import DTypeError, ShapeError
from weft.graph.node import DType, Node, names_operands
from weft.ops.broadcast import broadcast_shapes
from weft.ops.record import (
    Facts,
    Op,
    Value,
    align,
    as_nodes,
    linear,
    promoted,
    unbroadcast,
)
from weft.ops.sample import Case
from weft.ops.structure import reshape, swapaxes


def _rule(x: Node, y: Node) -> tuple[Shape, DType]:
    if x.shape[-1] != y.shape[-2]:
        raise ShapeError(
            f"the inner dimensions differ: {x.shape[-1]} columns on the left against "
            f"{y.shape[-2]} rows on the right"
        )
    dtype = promote([x.dtype, y.dtype])
    if dtype == BOOL:
        raise DTypeError("booleans have no products: cast them to a number first")
    stack = broadcast_shapes([x.shape[:-2], y.shape[:-2]])
    return (*stack, x.shape[-2], y.shape[-1]), dtype


_matmul: Op = linear(
    "matmul",
    forward=np.matmul,
    rule=_rule,
    adjoints=[
        lambda ct, out, x, y: unbroadcast(_matmul(ct, swapaxes(y, -1, -2)), x.shape),
        lambda ct, out, x, y: unbroadcast(_matmul(swapaxes(x, -1, -2), ct), y.shape),
    ],
    batch=lambda inputs, batched: _matmul(*align(inputs, batched, rank=2)),
    cases=lambda rng: [
        Case("plain", (rng.normal(size=(2, 3)), rng.normal(size=(3, 4)))),
        Case("stacks", (rng.normal(size=(5, 2, 3)), rng.normal(size=(5, 3, 2)))),
        Case("one-stack", (rng.normal(size=(2, 2, 3)), rng.normal(size=(3, 2)))),
        Case("spread", (rng.normal(size=(2, 1, 2, 3)), rng.normal(size=(4, 3, 2)))),
        Case("empty", (rng.normal(size=(0, 3)), rng.normal(size=(3, 2)))),
        Case("inner-empty", (rng.normal(size=(2, 0)), rng.normal(size=(0, 2)))),
        Case("size-1", (rng.normal(size=(1, 1)), rng.normal(size=(1, 1)))),
    ],
    latex="{0:matrix} {1:matrix}",
    binds="matrix",
    text="({0} @ {1})",
    facts=Facts(associative=True),
    doc="The matrix product over the last two axes; leading axes broadcast.",
)


@names_operands
def matmul(x: Value, y: Value) -> Value:
    """Return the matrix product of `x` and `y`, as ``x @ y``.

    Parameters
    ----------
    x : Node or array of shape (..., n, k) or (k,)
    y : Node or array of shape (..., k, m) or (k,)
        Leading axes broadcast; a vector is a row on the left and a column on the right,
        and its axis is dropped from the result.

    Returns
    -------
    Node or array of shape (..., n, m)

    Raises
    ------
    ShapeError
        If the inner dimensions differ, or either is a scalar.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n", 3))
    >>> W = weft.parameter("W", (3, 2))
    >>> (x @ W).shape
    ('n', 2)
    """
    if isinstance(x, Node) or isinstance(y, Node):
        x, y = promoted(as_nodes((_array(x), _array(y))))
    else:
        x, y = np.asarray(x), np.asarray(y)
    if not x.shape or not y.shape:
        raise ShapeError("a scalar has no matrix product: multiply with * instead")
    row, column = len(x.shape) == 1, len(y.shape) == 1
    if row:
        x = reshape(x, (1, *x.shape))
    if column:
        y = reshape(y, (*y.shape, 1))
    product = _matmul(x, y)
    shape = list(product.shape)
    if column:
        del shape[-1]
    if row:
        del shape[-1 if column else -2]
    return reshape(product, shape)


def _array(value: Any) -> Any:
    return value if isinstance(value, Node) else np.asarray(value)
