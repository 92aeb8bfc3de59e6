"""Rows: what a network is fitted to, checked once, and the order they are taken in.

The order of an epoch is a pure function of the seed and of the epoch's number, so a run
can be repeated, and continued, without remembering a generator.
"""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.graph.node import DType
from weft.nn.network import Network
from weft.train.errors import DataError

Array = np.ndarray[Any, Any]


@final
@dataclass(frozen=True, eq=False)
class Rows:
    """Inputs, targets and weights of some rows.

    Parameters
    ----------
    X : numpy.ndarray, shape (rows, features)
    y : numpy.ndarray, shape (rows, ...)
    weight : numpy.ndarray, shape (rows,), or None
        None where every row counts alike.
    """

    X: Array
    y: Array
    weight: Array | None = None

    def __len__(self) -> int:
        return len(self.X)


def as_inputs(X: Any, dtype: DType, name: str = "X") -> Array:
    """Return inputs as an array of finite numbers of shape (rows, features).

    Raises
    ------
    DataError
        If they are not; the message says where.
    """
    try:
        array = np.asarray(X)
    except (TypeError, ValueError):
        array = np.empty((), object)
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"{name} is not an array of numbers ({type(X).__name__} of {array.dtype}): "
            "encode text and categories first, and make a sparse matrix dense"
        )
    if array.ndim != 2 or 0 in array.shape:
        raise DataError(
            f"{name} has shape {array.shape}: give one row per example and one column "
            "per feature, at least one of each"
        )
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(array, dtype)
    finite = np.isfinite(found)
    if not finite.all():
        row, column = map(int, np.argwhere(~finite)[0])
        raise DataError(
            f"{name} holds {array[row, column]} in row {row}, column {column}: a "
            f"network needs finite {dtype} numbers"
        )
    return found


def as_weight(given: Any, count: int, dtype: DType) -> Array:
    """Return sample weights as an array of shape (rows,).

    Raises
    ------
    DataError
        If they are not one nonnegative number per row, or add up to 0 or to infinity.
    """
    weight = np.asarray(given)
    if weight.shape != (count,):
        raise DataError(
            f"sample_weight has shape {weight.shape}: give ({count},), one per row"
        )
    if weight.dtype.kind not in "biuf" or not np.isfinite(weight).all():
        raise DataError("sample_weight holds something that is not a finite number")
    if (weight < 0).any() or not (weight > 0).any():
        raise DataError(
            "sample weights cannot be negative, and at least one must be above 0"
        )
    with np.errstate(over="ignore"):
        found = weight.astype(dtype)
        total = found.sum()
    if not 0 < total < np.inf:
        raise DataError(
            f"the sample weights, of {weight.min():g} to {weight.max():g}, add up to "
            f"{total:g} in {dtype}: divide them by their mean"
        )
    return found


def as_rows(
    network: Network, X: Any, y: Any, sample_weight: Any, dtype: DType, name: str = ""
) -> Rows:
    """Return checked rows; those of weight 0 are left out.

    Parameters
    ----------
    network : Network
        Its output unit says what a target is.
    X, y, sample_weight : array-like
    dtype : numpy.dtype
    name : str
        For messages, such as "validation".

    Returns
    -------
    Rows

    Raises
    ------
    DataError, TargetError
        If they cannot be used.
    """
    label = f"{name} X" if name else "X"
    inputs = as_inputs(X, dtype, label)
    target = network.output.as_target(y, dtype)
    if len(inputs) != len(target):
        raise DataError(
            f"{label} has {len(inputs)} rows and y has {len(target)}: give one target "
            "per row"
        )
    if sample_weight is None:
        return Rows(inputs, target)
    weight = as_weight(sample_weight, len(inputs), dtype)
    kept = weight > 0
    if not kept.all():
        inputs, target, weight = inputs[kept], target[kept], weight[kept]
    return Rows(inputs, target, weight)


def order(seed: int, epoch: int, count: int, shuffle: bool = True) -> Array:
    """Return the order in which an epoch takes the rows.

    Parameters
    ----------
    seed : int
        At least 0.
    epoch : int
        From 0.
    count : int
        The number of rows.
    shuffle : bool
        Whether to permute them.

    Returns
    -------
    numpy.ndarray of int64, shape (count,)

    Examples
    --------
    >>> order(0, 3, 5).tolist() == order(0, 3, 5).tolist() != order(0, 4, 5).tolist()
    True
    """
    if not shuffle:
        return np.arange(count)
    return np.random.default_rng((seed, epoch)).permutation(count)


def batch_weights(rows: Rows, taken: Array, batch_size: int) -> Array:
    """Return the sum of the weights of each batch, shape (steps,), in float64."""
    starts = np.arange(0, len(taken), batch_size)
    if rows.weight is None:
        ends = np.minimum(starts + batch_size, len(taken))
        return (ends - starts).astype(np.float64)
    return np.asarray(np.add.reduceat(rows.weight[taken].astype(np.float64), starts))
