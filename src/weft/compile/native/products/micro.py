"""The innermost loop: a tile of C held in registers while k goes by.

For every p the tile takes R elements of A, each spread over a register, times V
registers of B's row p: R V fused products and sums for R + V loads. Every element of C
is a sum in ascending p, whichever lane of whichever tile it falls into; so it has the
same bits at an edge as in the middle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from weft.compile.native.ir import Function, Value, element_of, lanes_of, literal


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
class Right:
    """Where B's rows are: those of the tile's columns.

    Parameters
    ----------
    base : Value
        The address of the first element.
    step : Value
        The stride of p in elements.
    """

    base: Value
    step: Value


@final
@dataclass(frozen=True)
class Output:
    """Where the tile of C is.

    Parameters
    ----------
    base : Value
        The address of its first element.
    row : Value
        The stride of its rows in elements.
    masks : sequence of Value
        Which lanes of each vector are inside; none where all are.
    """

    base: Value
    row: Value
    masks: Sequence[Value]


@final
@dataclass(frozen=True)
class Tile:
    """One tile of registers.

    Parameters
    ----------
    rows, vectors : int
        Its height and width.
    kind : str
        The type of a register.
    masks : sequence of Value
        Which lanes of each of B's vectors may be read; none where all may.
    """

    rows: int
    vectors: int
    kind: str
    masks: Sequence[Value]


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
    right: Right,
    output: Output,
    depth: Value,
    first: Value,
) -> None:
    """Write C = A B, or C += A B, for one tile.

    Parameters
    ----------
    f : Function
    tile : Tile
    left : Left
    a : Value
        The address of A's first element.
    right : Right
    output : Output
    depth : Value
        How many p there are.
    first : Value
        Whether the sums begin here, at 0, or at what C holds.
    """
    element = element_of(tile.kind)
    sums = _begin(f, tile, output, first)
    with f.loop(0, depth, carried=[a, right.base, *sums]) as p:
        a, b, *sums = p.carried
        row = _load(f, tile, b, tile.masks)
        for r in range(tile.rows):
            spread = f.splat(_element(f, left, a, r, element), lanes_of(tile.kind))
            for v in range(tile.vectors):
                n = r * tile.vectors + v
                sums[n] = multiply_add(f, spread, row[v], sums[n])
        a = f.at(a, 1 if left.by_rows else left.step, element)
        p.carry(a, f.at(b, right.step, element), *sums)
    sums = p.carried[2:]
    for r in range(tile.rows):
        address = _row(f, output.base, output.row, r, element)
        _store(f, tile, address, output.masks, sums[r * tile.vectors :])


def _element(f: Function, left: Left, a: Value, r: int, element: str) -> Value:
    """Element (r, p) of A, where `a` is the address of (0, p)."""
    if left.by_rows:
        return f.load(_row(f, a, left.row, r, element), element)
    return f.load(f.at(a, r, element), element)


def _begin(f: Function, tile: Tile, output: Output, first: Value) -> list[Value]:
    """The sums so far: zeros, or what C holds."""
    element = element_of(tile.kind)
    zero = literal(0, tile.kind)
    fresh, stored, ready = f.label(), f.label(), f.label()
    f.branch_if(first, fresh, stored)
    f.start_block(stored)
    sums: list[Value] = []
    for r in range(tile.rows):
        address = _row(f, output.base, output.row, r, element)
        sums += _load(f, tile, address, output.masks)
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


def _row(f: Function, base: Value, stride: Value, r: int, element: str) -> Value:
    """The address of row r, counted from `base`."""
    return f.at(base, f.mul(stride, r), element) if r else base


def _load(
    f: Function, tile: Tile, address: Value, masks: Sequence[Value]
) -> list[Value]:
    """Load a row of the tile."""
    places = _places(f, tile, address)
    if not masks:
        return [f.load(place, tile.kind) for place in places]
    return [
        f.load_masked(place, tile.kind, mask)
        for place, mask in zip(places, masks, strict=True)
    ]


def _store(
    f: Function,
    tile: Tile,
    address: Value,
    masks: Sequence[Value],
    values: Sequence[Value],
) -> None:
    """Store a row of the tile."""
    for v, place in enumerate(_places(f, tile, address)):
        if masks:
            f.store_masked(values[v], place, masks[v])
        else:
            f.store(values[v], place)


def _places(f: Function, tile: Tile, address: Value) -> list[Value]:
    """The addresses of the vectors of a row."""
    lanes, element = lanes_of(tile.kind), element_of(tile.kind)
    return [f.at(address, v * lanes, element) for v in range(tile.vectors)]
