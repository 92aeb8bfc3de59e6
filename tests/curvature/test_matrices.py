"""Every operator against its matrix, made in another way."""

import numpy as np
import pytest
from scipy.special import expit
from tests.curvature.problems import dense_hessian, jacobian, network

import weft
from weft import curvature

TINY = network()
H = curvature.hessian_operator(TINY.cost, TINY.wrt, TINY.feed)


def softmax(problem):
    return weft.evaluate(weft.softmax(problem.outputs), problem.feed)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_all_columns_of_the_hessian(mode, engine):
    op = curvature.hessian_operator(
        TINY.cost, TINY.wrt, TINY.feed, mode=mode, engine=engine
    )
    found = curvature.dense(op)
    exact = dense_hessian(TINY.cost, TINY.wrt, TINY.feed)
    assert np.abs(found - exact).max() < 1e-12
    assert np.abs(found - found.T).max() < 1e-10


def test_finite_differences_of_the_gradient():
    op = curvature.hessian_operator(TINY.cost, TINY.wrt, TINY.feed, mode="finite")
    v = np.random.default_rng(1).normal(size=op.shape[1])
    assert np.allclose(op @ v, H @ v, rtol=1e-6, atol=1e-8)


def test_the_right_derivative_of_a_kink():
    w = weft.parameter("w", (), "float64")
    cost = weft.relu(w) ** 2 + weft.relu(w) * w
    found = [
        (curvature.hessian_operator(cost, w, {w: 0.0}, kink=kink) @ [1.0])[0]
        for kink in ("left", "right")
    ]
    assert found == [0.0, 4.0]


def test_vectors_matrices_and_the_adjoint():
    rng = np.random.default_rng(0)
    V = rng.normal(size=(H.shape[1], 3))
    assert np.array_equal(H @ V, np.stack([H @ v for v in V.T], 1))
    assert np.array_equal(H.T @ V, H @ V)
    assert np.array_equal(H.H @ V, H @ V)
    assert np.allclose((2 * H + H) @ V, 3 * (H @ V))
    assert np.allclose(V[:, 0] @ (H @ V[:, 1]), V[:, 1] @ (H @ V[:, 0]), rtol=1e-12)


def test_vectors_are_trees():
    v = np.arange(float(H.shape[0]))
    tree = H.tree(v)
    assert tree["0"]["W"].tolist() == v[:15].reshape(3, 5).tolist()
    assert np.array_equal(np.concatenate([a.ravel() for a in weft.flatten(tree)[0]]), v)
    assert H.params["1"]["b"] == pytest.approx(TINY.feed[TINY.wrt["1"]["b"]])


@pytest.mark.parametrize("size", [1, 4, 5, 17, 100])
def test_batches_make_the_same_mean(size):
    v = np.random.default_rng(2).normal(size=(H.shape[1], 2))
    given = {"wrt": TINY.wrt, "feed": TINY.feed}
    pairs = [
        (curvature.hessian_operator, [TINY.cost], {"reduction": "mean"}),
        (
            curvature.gauss_newton_operator,
            [TINY.cost, TINY.outputs],
            {"reduction": "mean"},
        ),
        (curvature.empirical_fisher_operator, [TINY.losses], {}),
    ]
    for make, nodes, how in pairs:
        whole, cut = (
            make(*nodes, **given),
            make(*nodes, **given, batch_size=size, **how),
        )
        assert np.allclose(cut @ v, whole @ v, rtol=1e-12, atol=1e-14)


def test_a_penalty_beside_a_mean_counts_once():
    cost = TINY.cost + 0.1 * weft.sum(TINY.wrt["0"]["W"] ** 4)
    v = np.ones(H.shape[1])
    whole = curvature.hessian_operator(cost, TINY.wrt, TINY.feed)
    cut = curvature.hessian_operator(
        cost, TINY.wrt, TINY.feed, batch_size=5, reduction="mean"
    )
    assert np.allclose(cut @ v, whole @ v, rtol=1e-12)


def test_batches_of_a_sum_are_added():
    cost, v = weft.sum(TINY.losses), np.ones(H.shape[1])
    whole = curvature.hessian_operator(cost, TINY.wrt, TINY.feed)
    cut = curvature.hessian_operator(
        cost, TINY.wrt, TINY.feed, batch_size=5, reduction="sum"
    )
    assert np.allclose(cut @ v, whole @ v, rtol=1e-12)
    assert np.allclose(whole @ v, 17 * (H @ v), rtol=1e-12)


WEIGHTS = weft.input("weights", ("n",), "float64")
WEIGHTED = {WEIGHTS: np.linspace(1, 2, 17)}


