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
from weft.apps.verify.tools import Array, built, gap, rng
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
        true("refused, with its size", any(c.isdigit() for c in said)),
        at_most("error of H v", gap(H @ v, expected), 1e-12),
    )


@claim("S82", "Krylov methods need products alone", "High-order derivatives")
def krylov() -> Evidence:
    """Eigenvalues and approximate inverses come from products H v alone: Lanczos,
    LOBPCG, CG, MINRES and trace estimates agree with the dense matrix.
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
    estimate = curvature.trace(H, products=n)
    error = float(
        np.max(np.abs(np.sort(lanczos) - np.sort(top)) / np.abs(np.sort(top)))
    )
    return evidence(
        f"{n} parameters: 10 eigenvalues to {error:.1g}, CG to "
        f"{gap(by_cg, exact):.1g}, "
        f"trace {float(estimate):.3f} against {np.trace(dense):.3f}",
        at_most("parameters", n, 500),
        at_most("eigsh", error, 1e-6),
        at_most("lobpcg", gap(np.sort(block)[::-1][:4], highest), 1e-6),
        at_most("cg", gap(by_cg, exact), 1e-6),
        at_most("minres", gap(by_minres, exact), 1e-6),
        at_most("trace", abs(float(estimate) / np.trace(dense) - 1), 0.1),
    )


@claim("S83", "Hv is a gradient of a product", "Hessian-vector Products")
def products() -> Evidence:
    """H v = grad((grad f)'v) needs no Hessian: reverse over reverse, forward over
    reverse and differences of the gradient agree, for less than four gradients.
    """
    cost, params, feed = regression([32, 32], 100, 10)
    leaves = flatten(params)[0]
    v = [rng(9).normal(size=feed[leaf].shape) for leaf in leaves]
    gradient = weft.grad(cost, leaves)
    directions = {leaf: weft.constant(d) for leaf, d in zip(leaves, v, strict=True)}
    backward, ahead = weft.evaluate(
        [weft.hvp(cost, leaves, v), weft.jvp(gradient, directions)], feed
    )
    step = 1e-5
    sides = [
        weft.evaluate(
            gradient,
            {
                **feed,
                **{leaf: feed[leaf] + s * d for leaf, d in zip(leaves, v, strict=True)},
            },
        )
        for s in (step, -step)
    ]
    between = [(a - b) / (2 * step) for a, b in zip(*sides, strict=True)]
    modes = max(map(gap, ahead, backward))
    numeric = max(map(gap, between, backward))
    ratio, compiled = _compiled_product()
    return evidence(
        f"the modes agree to {modes:.1g}, with differences to {numeric:.1g}; one "
        f"product takes {ratio:.1f} gradients",
        at_most("forward over reverse", modes, 1e-12),
        at_most("differences", numeric, 1e-6),
        at_most("compiled, in float32", compiled, 1e-4),
        at_most("time in gradients", ratio, 4),
    )


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
    error = max(map(gap, product(*rows, *v), expected))
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
    blocks = weft.evaluate(
        [[weft.jacobian(g, x) for x in leaves] for g in weft.grad(cost, leaves)], feed
    )
    rows = []
    for g, line in zip(leaves, blocks, strict=True):
        count = feed[g].size
        rows.append(np.hstack([np.reshape(block, (count, -1)) for block in line]))
    dense = np.vstack(rows)
    skew = float(np.abs(by_columns - by_columns.T).max() / np.abs(by_columns).max())
    return evidence(
        f"{len(dense)} columns equal the dense Hessian to "
        f"{gap(by_columns, dense):.1g}; asymmetry {skew:.1g}",
        at_most("columns against the dense Hessian", gap(by_columns, dense), 1e-12),
        at_most("asymmetry", skew, 1e-10),
    )


CLAIMS = (refusal, krylov, products, columns)
