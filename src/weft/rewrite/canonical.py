"""The phase *canonical*: one spelling for what is written in many ways.

Minus signs and constants come out of products and sums, a reduction has its axes where
they are wanted, a part is taken before it is joined, views that undo each other meet.
Each rule is an identity of real numbers; rounding may differ in the last bits where
constants are merged. No rule makes a graph dearer to compute.

The phase ends: signs and constants move only towards the outputs, views towards the
leaves, where each move removes one of them or leaves one fewer on its way.
"""

from dataclasses import replace
from math import frexp

from weft.graph.dim import Dim, Size, same_size
from weft.graph.leaf import Leaf, constant
from weft.graph.node import Node, intern
from weft.graph.walk import topological
from weft.ops.arithmetic import multiply, subtract
from weft.ops.index import take_along_axis
from weft.ops.record import Op
from weft.ops.reduce import sum as sum_over
from weft.ops.structure import Piece, broadcast_to, concatenate, expand_dims, reshape
from weft.rewrite.facts import DEPTH, exponential, positive, simplex, uniform
from weft.rewrite.fast import negative_term
from weft.rewrite.rule import Rule, rule
from weft.rewrite.views import simple, viewed, viewed_axis

# Signs ------------------------------------------------------------------------------


@rule("multiply", "divide", of=("negative",))
def sign_of_product(node: Node) -> Node | None:
    """``(-x) * y -> -(x * y)``, ``x * (-y) -> -(x * y)``, and so with ``/``: exact."""
    x, y = node.inputs
    if x.op.name == "negative":
        return -_binary(node, x.inputs[0], y)
    return -_binary(node, x, y.inputs[0])


@rule("sum", "reshape", "transpose", "slice", "broadcast_to", of=("negative",))
def sign_of_all(node: Node) -> Node | None:
    """``sum(-x) -> -sum(x)``, exact; so with what only moves values about."""
    (x,) = node.inputs
    return -intern(node.op, x.inputs, node.params)


@rule("concatenate", of=("negative",))
def sign_of_joined(node: Node) -> Node | None:
    """``concatenate([-x, -y]) -> -concatenate([x, y])``, exact."""
    if any(i.op.name != "negative" for i in node.inputs):
        return None
    return -intern(node.op, tuple(i.inputs[0] for i in node.inputs), node.params)


@rule("square", of=("negative",))
def even(node: Node) -> Node | None:
    """``square(-x) -> square(x)``, exact; not `abs`, whose kink has two sides."""
    return intern(node.op, node.inputs[0].inputs, node.params)


@rule("tanh", "sin", "erf", of=("negative",))
def odd(node: Node) -> Node | None:
    """``tanh(-x) -> -tanh(x)``, exact; so with `sin` and `erf`."""
    return -intern(node.op, node.inputs[0].inputs, node.params)


# The identity of the fast phase; here a trace tells it by a name of its own.
term_with_sign = replace(negative_term, name="term_with_sign")


@rule("negative", of=("subtract",))
def sign_of_difference(node: Node) -> Node | None:
    """``-(x - y) -> y - x``, exact but for the sign of zero."""
    x, y = node.inputs[0].inputs
    return intern(subtract, (y, x), {})


@rule("multiply", "divide")
def times_minus_one(node: Node) -> Node | None:
    """``x * -1 -> -x``, ``x / -1 -> -x``, exact."""
    x, y = node.inputs
    if uniform(y) == -1 and x.shape == node.shape:
        return -x
    if node.op.name == "multiply" and uniform(x) == -1 and y.shape == node.shape:
        return -y
    return None


# Constants --------------------------------------------------------------------------


