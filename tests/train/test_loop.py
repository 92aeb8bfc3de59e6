"""The training loop: steps by hand, weights, penalties, the best epoch, and endings."""

import math
import signal
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

import weft
from weft import nn, train
from weft.graph.tree import flatten, tree_map
from weft.train.objective import by_path

RNG = np.random.default_rng(0)
X = RNG.normal(size=(37, 3))
Y = np.sin(X[:, 0]) + 0.1 * RNG.normal(size=37)
LABELS = (X[:, 1] > 0).astype(int) + (X[:, 2] > 0.5)
NETWORK = nn.mlp([5], "tanh", nn.Gaussian())
CLASSES = nn.mlp([6, 4], "tanh", nn.Categorical(3))
FIXED = {"dtype": "float64", "shuffle": False, "seed": 1}


def same(a, b):
    """Tell whether two trees of arrays have the same bits."""
    pairs = zip(flatten(a)[0], flatten(b)[0], strict=True)
    return all(np.array_equal(x, y) and x.dtype == y.dtype for x, y in pairs)


def gradient(network, params, rows, targets):
    """Return the cost's gradient at parameters, by `weft.grad`."""
    symbols = network.symbols(rows.shape[1], "float64")
    x = weft.input("x", ("n", rows.shape[1]), "float64")
    target = network.output.as_target(targets, np.dtype("float64"))
    y = network.output.target(target)
    cost, _ = network.cost(symbols, x, y, nn.Train(0, 0))
    feed = dict(zip(flatten(symbols)[0], flatten(params)[0], strict=True))
    return weft.evaluate(weft.grad(cost, symbols), {**feed, x: rows, y: target})


# Steps --------------------------------------------------------------------------------


def test_one_step_of_descent_is_the_formula_bit_for_bit():
    start = NETWORK.init(1, 3, "float64")
    fitted = train.fit(
        NETWORK, X, Y, optimizer=train.SGD(0.1), epochs=1, batch_size=37, **FIXED
    )
    slope = gradient(NETWORK, start, X, Y)
    assert same(fitted.params, tree_map(lambda p, g: p - 0.1 * g, start, slope))


def test_an_epoch_of_minibatches_is_its_steps_the_last_one_partial():
    params = NETWORK.init(1, 3, "float64")
    fitted = train.fit(
        NETWORK, X, Y, optimizer=train.SGD(0.1), epochs=2, batch_size=10, **FIXED
    )
    for _ in range(2):
        for at in range(0, 37, 10):
            slope = gradient(NETWORK, params, X[at : at + 10], Y[at : at + 10])
            params = tree_map(lambda p, g: p - 0.1 * g, params, slope)
    assert same(fitted.params, params)
    assert fitted.state.epoch == 2 and fitted.state.step == 8


def test_every_shuffled_epoch_takes_the_rows_in_an_order_of_its_own():
    settings = {"optimizer": train.SGD(0.1), "batch_size": 10, "dtype": "float64"}
    shuffled = train.fit(NETWORK, X, Y, epochs=3, seed=4, **settings)
    params = NETWORK.init(4, 3, "float64")
    for epoch in range(3):
        taken = train.order(4, epoch, 37)
        params = train.fit(
            NETWORK,
            X[taken],
            Y[taken],
            epochs=1,
            shuffle=False,
            params=params,
            **settings,
        ).params
    assert same(shuffled.params, params)


