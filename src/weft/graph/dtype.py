"""The five data types of weft, and how they mix.

A data type is a NumPy dtype out of `DTYPES`. Mixing follows NumPy with one stated
difference: an integer or boolean beside a float takes *that* float's type, so that
``float32 * int64`` stays float32 (NumPy would widen it to float64, and with it
every later layer of a network).
"""

from contextlib import suppress
from typing import Any

import numpy as np

from weft.graph.errors import DTypeError

BOOL = np.dtype("bool")
INT32 = np.dtype("int32")
INT64 = np.dtype("int64")
FLOAT32 = np.dtype("float32")
FLOAT64 = np.dtype("float64")

# Narrowest first: `promote` relies on the order.
DTYPES: tuple[np.dtype[Any], ...] = (BOOL, INT32, INT64, FLOAT32, FLOAT64)


def as_dtype(given: Any) -> np.dtype[Any]:
    """Return the data type that `given` names.

    Parameters
    ----------
    given : str, type or numpy.dtype
        For instance ``"float32"`` or ``np.int64``.

    Returns
    -------
    numpy.dtype
        One of bool, int32, int64, float32, float64.

    Raises
    ------
    DTypeError
        If weft has no such type.

    Examples
    --------
    >>> as_dtype("float32")
    dtype('float32')
    """
    dtype: np.dtype[Any] | None = None
    if given is not None:  # which NumPy would read as float64
        with suppress(TypeError):
            dtype = np.dtype(given)
    if dtype is None or dtype not in DTYPES:
        names = ", ".join(str(d) for d in DTYPES)
        raise DTypeError(f"no data type {given!r}: weft computes in {names}")
    return dtype


def is_float(dtype: np.dtype[Any]) -> bool:
    """Tell whether `dtype` is a float, that is, whether derivatives flow through it."""
    return dtype.kind == "f"


def promote(dtypes: list[np.dtype[Any]]) -> np.dtype[Any]:
    """Return the type in which values of `dtypes` are combined.

    Parameters
    ----------
    dtypes : list of numpy.dtype
        At least one.

    Returns
    -------
    numpy.dtype
        The widest, where any float is wider than any integer, and any integer
        wider than bool.

    Examples
    --------
    >>> promote([INT64, FLOAT32])
    dtype('float32')
    """
    return max(dtypes, key=DTYPES.index)
