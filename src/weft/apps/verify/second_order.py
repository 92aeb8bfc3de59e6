"""Curvature: the Hessian, and what its products alone can tell (section 6.5.10)."""

import time
from typing import Any

import numpy as np

import weft
from weft.apps.verify.claim import (
    Evidence,
    at_most,
    claim,
    evidence,
    exactly,
    true,
)
from weft.apps.verify.tools import Array, built, gap, largest, rng
from weft.graph.tree import flatten

nn = weft.nn


def regression(
    hidden: list[int], rows: int, inputs: int, dtype: str = "float64"
) -> tuple[Any, dict[str, Any], dict[Any, Array]]:
    """Return the cost of a small network on random rows, its parameters, the feed."""
    network = nn.mlp(hidden, "tanh", nn.Gaussian())
    params = network.symbols(inputs, dtype)
    x = weft.input("x", ("n", inputs), dtype)
    y = weft.input("y", ("n",), dtype)
    cost, _ = network.cost(params, x, y, nn.Predict())
    draw = rng(5)
    at = draw.normal(size=(rows, inputs)).astype(dtype)
    values = network.init(seed=1, in_features=inputs, dtype=dtype)
    feed = dict(zip(flatten(params)[0], flatten(values)[0], strict=True))
    return cost, params, {**feed, x: at, y: np.sin(at.sum(axis=1))}


def _columns(cost: Any, leaves: list[Any], feed: dict[Any, Array]) -> Array:
    """Return the Hessian by its products with the unit vectors."""
    sizes = [feed[leaf].size for leaf in leaves]
    directions = [
        weft.input(f"v{k}", leaf.shape, leaf.dtype) for k, leaf in enumerate(leaves)
    ]
    products = weft.hvp(cost, leaves, directions)
    rows = []
    for unit in np.eye(sum(sizes)):
        parts = np.split(unit, np.cumsum(sizes)[:-1])
        given = {
            v: part.reshape(feed[leaf].shape)
            for v, leaf, part in zip(directions, leaves, parts, strict=True)
        }
        found = weft.evaluate(products, {**feed, **given})
        rows.append(np.concatenate([np.ravel(part) for part in found]))
    return np.array(rows).T


@claim("S81", "a Hessian of n by n is not practical", "High-order derivatives")
def refusal() -> Evidence:
    """The Hessian of 100,000 parameters would take 80 GB: weft says so and refuses it,
    while a product of it with a vector is a matter of milliseconds.
    """
    curvature = built("curvature")
    n = 100_000
    w = weft.parameter("w", (n,), "float64")
    cost = weft.sum(weft.softplus(w)) + 0.5 * weft.square(weft.sum(w))
    at, v = rng().normal(size=n), rng(1).normal(size=n)
    H = curvature.hessian_operator(cost, w, {w: at})
    size = curvature.dense_bytes(H)
    try:
        curvature.dense(H, limit=8 * 10**9)
        said = ""
    except MemoryError as error:
        said = " ".join(str(error).split())
    s = 1 / (1 + np.exp(-at))
    expected = s * (1 - s) * v + v.sum()
    return evidence(
        f"{size / 1e9:.0f} GB refused; H v is right to {gap(H @ v, expected):.1g}",
        exactly("bytes", size, 8 * n * n),
        true("refused, with its size", "80 GB" in said),
        at_most("error of H v", gap(H @ v, expected), 1e-12),
    )


@claim("S82", "Krylov methods need products alone", "High-order derivatives")
def krylov() -> Evidence:
    """Eigenvalues and approximate inverses come from products H v alone: Lanczos,
    LOBPCG, CG, MINRES, trace and density estimates agree with the dense matrix.
    """
    curvature = built("curvature")
    from scipy.sparse.linalg import LinearOperator, cg, eigsh, lobpcg, minres

    cost, params, feed = regression([12, 12], 200, 8)
    leaves = flatten(params)[0]
    H = curvature.hessian_operator(cost, params, feed)
    dense = _columns(cost, leaves, feed)
    n = len(dense)
    values = np.linalg.eigvalsh(dense)
    top = values[np.argsort(-np.abs(values))[:10]]
    lanczos = eigsh(
        H, k=10, which="LM", return_eigenvectors=False, v0=np.ones(n), tol=1e-12
    )
    start = rng().normal(size=(n, 14))
    block, _ = lobpcg(H, start, largest=True, tol=1e-9, maxiter=400)
    highest = np.sort(values)[::-1][:4]
    b = rng(2).normal(size=n)
    shift = 1.1 * abs(values.min()) + 1e-2 * abs(values).max()
    A = LinearOperator((n, n), matvec=lambda v: H @ v + shift * v, dtype=np.float64)
    exact = np.linalg.solve(dense + shift * np.eye(n), b)
    by_cg, _ = cg(A, b, rtol=1e-11, maxiter=10 * n)
    by_minres, _ = minres(A, b, rtol=1e-12, maxiter=10 * n)
    third = n // 3
    estimate = curvature.trace(H, products=third)
    deviations = abs(float(estimate) - np.trace(dense)) / estimate.error
    seen = curvature.spectrum(H, probes=(probes := 8), steps=100)
    ends = gap(seen.nodes[[0, -1]], values[[0, -1]])
    moments = [
        abs(float(seen.weights @ seen.nodes**k) - np.mean(values**k))
        / _deviation(values**k, probes)
        for k in (1, 2)
    ]
    error = gap(np.sort(lanczos), np.sort(top))
    return evidence(
        f"{n} parameters: 10 eigenvalues to {error:.1g}, CG to "
        f"{gap(by_cg, exact):.1g}, ends of the spectrum to {ends:.1g}; trace "
        f"{float(estimate):.3f} +- {estimate.error:.3f} from {third} products, "
        f"{np.trace(dense):.3f} in truth",
        at_most("parameters", n, 500),
        at_most("eigsh", error, 1e-6),
        at_most("lobpcg", gap(np.sort(block)[::-1][:4], highest), 1e-6),
        at_most("cg", gap(by_cg, exact), 1e-6),
        at_most("minres", gap(by_minres, exact), 1e-6),
        exactly("products for the trace", estimate.products, third),
        at_most("trace, in standard errors", deviations, 4),
        at_most("standard error / trace", estimate.error / np.trace(dense), 0.05),
        at_most("ends of the spectrum", ends, 1e-6),
        at_most("its moments, in standard errors", largest(moments), 4),
    )


