"""Where a node came from: the user's own line, kept beside the graph.

The origin of a node is not part of it: it lives in a weak side table, so that equal
expressions written on two lines are still the same node (the first creator wins). A
node that weft derives from another one, while differentiating for instance, points to
the line of its cause.
"""

import linecache
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final
from weakref import WeakKeyDictionary

_PACKAGE = str(Path(__file__).parents[1]) + os.sep


@final
@dataclass(frozen=True, slots=True)
class Origin:
    """A place in a user's program.

    Parameters
    ----------
    filename : str
    line : int
    function : str
        The function that the line stands in.
    derived_from : str
        The name of the op that this node was derived from, or empty.
    """

    filename: str
    line: int
    function: str
    derived_from: str = ""

    def __str__(self) -> str:
        text = linecache.getline(self.filename, self.line).strip()
        place = f"{self.filename}:{self.line}" + (f": {text}" if text else "")
        if self.derived_from:
            return f"{place} (derived from {self.derived_from})"
        return place


_origins: WeakKeyDictionary[object, Origin] = WeakKeyDictionary()
_cause: ContextVar[Origin | None] = ContextVar("cause", default=None)


def here() -> Origin | None:
    """Return the innermost line outside of weft, or the cause in force."""
    cause = _cause.get()
    if cause is not None:
        return cause
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(_PACKAGE):
        if frame.f_back is None:
            return None
        frame = frame.f_back
    code = frame.f_code
    return Origin(code.co_filename, frame.f_lineno, code.co_name)


def remember(node: object) -> None:
    """Note where `node` was made, unless that is known already."""
    if node not in _origins:
        origin = here()
        if origin is not None:
            _origins[node] = origin


def origin_of(node: object) -> Origin | None:
    """Return where `node` was made, or None if nobody knows.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ())
    >>> origin_of(weft.exp(x)).function
    '<module>'
    """
    return _origins.get(node)


@contextmanager
def derived_from(node: object, name: str) -> Iterator[None]:
    """Within this context, new nodes point to the line that made `node`."""
    origin = _origins.get(node)
    token = _cause.set(replace(origin, derived_from=name) if origin else _cause.get())
    try:
        yield
    finally:
        _cause.reset(token)


def place() -> str:
    """Return `` (at FILE:LINE: TEXT)`` for an error message, or nothing."""
    origin = here()
    return f" (at {origin})" if origin else ""
