"""Rewriting to a fixed point: the rules of one phase after the other, bottom up.

A node is offered to the rules when everything that it is computed from has found its
final form, and so is whatever replaces it. The loop keeps a table from each node to its
final form, so a sweep is linear in the graph and in the number of replacements; depth
costs memory, never a stack. What a phase returns is a fixed point of all its rules, so
applying it once more changes nothing.

That it ends is the promise of a phase: every rule has to decrease one measure. Rules
that lead back to a node break it, and are refused when that is seen.
"""

from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import final

from weft.graph.errors import GraphError
from weft.graph.node import Node, Operation, describe, intern
from weft.graph.origin import derived_from, origin_of
from weft.graph.walk import topological
from weft.rewrite.rule import Phase, Rule


@final
@dataclass(frozen=True)
class Step:
    """One replacement.

    Parameters
    ----------
    rule : str
        The name of the rule.
    before, after : Node
        Of one value. The inputs of `before` had been rewritten already, so what lies
        between the two is this rule alone.
    """

    rule: str
    before: Node
    after: Node


Trace = Callable[[Step], object]


def rewrite(
    outputs: Iterable[Node], phases: Iterable[Phase], trace: Trace | None = None
) -> list[Node]:
    """Return nodes of the same values, rewritten by one phase after the other.

    Parameters
    ----------
    outputs : iterable of Node
    phases : iterable of sequence of Rule
        Each is applied until none of its rules applies.
    trace : callable, optional
        Told every `Step` as it is taken, for instance ``steps.append``.

    Returns
    -------
    list of Node
        One per output, of its shape and type. New nodes point to the line in the user's
        program that the node they replace points to.

    Raises
    ------
    GraphError
        If a rule does not keep shape and type, or the rules of a phase go in a circle.

    Examples
    --------
    >>> import weft
    >>> from weft.rewrite.fast import FAST
    >>> x = weft.input("x", ("n",))
    >>> steps = []
    >>> rewrite([-(-x * 1)], [FAST], steps.append) == [x]
    True
    >>> [step.rule for step in steps]
    ['neutral', 'double_negative']
    """
    nodes = list(outputs)
    for phase in phases:
        nodes = _fixed_point(nodes, phase, trace)
    return nodes


def _fixed_point(nodes: list[Node], phase: Phase, trace: Trace | None) -> list[Node]:
    # A sweep leaves nothing to do for rules that look at a node alone. What is computed
    # in any case is known of the graph before it only: so rules that ask for that are
    # tried again, and all the others where those have changed something.
    shared = [rule for rule in phase if rule.shared]
    nodes = _sweep(nodes, phase, trace)
    while shared and (swept := _sweep(nodes, shared, trace)) != nodes:
        nodes = _sweep(swept, phase, trace)
    return nodes


def _sweep(nodes: Sequence[Node], rules: Phase, trace: Trace | None) -> list[Node]:
    """Replace bottom up, and what replaces as well, until no rule applies."""
    computed = set(topological(nodes))
    matching = _matcher(rules)
    final: dict[Node, Node] = {}
    instead: dict[Node, Node] = {}
    stack = list(reversed(nodes))
    while stack:
        node = stack[-1]
        if node in final:
            stack.pop()
            continue
        awaited = (instead[node],) if node in instead else node.inputs
        pending = [n for n in awaited if n not in final]
        if pending:
            stack += reversed(pending)
            continue
        if node in instead:
            final[node] = final[instead[node]]
            continue
        inputs = tuple([final[i] for i in node.inputs])
        after: Node | None = None
        if inputs != node.inputs:
            with _in_place_of(node):
                after = intern(node.op, inputs, node.params, (node.shape, node.dtype))
        elif applicable := matching(node):
            with _in_place_of(node):
                after = _replaced(node, applicable, computed, trace)
        if after is None:
            final[node] = node
        elif after in instead and after not in final:
            raise GraphError(f"the rules lead from {describe(node)} back to itself")
        else:
            instead[node] = after
    return [final[node] for node in nodes]


def _matcher(rules: Phase) -> Callable[[Node], Sequence[Rule]]:
    """Return the function from a node to the rules whose pattern it has, in order.

    A pattern is all in the ops of a node and of its inputs, and those recur.
    """
    found: dict[tuple[Operation, ...], list[Rule]] = {}

    def matching(node: Node) -> Sequence[Rule]:
        ops = (node.op, *[i.op for i in node.inputs])
        if ops not in found:
            found[ops] = [rule for rule in rules if rule.matches(node)]
        return found[ops]

    return matching


def _in_place_of(node: Node) -> AbstractContextManager[None]:
    """Within this context, new nodes point to the line that `node` points to."""
    origin = origin_of(node)
    return derived_from(node, origin.derived_from if origin else "")


def _replaced(
    node: Node, rules: Iterable[Rule], computed: Container[Node], trace: Trace | None
) -> Node | None:
    """Apply the first rule that applies, if one does."""
    for rule in rules:
        after = rule.replacement(node)
        if after is None or (rule.shared and not _within(computed, after.inputs)):
            continue
        if (after.shape, after.dtype) != (node.shape, node.dtype):
            raise GraphError(
                f"the rule {rule.name!r} makes {describe(after)} of {describe(node)}: "
                "a rule keeps shape and type"
            )
        if trace is not None:
            trace(Step(rule.name, node, after))
        return after
    return None


def _within(computed: Container[Node], nodes: Iterable[Node]) -> bool:
    return all(node in computed for node in nodes)
