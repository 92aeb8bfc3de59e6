"""What calls make a product: which register tile, what is packed, which tiles.

All is decided by shape, dtype and target; nothing by how many threads there are.
"""

from dataclasses import dataclass, replace
from math import prod
from typing import final

import numpy as np

from weft.compile.native.call import Address, Call, Epilogue, Grid, Word
from weft.compile.native.library import Kernel
from weft.compile.native.products.batch import batch_words, batched
from weft.compile.native.products.inner import InnerForm, inner
from weft.compile.native.products.multiply import Form, multiply
from weft.compile.native.products.pack import pack_columns, pack_rows, transpose
from weft.compile.native.target import Target

# Below so many floating-point operations, one tile: a second thread would cost more
# than it brings.
_WORTH_SHARING = 400_000
# So many tiles are enough for a few threads; so many rows enough for one of them.
_PIECES = 8
_TALL = 516
# So many columns are few.
_FEW = 12
# So many vectors in a row of a register tile; there are no more masks.
_WIDEST = 8
# Rows of B that are so many bytes apart are copied, if they are read for so many of A.
_FAR = 2048
_OFTEN = 48


@final
@dataclass(frozen=True)
class Product:
    """C = A B, or as many products as a batch has.

    Parameters
    ----------
    dtype : str
        "float32" or "float64".
    m, n, k : int
        C is (m, n), A is (m, k), B is (k, n). Each may be 0.
    left_transposed, right_transposed : bool
        Whether A is stored as (k, m), B as (n, k).
    lda, ldb, ldc : int
        How many elements the rows of A and B, as stored, and of C are apart.
    batch : tuple of (int, int, int, int)
        The axes of a batch, from the outermost: the length, and by how many elements it
        moves A, B and C.
    """

    dtype: str
    m: int
    n: int
    k: int
    left_transposed: bool
    right_transposed: bool
    lda: int
    ldb: int
    ldc: int
    batch: tuple[tuple[int, int, int, int], ...] = ()

    @property
    def itemsize(self) -> int:
        """The bytes of an element."""
        return np.dtype(self.dtype).itemsize

    @property
    def flops(self) -> int:
        """How many products and sums there are."""
        return 2 * self.m * self.n * self.k * prod(axis[0] for axis in self.batch)

    @property
    def bytes(self) -> int:
        """How many bytes are read and written at least."""
        sizes = (self.m * self.k, self.k * self.n, self.m * self.n)
        copies = (prod(axis[0] for axis in self.batch if axis[1 + i]) for i in range(3))
        return self.itemsize * sum(s * c for s, c in zip(sizes, copies, strict=True))


def product_calls(
    product: Product,
    a: Address,
    b: Address,
    c: Address,
    scratch: Address,
    epilogue: Epilogue | None,
    target: Target,
) -> list[Call]:
    """Return the calls, one after the other, that compute a product.

    Parameters
    ----------
    product : Product
    a, b, c : Address
        The first elements.
    scratch : Address
        Room for `scratch_bytes`.
    epilogue : Epilogue, optional
        What is done with every tile of C as soon as it is there. Not for a batch.
    target : Target

    Returns
    -------
    list of Call
        None where C has no elements.
    """
    product = _flattened(product)
    if not product.m * product.n * prod(axis[0] for axis in product.batch):
        return []
    calls = []
    if _transposes(product, target):
        calls.append(_transpose_call(product, a, scratch, target))
        rows = _transposed_row(product)
        a, product = scratch, replace(product, left_transposed=False, lda=rows)
    plan = _inner_plan(product, target) or _tile_plan(product, target)
    left, right = (product.lda, 1), (product.ldb, 1)
    if product.left_transposed:
        left = left[::-1]
    if product.right_transposed:
        right = right[::-1]
    to = (product.ldc, 1)
    matrices = (a, b, c)
    if plan.turned:
        matrices = (b, a, c)
        left, right, to = right[::-1], left[::-1], to[::-1]
    after: tuple[Word, ...] = (epilogue.kernel, epilogue) if epilogue else (0, 0)
    words = (*matrices, product.k, *left, *right, *to, plan.packs, *after)
    if product.batch:
        return [_batch_call(product, plan, words, target)]
    grid = _grid(product, plan)
    calls.append(Call(plan.kernel, words, grid, product.flops, product.bytes))
    return calls


