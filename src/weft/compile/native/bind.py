"""From steps to calls: sizes become numbers, and work is cut into tiles.

What is decided here follows from shapes alone, never from how many threads there are;
so the same tiles are computed whoever computes them.
"""

from collections.abc import Mapping
from math import prod

import numpy as np

from weft.compile.native.call import Address, Call, Epilogue, Grid, Word
from weft.compile.native.extent import value
from weft.compile.native.form import Access, LoopStep, Matrix, OpStep, ProductStep
from weft.compile.native.loops import Instr, Loops
from weft.compile.native.products import Product, product_calls, scratch_bytes
from weft.compile.native.random import OPERATIONS, uniform
from weft.compile.native.target import Target
from weft.compile.native.write import kernel
from weft.ops.random import stream_key

Bindings = Mapping[str, int]

# Buffers beside those of the form: where products pack their operands, and the words
# by which a program is controlled.
SCRATCH, CONTROL = -1, -2

# A tile of loops has about so many points: enough to be worth taking, few enough that
# what a tile has read is still in the cache, and that a stop is soon seen.
_POINTS = 16384
# Columns are cut where registers and cache lines end.
_COLUMNS = 64


def loop_calls(
    step: LoopStep, bindings: Bindings, error: Address, target: Target
) -> list[Call]:
    """Return the call of fused loops; none, if there is nothing to go through.

    Parameters
    ----------
    step : LoopStep
    bindings : mapping of str to int
    error : Address
        Of the flag to raise where a position is outside.
    target : Target
    """
    rows = prod(value(size, bindings) for size in step.rows)
    lane = value(step.lane, bindings)
    cols = 1 if step.loops.lane_reduced else lane
    if not rows * cols:
        return []
    inner = prod(value(size, bindings) for size in step.reduced)
    inner *= lane if step.loops.lane_reduced else 1
    words = loop_words(step, bindings, error)
    grid = _grid(step.loops, rows, cols, inner)
    once, each = operations(step.loops)
    return [
        Call(
            kernel(step.loops, target),
            words,
            grid,
            flops=rows * cols * (once + inner * each),
            bytes=sum(_touched(a, step, bindings) for a in step.accesses),
        )
    ]


def operations(loops: Loops) -> tuple[int, int]:
    """Return how many operations a kept point takes, and how many each one reduced.

    Each op of a record counts as one.
    """
    counts = [0, 0]
    inner: list[bool] = []
    for instr in loops.code:
        deep = _is_inner(instr, loops) or any(inner[i] for i in instr.args)
        counts[deep] += instr.kind in ("apply", "fold", "scan", "add")
        inner.append(deep and instr.kind != "fold")
    return counts[0], counts[1]


def _is_inner(instr: Instr, loops: Loops) -> bool:
    """Tell whether an instruction is another one at each reduced point."""
    if instr.kind == "index":
        where = instr.detail[0]
        return where == "reduced" or (where == "lane" and loops.lane_reduced)
    if instr.kind in ("load", "store", "pick", "add"):
        which = instr.detail if isinstance(instr.detail, int) else instr.detail[0]
        operand = loops.operands[which]
        return any(operand.reduced) or (loops.lane_reduced and operand.lane != 0)
    return instr.kind == "scan"


def loop_words(step: LoopStep, bindings: Bindings, error: Address) -> tuple[Word, ...]:
    """Return the arguments of fused loops, in the order that `write.kernel` states."""
    words: list[Word] = [value(s, bindings) for s in (*step.rows, *step.reduced)]
    words.append(value(step.lane, bindings))
    words.extend(value(s, bindings) for s in step.symbols)
    words.append(error)
    for operand, access in zip(step.loops.operands, step.accesses, strict=True):
        words.append(_address(access, bindings))
        moves = (*operand.rows, *operand.reduced, operand.lane == 2)
        words.extend(
            value(stride, bindings)
            for stride, moving in zip(access.strides, moves, strict=True)
            if moving
        )
    return tuple(words)


