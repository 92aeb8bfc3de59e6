"""The op matrix: every promise of every record, on every case the record draws.

Nothing here names an op. Adding a record to `weft.ops` adds its tests.
"""

import itertools
import zlib
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import pytest

import weft
from weft.graph import DTypeError, GraphError, Node
from weft.graph.dim import resolve
from weft.graph.node import intern
from weft.ops import OPS, Op
from weft.ops.record import elementwise as elementwise_record
from weft.ops.record import explicit, linear
from weft.ops.sample import Case, reals
from weft.testing import NumpyEmitter, check_grads


def rng_for(name, seed=0):
    return np.random.default_rng([zlib.crc32(name.encode()), seed])


@dataclass(frozen=True)
class Built:
    """One case of one op: its arrays, its leaves, its node and its value."""

    op: Op
    case: Case

    @property
    def args(self):
        return self.case.args

    @property
    def params(self):
        return self.case.params

    @cached_property
    def leaves(self):
        return tuple(
            weft.input(f"x{i}", arg.shape, arg.dtype) for i, arg in enumerate(self.args)
        )

    @cached_property
    def node(self):
        return apply(self.op, self.leaves, self.params)

    @cached_property
    def feed(self):
        return dict(zip(self.leaves, self.args, strict=True))

    @cached_property
    def value(self):
        return forward(self.op, self.args, self.params)

    @cached_property
    def computed(self):
        return weft.evaluate(self.node, self.feed)

    @cached_property
    def floats(self):
        """Which arguments a derivative could be taken for."""
        return [i for i, arg in enumerate(self.args) if arg.dtype.kind == "f"]

    @cached_property
    def jacobians(self):
        """Finite differences: per float argument, (value.size, arg.size)."""
        return {i: numeric_jacobian(self, i) for i in self.floats}


def apply(op, leaves, params):
    # An op without inputs is not called but interned.
    return op(*leaves, **params) if leaves else intern(op, (), params)


def forward(op, args, params):
    with np.errstate(all="ignore"):
        return np.asarray(op.forward(*args, **params))


def numeric_jacobian(built, i):
    columns = []
    arg = built.args[i]
    for at in np.ndindex(arg.shape):

        def shifted(by, at=at):
            moved = arg.copy()
            moved[at] += by
            args = (*built.args[:i], moved, *built.args[i + 1 :])
            return forward(built.op, args, built.params)

        table = [
            (shifted(h) - shifted(-h)) / (2 * h) for h in (4e-3, 2e-3, 1e-3)
        ]  # two extrapolations: an error of order h**6
        for power in (4, 16):
            table = [
                (power * b - a) / (power - 1) for a, b in itertools.pairwise(table)
            ]
        columns.append(table[0].ravel())
    return np.array(columns).reshape(arg.size, built.value.size).T


@cache
def matrix():
    return {
        f"{op.name}-{case.label}": Built(op, case)
        for op in OPS.values()
        for case in op.cases(rng_for(op.name))
    }


def every(condition=lambda built: True):
    """Parametrize a test over the cases for which `condition` holds."""
    chosen = {name: built for name, built in matrix().items() if condition(built)}
    return pytest.mark.parametrize("built", chosen.values(), ids=chosen.keys())


def differentiable(built):
    return (
        built.op.derivative is not None
        and bool(built.floats)
        and built.value.dtype.kind == "f"
    )


def comparable(built):
    """Finite differences of float32 say nothing."""
    return differentiable(built) and built.value.dtype == np.float64


def is_elementwise(op):
    """Tell it by behaviour: flattened and shuffled arguments shuffle the value."""
    for case in op.cases(rng_for(op.name)):
        if not case.args:
            return False
        value = forward(op, case.args, case.params)
        try:
            together = np.broadcast_arrays(*case.args)
        except ValueError:
            return False
        if value.shape != together[0].shape:
            return False
        order = rng_for(op.name, 1).permutation(value.size)
        shuffled = tuple(a.ravel()[order] for a in together)
        try:
            again = forward(op, shuffled, case.params)
        except (TypeError, ValueError, IndexError):
            return False
        if again.shape != (value.size,) or not same(again, value.ravel()[order]):
            return False
    return True


def same(a, b, ulp=0):
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.kind != "f":
        return np.array_equal(a, b)
    nan = np.isnan(a) & np.isnan(b)
    with np.errstate(all="ignore"):
        room = ulp * np.spacing(np.maximum(np.abs(a), np.abs(b)))
        return bool(np.all((a == b) | nan | (np.abs(a - b) <= room)))


