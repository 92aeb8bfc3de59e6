"""Exponentials that meet: softmax, sigmoid, tanh and expm1 in place of their formulas.

A product of exponentials, of their sums and of the reciprocals of either is read as
one exponential (`weft.rewrite.product`) and written again as softmax and sigmoid. This
is what makes a gradient of a naive cost right: there, what overflows in one factor is
cancelled by another, which is too late once they have been computed.
"""

from dataclasses import replace

from weft.graph.dim import Shape
from weft.graph.errors import ShapeError
from weft.graph.leaf import constant
from weft.graph.node import DType, Node, intern
from weft.ops.index import take_along_axis
from weft.ops.record import OPS
from weft.ops.special import expm1, sigmoid, tanh
from weft.ops.structure import broadcast_to, expand_dims, reshape, transpose
from weft.rewrite.facts import DEPTH, SELECTIONS, exponential, positive, uniform
from weft.rewrite.linear import (
    Form,
    constant_along,
    form_viewed,
    linear,
    plain,
    plus,
    sp,
    without,
)
from weft.rewrite.product import UNSAFE, Product, bare_viewed, read
from weft.rewrite.rule import Rule, rule
from weft.rewrite.views import viewed


def fitting(found: Node, node: Node) -> Node | None:
    """Return `found` in the shape of `node`, or None if it cannot be."""
    if found.dtype != node.dtype:
        return None
    try:
        whole: Node = broadcast_to(found, node.shape)
    except ShapeError:
        return None
    return whole


@rule("multiply", "divide", "exp")
def product_of_exponentials(node: Node) -> Node | None:
    """``exp(z) / sum(exp(z)) -> softmax(z)``, ``1 / (1 + exp(-x)) -> sigmoid(x)``, ...

    Any product of exponentials, of their sums, powers and reciprocals, where written
    by softmax and sigmoid it has fewer of them. Also ``exp(log_softmax(z))``.
    """
    if not exponential(node):
        return None
    found = read(node)
    if not found.form and not found.weight:
        return None
    try:
        written, weight = found.write(node.dtype)
    except ShapeError:
        return None
    return fitting(written, node) if weight < found.weight else None


@rule("multiply", "divide")
def distributed(node: Node) -> Node | None:
    """``(x / s + y) * s -> x + y * s``, where exponentials cancel by that."""
    if not exponential(node):
        return None
    found = read(node)
    if not found.form:
        return None
    for total, k in found.rest.items():
        if k != 1 or total.op.name not in ("add", "subtract"):
            continue
        if not exponential(total):
            continue
        left = {n: j for n, j in found.rest.items() if n is not total}
        around = replace(found, rest=left)
        parts = terms(total)
        products = [part.times(around) for part in parts]
        filled = [_filled(product, node.shape) for product in products]
        try:
            spread, weight = added(filled, node.dtype)
        except ShapeError:
            continue
        if filled != products or weight < around.weight + sum(
            part.weight for part in parts
        ):
            return fitting(spread, node)
    return None


def _filled(product: Product, shape: Shape) -> Product:
    """Return a product with its exponentials taken in among zeros, if they cancel."""
    for spread, k in product.rest.items():
        rule = _INTO.get(spread.op.name)
        if k != 1 or spread.shape != shape or rule is None:
            continue
        left = {n: j for n, j in product.rest.items() if n is not spread}
        try:
            done = rule(spread, replace(product, rest=left))
        except ShapeError:
            continue
        if done is not None:
            return Product(rest={done: 1.0})
    return product


def terms(node: Node) -> list[Product]:
    """Read what is added up in a node, from left to right, with its sign."""
    found: list[Product] = []
    stack = [(node, 1.0, DEPTH)]
    while stack:
        top, sign, left = stack.pop()
        name = top.op.name
        sums = name in ("add", "subtract", "negative") and exponential(top)
        if sums and left and len(stack) + len(found) < DEPTH:
            signs = {"add": (1, 1), "subtract": (1, -1), "negative": (-1,)}[name]
            below = zip(top.inputs, signs, strict=True)
            stack += reversed([(i, sign * s, left - 1) for i, s in below])
        else:
            found.append(Product(sign).times(read(top)))
    return found


def added(products: list[Product], dtype: DType) -> tuple[Node, int]:
    """Write a sum of products: what is added first, then what is subtracted."""
    total: Node | None = None
    weight = 0
    for product in sorted(products, key=lambda p: p.coefficient < 0):
        size = replace(product, coefficient=abs(product.coefficient))
        term, w = size.write(dtype)
        weight += w
        below = product.coefficient < 0
        if total is None:
            total = -term if below else term
        else:
            total = total - term if below else total + term
    assert total is not None
    return total, weight


