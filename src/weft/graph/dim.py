"""A dimension: a whole number, or a linear form over named symbols.

``"n"``, ``"2n"``, ``"n - 1"`` and ``"n + m"`` are dimensions; what cannot be
written so (a product of two symbols) has to be given a name of its own. Two
dimensions are equal exactly when they are the same form, so shapes are compared at
build time, without knowing any value. A form that is a constant *is* a Python
int: no `Dim` without a symbol ever exists.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from operator import index
from typing import Any, final

from weft.graph.errors import FeedError, ShapeError

Terms = tuple[tuple[str, int], ...]


@final
@dataclass(frozen=True, slots=True)
class Dim:
    """A linear form ``c1 * s1 + c2 * s2 + ... + constant`` with at least one symbol.

    Parameters
    ----------
    terms : tuple of (str, int)
        Symbol and nonzero coefficient, sorted by symbol.
    constant : int
        The part without a symbol.

    Examples
    --------
    >>> n = as_dim("n")
    >>> print(2 * n - 1)
    2n-1
    >>> n - n
    0
    """

    terms: Terms
    constant: int = 0

    def __add__(self, other: "int | Dim") -> "int | Dim":
        if isinstance(other, Dim):
            return _form([*self.terms, *other.terms], self.constant + other.constant)
        return _form(self.terms, self.constant + index(other))

    __radd__ = __add__

    def __neg__(self) -> "int | Dim":
        return self * -1

    def __sub__(self, other: "int | Dim") -> "int | Dim":
        return self + (-other)

    def __rsub__(self, other: "int | Dim") -> "int | Dim":
        return (-self) + other

    def __mul__(self, factor: Any) -> "int | Dim":
        if isinstance(factor, Dim):
            raise ShapeError(
                f"the product of the dimensions {self} and {factor} is not linear: "
                "give it a name of its own, for instance by an input of that length"
            )
        by = index(factor)
        return _form([(s, c * by) for s, c in self.terms], self.constant * by)

    __rmul__ = __mul__

    def __str__(self) -> str:
        text = ""
        for symbol, c in self.terms:
            sign = "-" if c < 0 else "+" if text else ""
            text += sign + ("" if abs(c) == 1 else str(abs(c))) + symbol
        return text + (f"{self.constant:+d}" if self.constant else "")

    def __repr__(self) -> str:
        return f"'{self}'"

    @property
    def symbols(self) -> tuple[str, ...]:
        """The names that the form speaks of, sorted."""
        return tuple(symbol for symbol, _ in self.terms)


Size = int | Dim
Shape = tuple[Size, ...]
Bindings = Mapping[str, int]


def _form(terms: Iterable[tuple[str, int]], constant: int) -> Size:
    total: dict[str, int] = {}
    for symbol, c in terms:
        total[symbol] = total.get(symbol, 0) + c
    kept = tuple(sorted((s, c) for s, c in total.items() if c))
    return Dim(kept, constant) if kept else constant


# A sign, then a number, a name, or a number before a name.
_TERM = re.compile(r"([+-]?)\s*(?:(\d+)\s*(?:\*\s*(?=[A-Za-z_]))?)?([A-Za-z_]\w*)?\s*")


def as_dim(given: Any) -> Size:
    """Return the dimension that `given` states.

    Parameters
    ----------
    given : int, str or Dim
        A length >= 0, or a linear form such as ``"n"`` or ``"2n - 1"``.

    Returns
    -------
    int or Dim

    Raises
    ------
    ShapeError
        If it is neither.

    Examples
    --------
    >>> as_dim("2n - 1")
    '2n-1'
    """
    if isinstance(given, Dim):
        return given
    if isinstance(given, str):
        return _parse(given)
    try:
        return _length(index(given))
    except TypeError:
        raise ShapeError(
            f"{given!r} is no dimension: give a whole number or a name such as 'n'"
        ) from None


def _length(given: int) -> int:
    if given < 0:
        raise ShapeError(f"a dimension cannot be negative, but {given} was given")
    return given


def _parse(text: str) -> Size:
    terms: list[tuple[str, int]] = []
    constant, at = 0, 0
    stripped = text.strip()
    while at < len(stripped):
        match = _TERM.match(stripped, at)
        sign, digits, symbol = match.groups() if match else ("", None, None)
        if match is None or (digits is None and symbol is None) or (at and not sign):
            raise ShapeError(
                f"{text!r} is no dimension: write a linear form such as 'n' or '2n-1'"
            )
        factor = int(digits or 1) * (-1 if sign == "-" else 1)
        if symbol:
            terms.append((symbol, factor))
        else:
            constant += factor
        at = match.end()
    if not stripped:
        raise ShapeError("an empty name is no dimension: write for instance 'n'")
    form = _form(terms, constant)
    return form if isinstance(form, Dim) else _length(form)


def as_shape(given: Any) -> Shape:
    """Return the shape that `given` states.

    Parameters
    ----------
    given : int, str, Dim or sequence of them
        One dimension, or one per axis.

    Returns
    -------
    tuple of int or Dim

    Examples
    --------
    >>> as_shape(("n", 3))
    ('n', 3)
    """
    if isinstance(given, Iterable) and not isinstance(given, str):
        return tuple(as_dim(d) for d in given)
    return (as_dim(given),)


def resolve(size: Size, bindings: Bindings) -> int:
    """Return the length that `size` has under `bindings` of its symbols.

    Raises
    ------
    FeedError
        If a symbol has no value, or the form becomes negative.

    Examples
    --------
    >>> resolve(as_dim("2n-1"), {"n": 4})
    7
    """
    if isinstance(size, int):
        return size
    missing = [s for s in size.symbols if s not in bindings]
    if missing:
        raise FeedError(
            f"the length of dimension {missing[0]!r} is not known: "
            "no value that was fed has it as a dimension"
        )
    length = sum(c * bindings[s] for s, c in size.terms) + size.constant
    if length < 0:
        raise FeedError(f"dimension {size} would be {length} for {dict(bindings)}")
    return length


Polynomial = dict[tuple[str, ...], int]


def polynomial(shape: Sequence[Size]) -> Polynomial:
    """Return the number of elements of an array of that shape, as a polynomial.

    Parameters
    ----------
    shape : sequence of int or Dim

    Returns
    -------
    dict
        Per product of symbols its factor, none of which is 0; ``()`` is the number 1.

    Examples
    --------
    >>> polynomial(as_shape((2, "n", "m+1")))
    {('m', 'n'): 2, ('n',): 2}
    """
    total: Polynomial = {(): 1}
    for size in shape:
        factors: list[tuple[tuple[str, ...], int]]
        if isinstance(size, int):
            factors = [((), size)]
        else:
            factors = [((s,), c) for s, c in size.terms] + [((), size.constant)]
        product: Polynomial = {}
        for left, a in total.items():
            for right, b in factors:
                key = tuple(sorted(left + right))
                product[key] = product.get(key, 0) + a * b
        total = {key: c for key, c in product.items() if c}
    return total


def same_size(a: Sequence[Size], b: Sequence[Size]) -> bool:
    """Tell whether arrays of shapes `a` and `b` have equally many elements, always.

    Examples
    --------
    >>> same_size(as_shape(("n", 6)), as_shape((2, "n", 3)))
    True
    >>> same_size(as_shape(("n",)), as_shape(("m",)))
    False
    """
    return polynomial(a) == polynomial(b)


def product(shape: Sequence[Size]) -> Size:
    """Return the number of elements of an array of that shape, if it is linear.

    Raises
    ------
    ShapeError
        If it is a product of symbols, which has no name yet.

    Examples
    --------
    >>> product(as_shape((2, "n", 3)))
    '6n'
    """
    if all(isinstance(size, int) for size in shape):
        return prod(size for size in shape if isinstance(size, int))
    terms = polynomial(shape)
    if any(len(key) > 1 for key in terms):
        raise ShapeError(
            f"the number of elements of shape {shape} is a product of symbols: "
            "give it a name of its own, for instance reshape to ('nm', ...)"
        )
    return _form([(k[0], c) for k, c in terms.items() if k], terms.get((), 0))


def bind(
    shapes: Sequence[tuple[str, Shape]], lengths: Sequence[tuple[int, ...]]
) -> dict[str, int]:
    """Find the value of every symbol from arrays that were fed.

    Parameters
    ----------
    shapes : sequence of (str, shape)
        Name (for messages) and stated shape of each array.
    lengths : sequence of tuple of int
        The shape that each array really has.

    Returns
    -------
    dict of str to int

    Raises
    ------
    FeedError
        If an array does not have its stated shape, or two disagree on a symbol.

    Examples
    --------
    >>> bind([("x", as_shape(("n", 3)))], [(5, 3)])
    {'n': 5}
    """
    bindings: dict[str, int] = {}
    source: dict[str, str] = {}
    pending = _equations(shapes, lengths)
    while pending:
        later = []
        for entry in pending:
            name, shape, actual, size, length = entry
            unknown = [(s, c) for s, c in size.terms if s not in bindings]
            if len(unknown) > 1:
                later.append(entry)
                continue
            known = size.constant + sum(
                c * bindings[s] for s, c in size.terms if s in bindings
            )
            if not unknown:
                if known != length:
                    first = source[size.symbols[0]]
                    hint = f": {size} is {known} by {first}"
                    raise FeedError(_misfit(name, shape, actual, hint))
                continue
            symbol, c = unknown[0]
            if (length - known) % c or (length - known) // c < 0:
                raise FeedError(_misfit(name, shape, actual, ""))
            bindings[symbol], source[symbol] = (length - known) // c, name
        if len(later) == len(pending):
            raise FeedError(
                f"dimension {later[0][3]} of {later[0][0]} cannot be solved for its "
                "symbols: feed an array that has one of them alone"
            )
        pending = later
    return bindings


# Of one axis: the array's name, stated and real shape, and that axis's form and length.
_Equation = tuple[str, Shape, tuple[int, ...], Dim, int]


def _equations(
    shapes: Sequence[tuple[str, Shape]], lengths: Sequence[tuple[int, ...]]
) -> list[_Equation]:
    """Compare what is known as numbers, and return what has to be solved, in order."""
    found: list[_Equation] = []
    for (name, shape), actual in zip(shapes, lengths, strict=True):
        if len(shape) != len(actual):
            raise FeedError(_misfit(name, shape, actual, _hint(shape, actual)))
        for size, length in zip(shape, actual, strict=True):
            if isinstance(size, Dim):
                found.append((name, shape, actual, size, length))
            elif size != length:
                raise FeedError(_misfit(name, shape, actual, ""))
    # Bare symbols first: they name the array that a contradiction is told by.
    return sorted(found, key=lambda e: (len(e[3].terms), e[3].constant != 0))


def _misfit(name: str, shape: Shape, actual: tuple[int, ...], hint: str) -> str:
    return f"{name} has shape {shape}, but an array of shape {actual} was fed{hint}"


def _hint(shape: Shape, actual: tuple[int, ...]) -> str:
    if len(actual) == len(shape) + 1 and actual[-1] == 1:
        return ": drop its last axis, for instance by array[:, 0]"
    if len(shape) == len(actual) + 1 and shape[-1] == 1:
        return ": add an axis, for instance by array[:, None]"
    return ""
