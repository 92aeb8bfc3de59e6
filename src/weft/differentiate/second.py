"""Second derivatives along a direction: the Hessian times a vector, as graph.

The product is the derivative of the gradient along the vector, so that the matrix need
never be. Three ways to take that derivative; they agree, and tests hold them together.
"""

from typing import Any

import numpy as np

from weft.differentiate.forward import jvp
from weft.differentiate.reverse import grad, of_like_shape
from weft.graph.errors import GraphError
from weft.graph.node import Node, intern
from weft.graph.origin import place
from weft.graph.tree import flatten, unflatten
from weft.graph.walk import rebuild
from weft.ops.arithmetic import sqrt, square
from weft.ops.logic import equal, where
from weft.ops.record import Op
from weft.ops.reduce import sum


def hvp(cost: Node, wrt: Any, v: Any, kink: str = "left", mode: str = "forward") -> Any:
    """Return the Hessian of a scalar times `v`, without the Hessian, as graph.

    ``H v = grad((grad f)' v)`` (slide "Hessian-vector products"), which is also the
    derivative of the gradient along `v`. It costs some two gradients, however many
    parameters there are.

    Parameters
    ----------
    cost : Node of shape ()
    wrt : Node or tree of Node
        None of them computed from another.
    v : tree like `wrt`
        Nodes or arrays of the shapes of `wrt`.
    kink : {"left", "right", "report"}
        As in `jacobian`, in both derivatives.
    mode : {"forward", "reverse", "finite"}
        How the gradient is differentiated: "forward" follows a tangent through it;
        "reverse" is the gradient of its product with `v`; "finite" takes the central
        difference of two gradients, for comparison only: it has a third of the digits
        less. A graph has as many matrix products forward as in reverse, but in reverse
        some come out transposed, which costs time.

    Returns
    -------
    Node or tree like `wrt`

    Raises
    ------
    GraphError, ShapeError
        If `v` is no tree like `wrt`, a part of it has another shape or type, or there
        is no such mode.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", (2,))
    >>> h = weft.hvp(weft.sum(x * x), x, [1.0, 0.0])
    >>> weft.evaluate(h, {x: [5.0, 6.0]})
    array([2., 0.], dtype=float32)
    """
    if mode not in _SECOND:
        raise GraphError(f"mode={mode!r} is not one of {', '.join(_SECOND)}{place()}")
    gradient = grad(cost, wrt, kink)
    targets, structure = flatten(wrt)
    if isinstance(wrt, Node):
        given = [v]
    else:
        given, found = flatten(v)
        if found != structure:
            raise GraphError(f"v must be a tree like wrt{place()}")
    along = {
        x: of_like_shape("direction", x, d) for x, d in zip(targets, given, strict=True)
    }
    return _SECOND[mode](gradient, wrt, along, kink)


def _forward(gradient: Any, wrt: Any, along: dict[Node, Node], kink: str) -> Any:
    return jvp(gradient, along, kink)


def _reverse(gradient: Any, wrt: Any, along: dict[Node, Node], kink: str) -> Any:
    pairs = zip(flatten(gradient)[0], along.values(), strict=True)
    return grad(_total([sum(g * d) for g, d in pairs]), wrt, kink)


def _finite(gradient: Any, wrt: Any, along: dict[Node, Node], kink: str) -> Any:
    """Return ``(g(w + h v) - g(w - h v)) / 2 h``.

    The cube root of the precision is the relative step at which rounding and the third
    derivative do about equal harm (Nocedal and Wright, Numerical Optimization, 8.1).
    """
    size = sqrt(_total([sum(square(d)) for d in along.values()]))
    reach = 1 + sqrt(_total([sum(square(x)) for x in along]))
    step = float(np.cbrt(np.finfo(size.dtype).eps)) * reach
    h = step / where(equal(size, 0), 1, size)
    leaves, structure = flatten(gradient)
    ahead = _moved(leaves, {x: x + h * d for x, d in along.items()})
    behind = _moved(leaves, {x: x - h * d for x, d in along.items()})
    slopes = [(a - b) / (2 * h) for a, b in zip(ahead, behind, strict=True)]
    return unflatten(structure, slopes)


def _moved(nodes: list[Node], to: dict[Node, Node]) -> list[Node]:
    def build(node: Node, inputs: tuple[Node, ...]) -> Node:
        assert isinstance(node.op, Op)
        return intern(node.op, inputs, node.params)

    return rebuild(nodes, to, build)


def _total(parts: list[Node]) -> Node:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


_SECOND = {"forward": _forward, "reverse": _reverse, "finite": _finite}