def direction(rng, like):
    signs = rng.choice([-1, 1], like.shape)
    return np.asarray(rng.uniform(0.5, 1, like.shape) * signs, like.dtype)


def close(a, b, rtol=1e-6):
    """Close relative to the largest entry, as finite differences can be."""
    a, b = np.asarray(a), np.asarray(b)
    if b.dtype.kind != "f":
        return np.array_equal(a, b)
    scale = max(np.max(np.abs(b), initial=0.0), 1e-3)
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= rtol * scale))


ELEMENTWISE = {op.name for op in OPS.values() if is_elementwise(op)}


# Value, shape, type ---------------------------------------------------------------


@every()
def test_value(built):
    assert same(built.computed, built.value)


@every()
def test_shape_and_type(built):
    assert built.node.shape == built.value.shape
    assert built.node.dtype == built.value.dtype


STATES_SIZES = {"shape", "length", "pieces", "depth"}


@every(lambda b: not STATES_SIZES & set(b.params) and b.args)
def test_symbolic_shape(built):
    """Every axis but those of size 1 gets a symbol; equal sizes get the same one."""
    leaves = [
        weft.input("x", [s if s == 1 else f"n{s}" for s in arg.shape], arg.dtype)
        for arg in built.args
    ]
    node = apply(built.op, leaves, built.params)
    bindings = {f"n{s}": s for arg in built.args for s in arg.shape}
    assert tuple(resolve(s, bindings) for s in node.shape) == built.value.shape
    assert node.dtype == built.value.dtype
    value = weft.evaluate(node, dict(zip(leaves, built.args, strict=True)))
    assert same(value, built.value)


@every(lambda b: b.floats and "dtype" not in b.params)
def test_float32(built):
    args = [a.astype(np.float32) if a.dtype.kind == "f" else a for a in built.args]
    leaves = [weft.input("x", a.shape, a.dtype) for a in args]
    node = apply(built.op, leaves, built.params)
    value = weft.evaluate(node, dict(zip(leaves, args, strict=True)))
    if built.value.dtype.kind == "f":
        assert node.dtype == value.dtype == np.float32
        assert np.allclose(value, built.value, rtol=2e-5, atol=2e-5)
    else:
        assert node.dtype == value.dtype == built.value.dtype


@pytest.mark.parametrize("dtype", ["bool", "int32", "int64"])
@every(lambda b: b.floats and "dtype" not in b.params)
def test_integers(built, dtype):
    """Whole numbers are computed in their own type, or refused by name."""
    args = [a.astype(dtype) if a.dtype.kind == "f" else a for a in built.args]
    leaves = [weft.input("x", a.shape, a.dtype) for a in args]
    try:
        node = apply(built.op, leaves, built.params)
    except DTypeError as error:
        assert built.op.name in str(error)
        return
    value = weft.evaluate(node, dict(zip(leaves, args, strict=True)))
    assert value.dtype == node.dtype
    assert value.shape == node.shape
    assert node.dtype.kind in "bi"


# Derivatives ----------------------------------------------------------------------


@every(comparable)
def test_jvp(built):
    for i, jacobian in built.jacobians.items():
        v = direction(rng_for(built.op.name, i), built.args[i])
        found = weft.evaluate(weft.jvp(built.node, {built.leaves[i]: v}), built.feed)
        assert close(found.ravel(), jacobian @ v.ravel())


@every(comparable)
def test_jvp_of_all_arguments(built):
    rng = rng_for(built.op.name, 9)
    v = {built.leaves[i]: direction(rng, built.args[i]) for i in built.floats}
    expected = sum(
        jacobian @ v[built.leaves[i]].ravel() for i, jacobian in built.jacobians.items()
    )
    found = weft.evaluate(weft.jvp(built.node, v), built.feed)
    assert close(found.ravel(), expected)


@every(comparable)
def test_vjp(built):
    u = direction(rng_for(built.op.name, 1), built.value)
    wrt = [built.leaves[i] for i in built.floats]
    found = weft.evaluate(weft.vjp(built.node, wrt, u), built.feed)
    for gradient, i in zip(found, built.floats, strict=True):
        assert gradient.shape == built.args[i].shape
        assert gradient.dtype == built.args[i].dtype
        assert close(gradient.ravel(), built.jacobians[i].T @ u.ravel())


