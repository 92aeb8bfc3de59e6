"""Hypothesis strategies: shapes, arrays, and random graphs with values to feed them.

Everything drawn is small, and a graph stays well conditioned while it grows: its value
is computed alongside, a value that has become large is squashed, and a function with a
kink is applied only where all values are clear of the kink. So finite differences and
other engines can be held against the result to many digits.

This module alone of `weft.testing` needs Hypothesis.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from hypothesis import strategies as st

from weft.graph.dim import Shape
from weft.graph.leaf import constant, input, parameter
from weft.graph.node import Node
from weft.ops import arithmetic, logic, rectifier, reduce, special, structure
from weft.ops.product import matmul
from weft.ops.sample import Array

# A value beyond this is squashed before the graph goes on with it.
_LARGE = 4.0
# How far from a kink every value has to be.
_CLEAR = 0.05
# How many rows a batch has while a graph is drawn.
_ROWS = 5


def shapes(max_ndim: int = 3, max_side: int = 4) -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes of few and short axes, empty ones and those of size 1 included.

    Parameters
    ----------
    max_ndim, max_side : int

    Returns
    -------
    strategy of tuple of int
    """
    sides = st.integers(0, max_side)
    return st.lists(sides, max_size=max_ndim).map(tuple)


def reals(
    low: float = -3.0, high: float = 3.0, avoid: tuple[float, ...] = ()
) -> st.SearchStrategy[float]:
    """Numbers between `low` and `high`, clear of the points to avoid.

    Parameters
    ----------
    low, high : float
    avoid : tuple of float
        Kinks and poles; no number is nearer to one than 0.05.

    Returns
    -------
    strategy of float
        Multiples of 1/64, so that they shrink to short decimals and are exact in
        float32 too.
    """
    grid = st.integers(int(np.ceil(low * 64)), int(np.floor(high * 64)))
    numbers = grid.map(lambda k: k / 64)
    return numbers.filter(lambda x: all(abs(x - point) >= _CLEAR for point in avoid))


def arrays(
    shape: tuple[int, ...] | st.SearchStrategy[tuple[int, ...]] | None = None,
    elements: st.SearchStrategy[float] | None = None,
    dtype: Any = "float64",
) -> st.SearchStrategy[Array]:
    """Arrays of numbers.

    Parameters
    ----------
    shape : tuple of int or strategy of them, optional
        `shapes` by default.
    elements : strategy of float, optional
        `reals` by default.
    dtype : str or numpy.dtype

    Returns
    -------
    strategy of numpy.ndarray
    """
    wanted = st.just(shape) if isinstance(shape, tuple) else (shape or shapes())
    numbers = reals() if elements is None else elements

    def fill(side: tuple[int, ...]) -> st.SearchStrategy[Array]:
        count = int(np.prod(side, dtype=int))
        flat = st.lists(numbers, min_size=count, max_size=count)
        return flat.map(lambda values: np.array(values, dtype).reshape(side))

    return wanted.flatmap(fill)


@final
@dataclass(frozen=True)
class Graph:
    """A random graph and a point to evaluate it at.

    Parameters
    ----------
    output : Node
    leaves : tuple of Node
        The inputs and parameters it may depend on.
    feed : mapping of Node to array
        A value for each of them.
    value : numpy.ndarray
        What `output` comes to, computed step by step while the graph was built.
    """

    output: Node
    leaves: tuple[Node, ...]
    feed: Mapping[Node, Array]
    value: Array


# A part of a graph under construction: the node, and its value.
_Part = tuple[Node, Array]
_Rule = Callable[..., Any]

_SMOOTH: dict[str, _Rule] = {
    "tanh": special.tanh,
    "sigmoid": special.sigmoid,
    "softplus": special.softplus,
    "sin": special.sin,
    "cos": special.cos,
    "erf": special.erf,
    "exp": special.exp,
    "square": arithmetic.square,
    "negative": arithmetic.negative,
    "log1p": lambda x: special.log1p(arithmetic.square(x)),
    "sqrt": lambda x: arithmetic.sqrt(1 + arithmetic.square(x)),
    "power": lambda x: arithmetic.power(1.5 + special.tanh(x), 1.7),
    "double": lambda x: x + x,
}

