"""The network: layers in a chain, and an output unit.

A network is a frozen description of ``f(x) = output(f3(f2(f1(x))))``. Given a tree of
parameters it builds graph: raw outputs, costs, predictions. The same tree may hold
arrays (`Network.init`), parameter leaves (`Network.symbols`) or any nodes; the network
itself holds no values, and two equal descriptions are one network.

The tree is a plain nested dict: ``{"0": {"W": ..., "b": ...}, "output": {...}}``.
"""

import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np

from weft.graph.dtype import as_dtype, is_float
from weft.graph.errors import DTypeError, ShapeError
from weft.graph.leaf import parameter
from weft.graph.node import Node, describe
from weft.graph.tree import flatten, paths, tree_map, unflatten
from weft.nn import diagram
from weft.nn.composite import Sequential, as_layers
from weft.nn.description import (
    Description,
    DescriptionError,
    from_data,
    register,
    to_data,
)
from weft.nn.layer import (
    Layer,
    Parameter,
    Tree,
    Updates,
    check_shapes,
    draw,
    naming,
    row_shape,
)
from weft.nn.mode import Mode, Predict
from weft.nn.output import OutputUnit
from weft.ops import reduce
from weft.show.picture import Picture

OUTPUT = "output"


class SymmetryWarning(UserWarning):
    """The units of a layer start out all alike, and will stay so."""


