"""What is known of a node's values before anything is run: sign, sums, exponentials.

Facts are inferred from what a node is computed from, never guessed: where nothing is
known the answer is False, and a rule that needs the fact does not apply. How far down
they look is bounded, so that asking is cheap and a deep graph needs no stack.
"""

from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np

from weft.graph.leaf import CONSTANT, INPUT
from weft.graph.node import DType, Node
from weft.ops.record import Op

# Layers of a formula that are looked at. What a person writes in one cost is shallower.
DEPTH = 24

# Ops that hand on some of the values they are given, and nothing else.
SELECTIONS = (
    "reshape",
    "transpose",
    "slice",
    "broadcast_to",
    "take",
    "take_along_axis",
)
_HAND_ON = frozenset((*SELECTIONS, "concatenate", "stop_gradient", "cast"))
_ALL_OF = frozenset(("add", "multiply", "divide", "minimum", "where"))
_OF_FIRST = frozenset(("sum", "prod", "max", "min", "power", "cumsum"))
_THROUGH = frozenset(
    (
        *_HAND_ON,
        *_ALL_OF,
        "subtract",
        "negative",
        "maximum",
        "square",
        "sqrt",
        "sum",
        "prod",
        "max",
        "min",
        "power",
        "embed",
        "put_along_axis",
        "scatter_add",
    )
)
_EXPONENTIALS = frozenset(
    ("exp", "expm1", "sigmoid", "softmax", "softplus", "logsumexp", "log_softmax")
)


def uniform(node: Node) -> float | None:
    """Return the one number that all elements of `node` are known to be, or None.

    Examples
    --------
    >>> import weft
    >>> uniform(weft.broadcast_to(weft.constant(2.0), ("n",)))
    2.0
    """
    while node.op.name in ("broadcast_to", "reshape"):
        (node,) = node.inputs
    if node.op is not CONSTANT:
        return None
    value = node.params["value"]
    if value.size == 0 or value.dtype.kind == "b":
        return None
    first = value.flat[0]
    same = value.size == 1 or bool(np.all(value == first))
    return float(first) if same and np.isfinite(first) else None


def normal(number: float, dtype: DType) -> bool:
    """Tell whether `number` keeps its digits as a `dtype`: 0, or neither huge nor tiny.

    Examples
    --------
    >>> normal(1e-30, np.dtype("float32")), normal(1e-40, np.dtype("float32"))
    (True, False)
    """
    kind = np.finfo(dtype)
    return number == 0 or bool(kind.tiny <= abs(number) <= kind.max)


@lru_cache(maxsize=8192)
def nonnegative(node: Node, depth: int = DEPTH) -> bool:
    """Tell whether no value of `node` can be below 0.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n",))
    >>> nonnegative(weft.exp(x) + weft.abs(x)), nonnegative(x)
    (True, False)
    """
    if depth == 0:
        return False
    if node.op is CONSTANT:
        return bool(np.all(node.params["value"] >= 0))
    if node.op is INPUT:
        return node.dtype.kind == "b" or node.params["simplex"] is not None
    if not isinstance(node.op, Op):
        return False
    name = node.op.name
    if node.op.facts.low >= 0 or node.dtype.kind == "b":
        return True
    if name == "cast" and node.inputs[0].dtype.kind == "b":
        return True
    if name in ("take", "take_along_axis") or name in _OF_FIRST:
        return nonnegative(node.inputs[0], depth - 1)
    if name in _HAND_ON or name in _ALL_OF:
        parts = node.inputs[1:] if name == "where" else node.inputs
        return all(nonnegative(i, depth - 1) for i in parts)
    if name == "maximum":
        return any(nonnegative(i, depth - 1) for i in node.inputs)
    if name == "subtract":
        one, share = node.inputs
        return uniform(one) == 1 and at_most_one(share, depth - 1)
    return False


_POSITIVE = frozenset(("exp", "softmax", "sigmoid", "softplus"))


@lru_cache(maxsize=8192)
def positive(node: Node, depth: int = DEPTH) -> bool:
    """Tell whether every value of `node` is above 0, but for numbers too small to tell.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n", 3))
    >>> positive(1 / weft.sum(weft.exp(x), axis=1)), positive(weft.abs(x))
    (True, False)
    """
    if depth == 0:
        return False
    if node.op is CONSTANT:
        return bool(np.all(node.params["value"] > 0))
    name, inputs = node.op.name, node.inputs
    if name in _POSITIVE:
        return True
    if name in ("sum", "prod", "max", "min"):
        (x,) = inputs
        lengths = [x.shape[a] for a in node.params["axis"]]
        return all(map(_some, lengths)) and positive(x, depth - 1)
    if name == "add":
        below = all(nonnegative(i, depth - 1) for i in inputs)
        return below and any(positive(i, depth - 1) for i in inputs)
    if name == "power" or name in ("take", "take_along_axis"):
        return positive(inputs[0], depth - 1)
    if name == "maximum":
        return any(positive(i, depth - 1) for i in inputs)
    if name in ("where", "minimum"):
        branches = inputs[1:] if name == "where" else inputs
        return all(positive(i, depth - 1) for i in branches)
    if name in ("multiply", "divide") or (name in _HAND_ON and node.dtype.kind == "f"):
        return all(positive(i, depth - 1) for i in inputs)
    return False


