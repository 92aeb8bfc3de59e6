"""Which matrix: the Hessian, and its positive semidefinite relatives.

Each is a product written as graph. With the network's Jacobian J (outputs by
parameters) and the Hessian H of the loss by the outputs, the Gauss-Newton matrix is
``J' H J``: a tangent goes forward, through H, and back. The Fisher matrix has the
Fisher information of the outputs in H's place; the empirical one is the mean of
``g g'`` over the rows' gradients, ``J' J / n`` of the rows' losses. None needs a matrix
of its own, nor a gradient per row: all are products.

The references are Schraudolph, Fast curvature matrix-vector products (2002), and
Martens, New insights on the natural gradient (2020).
"""

from collections.abc import Callable, Mapping
from typing import Any

from weft.curvature.operator import CurvatureOperator, applied, operator
from weft.differentiate import hvp, jvp, vjp
from weft.graph.errors import GraphError, ShapeError
from weft.graph.leaf import input as make_input
from weft.graph.node import Node, describe
from weft.graph.tree import flatten
from weft.graph.walk import rebuild, topological
from weft.ops.arithmetic import cast
from weft.ops.reduce import size, softmax, sum
from weft.ops.special import exp, sigmoid

# information(outputs, u): the Fisher information of the outputs times u, row by row.
Information = Callable[[Node, Node], Node]


def hessian_operator(
    cost: Node,
    wrt: Any,
    feed: Mapping[Node, Any],
    *,
    batch_size: int | None = None,
    reduction: str | None = None,
    mode: str = "forward",
    kink: str = "left",
    engine: str = "auto",
    threads: int | None = None,
) -> CurvatureOperator:
    """Return the Hessian of a cost as a SciPy `LinearOperator`.

    Parameters
    ----------
    cost : Node of shape ()
    wrt : Node or tree of Node
        Leaves: the parameters. The matrix is over all their elements in a row.
    feed : mapping of Node to array
        Values of every leaf, parameters included. Parameters are copied; data are read
        where they lie, at every product: what is changed there, changes the matrix.
    batch_size : int, optional
        Rows at a time, so that data may be larger than memory; all by default. Rows are
        the leaves whose first dimension is a symbol.
    reduction : {"mean", "sum"}
        Needed with `batch_size`: whether the cost is a mean over the rows, so that
        batches count by their rows (a penalty beside it counts once), or a sum over
        them (a penalty would count once per batch: leave it out). A cost that mixes
        rows in another way is not made up of its batches: batch statistics, or a mean
        divided by the sum of the rows' weights. For weights, take the sum of the
        weighted losses with "sum", and divide the matrix by the sum of the weights.
        The first product compares the first rows with their two halves.
    mode : {"forward", "reverse", "finite"}
        As in `weft.hvp`.
    kink : {"left", "right"}
        As in `weft.grad`.
    engine, threads
        As in `weft.compile`.

    Returns
    -------
    CurvatureOperator

    Raises
    ------
    GraphError, ShapeError, FeedError
        If a leaf has no value or no rows, or something does not fit; by the first
        product, if the cost is not what `reduction` says.

    Examples
    --------
    The Hessian of ``|Xw - y|**2 / n`` is ``2 X'X / n``:

    >>> import weft
    >>> from scipy.sparse.linalg import cg
    >>> from weft import curvature
    >>> X, y = weft.input("X", ("n", 2), "float64"), weft.input("y", ("n",), "float64")
    >>> w = weft.parameter("w", (2,), "float64")
    >>> cost = weft.mean((X @ w - y) ** 2)
    >>> feed = {X: [[1, 0], [0, 2]], y: [3, 4], w: [0, 0]}
    >>> H = curvature.hessian_operator(cost, w, feed)
    >>> H @ [1.0, 1.0]
    array([1., 4.])
    >>> cg(H, -weft.backprop(cost, w, feed))[0]
    array([3., 2.])
    """
    _check_scalar(cost)

    def product(v: list[Node]) -> list[Node]:
        return list(hvp(cost, flatten(wrt)[0], v, kink, mode))

    return operator(product, [cost], wrt, feed, batch_size, reduction, engine, threads)


