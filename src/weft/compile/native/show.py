"""A program in words: what ``print(program)`` shows."""

from collections.abc import Iterable, Mapping

from weft.compile.native.bind import operations
from weft.compile.native.extent import Polynomial, plus, times, value
from weft.compile.native.form import (
    Buffer,
    Extent,
    Form,
    LoopStep,
    OpStep,
    ProductStep,
    Step,
)
from weft.compile.native.random import OPERATIONS
from weft.graph.node import Node
from weft.graph.text import text


def shown(form: Form) -> str:
    """Return a form as text: each step with its kernel, shapes, flops and bytes.

    Parameters
    ----------
    form : Form

    Returns
    -------
    str
    """
    lines = []
    for i, step in enumerate(form.steps):
        if i == form.commit_at:
            lines.append("-- from here on the state is written to --")
        lines.extend(_step(i, step, is_again(form, i)))
    names = ", ".join(_named(buffer) for buffer in form.outputs)
    lines.append(f"outputs: {names}" if names else "no outputs")
    if form.saving is not None:
        lines.append(str(form.saving))
    return "\n".join(lines)


def is_again(form: Form, i: int) -> bool:
    """Tell whether a step is taken once more, for want of memory."""
    return form.saving is not None and i in form.saving.again


def headline(step: Step) -> str:
    """Return in a few words what a step is.

    Examples
    --------
    ``product (n, 64) = (n, 20) @ (20, 64), then add, relu``
    """
    match step:
        case ProductStep():
            left, right = (_shape((step.m, step.k)), _shape((step.k, step.n)))
            if step.left.transposed:
                left = f"{_shape((step.k, step.m))}'"
            if step.right.transposed:
                right = f"{_shape((step.n, step.k))}'"
            shape = _shape((*step.stack, step.m, step.n))
            done = f"product {shape} = {left} @ {right}"
            if step.epilogue is not None:
                done += f", then {_ops(step.epilogue.nodes)}"
            return done
        case LoopStep():
            space = (*step.rows, *((step.lane,) if not step.loops.lane_reduced else ()))
            over = (*step.reduced, *((step.lane,) if step.loops.lane_reduced else ()))
            across = f" over {_shape(over)}" if over else ""
            return f"loop {_shape(space)}{across}: {_ops(step.nodes)}"
        case OpStep():
            by = "" if step.native else "NumPy: "
            return f"{by}{step.node.op.name} {_shape(step.node.shape)}"


def flops(step: Step) -> Extent:
    """Return how many operations a step takes, each op of a record counted as one."""
    match step:
        case ProductStep():
            own = times(2, *step.stack, step.m, step.n, step.k)
            return plus(own, flops(step.epilogue)) if step.epilogue else own
        case LoopStep():
            once, each = operations(step.loops)
            inside = times(*step.reduced, each)
            if step.loops.lane_reduced:
                return times(*step.rows, plus(once, times(step.lane, inside)))
            return times(*step.rows, step.lane, plus(once, inside))
        case OpStep():
            each = OPERATIONS if step.native else 1
            return times(each, *step.node.shape)


def moved_bytes(step: Step) -> Extent:
    """Return how many bytes a step reads and writes, each buffer counted once."""
    touched = dict.fromkeys((*step.reads, *step.writes))
    return plus(*(times(b.elements, b.dtype.itemsize) for b in touched))


def amount(size: Extent, bindings: Mapping[str, int] | None = None) -> str:
    """Write a number of flops or bytes, with symbols where they have no value."""
    if bindings is not None:
        size = value(size, bindings)
    if isinstance(size, Polynomial):
        return str(size)
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= factor:
            return f"{size / factor:.3g} {letter}"
    return f"{size} "


def _step(i: int, step: Step, again: bool) -> Iterable[str]:
    yield f"{i:3}  {'again: ' if again else ''}{headline(step)}"
    reads = ", ".join(_named(buffer) for buffer in dict.fromkeys(step.reads))
    writes = ", ".join(_named(buffer) for buffer in step.writes)
    yield f"       {reads or 'nothing'} -> {writes}"
    yield f"       {amount(flops(step))}flop, {amount(moved_bytes(step))}B"


def _shape(sizes: Iterable[object]) -> str:
    names = [str(size) for size in sizes]
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def _ops(nodes: Iterable[Node]) -> str:
    names = [node.op.name for node in nodes]
    found: list[str] = []
    for name in dict.fromkeys(names):
        count = names.count(name)
        found.append(name if count == 1 else f"{count} {name}")
    return ", ".join(found)


def _named(buffer: Buffer) -> str:
    node = buffer.node
    if node is not None and node.name:
        return node.name
    if buffer.kind == "constant" and node is not None:
        return text(node)
    return f"{buffer} {buffer.dtype}{_shape(buffer.shape)}"
