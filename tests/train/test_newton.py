"""Newton-CG: its linear solver, its results beside other methods', and its endings."""

import numpy as np
import pytest

from weft import nn, train
from weft.graph.tree import flatten
from weft.train.newton import conjugate_gradients
from weft.train.whole import ValueAndGradient

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = np.sin(2 * X[:, 0]) * X[:, 1]
NETWORK = nn.mlp([8], "tanh", nn.Gaussian())


@pytest.fixture
def passes(monkeypatch):
    """Count evaluations and products, each as passes over all rows."""
    counted = {"gradients": 0, "products": 0}
    evaluate, at = ValueAndGradient.__call__, None

    def counting(self, vector):
        counted["gradients"] += 1
        return evaluate(self, vector)

    monkeypatch.setattr(ValueAndGradient, "__call__", counting)
    from weft.curvature import CurvatureOperator

    at = CurvatureOperator._matmat

    def multiplied(self, columns):
        counted["products"] += columns.shape[1]
        return at(self, columns)

    monkeypatch.setattr(CurvatureOperator, "_matmat", multiplied)
    return counted


def spend(counted):
    """A product costs as much as two gradients: two passes forward, two back."""
    return counted["gradients"] + 2 * counted["products"]


# The solver -----------------------------------------------------------------------


def test_conjugate_gradients_solve_a_system():
    A = RNG.normal(size=(30, 30))
    A = A @ A.T + np.eye(30)
    slope, start = RNG.normal(size=30), RNG.normal(size=30)
    for begin in (start, np.zeros(30)):
        found = conjugate_gradients(A.dot, slope, begin, 200)
        exact = np.linalg.solve(A, -slope)
        model = slope @ found.direction + found.direction @ A @ found.direction / 2
        assert found.model == pytest.approx(model, rel=1e-8)
        best = slope @ exact / 2
        assert best <= model < 0.99 * best  # stopped where it hardly pays any more
        assert found.products <= 201


def test_more_products_are_a_better_solution():
    A = np.diag(np.logspace(0, 5, 40))
    slope = np.ones(40)
    models = [
        conjugate_gradients(A.dot, slope, np.zeros(40), k).model for k in (1, 3, 9, 30)
    ]
    assert (np.diff(models) < 0).all()


def test_a_downward_curve_ends_it():
    A = np.diag([1.0, -1.0])
    found = conjugate_gradients(A.dot, np.array([-1.0, -3.0]), np.zeros(2), 50)
    assert found.products == 1 and not found.direction.any()
    nothing = conjugate_gradients(A.dot, np.zeros(2), np.zeros(2), 50)
    assert nothing.products == 0


# Fits -----------------------------------------------------------------------------


