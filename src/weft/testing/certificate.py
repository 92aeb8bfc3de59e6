"""A certificate: how far from the truth a formula is, before and after rewriting.

The truth is the formula's own, computed by `high_precision`. The errors are measured in
units in the last place of the formula's type, over chosen points of the ranges that are
stated: their ends, zero, powers of two of either sign, and numbers in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.compile.interpret import evaluate
from weft.graph.dim import Dim
from weft.graph.errors import GraphError
from weft.graph.node import Node, describe
from weft.graph.text import text
from weft.graph.walk import leaves
from weft.rewrite import simplify
from weft.testing.high_precision import high_precision


@final
@dataclass(frozen=True)
class Errors:
    """How wrong one formula is.

    Parameters
    ----------
    formula : str
    worst : float
        The largest error in ulp of the true value; infinite where a number was
        promised and NaN or an infinity came.
    at : mapping of str to number
        Where that was.
    lost : int
        Points at which NaN or an infinity came in place of a number.
    """

    formula: str
    worst: float
    at: Mapping[str, float]
    lost: int


@final
@dataclass(frozen=True)
class Certificate:
    """The errors of a formula as it was written and as it was rewritten.

    Parameters
    ----------
    before, after : Errors
    points : int
        How many points were tried.
    rules : tuple of str
        The rules that were applied, in order.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ())
    >>> found = certify(weft.log(1 + weft.exp(x)), {x: (-1000, 1000)})
    >>> found.before.lost > 0, found.after.lost, found.after.worst < 4
    (True, 0, True)
    """

    before: Errors
    after: Errors
    points: int
    rules: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{'':8}{'worst ulp':>12}  {'lost':>5}  worst at"]
        for name, errors in (("before", self.before), ("after", self.after)):
            where = ", ".join(f"{leaf}={value:g}" for leaf, value in errors.at.items())
            lines.append(f"{name:8}{errors.worst:12.3g}  {errors.lost:5d}  {where}")
        lines.append(f"{self.points} points; rules: {', '.join(self.rules) or 'none'}")
        lines.append(f"before: {self.before.formula}")
        lines.append(f"after:  {self.after.formula}")
        return "\n".join(lines)


def certify(
    node: Node, ranges: Mapping[Node, Any], points: int = 200, digits: int = 50
) -> Certificate:
    """Measure the errors of an elementwise formula before and after rewriting.

    Parameters
    ----------
    node : Node
        A formula of floats, all of whose inputs have shape ().
    ranges : mapping of Node to (low, high)
        For every input of the formula.
    points : int
        How many points are drawn in between, beside the corners and powers of two.
    digits : int
        Of the truth. A formula with ``exp(x)`` beside 1 needs about ``0.9 * |x|``.

    Returns
    -------
    Certificate
        ``print`` it.

    Raises
    ------
    GraphError
        If an input has no range, or is no number.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ())
    >>> found = certify(weft.log(1 + weft.exp(x)), {x: (-100, 100)}, digits=120)
    >>> found.before.worst > 1e6, found.after.worst < 4, found.rules
    (True, True, ('log_of_exponentials',))
    """
    inputs = [leaf for leaf in leaves([node]) if leaf.op.name != "constant"]
    for leaf in inputs:
        if leaf not in ranges:
            raise GraphError(
                f"{describe(leaf)} has no range: give {{leaf: (low, high)}}"
            )
        if leaf.shape != () or leaf.dtype.kind != "f":
            raise GraphError(
                f"{describe(leaf)} is not a single float: write the formula for one"
            )
    if node.shape != () or any(isinstance(size, Dim) for size in node.shape):
        raise GraphError(f"{describe(node)} is not a single number: give one element")
    better, steps = simplify(node, trace=True)
    feeds = _feeds(inputs, ranges, points)
    truths = [high_precision(node, feed, digits)[()] for feed in feeds]
    return Certificate(
        _errors(node, feeds, truths),
        _errors(better, feeds, truths),
        len(feeds),
        tuple(step.rule for step in steps),
    )


def _feeds(
    inputs: list[Node], ranges: Mapping[Node, Any], points: int
) -> list[dict[Node, Any]]:
    """Return the points: every input at each of its own marks, the others drawn."""
    rng = np.random.default_rng(0)
    drawn = {
        leaf: rng.uniform(*ranges[leaf], points).astype(leaf.dtype) for leaf in inputs
    }
    marks = {leaf: _marks(*ranges[leaf]).astype(leaf.dtype) for leaf in inputs}
    feeds = [{leaf: drawn[leaf][k] for leaf in inputs} for k in range(points)]
    longest = max((len(found) for found in marks.values()), default=0)
    for shift in range(min(len(inputs), 3)):
        for k in range(longest):
            feed = {}
            for j, leaf in enumerate(inputs):
                own = marks[leaf]
                feed[leaf] = own[(k * (1 + shift * j)) % len(own)]
            feeds.append(feed)
    return feeds


def _marks(low: float, high: float) -> Any:
    powers = [s * 2.0**k for k in range(-30, 14) for s in (1, -1)]
    marks = [low, high, 0.0, *powers]
    return np.array(sorted({m for m in marks if low <= m <= high}))


def _errors(node: Node, feeds: list[dict[Node, Any]], truths: list[Any]) -> Errors:
    import mpmath

    worst, at, lost = 0.0, {}, 0
    dtype = node.dtype
    for feed, truth in zip(feeds, truths, strict=True):
        if not mpmath.isfinite(truth) or abs(truth) > float(np.finfo(dtype).max):
            continue
        value = evaluate(node, feed)
        if np.isfinite(value):
            last = float(np.spacing(np.abs(dtype.type(float(truth)))))
            error = float(abs(mpmath.mpf(float(value)) - truth) / last)
        else:
            error = float("inf")
            lost += 1
        if error > worst:
            worst = error
            at = {leaf.name: float(x) for leaf, x in feed.items()}
    return Errors(text(node).replace("\n", "; "), worst, at, lost)
