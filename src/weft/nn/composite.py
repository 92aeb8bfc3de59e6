"""Layers made of layers: a hidden layer, a sequence, a skip."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, final

from weft.graph.errors import ShapeError
from weft.graph.node import Node
from weft.nn.description import DescriptionError, from_data, register
from weft.nn.hidden import HiddenUnit
from weft.nn.initialisers import Initialiser, Lengths
from weft.nn.layer import Layer, Tree, Updates, call, features, naming
from weft.nn.layers import Dropout, check_width
from weft.nn.mode import Mode, join
from weft.nn.units import unit


@final
@dataclass(frozen=True, repr=False)
class Dense(Layer):
    """A hidden layer: n units g(x W + b), with normalisation and dropout if wanted.

    Parameters
    ----------
    n : int
        How many units.
    unit : HiddenUnit, str or callable
        As `weft.nn.unit` takes them.
    dropout : float
        The probability with which a unit's value is dropped while training.
    norm : Layer, optional
        Stands between the affine map and the units: `BatchNorm()` or `LayerNorm()`.
    weights, bias : Initialiser, optional
        Those that suit the unit, by default.

    Examples
    --------
    >>> import numpy as np
    >>> from weft import nn
    >>> layer = nn.Dense(4, "relu", bias=nn.Constant(0.1))
    >>> layer.init(np.random.default_rng(0), (2,))["b"]
    array([0.1, 0.1, 0.1, 0.1])
    """

    n: int
    unit: HiddenUnit
    dropout: float = 0.0
    norm: Layer | None = None
    weights: Initialiser | None = None
    bias: Initialiser | None = None

    def __post_init__(self) -> None:
        check_width(self.n, self)
        object.__setattr__(self, "unit", unit(self.unit))
        Dropout(self.dropout)  # says what is wrong with the rate
        if self.norm is not None and not isinstance(self.norm, Layer):
            raise DescriptionError(
                f"norm is {self.norm!r}: give nn.BatchNorm() or nn.LayerNorm()"
            )

    def parameters(self, in_shape: Lengths) -> dict[str, Any]:
        """Name weights, bias and what the unit and the normalisation have."""
        own = self.unit.dense_parameters(
            features(in_shape, self),
            self.n,
            self.unit.weights if self.weights is None else self.weights,
            self.unit.bias if self.bias is None else self.bias,
        )
        if self.norm is not None:
            own["norm"] = self.norm.parameters((self.unit.width(self.n),))
        return own

    def out_shape(self, in_shape: Lengths) -> Lengths:
        """Return (n,)."""
        features(in_shape, self)
        return (self.n,)

    def numbers(self) -> dict[str, float]:
        """Return the dropout rate, if anything is dropped."""
        return {"dropout/p": self.dropout} if self.dropout else {}

    def __call__(self, params: Tree, x: Node, mode: Mode) -> tuple[Node, Updates]:
        """Build the hidden layer."""
        updates: dict[str, Any] = {}
        z = self.unit.preactivation(params, x)
        if self.norm is not None:
            z, new = call("norm", self.norm, params, z, mode)
            if new:
                updates["norm"] = new
        h = self.unit.value(params, z)
        if self.dropout:
            h, _ = call("dropout", Dropout(self.dropout), {}, h, mode)
        return h, updates


def as_layers(given: Any) -> tuple[Layer, ...]:
    """Return a tuple of layers, or say what is none.

    Parameters
    ----------
    given : Layer or sequence of Layer

    Raises
    ------
    DescriptionError
        If something given is not a layer.
    """
    layers = (given,) if not isinstance(given, (tuple, list)) else tuple(given)
    for layer in layers:
        if not isinstance(layer, Layer):
            raise DescriptionError(
                f"{layer!r} is no layer: give layers such as nn.Affine(64), nn.ReLU()"
            )
    return layers


@final
@dataclass(frozen=True, repr=False, init=False)
class Sequential(Layer):
    """One layer after the other. They are called "0", "1", ...

    Parameters
    ----------
    *layers : Layer

    Examples
    --------
    >>> from weft import nn
    >>> nn.Sequential(nn.Affine(64), nn.ReLU()).out_shape((20,))
    (64,)
    >>> nn.Sequential(nn.Affine(64), nn.Maxout(3)).out_shape((20,))
    Traceback (most recent call last):
    weft.graph.errors.ShapeError: layer 1 (Maxout(3)): rows of shape (64,) cannot be ...
    """

    layers: tuple[Layer, ...]

    def __init__(self, *layers: Layer) -> None:
        object.__setattr__(self, "layers", as_layers(layers))

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"

    @classmethod
    def from_fields(cls, data: Mapping[str, Any]) -> Self:
        """Build the sequence from what `to_fields` returned."""
        return cls(*from_data(data["layers"]))

    def parameters(self, in_shape: Lengths) -> dict[str, Any]:
        """Name every layer's parameters under its number."""
        found: dict[str, Any] = {}
        for i, layer in enumerate(self.layers):
            with naming(f"layer {i}", layer):
                found[str(i)] = layer.parameters(in_shape)
                in_shape = layer.out_shape(in_shape)
        return found

    def shapes(self, in_shape: Lengths) -> list[Lengths]:
        """Return the shape of the rows that each layer gives."""
        found = []
        for i, layer in enumerate(self.layers):
            with naming(f"layer {i}", layer):
                in_shape = layer.out_shape(in_shape)
            found.append(in_shape)
        return found

    def out_shape(self, in_shape: Lengths) -> Lengths:
        """Return the shape of the rows that the last layer gives."""
        return [in_shape, *self.shapes(in_shape)][-1]

    def numbers(self) -> dict[str, float]:
        """Return every layer's numbers by path."""
        return {
            join(str(i), name): value
            for i, layer in enumerate(self.layers)
            for name, value in layer.numbers().items()
        }

    def __call__(self, params: Tree, x: Node, mode: Mode) -> tuple[Node, Updates]:
        """Build the layers, each on top of the one before."""
        nodes, updates = self.trace(params, x, mode)
        return [x, *nodes][-1], updates

    def trace(self, params: Tree, x: Node, mode: Mode) -> tuple[list[Node], Updates]:
        """Build the layers and return what each of them gives.

        Returns
        -------
        nodes : list of Node
            One per layer.
        updates : nested dict of Node
        """
        nodes: list[Node] = []
        updates: dict[str, Any] = {}
        for i, layer in enumerate(self.layers):
            x, new = call(str(i), layer, params, x, mode)
            if new:
                updates[str(i)] = new
            nodes.append(x)
        return nodes, updates


