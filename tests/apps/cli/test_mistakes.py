"""Everything that can be wrong with what a command is given.

Each is one line that says what was given and how to mend it, exit code 2, and not a
file more than before, not even a part of one.
"""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from weft.apps.cli.question import _enough
from weft.estimators import modelfile
from weft.tables import TableError, split


@pytest.fixture
def refused(weft, files) -> Callable[..., str]:
    """Give a command that is to be refused; the line that is said."""

    def give(*words: object) -> str:
        before = files()
        outcome = weft(*words)
        assert files() == before
        return outcome.mistake

    return give


@pytest.fixture
def fit_refused(refused) -> Callable[..., str]:
    """Fit with everything written that can be: nothing of it may appear."""

    def give(table: object, *words: object) -> str:
        outputs = ("-o", "m.weft", "--report", "r.html", "--plot", "p.png")
        return refused("fit", table, *outputs, *words)

    return give


# --- the table -----------------------------------------------------------------------


def test_no_such_file(fit_refused, people_csv: str) -> None:
    said = fit_refused("peple.csv", "--target", "ok")
    assert said == "no file 'peple.csv'. Did you mean 'people.csv'?"
    assert "There is no folder 'no' either" in fit_refused("no/such.csv")


def test_a_folder(fit_refused, people_csv: str) -> None:
    said = fit_refused(".", "--target", "ok")
    assert said.startswith(". is a folder: name a file in it. It holds 'people.csv'")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"\n \n", "is empty"),
        ("a.csv", b"x,c\n", "has no rows: only a header is there"),
        ("a.csv", bytes(range(256)) * 9, "is no text table: it holds zero bytes, as"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0", "is no text table: it is a PNG picture"),
        ("a.csv", b"x,x,c\n1,1,a\n", "has more than one column called 'x'"),
        (
            "a.csv.gz",
            gzip.compress(b"x,c\n1,a\n", mtime=0)[:9],
            "is packed, and damaged",
        ),
        ("a.parquet", b"PAR1 no more", "is no Parquet file, or a damaged one"),
        ("a.npz", b"PK\x03\x04", "is no NumPy file, a damaged one"),
        ("a.xlsx", b"PK\x03\x04", "is an Excel workbook, which weft does not read"),
        ("a.pkl", b"\x80\x04N.", "is a pickle, which can run code"),
    ],
)
def test_files_that_hold_no_table(
    fit_refused, name: str, content: bytes, said: str
) -> None:
    Path(name).write_bytes(content)
    assert fit_refused(name, "--target", "c").startswith(f"{name} {said}")


def test_rows_of_different_length(fit_refused, table) -> None:
    name = table("a.csv", "x,c", ("1,a", "2,b,3"))
    said = fit_refused(name, "--target", "c")
    assert said.startswith("line 3 of a.csv has 3 fields where 2 are expected")


def test_a_target_that_is_no_column(fit_refused, people_csv: str) -> None:
    said = fit_refused(people_csv, "--target", "okk")
    assert said == "no column 'okk' in people.csv. Did you mean 'ok'?"


def test_no_target_at_all(fit_refused, people_csv: str) -> None:
    said = fit_refused(people_csv)
    assert said == (
        "people.csv does not say which column is to be learnt: say --target COLUMN. "
        "It has 'age', 'job', 'ok'"
    )


def test_a_target_that_is_ignored_too(fit_refused, people_csv: str) -> None:
    said = fit_refused(people_csv, "--target", "ok", "--ignore", "age,ok")
    assert said == "--ignore ok: this is the column to learn"


def test_an_ignored_column_that_is_none(fit_refused, people_csv: str) -> None:
    said = fit_refused(people_csv, "--target", "ok", "--ignore", "jib")
    assert said == "no column 'jib' in people.csv. Did you mean 'job'?"


