"""MLPClassifier and MLPRegressor: scikit-learn's contract, and its behaviour."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import weft
from weft.estimators import ModelFileError
from weft.graph.errors import WeftError


def _checks():
    for kind in (weft.MLPClassifier, weft.MLPRegressor):
        for estimator, check in estimator_checks_generator(kind()):
            name = getattr(check, "func", check).__name__
            yield pytest.param(estimator, check, id=f"{kind.__name__}-{name}")


# What the checks provoke on purpose; scikit-learn's own run filters the same.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@pytest.mark.parametrize(("estimator", "check"), list(_checks()))
def test_scikit_learn_checks(estimator, check):
    # The check of array API inputs needs SCIPY_ARRAY_API, and skips itself.
    check(estimator)


def _iris(dtype=np.float64):
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X).astype(dtype), y


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_computes_in_the_type_of_X(dtype):
    X, y = _iris(dtype)
    net = weft.MLPClassifier((8,), max_iter=3, random_state=0).fit(X, y)
    assert {a.dtype for a in net.coefs_ + net.intercepts_} == {np.dtype(dtype)}
    assert net.predict_proba(X).dtype == dtype


def _start_from(theirs, ours, X, y):
    """Fit both for no time, and give ours the parameters of theirs."""
    theirs.fit(X, y)
    ours.fit(X, y)
    for mine, other in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        assert mine.shape == other.shape
        mine[...] = other


SETTINGS = [
    {"solver": "adam"},
    {"solver": "sgd", "learning_rate_init": 0.05, "nesterovs_momentum": False},
    {"solver": "sgd", "learning_rate_init": 0.05},
    {"solver": "sgd", "learning_rate_init": 0.05, "momentum": 0.0},
    {"solver": "sgd", "learning_rate_init": 0.1, "learning_rate": "invscaling"},
    {"solver": "adam", "alpha": 0.1},
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
def test_same_start_same_curve_as_scikit_learn(settings, activation):
    """From equal parameters, whole batches: the losses agree step by step."""
    X, y = _iris()
    common = {
        "hidden_layer_sizes": (7, 5),
        "activation": activation,
        "batch_size": len(X),
        "shuffle": False,
        "random_state": 0,
        "tol": 0.0,
        **settings,
    }
    theirs = TheirClassifier(max_iter=1, **{**common, "learning_rate_init": 1e-12})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.fit(X, y)
    start = [a.copy() for a in theirs.coefs_], [a.copy() for a in theirs.intercepts_]

    reference = TheirClassifier(max_iter=1, warm_start=True, **common)
    reference.fit(X, y)
    reference.coefs_, reference.intercepts_ = copy.deepcopy(start)
    del reference._optimizer
    reference.set_params(max_iter=20)
    reference.loss_curve_ = []
    reference.t_ = 0
    reference.fit(X, y)

    ours = weft.MLPClassifier(**common)
    network = weft.nn.mlp((7, 5), activation, weft.nn.Categorical(3))
    params = {
        name: {"W": W, "b": b}
        for name, W, b in zip(("0", "1", "output"), *start, strict=True)
    }
    ours.set_params(max_iter=20)
    fit = weft.train.fit(
        network,
        X,
        y,
        params=params,
        epochs=20,
        batch_size=len(X),
        shuffle=False,
        penalties=[weft.nn.L2(ours.alpha, per_row=True)],
        dtype="float64",
        **ours._method(incremental=True),
    )
    np.testing.assert_allclose(fit.history["cost"], reference.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_lbfgs_reaches_what_scikit_learn_reaches(kind):
    if kind == "classifier":
        X, y = _iris()
        ours, theirs = weft.MLPClassifier, TheirClassifier
    else:
        X, y = load_diabetes(return_X_y=True)
        X, y = X[:100] * 20, (y[:100] - 150) / 80
        ours, theirs = weft.MLPRegressor, TheirRegressor
    settings = {
        "hidden_layer_sizes": (6,),
        "activation": "tanh",
        "solver": "lbfgs",
        "alpha": 1.0,
        "max_iter": 3000,
        "max_fun": 100_000,
        "tol": 1e-6,
    }
    best = [
        min(make(random_state=s, **settings).fit(X, y).loss_ for s in range(4))
        for make in (ours, theirs)
    ]
    assert best[0] == pytest.approx(best[1], rel=2e-2)


def test_the_gradient_is_right_for_several_outputs():
    """L-BFGS converges for two outputs: at the end the gradient is small."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = np.stack([np.tanh(X[:, 0]), X[:, 1] * 0.5], axis=1)
    net = weft.MLPRegressor(
        hidden_layer_sizes=(6,),
        activation="tanh",
        solver="lbfgs",
        random_state=0,
        max_iter=3000,
        tol=1e-7,
    ).fit(X, y)
    assert net.predict(X).shape == (60, 2)
    assert net.score(X, y) > 0.99
    assert net.n_outputs_ == 2


