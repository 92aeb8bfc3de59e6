"""Penalties and constraints: what is asked of parameters besides a low cost.

A penalty is a term lambda * Omega(theta) of the cost, in graph (Algorithm 6.3); its
strength lambda is a run-time number, so that changing it builds nothing anew, and with
strength 0 the result has the bits it has without. A constraint is a projection applied
to the parameters behind every update. Both act on weights, not on biases
(`weft.nn.is_weight`), unless told otherwise.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, final

from weft.graph.leaf import constant
from weft.graph.node import Node
from weft.graph.tree import flatten, paths, unflatten
from weft.nn.description import Description, DescriptionError, register
from weft.nn.layer import Tree, is_weight
from weft.ops import arithmetic, reduce


def weights_of(params: Tree) -> list[Node]:
    """Return the weights among parameters, in order.

    Examples
    --------
    >>> weights_of({"0": {"W": 1, "b": 2}, "output": {"W": 3, "b": 4}})
    [1, 3]
    """
    found, _ = flatten(params)
    return [p for path, p in zip(paths(params), found, strict=True) if is_weight(path)]


class Penalty(Description, ABC):
    """A term lambda * Omega(theta) of the cost.

    A class of one's own has the fields `strength` and `per_row` and defines `omega`. A
    plain function of the parameters serves too, but its strength is part of the graph.

    Examples
    --------
    >>> import weft
    >>> from weft import nn
    >>> params = {"0": {"W": weft.constant([[3.0, 4.0]])}}
    >>> nn.L2(0.1)(params).numpy()
    array(1.25, dtype=float32)
    """

    strength: float
    per_row: bool

    @abstractmethod
    def omega(self, params: Tree) -> Node:
        """Build Omega.

        Parameters
        ----------
        params : nested dict of Node

        Returns
        -------
        Node of shape ()
        """

    def __call__(self, params: Tree) -> Node:
        """Build lambda * Omega with the strength in the description."""
        return self.strength * self.omega(params)


def _check_strength(strength: float, penalty: Description) -> None:
    if not 0 <= strength < float("inf"):
        raise DescriptionError(
            f"{type(penalty).__name__} of strength {strength}: give a finite number of "
            "at least 0"
        )


def _total(parts: list[Node]) -> Node:
    total = parts[0] if parts else constant(0.0)
    for part in parts[1:]:
        total = total + part
    return total


@final
@dataclass(frozen=True, repr=False)
class L2(Penalty):
    """Half the sum of the squared weights: weight decay.

    Parameters
    ----------
    strength : float
        lambda, at least 0.
    per_row : bool
        Divide by the number of rows of the batch (the sum of their weights), as
        scikit-learn does with its ``alpha``.

    Examples
    --------
    >>> import weft
    >>> params = {"W": weft.constant([[3.0, 4.0]]), "b": weft.constant([7.0])}
    >>> L2(0.1).omega(params).numpy()
    array(12.5, dtype=float32)
    """

    strength: float
    per_row: bool = False

    def __post_init__(self) -> None:
        _check_strength(self.strength, self)

    def omega(self, params: Tree) -> Node:
        """Build half the sum of the squared weights."""
        squares = [reduce.sum(arithmetic.square(w)) for w in weights_of(params)]
        return 0.5 * _total(squares)


@final
@dataclass(frozen=True, repr=False)
class L1(Penalty):
    """The sum of the absolute weights, which makes many of them 0.

    Parameters
    ----------
    strength : float
        lambda, at least 0.
    per_row : bool
        Divide by the number of rows of the batch (the sum of their weights).

    Examples
    --------
    >>> import weft
    >>> params = {"W": weft.constant([[3.0, -4.0]]), "b": weft.constant([7.0])}
    >>> L1(0.1).omega(params).numpy()
    array(7., dtype=float32)
    """

    strength: float
    per_row: bool = False

    def __post_init__(self) -> None:
        _check_strength(self.strength, self)

    def omega(self, params: Tree) -> Node:
        """Build the sum of the absolute weights, with slope 0 at 0."""
        return _total([reduce.l1_norm(w) for w in weights_of(params)])


class Constraint(Description, ABC):
    """A projection of the parameters onto a set.

    A class of one's own has the field `bound` and defines `project`.

    Examples
    --------
    >>> import weft
    >>> @dataclass(frozen=True, repr=False)
    ... class Box(Constraint):
    ...     bound: float
    ...
    ...     def project(self, params, bound):
    ...         return weft.tree_map(
    ...             lambda p: weft.clip(p, -weft.cast(bound, p.dtype), None), params
    ...         )
    >>> params = {"W": weft.constant([[3.0, -4.0]])}
    >>> Box(1.0).project(params, weft.constant(1.0, "float64"))["W"].numpy()
    array([[ 3., -1.]], dtype=float32)
    """

    bound: float

    @abstractmethod
    def project(self, params: Tree, bound: Node) -> Any:
        """Build the projection.

        Parameters
        ----------
        params : nested dict of Node
            As an update has left them.
        bound : Node of shape (), float64
            The run-time value of `bound`.

        Returns
        -------
        nested dict of Node
            Like `params`.
        """


@final
@dataclass(frozen=True, repr=False)
class MaxNorm(Constraint):
    """The weights into each unit have a norm of at most `bound`.

    A longer vector is scaled back onto the sphere (Srebro and Shraibman 2005; with
    dropout Srivastava et al. 2014).

    Parameters
    ----------
    bound : float
        Above 0.

    Examples
    --------
    >>> import weft
    >>> params = {"W": weft.constant([[3.0, 0.3], [4.0, 0.4]])}
    >>> bound = weft.constant(1.0, "float64")
    >>> MaxNorm(1.0).project(params, bound)["W"].numpy().round(3)
    array([[0.6, 0.3],
           [0.8, 0.4]], dtype=float32)
    """

    bound: float

    def __post_init__(self) -> None:
        if not self.bound > 0:
            raise DescriptionError(f"MaxNorm of {self.bound}: give a number above 0")

    def project(self, params: Tree, bound: Node) -> Any:
        """Build the weights, scaled back where they are too long."""
        found, structure = flatten(params)
        new = [
            _within(p, bound) if is_weight(path) else p
            for path, p in zip(paths(params), found, strict=True)
        ]
        return unflatten(structure, new)


def _within(w: Node, bound: Node) -> Node:
    norm = arithmetic.sqrt(reduce.sum(arithmetic.square(w), axis=0, keepdims=True))
    # bound / 0 is infinite, and the smaller of that and 1 is 1.
    scale = arithmetic.minimum(arithmetic.cast(bound, w.dtype) / norm, 1)
    node: Node = w * scale
    return node


register(L1, L2, MaxNorm)