@final
@dataclass(frozen=True, repr=False)
class Skip(Layer):
    """x + f(x): layers with a connection around them.

    The gradient reaches the layers below also directly (book, section 6.4.2; He et al.
    2016).

    Parameters
    ----------
    layers : Layer or sequence of Layer
        f, which has to return rows of the shape that it is given.

    Examples
    --------
    >>> from weft import nn
    >>> nn.Skip([nn.Dense(64, "relu"), nn.Affine(20)]).out_shape((20,))
    (20,)
    """

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", as_layers(self.layers))

    @property
    def inside(self) -> Sequential:
        """The layers in sequence."""
        return Sequential(*self.layers)

    def parameters(self, in_shape: Lengths) -> dict[str, Any]:
        """Name every layer's parameters under its number."""
        return self.inside.parameters(in_shape)

    def out_shape(self, in_shape: Lengths) -> Lengths:
        """Return the same shape."""
        shape = self.inside.out_shape(in_shape)
        if shape != in_shape:
            raise ShapeError(
                f"a skip adds its input, rows of shape {in_shape}, to rows of shape "
                f"{shape}: end it with Affine({in_shape[-1] if in_shape else 1})"
            )
        return in_shape

    def numbers(self) -> dict[str, float]:
        """Return every layer's numbers by path."""
        return self.inside.numbers()

    def __call__(self, params: Tree, x: Node, mode: Mode) -> tuple[Node, Updates]:
        """Build x + f(x)."""
        node, updates = self.inside(params, x, mode)
        return x + node, updates


register(Dense, Sequential, Skip)
