"""A network in words: its layers, their shapes and how many numbers they learnt."""

import math
from typing import Any

from weft.apps.report import Layer
from weft.graph.tree import flatten
from weft.nn import Dense, Network, Parameter


def layers(network: Network, width: int) -> list[Layer]:
    """Return the layers of a network in words, the output last.

    Parameters
    ----------
    network : Network
    width : int
        How many inputs it has.

    Examples
    --------
    >>> from weft import nn
    >>> for layer in layers(nn.mlp([8], "relu", nn.Categorical(3)), 4):
    ...     print(layer.name, layer.shape, layer.unit, layer.parameters)
    dense 1 4 → 8 relu 40
    output 8 → 3 categorical 27
    """
    stated = network.parameters(width)
    widths = _widths(network, width)
    found = [
        Layer(
            f"{type(layer).__name__.lower()} {place + 1}",
            f"{widths[place]} → {widths[place + 1]}",
            _unit(layer),
            _count(stated[str(place)]),
        )
        for place, layer in enumerate(network.layers)
    ]
    shape = f"{widths[-2]} → {widths[-1]}"
    unit = type(network.output).__name__.lower()
    return [*found, Layer("output", shape, unit, _count(stated["output"]))]


def in_one_line(network: Network, width: int) -> str:
    """Say a network in one line.

    Examples
    --------
    >>> from weft import nn
    >>> in_one_line(nn.mlp([8, 8], "relu", nn.Categorical(3), dropout=0.1), 4)
    '4 → 8 → 8 → 3 (relu, dropout 0.1; categorical), 139 parameters'
    """
    chain = " → ".join(map(str, _widths(network, width)))
    *hidden, output = layers(network, width)
    units = ", ".join(dict.fromkeys(layer.unit for layer in hidden if layer.unit))
    units = f"{units}; {output.unit}" if units else output.unit
    return f"{chain} ({units}), {count_parameters(network, width):,} parameters"


def count_parameters(network: Network, width: int) -> int:
    """Return how many numbers a network learns."""
    return _count(network.parameters(width))


def _widths(network: Network, width: int) -> list[int]:
    inner = [shape[0] for shape in network.body.shapes((width,))]
    return [width, *inner, network.output.size]


def _unit(layer: Any) -> str:
    if not isinstance(layer, Dense):
        return ""
    unit = repr(layer.unit).removesuffix("()").lower()
    return f"{unit}, dropout {layer.dropout:g}" if layer.dropout else unit


def _count(stated: Any) -> int:
    found, _ = flatten(stated)
    return sum(math.prod(p.shape) for p in found if isinstance(p, Parameter))
