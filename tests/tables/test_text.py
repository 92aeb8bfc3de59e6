"""Text tables: found out as a person would, or refused by one clear line."""

import datetime
import gzip
from pathlib import Path

import numpy as np
import pytest

from weft.tables import Schema, Table, TableError, read, read_like
from weft.tables.delimited import read_text


def parsed(text: str | bytes) -> Table:
    data = text.encode() if isinstance(text, str) else text
    return read_text(data, "t.csv")


def contents(table: Table) -> dict[str, list]:
    return {column.name: column.labels() for column in table}


AB = {"a": [1, 2], "b": ["x", "y"]}


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,x\n2,y\n",
        "a;b\n1;x\n2;y\n",
        "a\tb\n1\tx\n2\ty\n",
        "a|b\n1|x\n2|y\n",
        "a b\n1 x\n2 y\n",
        "a    b\n 1  \t x\n2 y  \n",
        "a, b\n1, x\n2, y\n",
        "a , b\n1 , x\n2 , y\n",
        "a,b\r\n1,x\r\n2,y\r\n",
        "a,b\r1,x\r2,y\r",
        "\n\na,b\n1,x\n\n2,y\n\n\n",
        "a,b\n1,x\n2,y",
        "\ufeffa,b\n1,x\n2,y\n",
        '"a","b"\n"1","x"\n"2","y"\n',
        '"a" "b"\n1 "x"\n2  "y"\n',
        '"a"; "b"\n"1"; "x"\n"2"; "y"\n',
        "# a,b\n1,x\n2,y\n",
    ],
    ids=repr,
)
def test_one_table_however_it_is_written(text: str) -> None:
    table = parsed(text)
    assert contents(table) == AB
    assert table.notes == ()


@pytest.mark.parametrize("code", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_unicode_in_any_of_its_forms(code: str) -> None:
    text = "a,b\n1,é\n2,日本\n"
    if code == "utf-16-le":
        text = "\ufeff" + text
    assert contents(parsed(text.encode(code))) == {"a": [1, 2], "b": ["é", "日本"]}


def test_what_is_not_utf8_is_read_as_latin1_with_a_note() -> None:
    table = parsed("a,b\n1,x\n2,é\n".encode("latin-1"))
    assert contents(table)["b"] == ["x", "é"]
    assert table.notes == ("not UTF-8 (line 3), so read as Latin-1",)


def test_packed_files(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,x\n2,y\n"))
    assert contents(read(path)) == AB


def test_quotes_protect_separators_quotes_and_line_ends() -> None:
    text = 'a,b\n1,"x, ""y""\nz"\n2,"\'"\n'
    assert contents(parsed(text)) == {"a": [1, 2], "b": ['x, "y"\nz', "'"]}


def test_blanks_before_a_quote_do_not_undo_it() -> None:
    text = 'a, b\n1, "x, y"\n2, "z"\n'
    assert contents(parsed(text)) == {"a": [1, 2], "b": ["x, y", "z"]}


def test_all_words_for_a_gap() -> None:
    tokens = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"]
    rows = "".join(f"{token}, {token} ,{token}\n" for token in tokens)
    table = parsed(f"n,t,d\n1,x,2020-01-01\n{rows}")
    for column in table:
        assert column.missing.tolist() == [False] + [True] * len(tokens)
    kinds = [column.kind for column in table]
    assert kinds == ["number", "category", "date"]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["true", "false", "true"], ["true", "false", "true"]),
        (["Yes", "No", "?"], ["Yes", "No", None]),
        (["TRUE", "False", "TRUE"], ["TRUE", "False", "TRUE"]),
        (["yes", "YES", "no"], [True, True, False]),
    ],
    ids=repr,
)
def test_booleans_keep_their_spelling(cells: list[str], values: list) -> None:
    column = parsed("a,f\n" + "".join(f"1,{c}\n" for c in cells)).column("f")
    assert column.kind == "boolean"
    assert column.labels() == values


def test_other_words_beside_yes_and_no_leave_a_text() -> None:
    column = parsed("f\nyes\nno\nmaybe\n").column("f")
    assert (column.kind, column.labels()) == ("category", ["yes", "no", "maybe"])


DAY = datetime.datetime(2021, 12, 31)


