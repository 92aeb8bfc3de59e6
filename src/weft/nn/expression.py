"""Functions as data: an expression of one number, written as a graph.

A model file must not hold code. A function such as ``lambda z: z * weft.tanh(z)`` is
written as the graph it builds for a float64 scalar; reading it back gives an
`Expression`, which applies that graph to any float node, element by element and in the
node's own type.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from weft.graph.dtype import FLOAT64, is_float
from weft.graph.errors import WeftError
from weft.graph.json import from_json, to_json
from weft.graph.leaf import CONSTANT, INPUT, constant
from weft.graph.leaf import input as make_input
from weft.graph.node import Node
from weft.graph.text import text
from weft.graph.walk import leaves, rebuild
from weft.nn.description import DescriptionError
from weft.ops.record import Op, as_nodes


@final
@dataclass(frozen=True)
class Expression:
    """A function of one number, as the JSON of a graph.

    Parameters
    ----------
    graph : str
        What `weft.to_json` wrote: one output, one input of shape ().

    Examples
    --------
    >>> import weft
    >>> twice = expression_of(lambda z: 2 * weft.tanh(z))
    >>> twice(weft.constant([0.0, 100.0])).numpy()
    array([0., 2.], dtype=float32)
    >>> twice
    lambda z: (2 * tanh(z))
    """

    graph: str

    def __repr__(self) -> str:
        try:
            *shared, value = text(from_json(self.graph)).splitlines()
        except WeftError:  # damaged, and about to be refused
            return f"Expression({self.graph!r})"
        where = f", where {', '.join(shared)}" if shared else ""
        return f"lambda z: {value}{where}"

    def __call__(self, z: Node) -> Node:
        """Apply the expression to each element of `z`."""
        output = from_json(self.graph)
        if not isinstance(output, Node) or output.shape != ():
            raise DescriptionError("the graph of a unit is not a function of a number")
        found = leaves([output])
        if [node.op for node in found if node.op is not CONSTANT] != [INPUT]:
            raise DescriptionError("the graph of a unit is not a function of one input")
        taken = {
            node: z if node.op is INPUT else _constant_beside(node, z) for node in found
        }
        return rebuild([output], taken, _apply)[0]


def _constant_beside(node: Node, z: Node) -> Node:
    # A float in the formula takes the type of what it stands beside.
    return constant(
        node.params["value"], z.dtype if is_float(node.dtype) else node.dtype
    )


def _apply(node: Node, inputs: tuple[Node, ...]) -> Node:
    assert isinstance(node.op, Op)
    made: Node = node.op(*as_nodes(inputs), **node.params)
    return made


def expression_of(function: Callable[[Node], Node]) -> Expression:
    """Write a function as an expression.

    Parameters
    ----------
    function : callable
        ``function(z) -> Node``, working on each number by itself.

    Returns
    -------
    Expression

    Raises
    ------
    DescriptionError
        If it does not work on a single number.
    """
    if isinstance(function, Expression):
        return function
    z = make_input("z", (), FLOAT64)
    try:
        node: Any = function(z)
        written = to_json(node)
    except WeftError as error:
        raise DescriptionError(
            "the function of a unit cannot be written down, since it does not work on "
            f"each number by itself: {error}"
        ) from None
    if not isinstance(node, Node) or node.shape != () or not is_float(node.dtype):
        raise DescriptionError(
            f"the function of a unit must return a float node, and gave {node!r}"
        )
    if [n for n in leaves([node]) if n.op is not CONSTANT] != [z]:
        raise DescriptionError(
            "the function of a unit must depend on its argument and on nothing else "
            "that is fed"
        )
    return Expression(written)
