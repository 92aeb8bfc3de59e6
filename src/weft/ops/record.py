"""The record: everything about one op, side by side.

An `Op` holds its meaning in NumPy, its shape rule, its derivative in both modes, its
rule for a new leading axis, its scalar code, how it is written, facts about it and
where it is tested. A record that lacks one refuses to be built. The constructors below
let an op declare the mathematical object and derive the two modes from it, weakest
first:

- `elementwise` with ``partials``: a partial derivative ``p(out, *args)`` per argument;
- `linear`: the op itself is the forward mode, ``adjoints`` the reverse mode;
- `explicit`: ``vjp`` and ``jvp`` spelt out, where neither fits.

Rules are written in weft's own ops. An op applied to nodes builds a node; applied to
arrays only, it computes. So the same rule serves symbols and numbers, and the
derivative of a derivative costs nothing.

A partial of 1 or -1 is written as the number, a partial that is a mask as a comparison,
and no derivative as None. Where an op has a kink, ``partials`` hold the left derivative
there and ``right_partials`` the right one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from weft.graph.dim import Dim, Shape
from weft.graph.errors import GraphError
from weft.graph.json import register, unregister
from weft.graph.leaf import CONSTANT, constant
from weft.graph.node import DType, Node, Params, intern
from weft.ops.broadcast import common_dtype, elementwise_shape
from weft.ops.sample import Cases, Domain, domain_cases

# What rules pass around: a node, an array, or a Python number.
Value = Any
Vjp = Callable[[int, Value, Value, tuple[Value, ...], Params], Value | None]
Jvp = Callable[[tuple[Value | None, ...], Value, tuple[Value, ...], Params], Value]
Batch = Callable[[tuple[Node, ...], tuple[bool, ...], Params], Node]
Infer = Callable[..., tuple[Shape, DType]]
Latex = str | Callable[[Node], str]

# Every op by its name. The rules generated below speak of `where`, `sum`, `reshape`,
# `broadcast_to` and `cast`, which are records themselves and come later.
OPS: "dict[str, Op]" = {}


@final
@dataclass(frozen=True)
class Facts:
    """What is known of an op, for tests, rewriting and output checks.

    Parameters
    ----------
    monotone : bool
        Never decreases in its (first) argument.
    odd, even : bool
        f(-x) = -f(x); f(-x) = f(x).
    low, high : float
        Bounds of the value.
    commutative, associative : bool
    neutral : float, optional
        e with f(x, e) = x.
    inverse : str
        The name of the op that undoes it.
    simplex : bool
        The value is nonnegative and sums to 1 along the op's axis.
    """

    monotone: bool = False
    odd: bool = False
    even: bool = False
    low: float = -np.inf
    high: float = np.inf
    commutative: bool = False
    associative: bool = False
    neutral: float | None = None
    inverse: str = ""
    simplex: bool = False


@final
@dataclass(frozen=True)
class Derivative:
    """Both modes of an op's derivative.

    Parameters
    ----------
    vjp : callable
        ``vjp(i, ct, out, inputs, params)``: the cotangent of input `i`, or None if no
        derivative flows there.
    jvp : callable
        ``jvp(tangents, out, inputs, params)``: the tangent of the output; a tangent
        of None is zero, and at least one is not.
    """

    vjp: Vjp
    jvp: Jvp


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Op:
    """One op of the vocabulary. Built by `elementwise`, `linear`, `explicit`.

    Parameters
    ----------
    name : str
        Unique among ops.
    forward : callable
        ``forward(*arrays, **params)``: the reference meaning, in NumPy.
    rule : callable
        ``rule(*inputs, **params) -> (shape, dtype)``.
    derivative : Derivative or None
        None says that no derivative flows.
    batch : callable
        ``batch(inputs, batched, params)``: the op with a new leading axis on those
        inputs that have one.
    cases : callable
        ``cases(rng)``: calls to test.
    emit : callable, optional
        ``emit(e, *scalars, **params)``: for elementwise ops alone. Those of weft all
        have it; a user's op that has none is computed by ``forward``.
    right : Derivative, optional
        The derivative from the right, for an op with a kink.
    sides : callable, optional
        ``sides(out, *inputs, **params)``: the slopes from the left and from the right
        in the shape of the value, for an op whose derivative at a kink is neither.
    text, latex : str
        Templates; ``{0}`` is the first input, ``{axis}`` a parameter. For LaTeX also
        a function of the node that returns one.
    binds : str
        How tightly the LaTeX binds: a level of `weft.graph.latex`. What is not an atom
        comes in parentheses wherever it has to.
    facts : Facts
    promotes : bool
        Whether the inputs are first brought to one type.
    spelling : callable, optional
        ``spelling(*nodes) -> Node or None``: looked at as a node is built; another
        spelling of a stated function gives that function's node.
    doc : str
        One sentence.
    """

    name: str
    forward: Callable[..., Any]
    rule: Infer
    derivative: Derivative | None
    batch: Batch
    cases: Cases
    latex: Latex
    text: str = ""
    binds: str = "atom"
    emit: Callable[..., Any] | None = None
    right: Derivative | None = None
    sides: Callable[..., tuple[Value, Value]] | None = None
    facts: Facts = field(default_factory=Facts)
    promotes: bool = False
    spelling: Callable[..., Node | None] | None = None
    doc: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "__doc__", self.doc)
        restore(self)

    def __repr__(self) -> str:
        return f"<op {self.name}: {self.doc}>" if self.doc else f"<op {self.name}>"

    def infer(self, inputs: tuple[Node, ...], params: Params) -> tuple[Shape, DType]:
        """Return shape and type of the op's value, or raise what is wrong."""
        return self.rule(*inputs, **params)

    def __call__(self, *args: Value, **params: Any) -> Value:
        """Apply the op: nodes among `args` build a node, arrays alone compute.

        Parameters
        ----------
        *args : Node, array or number
            A number takes the type of what it stands beside.
        **params

        Returns
        -------
        Node or numpy.ndarray
        """
        if not any(isinstance(arg, Node) for arg in args):
            return self._compute(args, params)
        nodes = as_nodes(args)
        if self.promotes:
            nodes = promoted(nodes)
        if self.spelling is not None:
            spelt = self.spelling(*nodes)
            if spelt is not None:
                return spelt
        return intern(self, nodes, params)

    def _compute(self, args: tuple[Value, ...], params: Params) -> Value:
        with np.errstate(all="ignore"):
            if self.promotes and len({a.dtype for a in args if _typed(a)}) > 1:
                arrays = [np.asarray(a) for a in args]
                wide = common_dtype(tuple(a for a in args if _typed(a)))
                args = tuple(array.astype(wide) for array in arrays)
            return self.forward(*args, **params)


