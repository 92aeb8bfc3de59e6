"""Lowering: a checked plan becomes the intermediate form.

expand → group → fuse, and then what is left: which buffers there are, which updates may
be written where the old value lies, and which have to wait in a copy until nobody reads
it any more. At last the steps are put into an order in which values die early.
"""

from collections.abc import Mapping, Sequence
from typing import final

from weft.compile.native.expand import expand
from weft.compile.native.extent import plus, times
from weft.compile.native.form import (
    Access,
    Buffer,
    Extent,
    Form,
    Matrix,
    OpStep,
    ProductStep,
    Step,
    through,
)
from weft.compile.native.fuse import Fuser, filled, moved, scattered
from weft.compile.native.group import Group, Grouping, base_of, uses
from weft.compile.native.kinds import is_fused
from weft.compile.native.order import thrifty
from weft.compile.native.view import View, identity, nonunit, row_major, strided
from weft.graph.dim import Shape, Size
from weft.graph.leaf import CONSTANT
from weft.graph.node import Node


def lower(
    inputs: Sequence[Node],
    outputs: Sequence[Node],
    updates: Mapping[Node, Node],
    state: Sequence[Node],
) -> Form:
    """Turn a graph into steps over buffers.

    Parameters
    ----------
    inputs : sequence of Node
    outputs : sequence of Node
    updates : mapping of Node to Node
        State leaf and its next value.
    state : sequence of Node
        All leaves that are held, updated or not.

    Returns
    -------
    Form
    """
    expanded, causes = expand([*outputs, *updates.values()])
    count = len(outputs)
    new = dict(zip(updates, expanded[count:], strict=True))
    return thrifty(_Lowering(inputs, expanded[:count], new, state, causes).form())


