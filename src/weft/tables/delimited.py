"""Text tables: comma, semicolon, tab, bar or blank between the fields.

Three steps. The bytes become text (`decoded`: packed, marked with a BOM, not UTF-8);
the first lines tell how the table is laid out (`weft.tables.sniff`); pyarrow parses all
of it, and what it leaves as text is looked at once more (`weft.tables.words`).
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weft.tables import words
from weft.tables.arrow import column_from_arrow
from weft.tables.column import Column, Kind
from weft.tables.errors import TableError, counted, listing
from weft.tables.sniff import (
    BLANK,
    NAMES,
    Layout,
    decimal_mark,
    has_header,
    header_names,
    layout_of,
)
from weft.tables.table import Table

_ZEROS_BEFORE = re.compile(r"0\d+")

_SAMPLE = 1 << 18  # characters by which the layout is judged

# What a binary file begins with, so that the message can say what it is.
_BINARY = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "a Parquet file (call it .parquet)",
    b"ARROW1": "an Arrow file (call it .arrow)",
    b"\x93NUMPY": "a NumPy array (call it .npy)",
    b"\x7fELF": "a program",
    b"\x00\x00\x08": "an IDX file (call it ...-ubyte)",
}


@dataclass(frozen=True)
class Reading:
    """How to read a text table, where that is known beforehand.

    Attributes
    ----------
    header : bool or None
        Whether the first row holds names; None finds it out.
    columns : tuple of str
        Names for the columns, instead of those in the file.
    kinds : mapping of str to str
        The kind of some columns.
    known : tuple of tuple of str
        Names that a table like this has had before: the first set of the right length
        names the columns of a file without a header.
    date_forms : mapping of str to str
        How the dates of some columns were written before.
    """

    header: bool | None = None
    columns: tuple[str, ...] = ()
    kinds: Mapping[str, Kind] | None = None
    known: tuple[tuple[str, ...], ...] = ()
    date_forms: Mapping[str, str] = field(default_factory=dict)


def read_text(data: bytes, source: str, reading: Reading | None = None) -> Table:
    r"""Read a text table from the bytes of a file.

    Parameters
    ----------
    data : bytes
        As they lie in the file, packed by gzip or not.
    source : str
        What to call it in messages.
    reading : Reading, optional
        What is known beforehand.

    Returns
    -------
    Table

    Raises
    ------
    TableError
        If it is empty, binary, has no rows, or its rows differ in length.

    Examples
    --------
    >>> table = read_text(b"a; b\n1,5; yes\n2,5; ?\n", "t.csv")
    >>> [column.labels() for column in table]
    [[1.5, 2.5], ['yes', None]]
    """
    reading = reading or Reading()
    data, notes = decoded(unpacked(data, source), source)
    sample = _sample(data)
    layout = layout_of(sample, source)
    names, body_at, more = _names(layout, reading, source)
    notes += more
    body = data[len(sample[:body_at].encode()) :]
    lines_before = len(io.StringIO(sample[:body_at]).readlines())
    if not body.strip():
        raise TableError(f"{source} has no rows: only a header is there")
    _refuse_open_quote(body, layout.separator, lines_before, source)
    separator, body = _regular(body, layout)
    try:
        frame = _parsed(body, names, separator, reading, decimal_mark(layout))
    except ValueError as error:  # an ArrowInvalid
        raise TableError(
            _ragged(body, separator, len(names), lines_before, source)
            or f"{source} cannot be read: {' '.join(str(error).split())}"
        ) from error
    columns, more = _columns(frame, names, reading, source)
    notes += more + _lost_zeros(layout, columns, reading)
    return Table(tuple(columns), source, tuple(notes))


def unpacked(data: bytes, source: str) -> bytes:
    """Return the bytes of a file that may be packed by gzip.

    Raises
    ------
    TableError
        If it is packed, and damaged or cut short.
    """
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(
            f"{source} is packed, and damaged or cut short: {error}"
        ) from error


def decoded(data: bytes, source: str) -> tuple[bytes, list[str]]:
    """Return text as UTF-8 without a byte order mark, and what was noticed.

    Raises
    ------
    TableError
        If the bytes are no text, or there are none.
    """
    if not data.removeprefix(b"\xef\xbb\xbf").strip():
        raise TableError(f"{source} is empty")
    for mark, code in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            try:
                return data.decode(code).encode(), []
            except UnicodeDecodeError as error:
                raise TableError(f"{source} is damaged UTF-16 text") from error
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\x00" in data[:65536]:
        what = [name for magic, name in _BINARY.items() if data.startswith(magic)]
        raise TableError(
            f"{source} is no text table: "
            + (
                f"it is {what[0]}"
                if what
                else "it holds zero bytes, as binary files do"
            )
        )
    try:
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        note = f"not UTF-8 (line {line}), so read as Latin-1"
        return data.decode("latin-1").encode(), [note]
    return data, []


def _sample(data: bytes) -> str:
    """Return the first whole lines."""
    if len(data) <= _SAMPLE:
        return data.decode()
    cut = max(data.rfind(b"\n", 0, _SAMPLE), data.rfind(b"\r", 0, _SAMPLE)) + 1
    return data[: cut or _SAMPLE].decode(errors="ignore")


def _names(
    layout: Layout, reading: Reading, source: str
) -> tuple[list[str], int, list[str]]:
    """Return the columns' names, where the rows begin, and what was noticed."""
    notes = []
    if layout.skipped:
        notes.append(
            f"skipped {counted(len(layout.skipped), 'line')} before the table: "
            f"{listing(layout.skipped, most=2)}"
        )
    expected = {name for names in reading.known for name in names}
    header = reading.header
    if header is None:
        header = has_header(layout, expected | set(reading.columns))
    if header:
        names, more = header_names(layout.first)
        body_at = layout.after
        notes += more
    else:
        names = [f"column{index + 1}" for index in range(layout.width)]
        body_at = layout.start
        known = [list(n) for n in reading.known if len(n) == layout.width]
        if known:
            names = known[0]
        if not reading.columns:
            notes.append(
                "no header was found: the columns are called "
                f"{names[0]!r} to {names[-1]!r}"
            )
    if reading.columns:
        if len(reading.columns) != layout.width:
            raise TableError(
                f"{counted(len(reading.columns), 'column name')} given, "
                f"but {source} has {counted(layout.width, 'column')}"
            )
        names = list(reading.columns)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TableError(
            f"{source} has more than one column called {listing(twice)}: "
            "give each column a name of its own"
        )
    return names, body_at, notes


