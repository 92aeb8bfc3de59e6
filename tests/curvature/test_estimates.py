"""Dense matrices, traces, diagonals and spectra, against eigenvalues and SciPy."""

import gc
import gzip
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse.linalg import (
    LinearOperator,
    aslinearoperator,
    cg,
    eigsh,
    lobpcg,
    minres,
)
from tests.curvature.problems import network

import weft
from weft import curvature, nn
from weft.tables.idx import array_from_idx


def symmetric(size=80, seed=0):
    """Return a matrix with few large eigenvalues, as networks have them."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.normal(size=(size, size)))
    values = np.concatenate([[50.0, 20.0, 5.0], rng.normal(size=size - 3) * 0.1])
    return (basis * values) @ basis.T, np.sort(values)


MATRIX, VALUES = symmetric()
OP = aslinearoperator(MATRIX)


# What SciPy's solvers find --------------------------------------------------------


@pytest.fixture(scope="module")
def five_hundred():
    problem = network((8, 20, 12, 5), rows=60)
    return curvature.hessian_operator(problem.cost, problem.wrt, problem.feed)


@pytest.fixture(scope="module")
def exact(five_hundred):
    return np.linalg.eigvalsh(curvature.dense(five_hundred))


def test_eigsh_finds_the_largest_ten(five_hundred, exact):
    assert 480 <= five_hundred.shape[0] <= 520
    found = eigsh(five_hundred, k=10, which="LA", return_eigenvectors=False)
    assert np.allclose(np.sort(found), exact[-10:], rtol=1e-6, atol=0)


def test_lobpcg_finds_the_largest_ten(five_hundred, exact):
    start = np.random.default_rng(0).normal(size=(five_hundred.shape[0], 10))
    found, _ = lobpcg(five_hundred, start, largest=True, tol=1e-7, maxiter=400)
    assert np.allclose(np.sort(found), exact[-10:], rtol=1e-6, atol=0)


def test_eigsh_finds_the_smallest(five_hundred, exact):
    found = eigsh(five_hundred, k=3, which="SA", return_eigenvectors=False)
    assert np.allclose(np.sort(found), exact[:3], rtol=1e-6, atol=0)


def test_systems_of_equations():
    problem = network((5, 6, 3))
    newton = curvature.gauss_newton_operator(
        problem.cost, problem.outputs, problem.wrt, problem.feed
    )
    hessian = curvature.hessian_operator(problem.cost, problem.wrt, problem.feed)
    right = np.random.default_rng(3).normal(size=newton.shape[0])
    shift = 0.1 * aslinearoperator(np.eye(newton.shape[0]))
    for op, solve in ((newton, cg), (hessian, minres)):
        matrix = curvature.dense(op) + 0.1 * np.eye(op.shape[0])
        found, status = solve(op + shift, right, rtol=1e-12, maxiter=2000)
        assert status == 0
        assert np.allclose(found, np.linalg.solve(matrix, right), rtol=1e-6, atol=1e-8)


# Dense ----------------------------------------------------------------------------


class Untouchable(LinearOperator):
    """An operator of a hundred thousand rows that must not be asked for anything."""

    def __init__(self):
        super().__init__(np.float64, (100_000, 100_000))

    def _matvec(self, x):
        raise AssertionError("a product was computed")


def test_a_matrix_that_would_not_fit_is_refused_with_its_size():
    assert curvature.dense_bytes(Untouchable()) == 80_000_000_000
    with pytest.raises(curvature.TooLargeError, match=r"80 GB.*hessian_operator"):
        curvature.dense(Untouchable(), limit=16 * 10**9)
    with pytest.raises(MemoryError, match="8 GB"):
        curvature.dense(Untouchable(), limit=8 * 10**9)


def test_of_a_hundred_thousand_parameters_products_work():
    w = weft.parameter("w", (100_000,), "float64")
    at = np.linspace(0, 1, 100_000)
    op = curvature.hessian_operator(weft.sum(w**3), w, {w: at})
    assert curvature.dense_bytes(op) == 80_000_000_000
    with pytest.raises(curvature.TooLargeError, match="80 GB"):
        curvature.dense(op, limit=10**9)
    assert np.allclose(op @ np.ones(100_000), 6 * at)


def test_dense_is_the_matrix():
    assert np.array_equal(curvature.dense(OP), MATRIX)


@pytest.mark.parametrize(
    ("count", "words"),
    [(999, "999 bytes"), (25_000, "25 kB"), (10**15, "1,000,000 GB")],
)
def test_sizes_are_readable(count, words):
    assert curvature.dense.__globals__["_readable"](count) == words


# Trace and diagonal ---------------------------------------------------------------


def test_the_trace_is_within_its_error():
    found = [curvature.trace(OP, 30, seed) for seed in range(40)]
    off = np.array([(float(f) - VALUES.sum()) / f.error for f in found])
    assert np.abs(off).max() < 5 and 0.5 < np.std(off) < 2
    # Hutchinson's own estimate of the same cost has this standard error:
    rest = MATRIX - np.diag(np.diag(MATRIX))
    assert np.mean([f.error for f in found]) < 0.2 * np.sqrt(2 * (rest**2).sum() / 30)


def test_the_trace_is_computed_where_that_is_no_more_work():
    found = curvature.trace(OP, 80)
    assert found.error == 0 and found.products == 80
    assert float(found) == pytest.approx(VALUES.sum(), rel=1e-12)


def test_the_diagonal_is_within_its_error():
    found = curvature.diagonal(OP, 200)
    off = (found.value - np.diag(MATRIX)) / found.error
    assert np.abs(off).max() < 5 and 0.7 < np.std(off) < 1.4
    rest = (MATRIX**2).sum(1) - np.diag(MATRIX) ** 2
    assert np.allclose(found.error, np.sqrt(rest / 200), rtol=0.3)
    better = curvature.diagonal(OP, 3200)
    assert np.mean(better.error) == pytest.approx(np.mean(found.error) / 4, rel=0.1)


def test_the_diagonal_may_be_exact():
    found = curvature.diagonal(OP, exact=True)
    assert np.array_equal(found.value, np.diag(MATRIX)) and not found.error.any()


def test_a_seed_decides():
    a, b, c = (curvature.trace(OP, 12, seed) for seed in (1, 1, 2))
    assert float(a) == float(b) != float(c)


# Spectrum -------------------------------------------------------------------------


def test_lanczos_makes_the_matrix_tridiagonal():
    start = np.random.default_rng(0).normal(size=80)
    alphas, betas = curvature.tridiagonal(OP, start, 80)
    assert len(alphas) == 80 and len(betas) == 79
    T = np.diag(alphas) + np.diag(betas, 1) + np.diag(betas, -1)
    assert np.allclose(np.linalg.eigvalsh(T), VALUES, atol=1e-10)


def test_no_eigenvalue_appears_twice():
    """Without orthogonalisation the largest would: 200 steps, far beyond rounding."""
    matrix, values = symmetric(300)
    found = curvature.spectrum(aslinearoperator(matrix), probes=1, steps=200)
    assert np.sum(found.nodes > 4) == 3
    assert np.allclose(found.nodes[-3:], values[-3:], rtol=1e-10)


def test_an_exhausted_space_ends_the_steps():
    op = aslinearoperator(np.diag([1.0] * 30 + [2.0] * 10))
    found = curvature.spectrum(op, probes=30, steps=20)
    assert len(found.nodes) == 60
    assert found.share(1.5, 3) == pytest.approx(0.25, abs=0.05)
    assert found.trace == pytest.approx(50, rel=0.05)
    zero = curvature.spectrum(aslinearoperator(np.zeros((5, 5))), probes=2)
    assert zero.nodes.tolist() == [0, 0] and np.isfinite(zero.density()[1]).all()


def test_the_density_is_that_of_the_eigenvalues():
    matrix, values = symmetric(400)
    found = curvature.spectrum(aslinearoperator(matrix), probes=20, steps=60)
    assert found.weights.sum() == pytest.approx(1)
    grid, density = found.density()
    assert np.trapezoid(density, grid) == pytest.approx(1, rel=1e-3)
    for low, high in ((-0.1, 0.1), (0.1, 0.5), (-1, 0)):
        exact = np.mean((values >= low) & (values <= high))
        assert found.share(low, high) == pytest.approx(exact, abs=0.05)


def test_the_first_moments_are_exact_for_every_probe():
    """Gauss quadrature of k nodes is exact to degree 2k - 1."""
    start = np.random.default_rng(5).normal(size=80)
    start /= np.linalg.norm(start)
    alphas, betas = curvature.tridiagonal(OP, start, 4)
    values, vectors = np.linalg.eigh(
        np.diag(alphas) + np.diag(betas, 1) + np.diag(betas, -1)
    )
    for degree in range(8):
        moment = start @ np.linalg.matrix_power(MATRIX, degree) @ start
        assert vectors[0] ** 2 @ values**degree == pytest.approx(moment, rel=1e-10)


def test_a_picture():
    ax = curvature.spectrum(OP, probes=2, steps=20).plot()
    (line,) = ax.get_lines()
    assert len(line.get_xdata()) == 400 and ax.get_yscale() == "log"


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: curvature.spectrum(OP, probes=0), "at least one"),
        (lambda: curvature.spectrum(OP).density(width=0.0), "above 0"),
        (lambda: curvature.trace(OP, 5), "at least 6"),
        (lambda: curvature.diagonal(OP, 1), "at least 2"),
        (lambda: curvature.trace(aslinearoperator(np.ones((2, 3)))), "square"),
        (
            lambda: curvature.spectrum(aslinearoperator(np.diag([np.nan, 1.0]))),
            "not finite",
        ),
    ],
)
def test_mistakes_are_told(ask, words):
    with pytest.raises(weft.FeedError, match=words):
        ask()


# Memory, and real data ------------------------------------------------------------


STATM = Path("/proc/self/statm")


def resident():
    return int(STATM.read_text().split()[1]) * 4096


@pytest.mark.skipif(not STATM.exists(), reason="Linux says how much is resident")
def test_memory_stays_flat_over_ten_thousand_products():
    problem = network((4, 6, 3), rows=8)
    op = curvature.hessian_operator(problem.cost, problem.wrt, problem.feed)
    v = np.ones(op.shape[0])

    def products(count):
        for _ in range(count):
            op.matvec(v)

    products(500)
    before = resident()
    products(10_000)
    assert resident() - before < 2**20
    tracemalloc.start()
    try:
        products(100)
        gc.collect()
        first = tracemalloc.get_traced_memory()[0]
        products(1_000)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - first < 1_000
    finally:
        tracemalloc.stop()


def mnist(folder, count):
    """Return the Hessian of 784-256-256-10 at its first parameters, over some rows."""
    X, y = (
        array_from_idx(gzip.decompress((folder / "mnist" / name).read_bytes()), name)
        for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
    )
    X, y = X[:count], y[:count].astype(np.int64)
    net = nn.mlp([256, 256], "relu", nn.Categorical(10))
    first, symbols = net.init(0, 784), net.symbols(784)
    x, target = weft.input("x", ("n", 784)), net.output.target(y)
    cost, _ = net.cost(symbols, x, target, nn.Predict())
    feed = dict(zip(weft.flatten(symbols)[0], weft.flatten(first)[0], strict=True))
    feed |= {x: X.reshape(count, 784) / np.float32(255), target: y}
    return curvature.hessian_operator(
        cost, symbols, feed, batch_size=1000, reduction="mean"
    )


def test_the_spectrum_of_a_network_on_mnist(data_folder, count):
    """270,000 parameters; the whole count of rows, probes and steps under prove."""
    rows, steps = count(1000, 10_000), count(12, 60)
    op = mnist(data_folder, rows)
    assert op.shape[0] == 269_322
    began = time.perf_counter()
    found = curvature.spectrum(op, probes=count(1, 2), steps=steps)
    seconds = time.perf_counter() - began
    print(f"{rows} rows, {steps} steps: {seconds:.1f} s")
    assert seconds < count(600, 60)
    # A bulk around 0 and a few large eigenvalues, as everybody finds.
    largest = np.abs(found.nodes).max()
    assert found.share(-0.1 * largest, 0.1 * largest) > 0.99
    assert found.nodes[-1] > 2 * abs(found.nodes[0]) > 0
    top = eigsh(op, k=1, which="LA", return_eigenvectors=False, tol=1e-4)
    assert found.nodes[-1] == pytest.approx(top[0], rel=1e-3)


def test_operators_of_whole_numbers_are_met_with_floats():
    """The space of the large eigenvalues is no space of whole numbers."""
    diagonal = np.arange(200)
    whole, exact = aslinearoperator(np.diag(diagonal)), diagonal.sum()
    found = curvature.trace(whole, 60)
    same = curvature.trace(aslinearoperator(np.diag(diagonal.astype(float))), 60)
    assert float(found) == float(same)
    assert abs(float(found) - exact) < 5 * found.error + 1e-9
    assert curvature.trace(whole, 200).value == exact
    small = aslinearoperator(np.diag(np.arange(8, dtype=np.int8)))
    assert curvature.spectrum(small, 2).trace == pytest.approx(28, rel=0.5)


@pytest.mark.parametrize(
    "ask",
    [
        curvature.trace,
        curvature.diagonal,
        lambda op: curvature.diagonal(op, exact=True),
        curvature.spectrum,
    ],
)
def test_complex_operators_are_refused(ask):
    with pytest.raises(weft.FeedError, match="complex128: give a real one"):
        ask(aslinearoperator(1j * np.eye(30)))
