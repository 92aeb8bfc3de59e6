"""The one node that every graph is made of.

A node is an op applied to nodes. It is frozen and final: its shape and data type are
inferred when it is built and never change, nothing lists who uses it, nothing works in
place. Interior nodes are *interned* by ``(op, inputs, params)``, so equal expressions
are the same object and repeated subexpressions are shared by construction. Leaves
(`weft.graph.leaf`) have an identity of their own. ``==`` and ``hash`` are identity.

What an op is, this floor does not know: it asks an `Operation` for a shape, and the
operators of `Node` are words that the floor above spells out (`define_methods`).
"""

import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, NoReturn, ParamSpec, Protocol, TypeVar, final
from weakref import WeakValueDictionary

import numpy as np

from weft.graph.dim import Dim, Shape
from weft.graph.errors import GraphError, WeftError
from weft.graph.origin import place, remember

Params = Mapping[str, Any]
DType = np.dtype[Any]
P = ParamSpec("P")
R = TypeVar("R")


class Operation(Protocol):
    """What a node needs of its op."""

    @property
    def name(self) -> str:
        """The word for it, unique among ops."""

    @property
    def text(self) -> str:
        """A template for `weft.text`; empty for ``name(inputs)``."""

    @property
    def latex(self) -> "str | Callable[[Node], str]":
        """A template for `weft.latex`, or what returns one for a node."""

    @property
    def binds(self) -> str:
        """How tightly that binds: a level of `weft.graph.latex`."""

    def infer(self, inputs: "tuple[Node, ...]", params: Params) -> tuple[Shape, DType]:
        """Return the shape and data type of the op's value, or say why not."""


_methods: dict[str, Callable[..., Any]] = {}


def define_methods(**functions: Callable[..., Any]) -> None:
    """Give the operators of `Node` their meaning (called once, by the ops)."""
    _methods.update(functions)


