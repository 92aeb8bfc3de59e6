"""A graph for the eye: plain text and LaTeX, each shared part named once.

Both come from the templates of the ops. A node that is used more than once, or whose
text has grown long, is written on a line of its own and called by a name after that, so
the length of the text is proportional to the size of the graph and not to the number of
its paths or to the square of its depth.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import chain, count
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
    return _write(nodes, latex=False)


def latex(nodes: Any) -> str:
    r"""Write a graph as LaTeX mathematics, one line (``\\``) per shared part.

    Parameters
    ----------
    nodes : Node or tree of Node

    Returns
    -------
    str

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n",))
    >>> print(weft.latex(weft.sqrt(x) / 2))
    \frac{\sqrt{x}}{2}
    """
    return _write(nodes, latex=True)


def _write(nodes: Any, latex: bool) -> str:
    outputs, _ = flatten(nodes)
    order = topological(outputs)
    names = _names({node.name for node in order})
    uses = Counter(i for node in order for i in node.inputs)
    written: dict[Node, str] = {}
    lines: list[str] = []
    for node in order:
        body = _leaf(node, latex) if isinstance(node.op, Leaf) else ""
        if not body:
            template = node.op.latex if latex else node.op.text
            body = _fill(node, [written[i] for i in node.inputs], template, latex)
            if uses[node] > 1 or (uses[node] and len(body) > _LONG):
                name = next(names)
                lines.append(f"{name} = {_bare(body) if latex else body}")
                body = name
        written[node] = body
    bodies = [written[output] for output in outputs]
    lines += map(_bare, bodies) if latex else bodies
    return " \\\\\n".join(lines) if latex else "\n".join(lines)


def _names(taken: Collection[str]) -> Iterator[str]:
    numbered = (f"t{i}" for i in count(len(_LETTERS)))
    return (name for name in chain(_LETTERS, numbered) if name not in taken)


def _leaf(node: Node, latex: bool) -> str:
    if node.op is not CONSTANT:
        if not latex:
            return node.name
        return _roman(node.name) if len(node.name) > 1 else _escaped(node.name)
    value = node.params["value"]
    if value.size == 1 and value.ndim == 0:
        return _number(value[()], latex)
    if value.ndim == 1 and value.size <= 4:
        return "[" + ", ".join(_number(v, latex) for v in value) + "]"
    return f"constant{list(value.shape)}"


def _number(value: Any, latex: bool) -> str:
    if latex and isinstance(value, np.floating) and not np.isfinite(value):
        return {"inf": r"\infty", "-inf": r"-\infty"}.get(str(value), r"\mathrm{nan}")
    short = f"{value:.6g}" if isinstance(value, np.floating) else str(value)
    return short


def _fill(node: Node, inputs: list[str], template: str, latex: bool) -> str:
    if template:
        if latex:
            delimited = {int(slot) for slot in _DELIMITED.findall(template)}
            inputs = [_bare(x) if i in delimited else x for i, x in enumerate(inputs)]
        elif "**" in template and inputs[0].startswith("-"):
            # A sign binds less tightly than a power.
            inputs = [f"({inputs[0]})", *inputs[1:]]
        return template.format(*inputs, **node.params)
    arguments = list(inputs)
    for name, value in node.params.items():
        if value is not None and value is not False:
            arguments.append(f"{name}={value}")
    joined = ", ".join(arguments)
    if not latex:
        return f"{node.op.name}({joined})"
    return f"{_roman(node.op.name)}({joined})"


# Slots of a template that need no parentheses of their own: what stands there is
# already inside parentheses, a fraction, a root or an exponent.
_DELIMITED = re.compile(
    r"(?:\\left\(|\\frac\{\{|\}\}\{\{|\\sqrt\{\{|\^\{\{)\{(\d)\}(?=\\right\)|\}\})"
)
_PARENTHESIS = re.compile(r"\\left\(|\\right\)")


def _bare(body: str) -> str:
    """Return LaTeX without the parentheses that enclose all of it, if some do."""
    if not (body.startswith(r"\left(") and body.endswith(r"\right)")):
        return body
    depth = 0
    for sign in _PARENTHESIS.finditer(body):
        depth += 1 if sign.group() == r"\left(" else -1
        if depth == 0 and sign.end() < len(body):
            return body  # the first one closes before the end
    return body[len(r"\left(") : -len(r"\right)")]


def _roman(name: str) -> str:
    return rf"\mathrm{{{_escaped(name)}}}"


_SPECIAL = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "_%&#${}"},
        **{"\\": r"\backslash ", "^": r"\wedge ", "~": r"\sim "},
    }
)


def _escaped(name: str) -> str:
    return name.translate(_SPECIAL)
