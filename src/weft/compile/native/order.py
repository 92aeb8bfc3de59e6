"""In which order steps are taken, and which of them twice.

A form is taken apart into tasks, as `weft.compile.tasks` knows them, and a schedule
of tasks is put together to a form again. A step that is taken once more writes to
buffers of its own, and who comes behind it reads those. It is the same kernel on the
same numbers; so is every other step, and the results are the same to the last bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from weft.compile.native.arena import needed
from weft.compile.native.extent import value
from weft.compile.native.form import (
    Access,
    Buffer,
    Form,
    LoopStep,
    Matrix,
    OpStep,
    ProductStep,
    Step,
)
from weft.compile.native.show import flops
from weft.compile.tasks import Task, Work, hastened
from weft.graph.dim import Dim

# What a symbol is taken for where no sizes are known: a batch of so many rows.
_ROWS = 256

# Steps that write a buffer together: they are taken together.
Piece = tuple[Step, ...]


def thrifty(form: Form, bindings: Mapping[str, int] | None = None) -> Form:
    """Return the form with its steps in an order in which values die early.

    Parameters
    ----------
    form : Form
    bindings : mapping of str to int, optional
        The values of the symbols, if they are known.

    Returns
    -------
    Form
    """
    if bindings is None:
        sizes = [size for buffer in form.buffers for size in buffer.shape]
        symbols = [s for size in sizes if isinstance(size, Dim) for s in size.symbols]
        bindings = dict.fromkeys(symbols, _ROWS)
    pieces = pieces_of(form)
    return rebuilt(form, pieces, hastened(work_of(form, pieces, bindings)))


# Pieces -----------------------------------------------------------------------------


def pieces_of(form: Form) -> list[Piece]:
    """Group the steps that write the same buffer: they follow one another."""
    pieces: list[list[Step]] = []
    written: set[Buffer] = set()
    for i, step in enumerate(form.steps):
        targets = set(_temporary(step.writes))
        if not targets & written or i == form.commit_at:
            pieces.append([])
            written = set()
        pieces[-1].append(step)
        written |= targets
    return [tuple(piece) for piece in pieces]


def _temporary(buffers: Sequence[Buffer]) -> list[Buffer]:
    return [b for b in dict.fromkeys(buffers) if b.kind == "temporary"]


def work_of(form: Form, pieces: Sequence[Piece], bindings: Mapping[str, int]) -> Work:
    """Return the tasks that pieces are, with the sizes and costs under `bindings`."""
    tasks = []
    sizes: dict[int, int] = {}
    fence = count = 0
    for number, piece in enumerate(pieces):
        if count < form.commit_at:
            fence = number + 1
        count += len(piece)
        writes = _temporary([b for step in piece for b in step.writes])
        reads = _temporary([b for step in piece for b in step.reads])
        sizes |= {b.number: needed(b, bindings) for b in writes}
        tasks.append(
            Task(
                tuple(b.number for b in reads if b not in writes),
                tuple(b.number for b in writes),
                sum(value(flops(step), bindings) for step in piece),
            )
        )
    ends = frozenset(b.number for b in _temporary(form.outputs))
    return Work(tuple(tasks), sizes, fence, ends)


def twice(pieces: Sequence[Piece], schedule: Sequence[int]) -> frozenset[int]:
    """Return the places of the steps that a schedule takes once more."""
    seen: set[int] = set()
    found: set[int] = set()
    place = 0
    for number in schedule:
        if number in seen:
            found.update(range(place, place + len(pieces[number])))
        seen.add(number)
        place += len(pieces[number])
    return frozenset(found)


# Forms ------------------------------------------------------------------------------


def rebuilt(form: Form, pieces: Sequence[Piece], schedule: Sequence[int]) -> Form:
    """Return the form whose steps are taken by a schedule."""
    buffers = list(form.buffers)
    steps: list[Step] = []
    first: dict[int, int] = {}
    latest: dict[Buffer, Buffer] = {}
    for number in schedule:
        piece = pieces[number]
        if number in first:
            for buffer in _temporary([b for step in piece for b in step.writes]):
                copy = replace(buffer, number=len(buffers))
                buffers.append(copy)
                latest[buffer] = copy
        first.setdefault(number, len(steps))
        steps.extend(_reading(step, latest) for step in piece)
    committing = sum(map(len, pieces)) - form.commit_at
    return replace(
        form,
        steps=tuple(steps),
        commit_at=len(steps) - committing,
        buffers=tuple(buffers),
        outputs=tuple(latest.get(b, b) for b in form.outputs),
    )


def _reading(step: Step, latest: Mapping[Buffer, Buffer]) -> Step:
    """Return a step that goes to the latest of each buffer."""
    if not any(b in latest for b in (*step.reads, *step.writes)):
        return step
    match step:
        case LoopStep():
            return _moved(step, latest)
        case ProductStep():
            after = step.epilogue and _moved(step.epilogue, latest)
            return replace(
                step,
                left=_matrix(step.left, latest),
                right=_matrix(step.right, latest),
                target=latest.get(step.target, step.target),
                epilogue=after,
            )
        case OpStep():
            return replace(
                step,
                inputs=tuple(latest.get(b, b) for b in step.inputs),
                target=latest.get(step.target, step.target),
            )


def _moved(step: LoopStep, latest: Mapping[Buffer, Buffer]) -> LoopStep:
    return replace(step, accesses=tuple(_access(a, latest) for a in step.accesses))


def _matrix(matrix: Matrix, latest: Mapping[Buffer, Buffer]) -> Matrix:
    return replace(matrix, access=_access(matrix.access, latest))


def _access(access: Access, latest: Mapping[Buffer, Buffer]) -> Access:
    buffer = latest.get(access.buffer)
    return access if buffer is None else replace(access, buffer=buffer)
