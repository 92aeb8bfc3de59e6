"""The answers on the held-out rows beside the truth: what every figure is made from.

One idea: two kinds of outcome, `Classification` and `Regression`, hold plain arrays
that fit together; no engine and no estimator is known here.

The invariant: an outcome that could be built can be measured and drawn. Lengths agree,
arrays are finite and read-only copies, probabilities sum to one; anything else is
refused by a `ReportError` that says what was given.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weft.graph.errors import WeftError

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Bools = NDArray[np.bool_]

LARGEST = 1e70  # fourth powers are summed for the error of a mean of squares


class ReportError(WeftError, ValueError):
    """Findings that contradict themselves, or a file that a report cannot go to."""


def column(
    name: str, values: ArrayLike, rows: int | None = None, finite: bool = True
) -> Floats:
    """A read-only copy of `values`, shape (rows,), as float64."""
    array = np.array(values, dtype=np.float64)
    if array.ndim != 1:
        raise ReportError(f"{name} has shape {array.shape}; expected one dimension")
    if rows is not None and len(array) != rows:
        raise ReportError(f"{name} has {len(array)} values; expected {rows}")
    if finite and not np.isfinite(array).all():
        raise ReportError(f"{name} holds values that are not finite numbers")
    if finite and (np.abs(array) > LARGEST).any():
        raise ReportError(
            f"{name} holds values beyond {LARGEST:g}, too large for sums of their "
            "squares: give it in a larger unit"
        )
    array.flags.writeable = False
    return array


def _codes(name: str, values: ArrayLike, classes: int, rows: int | None) -> Codes:
    """A read-only copy of `values`, each the number of a class."""
    array = column(name, values, rows)
    codes = array.astype(np.int64)
    if (codes != array).any() or ((codes < 0) | (codes >= classes)).any():
        raise ReportError(
            f"{name} must hold the numbers of classes, 0 to {classes - 1}; "
            "encode(labels, classes) makes them from labels"
        )
    codes.flags.writeable = False
    return codes


def encode(labels: Iterable[Any], classes: Sequence[Any]) -> Codes:
    """The number of each label's class.

    Parameters
    ----------
    labels : iterable
        One label per row.
    classes : sequence
        Every class, in the model's order.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    ReportError
        If a label is none of the classes.

    Examples
    --------
    >>> encode(["no", "yes", "no"], ["no", "yes"])
    array([0, 1, 0])
    """
    number = {label: code for code, label in enumerate(classes)}
    try:
        return np.array([number[label] for label in labels], dtype=np.int64)
    except KeyError as error:
        known = ", ".join(map(str, list(classes)[:10]))
        raise ReportError(
            f"{error.args[0]!r} is none of the classes ({known})"
        ) from None


@final
@dataclass(frozen=True, eq=False)
class Classification:
    """Classes answered on the held-out rows, beside the true ones.

    Parameters
    ----------
    classes : sequence of str
        Every class that the model knows, k >= 2; a held-out row may be of any of them.
    y_true, y_pred : array_like of int, shape (n,)
        Numbers of classes, 0 to k - 1 (`encode` makes them). n may be 0.
    probabilities : array_like, shape (n, k), optional
        One distribution over the classes per row.
    train_counts : array_like of int, shape (k,), optional
        Training rows of each class: what the baseline knows.
    images : array_like, shape (n, height, width) or (n, height, width, 3), optional
        The held-out inputs, where they are pictures; brightness in any one range, or
        colours in 0..1 or 0..255.

    Raises
    ------
    ReportError
        If the parts do not fit together.

    Examples
    --------
    >>> outcome = Classification(["no", "yes"], y_true=[0, 1, 1], y_pred=[0, 1, 0])
    >>> outcome.rows
    3
    """

    classes: Sequence[str]
    y_true: Codes
    y_pred: Codes
    probabilities: Floats | None = None
    train_counts: Floats | None = None
    images: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        names = tuple(map(str, self.classes))
        if len(names) < 2:
            raise ReportError(f"{len(names)} class given; classifying needs two")
        y_true = _codes("y_true", self.y_true, len(names), None)
        n = len(y_true)
        put(
            self,
            classes=names,
            y_true=y_true,
            y_pred=_codes("y_pred", self.y_pred, len(names), n),
        )
        if self.probabilities is not None:
            put(self, probabilities=_simplex(self.probabilities, n, len(names)))
        if self.train_counts is not None:
            counts = column("train_counts", self.train_counts, len(names))
            if (counts < 0).any() or counts.sum() == 0:
                raise ReportError("train_counts must be counts, not all of them zero")
            put(self, train_counts=counts)
        if self.images is not None:
            put(self, images=_images(self.images, n))

    @property
    def rows(self) -> int:
        """How many rows were held out."""
        return len(self.y_true)

    @property
    def task(self) -> str:
        """The kind of task, as `--task` names it."""
        return "classification"


@final
@dataclass(frozen=True, eq=False)
class Regression:
    """Numbers answered on the held-out rows, beside the true ones.

    Parameters
    ----------
    y_true, y_pred : array_like, shape (n,)
        In the target's own unit. n may be 0.
    deviation : array_like, shape (n,), optional
        Predictive standard deviation, > 0; read as a normal distribution around
        `y_pred` wherever `low`, `high`, `pit` or `log_density` are not given.
    low, high : array_like, shape (n,), optional
        Ends of a predictive interval.
    coverage : float, default 0.9
        The share of rows that the interval was made to contain, in (0, 1).
    pit : array_like, shape (n,), optional
        Predictive distribution function at the truth, in [0, 1]; uniform if honest.
    log_density : array_like, shape (n,), optional
        Logarithm of the predictive density at the truth.
    train_mean, train_deviation : float, optional
        Of the training rows' target: what the baseline knows.

    Raises
    ------
    ReportError
        If the parts do not fit together.

    Examples
    --------
    >>> outcome = Regression(y_true=[1, 2], y_pred=[1.5, 2.5], deviation=[1, 1])
    >>> outcome.low.round(3)
    array([-0.145,  0.855])
    """

    y_true: Floats
    y_pred: Floats
    deviation: Floats | None = None
    low: Floats | None = None
    high: Floats | None = None
    coverage: float = 0.9
    pit: Floats | None = None
    log_density: Floats | None = None
    train_mean: float | None = None
    train_deviation: float | None = None

    def __post_init__(self) -> None:
        y_true = column("y_true", self.y_true)
        n = len(y_true)
        put(self, y_true=y_true, y_pred=column("y_pred", self.y_pred, n))
        for name in ("deviation", "low", "high", "pit", "log_density"):
            values = getattr(self, name)
            if values is not None:
                put(self, **{name: column(name, values, n)})
        if not 0 < self.coverage < 1:
            raise ReportError(f"coverage is {self.coverage}; expected 0 < coverage < 1")
        if (self.low is None) != (self.high is None):
            raise ReportError("an interval needs both its ends: give low and high")
        if self.deviation is not None:
            self._assume_normal(self.deviation)
        low, high = self.low, self.high
        if low is not None and high is not None and (low > high).any():
            raise ReportError("an interval's low end lies above its high end")
        if self.pit is not None and (np.abs(self.pit - 0.5) > 0.5).any():
            raise ReportError("pit holds values outside 0 to 1")

    def _assume_normal(self, deviation: Floats) -> None:
        """Fill what was not given from a normal predictive distribution."""
        from statistics import NormalDist

        from scipy.special import ndtr

        if (deviation <= 0).any():
            raise ReportError("a predictive standard deviation must be positive")
        z = (self.y_true - self.y_pred) / deviation
        if self.low is None:
            half = NormalDist().inv_cdf(0.5 + self.coverage / 2) * deviation
            put(self, low=column("low", self.y_pred - half))
            put(self, high=column("high", self.y_pred + half))
        if self.pit is None:
            put(self, pit=column("pit", ndtr(z)))
        if self.log_density is None:
            density = -0.5 * (z**2 + np.log(2 * np.pi)) - np.log(deviation)
            put(self, log_density=column("log_density", density))

    @property
    def rows(self) -> int:
        """How many rows were held out."""
        return len(self.y_true)

    @property
    def task(self) -> str:
        """The kind of task, as `--task` names it."""
        return "regression"


def put(of: object, **values: object) -> None:
    """Set fields of a frozen dataclass that is still being built."""
    for name, value in values.items():
        object.__setattr__(of, name, value)


def _simplex(values: ArrayLike, rows: int, classes: int) -> Floats:
    """Probabilities, read-only, each row divided by its sum."""
    array = np.array(values, dtype=np.float64)
    if array.shape != (rows, classes):
        raise ReportError(
            f"probabilities have shape {array.shape}; expected {(rows, classes)}"
        )
    sums = array.sum(axis=1, keepdims=True)
    # float32 sums are off by 1e-6; a tolerance of 1e-3 still finds logits and odds
    if not (array >= 0).all() or (np.abs(sums - 1) > 1e-3).any():
        raise ReportError("probabilities must be nonnegative, each row with sum 1")
    array /= sums
    array.flags.writeable = False
    return array


def _images(values: ArrayLike, rows: int) -> NDArray[Any]:
    """Images, read-only."""
    array = np.array(values)
    colours = array.ndim == 4 and array.shape[3] == 3
    if len(array) != rows or not (array.ndim == 3 or colours):
        raise ReportError(
            f"images have shape {array.shape}; expected ({rows}, height, width) or "
            f"({rows}, height, width, 3)"
        )
    array.flags.writeable = False
    return array
