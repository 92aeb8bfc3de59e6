"""Logarithms that stay finite: of softmax, sigmoid, products, powers, sums, parts.

A logarithm of a formula of exponentials goes down into it: through whatever chooses or
moves values, through products, quotients and powers, until it meets the exponentials
and undoes them. What is left is a sum (`weft.rewrite.linear`), in which nothing large
cancels any more.
"""

import math

from weft.graph.errors import ShapeError
from weft.graph.leaf import constant
from weft.graph.node import Node, intern
from weft.ops.arithmetic import abs as absolute
from weft.ops.arithmetic import maximum
from weft.ops.logic import logical_and, where
from weft.ops.record import OPS
from weft.ops.special import expm1, log, log1p, softplus
from weft.rewrite.facts import (
    DEPTH,
    SELECTIONS,
    exponential,
    nonnegative,
    positive,
    uniform,
)
from weft.rewrite.linear import linear, negated, plain, stable_sum
from weft.rewrite.product import Product, is_weighted, read
from weft.rewrite.rule import Rule, rule
from weft.rewrite.stable_exponentials import fitting
from weft.rewrite.views import VIEWS, reduced

# What loses no value.
_KEEPING_ALL = ("reshape", "transpose", "broadcast_to", "concatenate", "cast")


@rule("log", of=(*SELECTIONS, "concatenate", "cast", "maximum", "minimum", "where"))
def log_of_choice(node: Node) -> Node | None:
    """``log(x[i]) -> log(x)[i]``, ``log(max(x, y)) -> max(log(x), log(y))``, ...

    For a formula of exponentials, through whatever moves, joins or chooses values. What
    is not chosen has to be positive, for its logarithm is then taken as well.
    """
    (x,) = node.inputs
    name = x.op.name
    if not exponential(x):
        return None
    chosen = {"where": x.inputs[1:], "maximum": x.inputs, "minimum": x.inputs}
    if name not in _KEEPING_ALL and not all(
        map(positive, chosen.get(name, x.inputs[:1]))
    ):
        return None
    if name in (*SELECTIONS, "cast"):
        inputs = (log(x.inputs[0]), *x.inputs[1:])
    elif name == "where":
        inputs = (x.inputs[0], *map(log, x.inputs[1:]))
    else:
        inputs = tuple(map(log, x.inputs))
    return intern(x.op, inputs, x.params)


@rule("log")
def log_of_exponentials(node: Node) -> Node | None:
    """``log(softmax(z)) -> log_softmax(z)``, ``log(1 + exp(x)) -> softplus(x)``, ...

    Also ``log(sum(exp(z))) -> logsumexp(z)`` and ``log(sigmoid(x)) -> -softplus(-x)``:
    the logarithm of any product of exponentials, of their sums, powers and reciprocals.
    What else is in the product keeps a logarithm of its own.
    """
    (x,) = node.inputs
    if not exponential(x):
        return None
    return _log_of(read(x), node)


def _log_of(found: Product, node: Node) -> Node | None:
    if not found.form:
        return None
    total = stable_sum(found.form)
    if total is None:
        total = plain(found.form, node.dtype)
    if found.rest:
        rest, _ = Product(found.coefficient, {}, found.rest).write(node.dtype)
        total = total + log(rest)
    elif found.coefficient <= 0:
        return None
    elif found.coefficient != 1:
        total = total + constant(math.log(found.coefficient), node.dtype)
    return fitting(total, node)


@rule("log1p")
def log1p_of_exponentials(node: Node) -> Node | None:
    """``log1p(exp(x)) -> softplus(x)``, ``log1p(-sigmoid(x)) -> -softplus(x)``."""
    (x,) = node.inputs
    if not exponential(x):
        return None
    found = read(x)
    if found.rest or not found.form:
        return None
    if found.coefficient > 0:
        return _log_of(read(x + constant(1, x.dtype)), node)
    softened = [a for a in found.form if a.op.name == "softplus"]
    if found.coefficient != -1 or len(softened) != 1:
        return None
    (a,) = softened[0].inputs
    if found.form == {softened[0]: -1.0}:  # 1 - sigmoid(-a)
        return fitting(-softplus(negated(a)), node)
    if found.form == {**linear(a), softened[0]: -1.0}:
        return fitting(-softplus(a), node)
    return None


@rule("log", of=("negative",))
def log_of_complement(node: Node) -> Node | None:
    """``log(-expm1(x)) -> log1p(-exp(x))`` where x is far below 0: both are right."""
    (minus,) = node.inputs
    if minus.inputs[0].op.name != "expm1":
        return None
    (x,) = minus.inputs[0].inputs
    # Above 0 there is no logarithm, which the branch for what is far below says.
    near = logical_and(x > -math.log(2), x <= 0)
    # Each branch sees only what it is right for, so that its slope is finite too.
    close = where(near, x, -1)
    far = where(near, -1, x)
    return fitting(where(near, _log_small(close), log1p(-OPS["exp"](far))), node)


def _log_small(x: Node) -> Node:
    # A node of its own, which no rule reads as the pattern above once more.
    small: Node = log(absolute(expm1(x)))
    return small


@rule("log", of=("prod",))
def log_of_product(node: Node) -> Node | None:
    """``log(prod(p, axis)) -> sum(log(p), axis)``, `p` not negative."""
    (whole,) = node.inputs
    (p,) = whole.inputs
    if not nonnegative(p):
        return None
    return reduced("sum", log(p), whole.params["axis"], whole.params["keepdims"])


