"""Whole matrices of derivatives, and the plan that says how one is computed.

A Jacobian is a product with every column of an identity, in forward mode one per
element of `x`, or with every row of one, in reverse mode one per element of `y`. All of
them are one pass over a graph that has been given more leading axes by `vmap`: batched
products, not copies. Both modes give the same matrix; the plan takes the one with
fewer products.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from weft.differentiate.batched import vmap
from weft.differentiate.forward import jvp
from weft.differentiate.reverse import check_floats, grad, vjp
from weft.differentiate.sides import check_kink
from weft.graph.dim import Dim, Polynomial, Size, polynomial, product
from weft.graph.errors import GraphError
from weft.graph.leaf import input
from weft.graph.node import Node
from weft.graph.origin import place
from weft.graph.tree import flatten, tree_map
from weft.ops.index import arange, one_hot
from weft.ops.structure import reshape, transpose

MODES = ("auto", "forward", "reverse")


@final
@dataclass(frozen=True)
class JacobianPlan:
    """How a Jacobian is computed.

    Parameters
    ----------
    mode : {"forward", "reverse"}
    passes : int or str
        How many products with a vector that takes: a number, or a formula over the
        symbols of the shapes.
    reason : str
        Why this mode and not the other.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", (3,))
    >>> weft.plan_jacobian(weft.sum(x), x).mode
    'reverse'
    """

    mode: str
    passes: int | str
    reason: str

    def __str__(self) -> str:
        return f"{self.mode} mode, {_count(self.passes, 'product')}: {self.reason}"


def plan_jacobian(y: Node, x: Any, mode: str = "auto") -> JacobianPlan:
    """Return the plan by which `jacobian` computes.

    A product costs about as much in either mode, a small multiple of computing `y`
    (slide "Forward and reverse accumulation"), so their number decides. Where sizes are
    symbols, one mode is better only if it is so for every value of them.

    Parameters
    ----------
    y : Node
    x : Node or tree of Node
    mode : {"auto", "forward", "reverse"}

    Returns
    -------
    JacobianPlan

    Raises
    ------
    GraphError
        If `y` or `x` is no node of floats, or there is no such mode.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", (2,))
    >>> W = weft.parameter("W", (2, 500))
    >>> print(plan_jacobian(x @ W, x))
    forward mode, 2 products: y has 500 elements and x has 2
    >>> print(plan_jacobian(weft.sum(x @ W), x))
    reverse mode, 1 product: y has 1 element and x has 2
    """
    if mode not in MODES:
        raise GraphError(f"mode={mode!r} is not one of {', '.join(MODES)}{place()}")
    targets, _ = flatten(x)
    check_floats([y], "derived")
    check_floats(targets, "differentiated for")
    outputs, inputs = polynomial(y.shape), _sum([polynomial(t.shape) for t in targets])
    excess = _sum([outputs, {key: -count for key, count in inputs.items()}])
    sizes = f"y has {_count(_text(outputs), 'element')} and x has {_text(inputs)}"
    if mode != "auto":
        reason = "asked for"
    elif excess and all(count > 0 for count in excess.values()):
        mode, reason = "forward", sizes
    else:
        mode, reason = "reverse", sizes
        if not excess:
            reason += ", a tie"
        elif any(count > 0 for count in excess.values()):
            reason += ", and which is more depends on the symbols"
    return JacobianPlan(mode, _text(outputs if mode == "reverse" else inputs), reason)


def _sum(polynomials: Sequence[Polynomial]) -> Polynomial:
    total: Polynomial = {}
    for terms in polynomials:
        for key, count in terms.items():
            total[key] = total.get(key, 0) + count
    return {key: count for key, count in total.items() if count}


def _text(terms: Polynomial) -> int | str:
    """Return a number of elements as a number, or as a formula such as ``3*m*n + 1``.

    Examples
    --------
    >>> _text({(): 6}), _text({}), _text({("m", "n"): 3, (): 1}), _text({("n",): 1})
    (6, 0, '3*m*n + 1', 'n')
    """
    if not any(terms):
        return terms.get((), 0)
    parts = []
    for key, count in terms.items():
        factors = ([] if count == 1 and key else [str(count)]) + list(key)
        parts.append("*".join(factors))
    return " + ".join(parts).replace("+ -", "- ")


def _count(number: int | str, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def jacobian(y: Node, x: Any, kink: str = "left", mode: str = "auto") -> Any:
    """Return the matrix of derivatives of `y` with respect to `x`, as graph.

    Parameters
    ----------
    y : Node
    x : Node or tree of Node
    kink : {"left", "right", "report"}
        Which one-sided derivative to take where an op has two, as in `grad`.
    mode : {"auto", "forward", "reverse"}
        Which products it is made of; by default as `plan_jacobian` says.

    Returns
    -------
    Node or tree like `x`
        Of shape ``y.shape + x.shape``. In the book's notation the Jacobian of y = Wx
        is W.

    Raises
    ------
    GraphError
        If `y` or `x` is no node of floats.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", (2,))
    >>> weft.jacobian(x * x, x).shape
    (2, 2)
    """
    check_kink(kink)
    if plan_jacobian(y, x, mode).mode == "forward":
        return tree_map(lambda one: _by_columns(y, one, kink), x)
    return _by_rows(y, x, kink)


def _by_rows(y: Node, x: Any, kink: str) -> Any:
    """One reverse product per element of `y`, for all of `x` together."""
    units, ct = _units(y)
    rows = _over(vjp(y, x, ct, kink), units)
    lead = len(units)
    return tree_map(lambda row: reshape(row, (*y.shape, *row.shape[lead:])), rows)


def _by_columns(y: Node, x: Node, kink: str) -> Node:
    """One forward product per element of `x`."""
    units, tangent = _units(x)
    columns = _over(jvp(y, {x: tangent}, kink), units)
    lead = len(units)
    axes = (*range(lead, lead + y.ndim), *range(lead))
    node: Node = reshape(transpose(columns, axes), (*y.shape, *x.shape))
    return node


def _units(like: Node) -> tuple[list[Node], Node]:
    """Return leaves for unit vectors, and the array of zeros with a 1 they stand for.

    One vector for all elements; one per axis if their number is a product of symbols,
    which no single axis can have.
    """
    many = sum(isinstance(size, Dim) for size in like.shape) > 1
    lengths: Sequence[Size] = like.shape if many else (product(like.shape),)
    units = [input("unit", (length,), like.dtype) for length in lengths]
    total: Node | None = None
    for axis, unit in enumerate(units):
        shape = [1] * len(units)
        part = reshape(unit, [*shape[:axis], *unit.shape, *shape[axis + 1 :]])
        total = part if total is None else total * part
    node: Node = reshape(total, like.shape)
    return units, node


def _over(products: Any, units: Sequence[Node]) -> Any:
    """Return `products` for every unit vector at once, one leading axis per leaf."""
    for unit in reversed(units):
        (length,) = unit.shape
        identity = one_hot(arange(length), length, unit.dtype)
        products = vmap(products, {unit: identity})
    return products


def hessian(cost: Node, wrt: Any, kink: str = "left") -> Any:
    """Return the matrix of second derivatives of a scalar, as graph.

    Parameters
    ----------
    cost : Node of shape ()
    wrt : Node or tree of Node
    kink : {"left", "right", "report"}
        As in `grad`, in both derivatives.

    Returns
    -------
    Node or tree of trees like `wrt`
        For a node, of shape ``wrt.shape + wrt.shape``; for a tree, the blocks.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", (3,))
    >>> weft.hessian(weft.sum(x * x), x).shape
    (3, 3)
    """
    return tree_map(lambda g: jacobian(g, wrt, kink), grad(cost, wrt, kink))
