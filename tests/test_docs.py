"""The documents: what they show runs, what they promise is there, links lead somewhere.

Every document is read from the top, as a person reads it, in an empty folder:

- blocks of ``python`` run; blocks of ``pycon``, and whatever begins with ``>>>``, are
  held against the answers shown; all blocks of a document share one namespace;
- blocks of ``console`` hold lines that begin with ``$``: they run, and what is shown
  below each must be what it says. A number that comes out of a fit may be another one
  on another machine; the words around it may not;
- any other line of a block that begins with ``weft`` must at least be a command that
  weft takes, options and all.

A document may assume that its reader has some data; which, says `READER_HAS`.
"""

import contextlib
import doctest
import inspect
import io
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weft
from weft.apps.cli import main
from weft.apps.cli.arguments import app, parse
from weft.graph import json as graph_json
from weft.nn import description
from weft.ops import OPS
from weft.tables.words import DATE_FORMS, MISSING

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *(ROOT / "docs").rglob("*.md"),
    ]
)
FLOORS = (
    "weft.graph",
    "weft.ops",
    "weft.differentiate",
    "weft.compile",
    "weft.curvature",
    "weft.nn",
    "weft.show",
    "weft.train",
    "weft.tables",
    "weft.estimators",
    "weft.testing",
)
GUIDE = [ROOT / "docs" / "guide.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- what a document consists of ------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A piece of code in a document: its language, its text, and where it begins."""

    language: str
    text: str
    line: int


def blocks_of(text: str) -> Iterator[Block]:
    """Return the fenced blocks, and the indented ones as blocks without a language."""
    language, begun, held = None, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.fullmatch(r"```(\w*)", line)
        if language is not None:
            if fence:
                yield Block(language, "\n".join(held) + "\n", begun)
                language, held = None, []
            else:
                held.append(line)
        elif fence:
            language, begun = fence[1], number + 1
        elif line.startswith("    ") and line.strip():
            yield Block("", line.strip() + "\n", number)


def prose_of(text: str) -> str:
    """Return a document without its blocks."""
    return re.sub(r"^```.*?^```$|^    .*?$", "", text, flags=re.M | re.S)


def test_blocks_and_prose_are_told_apart() -> None:
    text = "a\n\n    weft fit x\n\n```python\n1\n[l](k)\n```\n[m](n)\n"
    assert list(blocks_of(text)) == [
        Block("", "weft fit x\n", 3),
        Block("python", "1\n[l](k)\n", 6),
    ]
    assert links_of(prose_of(text)) == ["n"]


# --- running a document ---------------------------------------------------------------


def readme_reader(folder: Path) -> dict[str, Any]:
    """The README speaks of a table of houses, of arrays and of an order of rows."""
    import pandas as pd

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"area": rng.uniform(30, 200, 120), "garden": rng.random(120) < 0.5}
    )
    price = pd.Series(3000 * frame.area + 50_000 * frame.garden, name="price")
    houses = frame.assign(price=price)
    for name in ("houses.csv", "more.csv"):
        houses.to_csv(folder / name, index=False)
    frame.to_csv(folder / "new.csv", index=False)
    return {
        "frame": frame,
        "price": price,
        "data": rng.normal(size=(96, 20)),
        "initial": rng.normal(size=(20, 1)),
        "order": rng.permutation(96),
    }


# What a document assumes that its reader has: files in the folder, names in Python.
READER_HAS: dict[str, Callable[[Path], dict[str, Any]]] = {"README.md": readme_reader}


@pytest.fixture
def registries() -> Iterator[None]:
    """Forget the ops and descriptions that a document defines."""
    for floor in FLOORS:  # they register theirs when they are imported
        import_module(floor)
    known = (OPS, graph_json._ops, description._kinds)
    before = [dict(registry) for registry in known]
    yield
    for registry, entries in zip(known, before, strict=True):
        registry.clear()
        registry.update(entries)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
@pytest.mark.usefixtures("registries")
def test_what_is_shown_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = name_of(path)
    prepare = READER_HAS.get(name)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    namespace |= prepare(tmp_path) if prepare else {}
    shell = Shell()
    for block in blocks_of(path.read_text(encoding="utf-8")):
        where = f"{name}, line {block.line}"
        if block.language in ("python", "pycon"):
            run_python(block, name, namespace)
        elif block.language == "console":
            shell.run(block.text, where)
        elif prepare:
            shell.run_briefly(block.text, where)
        else:
            for words in commands_in(block.text):
                accept(words, where)


