"""The kernel C = A B for few columns: inner products, with lanes along k.

With few columns most lanes of `multiply` would idle. Here every lane sums up a part of
k, for a few rows of A and all columns of C at a time; then the lanes are added. B's
columns have to follow one another, and are copied where they do not.

Bits: an element's sum is that of its lanes' sums, block by block. It depends on k and
the target, and like everywhere on nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import final

from weft.compile.native.call import begin
from weft.compile.native.ir import Function, Value, literal, memory_type, vector
from weft.compile.native.library import Kernel
from weft.compile.native.products.lanes import inside, totals
from weft.compile.native.products.micro import multiply_add
from weft.compile.native.products.multiply import BLOCK
from weft.compile.native.target import Target


@final
@dataclass(frozen=True)
class InnerForm:
    """What a kernel is made for.

    Parameters
    ----------
    dtype : str
    rows : int
        How many rows of A are taken at a time.
    columns : int
        How many columns C has.
    lanes : int
    """

    dtype: str
    rows: int
    columns: int
    lanes: int

    @property
    def name(self) -> str:
        """A name for the kernel, by which the library knows it."""
        return f"inner.{self.dtype}.{self.rows}x{self.columns}x{self.lanes}"


@final
@dataclass(frozen=True)
class _Block:
    """One block of k.

    Parameters
    ----------
    a, b, c : Value
        The addresses of A's row 0 and B's column 0 at the block, and of C.
    a_row, b_column, c_row : Value
        Strides.
    depth : Value
        How many elements it has.
    first : Value
        Whether it is the first.
    """

    a: Value
    b: Value
    c: Value
    a_row: Value
    b_column: Value
    c_row: Value
    depth: Value
    first: Value


@cache
def inner(form: InnerForm, target: Target) -> Kernel:
    """Return the kernel of a form; its words are those of `multiply`.

    It packs B itself, if the stride of p is not 1.

    Parameters
    ----------
    form : InnerForm
    target : Target

    Returns
    -------
    Kernel
    """
    f = begin(form.name, target)
    words, r0, r1, *_ = f.params
    kinds = ["ptr"] * 3 + ["i64"] * 7 + ["ptr"] * 3
    a, b, c, k, a_row, _, b_step, b_column, c_row, _, _, *after = (
        f.load(f.at(words, i, "i64"), kind) for i, kind in enumerate(kinds)
    )
    element = memory_type(form.dtype)
    copy = _room(f, element, form.columns * BLOCK)
    sums = _room(f, element, form.rows * form.columns * form.lanes)
    width, one = literal(BLOCK, "i64"), literal(1, "i64")
    copied = f.compare("ne", b_step, 1)
    end = f.select(f.compare("sgt", k, 0), k, one)
    with f.loop(0, end, BLOCK) as loop:
        p = loop.index
        depth, first = f.minimum(f.sub(k, p), BLOCK), f.compare("eq", p, 0)
        b_block = f.at(b, f.mul(p, b_step), element)
        with f.when(copied), f.loop(0, depth) as down:
            row = f.at(b_block, f.mul(down.index, b_step), element)
            to = f.at(copy, down.index, element)
            for j in range(form.columns):
                value = f.load(f.at(row, j, element), element)
                f.store(value, f.at(to, j * BLOCK, element))
        block = _Block(
            f.at(a, p, element),
            f.select(copied, copy, b_block),
            c,
            a_row,
            f.select(copied, width, b_column),
            c_row,
            depth,
            first,
        )
        i = r0
        for rows in (form.rows, 1) if form.rows > 1 else (1,):
            with f.loop(i, f.sub(r1, rows - 1), rows, carried=[i]) as down:
                _sum(f, form, rows, block, down.index, sums)
                _put(f, form, rows, block, down.index, sums)
                down.carry(f.add(down.index, rows))
            (i,) = down.carried
    with f.when(f.op(f"icmp ne {after[0].text}, null", "i1")):
        f.call_pointer(after[0], "void", after[1], *f.params[1:])
    return Kernel(form.name, f.finish(), frozenset(f.declarations))


def _room(f: Function, element: str, count: int) -> Value:
    """Room in memory."""
    return f.op(f"alloca {element}, i64 {count}, align 64", "ptr")


def _sum(
    f: Function, form: InnerForm, rows: int, block: _Block, i: Value, sums: Value
) -> None:
    """Sum up a block for a few rows, from row i on, and all columns."""
    element = memory_type(form.dtype)
    kind = vector(element, form.lanes)
    a = f.at(block.a, f.mul(i, block.a_row), element)
    lines = [
        *_lines(f, a, block.a_row, rows, element),
        *_lines(f, block.b, block.b_column, form.columns, element),
    ]
    whole = f.binary("and", block.depth, literal(-form.lanes, "i64"))
    found = [literal(0, kind)] * (rows * form.columns)
    with f.loop(0, whole, form.lanes, carried=found) as loop:
        loaded = [f.load(f.at(line, loop.index, element), kind) for line in lines]
        loop.carry(*_products(f, rows, loaded, loop.carried))
    found = loop.carried
    if f.target.masks:
        mask = inside(f, f.sub(block.depth, whole), form.lanes)
        with f.loop(whole, block.depth, form.lanes, carried=found) as rest:
            loaded = [
                f.load_masked(f.at(line, rest.index, element), kind, mask)
                for line in lines
            ]
            rest.carry(*_products(f, rows, loaded, rest.carried))
        found = rest.carried
    packed = totals(f, found)
    for n, value in enumerate(packed):
        f.store(value, f.at(sums, n * packed[0].lanes, element))


def _lines(
    f: Function, base: Value, stride: Value, count: int, element: str
) -> list[Value]:
    """The addresses of rows of A, or of columns of B."""
    return [f.at(base, f.mul(stride, r), element) if r else base for r in range(count)]


def _products(
    f: Function, rows: int, loaded: Sequence[Value], sums: Sequence[Value]
) -> list[Value]:
    """Add the products of every row with every column."""
    columns = len(loaded) - rows
    return [
        multiply_add(f, loaded[n // columns], loaded[rows + n % columns], old)
        for n, old in enumerate(sums)
    ]


def _put(
    f: Function, form: InnerForm, rows: int, block: _Block, i: Value, sums: Value
) -> None:
    """Add the sums to what C holds from earlier blocks."""
    element = memory_type(form.dtype)
    to, zero = f.at(block.c, f.mul(i, block.c_row), element), literal(0, element)
    with f.loop(0, literal(rows, "i64")) as down:
        row = f.at(to, f.mul(down.index, block.c_row), element)
        own = f.at(sums, f.mul(down.index, form.columns), element)
        for j in range(form.columns):
            place = f.at(row, j, element)
            sofar = f.select(block.first, zero, f.load(place, element))
            value = f.binary("fadd", sofar, f.load(f.at(own, j, element), element))
            if not f.target.masks:
                value = _rest(f, form, block, f.add(i, down.index), j, value)
            f.store(value, place)


def _rest(
    f: Function, form: InnerForm, block: _Block, i: Value, j: int, value: Value
) -> Value:
    """Add the products that fill no vector, one by one."""
    element = memory_type(form.dtype)
    a = f.at(block.a, f.mul(i, block.a_row), element)
    b = f.at(block.b, f.mul(block.b_column, j), element)
    whole = f.binary("and", block.depth, literal(-form.lanes, "i64"))
    with f.loop(whole, block.depth, carried=[value]) as loop:
        x, y = (f.load(f.at(base, loop.index, element), element) for base in (a, b))
        loop.carry(multiply_add(f, x, y, loop.carried[0]))
    return loop.carried[0]
