"""What several checks measure with: exact references, units in the last place, samples.

High precision is Python's own `decimal` with fifty digits, so that a check needs
nothing that is not installed. What is drawn is drawn with a fixed seed.
"""

import inspect
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal, localcontext
from importlib import import_module
from typing import Any

import numpy as np

import weft
from weft.apps.verify.claim import NotBuiltError
from weft.graph.tree import tree_map

Array = np.ndarray[Any, Any]
_DIGITS = 50


def built(name: str, parameter: str = "") -> Any:
    """Return what has the public name ``weft.name``.

    Parameters
    ----------
    name : str
        May have dots.
    parameter : str
        A parameter that it needs to have, if it is a function.

    Raises
    ------
    NotBuiltError
        If there is none.

    Examples
    --------
    >>> built("grad") is weft.grad
    True
    >>> built("grad", "colour")
    Traceback (most recent call last):
    weft.apps.verify.claim.NotBuiltError: weft.grad(colour=) is not built
    """
    found: Any = weft
    path = "weft"
    for part in name.split("."):
        path = f"{path}.{part}"
        try:
            found = getattr(found, part)
        except AttributeError:
            try:
                found = import_module(path)
            except ModuleNotFoundError:
                raise NotBuiltError(f"weft.{name} is not built") from None
    if parameter and parameter not in inspect.signature(found).parameters:
        raise NotBuiltError(f"weft.{name}({parameter}=) is not built")
    return found


def rng(seed: int = 0) -> np.random.Generator:
    """Return a source of numbers that are the same every time."""
    return np.random.default_rng(seed)


def drawn(values: Any, seed: int = 0) -> Any:
    """Return random numbers in the shapes of a network's values.

    Biases begin with 0, and a check with those would not miss them.

    Examples
    --------
    >>> drawn({"b": np.zeros(2)})["b"].shape
    (2,)
    """
    draw = rng(seed)
    return tree_map(lambda value: draw.normal(size=value.shape), values)


def gap(a: Any, b: Any) -> float:
    """Return the largest difference of two arrays, relative to the larger magnitude.

    Examples
    --------
    >>> gap([1.0, 200.0], [1.0, 201.0]) < 0.005, gap([0.0], [np.nan])
    (True, nan)
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape != b.shape:
        return math.inf
    scale = float(np.max(np.abs(b), initial=1e-300))
    return float(np.max(np.abs(a - b), initial=0.0)) / scale


def largest(numbers: Iterable[Any]) -> float:
    """Return the largest of some numbers, and NaN if one of them is: it holds nothing.

    Python's own ``max`` passes over a NaN that is not the first.

    Examples
    --------
    >>> largest([1.0, 3.0, 2.0]), largest([1.0, np.nan])
    (3.0, nan)
    """
    return float(np.max([float(number) for number in numbers]))


def same_bits(a: Any, b: Any) -> bool:
    """Tell whether two arrays have one shape, one type and the same bits.

    Examples
    --------
    >>> same_bits(np.float32(0.0), np.float32(-0.0))
    False
    """
    a, b = np.asarray(a), np.asarray(b)
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def ulps(value: Any, exact: Decimal) -> float:
    """Return how many units in the last place `value` is from the exact number.

    Examples
    --------
    >>> ulps(np.float32(1), Decimal(1)), ulps(np.float32(np.nan), Decimal(1))
    (0.0, nan)
    """
    if not np.isfinite(value):
        return math.nan
    nearest = value.dtype.type(float(exact))
    with localcontext() as context:
        context.prec = _DIGITS
        away = abs(Decimal(float(value)) - exact)
        return float(away / Decimal(float(np.spacing(np.abs(nearest)))))


def exact(function: Callable[..., Decimal], *numbers: Any) -> Decimal:
    """Call a function of decimals with fifty digits.

    Examples
    --------
    >>> round(exact(lambda x: x.exp(), np.float32(1)), 6)
    Decimal('2.718282')
    """
    with localcontext() as context:
        context.prec = _DIGITS
        return function(*(Decimal(float(number)) for number in numbers))


def exact_softplus(x: Decimal) -> Decimal:
    """Return log(1 + exp(x))."""
    return (1 + x.exp()).ln() if x > -100 else x.exp()


def exact_cross_entropy(target: int, logits: Sequence[Any]) -> Decimal:
    """Return -z[target] + log sum exp z, whatever cancels."""

    def cost(*z: Decimal) -> Decimal:
        # log(1 + rest) with fifty digits loses what is below 1e-50 of 1.
        rest = sum(((zj - z[target]).exp() for j, zj in enumerate(z) if j != target))
        return (1 + rest).ln() if rest > Decimal("1e-40") else Decimal(rest)

    return exact(cost, *logits)


def central(f: Callable[[Array], float], x: Array, step: float = 1e-5) -> Array:
    """Return the gradient of `f` at `x` by central differences."""
    found = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        nudge = np.zeros_like(x)
        nudge[i] = step
        found[i] = (f(x + nudge) - f(x - nudge)) / (2 * step)
    return found


def line_fit(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Return the slope of the least-squares line, and the share R^2 it explains.

    Examples
    --------
    >>> line_fit([1, 2, 3], [2, 4, 6])
    (2.0, 1.0)
    """
    fit = np.polyfit(x, y, 1)
    residual = np.asarray(y) - np.polyval(fit, x)
    explained = 1 - float(np.sum(residual**2) / np.sum((y - np.mean(y)) ** 2))
    return round(float(fit[0]), 12), round(explained, 12)


def seconds(call: Callable[[], object], repeats: int = 5) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def random_graph(seed: int, size: int, leaves: int = 3) -> tuple[Any, dict[Any, float]]:
    """Return a random graph of scalars, and numbers for its leaves.

    Parameters
    ----------
    seed : int
    size : int
        How many ops.
    leaves : int

    Returns
    -------
    cost : Node
    feed : dict of Node to float

    Examples
    --------
    >>> cost, feed = random_graph(0, 10)
    >>> cost.shape, len(feed)
    ((), 3)
    """
    draw = rng(seed)
    nodes: list[Any] = [weft.parameter(f"u{i}", (), "float64") for i in range(leaves)]
    feed = {leaf: float(draw.uniform(-1, 1)) for leaf in nodes}
    unary = (weft.tanh, weft.sin, weft.softplus, weft.sigmoid, weft.cos)
    for _ in range(size - 1):
        # Near the end, so that hardly any node is left out of the cost.
        x, y = (nodes[-int(k)] for k in draw.integers(1, len(nodes[-4:]) + 1, 2))
        match draw.integers(4):
            case 0:
                nodes.append(weft.tanh(x + y) if x is y else x * y)
            case 1:
                nodes.append(x + y)
            case 2:
                nodes.append(x - 0.5 * y)
            case _:
                nodes.append(unary[draw.integers(len(unary))](x))
    return weft.tanh(nodes[-1] + nodes[-2] + nodes[-3]), feed
