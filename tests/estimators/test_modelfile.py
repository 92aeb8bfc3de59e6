"""The model file: whole and ours, or refused by one clear line."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from weft.estimators import modelfile
from weft.estimators.modelfile import ModelFileError, check_writable, read, write
from weft.graph.errors import WeftError

TENSORS = {
    "layers.0.w": np.arange(6, dtype=np.float32).reshape(2, 3),
    "layers.0.b": np.array([1e-30, -0.0, 5e300]),
    "step": np.array(7, dtype=np.int64),
    "mask": np.array([True, False]),
    "none": np.zeros((0, 4), dtype=np.float32),
}
METADATA = {
    "task": "regression",
    "schema": {"given": ["a", "ü", 'say "x"'], "mean": 0.1, "target": None},
    "sha256": "0" * 64,  # a key of the user's own by that name does no harm
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.weft"
    write(path, TENSORS, METADATA)
    return path


def test_what_is_written_is_read_to_the_bit(model: Path) -> None:
    tensors, metadata = read(model)
    assert metadata == METADATA
    assert tensors.keys() == TENSORS.keys()
    for name, array in TENSORS.items():
        assert tensors[name].dtype == array.dtype
        assert tensors[name].shape == array.shape
        assert tensors[name].tobytes() == array.tobytes()


def test_the_same_model_gives_the_same_bytes(model: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.weft"
    for _ in range(5):
        write(again, dict(reversed(TENSORS.items())), METADATA, force=True)
        assert again.read_bytes() == model.read_bytes()


def test_any_layout_in_memory_is_written_alike(tmp_path: Path) -> None:
    values = np.arange(12.0).reshape(3, 4)
    path = tmp_path / "m.weft"
    given = {"t": values.T, "big": values.astype(">f8"), "every": values[::2, ::3]}
    write(path, given, {})
    tensors, _ = read(path)
    for name, array in given.items():
        assert np.array_equal(tensors[name], array)


def test_it_is_a_safetensors_file_that_others_can_open(model: Path) -> None:
    from safetensors import safe_open

    with safe_open(model, framework="numpy") as file:
        assert set(file.keys()) == set(TENSORS)
        assert json.loads(file.metadata()["weft-model"])["metadata"] == METADATA


def test_every_flipped_bit_is_refused(model: Path, count: Callable) -> None:
    data = model.read_bytes()
    bits = range(0, 8 * len(data), count(7, 1))  # 7 is odd: every place of a byte
    broken = model.with_name("broken.weft")
    for bit in bits:
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        broken.write_bytes(flipped)
        with pytest.raises(ModelFileError) as caught:
            read(broken)
        assert "\n" not in str(caught.value)


def test_every_truncation_and_every_tail_is_refused(model: Path) -> None:
    data = model.read_bytes()
    broken = model.with_name("broken.weft")
    for length in range(len(data)):
        broken.write_bytes(data[:length])
        with pytest.raises(ModelFileError):
            read(broken)
    for tail in (b"\0", b" ", data):
        broken.write_bytes(data + tail)
        with pytest.raises(ModelFileError, match="damaged"):
            read(broken)


def test_a_damaged_file_is_called_damaged(model: Path) -> None:
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(data)
    with pytest.raises(ModelFileError, match="damaged: its checksum does not fit"):
        read(model)


def test_a_newer_version_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new.weft"
    monkeypatch.setattr(modelfile, "VERSION", 2)
    monkeypatch.setattr(modelfile, "_written_by", lambda: "weft 9.1")
    write(path, TENSORS, METADATA)
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match=r"weft 9\.1, in format 2.*Upgrade"):
        read(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"not a model", "is no model file"),
        (b"age,income\n39,1\n" * 100, "is no model file"),
        (b"\x80\x04\x95pickle", "is no model file"),
        (b"\xff" * 64, "is no model file"),
        (save({"w": np.zeros(3)}), "but no model that weft wrote"),
        (save({"w": np.zeros(3)}, metadata={"format": "pt"}), "but no model that weft"),
    ],
    ids=["empty", "text", "table", "pickle", "bytes", "tensors", "torch"],
)
def test_a_file_that_is_not_ours_is_refused(
    content: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=said):
        read(path)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"no model file '.*none\.weft'"):
        read(tmp_path / "none.weft")
    with pytest.raises(ModelFileError, match="is a folder"):
        read(tmp_path)


def test_a_file_that_exists_is_kept_unless_forced(model: Path) -> None:
    before = model.read_bytes()
    with pytest.raises(ModelFileError, match="exists already"):
        write(model, {}, {})
    with pytest.raises(ModelFileError, match="exists already"):
        modelfile.atomic_write(model, b"x")
    assert model.read_bytes() == before
    write(model, {}, {"new": True}, force=True)
    assert read(model) == ({}, {"new": True})


@pytest.mark.parametrize("force", [False, True])
def test_what_is_no_regular_file_is_never_replaced(tmp_path: Path, force: bool) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ModelFileError, match="no regular file"):
        modelfile.check_writable(pipe, force)
    assert pipe.is_fifo()


@pytest.mark.parametrize("force", [False, True])
def test_places_where_nothing_can_be_written(tmp_path: Path, force: bool) -> None:
    (tmp_path / "file").write_text("x")
    cases = {
        tmp_path: "is a folder",
        tmp_path / "absent" / "m.weft": "there is no folder",
        tmp_path / "file" / "m.weft": "there is no folder",
        Path("/proc/m.weft"): "cannot be written",
    }
    for path, said in cases.items():
        if path.parent == Path("/proc") and not path.parent.is_dir():
            continue
        with pytest.raises(ModelFileError, match=said) as caught:
            check_writable(path, force)
        assert "\n" not in str(caught.value)
        with pytest.raises(ModelFileError, match=said):
            write(path, TENSORS, METADATA, force)


def test_checking_a_place_leaves_nothing_behind(tmp_path: Path) -> None:
    check_writable(tmp_path / "m.weft")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_disk_leaves_the_old_file_whole(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = model.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(modelfile.os, "fsync", full)
    with pytest.raises(ModelFileError, match="No space left on device"):
        write(model, TENSORS, {}, force=True)
    assert model.read_bytes() == before
    assert list(model.parent.iterdir()) == [model]


@pytest.mark.parametrize(
    "metadata", [{"x": float("nan")}, {"x": object()}, {"x": np.float32(1)}]
)
def test_metadata_that_is_no_json_is_refused(metadata: dict, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no JSON data"):
        write(tmp_path / "m.weft", {}, metadata)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([1j]), np.array([None])])
def test_arrays_that_no_file_holds_are_refused(
    array: np.ndarray, tmp_path: Path
) -> None:
    with pytest.raises(ModelFileError, match=re.escape(str(array.dtype))):
        write(tmp_path / "m.weft", {"w": array}, {})


def test_the_error_is_one_of_weft(tmp_path: Path) -> None:
    with pytest.raises(WeftError):
        read(tmp_path / "none")
    assert issubclass(ModelFileError, ValueError)
