"""What scikit-learn's two multilayer perceptrons share, on weft's engine.

Parameters, attributes and their meaning are scikit-learn's. What differs: gradients are
right for several outputs with every solver, log-probabilities of confident networks are
finite, a warm start and `partial_fit` go on with the optimizer's state (of a loaded
model, with the weights alone), and the hidden units are those that weft has, one for
all layers or one for each. The type of X decides in which type is computed: float64 in,
float64 throughout.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from weft import nn, train
from weft.estimators import fitted, modelfile
from weft.estimators.evaluators import evaluator_of
from weft.estimators.fitted import FitSummary
from weft.graph.errors import WeftError
from weft.graph.tree import flatten, paths
from weft.train.monitor import Metric

Array = NDArray[Any]

_SOLVERS = ("adam", "sgd", "lbfgs")
_SCHEDULES = ("constant", "invscaling", "adaptive")
_FIGURES = (
    "loss_",
    "best_loss_",
    "loss_curve_",
    "validation_scores_",
    "best_validation_score_",
    "t_",
)


class SettingError(WeftError, ValueError):
    """A constructor argument that cannot be."""


class MultilayerPerceptron(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]
    TransformerMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
    ABC,
):
    """What the two estimators share: everything but the target."""

    _state: train.State | None
    loss_curve_: list[float]
    validation_scores_: list[float] | None

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        max_fun: int = 15000,
        dropout: float = 0.0,
        engine: str = "auto",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dropout = dropout
        self.engine = engine

    # What the two differ in -----------------------------------------------------------

    @abstractmethod
    def _targets(self, y: Any, first: bool, classes: Any) -> Array:
        """Check targets and return them as the output unit takes them."""

    @abstractmethod
    def _output(self) -> nn.OutputUnit:
        """Return the output unit for the targets that `_targets` has seen."""

    @property
    @abstractmethod
    def _score_metric(self) -> tuple[str, Metric]:
        """The measure that `early_stopping` watches; greater is better."""

    # Fitting --------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (rows, features)
        y : array-like, shape (rows,) or (rows, outputs)
        sample_weight : array-like, shape (rows,), optional
            A row of weight 2 counts as much as the row twice.

        Returns
        -------
        self

        Raises
        ------
        weft.train.FitError
            If the cost or a parameter stops being a finite number.
        """
        return self._fit(X, y, sample_weight, incremental=False)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any) -> Self:
        if self.solver == "lbfgs":
            raise AttributeError(
                "partial_fit takes single epochs, and L-BFGS has none: use solver="
                "'adam' or 'sgd'"
            )
        if self.early_stopping:
            raise SettingError("partial_fit does not support early_stopping=True")
        return self._fit(X, y, sample_weight, incremental=True, classes=classes)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        incremental: bool,
        classes: Any = None,
    ) -> Self:
        self._check_settings()
        first = not hasattr(self, "params_") or not (self.warm_start or incremental)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            dtype=(np.float64, np.float32),
            reset=first,
        )
        targets = self._targets(y, first, classes)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        X = dense(X)
        if first:
            self._state = None
            self.loss_curve_, self.validation_scores_, self.t_ = [], [], 0
        rng = check_random_state(self.random_state)
        seed = int(rng.randint(np.iinfo(np.int32).max))
        network = nn.mlp(
            _widths(self.hidden_layer_sizes),
            self.activation,
            self._output(),
            dropout=self.dropout,
        )
        inside, outside = self._held_out(X, targets, sample_weight, rng)
        with warnings.catch_warnings():
            # What diverges is an error here, as it is in scikit-learn.
            warnings.simplefilter("ignore", train.DivergenceWarning)
            fit = train.fit(
                network,
                inside[0],
                inside[1],
                sample_weight=inside[2],
                validation=outside,
                epochs=1 if incremental else self.max_iter,
                batch_size=self._batch(len(inside[0])),
                penalties=[nn.L2(self.alpha, per_row=True)],
                seed=seed,
                params=None if first or self._state else self.params_,
                resume=self._state,
                shuffle=self.shuffle,
                callbacks=self._callbacks(),
                dtype=X.dtype,
                engine=self.engine,
                **self._method(incremental),
            )
        if fit.stopped == "diverged":
            raise train.FitError(fit.message)
        self._keep(fit, len(inside[0]), 0 if outside is None else len(outside[0]))
        if fit.stopped == "epochs" and not incremental:
            warnings.warn(
                f"the {self.max_iter} iterations of max_iter are done, and the fit has "
                "not converged yet",
                ConvergenceWarning,
                stacklevel=3,
            )
        if fit.stopped == "interrupted":
            warnings.warn("Training interrupted by user.", stacklevel=3)
        return self

    def _method(self, incremental: bool) -> dict[str, Any]:
        """Return optimizer, schedule and early stopping as `train.fit` takes them."""
        if self.solver == "lbfgs":
            return {"optimizer": train.LBFGS(self.tol, self.max_fun)}
        name, metric = self._score_metric
        watched: dict[str, Any] = {"metric": "cost", "greater_is_better": False}
        chosen: dict[str, Any] = {}
        if self.early_stopping:
            watched = {"metric": name, "greater_is_better": True}
            chosen["metrics"] = {name: metric}
        patience, tol = self.n_iter_no_change, self.tol
        if self.solver == "adam":
            chosen["optimizer"] = train.Adam(
                self.learning_rate_init, self.beta_1, self.beta_2, self.epsilon
            )
        else:
            momentum = self.momentum
            nesterov = bool(momentum and self.nesterovs_momentum)
            chosen["optimizer"] = train.SGD(self.learning_rate_init, momentum, nesterov)
            if self.learning_rate == "invscaling":
                chosen["schedule"] = train.InverseScaling(self.power_t)
        if self.solver == "sgd" and self.learning_rate == "adaptive":
            chosen["schedule"] = train.Adaptive(patience, tol, **watched)
        elif not incremental:
            chosen["early_stopping"] = train.EarlyStopping(patience, tol, **watched)
        return chosen

    def _held_out(
        self, X: Array, y: Array, weight: Array | None, rng: Any
    ) -> tuple[tuple[Array, Array, Array | None], tuple[Array, ...] | None]:
        """Part the rows into those to fit to and those that decide when to stop."""
        if not self.early_stopping or self.solver == "lbfgs":
            return (X, y, weight), None
        stratify = y if isinstance(self, ClassifierMixin) and y.ndim == 1 else None
        rows, held = train_test_split(
            np.arange(len(X)),
            random_state=rng,
            test_size=self.validation_fraction,
            stratify=stratify,
        )
        if len(held) < 2:
            raise SettingError(
                "fewer than 2 rows would be held out for early stopping: raise "
                "validation_fraction, or give more rows"
            )
        inside = (X[rows], y[rows], None if weight is None else weight[rows])
        outside = (X[held], y[held], *(() if weight is None else (weight[held],)))
        return inside, outside

    def _batch(self, rows: int) -> int:
        if isinstance(self.batch_size, str):
            return min(200, rows)
        if self.batch_size > rows:
            warnings.warn(
                f"batch_size={self.batch_size} is larger than the {rows} rows there "
                "are, and is clipped",
                stacklevel=5,
            )
        return int(min(self.batch_size, rows))

    def _callbacks(self) -> list[train.Callback]:
        return [_Printer()] if self.verbose else []

    def _keep(self, fit: train.Fit, rows: int, validation_rows: int) -> None:
        """Take over what was learnt, in scikit-learn's names."""
        self.network_ = fit.network
        self.params_ = fit.params
        self.dispersion_ = fit.dispersion
        self.history_ = fit.history
        self.fit_ = FitSummary.of(fit, rows, validation_rows, self._batch(rows))
        self._state = fit.state if self.solver != "lbfgs" else None
        weights = _named(fit.params, "W")
        self.coefs_, self.intercepts_ = weights, _named(fit.params, "b")
        self.n_layers_ = len(weights) + 1
        losses = (fit.history["cost"] - self._constant()).tolist()
        self.n_iter_ = len(losses)
        if self.solver == "lbfgs":
            self.loss_ = losses[-1] if losses else float("nan")
            self.best_loss_ = self.loss_
            self.validation_scores_ = None
            self.best_validation_score_ = None
            return
        self.t_ += self.n_iter_ * rows
        self.loss_curve_ = [*self.loss_curve_, *losses]
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else float("nan")
        if self.early_stopping:
            scores = fit.history[self._score_metric[0]].tolist()
            self.validation_scores_ = [*(self.validation_scores_ or []), *scores]
            self.best_validation_score_ = max(self.validation_scores_, default=None)
            self.best_loss_ = None
        else:
            self.validation_scores_, self.best_validation_score_ = None, None
            self.best_loss_ = min(self.loss_curve_, default=None)

    def _constant(self) -> float:
        """What the cost has beyond scikit-learn's loss."""
        return 0.0

    def _check_settings(self) -> None:
        if self.solver not in _SOLVERS:
            raise SettingError(f"solver={self.solver!r} is none of {_SOLVERS}")
        if self.learning_rate not in _SCHEDULES:
            raise SettingError(
                f"learning_rate={self.learning_rate!r} is none of {_SCHEDULES}"
            )
        sizes = _widths(self.hidden_layer_sizes)
        if any(size <= 0 for size in sizes):
            raise SettingError(f"hidden_layer_sizes must be > 0, got {sizes}")
        for name, low in (("max_iter", 1), ("n_iter_no_change", 1), ("alpha", 0)):
            if getattr(self, name) < low:
                raise SettingError(f"{name}={getattr(self, name)}: at least {low}")
        if self.early_stopping and not 0 < self.validation_fraction < 1:
            raise SettingError(
                f"validation_fraction={self.validation_fraction}: above 0 and below 1"
            )
        if isinstance(self.batch_size, str):
            if self.batch_size != "auto":
                raise SettingError(
                    f"batch_size={self.batch_size!r}: a number or 'auto'"
                )
        elif self.batch_size < 1:
            raise SettingError(f"batch_size={self.batch_size}: at least 1")

    # Prediction -----------------------------------------------------------------------

    def _inputs(self, X: Any) -> Array:
        """Return rows to predict for, checked against those that were fitted to."""
        check_is_fitted(self, "params_")
        X = validate_data(
            self,
            X,
            accept_sparse=["csr", "csc"],
            dtype=(np.float64, np.float32),
            reset=False,
        )
        return dense(X)

    def _raw(self, X: Any) -> Array:
        inputs = self._inputs(X)
        return self._evaluator().raw(self.params_, inputs)

    def _evaluator(self) -> train.Evaluator:
        return evaluator_of(
            self, self.network_, self.n_features_in_, self.coefs_[0].dtype
        )

    def predict_dist(self, X: Any) -> nn.Distribution:
        """Return the distribution of each row's target.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (rows, features)

        Returns
        -------
        weft.nn.Distribution
            With mean, std, quantile, interval, sample, log_prob; of classes as codes.
        """
        return self.network_.output.distribution(self._raw(X), self.dispersion_)

    def transform(self, X: Any, layer: int = -1) -> Array:
        """Return what a hidden layer gives: the learnt features.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (rows, features)
        layer : int
            From 0; -1 for the last one.

        Returns
        -------
        ndarray, shape (rows, width)
        """
        inputs = self._inputs(X)
        return self._evaluator().hidden(self.params_, inputs, layer)

    @property
    def _n_features_out(self) -> int:
        """How many features `transform` gives (scikit-learn asks for it)."""
        shape: tuple[int, ...] = self.network_.body.out_shape((self.n_features_in_,))
        return shape[0]

    def summary(self) -> str:
        """Return a table of the layers, their shapes and numbers of parameters."""
        check_is_fitted(self, "params_")
        return self.network_.summary(self.n_features_in_)

    # As data --------------------------------------------------------------------------

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def save(self, path: str | Path, force: bool = False) -> None:
        """Write the model to a file: arrays and JSON, never pickle.

        Parameters
        ----------
        path : str or Path
        force : bool
            Replace a file that is there already.

        Raises
        ------
        ModelFileError
            If it cannot be written, or is there already.
        """
        check_is_fitted(self, "params_")
        tensors = fitted.to_tensors(self.params_)
        if self.dispersion_ is not None:
            tensors["dispersion"] = np.asarray(self.dispersion_)
        names = getattr(self, "feature_names_in_", None)
        metadata = {
            "estimator": type(self).__name__,
            "settings": fitted.settings_to_json(self.get_params(deep=False)),
            "network": self.network_.describe(),
            "features": self.n_features_in_,
            "feature_names": None if names is None else list(names),
            "classes": self._labels(),
            "history": fitted.history_to_json(self.history_),
            "figures": fitted.settings_to_json(
                {name: getattr(self, name) for name in _FIGURES}
            ),
            "fit": asdict(self.fit_),
        }
        modelfile.write(path, tensors, metadata, force)

    def _labels(self) -> Any:
        return None

    def _set_labels(self, labels: Any) -> None:
        """Take over what `_labels` returned."""

    @classmethod
    def from_parts(
        cls, tensors: Mapping[str, Array], metadata: Mapping[str, Any]
    ) -> Self:
        """Return the estimator that a model file's contents describe.

        Parameters
        ----------
        tensors : mapping of str to ndarray
        metadata : mapping
            As `save` writes them.

        Returns
        -------
        estimator
        """
        made = cls(**fitted.settings_from_json(metadata["settings"]))
        made.network_ = nn.Network.from_description(metadata["network"])
        made.n_features_in_ = metadata["features"]
        if metadata["feature_names"] is not None:
            names = np.array(metadata["feature_names"], dtype=object)
            made.feature_names_in_ = names
        made._set_labels(metadata["classes"])
        made.params_ = fitted.from_tensors(tensors, made.network_, made.n_features_in_)
        made.dispersion_ = tensors.get("dispersion")
        made.coefs_ = _named(made.params_, "W")
        made.intercepts_ = _named(made.params_, "b")
        made.n_layers_ = len(made.coefs_) + 1
        made.history_ = fitted.history_from_json(metadata["history"])
        for name, value in fitted.settings_from_json(metadata["figures"]).items():
            setattr(made, name, list(value) if isinstance(value, tuple) else value)
        made.fit_ = FitSummary(**metadata["fit"])
        made.n_iter_ = made.fit_.epochs
        made._state = None
        return made


@final
class _Printer(train.Callback):
    """Prints the loss of every iteration, as ``verbose=True`` asks for."""

    def on_epoch_end(self, epoch: train.Epoch) -> bool | None:
        """Print one line."""
        print(f"Iteration {epoch.number}, loss = {epoch.cost:.8f}")
        return None


def _widths(given: Any) -> list[int]:
    return [int(given)] if np.ndim(given) == 0 else [int(n) for n in given]


def dense(X: Any) -> Array:
    """Return an array of all of `X`, whether it is sparse or not.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> dense(csr_matrix([[0, 1]]))
    array([[0, 1]])
    """
    array: Array = X.toarray() if issparse(X) else X
    return array


def _named(params: Mapping[str, Any], name: str) -> list[Array]:
    found, _ = flatten(params)
    return [
        array
        for path, array in zip(paths(params), found, strict=True)
        if path.rsplit("/", 1)[-1] == name
    ]
