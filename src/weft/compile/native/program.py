"""The native engine: a program that runs its graph as machine code."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, final

import numpy as np

from weft.compile.interpret import Tape
from weft.compile.native.arena import ALIGN
from weft.compile.native.checks import check_sizes, depending_on_sizes
from weft.compile.native.control import Cell
from weft.compile.native.form import Form, lengths
from weft.compile.native.frame import (
    ORDER,
    Frame,
    address_of,
    aligned,
    beside,
    collected,
    source,
)
from weft.compile.native.library import library
from weft.compile.native.lower import lower
from weft.compile.native.saving import within
from weft.compile.native.show import amount, flops, headline, moved_bytes, shown
from weft.compile.native.threads import cores, entry_points, lead
from weft.compile.profile import Profile
from weft.compile.program import (
    Plan,
    Program,
    batches,
    check_steps,
    entries,
    fitted_inputs,
    roles,
)
from weft.compile.tasks import Saving
from weft.graph.dim import Dim
from weft.graph.errors import FeedError
from weft.graph.node import Node, describe
from weft.graph.tree import flatten, unflatten
from weft.graph.walk import topological
from weft.ops.propagate import bind_feed
from weft.ops.sample import Array

# Smaller inputs are copied to where the program expects them; larger ones are read
# where they lie.
_SMALL = 4096
# For so many different sizes the memory of a step is kept for the next with the same.
_REMEMBERED = 8
# A second thread is called for steps that take longer, in nanoseconds.
_WORTH_HELP = 150_000
# Runs that take longer, in nanoseconds, leave this thread free to be interrupted.
_LONG = 20_000_000


@final
class NativeProgram(Program):
    """A program compiled to machine code.

    Parameters
    ----------
    plan : Plan
    threads : int, optional
        How many threads may share a large step; as many as there are cores by default.
        The result does not depend on it.
    debug : callable, optional
        Given the form, returns what takes each step in the leader's place.
    memory : int, optional
        The most bytes that temporary values may take, whatever the sizes of the calls
        and runs: what one size took is given back before another takes its own. Calls
        from several threads wait for each other, so that together they take no more.
    """

    def __init__(
        self,
        plan: Plan,
        threads: int | None = None,
        debug: Callable[[Form], Callable[[Frame], None]] | None = None,
        memory: int | None = None,
    ) -> None:
        self._plan, self._memory = plan, memory
        self._threads = cores() if threads is None else max(threads, 1)
        self.form: Form = lower(
            plan.inputs, plan.outputs, plan.updates, list(plan.state)
        )
        self._debug = debug and debug(self.form)
        # Whether a step is nothing but a call of the leader.
        self._plain = debug is None and not plan.updates
        self._sized = depending_on_sizes(
            topological([*plan.outputs, *plan.updates.values()])
        )
        self._library = library()
        self._leader: Any = entry_points(self._library)[0]
        self._arrays: dict[Node, Array] = {
            leaf: _copied(array) for leaf, array in plan.state.items()
        }
        self._held = {
            self.form.state[leaf].number: array for leaf, array in self._arrays.items()
        }
        for buffer in self.form.buffers:
            if buffer.kind == "constant":
                assert buffer.node is not None
                self._held[buffer.number] = _copied(buffer.node.params["value"])
        self._calls: dict[Any, list[Frame]] = {}
        # The frames of runs, which have one control block and, as far as they fit, one
        # block of memory.
        self._runs: dict[Any, Frame] = {}
        self._arena: Array | None = None
        self._control: Array | None = None
        self._dtypes = [node.dtype for node in plan.inputs]
        self._lock = threading.RLock()
        self._state = _Live(self._arrays, self._lock)
        # Forms within the budget, by sizes and by which inputs are read where they lie.
        self._within: dict[Any, Form] = {}
        if memory is not None and not _unsized(plan):
            self._example()  # what cannot be done is said before the first call
        # Of the latest call or run: its frame, and of its inputs the small ones.
        self._latest: tuple[Frame, Sequence[Array | None]] | None = None

    def __str__(self) -> str:
        if self._memory is None:
            return shown(self.form)
        planned = list(self._within.values())
        if planned:
            return shown(planned[-1])
        return (
            f"{shown(self.form)}\nmemory: {self._memory} B; what is computed again is "
            "planned once sizes are known"
        )

    def kernels(self) -> list[tuple[str, str, str]]:
        """List the kernels of a step."""
        return [
            (headline(step), amount(flops(step)), amount(moved_bytes(step)))
            for step in self.form.steps
        ]

    @property
    def progress(self) -> int:
        """How many steps the present run has taken."""
        return 0 if self._control is None else int(self._control[Cell.PROGRESS])

    @property
    def state(self) -> Mapping[Node, Array]:
        """The live state; a look at a value is a copy, and waits for a run to end."""
        return self._state

    # One step -----------------------------------------------------------------------

    def __call__(self, *arrays: Any) -> Any:
        """Compute the outputs, then apply the updates."""
        if self._memory is not None:
            return self._in_turn(arrays)
        # One row through a small network takes a microsecond, and so do few lines here.
        fed: Sequence[Array] = arrays
        if len(arrays) != len(self._dtypes):
            fed = fitted_inputs(self._plan, arrays)  # says what is missing
        for array, dtype in zip(arrays, self._dtypes):  # noqa: B905
            if type(array) is not np.ndarray or array.dtype is not dtype:
                fed = fitted_inputs(self._plan, arrays)
                break
        key = fed[0].shape if len(fed) == 1 else tuple([a.shape for a in fed])
        free = self._calls.get(key)
        if free is None:
            free = self._calls.setdefault(key, [])
            _forget_oldest(self._calls)
        try:
            frame = free.pop()
        except IndexError:
            frame = self._frame(fed)
        if frame.small:
            for here, array in zip(frame.placed, fed):  # noqa: B905
                here[...] = array
            self._latest = frame, fed
        else:
            kept = self._place(frame, fed)  # noqa: F841 - alive as long as they are read
        if self._plain and frame.work <= _WORTH_HELP:
            if self._leader(frame.argument) != 1:
                self._explain(frame, fed)
        else:
            with self._lock if self._plan.updates else nullcontext():
                self._step(frame, fed)
        outputs = [value.copy() for value in frame.outputs]
        free.append(frame)
        structure = self._plan.structure
        return outputs[0] if structure.kind is None else unflatten(structure, outputs)

    def _in_turn(self, arrays: Sequence[Any]) -> Any:
        """Take one step within the byte budget: one frame, whatever the sizes."""
        fed = fitted_inputs(self._plan, arrays)
        key = tuple([a.shape for a in fed])
        with self._lock:
            if key not in self._calls:
                self._let_go()
                self._calls[key] = [self._frame(fed)]
            (frame,) = self._calls[key]
            kept = self._place(frame, fed)  # noqa: F841 - alive as long as they are read
            self._step(frame, fed)
            outputs = [value.copy() for value in frame.outputs]
        return unflatten(self._plan.structure, outputs)

    def _let_go(self) -> None:
        """Give back all memory for temporary values."""
        self._calls.clear()
        self._runs.clear()
        self._arena = self._latest = None

    def _place(self, frame: Frame, fed: Sequence[Array]) -> list[Array]:
        """Copy small inputs to where they are read; return large ones.

        They are the caller's, and not kept alive.
        """
        kept: list[Array] = []
        for k, array in enumerate(fed):
            here = frame.inputs.get(k)
            if here is not None:
                here[...] = array
            else:
                kept.append(_in_one_piece(array))
                frame.point(self.form.inputs[k].number, address_of(kept[-1]))
        self._latest = (
            frame,
            [a if k in frame.inputs else None for k, a in enumerate(fed)],
        )
        return kept

    def _frame(self, fed: Sequence[Array]) -> Frame:
        small = [self._debug is not None or a.nbytes <= _SMALL for a in fed]
        feeding = ["placed" if here else "whole" for here in small]
        bindings = self._bindings(fed)
        frame = Frame(
            self._fitting(bindings, feeding),
            bindings,
            self._library,
            self._held,
            feeding,
            collecting=False,
        )
        ask(frame, frame, steps=1, batch=0, has_last=False)
        return frame

    def _step(self, frame: Frame, fed: Sequence[Array]) -> None:
        if self._debug is not None:
            self._debug(frame)
            taken = 0 if frame.control[Cell.ERROR] else 1
        elif frame.work > _WORTH_HELP:
            helpers = self._helpers(frame)
            taken = lead(self._library, frame.control, helpers, frame.work > _LONG)
        else:
            taken = self._leader(frame.argument)
        if taken != 1:
            self._explain(frame, fed)

    # One epoch ----------------------------------------------------------------------

    def run(
        self, arrays: Sequence[Any], order: Any = None, batch_size: int | None = None
    ) -> Any:
        """Take one epoch."""
        plan = self._plan
        fed = [_in_one_piece(a) for a in fitted_inputs(plan, arrays)]
        how = roles(plan, fed)
        rows, size = batches(fed, how, order, batch_size)
        steps = -(-len(rows) // size)
        check_steps(plan, fed, how, steps)
        if not steps:
            return unflatten(plan.structure, self._collected(0, {}))
        with self._lock:  # the frames of runs share their memory
            outputs = self._epoch(fed, how, rows, size)
        return unflatten(plan.structure, outputs)

    def _epoch(
        self, fed: Sequence[Array], how: Sequence[str], rows: Array, size: int
    ) -> list[Array]:
        """Take the steps of an epoch; there is at least one."""
        steps = -(-len(rows) // size)
        rest = len(rows) - (steps - 1) * size
        counts = min(size, len(rows)), rest
        if self._memory is not None:
            self._make_room(fed, how, counts)
        first, final = (self._run_frame(fed, how, count) for count in counts)
        outputs = self._collected(steps, first.bindings, final.bindings)
        if self._debug is not None:
            for step in range(steps):
                batch = rows[step * size : (step + 1) * size]
                found = flatten(self(*entries(fed, how, step, batch)))[0]
                for output, value in zip(outputs, found, strict=True):
                    output[step] = value
            return outputs
        # The rows of one step more, which are looked up in advance but not used.
        order = np.concatenate([rows, rows[:size]], dtype=np.int64)
        self._latest = first, _small(fed, how)
        for frame in (first, final):
            self._point(frame, fed, how, order, outputs)
        ask(first, final, steps, size, has_last=final is not first)
        taken = self._lead(first, steps)
        if taken < steps:
            last = final if taken == steps - 1 else first
            batch = rows[taken * size : (taken + 1) * size]
            self._explain(first, entries(fed, how, taken, batch), last)
        return outputs

    def _lead(self, frame: Frame, steps: int) -> int:
        work = frame.work * steps
        helpers = self._helpers(frame)
        return lead(self._library, frame.control, helpers, work > _LONG)

    def _helpers(self, frame: Frame) -> int:
        return self._threads - 1 if frame.work > _WORTH_HELP else 0

    def _run_frame(
        self,
        fed: Sequence[Array],
        how: Sequence[str],
        count: int,
    ) -> Frame:
        """Return the frame of batches of `count` rows, for inputs of such shapes."""
        batch = _batch(fed, how, count)
        key = (tuple(a.shape for a in batch), tuple(how))
        if key not in self._runs:
            bindings = self._bindings(batch)
            frame = Frame(
                self._fitting(bindings, how),
                bindings,
                self._library,
                self._held,
                how,
                collecting=True,
                arena=self._arena,
                control=self._control,
            )
            if frame.arena is not self._arena:
                self._runs.clear()  # what they held is too small
            self._runs[key] = frame
            self._arena, self._control = frame.arena, frame.control
            _forget_oldest(self._runs)
        return self._runs[key]

    def _make_room(
        self, fed: Sequence[Array], how: Sequence[str], counts: Sequence[int]
    ) -> None:
        """Take memory for batches of all these rows at once, and give back all other.

        Fewer rows may need more: less of theirs is computed again.
        """
        most = 0
        for count in counts:
            form = self._fitting(self._bindings(_batch(fed, how, count)), how)
            assert form.saving is not None
            most = max(most, form.saving.bytes - ALIGN)
        if self._arena is None or self._arena.size < most:
            self._let_go()
            self._arena = aligned(most)

    def _collected(
        self,
        steps: int,
        bindings: Mapping[str, int],
        final: Mapping[str, int] | None = None,
    ) -> list[Array]:
        """Return empty arrays for the outputs of all steps."""
        outputs = []
        for node in self._plan.outputs:
            shape = _least(node) if final is None else lengths(node.shape, bindings)
            if final is not None and lengths(node.shape, final) != shape:
                raise FeedError(
                    f"{describe(node)} has another shape in the last, smaller batch, "
                    "so its values cannot be stacked: choose a batch_size that divides "
                    "the rows, or call the program once per batch"
                )
            outputs.append(np.empty((steps, *shape), node.dtype))
        return outputs

    def _point(
        self,
        frame: Frame,
        fed: Sequence[Array],
        how: Sequence[str],
        order: Array,
        outputs: Sequence[Array],
    ) -> None:
        frame.point(ORDER, address_of(order))
        for k, (array, role) in enumerate(zip(fed, how, strict=True)):
            if role == "whole":
                frame.point(self.form.inputs[k].number, address_of(array))
            else:
                frame.point(source(k), address_of(array))
        for k, output in enumerate(outputs):
            frame.point(collected(k), address_of(output))

    # Both ---------------------------------------------------------------------------

    def profile(self) -> Profile:
        """Measure where the time of a step goes."""
        from weft.compile.native.profile import measured

        frame, values = self._latest or self._example()
        return measured(
            frame, values, self._arrays, self._library, self._helpers(frame)
        )

    def _example(self) -> tuple[Frame, list[Array | None]]:
        """Return a frame to measure with before there is any other."""
        unknown = _unsized(self._plan)
        if unknown:
            raise FeedError(
                f"{describe(unknown[0])} has no sizes yet: call the program, or let it "
                "run, before profile()"
            )
        fed = [np.zeros(_least(n), n.dtype) for n in self._plan.inputs]
        return self._frame(fed), [None] * len(fed)

    @property
    def saving(self) -> Saving | None:
        """What the byte budget came to for the latest sizes."""
        planned = list(self._within.values())
        return planned[-1].saving if planned else None

    def _fitting(self, bindings: Mapping[str, int], feeding: Sequence[str]) -> Form:
        """Return the form for such sizes, within the byte budget."""
        if self._memory is None:
            return self.form
        key = (tuple(bindings.items()), tuple(how == "whole" for how in feeding))
        found = self._within.pop(key, None)
        if found is None:
            inputs = zip(self.form.inputs, feeding, strict=True)
            found = within(
                self.form,
                bindings,
                self._memory,
                beside(self.form, bindings, self._library.target) + ALIGN,
                [buffer for buffer, how in inputs if how != "whole"],
            )
        self._within[key] = found  # the latest is the last
        _forget_oldest(self._within)
        return found

    def _bindings(self, values: Sequence[Array]) -> dict[str, int]:
        nodes = [*self._plan.inputs, *self._arrays]
        bindings = bind_feed(nodes, [*values, *self._arrays.values()])
        check_sizes(self._sized, bindings)
        return bindings

    def _explain(
        self, frame: Frame, fed: Sequence[Array], last: Frame | None = None
    ) -> None:
        """Raise what the reference has to say about a step that went wrong."""
        frame.control[Cell.ERROR] = 0
        refused = None
        for call in [*frame.host, *(last.host if last else ())]:
            if call.error is not None:
                refused, call.error = call.error, None
        if refused is not None and not isinstance(refused, Exception):
            raise refused  # an interruption
        plan = self._plan
        tape = Tape(
            [*plan.outputs, *plan.updates.values()], [*plan.inputs, *plan.state]
        )
        values = dict(zip(plan.inputs, fed, strict=True))
        tape.run({**self._arrays, **values}, self._bindings(fed))
        raise refused or FeedError("a position is outside the axis that it counts")


def ask(frame: Frame, final: Frame, steps: int, batch: int, has_last: bool) -> None:
    """Write into the control block what a run consists of.

    Parameters
    ----------
    frame, final : Frame
        Of a step, and of the last one if that has fewer rows.
    steps, batch : int
        How many steps, and how many rows each gathers.
    has_last : bool
        Whether the last step is `final`'s.
    """
    control = frame.control
    control[Cell.STOP] = control[Cell.ERROR] = control[Cell.PROGRESS] = 0
    control[Cell.FULL], control[Cell.LAST] = frame.table, final.table
    control[Cell.ENTRIES] = len(frame.calls)
    control[Cell.LAST_ENTRIES] = len(final.calls)
    control[Cell.COMMIT_AT] = frame.commit_at
    control[Cell.LAST_COMMIT_AT] = final.commit_at
    control[Cell.STEPS], control[Cell.BATCH] = steps, batch
    control[Cell.HAS_LAST] = has_last
    control[Cell.TICKS] = 0


def _copied(array: Array) -> Array:
    """Return a copy that begins where a cache line does."""
    whole = np.asarray(array)
    copy = aligned(max(whole.nbytes, 1))[: whole.nbytes]
    copy = copy.view(whole.dtype).reshape(whole.shape)
    copy[...] = whole
    return copy


def _in_one_piece(array: Array) -> Array:
    plain = array.flags.c_contiguous and array.flags.aligned
    return array if plain else array.copy()


def _forget_oldest(frames: dict[Any, Any]) -> None:
    """Let go of the memory for sizes that have not been met for long."""
    while len(frames) > _REMEMBERED:
        with suppress(KeyError, StopIteration, RuntimeError):  # another thread has
            del frames[next(iter(frames))]


def _batch(fed: Sequence[Array], how: Sequence[str], count: int) -> list[Array]:
    """Return arrays shaped like what one step of a run is given; they hold nothing."""
    shapes = [
        (count, *a.shape[1:])
        if h == "gathered"
        else a.shape[1:]
        if h == "stepped"
        else a.shape
        for a, h in zip(fed, how, strict=True)
    ]
    return [
        np.broadcast_to(np.empty((), a.dtype), shape)
        for a, shape in zip(fed, shapes, strict=True)
    ]


def _small(fed: Sequence[Array], how: Sequence[str]) -> list[Array | None]:
    """Return what one step is given, but for its rows and for what is large."""
    found: list[Array | None] = []
    for array, role in zip(fed, how, strict=True):
        one = array[0] if role == "stepped" else array
        keep = role != "gathered" and one.nbytes <= _SMALL
        found.append(one.copy() if keep else None)
    return found


def _unsized(plan: Plan) -> list[Node]:
    """List the inputs whose sizes are known only when they are given."""
    return [n for n in plan.inputs if any(isinstance(s, Dim) for s in n.shape)]


def _least(node: Node) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else 0 for size in node.shape)


@final
class _Live(Mapping[Node, Array]):
    """The state as it is: each look gives a copy, taken between two steps."""

    def __init__(
        self, arrays: Mapping[Node, Array], lock: AbstractContextManager[Any]
    ) -> None:
        self._arrays, self._lock = arrays, lock

    def __getitem__(self, leaf: Node) -> Array:
        with self._lock:
            return self._arrays[leaf].copy()

    def __iter__(self) -> Iterator[Node]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)
