"""Commands are called as a program calls them, in a folder of their own."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from weft.apps.cli import main

# One epoch of one small layer: what is tested here is the command, not the learning.
BRIEF = ("--hidden", "4", "--epochs", "2")


@dataclass(frozen=True)
class Outcome:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def mistake(self) -> str:
        """The one line of a mistake; it must be the only one, and no traceback."""
        assert self.code == 2, self
        [line] = self.err.splitlines()
        assert line.startswith("weft: "), line
        assert line.isprintable()
        return line.removeprefix("weft: ")


def rows(*lines: str, header: str) -> str:
    return "\n".join([header, *lines]) + "\n"


def people(count: int = 120) -> str:
    """A table of two kinds of column and a target that depends on them."""
    return rows(
        *(
            f"{20 + i % 40},{'abc'[i % 3]},{'yes' if i % 40 > 20 else 'no'}"
            for i in range(count)
        ),
        header="age,job,ok",
    )


def prices(count: int = 120) -> str:
    return rows(
        *(f"{i},{i % 7},{3 * i + i % 5 + 0.5}" for i in range(count)),
        header="size,rooms,price",
    )


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, on a terminal that says nothing of itself."""
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def weft(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Carry out a command: its exit code, and what went to either stream."""

    def run(*words: object) -> Outcome:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def files() -> Callable[[], set[str]]:
    """The names of all files in the folder, hidden ones too."""

    def there() -> set[str]:
        return {path.name for path in Path().iterdir()}

    return there


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a classifier and a regressor, and the tables they learnt."""
    folder = tmp_path_factory.mktemp("models")
    for name, text, target in (
        ("people", people(), "ok"),
        ("prices", prices(), "price"),
    ):
        table = folder / f"{name}.csv"
        table.write_text(text, encoding="utf-8")
        model = folder / f"{name}.weft"
        words = ["fit", table, "--target", target, "-o", model, "--quiet", *BRIEF]
        assert main([str(word) for word in words]) == 0
    return folder


@pytest.fixture
def table() -> Callable[..., str]:
    """Write a table: its name, its header and its lines."""

    def make(name: str, header: str, lines: Iterable[object]) -> str:
        text = rows(*map(str, lines), header=header)
        Path(name).write_text(text, encoding="utf-8")
        return name

    return make


@pytest.fixture
def people_csv() -> str:
    Path("people.csv").write_text(people(), encoding="utf-8")
    return "people.csv"


@pytest.fixture
def prices_csv() -> str:
    Path("prices.csv").write_text(prices(), encoding="utf-8")
    return "prices.csv"


@pytest.fixture(scope="session")
def brief() -> tuple[str, ...]:
    """Options that make a fit as short as it can be."""
    return BRIEF
