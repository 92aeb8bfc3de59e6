"""What weft says when it is given something it cannot use.

One idea: a person's mistake is answered by one clear sentence that says what was
given, what was expected and how to mend it. Every such error derives from
`WeftError`, so that a command can tell a mistake (one line, exit code 2) from a
defect of its own (a traceback). Each also derives from the built-in exception a
Python programmer would look for.
"""


class WeftError(Exception):
    """Base of every error that a person can cause and mend.

    Attributes
    ----------
    bare : str
        The message without operands and place, where those were added.
    """

    bare: str = ""


class ShapeError(WeftError, ValueError):
    """Shapes that do not fit together, or a shape that cannot be known."""


class DTypeError(WeftError, TypeError):
    """A data type that weft does not have, or that an op does not take."""


class GraphError(WeftError, ValueError):
    """A graph that cannot be built, read or differentiated as asked."""


class FeedError(WeftError, ValueError):
    """Values given to a graph that are missing, unknown or do not fit."""


class DebugError(WeftError, ArithmeticError):
    """Numbers that went wrong in a program, and where they did first."""