@pytest.mark.parametrize("size", [1, 5, 16])
@pytest.mark.parametrize(
    ("cost", "reduction"),
    [
        (weft.sum(TINY.losses), "mean"),
        (TINY.cost, "sum"),
        (weft.sum(TINY.losses) + weft.sum(TINY.wrt["0"]["W"] ** 4), "sum"),
        (weft.sum(WEIGHTS * TINY.losses) / weft.sum(WEIGHTS), "mean"),
        (weft.log(weft.mean(weft.exp(TINY.losses))), "mean"),
    ],
)
def test_a_cost_that_is_not_the_reduction_of_its_rows(size, cost, reduction):
    op = curvature.hessian_operator(
        cost, TINY.wrt, TINY.feed | WEIGHTED, batch_size=size, reduction=reduction
    )
    with pytest.raises(weft.FeedError, match=f"no {reduction} over its rows"):
        op @ np.zeros(44)
    with pytest.raises(weft.FeedError, match="cut in two"):
        op.at(op.params) @ np.ones(44)


@pytest.mark.parametrize("mode", ["forward", "reverse", "finite"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rounding_is_no_other_reduction(mode, dtype):
    problem = network((3, 30, 30, 4), rows=200, dtype=dtype)
    feed = {leaf: np.asarray(v, dtype) for leaf, v in problem.feed.items()}
    for size in (1, 3, 150):
        op = curvature.hessian_operator(
            problem.cost,
            problem.wrt,
            feed,
            batch_size=size,
            reduction="mean",
            mode=mode,
        )
        assert np.isfinite(op @ np.ones(op.shape[1])).all()


def test_one_batch_is_the_whole():
    """There is nothing to be made up of parts."""
    cost, v = weft.log(weft.mean(weft.exp(TINY.losses))), np.ones(44)
    whole = curvature.hessian_operator(cost, TINY.wrt, TINY.feed)
    one = curvature.hessian_operator(
        cost, TINY.wrt, TINY.feed, batch_size=17, reduction="mean"
    )
    assert np.array_equal(one @ v, whole @ v)


def test_what_an_operator_tells_can_be_changed():
    op = curvature.hessian_operator(TINY.cost, TINY.wrt, TINY.feed)
    op.params["0"]["W"][:] = 7
    moved = op.at(op.params)
    moved.params["0"]["W"][:] = 7
    for each in (op, moved):
        assert np.array_equal(each @ np.ones(44), H @ np.ones(44))


def test_rows_may_lie_on_disk(tmp_path):
    rows = np.memmap(tmp_path / "x", "float64", "w+", shape=(17, 3))
    rows[:] = TINY.feed[TINY.rows]
    feed = TINY.feed | {TINY.rows: rows}
    op = curvature.hessian_operator(
        TINY.cost, TINY.wrt, feed, batch_size=4, reduction="mean"
    )
    v = np.ones(H.shape[1])
    assert np.allclose(op @ v, H @ v, rtol=1e-12)


def test_at_other_parameters():
    moved = weft.tree_map(lambda a: a + 0.3, H.params)
    there = H.at(moved)
    feed = TINY.feed | dict(
        zip(weft.flatten(TINY.wrt)[0], weft.flatten(moved)[0], strict=True)
    )
    exact = dense_hessian(TINY.cost, TINY.wrt, feed)
    assert np.abs(curvature.dense(there) - exact).max() < 1e-12
    assert np.array_equal(H.at(H.params) @ np.ones(44), H @ np.ones(44))


def test_what_is_fed_is_copied_where_it_could_change():
    w = weft.parameter("w", (2,), "float64")
    at = np.array([1.0, 2.0])
    op = curvature.hessian_operator(weft.sum(w**3), w, {w: at})
    at[:] = 0
    assert (op @ np.ones(2)).tolist() == [6.0, 12.0]


def test_gauss_newton_is_its_formula():
    op = curvature.gauss_newton_operator(TINY.cost, TINY.outputs, TINY.wrt, TINY.feed)
    J = jacobian(TINY.outputs, TINY.wrt, TINY.feed).reshape(17, 4, -1)
    p = softmax(TINY)
    inner = np.einsum("ni,ij->nij", p, np.eye(4)) - np.einsum("ni,nj->nij", p, p)
    exact = np.einsum("nia,nij,njb->ab", J, inner, J) / 17
    found = curvature.dense(op)
    assert np.abs(found - exact).max() < 1e-12
    assert np.linalg.eigvalsh(found).min() > -1e-12  # semidefinite, as H is not:
    assert np.linalg.eigvalsh(curvature.dense(H)).min() < -1e-3


def test_gauss_newton_is_the_hessian_of_a_linear_model():
    linear = network((4, 3))
    args = linear.wrt, linear.feed
    hessian = curvature.hessian_operator(linear.cost, *args)
    newton = curvature.gauss_newton_operator(linear.cost, linear.outputs, *args)
    assert np.abs(curvature.dense(newton) - curvature.dense(hessian)).max() < 1e-13


def test_a_penalty_has_its_own_hessian_beside_gauss_newton():
    penalty = 0.1 * weft.sum(TINY.wrt["0"]["W"] ** 4)
    args = TINY.outputs, TINY.wrt, TINY.feed
    bare = curvature.gauss_newton_operator(TINY.cost, *args)
    both = curvature.gauss_newton_operator(TINY.cost + penalty, *args)
    exact = np.zeros(44)
    exact[:15] = 1.2 * np.ravel(TINY.feed[TINY.wrt["0"]["W"]]) ** 2
    found = curvature.dense(both) - curvature.dense(bare)
    assert np.abs(found - np.diag(exact)).max() < 1e-12


def test_gauss_newton_of_several_outputs():
    outputs = {"a": TINY.outputs[:, :2], "b": TINY.outputs[:, 2:]}
    loss = weft.mean(outputs["a"] ** 2) + weft.mean(weft.exp(outputs["b"]))
    found = curvature.gauss_newton_operator(loss, outputs, TINY.wrt, TINY.feed)
    joined = weft.mean(TINY.outputs[:, :2] ** 2) + weft.mean(
        weft.exp(TINY.outputs[:, 2:])
    )
    whole = curvature.gauss_newton_operator(joined, TINY.outputs, TINY.wrt, TINY.feed)
    v = np.ones(found.shape[1])
    assert np.allclose(found @ v, whole @ v, rtol=1e-12)


def test_the_empirical_fisher_matrix_is_a_mean_of_outer_products():
    op = curvature.empirical_fisher_operator(TINY.losses, TINY.wrt, TINY.feed)
    gradients = jacobian(TINY.losses, TINY.wrt, TINY.feed)
    found = curvature.dense(op)
    exact = sum(np.outer(g, g) for g in gradients) / 17
    assert np.abs(found - exact).max() < 1e-13
    assert np.linalg.eigvalsh(found).min() > -1e-13


def test_the_fisher_matrix_is_the_expectation_over_labels():
    op = curvature.fisher_operator(TINY.outputs, TINY.wrt, TINY.feed, "categorical")
    leaf = next(x for x in TINY.feed if x.name == "y")
    p, exact = softmax(TINY), 0
    for label in range(4):
        feed = TINY.feed | {leaf: np.tile(np.eye(4)[label], (17, 1))}
        g = jacobian(TINY.losses, TINY.wrt, feed)
        exact = exact + np.einsum("n,na,nb->ab", p[:, label], g, g) / 17
    found = curvature.dense(op)
    assert np.abs(found - exact).max() < 1e-12
    newton = curvature.gauss_newton_operator(
        TINY.cost, TINY.outputs, TINY.wrt, TINY.feed
    )
    assert np.abs(found - curvature.dense(newton)).max() < 1e-12


@pytest.mark.parametrize(
    ("family", "nll", "information"),
    [
        ("gaussian", lambda z, y: (z - y) ** 2 / 2, lambda z: np.ones_like(z)),
        (
            "bernoulli",
            lambda z, y: weft.softplus(z) - y * z,
            lambda z: expit(z) * expit(-z),
        ),
        ("poisson", lambda z, y: weft.exp(z) - y * z, np.exp),
    ],
)
def test_families(family, nll, information):
    one = network((3, 4, 1))
    z, y = one.outputs[:, 0], weft.input("y", ("n",), "float64")
    op = curvature.fisher_operator(z, one.wrt, one.feed, family)
    J = jacobian(z, one.wrt, one.feed)
    inner = information(weft.evaluate(z, one.feed))
    exact = np.einsum("na,n,nb->ab", J, inner, J) / 17
    assert np.abs(curvature.dense(op) - exact).max() < 1e-12
    feed = one.feed | {y: np.zeros(17)}
    loss = weft.mean(nll(z, y))
    newton = curvature.gauss_newton_operator(loss, z, one.wrt, feed)
    assert np.abs(curvature.dense(newton) - exact).max() < 1e-12


def test_a_family_of_ones_own():
    """A normal distribution by mean and log of its scale: diag(1 / s**2, 2)."""
    two = network((3, 4, 2))
    z = two.outputs

    def information(outputs, u):
        mean = u[:, :1] * weft.exp(-2 * outputs[:, 1:])
        return weft.concatenate([mean, 2 * u[:, 1:]], 1)

    op = curvature.fisher_operator(z, two.wrt, two.feed, information)
    J = jacobian(z, two.wrt, two.feed).reshape(17, 2, -1)
    scale = np.exp(-2 * weft.evaluate(z, two.feed)[:, 1])
    exact = np.einsum("na,n,nb->ab", J[:, 0], scale, J[:, 0])
    exact = (exact + 2 * np.einsum("na,nb->ab", J[:, 1], J[:, 1])) / 17
    assert np.abs(curvature.dense(op) - exact).max() < 1e-12


def test_float32_is_summed_in_float64():
    single = network(dtype="float32")
    feed = {leaf: np.float32(value) for leaf, value in single.feed.items()}
    op = curvature.hessian_operator(
        single.cost, single.wrt, feed, batch_size=3, reduction="mean"
    )
    product = op @ np.ones(op.shape[1])
    assert op.dtype == product.dtype == np.float32
    assert np.allclose(product, H @ np.ones(op.shape[1]), rtol=1e-3, atol=1e-5)


X, W = weft.input("x", ("n",), "float64"), weft.parameter("w", (), "float64")
M = weft.input("m", ("m",), "float64")
ROWS = {X: [1.0, 2.0], W: 1.0, M: [1.0]}
COST = weft.mean((W * X) ** 2)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: curvature.hessian_operator(X * W, W, ROWS), weft.ShapeError, "scalar"),
        (lambda: curvature.hessian_operator(COST, W, {X: [1.0]}), weft.FeedError, "w"),
        (lambda: curvature.hessian_operator(COST, W, {W: 1.0}), weft.FeedError, "x"),
        (lambda: curvature.hessian_operator(COST, [], ROWS), weft.GraphError, "empty"),
        (
            lambda: curvature.hessian_operator(COST, W * 2, ROWS),
            weft.GraphError,
            "no leaf",
        ),
        (lambda: curvature.hessian_operator(COST, M, ROWS), weft.GraphError, "depend"),
        (
            lambda: curvature.hessian_operator(
                COST, W, ROWS, batch_size=0, reduction="mean"
            ),
            weft.FeedError,
            "batch_size=0",
        ),
        (
            lambda: curvature.hessian_operator(
                COST + weft.sum(M), W, ROWS, batch_size=1, reduction="mean"
            ),
            weft.FeedError,
            "m, n",
        ),
        (
            lambda: curvature.hessian_operator(
                W * W, W, ROWS, batch_size=1, reduction="mean"
            ),
            weft.FeedError,
            "none",
        ),
        (
            lambda: curvature.hessian_operator(COST, W, ROWS, reduction="max"),
            weft.FeedError,
            "mean, sum",
        ),
        (
            lambda: curvature.hessian_operator(COST, W, ROWS, batch_size=1),
            weft.FeedError,
            "without reduction",
        ),
        (
            lambda: curvature.hessian_operator(COST, W, ROWS | {X: []}),
            weft.FeedError,
            "no rows",
        ),
        (
            lambda: curvature.hessian_operator(
                COST, W, ROWS | {X: []}, batch_size=2, reduction="mean"
            ),
            weft.FeedError,
            "no rows",
        ),
        (
            lambda: curvature.hessian_operator(COST, W, ROWS) @ np.array([1j]),
            weft.FeedError,
            "complex128",
        ),
        (
            lambda: curvature.hessian_operator(COST, W, ROWS, mode="backward"),
            weft.GraphError,
            "forward",
        ),
        (
            lambda: curvature.hessian_operator(COST, W, ROWS | {W: [1.0, 2.0]}),
            weft.ShapeError,
            "shape",
        ),
        (
            lambda: curvature.gauss_newton_operator(COST, W * X + 1, W, ROWS),
            weft.GraphError,
            "not computed from",
        ),
        (
            lambda: curvature.fisher_operator(W * X, W, ROWS, "normal"),
            weft.GraphError,
            "gaussian, bernoulli",
        ),
        (
            lambda: curvature.fisher_operator(W * W, W, ROWS, "gaussian"),
            weft.ShapeError,
            "row",
        ),
        (
            lambda: curvature.empirical_fisher_operator(COST, W, ROWS),
            weft.ShapeError,
            "one per row",
        ),
    ],
)
def test_mistakes_are_told(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_rows_that_do_not_belong_together():
    y = weft.input("y", ("n",), "float64")
    cost = weft.mean(W * X * y)
    with pytest.raises(weft.FeedError, match=r"\[2, 3\]"):
        curvature.hessian_operator(
            cost,
            W,
            {W: 1.0, X: np.ones(2), y: np.ones(3)},
            batch_size=1,
            reduction="mean",
        )


def test_parameters_of_another_shape_are_refused():
    with pytest.raises(weft.GraphError, match="tree like wrt"):
        H.at({"0": 1.0})
