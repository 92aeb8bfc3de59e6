"""The whole matrix, where it fits: column by column, ``A e_i`` for all i.

What it would take is known before anything is computed, and a matrix that is too large
is refused: the products, the spectrum, trace and diagonal need no matrix.
"""

import os
from typing import Any, final

import numpy as np
from scipy.sparse.linalg import LinearOperator

from weft.graph.errors import FeedError, WeftError
from weft.graph.node import DType
from weft.ops.sample import Array

# Columns at a time.
_COLUMNS = 64


@final
class TooLargeError(WeftError, MemoryError):
    """A matrix that would not fit into memory."""


def dense_bytes(op: LinearOperator) -> int:
    """Return how many bytes the matrix of an operator would take.

    Parameters
    ----------
    op : LinearOperator

    Returns
    -------
    int

    Examples
    --------
    >>> from scipy.sparse.linalg import aslinearoperator
    >>> dense_bytes(aslinearoperator(np.eye(3)))
    72
    """
    return int(op.shape[0]) * int(op.shape[1]) * int(np.dtype(op.dtype).itemsize)


def dense(op: LinearOperator, limit: int | None = None) -> Array:
    """Return an operator as a matrix, from its products with the unit vectors.

    Parameters
    ----------
    op : LinearOperator
        As `hessian_operator` makes it.
    limit : int, optional
        How many bytes the matrix may take; by default half of this machine's memory.

    Returns
    -------
    numpy.ndarray
        As the products gave it: a Hessian is symmetric but for rounding.

    Raises
    ------
    TooLargeError
        If the matrix takes more than `limit`; before anything is computed.

    Examples
    --------
    >>> import weft
    >>> from weft import curvature
    >>> w = weft.parameter("w", (2,), "float64")
    >>> cost = w[0] * w[1] ** 2
    >>> curvature.dense(curvature.hessian_operator(cost, w, {w: [1.0, 2.0]}))
    array([[0., 4.],
           [4., 2.]])
    """
    needed, allowed = dense_bytes(op), _half_of_memory() if limit is None else limit
    rows, columns = (int(n) for n in op.shape)
    if needed > allowed:
        raise TooLargeError(
            f"a dense matrix of {rows:,} x {columns:,} would take {_readable(needed)}, "
            f"and {_readable(allowed)} are allowed: use the operator itself, whose "
            "products need no matrix (weft.curvature.hessian_operator, with SciPy's "
            "cg, eigsh or lobpcg; weft.curvature.spectrum, trace, diagonal)"
        )
    matrix = np.empty((rows, columns), op.dtype)
    for start in range(0, columns, _COLUMNS):
        matrix[:, start : start + _COLUMNS] = op.matmat(units(op, start, _COLUMNS))
    return matrix


def units(op: Any, start: int, count: int) -> Array:
    """Return up to `count` unit vectors, from that of `start`, as columns."""
    rows = int(op.shape[1])
    found = np.zeros((rows, min(count, rows - start)), op.dtype)
    columns = np.arange(found.shape[1])
    found[start + columns, columns] = 1
    return found


def _half_of_memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):  # Windows does not say
        return 8 * 10**9


def _readable(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return (
                f"{count / size:,.3g} {unit}"
                if count < 1000 * size
                else (f"{count / size:,.0f} {unit}")
            )
    return f"{count} bytes"


def floating(op: LinearOperator) -> DType:
    """Return the type of the vectors that a real operator is to be multiplied by.

    Raises
    ------
    FeedError
        If the operator is complex.

    Examples
    --------
    >>> from scipy.sparse.linalg import aslinearoperator
    >>> floating(aslinearoperator(np.eye(3, dtype=int)))
    dtype('float64')
    """
    found = np.result_type(op.dtype, np.float32)
    if found.kind != "f":
        raise FeedError(f"the matrix is of {op.dtype}: give a real one")
    return found
