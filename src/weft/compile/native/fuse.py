"""One group becomes one step: its nodes as instructions, its buffers as accesses.

First everything is written for the dimensions of the group's space; then neighbouring
dimensions that all accesses go through as one become one, and the rest is shared out:
rows for the grid, one dimension for the lanes, loops for what is reduced.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, final

from weft.compile.native.extent import times
from weft.compile.native.form import Access, Buffer, Extent, LoopStep, through
from weft.compile.native.group import Group, uses
from weft.compile.native.kinds import FOLDS, IMMEDIATE, SCANS
from weft.compile.native.loops import Instr, Loops, Operand, literal_bits
from weft.compile.native.view import (
    Mapping,
    broadcast_mapping,
    identity,
    nonunit,
    peeled,
    row_major,
    strided,
)
from weft.graph.dim import Size
from weft.graph.leaf import CONSTANT
from weft.graph.node import Node

# Shorter reduced rows are gone through in step, a row per lane.
_NARROW = 32
# A longer sum is taken in blocks.
_LONG = 128


@final
@dataclass
class _Code:
    """Instructions over the dimensions of a space, before these are shared out."""

    instrs: list[Instr] = field(default_factory=list)
    accesses: list[Access] = field(default_factory=list)
    symbols: list[Extent] = field(default_factory=list)
    # Dimensions whose index is itself a value, so that they cannot be merged.
    indexed: set[int] = field(default_factory=set)

    def add(self, kind: str, dtype: Any, args: Iterable[int], detail: Any) -> int:
        """Append an instruction and return its number."""
        self.instrs.append(Instr(kind, str(dtype), tuple(args), detail))
        return len(self.instrs) - 1

    def access(self, access: Access) -> int:
        """Return the number of an operand."""
        if access in self.accesses:
            return self.accesses.index(access)
        self.accesses.append(access)
        return len(self.accesses) - 1

    def symbol(self, number: Extent) -> int:
        """Return the number of a symbol."""
        if number in self.symbols:
            return self.symbols.index(number)
        self.symbols.append(number)
        return len(self.symbols) - 1


@final
class Fuser:
    """Writes the code of one group.

    Parameters
    ----------
    group : Group
    buffer_of : callable
        The buffer that holds a node's values.
    home_of : callable
        Where a member's values are to be stored; None if nowhere.
    """

    def __init__(
        self,
        group: Group,
        buffer_of: Callable[[Node], Buffer],
        home_of: Callable[[Node], Buffer | None],
    ) -> None:
        self.group, self.buffer_of, self.home_of = group, buffer_of, home_of
        self.code = _Code()
        self.known: dict[Node, int] = {}
        self.loads: dict[tuple[int, str], int] = {}

    def step(self) -> LoopStep | None:
        """Return the group as a step; None if nothing of it is needed."""
        stores = []
        for node in self.group.members:
            if node.op.name == "matmul":
                continue
            self.known[node] = self._member(node)
            home = self.home_of(node)
            if home is not None:
                stores.append((node, home))
        for node, home in stores:
            mapping = self.group.mapping(node)
            assert mapping is not None
            access = self._access(home, mapping, row_major(node.shape), 0)
            operand = self.code.access(access)
            self.code.add("store", node.dtype, [self.known[node]], operand)
        if not stores:
            return None
        nodes = tuple(n for n in self.group.members if n.op.name != "matmul")
        return shared_out(
            self.code,
            self.group.space,
            self.group.reduced or frozenset(),
            nodes,
            merge=self.group.kind != "product",
            commit=self.group.commit,
        )

    # Values -------------------------------------------------------------------------

    def _member(self, node: Node) -> int:
        name, code = node.op.name, self.code
        if name in FOLDS or name in SCANS:
            (x,) = node.inputs
            argument = self._value(x, identity(x.shape))
            if name in SCANS:
                return code.add("scan", node.dtype, [argument], "sum")
            return code.add("fold", node.dtype, [argument], name)
        mapping = self.group.mapping(node)
        assert mapping is not None
        match name:
            case "arange" | "size":
                return self._immediate(node, mapping)
            case "one_hot":
                return self._one_hot(node, mapping)
            case "take" | "take_along_axis":
                return self._take(node, mapping)
        args = [
            self._value(x, broadcast_mapping(x, node.shape, mapping))
            for x in node.inputs
        ]
        detail = (node.op, tuple(sorted(node.params.items())))
        return code.add("apply", node.dtype, args, detail)

    def _immediate(self, node: Node, mapping: Mapping) -> int:
        if node.op.name == "arange":
            return self._index(mapping[0])
        (x,) = node.inputs
        count = times(*(x.shape[a] for a in node.params["axis"]))
        return self.code.add("symbol", "int64", [], self.code.symbol(count))

    def _index(self, dim: int | None) -> int:
        if dim is None:
            return self.code.add("literal", "int64", [], literal_bits(0, "int64"))
        self.code.indexed.add(dim)
        return self.code.add("index", "int64", [], dim)

    def _one_hot(self, node: Node, mapping: Mapping) -> int:
        code = self.code
        index = self._inside(
            self._value(node.inputs[0], mapping[:-1]), node.params["depth"]
        )
        hit = self._apply("equal", "bool", index, self._index(mapping[-1]))
        if node.dtype.kind == "b":
            return hit
        return code.add(
            "apply", node.dtype, [hit], (_op("cast"), (("dtype", node.dtype),))
        )

    def _take(self, node: Node, mapping: Mapping) -> int:
        x, _ = node.inputs
        axis = node.params["axis"]
        (_, around, _), (index, along, _) = uses(node, mapping)
        position = self._inside(self._value(index, along), x.shape[axis])
        view = strided(x)
        assert view is not None
        access = self._access(
            self.buffer_of(view.base), around, view.strides, view.offset
        )
        operand = self.code.access(access)
        word = self.code.symbol(view.strides[axis])
        return self.code.add("pick", node.dtype, [position], (operand, word))

    def _inside(self, index: int, length: Size) -> int:
        word = self.code.symbol(times(length))
        return self.code.add("inside", "int64", [index], word)

    def _apply(self, name: str, dtype: Any, *args: int) -> int:
        return self.code.add("apply", dtype, args, (_op(name), ()))

    def _value(self, node: Node, mapping: Mapping) -> int:
        """Return a value at the point where `mapping` says it is met."""
        node, mapping = peeled(node, mapping)
        if node in self.known:
            return self.known[node]
        if node.op.name in IMMEDIATE:
            return self._immediate(node, mapping)
        if node.op is CONSTANT and not nonunit(node.shape):
            bits = literal_bits(node.params["value"], node.dtype)
            return self.code.add("literal", node.dtype, [], bits)
        view = strided(node)
        assert view is not None
        access = self._access(
            self.buffer_of(view.base), mapping, view.strides, view.offset
        )
        operand = self.code.access(access)
        key = (operand, str(node.dtype))
        if key not in self.loads:
            self.loads[key] = self.code.add("load", node.dtype, [], operand)
        return self.loads[key]

    def _access(
        self,
        buffer: Buffer,
        mapping: Mapping,
        strides: tuple[Extent, ...],
        offset: Extent,
    ) -> Access:
        return through(buffer, strides, offset, mapping, len(self.group.space))


def _op(name: str) -> Any:
    from weft.ops.record import OPS

    return OPS[name]


# Sharing out ------------------------------------------------------------------------


def moved(
    source: Access, target: Access, space: tuple[Size, ...], node: Node
) -> LoopStep:
    """Return the step that copies one part of a buffer to one of another."""
    code = _Code()
    value = code.add("load", source.buffer.dtype, [], code.access(source))
    code.add("store", source.buffer.dtype, [value], code.access(target))
    return shared_out(code, space, frozenset(), (node,), merge=True, commit=False)


def filled(target: Buffer, node: Node) -> LoopStep:
    """Return the step that fills a buffer with zeros."""
    code = _Code()
    bits = literal_bits(0, target.dtype)
    value = code.add("literal", target.dtype, [], bits)
    access = Access(target, 0, (1,))
    code.add("store", target.dtype, [value], code.access(access))
    space = (target.elements,)
    return shared_out(code, space, frozenset(), (node,), merge=True, commit=False)


def scattered(
    source: Access,
    index: Access,
    target: Access,
    along: tuple[Extent, Size],
    space: tuple[Size, ...],
    node: Node,
) -> LoopStep:
    """Return the step that adds values at positions, one after the other.

    Parameters
    ----------
    source, index, target : Access
        Of the values, of their positions, and of the element at position 0.
    along : (extent, size)
        Stride and length of the axis that the positions count.
    space : tuple
    node : Node
    """
    code = _Code()
    stride, length = along
    value = code.add("load", source.buffer.dtype, [], code.access(source))
    given = code.add("load", index.buffer.dtype, [], code.access(index))
    position = code.add("inside", "int64", [given], code.symbol(times(length)))
    detail = (code.access(target), code.symbol(stride))
    code.add("add", source.buffer.dtype, [value, position], detail)
    return shared_out(
        code, space, frozenset(), (node,), merge=True, commit=False, serial=True
    )


def shared_out(
    code: _Code,
    space: tuple[Any, ...],
    reduced: frozenset[int],
    nodes: tuple[Node, ...],
    *,
    merge: bool,
    commit: bool,
    serial: bool = False,
) -> LoopStep:
    """Decide which dimension is a row, a loop, or runs along the lanes.

    Parameters
    ----------
    code : _Code
    space : tuple of extent
    reduced : frozenset of int
    nodes : tuple of Node
    merge : bool
        Whether neighbouring dimensions may become one.
    commit : bool
    serial : bool
        Whether all is done in one lane, in order.
    """
    groups = [[d] for d in range(len(space))]
    if merge:
        groups = _merged(code, space, reduced)
    sizes = {g[0]: times(*(space[d] for d in g)) for g in groups}
    roles = _roles(code, groups, reduced, sizes)
    where = {g[0]: ("row", i) for i, g in enumerate(roles.kept)}
    where |= {g[0]: ("reduced", i) for i, g in enumerate(roles.loops)}
    where |= {g[0]: ("lane", 0) for g in roles.lane}
    instrs = tuple(
        i._replace(detail=where[i.detail]) if i.kind == "index" else i
        for i in code.instrs
    )
    met = [_met(access, roles) for access in code.accesses]
    reduced_sizes = tuple(sizes[g[0]] for g in roles.loops)
    lane = times(*(sizes[g[0]] for g in roles.lane))
    described = Loops(
        rows=len(roles.kept),
        reduced=len(roles.loops),
        lane_reduced=roles.lane_reduced,
        serial=serial or not roles.lane,
        by_columns=not merge and not roles.loops,
        stoppable=not commit and len(roles.loops) + roles.lane_reduced > 1,
        long=_is_long(lane if roles.lane_reduced else (1, *reduced_sizes)[-1], roles),
        operands=tuple(operand for operand, _ in met),
        symbols=len(code.symbols),
        code=instrs,
    )
    return LoopStep(
        loops=described,
        rows=tuple(sizes[g[0]] for g in roles.kept),
        reduced=reduced_sizes,
        lane=lane,
        symbols=tuple(code.symbols),
        accesses=tuple(access for _, access in met),
        nodes=nodes,
        commit=commit,
    )


@final
@dataclass(frozen=True)
class _Roles:
    """What each group of dimensions is for.

    Parameters
    ----------
    kept, loops : list of list of int
        Rows of the grid; reduced dimensions that are looped over.
    lane : list of list of int
        The one that runs along the lanes, if there is one.
    lane_reduced : bool
        Whether that is a reduced one.
    """

    kept: list[list[int]]
    loops: list[list[int]]
    lane: list[list[int]]
    lane_reduced: bool


def _roles(
    code: _Code,
    groups: list[list[int]],
    reduced: frozenset[int],
    sizes: dict[int, Extent],
) -> _Roles:
    """Choose what runs along the lanes: the last dimension, where that is long."""
    kept = [g for g in groups if g[0] not in reduced]
    loops = [g for g in groups if g[0] in reduced]
    in_step = any(
        i.kind == "scan" or (i.kind == "fold" and i.detail == "argmax")
        for i in code.instrs
    )
    if not loops or loops[-1] is not groups[-1]:
        return _Roles(kept[:-1], loops, kept[-1:], False)
    size = sizes[loops[-1][0]]
    narrow = isinstance(size, int) and size <= _NARROW
    if kept and (narrow or in_step):
        return _Roles(kept[:-1], loops, kept[-1:], False)
    if in_step:
        return _Roles(kept, loops, [], False)
    return _Roles(kept, loops[:-1], loops[-1:], True)


def _met(access: Access, roles: _Roles) -> tuple[Operand, Access]:
    """Return how the loops meet a part of a buffer."""
    by_row = tuple(access.strides[g[-1]] for g in roles.kept)
    by_loop = tuple(access.strides[g[-1]] for g in roles.loops)
    by_lane: Extent = access.strides[roles.lane[0][-1]] if roles.lane else 0
    operand = Operand(
        access.buffer.dtype.name,
        tuple(s != 0 for s in by_row),
        tuple(s != 0 for s in by_loop),
        0 if by_lane == 0 else 1 if by_lane == 1 else 2,
    )
    strides = (*by_row, *by_loop, by_lane)
    return operand, Access(access.buffer, access.offset, strides)


def _is_long(innermost: Extent, roles: _Roles) -> bool:
    """Tell whether a sum over the innermost reduced loop is to be taken in blocks."""
    # Along the lanes there are as many sums as there are lanes.
    longest = 16 * _LONG if roles.lane_reduced else _LONG
    return not (isinstance(innermost, int) and innermost <= longest)


def _merged(
    code: _Code, space: tuple[Any, ...], reduced: frozenset[int]
) -> list[list[int]]:
    """Group neighbouring dimensions that every access goes through as one."""
    groups: list[list[int]] = []
    for d in range(len(space)):
        last = groups[-1][-1] if groups else None
        if (
            last is not None
            and (last in reduced) == (d in reduced)
            and not {last, d} & code.indexed
            and all(
                a.strides[last] == times(a.strides[d], space[d]) for a in code.accesses
            )
        ):
            groups[-1].append(d)
        else:
            groups.append([d])
    return groups
