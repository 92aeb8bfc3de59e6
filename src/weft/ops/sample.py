"""Where an op is tested: the arguments its record draws for the generated matrix.

A record states either a `Domain` per argument (elementwise ops, for which the shapes
are known: same, scalar, broadcast, empty, size 1) or a function that lists `Case`s.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

Array = np.ndarray[Any, Any]


@final
@dataclass(frozen=True)
class Case:
    """One call of an op: its arguments and its parameters.

    Parameters
    ----------
    label : str
        What is special about it; part of a test's name.
    args : tuple of numpy.ndarray
    params : mapping of str
    """

    label: str
    args: tuple[Array, ...]
    params: Mapping[str, Any] = field(default_factory=dict)


Cases = Callable[[np.random.Generator], Sequence[Case]]


@final
@dataclass(frozen=True)
class Domain:
    """The set that one argument of an elementwise op is drawn from.

    Parameters
    ----------
    low, high : float
        The range.
    avoid : tuple of float
        Points to keep away from, by `margin`: kinks and poles, where a finite
        difference means nothing.
    margin : float
    dtype : str
        ``"float64"``, ``"int64"`` or ``"bool"``.
    """

    low: float
    high: float
    avoid: tuple[float, ...] = ()
    margin: float = 0.05
    dtype: str = "float64"

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Return an array of that shape, uniform over the domain."""
        if self.dtype == "bool":
            return rng.integers(0, 2, shape).astype(bool)
        if self.dtype == "int64":
            return rng.integers(int(self.low), int(self.high) + 1, shape)
        x = rng.uniform(self.low, self.high, shape)
        for point in self.avoid:
            side = np.where(x >= point, 1.0, -1.0)
            x = np.where(np.abs(x - point) < self.margin, point + side * 0.1, x)
        return np.asarray(x)


def reals(low: float, high: float, avoid: Sequence[float] = ()) -> Domain:
    """Reals between `low` and `high`, away from the points of `avoid`.

    Examples
    --------
    >>> reals(0, 1).draw(np.random.default_rng(0), (2,)).shape
    (2,)
    """
    return Domain(float(low), float(high), tuple(float(a) for a in avoid))


def integers(low: int, high: int) -> Domain:
    """Whole numbers from `low` to `high`, both included."""
    return Domain(low, high, dtype="int64")


booleans = Domain(0, 1, dtype="bool")

_SHAPES: dict[int, list[tuple[str, tuple[tuple[int, ...], ...]]]] = {
    1: [
        ("scalar", ((),)),
        ("matrix", ((2, 3),)),
        ("empty", ((0, 3),)),
        ("size-1", ((1, 1),)),
    ],
    2: [
        ("scalar", ((), ())),
        ("same", ((2, 3), (2, 3))),
        ("row", ((2, 3), (3,))),
        ("outer", ((2, 1), (1, 3))),
        ("scalar-matrix", ((), (2, 3))),
        ("empty", ((0, 3), (3,))),
        ("size-1", ((1, 3), (2, 1))),
    ],
    3: [
        ("scalar", ((), (), ())),
        ("same", ((2, 3), (2, 3), (2, 3))),
        ("mixed", ((2, 1), (3,), ())),
        ("empty", ((0, 3), (3,), ())),
    ],
}


def domain_cases(domains: Sequence[Domain]) -> Cases:
    """Return the cases of an elementwise op whose arguments lie in `domains`."""

    def cases(rng: np.random.Generator) -> list[Case]:
        return [
            Case(
                label,
                tuple(d.draw(rng, s) for d, s in zip(domains, shapes, strict=True)),
            )
            for label, shapes in _SHAPES[len(domains)]
        ]

    return cases