@final
@dataclass(frozen=True, repr=False)
class Network(Description):
    """A feedforward network: layers one after the other, then an output unit.

    Parameters
    ----------
    layers : Layer or sequence of Layer
        May be empty: then the model is linear.
    output : OutputUnit
        The distribution of the target, with the last affine layer.

    Examples
    --------
    >>> import weft
    >>> from weft import nn
    >>> network = nn.Network([nn.Dense(8, "relu")], nn.Bernoulli())
    >>> params = network.symbols(in_features=2)
    >>> params["0"]["W"]
    <0/W: float32(2, 8)>
    >>> x, y = weft.input("x", ("n", 2)), weft.input("y", ("n",))
    >>> cost, updates = network.cost(params, x, y, nn.Predict())
    >>> cost.shape, updates
    ((), {})
    """

    layers: tuple[Layer, ...]
    output: OutputUnit

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", as_layers(self.layers))
        if not isinstance(self.output, OutputUnit):
            raise DescriptionError(
                f"{self.output!r} is no output unit: give for instance nn.Gaussian(), "
                "nn.Bernoulli() or nn.Categorical(k)"
            )

    def __repr__(self) -> str:
        inside = ", ".join(map(repr, self.layers))
        return f"Network([{inside}], {self.output!r})"

    @property
    def body(self) -> Sequential:
        """The layers in sequence."""
        return Sequential(*self.layers)

    # Parameters -----------------------------------------------------------------------

    def parameters(self, in_features: int) -> dict[str, Any]:
        """Name all parameters for inputs of `in_features` numbers.

        Returns
        -------
        nested dict of Parameter
            Under ``"0"``, ``"1"``, ... and ``"output"``.

        Raises
        ------
        ShapeError
            If the layers do not fit; the message names the layer.
        """
        _check_features(in_features)
        width = self._width(in_features)
        found = self.body.parameters((in_features,))
        return {**found, OUTPUT: self.output.parameters(width)}

    def _width(self, in_features: int) -> int:
        shape = self.body.out_shape((in_features,))
        if len(shape) != 1:
            raise ShapeError(
                f"the output unit ({self.output}) takes rows that are vectors, and the "
                f"layers give rows of shape {shape}"
            )
        return shape[0]

    def init(
        self, seed: int, in_features: int, dtype: Any = "float32"
    ) -> dict[str, Any]:
        """Draw first values of all parameters.

        Parameters
        ----------
        seed : int
            At least 0. What is drawn for a parameter depends on the seed and on the
            parameter's place alone.
        in_features : int
        dtype : {"float32", "float64"}
            The numbers are drawn as float64 and rounded to it.

        Returns
        -------
        nested dict of numpy.ndarray

        Warns
        -----
        SymmetryWarning
            If all weights of the network start out equal.

        Examples
        --------
        >>> from weft import nn
        >>> params = nn.mlp([8], "relu", nn.Bernoulli()).init(seed=0, in_features=2)
        >>> params["output"]["W"].shape, params["output"]["b"]
        ((8, 1), array([0.], dtype=float32))
        """
        kind = _float_type(dtype)
        drawn = draw(np.random.default_rng(seed), self.parameters(in_features))
        self._check_symmetry(drawn)
        return {
            name: tree_map(lambda a: np.ascontiguousarray(a, kind), part)
            for name, part in drawn.items()
        }

    def _check_symmetry(self, drawn: Tree) -> None:
        found, _ = flatten({n: part for n, part in drawn.items() if n != OUTPUT})
        matrices = [a for a in found if a.ndim >= 2]
        alike = all(np.ptp(a) == 0 for a in [*matrices, drawn[OUTPUT]["W"]])
        if alike and any(a.shape[-1] > 1 for a in matrices):
            warnings.warn(
                f"all weights start at {matrices[0].flat[0]:g}: the units of a layer "
                "compute the same and will always do; choose a random initialiser such "
                "as nn.Glorot()",
                SymmetryWarning,
                stacklevel=3,
            )

    def symbols(self, in_features: int, dtype: Any = "float32") -> dict[str, Any]:
        """Make a parameter leaf for every parameter, named by its path.

        Parameters
        ----------
        in_features : int
        dtype : {"float32", "float64"}

        Returns
        -------
        nested dict of Node
            New leaves at every call.

        Examples
        --------
        >>> from weft import nn
        >>> nn.mlp([], output=nn.Gaussian()).symbols(3)
        {'output': {'W': <output/W: float32(3, 1)>, 'b': <output/b: float32(1,)>}}
        """
        kind = _float_type(dtype)
        stated = self.parameters(in_features)
        found, structure = flatten(stated)
        made = [
            parameter(path, part.shape, kind)
            for path, part in zip(paths(stated), found, strict=True)
        ]
        symbols: dict[str, Any] = unflatten(structure, made)
        return symbols

    def numbers(self) -> dict[str, float]:
        """Return the layers' run-time numbers by path, such as dropout rates.

        Examples
        --------
        >>> from weft import nn
        >>> nn.mlp([8, 8], "relu", nn.Gaussian(), dropout=0.5).numbers()
        {'0/dropout/p': 0.5, '1/dropout/p': 0.5}
        """
        return self.body.numbers()

    # Graph ----------------------------------------------------------------------------

    def forward(self, params: Tree, x: Node, mode: Mode) -> tuple[Node, Updates]:
        """Build the raw outputs, and what layers keep of the batch.

        Parameters
        ----------
        params : nested dict of Node
        x : Node of shape (n, in_features)
        mode : Train or Predict

        Returns
        -------
        raw : Node of shape (n, output.size)
        updates : nested dict of Node
            Next values of running statistics; part of the tree of parameters.
        """
        _check_input(x)
        h, updates = self.body(params, x, mode)
        with naming(OUTPUT, self.output):
            own = params.get(OUTPUT, {})
            (width,) = row_shape(h, self.output)
            check_shapes(self.output.parameters(width), own)
            return self.output.raw(own, h), updates

    def raw(self, params: Tree, x: Node, mode: Mode | None = None) -> Node:
        """Build the raw outputs, such as logits.

        Parameters
        ----------
        params : nested dict of Node
        x : Node of shape (n, in_features)
        mode : Train or Predict
            `Predict` by default.

        Returns
        -------
        Node of shape (n, output.size)
        """
        return self.forward(params, x, Predict() if mode is None else mode)[0]

    def hidden(
        self, params: Tree, x: Node, layer: int = -1, mode: Mode | None = None
    ) -> Node:
        """Build what a layer gives: the learnt features phi(x).

        Parameters
        ----------
        params : nested dict of Node
        x : Node of shape (n, in_features)
        layer : int
            Which layer, from 0; -1 for the last one.
        mode : Train or Predict
            `Predict` by default.

        Returns
        -------
        Node of shape (n, width)

        Raises
        ------
        ShapeError
            If there is no such layer.
        """
        count = len(self.layers)
        if not -count <= layer < count:
            raise ShapeError(
                f"there is no layer {layer}: the network has {count} before its output"
            )
        _check_input(x)
        nodes, _ = self.body.trace(params, x, Predict() if mode is None else mode)
        return nodes[layer]

    def per_example(self, params: Tree, x: Node, y: Node, mode: Mode) -> Node:
        """Build each row's negative log-likelihood.

        Parameters
        ----------
        params : nested dict of Node
        x : Node of shape (n, in_features)
        y : Node of shape (n, *output.target_shape)
        mode : Train or Predict

        Returns
        -------
        Node of shape (n,)
        """
        raw, _ = self.forward(params, x, mode)
        return self.nll(raw, y)

    def nll(self, raw: Node, y: Node) -> Node:
        """Build each row's negative log-likelihood from raw outputs."""
        with naming(OUTPUT, self.output):
            return self.output.nll(raw, y)

    def cost(
        self,
        params: Tree,
        x: Node,
        y: Node,
        mode: Mode,
        sample_weight: Node | None = None,
    ) -> tuple[Node, Updates]:
        """Build the cost: the mean of the rows' negative log-likelihoods.

        Parameters
        ----------
        params : nested dict of Node
        x : Node of shape (n, in_features)
        y : Node of shape (n, *output.target_shape)
        mode : Train or Predict
        sample_weight : Node of shape (n,), optional
            The mean is ``sum(w L) / sum(w)``: a weight of 2 counts a row twice.

        Returns
        -------
        cost : Node of shape ()
        updates : nested dict of Node
        """
        raw, updates = self.forward(params, x, mode)
        return weighted_mean(self.nll(raw, y), sample_weight), updates

    def predict(self, params: Tree, x: Node) -> Node:
        """Build the prediction: the mean, or probabilities.

        Parameters
        ----------
        params : nested dict of Node
        x : Node of shape (n, in_features)

        Returns
        -------
        Node of shape (n,) or (n, k)
        """
        return self.output.prediction(self.raw(params, x))

    # As text and data -----------------------------------------------------------------

    def summary(self, in_features: int) -> str:
        """Return a table of the layers, their shapes and numbers of parameters.

        Examples
        --------
        >>> from weft import nn
        >>> print(nn.mlp([8], "relu", nn.Bernoulli()).summary(in_features=2))
        layer   description                gives    parameters
        input                              (n, 2)
        0       Dense(8, ReLU())           (n, 8)           24
        output  Bernoulli()                (n, 1)            9
        total                                               33
        """
        stated = self.parameters(in_features)
        shapes = self.body.shapes((in_features,))
        rows = [("layer", "description", "gives", "parameters")]
        rows.append(("input", "", _batch((in_features,)), ""))
        for i, (layer, shape) in enumerate(zip(self.layers, shapes, strict=True)):
            count = f"{_count(stated[str(i)]):,}"
            rows.append((str(i), repr(layer), _batch(shape), count))
        size = (self.output.size,)
        last = f"{_count(stated[OUTPUT]):,}"
        rows.append((OUTPUT, repr(self.output), _batch(size), last))
        rows.append(("total", "", "", f"{_count(stated):,}"))
        return _table(rows)

    def picture(
        self, in_features: int | None = None, style: str = "layers", units: int = 8
    ) -> Picture:
        """Draw the network, by layers or by neurons (book, figure 6.2).

        Parameters
        ----------
        in_features : int, optional
            Needed for ``style="neurons"``.
        style : {"layers", "neurons"}
        units : int
            The most units of a layer to draw one by one.

        Returns
        -------
        Picture
            As `weft.draw` returns it.

        Examples
        --------
        >>> import weft
        >>> from weft import nn
        >>> xor = nn.mlp([2], "relu", nn.Gaussian())
        >>> picture = weft.draw(xor, style="neurons", in_features=2)
        >>> picture.count("node"), picture.count("edge")
        (5, 6)
        """
        return diagram.picture(self, in_features, style, units)

    def _repr_html_(self) -> str:
        return diagram.html(self)

    def describe(self) -> dict[str, Any]:
        """Return the network as plain JSON data.

        Returns
        -------
        dict
            Fit for `json.dumps`; `from_description` reads it.

        Examples
        --------
        >>> from weft import nn
        >>> network = nn.mlp([8], "relu", nn.Bernoulli())
        >>> nn.Network.from_description(network.describe()) == network
        True
        """
        data: dict[str, Any] = to_data(self)
        return data

    @classmethod
    def from_description(cls, data: Any) -> Self:
        """Build the network that `describe` wrote.

        Parameters
        ----------
        data : dict or str
            A string is read as JSON first.

        Raises
        ------
        DescriptionError
            If it is damaged, or names something that is not known here.
        """
        if isinstance(data, str):
            try:
                data = json.loads(data)
            except ValueError as error:
                raise DescriptionError(f"the network is not JSON: {error}") from None
        network = from_data(data)
        if not isinstance(network, cls):
            raise DescriptionError("this is not the description of a network")
        return network