@every(differentiable)
def test_modes_agree(built):
    rng = rng_for(built.op.name, 2)
    u = direction(rng, built.value)
    v = {built.leaves[i]: direction(rng, built.args[i]) for i in built.floats}
    pushed, pulled = weft.evaluate(
        (weft.jvp(built.node, v), weft.vjp(built.node, list(v), u)), built.feed
    )
    forward_mode = np.vdot(u, pushed)
    reverse_mode = sum(map(np.vdot, pulled, v.values()))
    room = 1e-11 if built.value.dtype == np.float64 else 1e-6
    assert np.isclose(forward_mode, reverse_mode, rtol=room, atol=room)


@every(differentiable)
def test_second_order(built):
    check_grads(built.node, built.feed, order=2)


@every(lambda b: differentiable(b) and b.op.right is not None)
def test_right_derivative(built):
    """Away from the kink, the derivative from the right is the same."""
    check_grads(built.node, built.feed, order=2, kink="right")


@every(lambda b: b.op.derivative is None and b.floats and b.value.dtype.kind == "f")
def test_no_derivative(built):
    x = built.leaves[built.floats[0]]
    v, u = np.ones(built.args[built.floats[0]].shape), np.ones(built.value.shape)
    pushed, pulled = weft.evaluate(
        (weft.jvp(built.node, {x: v}), weft.vjp(built.node, x, u)), built.feed
    )
    assert not pushed.any()
    assert not pulled.any()


@every(lambda b: not differentiable(b) and b.op.derivative is not None and b.args)
def test_derivative_stops_at_whole_numbers(built):
    """What is no float, in or out, has no derivative, and saying so is no crash."""
    cts = np.ones(built.value.shape)
    for i in range(len(built.args)):
        flows = built.op.derivative.vjp(
            i, weft.constant(cts), built.node, built.leaves, built.params
        )
        assert flows is None


@every(differentiable)
def test_derivative_in_numbers(built):
    """The same rules, given arrays, compute."""
    u = direction(rng_for(built.op.name, 3), built.value)
    wrt = [built.leaves[i] for i in built.floats]
    symbolic = weft.evaluate(weft.vjp(built.node, wrt, u), built.feed)
    for i, expected in zip(built.floats, symbolic, strict=True):
        found = built.op.derivative.vjp(i, u, built.value, built.args, built.params)
        found = np.zeros_like(expected) if found is None else np.asarray(found)
        assert found.dtype == expected.dtype
        assert close(found, expected, 1e-13)


# Batching -------------------------------------------------------------------------


def variants(built, count=3):
    """Several draws of the same case: (count, *shape) per argument."""
    draws = [
        next(c for c in built.op.cases(rng_for(built.op.name, b)) if c.label == label)
        for label in [built.case.label]
        for b in range(count)
    ]
    columns = []
    for i, arg in enumerate(built.args):
        column = [draw.args[i] for draw in draws]
        if arg.dtype.kind == "i" and arg.ndim:  # positions: vary, but stay inside
            column = [np.roll(a, b) for b, a in enumerate(column)]
        columns.append(np.stack(column))
    return columns


@every(lambda b: b.args)
def test_batching(built):
    stacks = variants(built)
    count = len(stacks[0])
    arity = len(built.args)
    for chosen in itertools.product([False, True], repeat=arity):
        if not any(chosen):
            continue
        stacked = {
            leaf: weft.input(f"{leaf.name}s", ("batch", *leaf.shape), leaf.dtype)
            for leaf, has in zip(built.leaves, chosen, strict=True)
            if has
        }
        node = weft.vmap(built.node, stacked)
        assert node.shape == (weft.as_dim("batch"), *built.node.shape)
        assert node.dtype == built.node.dtype
        feed = {
            stacked.get(leaf, leaf): stack if has else arg
            for leaf, stack, arg, has in zip(
                built.leaves, stacks, built.args, chosen, strict=True
            )
        }
        looped = [
            forward(
                built.op,
                [
                    stack[b] if has else arg
                    for stack, arg, has in zip(stacks, built.args, chosen, strict=True)
                ],
                built.params,
            )
            for b in range(count)
        ]
        found = weft.evaluate(node, feed)
        assert found.dtype == built.value.dtype
        assert close(found, np.stack(looped), 1e-12)


def sides(built):
    return sorted({s for arg in built.args for s in arg.shape if s > 1})


