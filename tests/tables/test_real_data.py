"""The whole way from raw files to features, on tables as the world gives them."""

import json
from pathlib import Path

import numpy as np
import pytest

from weft.tables import (
    ClassTarget,
    Schema,
    Table,
    infer_task,
    read,
    read_like,
    separate,
    split,
)

ADULT = [
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education-num",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
    "native-country",
    "income",
]


def there(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.exists():
        pytest.skip(f"{name} is not among the real data")
    return path


def sound(schema: Schema, table: Table) -> np.ndarray:
    """Encode, and check what holds for every table and every schema."""
    x = schema.encode(table)
    assert x.shape == (table.rows, schema.width)
    assert np.isfinite(x).all()
    assert np.abs(x).max() <= 20.0
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema
    return x


def test_adult(data_folder: Path) -> None:
    table = read(there(data_folder, "adult/adult.data"), columns=ADULT)
    assert (table.rows, table.names) == (32_561, tuple(ADULT))
    gaps = {c.name: c.missing_count for c in table if c.missing_count}
    assert gaps == {"workclass": 1836, "occupation": 1843, "native-country": 583}
    inputs, income = separate(table, "income")
    assert infer_task(income).kind == "classification"
    target = ClassTarget.fit(income)
    assert dict(zip(target.labels, target.counts, strict=True)) == {
        "<=50K": 24_720,
        ">50K": 7_841,
    }
    train, held = split(table.rows, 0.1, seed=0, codes=target.encode(income))
    schema = Schema.fit(inputs.take(train), target="income")
    sound(schema, inputs.take(held))
    assert sum(kind == "category" for kind in schema.kinds.values()) == 8

    # The test file has no header, a comment first, and a full stop behind each label.
    test = read_like(there(data_folder, "adult/adult.test"), schema)
    assert (test.rows, test.names) == (16_281, tuple(ADULT))
    assert "1x3 Cross validator" in test.notes[0]
    sound(schema, test)
    codes, notes = target.transform(test.column("income"))
    assert int(codes.sum()) == 3_846
    assert len(notes) == 2


def test_housing(data_folder: Path) -> None:
    table = read(there(data_folder, "california-housing/housing.csv"))
    assert (table.rows, len(table.names)) == (20_640, 10)
    assert table.column("total_bedrooms").missing_count == 207
    assert table.column("ocean_proximity").counts["<1H OCEAN"] == 9_136
    assert infer_task(table.column("median_house_value")).kind == "regression"
    schema = Schema.fit(table, target="median_house_value")
    sound(schema, table)
    assert "total_bedrooms missing" in schema.names

    bare = read(there(data_folder, "california-housing/cal_housing.data"))
    assert bare.names[0] == "column1"
    assert np.array_equal(
        bare.column("column9").values, table.column("median_house_value").values
    )


def test_mnist(data_folder: Path) -> None:
    table = read(there(data_folder, "mnist/t10k-images-idx3-ubyte.gz"))
    assert (table.rows, len(table.names), table.target) == (10_000, 785, "label")
    assert table.parts[0].values.dtype == np.uint8
    schema = Schema.fit(table, target="label")
    x = sound(schema, table)
    assert [code.tag for code in schema.codes] == ["joint"]
    assert abs(float(x.mean(dtype=np.float64))) < 1e-4
    assert abs(float(x.std(dtype=np.float64)) - 1.0) < 1e-4


def test_covertype(data_folder: Path) -> None:
    table = read(there(data_folder, "covertype-subset/test.csv.gz"))
    assert (table.rows, len(table.names)) == (92_962, 55)
    assert infer_task(table.column("Cover_Type")).kind == "classification"
    schema = Schema.fit(table, target="Cover_Type")
    assert len(schema.summary()) == 54
    sound(schema, table.take(slice(5000)))


def test_mcycle(data_folder: Path) -> None:
    table = read(there(data_folder, "mcycle/mcycle.csv"))
    schema = Schema.fit(table, target="accel")
    assert schema.columns == ("times",)  # the row names are dropped
    assert infer_task(table.column("accel")).kind == "regression"


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("concrete", (1030, 9)),
        ("naval-propulsion-plant", (11_934, 18)),
        ("power-plant", (9568, 5)),
        ("wine-quality-red", (1599, 12)),
        ("yacht", (308, 7)),
    ],
)
def test_tables_parted_by_blanks_and_tabs(
    data_folder: Path, name: str, shape: tuple[int, int]
) -> None:
    path = there(data_folder, f"uci-regression/{name}/data.txt")
    table = read(path)
    assert (table.rows, len(table.names)) == shape
    assert np.array_equal(table.matrix(table.names), np.loadtxt(path))


@pytest.mark.prove
def test_kddcup(data_folder: Path) -> None:
    table = read(there(data_folder, "kddcup99-10pct/kddcup.data_10_percent.gz"))
    assert (table.rows, len(table.names)) == (494_021, 42)
    target = ClassTarget.fit(table.column("column42"))
    assert len(target.labels) == 23
    schema = Schema.fit(table, target="column42")
    sound(schema, table.take(slice(0, None, 10)))
