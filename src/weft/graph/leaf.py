"""Leaves: where a graph begins.

An *input* is fed with every evaluation, a *parameter* is kept as state by a program, a
*constant* is embedded in the graph. Inputs and parameters have an identity of their
own: two parameters called "W" are two nodes. Small constants are interned by type and
bits; a large one is a leaf of its own, copied once and read-only from then on.
"""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.graph.dim import Shape, as_shape
from weft.graph.dtype import FLOAT32, as_dtype, is_float
from weft.graph.errors import DTypeError, GraphError
from weft.graph.node import (
    DType,
    Node,
    Params,
    intern,
    make_leaf,
    names_operands,
)

# Larger arrays are compared by identity: hashing their bytes would cost more than a
# missed sharing.
_INTERNED_SIZE = 16


@final
@dataclass(frozen=True, eq=False, slots=True)
class Leaf:
    """A kind of leaf. It has no rule: a leaf states its own shape and type."""

    name: str
    text: str = ""
    latex: str = ""
    binds: str = "atom"

    def infer(self, inputs: tuple[Node, ...], params: Params) -> tuple[Shape, DType]:
        """Refuse: nothing is inferred about a leaf."""
        raise GraphError(f"a leaf of kind {self.name!r} is not applied to nodes")


INPUT = Leaf("input")
PARAMETER = Leaf("parameter")
CONSTANT = Leaf("constant")


@names_operands
def input(
    name: str, shape: Any, dtype: Any = "float32", simplex: int | None = None
) -> Node:
    """Return a leaf that has to be fed.

    Parameters
    ----------
    name : str
        What messages and drawings call it. Two inputs of one name are two inputs.
    shape : int, str or sequence of them
        Whole numbers and names of symbolic dimensions: ``("n", 20)``.
    dtype : str or numpy.dtype
        One of bool, int32, int64, float32, float64.
    simplex : int, optional
        An axis along which the values are nonnegative and sum to 1, stated as a fact
        that rewriting may use.

    Returns
    -------
    Node

    Raises
    ------
    ShapeError, DTypeError, GraphError
        If name, shape, type or axis is not one.

    Examples
    --------
    >>> import weft
    >>> weft.input("x", ("n", 20)).shape
    ('n', 20)
    """
    dims, kind = as_shape(shape), as_dtype(dtype)
    if simplex is not None:
        if not -len(dims) <= simplex < len(dims) or not is_float(kind):
            raise GraphError(
                f"simplex={simplex} does not name an axis of {name}, a {kind} of shape "
                f"{dims}: give an axis of a float input"
            )
        simplex %= len(dims)
    params = {"name": _check_name(name), "simplex": simplex}
    return make_leaf(INPUT, params, dims, kind)


@names_operands
def parameter(name: str, shape: Any, dtype: Any = "float32") -> Node:
    """Return a leaf that a program keeps as its state.

    Parameters
    ----------
    name : str
        What messages and drawings call it.
    shape : int, str or sequence of them
    dtype : str or numpy.dtype

    Returns
    -------
    Node

    Examples
    --------
    >>> import weft
    >>> weft.parameter("W", (3, 2)) is weft.parameter("W", (3, 2))
    False
    """
    params = {"name": _check_name(name)}
    return make_leaf(PARAMETER, params, as_shape(shape), as_dtype(dtype))


def _check_name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise GraphError(f"a leaf needs a name, but {name!r} was given")
    return name


@names_operands
def constant(value: Any, dtype: Any = None) -> Node:
    """Return `value` as a node.

    Parameters
    ----------
    value : number, nested list or array
        Copied, so that later changes of the array do not change the graph.
    dtype : str or numpy.dtype, optional
        An array keeps its own type by default; Python floats become float32 (the type
        inputs have by default) and Python integers int64.

    Returns
    -------
    Node

    Raises
    ------
    DTypeError
        If the values are not numbers or booleans.

    Examples
    --------
    >>> import weft
    >>> weft.constant([1, 2]).numpy()
    array([1, 2])
    >>> weft.constant(0.5).dtype
    dtype('float32')
    """
    if isinstance(value, Node):
        raise GraphError("a node is no value for a constant")
    typed = isinstance(value, (np.ndarray, np.generic))
    try:
        array = np.asarray(value)
    except ValueError:
        raise DTypeError(f"{value!r} is not an array of numbers") from None
    if array.dtype.kind not in "biuf":
        raise DTypeError(f"a constant holds numbers or booleans, not {array.dtype}")
    if dtype is not None:
        wanted = as_dtype(dtype)
    elif is_float(array.dtype) and not typed:
        wanted = FLOAT32
    else:
        wanted = as_dtype(array.dtype)
    if wanted.kind == "i" and array.size:
        info = np.iinfo(wanted)
        if not (info.min <= array.min() and array.max() <= info.max):
            raise DTypeError(f"{value!r} does not fit into {wanted}")
    with np.errstate(all="ignore"):  # what float32 cannot hold becomes infinite
        array = np.array(array, dtype=wanted, order="C", copy=True)
    array.flags.writeable = False
    spec = array.shape, array.dtype
    if array.size <= _INTERNED_SIZE:
        return intern(CONSTANT, (), {"value": array}, spec)
    return make_leaf(CONSTANT, {"value": array}, *spec)