@every(lambda b: sides(b) and not STATES_SIZES & set(b.params))
def test_batching_over_a_symbol_of_its_own(built):
    """The new axis may be as long, by name, as an axis that is there already."""
    leaves = [
        weft.input("x", [s if s < 2 else f"n{s}" for s in arg.shape], arg.dtype)
        for arg in built.args
    ]
    node = apply(built.op, leaves, built.params)
    for leaf in leaves:
        for size in sides(built):
            lead = f"n{size}"
            stack = weft.input("xs", (lead, *leaf.shape), leaf.dtype)
            batched = weft.vmap(node, {leaf: stack})
            assert batched.shape == (weft.as_dim(lead), *node.shape)


# Scalar code ----------------------------------------------------------------------


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_emit_exists_exactly_for_elementwise(op):
    assert (op.emit is not None) == (op.name in ELEMENTWISE)


@every(lambda b: b.op.emit is not None)
def test_emit(built):
    with np.errstate(all="ignore"):
        emitted = np.asarray(built.op.emit(NumpyEmitter(), *built.args, **built.params))
    assert same(emitted, built.value, ulp=4)


@every(lambda b: b.op.emit is not None and b.floats)
def test_emit_float32(built):
    args = [a.astype(np.float32) if a.dtype.kind == "f" else a for a in built.args]
    with np.errstate(all="ignore"):
        emitted = np.asarray(built.op.emit(NumpyEmitter(), *args, **built.params))
    assert same(emitted, forward(built.op, args, built.params), ulp=4)


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 1e-300, -1e-300, 1e4, -1e4, np.inf, -np.inf]


@every(lambda b: b.op.emit is not None and len(b.floats) == len(b.args))
def test_emit_at_extremes(built):
    """Zeros of both signs, huge values, infinities and NaN, in every combination."""
    grid = np.meshgrid(*[np.array([*SPECIAL, np.nan])] * len(built.args))
    with np.errstate(all="ignore"):
        emitted = np.asarray(built.op.emit(NumpyEmitter(), *grid, **built.params))
    value = forward(built.op, grid, built.params)
    with np.errstate(all="ignore"):
        assert same(emitted, value, ulp=4)


# Facts ----------------------------------------------------------------------------


def facts(choose):
    return every(lambda b: choose(b.op.facts) and b.args)


@facts(lambda f: f.monotone)
def test_fact_monotone(built):
    rng = rng_for(built.op.name, 4)
    x, *rest = built.args
    step = rng.uniform(0, 0.3, x.shape) * rng.integers(0, 2, x.shape)
    higher = forward(built.op, [x + step, *rest], built.params)
    assert np.all(higher >= built.value - 1e-15)


@facts(lambda f: f.odd)
def test_fact_odd(built):
    mirrored = forward(built.op, [-built.args[0]], built.params)
    assert same(mirrored, -built.value, ulp=2)


@facts(lambda f: f.even)
def test_fact_even(built):
    mirrored = forward(built.op, [-built.args[0]], built.params)
    assert same(mirrored, built.value, ulp=2)


@facts(lambda f: f.low > -np.inf or f.high < np.inf)
def test_fact_bounds(built):
    assert np.all(built.value >= built.op.facts.low)
    assert np.all(built.value <= built.op.facts.high)
    if built.op.name in ELEMENTWISE and len(built.args) == 1:
        far = forward(built.op, [np.array(SPECIAL)], built.params)
        far = far[~np.isnan(far)]
        assert np.all((far >= built.op.facts.low) & (far <= built.op.facts.high))


@facts(lambda f: f.commutative)
def test_fact_commutative(built):
    x, y = built.args
    assert same(forward(built.op, (y, x), built.params), built.value)


@every(lambda b: b.op.facts.associative and all(arg.size for arg in b.args))
def test_fact_associative(built):
    x, y = built.args
    if x.shape != y.shape or len(set(x.shape)) > 1:
        x, y = (a.ravel()[:1].reshape((1,) * 2) for a in (x, y))
    z = x + y if x.dtype.kind != "b" else x ^ y
    one = forward(built.op, (forward(built.op, (x, y), {}), z), {})
    two = forward(built.op, (x, forward(built.op, (y, z), {})), {})
    assert np.allclose(one, two, rtol=1e-13, atol=1e-13)


@facts(lambda f: f.neutral is not None)
def test_fact_neutral(built):
    x = built.args[0]
    neutral = np.full(np.shape(built.args[1]), built.op.facts.neutral, x.dtype)
    expected = np.broadcast_to(x, built.value.shape)
    assert same(forward(built.op, (x, neutral), built.params), expected)


