"""The kernel C = A B: loops around the micro-kernel, so that what it reads is near.

From the outside in: blocks of p; panels of B's columns, as wide as the register tile;
panels of A's rows, as high. A panel of B, of one block, is read once for every panel of
A; where its rows lie far apart, it is copied first. Rows that are left over go through
tiles of fewer rows, columns that are left over through masked lanes, or, where the
target has none, through a tile in memory.

C with few columns, of A stored by columns, is computed turned over, C' = B' A', so that
lanes run along A's columns: then rows and columns of this page are those of C', and
every tile goes through memory to be turned back.
"""

from dataclasses import dataclass
from functools import cache
from typing import final

from weft.compile.native.call import begin
from weft.compile.native.ir import Function, Value, literal, memory_type, vector
from weft.compile.native.library import Kernel
from weft.compile.native.products.lanes import inside
from weft.compile.native.products.micro import Left, Output, Right, Tile, micro_kernel
from weft.compile.native.target import Target

# How many p are summed up before C is put down.
BLOCK = 256


@final
@dataclass(frozen=True)
class Form:
    """What a kernel is made for; sizes and strides it is told when it runs.

    Parameters
    ----------
    dtype : str
    rows : tuple of int
        The heights of register tiles, from the highest down. The last is 1, or divides
        the rows of every tile.
    vectors, lanes : int
        Their width.
    by_rows : bool
        Whether the rows of the left operand lie in memory as rows, or else as columns.
    turned : bool
        Whether it computes C' = B' A'.
    """

    dtype: str
    rows: tuple[int, ...]
    vectors: int
    lanes: int
    by_rows: bool
    turned: bool = False

    @property
    def width(self) -> int:
        """How many columns a tile of registers has."""
        return self.vectors * self.lanes

    @property
    def name(self) -> str:
        """A name for the kernel, by which the library knows it."""
        heights = "-".join(map(str, self.rows))
        size = f"{heights}x{self.vectors}x{self.lanes}"
        order = "rows" if self.by_rows else "columns"
        turned = ".turned" if self.turned else ""
        return f"multiply.{self.dtype}.{size}.{order}{turned}"


@final
@dataclass(frozen=True)
class _Matrix:
    """Where a matrix is, and how far its rows and its columns are apart."""

    base: Value
    row: Value
    column: Value

    def at(self, f: Function, i: Value, j: Value, element: str) -> Value:
        """The address of an element."""
        there = f.add(f.mul(i, self.row), f.mul(j, self.column))
        return f.at(self.base, there, element)


@final
@dataclass(frozen=True)
class _Panel:
    """What meets one panel of B in one block of p.

    Parameters
    ----------
    a : Value
        A's row 0 at the block.
    right : Right
        The panel of B at the block.
    c : _Matrix
        C at row 0 and the panel's first column.
    columns : Value
        How many columns of C there are in it.
    depth : Value
        How many p the block has.
    first : Value
        Whether it is the first block.
    """

    a: Value
    right: Right
    c: _Matrix
    columns: Value
    depth: Value
    first: Value


@cache
def multiply(form: Form, target: Target) -> Kernel:
    """Return the kernel of a form.

    Its words are A, B, C, k; the strides of A's rows and of p in A, of p and of columns
    in B, of rows and of columns in C, all in elements; the code that packs B, or 0; the
    epilogue's code and words, or two zeros. Without packing, B's columns are
    neighbours; not turned over, C's are.
    """
    f = begin(form.name, target)
    words, *sides = f.params
    r0, r1, c0, c1 = [*sides[2:], *sides[:2]] if form.turned else sides
    kinds = ["ptr"] * 3 + ["i64"] * 7 + ["ptr"] * 3
    a, b, c, k, a_row, a_step, b_step, b_column, c_row, c_column, packs, *after = (
        f.load(f.at(words, i, "i64"), kind) for i, kind in enumerate(kinds)
    )
    element = memory_type(form.dtype)
    left = Left(a_row, a_step, form.by_rows)
    aside = _room(f, form, form.rows[0]) if form.turned or not target.masks else None
    copy = _room(f, form, BLOCK)
    # At least one block, also where k is 0: C becomes 0.
    end = f.select(f.compare("sgt", k, 0), k, literal(1, "i64"))
    with f.loop(0, end, BLOCK) as block:
        p = block.index
        a_block = f.at(a, p if form.by_rows else f.mul(p, a_step), element)
        b_block = _Matrix(f.at(b, f.mul(p, b_step), element), b_step, b_column)
        depth, first = f.minimum(f.sub(k, p), BLOCK), f.compare("eq", p, 0)
        with f.loop(c0, c1, form.width) as across:
            j = across.index
            columns = f.minimum(f.sub(c1, j), form.width)
            right = _right(f, form, b_block, j, (depth, columns), packs, copy)
            c_panel = _Matrix(f.at(c, f.mul(j, c_column), element), c_row, c_column)
            panel = _Panel(a_block, right, c_panel, columns, depth, first)
            _rows(f, form, left, panel, (r0, r1), aside)
    with f.when(_given(f, after[0])):
        f.call_pointer(after[0], "void", after[1], *sides)
    return Kernel(form.name, f.finish(), frozenset(f.declarations))


