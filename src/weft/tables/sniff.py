"""How a text table is laid out: its separator, its header, where its rows begin.

The first lines are split at each separator in turn. The right one is that by which
most lines have the same number of fields, and at least two. Lines before the first of
that length are taken for comments if they are far shorter, and for a mistake if not.

The first row is a header if its cells are names: it stands as text over a column of
numbers or dates, or, where nothing is a number, none of its cells comes again below it.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from weft.tables.errors import TableError, counted
from weft.tables.words import is_missing, is_number

SEPARATORS = ("\t", ";", "|", ",")  # at equal evidence the first one wins
BLANK = " "
NAMES = {"\t": "tab", ";": "';'", "|": "'|'", ",": "','", BLANK: "blank"}

_COMMENT = ("#", "%", "|", "//")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T][\d:.]+Z?)?")


@dataclass(frozen=True)
class Layout:
    """How a text table is laid out.

    Attributes
    ----------
    separator : str
        One character; a blank stands for any run of blanks and tabs.
    width : int
        Fields per row.
    first : tuple of str
        The cells of the first row that has this width.
    body : tuple of tuple of str
        The cells of some rows after it.
    start, after : int
        The number of characters before the first row, and before the row after it.
    skipped : tuple of str
        The lines before the first row.
    """

    separator: str
    width: int
    first: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]
    start: int
    after: int
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class _Record:
    """One row of the sample, and the line on which it ends (counted from 1)."""

    cells: tuple[str, ...]
    last_line: int


def layout_of(sample: str, source: str) -> Layout:
    r"""Find out how a text table is laid out.

    Parameters
    ----------
    sample : str
        The first lines of the table, whole ones.
    source : str
        What to call it in messages.

    Returns
    -------
    Layout

    Raises
    ------
    TableError
        If nothing is there, or the first rows differ in length.

    Examples
    --------
    >>> layout = layout_of("a;b\n1,5;2\n2,5;3\n", "t.csv")
    >>> layout.separator, layout.width, layout.first
    (';', 2, ('a', 'b'))
    """
    lines = list(io.StringIO(sample, newline=""))
    if not any(line.strip() for line in lines):
        raise TableError(f"{source} has no rows: there are only blank lines in it")
    best, records, separator, width = 0.0, _one_column(lines), ",", 1
    for candidate in SEPARATORS:
        parted = _records(lines, candidate)
        fields, agreement = _agreed(parted)
        if fields >= 2 and agreement >= 0.5 and agreement > best:
            best, records, separator, width = agreement, parted, candidate, fields
    if not best:  # blanks part words, too: only where nothing else parts fields
        parted = _records(lines, BLANK)
        fields, agreement = _agreed(parted)
        rows = [r for r in parted if not r.cells[0].startswith(_COMMENT)]
        # "New York" is one field: no row may disagree, and a header least of all.
        if fields >= 2 and agreement >= 0.9 and rows and len(rows[0].cells) == fields:
            records, separator, width = parted, BLANK, fields
    return _found(lines, separator, records, width, source)


def _agreed(records: Sequence[_Record]) -> tuple[int, float]:
    """Return the most frequent number of fields, and the share of rows that have it."""
    widths = Counter(len(record.cells) for record in records)
    width, often = max(widths.items(), key=lambda pair: (pair[1], pair[0]))
    return width, often / len(records)


def _one_column(lines: Sequence[str]) -> list[_Record]:
    return [
        _Record((line.strip().strip('"'),), number)
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]


def _records(lines: Sequence[str], separator: str) -> list[_Record]:
    if separator == BLANK:
        lines = [line.replace("\t", BLANK).strip() + "\n" for line in lines]
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    nothing = [_Record(("",), len(lines))]
    try:
        records = [
            _Record(tuple(cell.strip() for cell in row), reader.line_num)
            for row in reader
            if any(cell.strip() for cell in row) or len(row) > 1
        ]
    except csv.Error:  # one endless field, behind a stray quote
        return nothing
    return records or nothing


def _found(
    lines: Sequence[str],
    separator: str,
    records: Sequence[_Record],
    width: int,
    source: str,
) -> Layout:
    first = next(i for i, record in enumerate(records) if len(record.cells) == width)
    for record in records[:first]:
        fields = len(record.cells)
        if fields > width / 2 and not record.cells[0].startswith(_COMMENT):
            raise TableError(
                f"line {record.last_line} of {source} has {counted(fields, 'field')} "
                f"and the rows after it have {width} (parted by {NAMES[separator]}): "
                "each row needs the same number"
            )
    before = records[first - 1].last_line if first else 0
    return Layout(
        separator=separator,
        width=width,
        first=records[first].cells,
        body=tuple(r.cells for r in records[first + 1 :] if len(r.cells) == width),
        start=sum(map(len, lines[:before])),
        after=sum(map(len, lines[: records[first].last_line])),
        skipped=tuple(line.strip() for line in lines[:before] if line.strip()),
    )


def has_header(layout: Layout, expected: Collection[str] = ()) -> bool:
    r"""Tell whether the first row holds the names of the columns.

    Parameters
    ----------
    layout : Layout
    expected : collection of str
        Names of which at least one stands in a header, where they are known.

    Examples
    --------
    >>> has_header(layout_of("a,b\n1,x\n2,y\n", "t"))
    True
    >>> has_header(layout_of("3,x\n1,x\n2,y\n", "t"))
    False
    """
    if any(cell in expected for cell in layout.first):
        return True
    columns = list(zip(*layout.body, strict=True)) or [()] * layout.width
    pairs = list(zip(layout.first, columns, strict=True))
    if any(_stands_over(cell, below) for cell, below in pairs):
        return True
    if any(is_number(cell) or _DATE.fullmatch(cell) for cell in layout.first):
        return False
    if any(cell and cell in below for cell, below in pairs):
        return False
    named = [cell for cell in layout.first if not is_missing(cell)]
    return len(named) == layout.width and len(set(named)) == layout.width


def _stands_over(cell: str, below: Sequence[str]) -> bool:
    """Tell whether a word stands over numbers or dates alone."""
    if is_missing(cell) or is_number(cell) or _DATE.fullmatch(cell):
        return False
    values = [value for value in below if not is_missing(value)]
    return bool(values) and all(is_number(v) or _DATE.fullmatch(v) for v in values)


def decimal_mark(layout: Layout) -> str:
    r"""Return the mark before a number's decimals: a comma where the cells show it.

    Examples
    --------
    >>> decimal_mark(layout_of("a;b\n1,5;2\n2,5;3\n", "t"))
    ','
    """
    if layout.separator == ",":
        return "."
    numbers = [cell for row in layout.body for cell in row if is_number(cell)]
    commas = any("," in cell for cell in numbers)
    return "," if commas and not any("." in cell for cell in numbers) else "."


def header_names(cells: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return names for all columns, and a note on those that had none.

    Examples
    --------
    >>> names, notes = header_names(["", "b"])
    >>> names, len(notes)
    (['unnamed1', 'b'], 1)
    """
    names = list(cells)
    names[0] = names[0].lstrip("# ")
    notes = []
    for index, name in enumerate(names):
        if not name:
            names[index] = f"unnamed{index + 1}"
            notes.append(
                f"the header has no name for column {index + 1}: "
                f"it is called {names[index]!r}"
            )
    return names, notes
