"""Matrix products against NumPy, in every form, for every target of this machine."""

import ctypes
import itertools
import random
from dataclasses import replace

import numpy as np
import pytest

from weft.compile.native.call import Address, Call, Epilogue
from weft.compile.native.ir import Function
from weft.compile.native.library import Kernel, library
from weft.compile.native.products import Product, product_calls, scratch_bytes
from weft.compile.native.target import Target, available, target

SIZES = (0, 1, 2, 7, 8, 13, 14, 15, 16, 17, 31, 33, 100)
FORMS = list(itertools.product([False, True], repeat=2))
KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 4)

A, B, C, SCRATCH, SEEN = range(5)


class Machine:
    """Runs calls on buffers as a program would, tile by tile on one thread."""

    def __init__(self, buffers: dict[int, np.ndarray], on: Target) -> None:
        self.buffers = buffers
        self.library = library(on.name)
        self.kept: list[np.ndarray] = []

    def address(self, kernel: Kernel) -> int:
        return self.library.addresses([kernel])[kernel.name]

    def words(self, words) -> int:
        """Return the address of resolved words."""
        array = np.array([self.word(word) for word in words], np.int64)
        self.kept.append(array)
        return array.ctypes.data

    def word(self, word) -> int:
        if isinstance(word, Address):
            return self.buffers[word.buffer].ctypes.data + word.offset
        if isinstance(word, Kernel):
            return self.address(word)
        return self.words(word.words) if isinstance(word, Epilogue) else word

    def run(self, call: Call, order=list) -> None:
        kernel, words = KERNEL(self.address(call.kernel)), self.words(call.words)
        for tile in order(list(tiles(call))):
            kernel(words, *tile)


def tiles(call: Call):
    grid = call.grid
    for r in range(0, grid.rows, grid.tile_rows):
        for c in range(0, grid.cols, grid.tile_cols):
            yield (
                r,
                min(grid.rows, r + grid.tile_rows),
                c,
                min(grid.cols, c + grid.tile_cols),
            )


def operand(rng, batch, rows, columns, stride, dtype):
    """Return storage, and the matrices that lie in it, `stride` from row to row."""
    storage = np.full((*batch, rows, stride), np.nan, dtype)
    matrices = storage[..., :columns]
    matrices[...] = rng.standard_normal(matrices.shape)
    return storage, matrices


def multiply(p: Product, on: Target, epilogue=None, order=list):
    """Return C as the kernels and as NumPy compute it, and what the epilogue wrote.

    Rows of A are the first of a sequence that does not depend on how many there are.
    """
    lengths = [axis[0] for axis in p.batch]
    left = (p.k, p.m) if p.left_transposed else (p.m, p.k)
    right = (p.n, p.k) if p.right_transposed else (p.k, p.n)
    own = [[axis[0] if axis[i] else 1 for axis in p.batch] for i in (1, 2)]
    a_all, a = operand(np.random.default_rng(1), own[0], *left, p.lda, p.dtype)
    b_all, b = operand(np.random.default_rng(2), own[1], *right, p.ldb, p.dtype)
    c_all = np.full((*lengths, p.m, p.ldc), 7.0, p.dtype)
    scratch = np.full(scratch_bytes(p, on), 255, np.uint8)
    seen = np.zeros((p.m, p.n), np.int64)
    machine = Machine(dict(enumerate([a_all, b_all, c_all, scratch, seen])), on)
    addresses = [Address(i) for i in (A, B, C, SCRATCH)]
    for call in product_calls(p, *addresses, epilogue, on):
        machine.run(call, order)
    a = a.swapaxes(-1, -2) if p.left_transposed else a
    b = b.swapaxes(-1, -2) if p.right_transposed else b
    assert (c_all[..., p.n :] == 7).all(), "written beyond C's columns"
    return c_all[..., : p.n], a.astype("f8") @ b.astype("f8"), seen


def product(m, n, k, form=(False, False), dtype="float32", extra=(0, 0, 0), batch=()):
    lda = (m if form[0] else k) + extra[0]
    ldb = (k if form[1] else n) + extra[1]
    return Product(dtype, m, n, k, *form, lda, ldb, n + extra[2], batch)


def assert_close(c, expected, p):
    """The rounding errors of k sums of numbers of size 1."""
    bound = 4 * (p.k + 1) * np.finfo(p.dtype).eps
    np.testing.assert_allclose(c, expected, rtol=0, atol=bound)


