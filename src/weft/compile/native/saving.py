"""A form within a byte budget: steps are taken twice, so that values need not stay.

It is done for one set of sizes, since what fits depends on them. Kernels know no sizes:
nothing is compiled for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from weft.compile.native.arena import arrange, occupied
from weft.compile.native.form import Buffer, Form
from weft.compile.native.order import pieces_of, rebuilt, thrifty, twice, work_of
from weft.compile.recompute import scheduled
from weft.compile.tasks import Saving
from weft.graph.errors import GraphError


def within(
    form: Form,
    bindings: Mapping[str, int],
    memory: int,
    beside: int = 0,
    copied: Sequence[Buffer] = (),
) -> Form:
    """Return a form of the same results that needs no more memory than is allowed.

    Parameters
    ----------
    form : Form
    bindings : mapping of str to int
        The values of the symbols.
    memory : int
        In bytes.
    beside : int
        What is needed beside the temporary buffers.
    copied : sequence of Buffer
        Inputs that need a place among them.

    Returns
    -------
    Form
        Its `saving` says what it needs, and what is computed again.

    Raises
    ------
    GraphError
        If no schedule is found that needs so little; it tells the least.
    """
    orders = (form, thrifty(form, bindings))
    without, base = min(
        ((_bytes(each, bindings, beside, copied), each) for each in orders),
        key=lambda pair: pair[0],
    )
    pieces = pieces_of(base)
    work = work_of(base, pieces, bindings)
    schedule, size, turn = scheduled(
        work,
        memory,
        lambda order: _bytes(rebuilt(base, pieces, order), bindings, beside, copied),
        lambda order: beside + occupied(rebuilt(base, pieces, order), bindings, copied),
    )
    if schedule is not None:
        saving = Saving(
            memory,
            size,
            without,
            twice(pieces, schedule),
            work.extra(schedule),
            sum(task.cost for task in work.tasks[:turn]),
        )
        return replace(rebuilt(base, pieces, schedule), saving=saving)
    sizes = ", ".join(f"{name} = {size}" for name, size in bindings.items())
    raise GraphError(
        f"memory={memory} bytes is too little{f' for {sizes}' if sizes else ''}: the "
        f"least found is {size} bytes ({without} without computing anything again); "
        "allow more, or take smaller batches"
    )


def _bytes(
    form: Form, bindings: Mapping[str, int], beside: int, copied: Sequence[Buffer]
) -> int:
    return beside + arrange(form, bindings, copied)[1]
