"""The rectifier and its family: units that are linear on one side, or nearly so.

See section 6.3.1 of the book and the slide "ReLU generalizations". At a kink the
derivative is that of weft's ops: from the left, unless asked otherwise.
"""

from dataclasses import dataclass
from typing import Any, final

from weft.graph.errors import ShapeError
from weft.graph.node import Node
from weft.nn.description import DescriptionError, register
from weft.nn.hidden import HiddenUnit
from weft.nn.initialisers import Constant, He, LeCun, Lengths
from weft.nn.layer import Parameter, Tree
from weft.ops import arithmetic, rectifier, reduce, special, structure


@final
@dataclass(frozen=True, repr=False)
class ReLU(HiddenUnit):
    """max(0, z), the rectified linear unit: the default.

    Its slope is 1 where it is active and 0 elsewhere, so gradients neither fade nor
    depend on the size of the activation (book, section 6.3.1). He weights.

    Examples
    --------
    >>> import weft
    >>> ReLU().value({}, weft.constant([-1.0, 2.0])).numpy()
    array([0., 2.], dtype=float32)
    """

    weights = property(lambda self: He())

    def value(self, params: Tree, z: Node) -> Node:
        """Build max(0, z)."""
        node: Node = rectifier.relu(z)
        return node


@final
@dataclass(frozen=True, repr=False)
class AbsoluteValue(HiddenUnit):
    """|z|: a rectifier whose slope is -1 below 0, blind to the sign of its input.

    Jarrett et al. (2009). It keeps the size of a signal: LeCun weights.

    Examples
    --------
    >>> import weft
    >>> AbsoluteValue().value({}, weft.constant([-1.0, 2.0])).numpy()
    array([1., 2.], dtype=float32)
    """

    weights = property(lambda self: LeCun())

    def value(self, params: Tree, z: Node) -> Node:
        """Build |z|."""
        node: Node = arithmetic.abs(z)
        return node


@final
@dataclass(frozen=True, repr=False)
class LeakyReLU(HiddenUnit):
    """max(0, z) + alpha min(0, z) with a fixed small slope below 0.

    Maas et al. (2013). He weights for that slope.

    Parameters
    ----------
    alpha : float
        The slope below 0; 0.01 by convention.

    Examples
    --------
    >>> import weft
    >>> LeakyReLU(0.5).value({}, weft.constant([-1.0, 2.0])).numpy()
    array([-0.5,  2. ], dtype=float32)
    """

    alpha: float = 0.01

    weights = property(lambda self: He(slope=self.alpha))

    def value(self, params: Tree, z: Node) -> Node:
        """Build max(0, z) + alpha min(0, z)."""
        node: Node = rectifier.leaky_relu(z, self.alpha)
        return node


@final
@dataclass(frozen=True, repr=False)
class PReLU(HiddenUnit):
    """max(0, z) + alpha min(0, z) with a slope that each unit learns.

    He et al. (2015). He weights for the slope at the start.

    Parameters
    ----------
    alpha : float
        Every unit's slope at the start.

    Examples
    --------
    >>> from weft import nn
    >>> sorted(nn.Dense(4, nn.PReLU()).parameters((3,)))
    ['W', 'alpha', 'b']
    """

    alpha: float = 0.25

    weights = property(lambda self: He(slope=self.alpha))

    def own_parameters(self, n: int) -> dict[str, Any]:
        """Name the slopes."""
        return {"alpha": Parameter((n,), Constant(self.alpha))}

    def value(self, params: Tree, z: Node) -> Node:
        """Build max(0, z) + alpha min(0, z)."""
        node: Node = rectifier.leaky_relu(z, params["alpha"])
        return node


