"""``weft bench``: this machine's limits, and weft beside whatever peers are there."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from weft.apps.cli.errors import OK
from weft.apps.cli.outputs import checked, require_suffix
from weft.apps.cli.request import Request
from weft.apps.cli.terminal import Terminal

if TYPE_CHECKING:
    from weft.apps.bench import Result
    from weft.compile.native.machine import Machine
    from weft.compile.profile import Profile

Picture = Callable[[str], bytes]

_PEERS = ("PyTorch", "JAX", "scikit-learn")
_PICTURES = (".png", ".svg", ".pdf")
# Working sets that bandwidths are told for, by what usually holds them.
_LEVELS = (
    (1 << 14, "16 KB"),
    (1 << 18, "256 KB"),
    (1 << 22, "4 MB"),
    (1 << 27, "128 MB"),
)


@final
@dataclass(frozen=True)
class Bench(Request):
    """What ``weft bench`` was asked: its options."""

    workload: str | None = None
    plot: str | None = None
    json: str | None = None
    force: bool = False
    quiet: bool = False

    def run(self) -> int:
        """Measure and say."""
        require_suffix("--plot", self.plot, _PICTURES)
        paths = checked({"plot": self.plot, "json": self.json}, force=self.force)
        from weft.apps.bench import named
        from weft.compile.native.machine import machine

        terminal = Terminal(quiet=self.quiet)
        asked = None if self.workload is None else named(self.workload)
        with terminal.working("measuring what this machine can do"):
            limits = machine()
        if asked is None:
            limits, found, picture = self._race(limits, terminal)
        else:
            found, picture = self._profile(asked, limits, terminal)
        if "json" in paths:
            text = json.dumps({"machine": _machine_data(limits)} | found, indent=1)
            _write(paths["json"], text.encode(), self.force)
        if "plot" in paths:
            drawn = picture(paths["plot"].suffix[1:].lower())
            _write(paths["plot"], drawn, self.force)
        return OK

    def _race(
        self, limits: "Machine", terminal: Terminal
    ) -> tuple["Machine", dict[str, Any], Picture]:
        from weft.apps.bench import WORKLOADS, draw_results, least, measure
        from weft.compile.native import machine

        results = []
        with _progress(terminal, len(WORKLOADS)) as moved:
            for workload in WORKLOADS:
                name = workload.name
                results.append(measure(workload, partial(moved, name)))
                moved(name, "", done=1)
            # Once more: the machine may have had other work the first time.
            limits = machine.best(limits, machine.measure())
        results = [replace(r, limit=least(r.workload, limits)) for r in results]
        terminal.facts(_machine_facts(limits))
        terminal.line()
        terminal.figures(*_race_table(results))
        terminal.line()
        terminal.facts(_race_facts(results))
        title = f"{cpu()}, {limits.cores} cores"
        data = {"results": [result.data() for result in results]}
        return limits, data, lambda format: draw_results(results, title, format)

    def _profile(
        self, workload: Any, limits: "Machine", terminal: Terminal
    ) -> tuple[dict[str, Any], Picture]:
        from weft.apps.bench import draw_profile, profile

        with terminal.working(f"{workload.name}: looking at each kernel"):
            found = profile(workload)
        terminal.facts(_machine_facts(limits))
        terminal.line()
        terminal.facts(_profile_facts(workload.name, found))
        terminal.line()
        terminal.figures(*_profile_table(found))
        data = {"workload": workload.name, "profile": _profile_data(found)}
        return data, lambda format: draw_profile(found, workload.name, format)


# What is said -----------------------------------------------------------------------


def _machine_facts(limits: "Machine") -> list[tuple[str, str]]:
    def both(one: float, all: float) -> str:
        if limits.cores == 1:
            return f"{one / 1e9:.0f}"
        return f"{one / 1e9:.0f} with one core, {all / 1e9:.0f} with {limits.cores}"

    peaks = "; ".join(
        f"{dtype} {both(limits.peak(dtype), limits.peak(dtype, limits.cores))}"
        for dtype in ("float32", "float64")
    )
    levels = ", ".join(
        f"{limits.bandwidth(size) / 1e9:.0f} ({name})" for size, name in _LEVELS
    )
    return [
        ("machine", f"{cpu()}, {limits.cores} core{'s' if limits.cores > 1 else ''}"),
        ("peak", f"GFLOP/s: {peaks}"),
        ("memory", f"GB/s with one core, by working set: {levels}"),
    ]


def _race_table(results: Sequence["Result"]) -> tuple[list[str], list[list[str]]]:
    there = [p for p in _PEERS if any(p in result.timings for result in results)]
    header = ["us per step", "weft", "limit", "share", *there, "ratio"]
    rows = []
    for result in results:
        ratio = result.ratio
        rows.append(
            [
                result.workload.name,
                _us(result.weft),
                _us(result.limit),
                f"{100 * result.share:.0f} %",
                *(_peer(result, name) for name in there),
                "-" if ratio is None else f"{ratio:.2g} x",
            ]
        )
    return header, rows


def _peer(result: "Result", name: str) -> str:
    timing = result.timings.get(name)
    if timing is None:
        return "-"
    return _us(timing.seconds) + ("" if timing.agrees else " !")


def _race_facts(results: Sequence["Result"]) -> list[tuple[str, str]]:
    missing = [p for p in _PEERS if not any(p in r.timings for r in results)]
    facts = [
        ("share", "of the machine's limit that weft reaches"),
        ("ratio", "the best peer's time over weft's"),
    ]
    if any(not t.agrees for r in results for t in r.timings.values()):
        facts.append(("!", "its costs are not weft's: in no ratio"))
    if missing:
        facts.append(("missing", f"{', '.join(missing)}: not installed"))
    alone = ", ".join(r.workload.name for r in results if r.workload.cores == "one")
    facts.append(("threads", f"one each for {alone}; all cores otherwise"))
    return facts


def _profile_facts(name: str, found: "Profile") -> list[tuple[str, str]]:
    sizes = "".join(f", {symbol} = {size}" for symbol, size in found.sizes.items())
    threads = f"{found.threads} thread{'s' if found.threads > 1 else ''}"
    beyond = [
        f"{_us(seconds)} us {where if where == 'between kernels' else f'in {where}'}"
        for where, seconds in found.beyond.items()
        if seconds > 0.005 * found.seconds
    ]
    return [
        ("workload", f"{name}{sizes}, {threads}"),
        ("a step", f"{_us(found.seconds)} us"),
        ("limit", f"{_us(found.limit)} us, {100 * found.share:.0f} % of it"),
        ("the rest", ", ".join(beyond) or "nothing"),
    ]


def _profile_table(found: "Profile") -> tuple[list[str], list[list[str]]]:
    from weft.compile.profile import count

    rows = []
    for row in found.rows:
        known = row.limit > 0
        rows.append(
            [
                row.name,
                _us(row.seconds),
                f"{100 * row.seconds / found.seconds:.1f} %",
                _us(row.limit) if known else "-",
                f"{100 * row.share:.0f} %" if known else "-",
                count(row.flops) if row.flops else "-",
                count(row.bytes) if row.bytes else "-",
            ]
        )
    share = f"{100 * found.overhead / found.seconds:.1f} %"
    rows.append(["between kernels", _us(found.overhead), share, "-", "-", "-", "-"])
    return ["kernel", "us", "of all", "limit", "share", "flop", "B"], rows


def _us(seconds: float) -> str:
    us = 1e6 * seconds
    return f"{us:,.0f}" if us >= 100 else f"{us:.3g}" if us >= 0.01 else f"{us:.3f}"


# What is written --------------------------------------------------------------------


def _machine_data(limits: "Machine") -> dict[str, Any]:
    return {
        "name": cpu(),
        "cores": limits.cores,
        "flops_per_second": [
            {"dtype": dtype, "threads": threads, "rate": rate}
            for (dtype, threads), rate in limits.peaks.items()
        ],
        "bytes_per_second": [
            {"threads": threads, "working_set": size, "rate": rate}
            for threads, levels in limits.bandwidths.items()
            for size, rate in levels
        ],
    }


def _profile_data(found: "Profile") -> dict[str, Any]:
    return {
        "seconds": found.seconds,
        "limit": found.limit,
        "share": found.share,
        "threads": found.threads,
        "sizes": dict(found.sizes),
        "between_kernels": found.overhead,
        "beyond": found.beyond,
        "rows": [
            {
                "name": row.name,
                "kind": row.kind,
                "seconds": row.seconds,
                "flops": row.flops,
                "bytes": row.bytes,
                "limit": row.limit,
            }
            for row in found.rows
        ],
    }


def _write(path: Path, content: bytes, force: bool) -> None:
    from weft.apps.report.files import write_whole

    write_whole(path, content, force)


def cpu() -> str:
    """Return what the processor is called."""
    import platform

    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@contextmanager
def _progress(terminal: Terminal, total: int) -> Iterator[Callable[..., None]]:
    """Show how far a race is, where progress is shown."""
    console = terminal.progress_console()
    if console is None:
        yield lambda workload, what, done=0: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("  {task.completed}/{task.total}", style="bold"),
        BarColumn(bar_width=24, complete_style="green", finished_style="green"),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total, said="")

        def moved(workload: str, what: str, done: int = 0) -> None:
            bar.update(task, advance=done, said=f"{workload}: {what}")

        yield moved
