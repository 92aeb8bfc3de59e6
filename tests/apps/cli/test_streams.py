"""The commands as a shell runs them: terminals, pipes, closed and full streams."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pexpect
import pytest

import weft as house
from weft.apps.cli import main
from weft.apps.cli.progress import Progress, said
from weft.apps.cli.terminal import Terminal, write_json
from weft.train import Epoch

WEFT = [sys.executable, "-m", "weft"]
CTRL_C = "\x03"


@pytest.fixture
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command as a process of its own."""

    def start(*words: object, **more: object) -> subprocess.CompletedProcess[str]:
        given = {"capture_output": True, "text": True, "check": False} | more
        return subprocess.run([*WEFT, *map(str, words)], **given)

    return start


def on_terminal(*words: object, columns: int = 80) -> pexpect.spawn:
    """Start a command on a terminal of its own."""
    environment = {**os.environ, "TERM": "xterm-256color"}
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        environment.pop(name, None)
    return pexpect.spawn(
        WEFT[0],
        [*WEFT[1:], *map(str, words)],
        env=environment,
        dimensions=(40, columns),
        encoding="utf-8",
        timeout=120,
    )


# --- terminals -----------------------------------------------------------------------


@pytest.mark.parametrize("columns", [80, 120])
def test_progress_is_shown_on_a_terminal_and_taken_away(
    people_csv: str, columns: int
) -> None:
    words = ("fit", people_csv, "--target", "ok", "--hidden", "4", "--epochs", "40")
    child = on_terminal(*words, columns=columns)
    child.expect(r"epoch \d+/40")
    child.expect(r"cost \d\.\d+, validation \d\.\d+")
    child.expect("\x1b\\[2K")  # the line is wiped
    child.expect("fitted")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert "\x1b[?25h" in child.before or "Accuracy" in child.before


def test_ctrl_c_on_a_terminal_keeps_the_best_so_far(people_csv: str) -> None:
    words = ("fit", people_csv, "--target", "ok", "--epochs", "100000")
    child = on_terminal(*words, "-o", "m.weft", "--report", "r.html")
    child.expect(r"epoch [2-9]\d*/100000")
    child.send(CTRL_C)
    child.expect("then interrupted: the best so far, epoch")
    child.expect("model .*m.weft")
    child.expect("report .*r.html")
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, child.signalstatus) == (130, None)
    assert "Traceback" not in child.before
    model = house.load("m.weft")
    assert model.fit_.stopped == "interrupted"
    assert 1 <= model.fit_.epochs < 100_000
    assert "interrupted" in Path("r.html").read_text(encoding="utf-8")
    assert {path.name for path in Path().iterdir()} == {
        people_csv,
        "m.weft",
        "r.html",
    }


def test_a_mistake_on_a_terminal_is_one_line() -> None:
    child = on_terminal("fit", "no-such-table.csv")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 2
    # whatever was shown while it was looked for is wiped
    *_, line = child.before.rpartition("\x1b[2K")
    assert line.strip().startswith("weft: no file 'no-such-table.csv'.")
    assert child.before.count("weft:") == 1


# --- pipes ---------------------------------------------------------------------------


def test_a_pipe_gets_no_progress_and_no_colours(run, people_csv: str, brief) -> None:
    outcome = run("fit", people_csv, "--target", "ok", *brief)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert "\x1b" not in outcome.stdout
    assert "epoch 1/" not in outcome.stdout
    assert all(line == line.rstrip() for line in outcome.stdout.splitlines())
    # what is no terminal has no width: a long fact stays on its line
    assert "classification into 2 classes (its values are true or false)\n" in (
        outcome.stdout
    )


def test_a_mistake_is_one_line_in_a_process_of_its_own(run) -> None:
    outcome = run("fit", "no-such-table.csv")
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert outcome.stderr.count("\n") == 1