@final
@dataclass(frozen=True, repr=False)
class Maxout(HiddenUnit):
    """The largest of k pre-activations: a convex, piecewise linear unit that is learnt.

    Goodfellow et al. (2013). A layer of n units has n * k affine maps; the k that
    belong to one unit stand side by side. LeCun weights.

    Parameters
    ----------
    k : int
        Pieces per unit, at least 2.

    Examples
    --------
    >>> import weft
    >>> Maxout(2).value({}, weft.constant([[1.0, 4.0, 3.0, 2.0]])).numpy()
    array([[4., 3.]], dtype=float32)
    """

    k: int = 2

    weights = property(lambda self: LeCun())

    def __post_init__(self) -> None:
        if self.k < 2:
            raise DescriptionError(f"Maxout of {self.k} is no choice: give k >= 2")

    def width(self, n: int) -> int:
        """Return n * k."""
        return n * self.k

    def out_shape(self, in_shape: Lengths) -> Lengths:
        """Return the shape with the last axis k times shorter."""
        if not in_shape or in_shape[-1] % self.k:
            raise ShapeError(
                f"rows of shape {in_shape} cannot be split into groups of {self.k}"
            )
        return (*in_shape[:-1], in_shape[-1] // self.k)

    def value(self, params: Tree, z: Node) -> Node:
        """Build the maximum over each group of k."""
        groups = structure.reshape(z, (*z.shape[:-1], -1, self.k))
        node: Node = reduce.max(groups, axis=-1)
        return node


@final
@dataclass(frozen=True, repr=False)
class ELU(HiddenUnit):
    """z above 0, alpha (exp(z) - 1) below: smooth, and with a mean near 0.

    Clevert et al. (2015). He weights.

    Parameters
    ----------
    alpha : float
        The value approached far below 0 is -alpha.

    Examples
    --------
    >>> import weft
    >>> ELU().value({}, weft.constant([-100.0, 2.0])).numpy()
    array([-1.,  2.], dtype=float32)
    """

    alpha: float = 1.0

    weights = property(lambda self: He())

    def value(self, params: Tree, z: Node) -> Node:
        """Build the unit's value."""
        node: Node = rectifier.elu(z, self.alpha)
        return node


@final
@dataclass(frozen=True, repr=False)
class GELU(HiddenUnit):
    """z Phi(z) with the normal distribution Phi: a smooth rectifier.

    Hendrycks and Gimpel (2016). He weights.

    Examples
    --------
    >>> import weft
    >>> GELU().value({}, weft.constant([0.0, 100.0])).numpy()
    array([  0., 100.], dtype=float32)
    """

    weights = property(lambda self: He())

    def value(self, params: Tree, z: Node) -> Node:
        """Build z Phi(z)."""
        node: Node = rectifier.gelu(z)
        return node


@final
@dataclass(frozen=True, repr=False)
class SiLU(HiddenUnit):
    """z sigmoid(z), also called swish: a smooth rectifier. He weights.

    Examples
    --------
    >>> import weft
    >>> SiLU().value({}, weft.constant([0.0, 100.0])).numpy()
    array([  0., 100.], dtype=float32)
    """

    weights = property(lambda self: He())

    def value(self, params: Tree, z: Node) -> Node:
        """Build z sigmoid(z)."""
        node: Node = rectifier.silu(z)
        return node


@final
@dataclass(frozen=True, repr=False)
class Softplus(HiddenUnit):
    """log(1 + exp(z)): the rectifier smoothed, which surprisingly does not help.

    Dugas et al. (2001); book, section 6.3.3. He weights.

    Examples
    --------
    >>> import weft
    >>> Softplus().value({}, weft.constant([0.0, 100.0])).numpy()
    array([  0.6931472, 100.       ], dtype=float32)
    """

    weights = property(lambda self: He())

    def value(self, params: Tree, z: Node) -> Node:
        """Build log(1 + exp(z))."""
        node: Node = special.softplus(z)
        return node


register(ReLU, AbsoluteValue, LeakyReLU, PReLU, Maxout, ELU, GELU, SiLU, Softplus)
