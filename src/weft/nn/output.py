"""The output unit: a distribution of the target, with the last affine layer.

An output unit owns everything that has to agree: how many raw outputs there are and the
affine layer that makes them, which targets are taken, the negative log-likelihood of a
target given raw outputs, and the prediction. So a cost cannot be paired with the wrong
output by accident (book, section 6.2; slide "Don't mix and match").

The negative log-likelihoods are those of true densities, constants included, and are
built from raw outputs, never from probabilities: they stay finite where a probability
rounds to 0, and so do their gradients.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from weft.graph.errors import ShapeError, WeftError
from weft.graph.leaf import input as make_input
from weft.graph.node import DType, Node, describe
from weft.nn.description import Description, DescriptionError
from weft.nn.distribution import Array, Distribution
from weft.nn.initialisers import Glorot, Initialiser, Lengths, Zeros
from weft.nn.layer import Parameter, Tree
from weft.ops import structure

GLOROT = Glorot()
ZEROS = Zeros()


class TargetError(WeftError, ValueError):
    """Targets that an output unit does not take."""


class OutputUnit(Description, ABC):
    """Base of all output units.

    A class of one's own defines `size`, `target_shape`, `nll`, `prediction` and
    `distribution`; and `dispersion` where something is estimated after the fit, and
    `as_target` where its targets are not real numbers. Its instances have the fields
    `weights` and `bias`, the initialisers of the last layer.

    Examples
    --------
    >>> from weft import nn
    >>> unit = nn.Categorical(10)
    >>> unit.size, unit.target_shape
    (10, ())
    >>> unit.as_target([3, 10], np.dtype("float32"))
    Traceback (most recent call last):
    weft.nn.output.TargetError: Categorical(10) takes category numbers from 0 to 9, ...
    """

    weights: Initialiser
    bias: Initialiser

    # What it consists of ------------------------------------------------------------

    @property
    @abstractmethod
    def size(self) -> int:
        """How many raw outputs there are per row."""

    @property
    @abstractmethod
    def target_shape(self) -> Lengths:
        """The shape of one row's target: () for one number, (n,) for several."""

    def parameters(self, in_features: int) -> dict[str, Any]:
        """Name the parameters of the last affine layer.

        Parameters
        ----------
        in_features : int

        Returns
        -------
        dict of Parameter
        """
        return {
            "W": Parameter((in_features, self.size), self.weights),
            "b": Parameter((self.size,), self.bias),
        }

    def raw(self, params: Tree, h: Node) -> Node:
        """Build the raw outputs from the last hidden layer.

        Parameters
        ----------
        params : dict of Node
        h : Node of shape (n, features)

        Returns
        -------
        Node of shape (n, size)
        """
        z: Node = h @ params["W"] + params["b"]
        return z

    # As graph -----------------------------------------------------------------------

    @abstractmethod
    def nll(self, raw: Node, y: Node) -> Node:
        """Build each row's negative log-likelihood.

        Parameters
        ----------
        raw : Node of shape (n, size)
        y : Node of shape (n, *target_shape)

        Returns
        -------
        Node of shape (n,)

        Raises
        ------
        ShapeError
            If `y` does not have that shape; nothing is broadcast.
        """

    @abstractmethod
    def prediction(self, raw: Node) -> Node:
        """Build the prediction: the mean, or probabilities.

        Parameters
        ----------
        raw : Node of shape (n, size)

        Returns
        -------
        Node of shape (n, ...)
        """

    # In numbers ---------------------------------------------------------------------

    @abstractmethod
    def distribution(self, raw: Array, dispersion: Array | None = None) -> Distribution:
        """Return the distribution of each row's target.

        Parameters
        ----------
        raw : numpy.ndarray, shape (rows, size)
        dispersion : numpy.ndarray, optional
            What `dispersion` returned.

        Returns
        -------
        Distribution
        """

    @property
    def estimates_dispersion(self) -> bool:
        """Whether there is anything for `dispersion` to estimate."""
        return False

    def dispersion(
        self, raw: Array, y: Array, sample_weight: Array | None = None
    ) -> Array | None:
        """Estimate what the cost holds fixed, such as a variance, after the fit.

        Parameters
        ----------
        raw : numpy.ndarray, shape (rows, size)
        y : numpy.ndarray, shape (rows, *target_shape)
        sample_weight : numpy.ndarray, shape (rows,), optional

        Returns
        -------
        numpy.ndarray of shape target_shape, or None
            None where there is nothing to estimate.
        """
        return None

    def as_target(self, y: Any, dtype: DType) -> Array:
        """Return targets as the array that this unit takes.

        Parameters
        ----------
        y : array, shape (rows, *target_shape)
        dtype : numpy.dtype
            The type in which the network computes.

        Raises
        ------
        TargetError
            If they are not such targets; the message says how to mend it.
        """
        array = as_numbers(y, self)
        check_rows(array, self.target_shape, self)
        return array.astype(dtype)

    def target(self, y: Array, rows: str = "n") -> Node:
        """Return an input leaf that takes arrays like `y`."""
        return make_input("y", (rows, *y.shape[1:]), y.dtype)