@rule("multiply", "divide")
def factor(node: Node) -> Node | None:
    """``(x * 3) * 2 -> x * 6``, ``(x * 2) / 2 -> x``, ``3 * x -> x * 3``.

    For finite numbers; a quotient that would not be exact stays.
    """
    x, y = node.inputs
    c = uniform(y)
    if node.op.name == "multiply" and c is None:
        if uniform(x) is None or x.shape not in ((), (1,) * x.ndim):
            return None
        return intern(multiply, (y, x), {})
    if c is None or node.dtype.kind != "f" or x.op.name not in ("multiply", "divide"):
        return None
    inner, by = x.inputs
    d = uniform(by)
    if d is None or by.shape not in ((), (1,) * by.ndim) or inner.shape != node.shape:
        return None
    if not _is_power_of_two(c) or not _is_power_of_two(d):
        return None
    total = d if x.op.name == "multiply" else 1 / d
    total = total * c if node.op.name == "multiply" else total / c
    return inner if total == 1 else inner * constant(total, node.dtype)


def _is_power_of_two(c: float) -> bool:
    # Far from where float32 overflows.
    return abs(frexp(c)[0]) == 0.5 and 1e-9 < abs(c) < 1e9


# Sums -------------------------------------------------------------------------------


@rule("sum")
def sum_of_shares(node: Node) -> Node | None:
    """``sum(p, axis) -> 1``, where `p` is known to sum to 1 along that axis."""
    (x,) = node.inputs
    if not simplex(x, node.params["axis"]):
        return None
    one: Node = broadcast_to(constant(1, node.dtype), node.shape)
    return one


@rule("sum", of=("multiply",))
def sum_of_scaled_shares(node: Node) -> Node | None:
    """``sum(p * x, axis) -> x``, where `p` sums to 1 and `x` is constant there."""
    axes = node.params["axis"]
    (whole,) = node.inputs
    for p, x in (whole.inputs, whole.inputs[::-1]):
        if p.shape != whole.shape or not simplex(p, axes):
            continue
        wide = (1,) * (p.ndim - x.ndim) + x.shape
        if wide[axes[0]] != 1 or p.shape[axes[0]] == 1:
            continue
        kept = tuple(1 if a in axes else size for a, size in enumerate(p.shape))
        scale = broadcast_to(reshape(x, wide), kept)
        found: Node = reshape(scale, node.shape)
        return found
    return None


@rule("sum", of=("add", "subtract"))
def sum_of_terms(node: Node) -> Node | None:
    """``sum(p * x + y) -> sum(p * x) + sum(y)``, where `p` sums to 1 and `x` stays."""
    (whole,) = node.inputs
    if any(i.shape != whole.shape for i in whole.inputs):
        return None
    parts = [intern(node.op, (i,), node.params) for i in whole.inputs]
    rules = (sum_of_shares, sum_of_scaled_shares)
    if all(r.replacement(p) is None for p in parts for r in rules if r.matches(p)):
        return None
    return intern(whole.op, tuple(parts), {})


@rule("subtract")
def zero_less(node: Node) -> Node | None:
    """``0 - x -> -x``, exact but for the sign of zero."""
    zero, x = node.inputs
    return -x if uniform(zero) == 0 and x.shape == node.shape else None


@rule("subtract")
def nothing_left(node: Node) -> Node | None:
    """``x - x -> 0`` for finite sums and exponentials: what other rules may leave."""
    x, y = node.inputs
    if x is not y or not (x.op.name == "sum" or exponential(x)):
        return None
    zero: Node = broadcast_to(constant(0, node.dtype), node.shape)
    return zero


@rule("multiply")
def nothing_shared(node: Node) -> Node | None:
    """``0 * p -> 0`` for shares `p` of a whole and for exponentials, if finite."""
    for zero, p in (node.inputs, node.inputs[::-1]):
        if uniform(zero) != 0:
            continue
        if exponential(p) or any(simplex(p, (a,)) for a in range(p.ndim)):
            none: Node = broadcast_to(constant(0, node.dtype), node.shape)
            return none
    return None


