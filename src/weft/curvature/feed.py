"""What an operator is fed: parameters, rows that can be cut into batches, the rest.

A feed maps every leaf of a graph to an array. The parameters among them are where the
curvature is taken; *rows* are the leaves whose first dimension is the batch symbol;
whatever else there is passes whole. A product over all rows is the mean, or the sum, of
the products over batches, so that data may be larger than memory: arrays are cut as
they are (a `numpy.memmap` too), and a batch is converted when it is needed. So
parameters are copied, and data are read where they lie, at every product.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from weft.graph.dim import Dim
from weft.graph.dtype import is_float
from weft.graph.errors import FeedError, GraphError, ShapeError
from weft.graph.leaf import CONSTANT
from weft.graph.node import DType, Node, describe
from weft.graph.tree import Structure, flatten, unflatten
from weft.graph.walk import leaves
from weft.ops.propagate import fitted
from weft.ops.sample import Array

REDUCTIONS = ("mean", "sum")


@final
@dataclass(frozen=True, eq=False)
class Feed:
    """Arrays for the leaves of a graph, in the order in which a program takes them.

    Parameters
    ----------
    wrt : tuple of Node
        The parameters.
    structure : Structure
        What held them.
    params : tuple of array
        Where the curvature is taken.
    others : tuple of Node
        Every other leaf.
    arrays : tuple of array
        Their values.
    symbol : str
        The dimension that leads the rows; empty if nothing is cut.
    batch_size : int or None
        Rows at a time; all by default.
    reduction : {"mean", "sum"} or None
        What the cost is over the rows; known where they are cut.
    """

    wrt: tuple[Node, ...]
    structure: Structure
    params: tuple[Array, ...]
    others: tuple[Node, ...]
    arrays: tuple[Any, ...]
    symbol: str
    batch_size: int | None
    reduction: str | None

    @property
    def dtype(self) -> DType:
        """The type of the parameters."""
        return self.wrt[0].dtype

    @property
    def size(self) -> int:
        """How many numbers the parameters are."""
        return sum(array.size for array in self.params)

    def at(self, params: Any) -> "Feed":
        """Return the same feed at other parameters, a tree like `wrt`."""
        if self.structure.kind is None:  # a lone leaf: its value may be a list
            return replace(self, params=_points(self.wrt, [params]))
        values, structure = flatten(params)
        if structure != self.structure:
            raise GraphError("params must be a tree like wrt")
        return replace(self, params=_points(self.wrt, values))

    def batches(self) -> Iterator[tuple[float, list[Any]]]:
        """Yield for each batch how much it counts, and the values of the others."""
        count = self.count
        if self.batch_size is None or not count:
            yield 1.0, list(self.arrays)
            return
        yield from self._cut(0, count, self.batch_size)

    def trial(self) -> list[tuple[float, list[Any]]]:
        """Return some rows whole, and in two halves: products of these cancel.

        They do if the cost over rows is what `reduction` says, the whole counting -1.
        Nothing is returned where there are no two batches.
        """
        size, count = self.batch_size, self.count
        if size is None or size >= count:
            return []
        stop = max(size, 2)
        whole = next(self._cut(0, stop, stop))[1]
        return [(-1.0, whole), *self._cut(0, stop, -(-stop // 2))]

    @property
    def count(self) -> int:
        """How many rows there are to be cut; 0 if nothing is cut."""
        if not self.symbol:
            return 0
        cut = zip(self.others, self.arrays, strict=True)
        return next(len(a) for x, a in cut if _led_by(x) == self.symbol)

    def _cut(
        self, begin: int, end: int, size: int
    ) -> Iterator[tuple[float, list[Any]]]:
        rows = [_led_by(x) == self.symbol for x in self.others]
        for start in range(begin, end, size):
            stop = min(start + size, end)
            share = (stop - start) / (end - begin) if self.reduction == "mean" else 1.0
            yield (
                share,
                [
                    a[start:stop] if cut else a
                    for a, cut in zip(self.arrays, rows, strict=True)
                ],
            )

    def split(self, vector: Array) -> list[Array]:
        """Return the parts of a flat vector, shaped like the parameters."""
        parts, start = [], 0
        for array in self.params:
            part = vector[start : start + array.size]
            parts.append(part.reshape(array.shape))
            start += array.size
        return parts

    def tree(self, vector: Array) -> Any:
        """Return a flat vector as a tree like `wrt`."""
        return unflatten(self.structure, self.split(vector))


def join(parts: Sequence[Any]) -> Array:
    """Return arrays as one flat vector."""
    return np.concatenate([np.ravel(part) for part in parts])


def make_feed(
    outputs: Sequence[Node],
    wrt: Any,
    given: Mapping[Node, Any],
    batch_size: int | None,
    reduction: str | None,
) -> Feed:
    """Check what an operator is fed.

    Parameters
    ----------
    outputs : sequence of Node
        What the operator is made from.
    wrt : Node or tree of Node
        Its parameters: leaves of one float type.
    given : mapping of Node to array
        Values of all leaves of `outputs`, parameters included.
    batch_size : int or None
    reduction : {"mean", "sum"} or None
        None only without `batch_size`.

    Returns
    -------
    Feed

    Raises
    ------
    GraphError, FeedError, ShapeError
        If a leaf has no value, or something does not fit.
    """
    targets, structure = flatten(wrt)
    found = leaves(outputs)
    _check_targets(targets, found)
    needed = [x for x in found if x.op is not CONSTANT and x not in targets]
    for leaf in (*targets, *needed):
        if leaf not in given:
            raise FeedError(f"{describe(leaf)} is not in the feed: give its values")
    if reduction is None and batch_size is not None:
        raise FeedError(
            f"batch_size={batch_size!r} was given without reduction: say "
            'reduction="mean" if the cost is a mean over the rows, "sum" if it is a sum'
        )
    if reduction is not None and reduction not in REDUCTIONS:
        raise FeedError(
            f"reduction={reduction!r} is not one of {', '.join(REDUCTIONS)}: say "
            "whether the cost is a mean or a sum over the rows"
        )
    arrays = tuple(
        given[x] if hasattr(given[x], "shape") else fitted(x, given[x]) for x in needed
    )
    for leaf, array in zip(needed, arrays, strict=True):
        if _led_by(leaf) and array.shape[:1] == (0,):
            raise FeedError(
                f"{describe(leaf)} was fed no rows, over which there is no curvature: "
                "feed at least one"
            )
    symbol = "" if batch_size is None else _symbol(needed, arrays, batch_size)
    return Feed(
        tuple(targets),
        structure,
        _points(targets, [given[x] for x in targets]),
        tuple(needed),
        arrays,
        symbol,
        batch_size,
        reduction,
    )


def _check_targets(targets: Sequence[Any], found: Sequence[Node]) -> None:
    if not targets:
        raise GraphError("wrt is empty: name the parameters whose curvature is wanted")
    for leaf in targets:
        if not isinstance(leaf, Node) or not is_float(leaf.dtype) or leaf.inputs:
            what = describe(leaf) if isinstance(leaf, Node) else repr(leaf)
            raise GraphError(f"{what} is no leaf of floats: wrt holds parameters")
        if leaf not in found:
            raise GraphError(f"the cost does not depend on {describe(leaf)}")
    if len({leaf.dtype for leaf in targets}) > 1 or len(set(targets)) < len(targets):
        raise GraphError("wrt must hold different leaves of one float type")


def _points(targets: Sequence[Node], values: Sequence[Any]) -> tuple[Array, ...]:
    points = []
    for leaf, value in zip(targets, values, strict=True):
        array = np.array(fitted(leaf, value))
        whole = tuple(d for d in leaf.shape if isinstance(d, int))
        if array.ndim != leaf.ndim or (
            len(whole) == leaf.ndim and array.shape != whole
        ):
            raise ShapeError(
                f"{describe(leaf)} was given values of shape {array.shape}"
            )
        points.append(array)
    return tuple(points)


def _led_by(leaf: Node) -> str:
    """Return the symbol that is a leaf's first dimension; empty if none is."""
    first = leaf.shape[0] if leaf.shape else 0
    alone = isinstance(first, Dim) and str(first) == first.symbols[0]
    return str(first) if alone else ""


def _symbol(needed: Sequence[Node], arrays: Sequence[Any], batch_size: Any) -> str:
    if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise FeedError(f"batch_size={batch_size!r}: give a number of rows, at least 1")
    symbols = sorted({_led_by(leaf) for leaf in needed} - {""})
    if len(symbols) != 1:
        named = ", ".join(symbols) if symbols else "none"
        raise FeedError(
            "batch_size needs one symbolic dimension that leads the inputs, and there "
            f"are {len(symbols)} ({named}): leave batch_size out"
        )
    counts = {
        len(a) for x, a in zip(needed, arrays, strict=True) if _led_by(x) == symbols[0]
    }
    if len(counts) > 1:
        raise FeedError(f"the inputs have different numbers of rows: {sorted(counts)}")
    return symbols[0]