def _address(access: Access, bindings: Bindings) -> Address:
    itemsize = access.buffer.dtype.itemsize
    return Address(access.buffer.number, value(access.offset, bindings) * itemsize)


def _touched(access: Access, step: LoopStep, bindings: Bindings) -> int:
    sizes = (*step.rows, *step.reduced, step.lane)
    count = prod(
        value(size, bindings)
        for size, stride in zip(sizes, access.strides, strict=True)
        if stride != 0
    )
    return count * access.buffer.dtype.itemsize


def _grid(loops: Loops, rows: int, cols: int, inner: int) -> Grid:
    in_order = any(i.kind == "add" for i in loops.code)
    if in_order or rows * cols * inner <= _POINTS:
        return Grid(rows, cols, rows, cols)
    per_row = cols * inner
    if rows > 1 and per_row <= _POINTS:
        return Grid(rows, cols, max(_POINTS // per_row, 1), cols)
    wide = max(_POINTS // inner, 1)
    wide = max(wide // _COLUMNS, 1) * _COLUMNS
    return Grid(rows, cols, 1, min(wide, cols))


def product_step_calls(
    step: ProductStep, bindings: Bindings, error: Address, target: Target
) -> list[Call]:
    """Return the calls of a product.

    Parameters
    ----------
    step : ProductStep
    bindings : mapping of str to int
    error : Address
    target : Target
    """
    product = described(step, bindings)
    epilogue = None
    if step.epilogue is not None:
        after = step.epilogue
        words = loop_words(after, bindings, error)
        epilogue = Epilogue(kernel(after.loops, target), words)
    return product_calls(
        product,
        _address(step.left.access, bindings),
        _address(step.right.access, bindings),
        Address(step.target.number),
        Address(SCRATCH),
        epilogue,
        target,
    )


def described(step: ProductStep, bindings: Bindings) -> Product:
    """Return a product by its shape."""
    m, n, k = (value(size, bindings) for size in (step.m, step.n, step.k))
    lengths = [value(size, bindings) for size in step.stack]
    strides = [
        [value(s, bindings) for s in matrix.access.strides[:-2]]
        for matrix in (step.left, step.right)
    ]
    apart, batch = m * n, []
    for length, a, b in zip(
        reversed(lengths), *(reversed(s) for s in strides), strict=True
    ):
        batch.append((length, a, b, apart))
        apart *= length
    return Product(
        step.node.dtype.name,
        m,
        n,
        k,
        step.left.transposed,
        step.right.transposed,
        _leading(step.left, bindings),
        _leading(step.right, bindings),
        max(n, 1),
        tuple(reversed(batch)),
    )


def _leading(matrix: Matrix, bindings: Bindings) -> int:
    """Return how far apart rows lie, of the matrix as it is stored."""
    which = -1 if matrix.transposed else -2
    return value(matrix.access.strides[which], bindings)


def scratch_size(step: ProductStep, bindings: Bindings, target: Target) -> int:
    """Return the bytes that a product needs beside its operands."""
    return scratch_bytes(described(step, bindings), target)


def random_calls(step: OpStep, bindings: Bindings, target: Target) -> list[Call]:
    """Return the call that draws random numbers.

    Parameters
    ----------
    step : OpStep
    bindings : mapping of str to int
    target : Target
    """
    node = step.node
    per_sample = prod(value(size, bindings) for size in node.params["shape"])
    total = prod(value(size, bindings) for size in node.shape)
    if not total:
        return []
    samples = total // per_sample
    moves = [int(buffer.elements != 1) for buffer in step.inputs]
    key = int(np.uint64(stream_key(node.params["stream"])).astype(np.int64))
    words: tuple[Word, ...] = (
        *(Address(buffer.number) for buffer in step.inputs),
        *moves,
        key,
        Address(step.target.number),
        per_sample,
    )
    rows = max(_POINTS // 8 // per_sample, 1)
    return [
        Call(
            uniform(node.dtype.name, target),
            words,
            Grid(samples, 1, min(rows, samples), 1),
            flops=total * OPERATIONS,
            bytes=total * node.dtype.itemsize,
        )
    ]
