"""A frame: a form bound to numbers and memory, ready to run.

It holds the table of entries that the leader goes through, the words of all calls in
one array, and the block of memory where temporary buffers lie. Frames are made for one
set of sizes and kept for the next run with the same; one of them serves one run at a
time.
"""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import final

import numpy as np

from weft.compile.native.arena import ALIGN, arrange
from weft.compile.native.bind import (
    CONTROL,
    SCRATCH,
    loop_calls,
    product_step_calls,
    random_calls,
    scratch_size,
)
from weft.compile.native.call import Address, Call, Epilogue, Grid, Word
from weft.compile.native.control import CELLS, Cell
from weft.compile.native.executor import ENTRY, advance, gather
from weft.compile.native.extent import value
from weft.compile.native.form import (
    Buffer,
    Form,
    LoopStep,
    OpStep,
    ProductStep,
    Step,
    lengths,
)
from weft.compile.native.host import HostCall
from weft.compile.native.library import Kernel, Library
from weft.compile.native.target import Target
from weft.compile.native.tickets import MOST_TILES
from weft.ops.sample import Array

# Words that are known only when a run begins.
ORDER = -3


def aligned(size: int) -> Array:
    """Return so many bytes, from a place where cache lines begin."""
    block = np.empty(size + ALIGN, np.uint8)
    start = -block.ctypes.data % ALIGN
    return block[start : start + size]


def address_of(array: Array) -> int:
    """Return where an array's first element is."""
    return int(array.__array_interface__["data"][0])


def beside(form: Form, bindings: Mapping[str, int], target: Target) -> int:
    """Return the bytes that a frame needs beside its temporary buffers."""
    scratch = max(
        (
            scratch_size(step, bindings, target)
            for step in form.steps
            if isinstance(step, ProductStep)
        ),
        default=0,
    )
    return scratch + 2 * ALIGN


