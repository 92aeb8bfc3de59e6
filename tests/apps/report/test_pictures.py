"""Pictures: there where there is something to show, the same bytes every time."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from weft.apps.report import (
    Classification,
    Findings,
    History,
    Regression,
    ReportError,
    Rows,
    save_picture,
)
from weft.apps.report.files import write_whole
from weft.apps.report.pictures import figure_of, panels
from weft.apps.report.style import ROLES, styled
from weft.apps.report.svg import inline

Make = Callable[..., Any]


def names(findings: Findings) -> list[str]:
    return [panel.name for panel in panels(findings)]


def drawn(findings: Findings, name: str) -> str:
    """One panel as it stands in a report."""
    (panel,) = [panel for panel in panels(findings) if panel.name == name]
    with styled("none"):
        return inline(figure_of(panel), name, panel.title, panel.description)


def texts(svg: str) -> list[str]:
    return [text.text for text in ElementTree.fromstring(svg).iter("text")]


def bare(outcome: Classification | Regression, **more: Any) -> Findings:
    return Findings("A fit", "t", "target", Rows(9, 0, outcome.rows), outcome, **more)


def test_which_pictures_there_are(
    findings: Make, classification: Make, regression: Make
) -> None:
    assert names(findings(classification())) == ["learning", "confusion", "calibration"]
    images = np.zeros((400, 8, 8))
    assert names(findings(classification(images=images)))[-1] == "mistakes"
    assert names(findings(regression())) == [
        "learning",
        "agreement",
        "residuals",
        "coverage",
        "pit",
    ]
    assert names(bare(Regression([1, 2], [1, 1]))) == ["agreement", "residuals"]
    assert names(bare(Classification("ab", [], []))) == []
    assert names(bare(Classification("ab", [], []), history=History([], []))) == []


def test_the_confusion_matrix_shows_every_count(
    findings: Make, classification: Make
) -> None:
    outcome = Classification(
        ["cat", "dog", "a fish with a very long name"],
        [0] * 5 + [1] * 7 + [2] * 9,
        [0] * 4 + [1] * 6 + [2] * 11,
    )
    svg = drawn(bare(outcome), "confusion")
    shown = texts(svg)
    assert {"4", "5", "2", "80.0\xa0%", "20.0\xa0%", "cat", "dog"} <= set(shown)
    assert "a fish with…g name" in shown
    assert "dog was taken for a fish with a very long name 2 times." in svg


@pytest.mark.parametrize("k", [2, 11, 30, 31, 61, 200])
def test_any_number_of_classes(classification: Make, k: int) -> None:
    outcome = classification(
        n=3000, k=k, names=[f"a rather long name {i}" for i in range(k)]
    )
    svg = drawn(bare(outcome), "confusion")
    assert len(svg) < 300_000
    named = sum("rath" in text for text in texts(svg))
    assert named == (2 * k if k <= 60 else 0)


def test_the_same_findings_give_the_same_bytes(
    findings: Make, classification: Make, regression: Make, tmp_path: Path
) -> None:
    for outcome, forms in (
        (classification(k=2), ("png", "svg", "pdf")),
        (regression(), ("svg",)),
    ):
        for form in forms:
            first, second = (
                save_picture(findings(outcome), tmp_path / f"{name}.{form}", force=True)
                for name in ("first", "second")
            )
            content = first.read_bytes()
            assert content == second.read_bytes()
            assert not re.search(rb"20\d\d-\d\d-\d\d|D:20\d\d", content)


def test_matplotlib_is_left_as_it_was(
    findings: Make, classification: Make, tmp_path: Path
) -> None:
    with matplotlib.rc_context({"font.size": 33, "svg.hashsalt": "mine"}):
        before = dict(matplotlib.rcParams)
        save_picture(findings(classification()), tmp_path / "a.svg")
        assert dict(matplotlib.rcParams) == before


def test_pyplot_is_never_loaded(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from weft.apps.report import *\n"
        "assert 'matplotlib' not in sys.modules\n"
        "outcome = Classification('ab', [0, 1], [0, 1])\n"
        "found = Findings('', '', 'y', Rows(2, 0, 2), outcome)\n"
        f"save_picture(found, {str(tmp_path / 'a.png')!r})\n"
        "render(found)\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_users_own_style_does_not_reach_a_picture(
    findings: Make, classification: Make, tmp_path: Path
) -> None:
    plain = save_picture(findings(classification()), tmp_path / "a.png").read_bytes()
    with matplotlib.rc_context({"font.size": 33, "axes.facecolor": "red"}):
        assert (
            plain
            == save_picture(findings(classification()), tmp_path / "b.png").read_bytes()
        )


@pytest.mark.parametrize("name", ["picture", "picture.jpeg", "picture.html"])
def test_another_form_is_refused(
    findings: Make, classification: Make, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ReportError, match=r"must end in \.png, \.svg or \.pdf"):
        save_picture(findings(classification()), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "outcome",
    [
        Classification("ab", [], []),
        Classification("ab", [1], [0], [[0.6, 0.4]], [1, 2]),
        Classification("ab", [0] * 30, [0] * 30, [[1.0, 0.0]] * 30, [1, 1]),
        Classification("ab", [0, 1], [1, 0], images=np.zeros((2, 3, 3))),
        Classification("ab", [0, 1], [1, 0], images=np.full((2, 3, 3, 3), 255)),
        Regression([], []),
        Regression([3], [3]),
        Regression([1.0] * 2000, [1.0] * 2000, [1.0] * 2000),
        Regression(np.arange(2000) * 1e-300, np.zeros(2000)),
        Regression(np.arange(2000) * 1e66, np.ones(2000)),
        Regression([1e9, 1e9 + 1e-3] * 500, [1e9] * 1000),
    ],
    ids=lambda outcome: f"{outcome.task} {outcome.rows}",
)
def test_tiny_and_flat_outcomes_can_be_drawn(
    outcome: Classification | Regression, tmp_path: Path
) -> None:
    assert_drawn(bare(outcome), tmp_path)


@pytest.mark.parametrize(
    "history",
    [
        History([], []),
        History([1], [0.5], [0.4], best_epoch=1),
        History([1, 2], [np.nan, 1.0], [1.0, np.inf], best_epoch=2),
        History([1, 2], [np.nan, np.nan]),
        History([1, 2, 3], [-5.0, -6.0, -9.0], [1e9, 2.0, 1.0], best_epoch=3),
    ],
    ids=["empty", "one epoch", "gaps", "nothing known", "negative"],
)
def test_any_history_can_be_drawn(history: History, tmp_path: Path) -> None:
    assert_drawn(bare(Regression([], []), history=history), tmp_path)


def assert_drawn(findings: Findings, folder: Path) -> None:
    svg = save_picture(findings, folder / "a.svg", force=True)
    assert "nan" not in svg.read_text(encoding="utf-8").lower()


def test_mistakes_show_the_surest_first() -> None:
    p = [[0.6, 0.4], [0.9, 0.1], [0.2, 0.8]]
    outcome = Classification(
        ["zero", "one"], [1, 1, 1], [0, 0, 1], p, images=np.zeros((3, 4, 4))
    )
    (panel,) = [p for p in panels(bare(outcome)) if p.name == "mistakes"]
    assert panel.caption.startswith("2 of 2 mistakes, the surest first")
    assert texts(drawn(bare(outcome), "mistakes")) == ["one → zero", "one → zero"]
    assert drawn(bare(outcome), "mistakes").count("data:image/png;base64,") == 2


def test_an_element_for_a_page(findings: Make, classification: Make) -> None:
    found = findings(classification())
    for name in names(found):
        svg = drawn(found, name)
        root = ElementTree.fromstring(svg)
        ids = [e.attrib["id"] for e in root.iter() if "id" in e.attrib]
        assert len(ids) == len(set(ids))
        assert all(one.startswith(f"{name}-") for one in ids)
        pointed_at = re.findall(r'(?:href="|url\()#([\w-]+)', svg)
        assert set(pointed_at) <= set(ids)
        assert set(root.attrib["aria-labelledby"].split()) <= set(ids)
        assert "http" not in svg
        assert "<style" not in svg
        assert "font-family" not in svg
        # every colour is a role, so that it can follow the page's scheme
        assert re.findall(r"#[0-9a-f]{6}\b", svg) == []
        assert "var(--muted)" in svg


def test_every_role_has_a_colour_of_its_own_and_one_in_the_page() -> None:
    import weft.apps.report.html as html

    css = (Path(html.__file__).parent / "templates" / "style.css").read_text("utf-8")
    light, dark = re.findall(r":root \{([^}]*--page[^}]*--paper[^}]*)\}", css)
    for role in ROLES.values():
        assert f"--{role}:" in light
        assert f"--{role}:" in dark


def test_nasty_names_can_be_drawn(nasty: Findings, tmp_path: Path) -> None:
    svg = save_picture(nasty, tmp_path / "a.svg").read_text(encoding="utf-8")
    ElementTree.fromstring(svg)
    shown = texts(drawn(nasty, "confusion"))
    assert "<b>bold</b>" in shown
    assert any("$x^2$" in text for text in texts(drawn(nasty, "learning"))) or any(
        text.startswith("<script>") for text in shown
    )
    assert save_picture(nasty, tmp_path / "a.png").stat().st_size > 10_000


def test_scripts_that_the_font_lacks_raise_no_warning(
    classification: Make, tmp_path: Path
) -> None:
    outcome = classification(names=["猫", "कुत्ता", "👩‍🔬"])
    assert "猫" in texts(drawn(bare(outcome), "confusion"))
    save_picture(bare(outcome), tmp_path / "a.png")


# --- files ---------------------------------------------------------------------------


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    assert write_whole(path, b"one", force=False) == path
    with pytest.raises(ReportError, match=r"a\.html exists already.*--force"):
        write_whole(path, b"two", force=False)
    assert path.read_bytes() == b"one"
    write_whole(path, b"two", force=True)
    assert path.read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="is a folder"):
        write_whole(tmp_path, b"", force=True)
    with pytest.raises(OSError, match="No such file"):
        write_whole(tmp_path / "none" / "a.html", b"", force=False)
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.html"
    path.write_bytes(b"old")

    def full(part: Path, target: Path) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space"):
        write_whole(path, b"new", force=True)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]
