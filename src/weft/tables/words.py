"""What the cells of a text file mean: missing, false and true, dates, numbers.

Only distinct texts are looked at, once each: a column is handed over as codes into its
levels. Nothing is guessed from part of a column: it holds booleans or dates if every
level says so, and stays text otherwise.
"""

import datetime
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weft.tables.column import Column, Label, category_column, number_column
from weft.tables.errors import listing

MISSING = frozenset(
    ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "None", "?")
)
FALSE = frozenset(("false", "no"))
TRUE = frozenset(("true", "yes"))

NUMBER = re.compile(
    r"[+-]?((\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?|inf|infinity)", re.IGNORECASE
)
THOUSANDS = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d*)?")
_OPPOSITE = {"yes": "no", "no": "yes", "true": "false", "false": "true"}

# Each is tried on a whole column, in this order; the first that fits all of it counts.
DATE_FORMS = (
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m-%d-%Y",
    "%d-%m-%Y",
    "%d %b %Y",
    "%d %B %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%B %d, %Y",
)


def is_number(text: str) -> bool:
    """Tell whether a cell looks like a number, with a point or a comma.

    Examples
    --------
    >>> [is_number(t) for t in ("1", "-2.5e3", ".5", "1,5", "x1", "2020-01-02")]
    [True, True, True, True, False, False]
    """
    return NUMBER.fullmatch(text.strip()) is not None


def is_missing(text: str) -> bool:
    """Tell whether a cell says that there is no value."""
    return text.strip() in MISSING


def tidy(name: str, codes: NDArray[np.int32], levels: Sequence[str]) -> Column:
    """Return a text column without blanks around its values and without words for gaps.

    Parameters
    ----------
    name : str
    codes : ndarray of int32, shape (rows,)
        -1 where missing.
    levels : sequence of str

    Examples
    --------
    >>> tidy("a", np.array([0, 1, 2], dtype=np.int32), [" x", "x", "?"]).labels()
    ['x', 'x', None]
    """
    stripped = [level.strip() for level in levels]
    kept = sorted(set(stripped) - MISSING)
    position = {level: index for index, level in enumerate(kept)}
    # One more entry at the end, which is what code -1 finds.
    moved = np.array([position.get(s, -1) for s in stripped] + [-1], dtype=np.int32)
    return category_column(name, moved[codes], kept)


def understood(column: Column, form: str | None = None) -> tuple[Column, str | None]:
    """Return a text column as booleans, numbers or dates if all of it reads so.

    Parameters
    ----------
    column : Column
    form : str, optional
        How dates in this column were written before.

    Returns
    -------
    column : Column
        The column given if it stays text.
    note : str or None
        What had to be decided.

    Examples
    --------
    >>> column, _ = understood(Column.of(["yes", "no", None]))
    >>> column.kind, column.levels
    ('boolean', ('no', 'yes'))
    >>> understood(Column.of(["31.12.1999", "1.1.2000"]))[0].kind
    'date'
    """
    boolean = as_boolean(column)
    if boolean is not None:
        return boolean, None
    return (
        as_thousands(column) or as_date(column, form) or (column, _near_numbers(column))
    )


def _near_numbers(column: Column) -> str | None:
    """Return a note if a few texts alone keep a column from being numbers."""
    texts = [str(level) for level in column.levels]
    odd = [text for text in texts if not is_number(text)]
    if 2 * len(odd) >= len(texts):
        return None
    if not odd:
        example = next(text for text in texts if "," in text)
        return (
            f"{column.name!r} stays text: the comma in some numbers, as in {example!r}"
        )
    return (
        f"{column.name!r} stays text: {len(texts) - len(odd):,} of its "
        f"{len(texts):,} values are numbers, but {listing(odd, most=3)} "
        f"{'is' if len(odd) == 1 else 'are'} none"
    )


def as_boolean(column: Column) -> Column | None:
    """Return a text column as booleans, or None if it holds other words."""
    words = [label_word(level) for level in column.levels]
    if not words or not all(word in TRUE or word in FALSE for word in words):
        return None
    table = np.array([word in TRUE for word in words] + [False])
    spellings = _two_spellings(column.levels)
    values = table[column.values]
    return Column(column.name, "boolean", values, column.missing, spellings)


def label_word(level: Label) -> str:
    """Return a level in the form in which words are looked up."""
    return str(level).lower()


def _two_spellings(levels: tuple[Label, ...]) -> tuple[Label, ...]:
    """Return how false and true are spelt, or nothing if there are several ways."""
    false = [level for level in levels if label_word(level) in FALSE]
    true = [level for level in levels if label_word(level) in TRUE]
    if len(false) > 1 or len(true) > 1:
        return ()
    return (
        false[0] if false else _OPPOSITE[label_word(true[0])],
        true[0] if true else _OPPOSITE[label_word(false[0])],
    )


def as_thousands(column: Column) -> tuple[Column, str | None] | None:
    """Return texts such as ``1,234.5`` and ``+1e5`` as numbers, or None."""
    texts = [str(level) for level in column.levels]
    if not texts or not all(
        THOUSANDS.fullmatch(text) or ("," not in text and is_number(text))
        for text in texts
    ):
        return None
    numbers = [float(text.replace(",", "")) for text in texts]
    values = np.array([*numbers, np.nan])[column.values]
    note = f"the commas in {column.name!r} were read as marks between thousands"
    parted = any("," in text for text in texts)
    return number_column(column.name, values), note if parted else None


def as_date(
    column: Column, known: str | None = None
) -> tuple[Column, str | None] | None:
    """Return a text column as dates, or None if it does not hold dates of one form.

    A form known from before goes first: what was day/month must not turn into
    month/day because every day of a later table happens to be below 13.
    """
    texts = [str(level) for level in column.levels]
    # Every form has a digit and two marks between its parts: most texts fail here.
    if not texts or not all(len(t) >= 8 and t[-1:].isalnum() for t in texts):
        return None
    if not any(c.isdigit() for c in texts[0]):
        return None
    for form in (known, *DATE_FORMS) if known else DATE_FORMS:
        dates = _dates(texts, form)
        if dates is not None:
            note = _ambiguity(column.name, texts, form, known)
            dates = np.append(dates, np.datetime64("NaT", "us"))[column.values]
            return Column(column.name, "date", dates, column.missing, (form,)), note
    return None


def _dates(texts: Sequence[str], form: str) -> NDArray[np.datetime64] | None:
    found = []
    for text in texts:
        try:
            found.append(datetime.datetime.strptime(text, form))
        except ValueError:
            return None
    return np.array(found, dtype="datetime64[us]")


def _ambiguity(
    name: str, texts: Sequence[str], form: str, known: str | None
) -> str | None:
    """Return a note if the day and the month could have been taken for each other."""
    if known:
        other = f"the dates in {name!r} are read as {form}, those learnt were {known}"
        return None if form == known else other
    if not form.startswith(("%m/%d", "%m-%d")):
        return None
    other = form.replace("%m", "%?").replace("%d", "%m").replace("%?", "%d")
    if _dates(texts, other) is None:
        return None
    return (
        f"the dates in {name!r} could be month/day or day/month; "
        "they were read as month/day"
    )
