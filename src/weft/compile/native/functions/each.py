"""Lanes one at a time: calls of functions that take one number.

A lane's result does not depend on its neighbours.
"""

from collections.abc import Callable

from weft.compile.native.ir import Value, literal
from weft.compile.native.lanes import Lanes


def each(e: Lanes, x: Value, call: Callable[[Value], Value]) -> Value:
    """Return the results of `call`, which takes and gives one number.

    Parameters
    ----------
    e : Lanes
    x : Value
    call : callable

    Returns
    -------
    Value
    """
    if x.lanes == 1:
        return call(x)
    return _loop(e, x, Value("poison", x.type), literal(x.lanes, "i64"), call)


def where_rare(
    e: Lanes, rare: Value, x: Value, value: Value, call: Callable[[Value], Value]
) -> Value:
    """Return `value`, but the results of `call` in the lanes that are `rare`.

    Nothing is called where no lane is.

    Parameters
    ----------
    e : Lanes
    rare : Value
        Booleans.
    x, value : Value
    call : callable

    Returns
    -------
    Value
    """
    f = e.function
    found = rare
    if x.lanes > 1:
        found = f.call(f"llvm.vector.reduce.or.v{x.lanes}i1", "i1", rare)
    rounds = f.select(found, literal(x.lanes, "i64"), literal(0, "i64"))
    called = _loop(e, x, value, rounds, call)
    return f.select(rare, called, value)


def _loop(
    e: Lanes, x: Value, value: Value, rounds: Value, call: Callable[[Value], Value]
) -> Value:
    """Put the results of the first so many lanes into `value`."""
    f = e.function
    with f.loop(0, rounds, carried=[value]) as loop:
        (before,) = loop.carried
        if x.lanes == 1:
            loop.carry(call(x))
        else:
            at = loop.index.text
            lane = f.op(f"extractelement {x.text}, {at}", x.element)
            loop.carry(
                f.op(f"insertelement {before.text}, {call(lane).text}, {at}", x.type)
            )
    return loop.carried[0]
