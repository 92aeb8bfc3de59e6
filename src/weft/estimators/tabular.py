"""Estimators for raw tables: what a person has goes in, a trained network comes out.

A table (pandas, polars, Arrow, a `weft.tables.Table`, a dict of columns, an array) is
encoded by a `Schema` that was fitted to the training rows only; a network learns the
classes or the standardised number; a part of the rows decides when to stop. Everything
fitted is arrays and plain data, so that it can be copied, pickled by joblib and written
to a model file: schema and target travel with the weights.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from weft import nn, train
from weft.estimators import fitted, metrics, modelfile
from weft.estimators.evaluators import evaluator_of
from weft.estimators.fitted import FitSummary
from weft.estimators.scaled import ScaledDistribution
from weft.estimators.tables import as_column, as_table, row_weights
from weft.graph.tree import flatten
from weft.tables import (
    ClassTarget,
    Column,
    Encoding,
    RealTarget,
    Schema,
    TableError,
    check_finite,
    split,
    target_from_json,
)

Array = NDArray[Any]

# A fit takes between these numbers of steps: small tables get smaller batches and more
# epochs, large ones fewer epochs.
_LEAST_STEPS, _MOST_STEPS = 1_500, 12_000
_LEAST_BATCH, _MOST_BATCH = 16, 256
_LEAST_EPOCHS, _EPOCHS, _MOST_EPOCHS = 6, 40, 200


class _Tabular(BaseEstimator, ABC):  # type: ignore[misc]
    """What the two tabular estimators share: everything but the target."""

    def __init__(
        self,
        *,
        hidden: int | Sequence[int] = (256, 256),
        unit: Any = "relu",
        dropout: float = 0.2,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.1,
        batch_size: int | None = None,
        epochs: int | None = None,
        patience: int | None = None,
        validation_fraction: float = 0.1,
        encoding: Encoding | None = None,
        random_state: Any = 0,
        engine: str = "auto",
    ) -> None:
        self.hidden = hidden
        self.unit = unit
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.encoding = encoding
        self.random_state = random_state
        self.engine = engine

    # What the two differ in -----------------------------------------------------------

    @abstractmethod
    def _classes(self, y: Column) -> Array | None:
        """Return the codes to split in proportion by; None where there are none.

        Raises TableError if `y` cannot be learnt, by its rows in the whole table.
        """

    @abstractmethod
    def _fit_target(self, y: Column, rows: Array) -> Any:
        """Return the record of the target's kind, fitted to some rows of `y`."""

    @abstractmethod
    def _output(self, target: Any) -> nn.OutputUnit:
        """Return the output unit for the target."""

    @abstractmethod
    def predict(self, X: Any) -> Array:
        """Return the prediction for each row."""

    @abstractmethod
    def evaluate(self, X: Any, y: Any) -> dict[str, float]:
        """Return the figures of merit on rows that are given with their targets."""

    # Fitting --------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        validation_data: tuple[Any, Any] | None = None,
        callbacks: Sequence[train.Callback] = (),
    ) -> Self:
        """Learn to predict `y` from the columns of `X`.

        Parameters
        ----------
        X : Table, pandas, polars or Arrow table, dict of columns, or 2-D array
            Numbers, texts, booleans, dates, with gaps, as they are.
        y : Column or array-like, shape (rows,)
        sample_weight : array-like, shape (rows,), optional
            How much each row counts while the network is fitted.
        validation_data : (X, y), optional
            Decides when to stop; by default `validation_fraction` of the rows does.
        callbacks : sequence of weft.train.Callback
            Told of every epoch, for progress and early ends.

        Returns
        -------
        self

        Raises
        ------
        TableError
            If the table, the target or a column cannot be learnt from.
        """
        table, column = as_table(X), as_column(y)
        if table.rows != column.rows:
            raise TableError(
                f"{table.source} has {table.rows} rows, the target {column.rows}"
            )
        check_finite(table)  # before rows are chosen, so that they are named rightly
        weight = row_weights(sample_weight, table.rows)
        seed = self._seed()
        rows, held = self._parts(column, seed, validation_data is not None)
        # What is learnt of table and target comes from the rows fitted to, no others.
        counted = rows if weight is None else rows[weight[rows] > 0]
        target = self._fit_target(column, counted)
        schema = Schema.fit(table.take(rows), encoding=self.encoding)
        outside, y_outside = table.take(held), column.take(held)
        if validation_data is not None:
            outside = as_table(validation_data[0])
            y_outside = as_column(validation_data[1], column.name)
        validation = [schema.encode(outside), target.encode(y_outside)]
        if weight is not None and validation_data is None:
            validation.append(weight[held])
        network = nn.mlp(
            self.hidden, self.unit, self._output(target), dropout=self.dropout
        )
        batch, epochs, patience = self._length(len(rows))
        validated = outside.rows > 0
        # What an earlier fit learnt does not go with what this one has understood,
        # which is known before the first epoch so that callbacks can tell of it.
        self.__dict__.pop("params_", None)
        self.schema_, self.target_, self.network_ = schema, target, network
        fit = train.fit(
            network,
            schema.encode(table.take(rows)),
            target.encode(column.take(rows)),
            optimizer=train.AdamW(self.learning_rate, decay=self.weight_decay),
            schedule=train.Cosine(warmup=0.05),
            epochs=epochs,
            batch_size=batch,
            sample_weight=None if weight is None else weight[rows],
            validation=validation if validated else None,
            early_stopping=train.EarlyStopping(patience) if validated else None,
            seed=seed,
            callbacks=callbacks,
            engine=self.engine,
        )
        self.params_ = fit.params
        self.dispersion_ = fit.dispersion
        self.history_ = fit.history
        self.notes_ = (*table.notes, *schema.notes)
        self.fit_ = FitSummary.of(fit, len(rows), outside.rows, batch)
        self._set_names()
        return self

    def _seed(self) -> int:
        """Return the seed that `random_state` stands for."""
        given = self.random_state
        if isinstance(given, int | np.integer) and given >= 0:
            return int(given)
        return int(check_random_state(given).randint(np.iinfo(np.int32).max))

    def _parts(self, y: Column, seed: int, validated: bool) -> tuple[Array, Array]:
        """Return the rows to fit to and those that decide when to stop."""
        classes = self._classes(y)
        if validated or not self.validation_fraction:
            return np.arange(y.rows), np.arange(0)
        part = split(y.rows, self.validation_fraction, seed, classes)
        return part.train, part.held

    def _length(self, rows: int) -> tuple[int, int, int]:
        """Return batch size, epochs and patience for a number of rows."""
        fitting = 2 ** round(np.log2(max(rows / 40, 1)))
        batch = self.batch_size
        if batch is None:
            batch = int(np.clip(fitting, _LEAST_BATCH, _MOST_BATCH))
        steps = -(-rows // max(batch, 1))  # a batch of 0 is refused by the fit
        least, most = -(-_LEAST_STEPS // steps), _MOST_STEPS // steps
        epochs = self.epochs
        if epochs is None:
            wanted = min(max(_EPOCHS, least), max(most, _LEAST_EPOCHS))
            epochs = min(wanted, _MOST_EPOCHS)
        patience = max(10, epochs // 2) if self.patience is None else self.patience
        return batch, epochs, patience

    def _set_names(self) -> None:
        names = [name for name in self.schema_.given if name != self.schema_.target]
        self.n_features_in_ = len(names)
        self.feature_names_in_ = np.array(names, dtype=object)
        if isinstance(self.target_, ClassTarget):
            self.classes_ = self.target_.decode(np.arange(len(self.target_.labels)))

    # Prediction -----------------------------------------------------------------------

    def predict_dist(self, X: Any) -> nn.Distribution:
        """Return the distribution of each row's target.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        weft.nn.Distribution
            With mean, std, quantile, interval, sample, log_prob; of numbers in the
            target's own unit, of classes as codes.
        """
        return self._distribution(self._raw(X))

    def _distribution(self, raw: Array) -> nn.Distribution:
        return self.network_.output.distribution(raw, self.dispersion_)

    def _raw(self, X: Any) -> Array:
        check_is_fitted(self, "params_")
        x = self.schema_.encode(as_table(X))
        return self._evaluator().raw(self.params_, x)

    def _evaluator(self) -> train.Evaluator:
        return evaluator_of(self, self.network_, self.schema_.width)

    # As data --------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """Return what was learnt, from what and how, as plain JSON data.

        Returns
        -------
        dict
            estimator, task, target, classes, rows, columns, layers, parameters,
            output, optimizer, settings, and the fit's summary.
        """
        check_is_fitted(self, "params_")
        width = self.schema_.width
        classes = None
        if isinstance(self.target_, ClassTarget):
            classes = list(self.target_.labels)
        return {
            "estimator": type(self).__name__,
            "task": self.target_.to_json()["task"],
            "target": self.target_.name,
            "classes": classes,
            "rows": {
                "train": self.fit_.train_rows,
                "validation": self.fit_.validation_rows,
            },
            "columns": [asdict(column) for column in self.schema_.summary()],
            "features": width,
            "layers": layer_list(self.network_, width),
            "parameters": sum(a.size for a in flatten(self.params_)[0]),
            "output": repr(self.network_.output),
            "optimizer": repr(train.AdamW(self.learning_rate, decay=self.weight_decay)),
            "settings": fitted.settings_to_json(self.get_params(deep=False)),
            "notes": list(self.notes_),
            **asdict(self.fit_),
        }

    def save(self, path: str | Path, force: bool = False) -> None:
        """Write the model to a file: arrays and JSON, with the table's schema.

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
        metadata = {
            "estimator": type(self).__name__,
            "settings": fitted.settings_to_json(self.get_params(deep=False)),
            "schema": self.schema_.to_json(),
            "target": self.target_.to_json(),
            "network": self.network_.describe(),
            "history": fitted.history_to_json(self.history_),
            "fit": asdict(self.fit_),
            "notes": list(self.notes_),
        }
        modelfile.write(path, tensors, metadata, force)

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
        made.schema_ = Schema.from_json(metadata["schema"])
        made.target_ = target_from_json(metadata["target"])
        made.network_ = nn.Network.from_description(metadata["network"])
        width = made.schema_.width
        made.params_ = fitted.from_tensors(tensors, made.network_, width)
        made.dispersion_ = tensors.get("dispersion")
        made.history_ = fitted.history_from_json(metadata["history"])
        made.fit_ = FitSummary(**metadata["fit"])
        made.notes_ = tuple(metadata["notes"])
        made._set_names()
        return made


def layer_list(network: nn.Network, in_features: int) -> list[dict[str, Any]]:
    """Return a network's layers as plain data, the output unit last.

    Examples
    --------
    >>> network = nn.mlp([4], "relu", nn.Gaussian())
    >>> [layer["parameters"] for layer in layer_list(network, 3)]
    [16, 5]
    """
    stated = network.parameters(in_features)
    shapes = [(in_features,), *network.body.shapes((in_features,))]
    parts = [*network.layers, network.output]
    outs = [*shapes[1:], (network.output.size,)]
    return [
        {
            "name": name,
            "description": repr(part),
            "in": list(before),
            "out": list(after),
            "parameters": int(
                sum(np.prod(p.shape, dtype=int) for p in flatten(stated[name])[0])
            ),
        }
        for name, part, before, after in zip(stated, parts, shapes, outs, strict=True)
    ]


@final
class TabularClassifier(ClassifierMixin, _Tabular):  # type: ignore[misc]
    """A network that tells classes apart, for raw tables, good by default.

    Parameters
    ----------
    hidden : int or sequence of int
        Widths of the hidden layers; none for a linear model.
    unit : str, weft.nn unit or callable
        The hidden unit.
    dropout : float
        The part of hidden units left out in each step, in [0, 1).
    learning_rate : float
        The highest of the schedule (warm-up, then half a cosine down to 0).
    weight_decay : float
        Of AdamW.
    batch_size, epochs, patience : int, optional
        By default chosen by the number of rows.
    validation_fraction : float
        The part of the rows that decides when to stop; 0 for none.
    encoding : weft.tables.Encoding, optional
        How columns become numbers.
    random_state : int, RandomState or None
        The same number gives the same bits; None another fit every time.
    engine : str
        As in `weft.compile`.

    Attributes
    ----------
    classes_ : ndarray
        The class labels, sorted.
    schema_, target_, network_, params_, history_, fit_, notes_
        What was learnt of the table, of the target and of the rows, and how.

    Examples
    --------
    >>> import weft
    >>> X = {"height": [1.0, 2.0, 8.0, 9.0] * 10, "kind": ["a", "b", "a", "b"] * 10}
    >>> y = ["low", "low", "high", "high"] * 10
    >>> model = weft.TabularClassifier(hidden=(32,)).fit(X, y)
    >>> model.predict({"height": [1.5, 8.5], "kind": ["a", "z"]}).tolist()
    ['low', 'high']
    """

    def _classes(self, y: Column) -> Array | None:
        return ClassTarget.fit(y).encode(y)

    def _fit_target(self, y: Column, rows: Array) -> ClassTarget:
        # Of all rows: a class must have its code though all its rows were held out.
        return ClassTarget.fit(y)

    def _output(self, target: Any) -> nn.OutputUnit:
        return nn.Categorical(len(target.labels))

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        ndarray, shape (rows,)
        """
        codes = self._raw(X).argmax(axis=1)
        labels: Array = self.target_.decode(codes)
        return labels

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of each class's probability, finite also for 1e-100.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        ndarray of float64, shape (rows, classes)
        """
        from scipy.special import log_softmax

        found: Array = log_softmax(self._raw(X).astype(np.float64), axis=1)
        return found

    def predict_proba(self, X: Any) -> Array:
        """Return each class's probability.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        ndarray of float64, shape (rows, classes)
            In the order of `classes_`.
        """
        return np.exp(self.predict_log_proba(X))

    def evaluate(self, X: Any, y: Any) -> dict[str, float]:
        """Return accuracy and mean negative log-likelihood.

        Parameters
        ----------
        X, y : as in `fit`

        Returns
        -------
        dict
        """
        check_is_fitted(self, "params_")
        codes = self.target_.encode(as_column(y, self.target_.name))
        return metrics.classification(codes, self.predict_log_proba(X))


@final
class TabularRegressor(RegressorMixin, _Tabular):  # type: ignore[misc]
    """A network that predicts a number with its uncertainty, for raw tables.

    Parameters
    ----------
    hidden, unit, dropout, learning_rate, weight_decay, batch_size, epochs, patience,
    validation_fraction, encoding, random_state, engine
        As in `TabularClassifier`.

    Attributes
    ----------
    schema_, target_, network_, params_, history_, fit_, notes_
        What was learnt of the table, of the target and of the rows, and how.

    Examples
    --------
    >>> import numpy as np, weft
    >>> x = np.linspace(0, 1, 200)
    >>> model = weft.TabularRegressor(hidden=(16,), epochs=60).fit({"x": x}, 100 * x)
    >>> low, high = model.predict_interval({"x": [0.5]}, coverage=0.9)
    >>> bool(low[0] < 50 < high[0])
    True
    """

    def _classes(self, y: Column) -> Array | None:
        RealTarget.fit(y)
        return None

    def _fit_target(self, y: Column, rows: Array) -> RealTarget:
        return RealTarget.fit(y.take(rows))

    def _output(self, target: Any) -> nn.OutputUnit:
        return nn.Gaussian()

    def _distribution(self, raw: Array) -> nn.Distribution:
        inner = super()._distribution(raw)
        return ScaledDistribution(inner, self.target_.mean, self.target_.scale)

    def predict(self, X: Any) -> Array:
        """Return the expected target of each row, in its own unit.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        ndarray of float64, shape (rows,)
        """
        mean: Array = self.predict_dist(X).mean()
        return mean

    def predict_interval(self, X: Any, coverage: float = 0.9) -> tuple[Array, Array]:
        """Return an interval that holds the target with probability `coverage`.

        Its width comes from the residuals of the rows that decided when to stop, and is
        the same for all rows.

        Parameters
        ----------
        X : as in `fit`
        coverage : float
            In (0, 1).

        Returns
        -------
        low, high : ndarray of float64, shape (rows,)
        """
        return self.predict_dist(X).interval(coverage)

    def evaluate(self, X: Any, y: Any) -> dict[str, float]:
        """Return errors in the target's unit, r2, and negative log-likelihood.

        Parameters
        ----------
        X, y : as in `fit`

        Returns
        -------
        dict
        """
        check_is_fitted(self, "params_")
        values = self.target_.values(as_column(y, self.target_.name))
        found = self.predict_dist(X)
        return metrics.regression(values, found.mean(), found.log_prob(values))
