"""Trace and diagonal from products with random signs, each with its standard error.

For a vector z of independent signs, ``E[z' A z]`` is the trace (Hutchinson 1990) and
``E[z * A z]`` the diagonal (Bekas, Kokiopoulou, Saad 2007). A few large eigenvalues,
which networks have, make the trace's estimate poor: Hutch++ (Meyer, Musco, Musco,
Woodruff 2021) finds their space first, takes its part of the trace exactly, and
estimates the rest. What is no more work to compute than to estimate is computed.
"""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from scipy.sparse.linalg import LinearOperator

from weft.curvature.dense import floating, units
from weft.graph.errors import FeedError
from weft.ops.sample import Array

# Vectors at a time.
_COLUMNS = 64


@final
@dataclass(frozen=True, eq=False)
class Estimate:
    """A number, or an array of numbers, and how sure they are.

    Parameters
    ----------
    value : float or numpy.ndarray
    error : float or numpy.ndarray
        The standard error; 0 where the value was computed and not estimated.
    products : int
        How many products with the matrix it took.
    """

    value: Any
    error: Any
    products: int

    def __repr__(self) -> str:
        value, error = np.asarray(self.value), np.asarray(self.error)
        if value.ndim == 0:
            return f"{value:.6g} +- {error:.2g} ({self.products} products)"
        return f"Estimate of {value.size} numbers ({self.products} products)"

    def __float__(self) -> float:
        return float(self.value)


def trace(op: LinearOperator, products: int = 96, seed: int = 0) -> Estimate:
    """Estimate the trace of a symmetric operator (Hutch++).

    Parameters
    ----------
    op : LinearOperator
    products : int
        How many products it may take, at least 6: a third each find the space of the
        large eigenvalues, take its part, and estimate the rest. With as many as the
        matrix has columns, the trace is computed.
    seed : int

    Returns
    -------
    Estimate

    Raises
    ------
    FeedError
        If there are too few products, or the matrix is complex or not square.

    Examples
    --------
    >>> from scipy.sparse.linalg import aslinearoperator
    >>> found = trace(aslinearoperator(np.diag(1 / np.arange(1.0, 501) ** 2)))
    >>> exact = np.sum(1 / np.arange(1.0, 501) ** 2)
    >>> bool(abs(float(found) - exact) < 3 * found.error), found.products
    (True, 96)
    """
    size = _square(op)
    if products >= size:
        exact = diagonal(op, exact=True)
        return Estimate(float(np.sum(exact.value)), 0.0, size)
    third = _at_least(products, 6, "products") // 3
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(_times(op, _signs(rng, size, third)))
    inside = float(np.sum(basis * _times(op, basis)))
    rest = _signs(rng, size, products - 2 * third)
    rest -= basis @ (basis.T @ rest)
    samples = np.sum(rest * _times(op, rest), axis=0)
    error = float(np.std(samples, ddof=1) / np.sqrt(samples.size))
    return Estimate(inside + float(np.mean(samples)), error, products)


def diagonal(
    op: LinearOperator, probes: int = 100, seed: int = 0, exact: bool = False
) -> Estimate:
    """Estimate the diagonal of a symmetric operator.

    Parameters
    ----------
    op : LinearOperator
    probes : int
        How many vectors of random signs, at least 2. The error of an entry is the norm
        of the rest of its row, divided by the root of `probes`.
    seed : int
    exact : bool
        Take the unit vectors instead: as many products as columns, and no error.

    Returns
    -------
    Estimate
        With an array as its value and one as its error.

    Raises
    ------
    FeedError
        If there are too few probes, or the matrix is complex or not square.

    Examples
    --------
    >>> from scipy.sparse.linalg import aslinearoperator
    >>> op = aslinearoperator(np.diag([1.0, 2.0, 3.0]))
    >>> diagonal(op, probes=2).value, diagonal(op, exact=True).value
    (array([1., 2., 3.]), array([1., 2., 3.]))
    """
    size = _square(op)
    if exact:
        found = np.empty(size)
        for start in range(0, size, _COLUMNS):
            columns = np.asarray(op.matmat(units(op, start, _COLUMNS)))
            at = np.arange(columns.shape[1])
            found[start + at] = columns[start + at, at]
        return Estimate(found, np.zeros(size), size)
    _at_least(probes, 2, "probes")
    rng = np.random.default_rng(seed)
    mean, squares = np.zeros(size), np.zeros(size)  # Welford's, a probe at a time
    for i in range(probes):
        signs = _signs(rng, size, 1)
        sample = (signs * _times(op, signs))[:, 0]
        off = sample - mean
        mean += off / (i + 1)
        squares += off * (sample - mean)
    return Estimate(mean, np.sqrt(squares / (probes - 1) / probes), probes)


def _signs(rng: np.random.Generator, size: int, count: int) -> Array:
    return rng.choice(np.array([-1.0, 1.0]), (size, count))


def _times(op: LinearOperator, columns: Array) -> Array:
    return np.asarray(op.matmat(columns.astype(floating(op))), np.float64)


def _square(op: LinearOperator) -> int:
    floating(op)
    rows, columns = op.shape
    if rows != columns:
        raise FeedError(
            f"a matrix of {rows} x {columns} has neither: give a square one"
        )
    return int(rows)


def _at_least(given: int, least: int, name: str) -> int:
    if given < least:
        raise FeedError(f"{name} is {given}: give at least {least}")
    return given
