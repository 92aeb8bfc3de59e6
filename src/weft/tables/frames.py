"""Tables that are in memory already: frames, dicts of columns, arrays.

pandas, polars and Arrow all pass through narwhals, so that none of them is needed and
each is taken as it is. Their types are believed: a column of texts stays text, whatever
its texts look like.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.tables.arrow import column_from_arrow
from weft.tables.column import Block, Column, category_column, number_column
from weft.tables.errors import TableError
from weft.tables.table import Table


def table_of(frame: Any, source: str = "the table") -> Table:
    """Make a table of a frame, a dict of columns or an array (`Table.from_frame`)."""
    if isinstance(frame, Table):
        return frame
    if isinstance(frame, Mapping):
        parts = tuple(column_of(v, str(n)).renamed(str(n)) for n, v in frame.items())
        return Table(parts, source)
    if isinstance(frame, np.ndarray | list | tuple):
        return _from_array(np.asarray(frame), source)
    return _from_native(frame, source)


def column_of(values: Any, name: str = "value") -> Column:
    """Make a column of an array, a sequence or a series (`Column.of`)."""
    if isinstance(values, Column):
        return values
    if isinstance(values, list | tuple | range):
        # As objects first: NumPy would turn [1, "a"] into two texts.
        objects = np.fromiter(values, dtype=object, count=len(values))
        return _from_objects(objects, name)
    if isinstance(values, np.ndarray):
        return _from_vector(values, name)
    return _from_series(values, name)


def _from_vector(values: NDArray[Any], name: str) -> Column:
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise TableError(
            f"column {name!r} has shape {values.shape}; one value per row is needed"
        )
    match values.dtype.kind:
        case "b":
            return Column(name, "boolean", values, np.zeros(len(values), dtype=bool))
        case "i" | "u":
            return number_column(name, values)
        case "f":
            wide = np.float32 if values.dtype.itemsize <= 4 else np.float64
            return number_column(name, values.astype(wide, copy=False))
        case "M":
            dates = values.astype("datetime64[us]")
            return Column(name, "date", dates, np.isnat(dates))
        case "m":
            return number_column(name, values / np.timedelta64(1, "s"))
        case "U":
            levels, codes = np.unique(values, return_inverse=True)
            return category_column(name, codes, levels.tolist())
        case "T" | "O":
            return _from_objects(values.astype(object), name)
    raise TableError(
        f"column {name!r} holds {values.dtype}, which weft cannot use: "
        "it takes numbers, booleans, texts and dates"
    )


def _from_objects(values: NDArray[Any], name: str) -> Column:
    """Make a column of Python objects; a mixture of kinds becomes text."""
    import pyarrow as pa

    try:
        array = pa.array(values, from_pandas=True)
    except OverflowError:  # integers beyond 64 bits
        floats = [float(v) if isinstance(v, int) else v for v in values]
        array = pa.array(floats, from_pandas=True)
    except pa.ArrowException:
        array = pa.array([_text_or_none(value) for value in values.tolist()])
    return _sorted_levels(column_from_arrow(name, array))


def _text_or_none(value: Any) -> str | None:
    import pyarrow as pa

    try:
        gone = pa.array([value], from_pandas=True).null_count == 1
    except (pa.ArrowException, OverflowError):
        gone = False
    return None if gone else str(value)


def _sorted_levels(column: Column) -> Column:
    """Return a category column whose levels do not depend on the order of the rows."""
    if column.kind != "category":
        return column
    order = sorted(range(len(column.levels)), key=lambda i: str(column.levels[i]))
    place = np.empty(len(order) + 1, dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    place[-1] = -1
    levels = [column.levels[i] for i in order]
    return category_column(column.name, place[column.values], levels)


def _from_array(values: NDArray[Any], source: str) -> Table:
    if values.ndim != 2:
        raise TableError(
            f"{source} is an array of shape {values.shape}; "
            "a table has two dimensions, rows and columns"
        )
    names = tuple(f"x{index + 1}" for index in range(values.shape[1]))
    if values.dtype.kind in "iuf" and values.dtype.itemsize <= 8:
        return Table((Block(names, values),), source)
    columns = [_from_vector(values[:, i], name) for i, name in enumerate(names)]
    return Table(tuple(columns), source)


def _from_native(frame: Any, source: str) -> Table:
    import narwhals as nw

    try:
        native = nw.from_native(frame)
    except TypeError as error:
        raise TableError(
            f"a {type(frame).__name__} is no table: give a pandas, polars or Arrow "
            "table, a dict of columns, or a 2-D array"
        ) from error
    except nw.exceptions.NarwhalsError as error:  # two columns of one name
        said = " ".join(str(error).split())
        raise TableError(f"{source} cannot be read: {said}") from error
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    if not isinstance(native, nw.DataFrame):
        raise TableError(
            f"a {type(frame).__name__} is one column, no table: put it into a frame"
        )
    columns = [column_of(series.to_native(), series.name) for series in _series(native)]
    return Table(
        tuple(c.renamed(str(n)) for c, n in zip(columns, native.columns, strict=True)),
        source,
    )


def _series(frame: Any) -> list[Any]:
    return [frame[:, index] for index in range(frame.shape[1])]


def _from_series(values: Any, name: str) -> Column:
    import narwhals as nw
    import pyarrow as pa

    if isinstance(values, pa.Array):
        values = pa.chunked_array([values])
    try:
        series = nw.from_native(values, series_only=True)
    except TypeError as error:
        raise TableError(
            f"column {name!r} is a {type(values).__name__}: give an array, a list or "
            "a pandas, polars or Arrow series"
        ) from error
    title = name if series.name in (None, "") else str(series.name)
    try:
        column = column_from_arrow(title, series.to_arrow())
    except (pa.ArrowException, OverflowError):
        return _from_objects(np.array(series.to_list(), dtype=object), title)
    return _sorted_levels(column)
