"""The report: valid, accessible, alone, and safe whatever things are called."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weft.apps.report import (
    Classification,
    Findings,
    History,
    Regression,
    ReportError,
    Rows,
    render,
    write,
)
from weft.apps.report.html import duration

Make = Callable[..., Any]

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """A page taken apart, its tags checked for balance on the way."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.shown: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.open, f"<{tag}/> closes itself outside a drawing"
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.shown.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.shown).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def values(self, *attributes: str) -> list[str]:
        return [
            value
            for _, given in self.tags
            for name, value in given.items()
            if name in attributes and value is not None
        ]


def bare(outcome: Classification | Regression, **more: Any) -> Findings:
    return Findings("A fit", "t", "target", Rows(9, 0, outcome.rows), outcome, **more)


@pytest.fixture(scope="module", params=["classes", "two classes", "numbers", "nasty"])
def report(
    request: pytest.FixtureRequest,
    findings: Make,
    classification: Make,
    regression: Make,
    nasty: Findings,
) -> str:
    """A report of every kind."""
    images = np.random.default_rng(0).uniform(size=(400, 8, 8))
    found = {
        "classes": lambda: findings(classification(images=images)),
        "two classes": lambda: findings(classification(k=2)),
        "numbers": lambda: findings(regression(), unit="USD"),
        "nasty": lambda: nasty,
    }[request.param]()
    return render(found)


def test_the_page_is_well_formed(report: str) -> None:
    assert report.startswith('<!DOCTYPE html>\n<html lang="en">')
    page = Page(report)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1


def test_what_is_pointed_at_is_there(report: str) -> None:
    page = Page(report)
    ids = set(page.values("id"))
    inner = {href[1:] for href in page.values("href") if href.startswith("#")}
    assert inner
    assert inner <= ids
    named = {one for value in page.values("aria-labelledby") for one in value.split()}
    assert named <= ids
    sections = {given["id"] for given in page.all("section")}
    assert {given["href"][1:] for given in page.all("a")} == sections


def test_the_page_stands_alone(report: str) -> None:
    page = Page(report)
    for tag in ("script", "link", "iframe", "object", "embed", "base", "form", "img"):
        assert page.all(tag) == [], tag
    for href in page.values("href", "src", "srcset", "xlink:href", "action", "data"):
        assert href.startswith(("#", "data:image/png;base64,"))
    css = "".join(re.findall(r"<style>(.*?)</style>", report, re.DOTALL))
    styles = [css, *page.values("style")]
    assert not any("url(" in one or "@import" in one for one in styles)
    assert not [name for _, given in page.tags for name in given if name[:2] == "on"]
    assert not re.search(r"https?://|//\w", re.sub(r"base64,[\w+/=]+", "", report))


def test_tables_and_figures_can_be_heard(report: str) -> None:
    page = Page(report)
    assert page.all("table")
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(given.get("scope") in {"row", "col"} for given in page.all("th"))
    assert len(page.all("svg")) == len(page.all("figure")) > 0
    assert all(given["role"] == "img" for given in page.all("svg"))
    assert len(page.all("desc")) == len(page.all("svg"))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert max(np.diff(levels)) <= 1


def test_the_page_follows_the_scheme_and_the_screen(report: str) -> None:
    assert "prefers-color-scheme: dark" in report
    assert 'name="viewport" content="width=device-width' in report
    assert "@media print" in report


def test_names_are_text_wherever_they_stand(nasty: Findings) -> None:
    report = render(nasty)
    page = Page(report)
    assert page.all("script") == page.all("b") == page.all("i") == []
    assert "<script>alert(\"1\")</script> & 'two' $x^2$ \ufffd \ufffd" in page.text
    assert "{0} {{ 7 * 7 }}" in page.text
    assert "49" not in re.sub(
        r"<svg.*?</svg>|<style.*?</style>", "", report, flags=re.S
    )
    for outlaw in ("\x00", "\ud800", "\u202e"):
        assert outlaw not in report
    report.encode("utf-8")


def test_the_same_findings_give_the_same_bytes(
    findings: Make, classification: Make, regression: Make
) -> None:
    for make in (classification, regression):
        assert render(findings(make())) == render(findings(make()))
    assert not re.search(r"20\d\d-\d\d-\d\d", render(findings(classification())))