_KINKED: dict[str, _Rule] = {
    "relu": rectifier.relu,
    "abs": arithmetic.abs,
    "leaky": rectifier.leaky_relu,
    "where": lambda x: logic.where(x > 0, x, special.tanh(x)),
}

_PAIRS: dict[str, _Rule] = {
    "add": arithmetic.add,
    "subtract": arithmetic.subtract,
    "multiply": arithmetic.multiply,
    "divide": lambda x, y: x / (1 + arithmetic.square(y)),
}

_ALONG: dict[str, _Rule] = {
    "sum": reduce.sum,
    "mean": reduce.mean,
    "logsumexp": reduce.logsumexp,
    "softmax": reduce.softmax,
    "log_softmax": reduce.log_softmax,
    "cumsum": reduce.cumsum,
    "half": lambda x, axis: structure.concatenate([x, 0.5 * x], axis),
}

# What grows with the length of the axis.
_GROWING = frozenset({"sum", "cumsum", "logsumexp"})


@st.composite
def graphs(
    draw: st.DrawFn,
    max_ops: int = 8,
    kinks: bool = False,
    scalar: bool = False,
    dtype: str = "float64",
    batch: str | None = None,
) -> Graph:
    """Draw a graph over elementwise ops, reductions, products and movements.

    Parameters
    ----------
    max_ops : int
        The number of steps it is built in, at most.
    kinks : bool
        Whether to use functions with kinks, clear of the kinks.
    scalar : bool
        Whether the output has shape ().
    dtype : {"float64", "float32"}
    batch : str, optional
        A symbol that the inputs have as first dimension. The feed has five rows; with
        any other number of like rows the graph stays as well conditioned.

    Returns
    -------
    strategy of Graph
    """
    side = st.integers(1, 3)
    feed: dict[Node, Array] = {}
    parts: list[_Part] = []
    for i in range(draw(st.integers(1, 3))):
        shape = tuple(draw(st.lists(side, max_size=2)))
        make = input if i % 2 == 0 else parameter
        leads = batch is not None and make is input
        leaf = make("xWb"[i], (batch, *shape) if leads else shape, dtype)
        value = draw(
            arrays((_ROWS, *shape) if leads else shape, reals(-2, 2), dtype),
        )
        feed[leaf] = value
        parts.append((leaf, value))
    for _ in range(draw(st.integers(1, max_ops))):
        parts.append(_squashed(_step(draw, parts, kinks)))
    node, value = parts[-1]
    if scalar and node.shape:
        node, value = reduce.mean(node), np.asarray(reduce.mean(value))
    return Graph(node, tuple(feed), feed, value)


def _step(draw: st.DrawFn, parts: list[_Part], kinks: bool) -> _Part:
    # Mostly onwards from the last part, so that graphs become deep.
    last = parts[-1]
    node, value = draw(st.sampled_from([last] * len(parts) + parts))
    steps: dict[str, Callable[[], _Part]] = {
        "smooth": lambda: _apply(
            _SMOOTH[draw(st.sampled_from(sorted(_SMOOTH)))], node, value
        ),
        "number": lambda: _with_number(draw, node, value),
    }
    fitting = [p for p in parts if _broadcasts(p[0].shape, node.shape)]
    steps["pair"] = lambda: _pair(draw, fitting, node, value)
    if kinks and np.all(np.abs(value) >= _CLEAR):
        steps["kinked"] = lambda: _apply(
            _KINKED[draw(st.sampled_from(sorted(_KINKED)))], node, value
        )
    if node.ndim:
        steps["along"] = lambda: _along(draw, node, value)
        steps["moved"] = lambda: _moved(draw, node, value)
    factors = [p for p in parts if p[0].ndim and node.ndim and _multiplies(node, p[0])]
    if factors:
        steps["matmul"] = lambda: _product(draw, factors, node, value)
    return steps[draw(st.sampled_from(sorted(steps)))]()


