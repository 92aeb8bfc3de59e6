"""What cells mean where that is not plain, and that it is said."""

import datetime
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from weft.tables import Column, Schema, Table, TableError, read, read_like
from weft.tables.delimited import Reading, read_text
from weft.tables.target import ClassTarget

KINDS = Reading(kinds={"zip": "category"})
DAY_FIRST = "day,n\n13/02/2020,1\n02/03/2020,2\n05/04/2021,3\n"


def parsed(text: str) -> Table:
    """Return the table that a text holds."""
    return read_text(text.encode(), "t.csv")


def test_day_and_month_stand_later_as_they_stood_first(tmp_path: Path) -> None:
    """Every day below 13: alone, these dates would be read as month/day."""
    first, later = tmp_path / "first.csv", tmp_path / "later.csv"
    first.write_text(DAY_FIRST)
    later.write_text("day,n\n02/03/2020,2\n05/04/2021,3\n")
    fitted = Schema.fit(read(first))
    schema = Schema.from_json(json.loads(json.dumps(fitted.to_json())))
    table = read_like(later, schema)
    assert table.column("day").labels() == [
        datetime.datetime(2020, 3, 2),
        datetime.datetime(2021, 4, 5),
    ]
    assert table.notes == ()
    np.testing.assert_array_equal(schema.encode(table), schema.encode(read(first))[1:])


def test_dates_in_a_frame_stand_as_they_stood_in_the_file() -> None:
    table = parsed(DAY_FIRST)
    frame = pd.DataFrame({"day": ["02/03/2020", "05/04/2021"], "n": [2, 3]})
    schema = Schema.fit(table)
    np.testing.assert_array_equal(
        schema.encode(Table.from_frame(frame)), schema.encode(table)[1:]
    )


def test_dates_in_another_form_than_before_are_noted(tmp_path: Path) -> None:
    schema = Schema.fit(parsed(DAY_FIRST))
    later = tmp_path / "later.csv"
    later.write_text("day,n\n12/31/2020,2\n05/04/2021,3\n")
    table = read_like(later, schema)
    assert table.column("day").labels()[0] == datetime.datetime(2020, 12, 31)
    assert table.notes == (
        "the dates in 'day' are read as %m/%d/%Y, those learnt were %d/%m/%Y",
    )


def test_dates_where_classes_are_expected_are_refused() -> None:
    target = ClassTarget.fit(Column.of(["a", "b", "a"], "day"))
    with pytest.raises(TableError, match="the classes learnt are 'a', 'b'"):
        target.encode(parsed(DAY_FIRST).column("day"))


def test_zeros_before_a_number_are_noted_as_lost() -> None:
    table = parsed("zip,n\n12345,0.5\n01234,0\n")
    assert table.column("zip").labels() == [12345, 1234]
    assert table.notes == (
        "'zip' was read as numbers: the zeros at their front, as in '01234', are not "
        "kept",
    )
    kept = read_text(b"zip,n\n12345,0.5\n01234,0\n", "t", KINDS)
    assert kept.column("zip").labels() == ["12345", "01234"]
    assert kept.notes == ()


def test_a_few_texts_among_numbers_are_named() -> None:
    table = parsed("a,n\n1,1\n2.5,2\n3,3\nunknown,4\n")
    assert table.column("a").kind == "category"
    assert table.notes == (
        "'a' stays text: 3 of its 4 values are numbers, but 'unknown' is none",
    )
    assert parsed("a,n\n1,1\nx,2\ny,3\n").notes == ()


def test_two_decimal_marks_in_one_table_are_noted() -> None:
    table = parsed("a;n\n1,5;1.5\n2,5;2.5\n")
    assert table.column("a").kind == "category"
    assert table.notes == ("'a' stays text: the comma in some numbers, as in '1,5'",)


def test_a_sign_before_numbers_is_no_mark_between_thousands() -> None:
    table = parsed("a,n\n+1e5,1\n+2,2\n")
    assert table.column("a").labels() == [1e5, 2.0]
    assert table.notes == ()


@pytest.mark.parametrize("token", ["n/a", "#N/A", "<NA>"])
def test_what_spreadsheets_and_frames_write_for_gaps(token: str) -> None:
    column = parsed(f"a,n\n1,1\n{token},2\n3,3\n").column("a")
    assert (column.kind, column.labels()) == ("number", [1.0, None, 3.0])