@rule("add", "subtract")
def collected(node: Node) -> Node | None:
    """``y - y * sigmoid(x) -> y * sigmoid(-x)``, for any two such terms of a sum."""
    if not exponential(node):
        return None
    parts = terms(node)
    for i, one in enumerate(parts):
        for j, other in enumerate(parts):
            if i == j or not (one.rest or one.form) or one.rest != other.rest:
                continue
            if one.coefficient != -other.coefficient or not other.form:
                continue
            left = _complement_of(plus(other.form, one.form, -1))
            if left is None:
                continue
            both = replace(one, form=plus(one.form, left))
            rest = [p for k, p in enumerate(parts) if k not in (i, j)]
            try:
                spread, weight = added([both, *rest], node.dtype)
            except ShapeError:
                return None
            return fitting(spread, node) if weight < UNSAFE else None
    return None


def _complement_of(form: Form) -> Form | None:
    """Return the form of ``1 - exp(form)`` for the logarithm of a sigmoid."""
    softened = [atom for atom in form if atom.op.name == "softplus"]
    if len(softened) != 1 or form[softened[0]] != -1:
        return None
    inner = linear(softened[0].inputs[0])
    if len(form) == 1:
        return plus(inner, {softened[0]: -1.0})
    return {softened[0]: -1.0} if form == {**inner, softened[0]: -1.0} else None


@rule("multiply", "divide")
def into_zeros(node: Node) -> Node | None:
    """``scatter(x, i) * y -> scatter(x * y[i], i)``, where exponentials cancel by that.

    So with what a slice was embedded in, with ``one_hot(i) * y -> one_hot(i) * y[i]``,
    and with ``where(c, u, v) * y -> where(c, u * y, v * y)``.
    """
    if not exponential(node):
        return None
    found = read(node)
    filled = _filled(found, node.shape)
    return None if filled is found else fitting(next(iter(filled.rest)), node)


def _into_branches(spread: Node, around: Product) -> Node | None:
    condition, *branches = spread.inputs
    results, before, after = [], around.weight, 0
    for branch in branches:
        if uniform(branch) == 0:
            results.append(branch)
            continue
        inner = read(branch)
        written, weight = inner.times(around).write(spread.dtype)
        results.append(written)
        before, after = before + inner.weight, after + weight
    # In two branches what stands around is there twice: as heavy as before says that
    # something has cancelled.
    twice = all(uniform(branch) != 0 for branch in branches)
    worth = after < before or (after == before and twice)
    return intern(spread.op, (condition, *results), {}) if worth else None


def _into_scattered(spread: Node, around: Product) -> Node | None:
    params = dict(spread.params)
    for name in ("length", "shape"):
        params.pop(name, None)
    view = intern(OPS[_CHOICES[spread.op.name]], (spread, *spread.inputs[1:]), params)
    seen, inner = _chosen(view, around), read(spread.inputs[0])
    if seen is None:
        return None
    written, weight = inner.times(seen).write(spread.dtype)
    shaped = fitting(written, spread.inputs[0])
    if shaped is None or weight >= inner.weight + around.weight:
        return None
    return intern(spread.op, (shaped, *spread.inputs[1:]), spread.params)


def _into_one_hot(spread: Node, around: Product) -> Node | None:
    hot, order = spread, tuple(range(spread.ndim))
    if spread.op.name == "transpose":
        (hot,), order = spread.inputs, spread.params["axes"]
    if hot.op.name != "one_hot":
        return None
    index = transpose(expand_dims(hot.inputs[0], -1), order)
    view = take_along_axis(spread, index, order.index(hot.ndim - 1))
    seen = _chosen(view, around)
    if seen is None:
        return None
    written, weight = seen.write(spread.dtype)
    # As heavy, but of fewer parts: something has cancelled.
    if (weight, len(seen.form)) >= (around.weight, len(around.form)):
        return None
    product: Node = spread * written
    return product


_INTO = {
    "where": _into_branches,
    "put_along_axis": _into_scattered,
    "scatter_add": _into_scattered,
    "embed": _into_scattered,
    "one_hot": _into_one_hot,
    "transpose": _into_one_hot,
}

# What fills in zeros, and what chooses the same places again.
_CHOICES = {
    "put_along_axis": "take_along_axis",
    "scatter_add": "take",
    "embed": "slice",
}


def _chosen(view: Node, around: Product) -> Product | None:
    """Return the product at the places that `view` chooses."""
    form = form_viewed(view, around.form)
    rest = {n: viewed(view, n) for n in around.rest}
    if form is None or None in rest.values():
        return None
    seen = {part: around.rest[n] for n, part in rest.items() if part is not None}
    open_ = bare_viewed(view, around.bare)
    return replace(around, form=form, rest=seen, bare=open_)