def gauss_newton_operator(
    loss: Node,
    outputs: Any,
    wrt: Any,
    feed: Mapping[Node, Any],
    *,
    batch_size: int | None = None,
    reduction: str | None = None,
    kink: str = "left",
    engine: str = "auto",
    threads: int | None = None,
) -> CurvatureOperator:
    """Return the generalised Gauss-Newton matrix ``J' H J`` as a `LinearOperator`.

    It is the Hessian of the cost with the network made linear around its parameters:
    positive semidefinite where the loss is convex in the outputs, whatever the network.

    Parameters
    ----------
    loss : Node of shape ()
        Computed from `outputs`. What it has of the parameters beside them, such as a
        penalty, comes in with its own Hessian.
    outputs : Node or tree of Node
        What the network returns: the nodes in which the loss is convex, such as logits.
    wrt, feed, batch_size, reduction, kink, engine, threads
        As in `hessian_operator`.

    Returns
    -------
    CurvatureOperator

    Raises
    ------
    GraphError, ShapeError, FeedError
        If the loss is not computed from the outputs, or something does not fit.

    Examples
    --------
    >>> import weft
    >>> from weft import curvature
    >>> x, w = weft.input("x", ("n",), "float64"), weft.parameter("w", (), "float64")
    >>> outputs = weft.exp(w) * x
    >>> op = curvature.gauss_newton_operator(
    ...     weft.mean(outputs**2), outputs, w, {x: [1.0, 2.0], w: 0.0}
    ... )
    >>> op @ [1.0]
    array([5.])
    """
    _check_scalar(loss)
    outs = flatten(outputs)[0]
    if not set(outs) <= set(topological([loss])):
        raise GraphError(
            f"{describe(loss)} is not computed from all of the outputs given: name the "
            "nodes of its graph that the network returns"
        )

    def product(v: list[Node]) -> list[Node]:
        tangents = dict(zip(flatten(wrt)[0], v, strict=True))
        return _gauss_newton(loss, outs, tangents, kink)

    return operator(product, [loss], wrt, feed, batch_size, reduction, engine, threads)


def _gauss_newton(
    loss: Node, outs: list[Node], tangents: dict[Node, Node], kink: str
) -> list[Node]:
    # The loss cut off the network: a function of the outputs, and of those parameters
    # that it has beside them.
    ends = [make_input("output", z.shape, z.dtype) for z in outs]
    (alone,) = rebuild([loss], dict(zip(outs, ends, strict=True)), applied)
    own = [x for x in tangents if x in topological([alone])]
    along = [*jvp(outs, tangents, kink), *(tangents[x] for x in own)]
    apart = list(hvp(alone, [*ends, *own], along, kink))
    inner = rebuild(apart, dict(zip(ends, outs, strict=True)), applied)
    back = vjp(outs, list(tangents), inner[: len(outs)], kink)
    found = dict(zip(tangents, back, strict=True))
    for x, term in zip(own, inner[len(outs) :], strict=True):
        found[x] = found[x] + term
    return list(found.values())


def fisher_operator(
    outputs: Node,
    wrt: Any,
    feed: Mapping[Node, Any],
    information: str | Information,
    *,
    batch_size: int | None = None,
    kink: str = "left",
    engine: str = "auto",
    threads: int | None = None,
) -> CurvatureOperator:
    """Return the Fisher matrix of a network, a mean over rows, as a `LinearOperator`.

    ``E[g g']`` for the gradient g of a row's log-likelihood, the target drawn from the
    network's own distribution: no labels enter. Where the outputs are the natural
    parameters of an exponential family, it equals the Gauss-Newton matrix.

    Parameters
    ----------
    outputs : Node of shape (n, ...)
        What the network returns, a row per row of data.
    wrt, feed, batch_size, kink, engine, threads
        As in `hessian_operator`.
    information : str or callable
        The distribution that the outputs are parameters of: "gaussian" (the mean, unit
        variance), "bernoulli" (the logit), "categorical" (logits along the last axis),
        "poisson" (the log of the rate). Or ``information(outputs, u)``, the node of the
        outputs' Fisher information times `u`, row by row, for any other.

    Returns
    -------
    CurvatureOperator

    Raises
    ------
    GraphError, ShapeError, FeedError
        If there is no such distribution, or something does not fit.

    Examples
    --------
    >>> import weft
    >>> from weft import curvature
    >>> x, w = weft.input("x", ("n",), "float64"), weft.parameter("w", (), "float64")
    >>> op = curvature.fisher_operator(w * x, w, {x: [1, 3], w: 0}, "bernoulli")
    >>> op @ [1.0]
    array([1.25])
    """
    if isinstance(information, str) and information not in _FAMILIES:
        known = ", ".join(_FAMILIES)
        raise GraphError(
            f"there is no Fisher information for {information!r}: choose one of "
            f"{known}, or give a function of the outputs and a tangent"
        )
    _check_rows(outputs, "outputs, a row per row of data")
    told = _FAMILIES[information] if isinstance(information, str) else information

    def product(v: list[Node]) -> list[Node]:
        targets = flatten(wrt)[0]
        tangent = jvp(outputs, dict(zip(targets, v, strict=True)), kink)
        back = told(outputs, tangent) / cast(size(outputs, 0), outputs.dtype)
        return list(vjp(outputs, targets, back, kink))

    return operator(product, [outputs], wrt, feed, batch_size, "mean", engine, threads)


