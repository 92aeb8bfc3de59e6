"""Files of every other form, built-in names, and paths that lead nowhere."""

import gzip
import struct
import warnings
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from weft.tables import BUILT_IN, Block, Schema, TableError, read
from weft.tables.idx import array_from_idx


def refused(path, said: str) -> None:
    with pytest.raises(TableError, match=said) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_parquet_and_arrow_keep_their_types(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, None], "b": ["x", "yes"], "c": [True, False]})
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_ipc(tmp_path / "t.arrow")
    frame.write_ipc(tmp_path / "t.feather")
    frame.write_ipc_stream(tmp_path / "stream.arrow")
    for name in ("t.parquet", "t.arrow", "t.feather", "stream.arrow"):
        table = read(tmp_path / name)
        assert [column.kind for column in table] == ["number", "category", "boolean"]
        assert table.column("a").labels() == [1, None]
        assert table.source == str(tmp_path / name)


def test_a_pandas_index_in_a_parquet_file_is_no_column(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": [1, 2]}, index=["u", "v"]).to_parquet(path)
    table = read(path)
    assert table.names == ("a",)
    assert "is no column" in table.notes[0]


def test_damaged_parquet_and_arrow_files(tmp_path: Path) -> None:
    for name, kind in (("t.parquet", "Parquet"), ("t.arrow", "Arrow")):
        path = tmp_path / name
        path.write_bytes(b"")
        refused(path, "is empty")
        path.write_bytes(b"neither one nor the other")
        refused(path, f"is no {kind} file, or a damaged one")
        path.write_bytes(b"PAR1 and then nothing PAR1")
        refused(path, f"is no {kind} file, or a damaged one")
    empty = pa.table({"a": pa.array([], pa.int64())})
    pa.parquet.write_table(empty, tmp_path / "none.parquet")
    refused(tmp_path / "none.parquet", "has no rows")


def test_npz_of_a_matrix_and_a_target(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.savez(path, X=x, y=np.array(["u", "v", "u"]))
    table = read(path)
    assert table.names == ("X1", "X2", "y")
    assert table.target == "y"
    assert table.matrix(["X1", "X2"]).dtype == np.float32
    assert table.column("y").labels() == ["u", "v", "u"]


def test_npz_of_columns_and_of_images(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, age=[1, 2], job=["a", "b"])
    assert read(path).names == ("age", "job")
    np.savez(path, images=np.zeros((2, 4, 5), np.uint8), flags=np.eye(2, dtype=bool))
    table = read(path)
    assert table.names[:2] == ("images1", "images2")
    assert isinstance(table.parts[0], Block)
    assert table.parts[0].shape == (4, 5)
    assert table.column("flags2").kind == "boolean"
    np.save(tmp_path / "t.npy", np.zeros((2, 3)))
    assert read(tmp_path / "t.npy").names == ("x1", "x2", "x3")


def test_npz_that_are_no_table(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, X=np.zeros((3, 2)), y=np.zeros(2))
    refused(path, r"not rows of one table: X \(3, 2\), y \(2,\)")
    np.savez(path, X=np.array(3.0))
    refused(path, r"X \(\)")
    np.savez(path)
    refused(path, "none")
    np.savez(path, X=np.array([{}], dtype=object))
    refused(path, "Python objects, which weft never loads")
    path.write_bytes(b"no archive")
    refused(path, "is no NumPy file")


def idx(array: np.ndarray, code: int) -> bytes:
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    body = array.astype(array.dtype.newbyteorder(">")).tobytes()
    return bytes([0, 0, code, array.ndim]) + shape + body


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("mark", ["-", "."])
def test_images_find_their_labels(tmp_path: Path, pack, mark: str) -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    labels = np.array([7, 1], dtype=np.uint8)
    path = tmp_path / f"train-images{mark}idx3-ubyte"
    path.write_bytes(pack(idx(images, 8)))
    table = read(path)
    assert (table.rows, len(table.names), table.target) == (2, 12, None)

    beside = tmp_path / f"train-labels{mark}idx1-ubyte.gz"
    beside.write_bytes(gzip.compress(idx(labels, 8)))
    table = read(path)
    assert table.target == "label"
    assert table.column("label").values.tolist() == [7, 1]
    assert table.matrix(table.names[:-1]).tolist() == images.reshape(2, 12).tolist()
    assert table.parts[0].shape == (3, 4)
    assert beside.name in table.notes[0]
    assert read(beside).names == ("label",)

    beside.write_bytes(gzip.compress(idx(np.zeros(3, np.uint8), 8)))
    refused(path, r"holds 2 images, but .* holds labels of shape \(3,\)")


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(8, "u1"), (9, "i1"), (11, "i2"), (12, "i4"), (13, "f4"), (14, "f8")],
)
def test_idx_of_every_type(code: int, dtype: str) -> None:
    values = np.array([[1, 2], [3, 100]], dtype=dtype)
    read_back = array_from_idx(idx(values, code), "t")
    assert read_back.dtype == values.dtype
    assert read_back.dtype.isnative
    assert np.array_equal(read_back, values)


