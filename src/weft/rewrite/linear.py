"""Sums of logarithms: an exponent as a linear form, and the stable way to compute it.

Every logarithm of a probability is such a form. With ``lse(z) = log(sum(exp(z)))`` and
``sp(a) = log(1 + exp(a))`` ::

    log softmax(z) = z - lse(z)        log sigmoid(a)  = a - sp(a)
    log sigmoid(-a) = -sp(a)           log(exp(a) + exp(b)) = b + sp(a - b)

so that products, quotients and powers of probabilities become sums of few *atoms*.
`linear` reads a node as such a form; `plain` writes a form as it stands; `stable_sum`
writes it so that nothing large cancels: z - lse(z) as log_softmax(z), and
``sp(a) - y a`` as ``(1 - y) sp(a) + y sp(-a)``.
"""

import math
from functools import lru_cache

from weft.graph.leaf import constant
from weft.graph.node import DType, Node, intern
from weft.ops.arithmetic import abs as absolute
from weft.ops.reduce import log_softmax
from weft.ops.special import softplus
from weft.ops.structure import reshape
from weft.rewrite.facts import DEPTH, normal, uniform
from weft.rewrite.views import (
    VIEWS,
    as_node,
    reduced,
    row_of,
    select_again,
    simple,
    viewed,
    viewed_axis,
)

# Views after which an axis may still be there, whole.
_KEEP_AXES = ("transpose", "reshape", "slice", "cast")

# Atoms and their factors: what is meant is the sum of factor * atom, broadcast.
Form = dict[Node, float]


def is_total(atom: Node) -> bool:
    """Tell whether an atom is a logarithm of a sum, as it is or moved about."""
    while atom.op.name in VIEWS:
        atom = atom.inputs[0]
    return atom.op.name in ("logsumexp", "softplus")


def plus(form: Form, other: Form, factor: float = 1, depth: int = DEPTH) -> Form:
    """Return ``form + factor * other``; what lies deeper than `depth` is an atom."""
    total = dict(form)
    for atom, c in other.items():
        c *= factor
        if atom.op.name == "softplus" and atom not in total and depth > 0:
            # sp(-a) = sp(a) - a: one of the two spellings, so that they can cancel.
            inner = linear(atom.inputs[0], depth - 1)
            mirrored = softplus(plain(_negative(inner), atom.dtype))
            if mirrored in total:
                total[mirrored] += c
                total = plus(total, inner, c, depth - 1)
                continue
        if atom.op.name == "logsumexp" and atom not in total:
            atom = _same_total(atom, total)
        total[atom] = total.get(atom, 0) + c
    return {atom: c for atom, c in total.items() if c}


@lru_cache(maxsize=8192)
def linear(node: Node, depth: int = DEPTH) -> Form:
    """Read a node as a linear form.

    Parameters
    ----------
    node : Node
    depth : int
        Layers to look at; what lies deeper is an atom.

    Returns
    -------
    dict of Node to float
        Not to be changed: it is remembered, so that shared parts are read once.

    Examples
    --------
    >>> import weft
    >>> z = weft.input("z", ("n", 3))
    >>> for atom, c in linear(weft.log_softmax(z * 2)).items():
    ...     print(c, weft.text(atom))
    2.0 z
    -1.0 logsumexp((z * 2), axis=(1,), keepdims=True)
    """
    if depth <= 0 or node.dtype.kind != "f":
        return {node: 1.0}
    found = _linear(node, depth - 1)
    # A factor that the type cannot hold is not to be computed ahead.
    return found if all(normal(c, node.dtype) for c in found.values()) else {node: 1.0}


def _linear(node: Node, depth: int) -> Form:
    name = node.op.name
    if name == "broadcast_to":
        return linear(node.inputs[0], depth)
    if name == "negative":
        return plus({}, linear(node.inputs[0], depth), -1, depth)
    if name in ("add", "subtract"):
        x, y = node.inputs
        pair = _logaddexp(x, y) if name == "add" else None
        if pair is not None:
            a, b = (linear(i, depth) for i in pair)
            return plus(b, sp(plus(a, b, -1, depth), node.dtype, depth), 1, depth)
        sign = 1 if name == "add" else -1
        return plus(linear(x, depth), linear(y, depth), sign, depth)
    if name in ("multiply", "divide"):
        x, y = node.inputs
        c = uniform(y)
        if c is None and name == "multiply":
            x, c = y, uniform(x)
        if c:
            by = c if name == "multiply" else 1 / c
            return plus({}, linear(x, depth), by, depth)
        if name == "multiply":
            x, y = node.inputs
            return times(x, y, depth)
    if name == "log_softmax":
        (z,) = node.inputs
        total = lse(z, (node.params["axis"],), True, depth)
        return plus(linear(z, depth), total, -1, depth)
    if name == "logsumexp":
        (z,), axes = node.inputs, node.params["axis"]
        return lse(z, axes, node.params["keepdims"], depth)
    if name == "softplus":
        return sp(linear(node.inputs[0], depth), node.dtype, depth)
    if name in VIEWS:
        inner = linear(node.inputs[0], depth)
        if inner != {node.inputs[0]: 1} or is_total(node):
            seen = form_viewed(node, inner, depth)
            if seen is not None:
                return seen
        once = simple(node)
        if once is not node:
            return linear(once, depth)
    return {node: 1.0}