def _columns(
    frame: Any, names: Sequence[str], reading: Reading, source: str
) -> tuple[list[Column], list[str]]:
    """Return the columns of an Arrow table, and what was noticed."""
    kinds = reading.kinds or {}
    columns, notes = [], []
    for name in names:
        column = column_from_arrow(name, frame.column(name))
        if column.kind == "category":
            column = words.tidy(name, column.values, [str(v) for v in column.levels])
            if kinds.get(name) != "category":
                column, note = words.understood(column, reading.date_forms.get(name))
                notes += [note] if note else []
        if name in kinds:
            _hold_to_kind(column, kinds[name], source)
        columns.append(column)
    return columns, notes


def _lost_zeros(
    layout: Layout, columns: Sequence[Column], reading: Reading
) -> list[str]:
    """Note numbers that may be codes: a postcode 01234 is not the number 1234."""
    cells = zip(*layout.body, strict=True)
    return [
        f"{column.name!r} was read as numbers: the zeros at their front, as in "
        f"{found!r}, are not kept"
        for column, below in zip(columns, cells, strict=False)
        if column.kind == "number" and column.name not in (reading.kinds or {})
        for found in [cell for cell in below if _ZEROS_BEFORE.fullmatch(cell)][:1]
    ]


def _hold_to_kind(column: Column, kind: Kind, source: str) -> None:
    """Refuse a column of texts where another kind was expected."""
    if column.kind != "category" or kind == "category" or column.empty:
        return
    fits = words.is_number if kind == "number" else (lambda text: False)
    odd = [level for level in column.levels if not fits(str(level))]
    raise TableError(
        f"column {column.name!r} of {source} should hold {_PLURAL[kind]}, "
        f"but holds {listing(odd or column.levels, most=3)}"
    )


