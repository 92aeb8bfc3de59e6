"""The model file: arrays and JSON, nothing that can be executed.

A model file is a safetensors file. Its arrays are tensors; all else is one JSON text in
its header, under the key ``weft-model``:

    {"format": 1, "written_by": "weft 0.1.0", "sha256": "...", "metadata": {...}}

The digest is taken over the whole file with zeros in the digest's own place. So every
byte counts, those of the header too: a file that is cut short or has one bit turned is
refused, and never read as something else. The same model gives the same bytes.
"""

import errno
import hashlib
import importlib.metadata
import json
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.graph.errors import WeftError

FORMAT = "weft-model"
VERSION = 1

_ZEROS = b"0" * 64
# Inside a JSON text that is itself a JSON string: hence the backslashes.
_DIGEST = re.compile(rb'\\"sha256\\":\\"([0-9a-f]{64})\\"')
_LONGEST_HEADER = 100_000_000  # safetensors' own limit
_DTYPES = frozenset(
    ["bool", "float16", "float32", "float64"]
    + [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
)


class ModelFileError(WeftError, ValueError):
    """A model file that cannot be read, or a place where none can be written."""


def write(
    path: str | Path,
    tensors: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, Any],
    force: bool = False,
) -> None:
    """Write a model file.

    It appears at once and whole: it is written beside its place and then renamed.

    Parameters
    ----------
    path : str or Path
    tensors : mapping of str to ndarray
        Booleans, integers and floats of any shape.
    metadata : mapping
        JSON data: dicts with text keys, lists, texts, finite numbers, booleans, None.
    force : bool
        Replace a file that is there already.

    Raises
    ------
    ModelFileError
        If the path cannot be written, is taken, or the contents are of another kind.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name) / "line.weft"
    >>> write(path, {"w": np.array([2.0])}, {"unit": "identity"})
    >>> tensors, metadata = read(path)
    >>> tensors["w"].tolist(), metadata
    ([2.0], {'unit': 'identity'})
    >>> folder.cleanup()
    """
    check_writable(path, force)
    atomic_write(path, _to_bytes(tensors, metadata), force)


def read(path: str | Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read a model file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    tensors : dict of str to ndarray
    metadata : dict

    Raises
    ------
    ModelFileError
        If there is no file, it is no model file, is damaged, or was written by a newer
        version of weft.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelFileError(f"no model file {str(path)!r}") from error
    except IsADirectoryError as error:
        raise ModelFileError(f"{path} is a folder, no model file") from error
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}") from error
    return _from_bytes(data, str(path))


def check_writable(path: str | Path, force: bool = False) -> None:
    """Raise an error if a file cannot be written: before the work, not after it.

    Parameters
    ----------
    path : str or Path
    force : bool
        Whether a file that is there already may be replaced.

    Raises
    ------
    ModelFileError
        If the folder is missing or takes no files, or the path is taken.
    """
    path = Path(path)
    if path.is_dir():
        raise ModelFileError(f"{path} is a folder: name a file in it")
    if path.exists() and not path.is_file():  # a device, a pipe: never to be replaced
        raise ModelFileError(f"{path} is no regular file: name another one")
    if path.exists() and not force:
        raise ModelFileError(
            f"{path} exists already: choose another name, or replace it (--force, or "
            "force=True)"
        )
    folder = path.parent
    if not folder.is_dir():
        raise ModelFileError(f"{path} cannot be written: there is no folder {folder}")
    # Only trying tells: rights, quotas and read-only disks all have a say in it.
    try:
        beside, handle = _open_beside(path)
        os.close(handle)
        beside.unlink()
    except OSError as error:
        raise ModelFileError(_why_not(path, error)) from error


