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
from weft.graph.errors import FeedError
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
    checked : bool
        Whether batches are known to make up the whole.
    """

    def __init__(self, program: Program, feed: Feed, checked: bool = False) -> None:
        super().__init__(feed.dtype, (feed.size, feed.size))
        self._program, self._feed, self._checked = program, feed, checked

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
        return CurvatureOperator(self._program, self._feed.at(params), self._checked)

    def tree(self, vector: Any) -> Any:
        """Return a flat vector as a tree of arrays like `wrt`."""
        return self._feed.tree(np.asarray(vector))

    @property
    def params(self) -> Any:
        """Copies of the parameters at which the matrix is taken, a tree like `wrt`."""
        return unflatten(self._feed.structure, [a.copy() for a in self._feed.params])

    def _matvec(self, x: Array) -> Array:
        product: Array = self._matmat(np.reshape(x, (-1, 1)))[:, 0]
        return product

    def _matmat(self, X: Array) -> Array:
        given = np.asarray(X)
        if np.iscomplexobj(given):
            raise FeedError(
                f"a vector of {given.dtype} was given and the matrix is real: multiply "
                "its real and its imaginary part"
            )
        if not self._checked:
            self._check()
        columns = np.ascontiguousarray(given.T, self.dtype)
        total = np.zeros(columns.shape)  # float64, however many batches there are
        for share, arrays in self._feed.batches():
            for i, vector in enumerate(columns):
                total[i] += share * self._product(vector, arrays)
        return np.ascontiguousarray(total.T).astype(self.dtype)

    def _product(self, vector: Array, arrays: list[Any]) -> Array:
        parts = self._program(*self._feed.split(vector), *self._feed.params, *arrays)
        return join(parts)

    def _check(self) -> None:
        """Compare some rows with their two halves: batches must make up the whole.

        Raises
        ------
        FeedError
            If the products differ by more than rounding.
        """
        vector = np.random.default_rng(0).normal(size=self.shape[1]).astype(self.dtype)
        found = [s * self._product(vector, a) for s, a in self._feed.trial()]
        if found:
            # Differences of gradients (mode="finite") are no better than this.
            rounding = float(np.finfo(self.dtype).eps) ** (1 / 3)
            off, scale = np.abs(sum(found)).max(), max(np.abs(p).max() for p in found)
            if off > rounding * scale:
                raise FeedError(
                    f"the cost is no {self._feed.reduction} over its rows: the first "
                    f"ones, cut in two, come to another product ({off:.3g} of "
                    f"{scale:.3g}); say what reduction it is, or leave batch_size out"
                )
        self._checked = True

    def _adjoint(self) -> "CurvatureOperator":
        return self

    _transpose = _adjoint


def operator(
    product: Product,
    outputs: list[Node],
    wrt: Any,
    given: Mapping[Node, Any],
    batch_size: int | None,
    reduction: str | None,
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
