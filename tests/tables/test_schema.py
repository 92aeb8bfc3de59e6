"""A schema reads every later table as it read the first, or says what differs."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest

from weft.tables import Encoding, Schema, Table, TableError

ROWS = 60


def people(seed: int = 0, rows: int = ROWS) -> dict[str, list]:
    """Columns of every kind, with gaps in most."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, rows).astype(float)
    age[rng.random(rows) < 0.1] = np.nan
    job = rng.choice(["clerk", "cook", "nurse", "smith"], rows).astype(object)
    job[rng.random(rows) < 0.1] = None
    day = np.datetime64("2020-01-01", "D") + rng.integers(0, 900, rows)
    return {
        "age": age.tolist(),
        "height": rng.normal(170, 10, rows).tolist(),
        "children": rng.integers(0, 5, rows).tolist(),
        "job": job.tolist(),
        "smokes": rng.choice([True, False], rows).tolist(),
        "joined": day.tolist(),
        "planet": ["earth"] * rows,
        "empty": [None] * rows,
        "income": rng.normal(0, 1, rows).tolist(),
    }


@pytest.fixture
def schema() -> Schema:
    return Schema.fit(Table.from_frame(people()), target="income")


def test_the_matrix_is_finite_and_its_columns_have_names_and_sources(schema) -> None:
    x = schema.encode(Table.from_frame(people()))
    assert x.shape == (ROWS, schema.width)
    assert x.dtype == np.float32
    assert x.flags.c_contiguous
    assert np.isfinite(x).all()
    assert len(schema.names) == len(schema.sources) == schema.width
    assert len(set(schema.names)) == schema.width
    used = {"age", "height", "children", "job", "smokes", "joined"}
    assert set(schema.sources) == set(schema.columns) == used
    assert schema.given == tuple(people())
    assert schema.rows == ROWS


def test_the_summary_has_a_line_for_every_column_in_order(schema) -> None:
    summary = schema.summary()
    assert [s.name for s in summary] == [n for n in people() if n != "income"]
    by_name = {s.name: s for s in summary}
    gaps = sum(v is None for v in people()["job"])
    assert (by_name["job"].kind, by_name["job"].levels) == ("category", 4)
    assert by_name["job"].missing == gaps > 0
    assert by_name["planet"].treatment == "dropped"
    assert by_name["empty"].note == "all its values are missing"
    assert sum(s.width for s in summary) == schema.width
    assert any("'planet': dropped, constant" in note for note in schema.notes)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_every_frame_is_encoded_alike(schema, make) -> None:
    expected = schema.encode(Table.from_frame(people(1)))
    assert np.array_equal(schema.encode(Table.from_frame(make(people(1)))), expected)


def test_json_gives_back_the_very_same_schema(schema) -> None:
    text = json.dumps(schema.to_json(), allow_nan=False)
    again = Schema.from_json(json.loads(text))
    assert again == schema
    later = Table.from_frame(people(2))
    assert schema.encode(later).tobytes() == again.encode(later).tobytes()


def test_json_of_pixels_too() -> None:
    table = Table.from_frame(np.arange(4000).reshape(100, 40) % 17)
    schema = Schema.fit(table)
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"schema": 99}, "format 99 cannot be read"),
        ({"codes": [{"code": "unknown"}]}, "damaged"),
        ({"codes": [{"code": "number", "name": "a"}]}, "damaged"),
        ({"codes": None}, "damaged"),
        ({"encoding": {"bins": 1, "what": 2}}, "damaged"),
    ],
    ids=repr,
)
def test_json_of_something_else_is_refused(schema, damage: dict, said: str) -> None:
    with pytest.raises(TableError, match=said):
        Schema.from_json(schema.to_json() | damage)
    data = schema.to_json()
    del data["given"]
    with pytest.raises(TableError, match="damaged"):
        Schema.from_json(data)


def test_rows_are_encoded_independently_of_each_other(schema) -> None:
    table = Table.from_frame(people(3))
    whole = schema.encode(table)
    for row in range(0, ROWS, 7):
        assert np.array_equal(schema.encode(table.take([row])), whole[[row]])
    assert schema.encode(table.take(slice(0))).shape == (0, schema.width)


def test_long_tables_are_encoded_as_short_ones(schema) -> None:
    table = Table.from_frame(people(3))
    rows = np.arange(5000) % ROWS
    assert np.array_equal(schema.encode(table.take(rows)), schema.encode(table)[rows])