@lru_cache(maxsize=8192)
def at_most_one(node: Node, depth: int = DEPTH) -> bool:
    """Tell whether every value of `node` is known to lie between 0 and 1.

    Examples
    --------
    >>> import weft
    >>> at_most_one(weft.sigmoid(weft.input("x", ("n",))))
    True
    """
    if depth == 0:
        return False
    if node.op is CONSTANT:
        value = node.params["value"]
        return bool(np.all((value >= 0) & (value <= 1)))
    if node.op is INPUT:
        return node.dtype.kind == "b" or node.params["simplex"] is not None
    if not isinstance(node.op, Op):
        return False
    name, facts = node.op.name, node.op.facts
    if name in ("take", "take_along_axis"):
        return at_most_one(node.inputs[0], depth - 1)
    if name in _HAND_ON or name in ("multiply", "maximum", "minimum"):
        return all(at_most_one(i, depth - 1) for i in node.inputs)
    if name == "subtract":
        one, share = node.inputs
        return uniform(one) == 1 and at_most_one(share, depth - 1)
    return facts.low >= 0 and facts.high <= 1


def simplex(node: Node, axes: tuple[int, ...], depth: int = DEPTH) -> bool:
    """Tell whether the values sum to 1 along `axes`, and none is negative.

    A fact that an input states (``weft.input(..., simplex=-1)``), and that holds of
    softmax and one-hot vectors; it survives what only moves values about.

    Examples
    --------
    >>> import weft
    >>> p = weft.input("p", ("n", 3), simplex=-1)
    >>> simplex(p, (1,)), simplex(p.T, (0,)), simplex(p, (0,))
    (True, True, False)
    """
    if depth == 0 or len(axes) != 1:
        return False
    (axis,) = axes
    name = node.op.name
    if node.op is INPUT:
        return bool(node.params["simplex"] == axis)
    if node.op is CONSTANT:
        value = node.params["value"]
        if value.dtype.kind != "f" or value.size == 0:
            return False
        return bool(np.all(value >= 0) and np.all(value.sum(axis) == 1))
    if name == "softmax":
        return bool(node.params["axis"] == axis) and _some(node.shape[axis])
    if name == "one_hot":
        return axis == node.ndim - 1 and _some(node.shape[axis])
    if name == "divide":  # x / sum(x)
        x, total = node.inputs
        ours = total.op.name == "sum" and total.inputs[0] is x
        kept = ours and total.params == {"axis": axes, "keepdims": True}
        return kept and _some(x.shape[axis]) and nonnegative(x, depth - 1)
    if name in ("stop_gradient", "cast"):
        x = node.inputs[0]
        return node.dtype.kind == "f" and simplex(x, axes, depth - 1)
    if name == "transpose":
        return simplex(node.inputs[0], (node.params["axes"][axis],), depth - 1)
    if name == "reshape":
        (x,) = node.inputs
        was = same_axis(node.shape, x.shape, axis)
        return was is not None and simplex(x, (was,), depth - 1)
    if name == "broadcast_to":
        (x,) = node.inputs
        was = axis - (node.ndim - x.ndim)
        same = was >= 0 and x.shape[was] == node.shape[axis]
        return same and simplex(x, (was,), depth - 1)
    if name == "slice":
        whole = node.params["pieces"][axis] == (0, node.inputs[0].shape[axis], 1)
        return whole and simplex(node.inputs[0], axes, depth - 1)
    return False


def _some(size: object) -> bool:
    """Tell whether an axis is known not to be empty."""
    return isinstance(size, int) and size > 0


def forget() -> None:
    """Let go of the nodes of which something was found out."""
    for found in (nonnegative, positive, at_most_one):
        found.cache_clear()


def same_axis(
    shape: tuple[object, ...], other: tuple[object, ...], axis: int
) -> int | None:
    """Return which axis of `other`, a reshaping of `shape`, is the axis `axis` of it.

    Examples
    --------
    >>> same_axis(("n", 3), ("n", 1, 3), 1), same_axis((2, 3), (3, 2), 1)
    (2, None)
    """
    before = sorted(map(str, (s for s in shape[:axis] if s != 1)))
    after = sorted(map(str, (s for s in shape[axis + 1 :] if s != 1)))
    for at, size in enumerate(other):
        if size != shape[axis]:
            continue
        left = [s for s in other[:at] if s != 1]
        right = [s for s in other[at + 1 :] if s != 1]
        if sorted(map(str, left)) == before and sorted(map(str, right)) == after:
            return at
        if _numbers(shape) and _numbers(other) and size != 1:
            same_left = _product(shape[:axis]) == _product(other[:at])
            same_right = _product(shape[axis + 1 :]) == _product(other[at + 1 :])
            if same_left and same_right:
                return at
        # One side may be joined or split freely while the other stays as it is.
        if size != 1 and (
            (axis == len(shape) - 1 and at == len(other) - 1) or (axis == 0 and at == 0)
        ):
            return at
    return None


def _numbers(shape: tuple[object, ...]) -> bool:
    return all(isinstance(size, int) for size in shape)


def _product(sizes: tuple[object, ...]) -> int:
    result = 1
    for size in sizes:
        assert isinstance(size, int)
        result *= size
    return result


_found: WeakKeyDictionary[Node, bool] = WeakKeyDictionary()


def exponential(node: Node) -> bool:
    """Tell whether `node` is a formula of exponentials, as far as it is elementwise.

    Such formulas are those that overflow, and whose logarithms are worth following.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n", 3))
    >>> exponential(1 / weft.sum(weft.exp(x), 1)), exponential(weft.square(x))
    (True, False)
    """
    stack = [node]
    while stack:
        top = stack[-1]
        if top in _found:
            stack.pop()
        elif top.op.name in _EXPONENTIALS:
            _found[top] = True
        elif top.op.name not in _THROUGH or top.dtype.kind != "f":
            _found[top] = False
        elif pending := [i for i in top.inputs if i not in _found]:
            stack += pending
        else:
            _found[top] = any(_found[i] for i in top.inputs)
    return _found[node]
