"""``weft verify``: what it says, what it writes, and its exit code."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from weft.apps import verify
from weft.apps.verify import Claim
from weft.apps.verify.claim import at_most, claim, evidence, exactly


@claim("S1", "a sum", "no slide", correction="the slide says five")
def good() -> object:
    """Two and two are four."""
    return evidence("2 + 2 = 4", exactly("sum", 2 + 2, 4))


@claim("S2", "a lie", "no slide")
def bad() -> object:
    """Two and two are five."""
    return evidence("2 + 2 = 5", at_most("away from 5", float("nan"), 0))


LATER = Claim("S3", "something to come")


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "CLAIMS", (good, bad, LATER))


def test_a_claim_that_holds(weft: Callable) -> None:
    outcome = weft("verify", "S1")
    assert (outcome.code, outcome.err) == (0, "")
    title, first, second, third, _, last = outcome.out.splitlines()
    assert title == "Model, XOR, cost"
    assert first == "  S1   pass  Two and two are four. [no slide]"
    assert second.strip() == "corrected: the slide says five"
    assert third.strip() == "2 + 2 = 4"
    assert last.startswith("1 claim: 1 holds, 0 fail, 0 are open; ")


def test_a_claim_that_fails(weft: Callable) -> None:
    outcome = weft("verify", "S1", "S2")
    assert outcome.code == 1
    assert "S2   FAIL  Two and two are five." in outcome.out
    assert "away from 5 nan, and not <= 0" in outcome.out


def test_what_is_open_fails_under_strict_alone(weft: Callable) -> None:
    assert weft("verify", "S1", "S3").code == 0
    assert "S3   open  something to come" in weft("verify", "S3").out
    assert weft("verify", "S1", "S3", "--strict").code == 1
    assert weft("verify", "S1", "--strict").code == 0


def test_all_of_them(weft: Callable) -> None:
    outcome = weft("verify", "--all")
    assert outcome.code == 1
    assert outcome.out.splitlines()[-1].startswith(
        "3 claims: 1 holds, 1 fails, 1 is open"
    )


def test_figures_as_json(weft: Callable, files: Callable) -> None:
    assert weft("verify", "--all", "--json", "claims.json", "--quiet").code == 1
    data = json.loads(Path("claims.json").read_text(encoding="utf-8"))
    assert (data["passed"], data["failed"], data["open"]) == (1, 1, 1)
    first, second, third = data["claims"]
    assert first["figures"] == {"sum": 4.0}
    assert first["correction"] == "the slide says five"
    assert second["figures"] == {"away from 5": None}
    assert third["status"] == "open"
    assert files() == {"claims.json"}


def test_a_file_that_is_there_stays(weft: Callable) -> None:
    Path("claims.json").write_text("mine", encoding="utf-8")
    assert "exists" in weft("verify", "S1", "--json", "claims.json").mistake
    assert Path("claims.json").read_text(encoding="utf-8") == "mine"
    assert weft("verify", "S1", "--json", "claims.json", "--force").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say which claims to check"),
        (("S1", "--all"), "say which claims to check"),
        (("S99",), "there is no claim 'S99'"),
        (("S3-S1",), "write S1-S3"),
    ],
)
def test_mistakes(weft: Callable, words: tuple[str, ...], said: str) -> None:
    assert said in weft("verify", *words).mistake


def test_nothing_is_said_if_quiet(weft: Callable) -> None:
    outcome = weft("verify", "S2", "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (1, "", "")


def test_progress_on_a_terminal() -> None:
    child = pexpect.spawn(
        sys.executable,
        ["-m", "weft", "verify", "S6", "S8"],
        env={**os.environ, "TERM": "xterm-256color"},
        dimensions=(40, 80),
        encoding="utf-8",
        timeout=120,
    )
    child.expect("2/2|1/2|0/2")
    child.expect("2 claims: 2 hold")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
