"""The house as a whole: its floors, its version, and what `import weft` loads."""

import importlib.metadata
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import weft

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "weft"

# Each takes its time to load, and whoever only differentiates needs none of them.
HEAVY = {
    "hypothesis",
    "joblib",
    "matplotlib",
    "narwhals",
    "pandas",
    "polars",
    "pyarrow",
    "pytest",
    "rich",
    "safetensors",
    "scipy",
    "sklearn",
    "typer",
}


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def lint_imports(config: Path, source: Path) -> subprocess.CompletedProcess[str]:
    """Hold the package under `source` against the contracts in `config`."""
    code = (
        f"import sys; sys.path.insert(0, {str(source)!r}); "
        "from importlinter.cli import lint_imports; "
        f"sys.exit(lint_imports(config_filename={str(config)!r}, no_cache=True))"
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )


def test_imports_go_only_down_the_floors() -> None:
    outcome = lint_imports(ROOT / "pyproject.toml", ROOT / "src")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize(
    "upward",
    [
        "import weft.train",
        "def f():\n    from weft import train\n",
        "def f():\n    import weft\n",
    ],
    ids=["at the top", "inside a function", "of the whole package"],
)
def test_an_upward_import_is_found(tmp_path: Path, upward: str) -> None:
    for room in ("weft", "weft/graph", "weft/ops", "weft/train"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").touch()
    below = tmp_path / "weft" / "ops" / "below.py"

    below.write_text("import weft.graph\n", encoding="utf-8")
    outcome = lint_imports(ROOT / "pyproject.toml", tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr

    below.write_text(upward, encoding="utf-8")
    outcome = lint_imports(ROOT / "pyproject.toml", tmp_path)
    assert outcome.returncode == 1
    assert "weft.ops.below -> weft" in outcome.stdout


def test_the_core_is_never_exempt_from_strict_types(project: dict) -> None:
    mypy = project["tool"]["mypy"]
    assert mypy["strict"] is True
    exempt = {
        pattern
        for override in mypy["overrides"]
        if override.get("ignore_errors")
        for pattern in override["module"]
    }
    assert not exempt & {"*", "weft", "weft.*"}
    core = ("weft.graph", "weft.ops", "weft.differentiate")
    assert [pattern for pattern in exempt if pattern.startswith(core)] == []


def test_the_version_is_said_once() -> None:
    assert weft.__version__ == importlib.metadata.version("weft")


def test_the_package_is_typed_and_comes_from_this_checkout() -> None:
    assert Path(weft.__file__).resolve().parent == PACKAGE
    assert (PACKAGE / "py.typed").is_file()


def test_what_weft_offers_is_its_own() -> None:
    offered = {name for name in dir(weft) if not name.startswith("_")}
    assert {"input", "grad", "nn", "TabularClassifier"} <= offered
    for name in offered:
        value = getattr(weft, name)
        module = getattr(value, "__module__", None) or getattr(value, "__name__", "")
        assert module.startswith("weft") or name in {"DTYPES", "OPS"}, name


def test_importing_weft_loads_nothing_heavy() -> None:
    code = "import json, sys, weft; print(json.dumps(sorted(sys.modules)))"
    outcome = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in json.loads(outcome.stdout)}
    assert "weft" in loaded
    assert loaded & HEAVY == set()


def test_the_constraints_name_versions_and_no_places() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    for pin in pins:
        name, equals, version = pin.partition("==")
        assert equals and name and version, pin
        assert not set("/@:\\") & set(pin), pin


def test_every_direct_dependency_is_pinned(project: dict) -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in text.splitlines()
        if "==" in line
    }
    tables = project["project"]
    wanted = tables["dependencies"] + tables["optional-dependencies"]["dev"]
    names = {requirement.partition(">=")[0] for requirement in wanted}
    assert names - pinned == set()