_PLURAL = {"number": "numbers", "boolean": "true or false", "date": "dates"}


def _regular(body: bytes, layout: Layout) -> tuple[str, bytes]:
    """Return the rows in a form that pyarrow can part, and the separator."""
    separator = layout.separator
    if separator == BLANK:
        if b'"' in body:
            lines = [line.strip() for line in body.replace(b"\t", b" ").splitlines()]
            return ",", _rewritten(b"\n".join(lines), separator)
        return BLANK, b"\n".join(b" ".join(line.split()) for line in body.splitlines())
    # A quote behind a blank opens no field for pyarrow, though it should.
    if re.search(re.escape(separator.encode()) + rb' +"', body):
        return ",", _rewritten(body, separator)
    return separator, body


def _rewritten(body: bytes, separator: str) -> bytes:
    """Return the same rows as the plainest CSV."""
    out = io.StringIO()
    rows = csv.reader(
        io.StringIO(body.decode(), newline=""),
        delimiter=separator,
        skipinitialspace=True,
    )
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


def _parsed(
    body: bytes, names: list[str], separator: str, reading: Reading, decimal: str
) -> Any:
    """Return the rows as an Arrow table; texts stay texts."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    kinds = reading.kinds or {}
    as_text = [n for n in names if kinds.get(n) in ("category", "boolean")]
    gaps = [
        f"{a}{word}{b}" for word in words.MISSING for a in ("", " ") for b in ("", " ")
    ]
    return arrow_csv.read_csv(
        pa.BufferReader(body),
        read_options=arrow_csv.ReadOptions(column_names=names),
        parse_options=arrow_csv.ParseOptions(
            delimiter=separator, newlines_in_values=b'"' in body
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types={name: pa.string() for name in as_text},
            null_values=sorted(set(gaps)),
            strings_can_be_null=True,
            true_values=[],  # words are looked at later, with their spelling
            false_values=[],
            decimal_point=decimal,
        ),
    )


def _refuse_open_quote(
    body: bytes, separator: str, lines_before: int, source: str
) -> None:
    """Raise an error if a quote swallows all that comes after it."""
    if body.count(b'"') % 2 == 0:
        return
    end = "\x1e"  # a last row that only an open quote can hide
    lines = io.StringIO(f"{body.decode()}\n{end}", newline="")
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    start = following = 1
    try:
        for row in reader:
            if row == [end]:
                return
            start, following = following, reader.line_num + 1
    except csv.Error:  # one endless field
        start = following
    raise TableError(
        f"line {start + lines_before:,} of {source} opens a quote that is never closed"
    )


def _ragged(
    body: bytes, separator: str, width: int, lines_before: int, source: str
) -> str | None:
    """Return what is wrong with the first row of another length, if there is one."""
    lines = io.StringIO(body.decode(), newline="")
    reader = csv.reader(lines, delimiter=separator, strict=True)
    begins = lines_before + 1
    try:
        for row in reader:
            if row and len(row) != width:
                return (
                    f"line {begins:,} of {source} has "
                    f"{counted(len(row), 'field')} where {width} are expected "
                    f"(parted by {NAMES[separator]}): {listing(row, most=4)}"
                )
            begins = lines_before + reader.line_num + 1
    except csv.Error:
        return f"line {begins:,} of {source} has text behind a closing quote"
    return None