@rule("add", "subtract", of=("where",))
def choices_added(node: Node) -> Node | None:
    """``where(c, x, 0) + where(c, 0, y) -> where(c, x, y)``, exact.

    Any two choices of one condition, where they are formulas of exponentials.
    """
    left, right = node.inputs
    if left.op.name != "where" or right.op.name != "where":
        return None
    (c, x, y), (d, u, v) = left.inputs, right.inputs
    if c is not d or left.shape != right.shape:
        return None
    zeros = (uniform(x) == 0 and uniform(v) == 0) or (
        uniform(y) == 0 and uniform(u) == 0
    )
    if not zeros and not exponential(node):
        return None
    return intern(left.op, (c, _plus(node, x, u), _plus(node, y, v)), {})


def _plus(node: Node, x: Node, y: Node) -> Node:
    """Return x + y or x - y, as `node` has it; a 0 is left out."""
    adds = node.op.name == "add"
    if uniform(y) == 0 and x.shape == node.shape:
        return x
    if uniform(x) == 0 and y.shape == node.shape:
        return y if adds else -y
    return _binary(node, x, y)


@rule("where")
def choice_within_choice(node: Node) -> Node | None:
    """``where(c, f(where(c, x, y)), z) -> where(c, f(x), z)``, `f` elementwise.

    Where `f` adds and subtracts or x is positive: an inner choice may be there so that
    the derivative of `f` is finite also where it is not chosen.
    """
    c, x, y = node.inputs
    first, second = _settled(x, c, 1, _NEAR, True), _settled(y, c, 2, _NEAR, True)
    if (first, second) == (x, y):
        return None
    found = intern(node.op, (c, first, second), {})
    return found if found.shape == node.shape else None


# Layers in which a choice inside a choice is looked for.
_NEAR = 5
# What has the same derivative everywhere.
_EVEN_SLOPED = ("negative", "add", "subtract", "where")


def _settled(node: Node, c: Node, branch: int, depth: int, even_sloped: bool) -> Node:
    """Return `node` where it is known which branch the condition `c` takes."""
    if node.op.name == "where" and node.inputs[0] is c:
        chosen = node.inputs[branch]
        fits = chosen.shape == node.shape and (even_sloped or positive(chosen))
        return chosen if fits else node
    if depth == 0 or not isinstance(node.op, Op) or node.op.emit is None:
        return node
    straight = even_sloped and node.op.name in _EVEN_SLOPED
    inputs = tuple(_settled(i, c, branch, depth - 1, straight) for i in node.inputs)
    return node if inputs == node.inputs else intern(node.op, inputs, node.params)


@rule("subtract", of=("reshape", "transpose"))
def common_view(node: Node) -> Node | None:
    """``view(logsumexp(z)) - view(x) -> view(logsumexp(z) - x)``, so that they meet."""
    op, inputs = node.op, node.inputs
    view = inputs[0]
    if view.op.name not in ("reshape", "transpose"):
        return None
    if "logsumexp" not in (_moved(i).op.name for i in inputs):
        return None
    shape = view.inputs[0].shape
    below: dict[Node, Node] = {}
    for i in inputs:
        if i.op is not view.op or i.params != view.params:
            return None
        (x,) = i.inputs
        if x.shape != shape and not (
            view.op.name == "reshape"
            and exponential(node)
            and same_size(x.shape, shape)
        ):
            return None
        below[i] = reshape(x, shape)
    inner = intern(op, tuple(below[i] for i in inputs), node.params)
    return intern(view.op, (inner,), view.params)


def _moved(node: Node) -> Node:
    """Return what views of views are views of."""
    while node.op.name in ("reshape", "transpose"):
        (node,) = node.inputs
    return node


@rule("cast", of=("one_hot",))
def one_hot_of_type(node: Node) -> Node | None:
    """``cast(one_hot(i), type) -> one_hot(i, type)``, exact."""
    (hot,) = node.inputs
    return intern(hot.op, hot.inputs, {**hot.params, "dtype": node.dtype})