@pytest.mark.parametrize(
    ("values", "task", "said"),
    [
        ("5.0", "regression", "the target 'y' is constant, always 5: there is nothing"),
        ("5.0", None, "the target 'y' has one class only, 5.0: there is nothing to"),
        ("a", None, "the target 'y' has one class only, 'a': there is nothing to tell"),
        ("a", "regression", "the target 'y' holds no numbers ('a'): regression needs"),
        ("2020-01-02", None, "the target 'y' holds dates, which cannot be learnt"),
    ],
)
def test_targets_that_cannot_be_learnt(
    fit_refused, table, values: str, task: str | None, said: str
) -> None:
    name = table("a.csv", "x,y", (f"{i},{values}" for i in range(60)))
    words = () if task is None else ("--task", task)
    assert fit_refused(name, "--target", "y", *words).startswith(said)


def test_a_target_with_gaps(fit_refused, table) -> None:
    lines = (f"{i},{'' if i == 50 else 'ab'[i % 2]}" for i in range(60))
    said = fit_refused(table("a.csv", "x,c", lines), "--target", "c")
    assert said == (
        "the target 'c' is missing in 1 of 60 rows (row 51): fill it in, or leave "
        "these rows out (--drop-missing-target, or drop_missing_target=True)"
    )


def test_a_target_of_identifiers(fit_refused, table) -> None:
    name = table("a.csv", "x,c", (f"{i % 9},id{i}" for i in range(60)))
    assert "has as many classes as rows (60)" in fit_refused(name, "--target", "c")


def test_fewer_rows_than_the_parts_need(fit_refused, table) -> None:
    name = table("a.csv", "x,c", (f"{i},{'ab'[i % 2]}" for i in range(3)))
    assert fit_refused(name, "--target", "c") == (
        "a.csv has 3 rows, and at least 6 are needed: some to learn from, 20 % to hold "
        "out and 10 % to choose the epoch by (--holdout 0 --validation 0 learns from "
        "all)"
    )
    said = fit_refused(name, "--target", "c", "--holdout", "0")
    assert said.startswith(
        "a.csv has 3 rows, and at least 5 are needed: some to learn "
    )


