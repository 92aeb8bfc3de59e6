"""Arrow columns become weft's columns.

Arrow is the common tongue: CSV and Parquet files are read by it, pandas and polars
frames pass through it. What is an integer, a float, a decimal or a duration becomes a
number; texts and dictionaries become categories; dates and times of day keep their
meaning. Lists, structs and raw bytes are refused by name.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.tables.column import Column, category_column, number_column
from weft.tables.errors import TableError


def column_from_arrow(name: str, array: Any) -> Column:
    """Make a column of an Arrow array.

    Parameters
    ----------
    name : str
    array : pyarrow.Array or pyarrow.ChunkedArray

    Returns
    -------
    Column

    Raises
    ------
    TableError
        If the type has no meaning here.

    Examples
    --------
    >>> import pyarrow as pa
    >>> column_from_arrow("n", pa.array([1, None, 3])).values
    array([ 1., nan,  3.])
    """
    import pyarrow as pa

    kind = array.type
    if pa.types.is_null(kind):
        return number_column(name, np.full(len(array), np.nan))
    if pa.types.is_boolean(kind):
        return _boolean(name, array)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _number(name, array)
    if pa.types.is_decimal(kind):
        return _number(name, array.cast(pa.float64()))
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _date(name, array)
    if pa.types.is_duration(kind) or pa.types.is_time(kind):
        return _seconds(name, array)
    if pa.types.is_dictionary(kind) or _is_text(kind):
        return _category(name, array)
    raise TableError(
        f"column {name!r} holds {kind}, which weft cannot use: "
        "it takes numbers, booleans, texts and dates"
    )


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    tests = (types.is_string, types.is_large_string, types.is_string_view)
    return any(test(kind) for test in tests)


def _gaps(array: Any) -> NDArray[np.bool_]:
    return _flat(array.is_null())


def _flat(array: Any) -> NDArray[Any]:
    """Return an Arrow array without nulls as a NumPy array."""
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        return np.asarray(array.to_numpy())
    return np.asarray(array.to_numpy(zero_copy_only=False))


def _boolean(name: str, array: Any) -> Column:
    missing = _gaps(array)
    return Column(name, "boolean", _flat(array.fill_null(False)), missing)


def _number(name: str, array: Any) -> Column:
    import pyarrow as pa

    if array.null_count:
        small = pa.types.is_float32(array.type) or pa.types.is_float16(array.type)
        array = array.cast(pa.float32() if small else pa.float64(), safe=False)
        array = array.fill_null(float("nan"))
    elif pa.types.is_float16(array.type):
        array = array.cast(pa.float32())
    return number_column(name, _flat(array))


def _date(name: str, array: Any) -> Column:
    import pyarrow as pa

    # A cast drops the zone and keeps the instant: times are in UTC from here on.
    instants = array.cast(pa.timestamp("us"), safe=False)
    missing = _gaps(instants)
    values = _flat(instants.cast(pa.int64()).fill_null(0)).astype("datetime64[us]")
    values[missing] = np.datetime64("NaT", "us")
    return Column(name, "date", values, missing)


def _seconds(name: str, array: Any) -> Column:
    """Return a duration, or a time of day, as a number of seconds."""
    import pyarrow as pa

    unit = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[array.type.unit]
    whole = pa.int32() if array.type.bit_width == 32 else pa.int64()
    ticks = array.cast(whole).cast(pa.float64()).fill_null(float("nan"))
    return number_column(name, _flat(ticks) / unit)


def _category(name: str, array: Any) -> Column:
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # several chunks if it is very large
        array = array.cast(pa.large_string()).combine_chunks()
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    levels = array.dictionary.to_pylist()
    if not all(isinstance(level, str | int | float | bool) for level in levels):
        levels = ["" if level is None else str(level) for level in levels]
    return category_column(name, codes, levels)
