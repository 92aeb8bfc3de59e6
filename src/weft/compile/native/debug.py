"""Debugging: a program taken kernel by kernel, each result looked at before the next.

It is the native program, the same kernels on the same memory; only that Python goes
through the table of entries in the leader's place. Behind each step of the form it asks
whether finite numbers have become NaN or infinite, and, for ``engine="compare"``,
whether the reference makes the same of the same numbers. The first step that fails is
the one that is told: with what was read there, and with the user's line that made it.
The state is then what it was before.

Each kernel is held against the reference on what that kernel read, not on what the
reference would have computed up to there. So errors do not add up, and the first kernel
that differs is the one at fault.
"""

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import final

import numpy as np

from weft.compile.interpret import Tape
from weft.compile.native.control import Cell
from weft.compile.native.executor import ENTRY
from weft.compile.native.form import Buffer, Form, Step, lengths
from weft.compile.native.frame import Frame, address_of
from weft.compile.native.show import headline
from weft.graph.errors import DebugError
from weft.graph.leaf import CONSTANT
from weft.graph.node import Node, describe
from weft.graph.origin import origin_of
from weft.graph.text import text
from weft.graph.walk import topological
from weft.ops.record import Op
from weft.ops.sample import Array

_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 4)

# How far a value may be off, relative to the largest of its array; and by how many
# times what the last bits of the numbers read make of it.
_ROOM = {"float32": 1e-5, "float64": 1e-12}
_TIMES, _TRIES = 100, 3
_LONGEST = 200

Values = dict[Node, Array]


@final
class Debugger:
    """Takes a program's steps kernel by kernel.

    Parameters
    ----------
    form : Form
    compare : bool
        Whether to compare with the reference.
    """

    def __init__(self, form: Form, compare: bool) -> None:
        self._form, self.compare = form, compare
        self._number = {id(step): i for i, step in enumerate(form.steps)}
        # What is written piece by piece is looked at when the last piece is there.
        self._complete = {
            buffer.number: i
            for i, step in enumerate(form.steps)
            for buffer in step.writes
        }
        self._leaves = {buffer.number: leaf for leaf, buffer in form.state.items()}

    def __call__(self, frame: Frame) -> None:
        """Take one step.

        Raises
        ------
        DebugError
            If a kernel makes NaN or infinities of finite numbers, or differs from the
            reference; the state is that before the step.
        """
        before = {b.number: frame.view(b).copy() for b in self._form.state.values()}
        try:
            _Look(self, frame).take()
        except DebugError:
            for buffer in self._form.state.values():
                frame.view(buffer)[...] = before[buffer.number]
            raise

    # What the form says ---------------------------------------------------------------

    def number(self, step: Step) -> int:
        """Return which step of the form it is."""
        return self._number[id(step)]

    def completes(self, step: Step, buffer: Buffer) -> bool:
        """Tell whether a buffer's values are all there behind a step."""
        return self._complete[buffer.number] == self.number(step)

    def written(self, buffer: Buffer) -> Node | None:
        """Return whose values a buffer holds once it is written to."""
        leaf = self._leaves.get(buffer.number)
        return buffer.node if leaf is None else self._form.updates.get(leaf)

    def told(self, what: str, step: Step, node: Node) -> DebugError:
        """Return what is wrong as an error that names kernel, node and line."""
        cause = self._form.causes.get(node, node)
        formula = text(cause).replace("\n", "; ")
        if len(formula) > _LONGEST:
            formula = f"... {formula[-_LONGEST:]}"
        where = origin_of(cause) or origin_of(node)
        lines = [
            what,
            f"  kernel {self.number(step)}: {headline(step)}",
            f"  node: {formula}",
        ]
        return DebugError("\n".join([*lines, *([f"  at {where}"] if where else [])]))


