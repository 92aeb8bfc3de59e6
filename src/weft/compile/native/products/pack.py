"""Copies of an operand in the order in which it is read.

A kernel that multiplies calls `pack_rows` or `pack_columns` for a block of B at a time,
and reads the copy many times: its rows follow one another, so that neither the cache's
sets nor its pages run out, and it is in the first or second cache by then. What is
copied to the right of the last column is anything at all. `transpose` does the same for
a whole A.

The first two have the signature ``(source, to, rows, columns, row, column, width)``:
element (p, j) of the block is ``source[p row + j column]`` and goes to
``to[p width + j]``.
"""

from collections.abc import Sequence
from functools import cache

from weft.compile.native.call import begin
from weft.compile.native.ir import Function, Value, literal, memory_type, vector
from weft.compile.native.library import Kernel
from weft.compile.native.products.lanes import bytes_of, inside, transposed
from weft.compile.native.target import Target

_PARAMS = [
    ("ptr noalias", "source"),
    ("ptr noalias", "to"),
    *[("i64", name) for name in ("rows", "columns", "row", "column", "width")],
]


@cache
def pack_rows(dtype: str, target: Target) -> Kernel:
    """Return the kernel that copies rows of neighbours: `column` is 1.

    Parameters
    ----------
    dtype : str
    target : Target

    Returns
    -------
    Kernel
    """
    name, element = f"pack_rows.{dtype}", memory_type(dtype)
    lanes = target.lanes(bytes_of(element))
    f = Function(name, _PARAMS, target)
    source, to, rows, columns, row, _, width = f.params
    with f.loop(0, rows) as p:
        x = f.at(source, f.mul(p.index, row), element)
        y = f.at(to, f.mul(p.index, width), element)
        _copy(f, x, y, columns, vector(element, lanes))
    return Kernel(name, f.finish(), frozenset(f.declarations))


@cache
def pack_columns(dtype: str, target: Target) -> Kernel:
    """Return the kernel that copies columns of neighbours: `row` is 1.

    Squares of elements are transposed in registers. `width` is a multiple of 8, and
    there is room for as many rows.

    Parameters
    ----------
    dtype : str
    target : Target

    Returns
    -------
    Kernel
    """
    name, element = f"pack_columns.{dtype}", memory_type(dtype)
    # Wider shuffles cost more than they bring.
    lanes = min(32, target.vector_bytes) // bytes_of(element)
    kind = vector(element, lanes)
    f = Function(name, _PARAMS, target)
    source, to, rows, columns, _, column, width = f.params
    last = f.sub(columns, 1)
    with f.loop(0, columns, lanes) as across:
        # Columns beyond the last are read as the last one.
        starts = [
            f.at(
                source, f.mul(f.minimum(f.add(across.index, i), last), column), element
            )
            for i in range(lanes)
        ]
        y = f.at(to, across.index, element)
        whole = f.binary("and", rows, literal(-lanes, "i64"))
        with f.loop(0, whole, lanes) as down:
            p = down.index
            square = [f.load(f.at(start, p, element), kind) for start in starts]
            _put(f, transposed(f, square), f.at(y, f.mul(p, width), element), width)
        if target.masks:
            with f.when(f.compare("slt", whole, rows)):
                mask = inside(f, f.sub(rows, whole), lanes)
                square = [
                    f.load_masked(f.at(start, whole, element), kind, mask)
                    for start in starts
                ]
                to_rest = f.at(y, f.mul(whole, width), element)
                _put(f, transposed(f, square), to_rest, width)
        else:
            with f.loop(whole, rows) as down:
                to_row = f.at(y, f.mul(down.index, width), element)
                for i, start in enumerate(starts):
                    one = f.load(f.at(start, down.index, element), element)
                    f.store(one, f.at(to_row, i, element))
    return Kernel(name, f.finish(), frozenset(f.declarations))


def _copy(f: Function, x: Value, y: Value, count: Value, kind: str) -> None:
    """Copy elements that follow one another."""
    lanes = Value("", kind).lanes
    element = Value("", kind).element
    whole = f.binary("and", count, literal(-lanes, "i64"))
    with f.loop(0, whole, lanes) as i:
        f.store(f.load(f.at(x, i.index, element), kind), f.at(y, i.index, element))
    with f.when(f.compare("slt", whole, count)):
        x, y = f.at(x, whole, element), f.at(y, whole, element)
        rest = f.sub(count, whole)
        if f.target.masks:
            mask = inside(f, rest, lanes)
            f.store_masked(f.load_masked(x, kind, mask), y, mask)
        else:
            with f.loop(0, rest) as i:
                one = f.load(f.at(x, i.index, element), element)
                f.store(one, f.at(y, i.index, element))


def _put(f: Function, rows: Sequence[Value], to: Value, width: Value) -> None:
    """Store vectors, each `width` elements behind the one before."""
    for row in rows:
        f.store(row, to)
        to = f.at(to, width, row.element)


@cache
def transpose(dtype: str, target: Target) -> Kernel:
    """Return a kernel of a call of its own, which transposes a whole matrix.

    Its words are the code of `pack_columns`, the matrix and where it goes; how many
    elements its columns are apart, and the rows of its transpose. The grid's rows and
    columns are those of the transpose.

    Parameters
    ----------
    dtype : str
    target : Target

    Returns
    -------
    Kernel
    """
    name, element = f"transpose.{dtype}", memory_type(dtype)
    f = begin(name, target)
    words, r0, r1, c0, c1 = f.params
    code, source, to, apart, width = (
        f.load(f.at(words, i, "i64"), kind)
        for i, kind in enumerate(["ptr"] * 3 + ["i64"] * 2)
    )
    source = f.at(source, f.add(r0, f.mul(c0, apart)), element)
    to = f.at(to, f.add(f.mul(r0, width), c0), element)
    shape = (f.sub(r1, r0), f.sub(c1, c0))
    strides = (literal(1, "i64"), apart, width)
    f.call_pointer(code, "void", source, to, *shape, *strides)
    return Kernel(name, f.finish(), frozenset(f.declarations))
