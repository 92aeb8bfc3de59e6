"""Fused loops: any chain of elementwise ops, reductions and choices as one kernel.

A `Loops` says what a kernel does at one point of an iteration space, as data: loads,
ops, folds, stores, each an `Instr` that names earlier ones by number. Some dimensions
of the space are *kept*, the others *reduced*. One dimension runs along the lanes of the
vector unit; over the other kept ones runs the grid's row.

A fold turns a value per point into a value per kept point, for which all points have to
be passed through; what depends on it comes in the next pass. So a softmax is three
passes over a row that stays in the cache. Sums are taken in a fixed order, in blocks,
whatever the tiles.

Nothing here knows sizes or strides: they are words of the kernel's arguments. `write`
makes code of it.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np


@final
@dataclass(frozen=True)
class Operand:
    """Something in memory, as it is met while looping.

    Parameters
    ----------
    dtype : str
    rows, reduced : tuple of bool
        Whether it moves along each row dimension and each reduced one.
    lane : int
        0 if all lanes meet the same element, 1 if neighbours, 2 if elements apart.
    """

    dtype: str
    rows: tuple[bool, ...]
    reduced: tuple[bool, ...]
    lane: int


class Instr(NamedTuple):
    """One instruction.

    Parameters
    ----------
    kind : str
        ``load`` (detail: operand), ``literal`` (bits), ``index`` (which loop),
        ``symbol`` (which word), ``apply`` (op and parameters), ``inside`` (the word
        with the length: a checked position), ``pick`` (operand, the word with the
        stride: the element at a position), ``fold`` and ``scan`` (by which
        operation), ``store`` (operand), ``add`` (operand, word with the stride: added
        to the element at a position).
    dtype : str
    args : tuple of int
    detail : Any
    """

    kind: str
    dtype: str
    args: tuple[int, ...]
    detail: Any


@final
@dataclass(frozen=True)
class Loops:
    """What a fused kernel does.

    Parameters
    ----------
    rows : int
        How many kept dimensions there are beside the lanes'.
    reduced : int
        How many reduced dimensions there are beside the lanes'.
    lane_reduced : bool
        Whether the lanes run along a reduced dimension.
    serial : bool
        One lane only: scalars, and what has to be added one after the other.
    by_columns : bool
        Whether to go down the rows of one register's columns before the next: what is
        the same for all rows is then read once.
    stoppable : bool
        Whether a stop that is asked for may cut it short: the step is dropped then.
    long : bool
        Whether the innermost reduced loop is long enough to be summed in blocks.
    operands : tuple of Operand
    symbols : int
        How many further numbers it is given.
    code : tuple of Instr
    """

    rows: int
    reduced: int
    lane_reduced: bool
    serial: bool
    by_columns: bool
    stoppable: bool
    long: bool
    operands: tuple[Operand, ...]
    symbols: int
    code: tuple[Instr, ...]

    @property
    def read(self) -> tuple[int, ...]:
        """The operands that are read."""
        found = {i.detail for i in self.code if i.kind == "load"}
        found |= {i.detail[0] for i in self.code if i.kind in ("pick", "add")}
        return tuple(sorted(found))

    @property
    def written(self) -> tuple[int, ...]:
        """The operands that are written."""
        found = {i.detail for i in self.code if i.kind == "store"}
        found |= {i.detail[0] for i in self.code if i.kind == "add"}
        return tuple(sorted(found))

    @property
    def pointwise(self) -> bool:
        """Whether each point reads all that it needs before it writes, and only there.

        What it writes may then lie where it reads.
        """
        elsewhere = {"fold", "scan", "pick", "add"}
        return not elsewhere & {i.kind for i in self.code}


def literal_bits(value: Any, dtype: Any) -> int:
    """Return a number's bits, by which `Instr` tells 0.0 from -0.0 and 1 from True."""
    array = np.asarray(value, dtype).reshape(1)
    return int(array.view(f"u{array.itemsize}")[0])


def literal_value(bits: int, dtype: str) -> Any:
    """Return the number that has these bits."""
    kind = np.dtype(dtype)
    return np.asarray([bits], f"u{kind.itemsize}").view(kind)[0]
