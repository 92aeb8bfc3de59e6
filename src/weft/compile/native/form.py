"""The intermediate form: a graph as a list of steps over numbered buffers.

A step says which kernel runs on which parts of which buffers, with sizes and strides as
extents in the symbols of the batch; nothing is known yet of addresses. It is what
``print(program)`` shows. `lower` makes it; `frame` binds it to numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

from weft.compile.native.extent import Polynomial, plus, times, value
from weft.compile.native.loops import Loops
from weft.compile.tasks import Saving
from weft.graph.dim import Shape
from weft.graph.node import DType, Node

Extent = int | Polynomial


def lengths(shape: Shape, bindings: Mapping[str, int]) -> tuple[int, ...]:
    """Return a shape in numbers.

    Examples
    --------
    >>> from weft.graph import as_shape
    >>> lengths(as_shape(("2n", 3)), {"n": 4})
    (8, 3)
    """
    return tuple(value(size, bindings) for size in shape)


@final
@dataclass(frozen=True, eq=False)
class Buffer:
    """A piece of memory.

    Parameters
    ----------
    number : int
    node : Node or None
        Whose values it holds.
    shape : tuple
    dtype : numpy.dtype
    kind : str
        ``input``, ``state``, ``constant``, or ``temporary``.
    """

    number: int
    node: Node | None
    shape: Shape
    dtype: DType
    kind: str

    @cached_property
    def elements(self) -> Extent:
        """How many there are."""
        return times(*self.shape)

    def lengths(self, bindings: Mapping[str, int]) -> tuple[int, ...]:
        """Return its shape in numbers."""
        return lengths(self.shape, bindings)

    def __str__(self) -> str:
        return f"%{self.number}"


@final
@dataclass(frozen=True)
class Access:
    """How a loop goes through a buffer.

    Parameters
    ----------
    buffer : Buffer
    offset : extent
        Where it begins, in elements.
    strides : tuple of extent
        In elements, by the dimensions gone through.
    """

    buffer: Buffer
    offset: Extent
    strides: tuple[Extent, ...]


def through(
    buffer: Buffer,
    strides: Sequence[Extent],
    offset: Extent,
    mapping: Sequence[int | None],
    dims: int,
) -> Access:
    """Return how a view is gone through.

    Parameters
    ----------
    buffer : Buffer
    strides : sequence of extent
        By the axes of the view.
    offset : extent
    mapping : sequence of int or None
        Which dimension each axis runs along.
    dims : int
        How many dimensions are gone through.

    Returns
    -------
    Access
    """
    by_dim: list[Extent] = [0] * dims
    for dim, stride in zip(mapping, strides, strict=True):
        if dim is not None:
            by_dim[dim] = plus(by_dim[dim], stride)
    return Access(buffer, offset, tuple(by_dim))


@final
@dataclass(frozen=True)
class LoopStep:
    """Fused loops over buffers.

    Parameters
    ----------
    loops : Loops
        What is done at each point.
    rows, reduced : tuple of extent
        The lengths of the row dimensions and the reduced ones.
    lane : extent
        The length of the dimension along the lanes.
    symbols : tuple of extent
        Further numbers.
    accesses : tuple of Access
        One per operand; strides by rows, then reduced, then lane.
    nodes : tuple of Node
        What is computed, in order.
    commit : bool
        Whether the state may be written to.
    """

    loops: Loops
    rows: tuple[Extent, ...]
    reduced: tuple[Extent, ...]
    lane: Extent
    symbols: tuple[Extent, ...]
    accesses: tuple[Access, ...]
    nodes: tuple[Node, ...]
    commit: bool = False

    @property
    def reads(self) -> tuple[Buffer, ...]:
        """The buffers read."""
        return self._met(self.loops.read)

    @property
    def writes(self) -> tuple[Buffer, ...]:
        """The buffers written."""
        return self._met(self.loops.written)

    def _met(self, operands: Sequence[int]) -> tuple[Buffer, ...]:
        return tuple(dict.fromkeys(self.accesses[k].buffer for k in operands))


@final
@dataclass(frozen=True)
class Matrix:
    """A matrix, or a stack of them, within a buffer.

    Parameters
    ----------
    access : Access
        Strides by the axes of the stack, then rows, then columns.
    transposed : bool
        Whether its columns lie in one piece, and not its rows.
    """

    access: Access
    transposed: bool


@final
@dataclass(frozen=True)
class ProductStep:
    """A matrix product, and what is done with its tiles while they are in the cache.

    Parameters
    ----------
    node : Node
    left, right : Matrix
    target : Buffer
        Row by row.
    stack : tuple of extent
        The lengths of leading axes.
    m, n, k : extent
    epilogue : LoopStep or None
    """

    node: Node
    left: Matrix
    right: Matrix
    target: Buffer
    stack: tuple[Extent, ...]
    m: Extent
    n: Extent
    k: Extent
    epilogue: LoopStep | None

    @property
    def reads(self) -> tuple[Buffer, ...]:
        """The buffers read."""
        further = self.epilogue.reads if self.epilogue else ()
        return (self.left.access.buffer, self.right.access.buffer, *further)

    @property
    def writes(self) -> tuple[Buffer, ...]:
        """The buffers written."""
        return (self.target, *(self.epilogue.writes if self.epilogue else ()))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """What is computed."""
        return (self.node, *(self.epilogue.nodes if self.epilogue else ()))


@final
@dataclass(frozen=True)
class OpStep:
    """One op by itself, of values that lie in one piece.

    Parameters
    ----------
    node : Node
    inputs : tuple of Buffer
    target : Buffer
    native : bool
        Whether there is a kernel for it; else NumPy computes it.
    """

    node: Node
    inputs: tuple[Buffer, ...]
    target: Buffer
    native: bool

    @property
    def reads(self) -> tuple[Buffer, ...]:
        """The buffers read."""
        return self.inputs

    @property
    def writes(self) -> tuple[Buffer, ...]:
        """The buffer written."""
        return (self.target,)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """What is computed."""
        return (self.node,)


Step = LoopStep | ProductStep | OpStep


@final
@dataclass(frozen=True)
class Form:
    """A graph as steps.

    Parameters
    ----------
    steps : tuple of Step
    commit_at : int
        The first step that may write to the state.
    buffers : tuple of Buffer
    inputs : tuple of Buffer
        In the order in which arrays are given.
    state : mapping of Node to Buffer
    outputs : tuple of Buffer
    shapes : tuple of tuple
        Of the outputs: a buffer may hold its values in another shape.
    causes : mapping of Node to Node
        The user's node that a node stands for.
    updates : mapping of Node to Node
        State leaf and its next value.
    saving : Saving or None
        What a byte budget has made of it.
    """

    steps: tuple[Step, ...]
    commit_at: int
    buffers: tuple[Buffer, ...]
    inputs: tuple[Buffer, ...]
    state: dict[Node, Buffer]
    outputs: tuple[Buffer, ...]
    shapes: tuple[Shape, ...]
    causes: dict[Node, Node]
    updates: dict[Node, Node]
    saving: Saving | None = None
