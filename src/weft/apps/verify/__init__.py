"""The chapter as commands: every claim of chapter 6, run and judged.

One module for each part of the chapter holds its claims beside the code that checks
them; this one puts them in the chapter's order, with those that are still open. Checks
are written as a user would write them, against the public names of weft.

>>> from weft.apps.verify import judge, named
>>> verdict = judge(named("S6"))
>>> print(verdict.status, verdict.line)
pass J = 0.25 at the constant 1/2, and as by hand elsewhere
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from weft.apps.verify import (
    algorithms,
    automatic,
    chain_rule,
    costs,
    hidden_units,
    layers,
    networks,
    output_units,
    saturation,
    second_order,
    xor,
)
from weft.apps.verify.claim import FAIL, OPEN, PASS, Claim, Verdict, judge
from weft.apps.verify.still_open import STILL_OPEN
from weft.graph.errors import WeftError


class NoClaimError(WeftError, ValueError):
    """A name that no claim has."""


@final
@dataclass(frozen=True)
class Section:
    """A part of the chapter.

    Parameters
    ----------
    title : str
    first, last : int
        The numbers of its claims.
    """

    title: str
    first: int
    last: int


SECTIONS = (
    Section("Model, XOR, cost", 1, 17),
    Section("Output units", 18, 31),
    Section("Hidden units", 32, 43),
    Section("Architecture and depth", 44, 56),
    Section("Back-propagation", 57, 76),
    Section("Differentiation in general, second order", 77, 85),
)

CLAIMS: tuple[Claim, ...] = tuple(
    sorted(
        (
            *networks.CLAIMS,
            *xor.CLAIMS,
            *costs.CLAIMS,
            *output_units.CLAIMS,
            *saturation.CLAIMS,
            *hidden_units.CLAIMS,
            *chain_rule.CLAIMS,
            *algorithms.CLAIMS,
            *layers.CLAIMS,
            *automatic.CLAIMS,
            *second_order.CLAIMS,
            *STILL_OPEN,
        ),
        key=lambda claim: claim.number,
    )
)


def section_of(claim: Claim) -> Section:
    """Return the part of the chapter that a claim belongs to.

    Examples
    --------
    >>> section_of(named("S62")).title
    'Back-propagation'
    """
    return next(s for s in SECTIONS if s.first <= claim.number <= s.last)


def named(name: str) -> Claim:
    """Return the claim of that name.

    Raises
    ------
    NoClaimError

    Examples
    --------
    >>> named("s7").title
    'the best linear model is 1/2'
    """
    for claim in CLAIMS:
        if claim.id == name.strip().upper():
            return claim
    raise NoClaimError(
        f"there is no claim {name!r}: they are called {CLAIMS[0].id} to {CLAIMS[-1].id}"
    )


def chosen(names: Iterable[str]) -> tuple[Claim, ...]:
    """Return the claims with those names, in the order of the chapter.

    Parameters
    ----------
    names : iterable of str
        Such as ``S12``, or a range, ``S5-S9``.

    Raises
    ------
    NoClaimError

    Examples
    --------
    >>> [claim.id for claim in chosen(["S8", "S5-S7", "S6"])]
    ['S5', 'S6', 'S7', 'S8']
    """
    found: set[Claim] = set()
    for name in names:
        ends = re.fullmatch(r"\s*(\w+)\s*-\s*(\w+)\s*", name)
        if ends is None:
            found.add(named(name))
            continue
        first, last = named(ends[1]), named(ends[2])
        between = [c for c in CLAIMS if first.number <= c.number <= last.number]
        if not between:
            raise NoClaimError(f"{name!r} is no range: write {last.id}-{first.id}")
        found.update(between)
    return tuple(claim for claim in CLAIMS if claim in found)


__all__ = [
    "CLAIMS",
    "Claim",
    "FAIL",
    "NoClaimError",
    "OPEN",
    "PASS",
    "SECTIONS",
    "Section",
    "Verdict",
    "chosen",
    "judge",
    "named",
    "section_of",
]
