"""Results for people and for programs: tables in the terminal, and JSON."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.contestants import LIBRARIES
from benchmarks.fits import Fit, ratios
from benchmarks.growth import Growth, Law
from benchmarks.memory import Memory
from benchmarks.start import Start
from benchmarks.steps import Result

# Tables that go into a file are not cut to the 80 columns that are assumed there.
console = Console(width=None if sys.stdout.isatty() else 110)
_PEERS = [each for each in LIBRARIES if each.key != "weft"]


def steps(results: Sequence[Result]) -> RenderableType:
    """Return a summary of the workloads, and everybody's timings."""
    summary = _table(
        "Microseconds per step: medians, best setting of each library (in brackets: "
        "costs do not agree, does not count)",
        ["workload", "weft", *(each.title for each in _PEERS)],
        ["best peer / weft", "limit", "share of limit"],
    )
    for result in results:
        summary.add_row(
            result.workload.name,
            *(_best(result, each.key) for each in LIBRARIES),
            _times(result.ratio),
            _us(result.limit),
            "–" if result.share is None else f"{result.share:.2f}",
        )
    details = _table(
        "Everyone",
        ["workload", "contestant"],
        ["median us", "least us", "first epoch s", "first cost", "agrees"],
    )
    for result in results:
        for timing in result.timings:
            details.add_row(
                result.workload.name,
                timing.name,
                _us(timing.median),
                _us(min(timing.turns)),
                f"{timing.first_epoch:.3f}",
                f"{timing.curve[0]:.6g}",
                "yes" if timing.counts else "[red]NO: does not count[/red]",
            )
        details.add_section()
    left_out = [
        (f"{result.workload.name}: {name}", reason)
        for result in results
        for name, reason in result.left_out.items()
    ]
    return Group(details, _notes(dict(left_out)), summary)


def start(result: Start) -> RenderableType:
    """Return tables of import times and first steps."""
    imports = _table("Import, after NumPy", ["library"], ["seconds"])
    for each in result.imports:
        imports.add_row(each.library, f"{each.seconds:.3f}")
    first = _table(
        "Seconds to the first step",
        ["workload", "contestant"],
        ["from process start", "build + compile + step", "a further network"],
    )
    for step in result.steps:
        first.add_row(
            step.workload,
            step.contestant,
            *(f"{s:.3f}" for s in (step.process, step.first, step.further)),
        )
    return Group(imports, first, _notes(result.left_out))


def memory(found: Sequence[Memory], left_out: Mapping[str, str]) -> RenderableType:
    """Return a table of resident memory."""
    table = _table(
        "Resident memory of a process that trains `wide`, MB",
        ["contestant"],
        ["before", "after", "peak", "added", "added at peak"],
    )
    for each in found:
        added = (each.after - each.before, each.peak - each.before)
        sizes = (each.before, each.after, each.peak, *added)
        table.add_row(each.contestant, *(f"{size / 1e6:.0f}" for size in sizes))
    return Group(table, _notes(left_out))


def fits(found: Sequence[Fit], left_out: Mapping[str, str]) -> RenderableType:
    """Return a table of whole fits."""
    table = _table(
        "Whole fits with scikit-learn's estimator, and weft's in its place",
        ["task", "estimator"],
        ["seconds", "epochs", "loss", "score", "scikit-learn / weft"],
    )
    faster = ratios(found)
    for i, fit in enumerate(found):
        last = i + 1 == len(found) or found[i + 1].task != fit.task
        table.add_row(
            fit.task,
            fit.estimator,
            f"{fit.seconds:.3f}",
            str(fit.epochs),
            f"{fit.loss:.4g}",
            f"{fit.score:.3f}",
            _times(faster.get(fit.task)) if last else "",
            end_section=last,
        )
    return Group(table, _notes(left_out))


def growth(found: Sequence[Growth]) -> RenderableType:
    """Return a table of fitted exponents."""
    table = _table(
        "weft's growth: seconds = c size ^ exponent",
        ["with", "sizes"],
        ["step", "exponent", "R2", "building", "exponent", "R2"],
    )
    for each in found:
        table.add_row(
            each.axis,
            f"{each.sizes[0]} … {each.sizes[-1]}",
            *_law(each.step, each.step_law),
            *_law(each.building, each.building_law),
        )
    return table


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write results, in one piece or not at all."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(json.dumps(data, indent=1) + "\n")
    beside.replace(path)


def _best(result: Result, library: str) -> str:
    counting = result.best(library)
    if counting:
        return _us(counting.median)
    others = [t.median for t in result.timings if t.library == library]
    return f"({_us(min(others))})" if others else "–"


def _law(seconds: Sequence[float], law: Law) -> tuple[str, str, str]:
    ends = f"{1e6 * seconds[0]:,.0f} … {1e6 * seconds[-1]:,.0f} us"
    return ends, f"{law.exponent:.2f}", f"{law.r2:.3f}"


def _table(title: str, words: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in words:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _notes(left_out: Mapping[str, str]) -> RenderableType:
    lines = [f"left out: {name}: {reason}" for name, reason in left_out.items()]
    return Text("\n".join(lines), style="yellow")


def _us(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def _times(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f} x"
