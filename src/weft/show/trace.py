"""Step by step, with numbers: forward propagation, then back-propagation.

The order is that of Algorithms 6.1 and 6.2: the activations, one after the other, up to
the cost; then the derivative of the cost with respect to each, back to the leaves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.compile import evaluate
from weft.differentiate import backprop
from weft.graph.leaf import CONSTANT, Leaf
from weft.graph.node import Node
from weft.graph.text import written
from weft.graph.walk import topological
from weft.ops.sample import Array
from weft.show.names import SILENT, named

_SHOWN = 6  # numbers of an array


@final
@dataclass(frozen=True)
class Visit:
    """One node on the way, forward or backward.

    Parameters
    ----------
    node : Node
    name : str
        What it is called, or ``dJ/d`` and that.
    formula : str
        What is computed.
    value : numpy.ndarray
    """

    node: Node
    name: str
    formula: str
    value: Array


@final
@dataclass(frozen=True)
class Trace:
    """What back-propagation does, in order. Made by `trace`.

    Parameters
    ----------
    forward, backward : tuple of Visit
    """

    forward: tuple[Visit, ...]
    backward: tuple[Visit, ...]

    def __str__(self) -> str:
        return "\n".join(
            ["forward", *_table(self.forward), "", "backward", *_table(self.backward)]
        )


def trace(cost: Node, feed: Mapping[Node, Any], kink: str = "left") -> Trace:
    """Step through forward propagation and back-propagation with numbers.

    Parameters
    ----------
    cost : Node of shape ()
    feed : mapping of Node to array
        Values of every input and parameter.
    kink : {"left", "right"}
        Which one-sided derivative to take where an op has two.

    Returns
    -------
    Trace
        ``print`` it.

    Raises
    ------
    FeedError, ShapeError
        If a value is missing, or the cost is no scalar.

    Examples
    --------
    >>> import weft
    >>> x, y = (weft.input(name, (), "float64") for name in "xy")
    >>> print(weft.trace((x * y + 1) ** 2, {x: 2.0, y: 3.0}))
    forward
      x                = 2
      y                = 3
      u1 = x * y       = 6
      u2 = u1 + 1      = 7
      J = u2**2        = 49
    <BLANKLINE>
    backward
      dJ/dJ            = 1
      dJ/du2           = 14
      dJ/du1           = 14
      dJ/dy            = 28
      dJ/dx            = 42
    """
    table = backprop(cost, [], feed, table=True, kink=kink)
    order = [n for n in topological([cost], stop=set(feed)) if n.op is not CONSTANT]
    names = named(order, cost)
    told = [n for n in order if n.op.name not in SILENT or n is cost]
    values = evaluate(told, feed)
    forward = []
    for node, value in zip(told, values, strict=True):
        leaf = isinstance(node.op, Leaf) or node in feed
        formula = "" if leaf else written(node, names)
        forward.append(Visit(node, names[node], formula, np.asarray(value)))
    backward = [
        Visit(node, f"d{names[cost]}/d{names[node]}", "", table[node])
        for node in reversed(told)
        if node in table
    ]
    return Trace(tuple(forward), tuple(backward))


def _table(visits: tuple[Visit, ...]) -> list[str]:
    heads = [f"{v.name} = {v.formula}" if v.formula else v.name for v in visits]
    width = max(14, *map(len, heads)) + 2
    pairs = zip(heads, visits, strict=True)
    return [f"  {head:{width}} = {_number(visit.value)}" for head, visit in pairs]


def _number(value: Array) -> str:
    if not value.ndim:
        return f"{value[()]:.6g}"
    if value.size <= _SHOWN:
        short = np.array2string(value, precision=4, separator=", ")
        return " ".join(short.split())
    size = np.sqrt(np.sum(np.square(value.astype(np.float64))))
    return f"{value.dtype} array {value.shape}, norm {size:.4g}"
