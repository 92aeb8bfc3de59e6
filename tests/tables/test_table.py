"""Tables in memory: columns, blocks, and every kind of frame they are made of."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from weft.graph.errors import WeftError
from weft.tables import Block, Column, Table, TableError

DATA = {
    "whole": [1, 2, 3],
    "real": [1.5, None, float("nan")],
    "text": ["b", None, "a"],
    "flag": [True, False, None],
    "day": [datetime.date(2020, 1, 2), None, datetime.date(2020, 1, 3)],
    "moment": [datetime.datetime(2020, 1, 2, 3), None, datetime.datetime(2021, 1, 2)],
    "exact": [decimal.Decimal("1.5"), None, decimal.Decimal(2)],
    "span": [datetime.timedelta(seconds=3), None, datetime.timedelta(days=1)],
    "empty": [None, None, None],
}
EXPECTED = {
    "whole": ("number", [1, 2, 3]),
    "real": ("number", [1.5, None, None]),
    "text": ("category", ["b", None, "a"]),
    "flag": ("boolean", [True, False, None]),
    "day": (
        "date",
        [datetime.datetime(2020, 1, 2), None, datetime.datetime(2020, 1, 3)],
    ),
    "moment": ("date", DATA["moment"]),
    "exact": ("number", [1.5, None, 2.0]),
    "span": ("number", [3.0, None, 86400.0]),
    "empty": ("number", [None, None, None]),
}


@pytest.mark.parametrize(
    "make",
    [dict, pd.DataFrame, pl.DataFrame, lambda d: pl.LazyFrame(d), pa.table],
    ids=["dict", "pandas", "polars", "polars lazy", "arrow"],
)
def test_every_frame_gives_the_same_table(make) -> None:
    table = Table.from_frame(make(DATA))
    assert table.names == tuple(DATA)
    assert table.rows == 3
    for name, (kind, values) in EXPECTED.items():
        column = table.column(name)
        assert (column.kind, column.labels()) == (kind, values), name
        assert column.missing.tolist() == [value is None for value in values]


def test_integers_stay_integers_unless_some_are_missing() -> None:
    table = Table.from_frame(pd.DataFrame({"a": [1, 2], "b": [1, None]}))
    assert table.column("a").values.dtype == np.int64
    assert table.column("b").values.dtype == np.float64


def test_what_only_pandas_has() -> None:
    frame = pd.DataFrame(
        {
            "mixed": [1, "a", None],
            "ordered": pd.Categorical([3, 4, None]),
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "zoned": pd.to_datetime(["2020-01-02"] * 3).tz_localize("Europe/Berlin"),
            "huge": [2**70, 1, 2],
            7: [1, 2, 3],
        }
    )
    table = Table.from_frame(frame)
    assert table.column("mixed").labels() == ["1", "a", None]
    assert table.column("ordered").kind == "category"
    assert table.column("ordered").labels() == [3, 4, None]
    assert table.column("nullable").labels() == [1, None, 3]
    assert table.column("zoned").labels()[0] == datetime.datetime(2020, 1, 1, 23)
    assert table.column("huge").labels() == [2.0**70, 1, 2]
    assert table.column("7").labels() == [1, 2, 3]


def test_levels_do_not_depend_on_the_order_of_the_rows() -> None:
    values = ["b", "c", "a", None]
    for given in (values, pd.Series(values), pl.Series(values), pa.array(values)):
        column = Column.of(given, "x")
        assert column.levels == ("a", "b", "c")
        assert column.values.tolist() == [1, 2, 0, -1]


def test_a_series_brings_its_own_name() -> None:
    assert Column.of(pd.Series([1], name="age"), "x").name == "age"
    assert Column.of(pl.Series([1]), "x").name == "x"


@pytest.mark.parametrize(
    ("values", "kind", "labels"),
    [
        (np.array([True, False]), "boolean", [True, False]),
        (np.array(["x", "y"]), "category", ["x", "y"]),
        (np.array([1, 2], dtype=np.uint8), "number", [1, 2]),
        (np.array([1.5, np.nan], dtype=np.float16), "number", [1.5, None]),
        (np.array([[1], [2]]), "number", [1, 2]),
        (np.array(["x", None], dtype=object), "category", ["x", None]),
        (np.array([3, 4], dtype="m8[s]"), "number", [3.0, 4.0]),
        (np.array(["2020-01-01", "NaT"], dtype="M8[D]"), "date", None),
        (np.array(["x", "y"], dtype=np.dtypes.StringDType()), "category", ["x", "y"]),
    ],
)
def test_columns_of_arrays(values, kind: str, labels: list | None) -> None:
    column = Column.of(values)
    assert column.kind == kind
    if labels is not None:
        assert column.labels() == labels
    else:
        assert column.missing.tolist() == [False, True]


def test_an_array_is_one_block_of_its_own_type_without_a_copy() -> None:
    pixels = np.arange(60, dtype=np.uint8).reshape(5, 12)
    table = Table.from_frame(pixels)
    assert table.names[:2] == ("x1", "x2")
    assert len(table.parts) == 1
    assert np.shares_memory(table.matrix(table.names), pixels)
    assert table.column("x3").values.tolist() == pixels[:, 2].tolist()
    assert np.shares_memory(table.column("x3").values, pixels)


def test_an_array_of_mixed_objects_has_a_column_for_each() -> None:
    table = Table.from_frame(np.array([[1, "a"], [None, "b"]], dtype=object))
    assert [column.kind for column in table] == ["number", "category"]


def test_take_select_and_without() -> None:
    block = Block(("a", "b", "c"), np.arange(9, dtype=np.uint8).reshape(3, 3))
    table = Table((block, Column.of(["x", "y", "z"], "d")), "t", ("note",), "d")
    assert table.names == ("a", "b", "c", "d")
    part = table.take(np.array([2, 0])).select(["d", "c", "a"])
    assert part.names == ("d", "c", "a")
    assert part.column("d").labels() == ["z", "x"]
    assert part.matrix(["c", "a"]).tolist() == [[8, 6], [2, 0]]
    assert part.matrix(["a", "c"]).dtype == np.uint8
    rest = table.without(["b"])
    assert rest.names == ("a", "c", "d")
    assert (rest.source, rest.notes, rest.target) == ("t", ("note",), "d")
    assert rest.origin == table.names
    assert table.take(np.array([True, False, True])).rows == 2
    assert table.take(slice(1)).column("d").labels() == ["x"]
    assert np.shares_memory(table.select(["a", "b"]).matrix(["a", "b"]), block.values)


def test_a_matrix_takes_columns_of_any_part() -> None:
    table = Table.from_frame({"a": [1, 2], "b": [0.5, None], "c": ["x", "y"]})
    assert np.isnan(table.matrix(["a", "b"])[1, 1])
    with pytest.raises(TableError, match="'c' holds no numbers"):
        table.matrix(["a", "c"])


def test_counts_are_sorted_and_leave_out_what_is_missing() -> None:
    assert Column.of(["b", "a", "b", None]).counts == {"a": 1, "b": 2}
    assert Column.of([2, 1, 2]).counts == {1: 1, 2: 2}
    assert Column.of([True, None, True]).counts == {True: 2}
    # A level that no row has any more is no value.
    assert Column.of(["a", "b", "a"]).take(np.array([0, 2])).counts == {"a": 2}


def test_a_table_shows_itself_in_one_line() -> None:
    table = Table.from_frame({"a": [1, 2]}, "houses")
    assert repr(table) == "Table('houses': 2 rows, 1 column)"
    assert "a" in table
    assert "b" not in table


def test_an_unknown_column_is_answered_by_the_nearest() -> None:
    table = Table.from_frame({"median_income": [1], "age": [2]}, "houses.csv")
    with pytest.raises(TableError, match=r"no column 'median_incme' in houses\.csv\. "):
        table.column("median_incme")
    with pytest.raises(TableError, match="Did you mean 'median_income'"):
        table.select(["Median_Income"])
    with pytest.raises(TableError, match="It has 'median_income', 'age'"):
        table.without(["zzz"])


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "unique column names"),
        (pa.table([[1], [2]], names=["a", "a"]), "'a'"),
        (pd.Series([1]), "put it into a frame|is no table"),
        (3, "a int is no table"),
        (np.zeros(3), r"shape \(3,\)"),
        ({"a": [1], "b": [1, 2]}, "differ in length: 'a' 1, 'b' 2"),
        ({"a": [[1], [2]]}, "column 'a' holds list"),
        ({"a": np.zeros(2, complex)}, "column 'a' holds complex128"),
        ({"a": np.zeros((2, 2))}, r"'a' has shape \(2, 2\)"),
        ({"a": object()}, "column 'a' is a object"),
        (pl.DataFrame({"a": [[1]]}), "column 'a' holds large_list"),
    ],
    ids=range(11),
)
def test_what_is_no_table_is_refused_by_one_line(frame, said: str) -> None:
    with pytest.raises(TableError, match=said) as caught:
        Table.from_frame(frame)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, WeftError)
    assert isinstance(caught.value, ValueError)


def test_a_block_holds_numbers_with_a_name_each() -> None:
    with pytest.raises(TableError, match="2 names do not fit"):
        Block(("a", "b"), np.zeros((2, 3)))
    with pytest.raises(TableError, match="a block holds numbers"):
        Block(("a",), np.zeros((2, 1), dtype=bool))
