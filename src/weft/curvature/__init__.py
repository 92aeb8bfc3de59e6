"""Curvature: second derivatives as matrices that are known by their products.

`hessian_operator`, `gauss_newton_operator`, `fisher_operator` and
`empirical_fisher_operator` return SciPy `LinearOperator`s over the flattened
parameters, so that `scipy.sparse.linalg`'s `cg`, `minres`, `eigsh` and `lobpcg` apply
as they are. `spectrum`, `trace` and `diagonal` estimate what no product tells alone,
and `dense` makes the matrix where it fits.

>>> import weft
>>> from scipy.sparse.linalg import eigsh
>>> from weft import curvature
>>> w = weft.parameter("w", (3,), "float64")
>>> cost = weft.sum(weft.exp(w)) + w[0] * w[1]
>>> H = curvature.hessian_operator(cost, w, {w: [0.0, 0.0, 0.0]})
>>> eigsh(H, k=1, return_eigenvectors=False).round(6)
array([2.])
"""

from weft.curvature.dense import TooLargeError, dense, dense_bytes
from weft.curvature.estimates import Estimate, diagonal, trace
from weft.curvature.lanczos import Spectrum, spectrum, tridiagonal
from weft.curvature.matrices import (
    empirical_fisher_operator,
    fisher_operator,
    gauss_newton_operator,
    hessian_operator,
)
from weft.curvature.operator import CurvatureOperator

__all__ = [
    # matrices
    "CurvatureOperator",
    "hessian_operator",
    "gauss_newton_operator",
    "fisher_operator",
    "empirical_fisher_operator",
    # what they tell
    "Spectrum",
    "spectrum",
    "tridiagonal",
    "Estimate",
    "trace",
    "diagonal",
    "dense",
    "dense_bytes",
    "TooLargeError",
]
