"""Copies of the right operand in the order in which the micro-kernel reads it.

Packed, B is a row of panels, each as wide as the register tile; a panel holds its rows
one after the other, and zeros to the right of B's last column.
"""

from functools import cache

from weft.compile.native.ir import Function, literal, memory_type
from weft.compile.native.library import Kernel
from weft.compile.native.target import Target


@cache
def pack(dtype: str, target: Target) -> Kernel:
    """Return the kernel that packs columns c0 ... c1 of B.

    Its words are B and where it goes; the number of rows and of columns; the strides of
    B's rows and columns in elements; the width of a panel.
    """
    name, element = f"pack.{dtype}", memory_type(dtype)
    params = [("ptr noalias", "words")] + [("i64", n) for n in ("r0", "r1", "c0", "c1")]
    f = Function(name, params, target)
    words, _, _, c0, c1 = f.params
    source, to, rows, columns, row, column, width = (
        f.load(f.at(words, i, "i64"), kind)
        for i, kind in enumerate(["ptr"] * 2 + ["i64"] * 5)
    )
    with f.loop(c0, c1, width) as panel:
        j = panel.index
        x = f.at(source, f.mul(j, column), element)
        y = f.at(to, f.mul(j, rows), element)
        inside = f.minimum(f.sub(columns, j), width)
        with f.loop(0, rows) as p:
            xp = f.at(x, f.mul(p.index, row), element)
            yp = f.at(y, f.mul(p.index, width), element)
            with f.loop(0, inside) as lane:
                one = f.load(f.at(xp, f.mul(lane.index, column), element), element)
                f.store(one, f.at(yp, lane.index, element))
            with f.loop(inside, width) as lane:
                f.store(literal(0, element), f.at(yp, lane.index, element))
    return Kernel(name, f.finish(), frozenset(f.declarations))
