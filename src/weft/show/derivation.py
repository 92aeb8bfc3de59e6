r"""A derivation: the chain rule factor by factor, ending in a formula.

Back-propagation visits each node once, after all its users (Algorithm 6.2). Here each
visit is kept: the op, its local derivative, and the derivative of the cost so far.
Where arrays are scalars or the op works element by element, the local derivative is a
*factor*, and the derivative so far is the product of the factors on the way, summed
over the ways. Where it is not (a matrix product, a sum), it is a linear map, and is
written as what it makes of the derivative ``g`` that comes from above (equation 6.46).

Everything written is a node as well, so that a derivation can be evaluated and checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from weft.differentiate.reverse import grad
from weft.differentiate.sides import carries, derivative_of
from weft.graph.errors import GraphError
from weft.graph.latex import clauses_of
from weft.graph.leaf import Leaf, constant, input
from weft.graph.node import Node, describe, intern
from weft.graph.text import text, written
from weft.graph.walk import leaves, reached_from, rebuild, topological
from weft.ops import broadcast_to
from weft.ops.record import Op, Value
from weft.rewrite import fast, simplify
from weft.show.names import SILENT, as_symbol, named

_READABLE = 300  # nodes


def _simplified(node: Node) -> Node:
    """Return the formula that a derivation ends in."""
    found: Node = simplify(node)
    return found


@final
@dataclass(frozen=True)
class Step:
    """One edge that the derivative passes, against its direction.

    Parameters
    ----------
    rule : str
        The op whose derivative is taken.
    node, input : Node
        The edge: `node` is computed from `input`.
    upstream : Node
        The derivative of the cost with respect to `node`, which this step is given.
    given : Node
        A leaf ``g`` that stands for it in `local`.
    local : Node
        What the op makes of ``g``: its Jacobian-transpose product.
    factor : Node or None
        The local derivative, where it multiplies element by element.
    product : Node
        What this edge contributes to the derivative with respect to `input`.
    """

    rule: str
    node: Node
    input: Node
    upstream: Node
    given: Node
    local: Node
    factor: Node | None
    product: Node


@final
@dataclass(frozen=True)
class Derivation:
    """The way from a cost to its derivative. Made by `derive`.

    Parameters
    ----------
    cost, leaf : Node
    steps : tuple of Step
        In the order of back-propagation.
    sums : tuple of (Node, Node)
        Every node on the way, and the derivative with respect to it.
    result : Node
        The derivative, simplified.
    """

    cost: Node
    leaf: Node
    steps: tuple[Step, ...]
    sums: tuple[tuple[Node, Node], ...]
    result: Node
    format: str = "text"

    @property
    def factors(self) -> list[Node | None]:
        """The local derivatives, in the order of the steps."""
        return [step.factor for step in self.steps]

    @property
    def derivative(self) -> Node:
        """The derivative as it is accumulated, before it is simplified."""
        return dict(self.sums)[self.leaf]

    def __str__(self) -> str:
        return self.latex() if self.format == "latex" else self.text()

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"

    def text(self) -> str:
        """The derivation as plain text."""
        names, cost = self._names(), self.cost
        formulas = [(names[n], written(n, names)) for n in self._written_out()]
        lines = ["forward", *(f"  {name} = {formula}" for name, formula in formulas)]
        top = f"d{names[cost]}"
        lines += ["", f"backward, from {top}/{top} = 1"]
        rows = []
        for step in self._told():
            above, below = names[step.node], names[step.input]
            if step.factor is None:
                local = f"g -> {written(step.local, names)}, g = {top}/d{above}"
            else:
                said = names.get(step.factor) or written(step.factor, names)
                local = f"d{above}/d{below} = {said}"
            sign = "+=" if self._ways(step.input) > 1 else "="
            value = written(step.product, names)
            rows.append((step.rule, local, f"{top}/d{below} {sign} {value}"))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for rule, local, value in rows:
            lines.append(f"  {rule:{widths[0]}}  {local:{widths[1]}}  {value}")
        lines += ["", f"simplified: {top}/d{names[self.leaf]} ="]
        lines += [f"  {line}" for line in text(self._end(names)).splitlines()]
        return "\n".join(lines)

    def latex(self) -> str:
        """The derivation as LaTeX, for mathematics mode."""
        plain = self._names()
        names = {node: as_symbol(name) for node, name in plain.items()}
        top = rf"\partial {names[self.cost]}"
        lines = []
        for node in self._written_out():
            others = {n: name for n, name in names.items() if n is not node}
            lines.append(f"{names[node]} &= {_typeset(node, others)}")
        for step in self._told():
            above, below = (rf"\partial {names[n]}" for n in (step.node, step.input))
            chain = rf"\frac{{{top}}}{{{above}}} \frac{{{above}}}{{{below}}}"
            if step.factor is None:  # equation 6.46
                jacobian = rf"\left(\frac{{{above}}}{{{below}}}\right)^{{\top}}"
                chain = rf"{jacobian} \frac{{{top}}}{{{above}}}"
            sign = r"\mathrel{+}=" if self._ways(step.input) > 1 else "="
            value = _typeset(step.product, names)
            lines.append(rf"\frac{{{top}}}{{{below}}} &{sign} {chain} = {value}")
        end = rf"\frac{{{top}}}{{\partial {names[self.leaf]}}}"
        (formula,), clauses = clauses_of(self._end(plain))
        lines.append(f"{end} &= {formula.body}")
        lines += [f"{name} &= {part.body}" for name, part in clauses]
        inside = " \\\\\n".join(lines)
        return f"\\begin{{aligned}}\n{inside}\n\\end{{aligned}}"

    def _names(self) -> dict[Node, str]:
        """Name the nodes on the way, and all leaves, so that no two have one name."""
        called = [node for node in topological([self.cost]) if node.name]
        way = [node for node, _ in reversed(self.sums) if not node.name]
        return named([*called, *way], self.cost)

    def _end(self, names: Mapping[Node, str]) -> Node:
        """Return the result of leaves that are called as they are named here."""
        other = {
            leaf: input(names[leaf], leaf.shape, leaf.dtype)
            for leaf in leaves([self.result])
            if names.get(leaf, leaf.name) != leaf.name
        }
        return rebuild([self.result], other, _on)[0]

    def _written_out(self) -> list[Node]:
        """The nodes on the way that have a formula of their own."""
        return [
            node
            for node, _ in reversed(self.sums)
            if not isinstance(node.op, Leaf)
            and node is not self.leaf
            and (node.op.name not in SILENT or node is self.cost)
        ]

    def _told(self) -> list[Step]:
        """The steps that mathematics would write."""
        return [step for step in self.steps if step.rule not in SILENT]

    def _ways(self, node: Node) -> int:
        return sum(step.input is node for step in self.steps)


def _on(node: Node, inputs: tuple[Node, ...]) -> Node:
    """Return the op of a node on other inputs."""
    assert isinstance(node.op, Op)
    return intern(node.op, inputs, node.params)


def _typeset(node: Node, names: dict[Node, str]) -> str:
    (formula,), clauses = clauses_of(node, names)
    where = "".join(rf", \; {name} = {part.body}" for name, part in clauses)
    return formula.body + where


def derive(
    cost: Node, leaf: Node, format: str = "text", kink: str = "left"
) -> Derivation:
    """Derive a cost by the chain rule, factor by factor.

    Parameters
    ----------
    cost : Node of shape ()
    leaf : Node
        A leaf or an interior node.
    format : {"text", "latex"}
        How ``print`` writes it.
    kink : {"left", "right"}
        Which one-sided derivative to take where an op has two.

    Returns
    -------
    Derivation
        ``print`` it; its steps hold nodes that can be evaluated.

    Raises
    ------
    GraphError, ShapeError
        If the cost is no scalar, or does not depend on `leaf`.

    Examples
    --------
    >>> import weft
    >>> x, y = weft.input("x", ()), weft.input("y", ())
    >>> print(weft.derive((y - weft.tanh(x)) ** 2, x))
    forward
      u1 = tanh(x)
      u2 = y - u1
      J = u2**2
    <BLANKLINE>
    backward, from dJ/dJ = 1
      square    dJ/du2 = 2 * u2     dJ/du2 = 2 * u2
      subtract  du2/du1 = -1        dJ/du1 = -(2 * u2)
      tanh      du1/dx = 1 - u1**2  dJ/dx = -(2 * u2) * (1 - u1**2)
    <BLANKLINE>
    simplified: dJ/dx =
      a = tanh(x)
      -(((y - a) * 2) * (1 - a**2))
    """
    if format not in ("text", "latex"):
        raise GraphError(f"a derivation is written as text or latex, not as {format!r}")
    result = grad(cost, leaf, kink)  # says what is wrong with cost, leaf or kink
    order = topological([cost], stop={leaf})
    toward = reached_from(order, [leaf], carries)
    if cost not in toward or cost is leaf:
        raise GraphError(
            f"there is no way from {describe(leaf)} to {describe(cost)}: nothing is to "
            "be derived"
        )
    if len(toward) > _READABLE:
        raise GraphError(
            f"{len(toward)} nodes lie on the ways from {describe(leaf)} to the cost, "
            f"and a derivation of more than {_READABLE} is not for reading: derive the "
            "cost for a node nearer to it, or take weft.grad"
        )
    sums: dict[Node, Node] = {cost: constant(1, cost.dtype)}
    on_the_way, steps = [], []
    for node in reversed(order):
        if node not in sums:
            continue
        on_the_way.append(node)
        for i, x in enumerate(node.inputs if node is not leaf else ()):
            if x not in toward:
                continue
            step = _step(i, x, node, sums[node], kink)
            if step is not None:
                steps.append(step)
                sums[x] = sums[x] + step.product if x in sums else step.product
    return Derivation(
        cost,
        leaf,
        tuple(steps),
        tuple((node, sums[node]) for node in on_the_way),
        _simplified(result),
        format,
    )


def _step(i: int, x: Node, node: Node, upstream: Node, kink: str) -> Step | None:
    """Return the step from `node` to its input `x`, the i-th."""
    derivative = derivative_of(node, kink)
    if derivative is None:
        return None

    def pulled(ct: Node) -> Value:
        return derivative.vjp(i, ct, node, node.inputs, node.params)

    given = input("g", node.shape, node.dtype)
    local = pulled(given)
    if local is None:
        return None
    factor = None
    if isinstance(node.op, Op) and node.op.emit is not None and x.shape == node.shape:
        one = broadcast_to(constant(1, node.dtype), node.shape)
        factor = fast([pulled(one)])[0]
    product = fast([pulled(upstream)])[0]
    return Step(node.op.name, node, x, upstream, given, local, factor, product)
