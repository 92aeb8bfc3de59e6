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
from weft.compile.native.products.multiply import Form, multiply
from weft.compile.native.products.pack import pack
from weft.compile.native.target import Target

# Below so many floating-point operations, one tile: a second thread would cost more
# than it brings.
_WORTH_SHARING = 1_000_000


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
    form = _form(product, target)
    calls = []
    if _packs(product, form, target):
        calls.append(_pack_call(product, form, b, scratch, target))
        b, product = scratch, _packed(product, form)
        b_strides = (product.k, form.width)
    else:
        b_strides = (1, product.ldb)
    a_strides = (1, product.lda) if product.left_transposed else (product.lda, 1)
    after: tuple[Word, ...] = (epilogue.kernel, epilogue) if epilogue else (0, 0)
    words = (a, b, c, product.k, *a_strides, *b_strides, product.ldc, *after)
    kernel = multiply(form, target)
    calls.append(_call(product, form, kernel, words, target))
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
    form = _form(product, target)
    if not _packs(product, form, target):
        return 0
    copies = prod(axis[0] for axis in product.batch if axis[2])
    return copies * _panels_size(product, form) * product.itemsize


def _flattened(product: Product) -> Product:
    """Take axes of the batch for rows, where all share B and follow on one another."""
    while product.batch and not product.left_transposed:
        *outer, (length, a, b, c) = product.batch
        if b or (a, c) != (product.m * product.lda, product.m * product.ldc):
            break
        product = replace(product, m=length * product.m, batch=tuple(outer))
    return product


def _form(product: Product, target: Target) -> Form:
    """Choose the register tile: as wide as C allows with few lanes idle."""
    lanes = target.lanes(product.itemsize)
    order = not product.left_transposed
    if product.n <= lanes:
        while lanes > 16 // product.itemsize and product.n <= lanes // 2:
            lanes //= 2
        return Form(product.dtype, (8, 4, 1), 1, lanes, order)
    vectors = -(-product.n // lanes)
    most = target.registers // 8
    for width in (4, 2, 1):
        if width <= most and -(-vectors // width) * width <= 1.05 * vectors + 0.5:
            break
    heights = (6, 2, 1) if width > 1 else (8, 4, 1)
    return Form(product.dtype, heights, width, lanes, order)


def _packs(product: Product, form: Form, target: Target) -> bool:
    """Whether B is copied first: it lies the wrong way, or ends within a vector."""
    ends = product.n % form.width != 0 and not target.masks
    return product.right_transposed or ends


def _panels_size(product: Product, form: Form) -> int:
    """How many elements B has when packed."""
    return -(-product.n // form.width) * form.width * product.k


def _packed(product: Product, form: Form) -> Product:
    """The product with B's strides as they are when it is packed."""
    size = _panels_size(product, form)
    axes = []
    for length, a, b, c in reversed(product.batch):
        axes.append((length, a, size if b else 0, c))
        size *= length if b else 1
    return replace(product, batch=tuple(reversed(axes)))


def _pack_call(
    product: Product, form: Form, b: Address, scratch: Address, target: Target
) -> Call:
    """The call that packs B, once for every B there is."""
    kernel = pack(product.dtype, target)
    strides = (1, product.ldb) if product.right_transposed else (product.ldb, 1)
    words = (b, scratch, product.k, product.n, *strides, form.width)
    moved = 2 * product.k * product.n * product.itemsize
    if not product.batch:
        wide = form.width * max(1, -(-product.n // (8 * form.width)))
        return Call(kernel, words, Grid(1, product.n, 1, wide), 0, moved)
    packed = _packed(product, form)
    axes = [
        (old[0], old[2] * product.itemsize, new[2] * product.itemsize, 0)
        for old, new in zip(product.batch, packed.batch, strict=True)
        if old[2]
    ]
    count = prod(axis[0] for axis in axes)
    inner = batch_words(kernel, words, 1, product.n, axes)
    grid = Grid(count, 1, max(1, -(-count // 8)), 1)
    return Call(batched(target), inner, grid, 0, count * moved)


def _call(
    product: Product,
    form: Form,
    kernel: Kernel,
    words: tuple[Word, ...],
    target: Target,
) -> Call:
    """The call that multiplies."""
    if not product.batch:
        grid = _grid(product, form)
        return Call(kernel, words, grid, product.flops, product.bytes)
    size = product.itemsize
    axes = [(g, i * size, j * size, l * size) for g, i, j, l in product.batch]
    count = prod(axis[0] for axis in product.batch)
    inner = batch_words(kernel, words, product.m, product.n, axes)
    pieces = 8 if product.flops > _WORTH_SHARING else 1
    grid = Grid(count, 1, -(-count // pieces), 1)
    return Call(batched(target), inner, grid, product.flops, product.bytes)


def _grid(product: Product, form: Form) -> Grid:
    """Cut C into tiles, of whole register tiles."""
    m, n = product.m, product.n
    if product.flops <= _WORTH_SHARING:
        return Grid(m, n, m, n)
    high = form.rows[0] * max(1, 96 // form.rows[0])
    wide = form.width * max(1, 256 // form.width)
    return Grid(m, n, high, wide)