def run_python(block: Block, name: str, namespace: dict[str, Any]) -> None:
    """Run a block, or hold what it shows against what it does."""
    if not block.text.startswith(">>>"):
        source = "\n" * (block.line - 1) + block.text
        exec(compile(source, str(ROOT / name), "exec"), namespace)
        return
    test = doctest.DocTestParser().get_doctest(
        block.text, {}, name, name, block.line - 1
    )
    test.globs = namespace
    said = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    if runner.run(test, out=said.write, clear_globs=False).failed:
        pytest.fail(said.getvalue(), pytrace=False)


def commands_in(text: str) -> Iterator[list[str]]:
    """Return the words of the lines that call weft, without what they are piped to."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words[:1] == ["weft"]:
            yield words[1 : words.index("|") if "|" in words else None]


def accept(words: list[str], where: str) -> None:
    """Fail unless weft takes these words for a command."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            parse(words)
    except weft.WeftError as error:
        pytest.fail(f"{where}: weft {shlex.join(words)}: {error}", pytrace=False)


class Shell:
    """What a person types at a terminal, without a terminal.

    It knows ``weft``, ``head -N FILE`` and ``echo $?``.
    """

    def __init__(self) -> None:
        self.code = 0

    def run(self, text: str, where: str) -> None:
        """Run the lines that begin with ``$`` and look at what is shown below each."""
        for part in re.split(r"^\$ ", text.replace("\\\n", " "), flags=re.M)[1:]:
            line, _, shown = part.partition("\n")
            said = self.said(shlex.split(line))
            if shown.strip() and not agrees(shown, said):
                pytest.fail(
                    f"{where}: $ {line}\nis shown as\n{shown}\nand says\n{said}",
                    pytrace=False,
                )

    def said(self, words: list[str]) -> str:
        """Carry out one line and return all it says."""
        match words:
            case ["weft", *rest]:
                out = io.StringIO()
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                    self.code = main(rest)
                return out.getvalue()
            case ["echo", "$?"]:
                return f"{self.code}\n"
            case ["head", count, file]:
                lines = Path(file).read_text(encoding="utf-8").splitlines(True)
                return "".join(lines[: -int(count)])
        raise AssertionError(f"this shell does not know {words}")

    def run_briefly(self, text: str, where: str) -> None:
        """Run the lines that call weft, each fit for one epoch only."""
        for words in commands_in(text):
            brief = ["--epochs", "1"] if words[0] == "fit" else []
            said = self.said(["weft", *words, *brief])
            assert self.code == 0, f"{where}: {said}"


_NUMBER = re.compile(r"[-\N{MINUS SIGN}]?\d[\d.,]*(e[-+]?\d+)?")


def agrees(shown: str, said: str) -> bool:
    """Tell whether an answer is the one shown; where ``...`` stands, anything may."""
    check = doctest.OutputChecker().check_output
    if check(shown, said, FLAGS):
        return True
    if said.startswith("weft:") or len(said.split()) < 3:  # mistakes, codes: exact
        return False
    blank = [_NUMBER.sub("#", re.sub(r"\.{3}", "…", text)) for text in (shown, said)]
    return check(blank[0].replace("…", "..."), blank[1], FLAGS)


def test_words_are_compared_and_numbers_are_not() -> None:
    assert agrees("fitted 41 epochs in 3.8 s", "fitted 9 epochs in 12 s")
    assert agrees("fitted ... (done)", "fitted 9 epochs in 12 s (done)")
    assert not agrees("fitted 41 epochs", "fitted 41 epochs or so")
    assert not agrees("2\n", "0\n")
    assert not agrees("weft: 4 rows are few", "weft: 5 rows are few")


def test_a_wrong_answer_is_found() -> None:
    with pytest.raises(pytest.fail.Exception, match="Expected"):
        run_python(Block("pycon", ">>> 1 + 1\n3\n", 1), "README.md", {})
    with pytest.raises(pytest.fail.Exception, match="is shown as"):
        Shell().run("$ weft describe nothing.weft\nweft: all is well\n", "here")
    with pytest.raises(pytest.fail.Exception, match="--colour"):
        accept(["fit", "digits", "--colour", "red"], "here")


# --- links ----------------------------------------------------------------------------


def links_of(prose: str) -> list[str]:
    return re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose)