def test_a_linear_model_takes_a_few_iterations():
    linear = nn.mlp([], output=nn.Gaussian())
    fitted = train.fit(
        linear,
        X,
        X @ [1.0, 2.0, 3.0] + 4,
        optimizer=train.NewtonCG(1e-8, damping=1e-8),
        dtype="float64",
    )
    assert fitted.stopped == "converged" and len(fitted.history) <= 4
    assert np.allclose(fitted.params["output"]["W"][:, 0], [1, 2, 3], atol=1e-6)
    assert np.allclose(fitted.params["output"]["b"], 4, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_cost_falls_in_every_iteration(dtype):
    fitted = train.fit(
        NETWORK, X, Y, optimizer=train.NewtonCG(), epochs=15, dtype=dtype
    )
    assert (np.diff(fitted.history["cost"]) < 0).all()
    assert fitted.params["0"]["W"].dtype == dtype
    assert fitted.state.epoch == len(fitted.history)


def test_xor(passes):
    inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    labels = np.array([0, 1, 1, 0])
    network = nn.mlp([4], "tanh", nn.Bernoulli())
    settings = {"dtype": "float64", "seed": 2}
    fitted = train.fit(
        network, inputs, labels, optimizer=train.NewtonCG(), epochs=30, **settings
    )
    evaluator = train.Evaluator(network, in_features=2, dtype="float64")
    found = evaluator.distribution(fitted.params, inputs).mode()
    assert found.tolist() == labels.tolist()
    assert fitted.history["cost"][-1] < 1e-3
    budget = spend(passes)
    best = min(
        train.fit(
            network,
            inputs,
            labels,
            optimizer=train.SGD(rate, momentum=0.9),
            epochs=budget,
            batch_size=4,
            **settings,
        ).history["cost"][-1]
        for rate in (0.03, 0.1, 0.3)
    )
    assert fitted.history["cost"][-1] < best


def test_a_deep_narrow_network_beats_gradient_descent_of_equal_passes(passes):
    """Six tanh layers through a code of two: the curvature differs by thousands."""
    rng = np.random.default_rng(1)
    code = rng.normal(size=(100, 2))
    rows = np.tanh(code @ rng.normal(size=(2, 8))) + 0.01 * rng.normal(size=(100, 8))
    network = nn.mlp([12, 6, 2, 6, 12], "tanh", nn.Gaussian(8))
    settings = {"dtype": "float64", "seed": 0}
    fitted = train.fit(
        network, rows, rows, optimizer=train.NewtonCG(), epochs=25, **settings
    )
    floor = 8 * 0.5 * np.log(2 * np.pi)
    reached = fitted.history["cost"][-1] - floor
    budget = spend(passes)
    others = [
        train.fit(
            network,
            rows,
            rows,
            optimizer=train.SGD(rate, momentum=0.9),
            epochs=budget,
            batch_size=100,
            **settings,
        ).history["cost"][-1]
        - floor
        for rate in (0.01, 0.03, 0.1)
    ]
    print(f"{budget} passes: Newton-CG {reached:.2e}, SGD {min(others):.2e}")
    assert reached < 0.5 * min(others)


@pytest.mark.parametrize(
    "settings",
    [
        {"penalties": [nn.L2(0.1, per_row=True), nn.L1(0.01)]},
        {"sample_weight": RNG.random(60)},
        {"freeze": ["0/W"]},
    ],
    ids=["penalties", "weights", "frozen"],
)
def test_it_minimises_what_it_is_given(settings):
    common = {"dtype": "float64", **settings}
    ours = train.fit(NETWORK, X, Y, optimizer=train.NewtonCG(1e-9), epochs=60, **common)
    assert (np.diff(ours.history["cost"]) <= 0).all()
    # No other method finds a better point near by.
    other = train.fit(
        NETWORK, X, Y, optimizer=train.LBFGS(1e-9), params=ours.params, **common
    )
    gained = ours.history["cost"][-1] - min(other.history["cost"], default=np.inf)
    assert gained < 0.02 * abs(ours.history["cost"][0] - ours.history["cost"][-1])
    if "freeze" in settings:
        start = NETWORK.init(0, 3, "float64")
        assert np.array_equal(ours.params["0"]["W"], start["0"]["W"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_fit_continued_is_the_whole_fit_bit_for_bit(dtype):
    settings = {"optimizer": train.NewtonCG(), "dtype": dtype}
    whole = train.fit(NETWORK, X, Y, epochs=6, **settings)
    first = train.fit(NETWORK, X, Y, epochs=2, **settings)
    again = train.fit(NETWORK, X, Y, epochs=4, resume=first, **settings)
    assert again.history["cost"].tolist() == whole.history["cost"][2:].tolist()
    for a, b in zip(*(flatten(f.params)[0] for f in (again, whole)), strict=True):
        assert np.array_equal(a, b)
    assert again.state.epoch == 6


def test_the_best_iteration_by_the_validation_rows_is_returned():
    network = nn.mlp([30], "tanh", nn.Gaussian())
    noisy = Y + 0.3 * RNG.normal(size=60)
    fitted = train.fit(
        network,
        X[:20],
        noisy[:20],
        optimizer=train.NewtonCG(),
        epochs=60,
        validation=(X[20:], Y[20:]),
        early_stopping=train.EarlyStopping(patience=5),
        dtype="float64",
    )
    costs = fitted.history["validation"]
    assert fitted.stopped == "patience"
    assert fitted.best_epoch == costs.argmin() + 1 < len(costs)


def test_a_cost_that_is_not_convex_in_the_outputs():
    network = nn.mlp([6], "tanh", nn.HeteroscedasticGaussian())
    fitted = train.fit(
        network, X, Y, optimizer=train.NewtonCG(), epochs=15, dtype="float64"
    )
    costs = fitted.history["cost"]
    assert (np.diff(costs) < 0).all() and costs[-1] < costs[0] - 0.5


class Interrupt(train.Callback):
    def on_epoch_end(self, epoch):
        if epoch.number == 3:
            raise KeyboardInterrupt


def test_an_interruption_keeps_the_last_iteration():
    settings = {"optimizer": train.NewtonCG(), "dtype": "float64"}
    fitted = train.fit(NETWORK, X, Y, epochs=99, callbacks=[Interrupt()], **settings)
    whole = train.fit(NETWORK, X, Y, epochs=3, **settings)
    assert fitted.stopped == "interrupted" and len(fitted.history) == 3
    for a, b in zip(*(flatten(f.params)[0] for f in (fitted, whole)), strict=True):
        assert np.array_equal(a, b)


def test_a_minimum_is_left_alone():
    """Where no point is better, it says so and stays."""
    linear, settings = nn.mlp([], output=nn.Gaussian()), {"dtype": "float64"}
    there = train.fit(linear, X, Y, optimizer=train.LBFGS(1e-12), **settings)
    fitted = train.fit(
        linear, X, Y, optimizer=train.NewtonCG(0.0), params=there.params, **settings
    )
    assert fitted.stopped == "line search" and "no better point" in fitted.message
    costs = [there.history["cost"][-1], *fitted.history["cost"]]
    assert (np.diff(costs) <= 1e-15).all()


@pytest.mark.parametrize(
    ("network", "settings", "words"),
    [
        (nn.mlp([4], dropout=0.5), {}, "Dropout, BatchNorm"),
        (NETWORK, {"schedule": train.Cosine()}, "no schedule"),
        (NETWORK, {"clip_norm": 1.0}, "clip_norm"),
        (NETWORK, {"freeze": ["0", "output"]}, "nothing is left"),
    ],
)
def test_what_it_cannot_do_is_refused(network, settings, words):
    with pytest.raises(train.FitError, match=words):
        train.fit(network, X, Y, optimizer=train.NewtonCG(), **settings)


@pytest.mark.parametrize(
    ("first", "then", "settings"),
    [
        (train.NewtonCG(), train.NewtonCG(), {"freeze": ["0/W"]}),
        (train.Adam(), train.NewtonCG(), {}),
        (train.NewtonCG(), train.Adam(), {}),
    ],
    ids=["frozen", "from Adam", "to Adam"],
)
def test_another_fit_is_not_continued(first, then, settings):
    begun = train.fit(NETWORK, X, Y, optimizer=first, epochs=1)
    with pytest.raises(train.FitError, match="another optimizer, network or choice"):
        train.fit(NETWORK, X, Y, optimizer=then, resume=begun, epochs=1, **settings)


@pytest.mark.parametrize("bad", [{"tol": -1.0}, {"damping": 0.0}, {"cg_steps": 0}])
def test_impossible_settings_are_refused(bad):
    with pytest.raises(train.FitError):
        train.NewtonCG(**bad)