def weighted_mean(values: Node, weight: Node | None) -> Node:
    """Build ``sum(w v) / sum(w)``, or the plain mean where there are no weights."""
    if weight is None:
        node: Node = reduce.mean(values)
        return node
    if weight.shape != values.shape:
        raise ShapeError(
            f"the sample weights {describe(weight)} do not have the shape "
            f"{values.shape}, one weight per row"
        )
    node = reduce.sum(weight * values) / reduce.sum(weight)
    return node


def _float_type(dtype: Any) -> Any:
    kind = as_dtype(dtype)
    if not is_float(kind):
        raise DTypeError(f"a network computes in float32 or float64, not in {kind}")
    return kind


def _check_features(in_features: Any) -> None:
    if isinstance(in_features, bool) or not isinstance(in_features, int | np.integer):
        raise ShapeError(
            f"in_features is a whole number, and {in_features!r} was given"
        )
    if in_features < 1:
        raise ShapeError("a network needs at least one input")


def _check_input(x: Node) -> None:
    if x.ndim != 2 or not is_float(x.dtype):
        raise ShapeError(
            f"a network takes a float node of shape (n, features), and {describe(x)} "
            "was given"
        )


def _count(stated: Tree) -> int:
    found, _ = flatten(stated)
    return sum(math.prod(p.shape) for p in found if isinstance(p, Parameter))


def _batch(shape: tuple[int, ...]) -> str:
    return f"({', '.join(['n', *map(str, shape)])})"


def _table(rows: Sequence[tuple[str, str, str, str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = []
    for name, text, shape, count in rows:
        cells = [
            name.ljust(widths[0]),
            text.ljust(max(widths[1], 25)),
            shape.ljust(widths[2]),
            count.rjust(widths[3]),
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


register(Network)
