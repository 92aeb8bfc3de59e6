"""From graph to program.

`evaluate` computes nodes once. `compile` makes a `Program` for many runs, with state
and updates. An engine is an entry of ``_ENGINES``: a function from a checked `Plan` to
a `Program`.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from weft.compile.cost import Cost, cost
from weft.compile.interpret import evaluate
from weft.compile.program import Plan, Program, plan
from weft.compile.reference import ReferenceProgram
from weft.graph.errors import GraphError
from weft.graph.node import Node
from weft.graph.walk import topological
from weft.rewrite import prepared

# Ops interpreted, above which compiling takes less time: some 3 microseconds each,
# against some tenths of a second.
_WORTH_COMPILING = 20_000
# Nodes beyond which LLVM would take minutes.
_TOO_LARGE = 20_000


def _native(plan: Plan, threads: int | None, memory: int | None = None) -> Program:
    # LLVM takes a quarter of a second to load: only where it is used.
    from weft.compile.native.program import NativeProgram

    return NativeProgram(plan, threads, memory=memory)


def _debugged(plan: Plan, threads: int | None, compare: bool = False) -> Program:
    from weft.compile.native.debug import Debugger
    from weft.compile.native.program import NativeProgram

    return NativeProgram(plan, threads, lambda form: Debugger(form, compare))


_ENGINES: dict[str, Callable[[Plan, int | None], Program]] = {
    "native": _native,
    "reference": ReferenceProgram,
    "debug": _debugged,
    "compare": partial(_debugged, compare=True),
}


def compile(
    inputs: Sequence[Node],
    outputs: Any,
    updates: Mapping[Node, Node] | None = None,
    state: Mapping[Node, Any] | None = None,
    engine: str = "auto",
    threads: int | None = None,
    steps: int | None = None,
    memory: int | None = None,
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
    engine : {"auto", "native", "reference", "debug", "compare"}
        What computes: machine code, or NumPy, one op at a time. "auto" is "native",
        but where `steps` are so few that compiling would take longer than they do.
        "debug" is machine code taken kernel by kernel: the first one that makes NaN or
        infinities of finite numbers raises a `DebugError` that names the line behind
        it. "compare" holds each kernel against the reference as well.
    threads : int, optional
        How many threads may share the work. By default as many as there are cores, for
        steps that are large enough; native results do not depend on it, and the
        reference uses one.
    steps : int, optional
        About how many steps the program will be asked to take.
    memory : int, optional
        The most bytes that the values between inputs and outputs may take, beside
        inputs, state and outputs. Where they would take more, some are let go of and
        computed again: the same kernels on the same numbers, so the results are the
        same to the last bit. ``print(program)`` shows what is computed again. What
        fits depends on sizes, and so it is planned when they are known: here, or by
        the first call. The program as a whole keeps to it: memory is not kept for
        other sizes than the latest, and calls from several threads take turns. Counted
        is all that ``weft.cost(...).peak_bytes`` is, and what lies beside: gaps, copies
        of small inputs and of the rows that a run gathers, and room for the tiles of
        products. ``program.saving`` says what it comes to (``bytes``), and what it
        would without computing again (``without``). Machine code only.

    Returns
    -------
    Program

    Raises
    ------
    GraphError, ShapeError, FeedError
        If the parts do not fit together, there is no such engine, or the memory is too
        little.

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
    if engine != "auto" and engine not in _ENGINES:
        known = ", ".join(["auto", *_ENGINES])
        raise GraphError(f"there is no engine {engine!r}: choose one of {known}")
    if memory is not None:
        engine = _within_memory(engine, memory)
    made = _rewritten(plan(inputs, outputs, updates, state))
    name = _choice(made, steps) if engine == "auto" else engine
    if memory is not None:
        return _native(made, threads, operator.index(memory))
    return _ENGINES[name](made, threads)


def _within_memory(engine: str, memory: Any) -> str:
    """Return the engine for a byte budget, or say that there is none."""
    if engine not in ("auto", "native"):
        raise GraphError(
            f"engine={engine!r} keeps every value for as long as it is needed: memory= "
            "is for engine='native'"
        )
    whole = hasattr(memory, "__index__") and not isinstance(memory, (bool, np.bool_))
    if not whole or operator.index(memory) <= 0:
        raise GraphError(
            f"memory={memory!r} is no number of bytes: give a whole one above 0"
        )
    return "native"


def _choice(made: Plan, steps: int | None) -> str:
    """Choose an engine by predicted work alone, so that reruns choose the same.

    Each op costs the interpreter some microseconds per step whatever its size, and
    what the sizes add costs both engines about the same.
    """
    size = len(topological([*made.outputs, *made.updates.values()]))
    if size > _TOO_LARGE:
        return "reference"
    return "native" if steps is None or steps * size > _WORTH_COMPILING else "reference"


def _rewritten(given: Plan) -> Plan:
    """Return the plan with a stable and cheaper graph, the same for every engine."""
    count = len(given.outputs)
    better = prepared([*given.outputs, *given.updates.values()])
    updates = dict(zip(given.updates, better[count:], strict=True))
    return replace(given, outputs=tuple(better[:count]), updates=updates)


__all__ = ["Cost", "Plan", "Program", "compile", "cost", "evaluate", "plan"]
