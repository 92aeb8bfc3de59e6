"""Compiled kernels on disk: whole, this user's own, and never believed unseen."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from weft.compile.native.cache import Cache, default_folder

PROGRAM = """
import numpy as np, weft
import llvmlite.binding as llvm

compiled = []
parse = llvm.parse_assembly
llvm.parse_assembly = lambda text: compiled.append(text) or parse(text)
x = weft.input("x", ("n",), "float64")
out = weft.sum(weft.tanh(x) + weft.lgamma(x))
program = weft.compile([x], out, engine="native")
print(float(program(np.linspace(0.5, 3, 100))).hex(), len(compiled))
"""


def _run(folder: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "WEFT_CACHE": folder},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_the_next_process_compiles_nothing_and_computes_the_same(tmp_path):
    value, compiled = _run(str(tmp_path / "kernels"))
    again, compiled_again = _run(str(tmp_path / "kernels"))
    assert int(compiled) > 0
    assert int(compiled_again) == 0
    assert again == value


def test_off_keeps_nothing(tmp_path):
    _, compiled = _run("off")
    assert int(compiled) > 0


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_a_damaged_file_is_made_anew(tmp_path, damage):
    cache = Cache(tmp_path / "kernels")
    cache.get("text", lambda: b"code")
    (path,) = (tmp_path / "kernels").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"!" if damage is None else damage)
    assert cache.get("text", lambda: b"code") == b"code"
    assert path.read_bytes() == whole


def test_writers_at_once_leave_one_whole_file(tmp_path):
    cache = Cache(tmp_path / "kernels")
    content = os.urandom(100_000)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: cache.get("text", lambda: content), range(64)))
    assert set(found) == {content}
    assert len(list((tmp_path / "kernels").iterdir())) == 1


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_the_folder_is_its_owners_alone(tmp_path):
    Cache(tmp_path / "kernels")
    assert (tmp_path / "kernels").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_a_folder_that_others_may_write_to_is_left_alone(tmp_path):
    folder = tmp_path / "kernels"
    folder.mkdir()
    folder.chmod(0o777)
    assert Cache(folder).get("text", lambda: b"code") == b"code"
    assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path):
    (tmp_path / "file").write_text("")
    assert Cache(tmp_path / "file" / "kernels").get("text", lambda: b"code") == b"code"


def test_room_is_made_by_forgetting_the_oldest(tmp_path, monkeypatch):
    # `weft.compile` is the function; the module is found by its full name.
    monkeypatch.setattr(sys.modules[Cache.__module__], "_MOST", 4)
    cache = Cache(tmp_path)
    for k in range(8):
        cache.get(str(k), lambda: b"code")
        newest = max(tmp_path.iterdir(), key=lambda p: p.stat().st_ctime_ns)
        os.utime(newest, (k, k))
    Cache(tmp_path).get("last", lambda: b"code")
    left = {int(p.stat().st_mtime) for p in tmp_path.iterdir()}
    assert {0, 1, 2, 3} & left == set()
    assert {4, 5, 6, 7} <= left


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.setenv("WEFT_CACHE", "off")
    assert default_folder() is None
    monkeypatch.setenv("WEFT_CACHE", str(tmp_path))
    assert default_folder() == tmp_path
    monkeypatch.delenv("WEFT_CACHE")
    found = default_folder()
    assert found is not None
    assert "weft" in Path(found).parts
