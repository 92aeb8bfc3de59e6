r"""A graph as mathematics: LaTeX, with the parentheses that are needed and no others.

An op says how it is written by a template, or by a function of the node that returns
one. A slot ``{0:product}`` names the loosest thing that may stand there as it is;
whatever binds less tightly is put into parentheses. How tightly the whole binds, the op
says as well (`binds`). Where a slot names nothing, only an atom stands there as it is,
unless the slot is delimited anyway (a fraction, a root, an exponent, parentheses).

A part that is used more than once is called by a letter and said once, in a line that
begins with *where*; only what is as short as a letter with an index is repeated. So the
length is proportional to the size of the graph and not to the number of its paths.

Elements of an array are indexed i, j, k ... in the order of its axes.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import chain, count
from typing import Any

import numpy as np

from weft.graph.dim import Size
from weft.graph.errors import GraphError
from weft.graph.leaf import CONSTANT, Leaf
from weft.graph.node import Node, Params
from weft.graph.tree import flatten
from weft.graph.walk import topological

# From the loosest to the tightest: relations and cases; sums; big operators, which take
# all factors behind them; products of elements; of matrices; powers; what has an index,
# and can have an exponent, but no second index; what can have both.
LEVELS = ("any", "sum", "big", "product", "matrix", "power", "indexed", "atom")

# Parts with more signs than the first are called by a letter when they are shared, and
# with more than the second in any case.
_SHORT, _LONG = 5, 200
_SIGN = re.compile(r"\\[a-zA-Z]+|[^\s{}]")

# Letters for shared parts, in this order, then t_{1}, t_{2} ... Those that mean
# something else by custom (d, e and the indices) are left out.
_LETTERS = "abcfghpqrstuvwyz"
_INDICES = "ijklmn"

_GREEK = re.compile(
    "alpha|beta|[gG]amma|[dD]elta|epsilon|zeta|eta|[tT]heta|iota|kappa|[lL]ambda|"
    "mu|nu|[xX]i|[pP]i|rho|[sS]igma|tau|[uU]psilon|[pP]hi|chi|[pP]si|[oO]mega"
)


def latex(nodes: Any) -> str:
    r"""Write a graph as LaTeX mathematics.

    Parameters
    ----------
    nodes : Node or tree of Node

    Returns
    -------
    str
        For use in mathematics mode (between dollars). A formula per node given, then a
        line for each shared part; in an ``aligned`` environment if these are several.

    Examples
    --------
    >>> import weft
    >>> x, W = weft.input("x", ("n", 3)), weft.parameter("1/W", (3, 2))
    >>> print(weft.latex(weft.tanh(x @ W) / 2))
    \frac{\tanh\left(x W_{1}\right)}{2}
    >>> print(weft.latex(weft.sum(x, axis=1)))
    \sum_{j=1}^{3} x_{ij}
    >>> h = weft.tanh(x)
    >>> print(weft.latex(h * (1 - h)))
    \begin{aligned}
    & a \cdot \left(1 - a\right) \\
    & \text{where } a = \tanh\left(x\right)
    \end{aligned}
    """
    formulas, clauses = clauses_of(nodes)
    lines = [f.body for f in formulas]
    for i, (name, part) in enumerate(clauses):
        where = r"\text{where } " if i == 0 else r"\phantom{\text{where }} "
        lines.append(f"{where}{name} = {part.body}")
    if len(lines) == 1:
        return lines[0]
    aligned = " \\\\\n".join(f"& {line}" for line in lines)
    return f"\\begin{{aligned}}\n{aligned}\n\\end{{aligned}}"


class Part(str):
    """Something written, that knows how tightly it binds.

    Formatted with the name of a level (``f"{part:product}"``), it comes in parentheses
    if it binds less tightly than that.
    """

    __slots__ = ("level",)
    level: str

    @property
    def body(self) -> str:
        """The bare text."""
        return str(self)

    def __format__(self, level: str) -> str:
        if LEVELS.index(self.level) >= LEVELS.index(level or "atom"):
            return self.body
        return rf"\left({self.body}\right)"


def part(body: str, level: str) -> Part:
    r"""Return `body` as a part that binds as tightly as `level`.

    Examples
    --------
    >>> print(f"{part('a + b', 'sum'):product}")
    \left(a + b\right)
    """
    made = Part(body)
    made.level = level
    return made


def clauses_of(
    nodes: Any, named: dict[Node, str] | None = None
) -> tuple[list[Part], list[tuple[str, Part]]]:
    """Write each node of a tree, and each shared part once.

    Parameters
    ----------
    nodes : Node or tree of Node
    named : dict of Node to str, optional
        Nodes that have a symbol already and are not written out.

    Returns
    -------
    formulas : list of Part
        One per node.
    clauses : list of (symbol, Part)
        The shared parts, the outermost first.

    Raises
    ------
    GraphError
        If something given is not a node.
    """
    outputs, _ = flatten(nodes)
    for output in outputs:
        if not isinstance(output, Node):
            raise GraphError(f"{output!r} is no node and has no formula: give nodes")
    named = named or {}
    order = topological(outputs, stop=set(named))
    taken = {symbol(node.name)[0] for node in order} | {n[0] for n in named.values()}
    letters = _letters(taken)
    uses = Counter(i for node in order if node not in named for i in node.inputs)
    written: dict[Node, Part] = {}
    clauses: list[tuple[str, Part]] = []
    for node in order:
        if node in named:
            written[node] = part(
                named[node], "indexed" if "_" in named[node] else "atom"
            )
        elif isinstance(node.op, Leaf):
            written[node] = _leaf(node)
        else:
            found = _applied(node, [written[i] for i in node.inputs])
            signs = len(_SIGN.findall(found))
            if signs > (_LONG if uses[node] == 1 else _SHORT) and uses[node]:
                name = next(letters)
                clauses.append((name, found))
                found = _named(name)
            written[node] = found
    return [written[output] for output in outputs], clauses[::-1]


def _letters(taken: Collection[str]) -> Iterator[str]:
    letters = (letter for letter in _LETTERS if letter not in taken)
    # Numbered ones last, under a letter that stands for nothing else, if there is one.
    base = next((letter for letter in "tuvs" if letter not in taken), "t")
    return chain(
        (a for a in letters if a != base), (f"{base}_{{{i}}}" for i in count(1))
    )


# One op -------------------------------------------------------------------------------


def _applied(node: Node, inputs: Sequence[Part]) -> Part:
    notation = node.op.latex
    template = notation(node) if callable(notation) else notation
    if template == "{0}":  # not written at all, as mathematics does not
        return inputs[0]
    params = {name: _escaped_param(value) for name, value in node.params.items()}
    if not template:
        return part(_call(node.op.name, inputs, node.params), "atom")
    template = _DELIMITED.sub(r"\1{\2:any}", template)
    return part(template.format(*inputs, **params), node.op.binds)


# Slots that need no parentheses of their own: what stands there is already inside
# parentheses, bars, a fraction, a root, an exponent or an index.
_DELIMITED = re.compile(
    r"(\\left[(\[|]|\\frac\{\{|\}\}\{\{|\\sqrt\{\{|[\^_]\{\{)\{(\d)\}(?=\\right|\}\})"
)


def _call(name: str, inputs: Sequence[Part], params: Params) -> str:
    arguments = [f"{x:any}" for x in inputs]
    for key, value in params.items():
        if value is not None and value is not False:
            arguments.append(rf"\mathrm{{{escaped(key)}}}={_escaped_param(value)}")
    return rf"\operatorname{{{escaped(name)}}}\left({', '.join(arguments)}\right)"


def _escaped_param(value: Any) -> str:
    return escaped(str(value))


# Leaves -------------------------------------------------------------------------------


def _leaf(node: Node) -> Part:
    if node.op is not CONSTANT:
        return _named(symbol(node.name))
    value = node.params["value"]
    if value.size and (value == value.flat[0]).all():
        return _number(value.flat[0])  # mathematics repeats a number unsaid
    if value.ndim == 1 and value.size <= 4:
        return part(rf"\left[{', '.join(map(_number, value))}\right]", "atom")
    sizes = r" \times ".join(map(str, value.shape))
    return part(rf"\mathrm{{const}}_{{{sizes}}}", "indexed")


def _named(name: str) -> Part:
    return part(name, "indexed" if "_" in name.replace(r"\_", "") else "atom")


def _number(value: Any) -> Part:
    if isinstance(value, (bool, np.bool_)):
        return part(rf"\mathrm{{{str(value).lower()}}}", "atom")
    if isinstance(value, np.integer):
        return part(str(value), "sum" if value < 0 else "atom")
    if not np.isfinite(value):
        return {
            "inf": part(r"\infty", "atom"),
            "-inf": part(r"-\infty", "sum"),
        }.get(str(value), part(r"\mathrm{nan}", "atom"))
    digits, _, exponent = f"{value:.6g}".partition("e")
    if exponent:
        power = f"10^{{{int(exponent)}}}"
        digits = power if digits == "1" else rf"{digits} \cdot {power}"
    negative = digits.startswith("-")
    return part(digits, "sum" if negative else "product" if exponent else "atom")


def symbol(name: str) -> str:
    r"""Return the symbol for a name: its last word, the others as indices.

    Examples
    --------
    >>> symbol("x"), symbol("1/W"), symbol("theta"), symbol("cost")
    ('x', 'W_{1}', '\\theta', '\\mathrm{cost}')
    >>> symbol("W_2"), symbol("output/b"), symbol("100%")
    ('W_{2}', 'b_{\\mathrm{output}}', '\\mathrm{100\\%}')
    """
    *places, base = [piece for piece in name.split("/") if piece] or [name]
    words = base.split("_")
    if all(word.isalnum() for word in words):
        base, *rest = words
        places += rest
    written = _word(base)
    if not places:
        return written
    return f"{written}_{{{','.join(_word(place) for place in places)}}}"


def _word(word: str) -> str:
    if _GREEK.fullmatch(word):
        return f"\\{word}"
    plain = len(word) == 1 or (word.isascii() and word.isdigit())
    return escaped(word) if plain else rf"\mathrm{{{escaped(word)}}}"


_SPECIAL = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "_%&#${}"},
        **{"\\": r"\backslash ", "^": r"\wedge ", "~": r"\sim "},
    }
)


def escaped(name: str) -> str:
    r"""Return a name so that LaTeX takes every sign of it literally.

    Examples
    --------
    >>> escaped("a_b"), escaped("100%")
    ('a\\_b', '100\\%')
    """
    return name.translate(_SPECIAL)


# Help for the templates of ops --------------------------------------------------------


def dimension(size: Size) -> str:
    r"""Return a number of elements as LaTeX.

    Examples
    --------
    >>> from weft.graph import as_dim
    >>> dimension(3), dimension(as_dim("2n-1")), dimension(as_dim("rows"))
    ('3', '2n-1', '\\mathrm{rows}')
    """
    return re.sub(r"[^\W\d_]\w+", lambda word: _word(word.group()), str(size))


def indices(node: Node, only: Collection[int] | None = None) -> str:
    """Return the letters that index the axes of `node`, or some of them.

    Examples
    --------
    >>> import weft
    >>> indices(weft.input("x", (2, 3))), indices(weft.input("x", (2, 3)), [1])
    ('ij', 'j')
    """
    axes = range(node.ndim) if only is None else only
    return "".join(_INDICES[a] if a < len(_INDICES) else f"i_{{{a}}}" for a in axes)


def over(sign: str, node: Node, before: str = "", after: str = "") -> str:
    r"""Return the template of a big operator over ``node.params["axis"]``.

    Parameters
    ----------
    sign : str
        Such as ``\sum``; without bounds unless it is a sum or a product.
    node : Node
    before, after : str
        What stands around an element.

    Examples
    --------
    >>> import weft
    >>> over(r"\sum", weft.sum(weft.input("x", ("n", 3)), 0))
    '\\sum_{{i=1}}^{{n}} {0:atom}_{{ij}}'
    """
    (x,) = node.inputs
    axes = node.params["axis"]
    axes = axes if isinstance(axes, tuple) else (axes,)
    bounded = sign in (r"\sum", r"\prod")
    signs = []
    for axis in axes:
        letter = indices(x, [axis])
        bounds = f"{letter}=1}}}}^{{{{{dimension(x.shape[axis])}" if bounded else letter
        signs.append(f"{sign}_{{{{{bounds}}}}}")
    element = f"{{0:atom}}_{{{{{indices(x)}}}}}" if x.ndim else "{0:atom}"
    return f"{' '.join(signs)} {before}{element}{after}".lstrip()