@rule("transpose", of=("put_along_axis",))
def transposed_zeros(node: Node) -> Node | None:
    """``scatter(x, i).T -> scatter(x.T, i.T)`` for exponential x, to meet others."""
    (spread,) = node.inputs
    if not exponential(spread.inputs[0]):
        return None
    order = node.params["axes"]
    inputs = tuple(intern(node.op, (i,), node.params) for i in spread.inputs)
    axis = order.index(spread.params["axis"])
    return intern(spread.op, inputs, {**spread.params, "axis": axis})


@rule("divide", of=("where",))
def reciprocal_of_choice(node: Node) -> Node | None:
    """``x / where(c, u, v) -> where(c, x / u, x / v)``, of exponential formulas.

    Where both are positive: what is divided by may have been chosen not to be 0.
    """
    x, choice = node.inputs
    if choice.op.name != "where" or not exponential(choice):
        return None
    if not all(map(positive, choice.inputs[1:])):
        return None
    condition, *branches = choice.inputs
    return fitting(
        intern(choice.op, (condition, *(x / branch for branch in branches)), {}), node
    )


@rule("sum", of=("multiply", "divide"))
def sum_into_zeros(node: Node) -> Node | None:
    """``sum(scatter(x, i) * softmax(z), axis) -> x * softmax(z)[i]``, one per row."""
    (x,), axes = node.inputs, node.params["axis"]
    if not exponential(x):
        return None
    found = read(x)
    for spread, k in found.rest.items():
        if spread.op.name != "put_along_axis" or k != 1 or spread.shape != x.shape:
            continue
        inner, index = spread.inputs
        if axes != (spread.params["axis"],) or index.shape[axes[0]] != 1:
            continue
        view = intern(OPS["take_along_axis"], (spread, index), {"axis": axes[0]})
        left = {n: j for n, j in found.rest.items() if n is not spread}
        seen = _chosen(view, replace(found, rest=left))
        if seen is None or not found.form:
            continue
        product, weight = read(inner).times(seen).write(node.dtype)
        written = fitting(product, inner)
        if written is not None and weight < UNSAFE:
            result: Node = reshape(written, node.shape)
            return result
    return None


@rule("sum", of=("multiply", "divide"))
def constant_out_of_sum(node: Node) -> Node | None:
    """``sum(x / s, axis) -> sum(x, axis) / s``, `s` exponential and constant there."""
    (x,) = node.inputs
    if not exponential(x):
        return None
    found, axes = read(x), node.params["axis"]
    if not found.form or not found.rest:
        return None
    if not all(constant_along(atom, x, axes) for atom in found.form):
        return None
    form = without(found.form, x, axes, node.params["keepdims"])
    inner, _ = Product(1.0, {}, found.rest).write(node.dtype)
    whole = fitting(inner, x)
    if form is None or whole is None:
        return None
    total = intern(node.op, (whole,), node.params)
    outside = Product(found.coefficient, form, {total: 1.0})
    return fitting(outside.write(node.dtype)[0], node)


# Differences ------------------------------------------------------------------------


@rule("add", "subtract")
def complement(node: Node) -> Node | None:
    """``1 - sigmoid(x) -> sigmoid(-x)``, ``exp(x) - 1 -> expm1(x)``.

    So with the signs exchanged, and for any exponential formula.
    """
    x, y = node.inputs
    second = -1 if node.op.name == "subtract" else 1
    for one, sign, other, times in ((x, 1, y, second), (y, second, x, 1)):
        if uniform(one) != -sign * times or not exponential(other):
            continue
        found = _one_less(read(other), node.dtype)
        if found is not None:
            return fitting(found if times > 0 else -found, node)
    return None


@rule("subtract", of=(*SELECTIONS, "concatenate", "where", "cast"))
def complement_of_choice(node: Node) -> Node | None:
    """``1 - x[i] -> (1 - x)[i]`` for exponential x, so that the two can meet."""
    one, choice = node.inputs
    name = choice.op.name
    known = (*SELECTIONS, "concatenate", "where", "cast")
    if uniform(one) != 1 or name not in known or not exponential(choice):
        return None
    if name in (*SELECTIONS, "cast"):
        inputs = (1 - choice.inputs[0], *choice.inputs[1:])
    elif name == "where":
        inputs = (choice.inputs[0], *(1 - i for i in choice.inputs[1:]))
    else:
        inputs = tuple(1 - i for i in choice.inputs)
    return fitting(intern(choice.op, inputs, choice.params), node)


