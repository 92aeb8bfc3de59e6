"""Where words go: to the terminal, away from the machine's line, or nowhere.

The standard output belongs to whoever reads the result: to a person, or, under
``--json`` and where predictions are streamed, to a program. In the second case all
words go to the standard error stream. A reader that goes away (``| head``) ends the
words, never the work.

The invariant: what is said is plain text. No markup in a column's name is obeyed, no
control character reaches the terminal; and where it is no terminal, no line is folded.
"""

import io
import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Literal, TextIO, final

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_UNFOLDED = 10_000  # the width of what is no terminal
_LABEL = 10  # the width of the labels beside facts

Stream = Literal["stdout", "stderr"]
Side = Literal["left", "right"]


@final
class Terminal:
    """What a command says, and to which stream.

    Parameters
    ----------
    machine : bool
        Whether the standard output belongs to a program.
    quiet : bool
        Say nothing.
    """

    def __init__(self, machine: bool = False, quiet: bool = False) -> None:
        self._stream: Stream = "stderr" if machine else "stdout"
        self._quiet = quiet

    def progress_console(self) -> "Console | None":
        """The console to show progress on; None in a pipe, or where quiet was asked.

        Progress goes to the standard error stream, so that it is seen where the
        standard output is led elsewhere.
        """
        console = _console("stderr")
        return None if self._quiet or not console.is_terminal else console

    def working(self, what: str) -> AbstractContextManager[object]:
        """Show that something is being done, where progress is shown."""
        console = self.progress_console()
        if console is None:
            return nullcontext()
        return console.status(_text(f"{what} ..."), spinner="line")

    def line(self, text: str = "", style: str = "") -> None:
        """Say one line."""
        self._say(_text(text, style))

    def facts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Say some facts: a label each, and a text that is folded beside it."""
        from rich.padding import Padding
        from rich.table import Table

        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(min_width=_LABEL, no_wrap=True)
        grid.add_column(overflow="fold")
        for label, said in pairs:
            grid.add_row(_text(label, "dim"), _text(said))
        self._say(Padding(grid, (0, 0, 0, 2), expand=False))

    def entry(
        self,
        label: tuple[str, str],
        mark: tuple[str, str],
        lines: Iterable[tuple[str, str]],
    ) -> None:
        """Say an entry of a list: a label, a mark, and lines folded beside them.

        Each is a text and its style.
        """
        from rich.padding import Padding
        from rich.table import Table

        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(min_width=3, no_wrap=True)
        grid.add_column(min_width=4, no_wrap=True)
        grid.add_column(overflow="fold")
        first = (_text(*label), _text(*mark))
        for i, line in enumerate(lines):
            grid.add_row(*(first if i == 0 else ("", "")), _text(*line))
        self._say(Padding(grid, (0, 0, 0, 2), expand=False))

    def figures(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Say a table of numbers: names to the left, and the first number counts."""
        numbers: list[Side] = ["right"] * (len(header) - 1)
        sides: list[Side] = ["left", *numbers]
        self._table(header, rows, sides, ["", "bold", *[""] * (len(header) - 2)])

    def listing(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Say a table of texts, each folded in its column."""
        self._table(
            header, rows, list[Side](["left"]) * len(header), [""] * len(header)
        )

    def _table(
        self,
        header: Sequence[str],
        rows: Iterable[Sequence[str]],
        sides: Sequence[Side],
        styles: Sequence[str],
    ) -> None:
        from rich.padding import Padding
        from rich.table import Table

        grid = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="dim")
        for title, side, style in zip(header, sides, styles, strict=True):
            grid.add_column(_text(title), justify=side, style=style, overflow="fold")
        for row in rows:
            grid.add_row(*map(_text, row))
        self._say(Padding(grid, (0, 0, 0, 2), expand=False))

    def _say(self, what: "RenderableType") -> None:
        if self._quiet:
            return
        console = _console(self._stream)
        with console.capture() as said:
            console.print(what, markup=False, highlight=False, emoji=False)
        # a cell is filled up with blanks, which a pipe would have to carry
        lines = [line.rstrip() for line in said.get().splitlines()]
        write(self._stream, "".join(f"{line}\n" for line in lines))


def write(name: Stream, text: str) -> None:
    """Write words to a standard stream, and let a reader that has gone be gone.

    Raises
    ------
    OSError
        If the stream takes no more, for instance because a disk is full.
    """
    stream = getattr(sys, name)
    if stream is None:  # closed by the shell: ``>&-``
        return
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _silence(stream)


def write_bytes(data: bytes) -> None:
    """Write data to the standard output as they are, as `write` does words."""
    stream = sys.stdout
    if not isinstance(stream, io.TextIOWrapper):
        write("stdout", data.decode())
        return
    try:
        stream.flush()
        stream.buffer.write(data)
        stream.buffer.flush()
    except BrokenPipeError:
        _silence(stream)


def _silence(stream: TextIO) -> None:
    """Lead a stream to nowhere: Python flushes it once more as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def write_json(payload: Mapping[str, Any]) -> None:
    """Write the one line that a machine reads; what is not finite becomes null.

    Raises
    ------
    OSError
        As `write`.
    """
    write("stdout", json.dumps(finite(payload), allow_nan=False) + "\n")


def be_tolerant() -> None:
    """Let streams replace what their encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def finite(value: Any) -> Any:
    """Return data with None in place of every number that is not finite.

    Examples
    --------
    >>> finite({"a": [1.0, math.nan]})
    {'a': [1.0, None]}
    """
    if isinstance(value, Mapping):
        return {str(name): finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _console(name: Stream) -> "Console":
    """A console that writes to a standard stream, whatever that is just now."""
    from rich.console import Console

    stream = getattr(sys, name) or io.StringIO()
    console = Console(file=stream)
    if not console.is_terminal:
        console.width = _UNFOLDED
    return console


def _text(text: str, style: str = "") -> "Text":
    from rich.text import Text

    from weft.apps.report.words import SPACE, plain

    typed = plain(text).replace(SPACE, " ").replace("\N{MINUS SIGN}", "-")
    return Text(typed, style=style)
