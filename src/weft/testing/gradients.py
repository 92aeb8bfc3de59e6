"""Derivatives against finite differences: both modes, their agreement, higher orders.

For a function f at a point x, a random direction v and random cotangents u:

- forward mode: ``J v`` is what central differences give;
- reverse mode: ``<J'u, v>`` is ``<u, J v>``, which holds J'u as a whole against it;
- second order: the graphs of both products are functions in their turn, and are checked
  as such, in x and in v or u together.

A random direction is enough: a wrong derivative agrees along it with probability 0.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, final

import numpy as np

from weft.compile.interpret import evaluate
from weft.differentiate.forward import jvp
from weft.differentiate.reverse import vjp
from weft.graph.dtype import is_float
from weft.graph.errors import GraphError, WeftError
from weft.graph.leaf import input
from weft.graph.node import Node, describe
from weft.graph.tree import flatten
from weft.ops.sample import Array
from weft.testing.precision import in_float64

# Three steps, each half of the one before; two extrapolations leave an error of the
# sixth order in the step, about as small as what rounding leaves.
_STEP = 4e-3

# What rounding may leave where derivative and value are both 0.
_TINY = 1e-11


class GradientError(WeftError, AssertionError):
    """A derivative that finite differences do not confirm."""


@final
@dataclass(frozen=True)
class _Function:
    """Outputs as a function of leaves, at a point.

    Parameters
    ----------
    label : str
        What it is called in a message.
    outputs, variables : tuple of Node
        All float64.
    point : mapping of Node to array
        Values of every leaf, the variables among them.
    """

    label: str
    outputs: tuple[Node, ...]
    variables: tuple[Node, ...]
    point: Mapping[Node, Array]

    def values(self) -> list[Array]:
        """Return the values at the point."""
        values: list[Array] = evaluate(list(self.outputs), self.point)
        return values

    def moved(self, shift: float, direction: Sequence[Array]) -> list[Array]:
        """Return the values at ``point + shift * direction``."""
        steps = zip(self.variables, direction, strict=True)
        there = {x: self.point[x] + shift * v for x, v in steps}
        return replace(self, point={**self.point, **there}).values()


def check_grads(
    f_or_node: Any,
    *given: Any,
    wrt: Any = None,
    order: int = 2,
    rtol: float = 1e-6,
    seed: int = 0,
    kink: str = "left",
) -> None:
    """Check the derivatives of a graph, or of a function that builds one.

    Parameters
    ----------
    f_or_node : Node, tree of Node, or callable
        Whatever is float32 in it is checked as float64.
    *given : mapping or arrays
        For nodes, one mapping from every input and parameter to its value. For a
        function, its arguments: arrays, for which it is given input nodes.
    wrt : Node or tree of Node, optional
        The leaves to differentiate for, all of floats by default. Only for nodes.
    order : int
        The highest order to check.
    rtol : float
        How far a derivative may be off, relative to the largest entry of derivative
        and value.
    seed : int
        Chooses the directions.
    kink : {"left", "right"}
        Which one-sided derivative weft is asked for. Finite differences have no sides:
        at a kink itself no check can succeed.

    Raises
    ------
    GradientError
        If a derivative is wrong, saying which mode, where and by how much.
    GraphError
        If there is nothing to differentiate, or the value is not finite here.

    Examples
    --------
    >>> import weft
    >>> weft.testing.check_grads(weft.tanh, [0.5, -1.0])
    >>> x = weft.input("x", ("n", 2))
    >>> weft.testing.check_grads(weft.logsumexp(x, axis=1), {x: [[1.0, 2.0]]})
    """
    function = _function(f_or_node, given, wrt)
    _check(function, order, rtol, np.random.default_rng(seed), kink)


def _function(f_or_node: Any, given: tuple[Any, ...], wrt: Any) -> _Function:
    if callable(f_or_node):
        if wrt is not None:
            raise GraphError("wrt names leaves of a graph, and a function was given")
        outputs, feed = _traced(f_or_node, given)
        label = getattr(f_or_node, "name", "") or getattr(f_or_node, "__name__", "f")
    else:
        if len(given) != 1 or not isinstance(given[0], Mapping):
            raise GraphError(
                "to check a node, give one mapping from its leaves to their values"
            )
        outputs, feed = flatten(f_or_node)[0], dict(given[0])
        label = describe(outputs[0]) if len(outputs) == 1 else "the graph"
    outputs = [out for out in outputs if is_float(out.dtype)]
    named = flatten(wrt)[0] if wrt is not None else list(feed)
    doubled, twins = in_float64(outputs)
    point = {
        twins.get(leaf, leaf): np.asarray(value, twins.get(leaf, leaf).dtype)
        for leaf, value in feed.items()
    }
    variables = [twins[x] for x in named if x in twins and is_float(x.dtype)]
    if not outputs or not variables:
        raise GraphError(
            f"{label} has no derivative to check: no output of floats depends on a "
            "leaf of floats"
        )
    return _Function(label, tuple(doubled), tuple(variables), point)


def _traced(
    f: Callable[..., Any], args: tuple[Any, ...]
) -> tuple[list[Any], dict[Node, Any]]:
    feed: dict[Node, Any] = {}
    for i, arg in enumerate(args):
        array = np.asarray(arg)
        feed[input(f"argument {i}", array.shape, array.dtype)] = array
    return flatten(f(*feed))[0], feed


def _check(
    f: _Function, order: int, rtol: float, rng: np.random.Generator, kink: str
) -> None:
    v = [_direction(rng, f.point[x]) for x in f.variables]
    values = f.values()
    if not all(np.all(np.isfinite(value)) for value in values):
        raise GraphError(f"{f.label} is not finite at the point given")
    u = [_direction(rng, value) for value in values]
    expected = _differences(f, v)
    sizes = [_largest(e) + _largest(y) for e, y in zip(expected, values, strict=True)]

    forward = _forward(f, v, kink)
    pushed = forward.values()
    for name, have, want, size in zip(
        map(describe, f.outputs), pushed, expected, sizes, strict=True
    ):
        _compare(forward.label, f"output {name}", have, want, rtol * size)

    reverse = _reverse(f, u, kink)
    back = reverse.values()
    # Both products are exact but for rounding, so they are held closer together.
    off = abs(_dot(back, v) - _dot(u, pushed))
    room = rtol * sum(np.sum(np.abs(a)) * s for a, s in zip(u, sizes, strict=True))
    if not off <= room / 100 + _TINY:
        _blame_entry(reverse.label, f, u, back, room)
        raise GradientError(
            f"{reverse.label} is wrong: <J'u, v> is {_dot(back, v):.12g}, but <u, Jv> "
            f"is {_dot(u, pushed):.12g} (off by {off:.2g}, allowed {room / 100:.2g})"
        )

    if order > 1:
        _check(forward, order - 1, rtol, rng, kink)
        _check(reverse, order - 1, rtol, rng, kink)


def _forward(f: _Function, v: Sequence[Array], kink: str) -> _Function:
    """Return J v as a function of the point and of v."""
    tangents = {x: input("tangent", x.shape, x.dtype) for x in f.variables}
    return _Function(
        f"the forward mode of {f.label}",
        tuple(jvp(f.outputs, tangents, kink)),
        (*f.variables, *tangents.values()),
        {**f.point, **dict(zip(tangents.values(), v, strict=True))},
    )


def _reverse(f: _Function, u: Sequence[Array], kink: str) -> _Function:
    """Return J'u as a function of the point and of u."""
    cotangents = tuple(input("cotangent", y.shape, y.dtype) for y in f.outputs)
    return _Function(
        f"the reverse mode of {f.label}",
        tuple(vjp(f.outputs, f.variables, cotangents, kink)),
        (*f.variables, *cotangents),
        {**f.point, **dict(zip(cotangents, u, strict=True))},
    )


