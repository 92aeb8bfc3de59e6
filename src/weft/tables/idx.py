"""IDX, the form in which MNIST and its relatives are kept.

Two zero bytes, a byte for the type, a byte for the number of dimensions, each dimension
as a big-endian 32-bit integer, then the numbers, big-endian too. Images and labels are
two files; whoever names the images gets the labels beside them as the target.
"""

import math
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weft.tables.column import Block, number_column
from weft.tables.delimited import unpacked
from weft.tables.errors import TableError, counted
from weft.tables.table import Table

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_IMAGES = re.compile(r"images([-.])idx\d")


def is_idx_name(name: str) -> bool:
    """Tell whether a file is called as IDX files are.

    Examples
    --------
    >>> is_idx_name("train-images-idx3-ubyte.gz"), is_idx_name("train.csv")
    (True, False)
    """
    return re.search(r"[-.]idx\d?([-.]|$)", name) is not None


def array_from_idx(data: bytes, source: str) -> NDArray[np.generic]:
    """Return the array that an IDX file holds.

    Parameters
    ----------
    data : bytes
        The file, packed or not.
    source : str
        What to call it in messages.

    Returns
    -------
    ndarray
        Of the file's own type, in the machine's byte order.

    Raises
    ------
    TableError
        If it is no IDX file, or cut short.

    Examples
    --------
    >>> array_from_idx(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]), "t")
    array([7, 9], dtype=uint8)
    """
    data = unpacked(data, source)
    if not data:
        raise TableError(f"{source} is empty")
    if len(data) < 4 or data[:2] != b"\x00\x00" or data[2] not in _TYPES:
        raise TableError(f"{source} is no IDX file: it begins with {data[:4].hex(' ')}")
    kind, dimensions = np.dtype(_TYPES[data[2]]), data[3]
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise TableError(
            f"{source} is cut short: its first {start} bytes tell its shape"
        )
    shape = tuple(np.frombuffer(data[4:start], ">u4").tolist())
    expected = start + math.prod(shape) * kind.itemsize
    if len(data) != expected:
        raise TableError(
            f"{source} is damaged or cut short: an array of shape {shape} "
            f"needs {expected:,} bytes, and there are {len(data):,}"
        )
    values = np.frombuffer(data, kind, offset=start).reshape(shape)
    return values.astype(kind.newbyteorder("="), copy=False)


def read_idx(path: Path, source: str) -> Table:
    """Read an IDX file; beside images, their labels become the column ``label``.

    Parameters
    ----------
    path : Path
    source : str
        What to call it in messages.

    Returns
    -------
    Table
        Columns ``pixel1``, ``pixel2``, ... of images, ``label`` of labels.

    Raises
    ------
    TableError
        If it is no IDX file, or images and labels differ in number.
    """
    values = array_from_idx(path.read_bytes(), source)
    if values.ndim == 1:
        return Table((number_column("label", values),), source, target="label")
    flat = values.reshape(len(values), -1)
    names = tuple(f"pixel{index + 1}" for index in range(flat.shape[1]))
    block = Block(names, flat, values.shape[1:])
    beside = _labels_beside(path)
    if beside is None:
        return Table((block,), source)
    labels = array_from_idx(beside.read_bytes(), str(beside))
    if labels.shape != (len(flat),):
        raise TableError(
            f"{source} holds {counted(len(flat), 'image')}, but {beside.name} beside "
            f"it holds labels of shape {labels.shape}"
        )
    note = f"the labels were found beside the images, in {beside.name}"
    return Table((block, number_column("label", labels)), source, (note,), "label")


def _labels_beside(path: Path) -> Path | None:
    """Return the file with the labels of some images, packed or not."""
    name = _IMAGES.sub(r"labels\1idx1", path.name)
    if name == path.name:
        return None
    plain = name.removesuffix(".gz")
    for candidate in (name, plain, plain + ".gz"):
        beside = path.with_name(candidate)
        if beside.is_file():
            return beside
    return None