def _deviation(values: Array, probes: int) -> float:
    """Return the standard error of u'Au over random unit vectors u.

    By the moments of the uniform distribution on the sphere, where A has the
    eigenvalues given.
    """
    n = values.size
    variance = 2 * n * np.var(values) / (n * (n + 2))
    return float(np.sqrt(variance / probes))


@claim("S83", "Hv is a gradient of a product", "Hessian-vector Products")
def products() -> Evidence:
    """H v = grad((grad f)'v) needs no Hessian: forward over reverse, reverse over
    reverse and differences of the gradient are all the dense Hessian times v, for less
    than four gradients.
    """
    cost, params, feed = regression([12, 12], 100, 8)
    leaves = flatten(params)[0]
    v = [rng(9).normal(size=feed[leaf].shape) for leaf in leaves]
    modes = ("forward", "reverse", "finite")
    found = weft.evaluate(
        [weft.hvp(cost, leaves, v, mode=mode) for mode in modes], feed
    )
    expected = _dense(cost, leaves, feed) @ np.concatenate([np.ravel(d) for d in v])
    errors = {
        mode: gap(np.concatenate([np.ravel(part) for part in parts]), expected)
        for mode, parts in zip(modes, found, strict=True)
    }
    ratio, compiled = _compiled_product()
    said = ", ".join(f"{mode} to {error:.1g}" for mode, error in errors.items())
    return evidence(
        f"the dense Hessian of {expected.size} parameters times v: {said}; one product "
        f"takes {ratio:.1f} gradients",
        at_most("forward over reverse", errors["forward"], 1e-12),
        at_most("reverse over reverse", errors["reverse"], 1e-12),
        at_most("differences", errors["finite"], 1e-6),
        at_most("compiled, in float32", compiled, 1e-4),
        at_most("time in gradients", ratio, 4),
    )


def _dense(cost: Any, leaves: list[Any], feed: dict[Any, Array]) -> Array:
    """Return the Hessian as the Jacobian of the gradient, block by block."""
    blocks = weft.evaluate(
        [[weft.jacobian(g, x) for x in leaves] for g in weft.grad(cost, leaves)], feed
    )
    rows = [
        np.hstack([np.reshape(block, (feed[g].size, -1)) for block in line])
        for g, line in zip(leaves, blocks, strict=True)
    ]
    return np.vstack(rows)


def _compiled_product() -> tuple[float, float]:
    """Return the time of a compiled product over that of a gradient, and its error."""
    cost, params, feed = regression([128, 128], 512, 64, "float32")
    leaves = flatten(params)[0]
    directions = [
        weft.input(f"v{k}", leaf.shape, leaf.dtype) for k, leaf in enumerate(leaves)
    ]
    inputs = [leaf for leaf in feed if leaf not in leaves]
    state = {leaf: feed[leaf] for leaf in leaves}
    rows = [feed[leaf] for leaf in inputs]
    v = [feed[leaf] for leaf in leaves]
    options: dict[str, Any] = {"state": state, "engine": "native", "threads": 1}
    gradient = weft.compile(inputs, weft.grad(cost, leaves), **options)
    product = weft.compile(
        [*inputs, *directions], weft.hvp(cost, leaves, directions), **options
    )
    expected = weft.evaluate(
        weft.hvp(cost, leaves, directions),
        {**feed, **dict(zip(directions, v, strict=True))},
    )
    error = largest(map(gap, product(*rows, *v), expected))
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(15):  # in turns, and in processor time: others may use the machine
        for program, arrays, taken in (
            (gradient, rows, times[0]),
            (product, [*rows, *v], times[1]),
        ):
            begun = time.process_time()
            for _ in range(4):
                program(*arrays)
            taken.append(time.process_time() - begun)
    return float(np.median(times[1]) / np.median(times[0])), error


@claim("S84", "the Hessian, column by column", "Hessian-vector Products")
def columns() -> Evidence:
    """H e_i for all i is the Hessian, and it is symmetric."""
    cost, params, feed = regression([5, 4], 30, 3)
    leaves = flatten(params)[0]
    by_columns = _columns(cost, leaves, feed)
    dense = _dense(cost, leaves, feed)
    skew = float(np.abs(by_columns - by_columns.T).max() / np.abs(by_columns).max())
    return evidence(
        f"{len(dense)} columns equal the dense Hessian to "
        f"{gap(by_columns, dense):.1g}; asymmetry {skew:.1g}",
        at_most("columns against the dense Hessian", gap(by_columns, dense), 1e-12),
        at_most("asymmetry", skew, 1e-10),
    )


CLAIMS = (refusal, krylov, products, columns)