def anchors_of(text: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    found: set[str] = set()
    for title in re.findall(r"^#+ (.*)$", prose_of(text), flags=re.M):
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        numbered = (f"{slug}-{i}" for i in range(1, 99))
        found.add(slug if slug not in found else next(numbered))
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    broken = []
    for link in links_of(prose_of(text)):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        there = (path.parent / file).resolve() if file else path
        if not there.exists() or (
            anchor and anchor not in anchors_of(there.read_text(encoding="utf-8"))
        ):
            broken.append(link)
    assert broken == []


# --- completeness ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def guide() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in GUIDE)


@pytest.fixture(scope="module")
def code_words(guide: str) -> set[str]:
    """Every word that stands in the guide as code."""
    code = re.findall(r"```.*?```|`[^`]+`", guide, flags=re.S)
    return set(re.findall(r"--[a-z-]+|\w+", "\n".join(code)))


@pytest.mark.parametrize("floor", FLOORS)
def test_every_public_name_is_shown(floor: str, code_words: set[str]) -> None:
    import_module(floor)
    module = sys.modules[floor]  # weft.compile is a function, too
    unknown = [
        name
        for name in module.__all__
        if name not in code_words
        and ">>>" not in (inspect.getdoc(getattr(module, name)) or "")
    ]
    assert unknown == []


def test_every_hidden_unit_is_in_the_guide(code_words: set[str]) -> None:
    assert set(weft.nn.UNITS) - code_words == set()


@pytest.mark.parametrize(
    "estimator",
    ["TabularClassifier", "TabularRegressor", "MLPClassifier", "MLPRegressor"],
)
def test_every_parameter_of_an_estimator_is_in_the_guide(
    estimator: str, code_words: set[str]
) -> None:
    made = getattr(weft, estimator)()
    methods = [name for name, _ in inspect.getmembers(made, inspect.ismethod)]
    own = [
        name
        for name in methods
        if not name.startswith("_")
        and inspect.getmodule(getattr(made, name)).__name__.startswith("weft.")
    ]
    assert own
    assert {*made.get_params(), *own} - code_words - {"from_parts"} == set()


def test_every_option_is_in_the_guide(code_words: set[str]) -> None:
    import typer

    commands = typer.main.get_command(app).commands
    options = {
        option
        for command in commands.values()
        for param in command.params
        for option in param.opts
        if option.startswith("--")
    }
    assert {"--target", "--json"} < options
    assert options - code_words == set()


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of the rows of all tables in a text."""
    lines = re.findall(r"^\| (.*) \|$", text, flags=re.M)
    return [re.split(r" ?(?<!\\)\| ?", line) for line in lines]


def test_the_defaults_of_the_estimators_are_those_in_the_guide() -> None:
    text = (ROOT / "docs/guide/estimators.md").read_text(encoding="utf-8")
    stated = {cells[0]: cells[1] for cells in rows_of(text) if len(cells) == 3}
    for estimator in (weft.TabularClassifier, weft.TabularRegressor):
        for name, value in estimator().get_params().items():
            assert stated[f"`{name}`"] == f"`{value!r}`", (estimator, name)


def test_the_defaults_of_fit_are_those_in_the_guide() -> None:
    import typer

    text = (ROOT / "docs/guide/tables.md").read_text(encoding="utf-8")
    stated = {
        option: cells[-1]
        for cells in rows_of(text)
        for option in re.findall(r"^`(--[a-z-]+)", cells[0])
    }
    model = weft.TabularRegressor()
    known = {
        "--hidden": ",".join(map(str, model.hidden)),
        "--unit": model.unit,
        "--dropout": f"{model.dropout:g}",
    }
    for param in typer.main.get_command(app).commands["fit"].params:
        [long] = [option for option in param.opts if option.startswith("--")] or [""]
        if long in known:
            assert stated[long] == known[long]
            assert f"[default: {known[long]}]" in param.help
        elif isinstance(param.default, int | float) and param.default is not False:
            assert stated[long] == f"{param.default:g}"


def test_the_words_for_a_gap_are_those_in_the_guide() -> None:
    text = (ROOT / "docs/guide/tables.md").read_text(encoding="utf-8")
    stated = re.findall(r"`([^`\n]+)`", text)
    assert {word for word in MISSING if word} - set(stated) == set()
    assert f"{len(DATE_FORMS)} forms" in text


def test_the_documents_speak_of_the_project_alone() -> None:
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"(?:/work|/home|/tmp|\.\./shared)\b", text) == [], path
