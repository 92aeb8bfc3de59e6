"""A path or a name becomes a table.

What a file is, its name says: Parquet, Arrow, NumPy and IDX files by their endings; any
other is text with separators. Each reader turns its file into the same `Table`.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from weft.tables.arrow import column_from_arrow
from weft.tables.builtin import BUILT_IN, OPENML, built_in, from_openml
from weft.tables.column import KINDS, Block, Column, Kind
from weft.tables.delimited import Reading, read_text
from weft.tables.errors import TableError, did_you_mean, listing
from weft.tables.frames import column_of
from weft.tables.idx import is_idx_name, read_idx
from weft.tables.schema import Schema
from weft.tables.table import Table

_ARROW = (".arrow", ".feather", ".ipc")
_UNREADABLE = {
    ".xlsx": "an Excel workbook",
    ".xls": "an Excel workbook",
    ".json": "JSON",
    ".jsonl": "JSON",
    ".zip": "an archive",
    ".pkl": "a pickle, which can run code",
    ".pickle": "a pickle, which can run code",
}


def read(
    source: str | Path,
    *,
    header: bool | None = None,
    columns: Sequence[str] = (),
    kinds: Mapping[str, Kind] | None = None,
) -> Table:
    """Read a table from a file, or take a built-in one.

    Parameters
    ----------
    source : str or Path
        A path that ends in .csv, .tsv, .txt or anything else that is text (also packed
        by gzip), .parquet, .arrow, .feather, .npz, .npy, or is called like an IDX
        file; or ``digits``, ``iris``, ``wine``, ``breast_cancer``, ``diabetes``,
        ``xor``; or ``openml:NAME``. A file in the folder goes before a name.
    header : bool, optional
        Of a text: whether its first row holds names. Found out if not said.
    columns : sequence of str
        Of a text: names for the columns, instead of those in the file.
    kinds : mapping of str to {"number", "boolean", "category", "date"}
        Of a text: what some columns are, instead of what they look like. ``category``
        keeps the digits of a postcode.

    Returns
    -------
    Table
        `Table.notes` tells what was decided on the way.

    Raises
    ------
    TableError
        If there is no such file or name, or its content is no table.

    Examples
    --------
    >>> read("digits")
    Table('digits': 1,797 rows, 65 columns)
    >>> read("digit")
    Traceback (most recent call last):
    weft.tables.errors.TableError: no file 'digit'. Did you mean 'digits'...
    """
    for name, kind in (kinds or {}).items():
        if kind not in KINDS:
            raise TableError(f"column {name!r} cannot be {kind!r}: say one of {KINDS}")
    reading = Reading(header, tuple(columns), kinds or {})
    return read_with(source, reading)


def read_with(source: str | Path, reading: Reading) -> Table:
    """Read a table as `read` does, with all that may be known beforehand."""
    path, name = Path(source), str(source)
    if not path.exists():
        if name in BUILT_IN:
            return built_in(name)
        if name.startswith(OPENML):
            return from_openml(name)
        raise TableError(f"no file {name!r}.{_near(path, name)}")
    if path.is_dir():
        inside = sorted(p.name for p in path.iterdir() if p.is_file())
        holds = f" It holds {listing(inside)}." if inside else ""
        raise TableError(f"{name} is a folder: name a file in it.{holds}")
    try:
        table = _read_file(path, name, reading)
    except OSError as error:
        raise TableError(f"{name} cannot be read: {error.strerror or error}") from error
    if table.rows == 0:
        raise TableError(f"{name} has no rows")
    return table


def read_like(
    source: str | Path,
    schema: Schema,
    *,
    header: bool | None = None,
    columns: Sequence[str] = (),
) -> Table:
    """Read a table to which a schema is to be applied.

    The schema settles what would otherwise be guessed: the kind of each column, in what
    order day and month stand, whether there is a header, and, if there is none, what
    the columns are called.

    Parameters
    ----------
    source : str or Path
        As for `read`.
    schema : Schema
    header, columns
        As for `read`.

    Returns
    -------
    Table

    Raises
    ------
    TableError
        Whatever `read` raises; also if a column should hold numbers and does not.
    """
    given = schema.given
    inputs = tuple(name for name in given if name != schema.target)
    known = (given, inputs, schema.columns)
    reading = Reading(header, tuple(columns), schema.kinds, known, schema.date_forms)
    return read_with(source, reading)


def _near(path: Path, name: str) -> str:
    """Return what could have been meant instead of a path that leads nowhere."""
    there = []
    if path.parent.is_dir():
        there = [str(path.with_name(p.name)) for p in path.parent.iterdir()]
    near = did_you_mean(name, [*there, *BUILT_IN])
    if near or path.parent.is_dir():
        return near or f" Built-in names are {', '.join(BUILT_IN)}."
    return f" There is no folder {str(path.parent)!r} either."


def _read_file(path: Path, name: str, reading: Reading) -> Table:
    suffix = path.suffix.lower()
    if suffix in _UNREADABLE:
        raise TableError(
            f"{name} is {_UNREADABLE[suffix]}, which weft does not read: "
            "save the table as CSV or Parquet"
        )
    if is_idx_name(path.name):
        return read_idx(path, name)
    if suffix == ".parquet" or suffix in _ARROW:
        return _read_arrow(path, name, suffix)
    if suffix in (".npz", ".npy"):
        return _read_numpy(path, name)
    return read_text(path.read_bytes(), name, reading)


def _read_arrow(path: Path, name: str, suffix: str) -> Table:
    import pyarrow as pa
    from pyarrow import parquet

    if path.stat().st_size == 0:
        raise TableError(f"{name} is empty")
    try:
        with path.open("rb") as file:
            frame = parquet.read_table(file) if suffix == ".parquet" else _ipc(file)
    except pa.ArrowException as error:
        raise TableError(
            f"{name} is no {'Parquet' if suffix == '.parquet' else 'Arrow'} file, "
            f"or a damaged one: {' '.join(str(error).split())}"
        ) from error
    pairs = list(zip(frame.column_names, frame.columns, strict=True))
    index = [title for title, _ in pairs if title.startswith("__index_level_")]
    columns = [column_from_arrow(t, array) for t, array in pairs if t not in index]
    notes = [f"the pandas index {title!r} is no column" for title in index]
    return Table(tuple(columns), name, tuple(notes))


def _ipc(file: Any) -> Any:
    """Read an Arrow file in either of its two forms."""
    import pyarrow as pa

    try:
        return pa.ipc.open_file(file).read_all()
    except pa.ArrowInvalid:
        file.seek(0)
        return pa.ipc.open_stream(file).read_all()


def _read_numpy(path: Path, name: str) -> Table:
    try:
        loaded = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        arrays = {"x": loaded} if path.suffix.lower() == ".npy" else dict(loaded)
    except (ValueError, EOFError, zipfile.BadZipFile, TypeError) as error:
        raise TableError(
            f"{name} is no NumPy file, a damaged one, or one with Python objects, "
            "which weft never loads"
        ) from error
    return table_of_arrays(arrays, name)


def table_of_arrays(arrays: Mapping[str, Any], source: str) -> Table:
    """Make a table of named arrays that have one row count.

    An array of one dimension is a column of its name; one of more is a block of columns
    ``X1``, ``X2``, ..., each row laid flat. A column called ``y``, ``target``,
    ``label`` or ``labels`` is the one to learn.

    Examples
    --------
    >>> table_of_arrays({"X": np.zeros((3, 2)), "y": np.arange(3)}, "t").names
    ('X1', 'X2', 'y')
    """
    shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    lengths = {array.shape[:1] for array in arrays.values()}
    if len(lengths) != 1 or () in lengths:
        raise TableError(
            f"the arrays in {source} are not rows of one table: {shapes or 'none'}. "
            "All need the same first dimension"
        )
    parts = [part for name, array in arrays.items() for part in _parts(name, array)]
    usual = [n for n in ("y", "target", "label", "labels") if n in arrays]
    target = usual[0] if usual and arrays[usual[0]].ndim == 1 else None
    return Table(tuple(parts), source, target=target)


def _parts(name: str, array: Any) -> list[Block | Column]:
    if array.ndim == 1:
        return [column_of(array, name)]
    flat = array.reshape(len(array), -1)
    names = tuple(f"{name}{index + 1}" for index in range(flat.shape[1]))
    if flat.dtype.kind in "iuf" and flat.dtype.itemsize <= 8:
        return [Block(names, flat, array.shape[1:])]
    return [column_of(flat[:, index], title) for index, title in enumerate(names)]
