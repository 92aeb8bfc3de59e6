"""Rewriting under watch: every step evaluated, the first that is wrong is named."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from weft.compile.interpret import evaluate
from weft.graph.errors import WeftError
from weft.graph.node import Node
from weft.graph.text import text
from weft.graph.tree import flatten
from weft.rewrite import Step, simplify
from weft.testing.precision import in_float64


class RewriteError(WeftError):
    """A rule has changed a value: its name, both sides, and what they give."""


def check_simplify(
    nodes: Any, feed: Mapping[Node, Any], tolerance: float = 1e-9
) -> list[Step]:
    """Simplify and hold every step against what it replaced, in float64.

    Parameters
    ----------
    nodes : Node or tree of Node
    feed : mapping of Node to array
        At values for which the formula as it was written is right too: where it
        overflows or cancels, the two sides differ as they should.
    tolerance : float
        How far the two may be apart, relative to the larger one or to 1.

    Returns
    -------
    list of Step
        What was done.

    Raises
    ------
    RewriteError
        At the first step whose two sides differ.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", (2,))
    >>> steps = check_simplify(weft.log(1 + weft.exp(x)), {x: [-1.0, 2.0]})
    >>> [step.rule for step in steps]
    ['log_of_exponentials']
    """
    outputs, _ = flatten(nodes)
    _, steps = simplify(outputs, trace=True)
    for step in steps:
        (before, after), twins = in_float64([step.before, step.after])
        fed = {twins[leaf]: value for leaf, value in feed.items() if leaf in twins}
        left, right = evaluate([before, after], fed)
        scale = np.maximum(1, np.maximum(np.abs(left), np.abs(right)))
        close = np.abs(np.subtract(left, right, dtype=float)) <= tolerance * scale
        if not np.all(close | (left == right) | (np.isnan(left) & np.isnan(right))):
            raise RewriteError(
                f"the rule {step.rule!r} has changed a value.\n"
                f"before: {text(step.before)}\n  gives {left}\n"
                f"after:  {text(step.after)}\n  gives {right}"
            )
    return steps
