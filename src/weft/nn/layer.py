"""The layer: a frozen description of a function with parameters.

A layer says which parameters it has for inputs of a shape (`parameters`), what shape
comes out (`out_shape`), and builds its piece of graph (`__call__`). It never holds a
value: parameters are plain nested dicts of arrays or nodes, passed in.

Names follow the mathematics: a matrix that multiplies its input has a name with a
capital letter (``W``) and is a *weight*; biases, gains, slopes and centres are lower
case. Penalties and weight decay act on weights alone (`is_weight`).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.graph.dim import Shape
from weft.graph.errors import ShapeError, WeftError
from weft.graph.node import Node
from weft.nn.description import Description
from weft.nn.initialisers import Initialiser, Lengths
from weft.nn.mode import Mode, join

# A nested dict whose leaves are nodes (or arrays, or whatever stands in their places).
Tree = Mapping[str, Any]
# Parameters that a layer sets itself, and their next values: part of the same tree.
Updates = Mapping[str, Any]


@final
@dataclass(frozen=True)
class Parameter:
    """What a parameter is, before it has a value.

    Parameters
    ----------
    shape : tuple of int
    initialiser : Initialiser

    Examples
    --------
    >>> from weft import nn
    >>> nn.Affine(3).parameters((2,))["W"]
    Parameter(shape=(2, 3), initialiser=LeCun())
    """

    shape: Lengths
    initialiser: Initialiser


class Layer(Description, ABC):
    """A function of a batch, with parameters.

    To write one, derive from this class, declare it with
    ``@dataclass(frozen=True, repr=False)`` and define `out_shape` and `__call__`, and
    `parameters` if it has any.

    Examples
    --------
    A layer that appends the squares of its inputs:

    >>> import weft
    >>> from weft import nn
    >>> @dataclass(frozen=True, repr=False)
    ... class Squares(nn.Layer):
    ...     def out_shape(self, in_shape):
    ...         return (2 * in_shape[0],)
    ...
    ...     def __call__(self, params, x, mode):
    ...         return weft.concatenate([x, weft.square(x)], axis=1), {}
    >>> nn.Network([Squares(), nn.Dense(8, "relu")], nn.Gaussian()).symbols(3)["1"]["W"]
    <1/W: float32(6, 8)>
    """

    def parameters(self, in_shape: Lengths) -> dict[str, Any]:
        """Name the parameters for inputs of a shape.

        Parameters
        ----------
        in_shape : tuple of int
            Of one row, the batch axis left out.

        Returns
        -------
        nested dict of Parameter
            None by default.
        """
        return {}

    @abstractmethod
    def out_shape(self, in_shape: Lengths) -> Lengths:
        """Return the shape of one row of the output.

        Raises
        ------
        ShapeError
            If the layer does not take such inputs.
        """

    @abstractmethod
    def __call__(self, params: Tree, x: Node, mode: Mode) -> tuple[Node, Updates]:
        """Build the layer's graph.

        Parameters
        ----------
        params : nested dict of Node
            As `parameters` names them.
        x : Node of shape (n, ...)
        mode : Train or Predict

        Returns
        -------
        node : Node of shape (n, ...)
        updates : nested dict of Node
            Next values of parameters that the layer keeps itself (running statistics);
            they are not trained. Empty for most layers.
        """

    def numbers(self) -> dict[str, float]:
        """Return the numbers that may be given at run time, by path; see `Train`."""
        return {}

    def init(self, rng: np.random.Generator, in_shape: Lengths) -> dict[str, Any]:
        """Draw first values of the parameters.

        Parameters
        ----------
        rng : numpy.random.Generator
        in_shape : tuple of int

        Returns
        -------
        nested dict of numpy.ndarray of float64
        """
        return draw(rng, self.parameters(in_shape))


def draw(rng: np.random.Generator, parameters: Tree) -> dict[str, Any]:
    """Draw a value for every `Parameter` of a tree.

    Each entry has a generator of its own, spawned by its place, so that what is drawn
    for one does not depend on how much the others needed.

    Parameters
    ----------
    rng : numpy.random.Generator
    parameters : nested dict of Parameter

    Returns
    -------
    nested dict of numpy.ndarray of float64
    """
    drawn: dict[str, Any] = {}
    children = rng.spawn(len(parameters))
    for child, (name, part) in zip(children, parameters.items(), strict=True):
        if isinstance(part, Parameter):
            drawn[name] = part.initialiser.init(child, part.shape)
        else:
            drawn[name] = draw(child, part)
    return drawn


def is_weight(path: str) -> bool:
    """Tell whether the parameter at `path` is a weight: its name is a capital letter.

    Examples
    --------
    >>> is_weight("0/W"), is_weight("0/b"), is_weight("output/W")
    (True, False, True)
    """
    return path.rsplit("/", 1)[-1][:1].isupper()


def features(in_shape: Lengths, layer: Layer) -> int:
    """Return the length of a row that has to be a vector.

    Raises
    ------
    ShapeError
        If it is not one.
    """
    if len(in_shape) != 1:
        raise ShapeError(
            f"{layer} takes rows that are vectors, and was given rows of shape "
            f"{in_shape}: flatten them first"
        )
    return in_shape[0]


def row_shape(x: Node, layer: Description) -> Lengths:
    """Return the shape of a row of `x`, which must be known as numbers.

    Raises
    ------
    ShapeError
        If `x` has no batch axis or a row of symbolic size.
    """
    rows: Shape = x.shape[1:]
    known = tuple(size for size in rows if isinstance(size, int))
    if not x.shape or len(known) < len(rows):
        raise ShapeError(
            f"{layer} takes a batch of rows of known shape, and was given {x.shape}"
        )
    return known


@contextmanager
def naming(place: str, layer: Description) -> Iterator[None]:
    """Within this context, a mistake is told with the layer it was found in.

    Parameters
    ----------
    place : str
        For instance ``"layer 2"``.
    layer : Description
    """
    try:
        yield
    except WeftError as error:
        raise type(error)(f"{place} ({layer}): {error}") from None


def call(
    name: str, layer: Layer, params: Tree, x: Node, mode: Mode
) -> tuple[Node, Updates]:
    """Build the graph of a layer that is part of something, with checks.

    Parameters
    ----------
    name : str
        What the layer is called in its parent: the end of its path.
    layer : Layer
    params : nested dict of Node
        Of the parent; the layer's own stand under `name`.
    x : Node of shape (n, ...)
    mode : Train or Predict
        Of the parent.

    Returns
    -------
    node : Node
    updates : nested dict of Node

    Raises
    ------
    ShapeError, DTypeError, ...
        With the layer's name in front.
    """
    with naming(f"layer {name}", layer):
        row = row_shape(x, layer)
        layer.out_shape(row)
        own = params.get(name, {})
        check_shapes(layer.parameters(row), own)
        return layer(own, x, mode.at(name))


def check_shapes(parameters: Tree, params: Tree, way: str = "") -> None:
    """Raise ShapeError unless `params` has the names and shapes of `parameters`."""
    for name, part in parameters.items():
        path = join(way, name)
        given = params.get(name, {} if isinstance(part, Mapping) else None)
        if given is None:
            raise ShapeError(f"the parameter {path!r} is missing")
        if isinstance(part, Parameter):
            if tuple(given.shape) != part.shape:
                raise ShapeError(
                    f"the parameter {path!r} has shape {tuple(given.shape)} instead of "
                    f"{part.shape}"
                )
        else:
            check_shapes(part, given, path)