@rule("log", of=("sum",))
def log_of_weighted_sum(node: Node) -> Node | None:
    """``log(sum(w * exp(z))) -> logsumexp(z + log(w))``, `w` positive or one-hot."""
    (total,) = node.inputs
    (x,) = total.inputs
    if not exponential(x):
        return None
    found = read(x)
    if not found.form or not found.rest or not is_weighted(found):
        return None
    weights, _ = Product(found.coefficient, {}, found.rest).write(node.dtype)
    exponent = stable_sum(found.form)
    if exponent is None:
        exponent = plain(found.form, x.dtype)
    z = fitting(exponent + log(weights), x)
    if z is None:
        return None
    return reduced("logsumexp", z, total.params["axis"], total.params["keepdims"])


@rule("log", of=("add",))
def log_of_two(node: Node) -> Node | None:
    """``log(u * exp(x) + v * exp(y)) -> logaddexp(x + log(u), y + log(v))``.

    Written as ``max(a, b) + softplus(-|a - b|)``; `u` and `v` positive or one-hot.
    """
    parts = [read(i) for i in node.inputs[0].inputs]
    if not all(is_weighted(part) for part in parts):
        return None
    if not all(part.form for part in parts):
        return None
    a, b = (log(i) for i in node.inputs[0].inputs)
    return fitting(maximum(a, b) + softplus(-absolute(a - b)), node)


@rule("log", of=("square", "sqrt", "power"))
def log_of_power(node: Node) -> Node | None:
    """``log(x ** n) -> n * log(x)``, with ``|x|`` for an even n; ``log(sqrt(x))``."""
    (raised,) = node.inputs
    x = raised.inputs[0]
    if raised.op.name == "square":
        twice: Node = log(x if nonnegative(x) else absolute(x)) * 2
        return twice
    if raised.op.name == "sqrt":
        half: Node = log(x) * 0.5
        return half
    n = uniform(raised.inputs[1])
    if n is None or n == 0:
        if n is not None or not exponential(x) or not positive(x):
            return None
        return fitting(raised.inputs[1] * log(x), node)
    inside = x if n % 2 or nonnegative(x) else absolute(x)
    return fitting(log(inside) * constant(n, node.dtype), node)


@rule("log", of=("multiply", "divide"))
def log_of_quotient(node: Node) -> Node | None:
    """``log(x / y) -> log(x) - log(y)``, ``log(x * y) -> log(x) + log(y)``.

    Where one is a formula of exponentials, and one is known not to be negative: of
    others the logarithms may be alike, and their difference then has fewer digits.
    """
    (whole,) = node.inputs
    x, y = whole.inputs
    if not (exponential(x) or exponential(y)) or not (nonnegative(x) or nonnegative(y)):
        return None
    for part in (x, y):
        c = uniform(part)
        if c is not None and c <= 0:
            return None
    a, b = log(x), log(y)
    return fitting(a - b if whole.op.name == "divide" else a + b, node)


@rule("log", of=("add", "subtract"))
def log_near_one(node: Node) -> Node | None:
    """``log(1 + x) -> log1p(x)``, ``log(1 - x) -> log1p(-x)``."""
    (total,) = node.inputs
    x, y = total.inputs
    if uniform(x) == 1:
        return fitting(log1p(y if total.op.name == "add" else -y), node)
    if uniform(y) == 1 and total.op.name == "add":
        return fitting(log1p(x), node)
    return None


# Sums of logarithms -----------------------------------------------------------------


@rule("add", "subtract")
def sum_of_logarithms(node: Node) -> Node | None:
    """``z - logsumexp(z) -> log_softmax(z)``, ``softplus(x) - x -> softplus(-x)``.

    And ``softplus(x) - y * x -> (1 - y) * softplus(x) + y * softplus(-x)``: of numbers
    of one sign where y lies between 0 and 1.
    """
    terms = _terms(node)
    named = [t for t in terms if t.op.name in ("logsumexp", "softplus", "log_softmax")]
    seen = [t for t in terms if t.op.name in VIEWS]
    if not named and not seen:
        return None
    form = linear(node)
    if not any(a.op.name in ("logsumexp", "softplus") for a in form):
        return None
    try:
        found = stable_sum(form)
    except ShapeError:
        return None
    if found is None or _open(_terms(found)) >= _open(terms):
        return None
    return fitting(found, node)


def _terms(node: Node) -> list[Node]:
    """Return what is added, as it is written."""
    terms: list[Node] = []
    stack = [(node, DEPTH)]
    while stack and len(terms) <= DEPTH:
        top, left = stack.pop()
        if left and top.op.name in ("add", "subtract", "negative", "broadcast_to"):
            stack += [(i, left - 1) for i in top.inputs]
        else:
            terms.append(top)
    return terms


def _open(terms: list[Node]) -> int:
    """Count the terms that are no logarithm of a probability."""
    return sum(not _is_log_probability(term) for term in terms)


def _is_log_probability(term: Node) -> bool:
    seen, stack = {term}, [term]
    while stack:
        top = stack.pop()
        if top.op.name in ("softplus", "log_softmax"):
            return True
        factors = top.inputs if top.op.name in ("multiply", "divide") else ()
        below = top.inputs[:1] if top.op.name in VIEWS else factors
        stack += [i for i in below if i not in seen]
        seen.update(below)
    return False


LOGARITHMS: tuple[Rule, ...] = (
    log_of_choice,
    log_of_two,
    log_of_exponentials,
    log1p_of_exponentials,
    log_of_complement,
    log_of_product,
    log_of_weighted_sum,
    log_of_power,
    log_of_quotient,
    log_near_one,
    sum_of_logarithms,
)