@rule("size")
def counted_below(node: Node) -> Node | None:
    """``size(f(x)) -> size(x)``: the count without what is counted."""
    (x,), axes = node.inputs, node.params["axis"]
    if len(axes) != 1 or isinstance(x.op, Leaf):
        return None
    length = x.shape[axes[0]]
    for below in x.inputs:
        if length in below.shape:
            return intern(node.op, (below,), {"axis": (below.shape.index(length),)})
    return None


@rule(of=("reshape",))
def plain_number(node: Node) -> Node | None:
    """``f(reshape(c, (1,)), x) -> f(c, x)`` for a single number, `f` elementwise."""
    op = node.op
    if not isinstance(op, Op) or op.emit is None or len(node.inputs) < 2:
        return None
    bare = tuple(
        i.inputs[0] if i.op.name == "reshape" and i.inputs[0].shape == () else i
        for i in node.inputs
    )
    if bare == node.inputs or op.infer(bare, node.params)[0] != node.shape:
        return None
    return intern(op, bare, node.params)


@rule("reshape", of=("sum", "max", "min", "prod", "logsumexp"))
def kept_axes(node: Node) -> Node | None:
    """``reshape(sum(x, axis), ...) -> sum(x, axis, keepdims=True)``, if that is it.

    So with the other reductions, and the other way about.
    """
    (inner,) = node.inputs
    (x,) = inner.inputs
    other = not inner.params["keepdims"]
    found = intern(inner.op, (x,), {**inner.params, "keepdims": other})
    return found if found.shape == node.shape else None


@rule("sum", of=("put_along_axis", "scatter_add", "embed"))
def sum_of_scattered(node: Node) -> Node | None:
    """``sum(scatter(x), axis) -> sum(x, axis)``: zeros add nothing.

    Where the positions have been looked at before: in a derivative, when values were
    chosen by them.
    """
    (scattered,) = node.inputs
    x, axes = scattered.inputs[0], node.params["axis"]
    name, params = scattered.op.name, scattered.params
    if x.ndim != scattered.ndim or any(size == 0 for size in x.shape):
        return None
    if name == "embed":
        whole = [
            a
            for a, piece in enumerate(params["pieces"])
            if piece != (0, scattered.shape[a], 1)
        ]
        within = set(whole) <= set(axes)
    else:
        within = params["axis"] in axes and (name == "put_along_axis" or exponential(x))
    return intern(node.op, (x,), node.params) if within else None


@rule("sum", of=("transpose",))
def sum_of_transposed(node: Node) -> Node | None:
    """``sum(transpose(x), axis) -> transpose(sum(x, axes))``, of fewer numbers.

    Only where the sum needs no transposing any more.
    """
    (moved,) = node.inputs
    (x,), order = moved.inputs, moved.params["axes"]
    axes = tuple(sorted(order[a] for a in node.params["axis"]))
    if node.params["keepdims"]:
        return None
    left = [a for a in order if a not in axes]
    if left != sorted(left):
        return None
    return intern(node.op, (x,), {"axis": axes, "keepdims": False})


@rule("sum", of=("multiply",))
def sum_of_chosen(node: Node) -> Node | None:
    """``sum(one_hot(y) * x, -1) -> take_along_axis(x, y)``, `x` finite."""
    if len(node.params["axis"]) != 1:
        return None
    for hot, x in (node.inputs[0].inputs, node.inputs[0].inputs[::-1]):
        if hot.op.name != "one_hot" or x.shape != hot.shape or uniform(x):
            continue
        (axis,) = node.params["axis"]
        if axis != hot.ndim - 1:
            return None
        taken = take_along_axis(x, expand_dims(hot.inputs[0], -1), axis)
        shaped: Node = reshape(taken, node.shape)
        return shaped
    return None


# Parts ------------------------------------------------------------------------------