def test_a_reader_that_goes_away_is_no_error(run, models: Path) -> None:
    """More than a pipe holds is written to one whose other end is closed."""
    lines = "\n".join(f"{20 + i % 40},a" for i in range(20_000))
    Path("many.csv").write_text(f"age,job\n{lines}\n", encoding="utf-8")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        outcome = run(
            *("predict", models / "people.weft", "many.csv", "-q"),
            capture_output=False,
            stdout=writing,
            stderr=subprocess.PIPE,
        )
    finally:
        os.close(writing)
    assert (outcome.returncode, outcome.stderr) == (0, "")


def test_a_reader_that_goes_away_does_not_undo_the_work(
    people_csv: str, brief, capfd: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = ["fit", people_csv, "--target", "ok", "-o", "m.weft", *brief]
    with open(writing, "w", encoding="utf-8") as stream, redirect_stdout(stream):  # noqa: PTH123
        assert main(words) == 0
    assert house.load("m.weft").fit_.epochs == 2
    assert tuple(capfd.readouterr()) == ("", "")


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_a_full_disk_is_one_line(run, models: Path) -> None:
    with FULL.open("w", encoding="utf-8") as full:
        outcome = run(
            *("describe", models / "people.weft"),
            capture_output=False,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert outcome.returncode == 2
    assert outcome.stderr == "weft: No space left on device\n"


def test_a_closed_standard_output_is_no_error(models: Path) -> None:
    with redirect_stdout(None):
        assert main(["describe", str(models / "people.weft")]) == 0
        assert main(["describe", str(models / "people.weft"), "--json"]) == 0


def ascii_only(*words: str) -> bytes:
    """What a command writes to a stream whose encoding has few letters."""
    written = io.BytesIO()
    with redirect_stdout(io.TextIOWrapper(written, "ascii")):
        assert main(words) == 0
        return written.getvalue()


def test_an_encoding_without_our_letters_loses_no_more_than_them(
    people_csv: str, brief
) -> None:
    said = ascii_only("fit", people_csv, "--target", "ok", *brief)
    assert b"?ok?: classification into 2 classes" in said


def test_predictions_are_utf_8_whatever_the_streams_encoding(table, brief) -> None:
    lines = (f"{i % 10},{'äé'[i % 10 > 5]}" for i in range(60))
    name = table("a.csv", "x,c", lines)
    assert main(["fit", name, "--target", "c", "-o", "m.weft", "-q", *brief]) == 0
    header, *_ = ascii_only("predict", "m.weft", name).decode().splitlines()
    assert header == "prediction,probability_ä,probability_é"


# --- what is said --------------------------------------------------------------------


def test_names_cannot_give_the_terminal_orders(weft, table, brief) -> None:
    evil = "\x1b[2J[bold]x[/bold]\u202e"
    name = table("a.csv", f"x,{evil}", (f"{i},{'ab'[i % 2]}" for i in range(60)))
    outcome = weft("fit", name, "--target", evil, *brief)
    assert outcome.code == 0
    assert "\x1b" not in outcome.out
    assert "\u202e" not in outcome.out
    assert "[2J[bold]x[/bold]’: classification" in outcome.out


def test_what_is_not_finite_is_null_to_a_machine(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_json({"a": float("nan"), "b": [1.5, float("inf")], "c": {"d": -0.0}})
    assert json.loads(capsys.readouterr().out) == {
        "a": None,
        "b": [1.5, None],
        "c": {"d": 0.0},
    }


def test_progress_is_silent_without_a_console(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert Terminal().progress_console() is None
    progress = Progress(None)
    progress.on_epoch_end(Epoch(1, 0.5, 0.5, 0.25, 0.1, 0.0))
    progress.on_fit_end(None)
    assert tuple(capsys.readouterr()) == ("", "")


def test_an_epoch_without_validation_rows_is_said_without_them() -> None:
    assert said(Epoch(1, 0.5, 0.5, float("nan"), 0.1, 0.0)) == "cost 0.500"
