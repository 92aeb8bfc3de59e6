"""The kernel C = A B: loops around the micro-kernel, so that what it reads is near.

From the outside in: blocks of p, so that a panel of B stays in the first cache; panels
of B's columns, as wide as the register tile; panels of A's rows, as high. Rows that are
left over go through tiles of fewer rows, columns that are left over through masked
lanes, or, where the target has none, through a tile in memory.
"""

from dataclasses import dataclass
from functools import cache
from typing import final

from weft.compile.native.ir import Function, Value, literal, memory_type, vector
from weft.compile.native.library import Kernel
from weft.compile.native.products.micro import Left, Tile, micro_kernel
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
        The heights of register tiles, from the highest down to 1.
    vectors, lanes : int
        Their width.
    by_rows : bool
        Whether A's rows lie in memory as rows, or else as columns.
    """

    dtype: str
    rows: tuple[int, ...]
    vectors: int
    lanes: int
    by_rows: bool

    @property
    def width(self) -> int:
        """How many columns a tile of registers has."""
        return self.vectors * self.lanes

    @property
    def name(self) -> str:
        """A name for the kernel, by which the library knows it."""
        order = "rows" if self.by_rows else "columns"
        return (
            f"multiply.{self.dtype}.{self.rows[0]}x{self.vectors}x{self.lanes}.{order}"
        )


@final
@dataclass(frozen=True)
class _Panel:
    """What meets one panel of B in one block of p.

    Parameters
    ----------
    a, b, c : Value
        A and C at row 0, B and C at the panel's first column, A and B at the block.
    b_step, c_row : Value
        Strides.
    depth : Value
        How many p the block has.
    first : Value
        Whether it is the first block.
    columns : Value
        How many columns there are from the panel's first on.
    """

    a: Value
    b: Value
    c: Value
    b_step: Value
    c_row: Value
    depth: Value
    first: Value
    columns: Value


@cache
def multiply(form: Form, target: Target) -> Kernel:
    """Return the kernel of a form.

    Its words are A, B, C, k; the strides of A's rows and of p in A; of B's columns and
    of p in B; of C's rows; the epilogue's code and words, or two zeros. All strides are
    in elements. Packed, A's rows and B's columns are k apart from panel to panel.
    """
    params = [("ptr noalias", "words")] + [("i64", n) for n in ("r0", "r1", "c0", "c1")]
    f = Function(form.name, params, target)
    words, r0, r1, c0, c1 = f.params
    kinds = ["ptr"] * 3 + ["i64"] * 6
    a, b, c, k, a_row, a_step, b_col, b_step, c_row = (
        f.load(f.at(words, i, "i64"), kind) for i, kind in enumerate(kinds)
    )
    element = memory_type(form.dtype)
    left = Left(a_row, a_step, form.by_rows)
    aside = None if target.masks else _aside(f, form)
    # At least one block, also where k is 0: C becomes 0.
    end = f.select(f.compare("sgt", k, 0), k, literal(1, "i64"))
    with f.loop(0, end, BLOCK) as block:
        p = block.index
        a_block = f.at(a, p if form.by_rows else f.mul(p, a_step), element)
        b_block = f.at(b, f.mul(p, b_step), element)
        depth, first = f.minimum(f.sub(k, p), BLOCK), f.compare("eq", p, 0)
        with f.loop(c0, c1, form.width) as columns:
            j = columns.index
            panel = _Panel(
                a_block,
                f.at(b_block, f.mul(j, b_col), element),
                f.at(c, j, element),
                b_step,
                c_row,
                depth,
                first,
                f.sub(c1, j),
            )
            _rows(f, form, left, panel, (r0, r1), aside)
    _epilogue(f)
    return Kernel(form.name, f.finish(), frozenset(f.declarations))


def _epilogue(f: Function) -> None:
    """Call what is to be done with the tile, if anything is."""
    words, *tile = f.params
    code, its_words = (f.load(f.at(words, 9 + i, "i64"), "ptr") for i in range(2))
    with f.when(f.op(f"icmp ne {code.text}, null", "i1")):
        f.call_pointer(code, "void", its_words, *tile)


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
    kind = vector(element, form.lanes)
    masks = _masks(f, form, panel.columns) if aside is None else []
    i, end = rows
    a = f.at(panel.a, f.mul(i, left.row), element)
    for height in form.rows:
        tile = Tile(height, form.vectors, kind, masks)
        last = f.sub(end, height - 1)
        high = height == form.rows[0]
        # Below the last high panel, rows are neighbours in A by columns.
        stride = f.mul(left.row, height) if high or form.by_rows else height
        with f.loop(i, last, height, carried=[i, a]) as loop:
            c = f.at(panel.c, f.mul(loop.index, panel.c_row), element)
            _tile(f, form, tile, left, panel, (loop.carried[1], c), aside)
            following = f.at(loop.carried[1], stride, element)
            loop.carry(f.add(loop.index, height), following)
        i, a = loop.carried


def _tile(
    f: Function,
    form: Form,
    tile: Tile,
    left: Left,
    panel: _Panel,
    addresses: tuple[Value, Value],
    aside: Value | None,
) -> None:
    """Write one tile of registers; at the edge without masks, by way of `aside`."""
    a, c = addresses
    rest = (panel.depth, panel.first)
    if aside is None:
        micro_kernel(f, tile, left, a, panel.b, panel.b_step, c, panel.c_row, *rest)
        return
    narrow = f.compare("slt", panel.columns, form.width)
    to = f.select(narrow, aside, c)
    row = f.select(narrow, literal(form.width, "i64"), panel.c_row)
    whole = _Matrix(to, row)
    outside = _Matrix(c, panel.c_row)
    resumed = f.binary("and", narrow, f.binary("xor", panel.first, literal(1, "i1")))
    with f.when(resumed):
        _copy(f, form, outside, whole, tile.rows, panel.columns)
    micro_kernel(f, tile, left, a, panel.b, panel.b_step, to, row, *rest)
    with f.when(narrow):
        _copy(f, form, whole, outside, tile.rows, panel.columns)


@final
@dataclass(frozen=True)
class _Matrix:
    """Where a matrix is, and how far its rows are apart."""

    base: Value
    row: Value


def _copy(
    f: Function, form: Form, source: _Matrix, to: _Matrix, rows: int, columns: Value
) -> None:
    """Copy a matrix element by element."""
    element = memory_type(form.dtype)
    with f.loop(0, literal(rows, "i64")) as r:
        x, y = (f.at(m.base, f.mul(r.index, m.row), element) for m in (source, to))
        with f.loop(0, columns) as j:
            f.store(
                f.load(f.at(x, j.index, element), element), f.at(y, j.index, element)
            )


def _aside(f: Function, form: Form) -> Value:
    """Room for one tile of registers in memory."""
    element = memory_type(form.dtype)
    return f.op(f"alloca {element}, i64 {form.rows[0] * form.width}, align 64", "ptr")


def _masks(f: Function, form: Form, columns: Value) -> list[Value]:
    """Which lanes of each vector are inside, of so many columns."""
    count = f.minimum(columns, form.width)
    narrow = f.op(f"trunc i64 {count.name} to i32", "i32")
    inside = f.splat(narrow, form.lanes)
    masks = []
    for v in range(form.vectors):
        first = v * form.lanes
        text = ", ".join(f"i32 {first + lane}" for lane in range(form.lanes))
        lanes = Value(f"<{text}>", vector("i32", form.lanes))
        masks.append(f.compare("sgt", inside, lanes))
    return masks
