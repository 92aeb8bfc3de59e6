"""scikit-learn's MLP regressor on weft's engine: change one import."""

from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d

from weft import nn, train
from weft.estimators.mlp import MultilayerPerceptron, SettingError
from weft.train.monitor import Metric

Array = NDArray[Any]

_HALF_LOG_2PI = 0.5 * float(np.log(2 * np.pi))


@final
class MLPRegressor(RegressorMixin, MultilayerPerceptron):  # type: ignore[misc]
    """scikit-learn's multilayer perceptron regressor, on weft's engine.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}
    hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate,
    learning_rate_init, power_t, max_iter, shuffle, random_state, tol, verbose,
    warm_start, momentum, nesterovs_momentum, early_stopping, validation_fraction,
    beta_1, beta_2, epsilon, n_iter_no_change, max_fun, dropout, engine
        As in `MLPClassifier`.

    Attributes
    ----------
    coefs_, intercepts_, loss_, best_loss_, loss_curve_, validation_scores_,
    best_validation_score_, n_iter_, t_, n_layers_, n_outputs_, out_activation_,
    n_features_in_, feature_names_in_
        As in scikit-learn.
    network_, params_, history_, fit_, dispersion_
        What weft knows of the fit.

    Examples
    --------
    >>> import numpy as np, weft
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> net = weft.MLPRegressor(hidden_layer_sizes=16, solver="lbfgs", random_state=0)
    >>> _ = net.fit(X, X[:, 0])
    >>> bool(abs(net.predict([[0.5]])[0] - 0.5) < 0.05)
    True
    """

    def __init__(
        self,
        loss: str = "squared_error",
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
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            max_fun=max_fun,
            dropout=dropout,
            engine=engine,
        )
        self.loss = loss

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Take one more epoch over the rows given.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (rows, features)
        y : array-like, shape (rows,) or (rows, outputs)
        sample_weight : array-like, shape (rows,), optional

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, sample_weight, None)

    def _targets(self, y: Any, first: bool, classes: Any) -> Array:
        if self.loss not in ("squared_error", "poisson"):
            raise SettingError(
                f"loss={self.loss!r} is none of 'squared_error' and 'poisson'"
            )
        found = np.asarray(y, dtype=np.float64)
        if found.ndim == 2 and found.shape[1] == 1:
            found = column_or_1d(found, warn=True)
        outputs = 1 if found.ndim == 1 else found.shape[1]
        if first:
            self.n_outputs_ = outputs
        elif outputs != self.n_outputs_:
            raise SettingError(
                f"y has {outputs} outputs, but {self.n_outputs_} were fitted before"
            )
        return found

    def _output(self) -> nn.OutputUnit:
        self.out_activation_ = "identity" if self.loss == "squared_error" else "exp"
        if self.loss == "poisson":
            return nn.Poisson(self.n_outputs_)
        return nn.Gaussian(self.n_outputs_)

    @property
    def _score_metric(self) -> tuple[str, Metric]:
        return "r2", train.r2

    def _constant(self) -> float:
        # scikit-learn's loss is half the squared error, without the log(2 pi) / 2 that
        # makes it the logarithm of a density.
        return _HALF_LOG_2PI * self.n_outputs_ if self.loss == "squared_error" else 0.0

    def predict(self, X: Any) -> Array:
        """Return the expected target of each row.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows,) or (rows, outputs)
        """
        raw = self._raw(X)
        mean: Array = self.network_.output.distribution(raw).mean()
        return mean

    def predict_interval(self, X: Any, coverage: float = 0.9) -> tuple[Array, Array]:
        """Return an interval that holds the target with probability `coverage`.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (rows, features)
        coverage : float
            In (0, 1).

        Returns
        -------
        low, high : ndarray of the shape of the targets
        """
        return self.predict_dist(X).interval(coverage)

    def _set_labels(self, labels: Any) -> None:
        shape = self.network_.output.target_shape
        self.n_outputs_ = shape[0] if shape else 1
        self.out_activation_ = "identity" if self.loss == "squared_error" else "exp"
