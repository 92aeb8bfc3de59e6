"""A rule: a name, a pattern, a replacement, and the identity that they stand for.

The pattern names ops: that of a node, and that of one of its inputs. For a node that
matches, a plain function returns what may stand in its place, or None where the
identity does not hold; it looks at the node and at what that is computed from, and at
nothing else. A rule that needs something else to be computed in any case says so by
``shared``. Rules have neither priorities nor tags: they stand in phases, and a phase
tries its rules in the order in which they are listed.

Whatever a rule returns has the shape and the type of the node it replaces.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import cleandoc
from typing import final

from weft.graph.node import Node

Replacement = Callable[[Node], Node | None]


@final
@dataclass(frozen=True)
class Rule:
    """A named identity, read from left to right. Made by `rule`.

    Parameters
    ----------
    name : str
        What a trace calls it.
    identity : str
        The identity in the words of the ops, when it holds, and how exactly.
    ops : tuple of str
        The pattern: names of ops, one of which the node has to have; any op if empty.
    of : tuple of str
        Names of ops, one of which an input of the node has to have; any if empty.
    replacement : callable
        What may stand in the place of a node that matches; None where the identity does
        not hold.
    shared : bool
        Whether the replacement is taken only where all that it is computed from is
        computed in any case.

    Examples
    --------
    >>> import weft
    >>> from weft.rewrite.fast import double_negative
    >>> x = weft.input("x", ("n",))
    >>> double_negative.matches(-(-x)), double_negative.matches(-weft.exp(x))
    (True, False)
    >>> double_negative.replacement(-(-x)) is x
    True
    """

    name: str
    identity: str
    ops: tuple[str, ...]
    of: tuple[str, ...]
    replacement: Replacement
    shared: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "__doc__", self.identity)

    def matches(self, node: Node) -> bool:
        """Tell whether `node` has the pattern."""
        if self.ops and node.op.name not in self.ops:
            return False
        return not self.of or any(i.op.name in self.of for i in node.inputs)


Phase = Sequence[Rule]


def rule(
    *ops: str, of: tuple[str, ...] = (), shared: bool = False
) -> Callable[[Replacement], Rule]:
    """Make a rule of a function: its name, and its docstring as the identity.

    Parameters
    ----------
    *ops : str
    of : tuple of str
    shared : bool
        As in `Rule`.

    Returns
    -------
    callable
        A decorator.

    Examples
    --------
    >>> @rule("subtract", of=("subtract",))
    ... def swapped(node):
    ...     '''``x - (y - z) -> x + (z - y)``.'''
    ...     x, difference = node.inputs
    ...     if difference.op.name != "subtract":
    ...         return None
    ...     y, z = difference.inputs
    ...     return x + (z - y)
    >>> swapped.name, swapped.identity
    ('swapped', '``x - (y - z) -> x + (z - y)``.')
    """

    def made(replacement: Replacement) -> Rule:
        identity = cleandoc(replacement.__doc__ or "")
        return Rule(replacement.__name__, identity, ops, of, replacement, shared)

    return made