def _differences(f: _Function, direction: Sequence[Array]) -> list[Array]:
    """Return the derivative along `direction` by extrapolated central differences."""
    table = []
    for step in (_STEP, _STEP / 2, _STEP / 4):
        ahead, behind = f.moved(step, direction), f.moved(-step, direction)
        table.append([(a - b) / (2 * step) for a, b in zip(ahead, behind, strict=True)])
    for power in (4, 16):
        table = [
            [(power * g - c) / (power - 1) for c, g in zip(coarse, fine, strict=True)]
            for coarse, fine in pairwise(table)
        ]
    return table[0]


def _blame_entry(
    label: str, f: _Function, u: Sequence[Array], back: Sequence[Array], room: float
) -> None:
    """Find the entry of J'u that is wrong, one finite difference at a time."""
    zero = [np.zeros_like(f.point[x]) for x in f.variables]
    for i, (x, have) in enumerate(zip(f.variables, back, strict=True)):
        want = np.empty_like(have)
        for at in np.ndindex(want.shape):
            unit = [*zero[:i], zero[i].copy(), *zero[i + 1 :]]
            unit[i][at] = 1.0
            want[at] = _dot(u, _differences(f, unit))
        _compare(label, f"the derivative for {describe(x)}", have, want, room)


def _compare(mode: str, what: str, have: Array, want: Array, room: float) -> None:
    off = np.abs(have - want)
    if np.all(off <= room + _TINY):  # a NaN is never below
        return
    at = np.unravel_index(np.argmax(np.where(np.isnan(off), np.inf, off)), off.shape)
    place = f" at {[int(i) for i in at]}" if at else ""
    raise GradientError(
        f"{mode} is wrong, {what}{place}: it gives {have[at]:.9g}, finite differences "
        f"{want[at]:.9g} (off by {off[at]:.2g}, allowed {room:.2g})"
    )


def _direction(rng: np.random.Generator, like: Array) -> Array:
    """Return a random direction with entries of absolute value between 1/2 and 1."""
    size = rng.uniform(0.5, 1.0, np.shape(like))
    return np.asarray(size * rng.choice([-1.0, 1.0], np.shape(like)))


def _dot(left: Sequence[Array], right: Sequence[Array]) -> float:
    return float(sum(np.sum(a * b) for a, b in zip(left, right, strict=True)))


def _largest(value: Array) -> float:
    return float(np.max(np.abs(value), initial=0.0))