@rule("slice", of=("concatenate",))
def part_of_joined(node: Node) -> Node | None:
    """``concatenate([x, y])[a:b] -> x[a:b]``, if all of it lies in `x`."""
    (joined,) = node.inputs
    axis, pieces = joined.params["axis"], node.params["pieces"]
    start, length, step = pieces[axis]
    if isinstance(start, Dim) or isinstance(length, Dim) or length == 0:
        return None
    last = start + (length - 1) * step
    before = 0
    for x in joined.inputs:
        size = x.shape[axis]
        if isinstance(size, Dim):
            return None
        if before <= min(start, last) and max(start, last) < before + size:
            piece = (start - before, length, step)
            inside = (*pieces[:axis], piece, *pieces[axis + 1 :])
            return simple(intern(node.op, (x,), {"pieces": inside}))
        before += size
    return None


@rule("concatenate", of=("slice",))
def joined_again(node: Node) -> Node | None:
    """``concatenate([x[:a], x[a:]]) -> x``, exact."""
    axis, first = node.params["axis"], node.inputs[0]
    if first.op.name != "slice":
        return None
    (x,) = first.inputs
    if x.shape != node.shape:
        return None
    reached: Size = 0
    for part in node.inputs:
        if part.op.name != "slice" or part.inputs[0] is not x:
            return None
        pieces: list[Piece] = [(0, size, 1) for size in x.shape]
        pieces[axis] = (reached, part.shape[axis], 1)
        if part.params["pieces"] != tuple(pieces):
            return None
        reached = part.shape[axis] + reached
    return x


@rule("add", of=("embed",))
def embedded_side_by_side(node: Node) -> Node | None:
    """``embed(x, [:a]) + embed(y, [a:]) -> concatenate([x, y])``, exact."""
    x, y = node.inputs
    if x.op.name != "embed" or y.op.name != "embed" or x.shape != y.shape:
        return None
    first, second = x.params["pieces"], y.params["pieces"]
    differing = [
        a
        for a, pieces in enumerate(zip(first, second, strict=True))
        if pieces[0] != pieces[1]
    ]
    if len(differing) != 1:
        return None
    (axis,) = differing
    others = [p for a, p in enumerate(first) if a != axis]
    whole = [(0, size, 1) for a, size in enumerate(x.shape) if a != axis]
    (start, length, step), (then, rest, stride) = first[axis], second[axis]
    if start != 0:
        x, y, length, then, rest, start = y, x, rest, 0 + start, length, then
    ends = start == 0 and then == length and length + rest == node.shape[axis]
    if others != whole or not ends or (step, stride) != (1, 1):
        return None
    joined: Node = concatenate([x.inputs[0], y.inputs[0]], axis)
    return joined


@rule("where", of=("logical_and",))
def nothing_to_mend(node: Node) -> Node | None:
    """``where(x == 0 and c, y, x) -> x``, where `x` is positive.

    A power's derivative mends its base at 0, where the exponent is 0 as well.
    """
    condition, _, x = node.inputs
    if condition.op.name != "logical_and" or not positive(x) or x.shape != node.shape:
        return None
    at_zero = condition.inputs[0]
    same = at_zero.op.name == "equal" and at_zero.inputs[0] is x
    if any(part.op.name == "log" for part in topological([x])):
        return None  # exp(log(0)) is 0
    return x if same and uniform(at_zero.inputs[1]) == 0 else None


@rule("where")
def no_choice(node: Node) -> Node | None:
    """``where(c, x, x) -> x``, exact."""
    _, x, y = node.inputs
    return x if x is y and x.shape == node.shape else None


@rule("slice", of=("embed",))
def part_of_embedded(node: Node) -> Node | None:
    """``embed(x, pieces)[pieces] -> x``, or 0 where the two have nothing in common."""
    (embedded,) = node.inputs
    there, here = embedded.params["pieces"], node.params["pieces"]
    if there == here:
        return embedded.inputs[0]
    if any(map(_apart, there, here)):
        zero: Node = broadcast_to(constant(0, node.dtype), node.shape)
        return zero
    return None