def as_numbers(y: Any, unit: OutputUnit) -> Array:
    """Return `y` as an array of finite numbers.

    Raises
    ------
    TargetError
        If it holds text, missing or infinite values.
    """
    array = np.asarray(y)
    if array.dtype.kind not in "biuf":
        raise TargetError(
            f"{unit} takes numbers, and the targets are {array.dtype}: encode them"
        )
    if not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise TargetError(
            f"the target of row {row} is {array[row]}: leave out rows without a target"
        )
    return array


def check_rows(y: Array, target_shape: Lengths, unit: OutputUnit) -> None:
    """Raise TargetError unless `y` has the shape (rows, *target_shape)."""
    if y.ndim and y.shape[1:] == target_shape:
        return
    rows = y.shape[0] if y.ndim else 0
    wanted = (rows, *target_shape)
    given = f"{unit} takes targets of shape {wanted}, and {y.shape} was given"
    raise TargetError(given + _mend(y.shape[1:], target_shape, "y"))


def _mend(given: tuple[Any, ...], wanted: Lengths, name: str) -> str:
    if given == (1,) and wanted == ():
        return f": drop the last axis, {name}[:, 0]"
    if given == () and wanted == (1,):
        return f": add an axis, {name}[:, None]"
    if given == () and wanted:
        return f": give {wanted[0]} targets per row"
    if len(given) == 1 and isinstance(given[0], int) and given != wanted:
        return f": there are {given[0]} targets per row, so say so in the output unit"
    return ""


def check_target_node(raw: Node, y: Any, target_shape: Lengths, unit: Any) -> None:
    """Raise ShapeError unless `y` is a node of shape (n, *target_shape) like `raw`."""
    if not isinstance(y, Node) or y.shape != (raw.shape[0], *target_shape):
        shown = describe(y) if isinstance(y, Node) else repr(y)
        wanted = (raw.shape[0], *target_shape)
        hint = _mend(y.shape[1:], target_shape, "y") if isinstance(y, Node) else ""
        raise ShapeError(
            f"{unit} takes a target node of shape {wanted}, and {shown} was given{hint}"
        )


def check_count(n: Any, unit: OutputUnit, least: int = 1) -> None:
    """Raise DescriptionError unless `n` is a whole number of at least `least`."""
    if isinstance(n, bool) or not isinstance(n, int) or n < least:
        raise DescriptionError(
            f"{type(unit).__name__} of {n!r}: give a whole number of at least {least}"
        )


def row_of(n: int) -> Lengths:
    """Return the shape of a row of `n` targets: () for one of them."""
    return () if n == 1 else (n,)


def per_target(raw: Node, n: int) -> Node:
    """Give raw outputs of shape (rows, n) the shape of `n` targets per row."""
    node: Node = structure.squeeze(raw, 1) if n == 1 else raw
    return node


def numbers_per_target(raw: Array, n: int) -> Array:
    """Do the same to an array."""
    return raw[:, 0] if n == 1 else raw


def weighted_mean(values: Array, weight: Array | None) -> Array:
    """Return the weighted mean over rows, in float64."""
    return np.asarray(np.average(values.astype(np.float64), axis=0, weights=weight))
