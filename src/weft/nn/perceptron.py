"""The multilayer perceptron: the network that most people want, from a few words."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from weft.nn.composite import Dense
from weft.nn.description import DescriptionError
from weft.nn.initialisers import Initialiser
from weft.nn.layer import Layer
from weft.nn.layers import BatchNorm, Dropout, LayerNorm
from weft.nn.network import Network
from weft.nn.output import OutputUnit
from weft.nn.output_units import Gaussian
from weft.nn.units import unit as as_unit


def mlp(
    hidden: int | Sequence[int] = (),
    unit: Any = "relu",
    output: OutputUnit | None = None,
    *,
    dropout: float | Sequence[float] = 0.0,
    input_dropout: float = 0.0,
    norm: str | Layer | None = None,
    weights: Initialiser | None = None,
    bias: Initialiser | None = None,
) -> Network:
    """Describe a multilayer perceptron.

    Parameters
    ----------
    hidden : int or sequence of int
        The widths of the hidden layers; none for a linear model.
    unit : str, HiddenUnit, callable, or sequence of them
        The hidden unit, or one for each layer.
    output : OutputUnit
        The distribution of the target; `Gaussian()` by default.
    dropout : float or sequence of float
        The rate in all hidden layers, or one for each.
    input_dropout : float
        The rate on the inputs. If it is not 0, this is a layer, number 0.
    norm : {"batch", "layer"} or Layer, optional
        What stands in front of the units of every hidden layer.
    weights, bias : Initialiser, optional
        For all hidden layers; those that suit the unit, by default.

    Returns
    -------
    Network

    Raises
    ------
    DescriptionError
        If the parts do not fit together.

    Examples
    --------
    >>> from weft import nn
    >>> nn.mlp([64, 32], ["relu", "tanh"], nn.Categorical(10))
    Network([Dense(64, ReLU()), Dense(32, Tanh())], Categorical(10))
    """
    widths = [hidden] if isinstance(hidden, int | np.integer) else list(hidden)
    units = _one_each(unit, len(widths), "units")
    rates = _one_each(dropout, len(widths), "dropout rates")
    layers: list[Layer] = [
        Dense(_plain(n), as_unit(u), _plain(p), _norm(norm), weights, bias)
        for n, u, p in zip(widths, units, rates, strict=True)
    ]
    if input_dropout:
        layers.insert(0, Dropout(_plain(input_dropout)))
    return Network(tuple(layers), Gaussian() if output is None else output)


def _plain(number: Any) -> Any:
    """Return a NumPy number as Python's own."""
    return number.item() if isinstance(number, np.generic) else number


def _one_each(given: Any, count: int, what: str) -> list[Any]:
    if not isinstance(given, (list, tuple)):
        return [given] * count
    if len(given) != count:
        raise DescriptionError(
            f"{len(given)} {what} were given for {count} hidden layers: give one, or "
            "one for each layer"
        )
    return list(given)


def _norm(given: str | Layer | None) -> Layer | None:
    named = {"batch": BatchNorm(), "layer": LayerNorm()}
    if isinstance(given, str):
        if given not in named:
            raise DescriptionError(f"norm is {given!r}: choose 'batch' or 'layer'")
        return named[given]
    return given
