"""What is done between the lanes of registers: masks, squares turned over, sums."""

from collections.abc import Sequence

from weft.compile.native.ir import Function, Value, vector

# The bytes within which shuffles are cheapest, on every machine.
_CELL = 16


def bytes_of(element: str) -> int:
    """Return the size of a number.

    Examples
    --------
    >>> bytes_of("float"), bytes_of("double")
    (4, 8)
    """
    return {"float": 4, "double": 8}[element]


def inside(f: Function, count: Value, lanes: int, first: int = 0) -> Value:
    """Write the mask of the lanes whose number, from `first` on, is below `count`.

    Parameters
    ----------
    f : Function
    count : Value
        Of type i64 and below 2^31.
    lanes, first : int

    Returns
    -------
    Value
    """
    narrow = f.op(f"trunc i64 {count.name} to i32", "i32")
    text = ", ".join(f"i32 {first + lane}" for lane in range(lanes))
    return f.compare(
        "sgt", f.splat(narrow, lanes), Value(f"<{text}>", vector("i32", lanes))
    )


def shuffle(f: Function, x: Value, y: Value, order: Sequence[int]) -> Value:
    """Write a vector of lanes of `x`, numbered from 0, and of `y`, numbered on."""
    mask = ", ".join(f"i32 {i}" for i in order)
    # Of one lane, too: a vector goes on being one.
    kind = f"<{len(order)} x {x.element}>"
    text = f"shufflevector {x.text}, {y.text}, <{len(order)} x i32> <{mask}>"
    return f.op(text, kind)


def transposed(f: Function, rows: Sequence[Value]) -> list[Value]:
    """Write the columns of a square of at most 32 bytes across.

    Parameters
    ----------
    f : Function
    rows : sequence of Value
        As many vectors as each has lanes.

    Returns
    -------
    list of Value
    """
    lanes = len(rows)
    cell = _CELL // bytes_of(rows[0].element)
    square, step = list(rows), 1
    while step < cell:
        square = _interleaved(f, square, step, cell)
        step *= 2
    if lanes == cell:
        return square
    low = [*range(cell), *range(lanes, lanes + cell)]
    high = [i + cell for i in low]
    return [
        shuffle(f, square[i], square[i + cell], order)
        for order in (low, high)
        for i in range(cell)
    ]


def _interleaved(
    f: Function, rows: Sequence[Value], step: int, cell: int
) -> list[Value]:
    """Pair rows `step` apart; take groups of `step` lanes in turn from each."""
    lanes = len(rows)
    low: list[int] = []
    high: list[int] = []
    for start in range(0, lanes, cell):
        for group in range(start, start + cell, 2 * step):
            at = start + (group - start) // 2
            for half, shift in ((low, 0), (high, cell // 2)):
                first = range(at + shift, at + shift + step)
                half += [*first, *(lanes + i for i in first)]
    out: list[Value] = []
    for start in range(0, lanes, 2 * step):
        for i in range(start, start + step):
            pair = rows[i], rows[i + step]
            out += [shuffle(f, *pair, low), shuffle(f, *pair, high)]
    return out


def totals(f: Function, vectors: Sequence[Value]) -> list[Value]:
    """Write the sum of each vector's lanes, packed into vectors in their order.

    Each is summed up in the same way, however many there are: the upper half of its
    lanes is added to the lower, time and again. Two vectors of halves make one.

    Parameters
    ----------
    f : Function
    vectors : sequence of Value
        At least one.

    Returns
    -------
    list of Value
        Together they have at least as many lanes as there are vectors. What is in the
        lanes beyond is of no use.
    """
    found, part = list(vectors), vectors[0].lanes
    while part > 1:
        part //= 2
        first, *more = found
        starts = range(0, first.lanes, 2 * part)
        low = [start + i for start in starts for i in range(part)]
        if more:
            low += [first.lanes + i for i in low]
        high = [i + part for i in low]
        if len(found) % 2:
            found.append(found[-1])
        pairs = zip(found[::2], found[1::2], strict=True)
        found = [
            f.binary("fadd", shuffle(f, x, y, low), shuffle(f, x, y, high))
            for x, y in pairs
        ]
    return found