def test_minibatch_gradients_average_to_the_full_one():
    params = NETWORK.init(0, 3, "float64")
    full = gradient(NETWORK, params, X[:36], Y[:36])
    taken = train.order(0, 0, 36).reshape(6, 6)
    parts = [flatten(gradient(NETWORK, params, X[i], Y[i]))[0] for i in taken]
    for whole, *pieces in zip(flatten(full)[0], *parts, strict=True):
        assert np.allclose(np.mean(pieces, axis=0), whole, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_twice_gives_the_same_bits(dtype):
    network = nn.mlp([8, 8], "relu", nn.Categorical(3), dropout=0.2, norm="batch")
    one, two, other = (
        train.fit(network, X, LABELS, epochs=5, batch_size=8, seed=seed, dtype=dtype)
        for seed in (3, 3, 4)
    )
    assert same(one.params, two.params) and not same(one.params, other.params)
    assert np.array_equal(one.history["cost"], two.history["cost"])
    assert all(a.dtype == dtype for a in flatten(one.params)[0])


def test_the_history_holds_the_mean_cost_of_the_steps():
    costs, params = [], NETWORK.init(1, 3, "float64")
    evaluator = train.Evaluator(NETWORK, 3, "float64")
    for at in range(0, 37, 10):
        rows, targets = X[at : at + 10], Y[at : at + 10]
        costs.append((evaluator.cost(params, rows, targets), len(rows)))
        slope = gradient(NETWORK, params, rows, targets)
        params = tree_map(lambda p, g: p - 0.1 * g, params, slope)
    fitted = train.fit(
        NETWORK, X, Y, optimizer=train.SGD(0.1), epochs=1, batch_size=10, **FIXED
    )
    expected = sum(cost * count for cost, count in costs) / 37
    (epoch,) = fitted.history
    assert epoch.cost == pytest.approx(expected, rel=1e-12) == epoch.nll
    assert math.isnan(epoch.validation) and epoch.lr == 0.1 and epoch.number == 1
    assert fitted.stopped == "epochs" and fitted.best_epoch == 1


def test_zero_epochs_return_the_start():
    fitted = train.fit(NETWORK, X, Y, epochs=0, seed=2)
    assert same(fitted.params, NETWORK.init(2, 3)) and fitted.best_epoch == 0
    assert len(fitted.history) == 0 and fitted.stopped == "epochs"


# scikit-learn -------------------------------------------------------------------------


def scikit_learns(kind, targets, **settings):
    """Return scikit-learn's fit and the parameters that it began with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        common = {"activation": "tanh", "random_state": 0, "shuffle": False}
        common["hidden_layer_sizes"] = (6, 4)
        still = {"solver": "sgd", "learning_rate_init": 1e-300, "max_iter": 1}
        start = kind(**common, **still).fit(X, targets)
        return kind(**common, **settings).fit(X, targets), start


def as_ours(model):
    names = [*map(str, range(len(model.coefs_) - 1)), "output"]
    pairs = zip(names, model.coefs_, model.intercepts_, strict=True)
    return {name: {"W": W, "b": b} for name, W, b in pairs}


OURS = nn.mlp([6, 4], "tanh", nn.Gaussian())
NORMALISER = 0.5 * math.log(2 * math.pi)


@pytest.mark.parametrize(
    ("settings", "ours"),
    [
        (
            {"solver": "adam", "learning_rate_init": 0.01},
            {"optimizer": train.Adam(0.01)},
        ),
        (
            {"solver": "sgd", "learning_rate_init": 0.05, "momentum": 0.8},
            {"optimizer": train.SGD(0.05, momentum=0.8, nesterov=True)},
        ),
        (
            {
                "solver": "sgd",
                "learning_rate": "invscaling",
                "learning_rate_init": 0.1,
                "momentum": 0.0,
            },
            {
                "optimizer": train.SGD(0.1),
                "schedule": train.InverseScaling(0.5),
            },
        ),
        (
            {
                "solver": "sgd",
                "learning_rate": "adaptive",
                "learning_rate_init": 0.9,
                "momentum": 0.0,
                "n_iter_no_change": 1,
                "tol": 0.02,
            },
            {
                "optimizer": train.SGD(0.9),
                "schedule": train.Adaptive(patience=1, min_delta=0.02),
            },
        ),
    ],
    ids=["adam", "nesterov", "invscaling", "adaptive"],
)
@pytest.mark.parametrize("batch_size", [37, 10])
def test_a_fit_is_scikit_learns_epoch_by_epoch(settings, ours, batch_size):
    model, start = scikit_learns(
        MLPRegressor, Y, alpha=0.3, max_iter=25, batch_size=batch_size, **settings
    )
    fitted = train.fit(
        OURS,
        X,
        Y,
        epochs=25,
        batch_size=batch_size,
        params=as_ours(start),
        penalties=[nn.L2(0.3, per_row=True)],
        **FIXED,
        **ours,
    )
    costs = fitted.history["cost"] - NORMALISER
    assert np.allclose(costs, model.loss_curve_, rtol=1e-10)
    for a, b in zip(
        *(flatten(t)[0] for t in (fitted.params, as_ours(model))), strict=True
    ):
        assert np.allclose(a, b, rtol=1e-8, atol=1e-10)


def test_classes_are_scikit_learns_too():
    model, start = scikit_learns(
        MLPClassifier, LABELS, alpha=0.1, max_iter=20, batch_size=10
    )
    fitted = train.fit(
        CLASSES,
        X,
        LABELS,
        epochs=20,
        batch_size=10,
        params=as_ours(start),
        penalties=[nn.L2(0.1, per_row=True)],
        **FIXED,
    )
    assert np.allclose(fitted.history["cost"], model.loss_curve_, rtol=1e-10)


# Weights ------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", [(), (nn.L2(0.1, per_row=True),)])
def test_a_weight_of_two_is_the_row_twice(penalty):
    weight = RNG.integers(0, 4, 37)
    again = np.repeat(np.arange(37), weight)
    common = {"epochs": 20, "penalties": penalty, **FIXED}
    weighted = train.fit(NETWORK, X, Y, sample_weight=weight, batch_size=37, **common)
    repeated = train.fit(NETWORK, X[again], Y[again], batch_size=len(again), **common)
    for a, b in zip(*(flatten(f.params)[0] for f in (weighted, repeated)), strict=True):
        assert np.allclose(a, b, rtol=1e-9, atol=1e-12)
    assert weighted.history["cost"][-1] == pytest.approx(repeated.history["cost"][-1])
    assert weighted.dispersion == pytest.approx(repeated.dispersion)


def test_weights_of_one_are_no_weights():
    one = train.fit(NETWORK, X, Y, epochs=5, sample_weight=np.ones(37))
    two = train.fit(NETWORK, X, Y, epochs=5)
    assert same(one.params, two.params)


# Penalties and constraints ------------------------------------------------------------


def test_a_penalty_of_strength_zero_is_none_bit_for_bit():
    plain = train.fit(NETWORK, X, Y, epochs=5)
    for penalties in ([nn.L2(0.0)], [nn.L1(0.0)], [nn.L1(0.0), nn.L2(0.0)]):
        none = train.fit(NETWORK, X, Y, epochs=5, penalties=penalties)
        assert same(none.params, plain.params)
        assert np.array_equal(none.history["cost"], plain.history["cost"])


def test_the_cost_is_the_likelihood_and_the_penalty():
    omega = 0.5 * sum(
        (part["W"] ** 2).sum() for part in NETWORK.init(1, 3, "float64").values()
    )
    settings = {"epochs": 1, "batch_size": 37, **FIXED}
    fitted = train.fit(NETWORK, X, Y, penalties=[nn.L2(0.5)], **settings)
    (epoch,) = fitted.history
    assert epoch.cost == pytest.approx(epoch.nll + 0.5 * omega, rel=1e-12)
    (plain,) = train.fit(NETWORK, X, Y, **settings).history
    assert plain.nll == epoch.nll


def test_any_function_of_the_parameters_is_a_penalty():
    def decay(params):
        squares = [weft.sum(weft.square(part["W"])) for part in params.values()]
        return 0.25 * sum(squares[1:], squares[0])

    one = train.fit(NETWORK, X, Y, epochs=5, penalties=[decay], **FIXED)
    two = train.fit(NETWORK, X, Y, epochs=5, penalties=[nn.L2(0.5)], **FIXED)
    assert np.allclose(one.params["0"]["W"], two.params["0"]["W"], rtol=1e-10)


def test_l1_drives_weights_to_zero():
    noisy = np.column_stack([X, RNG.normal(size=(37, 5))])
    linear = nn.mlp([], output=nn.Gaussian())
    fitted = train.fit(
        linear,
        noisy,
        Y,
        optimizer=train.SGD(0.05),
        epochs=400,
        batch_size=37,
        penalties=[nn.L1(0.1)],
    )
    weights = fitted.params["output"]["W"][:, 0]
    assert abs(weights[0]) > 0.2 and (abs(weights[3:]) < 0.02).all()


def test_max_norm_holds_after_every_update():
    fitted = train.fit(
        NETWORK,
        X,
        10 * Y,
        optimizer=train.SGD(0.5),
        epochs=20,
        constraints=[nn.MaxNorm(0.5)],
        **FIXED,
    )
    for part in fitted.params.values():
        norms = np.linalg.norm(part["W"], axis=0)
        assert (norms <= 0.5 * (1 + 1e-12)).all()
    assert np.linalg.norm(fitted.params["output"]["W"]) == pytest.approx(0.5)


def test_any_projection_is_a_constraint():
    def positive(params):
        return {path: weft.maximum(node, 0) for path, node in params.items()}

    fitted = train.fit(NETWORK, X, Y, epochs=3, constraints=[positive])
    assert all((array >= 0).all() for array in flatten(fitted.params)[0])


def test_clipping_bounds_the_step():
    start = NETWORK.init(1, 3, "float64")
    fitted = train.fit(
        NETWORK,
        X,
        1000 * Y,
        optimizer=train.SGD(1.0),
        epochs=1,
        batch_size=37,
        clip_norm=0.25,
        **FIXED,
    )
    moved = tree_map(lambda a, b: ((a - b) ** 2).sum(), fitted.params, start)
    assert math.sqrt(sum(flatten(moved)[0])) == pytest.approx(0.25)


# Freezing, statistics, run-time numbers -----------------------------------------------


@pytest.mark.parametrize("freeze", ["0", ["0/W", "output/b"], ("1",)])
def test_frozen_parameters_keep_their_bits(freeze):
    network = nn.mlp([5, 4], "tanh", nn.Gaussian(), norm="batch")
    start = by_path(network.init(0, 3))
    fitted = train.fit(network, X, Y, epochs=3, freeze=freeze)
    prefixes = [freeze] if isinstance(freeze, str) else freeze
    for path, array in by_path(fitted.params).items():
        held = any(path == p or path.startswith(f"{p}/") for p in prefixes)
        # A bias in front of a batch norm has no slope but what rounding leaves.
        if held or not path.endswith(("0/b", "1/b")):
            assert np.array_equal(array, start[path]) == held, path


def test_batch_statistics_are_kept_and_not_trained():
    network = nn.Network([nn.BatchNorm(rate=0.5)], nn.Gaussian())
    fitted = train.fit(network, 3 * X + 5, Y, epochs=30, batch_size=37, **FIXED)
    kept = fitted.params["0"]
    assert np.allclose(kept["mean"], (3 * X + 5).mean(axis=0))
    assert np.allclose(kept["variance"], (3 * X + 5).var(axis=0))
    assert set(fitted.state.optimizer["m"]) == {
        "0/gain",
        "0/shift",
        "output/W",
        "output/b",
    }


def test_dropout_regularises_with_a_mask_per_step():
    network = nn.mlp([30], "relu", nn.Gaussian(), dropout=0.5)
    plain = nn.mlp([30], "relu", nn.Gaussian())
    start = network.init(1, 3, "float64")
    settings = {"optimizer": train.SGD(1e-300), "epochs": 40, "params": start, **FIXED}
    noisy = train.fit(network, X, Y, batch_size=37, **settings).history["cost"]
    still = train.fit(plain, X, Y, batch_size=37, **settings).history["cost"]
    assert len(set(noisy.tolist())) == 40 and len(set(still.tolist())) == 1


# Validation, stopping, endings --------------------------------------------------------


def overfitting(**settings):
    """Fit a network that is too large to a handful of rows."""
    network = nn.mlp([40], "tanh", nn.Gaussian())
    return network, train.fit(
        network,
        X[:12],
        Y[:12],
        optimizer=train.Adam(0.02),
        validation=(X[12:], Y[12:]),
        dtype="float64",
        **settings,
    )


def test_the_best_epoch_is_returned():
    network, fitted = overfitting(epochs=150)
    costs = fitted.history["validation"]
    best = int(costs.argmin())
    assert 0 < best < 140 and fitted.best_epoch == best + 1
    evaluator = train.Evaluator(network, 3, "float64")
    again = evaluator.cost(fitted.params, X[12:], Y[12:])
    assert again == pytest.approx(costs[best], rel=1e-12)
    assert not same(fitted.params, fitted.state.params)
    _, shorter = overfitting(epochs=best + 1)
    assert same(shorter.params, fitted.params)


def test_patience_stops_the_fit_and_says_so():
    _, fitted = overfitting(epochs=1000, early_stopping=train.EarlyStopping(patience=7))
    assert fitted.stopped == "patience" and "7 epochs" in fitted.message
    assert len(fitted.history) == fitted.best_epoch + 8


def test_stopping_may_watch_the_training_cost():
    fitted = train.fit(
        NETWORK,
        X,
        Y,
        epochs=5000,
        optimizer=train.Adam(0.05),
        early_stopping=train.EarlyStopping(5, 1e-3, metric="cost"),
    )
    assert fitted.stopped == "patience" and len(fitted.history) < 2000
    assert fitted.best_epoch == len(fitted.history)  # the last parameters
    assert same(fitted.params, fitted.state.params)


def test_metrics_are_kept_and_may_decide():
    fitted = train.fit(
        CLASSES,
        X,
        LABELS,
        epochs=40,
        optimizer=train.Adam(0.03),
        validation=(X, LABELS, np.ones(37)),
        metrics={"accuracy": train.accuracy},
        early_stopping=train.EarlyStopping(
            100, metric="accuracy", greater_is_better=True
        ),
    )
    accuracy = fitted.history["accuracy"]
    assert accuracy[-1] > accuracy[0] and accuracy.max() > 0.9
    assert fitted.best_epoch == accuracy.argmax() + 1
    evaluator = train.Evaluator(CLASSES, 3)
    found = evaluator.distribution(fitted.params, X)
    assert train.accuracy(LABELS, found) == accuracy.max()


def test_validation_weights_count():
    weight = np.zeros(37)
    weight[:5] = 1
    one = train.fit(NETWORK, X, Y, epochs=3, validation=(X, Y, weight))
    two = train.fit(NETWORK, X, Y, epochs=3, validation=(X[:5], Y[:5]))
    assert np.allclose(one.history["validation"], two.history["validation"])
    weight = RNG.integers(0, 3, 37)
    again = np.repeat(np.arange(37), weight)
    one = train.fit(NETWORK, X, Y, epochs=3, validation=(X, Y, weight))
    two = train.fit(NETWORK, X, Y, epochs=3, validation=(X[again], Y[again]))
    assert np.allclose(one.history["validation"], two.history["validation"])


class Interrupt(train.Callback):
    """Presses Ctrl-C at the end of an epoch."""

    def __init__(self, epoch):
        self.epoch, self.ended = epoch, None

    def on_epoch_end(self, epoch):
        if epoch.number == self.epoch:
            raise KeyboardInterrupt

    def on_fit_end(self, fit):
        self.ended = fit


def test_an_interruption_returns_the_best_so_far():
    interrupt = Interrupt(60)
    _, fitted = overfitting(epochs=1000, callbacks=[interrupt], engine="native")
    _, whole = overfitting(epochs=60, engine="native")
    assert fitted.stopped == "interrupted" and "60" in fitted.message
    assert same(fitted.params, whole.params) and fitted.best_epoch == whole.best_epoch
    assert interrupt.ended is fitted and len(fitted.history) == 60


def test_without_validation_an_interruption_returns_the_present_parameters():
    fitted = train.fit(NETWORK, X, Y, epochs=99, callbacks=[Interrupt(4)])
    whole = train.fit(NETWORK, X, Y, epochs=4)
    assert fitted.stopped == "interrupted" and same(fitted.params, whole.params)
    assert fitted.dispersion == whole.dispersion


def test_ctrl_c_in_the_middle_of_an_epoch_leaves_a_whole_step():
    """A real signal, somewhere within steps that would go on for hours."""

    def press(signum, frame):
        raise KeyboardInterrupt

    class Soon(train.Callback):
        def on_epoch_end(self, epoch):
            # Not while the program is still being built. And again after two seconds,
            # as a person would: Python itself drops an exception that is raised while
            # it clears up behind a weak reference.
            if epoch.number == 1:
                signal.setitimer(signal.ITIMER_REAL, 0.1, 2.0)

    before = signal.signal(signal.SIGALRM, press)
    try:
        fitted = train.fit(
            NETWORK, X, Y, epochs=10**9, batch_size=1, callbacks=[Soon()]
        )
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert fitted.stopped == "interrupted"
    assert all(np.isfinite(array).all() for array in flatten(fitted.params)[0])
    assert not same(fitted.params, NETWORK.init(0, 3))


@pytest.mark.parametrize("validation", [None, (X, Y)])
def test_divergence_is_flagged_and_the_best_kept(validation):
    with pytest.warns(train.DivergenceWarning, match="smaller learning rate"):
        fitted = train.fit(
            NETWORK,
            X,
            1e3 * Y,
            optimizer=train.SGD(1e3),
            epochs=500,
            validation=validation,
        )
    assert fitted.stopped == "diverged" and "learning rate 1000" in fitted.message
    assert all(np.isfinite(array).all() for array in flatten(fitted.params)[0])
    assert len(fitted.history) < 500
    assert not np.isfinite(fitted.history["cost"][-1])


def test_a_cost_that_is_too_large_is_divergence_too():
    """The square of 1e25 is infinite in float32; the slope and the step are not."""
    with pytest.warns(train.DivergenceWarning, match="the cost became inf in epoch 1"):
        fitted = train.fit(NETWORK, X, 1e25 * Y, optimizer=train.SGD(1e-26))
    assert fitted.stopped == "diverged" and fitted.best_epoch == 0
    assert same(fitted.params, NETWORK.init(0, 3))


def test_a_callback_may_stop_the_fit_and_hears_of_everything():
    class Listener(train.Callback):
        def __init__(self):
            self.heard = []

        def on_fit_begin(self, beginning):
            self.heard.append(beginning)

        def on_epoch_end(self, epoch):
            self.heard.append(epoch)
            return epoch.number == 3

        def on_fit_end(self, fit):
            self.heard.append(fit)

    listener = Listener()
    fitted = train.fit(
        NETWORK, X, Y, epochs=9, batch_size=10, callbacks=[listener], validation=(X, Y)
    )
    assert fitted.stopped == "callback" and "epoch 3" in fitted.message
    beginning, *epochs, end = listener.heard
    assert (beginning.rows, beginning.validation_rows) == (37, 37)
    assert (beginning.epochs, beginning.steps) == (9, 4)
    assert tuple(epochs) == fitted.history.epochs and end is fitted


def test_callbacks_hear_of_the_end_also_after_an_error():
    class Broken(train.Callback):
        ended = "not yet"

        def on_epoch_end(self, epoch):
            raise ZeroDivisionError

        def on_fit_end(self, fit):
            self.ended = fit

    broken = Broken()
    with pytest.raises(ZeroDivisionError):
        train.fit(NETWORK, X, Y, epochs=2, callbacks=[broken])
    assert broken.ended is None


def test_the_schedule_may_end_the_fit():
    fitted = train.fit(
        NETWORK,
        X,
        Y,
        optimizer=train.SGD(1e-300),
        epochs=99,
        schedule=train.Adaptive(patience=2, least=1.0),
    )
    assert fitted.stopped == "schedule" and len(fitted.history) == 4
    assert "too small" in fitted.message


def test_rates_are_consumed_step_by_step():
    """Two steps with rates of a schedule are two fits with one rate each."""
    half, rest = slice(0, 20), slice(20, 37)
    common = {"epochs": 1, **FIXED}
    ahead = train.Ahead(0.2, 0, 1, 2, 37)
    first, second = train.Cosine().rates(ahead)
    whole = train.fit(
        NETWORK,
        X,
        Y,
        optimizer=train.SGD(0.2),
        schedule=train.Cosine(),
        batch_size=20,
        **common,
    )
    one = train.fit(NETWORK, X[half], Y[half], optimizer=train.SGD(first), **common)
    two = train.fit(
        NETWORK,
        X[rest],
        Y[rest],
        optimizer=train.SGD(second),
        params=one.params,
        **common,
    )
    assert same(whole.params, two.params)
    assert whole.history["lr"].tolist() == [second]


# Continuing ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "optimizer",
    [train.Adam(0.01), train.SGD(0.05, momentum=0.9), train.SGD(0.05), train.RMSProp()],
    ids=repr,
)
def test_a_fit_is_continued_bit_for_bit(optimizer):
    network = nn.mlp([8], "relu", nn.Gaussian(), dropout=0.3, norm="batch")
    settings = {
        "optimizer": optimizer,
        "batch_size": 10,
        "seed": 2,
        "schedule": train.InverseScaling(0.1),
    }
    whole = train.fit(network, X, Y, epochs=6, **settings)
    first = train.fit(network, X, Y, epochs=2, **settings)
    second = train.fit(network, X, Y, epochs=4, resume=first, **settings)
    assert same(second.params, whole.params)
    assert second.state.epoch == 6 and second.state.step == whole.state.step
    assert [epoch.number for epoch in second.history] == [3, 4, 5, 6]
    assert np.array_equal(second.history["cost"], whole.history["cost"][2:])


def test_continuing_with_something_else_is_refused():
    first = train.fit(NETWORK, X, Y, epochs=1)
    with pytest.raises(train.FitError, match="another optimizer"):
        train.fit(NETWORK, X, Y, resume=first, optimizer=train.SGD(0.1, momentum=0.5))
    with pytest.raises(weft.ShapeError, match="'0/W' has shape"):
        train.fit(nn.mlp([6], "tanh"), X, Y, resume=first)
    with pytest.raises(train.FitError, match="not both"):
        train.fit(NETWORK, X, Y, resume=first, params=first.params)


def test_parameters_to_begin_with_are_copied():
    start = NETWORK.init(0, 3)
    kept = tree_map(np.copy, start)
    mixed = {"output": dict(reversed(start["output"].items())), "0": start["0"]}
    one = train.fit(NETWORK, X, Y, epochs=2, params=start)
    two = train.fit(NETWORK, X, Y, epochs=2, params=mixed)
    assert same(start, kept) and same(one.params, two.params)
    assert list(two.params) == ["0", "output"]


# After the fit ------------------------------------------------------------------------


def test_the_dispersion_is_of_the_validation_rows_if_there_are_any():
    one = train.fit(NETWORK, X, Y, epochs=3)
    two = train.fit(NETWORK, X, Y, epochs=3, validation=(X[:9], Y[:9]))
    for fitted, rows in ((one, slice(None)), (two, slice(9))):
        mean = train.Evaluator(NETWORK, 3).predict(fitted.params, X[rows])
        residual = Y[rows] - mean
        assert fitted.dispersion == pytest.approx(np.mean(residual**2), rel=1e-5)
    assert train.fit(CLASSES, X, LABELS, epochs=1).dispersion is None


def test_the_evaluator_takes_rows_in_pieces():
    params = CLASSES.init(0, 3)
    small = train.Evaluator(CLASSES, 3, batch_size=4)
    whole = train.Evaluator(CLASSES, 3)
    for method in ("raw", "predict", "hidden"):
        a, b = (getattr(e, method)(params, X) for e in (small, whole))
        assert a.shape[0] == 37 and np.allclose(a, b, rtol=1e-5)
    assert whole.hidden(params, X, 0).shape == (37, 6)
    assert np.allclose(whole.predict(params, X).sum(axis=1), 1)
    nll = small.nll(params, X, LABELS)
    assert np.allclose(nll, -whole.distribution(params, X).log_prob(LABELS), rtol=1e-5)
    weight = np.arange(37)
    assert small.cost(params, X, LABELS, weight) == pytest.approx(
        np.average(nll, weights=weight)
    )


def test_the_history_is_read_by_name():
    fitted = train.fit(
        CLASSES,
        X,
        LABELS,
        epochs=2,
        validation=(X, LABELS),
        metrics={"accuracy": train.accuracy},
    )
    table = fitted.history.as_dict()
    assert set(table) == {"cost", "nll", "validation", "lr", "seconds", "accuracy"}
    assert table["accuracy"] == fitted.history["accuracy"].tolist()
    with pytest.raises(weft.WeftError, match="did you mean 'accuracy'"):
        fitted.history["acuracy"]


# Errors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epochs": -1}, "epochs is -1"),
        ({"epochs": 2.5}, "whole number"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": None}, "seed is None"),
        ({"validation": X}, r"validation is \(X, y\)"),
        ({"validation": (X[:, :2], Y)}, "2 columns and X has 3"),
        ({"validation": (X, Y[:4])}, "validation X has 37 rows and y has 4"),
        ({"metrics": {"rmse": train.rmse}}, "give validation="),
        ({"early_stopping": train.EarlyStopping()}, "needs validation rows"),
        (
            {"early_stopping": train.EarlyStopping(metric="f1"), "validation": (X, Y)},
            "'f1', which is none of cost, nll, validation",
        ),
        ({"freeze": "3/W"}, "there is no parameter '3/W'"),
        ({"freeze": ["0", "output"]}, "nothing is left to train"),
        ({"penalties": [3]}, "is no penalty"),
        ({"penalties": [lambda p: p["0"]["W"]]}, "scalar float node"),
        ({"clip_norm": 0.0}, "clip_norm"),
        ({"dtype": "int64"}, "float32 or float64"),
        ({"params": {"0": {}}}, "is missing"),
        ({"engine": "magic"}, "magic"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_settings_that_cannot_be_are_refused(settings, words):
    with pytest.raises(weft.WeftError, match=words):
        train.fit(NETWORK, X, Y, **settings)


def test_missing_parameters_are_named():
    start = NETWORK.init(0, 3)
    start["9"] = {"W": np.zeros(2)}
    with pytest.raises(train.FitError, match="does not have"):
        train.fit(NETWORK, X, Y, params=start)
