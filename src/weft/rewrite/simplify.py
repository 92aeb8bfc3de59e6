"""The phases together: canonical, then stable, then fast, until nothing changes.

What one phase has made may be what another one waits for, so the three are taken in
turn until a whole turn changes nothing; then simplifying once more does not either.
"""

from collections.abc import Iterable
from typing import Any, Literal, overload

from weft.graph.errors import GraphError
from weft.graph.node import Node
from weft.graph.origin import place
from weft.graph.tree import flatten, unflatten
from weft.rewrite.apply import Step, Trace, rewrite
from weft.rewrite.canonical import CANONICAL
from weft.rewrite.fast import FAST, stopped
from weft.rewrite.product import forget
from weft.rewrite.rule import Phase
from weft.rewrite.stable import STABLE

# What keeps derivatives as well as values: all but the end of `stop_gradient`.
_KEEPING = tuple(rule for rule in FAST if rule is not stopped)
# Turns after which rules that undo each other are taken to be a defect.
_TURNS = 50


def settle(
    outputs: Iterable[Node], phases: Iterable[Phase], trace: Trace | None = None
) -> list[Node]:
    """Apply phases in turn until a whole turn changes nothing.

    Parameters
    ----------
    outputs : iterable of Node
    phases : iterable of sequence of Rule
    trace : callable, optional
        Told every `Step`.

    Returns
    -------
    list of Node

    Raises
    ------
    GraphError
        If the phases undo each other's work.
    """
    nodes, phases = list(outputs), list(phases)
    # What each phase has left behind: there it has nothing more to do.
    left: list[list[Node]] = [[] for _ in phases]
    try:
        for _ in range(_TURNS):
            for k, phase in enumerate(phases):
                if left[k] != nodes:
                    nodes = left[k] = rewrite(nodes, [phase], trace)
            if all(found == nodes for found in left):
                return nodes
    finally:
        forget()
    raise GraphError("the phases undo each other's work: this is a defect of weft")


def prepared(outputs: Iterable[Node]) -> list[Node]:
    """Return nodes as they are to be compiled: simplified, and past derivatives.

    Parameters
    ----------
    outputs : iterable of Node

    Returns
    -------
    list of Node
        One per output, of its shape and type.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n",))
    >>> print(weft.text(prepared([weft.stop_gradient(weft.log(weft.sigmoid(x)))])[0]))
    -softplus(-x)
    """
    return settle(outputs, [CANONICAL, STABLE, FAST])


@overload
def simplify(nodes: Any, trace: Literal[False] = False) -> Any: ...


@overload
def simplify(nodes: Any, trace: Literal[True]) -> tuple[Any, list[Step]]: ...


def simplify(nodes: Any, trace: bool = False) -> Any:
    """Return nodes of the same values, stable where they were written naively.

    Named rules in three phases: *canonical* gives one spelling to what has many,
    *stable* computes the same number without overflow, underflow or cancellation,
    *fast* spares work. The derivative of what is returned is the derivative of what
    was given. `grad` may come before or after where the cost is a likelihood; other
    costs of a softmax written out are better simplified first, since less of it is
    recognised in the gradient.

    What is stated of an input is taken as given: with ``simplex=-1`` its sum is 1, a
    constant, so derivatives with respect to that input are those on the simplex.

    Parameters
    ----------
    nodes : Node or tree of Node
    trace : bool
        Whether to return the steps as well.

    Returns
    -------
    Node or tree like `nodes`
        Each of the shape and type it had.
    steps : list of Step
        Only with ``trace=True``: rule, node before, node after.

    Raises
    ------
    GraphError
        If something else than nodes is given.

    Examples
    --------
    The cross-entropy as it is written in a book, and its gradient:

    >>> import weft
    >>> z = weft.input("z", ("n", 3))
    >>> p = weft.input("p", ("n", 3), simplex=-1)
    >>> e = weft.exp(z)
    >>> cost = -weft.sum(p * weft.log(e / weft.sum(e, -1, keepdims=True)))
    >>> print(weft.text(weft.simplify(cost)))
    -sum((p * log_softmax(z, axis=1)), axis=(0, 1))
    >>> print(weft.text(weft.simplify(weft.grad(cost, z))))
    (softmax(z, axis=1) - p)

    What was done is told by name:

    >>> _, steps = weft.simplify(weft.log(weft.sigmoid(z)), trace=True)
    >>> [step.rule for step in steps]
    ['log_of_exponentials']
    """
    outputs, structure = flatten(nodes)
    for node in outputs:
        if not isinstance(node, Node):
            raise GraphError(
                f"{node!r} is no node: give a node or a tree of nodes{place()}"
            )
    steps: list[Step] = []
    found = settle(
        outputs, [CANONICAL, STABLE, _KEEPING], steps.append if trace else None
    )
    tree = unflatten(structure, found)
    return (tree, steps) if trace else tree
