"""What is said when a table cannot be used, and how near names are suggested."""

import difflib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from weft.graph.errors import WeftError


class TableError(WeftError, ValueError):
    """A table, or a question to a table, that weft cannot use."""


def did_you_mean(name: str, names: Iterable[str], most: int = 3) -> str:
    """Return a sentence that names what is nearest to `name`, or nothing.

    Parameters
    ----------
    name : str
        What was given.
    names : iterable of str
        What there is.
    most : int
        How many names to suggest at most.

    Returns
    -------
    str
        Empty, or a sentence that begins with a space.

    Examples
    --------
    >>> did_you_mean("incom", ["age", "income"])
    " Did you mean 'income'?"
    >>> did_you_mean("Age", ["age", "income"])
    " Did you mean 'age'?"
    >>> did_you_mean("zzz", ["age", "income"])
    ''
    """
    by_lower = {n.lower(): n for n in names}
    near = difflib.get_close_matches(name.lower(), by_lower, n=most, cutoff=0.6)
    if not near:
        return ""
    return f" Did you mean {' or '.join(repr(by_lower[n]) for n in near)}?"


def listing(items: Sequence[object], most: int = 5) -> str:
    """Return the first items in quotes, and how many more there are.

    Examples
    --------
    >>> listing(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    shown = ", ".join(repr(item) for item in items[:most])
    more = len(items) - most
    return f"{shown} and {more} more" if more > 0 else shown


def counted(number: int, noun: str) -> str:
    """Return the number with its noun, in the plural where that is due.

    Examples
    --------
    >>> counted(1, "row"), counted(1200, "row"), counted(2, "category")
    ('1 row', '1,200 rows', '2 categories')
    """
    if number == 1:
        return f"1 {noun}"
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {plural}"


def rows_named(rows: NDArray[np.intp], most: int = 5) -> str:
    """Return rows as a person counts them: from 1, the header aside.

    Examples
    --------
    >>> rows_named(np.array([0, 6]))
    'rows 1, 7'
    >>> rows_named(np.arange(9), most=3)
    'rows 1, 2, 3 and 6 more'
    """
    shown = ", ".join(f"{row + 1:,}" for row in rows[:most])
    more = len(rows) - most
    word = "row" if len(rows) == 1 else "rows"
    return f"{word} {shown} and {more:,} more" if more > 0 else f"{word} {shown}"
