"""Uniform random numbers in native code: Philox4x32-10, as `weft.ops.random` has it.

The counter runs along the lanes. Each round of the generator gives four words per lane,
which are woven together, so that the numbers lie in the order of the reference.
"""

from functools import cache

from weft.compile.native.call import begin
from weft.compile.native.ir import Function, Value, literal, vector
from weft.compile.native.library import Kernel
from weft.compile.native.target import Target
from weft.ops.random import MULTIPLIERS, ROUNDS, WEYL

# About how many operations a number takes.
OPERATIONS = 16
# Per sample: four words, which become four float32 or two float64.
_WORDS = 4


@cache
def uniform(dtype: str, target: Target) -> Kernel:
    """Return the kernel that fills a buffer with uniform numbers.

    Its rows are samples. Words: addresses of seed, step and index, and how far each
    moves per sample, in elements of int64; the key of the stream; destination; numbers
    per sample.

    Parameters
    ----------
    dtype : {"float32", "float64"}
    target : Target
    """
    name = f"uniform_{dtype}_{target.name}"
    f = begin(name, target)
    words, r0, r1, _, _ = f.params

    def word(i: int, type: str = "i64") -> Value:
        return f.load(f.at(words, i, "i64"), type)

    given = [(word(i, "ptr"), word(3 + i)) for i in range(3)]
    stream, out, count = word(6), word(7, "ptr"), word(8)
    lanes = target.lanes(4)
    per_block = _WORDS if dtype == "float32" else _WORDS // 2
    element = "float" if dtype == "float32" else "double"
    each = lanes * per_block
    with f.loop(r0, r1) as row:
        seed, step, sample = (
            f.load(f.at(base, f.mul(row.index, by), "i64"), "i64") for base, by in given
        )
        key = f.binary("xor", seed, stream)
        upper = f.binary("and", _high(f, sample), literal(0xFFFF, "i64"))
        above = f.binary("and", _high(f, step), literal(0xFFFF, "i64"))
        upper = f.binary("or", upper, f.binary("shl", above, literal(16, "i64")))
        fixed = [_low32(f, v) for v in (sample, step, upper)]
        keys = [_low32(f, key), _low32(f, _high(f, key))]
        to = f.at(out, f.mul(row.index, count), element)
        main = f.mul(f.binary("udiv", count, literal(each, "i64")), each)
        for start, stop, masked in (
            (literal(0, "i64"), main, False),
            (main, count, True),
        ):
            with f.loop(start, stop, each) as loop:
                block = f.binary("udiv", loop.index, literal(per_block, "i64"))
                first = f.splat(_low32(f, block), lanes)
                counter = [f.add(first, f.iota(lanes, "i32"))]
                counter += [f.splat(v, lanes) for v in fixed]
                found = _philox(f, counter, keys)
                values = _floats(f, found) if element == "float" else _doubles(f, found)
                place = f.at(to, loop.index, element)
                if masked:
                    _store_some(f, values, place, f.sub(count, loop.index))
                else:
                    f.store(values, place)
    return Kernel(name, f.finish(), frozenset(f.declarations))


def _high(f: Function, x: Value) -> Value:
    return f.binary("lshr", x, literal(32, "i64"))


def _low32(f: Function, x: Value) -> Value:
    return f.op(f"trunc {x.text} to i32", "i32")


def _philox(f: Function, counter: list[Value], keys: list[Value]) -> list[Value]:
    """Return the four words of each lane's counter."""
    c0, c1, c2, c3 = counter
    k0, k1 = keys
    lanes = c0.lanes
    for i in range(ROUNDS):
        if i:
            k0, k1 = (f.add(k, _signed(w)) for k, w in zip((k0, k1), WEYL, strict=True))
        (high_0, low_0), (high_2, low_2) = (
            _product(f, c, m) for c, m in zip((c0, c2), MULTIPLIERS, strict=True)
        )
        c0 = f.binary("xor", f.binary("xor", high_2, c1), f.splat(k0, lanes))
        c2 = f.binary("xor", f.binary("xor", high_0, c3), f.splat(k1, lanes))
        c1, c3 = low_2, low_0
    return [c0, c1, c2, c3]


def _signed(word: int) -> int:
    return word - (1 << 32) if word >= 1 << 31 else word


def _product(f: Function, x: Value, multiplier: int) -> tuple[Value, Value]:
    """Return both halves of the 64-bit product of 32-bit words."""
    wide, narrow = vector("i64", x.lanes), x.type
    full = f.op(f"zext {x.text} to {wide}", wide)
    product = f.mul(full, literal(multiplier, wide))
    high = f.binary("lshr", product, literal(32, wide))
    return (
        f.op(f"trunc {high.text} to {narrow}", narrow),
        f.op(f"trunc {product.text} to {narrow}", narrow),
    )


def _woven(f: Function, parts: list[Value]) -> Value:
    """Return lane 0 of each part, then lane 1 of each, and so on."""
    while len(parts) > 1:
        half = len(parts) // 2
        # Pairs half the list apart: what is woven twice comes out in order.
        parts = [_pair(f, parts[i], parts[i + half]) for i in range(half)]
    return parts[0]


def _pair(f: Function, x: Value, y: Value) -> Value:
    lanes = x.lanes
    order = ", ".join(f"i32 {i}, i32 {lanes + i}" for i in range(lanes))
    kind = vector(x.element, 2 * lanes)
    mask = f"<{2 * lanes} x i32> <{order}>"
    return f.op(f"shufflevector {x.text}, {y.text}, {mask}", kind)


def _floats(f: Function, words: list[Value]) -> Value:
    kind = vector("float", words[0].lanes)
    values = []
    for word in words:
        top = f.binary("lshr", word, literal(8, word.type))
        number = f.op(f"sitofp {top.text} to {kind}", kind)
        values.append(f.binary("fmul", number, literal(2.0**-24, kind)))
    return _woven(f, values)


def _doubles(f: Function, words: list[Value]) -> Value:
    lanes = words[0].lanes
    wide, kind = vector("i64", lanes), vector("double", lanes)
    values = []
    for high, low in (words[:2], words[2:]):
        top = f.binary("lshr", high, literal(5, high.type))
        rest = f.binary("lshr", low, literal(6, low.type))
        top, rest = (f.op(f"zext {v.text} to {wide}", wide) for v in (top, rest))
        mantissa = f.binary("or", f.binary("shl", top, literal(26, wide)), rest)
        number = f.op(f"sitofp {mantissa.text} to {kind}", kind)
        values.append(f.binary("fmul", number, literal(2.0**-53, kind)))
    return _woven(f, values)


def _store_some(f: Function, values: Value, place: Value, left: Value) -> None:
    """Store the first `left` lanes."""
    lanes = values.lanes
    count = f.op(f"trunc {left.text} to i32", "i32")
    mask = f.compare("slt", f.iota(lanes, "i32"), f.splat(count, lanes))
    f.store_masked(values, place, mask)