# Ops whose inputs may be cast instead.
_CAST_WITHIN = (
    "multiply",
    "divide",
    "add",
    "subtract",
    "negative",
    "where",
    "put_along_axis",
    "scatter_add",
    "embed",
)


@rule("cast", of=_CAST_WITHIN)
def cast_of_formula(node: Node) -> Node | None:
    """``cast(x * y) -> cast(x) * cast(y)`` to a wider type, of exponential formulas."""
    (x,) = node.inputs
    wider = x.dtype.kind == "f" and node.dtype.itemsize > x.dtype.itemsize
    if not wider or not exponential(x):
        return None
    inputs = tuple(
        intern(node.op, (i,), node.params) if i.dtype == x.dtype else i
        for i in x.inputs
    )
    return intern(x.op, inputs, x.params)


def _one_less(product: Product, dtype: DType) -> Node | None:
    """Return ``product - 1`` for an exponential."""
    if not product.pure:
        return None
    form = product.form
    if not any(atom.op.name in ("softplus", "logsumexp") for atom in form):
        node: Node = expm1(plain(form, dtype))
        return node
    left = _complement_of(form)
    if left is None:
        return None
    written, weight = replace(product, form=left).write(dtype)
    return -written if weight < UNSAFE else None


# tanh -------------------------------------------------------------------------------


@rule("divide")
def tanh_by_exponentials(node: Node) -> Node | None:
    """``(exp(x) - exp(-x)) / (exp(x) + exp(-x)) -> tanh(x)``.

    Also ``(exp(2 x) - 1) / (exp(2 x) + 1)`` and whatever else is of this form.
    """
    x, y = node.inputs
    if not exponential(y):
        return None
    below, above = read(y), _difference(x)
    if above is None or below.rest:
        return None
    c, a, b = above
    apart = plus(a, b, -1)
    kind = node.dtype
    sums = plus(b, sp(apart, kind)), plus(a, sp(plus(b, a, -1), kind))
    if not apart or below.form not in sums:
        return None
    result = tanh(plain(plus({}, apart, 0.5), kind))
    c = c / below.coefficient
    if abs(c) != 1:
        result = result * abs(c)
    return fitting(-result if c < 0 else result, node)


def _difference(node: Node) -> tuple[float, Form, Form] | None:
    """Return c, a, b with ``node = c * (exp(a) - exp(b))``."""
    if node.op.name == "negative":
        found = _difference(node.inputs[0])
        return None if found is None else (-found[0], found[1], found[2])
    if node.op.name == "expm1":
        return 1.0, linear(node.inputs[0]), {}
    if node.op.name == "subtract":
        x, y = (read(i) for i in node.inputs)
        if x.rest or y.rest or x.coefficient != y.coefficient:
            return None
        return x.coefficient, x.form, y.form
    return None


@rule("subtract", of=("multiply",))
def tanh_by_sigmoid(node: Node) -> Node | None:
    """``2 * sigmoid(2 x) - 1 -> tanh(x)`` (slide "tanh and sigmoid")."""
    x, one = node.inputs
    found = read(x)
    if uniform(one) != 1 or found.coefficient != 2 or found.rest:
        return None
    softened = [atom for atom in found.form if atom.op.name == "softplus"]
    if len(softened) != 1 or found.form[softened[0]] != -1:
        return None
    (a,) = softened[0].inputs
    form = linear(a)
    if found.form == {softened[0]: -1.0}:
        form = plus({}, form, -1)
    elif found.form != plus(form, {softened[0]: -1.0}):
        return None
    return fitting(tanh(plain(plus({}, form, 0.5), node.dtype)), node)


@rule("add", "subtract", of=("tanh",))
def one_beside_tanh(node: Node) -> Node | None:
    """``1 + tanh(x) -> 2 * sigmoid(2 x)``, ``1 - tanh(x) -> 2 * sigmoid(-2 x)``."""
    x, y = node.inputs
    adds = node.op.name == "add"
    for one, other in ((x, y), (y, x)) if adds else ((x, y),):
        if uniform(one) == 1 and other.op.name == "tanh":
            twice = plus({}, linear(other.inputs[0]), 2 if adds else -2)
            half = sigmoid(plain(twice, node.dtype))
            return fitting(half * constant(2, node.dtype), node)
    return None


EXPONENTIALS: tuple[Rule, ...] = (
    tanh_by_exponentials,
    tanh_by_sigmoid,
    one_beside_tanh,
    product_of_exponentials,
    distributed,
    collected,
    into_zeros,
    transposed_zeros,
    reciprocal_of_choice,
    sum_into_zeros,
    constant_out_of_sum,
    complement,
    complement_of_choice,
    cast_of_formula,
)