@pytest.mark.parametrize(
    "cell",
    [
        "2021-12-31",
        "2021/12/31",
        "31.12.2021",
        "12/31/2021",
        "31/12/2021",
        "31-12-2021",
        "31 Dec 2021",
        "31 December 2021",
        '"Dec 31, 2021"',
        "2021-12-31T00:00:00",
        "2021-12-31 00:00:00",
        "2021-12-31 00:00",
        "2021-12-31T00:00:00Z",
        "31.12.2021 00:00",
        "12/31/2021 00:00",
    ],
)
def test_dates_in_common_forms(cell: str) -> None:
    table = parsed(f"d,n\n{cell},1\n?,2\n")
    assert table.column("d").kind == "date"
    assert table.column("d").labels() == [DAY, None]
    assert table.notes == ()


def test_a_date_that_could_be_two_is_noted() -> None:
    table = parsed("d,n\n01/02/2020,1\n03/04/2021,2\n")
    assert table.column("d").labels()[0] == datetime.datetime(2020, 1, 2)
    assert "could be month/day or day/month" in table.notes[0]
    settled = parsed("d,n\n01/02/2020,1\n13/04/2021,2\n")
    assert settled.column("d").labels()[0] == datetime.datetime(2020, 2, 1)
    assert settled.notes == ()


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2.5", "-3e-7"], "number"),
        (["1", "2", "+3"], "number"),
        ([".5", "5.", "inf"], "number"),
        (["12", "13", "n/k"], "category"),
        (["1.2.3", "1", "2"], "category"),
        (["2020-13-01", "2020-01-01", "x"], "category"),
        (["10 km", "20 km", "5 km"], "category"),
    ],
    ids=repr,
)
def test_numbers_are_numbers_only_if_all_are(cells: list[str], kind: str) -> None:
    assert parsed("v\n" + "\n".join(cells)).column("v").kind == kind


def test_decimal_commas_and_marks_between_thousands() -> None:
    assert contents(parsed("a;b\n1,5;x\n2,25;y\n"))["a"] == [1.5, 2.25]
    assert contents(parsed("a;b\n1.5;x\n2.25;y\n"))["a"] == [1.5, 2.25]
    table = parsed('a,b\n"1,234.5",x\n"12",y\n')
    assert contents(table)["a"] == [1234.5, 12]
    assert "marks between thousands" in table.notes[0]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1,2\n3,4\n", ("column1", "column2")),
        ("x,2\ny,4\n", ("column1", "column2")),
        ("2020-01-01,x\n2020-01-02,y\n", ("column1", "column2")),
        ("red,red\nblue,red\n", ("column1", "column2")),
        ("red,big\nblue,small\nred,big\n", ("column1", "column2")),
        ("?,2\n3,4\n", ("column1", "column2")),
        ("1,inf\n2,3\n", ("column1", "column2")),
        ("colour,size\nblue,small\nred,big\n", ("colour", "size")),
        ("id,2019,2020\n1,2,3\n4,5,6\n", ("id", "2019", "2020")),
        (",v\n0,1\n1,2\n", ("unnamed1", "v")),
        ("v\n1\n2\n", ("v",)),
        ("age,job\n1,x\n", ("age", "job")),
    ],
    ids=repr,
)
def test_whether_there_is_a_header(text: str, names: tuple[str, ...]) -> None:
    table = parsed(text)
    assert table.names == names
    assert any("no header" in note for note in table.notes) == ("column1" in names)


