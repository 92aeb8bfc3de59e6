"""The innermost loop: a tile of C held in registers while k goes by.

For every p the tile takes R elements of A, each spread over a register, times V
registers of B's row p: R V fused products and sums for R + V loads. Every element of C
is a sum in ascending p, whichever lane of whichever tile it falls into; so it has the
same bits at an edge as in the middle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from weft.compile.native.ir import Function, Value, literal


@final
@dataclass(frozen=True)
class Left:
    """Where A's elements are, seen from the tile's first row.

    Parameters
    ----------
    row : Value
        The stride of rows in elements. Of A by columns (transposed or packed) it is 1
        within a tile, and not looked at.
    step : Value
        The stride of p in elements. Of A by rows it is 1, and not looked at.
    by_rows : bool
        Whether A's rows lie in memory as rows.
    """

    row: Value
    step: Value
    by_rows: bool


@final
@dataclass(frozen=True)
class Tile:
    """One tile of registers: its size, and how lanes beyond the edge are left out.

    Parameters
    ----------
    rows, vectors : int
    kind : str
        The type of a register.
    masks : sequence of Value
        One for each vector of a row; none where all lanes are inside.
    """

    rows: int
    vectors: int
    kind: str
    masks: Sequence[Value]

    def load(self, f: Function, row: Value) -> list[Value]:
        """Load a row of the tile."""
        return [
            f.load_masked(address, self.kind, self.masks[v])
            if self.masks
            else f.load(address, self.kind)
            for v, address in enumerate(self._addresses(f, row))
        ]

    def store(self, f: Function, row: Value, values: Sequence[Value]) -> None:
        """Store a row of the tile."""
        for v, address in enumerate(self._addresses(f, row)):
            if self.masks:
                f.store_masked(values[v], address, self.masks[v])
            else:
                f.store(values[v], address)

    def _addresses(self, f: Function, row: Value) -> list[Value]:
        lanes = Value("", self.kind).lanes
        element = Value("", self.kind).element
        return [f.at(row, v * lanes, element) for v in range(self.vectors)]


def multiply_add(f: Function, x: Value, y: Value, z: Value) -> Value:
    """Return x y + z, rounded once where the target can."""
    kind = x.type
    if f.target.fma:
        width = f"v{x.lanes}" if x.lanes > 1 else ""
        name = f"llvm.fma.{width}{'f32' if x.element == 'float' else 'f64'}"
        return f.call(name, kind, x, y, z)
    return f.binary("fadd", z, f.binary("fmul", x, y))


def micro_kernel(
    f: Function,
    tile: Tile,
    left: Left,
    a: Value,
    b: Value,
    b_step: Value,
    c: Value,
    c_row: Value,
    depth: Value,
    first: Value,
) -> None:
    """Write C = A B, or C += A B, for one tile.

    Parameters
    ----------
    f : Function
    tile : Tile
    left : Left
    a, b, c : Value
        Addresses of the first elements.
    b_step, c_row : Value
        The strides, in elements, of B's and C's rows.
    depth : Value
        How many p there are.
    first : Value
        Whether the sums begin here, at 0, or at what C holds.
    """
    element = Value("", tile.kind).element
    sums = _begin(f, tile, c, c_row, first)
    with f.loop(0, depth, carried=[a, b, *sums]) as p:
        a, b, *sums = p.carried
        row = tile.load(f, b)
        for r in range(tile.rows):
            one = f.load(_element(f, left, a, r, element), element)
            spread = f.splat(one, Value("", tile.kind).lanes)
            for v in range(tile.vectors):
                at = r * tile.vectors + v
                sums[at] = multiply_add(f, spread, row[v], sums[at])
        a = f.at(a, 1 if left.by_rows else left.step, element)
        p.carry(a, f.at(b, b_step, element), *sums)
    sums = p.carried[2:]
    for r in range(tile.rows):
        address = row_of(f, c, c_row, r, element)
        tile.store(f, address, sums[r * tile.vectors : (r + 1) * tile.vectors])


def row_of(f: Function, base: Value, stride: Value, r: int, element: str) -> Value:
    """The address of row r, counted from `base`."""
    return f.at(base, f.mul(stride, r), element) if r else base


def _element(f: Function, left: Left, a: Value, r: int, element: str) -> Value:
    """The address of element (r, p) of A, where `a` is that of (0, p)."""
    if not left.by_rows:
        return f.at(a, r, element)
    return row_of(f, a, left.row, r, element)


def _begin(
    f: Function, tile: Tile, c: Value, c_row: Value, first: Value
) -> list[Value]:
    """The sums so far: zeros, or what C holds."""
    element = Value("", tile.kind).element
    zero = literal(0, tile.kind)
    fresh, stored, ready = f.label(), f.label(), f.label()
    f.branch_if(first, fresh, stored)
    f.start_block(stored)
    sums = []
    for r in range(tile.rows):
        sums += tile.load(f, row_of(f, c, c_row, r, element))
    f.branch(ready)
    f.start_block(fresh)
    f.branch(ready)
    f.start_block(ready)
    return [
        f.op(
            f"phi {tile.kind} [ {zero.name}, %{fresh} ], [ {s.name}, %{stored} ]",
            tile.kind,
        )
        for s in sums
    ]
