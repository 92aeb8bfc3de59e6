"""Which nodes are computed together.

Elementwise nodes *float* until something needs their values in memory: a matrix
product, a reduction, an output, an update. Then all that is needed and has the same
space is placed into one group, which becomes one kernel: the group that makes the
values they need (behind a product, while its tile is in the cache), one that reads the
same values, or a new one. A node is placed once.

Groups run in the order of their positions, and a node stands in or behind the groups
that its inputs stand in; so no order has to be looked for later. What leads to updates
only comes last, in groups marked `commit`: until the first of them runs, nothing of the
state has been touched.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import final

from weft.compile.native import view as views
from weft.compile.native.kinds import FOLDS, IMMEDIATE, POSITIONED, SCANS, is_fused
from weft.compile.native.view import (
    VIEWS,
    broadcast_mapping,
    identity,
    nonunit,
    peeled,
    strided,
)
from weft.graph.dim import Dim, Size
from weft.graph.leaf import Leaf
from weft.graph.node import Node
from weft.graph.walk import topological

# LLVM's time grows with the length of a kernel.
_MOST = 200
# How many groups back one looks for a group that reads the same.
_RECENT = 12


@final
class Group:
    """Nodes that one kernel computes.

    Parameters
    ----------
    position : int
        Its place in the order of execution.
    kind : str
        ``loops``, ``product``, or ``special``: a node by itself.
    space : tuple
        The dimensions gone through.
    reduced : frozenset of int, optional
        Which of them are reduced; None as long as there is no reduction.
    commit : bool
        Whether it may write to the state.
    """

    def __init__(
        self,
        position: int,
        kind: str,
        space: tuple[Size, ...],
        reduced: frozenset[int] | None,
        commit: bool,
    ) -> None:
        self.position, self.kind, self.space = position, kind, space
        self.reduced, self.commit = reduced, commit
        self.members: dict[Node, None] = {}
        self.reads: set[Node] = set()

    def mapping(self, node: Node) -> views.Mapping | None:
        """Return which dimension each axis of a member runs along.

        None if a node of such a shape cannot be a member.
        """
        wanted = nonunit(node.shape)
        dims = [d for d, size in enumerate(self.space) if size != 1]
        if wanted != tuple(self.space[d] for d in dims):
            dims = [d for d in dims if d not in (self.reduced or ())]
            kept = tuple(self.space[d] for d in dims)
            if self.reduced is None or wanted != kept:
                return None
        following = iter(dims)
        return tuple(None if size == 1 else next(following) for size in node.shape)


# An input of a node: itself, what its axes run along, and whether it has to be in
# memory, because it is met at other places than the node is.
Use = tuple[Node, views.Mapping, bool]


def uses(node: Node, mapping: views.Mapping) -> list[Use]:
    """List what a fused node is computed from, views gone through.

    Parameters
    ----------
    node : Node
    mapping : tuple of int or None
        What its axes run along.
    """
    match node.op.name:
        case "arange" | "size":
            return []
        case "take":
            x, index = node.inputs
            axis, rank = node.params["axis"], index.ndim
            around = (*mapping[:axis], None, *mapping[axis + rank :])
            return [_memory(x, around), _value(index, mapping[axis : axis + rank])]
        case "take_along_axis":
            x, index = node.inputs
            axis = node.params["axis"]
            around = (*mapping[:axis], None, *mapping[axis + 1 :])
            return [_memory(x, around), _value(index, mapping)]
        case "one_hot":
            return [_value(node.inputs[0], mapping[:-1])]
    return [_value(x, broadcast_mapping(x, node.shape, mapping)) for x in node.inputs]


def _value(node: Node, mapping: views.Mapping) -> Use:
    node, mapping = peeled(node, mapping)
    return node, mapping, node.op.name in VIEWS


def _memory(node: Node, mapping: views.Mapping) -> Use:
    return node, mapping, True


def base_of(node: Node) -> Node:
    """Return the node whose buffer a view lies in."""
    view = strided(node)
    assert view is not None, "the graph has been expanded"
    return view.base


@final
class Grouping:
    """The groups of a graph.

    Parameters
    ----------
    outputs : sequence of Node
    updates : mapping of Node to Node
        State leaf and its next value; expanded like the outputs.

    Attributes
    ----------
    groups : list of Group
        In the order of execution.
    where : dict of Node to Group
    realised : set of Node
        Those whose values other groups read, or the caller.
    """

    def __init__(self, outputs: Sequence[Node], updates: Mapping[Node, Node]) -> None:
        self.groups: list[Group] = []
        self.where: dict[Node, Group] = {}
        self.realised: set[Node] = set()
        self._begin(commit=False)
        order = topological([*outputs, *updates.values()])
        late = _late(order, outputs, updates)
        for node in order:
            if node not in late:
                self._anchor(node)
        for node in outputs:
            self._need(node)
        for node in order:
            # A position outside is found before anything of the state is written.
            checked = node.op.name in POSITIONED and node not in late
            if checked and self._floats(node):
                self._need(node)
        self._begin(commit=True)
        for node in order:
            if node in late:
                self._anchor(node)
        for node in updates.values():
            self._need(node)

    def _begin(self, commit: bool) -> None:
        """Begin a phase with a group for numbers, which many kernels will need."""
        self._commit = commit
        self._numbers = self._new("loops", (), None, [])

    # Anchors ------------------------------------------------------------------------

    def _anchor(self, node: Node) -> None:
        """Place a node that cannot float."""
        name = node.op.name
        if isinstance(node.op, Leaf) or name in VIEWS or is_fused(node):
            return
        if (name in FOLDS or name in SCANS) and node.dtype.kind != "b":
            self._fold(node)
            return
        for x in node.inputs:
            self._need(x)
        plain = name == "matmul" and node.ndim == 2 and node.dtype.kind == "f"
        space = tuple(node.shape) if plain else ()
        self._new("product" if plain else "special", space, None, [node])

    def _need(self, node: Node) -> None:
        """See to it that the values a node is a view of will be in memory."""
        base = base_of(node)
        if not isinstance(base.op, Leaf):
            if base not in self.where:
                self._place(base)
            self.realised.add(base)

    def _fold(self, node: Node) -> None:
        (x,) = node.inputs
        axes = node.params["axis"]
        along = (axes,) if isinstance(axes, int) else axes
        mapping = identity(x.shape)
        reduced = frozenset(d for a in along if (d := mapping[a]) is not None)
        while True:
            u, reached = peeled(x, mapping)
            floats = self._floats(u)
            if (
                floats
                and reached == identity(u.shape)
                and nonunit(u.shape) == nonunit(x.shape)
            ):
                tree = self._tree(u)
            else:
                if u.op.name in VIEWS:
                    self._need(u)
                elif floats:
                    self._place(u)
                tree = []
            if tree is not None:
                break
        self._join(nonunit(x.shape), reduced, [*tree, node])

    # Floating nodes -----------------------------------------------------------------

    def _floats(self, node: Node) -> bool:
        return node not in self.where and is_fused(node)

    def _place(self, node: Node) -> None:
        """Place a floating node, and with it what floats in the same space."""
        tree = None
        while tree is None:
            tree = self._tree(node)
        self._join(nonunit(node.shape), None, tree)

    def _tree(self, root: Node) -> list[Node] | None:
        """List what floats in the space of `root`, inputs first.

        What floats in another space is placed on the way; then None is returned, since
        the tree may have become another.
        """
        space = nonunit(root.shape)
        order: list[Node] = []
        seen: set[Node] = set()
        stack: list[tuple[Node, list[Use]]] = [(root, self._floating(root))]
        seen.add(root)
        while stack:
            node, ahead = stack[-1]
            if not ahead:
                stack.pop()
                order.append(node)
                if len(order) == _MOST and node is not root:
                    self._join(space, None, order)
                    return None
                continue
            u, mapping, in_memory = ahead.pop()
            aligned = not in_memory and nonunit(u.shape) == space
            if not aligned or mapping != identity(u.shape):
                if in_memory:
                    self._need(u)
                else:
                    self._place(u)
                return None
            if u not in seen:
                seen.add(u)
                stack.append((u, self._floating(u)))
        return order

    def _floating(self, node: Node) -> list[Use]:
        """List the inputs of a fused node that float, the first one last."""
        found = []
        for u, mapping, in_memory in uses(node, identity(node.shape)):
            source = base_of(u) if in_memory else u
            if self._floats(source) and (in_memory or u.op.name not in IMMEDIATE):
                found.append((u, mapping, in_memory))
        return found[::-1]

    # Groups -------------------------------------------------------------------------

    def _join(
        self, space: tuple[Size, ...], reduced: frozenset[int] | None, tree: list[Node]
    ) -> None:
        """Put nodes into a group that suits them."""
        inside = set(tree)
        outer: list[tuple[Node, Node, bool]] = []
        for node in tree:
            for u, _, in_memory in self._inputs(node):
                if u not in inside and not isinstance(u.op, Leaf):
                    outer.append((node, u, in_memory))
        ready = max((self.where[u].position for _, u, _ in outer), default=-1)
        reads = {u for node in tree for u, _, _ in self._inputs(node)} - inside
        reads = {u for u in reads if nonunit(u.shape)}
        for group in self._candidates(ready, space, reads):
            if self._suits(group, ready, space, reduced, tree, outer):
                break
        else:
            group = self._new("loops", space, reduced, [])
        if reduced is not None:
            group.reduced = reduced
        for _, u, _ in outer:
            if self.where[u] is not group:
                self.realised.add(u)
        group.reads |= reads
        for node in tree:
            group.members[node] = None
            self.where[node] = group

    def _inputs(self, node: Node) -> list[Use]:
        """List what a member reads: values, or the buffers that views lie in."""
        if is_fused(node):
            found = uses(node, identity(node.shape))
        else:
            (x,) = node.inputs
            found = [_value(x, identity(x.shape))]
        return [
            (base_of(u) if in_memory else u, mapping, in_memory)
            for u, mapping, in_memory in found
            if in_memory or u.op.name not in IMMEDIATE
        ]

    def _candidates(
        self, ready: int, space: tuple[Size, ...], reads: set[Node]
    ) -> Iterable[Group]:
        if not space and ready <= self._numbers.position:
            yield self._numbers
        if ready >= 0:
            yield self.groups[ready]
        for group in self.groups[ready + 1 :][-_RECENT:]:
            alike = not space and not group.space
            if group.kind == "loops" and (alike or reads & group.reads):
                yield group

    def _suits(
        self,
        group: Group,
        ready: int,
        space: tuple[Size, ...],
        reduced: frozenset[int] | None,
        tree: list[Node],
        outer: list[tuple[Node, Node, bool]],
    ) -> bool:
        if group.kind == "special" or group.commit != self._commit:
            return False
        if len(group.members) + len(tree) > 2 * _MOST:
            return False
        behind_product = group.kind == "product"
        if behind_product and (reduced is not None or group.position != ready):
            return False
        if reduced is not None:
            last = len(space) - 1 in reduced
            same = group.reduced == reduced or (group.reduced is None and last)
            if group.space != space or not same:
                return False
        for node in tree:
            if is_fused(node) and group.mapping(node) is None:
                return False
        for node, u, in_memory in outer:
            if self.where[u] is group and not self._meets(group, node, u, in_memory):
                return False
        return True

    def _meets(self, group: Group, node: Node, u: Node, in_memory: bool) -> bool:
        """Tell whether a member's value is at hand where another would need it."""
        if in_memory or u.op.name in SCANS:
            # A running sum is known only in the pass that makes it.
            return False
        if not is_fused(node):
            (x,) = node.inputs
            full = identity(x.shape)
            return peeled(x, full) == (u, group.mapping(u))
        mapping = group.mapping(node)
        assert mapping is not None
        return all(
            reached == group.mapping(u)
            for v, reached, _ in uses(node, mapping)
            if v is u
        )

    def _new(
        self,
        kind: str,
        space: tuple[Size, ...],
        reduced: frozenset[int] | None,
        nodes: list[Node],
    ) -> Group:
        group = Group(len(self.groups), kind, space, reduced, self._commit)
        self.groups.append(group)
        for node in nodes:
            group.members[node] = None
            self.where[node] = group
            self.realised.add(node)
        return group


def _late(
    order: Sequence[Node], outputs: Iterable[Node], updates: Mapping[Node, Node]
) -> set[Node]:
    """Collect the nodes that lead to updates only, products and their like apart."""
    late: set[Node] = set()
    users: dict[Node, list[Node]] = {}
    for node in order:
        for x in node.inputs:
            users.setdefault(x, []).append(node)
    asked, ends = set(outputs), set(updates.values())
    for node in reversed(order):
        light = is_fused(node) or node.op.name in FOLDS or node.op.name in VIEWS
        # What a position outside could make fail must fail before anything is written.
        light = light and node.op.name not in POSITIONED
        # A sum over the rows of a batch would keep them until the state is written to.
        light = light and not _gathers(node)
        leads = node in ends or bool(users.get(node))
        alone = all(user in late for user in users.get(node, ()))
        if light and leads and alone and node not in asked:
            late.add(node)
    return late


def _gathers(node: Node) -> bool:
    """Tell whether a node is a reduction of something as long as the batch."""
    return node.op.name in FOLDS and any(
        isinstance(size, Dim) for size in node.inputs[0].shape
    )