def scratch_bytes(product: Product, target: Target) -> int:
    """Return how much room a product needs besides its operands.

    Parameters
    ----------
    product : Product
    target : Target

    Returns
    -------
    int
    """
    product = _flattened(product)
    if not _transposes(product, target):
        return 0
    # Its rows are written in groups of up to 8.
    rows = -(-product.m // 8) * 8
    return rows * _transposed_row(product) * product.itemsize


def _transposes(product: Product, target: Target) -> bool:
    """Whether A is transposed first: it is read often, its columns are far apart."""
    lanes = target.lanes(product.itemsize)
    # Eight panels of B, of at most an eighth of the registers, read A eight times.
    often = product.n >= lanes * target.registers and product.m >= lanes
    far = product.lda * product.itemsize >= _FAR // 2
    return product.left_transposed and not product.batch and often and far


def _transposed_row(product: Product) -> int:
    """How many elements the rows of the transposed A are apart."""
    return -(-product.k // 8) * 8


def _transpose_call(
    product: Product, a: Address, scratch: Address, target: Target
) -> Call:
    """The call that transposes A."""
    code = pack_columns(product.dtype, target)
    row = _transposed_row(product)
    words = (code, a, scratch, product.lda, row)
    grid = Grid(product.m, product.k, 256, 128)
    moved = 2 * product.m * product.k * product.itemsize
    return Call(transpose(product.dtype, target), words, grid, 0, moved)


def _flattened(product: Product) -> Product:
    """Take axes of the batch for rows, where all share B and follow on one another."""
    while product.batch and not product.left_transposed:
        *outer, (length, a, b, c) = product.batch
        if b or (a, c) != (product.m * product.lda, product.m * product.ldc):
            break
        product = replace(product, m=length * product.m, batch=tuple(outer))
    return product


@final
@dataclass(frozen=True)
class _Plan:
    """How a product is computed.

    Parameters
    ----------
    kernel : Kernel
    turned : bool
        Whether as C' = B' A'.
    packs : Word
        The code that packs the right operand, or 0.
    high, wide : int
        Tiles are cut in multiples of so many rows, and have so many columns.
    """

    kernel: Kernel
    turned: bool
    packs: Word
    high: int
    wide: int


def _inner_plan(product: Product, target: Target) -> _Plan | None:
    """Plan inner products, where that is quicker: for few columns and long rows of A.

    What counts is the time for an element of A. Inner products keep all lanes at work,
    but it takes about 4 cycles to add up the lanes of an element of C. Register tiles
    spend 3/4 of a cycle at least on reading the element and spreading it.
    """
    lanes, n, k = target.lanes(product.itemsize), product.n, product.k
    if product.left_transposed or k < lanes or n > _FEW:
        return None
    # Of 64 bytes, or two vectors, a cycle takes products and sums.
    rate = min(64, 2 * target.vector_bytes) / product.itemsize
    halves = -(-2 * n // lanes)
    if n / rate + 4 * n / k > max(0.75, halves * lanes / 2 / rate):
        return None
    rows = min(8, _room(n, target))
    kernel = inner(InnerForm(product.dtype, rows, n, lanes), target)
    return _Plan(kernel, False, 0, rows, n)


def _tile_plan(product: Product, target: Target) -> _Plan:
    """Plan register tiles, as wide as C allows with few lanes idle."""
    lanes = target.lanes(product.itemsize)
    # Few columns of an A that lies by columns: let the lanes run along those.
    turned = (
        product.left_transposed
        and product.n <= _FEW
        and product.m >= max(lanes, 2 * product.n)
    )
    wide = product.m if turned else product.n
    by_rows = product.right_transposed if turned else not product.left_transposed
    if wide <= lanes:
        while lanes > 16 // product.itemsize and wide <= lanes // 2:
            lanes //= 2
    vectors = -(-wide // lanes)
    if turned:
        heights, vectors = _tile_of_all(product.n, vectors, target)
    else:
        heights, vectors = _tile(product.m, vectors, target)
    form = Form(product.dtype, heights, vectors, lanes, by_rows, turned)
    packs = _packing(product, form, target)
    high, across = (form.width, product.n) if turned else (heights[0], form.width)
    return _Plan(multiply(form, target), turned, packs, high, across)


def _room(count: int, target: Target) -> int:
    """How often so many registers of sums fit beside what they are made of."""
    return max(1, 3 * target.registers // (4 * count))


def _tile_of_all(
    rows: int, vectors: int, target: Target
) -> tuple[tuple[int, ...], int]:
    """Choose the heights and width of tiles of all rows at once, if they fit."""
    room = _room(rows, target)
    if room == 1:
        return (6, 2, 1), 2
    panels = -(-vectors // min(_WIDEST, room))
    return (rows,), -(-vectors // panels)


def _tile(rows: int, vectors: int, target: Target) -> tuple[tuple[int, ...], int]:
    """Choose the heights of register tiles, and the width in vectors."""
    # One row needs many vectors, for sums that do not wait for one another.
    heights: tuple[int, ...] = (6, 2, 1)
    most = target.registers // 8
    if rows == 1:
        heights, most = (1,), _WIDEST
    for width in (8, 4, 2):
        if width <= most and -(-vectors // width) * width <= 1.05 * vectors + 0.5:
            return heights, width
    return (8, 4, 1), 1


def _packing(product: Product, form: Form, target: Target) -> Word:
    """The code that packs the right operand of the form, or 0 where none is needed."""
    rows, columns, step = product.m, product.n, product.ldb
    transposed = product.right_transposed
    if form.turned:
        rows, columns, step = product.n, product.m, product.lda
        transposed = not product.left_transposed
    if transposed:
        return pack_columns(product.dtype, target)
    ends = columns % form.width != 0 and not target.masks
    far = step * product.itemsize >= _FAR and rows >= _OFTEN
    return pack_rows(product.dtype, target) if ends or far else 0


def _batch_call(
    product: Product, plan: _Plan, words: tuple[Word, ...], target: Target
) -> Call:
    """The call that multiplies for every index of the batch."""
    size = product.itemsize
    axes = []
    for length, *strides in product.batch:
        i, j, l = (stride * size for stride in strides)
        axes.append((length, j, i, l) if plan.turned else (length, i, j, l))
    count = prod(axis[0] for axis in axes)
    inner = batch_words(plan.kernel, words, product.m, product.n, axes)
    pieces = 8 if product.flops > _WORTH_SHARING else 1
    grid = Grid(count, 1, -(-count // pieces), 1)
    return Call(batched(target), inner, grid, product.flops, product.bytes)


def _grid(product: Product, plan: _Plan) -> Grid:
    """Cut C into tiles: few columns, many rows.

    The narrower a tile, the fewer times a panel of B is read from afar.
    """
    m, n = product.m, product.n
    if product.flops <= _WORTH_SHARING:
        return Grid(m, n, m, n)
    across = -(-n // plan.wide)
    pieces = max(-(-m // _TALL), min(-(-_PIECES // across), m // (8 * plan.high) + 1))
    return Grid(m, n, -(-m // (pieces * plan.high)) * plan.high, plan.wide)
