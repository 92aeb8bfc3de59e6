"""Instructions that only AVX-512 has, on vectors of 1, 2, 4, ... lanes.

They take whole registers; a longer vector is cut into registers, a shorter one is put
into the smallest.
"""

from collections.abc import Mapping

from weft.compile.native.ir import Function, Value, literal, vector
from weft.compile.native.lanes import Lanes, is_literal, literal_value

_BITS = {"float": 32, "double": 64}
_SHORT = {"float": "ps", "double": "pd"}


def has(e: Lanes) -> bool:
    """Return whether the target has them."""
    return e.target.name == "avx512"


def scalef(e: Lanes, x: Value, n: Value) -> Value:
    """Return x 2^n for whole n, rounded once, with overflow and denormals."""
    return _call(e, "scalef", [x, n])


def getexp(e: Lanes, x: Value) -> Value:
    """Return the exponent of x as a float; -inf of 0, inf of inf."""
    return _call(e, "getexp", [x])


def getmant(e: Lanes, x: Value) -> Value:
    """Return the mantissa of x in [3/4, 3/2); NaN below 0."""
    return _call(e, "getmant", [x], immediate=0b1011)


def fixup(e: Lanes, value: Value, x: Value, edges: Mapping[str, str]) -> Value:
    """Return the value, or a constant where x is of a kind named by `edges`.

    Parameters
    ----------
    e : Lanes
    value, x : Value
    edges : dict of str to str
        From ``"zero"``, ``"-inf"``, ``"inf"``, ``"negative"`` to ``"nan"``, ``"-inf"``,
        ``"inf"``. NaN stays as it is in `value`.

    Returns
    -------
    Value
    """
    table = sum(_ANSWER[edges[kind]] << 4 * k for kind, k in _KIND.items())
    size = _BITS[x.element]
    return _call(e, "fixupimm", [value, x], literal(table, f"i{size}"), 0)


# How vfixupimm counts the kinds of numbers, and its answers.
_KIND = {"zero": 2, "-inf": 4, "inf": 5, "negative": 6}
_ANSWER = {"nan": 3, "-inf": 4, "inf": 5}
_ROUND_AS_SET = 4


def _call(
    e: Lanes,
    name: str,
    args: list[Value],
    table: Value | None = None,
    immediate: int | None = None,
) -> Value:
    f, x = e.function, args[0]
    size = _BITS[x.element]
    width = min(max(x.lanes * size, 128), 512)
    lanes = width // size
    kind = vector(x.element, lanes)
    trailing = []
    if table is not None:
        trailing.append(f.splat(table, lanes))
    if immediate is not None:
        trailing.append(literal(immediate, "i32"))
    if table is None:  # what lanes get that the mask leaves out: there are none
        trailing.append(Value("zeroinitializer", kind))
    trailing.append(literal(-1, f"i{max(lanes, 8)}"))
    if width == 512:
        trailing.append(literal(_ROUND_AS_SET, "i32"))
    intrinsic = f"llvm.x86.avx512.mask.{name}.{_SHORT[x.element]}.{width}"
    results = [
        f.call(intrinsic, kind, *(_part(f, a, at, lanes) for a in args), *trailing)
        for at in range(0, x.lanes, lanes)
    ]
    return _join(f, results, x.lanes)


def _part(f: Function, x: Value, start: int, lanes: int) -> Value:
    """Return `lanes` lanes from `start` on; missing ones are undefined."""
    if x.lanes == lanes:
        return x
    kind = vector(x.element, lanes)
    if is_literal(x):
        return literal(literal_value(x), kind)
    if x.lanes == 1:
        return f.op(f"insertelement {kind} poison, {x.text}, i64 0", kind)
    last = x.lanes - 1
    return _shuffle(f, x, x, [min(start + i, last) for i in range(lanes)])


def _join(f: Function, parts: list[Value], lanes: int) -> Value:
    """Return the first `lanes` lanes of the parts in a row."""
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [_shuffle(f, x, y, list(range(2 * x.lanes))) for x, y in pairs]
    (whole,) = parts
    if lanes == whole.lanes:
        return whole
    if lanes == 1:
        return f.op(f"extractelement {whole.text}, i64 0", whole.element)
    return _shuffle(f, whole, whole, list(range(lanes)))


def _shuffle(f: Function, x: Value, y: Value, lanes: list[int]) -> Value:
    mask = ", ".join(f"i32 {i}" for i in lanes)
    kind = vector(x.element, len(lanes))
    text = f"shufflevector {x.text}, {y.text}, <{len(lanes)} x i32> <{mask}>"
    return f.op(text, kind)
