"""``weft verify``: the claims of the chapter, run one after the other and judged."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from weft.apps.cli.errors import FAILED, OK, CommandError
from weft.apps.cli.outputs import checked
from weft.apps.cli.request import Request
from weft.apps.cli.terminal import Terminal

if TYPE_CHECKING:
    from weft.apps.verify import Claim, Verdict

# How each status is said, and in which colour.
_MARKS = {
    "pass": ("pass", "green"),
    "fail": ("FAIL", "bold red"),
    "open": ("open", "dim"),
}


@final
@dataclass(frozen=True)
class Verify(Request):
    """What ``weft verify`` was asked: claims and options."""

    names: tuple[str, ...] = ()
    all: bool = False
    strict: bool = False
    json: str | None = None
    force: bool = False
    quiet: bool = False

    def run(self) -> int:
        """Check and say; 0 if every claim holds."""
        if bool(self.names) == self.all:
            raise CommandError(
                "say which claims to check, such as S6 or S18-S30, or --all "
                "(see weft verify --help)"
            )
        paths = checked({"json": self.json}, force=self.force)
        from weft.apps.verify import CLAIMS, chosen, section_of

        claims = CLAIMS if self.all else chosen(self.names)
        terminal = Terminal(quiet=self.quiet)
        begun, verdicts, section = time.perf_counter(), [], None
        for verdict in _judged(claims, terminal):
            if section is not section_of(verdict.claim):
                section = section_of(verdict.claim)
                if verdicts:
                    terminal.line()
                terminal.line(section.title, "bold")
            _tell(verdict, terminal)
            verdicts.append(verdict)
        seconds = time.perf_counter() - begun
        terminal.line()
        terminal.line(summary(verdicts, seconds))
        if "json" in paths:
            from weft.apps.report.files import write_whole

            text = json.dumps(_data(verdicts, seconds), indent=1, allow_nan=False)
            write_whole(paths["json"], text.encode(), self.force)
        bad = ("fail", "open") if self.strict else ("fail",)
        return FAILED if any(v.status in bad for v in verdicts) else OK


def _tell(verdict: "Verdict", terminal: Terminal) -> None:
    """Say one verdict: what is claimed, what the slide has wrong, what was found."""
    claim = verdict.claim
    said = f"{claim.statement} [{claim.slide}]" if claim.check else claim.title
    lines = [(said, "" if claim.check else "dim")]
    if claim.correction:
        lines.append((f"corrected: {claim.correction}", "yellow"))
    if claim.check:
        style = "red" if verdict.status == "fail" else "cyan"
        lines.append((verdict.line, style if verdict.status != "open" else "dim"))
    terminal.entry((claim.id, "bold"), _MARKS[verdict.status], lines)


def summary(verdicts: Sequence["Verdict"], seconds: float) -> str:
    """Return how many claims hold, in one line.

    Examples
    --------
    >>> from weft.apps.verify import judge, named
    >>> summary([judge(named("S6")), judge(named("S85"))], 1.25)
    '2 claims: 1 holds, 0 fail, 1 is open; 1.2 s'
    """
    count = {
        status: sum(v.status == status for v in verdicts)
        for status in ("pass", "fail", "open")
    }
    claims = f"{len(verdicts)} claim{'s' if len(verdicts) != 1 else ''}"
    holds = f"{count['pass']} hold{'s' if count['pass'] == 1 else ''}"
    fail = f"{count['fail']} fail{'s' if count['fail'] == 1 else ''}"
    still = f"{count['open']} {'is' if count['open'] == 1 else 'are'} open"
    return f"{claims}: {holds}, {fail}, {still}; {seconds:.1f} s"


def _data(verdicts: Sequence["Verdict"], seconds: float) -> dict[str, Any]:
    from weft.apps.cli.terminal import finite

    data: dict[str, Any] = finite(
        {
            "seconds": round(seconds, 3),
            "passed": sum(v.status == "pass" for v in verdicts),
            "failed": sum(v.status == "fail" for v in verdicts),
            "open": sum(v.status == "open" for v in verdicts),
            "claims": [v.data() for v in verdicts],
        }
    )
    return data


def _judged(claims: Sequence["Claim"], terminal: Terminal) -> Iterator["Verdict"]:
    """Yield verdicts as they are found, with a bar below them on a terminal."""
    from weft.apps.verify import judge

    with _progress(terminal, len(claims)) as (moved, pause):
        for claim in claims:
            moved(claim)
            verdict = judge(claim)
            with pause():
                yield verdict


@contextmanager
def _progress(
    terminal: Terminal, total: int
) -> Iterator[tuple[Callable[["Claim"], None], Callable[[], Any]]]:
    """Show how far the claims are, where that is shown; it steps aside for words."""
    from contextlib import nullcontext

    console = terminal.progress_console()
    if console is None:
        yield lambda claim: None, nullcontext
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("  {task.completed}/{task.total}", style="bold"),
        BarColumn(bar_width=24, complete_style="green", finished_style="green"),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
    )
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task("", total=total, said="")

    def moved(claim: "Claim") -> None:
        bar.update(task, said=f"{claim.id}: {claim.title}")

    @contextmanager
    def pause() -> Iterator[None]:
        bar.stop()
        yield
        bar.update(task, advance=1)
        bar.start()

    with bar:
        yield moved, pause
