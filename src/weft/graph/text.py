"""A graph for the eye: plain text, each shared part named once.

It comes from the templates of the ops. A node that is used more than once, or whose
text has grown long, is written on a line of its own and called by a name after that, so
the length of the text is proportional to the size of the graph and not to the number of
its paths or to the square of its depth.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import chain, count
from types import MappingProxyType
from typing import Any

import numpy as np

from weft.graph.leaf import CONSTANT, Leaf
from weft.graph.node import Node
from weft.graph.tree import flatten
from weft.graph.walk import topological

# A part of more characters than this gets a line of its own.
_LONG = 500

# Names for shared parts, in this order, then t26, t27 ...
_LETTERS = "abcdefghijklmnopqrstuvwyz"


def text(nodes: Any) -> str:
    """Write a graph as readable text.

    Parameters
    ----------
    nodes : Node or tree of Node
        What else stands in the tree, a network or a program for instance, is written
        as ``str`` writes it, at the end.

    Returns
    -------
    str
        One line per shared part, then one per node given.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n",))
    >>> print(weft.text(weft.exp(x) * 2 + weft.exp(x)))
    a = exp(x)
    ((a * 2) + a)
    """
    outputs, _ = flatten(nodes)
    graph = [output for output in outputs if isinstance(output, Node)]
    others = [str(output) for output in outputs if not isinstance(output, Node)]
    return "\n".join([*(_write(graph) if graph else []), *others])


def written(node: Node, named: Mapping[Node, str]) -> str:
    """Write a node on one line, as mathematics would: views go unsaid.

    Parameters
    ----------
    node : Node
    named : mapping of Node to str
        Nodes that have a name already; `node` itself is written out.

    Returns
    -------
    str

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n",))
    >>> written(weft.exp(weft.tanh(x)), {weft.tanh(x): "h"})
    'exp(h)'
    """
    others = {n: name for n, name in named.items() if n is not node}
    *clauses, line = _write([node], others, _SILENT)
    if line.startswith("(") and line.endswith(")") and _closes_last(line):
        line = line[1:-1]
    return f"{line}  where {', '.join(clauses)}" if clauses else line


# What mathematics does not write.
_SILENT = frozenset({"reshape", "broadcast_to", "cast"})


def _unsaid(
    node: Node, written: Mapping[Node, str], silent: Collection[str]
) -> str | None:
    """Return how mathematics writes what it does not write as a function."""
    if node.op.name in silent:
        return written[node.inputs[0]]
    if node.op.name == "transpose":
        axes, rank = node.params["axes"], node.ndim
        if axes == (*range(rank - 2), rank - 1, rank - 2):
            return f"{written[node.inputs[0]]}.T"
    if node.op is CONSTANT and np.unique(node.params["value"]).size == 1:
        return _number(node.params["value"].flat[0])
    return None


def _closes_last(line: str) -> bool:
    """Tell whether the first parenthesis closes at the very end."""
    depth = 0
    for at, sign in enumerate(line):
        depth += (sign == "(") - (sign == ")")
        if not depth:
            return at == len(line) - 1
    return False


def _write(
    outputs: list[Any],
    named: Mapping[Node, str] = MappingProxyType({}),
    silent: Collection[str] = (),
) -> list[str]:
    order = topological(outputs, stop=named.keys())
    names = _names({node.name for node in order} | set(named.values()))
    uses = Counter(i for node in order if node not in named for i in node.inputs)
    written: dict[Node, str] = dict(named)
    lines: list[str] = []
    for node in order:
        if node in named:
            continue
        body = _leaf(node) if isinstance(node.op, Leaf) else ""
        if silent:
            body = _unsaid(node, written, silent) or body
        if not body:
            body = _fill(node, [written[i] for i in node.inputs])
            if uses[node] > 1 or (uses[node] and len(body) > _LONG):
                name = next(names)
                lines.append(f"{name} = {body}")
                body = name
        written[node] = body
    return lines + [written[output] for output in outputs]


def _names(taken: Collection[str]) -> Iterator[str]:
    numbered = (f"t{i}" for i in count(len(_LETTERS)))
    return (name for name in chain(_LETTERS, numbered) if name not in taken)


def _leaf(node: Node) -> str:
    if node.op is not CONSTANT:
        return node.name
    value = node.params["value"]
    if value.ndim == 0:
        return _number(value[()])
    if value.ndim == 1 and value.size <= 4:
        return "[" + ", ".join(map(_number, value)) + "]"
    return f"constant{list(value.shape)}"


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, np.floating) else str(value)


def _fill(node: Node, inputs: list[str]) -> str:
    template = node.op.text
    if template:
        if "**" in template and inputs[0].startswith("-"):
            # A sign binds less tightly than a power.
            inputs = [f"({inputs[0]})", *inputs[1:]]
        return template.format(*inputs, **node.params)
    arguments = list(inputs)
    for name, value in node.params.items():
        if value is not None and value is not False:
            arguments.append(f"{name}={value}")
    return f"{node.op.name}({', '.join(arguments)})"