def test_damaged_idx_files(tmp_path: Path) -> None:
    path = tmp_path / "a-idx3-ubyte"
    whole = idx(np.zeros((2, 3, 4), np.uint8), 8)
    for length in (1, 3, 4, 10, 17, len(whole) - 1):
        path.write_bytes(whole[:length])
        refused(path, "is no IDX file|cut short")
    path.write_bytes(whole + b"\0")
    refused(path, "needs 40 bytes, and there are 41")
    path.write_bytes(b"text")
    refused(path, "is no IDX file")
    path.write_bytes(b"")
    refused(path, "is empty")


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_tables_have_names_and_a_target(name: str) -> None:
    table = read(name)
    assert table.source == name
    assert table.target in table
    assert not any(column.missing_count for column in table)
    assert Schema.fit(table, table.target).width > 0


def test_built_in_tables_are_what_they_are_known_for() -> None:
    rows = {name: (read(name).rows, len(read(name).names)) for name in BUILT_IN}
    assert rows == {
        "digits": (1797, 65),
        "iris": (150, 5),
        "wine": (178, 14),
        "breast_cancer": (569, 31),
        "diabetes": (442, 11),
        "xor": (4, 3),
    }
    iris = read("iris").column("species")
    assert iris.counts == {"setosa": 50, "versicolor": 50, "virginica": 50}
    assert read("breast_cancer").column("diagnosis").counts["malignant"] == 212
    assert read("digits").parts[0].shape == (8, 8)
    assert read("digits").parts[0].values.dtype == np.uint8
    ages = read("diabetes").column("age").values
    assert ages.min() == 19  # years, not scaled
    xor = read("xor")
    assert xor.column("y").values.tolist() == [0, 1, 1, 0]


def test_a_file_goes_before_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("iris").write_text("a,b\n1,2\n")
    assert read("iris").names == ("a", "b")


def test_paths_that_lead_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("houses.csv").write_text("a\n1\n")
    refused("house.csv", r"no file 'house\.csv'\. Did you mean 'houses\.csv'\?")
    refused("digts", r"no file 'digts'\. Did you mean 'digits'")
    refused("zzzzzz", "Built-in names are digits, iris")
    refused("gone/x.csv", "There is no folder 'gone' either")
    refused(tmp_path / "hauses.csv", r"Did you mean '.*houses\.csv'")
    refused(tmp_path, r"is a folder: name a file in it\. It holds 'houses\.csv'")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("t.xlsx", "an Excel workbook"),
        ("t.json", "JSON"),
        ("t.zip", "an archive"),
        ("t.pkl", "a pickle, which can run code"),
    ],
)
def test_forms_that_are_not_read_are_named(
    name: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(b"something")
    refused(tmp_path / name, f"is {said}.*save the table as CSV or Parquet")


@pytest.fixture
def openml(monkeypatch: pytest.MonkeyPatch):
    """What fetch_openml is to answer: a bunch, or an error to raise."""
    asked: list[tuple] = []

    def answer_with(answer) -> list[tuple]:
        def fetch(name: str, *, version, **_) -> object:
            asked.append((name, version))
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch)
        return asked

    return answer_with


def test_openml_by_name_and_version(openml) -> None:
    frame = pd.DataFrame({"x": [1, 2], "class": pd.Categorical(["a", "b"])})
    asked = openml(SimpleNamespace(frame=frame, target_names=["class"]))
    table = read("openml:credit-g")
    assert (table.names, table.target) == (("x", "class"), "class")
    assert table.source == "openml:credit-g"
    read("openml:credit-g@2")
    assert asked == [("credit-g", "active"), ("credit-g", 2)]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (URLError("Name or service not known"), "OpenML is not reached.*a network"),
        (TimeoutError("timed out"), "OpenML is not reached"),
        (ValueError("No active dataset\n nosuch found."), "No active dataset nosuch"),
        (ImportError("no pandas"), "needs pandas: pip install pandas"),
    ],
    ids=repr,
)
def test_openml_that_cannot_be_had(openml, error: Exception, said: str) -> None:
    openml(error)
    refused("openml:nosuch", said)


def test_openml_is_asked_again_without_a_warning(
    openml, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(*_, **__) -> object:
        warnings.warn("A network error occurred. Retrying...", stacklevel=2)
        raise URLError("no route")

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch)
    refused("openml:nosuch", "OpenML is not reached")


@pytest.mark.parametrize("name", ["openml:", "openml:a@b"])
def test_openml_names_that_are_none(name: str) -> None:
    refused(name, r"is no OpenML name: write openml:NAME\[@VERSION\]")
