"""``weft bench``: the same work for all, counted rightly, told and written."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from weft.apps import bench
from weft.apps.bench import Result, Timing, Workload, libraries, race, workloads
from weft.apps.bench import problem as problems
from weft.apps.cli.bench import _race_facts, _race_table
from weft.compile.native import machine as limits
from weft.compile.native import profile as timing
from weft.compile.native.machine import Machine

SMALL = (
    Workload("tiny", 2, (8, 8), 2, 8, steps=4, cores="one"),
    Workload(
        *("deep", 6, (5,) * 4, 1, 16),
        steps=3,
        unit="tanh",
        cost="squared_error",
        skips=True,
        learning_rate=1e-4,
    ),
    Workload("predict-1", 4, (6,), 2, 1, steps=5, task="predict", cores="one"),
)
MACHINE = Machine(
    2,
    {(d, n): n * 1e11 for d in ("float32", "float64") for n in (1, 2)},
    {1: ((1 << 14, 1e11), (1 << 27, 1e10)), 2: ((1 << 14, 2e11), (1 << 27, 2e10))},
)


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workloads of a few steps, and a machine that needs no measuring."""
    monkeypatch.setattr(bench, "WORKLOADS", SMALL)
    monkeypatch.setattr(workloads, "WORKLOADS", SMALL)
    monkeypatch.setattr(race, "_TURNS", 2)
    monkeypatch.setattr(race, "_LEAST", 0.0)
    for module, name in ((limits, "machine"), (limits, "measure"), (timing, "machine")):
        monkeypatch.setattr(module, name, lambda: MACHINE)


@pytest.mark.parametrize("workload", SMALL, ids=lambda w: w.name)
@pytest.mark.filterwarnings("default")
def test_all_do_the_same_work(workload: Workload) -> None:
    problem = problems.make(workload)
    costs = {
        name: [turn(problems.order(workload, i)) for i in range(2)]
        for name, library in libraries.installed().items()
        if libraries.can(name, workload)
        for turn in [library(problem, 1)]
    }
    for found in costs.values():
        np.testing.assert_allclose(found, costs["weft"], rtol=1e-3)


def test_what_weft_computes_is_the_cost_of_the_first_parameters() -> None:
    workload = Workload("one step", 3, (4,), 2, 16, steps=1)
    problem = problems.make(workload)
    h = problem.X
    (W, b), (V, c) = problem.layers
    raw = np.maximum(h @ W + b, 0) @ V + c
    log_p = raw - np.log(np.exp(raw).sum(axis=1, keepdims=True))
    expected = -log_p[np.arange(16), problem.y].mean()
    found = libraries.weft(problem, 1)(problems.order(workload, 0))
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_limit_is_counted_by_formula() -> None:
    workload = Workload("w", 10, (20,), 5, 4, steps=1)
    assert workloads.flops(workload) == 2 * 4 * (2 * 10 * 20 + 3 * 20 * 5)
    parameters = 10 * 20 + 20 + 20 * 5 + 5
    moved = 4 * (6 * parameters + 4 * 10 + 2 * 4 * 20)
    expected = max(workloads.flops(workload) / 2e11, moved / 2e11)
    assert workloads.least(workload, MACHINE) == pytest.approx(expected)


def test_who_computes_something_else_is_in_no_ratio() -> None:
    timings = {
        "weft": Timing(1e-6, 0.1, True),
        "JAX": Timing(5e-7, 0.5, False),
        "scikit-learn": Timing(3e-6, 0.1, True),
    }
    result = Result(SMALL[0], timings, 5e-7)
    assert result.ratio == pytest.approx(3.0) and result.share == pytest.approx(0.5)
    header, [row] = _race_table([result])
    assert header == [
        "us per step",
        "weft",
        "limit",
        "share",
        *list(timings)[1:],
        "ratio",
    ]
    assert row == ["tiny", "1", "0.5", "50 %", "0.5 !", "3", "3 x"]
    facts = dict(_race_facts([result]))
    assert facts["missing"].startswith("PyTorch") and "no ratio" in facts["!"]
    alone = Result(SMALL[0], {"weft": timings["weft"]}, 5e-7)
    assert alone.ratio is None and _race_table([alone])[1][0][-1] == "-"


@pytest.mark.filterwarnings("default")
def test_a_race_is_told_and_written(weft: Callable, files: Callable) -> None:
    found = weft("bench", "--json", "speed.json", "--plot", "speed.png")
    assert found.code == 0, found
    for workload in SMALL:
        assert f"\n  {workload.name} " in found.out
    assert "GFLOP/s" in found.out and "scikit-learn" in found.out
    data = json.loads(Path("speed.json").read_text())
    assert [r["workload"] for r in data["results"]] == [w.name for w in SMALL]
    assert data["results"][0]["libraries"]["scikit-learn"]["agrees"] is True
    assert Path("speed.png").read_bytes().startswith(b"\x89PNG")
    assert files() == {"speed.json", "speed.png"}


@pytest.mark.parametrize("name", ["tiny", "predict-1"])
def test_a_profile_is_told_and_written(weft: Callable, name: str) -> None:
    words = ("--json", "p.json", "--plot", "p.svg")
    found = weft("bench", "--workload", name, *words)
    assert found.code == 0, found
    data = json.loads(Path("p.json").read_text())["profile"]
    for row in data["rows"]:
        assert row["name"] in found.out
    assert "between kernels" in found.out and "% of it" in found.out
    assert b"<svg" in Path("p.svg").read_bytes()


def test_mistakes_are_one_line(weft: Callable, files: Callable) -> None:
    assert "there is no workload 'x'" in weft("bench", "--workload", "x").mistake
    assert "must end in .png, .svg or .pdf" in weft("bench", "--plot", "a.txt").mistake
    Path("a.png").write_bytes(b"mine")
    assert "a.png" in weft("bench", "--plot", "a.png").mistake
    assert Path("a.png").read_bytes() == b"mine" and files() == {"a.png"}


def test_quiet_says_nothing(weft: Callable) -> None:
    found = weft("bench", "--workload", "tiny", "--quiet")
    assert (found.code, found.out, found.err) == (0, "", "")