def test_attributes_have_scikit_learns_names_and_shapes():
    X, y = _iris()
    settings = {"hidden_layer_sizes": (8, 4), "max_iter": 5, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ours = weft.MLPClassifier(**settings).fit(X, y)
        theirs = TheirClassifier(**settings).fit(X, y)
    for name in (
        "n_layers_",
        "n_outputs_",
        "out_activation_",
        "n_iter_",
        "t_",
        "n_features_in_",
        "validation_scores_",
        "best_validation_score_",
    ):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("coefs_", "intercepts_"):
        shapes = [a.shape for a in getattr(theirs, name)]
        assert [a.shape for a in getattr(ours, name)] == shapes
    assert len(ours.loss_curve_) == 5
    assert ours.best_loss_ == min(ours.loss_curve_)
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)


def test_every_parameter_of_scikit_learn_is_there_with_its_default():
    for ours, theirs in (
        (weft.MLPClassifier(), TheirClassifier()),
        (weft.MLPRegressor(), TheirRegressor()),
    ):
        mine = ours.get_params()
        for name, default in theirs.get_params().items():
            assert mine[name] == default, name


def test_early_stopping_keeps_the_best_scores():
    X, y = _iris()
    net = weft.MLPClassifier(
        (16,),
        early_stopping=True,
        learning_rate_init=0.01,
        n_iter_no_change=5,
        random_state=0,
    ).fit(X, y)
    assert len(net.validation_scores_) == net.n_iter_ < 200
    assert net.best_validation_score_ == max(net.validation_scores_) >= 0.8
    assert net.best_loss_ is None


