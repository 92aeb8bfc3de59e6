"""The reference engine: a program that runs its graph on a `Tape`, in NumPy."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import cache
from types import MappingProxyType
from typing import Any, final

import numpy as np

from weft.compile.interpret import Tape
from weft.compile.nodecost import flops, moved_bytes
from weft.compile.program import (
    Plan,
    Program,
    batches,
    check_steps,
    entries,
    fitted_inputs,
    roles,
)
from weft.graph.errors import FeedError
from weft.graph.leaf import Leaf
from weft.graph.node import Node, describe
from weft.graph.tree import unflatten
from weft.graph.walk import topological
from weft.ops.propagate import bind_feed
from weft.ops.sample import Array


@final
class ReferenceProgram(Program):
    """A program that runs in NumPy, one op at a time.

    Parameters
    ----------
    plan : Plan
    threads : int, optional
        How many threads NumPy's matrix products may use in `run`; one by default: two
        are slower wherever the machine has other work.
    """

    def __init__(self, plan: Plan, threads: int | None = None) -> None:
        self._plan = plan
        self._leaves = list(plan.state)
        self._targets = list(plan.updates)
        self._tape = Tape(
            [*plan.outputs, *plan.updates.values()], [*plan.inputs, *plan.state]
        )
        # Replaced as a whole after each step, never changed: whoever reads it, and a
        # step that is interrupted, sees one state and not a mixture.
        self._state: Mapping[Node, Array] = MappingProxyType(dict(plan.state))
        self._lock = threading.Lock() if plan.updates else nullcontext()
        self._threads = threads
        self._taken = 0

    @property
    def progress(self) -> int:
        """How many steps the present run has taken."""
        return self._taken

    @property
    def state(self) -> Mapping[Node, Array]:
        """The live state."""
        return self._state

    def __str__(self) -> str:
        rows = [
            f"{kernel}: {flop} flop, {size} B" for kernel, flop, size in self.kernels()
        ]
        return "\n".join(["NumPy, one op at a time", *rows])

    def kernels(self) -> list[tuple[str, str, str]]:
        """List the ops of a step."""
        targets = [*self._plan.outputs, *self._plan.updates.values()]
        return [
            (describe(node), str(flops(node)), str(moved_bytes(node)))
            for node in topological(targets)
            if not isinstance(node.op, Leaf)
        ]

    def __call__(self, *arrays: Any) -> Any:
        """Compute the outputs, then apply the updates."""
        fed = fitted_inputs(self._plan, arrays)
        with self._limit(self._threads), self._lock:
            outputs = self._step(fed, self._bindings(fed))
            held = list(self._state.values())
            owned = [_owned(value, held) for value in outputs]
        return unflatten(self._plan.structure, owned)

    def run(
        self, arrays: Sequence[Any], order: Any = None, batch_size: int | None = None
    ) -> Any:
        """Take one epoch."""
        fed = fitted_inputs(self._plan, arrays)
        how = roles(self._plan, fed)
        rows, size = batches(fed, how, order, batch_size)
        starts = range(0, len(rows), size)
        check_steps(self._plan, fed, how, len(starts))
        steps: list[list[Any]] = []
        with self._limit(self._threads or 1), self._lock:
            self._taken = 0
            for number, start in enumerate(starts):
                values = entries(fed, how, number, rows[start : start + size])
                steps.append(self._step(values, self._bindings(values)))
                self._taken = number + 1
        stacked = [
            _stacked(node, [step[i] for step in steps])
            for i, node in enumerate(self._plan.outputs)
        ]
        return unflatten(self._plan.structure, stacked)

    def _bindings(self, values: Sequence[Array]) -> dict[str, int]:
        nodes = [*self._plan.inputs, *self._leaves]
        held = [self._state[leaf] for leaf in self._leaves]
        return bind_feed(nodes, [*values, *held])

    def _step(self, values: Sequence[Array], bindings: Mapping[str, int]) -> list[Any]:
        feed = dict(zip(self._plan.inputs, values, strict=True))
        found = self._tape.run({**self._state, **feed}, bindings)
        count = len(self._plan.outputs)
        if self._targets:
            new = {
                leaf: _owned(value, values)
                for leaf, value in zip(self._targets, found[count:], strict=True)
            }
            self._state = MappingProxyType({**self._state, **new})
        return found[:count]

    def _limit(self, threads: int | None) -> Any:
        return (
            nullcontext() if threads is None else _thread_pools().limit(limits=threads)
        )


@cache
def _thread_pools() -> Any:
    """NumPy's thread pools; looking for them takes longer than a small epoch."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _stacked(node: Node, values: Sequence[Any]) -> Array:
    """Return an output's values of all steps as one array."""
    if not values:
        lengths = [size if isinstance(size, int) else 0 for size in node.shape]
        return np.empty((0, *lengths), node.dtype)
    if len({np.shape(value) for value in values}) > 1:
        raise FeedError(
            f"{describe(node)} has another shape in the last, smaller batch, so its "
            "values cannot be stacked: choose a batch_size that divides the rows, or "
            "call the program once per batch"
        )
    return np.stack(values)


def _owned(value: Any, others: Sequence[Array]) -> Array:
    """Return `value` as an array that shares no memory with `others`."""
    array = np.asarray(value)
    foreign = array.base is not None or any(array is a for a in others)
    return array.copy() if foreign else array