def atomic_write(path: str | Path, data: bytes, force: bool = False) -> None:
    """Write a file so that it is either there whole or not at all.

    Parameters
    ----------
    path : str or Path
    data : bytes
    force : bool
        Replace a file that is there already.

    Raises
    ------
    ModelFileError
        If it cannot be written, or is there already.
    """
    path = Path(path)
    beside: Path | None = None
    try:
        beside, handle = _open_beside(path)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not force and path.exists():  # somebody else was quicker
            raise FileExistsError(errno.EEXIST, "it exists already")
        beside.replace(path)
    except OSError as error:
        raise ModelFileError(_why_not(path, error)) from error
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)


def _open_beside(path: Path) -> tuple[Path, int]:
    """Make a new file in the folder of `path`, with the rights the user's files get."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    return beside, os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)


def _why_not(path: Path, error: OSError) -> str:
    return f"{path} cannot be written: {error.strerror or error}"


def _written_by() -> str:
    try:
        return f"weft {importlib.metadata.version('weft')}"
    except importlib.metadata.PackageNotFoundError:  # run from its sources
        return "weft"


def _to_bytes(
    tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]
) -> bytes:
    from safetensors.numpy import save

    plain = {name: _plain(name, array) for name, array in tensors.items()}
    about = {
        "format": VERSION,
        "written_by": _written_by(),
        "sha256": _ZEROS.decode(),
        "metadata": metadata,
    }
    try:
        text = json.dumps(about, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"the metadata is no JSON data: {error}") from error
    # One key only: safetensors writes several in an order that changes from run to run.
    data = save(plain, metadata={FORMAT: text})
    place = _digest_place(data)
    if place is None:
        raise ModelFileError("the model has too much metadata for a safetensors header")
    digest = hashlib.sha256(data).hexdigest().encode()
    return data[: place.start] + digest + data[place.stop :]


def _plain(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return an array as safetensors takes it: native byte order, rows in order."""
    array = np.asarray(array)
    if array.dtype.name not in _DTYPES:
        raise ModelFileError(
            f"tensor {name!r} has dtype {array.dtype}: no file holds it"
        )
    # order="C" keeps an array without dimensions as it is; ascontiguousarray would not.
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C", copy=None)


def _header(data: bytes) -> bytes | None:
    """Return the header of a safetensors file, or None if there is none."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 10 or length > _LONGEST_HEADER or 8 + length > len(data):
        return None
    return data[8 : 8 + length]


def _digest_place(data: bytes) -> slice | None:
    """Return where the digest stands: the first place, before any metadata."""
    header = _header(data)
    found = None if header is None else _DIGEST.search(header)
    return None if found is None else slice(8 + found.start(1), 8 + found.end(1))


def _from_bytes(
    data: bytes, path: str
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    place = _digest_place(data)
    if place is None or f'"{FORMAT}"'.encode() not in data[: place.start]:
        raise ModelFileError(_not_ours(data, path))
    blank = data[: place.start] + _ZEROS + data[place.stop :]
    if hashlib.sha256(blank).hexdigest().encode() != data[place]:
        raise ModelFileError(
            f"{path} is damaged: its checksum does not fit its contents. "
            "Copy it again, or fit the model anew"
        )
    # From here on the file is, byte for byte, what some version of weft wrote.
    about = json.loads(json.loads(_header(data) or b"")["__metadata__"][FORMAT])
    if about["format"] > VERSION:
        raise ModelFileError(
            f"{path} was written by {about['written_by']}, in format "
            f"{about['format']}; this version of weft reads format {VERSION}. "
            "Upgrade: pip install --upgrade weft"
        )
    from safetensors.numpy import load

    return load(data), about["metadata"]


def _not_ours(data: bytes, path: str) -> str:
    if not data:
        return f"{path} is empty, no model file"
    if FORMAT.encode() in data[:4096]:
        return f"{path} is a damaged model file: its header is cut short or garbled"
    if data[8:9] == b"{" and _header(data) is not None:
        return f"{path} is a safetensors file, but no model that weft wrote"
    return f"{path} is no model file"