def test_order_target_and_extra_columns_do_not_matter(schema) -> None:
    data = people(4)
    expected = schema.transform(Table.from_frame(data))
    assert expected.notes == ()
    turned = Table.from_frame(dict(reversed(data.items())))
    assert np.array_equal(schema.encode(turned), expected.x)
    bare = {n: v for n, v in data.items() if n not in ("income", "planet", "empty")}
    assert np.array_equal(schema.encode(Table.from_frame(bare)), expected.x)
    more = schema.transform(Table.from_frame({**data, "shoe": [1] * ROWS}))
    assert np.array_equal(more.x, expected.x)
    assert more.notes == ("not used: 1 column ('shoe')",)


def test_missing_columns_are_all_named_with_the_nearest(schema) -> None:
    data = people()
    data["hight"] = data.pop("height")
    del data["job"], data["joined"]
    with pytest.raises(TableError) as caught:
        schema.encode(Table.from_frame(data, "new.csv"))
    assert str(caught.value) == (
        "new.csv lacks 3 columns that the model was fitted with: "
        "'height', 'job', 'joined'. 'height': Did you mean 'hight'?"
    )


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("age", ["old"] * ROWS, r"'age' .* holds text \('old'\), but held numbers"),
        ("age", people()["joined"], r"'age' .* holds dates .* but held numbers"),
        ("job", people()["height"], r"'job' .* holds numbers .* but held text"),
        ("job", people()["joined"], r"'job' .* holds dates .* but held text"),
        ("smokes", people()["height"], r"'smokes' .* holds numbers .* held booleans"),
        ("smokes", people()["job"], r"'smokes' .* holds text .* held booleans"),
        ("joined", people()["age"], r"'joined' .* holds numbers .* held dates"),
        ("joined", people()["job"], r"'joined' .* holds text .* held dates"),
    ],
)
def test_a_column_of_another_kind_is_refused(schema, name, values, said) -> None:
    with pytest.raises(TableError, match=said) as caught:
        schema.encode(Table.from_frame({**people(), name: values}))
    assert "\n" not in str(caught.value)


def test_a_column_that_is_all_missing_is_of_no_kind(schema) -> None:
    data = people()
    for name in ("age", "height", "children", "job", "smokes", "joined"):
        got = schema.transform(Table.from_frame({**data, name: [None] * ROWS}))
        assert np.isfinite(got.x).all()


def test_gaps_and_categories_that_were_not_there_are_told(schema) -> None:
    data = people()
    data["height"][3] = None
    data["height"][5] = None
    data["smokes"][0] = None
    data["job"][:3] = ["astronaut", "astronaut", "actor"]
    got = schema.transform(Table.from_frame(data))
    assert got.imputed == {"height": 2, "smokes": 1}
    assert got.unseen == {"job": {"astronaut": 2, "actor": 1}}
    assert len(got.notes) == 3
    assert got.notes[0] == (
        "'height': 2 missing values imputed, "
        "though none was missing when the model was fitted"
    )
    assert "3 rows with a category not known" in got.notes[2]
    assert "'astronaut', 'actor'" in got.notes[2]


def test_rare_categories_are_known() -> None:
    table = Table.from_frame({"v": ["a", "a", "b", "b", "c", "d"]})
    schema = Schema.fit(table)
    assert schema.transform(table).unseen == {}
    later = schema.transform(Table.from_frame({"v": ["c", "e"]}))
    assert later.unseen == {"v": {"e": 1}}


def test_columns_can_be_left_out() -> None:
    table = Table.from_frame(people())
    schema = Schema.fit(table, target="income", ignore=["age", "job"])
    assert not {"age", "job"} & set(schema.columns)
    assert "'age': dropped, left out as asked" in schema.notes
    assert schema.transform(table).notes == ()
    with pytest.raises(TableError, match="Did you mean 'age'"):
        Schema.fit(table, ignore=["agee"])


def test_a_table_of_which_nothing_is_left_is_refused() -> None:
    table = Table.from_frame({"a": [1, 1], "b": [None, None], "y": [0, 1]})
    with pytest.raises(TableError, match=r"no input column is left .*'a' \(constant"):
        Schema.fit(table, target="y")
    with pytest.raises(TableError, match="it has none beside the target"):
        Schema.fit(table.select(["y"]), target="y")
    with pytest.raises(TableError, match="no rows to learn from"):
        Schema.fit(table.take(slice(0)))


def test_only_the_rows_given_are_learnt_from() -> None:
    table = Table.from_frame({"v": [0.0, 1.0, 2.0, 1e9], "w": ["a", "b", "a", "z"]})
    rows = table.take(slice(3))
    first = Schema.fit(rows, encoding=Encoding(bins=4))
    assert first == Schema.fit(
        Table.from_frame({"v": [0.0, 1, 2], "w": list("aba")}),
        encoding=Encoding(bins=4),
    )
    assert first.transform(table).unseen == {"w": {"z": 1}}
