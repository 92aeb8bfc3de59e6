"""The command line: ``weft fit``, ``predict``, ``evaluate``, ``describe``, ``bench``,
``verify``.

One idea: words become a *request*, plain data (`arguments`), and a request is carried
out (`fit`, `predict`, `evaluate`, `describe`, `bench`, `verify`). What is said passes
through `terminal`.

The invariants: a person's mistake is one line on the standard error stream and exit
code 2, never a traceback; a file is written whole or not at all; whatever can be found
wrong with a command is found before it works.
"""

import sys
from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """Carry out a command.

    Parameters
    ----------
    words : sequence of str, optional
        The command and its options; those that the program was started with, by
        default.

    Returns
    -------
    int
        The exit code: 0; 1 if a claim that was to be verified does not hold; 2 after a
        person's mistake; 130 if Ctrl-C ended it. A defect of weft itself is an
        exception, which Python ends with 1 as well.

    Examples
    --------
    >>> main(["--version"])
    weft 0.1.0
    0
    """
    from weft.apps.cli.errors import MISTAKE, OK, mistake_line, say_interrupted
    from weft.apps.cli.terminal import be_tolerant, write
    from weft.graph.errors import WeftError

    try:
        be_tolerant()
        from weft.apps.cli.arguments import parse

        request = parse(sys.argv[1:] if words is None else words)
        return OK if request is None else request.run()
    except MemoryError:
        write("stderr", "weft: the machine has too little memory for this\n")
        return MISTAKE
    except (WeftError, OSError) as error:
        write("stderr", mistake_line(error) + "\n")
        return MISTAKE
    except KeyboardInterrupt:
        return say_interrupted()
