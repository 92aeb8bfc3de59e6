"""From graph to program.

`evaluate` computes nodes once. `compile` makes a `Program` for many runs, with state
and updates. An engine is an entry of ``_ENGINES``: a function from a checked `Plan` to
a `Program`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from weft.compile.interpret import evaluate
from weft.compile.program import Plan, Program, plan
from weft.compile.reference import ReferenceProgram
from weft.graph.errors import GraphError
from weft.graph.node import Node
from weft.rewrite import fast


def _native(plan: Plan, threads: int | None) -> Program:
    # LLVM takes a quarter of a second to load: only where it is used.
    from weft.compile.native.program import NativeProgram

    return NativeProgram(plan, threads)


_ENGINES: dict[str, Callable[[Plan, int | None], Program]] = {
    "native": _native,
    "reference": ReferenceProgram,
}


def compile(
    inputs: Sequence[Node],
    outputs: Any,
    updates: Mapping[Node, Node] | None = None,
    state: Mapping[Node, Any] | None = None,
    engine: str = "auto",
    threads: int | None = None,
) -> Program:
    """Make a graph ready to run.

    Parameters
    ----------
    inputs : sequence of Node
        The input leaves, in the order in which arrays will be given.
    outputs : Node or tree of Node
    updates : mapping of Node to Node, optional
        Parameter leaf and its next value. All are computed from the old state.
    state : mapping of Node to array, optional
        Parameter leaf and its first value; copied.
    engine : {"auto", "reference"}
        What computes: NumPy, one op at a time. "auto" leaves the choice to weft.
    threads : int, optional
        How many threads matrix products may use; the machine's number by default.

    Returns
    -------
    Program

    Raises
    ------
    GraphError, ShapeError, FeedError
        If the parts do not fit together, or there is no such engine.

    Examples
    --------
    Gradient descent on ``(w - 3)**2``, as a program that updates itself:

    >>> import weft
    >>> w = weft.parameter("w", (), "float64")
    >>> cost = (w - 3) ** 2
    >>> step = w - 0.25 * weft.grad(cost, w)
    >>> program = weft.compile([], cost, updates={w: step}, state={w: 0.0})
    >>> [float(program()) for _ in range(3)]
    [9.0, 2.25, 0.5625]
    """
    name = "reference" if engine == "auto" else engine
    if name not in _ENGINES:
        known = ", ".join(["auto", *_ENGINES])
        raise GraphError(f"there is no engine {engine!r}: choose one of {known}")
    return _ENGINES[name](_rewritten(plan(inputs, outputs, updates, state)), threads)


def _rewritten(given: Plan) -> Plan:
    """Return the plan with a cheaper graph of the same values, for every engine."""
    count = len(given.outputs)
    better = fast([*given.outputs, *given.updates.values()])
    updates = dict(zip(given.updates, better[count:], strict=True))
    return replace(given, outputs=tuple(better[:count]), updates=updates)


__all__ = ["Plan", "Program", "compile", "evaluate", "plan"]