def times(x: Node, y: Node, depth: int = DEPTH) -> Form:
    """Return ``x * y`` as a form: a share of a logarithm, ``(p - 1) log q`` in parts.

    Examples
    --------
    >>> import weft
    >>> a, y = weft.input("a", ("n",)), weft.input("y", ("n",))
    >>> log = weft.softplus(a)
    >>> times(1 - y, log) == {log: 1, y * log: -1}
    True
    """
    for share, log in ((x, y), (y, x)):
        form = linear(log, depth)
        if not any(map(is_total, form)):
            continue
        stable = stable_sum(form, depth)
        written, sign = plain(form, log.dtype) if stable is None else stable, 1.0
        if written.op.name == "negative":
            written, sign = written.inputs[0], -1.0
        result: Form = {}
        for part, c in linear(share, depth).items():
            number = uniform(part)
            if number is not None:
                result = plus(result, form, c * number, depth)
            else:
                result = plus(result, {part * written: 1.0}, c * sign, depth)
        return result
    return {x * y: 1.0}


def _negative(form: Form) -> Form:
    return {atom: -c for atom, c in form.items()}


def _same_total(atom: Node, form: Form) -> Node:
    """Return the atom of `form` that is `atom`, but for axes of size 1 in front."""
    axes, keepdims = atom.params["axis"], atom.params["keepdims"]
    if axes == tuple(range(len(axes))):
        twin = reduced("logsumexp", atom.inputs[0], axes, not keepdims)
        if twin in form:
            return twin
    return atom


def _logaddexp(x: Node, y: Node) -> tuple[Node, ...] | None:
    """Return a, b if the terms are ``max(a, b)`` and ``softplus(-|a - b|)``."""
    if x.op.name != "maximum" or y.op.name != "softplus":
        return None
    a, b = x.inputs
    return (a, b) if y.inputs[0] is -absolute(a - b) else None


def form_viewed(view: Node, form: Form, depth: int = DEPTH) -> Form | None:
    """Return the form whose value is the view of the value of `form`, if it has one."""
    result: Form = {}
    for atom, c in form.items():
        part = _atom_viewed(view, atom, depth - 1)
        if part is None:
            return None
        result = plus(result, part, c, depth)
    return result


def _atom_viewed(view: Node, atom: Node, depth: int) -> Form | None:
    if atom.op.name == "softplus":
        if depth <= 0:
            return None
        inner = form_viewed(view, linear(atom.inputs[0], depth), depth)
        return None if inner is None else sp(inner, view.dtype, depth)
    if view.op.name == "cast":
        return _atom_cast(view, atom, depth)
    if atom.op.name == "logsumexp" and view.op.name in _KEEP_AXES:
        z, axes = atom.inputs[0], atom.params["axis"]
        # A transpose names axes only, so it is that of z as well as of the total.
        same = z.shape == view.inputs[0].shape or view.op.name == "transpose"
        if same and z.ndim == view.inputs[0].ndim and atom.params["keepdims"]:
            places = [viewed_axis(view, a) for a in axes]
            seen = viewed(view, z)
            whole = seen is not None and seen.ndim == view.ndim
            if seen is not None and whole and None not in places:
                at = tuple(sorted(a for a in places if a is not None))
                return lse(seen, at, True, depth)
    part = viewed(view, atom)
    return None if part is None else {part: 1.0}


def _atom_cast(view: Node, atom: Node, depth: int) -> Form:
    """Return the atom in another type, with the cast as far inside as it goes."""

    def cast(x: Node) -> Node:
        return simple(intern(view.op, (x,), view.params))

    if atom.op.name == "logsumexp":
        z, axes = cast(atom.inputs[0]), atom.params["axis"]
        return lse(z, axes, atom.params["keepdims"], depth)
    if atom.op.name in VIEWS and atom.op.name != "cast":
        inputs = (cast(atom.inputs[0]), *atom.inputs[1:])
        return linear(intern(atom.op, inputs, atom.params), depth)
    return {cast(atom): 1.0}