@final
class _Look:
    """One step, as it is taken.

    What was read is kept by node, since the reference knows nothing of buffers.
    """

    def __init__(self, debugger: Debugger, frame: Frame) -> None:
        self._debugger, self._frame = debugger, frame
        self._holds: dict[int, Node | None] = {
            buffer.number: buffer.node for buffer in frame.form.buffers
        }
        # Buffers made of something that was not finite already.
        self._excused: set[int] = set()
        # What the first pieces were made of, until the last one is there.
        self._pieces: Values = {}

    def take(self) -> None:
        """Run every kernel, and look at what it has written."""
        frame = self._frame
        numbered = enumerate(frame.steps)
        for _, group in groupby(numbered, key=lambda pair: id(pair[1])):
            entries = list(group)
            step = entries[0][1]
            assert step is not None
            # What a step reads of its own making is not given to it.
            given = [b for b in step.reads if self._holds[b.number] not in step.nodes]
            read = self._pieces | self._values(given)
            for i, _ in entries:
                _run_entry(frame, i)
                if frame.control[Cell.ERROR]:
                    return  # the program has more to say of it
            self._look(step, read)
        self._look_at_what_was_given()

    def _values(self, buffers: Iterable[Buffer]) -> Values:
        """Return copies of what buffers hold, by the nodes whose values they are."""
        found: Values = {}
        for buffer in buffers:
            node = self._holds[buffer.number]
            if node is not None:
                shape = lengths(node.shape, self._frame.bindings)
                found[node] = self._frame.view(buffer).reshape(shape).copy()
        return found

    def _look(self, step: Step, read: Values) -> None:
        """Look at what a step has written."""
        debugger = self._debugger
        tainted = any(b.number in self._excused for b in step.reads)
        if tainted or not all(map(_finite, read.values())):
            self._excused.update(b.number for b in step.writes)
        for buffer in step.writes:
            self._holds[buffer.number] = debugger.written(buffer)
        whole = [b for b in step.writes if debugger.completes(step, b)]
        self._pieces = {} if whole else read
        for buffer in _not_overwritten(self._frame, whole):
            for node, value in self._values([buffer]).items():
                if not _finite(value) and buffer.number not in self._excused:
                    raise self._not_finite(step, read, node, value)
                if debugger.compare and _is_made_of(node, read):
                    self._check(step, read, node, value)

    def _look_at_what_was_given(self) -> None:
        """Blame what was given, if results are not finite and no kernel is to blame."""
        form = self._frame.form
        results = self._values([*form.outputs, *form.state.values()])
        if all(map(_finite, results.values())):
            return
        untouched = (
            b
            for b in (*form.inputs, *form.state.values())
            if self._holds[b.number] is b.node
        )
        for leaf, value in self._values(untouched).items():
            if not _finite(value):
                at = _first(~np.isfinite(value))
                raise DebugError(
                    f"{describe(leaf)} is given with {value[at]} at {_place(at)}, and "
                    "what is made of it is not finite either"
                )

    def _not_finite(
        self, step: Step, read: Values, node: Node, value: Array
    ) -> DebugError:
        """Say which node makes NaN or infinities of finite numbers, and where."""
        inner = [x for x in step.nodes if _is_made_of(x, read)]
        made = dict(zip(inner, self._reference(inner, read), strict=True))
        for x, found in made.items():
            if not _finite(found):
                at = _first(~np.isfinite(found))
                what = f"{describe(x)} is {found[at]} at {_place(at)}"
                there = self._operands(x, at, made | read)
                return self._debugger.told(f"{what}, made of {there}", step, x)
        at = _first(~np.isfinite(value))
        what = f"{describe(node)} is {value[at]} at {_place(at)}"
        what += ", where the reference is finite"
        return self._debugger.told(what, step, node)

    def _operands(self, node: Node, at: tuple[int, ...], values: Values) -> str:
        """Say what a node was made of: at one place, or how large at most."""
        shape = lengths(node.shape, self._frame.bindings)
        told = []
        for x, value in zip(
            node.inputs, self._reference(node.inputs, values), strict=True
        ):
            if isinstance(node.op, Op) and node.op.emit is not None:
                told.append(str(np.broadcast_to(value, shape)[at]))
            else:
                largest = np.max(np.abs(value), initial=0)
                told.append(f"{describe(x)} of at most {largest:.3g}")
        return " and ".join(told) or "nothing"

    # The reference --------------------------------------------------------------------

    def _check(self, step: Step, read: Values, node: Node, value: Array) -> None:
        """Hold what a step has made against what the reference makes of the same."""
        expected, room = self._expected(node, read)
        wrong = _differs(value, expected, room)
        if wrong.any():
            at = _first(wrong)
            what = (
                f"{describe(node)} is {value[at]} at {_place(at)}, where the reference "
                f"is {expected[at]} ({np.count_nonzero(wrong)} of {wrong.size} differ)"
            )
            raise self._debugger.told(what, step, node)

    def _reference(self, nodes: Sequence[Node], values: Values) -> list[Array]:
        found = Tape(nodes, list(values)).run(values, self._frame.bindings)
        return [np.asarray(value) for value in found]

    def _expected(self, node: Node, read: Values) -> tuple[Array, float]:
        """Return the reference's value, and how far one may be from it.

        The room follows from the numbers read: it is some times what their last bits
        make of the result.
        """
        (expected,) = self._reference([node], read)
        if expected.dtype.kind != "f":
            return expected, 0.0
        finite = np.isfinite(expected)
        scale = np.max(np.abs(expected[finite]), initial=0.0)
        room = _ROOM[expected.dtype.name] * float(scale)
        rng = np.random.default_rng(0)
        for _ in range(_TRIES):
            shaken = {x: _shaken(value, rng) for x, value in read.items()}
            (other,) = self._reference([node], shaken)
            moved = np.abs(other[finite] - expected[finite])
            most = np.max(moved[np.isfinite(moved)], initial=0.0)
            room = max(room, _TIMES * float(most))
        return expected, room