def empirical_fisher_operator(
    losses: Node,
    wrt: Any,
    feed: Mapping[Node, Any],
    *,
    batch_size: int | None = None,
    kink: str = "left",
    engine: str = "auto",
    threads: int | None = None,
) -> CurvatureOperator:
    """Return the mean of ``g g'`` over the rows' gradients as a `LinearOperator`.

    At the labels given, which makes it another matrix than `fisher_operator`'s
    (Kunstner et al., Limitations of the empirical Fisher approximation, 2019). With
    labels drawn from the network's distribution it estimates that one without bias.

    Parameters
    ----------
    losses : Node of shape (n,)
        The loss of each row, which depends on that row alone.
    wrt, feed, batch_size, kink, engine, threads
        As in `hessian_operator`.

    Returns
    -------
    CurvatureOperator

    Raises
    ------
    GraphError, ShapeError, FeedError
        If the losses are no vector, or something does not fit.

    Examples
    --------
    >>> import weft
    >>> from weft import curvature
    >>> x, w = weft.input("x", ("n",), "float64"), weft.parameter("w", (), "float64")
    >>> op = curvature.empirical_fisher_operator(w * x, w, {x: [1.0, 3.0], w: 0.0})
    >>> op @ [1.0]
    array([5.])
    """
    _check_rows(losses, "losses of shape (n,), one per row", most=1)

    def product(v: list[Node]) -> list[Node]:
        targets = flatten(wrt)[0]
        slopes = jvp(losses, dict(zip(targets, v, strict=True)), kink)
        back = slopes / cast(size(losses, 0), losses.dtype)
        return list(vjp(losses, targets, back, kink))

    return operator(product, [losses], wrt, feed, batch_size, "mean", engine, threads)


def _categorical(z: Node, u: Node) -> Node:
    p = softmax(z, -1)
    node: Node = p * (u - sum(p * u, -1, keepdims=True))
    return node


def _bernoulli(z: Node, u: Node) -> Node:
    node: Node = sigmoid(z) * sigmoid(-z) * u
    return node


def _poisson(z: Node, u: Node) -> Node:
    node: Node = exp(z) * u
    return node


def _gaussian(z: Node, u: Node) -> Node:
    return u


_FAMILIES: dict[str, Information] = {
    "gaussian": _gaussian,
    "bernoulli": _bernoulli,
    "categorical": _categorical,
    "poisson": _poisson,
}


def _check_scalar(cost: Any) -> None:
    if not isinstance(cost, Node) or cost.shape != ():
        what = describe(cost) if isinstance(cost, Node) else repr(cost)
        raise ShapeError(f"curvature is of a scalar cost, not of {what}: take its mean")


def _check_rows(node: Any, wanted: str, most: int | None = None) -> None:
    if not isinstance(node, Node) or not 1 <= node.ndim <= (most or node.ndim):
        what = describe(node) if isinstance(node, Node) else repr(node)
        raise ShapeError(f"a Fisher matrix is made from {wanted}, not from {what}")