def test_weight_two_is_the_row_twice():
    X, y = _iris()
    X, y = X[::3], y[::3]
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    settings = {"random_state": 0, "max_iter": 30, "hidden_layer_sizes": (5,)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        weighted = weft.MLPClassifier(**settings).fit(X, y, sample_weight=weight)
        twice = weft.MLPClassifier(**settings).fit(
            np.repeat(X, weight, axis=0), np.repeat(y, weight)
        )
    np.testing.assert_allclose(
        weighted.predict_proba(X), twice.predict_proba(X), rtol=1e-7
    )


def test_partial_fit_goes_on_with_the_optimizer():
    """N epochs at once and one by one are the same, whole batches and no shuffling."""
    X, y = _iris()
    settings = {"shuffle": False, "random_state": 0, "hidden_layer_sizes": (5,)}
    one = weft.MLPClassifier(**settings)
    for _ in range(6):
        one.partial_fit(X, y, classes=[0, 1, 2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        whole = weft.MLPClassifier(max_iter=6, **settings).fit(X, y)
    for a, b in zip(one.coefs_, whole.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.loss_curve_ == whole.loss_curve_
    with pytest.raises(ValueError, match="classes not in"):
        one.partial_fit(X[:2], [0, 7])


def test_the_first_part_must_say_all_classes():
    X, y = _iris()
    with pytest.raises(ValueError, match="classes= is needed in the first call"):
        weft.MLPClassifier((5,)).partial_fit(X, y)


@pytest.mark.parametrize("fraction", [0, 1, 2, -0.1])
def test_a_validation_fraction_is_a_fraction(fraction):
    X, y = _iris()
    net = weft.MLPClassifier(early_stopping=True, validation_fraction=fraction)
    with pytest.raises(ValueError, match="validation_fraction="):
        net.fit(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_warm_start_goes_on_with_lbfgs():
    """It has no state but the weights, and must not begin with new ones."""
    X, y = _iris()
    net = weft.MLPClassifier(
        (5,), solver="lbfgs", max_iter=10, warm_start=True, random_state=0
    )
    first = net.fit(X, y).loss_
    assert net.set_params(max_iter=1).fit(X, y).loss_ <= first


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("early", [False, True])
def test_a_loaded_model_knows_its_figures_and_can_be_fitted_further(tmp_path, early):
    X, y = _iris()
    net = weft.MLPClassifier((5,), max_iter=40, early_stopping=early, random_state=0)
    net.fit(X, y).save(tmp_path / "net.weft")
    loaded = weft.load(tmp_path / "net.weft")
    assert sorted(vars(loaded)) == sorted(vars(net))
    for name in ("loss_", "best_loss_", "loss_curve_", "t_", "n_iter_"):
        assert getattr(loaded, name) == getattr(net, name)
    assert loaded.validation_scores_ == net.validation_scores_
    assert loaded.best_validation_score_ == net.best_validation_score_
    before = net.coefs_[0].copy()
    loaded.set_params(early_stopping=False).partial_fit(X, y)
    assert 0 < np.abs(loaded.coefs_[0] - before).max() < 0.05


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_warm_start_goes_on():
    X, y = _iris()
    net = weft.MLPClassifier((5,), max_iter=3, warm_start=True, random_state=0)
    first = net.fit(X, y).loss_curve_[-1]
    net.fit(X, y)
    assert len(net.loss_curve_) == 6
    assert net.loss_curve_[3] < first


def test_multilabel_and_sparse():
    X, y = make_multilabel_classification(n_samples=120, n_features=6, random_state=0)
    X = StandardScaler().fit_transform(X)
    net = weft.MLPClassifier(
        (16,), "tanh", solver="lbfgs", alpha=0.03, random_state=0, max_iter=5000
    )
    net.fit(scipy.sparse.csr_matrix(X), y)
    assert net.predict(X).shape == y.shape
    assert net.out_activation_ == "logistic"
    assert net.score(X, y) > 0.8
    np.testing.assert_array_equal(
        net.predict(scipy.sparse.csc_matrix(X)), net.predict(X)
    )


def test_log_probabilities_of_a_confident_net_are_finite():
    X = np.array([[-1.0], [1.0]] * 10)
    y = np.array(["a", "b"] * 10)
    net = weft.MLPClassifier((4,), solver="lbfgs", alpha=0, random_state=0).fit(X, y)
    far = net.predict_log_proba([[1e6]])
    assert np.isfinite(far).all()
    assert far.min() < -1e3


@pytest.mark.parametrize(
    "activation",
    ["gelu", ["relu", "tanh"], weft.nn.PReLU(), weft.nn.Maxout(2)],
    ids=str,
)
def test_any_unit_one_for_all_or_one_per_layer(activation):
    X, y = _iris()
    net = weft.MLPClassifier(
        (8, 8), activation, solver="lbfgs", random_state=0, max_iter=300
    ).fit(X, y)
    assert net.score(X, y) > 0.95


def test_works_in_scikit_learns_machinery():
    X, y = load_iris(return_X_y=True)
    pipe = make_pipeline(
        StandardScaler(), weft.MLPClassifier((8,), solver="lbfgs", random_state=0)
    )
    assert cross_val_score(pipe, X, y, cv=3).mean() > 0.9
    search = GridSearchCV(pipe, {"mlpclassifier__alpha": [1e-4, 1.0]}, cv=2).fit(X, y)
    assert search.best_score_ > 0.9


def test_the_learnt_features_can_be_used_by_others():
    X, y = _iris()
    net = weft.MLPClassifier((8, 3), solver="lbfgs", random_state=0).fit(X, y)
    phi = net.transform(X)
    assert phi.shape == (150, 3)
    logits = phi @ net.coefs_[-1] + net.intercepts_[-1]
    np.testing.assert_array_equal(net.classes_[logits.argmax(axis=1)], net.predict(X))
    assert net.transform(X, layer=0).shape == (150, 8)
    assert net.get_feature_names_out().tolist() == [
        "mlpclassifier0",
        "mlpclassifier1",
        "mlpclassifier2",
    ]


@pytest.mark.parametrize("labels", [["a", "b", "c"], [3, 5, 9], [1.0, 2.0, 4.0]])
def test_saved_copied_and_pickled_it_predicts_the_same(tmp_path, labels):
    X, y = _iris()
    y = np.array(labels)[y]
    net = weft.MLPClassifier((6,), "tanh", solver="lbfgs", random_state=0).fit(X, y)
    net.predict(X)  # makes the programs, which are no part of the state
    net.save(tmp_path / "net.weft")
    with pytest.raises(ModelFileError, match="exists already"):
        net.save(tmp_path / "net.weft")
    for other in (
        weft.load(tmp_path / "net.weft"),
        pickle.loads(pickle.dumps(net)),
        copy.deepcopy(net),
    ):
        np.testing.assert_array_equal(other.predict_proba(X), net.predict_proba(X))
        np.testing.assert_array_equal(other.predict(X), net.predict(X))
    assert clone(net).get_params() == net.get_params()


def test_a_regressor_saved_keeps_its_interval(tmp_path):
    X = np.linspace(-1, 1, 80)[:, None]
    y = X[:, 0] + np.random.default_rng(0).normal(size=80) * 0.1
    net = weft.MLPRegressor(hidden_layer_sizes=(6,), solver="lbfgs", random_state=0)
    net.fit(X, y).save(tmp_path / "net.weft")
    low, high = weft.load(tmp_path / "net.weft").predict_interval(X, coverage=0.9)
    np.testing.assert_array_equal((low, high), net.predict_interval(X, coverage=0.9))
    assert 0.8 < np.mean((low < y) & (y < high)) <= 1


def test_poisson_loss_predicts_rates():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(400, 1))
    y = rng.poisson(np.exp(1 + X[:, 0]))
    net = weft.MLPRegressor(
        loss="poisson",
        hidden_layer_sizes=(8,),
        solver="lbfgs",
        max_iter=3000,
        random_state=0,
    ).fit(X, y)
    assert net.out_activation_ == "exp"
    np.testing.assert_allclose(net.predict([[0.0]]), np.e, rtol=0.15)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"solver": "newton"}, "solver='newton' is none of"),
        ({"hidden_layer_sizes": (5, 0)}, "hidden_layer_sizes must be > 0"),
        ({"activation": "rleu"}, "did you mean"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"learning_rate": "fast", "solver": "sgd"}, "learning_rate='fast'"),
        ({"alpha": -1}, "alpha=-1"),
        ({"max_iter": 0}, "max_iter=0"),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_is_named(settings, says):
    X, y = _iris()
    with pytest.raises(WeftError, match=says):
        weft.MLPClassifier(**settings).fit(X, y)


def test_what_is_not_fitted_says_so(tmp_path):
    with pytest.raises(NotFittedError):
        weft.MLPRegressor().predict([[0.0]])
    with pytest.raises(NotFittedError):
        weft.MLPRegressor().save(tmp_path / "x.weft")


def test_a_cost_that_is_no_number_is_an_error():
    X, y = load_diabetes(return_X_y=True)
    net = weft.MLPRegressor(solver="sgd", learning_rate_init=1e6, random_state=0)
    with pytest.raises(ValueError, match="Try a smaller learning rate") as caught:
        net.fit(X, y)
    assert isinstance(caught.value, WeftError)
    assert not hasattr(net, "params_")