def _apart(piece: Piece, other: Piece) -> bool:
    """Tell whether two parts of an axis have no position in common."""
    if any(isinstance(bound, Dim) for bound in (*piece, *other)):
        return False
    ranges = [range(p[0], p[0] + p[1] * p[2], p[2]) for p in (piece, other)]  # type: ignore[arg-type]
    return not set(ranges[0]) & set(ranges[1])


@rule("reshape", "transpose", "slice")
def view_of_formula(node: Node) -> Node | None:
    """``view(f(x, y)) -> f(view(x), view(y))``, if every view on the right vanishes.

    For elementwise `f`, softmax and sums whose axis stays: exact.
    """
    x = node.inputs[0]
    if not x.inputs or not isinstance(x.op, Op) or _takes_no_view(x):
        return None
    found = _vanished(node, x, DEPTH, {})
    return found if found is None or found.shape == node.shape else None


def _takes_no_view(x: Node) -> bool:
    assert isinstance(x.op, Op)
    soft = ("softmax", "log_softmax", "sum")
    return x.op.emit is None and x.op.name not in soft


_Seen = dict[Node, Node | None]


def _vanished(view: Node, x: Node, depth: int, seen: _Seen) -> Node | None:
    """Return the view of `x` without a view in it, if there is such a node."""
    if x not in seen:
        seen[x] = _without_view(view, x, depth, seen)
    return seen[x]


def _without_view(view: Node, x: Node, depth: int, seen: _Seen) -> Node | None:
    number = uniform(x)
    if number is not None and x.dtype.kind == "f":
        return constant(number, x.dtype)
    if depth == 0:
        return None
    if x.op.name in ("reshape", "transpose"):
        part = viewed(view, x)
        return part if part is x.inputs[0] else None
    if not x.inputs or not isinstance(x.op, Op) or _takes_no_view(x):
        return None
    if x.op.emit is None:
        return _reduction_viewed(view, x, depth, seen)
    inputs = [_vanished(view, i, depth - 1, seen) for i in x.inputs]
    if None in inputs:
        return None
    return intern(x.op, tuple(i for i in inputs if i is not None), x.params)


def _reduction_viewed(view: Node, x: Node, depth: int, seen: _Seen) -> Node | None:
    if x.shape != view.inputs[0].shape and x.op.name != "sum":
        return None
    (inner,) = x.inputs
    if inner.shape != view.inputs[0].shape:
        return None
    part = _vanished(view, inner, depth - 1, seen)
    if part is None or part.shape != view.shape:
        return None
    if x.op.name == "sum":
        places = [viewed_axis(view, a) for a in x.params["axis"]]
        if None in places or not x.params["keepdims"]:
            return None
        at = tuple(sorted(a for a in places if a is not None))
        node: Node = sum_over(part, at, keepdims=True)
        return node
    axis = viewed_axis(view, x.params["axis"])
    if axis is None:
        return None
    return intern(x.op, (part,), {"axis": axis})


def _binary(node: Node, x: Node, y: Node) -> Node:
    return intern(node.op, (x, y), {})


CANONICAL: tuple[Rule, ...] = (
    sign_of_product,
    sign_of_all,
    sign_of_joined,
    even,
    odd,
    term_with_sign,
    sign_of_difference,
    times_minus_one,
    factor,
    sum_of_shares,
    sum_of_scaled_shares,
    sum_of_terms,
    zero_less,
    nothing_left,
    nothing_shared,
    choices_added,
    choice_within_choice,
    common_view,
    one_hot_of_type,
    counted_below,
    plain_number,
    kept_axes,
    sum_of_scattered,
    sum_of_transposed,
    sum_of_chosen,
    part_of_joined,
    joined_again,
    embedded_side_by_side,
    no_choice,
    nothing_to_mend,
    part_of_embedded,
    view_of_formula,
)
