"""A claim of the chapter, and what becomes of it when it is checked.

A claim is a sentence in our own words, the slide that it stands on, and a function that
measures. What is measured is a list of `Criterion`, numbers beside the bounds they have
to keep: so a verdict is never an opinion, and every claim can fail. A check that breaks
off with an error has failed too; one that needs a function which weft does not have
(yet) leaves the claim open.
"""

import operator
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any, Literal, final

Check = Callable[[], "Evidence"]
Status = Literal["pass", "fail", "open"]
PASS, FAIL, OPEN = "pass", "fail", "open"

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
}


class NotBuiltError(Exception):
    """What a claim speaks of is not there yet."""


@final
@dataclass(frozen=True)
class Criterion:
    """A number that was measured, and the bound that it has to keep.

    Parameters
    ----------
    name : str
    value : float
        NaN keeps no bound.
    relation : {"<=", ">=", "="}
    bound : float

    Examples
    --------
    >>> Criterion("error", 0.5, "<=", 1e-3).holds
    False
    >>> print(Criterion("error", 0.5, "<=", 1e-3))
    error 0.5, and not <= 0.001
    """

    name: str
    value: float
    relation: str
    bound: float

    @property
    def holds(self) -> bool:
        """Whether the bound is kept."""
        return bool(_RELATIONS[self.relation](self.value, self.bound))

    def __str__(self) -> str:
        word = "" if self.holds else ", and not"
        return f"{self.name} {self.value:.3g}{word} {self.relation} {self.bound:.3g}"


def at_most(name: str, value: Any, bound: float) -> Criterion:
    """Return the criterion ``value <= bound``."""
    return Criterion(name, float(value), "<=", bound)


def at_least(name: str, value: Any, bound: float) -> Criterion:
    """Return the criterion ``value >= bound``."""
    return Criterion(name, float(value), ">=", bound)


def exactly(name: str, value: Any, bound: float) -> Criterion:
    """Return the criterion ``value == bound``, to the last bit."""
    return Criterion(name, float(value), "=", bound)


def true(name: str, value: Any) -> Criterion:
    """Return the criterion that something is so."""
    return Criterion(name, float(bool(value)), "=", 1.0)


@final
@dataclass(frozen=True)
class Evidence:
    """What a check has found.

    Parameters
    ----------
    line : str
        One line with the numbers measured.
    criteria : tuple of Criterion
        What has to hold; at least one.

    Examples
    --------
    >>> found = Evidence("J is 0.25", (exactly("J", 0.25, 0.25),))
    >>> found.passed, found.figures
    (True, {'J': 0.25})
    """

    line: str
    criteria: tuple[Criterion, ...]

    def __post_init__(self) -> None:
        if not self.criteria:
            raise ValueError("evidence without a criterion cannot fail")

    @property
    def passed(self) -> bool:
        """Whether all criteria hold."""
        return all(criterion.holds for criterion in self.criteria)

    @property
    def figures(self) -> dict[str, float]:
        """The numbers measured, by name."""
        return {criterion.name: criterion.value for criterion in self.criteria}


def evidence(line: str, *criteria: Criterion) -> Evidence:
    """Return evidence; short for `Evidence`."""
    return Evidence(line, criteria)


@final
@dataclass(frozen=True)
class Claim:
    """One thing that the chapter says. Made by `claim`, or open without a check.

    Parameters
    ----------
    id : str
        As ``"S6"``.
    title : str
        A few words.
    slide : str
        The title of the slide, and the number of an equation if it has one.
    statement : str
        What is claimed, in our own words; corrected where the slide is wrong.
    correction : str
        What the slide has wrong, loose or dated; mostly empty.
    check : callable, optional
        ``check() -> Evidence``. None for what is still open.
    """

    id: str
    title: str
    slide: str = ""
    statement: str = ""
    correction: str = ""
    check: Check | None = None

    @property
    def number(self) -> int:
        """The number in the identifier, by which claims are ordered."""
        return int(self.id[1:])


def claim(
    id: str, title: str, slide: str, correction: str = ""
) -> Callable[[Check], Claim]:
    """Make a claim of a check: the docstring of the function is the statement.

    Parameters
    ----------
    id, title, slide, correction : str
        As in `Claim`.

    Returns
    -------
    callable
        A decorator.

    Examples
    --------
    >>> @claim("S0", "arithmetic", "none")
    ... def sums():
    ...     '''Two and two are four.'''
    ...     return evidence("2 + 2 = 4", exactly("sum", 2 + 2, 4))
    >>> sums.statement, judge(sums).status
    ('Two and two are four.', 'pass')
    """

    def made(check: Check) -> Claim:
        statement = " ".join(cleandoc(check.__doc__ or "").split())
        return Claim(id, title, slide, statement, correction, check)

    return made


@final
@dataclass(frozen=True)
class Verdict:
    """What became of a claim.

    Parameters
    ----------
    claim : Claim
    status : {"pass", "fail", "open"}
    line : str
        The evidence, or why it failed, or what is missing.
    figures : mapping of str to float
        The numbers measured.
    seconds : float
        How long the check took.
    """

    claim: Claim
    status: Status
    line: str
    figures: Mapping[str, float]
    seconds: float

    def data(self) -> dict[str, Any]:
        """Return the verdict as plain data, fit for JSON."""
        return {
            "id": self.claim.id,
            "title": self.claim.title,
            "slide": self.claim.slide,
            "statement": self.claim.statement,
            "correction": self.claim.correction,
            "status": self.status,
            "evidence": self.line,
            "figures": dict(self.figures),
            "seconds": round(self.seconds, 3),
        }


def judge(claim: Claim) -> Verdict:
    """Check a claim.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    Verdict
        Never an error, whatever the check may run into: what it speaks of is broken
        then, and that is a verdict.
    """
    if claim.check is None:
        return Verdict(claim, OPEN, "no check yet", {}, 0.0)
    begun = time.perf_counter()
    figures: Mapping[str, float] = {}
    try:
        found = claim.check()
    except NotBuiltError as missing:
        status, line = OPEN, str(missing)
    except Exception as error:
        said = " ".join(str(error).split())
        status, line = FAIL, f"the check broke off, {type(error).__name__}: {said}"
    else:
        broken = [str(c) for c in found.criteria if not c.holds]
        status = FAIL if broken else PASS
        line = "; ".join(broken) if broken else found.line
        figures = found.figures
    return Verdict(claim, status, line, figures, time.perf_counter() - begun)
