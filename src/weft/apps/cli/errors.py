"""Mistakes on the command line, and how any mistake becomes one line.

The invariant: whatever a person got wrong is said in exactly one line on the standard
error stream, free of control characters, and the exit code is 2.
"""

import sys

from weft.graph.errors import WeftError

OK = 0
FAILED = 1  # what was asked to be checked does not hold
MISTAKE = 2
INTERRUPTED = 130  # what a shell reports of a program that Ctrl-C ended


class CommandError(WeftError, ValueError):
    """A command that cannot be carried out as given."""


def one_line(message: object) -> str:
    r"""Return a message as one line of printable text.

    Examples
    --------
    >>> one_line("no file\n 'a\x1b[2J'")
    "no file 'a�[2J'"
    """
    from weft.apps.report.words import plain  # a whole package, seldom needed

    return plain(" ".join(str(message).split()))


def mistake_line(error: Exception) -> str:
    """Return the line that is said of a person's mistake.

    Parameters
    ----------
    error : WeftError or OSError

    Examples
    --------
    >>> mistake_line(CommandError("say --target COLUMN"))
    'weft: say --target COLUMN'
    >>> mistake_line(FileNotFoundError(2, "No such file or directory", "a.csv"))
    'weft: a.csv: No such file or directory'
    """
    said: object = error
    if isinstance(error, OSError) and error.strerror:
        place = "" if error.filename is None else f"{error.filename}: "
        said = f"{place}{error.strerror}"
    return f"weft: {one_line(said)}"


def say_interrupted(what: str = "") -> int:
    """Say in one line that a person ended the command, and return its exit code."""
    from weft.apps.cli.terminal import write

    over = "\r" if sys.stderr is not None and sys.stderr.isatty() else ""  # over its ^C
    write("stderr", f"{over}weft: interrupted{what}\n")
    return INTERRUPTED
