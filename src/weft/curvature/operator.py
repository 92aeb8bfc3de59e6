"""A matrix that is known by its products: one program behind SciPy's interface.

The graph of a product ``A v`` is compiled once, with the vector, the parameters and the
data as its inputs. So the operator can be taken at other parameters, and over data in
batches, without compiling anything; and whatever SciPy does with a `LinearOperator`
(`cg`, `minres`, `eigsh`, `lobpcg`, ...) it does with this one.
"""

from collections.abc import Callable, Mapping
from typing import Any, final

import numpy as np
from scipy.sparse.linalg import LinearOperator

from weft.compile import Program, compile
from weft.curvature.feed import Feed, join, make_feed
from weft.graph.leaf import input as make_input
from weft.graph.node import Node, intern
from weft.graph.tree import unflatten
from weft.graph.walk import rebuild
from weft.ops.record import Op
from weft.ops.sample import Array

# product(v): the nodes of A v, for nodes v; both lists are in the order of wrt.
Product = Callable[[Any], Any]


@final
class CurvatureOperator(LinearOperator):  # type: ignore[misc]
    """A symmetric matrix over the flattened parameters, known by its products.

    Made by `hessian_operator` and its like. The parameters are flattened in the order
    of the tree `wrt`, each in C order; `tree` takes a vector apart again.

    Parameters
    ----------
    program : Program
        Takes the vector's parts, the parameters and the data; returns the parts of the
        product.
    feed : Feed
    """

    def __init__(self, program: Program, feed: Feed) -> None:
        super().__init__(feed.dtype, (feed.size, feed.size))
        self._program, self._feed = program, feed

    def at(self, params: Any) -> "CurvatureOperator":
        """Return the same matrix at other parameters; nothing is compiled.

        Parameters
        ----------
        params : tree of array like `wrt`

        Returns
        -------
        CurvatureOperator

        Raises
        ------
        GraphError, ShapeError, FeedError
            If `params` is no such tree.

        Examples
        --------
        >>> import weft
        >>> from weft import curvature
        >>> w = weft.parameter("w", (2,), "float64")
        >>> op = curvature.hessian_operator(weft.sum(w**3), w, {w: [1.0, 2.0]})
        >>> op @ [1.0, 1.0]
        array([ 6., 12.])
        >>> op.at([2.0, 2.0]) @ [1.0, 1.0]
        array([12., 12.])
        """
        return CurvatureOperator(self._program, self._feed.at(params))

    def tree(self, vector: Any) -> Any:
        """Return a flat vector as a tree of arrays like `wrt`."""
        return self._feed.tree(np.asarray(vector))

    @property
    def params(self) -> Any:
        """The parameters at which the matrix is taken, a tree like `wrt`."""
        return unflatten(self._feed.structure, list(self._feed.params))

    def _matvec(self, x: Array) -> Array:
        product: Array = self._matmat(np.reshape(x, (-1, 1)))[:, 0]
        return product

    def _matmat(self, X: Array) -> Array:
        columns = np.ascontiguousarray(np.asarray(X).T, self.dtype)
        total = np.zeros(columns.shape)  # float64, however many batches there are
        for share, arrays in self._feed.batches():
            for i, vector in enumerate(columns):
                parts = self._program(
                    *self._feed.split(vector), *self._feed.params, *arrays
                )
                total[i] += share * join(parts)
        return np.ascontiguousarray(total.T).astype(self.dtype)

    def _adjoint(self) -> "CurvatureOperator":
        return self

    _transpose = _adjoint


def operator(
    product: Product,
    outputs: list[Node],
    wrt: Any,
    given: Mapping[Node, Any],
    batch_size: int | None,
    reduction: str,
    engine: str,
    threads: int | None,
) -> CurvatureOperator:
    """Compile the products of a matrix.

    Parameters
    ----------
    product : callable
        Takes a list of nodes like the leaves of `wrt`, returns such a list.
    outputs : list of Node
        What it is made from: their leaves are those that have to be fed.
    wrt, given, batch_size, reduction
        As in `make_feed`.
    engine, threads
        As in `weft.compile`.

    Returns
    -------
    CurvatureOperator
    """
    feed = make_feed(outputs, wrt, given, batch_size, reduction)
    vector = [make_input(f"v/{x.name}", x.shape, x.dtype) for x in feed.wrt]
    # A program's parameters are state of its own: here all leaves are inputs.
    fed = {
        x: make_input(str(x.name), x.shape, x.dtype, x.params.get("simplex"))
        for x in (*feed.wrt, *feed.others)
    }
    program = compile(
        [*vector, *fed.values()],
        rebuild(product(vector), fed, applied),
        engine=engine,
        threads=threads,
    )
    return CurvatureOperator(program, feed)


def applied(node: Node, inputs: tuple[Node, ...]) -> Node:
    """Return the op of `node` on other inputs."""
    assert isinstance(node.op, Op)
    return intern(node.op, inputs, node.params)
