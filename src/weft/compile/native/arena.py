"""Where temporary buffers lie: one block of memory, used again and again.

A buffer lives from the step that writes it to the last one that reads it; two that do
not live at the same time may lie in the same place. A step that reads and writes point
by point may write where what it reads for the last time lies.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np

from weft.compile.native.extent import value
from weft.compile.native.form import Access, Buffer, Form, LoopStep, ProductStep, Step

# Of a cache line, and of the widest register.
ALIGN = 64


def arrange(
    form: Form, bindings: Mapping[str, int], kept: Sequence[Buffer] = ()
) -> tuple[dict[int, int], int]:
    """Give every temporary buffer a place.

    Parameters
    ----------
    form : Form
    bindings : mapping of str to int
        The values of the symbols.
    kept : sequence of Buffer
        Further buffers that need a place, and keep it all the time.

    Returns
    -------
    offsets : dict of int to int
        By the buffers' numbers, in bytes.
    size : int
        Of the whole block.
    """
    spans, joined = _spans(form, bindings, kept)
    places, size = _packed(spans)
    for buffer, root in joined.items():
        places[buffer.number] = places[root.number]
    return places, size


def occupied(
    form: Form, bindings: Mapping[str, int], kept: Sequence[Buffer] = ()
) -> int:
    """Return the most bytes that are occupied at one time: no arrangement needs less.

    Parameters
    ----------
    form : Form
    bindings : mapping of str to int
    kept : sequence of Buffer
        As for `arrange`.
    """
    spans, _ = _spans(form, bindings, kept)
    change = [0] * (len(form.steps) + 3)
    for born, died, size in spans.values():
        change[born + 1] += size
        change[died + 2] -= size
    return max(accumulate(change))


# When a buffer is written first, when it is read last, and its bytes.
_Span = tuple[int, int, int]


def _spans(
    form: Form, bindings: Mapping[str, int], kept: Sequence[Buffer]
) -> tuple[dict[int, _Span], dict[Buffer, Buffer]]:
    """Return by number when each place is taken, and which buffers share another's."""
    lives = _lives(form)
    joined = _joined(form, lives)
    spans: dict[int, _Span] = {}
    for buffer, (born, died) in lives.items():
        root = joined.get(buffer, buffer)
        size = needed(buffer, bindings)
        if root.number in spans:
            first, last, other = spans[root.number]
            spans[root.number] = (min(first, born), max(last, died), max(other, size))
        else:
            spans[root.number] = (born, died, size)
    for buffer in kept:
        spans[buffer.number] = (-1, len(form.steps), needed(buffer, bindings))
    return spans, joined


def needed(buffer: Buffer, bindings: Mapping[str, int]) -> int:
    """Return the bytes that a buffer takes up, to the end of a cache line."""
    size = value(buffer.elements, bindings) * buffer.dtype.itemsize
    return max(-(-size // ALIGN) * ALIGN, ALIGN)


def _lives(form: Form) -> dict[Buffer, tuple[int, int]]:
    """Return the first and the last step of each temporary buffer."""
    born: dict[Buffer, int] = {}
    died: dict[Buffer, int] = {}
    for i, step in enumerate(form.steps):
        for buffer in (*step.reads, *step.writes):
            if buffer.kind == "temporary":
                born.setdefault(buffer, i)
                died[buffer] = i
    for buffer in form.outputs:
        if buffer.kind == "temporary":
            born.setdefault(buffer, -1)
            died[buffer] = len(form.steps)
    return {buffer: (born[buffer], died[buffer]) for buffer in born}


def _joined(
    form: Form, lives: Mapping[Buffer, tuple[int, int]]
) -> dict[Buffer, Buffer]:
    """Return for each buffer that is written in place the one whose place it takes."""
    joined: dict[Buffer, Buffer] = {}
    for i, step in enumerate(form.steps):
        loops = _pointwise(step)
        if loops is None:
            continue
        free = [b for b in loops.reads if _dies_here(b, i, step, lives)]
        for target in loops.writes:
            if target.kind != "temporary" or lives[target][0] != i:
                continue
            for source in free:
                if _same_way(loops, source, target):
                    joined[target] = joined.get(source, source)
                    free.remove(source)
                    break
    return joined


def _pointwise(step: Step) -> LoopStep | None:
    if isinstance(step, ProductStep):
        step = step.epilogue  # type: ignore[assignment]
    return step if isinstance(step, LoopStep) and step.loops.pointwise else None


def _dies_here(
    buffer: Buffer, i: int, step: Step, lives: Mapping[Buffer, tuple[int, int]]
) -> bool:
    if buffer.kind != "temporary" or lives[buffer][1] != i:
        return False
    if isinstance(step, ProductStep):
        operands = (step.left.access.buffer, step.right.access.buffer)
        return buffer not in operands
    return True


def _same_way(loops: LoopStep, source: Buffer, target: Buffer) -> bool:
    """Tell whether a step goes through two buffers alike."""
    read = _only(loops, source)
    write = _only(loops, target)
    return (
        read is not None
        and write is not None
        and source.dtype.itemsize == target.dtype.itemsize
        and (read.strides, read.offset) == (write.strides, write.offset)
        and source.elements == target.elements
    )


def _only(loops: LoopStep, buffer: Buffer) -> Access | None:
    found = [a for a in loops.accesses if a.buffer is buffer]
    return found[0] if len(found) == 1 else None


def _packed(spans: Mapping[int, _Span]) -> tuple[dict[int, int], int]:
    """Place the large ones first, each as low as those it lives beside let it."""
    order = sorted(spans, key=lambda n: (-spans[n][2], spans[n][0]))
    born, died, size = np.array([spans[n] for n in order], np.int64).reshape(-1, 3).T
    at = np.zeros(len(order), np.int64)
    for i in range(len(order)):
        beside = np.flatnonzero((born[:i] <= died[i]) & (born[i] <= died[:i]))
        beside = beside[np.argsort(at[beside], kind="stable")]
        # Where all that lie lower end; a gap is what is left up to the next.
        ends = np.maximum.accumulate(np.append(0, at[beside] + size[beside]))
        gaps = np.flatnonzero(ends[:-1] + size[i] <= at[beside])
        at[i] = ends[gaps[0]] if len(gaps) else ends[-1]
    total = int((at + size).max(initial=0))
    return dict(zip(order, at.tolist(), strict=True)), total
