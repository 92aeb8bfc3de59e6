"""``weft predict``, ``evaluate`` and ``describe`` where all is well."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

import weft as house
from weft.apps.cli.predictions import as_csv
from weft.tables import read, separate


def records(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


# --- predict -------------------------------------------------------------------------


def test_each_row_gets_its_class_and_every_probability(
    weft, models: Path, people_csv: str
) -> None:
    outcome = weft("predict", models / "people.weft", people_csv, "-o", "p.csv")
    assert (outcome.code, outcome.err) == (0, "")
    assert "table       people.csv: 120 rows" in outcome.out
    assert "written     p.csv: prediction, probability_no, probability_yes" in (
        outcome.out
    )
    found = records(Path("p.csv").read_text(encoding="utf-8"))
    model = house.load(models / "people.weft")
    inputs, _ = separate(read(people_csv), "ok")
    assert [row["prediction"] for row in found] == model.predict(inputs).tolist()
    for place, label in enumerate(("no", "yes")):
        said = [float(row[f"probability_{label}"]) for row in found]
        # every digit is written, so that nothing is lost
        assert said == model.predict_proba(inputs)[:, place].tolist()


def test_each_row_gets_its_number_and_an_interval(
    weft, models: Path, prices_csv: str
) -> None:
    words = ("predict", models / "prices.weft", prices_csv, "--coverage", "0.5")
    outcome = weft(*words)
    found = records(outcome.out)
    assert list(found[0]) == ["prediction", "low_50", "high_50"]
    model = house.load(models / "prices.weft")
    inputs, _ = separate(read(prices_csv), "price")
    low, high = model.predict_interval(inputs, coverage=0.5)
    assert [float(row["prediction"]) for row in found] == model.predict(inputs).tolist()
    assert [float(row["low_50"]) for row in found] == low.tolist()
    assert [float(row["high_50"]) for row in found] == high.tolist()
    assert list(records(weft(*words[:-2]).out)[0])[1:] == ["low_90", "high_90"]


def test_a_stream_of_predictions_holds_nothing_else(
    weft, models: Path, people_csv: str
) -> None:
    streamed = weft("predict", models / "people.weft", people_csv)
    assert streamed.code == 0
    assert "table       people.csv: 120 rows" in streamed.err
    dashed = weft("predict", models / "people.weft", people_csv, "-o", "-", "-q")
    assert (dashed.out, dashed.err) == (streamed.out, "")
    weft("predict", models / "people.weft", people_csv, "-o", "p.csv")
    assert Path("p.csv").read_text(encoding="utf-8") == streamed.out


def test_predictions_as_parquet(weft, models: Path, people_csv: str) -> None:
    weft("predict", models / "people.weft", people_csv, "-o", "p.parquet")
    frame = parquet.read_table("p.parquet")
    assert frame.column_names == ["prediction", "probability_no", "probability_yes"]
    found = records(weft("predict", models / "people.weft", people_csv).out)
    assert frame["prediction"].to_pylist() == [row["prediction"] for row in found]
    assert frame["probability_yes"].to_pylist() == [
        float(row["probability_yes"]) for row in found
    ]


def test_predictions_for_a_machine(weft, models: Path, people_csv: str) -> None:
    words = ("predict", models / "people.weft", people_csv, "-o", "p.csv", "--json")
    outcome = weft(*words)
    assert outcome.out.count("\n") == 1
    said = json.loads(outcome.out)
    assert (said["task"], said["rows"], said["metrics"]) == ("classification", 120, {})
    assert (said["predictions"], said["target"]) == ("p.csv", "ok")
    assert said["columns"] == ["prediction", "probability_no", "probability_yes"]
    assert said["seconds"] > 0


def test_columns_may_come_in_any_order_with_others_among_them(
    weft, models: Path, table
) -> None:
    model = models / "people.weft"
    plain = table("a.csv", "age,job", ("30,a", "41,b", "52,c"))
    other = table("b.csv", "more,job,ok,age", ("1,a,yes,30", "2,b,no,41", "3,c,no,52"))
    outcome = weft("predict", model, other)
    assert outcome.out == weft("predict", model, plain).out
    assert "not used: 1 column ('more')" in outcome.err


def test_what_was_never_seen_is_remarked(weft, models: Path, table) -> None:
    name = table("a.csv", "age,job", ("30,a", "41,z", ",c"))
    outcome = weft("predict", models / "people.weft", name, "-o", "p.csv", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["notes"] == [
        "'age': 1 missing value imputed, though none was missing when the model was "
        "fitted",
        "'job': 1 row with a category not known from when the model was fitted ('z')",
    ]
    assert len(records(Path("p.csv").read_text(encoding="utf-8"))) == 3


def test_a_text_without_names_is_read_as_the_model_knows_it(
    weft, models: Path, table
) -> None:
    model = models / "people.weft"
    named = table("a.csv", "age,job", ("30,a", "41,b"))
    bare = table("b.csv", "30,a", ("41,b",))
    whole = table("c.csv", "30,a,yes", ("41,b,no",))
    expected = weft("predict", model, named).out
    assert weft("predict", model, bare).out == expected
    assert weft("predict", model, whole).out == expected


@pytest.mark.parametrize(
    "values",
    [["a, b", 'c"d', "é"], [True, False, True], [3, 1, 2], [0.1, 1e-300, 1 / 3]],
)
def test_csv_gives_back_what_went_in(values: list[Any]) -> None:
    found = [row["x"] for row in records(as_csv({"x": np.array(values)}).decode())]
    assert found == [str(value) for value in values]


# --- evaluate ------------------------------------------------------------------------


def test_a_model_is_measured(weft, models: Path, people_csv: str) -> None:
    outcome = weft("evaluate", models / "people.weft", people_csv, "--json")
    said = json.loads(outcome.out)
    model = house.load(models / "people.weft")
    found = model.evaluate(*separate(read(people_csv), "ok"))
    assert said["metrics"]["accuracy"] == pytest.approx(found["accuracy"])
    assert said["metrics"]["nll"] == pytest.approx(found["nll"])
    assert (said["task"], said["rows"]) == ("classification", 120)
    assert said["seconds"] > 0
    words = weft("evaluate", models / "people.weft", people_csv)
    assert (words.code, words.err) == (0, "")
    assert words.out == outcome.err
    assert "table       people.csv: 120 rows, to predict ‘ok’ in" in words.out
    assert f"{100 * found['accuracy']:.1f} %" in words.out


def test_a_regression_is_measured_in_its_own_unit(
    weft, models: Path, prices_csv: str
) -> None:
    outcome = weft("evaluate", models / "prices.weft", prices_csv, "--json")
    said = json.loads(outcome.out)
    model = house.load(models / "prices.weft")
    found = model.evaluate(*separate(read(prices_csv), "price"))
    for name in ("rmse", "mae", "r2", "nll"):
        assert said["metrics"][name] == pytest.approx(found[name]), name


def test_labels_that_are_spelt_otherwise_are_remarked(
    weft, models: Path, table
) -> None:
    name = table("a.csv", "age,job,ok", ("30,a,YES.", "41,b,no"))
    outcome = weft("evaluate", models / "people.weft", name)
    assert "'ok': 'YES.' was taken for 'yes'" in outcome.out


# --- describe ------------------------------------------------------------------------


def test_a_model_is_described(weft, models: Path) -> None:
    outcome = weft("describe", models / "people.weft")
    assert (outcome.code, outcome.err) == (0, "")
    for said in (
        "predicts    ‘ok’: classification into 2 classes: ‘no’ and ‘yes’",
        "columns     1 number and 1 category, which make",
        "optimiser   AdamW(",
        "rows        86 to learn from, 10 to choose the epoch by",
        "fitted      2 epochs in",
        "one-hot over 3 categories",
    ):
        assert said in outcome.out, said


def test_a_model_is_described_to_a_machine(weft, models: Path) -> None:
    outcome = weft("describe", models / "prices.weft", "--json")
    assert outcome.out.count("\n") == 1
    said = json.loads(outcome.out)
    assert (said["task"], said["rows"], said["metrics"]) == ("regression", 96, {})
    assert said["seconds"] > 0
    assert [column["name"] for column in said["columns"]] == ["size", "rooms"]
    model = house.load(models / "prices.weft")
    assert said["parameters"] == sum(
        array.size for layer in model.params_.values() for array in layer.values()
    )


def test_wide_tables_are_described_in_part(weft, brief) -> None:
    columns = {f"x{i}": np.arange(60.0) * (-1) ** i + i for i in range(50)}
    np.savez("a.npz", y=np.arange(60) % 2, **columns)
    assert weft("fit", "a.npz", "-o", "m.weft", *brief).code == 0
    outcome = weft("describe", "m.weft")
    assert "x39 " in outcome.out
    assert "x40 " not in outcome.out
    assert "... and 10 more columns; --json lists all" in outcome.out