@pytest.mark.parametrize("name", available())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", FORMS)
def test_all_sizes(name, dtype, form, count):
    triples = list(itertools.product(SIZES, repeat=3))
    chosen = random.Random(0).sample(triples, count(60, len(triples)))
    for i, (m, n, k) in enumerate(chosen):
        p = product(m, n, k, form, dtype, extra=(0, 0, 0) if i % 2 else (3, 1, 2))
        c, expected, _ = multiply(p, target(name))
        assert_close(c, expected, p)


@pytest.mark.parametrize("name", available())
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "size", [(70, 600, 300), (300, 65, 257), (130, 10, 513), (520, 530, 267)]
)
def test_several_blocks(name, form, size):
    p = product(*size, form)
    c, expected, _ = multiply(p, target(name))
    assert_close(c, expected, p)


@pytest.mark.parametrize("name", available())
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shared", ["none", "left", "right", "inner"])
def test_batches(name, form, shared):
    m, n, k = 5, 9, 6
    p = product(m, n, k, form, "float64", extra=(1, 2, 3))
    sizes = [
        (k if form[0] else m) * p.lda,
        (n if form[1] else k) * p.ldb,
        m * p.ldc,
    ]
    inner, outer = [1, 1, 1], [4, 4, 4]
    if shared in ("left", "right"):
        i = ["left", "right"].index(shared)
        inner[i] = outer[i] = 0
    elif shared == "inner":
        inner[1], outer[1] = 0, 1
    axes = [
        (length, *(s * u for s, u in zip(sizes, unit, strict=True)))
        for length, unit in [(3, outer), (4, inner)]
    ]
    p = replace(p, batch=tuple(axes))
    c, expected, _ = multiply(p, target(name))
    assert c.shape == (3, 4, m, n)
    assert_close(c, expected, p)


def test_empty_batch():
    p = product(2, 3, 4, batch=((0, 8, 12, 6),))
    assert product_calls(p, *map(Address, range(4)), None, target()) == []


def counting_epilogue(on: Target) -> Epilogue:
    """Count how often every element is seen: words are the counts, their width."""
    f = Function(
        "count_elements",
        [("ptr", "words"), *[("i64", n) for n in ("r0", "r1", "c0", "c1")]],
        on,
    )
    words, r0, r1, c0, c1 = f.params
    counts = f.load(words, "ptr")
    width = f.load(f.at(words, 1, "i64"), "i64")
    with f.loop(r0, r1) as r, f.loop(c0, c1) as c:
        address = f.at(counts, f.add(f.mul(r.index, width), c.index), "i64")
        f.store(f.add(f.load(address, "i64"), 1), address)
    return Kernel("count_elements", f.finish(), frozenset(f.declarations))


@pytest.mark.parametrize("name", available())
@pytest.mark.parametrize("size", [(3, 5, 2), (100, 300, 300), (513, 10, 700)])
def test_epilogue_sees_every_element_once(name, size):
    p, on = product(*size), target(name)
    epilogue = Epilogue(counting_epilogue(on), (Address(SEEN), p.n))
    _, _, seen = multiply(p, on, epilogue)
    assert (seen == 1).all()


def one_by_one(tiles):
    """Cut tiles into rows, and take the last first."""
    return [
        (r, r + 1, c0, c1) for r0, r1, c0, c1 in reversed(tiles) for r in range(r0, r1)
    ]


@pytest.mark.parametrize("name", available())
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [(33, 20, 64), (130, 270, 300), (50, 7, 600)])
def test_same_bits_for_other_tiles(name, form, size):
    p = product(*size, form)
    whole, _, _ = multiply(p, target(name))
    for order in (lambda tiles: tiles[::-1], one_by_one):
        cut, _, _ = multiply(p, target(name), order=order)
        np.testing.assert_array_equal(whole, cut)


@pytest.mark.parametrize("name", available())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("columns", [1, 3, 10, 100])
@pytest.mark.parametrize("k", [6, 40, 600])
def test_a_row_has_the_same_bits_among_any_others(name, dtype, columns, k):
    """A row of C depends on its row of A and on B, not on the other rows."""
    whole = product(47, columns, k, dtype=dtype)
    on = target(name)
    c, _, _ = multiply(whole, on)
    for rows in (1, 2, 9, 40):
        few, _, _ = multiply(replace(whole, m=rows), on)
        np.testing.assert_array_equal(few, c[:rows])
