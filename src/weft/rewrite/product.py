"""Products of probabilities: a factor, exponentials by their logarithm, and the rest.

A `Product` is ``coefficient * exp(form) * (rest to its powers)``. Softmax, sigmoid,
sums of exponentials and their reciprocals are all exponentials of forms in few atoms
(`weft.rewrite.linear`), so in a product of them what cancels does so exactly, before
anything is computed. `read` takes a node apart; `Product.write` puts it together again
from softmax and sigmoid, which neither overflow nor lose their small values.

Both count the *weight* of what they see, the number of exponentials and, above all, of
those that can overflow. A product is rewritten where that makes it lighter. What can
overflow is also known by name (`Product.bare`): an exponential of anything else is
never written, for then a product of small numbers would become 0 times infinity.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import final

from weft.graph.leaf import constant
from weft.graph.node import DType, Node
from weft.ops.arithmetic import power, sqrt, square
from weft.ops.reduce import softmax
from weft.ops.special import exp, sigmoid
from weft.rewrite import facts
from weft.rewrite.facts import DEPTH, normal, positive, uniform
from weft.rewrite.linear import (
    Form,
    beside,
    chosen_beside,
    form_viewed,
    is_total,
    linear,
    lse,
    negated,
    plain,
    plus,
    ratio,
    remove,
    sp,
    times,
)
from weft.rewrite.views import VIEWS, as_node, reduced, row_of, select_again, viewed

# What softmax and sigmoid weigh, which are safe, and exponentials, which are not.
_SAFE, _BARE = 1, 2
# Of what must not be written: more than any formula weighs.
UNSAFE = 1 << 30

# By how much an atom is raised, or lowered (False), in exponentials that can overflow.
Bare = dict[tuple[Node, bool], float]


def bare(form: Form) -> Bare:
    """Return what can overflow in ``exp(form)``."""
    found: Bare = {}
    for atom, c in form.items():
        if atom.op.name == "logsumexp":
            axes = atom.params["axis"]
            if axes == tuple(range(len(axes))):  # the same with and without them
                atom = reduced("logsumexp", atom.inputs[0], axes, True)
        found[atom, c > 0] = found.get((atom, c > 0), 0) + abs(c)
    return found


def _both(one: Bare, other: Bare, exponent: float = 1) -> Bare:
    total = dict(one)
    for (atom, up), size in other.items():
        key = atom, up == (exponent > 0)
        total[key] = total.get(key, 0) + size * abs(exponent)
    return total


@final
@dataclass(frozen=True)
class Product:
    """``coefficient * exp(form) * product of (node ** power)``.

    Parameters
    ----------
    coefficient : float
    form : dict of Node to float
    rest : dict of Node to float
    weight : int
        Of the exponentials in the formula that this was read from.
    bare : dict
        By how much that formula raises and lowers each atom in exponentials that can
        overflow, and in what it divides by.
    """

    coefficient: float = 1.0
    form: Form = field(default_factory=dict)
    rest: Form = field(default_factory=dict)
    weight: int = 0
    bare: Bare = field(default_factory=dict)

    @property
    def pure(self) -> bool:
        """Whether it is the exponential of a form and nothing else."""
        return self.coefficient == 1 and bool(self.form) and not self.rest

    def times(self, other: "Product", exponent: float = 1) -> "Product":
        """Return the product with `other` to some power."""
        rest = dict(self.rest)
        for node, k in other.rest.items():
            rest[node] = rest.get(node, 0) + k * exponent
        # Whoever divides by an exponential divides by what may be 0.
        inverted = _BARE if other.form and exponent < 0 else 0
        open_ = bare(other.form) if inverted else other.bare
        return Product(
            self.coefficient * _raised(other.coefficient, exponent),
            plus(self.form, other.form, exponent),
            {node: k for node, k in rest.items() if k},
            self.weight + other.weight + inverted,
            _both(self.bare, open_, exponent),
        )

    def write(self, dtype: DType) -> tuple[Node, int]:
        """Return the node in canonical form, and its weight.

        Parameters
        ----------
        dtype : numpy.dtype
            Of a constant, where nothing else is left.

        Returns
        -------
        node : Node
            Of a shape that broadcasts to that of what was read.
        weight : int
            `UNSAFE` or more where it could overflow and what was read could not.
        """
        above, below, weight = _exponentials(self.form, dtype, self.bare)
        if not normal(self.coefficient, dtype):
            weight += UNSAFE
        weight += _BARE * bool(below)
        above += [_power(n, k) for n, k in self.rest.items() if k > 0]
        below += [_power(n, -k) for n, k in self.rest.items() if k < 0]
        c = self.coefficient
        bottom = _product(below)
        if bottom is not None:
            top = _product(above)
            size = abs(c) if top is None else 1.0
            node = (constant(size, dtype) if top is None else top) / bottom
            c = c / size
        else:
            top = _product(above)
            if top is None:
                return constant(c, dtype), weight
            node = top
        if abs(c) != 1:
            node = node * abs(c)
        return (-node if c < 0 else node), weight


def _raised(c: float, exponent: float) -> float:
    """Return ``c ** exponent``, NaN where it cannot be computed."""
    try:
        found = c**exponent
    except (OverflowError, ZeroDivisionError):
        return math.nan
    return math.nan if isinstance(found, complex) or (c and not found) else found


def _power(node: Node, k: float) -> Node:
    if k == 2:
        return as_node(square(node))
    if k == 0.5:
        return as_node(sqrt(node))
    return as_node(power(node, int(k) if k == int(k) else k))


def _product(factors: Iterable[Node]) -> Node | None:
    total: Node | None = None
    for factor in factors:
        total = factor if total is None else total * factor
    return total


def _exponentials(
    form: Form, dtype: DType, allowed: Bare
) -> tuple[list[Node], list[Node], int]:
    """Write ``exp(form)`` as factors above and below the line, and weigh them."""
    rest, above, below, weight = dict(form), list[Node](), list[Node](), 0
    for atom in form:
        if atom.op.name == "logsumexp" and len(atom.params["axis"]) == 1:
            for side, sign in ((above, 1), (below, -1)):
                while (found := _softmax_in(rest, atom, sign)) is not None:
                    side.append(found)
                    weight += _SAFE
                    if sign < 0 and not _covered(bare({atom: 1.0}), allowed):
                        weight += UNSAFE
    for atom in form:
        if atom.op.name == "softplus":
            found_above, found_below = _sigmoids_in(rest, atom)
            above += found_above
            below += found_below
            weight += _SAFE * (len(found_above) + len(found_below))
            if found_below and not _covered(bare({atom: 1.0}), allowed):
                weight += UNSAFE
    if rest:
        above.append(as_node(exp(plain(rest, dtype))))
        weight += _BARE + sum(map(is_total, rest))
        if not _covered(bare(rest), allowed):
            weight += UNSAFE
    return above, below, weight


def _covered(needed: Bare, allowed: Bare) -> bool:
    """Tell whether what can overflow is no more than is allowed.

    As a logarithm of a sum is above each of its terms, to raise it allows to raise one
    of them, and to lower a term allows to lower it.
    """
    left = dict(allowed)
    for (atom, up), size in needed.items():
        if atom.op.name == "softplus" and not up:  # never below 0
            continue
        for key in [(atom, up), *left]:
            other, way = key
            if way != up or size <= 0 or key not in left:
                continue
            above, below = (other, atom) if up else (atom, other)
            if other is atom or _is_above(above, below):
                spent = min(size, left[key])
                left[key] -= spent
                size -= spent
        if size > 0:
            return False
    return True


def _is_above(total: Node, part: Node) -> bool:
    """Tell whether one is a logarithm of a sum, and the other one of its terms."""
    if total.op.name == "softplus":
        return part is total.inputs[0]
    if total.op.name != "logsumexp":
        return False
    return row_of(part, total.inputs[0], total.params["axis"]) is not None


def _softmax_in(rest: Form, atom: Node, sign: int) -> Node | None:
    """Take one softmax, or a choice of its elements, out of `rest`."""
    if rest.get(atom, 0) * -sign < 1:
        return None
    (z,), axes = atom.inputs, atom.params["axis"]
    if beside(z, atom) and ratio(rest, linear(z)) * sign >= 1:
        remove(rest, plus(linear(z), {atom: -1.0}), sign)
        return as_node(softmax(z, axes[0]))
    for part, c in rest.items():
        if c * sign >= 1 and (path := chosen_beside(part, atom)):
            remove(rest, {part: 1.0, atom: -1.0}, sign)
            return select_again(path, as_node(softmax(z, axes[0])))
    return None


def _sigmoids_in(rest: Form, atom: Node) -> tuple[list[Node], list[Node]]:
    """Take ``exp(d a - c sp(a))`` out of `rest`: sigmoids of a and of -a."""
    (a,), c = atom.inputs, -rest.get(atom, 0)
    if not c or c != int(c):
        return [], []
    sign = 1 if c > 0 else -1
    size = int(abs(c))
    form = linear(a)
    given = ratio(rest, form) * sign
    forward = int(min(max(given, 0), size))
    remove(rest, {atom: -1.0}, c)
    remove(rest, form, sign * forward)
    factors = [as_node(sigmoid(a))] * forward
    factors += [as_node(sigmoid(negated(a)))] * (size - forward)
    return (factors, []) if sign > 0 else ([], factors)


# Reading --------------------------------------------------------------------------


@lru_cache(maxsize=8192)
def read(node: Node, depth: int = DEPTH) -> Product:
    """Take a node apart into a product.

    Parameters
    ----------
    node : Node
    depth : int
        Layers to look at; what lies deeper is a factor of the rest.

    Returns
    -------
    Product

    Examples
    --------
    >>> import weft
    >>> z = weft.input("z", ("n", 3))
    >>> e = weft.exp(z)
    >>> found = read(e / weft.sum(e, -1, keepdims=True))
    >>> print(weft.text(found.write(z.dtype)[0]))
    softmax(z, axis=1)
    """
    whole = Product(rest={node: 1.0})
    if depth == 0 or node.dtype.kind != "f":
        return whole
    c = uniform(node)
    if c is not None:
        return Product(c) if c else whole
    reader = _READERS.get(node.op.name)
    found = None if reader is None else reader(node, depth - 1)
    # A factor that the type cannot hold is not to be computed ahead.
    if found is None or not normal(found.coefficient, node.dtype):
        return whole
    return found


def _read_same(node: Node, depth: int) -> Product:
    return read(node.inputs[0], depth)


def _read_negative(node: Node, depth: int) -> Product:
    return Product(-1.0).times(read(node.inputs[0], depth))


def _read_multiply(node: Node, depth: int) -> Product:
    x, y = node.inputs
    return read(x, depth).times(read(y, depth))


def _read_divide(node: Node, depth: int) -> Product:
    x, y = node.inputs
    return read(x, depth).times(read(y, depth), -1)


def _read_square(node: Node, depth: int) -> Product:
    return Product().times(read(node.inputs[0], depth), 2)


def _read_sqrt(node: Node, depth: int) -> Product | None:
    inner = read(node.inputs[0], depth)
    return Product().times(inner, 0.5) if inner.pure else None


def _read_power(node: Node, depth: int) -> Product | None:
    x, y = node.inputs
    inner, k = read(x, depth), uniform(y)
    if k is not None and (inner.pure or (k == int(k) and abs(k) <= 8)):
        return Product().times(inner, k)
    if k is None and inner.pure:
        form = times(y, plain(inner.form, node.dtype))
        return Product(form=form, weight=inner.weight + _BARE, bare=bare(form))
    return None


def _read_exp(node: Node, depth: int) -> Product:
    form = linear(node.inputs[0])
    weight = _BARE + sum(map(is_total, form))
    return Product(form=form, weight=weight, bare=bare(form))


def _read_sigmoid(node: Node, depth: int) -> Product:
    form = linear(node.inputs[0])
    return Product(form=plus(form, sp(form, node.dtype), -1), weight=_SAFE)


def _read_softmax(node: Node, depth: int) -> Product:
    (z,), axis = node.inputs, node.params["axis"]
    return Product(form=plus(linear(z), lse(z, (axis,), True), -1), weight=_SAFE)


def _read_sum(node: Node, depth: int) -> Product | None:
    inner = read(node.inputs[0], depth)
    if not inner.pure or any(node.inputs[0].shape[a] == 0 for a in node.params["axis"]):
        return None
    z = plain(inner.form, node.dtype)
    if z.shape != node.inputs[0].shape:
        return None
    total = lse(z, node.params["axis"], node.params["keepdims"])
    open_ = bare(total) if inner.bare else {}
    return Product(form=total, weight=inner.weight + 1, bare=open_)


def _read_add(node: Node, depth: int) -> Product | None:
    x, y = (read(i, depth) for i in node.inputs)
    if not _is_exponential(x) or not _is_exponential(y) or not (x.form or y.form):
        return None
    if x.coefficient != y.coefficient:
        return None
    if not x.form:
        x, y = y, x
    # exp(a) + exp(b) = exp(b + sp(a - b))
    if x.form == y.form:
        return None
    form = plus(y.form, sp(plus(x.form, y.form, -1), node.dtype))
    open_ = bare(form) if x.bare or y.bare else {}
    return Product(x.coefficient, form, {}, x.weight + y.weight + 1, open_)


def _read_subtract(node: Node, depth: int) -> Product | None:
    """Read ``1 - tanh(x)**2``, the slope of tanh, as 4 sigmoid(2 x) sigmoid(-2 x)."""
    one, squared = node.inputs
    if uniform(one) != 1 or squared.op.name != "square":
        return None
    (t,) = squared.inputs
    if t.op.name != "tanh":
        return None
    twice = plus({}, linear(t.inputs[0]), 2)
    form = plus(twice, sp(twice, node.dtype), -2)
    return Product(4.0, form, {}, 2 * _SAFE)


def _is_exponential(product: Product) -> bool:
    return product.coefficient > 0 and not product.rest


def _read_view(node: Node, depth: int) -> Product | None:
    inner = read(node.inputs[0], depth)
    if not inner.form:
        return None
    form = form_viewed(node, inner.form)
    rest = {n: viewed(node, n) for n in inner.rest}
    if form is None or None in rest.values():
        return None
    seen = {part: inner.rest[n] for n, part in rest.items() if part is not None}
    return replace(inner, form=form, rest=seen, bare=bare_viewed(node, inner.bare))


def bare_viewed(view: Node, open_: Bare) -> Bare:
    """Return what can overflow in a view of what `open_` can overflow in."""
    seen: Bare = {}
    for (atom, up), size in open_.items():
        part = form_viewed(view, {atom: size if up else -size})
        seen = _both(seen, bare(part or {}))
    return seen


_READERS = {
    "broadcast_to": _read_same,
    "negative": _read_negative,
    "multiply": _read_multiply,
    "divide": _read_divide,
    "square": _read_square,
    "sqrt": _read_sqrt,
    "power": _read_power,
    "exp": _read_exp,
    "sigmoid": _read_sigmoid,
    "softmax": _read_softmax,
    "sum": _read_sum,
    "add": _read_add,
    "subtract": _read_subtract,
    **dict.fromkeys(VIEWS, _read_view),
}


def is_weighted(product: Product) -> bool:
    """Tell whether it is a positive formula or a choice, times an exponential.

    Then its logarithm has a derivative wherever it has one itself: a weight of 0 that
    is differentiated by would be divided by.
    """
    return product.coefficient > 0 and all(map(_is_weight, product.rest))


def _is_weight(node: Node) -> bool:
    if positive(node):
        return True
    while node.op.name in ("reshape", "transpose", "slice", "broadcast_to", "cast"):
        (node,) = node.inputs
    if node.op.name == "where":
        return all((uniform(i) or 0) >= 0 for i in node.inputs[1:]) and all(
            uniform(i) is not None for i in node.inputs[1:]
        )
    return node.op.name == "one_hot" or node.dtype.kind == "b"


def forget() -> None:
    """Let go of the nodes that were read."""
    read.cache_clear()
    linear.cache_clear()
    facts.forget()
