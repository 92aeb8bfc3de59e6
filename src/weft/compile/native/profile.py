"""Where the time of a native program's step goes, kernel by kernel.

The program runs as it always does, one native call for many steps, on copies of its
state and on made-up rows; only that the leader reads the clock around each entry of its
table. Reading it takes time as well, which the shortest kernels would feel: so the same
steps run once more with nobody looking, and what the clock cost is taken off again.
"""

import ctypes
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, final

import numpy as np

from weft.compile.native.call import Call
from weft.compile.native.control import Cell
from weft.compile.native.executor import clock
from weft.compile.native.form import LoopStep, OpStep, ProductStep, Step
from weft.compile.native.frame import ORDER, Frame, address_of, collected, source
from weft.compile.native.library import Library
from weft.compile.native.machine import Machine, machine
from weft.compile.native.program import ask
from weft.compile.native.show import headline, is_again
from weft.compile.native.threads import lead
from weft.compile.profile import LOOP, NUMPY, PRODUCT, RANDOM, ROWS, Profile, Row
from weft.graph.node import DType, Node
from weft.ops.sample import Array

# One native call takes about so many nanoseconds, and at most so many steps.
_CALL, _STEPS = 50_000_000, 8192
# Rounds, of which the quickest counts, and the seconds after which no other begins.
_ROUNDS, _ENOUGH = 24, 1.0
# Rows to gather from: as many as the steps of a call take, but no more bytes.
_SOURCE = 1 << 26


def measured(
    frame: Frame,
    values: Sequence[Array | None],
    state: Mapping[Node, Array],
    library: Library,
    helpers: int,
) -> Profile:
    """Measure where the time of a step goes.

    Parameters
    ----------
    frame : Frame
        Of the program: sizes, and how it is fed. It is left alone.
    values : sequence of array or None
        What an input is to be; None makes it up.
    state : mapping of Node to array
        Read, and never written.
    library : Library
    helpers : int
        How many threads are called for help.

    Returns
    -------
    Profile
    """
    bench = _Bench.of(frame, values, state, library, helpers)
    limits = machine()
    quiet = timed = None
    began = time.perf_counter()
    for _ in range(_ROUNDS):
        quiet = _quicker(quiet, bench.run(False))
        timed = _quicker(timed, bench.run(True))
        if time.perf_counter() - began > _ENOUGH:
            break
    assert quiet is not None and timed is not None
    # Of the two readings around an entry, one's worth falls between them.
    entries = len(bench.frame.calls)
    seconds = min(quiet.seconds, timed.seconds)
    reading = max(timed.seconds - quiet.seconds, 0.0) / (2 * max(entries, 1))
    spent = np.maximum(timed.entries - reading, 0.0)
    rows = _rows(bench.frame, spent, limits, helpers + 1)
    return Profile(tuple(rows), seconds, helpers + 1, frame.bindings)


def _rows(frame: Frame, spent: Array, limits: Machine, threads: int) -> list[Row]:
    """Return a row per step of the form; what it is called by, it sums up."""
    found: dict[Any, Row] = {}
    form = frame.form
    again = {id(s) for i, s in enumerate(form.steps) if is_again(form, i)}
    for call, step, seconds in zip(frame.calls, frame.steps, spent, strict=True):
        key: Any = call.name if step is None else id(step)
        row = found.get(key) or Row(*_title(call, step, key in again), 0.0, 0, 0, 0.0)
        found[key] = replace(
            row,
            seconds=row.seconds + float(seconds),
            flops=row.flops + call.flops,
            bytes=row.bytes + call.bytes,
        )
    types = {id(step): _dtype(step) for step in frame.steps if step is not None}
    count = min(threads, limits.cores)
    return [
        replace(
            row,
            limit=limits.limit_seconds(
                row.flops, row.bytes, row.bytes, count, types.get(key, "float32")
            ),
        )
        for key, row in found.items()
    ]


def _title(call: Call, step: Step | None, again: bool) -> tuple[str, str]:
    if step is not None:
        return f"{'again: ' if again else ''}{headline(step)}", _kind(step)
    if call.name == "weft_gather":
        return "gather the rows of a batch", ROWS
    return "take and hand out what is given per step", ROWS


def _dtype(step: Step) -> str:
    """Return the type by whose peak a step is judged."""
    return "float64" if step.writes[0].dtype == np.float64 else "float32"


# Runs -------------------------------------------------------------------------------


@final
@dataclass(frozen=True, eq=False)
class _Times:
    """Seconds of a step, and of each entry."""

    seconds: float
    entries: Array


def _quicker(one: _Times | None, other: _Times) -> _Times:
    return other if one is None or other.seconds < one.seconds else one


