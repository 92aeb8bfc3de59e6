"""What a fit minimises, as graph: the cost of a batch and its penalties.

Everything that may change from step to step without building anything anew is an
input: the rows, the seed, the step, and every *number* (dropout rates, strengths of
penalties), a scalar of float64 that is known by a path such as ``"penalty/0"``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from weft.graph.dtype import FLOAT64, INT64, is_float
from weft.graph.errors import ShapeError
from weft.graph.leaf import input as make_input
from weft.graph.node import DType, Node
from weft.graph.tree import flatten, paths
from weft.nn.description import DescriptionError, nearest
from weft.nn.layer import Tree
from weft.nn.mode import Train
from weft.nn.network import Network, weighted_mean
from weft.nn.penalties import Penalty
from weft.ops import arithmetic, reduce
from weft.train.data import Rows

PenaltyLike = Penalty | Callable[[Tree], Node]


@final
@dataclass(frozen=True)
class Objective:
    """The graph of a cost.

    Parameters
    ----------
    rows : tuple of Node
        Leaves for X, y and, where rows have weights, those.
    seed, step : Node
        Leaves of int64.
    numbers : mapping of str to Node
        Leaves of shape () and float64.
    values : mapping of str to float
        What the numbers are by the descriptions.
    params : mapping of str to Node
        Every parameter by its path.
    cost : Node
        What is minimised.
    nll : Node
        The same without penalties.
    updates : mapping of str to Node
        Next values of parameters that layers keep themselves, by path.
    raw : Node
        What the network returns, before the output unit makes a distribution of it.
    """

    rows: tuple[Node, ...]
    seed: Node
    step: Node
    numbers: Mapping[str, Node]
    values: Mapping[str, float]
    params: Mapping[str, Node]
    cost: Node
    nll: Node
    updates: Mapping[str, Node]
    raw: Node


def number(name: str) -> Node:
    """Return an input leaf for a run-time number."""
    return make_input(name, (), FLOAT64)


def by_path(tree: Tree) -> dict[str, Any]:
    """Return the leaves of a tree by their paths.

    Examples
    --------
    >>> by_path({"0": {"W": 1, "b": 2}})
    {'0/W': 1, '0/b': 2}
    """
    return dict(zip(paths(tree), flatten(tree)[0], strict=True))


def row_leaves(rows: Rows, network: Network, dtype: DType) -> tuple[Node, ...]:
    """Return input leaves that take such rows."""
    x = make_input("x", ("n", rows.X.shape[1]), dtype)
    y = network.output.target(rows.y)
    if rows.weight is None:
        return x, y
    return x, y, make_input("sample_weight", ("n",), dtype)


def objective(
    network: Network,
    params: Tree,
    leaves: Sequence[Node],
    penalties: Sequence[PenaltyLike] = (),
) -> Objective:
    """Build the graph of the cost.

    Parameters
    ----------
    network : Network
    params : nested dict of Node
        Parameter leaves, or inputs.
    leaves : sequence of Node
        What `row_leaves` made.
    penalties : sequence of Penalty or callable
        A callable takes the tree of parameters and returns a scalar node.

    Returns
    -------
    Objective
    """
    x, y, *rest = leaves
    weight = rest[0] if rest else None
    values = dict(network.numbers())
    numbers = {name: number(name) for name in values}
    seed, step = make_input("seed", (), INT64), make_input("step", (), INT64)
    mode = Train(seed, step, numbers=numbers)
    raw, updates = network.forward(params, x, mode)
    nll = weighted_mean(network.nll(raw, y), weight)
    cost = nll
    for i, penalty in enumerate(penalties):
        if isinstance(penalty, Penalty):
            name = f"penalty/{i}"
            values[name], numbers[name] = penalty.strength, number(name)
            term = arithmetic.cast(numbers[name], nll.dtype) * penalty.omega(params)
            if penalty.per_row:
                count = reduce.size(x, 0) if weight is None else reduce.sum(weight)
                term = term / arithmetic.cast(count, nll.dtype)
        else:
            term = _term(penalty, params)
        cost = cost + term
    return Objective(
        tuple(leaves),
        seed,
        step,
        numbers,
        values,
        by_path(params),
        cost,
        nll,
        by_path(updates),
        raw,
    )


def _term(penalty: Any, params: Tree) -> Node:
    if not callable(penalty):
        raise DescriptionError(
            f"{penalty!r} is no penalty: give nn.L2(strength), nn.L1(strength), or a "
            "function of the tree of parameters"
        )
    term = penalty(params)
    if not isinstance(term, Node) or term.shape != () or not is_float(term.dtype):
        raise ShapeError(
            f"a penalty must return a scalar float node, and {penalty!r} gave {term!r}"
        )
    return term


def chosen(prefixes: Sequence[str] | str, known: Sequence[str]) -> set[str]:
    """Return the paths that begin with one of some prefixes.

    Parameters
    ----------
    prefixes : str or sequence of str
        Paths of parameters, or of layers, which stand for all of theirs.
    known : sequence of str

    Raises
    ------
    DescriptionError
        If a prefix names nothing; the nearest path is suggested.

    Examples
    --------
    >>> sorted(chosen(["0"], ["0/W", "0/b", "1/W"]))
    ['0/W', '0/b']
    """
    given = [prefixes] if isinstance(prefixes, str) else list(prefixes)
    found: set[str] = set()
    for prefix in given:
        hit = {
            path for path in known if path == prefix or path.startswith(f"{prefix}/")
        }
        if not hit:
            raise nearest(str(prefix), known, "parameter")
        found |= hit
    return found