@facts(lambda f: bool(f.inverse))
def test_fact_inverse(built):
    undo = OPS[built.op.facts.inverse]
    assert np.allclose(forward(undo, [built.value], {}), built.args[0], rtol=1e-12)
    assert undo.facts.inverse == built.op.name


@facts(lambda f: f.simplex)
def test_fact_simplex(built):
    axis = built.params.get("axis", -1)
    assert np.all(built.value >= 0)
    assert np.allclose(built.value.sum(axis), 1, atol=1e-15)


# As text and as data --------------------------------------------------------------


@every()
def test_text_and_latex(built):
    text, latex = weft.text(built.node), weft.latex(built.node)
    for written in (text, latex):
        assert written
        assert written.count("{") == written.count("}")
        assert written.count("(") == written.count(")")
    assert latex.count(r"\left") == latex.count(r"\right")
    assert latex.count(r"\begin") == latex.count(r"\end")


@every()
def test_json(built):
    document = weft.to_json(built.node)
    again = weft.from_json(document)
    assert weft.to_json(again) == document
    assert (again.op, again.shape, again.dtype) == (
        built.node.op,
        built.node.shape,
        built.node.dtype,
    )
    assert dict(again.params) == dict(built.node.params)
    feed = dict(zip(again.inputs, built.args, strict=True))
    assert same(weft.evaluate(again, feed), built.value)


@every(lambda b: differentiable(b) and "empty" not in b.case.label)
def test_json_of_a_gradient(built):
    wrt = [built.leaves[i] for i in built.floats]
    gradient = weft.grad(weft.sum(weft.sin(built.node)), wrt)
    document = weft.to_json(gradient)
    assert weft.to_json(weft.from_json(document)) == document


# The records themselves -----------------------------------------------------------


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_record_is_complete(op):
    assert op.doc.endswith(".")
    assert op.__doc__ == op.doc
    assert op.latex
    assert repr(op).startswith(f"<op {op.name}: ")
    labels = [case.label for case in op.cases(rng_for(op.name))]
    assert labels
    assert len(set(labels)) == len(labels)
    if op.name in ELEMENTWISE and op.right is not None:
        assert op.derivative is not None


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_cases_are_the_same_every_time(op):
    once, twice = op.cases(rng_for(op.name)), op.cases(rng_for(op.name))
    for a, b in zip(once, twice, strict=True):
        assert all(map(np.array_equal, a.args, b.args))


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_op_is_the_public_function_or_behind_it(op):
    assert OPS[op.name] is op
    assert op.promotes <= (op.emit is not None)  # only elementwise ops promote


RECORD = {
    "forward": np.exp,
    "rule": lambda x: (x.shape, x.dtype),
    "batch": lambda inputs, batched: inputs[0],
    "cases": lambda rng: [],
    "latex": "",
}


@pytest.mark.parametrize(
    "half",
    [
        {"vjp": [lambda ct, out, x: ct]},
        {"jvp": lambda tangents, out, x: tangents[0]},
        {},
        {"vjp": [lambda ct, out, x: ct], "differentiable": False},
        {
            "vjp": [lambda ct, out, x: ct],
            "jvp": lambda tangents, out, x: tangents[0],
            "differentiable": False,
        },
    ],
    ids=["vjp-alone", "jvp-alone", "neither", "denied-vjp", "denied-both"],
)
def test_half_a_derivative_is_refused(half):
    with pytest.raises(GraphError, match="incomplete"):
        explicit("half", **RECORD, **half)
    assert "half" not in OPS


@pytest.mark.parametrize(
    "half",
    [{}, {"partials": (1,), "differentiable": False}],
    ids=["neither", "denied"],
)
def test_elementwise_without_derivative_is_refused(half):
    with pytest.raises(GraphError, match="incomplete"):
        elementwise_record(
            "half",
            forward=np.exp,
            emit=lambda e, x: e.exp(x),
            latex="",
            sample=reals(0, 1),
            **half,
        )
    assert "half" not in OPS


def test_linear_without_adjoint_is_refused():
    with pytest.raises(TypeError, match="adjoints"):
        linear("half", **RECORD)
    assert "half" not in OPS


def test_a_name_is_taken_once():
    with pytest.raises(GraphError, match="already"):
        explicit("tanh", **RECORD, differentiable=False)
    assert isinstance(OPS["tanh"](weft.input("x", ())), Node)
