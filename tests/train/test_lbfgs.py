"""L-BFGS: right gradients, scikit-learn's results, and the same endings as the loop."""

import math
import warnings

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from weft import nn, train
from weft.graph.tree import flatten
from weft.train.data import as_rows
from weft.train.lbfgs import ValueAndGradient

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = np.sin(X[:, 0]) * X[:, 1]
NETWORK = nn.mlp([6], "tanh", nn.Gaussian())
F8 = np.dtype("float64")


def function(network=NETWORK, y=Y, weight=None, penalties=(), freeze=()):
    rows = as_rows(network, X, y, weight, F8)
    start = network.init(0, 3, "float64")
    return ValueAndGradient(network, rows, start, penalties, freeze, F8, "auto", 1, 100)


@pytest.mark.parametrize(
    "f",
    [
        function(),
        function(penalties=[nn.L2(0.1, per_row=True), nn.L1(0.01)]),
        function(weight=RNG.random(40)),
        function(freeze=["0/W"]),
        # Several outputs: scikit-learn's own gradient is wrong here.
        function(nn.mlp([4], "tanh", nn.Gaussian(2)), np.stack([Y, X[:, 2]], 1)),
    ],
    ids=["plain", "penalties", "weights", "frozen", "two-outputs"],
)
def test_value_and_gradient_agree(f):
    point = f.vector() + 0.1
    off = check_grad(lambda v: f(v)[0], lambda v: f(v)[1], point)
    assert off < 1e-6 * max(1, np.linalg.norm(f(point)[1]))


def test_vectors_are_parameters():
    f = function(freeze="output")
    start = NETWORK.init(0, 3, "float64")
    assert f.vector().size == 3 * 6 + 6
    tree = f.tree(f.vector() + 1)
    assert np.array_equal(tree["0"]["W"], start["0"]["W"] + 1)
    assert np.array_equal(tree["output"]["W"], start["output"]["W"])


def test_it_finds_what_scikit_learn_finds():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        common = {"hidden_layer_sizes": (6,), "activation": "tanh", "random_state": 0}
        still = MLPRegressor(
            **common, solver="sgd", learning_rate_init=1e-300, max_iter=1
        ).fit(X, Y)
        model = MLPRegressor(**common, solver="lbfgs", alpha=0.1, max_iter=30).fit(X, Y)
    names = ("0", "output")
    start = {
        n: {"W": W, "b": b}
        for n, W, b in zip(names, still.coefs_, still.intercepts_, strict=True)
    }
    fitted = train.fit(
        NETWORK,
        X,
        Y,
        optimizer=train.LBFGS(),
        epochs=30,
        params=start,
        penalties=[nn.L2(0.1, per_row=True)],
        dtype="float64",
    )
    costs = fitted.history["cost"] - 0.5 * math.log(2 * math.pi)
    assert len(costs) == model.n_iter_
    assert costs[-1] == pytest.approx(model.loss_, rel=1e-6)
    assert np.allclose(fitted.params["0"]["W"], model.coefs_[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_converges_and_says_so(dtype):
    linear = nn.mlp([], output=nn.Gaussian())
    fitted = train.fit(
        linear, X, X @ [1.0, 2.0, 3.0] + 4, optimizer=train.LBFGS(1e-4), dtype=dtype
    )
    assert fitted.stopped == "converged" and len(fitted.history) < 30
    assert np.allclose(fitted.params["output"]["W"][:, 0], [1, 2, 3], atol=1e-3)
    assert np.allclose(fitted.params["output"]["b"], 4, atol=1e-3)
    assert fitted.params["output"]["b"].dtype == dtype
    assert (np.diff(fitted.history["cost"]) <= 0).all()
    assert fitted.state.epoch == len(fitted.history)


def test_iterations_are_bounded():
    fitted = train.fit(NETWORK, X, Y, optimizer=train.LBFGS(1e-12), epochs=3)
    assert fitted.stopped == "epochs" and len(fitted.history) == 3
    few = train.fit(NETWORK, X, Y, optimizer=train.LBFGS(1e-12, max_fun=2))
    assert few.stopped == "epochs" and len(few.history) <= 3


def test_the_best_iteration_by_the_validation_rows_is_returned():
    network = nn.mlp([30], "tanh", nn.Gaussian())
    noisy = Y + 0.3 * RNG.normal(size=40)
    fitted = train.fit(
        network,
        X[:15],
        noisy[:15],
        optimizer=train.LBFGS(),
        epochs=200,
        validation=(X[15:], Y[15:]),
        early_stopping=train.EarlyStopping(patience=20),
        dtype="float64",
    )
    costs = fitted.history["validation"]
    assert fitted.stopped == "patience"
    assert fitted.best_epoch == costs.argmin() + 1 < len(costs)


class Interrupt(train.Callback):
    def on_epoch_end(self, epoch):
        if epoch.number == 3:
            raise KeyboardInterrupt


def test_an_interruption_keeps_the_last_iteration():
    settings = {"optimizer": train.LBFGS(), "dtype": "float64"}
    fitted = train.fit(NETWORK, X, Y, epochs=99, callbacks=[Interrupt()], **settings)
    whole = train.fit(NETWORK, X, Y, epochs=3, **settings)
    assert fitted.stopped == "interrupted" and len(fitted.history) == 3
    for a, b in zip(*(flatten(f.params)[0] for f in (fitted, whole)), strict=True):
        assert np.array_equal(a, b)


def test_a_fit_may_be_finished_by_another_method():
    first = train.fit(NETWORK, X, Y, epochs=5, dtype="float64")
    second = train.fit(
        NETWORK, X, Y, optimizer=train.LBFGS(), params=first.params, dtype="float64"
    )
    assert second.history["cost"][-1] < first.history["cost"][-1]


@pytest.mark.parametrize(
    ("network", "settings", "words"),
    [
        (nn.mlp([4], dropout=0.5), {}, "Dropout, BatchNorm"),
        (nn.mlp([4], norm="batch"), {}, "Dropout, BatchNorm"),
        (NETWORK, {"schedule": train.Cosine()}, "no schedule"),
        (NETWORK, {"constraints": [nn.MaxNorm(1.0)]}, "constraints"),
        (NETWORK, {"clip_norm": 1.0}, "clip_norm"),
        (NETWORK, {"freeze": ["0", "output"]}, "nothing is left"),
    ],
)
def test_what_it_cannot_do_is_refused(network, settings, words):
    with pytest.raises(train.FitError, match=words):
        train.fit(network, X, Y, optimizer=train.LBFGS(), **settings)


@pytest.mark.parametrize("bad", [{"tol": -1.0}, {"max_fun": 0}, {"memory": 0}])
def test_impossible_settings_are_refused(bad):
    with pytest.raises(train.FitError):
        train.LBFGS(**bad)