def _apply(rule: _Rule, node: Node, value: Array, *rest: Any) -> _Part:
    with np.errstate(all="ignore"):
        return rule(node, *rest), np.asarray(rule(value, *rest))


def _pair(draw: st.DrawFn, fitting: list[_Part], node: Node, value: Array) -> _Part:
    other, beside = draw(st.sampled_from(fitting))
    rule = _PAIRS[draw(st.sampled_from(sorted(_PAIRS)))]
    return rule(node, other), np.asarray(rule(value, beside))


def _with_number(draw: st.DrawFn, node: Node, value: Array) -> _Part:
    number = draw(reals(-2, 2))
    rule = _PAIRS[draw(st.sampled_from(sorted(_PAIRS)))]
    beside = np.asarray(number, value.dtype)
    return rule(node, constant(beside)), np.asarray(rule(value, beside))


def _along(draw: st.DrawFn, node: Node, value: Array) -> _Part:
    axis = draw(st.integers(0, node.ndim - 1))
    rules = sorted(_ALONG)
    if not isinstance(node.shape[axis], int):
        rules = [name for name in rules if name not in _GROWING]
    return _apply(_ALONG[draw(st.sampled_from(rules))], node, value, axis)


def _moved(draw: st.DrawFn, node: Node, value: Array) -> _Part:
    kinds = ["transpose", "flat"]
    # Of a symbolic axis no position is known to be there.
    if isinstance(node.shape[0], int):
        kinds += ["row", "turned"]
    if isinstance(node.shape[-1], int):
        kinds.append("part")
    kind = draw(st.sampled_from(kinds))
    if kind == "transpose":
        return node.T, value.T
    if kind == "flat":
        return structure.reshape(node, -1), value.reshape(-1)
    if kind == "row":
        at = draw(st.integers(0, value.shape[0] - 1))
        return node[at], np.asarray(value[at])
    if kind == "part":
        end = draw(st.integers(1, value.shape[-1]))
        return node[..., :end], value[..., :end]
    return node[::-1], value[::-1]


def _product(draw: st.DrawFn, factors: list[_Part], node: Node, value: Array) -> _Part:
    other, beside = draw(st.sampled_from(factors))
    product, found = matmul(node, other), np.asarray(value @ beside)
    if not isinstance(node.shape[-1], int):
        # A sum over a batch grows with it; a mean does not.
        share = np.asarray(1 / value.shape[-1], value.dtype)
        length = arithmetic.cast(reduce.size(node, -1), node.dtype)
        return product / length, found * share
    return product, found


def _squashed(part: _Part) -> _Part:
    node, value = part
    if value.size and np.max(np.abs(value)) > _LARGE:
        # A slope far from 0 and no plateau, or everything downstream would be 0.
        scale = 1 / float(np.ceil(np.max(np.abs(value)) / _LARGE))
        return node * scale, np.asarray(value * np.asarray(scale, value.dtype))
    return part


def _broadcasts(a: Shape, b: Shape) -> bool:
    pairs = list(zip(a[::-1], b[::-1], strict=False))
    if not all(i in (j, 1) or j == 1 for i, j in pairs):
        return False
    # Two batches that are not side by side would make every pair of rows.
    batches = [_batch_axes(shape) for shape in (a, b)]
    return batches[0] == batches[1] or not all(batches)


def _batch_axes(shape: Shape) -> list[int]:
    """Return the axes as long as a symbol, counted from the last."""
    return [k for k, size in enumerate(shape[::-1]) if not isinstance(size, int)]


def _multiplies(a: Node, b: Node) -> bool:
    return a.shape[-1] == b.shape[-2 if b.ndim > 1 else -1] and a.ndim <= 2 >= b.ndim
