"""How far apart, how many: whole numbers, or polynomials in the symbols of dimensions.

A stride is a product of dimensions and an offset a sum of such products, so a linear
form is not enough. What holds no symbol *is* a Python int, as in `weft.graph.dim`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import final

from weft.graph.dim import Dim, Size

Monomial = tuple[str, ...]


@final
@dataclass(frozen=True)
class Polynomial:
    """A sum of products of symbols.

    Parameters
    ----------
    terms : tuple of (tuple of str, int)
        Sorted; at least one of them with a symbol.
    """

    terms: tuple[tuple[Monomial, int], ...]

    def __str__(self) -> str:
        parts = [
            "*".join(([str(c)] if c != 1 or not symbols else []) + list(symbols))
            for symbols, c in self.terms
        ]
        return "+".join(parts)


def extent(size: "Size | int | Polynomial") -> "int | Polynomial":
    """Return a dimension as an extent.

    Examples
    --------
    >>> from weft.graph import as_dim
    >>> str(extent(as_dim("2n-1")))
    '-1+2*n'
    """
    if isinstance(size, Dim):
        terms: dict[Monomial, int] = {(s,): c for s, c in size.terms}
        return _made({**terms, (): size.constant})
    return size


def times(*factors: "Size | int | Polynomial") -> "int | Polynomial":
    """Return the product.

    Examples
    --------
    >>> from weft.graph import as_dim
    >>> times(2, 3), str(times(as_dim("n"), 3, as_dim("m")))
    (6, '3*m*n')
    """
    if all(isinstance(f, int) for f in factors):
        return prod(f for f in factors if isinstance(f, int))
    total: dict[Monomial, int] = {(): 1}
    for factor in factors:
        product: dict[Monomial, int] = {}
        for left, a in total.items():
            for right, b in _terms(factor):
                key = tuple(sorted(left + right))
                product[key] = product.get(key, 0) + a * b
        total = product
    return _made(total)


def plus(*parts: "Size | int | Polynomial") -> "int | Polynomial":
    """Return the sum.

    Examples
    --------
    >>> from weft.graph import as_dim
    >>> str(plus(as_dim("n"), 1, as_dim("n")))
    '1+2*n'
    """
    if all(isinstance(p, int) for p in parts):
        return sum(p for p in parts if isinstance(p, int))
    total: dict[Monomial, int] = {}
    for part in parts:
        for key, c in _terms(part):
            total[key] = total.get(key, 0) + c
    return _made(total)


def value(amount: "Size | int | Polynomial", bindings: Mapping[str, int]) -> int:
    """Return the number that an extent is under `bindings` of its symbols.

    Examples
    --------
    >>> from weft.graph import as_dim
    >>> value(times(as_dim("n"), as_dim("n+1")), {"n": 3})
    12
    """
    if isinstance(amount, int):
        return amount
    return sum(c * prod(bindings[s] for s in key) for key, c in _terms(amount))


def _terms(given: "Size | int | Polynomial") -> tuple[tuple[Monomial, int], ...]:
    if isinstance(given, Dim):
        given = extent(given)
    return given.terms if isinstance(given, Polynomial) else (((), int(given)),)


def _made(terms: Mapping[Monomial, int]) -> "int | Polynomial":
    kept = tuple(sorted((key, c) for key, c in terms.items() if c))
    if not kept:
        return 0
    if len(kept) == 1 and kept[0][0] == ():
        return kept[0][1]
    return Polynomial(kept)
