"""A loop over a batch: another kernel, once for each index of the batch.

The batch has any number of axes, each with its own stride for every operand, 0 where an
operand is the same for all; the rows of the call's grid count through them, the last
axis fastest.
"""

from collections.abc import Sequence
from functools import cache

from weft.compile.native.call import Word, begin
from weft.compile.native.ir import literal
from weft.compile.native.library import Kernel
from weft.compile.native.target import Target

# The words of one axis: its length, and how far it moves each of the first three words
# of the inner kernel.
_AXIS = 4
# The first of the axes' words, behind the kernel and the numbers of rows, columns, axes
# and inner words.
_HEAD = 5
# Room for the inner kernel's words.
_ROOM = 16


def batch_words(
    kernel: Kernel,
    words: Sequence[Word],
    rows: int,
    columns: int,
    axes: Sequence[tuple[int, int, int, int]],
) -> tuple[Word, ...]:
    """Return the words of a call of `batched`.

    Parameters
    ----------
    kernel : Kernel
        Called for every index of the batch, with all its rows and columns.
    words : sequence of Word
        Its words for the first index.
    rows, columns : int
        Its grid.
    axes : sequence of (int, int, int, int)
        The length of each axis of the batch, from the outermost, and how many bytes it
        moves the first, second and third word.
    """
    flat = [word for axis in axes for word in axis]
    return (kernel, rows, columns, len(axes), len(words), *flat, *words)


@cache
def batched(target: Target) -> Kernel:
    """Return the kernel that calls another for indices r0 ... r1 of a batch."""
    f = begin("batched", target)
    words, r0, r1, _, _ = f.params
    code, rows, columns, axes, count = (
        f.load(f.at(words, i, "i64"), "i64" if i else "ptr") for i in range(_HEAD)
    )
    inner = f.op(f"alloca i64, i64 {_ROOM}, align 8", "ptr")
    first = f.at(words, _HEAD, "i64")
    given = f.at(first, f.mul(axes, _AXIS), "i64")
    with f.loop(0, count) as i:
        word = f.load(f.at(given, i.index, "i64"), "i64")
        f.store(word, f.at(inner, i.index, "i64"))
    zero = literal(0, "i64")
    with f.loop(r0, r1) as index:
        with f.loop(0, axes, carried=[index.index, zero, zero, zero]) as back:
            rest, *moves = back.carried
            at = f.sub(f.sub(axes, 1), back.index)
            axis = f.at(first, f.mul(at, _AXIS), "i64")
            length, *strides = (
                f.load(f.at(axis, i, "i64"), "i64") for i in range(_AXIS)
            )
            here = f.binary("urem", rest, length)
            moves = [
                f.add(move, f.mul(here, stride))
                for move, stride in zip(moves, strides, strict=True)
            ]
            back.carry(f.binary("udiv", rest, length), *moves)
        for at_word, move in enumerate(back.carried[1:]):
            word = f.load(f.at(given, at_word, "i64"), "i64")
            f.store(f.add(word, move), f.at(inner, at_word, "i64"))
        f.call_pointer(code, "void", inner, zero, rows, zero, columns)
    return Kernel("batched", f.finish(), frozenset(f.declarations))
