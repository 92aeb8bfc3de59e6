"""Rewriting: a graph becomes a better graph of the same values.

A `Rule` is a named identity; a phase is a list of rules; `rewrite` applies phases in
their order, each until none of its rules applies, and can tell every `Step`. There are
three: `CANONICAL` gives one spelling to what has many, `STABLE` computes the same
number without losing it on the way, `FAST` spares work. `simplify` takes all three.
"""

from collections.abc import Iterable

from weft.graph.node import Node
from weft.rewrite.apply import Step, Trace, rewrite
from weft.rewrite.canonical import CANONICAL
from weft.rewrite.fast import FAST
from weft.rewrite.rule import Phase, Rule, rule
from weft.rewrite.simplify import prepared, simplify
from weft.rewrite.stable import STABLE


def fast(outputs: Iterable[Node]) -> list[Node]:
    """Return nodes of the same values that are cheaper to compute.

    Parameters
    ----------
    outputs : iterable of Node

    Returns
    -------
    list of Node
        One per output, of its shape and type.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n", 3))
    >>> y = weft.transpose(weft.transpose(x)) + weft.broadcast_to(x[0], x.shape) * 1
    >>> print(weft.text(fast([y])[0]))
    (x + reshape(slice(x, pieces=((0, 1, 1), (0, 3, 1))), shape=(3,)))
    """
    return rewrite(outputs, [FAST])


__all__ = [
    "CANONICAL",
    "FAST",
    "STABLE",
    "Phase",
    "Rule",
    "Step",
    "Trace",
    "fast",
    "prepared",
    "rewrite",
    "rule",
    "simplify",
]