# Atoms ----------------------------------------------------------------------------


def sp(form: Form, dtype: DType, depth: int = DEPTH) -> Form:
    """Return ``log(1 + exp(form))`` as a form.

    Where all factors are negative it is said by that of ``-form``; where nothing is
    left it is ``log(2)``.
    """
    if not form:
        return {constant(math.log(2), dtype): 1.0}
    if all(c < 0 for c in form.values()):
        mirrored = _negative(form)
        return plus({softplus(plain(mirrored, dtype)): 1.0}, form, 1, depth)
    return {softplus(plain(form, dtype)): 1.0}


def lse(z: Node, axes: tuple[int, ...], keepdims: bool, depth: int = DEPTH) -> Form:
    """Return ``log(sum(exp(z), axes))`` as a form; what is constant there comes out.

    Examples
    --------
    >>> import weft
    >>> z = weft.input("z", ("n", 3))
    >>> m = weft.max(z, -1, keepdims=True)
    >>> lse(z - m, (1,), True) == {weft.logsumexp(z, -1, keepdims=True): 1, m: -1}
    True
    """
    form = linear(z, depth)
    outside = {a: c for a, c in form.items() if constant_along(a, z, axes)}
    inside = {a: c for a, c in form.items() if a not in outside}
    if inside:
        inner = plain(inside, z.dtype)
        moved = without(outside, z, axes, keepdims)
        if inner.shape == z.shape and moved is not None:
            total = reduced("logsumexp", inner, axes, keepdims)
            return plus({total: 1.0}, moved, 1, depth)
    return {reduced("logsumexp", z, axes, keepdims): 1.0}


def constant_along(atom: Node, z: Node, axes: tuple[int, ...]) -> bool:
    """Tell whether `atom`, beside `z`, is of size 1 along `axes` and `z` is not."""
    lead = z.ndim - atom.ndim
    return all(
        (a < lead or atom.shape[a - lead] == 1) and z.shape[a] != 1 for a in axes
    )


def without(form: Form, z: Node, axes: tuple[int, ...], keepdims: bool) -> Form | None:
    """Return `form`, of size 1 along `axes`, as beside the reduced value of `z`."""
    if keepdims:
        return form
    result: Form = {}
    for atom, c in form.items():
        if atom.ndim:
            if atom.ndim != z.ndim:
                return None
            kept = [size for a, size in enumerate(atom.shape) if a not in axes]
            squeezed: Node = reshape(atom, kept)
            atom = squeezed
        result[atom] = result.get(atom, 0) + c
    return result


# Writing --------------------------------------------------------------------------


def plain(form: Form, dtype: DType) -> Node:
    """Write a form as it stands: what is added first, then what is subtracted.

    Parameters
    ----------
    form : dict of Node to float
    dtype : numpy.dtype
        Of the 0 that a form without atoms is.

    Returns
    -------
    Node
        Of a shape that broadcasts to that of what was read.

    Examples
    --------
    >>> import weft
    >>> x, y = weft.input("x", ()), weft.input("y", ())
    >>> print(weft.text(plain({x: -2.0, y: 1.0}, x.dtype)))
    (y - (x * 2))
    """
    if not form:
        return constant(0, dtype)
    return _sum_of([(c, atom) for atom, c in form.items()])


def stable_sum(form: Form, depth: int = DEPTH) -> Node | None:
    """Write a form so that no large numbers cancel; None if it needs nothing.

    Examples
    --------
    >>> import weft
    >>> z = weft.input("z", ("n", 3))
    >>> total = weft.logsumexp(z, -1, keepdims=True)
    >>> stable_sum({z: 1.0, total: -1.0}) is weft.log_softmax(z)
    True
    """
    rest = dict(form)
    parts: list[tuple[float, Node]] = []
    for atom in form:
        if atom.op.name == "logsumexp":
            _take_softmax(rest, atom, parts, depth)
    for atom in form:
        if atom.op.name == "softplus":
            _take_softplus(rest, atom, parts, depth)
    if not parts:
        return None
    return _sum_of([(c, a) for a, c in rest.items()] + parts)


def _sum_of(parts: list[tuple[float, Node]]) -> Node:
    total: Node | None = None
    for c, node in sorted(parts, key=lambda part: part[0] < 0):
        term = node if abs(c) == 1 else node * abs(c)
        if total is None:
            total = -term if c < 0 else term
        else:
            total = total - term if c < 0 else total + term
    assert total is not None
    return total


