"""Rows to learn from, and rows to hold out.

The same seed gives the same rows with every version of NumPy: rows are ordered by raw
random words of the counter-based Philox generator, whose stream is fixed for good.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weft.tables.errors import TableError


class Split(NamedTuple):
    """Two sets of row numbers, each ascending, that together are all rows.

    Attributes
    ----------
    train, held : ndarray of int, one dimension
        The rows to learn from, and those held out.
    """

    train: NDArray[np.intp]
    held: NDArray[np.intp]


def split(
    rows: int,
    fraction: float,
    seed: int = 0,
    codes: NDArray[np.integer] | None = None,
) -> Split:
    """Hold out a part of the rows, drawn at random.

    Parameters
    ----------
    rows : int
        How many there are.
    fraction : float
        The share to hold out, between 0 and 1.
    seed : int
    codes : ndarray of int, shape (rows,), optional
        The class of each row. Each class is then held out in proportion, as nearly as
        whole rows allow; a class of one row stays among those to learn from.

    Returns
    -------
    Split

    Raises
    ------
    TableError
        If the part held out, or the rest, would be empty.

    Examples
    --------
    >>> train, held = split(10, 0.2, seed=1)
    >>> len(train), len(held)
    (8, 2)
    >>> split(3, 0.1)
    Traceback (most recent call last):
    weft.tables.errors.TableError: too few rows to hold out 10 % for validation:
    there are 3, and at least 5 are needed
    """
    if not 0.0 < fraction < 1.0:
        raise TableError(f"a fraction of {fraction} cannot be held out: 0 < it < 1")
    wanted = int(rows * fraction + 0.5)
    if wanted < 1 or wanted >= rows:
        raise TableError(
            f"too few rows to hold out {100 * fraction:.4g} % for validation: there "
            f"{'is' if rows == 1 else 'are'} {rows}, and at least {_least(fraction)} "
            "are needed"
        )
    order = np.argsort(np.random.Philox(key=seed).random_raw(rows), kind="stable")
    if codes is None:
        held = order[:wanted]
    else:
        held = _in_proportion(order, np.asarray(codes), wanted)
    mask = np.zeros(rows, dtype=bool)
    mask[held] = True
    return Split(np.flatnonzero(~mask), np.flatnonzero(mask))


def _least(fraction: float) -> int:
    """Return the smallest number of rows of which a part can be held out."""
    for_held = math.ceil(0.5 / fraction)
    for_rest = math.floor(0.5 / (1.0 - fraction)) + 1
    return max(for_held, for_rest, 2)


def _in_proportion(
    order: NDArray[np.intp], codes: NDArray[np.integer], wanted: int
) -> NDArray[np.intp]:
    """Return the first rows of each class in the order given, by largest remainders."""
    if len(codes) != len(order):
        raise TableError(f"{len(codes)} classes given for {len(order)} rows")
    classes, often = np.unique(codes, return_counts=True)
    exact = often * (wanted / len(codes))
    quota = np.minimum(np.floor(exact).astype(np.intp), often - 1)
    spare = often - 1 - quota
    # The largest remainders first; a class that is used up waits for the end.
    for index in np.argsort(-(exact - quota), kind="stable").tolist() * 2:
        if quota.sum() >= wanted:
            break
        if spare[index] > 0:
            quota[index] += 1
            spare[index] -= 1
    if quota.sum() == 0:
        raise TableError(
            "each class has one row only: none can be held out for validation"
        )
    shuffled = codes[order]
    parts = [order[shuffled == c][:q] for c, q in zip(classes, quota, strict=True)]
    return np.concatenate(parts)