def _given(f: Function, pointer: Value) -> Value:
    return f.op(f"icmp ne {pointer.text}, null", "i1")


def _room(f: Function, form: Form, rows: int) -> Value:
    """Room for rows of a tile of registers in memory."""
    element = memory_type(form.dtype)
    return f.op(f"alloca {element}, i64 {rows * form.width}, align 64", "ptr")


def _right(
    f: Function,
    form: Form,
    block: _Matrix,
    j: Value,
    shape: tuple[Value, Value],
    packs: Value,
    copy: Value,
) -> Right:
    """Write where the panel of B that begins at column j is read: there, or a copy."""
    element = memory_type(form.dtype)
    there = f.at(block.base, f.mul(j, block.column), element)
    width = literal(form.width, "i64")
    copied = _given(f, packs)
    with f.when(copied):
        strides = (block.row, block.column, width)
        f.call_pointer(packs, "void", there, copy, *shape, *strides)
    step = f.select(copied, width, block.row)
    return Right(f.select(copied, copy, there), step)


def _rows(
    f: Function,
    form: Form,
    left: Left,
    panel: _Panel,
    rows: tuple[Value, Value],
    aside: Value | None,
) -> None:
    """Write the loops over the rows of a panel: high tiles first, then lower ones."""
    element = memory_type(form.dtype)
    masks = _masks(f, form, panel.columns)
    i, end = rows
    for height in form.rows:
        tile = Tile(height, form.vectors, vector(element, form.lanes), masks)
        with f.loop(i, f.sub(end, height - 1), height, carried=[i]) as loop:
            at = loop.index
            a = f.at(panel.a, f.mul(at, left.row), element)
            c = f.at(panel.c.base, f.mul(at, panel.c.row), element)
            _tile(f, form, tile, left, panel, (a, c), aside)
            loop.carry(f.add(at, height))
        (i,) = loop.carried


def _tile(
    f: Function,
    form: Form,
    tile: Tile,
    left: Left,
    panel: _Panel,
    addresses: tuple[Value, Value],
    aside: Value | None,
) -> None:
    """Write one tile of registers; some go through memory, if there is room `aside`."""
    a, c = addresses
    work = (left, a, panel.right)
    rest = (panel.depth, panel.first)
    if aside is None:
        micro_kernel(f, tile, *work, Output(c, panel.c.row, tile.masks), *rest)
        return
    detour = f.compare("slt", panel.columns, form.width)
    if form.turned:
        detour = literal(True, "i1")
    width = literal(form.width, "i64")
    to = f.select(detour, aside, c)
    row = f.select(detour, width, panel.c.row)
    near = _Matrix(to, row, literal(1, "i64"))
    far = _Matrix(c, panel.c.row, panel.c.column)
    again = f.binary("xor", panel.first, literal(True, "i1"))
    with f.when(f.binary("and", detour, again)):
        _copy(f, form, far, near, tile.rows, panel.columns)
    micro_kernel(f, tile, *work, Output(to, row, ()), *rest)
    with f.when(detour):
        _copy(f, form, near, far, tile.rows, panel.columns)


def _copy(
    f: Function, form: Form, source: _Matrix, to: _Matrix, rows: int, columns: Value
) -> None:
    """Copy a matrix element by element."""
    element = memory_type(form.dtype)

    def copy(i: Value, j: Value) -> None:
        f.store(f.load(source.at(f, i, j, element), element), to.at(f, i, j, element))

    with f.loop(0, columns) as across:
        if form.turned:
            for i in range(rows):
                copy(literal(i, "i64"), across.index)
        else:
            # Only at the edge: short code is worth more than quick code.
            with f.loop(0, literal(rows, "i64")) as down:
                copy(down.index, across.index)


def _masks(f: Function, form: Form, columns: Value) -> list[Value]:
    """Which lanes of each vector of B are inside; none where all may be read."""
    if not f.target.masks:
        return []
    return [inside(f, columns, form.lanes, v * form.lanes) for v in range(form.vectors)]