@pytest.mark.parametrize("holdout", [0.0, 0.01, 0.2, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("validation", [0.0, 0.1, 0.7])
def test_enough_rows_are_those_that_can_be_parted(
    holdout: float, validation: float
) -> None:
    for rows in (*range(1, 30), 50, 99, 500, 999, 1000):
        left = rows
        try:
            for share in (holdout, validation):
                left = len(split(left, share).train) if share else left
        except TableError:
            left = 0
        assert _enough(rows, holdout, validation) == (left > 0), rows


def test_columns_without_a_single_value(fit_refused, table) -> None:
    name = table("a.csv", "m,c", (f",{'ab'[i % 2]}" for i in range(60)))
    assert fit_refused(name, "--target", "c") == (
        "no input column is left in a.csv: 'm' (all its values are missing)"
    )


def test_infinite_values_are_named_by_their_rows_in_the_table(
    fit_refused, table
) -> None:
    lines = (f"{'inf' if i == 41 else i},{i % 7},{'ab'[i % 2]}" for i in range(60))
    said = fit_refused(table("a.csv", "x,z,c", lines), "--target", "c")
    assert said.startswith("column 'x' of a.csv holds infinite values (row 42): ")
    lines = (f"{i},{'-inf' if i == 8 else i + 0.5}" for i in range(60))
    said = fit_refused(table("b.csv", "x,y", lines), "--target", "y")
    assert said.startswith("column 'y' of b.csv holds infinite values (row 9): ")


def test_infinite_pixels(fit_refused) -> None:
    pixels = np.zeros((60, 4, 4))
    pixels[7, 1, 1] = np.inf
    np.savez("a.npz", x=pixels, y=np.arange(60) % 2)
    said = fit_refused("a.npz")
    assert said.startswith("column 'x6' of a.npz holds infinite values (row 8): ")


def test_names_that_do_not_fit_the_columns(fit_refused, people_csv: str) -> None:
    said = fit_refused(people_csv, "--target", "ok", "--columns", "a,b")
    assert said == "2 column names given, but people.csv has 3 columns"


# --- where to write ------------------------------------------------------------------


@pytest.mark.parametrize("option", ["-o", "--report", "--plot"])
def test_outputs_that_cannot_be_written(refused, people_csv: str, option: str) -> None:
    """They are found before the table is read: here there is no such table."""
    Path("folder.png").mkdir()
    Path("taken.png").write_text("mine", encoding="utf-8")

    def said(path: str, *words: str) -> str:
        return refused("fit", "no-such-table.csv", option, path, *words)

    assert said("no/a.png") == "no/a.png cannot be written: there is no folder no"
    assert said("taken.png/a.png").endswith("there is no folder taken.png")
    assert said("folder.png") == "folder.png is a folder: name a file in it"
    assert said("taken.png") == (
        "taken.png exists already: choose another name, or replace it (--force, or "
        "force=True)"
    )
    assert said("/proc/a.png").startswith("/proc/a.png cannot be written: ")
    assert Path("taken.png").read_text(encoding="utf-8") == "mine"


def test_an_output_without_a_name(refused) -> None:
    for option, what in (("-o", "model"), ("--report", "report")):
        said = refused("fit", "no-such-table.csv", option, "")
        assert said == f"the name of the {what} to write is empty"


def test_no_output_is_written_over_another_nor_over_the_table(
    refused, people_csv: str
) -> None:
    before = Path(people_csv).read_text(encoding="utf-8")
    words = ("fit", people_csv, "--target", "ok", "--force")
    assert refused(*words, "-o", "a.html", "--report", "./a.html") == (
        "the report a.html would be written over the model: name another file"
    )
    assert refused(*words, "-o", people_csv) == (
        "the model people.csv would be written over the table: name another file"
    )
    Path("link.csv").symlink_to(people_csv)
    assert "would be written over the table" in refused(*words, "-o", "link.csv")
    assert Path(people_csv).read_text(encoding="utf-8") == before


# --- the model -----------------------------------------------------------------------


def _flipped(data: bytes, place: float) -> bytes:
    changed = bytearray(data)
    changed[int(place * (len(data) - 1))] ^= 4
    return bytes(changed)


DAMAGE = {
    "cut": (lambda data: data[:-20], "is damaged: its checksum does not fit"),
    "cut in the header": (lambda data: data[:100], "is a damaged model file"),
    "a bit of the numbers": (
        lambda data: _flipped(data, 1),
        "is damaged: its checksum",
    ),
    # Whether the header can still be read depends on which of its bytes was hit.
    "a bit of the header": (
        lambda data: _flipped(data, 0.05),
        "is (damaged: its checksum|a damaged model file)",
    ),
    "empty": (lambda _: b"", "is empty, no model file"),
    "a text": (lambda _: b"hello, world", "is no model file"),
}


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("command", ["predict", "evaluate", "describe"])
def test_models_that_are_damaged_or_none(
    refused, models: Path, people_csv: str, how: str, command: str
) -> None:
    damage, said = DAMAGE[how]
    Path("m.weft").write_bytes(damage((models / "people.weft").read_bytes()))
    words = () if command == "describe" else (people_csv,)
    words += ("-o", "p.csv") if command == "predict" else ()
    assert re.match(f"m.weft {said}", refused(command, "m.weft", *words))


def test_a_model_of_a_newer_version(
    refused, people_csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(modelfile, "VERSION", 99)
        modelfile.write("m.weft", {}, {"estimator": "TabularClassifier"})
    said = refused("predict", "m.weft", people_csv)
    assert "in format 99; this version of weft reads format 1. Upgrade: pip" in said


def test_models_that_are_not_ours(refused) -> None:
    save_file({"w": np.zeros(3)}, "other.weft")
    assert refused("describe", "other.weft") == (
        "other.weft is a safetensors file, but no model that weft wrote"
    )
    modelfile.write("alien.weft", {}, {"estimator": "Alien"})
    assert "holds a 'Alien', which this version" in refused("describe", "alien.weft")
    modelfile.write("part.weft", {}, {"estimator": "TabularClassifier"})
    assert "part.weft is not whole" in refused("describe", "part.weft")
    assert refused("describe", "none.weft") == "no model file 'none.weft'"
    assert refused("describe", ".") == ". is a folder, no model file"


def test_a_model_of_arrays_is_sent_to_python(refused, people_csv: str) -> None:
    from weft.estimators import MLPClassifier

    X = np.arange(40.0).reshape(20, 2)
    MLPClassifier((2,), max_iter=1000, tol=1.0).fit(X, np.arange(20) % 2).save("m.weft")
    said = refused("predict", "m.weft", people_csv)
    assert said == (
        "m.weft holds MLPClassifier, which takes arrays and not tables: use it from "
        "Python, weft.load('m.weft')"
    )


# --- a table that a model is given ---------------------------------------------------


def test_a_column_is_missing(refused, models: Path, table) -> None:
    name = table("a.csv", "age,jobs", ("30,a", "31,b"))
    said = refused("predict", models / "people.weft", name, "-o", "p.csv")
    assert said == (
        "a.csv lacks 1 column that the model was fitted with: 'job'. 'job': Did you "
        "mean 'jobs'?"
    )


def test_a_column_is_of_another_kind(refused, models: Path, table) -> None:
    name = table("a.csv", "age,job", ("old,a", "young,b"))
    said = refused("predict", models / "people.weft", name, "-o", "p.csv")
    assert said.startswith("column 'age' of a.csv should hold numbers, but holds 'old'")


def test_infinite_values_at_predict_time(refused, models: Path, table) -> None:
    name = table("a.csv", "age,job", ("30,a", "inf,b", "31,c"))
    said = refused("predict", models / "people.weft", name, "-o", "p.csv")
    assert said.startswith("column 'age' of a.csv holds infinite values (row 2)")


def test_the_target_is_not_there_to_evaluate(refused, models: Path, table) -> None:
    name = table("a.csv", "age,job", ("30,a", "31,b"))
    said = refused("evaluate", models / "people.weft", name)
    assert said == "no column 'ok' in a.csv. It has 'age', 'job'."


def test_a_class_that_was_not_learnt(refused, models: Path, table) -> None:
    name = table("a.csv", "age,job,ok", ("30,a,yes", "31,b,maybe"))
    said = refused("evaluate", models / "people.weft", name)
    assert said.startswith(
        "the target 'ok' holds 'maybe', but the classes learnt are 'no', 'yes'."
    )


def test_gaps_in_the_target_to_evaluate(refused, weft, models: Path, table) -> None:
    name = table("a.csv", "age,job,ok", ("30,a,yes", "31,b,", "45,c,no"))
    model = models / "people.weft"
    assert "is missing in 1 of 3 rows (row 2)" in refused("evaluate", model, name)
    outcome = weft("evaluate", model, name, "--drop-missing-target", "--json")
    assert json.loads(outcome.out)["rows"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "p.xlsx"), "--output p.xlsx: its name must end in .csv or .parquet"),
        (("-o", "no/p.csv"), "no/p.csv cannot be written: there is no folder no"),
        (("--json",), "--json needs the standard output, where the predictions would"),
        (
            ("-o", "people.csv", "-f"),
            "the predictions people.csv would be written over the",
        ),
        (
            ("-o", "people.csv"),
            "the predictions people.csv would be written over the tab",
        ),
        (("--coverage", "1"), "--coverage 1: give a share, 0 < share < 1"),
        (("--coverage", "nan"), "--coverage nan: give a share, 0 < share < 1"),
    ],
)
def test_predictions_that_cannot_be_written(
    refused, models: Path, people_csv: str, words: tuple[str, ...], said: str
) -> None:
    assert refused("predict", models / "people.weft", people_csv, *words).startswith(
        said
    )


def test_predictions_do_not_replace_a_file_or_the_model(
    refused, models: Path, people_csv: str
) -> None:
    Path("p.csv").write_text("mine", encoding="utf-8")
    said = refused("predict", models / "people.weft", people_csv, "-o", "p.csv")
    assert said.startswith("p.csv exists already")
    assert Path("p.csv").read_text(encoding="utf-8") == "mine"
    Path("m.csv").write_bytes((models / "people.weft").read_bytes())
    said = refused("predict", "m.csv", people_csv, "-o", "m.csv", "--force")
    assert said.startswith("the predictions m.csv would be written over the model")