@final
class _Lowering:
    def __init__(
        self,
        inputs: Sequence[Node],
        outputs: Sequence[Node],
        updates: Mapping[Node, Node],
        state: Sequence[Node],
        causes: dict[Node, Node],
    ) -> None:
        self.outputs, self.updates, self.causes = outputs, updates, causes
        self.grouping = Grouping(outputs, updates)
        self.buffers: list[Buffer] = []
        self.held: dict[Node, Buffer] = {}
        self.inputs = [self._buffer(node, "input") for node in inputs]
        self.state = {node: self._buffer(node, "state") for node in state}
        # Update values that are written straight into the state.
        self.in_place: dict[Node, Buffer] = {}
        readers = self._readers()
        for leaf, node in updates.items():
            if node not in self.in_place and self._may_overwrite(leaf, node, readers):
                self.in_place[node] = self.held[node] = self.state[leaf]

    def form(self) -> Form:
        """Write the steps of all groups, and the copies of late updates."""
        steps: list[Step] = []
        commit_at: int | None = None
        for group in self.grouping.groups:
            if group.commit and commit_at is None:
                commit_at = len(steps)
            steps.extend(self._steps(group))
        commit_at = len(steps) if commit_at is None else commit_at
        for leaf, node in self.updates.items():
            target = self.state[leaf]
            if self._of(base_of(node)) is not target:
                steps.append(self._moved(node, target, row_major(node.shape), 0, node))
        outputs = tuple(self._of(base_of(node)) for node in self.outputs)
        return Form(
            tuple(steps),
            commit_at,
            tuple(self.buffers),
            tuple(self.inputs),
            self.state,
            outputs,
            tuple(node.shape for node in self.outputs),
            self.causes,
            dict(self.updates),
        )

    # Buffers ------------------------------------------------------------------------

    def _buffer(self, node: Node, kind: str) -> Buffer:
        buffer = Buffer(len(self.buffers), node, node.shape, node.dtype, kind)
        self.buffers.append(buffer)
        self.held[node] = buffer
        return buffer

    def _of(self, node: Node) -> Buffer:
        """Return the buffer that holds a node's values."""
        if node not in self.held:
            self._buffer(node, "constant" if node.op is CONSTANT else "temporary")
        return self.held[node]

    def _home(self, node: Node) -> Buffer | None:
        kept = node in self.grouping.realised or node in self.in_place
        return self._of(node) if kept else None

    # Updates ------------------------------------------------------------------------

    def _readers(self) -> dict[Node, list[tuple[Group, Node]]]:
        """List for each state leaf the groups, and the members, that read it."""
        found: dict[Node, list[tuple[Group, Node]]] = {}
        for group in self.grouping.groups:
            for node in group.members:
                for x in _read_by(node):
                    if x in self.state:
                        found.setdefault(x, []).append((group, node))
        return found

    def _may_overwrite(
        self, leaf: Node, node: Node, readers: Mapping[Node, list[tuple[Group, Node]]]
    ) -> bool:
        """Tell whether the new value may be written where the old one lies."""
        group = self.grouping.where.get(node)
        if group is None or not group.commit or group.kind != "loops":
            return False
        mapping = group.mapping(node)
        for reader, member in readers.get(leaf, ()):
            if reader.position > group.position:
                return False
            if reader is not group:
                continue
            # The same kernel must read it only where it is about to write, and in the
            # one pass in which it does.
            if not is_fused(member):
                return False
            whole = len(nonunit(node.shape)) == len(group.space)
            if group.reduced is not None and whole:
                return False
            where = group.mapping(member)
            assert where is not None
            for x, reached, in_memory in uses(member, where):
                if base_of(x) is leaf and (in_memory or reached != mapping):
                    return False
        return True

    # Steps --------------------------------------------------------------------------

    def _steps(self, group: Group) -> list[Step]:
        if group.kind == "special":
            (node,) = group.members
            return self._special(node)
        step = Fuser(group, self._of, self._home).step()
        if group.kind == "loops":
            return [] if step is None else [step]
        node = next(iter(group.members))
        return [
            ProductStep(
                node=node,
                left=self._matrix(node.inputs[0], ()),
                right=self._matrix(node.inputs[1], ()),
                target=self._of(node),
                stack=(),
                m=times(node.shape[0]),
                n=times(node.shape[1]),
                k=times(node.inputs[0].shape[1]),
                epilogue=step,
            )
        ]

    def _matrix(self, node: Node, stack: Shape) -> Matrix:
        view = strided(node)
        assert view is not None
        lead = len(stack) - (node.ndim - 2)
        strides = tuple(
            0 if size == 1 else stride
            for size, stride in zip(node.shape[:-2], view.strides[:-2], strict=True)
        )
        rows, columns = node.shape[-2:]
        row, column = view.strides[-2:]
        transposed = columns != 1 and column != 1
        if columns == 1 and rows != 1 and row == 1:
            transposed = True
        # The stride of an axis of 1 is never used, but has to make sense.
        if transposed:
            row, column = 1, times(rows) if columns == 1 else column
        else:
            row, column = times(columns) if rows == 1 else row, 1
        access = Access(
            self._of(view.base),
            view.offset,
            ((0,) * lead + strides) + (row, column),
        )
        return Matrix(access, transposed)

    def _special(self, node: Node) -> list[Step]:
        match node.op.name:
            case "embed":
                return self._embed(node)
            case "concatenate":
                return self._concatenate(node)
            case "scatter_add" | "put_along_axis":
                return self._scatter(node)
            case "matmul" if node.dtype.kind == "f":
                stack = node.shape[:-2]
                return [
                    ProductStep(
                        node=node,
                        left=self._matrix(node.inputs[0], stack),
                        right=self._matrix(node.inputs[1], stack),
                        target=self._of(node),
                        stack=tuple(times(size) for size in stack),
                        m=times(node.shape[-2]),
                        n=times(node.shape[-1]),
                        k=times(node.inputs[0].shape[-1]),
                        epilogue=None,
                    )
                ]
        inputs = tuple(self._of(base_of(x)) for x in node.inputs)
        native = node.op.name == "random_uniform" and all(
            _per_sample(x, node) for x in node.inputs
        )
        return [OpStep(node, inputs, self._of(node), native)]

    def _embed(self, node: Node) -> list[Step]:
        target = self._of(node)
        strides = row_major(node.shape)
        pieces = node.params["pieces"]
        offset = plus(
            *(times(s, st) for (s, _, _), st in zip(pieces, strides, strict=True))
        )
        steps = tuple(
            times(step, st) for (_, _, step), st in zip(pieces, strides, strict=True)
        )
        return [
            filled(target, node),
            self._moved(node.inputs[0], target, steps, offset, node),
        ]

    def _concatenate(self, node: Node) -> list[Step]:
        target, axis = self._of(node), node.params["axis"]
        strides = row_major(node.shape)
        steps: list[Step] = []
        start: Size = 0
        for x in node.inputs:
            offset = times(start, strides[axis])
            steps.append(self._moved(x, target, strides, offset, node))
            start = x.shape[axis] + start
        return steps

    def _moved(
        self,
        x: Node,
        target: Buffer,
        strides: Sequence[Extent],
        offset: Extent,
        node: Node,
    ) -> Step:
        """Copy the values of `x` to a part of a buffer."""
        dims, space = identity(x.shape), nonunit(x.shape)
        read = _gone_through(self._of(base_of(x)), strided(x), dims, space)
        write = through(target, strides, offset, dims, len(space))
        return moved(read, write, space, node)

    def _scatter(self, node: Node) -> list[Step]:
        x, index = node.inputs
        target, axis = self._of(node), node.params["axis"]
        strides = row_major(node.shape)
        if node.op.name == "scatter_add":
            rank = index.ndim
            across = tuple(
                identity(x.shape)[axis + i] if size != 1 else None
                for i, size in enumerate(index.shape)
            )
            outer = (*strides[:axis], *(0,) * rank, *strides[axis + 1 :])
        else:
            across = identity(x.shape)
            outer = (*strides[:axis], 0, *strides[axis + 1 :])
        dims, space = identity(x.shape), nonunit(x.shape)
        values, places = strided(x), strided(index)
        source, position = self._of(base_of(x)), self._of(base_of(index))
        return [
            filled(target, node),
            scattered(
                _gone_through(source, values, dims, space),
                _gone_through(position, places, across, space),
                through(target, outer, 0, dims, len(space)),
                (strides[axis], node.params["length"]),
                space,
                node,
            ),
        ]


def _read_by(node: Node) -> list[Node]:
    """List the leaves and nodes whose buffers a member reads itself."""
    if is_fused(node):
        found = uses(node, identity(node.shape))
        return [base_of(x) for x, _, _ in found]
    return [base_of(x) for x in node.inputs]


def _gone_through(
    buffer: Buffer, view: View | None, mapping: Sequence[int | None], space: Shape
) -> Access:
    assert view is not None
    return through(buffer, view.strides, view.offset, mapping, len(space))


def _per_sample(x: Node, node: Node) -> bool:
    """Tell whether an input has one element, or one per sample."""
    lead = node.shape[: node.ndim - len(node.params["shape"])]
    return not nonunit(x.shape) or nonunit(x.shape) == nonunit(lead)
