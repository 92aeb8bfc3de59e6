"""scikit-learn's MLP classifier on weft's engine: change one import."""

from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from weft import nn, train
from weft.estimators.mlp import MultilayerPerceptron, SettingError, dense
from weft.train.monitor import Metric

Array = NDArray[Any]


@final
class MLPClassifier(ClassifierMixin, MultilayerPerceptron):  # type: ignore[misc]
    """scikit-learn's multilayer perceptron classifier, on weft's engine.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
    activation : str, weft.nn unit, callable, or a list of them, one per layer
        scikit-learn's names and all of weft's (`weft.nn.UNITS`).
    solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter,
    shuffle, random_state, tol, verbose, warm_start, momentum, nesterovs_momentum,
    early_stopping, validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change,
    max_fun
        As in ``sklearn.neural_network.MLPClassifier``.
    dropout : float
        The part of hidden units left out in each step, in [0, 1).
    engine : str
        As in `weft.compile`.

    Attributes
    ----------
    classes_, coefs_, intercepts_, loss_, best_loss_, loss_curve_, validation_scores_,
    best_validation_score_, n_iter_, t_, n_layers_, n_outputs_, out_activation_,
    n_features_in_, feature_names_in_
        As in scikit-learn.
    network_, params_, history_, fit_
        What weft knows of the fit.

    Examples
    --------
    >>> import numpy as np, weft
    >>> X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    >>> net = weft.MLPClassifier((8,), solver="lbfgs", random_state=1)
    >>> net.fit(X, ["no", "yes", "yes", "no"]).predict(X).tolist()
    ['no', 'yes', 'yes', 'no']
    """

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Take one more epoch over the rows given.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (rows, features)
        y : array-like, shape (rows,) or (rows, outputs)
        classes : array-like, optional
            All classes that will ever come; needed in the first call.
        sample_weight : array-like, shape (rows,), optional

        Returns
        -------
        self
        """
        if classes is None and not hasattr(self, "classes_"):
            raise SettingError(
                "classes= is needed in the first call to partial_fit: later rows may "
                "be of classes that these do not show"
            )
        return self._partial_fit(X, y, sample_weight, classes)

    def _targets(self, y: Any, first: bool, classes: Any) -> Array:
        check_classification_targets(y)
        if type_of_target(y) == "multilabel-indicator":
            found = np.asarray(dense(y))
            if first:
                self.classes_ = np.arange(found.shape[1])
                self._kind, self.n_outputs_ = "multilabel", found.shape[1]
            return found
        labels = column_or_1d(y, warn=True)
        if first:
            given = labels if classes is None else np.asarray(classes)
            self.classes_ = np.unique(given)
            count = len(self.classes_)
            self._kind = "binary" if count <= 2 else "multiclass"
            self.n_outputs_ = 1 if count <= 2 else count
        unknown = np.setdiff1d(labels, self.classes_)
        if unknown.size:
            raise ValueError(
                f"`y` has classes not in `self.classes_`: {unknown.tolist()} are not "
                f"among {self.classes_.tolist()}"
            )
        codes: Array = np.searchsorted(self.classes_, labels)
        return codes

    def _output(self) -> nn.OutputUnit:
        self.out_activation_ = "softmax" if self._kind == "multiclass" else "logistic"
        if self._kind == "multiclass":
            return nn.Categorical(self.n_outputs_)
        return nn.Bernoulli(self.n_outputs_)

    @property
    def _score_metric(self) -> tuple[str, Metric]:
        return "accuracy", train.accuracy

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each row, or its labels.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows,), or (rows, labels) of 0 and 1
        """
        raw = self._raw(X)
        if self._kind == "multilabel":
            return (raw > 0).astype(int)
        codes = raw.argmax(axis=1)
        if self._kind == "binary":
            # With one class only there is no second one to choose.
            codes = np.minimum(raw[:, 0] > 0, len(self.classes_) - 1)
        labels: Array = self.classes_[codes]
        return labels

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of the classes' probabilities, finite for any logit.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows, classes)
        """
        raw = self._raw(X)
        if self._kind == "multiclass":
            return raw - np.logaddexp.reduce(raw, axis=1, keepdims=True)
        positive = -np.logaddexp(0, -raw)
        if self._kind == "multilabel":
            return positive
        return np.concatenate([-np.logaddexp(0, raw), positive], axis=1)

    def predict_proba(self, X: Any) -> Array:
        """Return the classes' probabilities.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows, classes)
            In the order of `classes_`.
        """
        return np.exp(self.predict_log_proba(X))

    def _labels(self) -> Any:
        kind = self.classes_.dtype.kind
        return {"values": self.classes_.tolist(), "dtype": kind, "kind": self._kind}

    def _set_labels(self, labels: Any) -> None:
        object_dtype = labels["dtype"] == "O"
        values = labels["values"]
        self.classes_ = np.array(values, dtype=object if object_dtype else None)
        self._kind = labels["kind"]
        self.n_outputs_ = self.network_.output.size
        self.out_activation_ = "softmax" if self._kind == "multiclass" else "logistic"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