# Kernels ------------------------------------------------------------------------------


def _run_entry(frame: Frame, i: int) -> None:
    """Call the kernel of one entry on each of its tiles, as the leader does."""
    words = frame.words[i * len(ENTRY) : (i + 1) * len(ENTRY)]
    entry = dict(zip(ENTRY, map(int, words), strict=True))
    kernel = _KERNEL(entry["code"])
    if entry["tiles"] <= 1:
        kernel(entry["words"], 0, entry["rows"], 0, entry["cols"])
        return
    for tile in range(entry["tiles"]):
        down, along = divmod(tile, entry["across"])
        r0, c0 = down * entry["tile_rows"], along * entry["tile_cols"]
        r1 = min(r0 + entry["tile_rows"], entry["rows"])
        c1 = min(c0 + entry["tile_cols"], entry["cols"])
        kernel(entry["words"], r0, r1, c0, c1)


def _not_overwritten(frame: Frame, buffers: Sequence[Buffer]) -> list[Buffer]:
    """Return the buffers that no later one of the same step has been written over."""
    spans = []
    for buffer in buffers:
        start = address_of(frame.view(buffer))
        spans.append((start, start + frame.view(buffer).nbytes))
    return [
        buffer
        for i, (buffer, (start, stop)) in enumerate(zip(buffers, spans, strict=True))
        if not any(low < stop and start < high for low, high in spans[i + 1 :])
    ]


# Numbers ------------------------------------------------------------------------------


def _finite(value: Array) -> bool:
    return value.dtype.kind != "f" or bool(np.isfinite(value).all())


def _first(wrong: Array) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(wrong)[0])


def _place(at: tuple[int, ...]) -> str:
    return str(list(at)) if at else "its only place"


def _differs(value: Array, expected: Array, room: float) -> Array:
    """Return where a value is not what it should be."""
    if expected.dtype.kind != "f":
        return np.asarray(value != expected)
    same = (value == expected) | (np.isnan(value) & np.isnan(expected))
    with np.errstate(all="ignore"):
        near = np.abs(value - expected) <= room
    return np.asarray(~(same | near))


def _shaken(value: Array, rng: np.random.Generator) -> Array:
    """Return an array with its last bits changed."""
    if value.dtype.kind != "f":
        return value
    bit = np.finfo(value.dtype).eps * rng.choice([-1.0, 1.0], value.shape)
    return np.asarray(value * (1 + bit), value.dtype)


def _is_made_of(node: Node, read: Mapping[Node, Array]) -> bool:
    """Tell whether a node can be computed from what was read, and was not itself."""
    return node not in read and all(
        x in read or isinstance(x.op, Op) or x.op is CONSTANT
        for x in topological([node], stop=read)
    )