def test_header_and_columns_can_be_said(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\nz,w\n")
    assert read(path).names == ("x", "y")
    assert contents(read(path, header=False)) == {
        "column1": ["x", "z"],
        "column2": ["y", "w"],
    }
    assert contents(read(path, header=False, columns=["a", "b"])) == {
        "a": ["x", "z"],
        "b": ["y", "w"],
    }
    assert contents(read(path, header=True, columns=["a", "b"])) == {
        "a": ["z"],
        "b": ["w"],
    }
    # A first row that is the very names given is a header without being told.
    path.write_text("a,b\nz,w\na,w\n")
    assert contents(read(path, columns=["a", "b"])) == {
        "a": ["z", "a"],
        "b": ["w", "w"],
    }


def test_columns_given_must_be_as_many_as_there_are(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("1,2\n3,4\n")
    with pytest.raises(TableError, match=r"1 column name given, but .* has 2 columns"):
        read(path, columns=["a"])
    with pytest.raises(TableError, match="more than one column called 'a'"):
        read(path, columns=["a", "a"])


def test_lines_before_the_table_are_skipped_with_a_note() -> None:
    table = parsed("|1x3 Cross validator\n1, 2, x\n3, 4, y\n")
    assert contents(table)["column3"] == ["x", "y"]
    assert table.notes[0] == ("skipped 1 line before the table: '|1x3 Cross validator'")
    table = parsed("# made by a machine\n# in May\na;b;c\n1;2;3\n")
    assert table.names == ("a", "b", "c")
    assert table.notes[0].startswith("skipped 2 lines before the table")


def test_kinds_can_be_said(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("zip,ok,n\n01067,1,1\n99998,0,2\n")
    assert contents(read(path))["zip"] == [1067, 99998]
    table = read(path, kinds={"zip": "category", "ok": "boolean"})
    assert contents(table)["zip"] == ["01067", "99998"]
    with pytest.raises(TableError, match="cannot be 'text': say one of"):
        read(path, kinds={"zip": "text"})
    path.write_text("n,x\n1,2\nmany,3\n")
    with pytest.raises(TableError, match=r"'n' of .* should hold numbers.* 'many'"):
        read(path, kinds={"n": "number"})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "t.csv is empty"),
        (b" \n\r\n\t\n", "t.csv is empty"),
        (b"\xef\xbb\xbf", "t.csv is empty"),
        (b"a,b\n", "no rows: only a header"),
        (b"a,b,a\n1,2,3\n", "more than one column called 'a'"),
        (b"a,b\n1,2\n3\n4,5\n", r"line 3 of t\.csv has 1 field where 2 are expected"),
        (b"a,b\n1,2\n\n3,4,5\n", r"line 4 of t\.csv has 3 fields where 2 are"),
        (b'a,b\n1,"x\ny"\n3\n', r"line 4 of t\.csv has 1 field where 2"),
        (b"a;b;c\n1;2\n3;4\n", r"line 1 of t\.csv has 3 fields and the rows after"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "no text table: it is a PNG picture"),
        (b"PAR1\x15\x04\0\0", r"it is a Parquet file \(call it \.parquet\)"),
        (b"a,b\n\0\x01\x02\n", "it holds zero bytes"),
        (b"\x1f\x8b\x08garbage", "is packed, and damaged or cut short"),
        (gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-9], "is packed, and damaged"),
        (b"\xff\xfea\0b", "damaged UTF-16"),
    ],
    ids=repr,
)
def test_what_cannot_be_read_is_refused_by_one_line(data: bytes, said: str) -> None:
    with pytest.raises(TableError, match=said) as caught:
        parsed(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rows", [1, 40_000])
def test_a_quote_that_is_never_closed_swallows_no_rows(rows: int) -> None:
    with pytest.raises(
        TableError, match=r"line 3 of t\.csv opens a quote that is never"
    ):
        parsed('a,b\n0,x\n1,"x\n' + "2,y\n" * rows)
    inches = parsed('a,b\n1,5" pipe\n2,y\n3,z\n')
    assert contents(inches)["b"] == ['5" pipe', "y", "z"]


def test_what_comes_after_the_first_lines_still_counts() -> None:
    rows = [f"{i},x{i % 3}" for i in range(60_000)]  # beyond what is looked at first
    table = parsed("n,t\n" + "\n".join(rows) + "\n1.5,late\n")
    assert table.rows == 60_001
    assert table.column("n").values[-1] == 1.5
    assert table.column("t").labels()[-1] == "late"
    with pytest.raises(TableError, match=r"line 60,002 of t\.csv has 1 field"):
        parsed("n,t\n" + "\n".join(rows) + "\nlate\n")


def test_a_schema_settles_how_a_later_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("39,yes,007,no\n50,no,8,yes\n38,maybe,007,no\n20,no,8,yes\n")
    names = ["age", "smokes", "code", "ill"]
    kinds = {"code": "category"}
    schema = Schema.fit(read(path, columns=names, kinds=kinds), target="ill")

    # Without a header, and without the target; by itself "smokes" would be boolean,
    # "code" a number, and the first row a header.
    later = tmp_path / "later.csv"
    later.write_text("40,yes,007\n")
    table = read_like(later, schema)
    assert contents(table) == {"age": [40], "smokes": ["yes"], "code": ["007"]}
    assert schema.transform(table).notes == ()

    later.write_text("code,age,smokes\n007,40,yes\n")
    again = read_like(later, schema)
    assert np.array_equal(schema.encode(again), schema.encode(table))

    later.write_text("40,yes,007,?\n")
    assert read_like(later, schema).names == tuple(names)

    later.write_text("40,yes\n")
    with pytest.raises(TableError, match="lacks 3 columns"):
        schema.encode(read_like(later, schema))

    later.write_text("age,smokes,code\nold,yes,007\n")
    with pytest.raises(TableError, match=r"'age' of .* should hold numbers.*'old'"):
        read_like(later, schema)