@final
@dataclass(frozen=True, eq=False)
class _Bench:
    """A frame of its own, ready to take steps.

    Parameters
    ----------
    frame : Frame
    library : Library
    helpers, steps : int
        Threads to call, and steps per native call.
    state : sequence of pair of array
        Copies of the state, and what they are set to before each run.
    fed : list of array
        What the frame points to, kept alive.
    """

    frame: Frame
    library: Library
    helpers: int
    steps: int
    state: Sequence[tuple[Array, Array]]
    fed: Sequence[Array]

    @classmethod
    def of(
        cls,
        frame: Frame,
        values: Sequence[Array | None],
        state: Mapping[Node, Array],
        library: Library,
        helpers: int,
    ) -> "_Bench":
        """Lay a bench out."""
        form = frame.form
        pairs = [(array.copy(), array.copy()) for array in state.values()]
        numbers = [form.state[leaf].number for leaf in state]
        copies = {n: copy for n, (copy, _) in zip(numbers, pairs, strict=True)}
        own = Frame(
            form,
            frame.bindings,
            library,
            {**frame.held, **copies},
            frame.feeding,
            frame.collecting,
        )
        steps = min(max(int(_CALL / own.work), 1), _STEPS)
        batch = max((own.inputs[k].shape[0] for k in _gathered(own)), default=0)
        ask(own, own, steps, batch, has_last=False)
        return cls(
            own, library, helpers, steps, pairs, _feed(own, values, steps, batch)
        )

    def run(self, looking: bool) -> _Times:
        """Take steps; `looking`, with an eye on the clock."""
        control = self.frame.control
        ticks = np.zeros(len(self.frame.calls), np.int64)
        for copy, original in self.state:
            np.copyto(copy, original)
        control[Cell.TICKS] = address_of(ticks) if looking else 0
        long = self.frame.work > _CALL
        read = _clock(self.library)
        first, start = read(), time.perf_counter()
        lead(self.library, control, self.helpers, interruptible=long)
        seconds, passed = time.perf_counter() - start, read() - first
        per_tick = seconds / max(passed, 1)
        return _Times(seconds / self.steps, ticks * per_tick / self.steps)


@cache
def _clock(library: Library) -> Any:
    address = library.addresses([clock(library.target)])["weft_clock"]
    return ctypes.CFUNCTYPE(ctypes.c_int64)(address)


def _gathered(frame: Frame) -> list[int]:
    return [k for k, how in enumerate(frame.feeding) if how == "gathered"]


def _feed(
    frame: Frame, values: Sequence[Array | None], steps: int, batch: int
) -> list[Array]:
    """Give a frame what it reads, and return what has to be kept alive."""
    rng = np.random.default_rng(0)
    row_bytes = max((frame.inputs[k][:1].nbytes for k in _gathered(frame)), default=1)
    rows = max(min(steps * batch, _SOURCE // max(row_bytes, 1)), batch)
    # Rows are looked up a step ahead.
    repeats = -(-(steps + 1) * batch // rows) if rows else 0
    order = np.empty(repeats * rows, np.int64)
    for i in range(repeats):
        order[i * rows : (i + 1) * rows] = rng.permutation(rows)
    kept: list[Array] = [order]
    frame.point(ORDER, address_of(order))
    for k, (buffer, how) in enumerate(
        zip(frame.form.inputs, frame.feeding, strict=True)
    ):
        shape, given = buffer.lengths(frame.bindings), values[k]
        lead_by = {"gathered": (rows,), "stepped": (steps,)}.get(how, ())
        full = shape[1:] if how == "gathered" else shape
        if given is None:
            array = _made_up(rng, (*lead_by, *full), buffer.dtype)
        else:
            array = np.ascontiguousarray(np.broadcast_to(given, (*lead_by, *shape)))
        kept.append(array)
        if how == "placed":
            frame.inputs[k][...] = array
        elif how == "whole":
            frame.point(buffer.number, address_of(array))
        else:
            frame.point(source(k), address_of(array))
    if frame.collecting:
        for k, output in enumerate(frame.outputs):
            kept.append(np.empty((steps, *output.shape), output.dtype))
            frame.point(collected(k), address_of(kept[-1]))
    return kept


def _made_up(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Array:
    """Return normal numbers; whole ones are positions often, and get zeros."""
    if dtype.kind != "f":
        return np.zeros(shape, dtype)
    return rng.standard_normal(shape, np.float32).astype(dtype, copy=False)


def _kind(step: Step) -> str:
    match step:
        case ProductStep():
            return PRODUCT
        case LoopStep():
            return LOOP
        case OpStep():
            return RANDOM if step.native else NUMPY
