"""The spectral density of a matrix from a few products: stochastic Lanczos quadrature.

Lanczos's method from a random unit vector makes a small tridiagonal matrix T whose
eigenvalues, weighted by the squared first components of its eigenvectors, are a Gauss
quadrature of the density of eigenvalues as that vector sees it; the mean over random
vectors is that of the whole matrix (Ubaru, Chen, Saad 2017; Ghorbani, Krishnan, Xiao
2019). Every new vector is made orthogonal to all before it, twice: without that,
rounding makes copies of the large eigenvalues.
"""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from scipy.linalg import eigh_tridiagonal
from scipy.sparse.linalg import LinearOperator

from weft.curvature.dense import floating
from weft.graph.errors import FeedError
from weft.ops.sample import Array


@final
@dataclass(frozen=True, eq=False)
class Spectrum:
    """A density of eigenvalues as weighted points.

    Parameters
    ----------
    nodes : numpy.ndarray
        Where the mass lies, ascending. The outermost are near the extreme eigenvalues.
    weights : numpy.ndarray
        Of the nodes; they sum to 1.
    size : int
        How many eigenvalues there are altogether.

    Examples
    --------
    >>> found = Spectrum(np.array([0.0, 4.0]), np.array([0.75, 0.25]), 8)
    >>> found.trace, found.share(1.0, np.inf)
    (8.0, 0.25)
    """

    nodes: Array
    weights: Array
    size: int

    def __repr__(self) -> str:
        low, high = (self.nodes[0], self.nodes[-1]) if len(self.nodes) else (0, 0)
        return (
            f"Spectrum of {self.size} eigenvalues from about {low:.4g} to {high:.4g} "
            f"({len(self.nodes)} nodes)"
        )

    @property
    def trace(self) -> float:
        """The sum of all eigenvalues, as estimated."""
        return self.size * float(self.nodes @ self.weights)

    def share(self, low: float, high: float) -> float:
        """Return the share of eigenvalues from `low` to `high`."""
        inside = (self.nodes >= low) & (self.nodes <= high)
        return float(np.sum(self.weights[inside]))

    def density(
        self, grid: Any = None, width: float | None = None
    ) -> tuple[Array, Array]:
        """Return the density, each node widened to a normal distribution.

        Parameters
        ----------
        grid : array of float, optional
            Where; by default 400 points over the nodes and a little beyond.
        width : float, optional
            The standard deviation; by default a hundredth of the nodes' range.

        Returns
        -------
        grid, density : numpy.ndarray
            The density integrates to 1.
        """
        low, high = float(self.nodes[0]), float(self.nodes[-1])
        if width is None:
            width = max((high - low) / 100, 1e-6 * max(abs(low), abs(high), 1e-6))
        if width <= 0:
            raise FeedError(f"width is {width}: give a number above 0")
        if grid is None:
            grid = np.linspace(low - 5 * width, high + 5 * width, 400)
        points = np.asarray(grid, np.float64)
        off = (points[:, None] - self.nodes) / width
        bells = np.exp(-(off**2) / 2) / (width * np.sqrt(2 * np.pi))
        return points, bells @ self.weights

    def plot(self, ax: Any = None, width: float | None = None) -> Any:
        """Draw the density on a logarithmic scale with Matplotlib.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where; on new axes by default.
        width : float, optional
            As in `density`.

        Returns
        -------
        matplotlib.axes.Axes
        """
        if ax is None:
            from matplotlib.figure import Figure  # slow to import

            ax = Figure(layout="constrained").add_subplot()
        grid, density = self.density(width=width)
        ax.semilogy(grid, density)
        # Between the nodes there is nothing: what lies far below says so.
        ax.set_ylim(bottom=max(density.max() * 1e-8, np.finfo(float).tiny))
        ax.set_xlabel("eigenvalue")
        ax.set_ylabel("density")
        return ax


def spectrum(
    op: LinearOperator, probes: int = 4, steps: int = 80, seed: int = 0
) -> Spectrum:
    """Estimate how the eigenvalues of a symmetric operator are distributed.

    Parameters
    ----------
    op : LinearOperator
    probes : int
        How many random vectors.
    steps : int
        Products per vector; fewer where the matrix is smaller, or the vector's space is
        exhausted. A probe keeps `steps` vectors of float64.
    seed : int

    Returns
    -------
    Spectrum

    Raises
    ------
    FeedError
        If there are no probes or steps, the matrix is complex, or a product is not
        finite.

    Examples
    --------
    >>> from scipy.sparse.linalg import aslinearoperator
    >>> found = spectrum(aslinearoperator(np.diag([1.0, 1.0, 1.0, 5.0])), probes=50)
    >>> found.nodes[[0, -1]].round(6), bool(abs(found.share(4, 6) - 0.25) < 0.1)
    (array([1., 5.]), True)
    """
    if probes < 1 or steps < 1:
        raise FeedError(
            f"spectrum with {probes} probes and {steps} steps: give at least one each"
        )
    rng = np.random.default_rng(seed)
    size = int(op.shape[0])
    nodes, weights = [], []
    for _ in range(probes):
        alphas, betas = tridiagonal(op, rng.normal(size=size), min(steps, size))
        values, vectors = eigh_tridiagonal(alphas, betas)
        nodes.append(values)
        weights.append(vectors[0] ** 2 / probes)
    found = np.concatenate(nodes)
    order = np.argsort(found, kind="stable")
    return Spectrum(found[order], np.concatenate(weights)[order], size)


def tridiagonal(op: LinearOperator, start: Array, steps: int) -> tuple[Array, Array]:
    """Return diagonal and off-diagonal of Lanczos's matrix from a starting vector.

    Parameters
    ----------
    op : LinearOperator
        Symmetric.
    start : array of shape (size,)
        Of any length but 0.
    steps : int
        At most so many products.

    Returns
    -------
    alphas, betas : numpy.ndarray
        Of k and k - 1 numbers; k is below `steps` where the space is exhausted.

    Raises
    ------
    FeedError
        If the matrix is complex, or a product is not finite.

    Examples
    --------
    >>> from scipy.sparse.linalg import aslinearoperator
    >>> op = aslinearoperator(np.diag([1.0, 3.0]))
    >>> tridiagonal(op, np.ones(2), 2)
    (array([2., 2.]), array([1.]))
    """
    basis = np.empty((steps, start.size))
    basis[0] = start / np.linalg.norm(start)
    alphas, betas, scale = np.zeros(steps), np.zeros(steps), 0.0
    dtype = floating(op)
    eps = float(np.finfo(dtype).eps)
    for k in range(steps):
        w = np.asarray(op.matvec(basis[k].astype(dtype)), np.float64)
        alphas[k] = basis[k] @ w
        if not np.isfinite(alphas[k]):
            raise FeedError("a product with the matrix is not finite: check the feed")
        known = basis[: k + 1]
        for _ in range(2):
            w -= known.T @ (known @ w)
        betas[k] = np.linalg.norm(w)
        scale = max(scale, abs(alphas[k]), betas[k])
        if k + 1 == steps or betas[k] <= 10 * eps * scale:
            return alphas[: k + 1], betas[:k]
        basis[k + 1] = w / betas[k]
    raise AssertionError("unreachable: the last step returns")