def test_the_report_says_what_it_must(findings: Make, classification: Make) -> None:
    found = findings(classification())
    text = Page(render(found)).text
    for words in (
        "weft recognises ‘target’ correctly in",
        "Warning: The learning rate was halved.",
        "Rows held out 400",
        "Negative log-likelihood",
        "dropped id has a value of its own in every row.",
        "imputed 12 missing values of height.",
        "3 columns besides the target; the network sees 2 of them.",
        "height number standardised 12 – median imputed",
        "colour category one input per level 0 5",
        "id number not used dropped 0 – one value per row",
        "Training took 4 epochs and ended because the validation cost had not fallen",
        "the parameters of epoch 3 were kept",
        "One thread was used.",
        "All 67",
        "Learning rate 0.01",
        "Seed 3",
        "1 min 15 s",
        "weft fit table.csv --target target",
        "weft predict 'my model.weft' new-rows.csv -o predictions.csv",
        "weft evaluate 'my model.weft' other-rows.csv",
        "model = weft.load('my model.weft')",
        "It need not be a cause",
        "Made by weft 0.1.0.",
    ):
        assert words in text, words


def test_sections_come_in_the_order_of_a_readers_questions(
    findings: Make, classification: Make
) -> None:
    page = Page(render(findings(classification())))
    assert [given["id"] for given in page.all("section")] == [
        "figures",
        "pictures",
        "learnt",
        "columns",
        "model",
        "use",
        "caveats",
    ]


def test_errors_by_range_have_the_unit(findings: Make, regression: Make) -> None:
    text = Page(render(findings(regression(), unit="USD"))).text
    assert re.search(r"Half miss by at most [\d.]+ USD", text)
    assert "How large the errors are" in text
    assert "Interval held" in text
    assert "Interval held" not in render(findings(regression(said=None)))


@pytest.mark.parametrize(
    "outcome",
    [
        Classification("ab", [], []),
        Classification("ab", [1], [0], [[0.6, 0.4]], [1, 2]),
        Classification("ab", [0] * 30, [0] * 30, [[1.0, 0.0]] * 30, [30, 0]),
        Classification("abc", [0, 1] * 30, [2] * 60, [[0, 0, 1]] * 60, [0, 0, 9]),
        Regression([], []),
        Regression([3], [3], train_mean=1.0, train_deviation=0.0),
        Regression([3] * 50, [3] * 50, [1] * 50, train_mean=3.0, train_deviation=1.0),
        Regression(np.arange(50.0), np.zeros(50), [1] * 50, train_mean=3.0),
        Regression([0.0] * 30, [0.0] * 30),
    ],
    ids=lambda outcome: f"{outcome.task} {outcome.rows}",
)
def test_tiny_and_flat_outcomes_can_be_shown(
    outcome: Classification | Regression,
) -> None:
    assert_shown(bare(outcome))


@pytest.mark.parametrize(
    "history",
    [History([], []), History([1], [np.nan]), History([1], [0.5], best_epoch=1)],
    ids=["no epoch", "no cost", "one epoch"],
)
def test_short_histories_can_be_shown(history: History) -> None:
    assert_shown(bare(Regression([], []), history=history))


def assert_shown(findings: Findings) -> None:
    """Whatever is not known is not shown as a number."""
    page = Page(render(findings))
    assert not re.search(r"\b(nan|inf|None)\b", page.text)
    assert not re.search(r"\bnan\b", " ".join(page.values("d", "style", "x", "y")))


def test_fifty_classes_are_folded(findings: Make, classification: Make) -> None:
    page = Page(render(findings(classification(n=3000, k=50))))
    assert "All 50 classes" in page.text
    assert len(page.all("details")) == 1


def test_a_report_of_many_rows_stays_small(
    findings: Make, classification: Make, regression: Make
) -> None:
    for outcome in (
        classification(n=20_000, k=10, images=np.zeros((20_000, 28, 28), np.uint8)),
        classification(n=20_000, k=100, skill=0.0),
        regression(n=20_000),
        Regression(*np.random.default_rng(0).uniform(size=(2, 20_000))),
    ):
        assert len(render(findings(outcome)).encode("utf-8")) < 1_500_000


def test_a_report_is_written_whole(
    findings: Make, classification: Make, tmp_path: Path
) -> None:
    found = findings(classification())
    path = write(found, tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == render(found)
    with pytest.raises(ReportError, match="exists already"):
        write(found, path)
    assert write(found, path, force=True) == path
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (3.21, "3.2 s"), (59.6, "1 min 0 s"), (3599.7, "1 h 0 min")],
)
def test_times_are_said_as_a_person_would(seconds: float, text: str) -> None:
    assert duration(seconds) == text
