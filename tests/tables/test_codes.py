"""How each kind of column becomes features, against formulas written out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.tables import Column, Encoding, Schema, Table, TableError
from weft.tables.dates import date_parts
from weft.tables.joint import are_alike
from weft.tables.numbers import bin_edges, quantiles, robust_scale

PLAIN = Encoding(bins=0)


def encoded(
    values, later=None, encoding: Encoding = PLAIN
) -> tuple[Schema, np.ndarray]:
    """Fit a schema to one column beside another, and encode the first alone."""
    beside = {"beside": np.arange(len(values)) % 2 == 0}
    table = Table.from_frame({"v": values, **beside})
    schema = Schema.fit(table, encoding=encoding)
    if later is not None:
        table = Table.from_frame({"v": later, "beside": [True] * len(later)})
    keep = [i for i, source in enumerate(schema.sources) if source == "v"]
    return schema, schema.encode(table)[:, keep]


def names(schema: Schema) -> list[str]:
    return [name for name, source in schema.features if source == "v"]


def test_numbers_are_scaled_by_quantiles_and_squeezed() -> None:
    values = np.array([0.0, 1.0, 2.0, 3.0, 1000.0])
    _, x = encoded(values)
    z = (values - 2.0) / (3.0 - 1.0)  # median 2, quartiles 1 and 3
    expected = z / np.sqrt(1 + (z / 3) ** 2)
    assert np.allclose(x[:, 0], expected, rtol=1e-6)
    assert x.dtype == np.float32


def test_numbers_mostly_equal_are_scaled_by_their_range() -> None:
    _, x = encoded([0.0] * 9 + [4.0])
    z = 2.0  # the range is made two long
    assert np.allclose(x[:, 0], [0] * 9 + [z / np.sqrt(1 + (z / 3) ** 2)])


def test_missing_numbers_get_the_median_and_a_mark() -> None:
    schema, x = encoded([1.0, None, 2.0, 6.0])
    assert names(schema) == ["v", "v missing"]
    assert x[1].tolist() == [0.0, 1.0]
    assert x[[0, 2, 3], 1].tolist() == [0.0, 0.0, 0.0]
    assert "1 missing value imputed (by the median 2)" in schema.notes[0]


def test_linear_pieces_are_a_soft_thermometer() -> None:
    values = np.arange(101.0)
    later = [-5.0, 0.0, 10.0, 25.0, 60.0, 100.0, 900.0]
    schema, x = encoded(values, later, Encoding(bins=4))
    edges = np.array([0.0, 25.0, 50.0, 75.0, 100.0])
    expected = np.clip((np.array(later)[:, None] - edges[:-1]) / 25.0, 0, 1)
    assert np.allclose(x[:, 1:], expected)
    assert names(schema) == ["v", "v > 0", "v > 25", "v > 50", "v > 75"]


def test_few_distinct_numbers_have_an_edge_at_each() -> None:
    schema, x = encoded([1, 2, 4, 4, 2, 1], encoding=Encoding(bins=16))
    assert names(schema) == ["v", "v > 1", "v > 2"]
    assert x[:3, 1:].tolist() == [[0, 0], [1, 0], [1, 1]]


def test_a_frequent_value_does_not_use_up_the_pieces() -> None:
    values = np.concatenate([np.zeros(900), np.arange(1, 101)])
    edges = bin_edges(np.sort(values), 8)
    assert len(edges) >= 5
    assert edges[0] == 0
    assert edges[-1] == 100
    assert list(edges) == sorted(set(edges))


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=60),
    st.integers(0, 12),
)
def test_whatever_numbers_come_the_features_are_finite_and_bounded(
    values: list[float], bins: int
) -> None:
    values = [*values, -1.0, 1.0]  # never constant
    _, x = encoded(values, encoding=Encoding(bins=bins))
    assert np.isfinite(x).all()
    assert np.abs(x[:, 0]).max() <= 3.0
    assert x.shape[1] <= 1 + bins
    # In the order of the values, no feature ever falls.
    order = np.argsort(values, kind="stable")
    assert (np.diff(x[order], axis=0) >= 0).all()


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=50))
def test_quantiles_are_those_of_numpy(values: list[int]) -> None:
    ordered = np.sort(np.array(values, dtype=float))
    levels = np.linspace(0, 1, 9)
    assert np.allclose(quantiles(ordered, levels), np.quantile(ordered, levels))


@pytest.mark.parametrize(
    "values",
    [
        [-1.7e308, 0.0, 1.0, 1.7e308, 1.6e308, -1.6e308],
        [5e-324, 0.0, 1e-323, 5e-324],
        [2.0**60, 2.0**60 + 512, 2.0**60 + 1024, 2.0**60],
        [1e300, 1.0, 2.0, 3.0],
    ],
    ids=repr,
)
def test_extreme_numbers_stay_finite(values: list[float]) -> None:
    _, x = encoded(values, encoding=Encoding(bins=4))
    assert np.isfinite(x).all()


def test_large_integers_keep_their_differences() -> None:
    start = 1_700_000_000_000  # milliseconds: float32 could not tell these apart
    _, x = encoded(np.arange(start, start + 100))
    assert len(np.unique(x[:, 0])) == 100


def test_robust_scale_of_nothing_but_one_value_is_zero() -> None:
    assert robust_scale(np.array([3.0, 3.0])) == 0.0


@pytest.mark.parametrize(
    "name", ["id", "ID", "row_id", "rownames", "Unnamed: 0", "index"]
)
def test_row_numbers_are_dropped(name: str) -> None:
    table = Table.from_frame({name: range(1, 31), "x": [1.5, 2.5, 3.5] * 10})
    schema = Schema.fit(table)
    assert schema.columns == ("x",)
    assert "numbers the rows" in schema.notes[0]
    # The name alone is no proof, and neither are the values.
    kept = Table.from_frame({name: [1, 2, 2] * 10, "years": range(30)})
    assert Schema.fit(kept).columns == (name, "years")


@pytest.mark.parametrize(
    ("values", "kind", "levels"),
    [
        ([True, False, None], "boolean", (False, True)),
        (["m", "f", None], "category", "fm"),
    ],
)
def test_two_values_become_minus_one_and_one(values, kind, levels) -> None:
    schema, x = encoded(values)
    assert names(schema) == [f"v = {levels[1]}", "v missing"]
    assert x.tolist() == [[1, 0], [-1, 0], [0, 1]]
    assert schema.kinds["v"] == kind


def test_categories_are_one_hot_the_most_frequent_first() -> None:
    schema, x = encoded(["b", "a", "b", "c", "c", "c", "a"])
    assert names(schema) == ["v = c", "v = a", "v = b"]
    assert x[:4].tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_rare_categories_share_other_and_so_do_new_ones() -> None:
    values = ["a"] * 4 + ["b"] * 3 + ["c", "d", None]
    schema, x = encoded(values, ["a", "d", "new", None])
    assert names(schema) == ["v = a", "v = b", "v other", "v missing"]
    assert x.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    _, limited = encoded(values, encoding=Encoding(max_levels=1))
    assert limited.shape[1] == 3


def test_without_other_a_new_category_is_all_zeros_and_so_is_a_gap() -> None:
    _, x = encoded(["a", "b", "c"] * 2, ["new", None, "b"])
    assert x.tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_categories_are_compared_as_text() -> None:
    values = ["1", "2", "3"] * 2
    _, x = encoded(values, [3, 1])
    assert x.tolist() == [[0, 0, 1], [1, 0, 0]]
    _, x = encoded(values, [3.0, None])
    assert x.tolist() == [[0, 0, 1], [0, 0, 0]]


@pytest.mark.parametrize(
    "later",
    [[True, False, None], ["yes", "no", None], ["TRUE", "false", None], [1, 0, None]],
    ids=repr,
)
def test_booleans_are_known_in_any_spelling(later: list) -> None:
    _, x = encoded([True, False, True], later)
    assert x[:, 0].tolist() == [1, -1, 0]


def test_identifiers_are_dropped() -> None:
    table = Table.from_frame({"key": [f"k{i}" for i in range(30)], "x": [1, 2, 3] * 10})
    schema = Schema.fit(table)
    assert schema.columns == ("x",)
    assert "looks like an identifier" in schema.notes[0]


def test_date_parts_are_those_of_the_calendar() -> None:
    days = np.arange("1968-01-01", "2032-03-01", dtype="datetime64[D]")
    parts = date_parts(days.astype("datetime64[us]"))
    python = days.astype(object)
    assert parts["year"].tolist() == [d.year for d in python]
    assert parts["month"].tolist() == [d.month - 1 for d in python]
    assert parts["weekday"].tolist() == [d.weekday() for d in python]
    assert parts["day of year"].tolist() == [d.timetuple().tm_yday - 1 for d in python]
    assert np.array_equal(parts["elapsed days"], days.astype(int))


def test_dates_give_a_trend_and_phases() -> None:
    days = np.arange("2020-01-01", "2021-12-31", dtype="datetime64[D]")
    schema, x = encoded(days)
    got = dict(zip(names(schema), x.T, strict=True))
    assert list(got) == [
        "v elapsed days",
        "v year",
        "v month sin",
        "v month cos",
        "v day of year sin",
        "v day of year cos",
        "v weekday sin",
        "v weekday cos",
    ]
    weekday = np.array([d.weekday() for d in days.astype(object)])
    assert np.allclose(got["v weekday sin"], np.sin(2 * np.pi * weekday / 7), atol=1e-6)
    assert (np.diff(got["v elapsed days"]) > 0).all()


def test_missing_dates_are_zeros_with_a_mark_and_hours_count_where_they_vary() -> None:
    moments = ["2020-01-01T06:00", None, "2020-01-01T18:00"]
    schema, x = encoded(np.array(moments, dtype="datetime64[us]"))
    assert names(schema) == ["v elapsed days", "v hour sin", "v hour cos", "v missing"]
    assert x[1].tolist() == [0, 0, 0, 1]
    assert np.allclose(x[:, 1], [1, 0, -1], atol=1e-6)


def test_texts_in_the_form_of_dates_are_taken_for_dates_later() -> None:
    days = np.array(["2020-01-01", "2020-06-01", "2021-01-01"], dtype="datetime64[D]")
    _, first = encoded(days)
    _, later = encoded(days, ["2020-01-01", "2020-06-01", "2021-01-01"])
    assert np.array_equal(first, later)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([7, 7, 7, 7], "constant: always 7"),
        (["a", "a", "a", "a"], "constant: always 'a'"),
        ([True, True, True, True], "constant: always True"),
        (np.array(["2020-01-01"] * 4, "M8[D]"), "constant: always 2020-01-01"),
        ([None, None, None, None], "all its values are missing"),
    ],
    ids=repr,
)
def test_columns_that_say_nothing_are_dropped_with_a_note(values, reason: str) -> None:
    schema, x = encoded(values)
    assert x.shape[1] == 0
    assert schema.notes == (f"'v': dropped, {reason}",)


@pytest.mark.parametrize("values", [[7, None], ["a", None], [True, None]], ids=repr)
def test_one_value_and_gaps_tell_at_least_where_the_gaps_are(values: list) -> None:
    schema, x = encoded(values * 3)
    assert "v missing" in names(schema)
    assert len(np.unique(x, axis=0)) == 2


def pixels(rows: int = 50, columns: int = 40) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 256, (rows, columns))
    values[0] = 0
    values[:, 3] = 0  # a corner that is never lit
    return values


def test_pixels_share_one_scale_in_whatever_form_they_come() -> None:
    whole = pixels()
    kept = np.delete(whole, 3, axis=1)
    expected = (kept - kept.mean()) / kept.std()
    columns = {f"x{i + 1}": whole[:, i] for i in range(whole.shape[1])}
    forms = [whole.astype(np.uint8), whole, whole / 255, columns]
    for form in forms:
        table = Table.from_frame(form)
        schema = Schema.fit(table)
        assert [code.tag for code in schema.codes] == ["joint"]
        assert np.allclose(schema.encode(table), expected, atol=1e-5)
        assert schema.summary()[0].note == "1 constant column dropped"
        assert schema.names[:4] == ("x1", "x2", "x3", "x5")
    # A schema fitted to one form encodes the others.
    schema = Schema.fit(Table.from_frame(whole.astype(np.uint8)))
    later = Table.from_frame(columns).select(list(reversed(columns)))
    assert np.allclose(schema.encode(later), expected, atol=1e-5)


def test_a_gap_in_a_pixel_is_the_mean_and_an_infinite_one_an_error() -> None:
    schema = Schema.fit(Table.from_frame(pixels().astype(np.uint8)))
    later = pixels().astype(float)
    later[2, 5] = np.nan
    got = schema.transform(Table.from_frame(later))
    assert got.x[2, 4] == 0.0
    assert got.imputed == {"x6": 1}
    later[4, 6] = -np.inf
    with pytest.raises(TableError, match=r"column 'x7' .* infinite values \(row 5\)"):
        schema.encode(Table.from_frame(later))


@pytest.mark.parametrize(
    "values",
    [
        pixels(columns=31),
        np.eye(50, 40),
        np.random.default_rng(0).normal(size=(300, 40)),
        pixels() + np.arange(40),
        pixels() * (np.arange(40) > 35) + pixels() // 100,
        pixels() + 100_000,
    ],
    ids=["few", "one-hot", "reals", "other zeros", "other ranges", "far from zero"],
)
def test_columns_that_are_not_alike_are_scaled_apart(values: np.ndarray) -> None:
    assert not are_alike(values, Encoding())
    assert are_alike(pixels(), Encoding())


def test_wide_tables_get_fewer_pieces_per_column() -> None:
    rng = np.random.default_rng(0)
    for columns, pieces in ((10, 32), (128, 8), (600, 0)):
        table = Table.from_frame(rng.normal(size=(200, columns)))
        schema = Schema.fit(table)
        assert schema.width == columns * (1 + pieces)


@pytest.mark.parametrize(
    "options", [{"bins": -1}, {"max_levels": 0}, {"bins": 2.5}, {"min_count": "a"}]
)
def test_options_out_of_range_are_refused(options: dict) -> None:
    (name,) = options
    with pytest.raises(TableError, match=f"encoding option {name}="):
        Encoding(**options)


def test_infinite_numbers_are_refused_by_name_and_row() -> None:
    values = [1.0, float("inf"), 2.0, float("-inf")]
    with pytest.raises(TableError, match=r"column 'v' .* \(rows 2, 4\)"):
        encoded(values)
    with pytest.raises(TableError, match=r"column 'v' .* \(rows 2, 4\)"):
        encoded([1.0, 2.0, 3.0], values)


def test_a_column_may_be_given_as_any_sequence() -> None:
    assert Column.of(range(3)).labels() == [0, 1, 2]
