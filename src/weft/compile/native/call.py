"""One entry of a native program's table: a kernel, its arguments, its grid of tiles.

Every kernel has one signature::

    void kernel(ptr arguments, i64 r0, i64 r1, i64 c0, i64 c1)

`arguments` points to 8-byte words: addresses and whole numbers. The kernel does the
part of its work that lies in rows r0 ... r1 and columns c0 ... c1 of its grid. What it
does there must not depend on where the tile begins and ends, so that any number of
threads, taking tiles as they come, give the same bits.
"""

from dataclasses import dataclass
from typing import final

from weft.compile.native.ir import Function
from weft.compile.native.library import Kernel
from weft.compile.native.target import Target


def begin(name: str, target: Target) -> Function:
    """Begin to write a kernel: a function of the signature that all have.

    Parameters
    ----------
    name : str
    target : Target

    Returns
    -------
    Function
        Its parameters are the arguments' address and r0, r1, c0, c1.
    """
    bounds = [("i64", bound) for bound in ("r0", "r1", "c0", "c1")]
    return Function(name, [("ptr noalias readonly", "words"), *bounds], target)


@final
@dataclass(frozen=True)
class Address:
    """Where an argument's data begins: a buffer of the program, known by number.

    Parameters
    ----------
    buffer : int
    offset : int
        In bytes.
    """

    buffer: int
    offset: int = 0


@final
@dataclass(frozen=True)
class Epilogue:
    """What is done with a tile of a product while it is still in the cache.

    Parameters
    ----------
    kernel : Kernel
        Called with the tile's rows and columns.
    words : tuple
        Its arguments.
    """

    kernel: Kernel
    words: "tuple[Word, ...]"


# An argument: a number, an address, the code of an epilogue or its arguments.
Word = int | Address | Kernel | Epilogue


@final
@dataclass(frozen=True)
class Grid:
    """The work of a call, and the tiles it is cut into.

    Parameters
    ----------
    rows, cols : int
    tile_rows, tile_cols : int
        At least 1. The last tile of a row or column may be smaller.
    """

    rows: int
    cols: int
    tile_rows: int
    tile_cols: int

    @property
    def tiles(self) -> int:
        """How many tiles there are."""
        return -(-self.rows // self.tile_rows) * -(-self.cols // self.tile_cols)


@final
@dataclass(frozen=True)
class Call:
    """One kernel on one set of arguments.

    Parameters
    ----------
    kernel : Kernel or int
        The code, or the address of a function of Python's.
    words : tuple of Word
        A `Kernel` among them becomes its address, an `Epilogue` the address of its own
        words.
    grid : Grid
    flops, bytes : int
        What it computes, and what it reads and writes.
    """

    kernel: Kernel | int
    words: tuple[Word, ...]
    grid: Grid
    flops: int = 0
    bytes: int = 0

    @property
    def name(self) -> str:
        """What the kernel is called; nothing, if it is a function of Python's."""
        return self.kernel.name if isinstance(self.kernel, Kernel) else ""