@final
class Node:
    """A value in a graph: an op, its inputs and its fixed parameters.

    Nodes are built by `weft.input`, `weft.parameter`, `weft.constant` and by applying
    functions and operators to nodes; never directly.

    Attributes
    ----------
    op : Operation
        The op, or the kind of leaf.
    inputs : tuple of Node
        What the op is applied to; empty for a leaf.
    params : mapping of str
        What is fixed about it, such as an axis.
    shape : tuple of int or Dim
        One entry per axis; an entry may be a linear form over symbols.
    dtype : numpy.dtype
        One of bool, int32, int64, float32, float64.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n", 3))
    >>> y = weft.exp(x) + 1
    >>> y.shape
    ('n', 3)
    >>> y is weft.exp(x) + 1
    True
    """

    __slots__ = ("__weakref__", "dtype", "inputs", "op", "params", "shape")

    op: Operation
    inputs: "tuple[Node, ...]"
    params: Params
    shape: Shape
    dtype: DType

    # NumPy must leave `array + node` to the node.
    __array_ufunc__ = None

    def __init__(self) -> None:
        raise GraphError(
            "a node is not made by calling Node: use weft.input, weft.parameter, "
            "weft.constant, or apply a function to nodes"
        )

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(
            f"a node is frozen: {name!r} cannot be set; build a new expression instead"
        )

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a node is frozen: {name!r} cannot be deleted")

    def __copy__(self) -> "Node":
        return self

    def __deepcopy__(self, memo: Any) -> "Node":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a node cannot be pickled: use weft.to_json and weft.from_json")

    # What it is -------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name a leaf was given; empty for an interior node."""
        name: str = self.params.get("name", "")
        return name

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> Any:
        """The number of elements: an int, or a node where it is known at run time."""
        return _methods["size"](self)

    @property
    def T(self) -> "Node":
        """The node with its axes in reverse order."""
        return self._call("transpose")

    def numpy(self) -> np.ndarray[Any, Any]:
        """Return the value of a node that needs no feed.

        Raises
        ------
        FeedError
            If it depends on an input or parameter.

        Examples
        --------
        >>> import weft
        >>> (weft.constant([1, 2]) * 3).numpy()
        array([3, 6])
        """
        value: np.ndarray[Any, Any] = _methods["numpy"](self)
        return value

    def __repr__(self) -> str:
        return f"<{describe(self)}>"

    # In a notebook: a formula, or a drawing where that would be too long.

    def _repr_latex_(self) -> str | None:
        latex: str | None = _methods["repr_latex"](self)
        return latex

    def _repr_svg_(self) -> str | None:
        svg: str | None = _methods["repr_svg"](self)
        return svg

    def __bool__(self) -> bool:
        raise GraphError(
            "a node has no truth value while the graph is built: use weft.where to "
            f"choose between values{place()}"
        )

    def __len__(self) -> int:
        if not self.shape or isinstance(self.shape[0], Dim):
            raise GraphError(
                f"a node of shape {self.shape} has no length known at build time: "
                f"use .shape[0] or weft.size{place()}"
            )
        return self.shape[0]

    def __iter__(self) -> "Iterator[Node]":
        return (self[i] for i in range(len(self)))

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise GraphError(
            "a node is not an array: use functions of weft on it, weft.evaluate or "
            f".numpy() for its value{place()}"
        )

    # Operators --------------------------------------------------------------------

    def _call(self, method: str, *args: Any) -> "Node":
        node: Node = _methods[method](self, *args)
        return node

    def __add__(self, other: Any) -> "Node":
        return self._call("add", other)

    def __radd__(self, other: Any) -> "Node":
        return self._call("radd", other)

    def __sub__(self, other: Any) -> "Node":
        return self._call("subtract", other)

    def __rsub__(self, other: Any) -> "Node":
        return self._call("rsubtract", other)

    def __mul__(self, other: Any) -> "Node":
        return self._call("multiply", other)

    def __rmul__(self, other: Any) -> "Node":
        return self._call("rmultiply", other)

    def __truediv__(self, other: Any) -> "Node":
        return self._call("divide", other)

    def __rtruediv__(self, other: Any) -> "Node":
        return self._call("rdivide", other)

    def __floordiv__(self, other: Any) -> "Node":
        return self._call("floor_divide", other)

    def __rfloordiv__(self, other: Any) -> "Node":
        return self._call("rfloor_divide", other)

    def __mod__(self, other: Any) -> "Node":
        return self._call("remainder", other)

    def __rmod__(self, other: Any) -> "Node":
        return self._call("rremainder", other)

    def __pow__(self, other: Any) -> "Node":
        return self._call("power", other)

    def __rpow__(self, other: Any) -> "Node":
        return self._call("rpower", other)

    def __matmul__(self, other: Any) -> "Node":
        return self._call("matmul", other)

    def __rmatmul__(self, other: Any) -> "Node":
        return self._call("rmatmul", other)

    def __neg__(self) -> "Node":
        return self._call("negative")

    def __pos__(self) -> "Node":
        return self

    def __abs__(self) -> "Node":
        return self._call("abs")

    def __lt__(self, other: Any) -> "Node":
        return self._call("less", other)

    def __le__(self, other: Any) -> "Node":
        return self._call("less_equal", other)

    def __gt__(self, other: Any) -> "Node":
        return self._call("greater", other)

    def __ge__(self, other: Any) -> "Node":
        return self._call("greater_equal", other)

    def __and__(self, other: Any) -> "Node":
        return self._call("logical_and", other)

    def __or__(self, other: Any) -> "Node":
        return self._call("logical_or", other)

    def __invert__(self) -> "Node":
        return self._call("logical_not")

    def __getitem__(self, index: Any) -> "Node":
        return self._call("getitem", index)


# Interning ------------------------------------------------------------------------

_table: WeakValueDictionary[Any, Node] = WeakValueDictionary()
_lock = threading.Lock()


