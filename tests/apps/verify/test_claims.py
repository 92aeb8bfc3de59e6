"""The claims hold, and each of them can fail."""

import ast
import importlib.util
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

import weft
from weft.apps import verify
from weft.apps.verify import (
    CLAIMS,
    SECTIONS,
    NoClaimError,
    Verdict,
    chosen,
    judge,
    named,
    section_of,
)
from weft.apps.verify.claim import (
    Claim,
    Evidence,
    NotBuiltError,
    at_least,
    at_most,
    claim,
    evidence,
    exactly,
    true,
)
from weft.apps.verify.still_open import STILL_OPEN


def _mutations() -> ModuleType:
    place = Path(__file__).with_name("mutations.py")
    spec = importlib.util.spec_from_file_location("mutations_of_weft", place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MUTATIONS = _mutations().MUTATIONS
CHECKED = [claim for claim in CLAIMS if claim.check is not None]
# They take seconds, whether they hold or fail: in the full tier only.
SLOW = {"S66", "S67"}
WRONG_ON_THE_SLIDE = {"S22", "S30", "S68", "S75", "S76", "S78"}


@pytest.fixture(scope="module")
def verdicts() -> Callable[[str], Verdict]:
    """Every claim judged once, as weft stands."""
    found: dict[str, Verdict] = {}

    def verdict(name: str) -> Verdict:
        if name not in found:
            found[name] = judge(named(name))
        return found[name]

    return verdict


# --- the claims ----------------------------------------------------------------------


def _tier(row: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.prove] if row in SLOW else []


@pytest.mark.parametrize(
    "claim", [pytest.param(c, id=c.id, marks=_tier(c.id)) for c in CHECKED]
)
def test_a_claim_holds(claim: Claim, verdicts: Callable[[str], Verdict]) -> None:
    verdict = verdicts(claim.id)
    if verdict.status == "open":
        assert verdict.line.endswith("is not built")
        pytest.skip(verdict.line)
    assert verdict.status == "pass", verdict.line
    assert verdict.figures
    assert "\n" not in verdict.line


@pytest.mark.parametrize(
    ("mutation", "row"),
    [
        pytest.param(mutation, row, id=f"{mutation.name}-{row}", marks=_tier(row))
        for mutation in MUTATIONS
        for row in mutation.rows.split()
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # a broken op may well overflow
def test_what_is_broken_is_noticed(
    mutation: object, row: str, verdicts: Callable[[str], Verdict]
) -> None:
    before = verdicts(row)
    if before.status == "open":
        pytest.skip(before.line)
    assert before.status == "pass"
    with mutation.broken():
        broken = judge(named(row))
    assert broken.status == "fail"


def test_every_claim_has_a_mutation_that_breaks_it() -> None:
    noticed = {row for mutation in MUTATIONS for row in mutation.rows.split()}
    assert {claim.id for claim in CHECKED} <= noticed


def test_no_check_passes_over_what_is_not_a_number() -> None:
    """Python's own max and min do, unless it comes first."""
    place = Path(verify.__file__).parent
    called = {
        f"{module.name}:{node.lineno}"
        for module in place.glob("*.py")
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("max", "min")
    }
    assert not called


def test_a_mutation_leaves_nothing_behind(verdicts: Callable[[str], Verdict]) -> None:
    with MUTATIONS[0].broken():
        pass
    for row in ("S6", "S8", "S58"):
        assert judge(named(row)).figures == verdicts(row).figures


def test_the_chapter_is_whole() -> None:
    assert [c.id for c in CLAIMS] == [f"S{n}" for n in range(1, 86)]
    assert all(c.title for c in CLAIMS)
    for c in CHECKED:
        assert c.slide
        assert c.statement.endswith(".")
    asked = {1, *range(5, 11), 12, 14, *range(18, 31), 32, 34, 40, 43, 44}
    asked |= {*range(57, 85)}
    assert {c.number for c in CHECKED} >= asked
    assert {c.number for c in STILL_OPEN} == {c.number for c in CLAIMS if not c.check}


def test_where_the_slides_are_wrong_the_claim_says_so() -> None:
    assert {c.id for c in CLAIMS if c.correction} >= WRONG_ON_THE_SLIDE
    for name in WRONG_ON_THE_SLIDE:
        assert "slide" in named(name).correction


def test_every_claim_stands_in_a_section() -> None:
    assert {section_of(c) for c in CLAIMS} == set(SECTIONS)
    bounds = [(s.first, s.last) for s in SECTIONS]
    assert all(a[1] + 1 == b[0] for a, b in pairwise(bounds))


def test_every_claim_stands_in_the_documents() -> None:
    page = Path(__file__).parents[3] / "docs" / "claims.md"
    text = page.read_text(encoding="utf-8")
    for c in CHECKED:
        assert f"| {c.id} | {c.title} | {c.statement} |" in text, c.id
        assert c.correction in text


# --- names ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["S0", "S86", "7", "", "S5-S7", "softmax"])
def test_a_name_that_no_claim_has(name: str) -> None:
    with pytest.raises(NoClaimError, match="S1 to S85"):
        named(name)


def test_claims_are_chosen_in_the_order_of_the_chapter() -> None:
    assert [c.id for c in chosen(["s30", "S5 - S7", "S6"])] == ["S5", "S6", "S7", "S30"]
    with pytest.raises(NoClaimError, match="write S5-S9"):
        chosen(["S9-S5"])


# --- verdicts ------------------------------------------------------------------------


def _of(check: Callable[[], Evidence]) -> Verdict:
    check.__doc__ = "A claim."
    return judge(claim("S0", "a claim", "no slide")(check))


def test_one_criterion_that_does_not_hold_is_a_failure_and_is_named() -> None:
    verdict = _of(lambda: evidence("fine", at_most("a", 1, 2), at_least("b", 1, 2)))
    assert (verdict.status, verdict.line) == ("fail", "b 1, and not >= 2")
    assert verdict.figures == {"a": 1.0, "b": 1.0}


def test_not_a_number_holds_nothing() -> None:
    nan = float("nan")
    for criterion in (
        at_most("a", nan, 1),
        at_least("a", nan, 1),
        exactly("a", nan, 1),
    ):
        assert not criterion.holds
    assert not true("a", []).holds


def test_an_error_in_a_check_is_a_failure() -> None:
    def broken() -> Evidence:
        raise weft.ShapeError("two\nlines")

    verdict = _of(broken)
    assert verdict.status == "fail"
    assert verdict.line == "the check broke off, ShapeError: two lines"


def test_what_is_not_built_is_open() -> None:
    def missing() -> Evidence:
        raise NotBuiltError("weft.tea is not built")

    assert (_of(missing).status, _of(missing).line) == ("open", "weft.tea is not built")
    assert judge(Claim("S0", "later")).status == "open"


def test_evidence_needs_a_criterion() -> None:
    with pytest.raises(ValueError, match="cannot fail"):
        evidence("nothing measured")
