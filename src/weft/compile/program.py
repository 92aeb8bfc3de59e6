"""A program: a graph made ready to run, again and again, with state that it updates.

This is the seam between what trains and what computes. A `Program` is called with
arrays; `updates` map its parameters to their next values, all computed from the old
state; `run` takes it through one epoch. Which engine stands behind it, nobody above
this floor can tell but by the time it takes: there is one training loop, and only the
program's engine differs.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.compile.profile import Profile
from weft.compile.tasks import Saving
from weft.graph.dim import Dim
from weft.graph.errors import FeedError, GraphError, ShapeError
from weft.graph.html import table
from weft.graph.leaf import INPUT, PARAMETER, Leaf
from weft.graph.node import Node, describe
from weft.graph.origin import place
from weft.graph.tree import Structure, flatten
from weft.graph.walk import leaves
from weft.ops.propagate import fitted
from weft.ops.sample import Array


@final
@dataclass(frozen=True)
class Plan:
    """What a program is made of, checked; every engine starts from it.

    Parameters
    ----------
    inputs : tuple of Node
        In the order in which arrays are given.
    outputs : tuple of Node
    structure : Structure
        What held the outputs.
    updates : mapping of Node to Node
        Parameter and its next value.
    state : mapping of Node to array
        Parameter and its first value, copied.
    """

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    structure: Structure
    updates: Mapping[Node, Node]
    state: Mapping[Node, Array]

    @property
    def batch_symbol(self) -> str | None:
        """The name of the first dimension by which `run` gathers rows, if any."""
        for node in self.inputs:
            if node.shape and isinstance(node.shape[0], Dim):
                symbols = node.shape[0].symbols
                if str(node.shape[0]) == symbols[0]:
                    return symbols[0]
        return None


class Program(ABC):
    """A compiled graph. Built by `weft.compile`."""

    @abstractmethod
    def __call__(self, *arrays: Any) -> Any:
        """Compute the outputs, then apply the updates.

        Parameters
        ----------
        *arrays : array
            One per input, in the order given to `compile`.

        Returns
        -------
        tree of arrays like the outputs
            Computed from the state before the updates.

        Raises
        ------
        FeedError
            If an array is missing or does not fit.
        """

    @abstractmethod
    def run(
        self, arrays: Sequence[Any], order: Any = None, batch_size: int | None = None
    ) -> Any:
        """Take one epoch: a step for each batch of rows.

        Parameters
        ----------
        arrays : sequence of array
            One per input. Those whose first dimension is the batch symbol are gathered
            by `order`; an array with one more leading axis, of length steps, is
            consumed one entry per step; the rest pass whole to each step.
        order : array of int, optional
            Row numbers; all rows in order by default.
        batch_size : int, optional
            Rows per step, fewer in the last; all by default.

        Returns
        -------
        tree of arrays like the outputs
            With a leading axis of length steps.

        Raises
        ------
        FeedError
            If an array, the order or the batch size does not fit.
        """

    def profile(self) -> Profile:
        """Measure where the time of a step goes, beside what the machine allows.

        The program runs for about a second, with the sizes of the latest call or run,
        on a copy of its state and on made-up rows; the state itself is left alone.

        Returns
        -------
        Profile
            ``print`` it.

        Raises
        ------
        FeedError
            If the sizes are not known: before the first call.
        GraphError
            If the engine runs no kernels that could be timed.
        """
        raise GraphError(
            "only machine code is profiled: compile with engine='native', "
            "and call the program once"
        )

    def kernels(self) -> list[tuple[str, str, str]]:
        """List what a step does, in order.

        Returns
        -------
        list of (kernel, operations, bytes)
            In words; the amounts with symbols where sizes are not known.
        """
        return []

    def _repr_html_(self) -> str:
        return table(["kernel", "flop", "bytes"], self.kernels(), "a step")

    @property
    def saving(self) -> Saving | None:
        """What a byte budget (``memory=``) came to; None without one.

        Planned when sizes are known, so None before the first call too.
        """
        return None

    @property
    @abstractmethod
    def progress(self) -> int:
        """How many steps the present run has taken, or the latest one.

        For a progress bar: it may be looked at from another thread at any time.
        """

    @property
    @abstractmethod
    def state(self) -> Mapping[Node, Array]:
        """The live state: parameter and its present value, of a whole step."""


def plan(
    inputs: Sequence[Node],
    outputs: Any,
    updates: Mapping[Node, Node] | None = None,
    state: Mapping[Node, Any] | None = None,
) -> Plan:
    """Check what a program is asked to be.

    Parameters
    ----------
    inputs, outputs, updates, state
        As in `compile`.

    Returns
    -------
    Plan

    Raises
    ------
    GraphError, ShapeError, FeedError
        If a leaf is neither an input nor in the state, or an update does not fit.
    """
    nodes, structure = flatten(outputs)
    updates, state = dict(updates or {}), dict(state or {})
    alone: Any = inputs
    if isinstance(alone, Node):
        raise GraphError(
            f"the inputs are a list of leaves: [{alone.params.get('name', 'x')}], not "
            f"{describe(alone)} alone{place()}"
        )
    given = tuple(inputs)
    _check_leaves(given, INPUT, "input: list weft.input leaves")
    _check_leaves((*state, *updates), PARAMETER, "parameter and holds no state")
    if len(set(given)) < len(given):
        raise GraphError(f"an input is listed twice{place()}")
    values: list[Any] = [*nodes, *updates.values()]
    for value in values:
        if not isinstance(value, Node):
            raise GraphError(f"{value!r} is no node and has no value{place()}")
    for leaf, value in updates.items():
        if leaf not in state:
            raise FeedError(
                f"{describe(leaf)} is updated but not in the state{place()}"
            )
        if (value.shape, value.dtype) != (leaf.shape, leaf.dtype):
            raise ShapeError(
                f"{describe(leaf)} cannot be updated with {value.dtype}"
                f"{list(value.shape)}: shape and type must stay{place()}"
            )
    for leaf in leaves([*nodes, *updates.values()]):
        if leaf.op is INPUT and leaf not in given:
            raise FeedError(f"{describe(leaf)} is not among the inputs{place()}")
        if leaf.op is PARAMETER and leaf not in state:
            raise FeedError(f"{describe(leaf)} is not in the state{place()}")
    held = {leaf: np.array(fitted(leaf, value)) for leaf, value in state.items()}
    return Plan(given, tuple(nodes), structure, updates, held)


def fitted_inputs(plan: Plan, arrays: Sequence[Any]) -> list[Array]:
    """Return one array per input, of its type.

    Raises
    ------
    FeedError
        If there are too few or too many, or one does not fit.
    """
    inputs = plan.inputs
    if len(arrays) != len(inputs):
        names = ", ".join(node.name for node in inputs)
        raise FeedError(
            f"{len(arrays)} arrays were given for {len(inputs)} inputs ({names})"
        )
    return [fitted(n, a) for n, a in zip(inputs, arrays, strict=True)]


# What becomes of an input in `Program.run`.
GATHERED, STEPPED, WHOLE = "gathered", "stepped", "whole"


def roles(plan: Plan, arrays: Sequence[Array]) -> list[str]:
    """Return for each input of a run how it is fed.

    Returns
    -------
    list of str
        ``gathered``: its rows are chosen by the order; ``stepped``: one entry per step;
        ``whole``: the same for every step.
    """
    symbol = plan.batch_symbol
    found = []
    for node, array in zip(plan.inputs, arrays, strict=True):
        if array.ndim == node.ndim + 1:
            found.append(STEPPED)
        elif symbol is not None and _leads(node, symbol):
            found.append(GATHERED)
        else:
            found.append(WHOLE)
    return found


def batches(
    arrays: Sequence[Array], how: Sequence[str], order: Any, batch_size: int | None
) -> tuple[Array, int]:
    """Return the rows of an epoch, in order, and how many a step takes.

    Raises
    ------
    FeedError
        If the order or the batch size does not fit the arrays.
    """
    gathered = [a for a, role in zip(arrays, how, strict=True) if role == GATHERED]
    rows = _order(order, gathered)
    size = max(len(rows), 1) if batch_size is None else batch_size
    if not isinstance(size, (int, np.integer)):
        raise FeedError(f"batch_size={size!r} is no number of rows: give a whole one")
    if size < 1:
        raise FeedError(f"a batch has at least one row, but batch_size={size}")
    return rows, size


def check_steps(
    plan: Plan, arrays: Sequence[Array], how: Sequence[str], steps: int
) -> None:
    """Raise FeedError if an array given per step has not one entry for each."""
    for node, array, role in zip(plan.inputs, arrays, how, strict=True):
        if role == STEPPED and len(array) != steps:
            raise FeedError(
                f"{describe(node)} is given per step, {len(array)} entries, but there "
                f"are {steps} steps"
            )


def entries(
    arrays: Sequence[Array], how: Sequence[str], step: int, rows: Array
) -> list[Array]:
    """Return what one step of a run is fed, `rows` being those of its batch."""
    return [
        a.take(rows, axis=0) if role == GATHERED else a[step] if role == STEPPED else a
        for a, role in zip(arrays, how, strict=True)
    ]


def _leads(node: Node, symbol: str) -> bool:
    first = node.shape[0] if node.shape else 0
    return isinstance(first, Dim) and str(first) == symbol


def _order(order: Any, gathered: Sequence[Array]) -> Array:
    counts = {len(array) for array in gathered}
    if len(counts) > 1:
        raise FeedError(f"the inputs have different numbers of rows: {sorted(counts)}")
    count = counts.pop() if counts else 0
    if order is None:
        return np.arange(count)
    rows = np.asarray(order)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise FeedError("the order is a list of row numbers")
    if gathered and rows.size and (rows.min() < 0 or rows.max() >= count):
        raise FeedError(f"the order names a row outside 0 ... {count - 1}")
    return rows


def _check_leaves(given: Sequence[Any], kind: Leaf, what: str) -> None:
    for leaf in given:
        if not isinstance(leaf, Node) or leaf.op is not kind:
            raise GraphError(f"{leaf!r} is no {what}{place()}")