def _key(value: Any) -> Any:
    """Return a key that tells apart what `==` would not: 1, True, 1.0, 0.0, -0.0."""
    if isinstance(value, float):
        return float, struct.pack("d", value)
    if isinstance(value, tuple):
        return tuple, tuple(map(_key, value))
    if isinstance(value, (bool, int, str, Dim, np.dtype, type(None))):
        return type(value), value
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    raise GraphError(
        f"{value!r} ({type(value).__name__}) cannot be a parameter of an op: give a "
        "number, a string, a dtype, a dimension, or a tuple of them"
    )


def _make(
    op: Operation, inputs: tuple[Node, ...], params: Params, shape: Shape, dtype: DType
) -> Node:
    node = object.__new__(Node)
    for slot, value in (
        ("op", op),
        ("inputs", inputs),
        ("params", MappingProxyType(dict(params))),
        ("shape", shape),
        ("dtype", dtype),
    ):
        object.__setattr__(node, slot, value)
    remember(node)
    return node


def make_leaf(op: Operation, params: Params, shape: Shape, dtype: DType) -> Node:
    """Return a new node without inputs, with an identity of its own."""
    return _make(op, (), params, shape, dtype)


def intern(
    op: Operation,
    inputs: tuple[Node, ...],
    params: Params,
    spec: tuple[Shape, DType] | None = None,
) -> Node:
    """Return the node of `op` applied to `inputs`: the existing one, if there is one.

    Parameters
    ----------
    op : Operation
    inputs : tuple of Node
    params : mapping
        Numbers, strings, dtypes, dimensions, small arrays and tuples of them.
    spec : (shape, dtype), optional
        Stated by a small constant; inferred by the op otherwise.

    Raises
    ------
    ShapeError, DTypeError
        As the op's rule says, with the operands and the user's own line added.
    """
    # ids are safe in the key: the node keeps its inputs alive, and when the node
    # dies its entry goes before theirs.
    key = (
        op,
        tuple(map(id, inputs)),
        tuple((name, _key(value)) for name, value in sorted(params.items())),
    )
    node = _table.get(key)
    if node is not None:
        return node
    shape, dtype = spec or _infer(op, inputs, params)
    with _lock:
        node = _table.get(key)
        if node is None:
            node = _table[key] = _make(op, inputs, params, shape, dtype)
    return node


def _infer(
    op: Operation, inputs: tuple[Node, ...], params: Params
) -> tuple[Shape, DType]:
    try:
        return op.infer(inputs, params)
    except WeftError as error:
        raise _blamed(error, op.name, inputs) from None


def _blamed(error: WeftError, name: str, operands: Iterable[Node]) -> WeftError:
    bare = error.bare or str(error)
    said = ", ".join(describe(node) for node in operands)
    called = f"{name}({said})" if said else name
    full = type(error)(f"{called}: {bare}{place()}")
    full.bare = bare
    return full


def names_operands(function: Callable[P, R]) -> Callable[P, R]:
    """Let errors raised in `function` name it, the nodes it was given and the line.

    For the functions that people call. Where one calls another, the outermost is
    named: the one that stands on the user's own line.

    Parameters
    ----------
    function : callable

    Returns
    -------
    callable
    """

    @wraps(function)
    def named(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except WeftError as error:
            parts: list[Any] = []
            for arg in args:
                parts += arg if isinstance(arg, (list, tuple)) else [arg]
            nodes = [part for part in parts if isinstance(part, Node)]
            raise _blamed(error, function.__name__, nodes) from None

    return named


def describe(node: Node) -> str:
    """Name an operand for a message, with its type and shape as the user gave them.

    Examples
    --------
    >>> import weft
    >>> describe(weft.input("x", ("n", 3)))
    'x: float32(n, 3)'
    """
    shape = ", ".join(str(size) for size in node.shape)
    comma = "," if len(node.shape) == 1 else ""
    return f"{node.name or node.op.name}: {node.dtype}({shape}{comma})"
