"""Sigmoids, waves, bumps, lines, one's own units; and the names of all units.

See sections 6.3.2 and 6.3.3 of the book and the slides on hidden units.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, final

from weft.graph.errors import ShapeError
from weft.graph.node import Node
from weft.nn.description import (
    Description,
    DescriptionError,
    from_data,
    nearest,
    register,
    to_data,
)
from weft.nn.expression import Expression, expression_of
from weft.nn.hidden import HiddenUnit
from weft.nn.initialisers import (
    Constant,
    Glorot,
    Initialiser,
    LeCun,
    Lengths,
    Normal,
    RandomPhase,
    Zeros,
)
from weft.nn.layer import Parameter, Tree
from weft.nn.rectifiers import (
    ELU,
    GELU,
    AbsoluteValue,
    LeakyReLU,
    Maxout,
    PReLU,
    ReLU,
    SiLU,
    Softplus,
)
from weft.ops import arithmetic, rectifier, reduce, special

_GLOROT = Glorot()
_ZEROS = Zeros()


# Sigmoids ---------------------------------------------------------------------------


@final
@dataclass(frozen=True, repr=False)
class Sigmoid(HiddenUnit):
    """1 / (1 + exp(-z)): saturates on both sides, so that large weights stop learning.

    Book, section 6.3.2. Glorot weights.

    Examples
    --------
    >>> import weft
    >>> Sigmoid().value({}, weft.constant([0.0, 100.0])).numpy()
    array([0.5, 1. ], dtype=float32)
    """

    def value(self, params: Tree, z: Node) -> Node:
        """Build the logistic sigmoid of z."""
        node: Node = special.sigmoid(z)
        return node


@final
@dataclass(frozen=True, repr=False)
class Tanh(HiddenUnit):
    """tanh(z) = 2 sigmoid(2z) - 1: a sigmoid that is like the identity near 0.

    Glorot weights.

    Examples
    --------
    >>> import weft
    >>> Tanh().value({}, weft.constant([0.0, 100.0])).numpy()
    array([0., 1.], dtype=float32)
    """

    def value(self, params: Tree, z: Node) -> Node:
        """Build tanh(z)."""
        node: Node = special.tanh(z)
        return node


@final
@dataclass(frozen=True, repr=False)
class HardTanh(HiddenUnit):
    """max(-1, min(1, z)): tanh in three straight pieces (Collobert 2004).

    Glorot weights.

    Examples
    --------
    >>> import weft
    >>> HardTanh().value({}, weft.constant([-3.0, 0.5])).numpy()
    array([-1. ,  0.5], dtype=float32)
    """

    def value(self, params: Tree, z: Node) -> Node:
        """Build max(-1, min(1, z))."""
        node: Node = rectifier.hard_tanh(z)
        return node


# Waves, bumps, lines ----------------------------------------------------------------


@final
@dataclass(frozen=True, repr=False)
class Cos(HiddenUnit):
    """cos(z), with phases drawn from the whole circle (book, section 6.3).

    With a zero bias every unit would start at the crest, where the slope is 0; so the
    bias is drawn with `RandomPhase`. LeCun weights.

    Examples
    --------
    >>> Cos().bias
    RandomPhase()
    """

    weights = property(lambda self: LeCun())
    bias = property(lambda self: RandomPhase())

    def value(self, params: Tree, z: Node) -> Node:
        """Build cos(z)."""
        node: Node = special.cos(z)
        return node


@final
@dataclass(frozen=True, repr=False)
class RBF(HiddenUnit):
    """exp(-beta |x - c|^2): active near a centre c, which is learnt; so is beta > 0.

    A radial basis function has no affine map in front of it, only centres; its layer
    is written ``Dense(n, RBF())``. It is 0 almost everywhere, hence hard to train
    (book, section 6.3.3). Centres start as standard normal vectors, which suits
    standardised inputs, and beta such that a typical exponent is -1.

    Examples
    --------
    >>> from weft import nn
    >>> sorted(nn.Dense(4, nn.RBF()).parameters((3,)))
    ['centres', 'log_beta']
    """

    weights = property(lambda self: Normal(1.0))

    def dense_parameters(
        self, in_features: int, n: int, weights: Initialiser, bias: Initialiser
    ) -> dict[str, Any]:
        """Name centres and widths of a layer of `n` units."""
        # |x - c|^2 has mean 2 * in_features for standard normal x and c.
        log_beta = -math.log(2 * max(in_features, 1))
        return {
            "centres": Parameter((in_features, n), weights),
            "log_beta": Parameter((n,), Constant(log_beta)),
        }

    def preactivation(self, params: Tree, x: Node) -> Node:
        """Build -beta |x - c|^2, as products of matrices."""
        centres = params["centres"]
        distance = (
            reduce.sum(arithmetic.square(x), axis=1, keepdims=True)
            - 2 * (x @ centres)
            + reduce.sum(arithmetic.square(centres), axis=0)
        )
        z: Node = -special.exp(params["log_beta"]) * distance
        return z

    def parameters(self, in_shape: Lengths) -> dict[str, Any]:
        """Refuse: the unit alone has no centres."""
        raise ShapeError("RBF() alone has no centres: write Dense(n, RBF())")

    def value(self, params: Tree, z: Node) -> Node:
        """Build exp(z)."""
        node: Node = special.exp(z)
        return node


@final
@dataclass(frozen=True, repr=False)
class Identity(HiddenUnit):
    """z itself: a linear hidden layer, useful to save parameters (section 6.3.3).

    LeCun weights.

    Examples
    --------
    >>> import weft
    >>> z = weft.constant([1.0])
    >>> Identity().value({}, z) is z
    True
    """

    weights = property(lambda self: LeCun())

    def value(self, params: Tree, z: Node) -> Node:
        """Return z."""
        return z


# One's own --------------------------------------------------------------------------


@final
@dataclass(frozen=True, repr=False)
class Unit(HiddenUnit):
    """A unit of one's own: any expression of the pre-activation, in weft's ops.

    Its derivatives of every order follow by themselves. In a model file it is written
    as the graph that the function builds, never as code.

    Parameters
    ----------
    function : callable
        ``function(z) -> Node`` of the shape of z, working on each number by itself.
    weights : Initialiser
        For the weights in front of it.
    bias : Initialiser

    Examples
    --------
    >>> import weft
    >>> from weft import nn
    >>> unit = nn.Unit(lambda z: weft.sin(z) + z)
    >>> unit.value({}, weft.constant([0.0])).numpy()
    array([0.], dtype=float32)
    """

    function: Callable[[Node], Node]
    weights: Initialiser = _GLOROT
    bias: Initialiser = _ZEROS

    def value(self, params: Tree, z: Node) -> Node:
        """Apply the function.

        Raises
        ------
        ShapeError
            If what it returns does not have the shape of `z`.
        """
        node: Any = self.function(z)
        if not isinstance(node, Node) or node.shape != z.shape:
            shown = node.shape if isinstance(node, Node) else repr(node)
            raise ShapeError(
                f"the function of a Unit gave {shown} for pre-activations of shape "
                f"{z.shape}: it must return a node of the same shape"
            )
        checked: Node = node
        return checked

    def __repr__(self) -> str:
        # By what the function builds: its own repr would be an address.
        try:
            shown = replace(self, function=expression_of(self.function))
        except DescriptionError:
            shown = self
        return Description.__repr__(shown)

    def to_fields(self) -> dict[str, Any]:
        """Return the fields as plain data, the function as its graph."""
        return {
            "graph": expression_of(self.function).graph,
            "weights": to_data(self.weights),
            "bias": to_data(self.bias),
        }

    @classmethod
    def from_fields(cls, data: Mapping[str, Any]) -> Self:
        """Build the unit from what `to_fields` returned."""
        graph, weights, bias = data["graph"], data["weights"], data["bias"]
        return cls(Expression(graph), from_data(weights), from_data(bias))


# Names ------------------------------------------------------------------------------

UNITS: dict[str, Callable[[], HiddenUnit]] = {
    "relu": ReLU,
    "abs": AbsoluteValue,
    "leaky_relu": LeakyReLU,
    "prelu": PReLU,
    "maxout": Maxout,
    "sigmoid": Sigmoid,
    "logistic": Sigmoid,  # scikit-learn's word
    "tanh": Tanh,
    "hard_tanh": HardTanh,
    "softplus": Softplus,
    "cos": Cos,
    "rbf": RBF,
    "elu": ELU,
    "gelu": GELU,
    "silu": SiLU,
    "identity": Identity,
}


def unit(given: Any) -> HiddenUnit:
    """Return the hidden unit that is named or given.

    Parameters
    ----------
    given : str, HiddenUnit or callable
        A name out of `UNITS`, a unit, or a function for `Unit`.

    Returns
    -------
    HiddenUnit

    Raises
    ------
    DescriptionError
        If there is no such unit; the nearest name is suggested.

    Examples
    --------
    >>> from weft import nn
    >>> nn.unit("leaky_relu")
    LeakyReLU()
    >>> nn.unit("rleu")
    Traceback (most recent call last):
    weft.nn.description.DescriptionError: there is no unit 'rleu': did you mean ...
    """
    if isinstance(given, HiddenUnit):
        return given
    if isinstance(given, str):
        if given.lower() not in UNITS:
            raise nearest(given, UNITS, "unit")
        return UNITS[given.lower()]()
    if callable(given) and not isinstance(given, (type, Description)):
        return Unit(given)
    raise DescriptionError(
        f"{given!r} is no unit: give a name such as 'relu', a unit such as "
        "nn.ReLU(), or a function of a node"
    )


register(Sigmoid, Tanh, HardTanh, Cos, RBF, Identity, Unit)