def forget(op: Op) -> None:
    """Free the name of `op`; nodes that it has made keep it."""
    unregister(op)
    OPS.pop(op.name, None)


def restore(op: Op) -> None:
    """Make `op` known by its name, when it is built or after it was forgotten."""
    register(op)
    OPS[op.name] = op


def _typed(value: Value) -> bool:
    return isinstance(value, (np.ndarray, np.generic))


def as_nodes(args: Sequence[Value]) -> tuple[Node, ...]:
    """Return `args` as nodes; a bare number takes the type of the nodes beside it."""
    if all(isinstance(arg, Node) for arg in args):
        return tuple(args)
    beside = [a.dtype for a in args if isinstance(a, Node)]
    return tuple(a if isinstance(a, Node) else _constant(a, beside) for a in args)


def _constant(value: Value, beside: Sequence[DType]) -> Node:
    if isinstance(value, (int, float)) and not isinstance(value, np.generic):
        wide = max(beside, key=lambda d: (d.kind == "f", d.kind == "i", d.itemsize))
        if isinstance(value, float) and wide.kind != "f":
            return constant(value)
        if wide.kind == "b":
            return constant(value)
        if not isinstance(value, bool):
            return constant(value, wide)
    return constant(value)


def promoted(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Bring `nodes` to their common type by explicit casts."""
    wide = common_dtype(nodes)
    return tuple(n if n.dtype == wide else OPS["cast"](n, dtype=wide) for n in nodes)


# Elementwise ----------------------------------------------------------------------


def elementwise(
    name: str,
    *,
    forward: Callable[..., Any],
    latex: Latex,
    sample: Domain | Sequence[Domain] | Cases,
    partials: Sequence[Any] | None = None,
    right_partials: Sequence[Any] | None = None,
    differentiable: bool = True,
    emit: Callable[..., Any] | None = None,
    text: str = "",
    binds: str = "atom",
    facts: Facts | None = None,
    dtype: DType | None = None,
    promotes: bool = True,
    rule: Infer | None = None,
    spelling: Callable[..., Node | None] | None = None,
    doc: str = "",
) -> Op:
    """Declare an op that works on each element by itself, with broadcasting.

    Parameters
    ----------
    name, forward, emit, latex, text, binds, facts, spelling, doc
        As in `Op`.
    sample : Domain, sequence of Domain, or cases
        Where each argument is tested.
    partials : sequence
        Per argument ``p(out, *args, **params)``, or 1, -1, or None for no derivative.
        A partial that is a comparison is a mask.
    right_partials : sequence, optional
        The same from the right, for an op with a kink.
    differentiable : bool
        False says aloud that no derivative flows.
    dtype : numpy.dtype, optional
        The type of the value, where it is not that of the arguments.
    promotes : bool
        Whether arguments are brought to one type first.
    rule : callable, optional
        Another shape and type rule.

    Returns
    -------
    Op

    Raises
    ------
    GraphError
        If the derivative is neither given nor said not to exist.
    """
    if differentiable != (partials is not None):
        raise GraphError(
            f"the record of {name!r} is incomplete: give partials=, or say "
            "differentiable=False"
        )

    def standard_rule(*inputs: Node, **_: Any) -> tuple[Shape, DType]:
        return elementwise_shape(inputs), dtype or common_dtype(inputs)

    if isinstance(sample, Domain):
        sample = [sample]
    return Op(
        name=name,
        forward=forward,
        rule=rule or standard_rule,
        derivative=_from_partials(partials) if partials is not None else None,
        right=_from_partials(right_partials) if right_partials is not None else None,
        batch=lambda inputs, batched, params: OPS[name](
            *align(inputs, batched), **params
        ),
        cases=sample if callable(sample) else domain_cases(sample),
        emit=emit,
        latex=latex,
        text=text,
        binds=binds,
        facts=facts or Facts(),
        promotes=promotes,
        spelling=spelling,
        doc=doc,
    )


def _from_partials(partials: Sequence[Any]) -> Derivative:
    def scaled(i: int, t: Value, out: Value, inputs: Any, params: Params) -> Value:
        partial = partials[i]
        if partial is None:
            return None
        if partial == 1:
            return t
        if partial == -1:
            return -t
        factor = partial(out, *inputs, **params)
        if factor.dtype == np.bool_:
            # Not t * mask: where the mask is off, an infinite t must give 0.
            return OPS["where"](factor, t, 0)
        return factor if _is_one(t) and factor.shape == () else t * factor

    def vjp(i: int, ct: Value, out: Value, inputs: Any, params: Params) -> Value:
        scaled_ct = scaled(i, ct, out, inputs, params)
        return None if scaled_ct is None else unbroadcast(scaled_ct, inputs[i].shape)

    def jvp(tangents: Any, out: Value, inputs: Any, params: Params) -> Value:
        parts = [
            part
            for i, t in enumerate(tangents)
            if t is not None and (part := scaled(i, t, out, inputs, params)) is not None
        ]
        return total(parts, out)

    return Derivative(vjp, jvp)


def _is_one(t: Value) -> bool:
    """Tell whether `t` is the scalar constant 1, with which `grad` begins."""
    return (
        isinstance(t, Node)
        and t.op is CONSTANT
        and t.shape == ()
        and bool(t.params["value"] == 1)
    )


def total(parts: Sequence[Value], out: Value) -> Value | None:
    """Sum tangents and give them the shape of `out`; None if there are none."""
    if not parts:
        return None
    result = parts[0]
    for part in parts[1:]:
        result = result + part
    if result.shape != out.shape:
        result = OPS["broadcast_to"](result, shape=out.shape)
    return result


def zeros_like(value: Value) -> Value:
    """Return zeros of the shape and type of `value`."""
    if isinstance(value, Node):
        return OPS["broadcast_to"](constant(0, value.dtype), shape=value.shape)
    return np.zeros(value.shape, value.dtype)


def unbroadcast(ct: Value, shape: Shape) -> Value:
    """Sum `ct` over the axes along which a value of `shape` was repeated.

    The adjoint of broadcasting.

    Parameters
    ----------
    ct : Node or array
    shape : tuple of int or Dim

    Returns
    -------
    Node or array of that shape
    """
    if ct.shape == shape:
        return ct
    lead = len(ct.shape) - len(shape)
    axes = tuple(range(lead)) + tuple(
        lead + i
        for i, size in enumerate(shape)
        if size == 1 and ct.shape[lead + i] != 1
    )
    if axes:
        ct = OPS["sum"](ct, axis=axes, keepdims=False)
    return ct if ct.shape == shape else OPS["reshape"](ct, shape=shape)


def align(
    inputs: tuple[Node, ...], batched: tuple[bool, ...], rank: int = 0
) -> tuple[Node, ...]:
    """Give batched inputs axes of size 1 behind the new one, so that ranks agree.

    Parameters
    ----------
    inputs : tuple of Node
    batched : tuple of bool
        Which of them have the new leading axis.
    rank : int
        The least rank to reach, the new axis not counted.

    Returns
    -------
    tuple of Node
    """
    rank = max([rank, *(n.ndim - b for n, b in zip(inputs, batched, strict=True))])
    aligned = []
    for node, has in zip(inputs, batched, strict=True):
        missing = rank - (node.ndim - has)
        if has and missing:
            shape = (node.shape[0], *(1,) * missing, *node.shape[1:])
            node = OPS["reshape"](node, shape=shape)
        elif not has and node.ndim and isinstance(node.shape[0], Dim):
            # Said aloud, lest (n,) meet (n, 1) and look like an accident.
            node = OPS["reshape"](node, shape=(*(1,) * (missing + 1), *node.shape))
        aligned.append(node)
    return tuple(aligned)


# Linear and explicit --------------------------------------------------------------


def linear(
    name: str,
    *,
    forward: Callable[..., Any],
    rule: Infer,
    adjoints: Sequence[Callable[..., Value] | None] | Callable[..., Value],
    batch: Callable[..., Node],
    cases: Cases,
    latex: Latex,
    joint: bool = False,
    **rest: Any,
) -> Op:
    """Declare an op that is linear in each of some arguments.

    Parameters
    ----------
    name, forward, rule, cases, latex
        As in `Op`.
    adjoints : sequence of callable or None
        Per argument ``adjoint(ct, out, *inputs, **params)``: the transpose of the op
        as a function of that argument; None where it is not linear and no derivative
        flows. For a variadic op one callable, told the argument first:
        ``adjoint(i, ct, out, *inputs, **params)``.
    batch : callable
        ``batch(inputs, batched, **params) -> Node``.
    joint : bool
        Linear in all arguments together (concatenation), not in each of them
        separately (a product).
    **rest
        Further fields of `Op`.

    Returns
    -------
    Op
    """

    def vjp(i: int, ct: Value, out: Value, inputs: Any, params: Params) -> Value:
        if callable(adjoints):
            return adjoints(i, ct, out, *inputs, **params)
        adjoint = adjoints[i]
        return None if adjoint is None else adjoint(ct, out, *inputs, **params)

    def jvp(tangents: Any, out: Value, inputs: Any, params: Params) -> Value:
        op = OPS[name]
        if joint:
            filled = [
                zeros_like(x) if t is None else t
                for t, x in zip(tangents, inputs, strict=True)
            ]
            return op(*filled, **params)
        flows = [
            t is not None and (callable(adjoints) or adjoints[i] is not None)
            for i, t in enumerate(tangents)
        ]
        parts = [
            op(*inputs[:i], tangents[i], *inputs[i + 1 :], **params)
            for i in range(len(inputs))
            if flows[i]
        ]
        return total(parts, out)

    return Op(
        name=name,
        forward=forward,
        rule=rule,
        derivative=Derivative(vjp, jvp),
        batch=lambda inputs, batched, params: batch(inputs, batched, **params),
        cases=cases,
        latex=latex,
        **rest,
    )


def explicit(
    name: str,
    *,
    forward: Callable[..., Any],
    rule: Infer,
    batch: Callable[..., Node],
    cases: Cases,
    latex: Latex,
    vjp: Sequence[Callable[..., Value] | None] | None = None,
    jvp: Callable[..., Value] | None = None,
    differentiable: bool = True,
    **rest: Any,
) -> Op:
    """Declare an op with both modes spelt out, or with no derivative at all.

    Parameters
    ----------
    name, forward, rule, cases, latex
        As in `Op`.
    vjp : sequence of callable or None
        Per argument ``vjp(ct, out, *inputs, **params)``.
    jvp : callable
        ``jvp(tangents, out, *inputs, **params)``.
    batch : callable
        ``batch(inputs, batched, **params) -> Node``.
    differentiable : bool
        False says aloud that no derivative flows.
    **rest
        Further fields of `Op`.

    Returns
    -------
    Op

    Raises
    ------
    GraphError
        If one mode is given without the other.
    """
    complete = vjp is not None and jvp is not None
    if complete != differentiable or (vjp is None) != (jvp is None):
        raise GraphError(
            f"the record of {name!r} is incomplete: give vjp= and jvp=, or say "
            "differentiable=False"
        )
    derivative = None
    if vjp is not None and jvp is not None:
        reverse, forward_mode = vjp, jvp

        def pull(i: int, ct: Value, out: Value, inputs: Any, params: Params) -> Value:
            one = reverse[i]
            return None if one is None else one(ct, out, *inputs, **params)

        def push(tangents: Any, out: Value, inputs: Any, params: Params) -> Value:
            return forward_mode(tangents, out, *inputs, **params)

        derivative = Derivative(pull, push)
    return Op(
        name=name,
        forward=forward,
        rule=rule,
        derivative=derivative,
        batch=lambda inputs, batched, params: batch(inputs, batched, **params),
        cases=cases,
        latex=latex,
        **rest,
    )
