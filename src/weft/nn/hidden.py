"""The hidden unit: what stands behind the affine map of a hidden layer.

A unit is a frozen description of a function of pre-activations, together with what a
layer of such units needs: initialisers that suit it, how many pre-activations one unit
takes (maxout), parameters of its own (the slope of the parametric rectifier), or a map
of its own in place of the affine one (radial basis functions).
"""

from abc import abstractmethod
from typing import Any

from weft.graph.node import Node
from weft.nn.initialisers import Glorot, Initialiser, Lengths, Zeros
from weft.nn.layer import Layer, Parameter, Tree, Updates
from weft.nn.mode import Mode


class HiddenUnit(Layer):
    """Base of all hidden units.

    To write one, define `value` and, where the defaults do not suit, `weights` and
    `bias`. As a layer, a unit is applied to each pre-activation by itself.

    Examples
    --------
    >>> import weft
    >>> from weft import nn
    >>> nn.ReLU().value({}, weft.constant([-1.0, 2.0])).numpy()
    array([0., 2.], dtype=float32)
    """

    @property
    def weights(self) -> Initialiser:
        """The initialiser that suits the weights in front of this unit."""
        return Glorot()

    @property
    def bias(self) -> Initialiser:
        """The initialiser that suits its bias."""
        return Zeros()

    @abstractmethod
    def value(self, params: Tree, z: Node) -> Node:
        """Build the unit's value from pre-activations.

        Parameters
        ----------
        params : dict of Node
            The unit's own parameters; empty for most.
        z : Node of shape (..., n)

        Returns
        -------
        Node
        """

    def width(self, n: int) -> int:
        """Return how many pre-activations `n` units take."""
        return n

    def own_parameters(self, n: int) -> dict[str, Any]:
        """Name the parameters that `n` units have besides weights and bias."""
        return {}

    # As a hidden layer of its own ---------------------------------------------------

    def dense_parameters(
        self, in_features: int, n: int, weights: Initialiser, bias: Initialiser
    ) -> dict[str, Any]:
        """Name the parameters of a hidden layer of `n` units."""
        return {
            "W": Parameter((in_features, self.width(n)), weights),
            "b": Parameter((self.width(n),), bias),
            **self.own_parameters(n),
        }

    def preactivation(self, params: Tree, x: Node) -> Node:
        """Build what the units of a hidden layer see of its input."""
        z: Node = x @ params["W"] + params["b"]
        return z

    # As a layer ---------------------------------------------------------------------

    def parameters(self, in_shape: Lengths) -> dict[str, Any]:
        """Name the unit's own parameters."""
        return self.own_parameters(self.out_shape(in_shape)[-1]) if in_shape else {}

    def out_shape(self, in_shape: Lengths) -> Lengths:
        """Return the shape of what comes out."""
        return in_shape

    def __call__(self, params: Tree, x: Node, mode: Mode) -> tuple[Node, Updates]:
        """Apply the unit to each pre-activation."""
        return self.value(params, x), {}