_Parts = list[tuple[float, Node]]


def _take_softmax(rest: Form, atom: Node, parts: _Parts, depth: int) -> None:
    """Take ``c * (z - lse(z))`` out of `rest`, also for some elements of z only."""
    (z,), axes = atom.inputs, atom.params["axis"]
    if len(axes) != 1:
        return
    form, c = linear(z, depth), rest.get(atom, 0)
    if c and beside(z, atom) and (t := ratio(rest, form)) and t * c < 0:
        amount = t if abs(t) <= abs(c) else -c
        remove(rest, plus(form, {atom: -1.0}, 1, depth), amount)
        parts.append((amount, as_node(log_softmax(z, axes[0]))))
    for part in list(rest):
        c, t = rest.get(atom, 0), rest.get(part, 0)
        if c * t < 0 and (path := chosen_beside(part, atom)):
            amount = t if abs(t) <= abs(c) else -c
            whole = as_node(log_softmax(z, axes[0]))
            remove(rest, {part: 1.0, atom: -1.0}, amount)
            parts.append((amount, select_again(path, whole)))


def beside(part: Node, atom: Node) -> bool:
    """Tell whether ``part - atom``, broadcast, takes each total from its own row.

    Where `part` is what `atom` is the total of, or a choice along its axis alone: then
    the two differ in axes by that axis at most.
    """
    axes, keepdims = atom.params["axis"], atom.params["keepdims"]
    whole = part.ndim == atom.inputs[0].ndim
    return bool(axes == (0,) or keepdims == whole)


def chosen_beside(part: Node, atom: Node) -> list[Node] | None:
    """Return the views that choose `part` of what `atom` is the total of.

    None if it is no such part, or if it does not stand beside the totals of its rows.

    Examples
    --------
    >>> import weft
    >>> z = weft.input("z", (2, 3))
    >>> kept, bare = weft.logsumexp(z, -1, keepdims=True), weft.logsumexp(z, -1)
    >>> [chosen_beside(z[:, :2], total) is None for total in (kept, bare)]
    [False, True]
    >>> [chosen_beside(z[:, 0], total) is None for total in (kept, bare)]
    [True, False]
    """
    path = row_of(part, atom.inputs[0], atom.params["axis"])
    return path if path and beside(part, atom) else None


def _take_softplus(rest: Form, atom: Node, parts: _Parts, depth: int) -> None:
    """Take ``c * (sp(a) - y a)`` out of `rest`."""
    (a,), c = atom.inputs, rest.get(atom, 0)
    if not c:
        return
    form = linear(a, depth)
    for part in list(rest):
        share = cofactor(part, atom)
        if share is not None and rest[part] == -c:
            remove(rest, {atom: 1.0, part: -1.0}, c)
            parts.append((c, (1 - share) * atom))
            return
    y = -ratio(rest, form) / c
    if 0 < y <= 1:
        remove(rest, plus({atom: 1.0}, form, -y, depth), c)
        mirrored = as_node(softplus(negated(a, depth)))
        if y < 1:
            parts.append((c * (1 - y), atom))
        parts.append((c * y, mirrored))
        return
    for part in list(rest):
        share = cofactor(part, a)
        if share is not None and rest.get(part, 0) == -c:
            remove(rest, {atom: 1.0, part: -1.0}, c)
            mirrored = as_node(softplus(negated(a, depth)))
            parts.append((c, (1 - share) * atom + share * mirrored))
            return


def cofactor(product: Node, factor: Node) -> Node | None:
    """Return y if `product` is ``y * factor``, as it is written."""
    if product.op.name == "multiply":
        x, y = product.inputs
        if factor in (x, y):
            return y if x is factor else x
    return None


def negated(a: Node, depth: int = DEPTH) -> Node:
    """Return ``-a``, written as a form."""
    return plain(_negative(linear(a, depth)), a.dtype)


def ratio(rest: Form, form: Form) -> float:
    """Return t with all of ``t * form`` in `rest`, of the smallest size; else 0."""
    ratios = [rest.get(atom, 0) / c for atom, c in form.items()]
    if not ratios or any(r * ratios[0] <= 0 for r in ratios):
        return 0
    return min(ratios, key=abs)


def remove(rest: Form, form: Form, amount: float) -> None:
    """Take ``amount * form`` out of `rest`, in place."""
    for atom, c in form.items():
        left = rest.get(atom, 0) - amount * c
        if left:
            rest[atom] = left
        else:
            rest.pop(atom, None)