@final
class Frame:
    """A form bound to sizes and memory.

    Parameters
    ----------
    form : Form
    bindings : mapping of str to int
    library : Library
    held : mapping of int to array
        By buffer number, arrays that outlive the frame: state and constants.
    feeding : sequence of str
        Per input ``whole`` (read where it lies), ``placed`` (the caller puts it into
        ``inputs``), ``gathered`` (rows by an order) or ``stepped`` (one entry per
        step).
    collecting : bool
        Whether outputs are written to arrays with one entry per step.
    arena, control : array, optional
        Memory and control block of another frame of the same run.
    """

    def __init__(
        self,
        form: Form,
        bindings: Mapping[str, int],
        library: Library,
        held: Mapping[int, Array],
        feeding: Sequence[str],
        collecting: bool,
        arena: Array | None = None,
        control: Array | None = None,
    ) -> None:
        self.form, self.bindings = form, dict(bindings)
        if control is None:
            control = aligned(CELLS * 8).view(np.int64)
            control[:] = 0
        self.control = control
        self.argument = ctypes.c_void_p(address_of(control))
        self._library = library
        self.feeding, self.collecting = feeding, collecting
        target = library.target
        copied = [
            b for b, how in zip(form.inputs, feeding, strict=True) if how != "whole"
        ]
        places, size = arrange(form, bindings, copied)
        whole = size + beside(form, bindings, target)
        if arena is None or arena.size < whole:
            arena = aligned(whole)
        self.arena = arena
        base = address_of(arena)
        self._addresses = {number: base + at for number, at in places.items()}
        self._addresses[SCRATCH] = base + -(-size // ALIGN) * ALIGN
        self._addresses[CONTROL] = address_of(self.control)
        self._addresses |= {number: address_of(a) for number, a in held.items()}
        self.held = held
        self.host: list[HostCall] = []
        self._patches: dict[int, list[tuple[int, int]]] = {}
        calls, self.commit_at, self.steps = self._calls(collecting)
        self.calls = calls
        # About how many nanoseconds a step takes on one core.
        self.work = sum(call.flops / 40 + call.bytes / 16 + 30 for call in calls)
        self._write(calls)
        self.outputs = [
            self.view(buffer).reshape(lengths(shape, bindings))
            for buffer, shape in zip(form.outputs, form.shapes, strict=True)
        ]
        self.inputs = {
            k: self.view(b) for k, b in enumerate(form.inputs) if b.number in places
        }
        self.placed = tuple(self.inputs.values())
        self.small = len(self.placed) == len(form.inputs)

    # Calls --------------------------------------------------------------------------

    def _calls(self, collecting: bool) -> tuple[list[Call], int, list[Step | None]]:
        """Return all calls, which one commits first, and the step each belongs to."""
        form = self.form
        found: list[Call] = []
        owners: list[Step | None] = []

        def put(calls: Sequence[Call], step: Step | None) -> None:
            found.extend(calls)
            owners.extend([step] * len(calls))

        put(self._feed(), None)
        commit_at = 0
        for i, step in enumerate([*form.steps, None]):
            if i == form.commit_at:
                if collecting:
                    put(self._collect(), None)
                commit_at = len(found)
            if step is not None:
                put(self._bound(step), step)
        return found, commit_at, owners

    def _bound(self, step: Step) -> list[Call]:
        target = self._library.target
        error = Address(CONTROL, 8 * Cell.ERROR)
        match step:
            case LoopStep():
                return loop_calls(step, self.bindings, error, target)
            case ProductStep():
                return product_step_calls(step, self.bindings, error, target)
            case OpStep(native=True):
                return random_calls(step, self.bindings, target)
            case OpStep():
                return [self._host_call(step)]

    def _host_call(self, step: OpStep) -> Call:
        """Return the call of an op that NumPy computes."""
        inputs = [
            self.view(buffer).reshape(lengths(x.shape, self.bindings))
            for buffer, x in zip(step.inputs, step.node.inputs, strict=True)
        ]
        target = self.view(step.target)
        call = HostCall(step.node, inputs, target, self.bindings, self._fail)
        self.host.append(call)
        return Call(call.address, (), Grid(1, 1, 1, 1))

    def _feed(self) -> list[Call]:
        target = self._library.target
        calls = []
        for k, (buffer, how) in enumerate(
            zip(self.form.inputs, self.feeding, strict=True)
        ):
            if how in ("whole", "placed"):
                continue
            size = value(buffer.elements, self.bindings) * buffer.dtype.itemsize
            origin, to = Address(source(k)), Address(buffer.number)
            if how == "stepped":
                words: tuple[Word, ...] = (origin, size, to, 0, size, Address(CONTROL))
                calls.append(
                    Call(advance(target), words, Grid(1, 1, 1, 1), 0, 2 * size)
                )
                continue
            rows = value(buffer.shape[0], self.bindings)
            if not rows:
                continue
            there = (Address(ORDER), Address(CONTROL))
            words = (origin, to, size // rows, *there, rows)
            some = max(65536 // max(size // rows, 1), 1)
            grid = Grid(rows, 1, min(some, rows), 1)
            calls.append(Call(gather(target), words, grid, 0, 2 * size))
        return calls

    def _collect(self) -> list[Call]:
        calls = []
        for k, buffer in enumerate(self.form.outputs):
            size = value(buffer.elements, self.bindings) * buffer.dtype.itemsize
            words = (
                Address(buffer.number),
                0,
                Address(collected(k)),
                size,
                size,
                Address(CONTROL),
            )
            kernel = advance(self._library.target)
            calls.append(Call(kernel, words, Grid(1, 1, 1, 1), 0, 2 * size))
        return calls

    # Words --------------------------------------------------------------------------

    def _write(self, calls: Sequence[Call]) -> None:
        """Lay all words out in one array: the table, then each call's arguments."""
        kernels = [kernel for call in calls for kernel in _kernels(call)]
        code = self._library.addresses(kernels)
        nested = sum(1 + len(e.words) for call in calls for e in _epilogues(call))
        count = len(calls) * len(ENTRY) + sum(len(c.words) for c in calls) + nested
        self.words = aligned(max(count, 1) * 8).view(np.int64)
        self.table = address_of(self.words)
        self._next = len(calls) * len(ENTRY)
        for i, call in enumerate(calls):
            kernel = call.kernel
            entry = kernel if isinstance(kernel, int) else code[kernel.name]
            grid = _countable(call.grid)
            at = self._arguments(call.words, code)
            self.words[i * len(ENTRY) : (i + 1) * len(ENTRY)] = [
                entry,
                at,
                grid.rows,
                grid.cols,
                grid.tile_rows,
                grid.tile_cols,
                grid.tiles,
                -(-grid.cols // grid.tile_cols),
            ]

    def _arguments(self, words: Sequence[Word], code: Mapping[str, int]) -> int:
        """Write a call's words and return their address."""
        start = self._next
        self._next += len(words)
        for i, word in enumerate(words):
            self.words[start + i] = self._number(word, start + i, code)
        return self.table + 8 * start

    def _number(self, word: Word, at: int, code: Mapping[str, int]) -> int:
        match word:
            case Kernel():
                return code[word.name]
            case Epilogue():
                return self._arguments(word.words, code)
            case Address(buffer, offset):
                if buffer in self._addresses:
                    return self._addresses[buffer] + offset
                self._patches.setdefault(buffer, []).append((at, offset))
                return 0
        return word

    def point(self, number: int, address: int) -> None:
        """Say where a buffer lies that was not known when the frame was made."""
        for at, offset in self._patches.get(number, ()):
            self.words[at] = address + offset

    # Memory -------------------------------------------------------------------------

    def view(self, buffer: Buffer) -> Array:
        """Return a buffer as an array; of an input that is read where it lies, none."""
        shape = buffer.lengths(self.bindings)
        if buffer.number in self.held:
            return self.held[buffer.number].reshape(shape)
        start = self._addresses[buffer.number] - address_of(self.arena)
        size = int(np.prod(shape, dtype=np.int64)) * buffer.dtype.itemsize
        flat = self.arena[start : start + size]
        return flat.view(buffer.dtype).reshape(shape)

    def _fail(self) -> None:
        self.control[Cell.ERROR] = 1


def _countable(grid: Grid) -> Grid:
    """Return a grid of larger tiles, if there are more than a ticket can count."""
    while grid.tiles > MOST_TILES:
        if grid.rows > grid.tile_rows:
            grid = replace(grid, tile_rows=2 * grid.tile_rows)
        else:
            grid = replace(grid, tile_cols=2 * grid.tile_cols)
    return grid


def source(k: int) -> int:
    """The number of the array that input `k` is fetched from."""
    return -10 - 2 * k


def collected(k: int) -> int:
    """The number of the array that output `k` is collected in."""
    return -11 - 2 * k


def _kernels(call: Call) -> list[Kernel]:
    own = [call.kernel] if isinstance(call.kernel, Kernel) else []
    inner = [w for w in call.words if isinstance(w, Kernel)]
    return [*own, *inner, *(e.kernel for e in _epilogues(call))]


def _epilogues(call: Call) -> list[Epilogue]:
    return [word for word in call.words if isinstance(word, Epilogue)]
