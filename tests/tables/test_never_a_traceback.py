"""Whatever bytes come, they are a table or one clear line, never anything else."""

from hypothesis import example, given
from hypothesis import strategies as st

from weft.tables import Schema, TableError
from weft.tables.delimited import read_text
from weft.tables.idx import array_from_idx

WORDS = ["", "1", "-2.5", "1e999", "inf", "NA", "?", "x", "yes", "no", "2020-01-02"]
MARKS = ["12:30", '"a,b"', '"', '""', "é", "#", " ", "\t", "1,5", "0x1F", "1_000"]
CELLS = st.sampled_from(WORDS + MARKS)
ROWS = st.lists(st.lists(CELLS, max_size=4), max_size=6)


def read_or_refuse(data: bytes) -> None:
    try:
        table = read_text(data, "t.csv")
        schema = Schema.fit(table)
        schema.encode(table)
    except TableError as error:
        assert "\n" not in str(error)


@given(ROWS, st.sampled_from([",", ";", "\t", "|", " ", ", "]), st.booleans())
def test_tables_of_odd_cells(rows: list[list[str]], mark: str, header: bool) -> None:
    lines = [mark.join(row) for row in rows]
    if header:
        lines.insert(0, mark.join("abcd"[: max(map(len, rows), default=1)]))
    read_or_refuse("\n".join(lines).encode())


@given(st.binary(max_size=200))
@example(b"# \x01")
def test_any_bytes_as_text(data: bytes) -> None:
    read_or_refuse(data)


@given(st.text(alphabet='ab1.,;| \t\n\r"?-\x1e\x85\u2028', max_size=80))
def test_any_text(text: str) -> None:
    read_or_refuse(text.encode())


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_as_idx(data: bytes, dressed: bool) -> None:
    if dressed:
        data = b"\0\0\x08\x01" + data
    try:
        array_from_idx(data, "t")
    except TableError as error:
        assert "\n" not in str(error)
