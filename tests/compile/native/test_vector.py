"""Every record's scalar code, on the vector unit, is what its ``forward`` says."""

import zlib

import numpy as np
import pytest

import weft
from weft.compile.native.ir import Function, Value, literal
from weft.compile.native.target import available, target
from weft.compile.native.vector import VectorEmitter
from weft.graph.errors import WeftError
from weft.ops import OPS
from weft.testing import NumpyEmitter

# What is computed by approximation; NumPy's own may be wrong by as much.
APPROXIMATE = {
    "exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "erf", "power", "polygamma",
}  # fmt: skip
EMITTING = {name: op for name, op in OPS.items() if op.emit is not None}
SPECIAL = [0, -0.0, 1, -1, 0.5, 2.5, -3.5, 1e-40, 1e-300, 1e4, -1e4, np.inf, -np.inf]

every_target = pytest.mark.parametrize("target_name", available())
every_op = pytest.mark.parametrize("op", EMITTING.values(), ids=EMITTING)
one_or_many = pytest.mark.parametrize("lanes", [1, None], ids=["one lane", "register"])


class Listener:
    """Passes words on to an emitter, and keeps a list of them."""

    def __init__(self, emitter):
        self.emitter, self.words = emitter, set()

    def __getattr__(self, word):
        self.words.add(word)
        return getattr(self.emitter, word)


def forward(op, args, params):
    with np.errstate(all="ignore"):
        return np.asarray(op.forward(*args, **params))


def check(elementwise, op, args, params, target_name, lanes):
    """Hold what the machine computes against ``forward``, on arrays of any shapes."""
    expected = forward(op, args, params)
    listener = Listener(NumpyEmitter())
    with np.errstate(all="ignore"):
        interpreted = op.emit(listener, *args, **params)
    flat = [np.ascontiguousarray(a).ravel() for a in np.broadcast_arrays(*args)]
    label = "_".join([op.name, *(f"{k}_{v}" for k, v in params.items())])
    got = elementwise(
        label,
        lambda e, *xs: op.emit(e, *xs, **params),
        flat,
        expected.dtype,
        target_name,
        lanes,
    )
    expected = expected.ravel()
    if listener.words & APPROXIMATE:
        assert_near(got, expected, 8)
    else:
        np.testing.assert_array_equal(got, expected)
    # Of zeros of two signs, NumPy's choice hangs on the machine.
    if expected.dtype.kind == "f" and not listener.words & {"max", "min"}:
        signs = np.signbit(np.broadcast_to(interpreted, np.broadcast(*args).shape))
        numbers = ~np.isnan(expected)
        assert (np.signbit(got) == signs.ravel())[numbers].all()


def assert_near(got, expected, ulps):
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(got[~finite], expected[~finite])
    with np.errstate(all="ignore"):
        error = np.abs(got[finite] - expected[finite])
    assert (error <= ulps * np.spacing(np.abs(expected[finite]))).all()


def cases(op):
    return op.cases(np.random.default_rng(zlib.crc32(op.name.encode())))


def in_type(args, dtype):
    return [a.astype(dtype) if a.dtype.kind == "f" else a for a in args]


@every_target
@one_or_many
@every_op
def test_on_the_sample(op, lanes, target_name, elementwise):
    for case in cases(op):
        if min((arg.size for arg in case.args), default=0) == 0:
            continue
        for dtype in ("float32", "float64"):
            args = in_type(case.args, dtype)
            check(elementwise, op, args, case.params, target_name, lanes)


@every_target
@one_or_many
@every_op
def test_at_extremes(op, lanes, target_name, elementwise):
    """Zeros of both signs, denormals, infinities and NaN, in every combination."""
    case = cases(op)[0]
    values = {"f": np.array([*SPECIAL, np.nan]), "b": np.array([False, True])}
    grid = np.meshgrid(*(values.get(a.dtype.kind, np.arange(-2, 3)) for a in case.args))
    for dtype in ("float32", "float64"):
        args = in_type(grid, dtype)
        check(elementwise, op, args, case.params, target_name, lanes)


def takes_integers(op):
    leaves = [weft.input(f"x{i}", (2,), "int32") for i in range(len(cases(op)[0].args))]
    try:
        return op(*leaves, **cases(op)[0].params).inputs == tuple(leaves)
    except WeftError:
        return False


INTEGER_OPS = {name: op for name, op in EMITTING.items() if takes_integers(op)}


def test_ops_on_integers_are_found():
    assert {"add", "abs", "maximum", "sign", "less", "cast"} <= set(INTEGER_OPS)
    assert "exp" not in INTEGER_OPS


@every_target
@one_or_many
@pytest.mark.parametrize("name", ["equal", "not_equal", "less", "less_equal", "where"])
def test_on_booleans(name, lanes, target_name, elementwise):
    op = OPS[name]
    grid = np.meshgrid(*[np.array([False, True])] * len(cases(op)[0].args))
    check(elementwise, op, grid, {}, target_name, lanes)


@every_target
@one_or_many
@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("op", INTEGER_OPS.values(), ids=INTEGER_OPS)
def test_on_integers(op, dtype, lanes, target_name, elementwise):
    info = np.iinfo(dtype)
    values = np.array([0, 1, -1, 7, -12, info.max, info.min], dtype)
    grid = np.meshgrid(*[values] * len(cases(op)[0].args))
    check(elementwise, op, grid, cases(op)[0].params, target_name, lanes)


DTYPES = ["bool", "int32", "int64", "float32", "float64"]


@every_target
@one_or_many
@pytest.mark.parametrize("new", DTYPES)
@pytest.mark.parametrize("old", DTYPES)
def test_casts(old, new, lanes, target_name, elementwise):
    numbers = [0, 1, -1, 2.75, -2.75, 2**24 + 1, -(2**31), 2.0**31, 2.0**62, -1e30]
    if old.startswith("float"):
        x = np.array([*numbers, -0.0, 1e-40, np.inf, -np.inf, np.nan], old)
    else:
        with np.errstate(all="ignore"):
            x = np.array(numbers[:-1]).astype("int64").astype(old)
    op = OPS["cast"]
    check(elementwise, op, [x], {"dtype": np.dtype(new)}, target_name, lanes)


@every_target
def test_lanes_of_two_widths_in_one_kernel(target_name, elementwise):
    """As many lanes as a register has floats stay so many when they become doubles."""
    x = np.linspace(-5, 5, 101, dtype=np.float32)

    def emit(e, x):
        return e.cast(e.exp(e.cast(x, np.float64)), np.float32)

    lanes = target(target_name).lanes(4)
    got = elementwise("widened_exp", emit, [x], x.dtype, target_name, lanes)
    np.testing.assert_allclose(got, np.exp(x), rtol=2e-7)


@every_target
@one_or_many
def test_fma(lanes, target_name, elementwise):
    """Rounded once where the machine can; else as two operations are."""
    x = np.array([1 + 2.0**-30, 3.0, np.inf])
    y, z = 2 - x[::1], np.array([-1.0, 0.5, 1.0])
    got = elementwise(
        "fma", lambda e, *a: e.fma(*a), [x, y, z], x.dtype, target_name, lanes
    )
    first = -(2.0**-60) if target(target_name).fma else 0.0
    np.testing.assert_array_equal(got, [first, -2.5, -np.inf])


@every_target
@pytest.mark.parametrize("number", [0.0, -1.5, np.inf])
@pytest.mark.parametrize("word", ["max", "min"])
@pytest.mark.parametrize("first", [True, False])
def test_extremes_with_a_literal(number, word, first, target_name, elementwise):
    """NaN comes through on whichever side the literal stands."""
    x = np.array([*SPECIAL, np.nan], np.float32)

    def emit(e, x):
        c = e.const(number, x)
        return getattr(e, word)(*((c, x) if first else (x, c)))

    label = f"{word}_{first}_{str(number).replace('.', '_')}"
    got = elementwise(label, emit, [x], x.dtype, target_name)
    np.testing.assert_array_equal(got, getattr(NumpyEmitter(), word)(x, number))


def test_an_extreme_with_a_literal_is_one_comparison():
    f = Function("f", [("float", "x")], target(), "float")
    (x,) = f.params
    VectorEmitter(f).max(x, literal(0, "float"))
    assert f.finish(x).count("fcmp") == 1


@pytest.mark.parametrize("first", [True, False])
def test_nan_as_a_literal_comes_through(first, elementwise):
    def emit(e, x):
        nan = e.const(np.nan, x)
        return e.max(*((nan, x) if first else (x, nan)))

    x = np.array(SPECIAL)
    label = f"max_nan_{first}"
    assert np.isnan(elementwise(label, emit, [x], x.dtype, available()[0])).all()


def test_polygamma_of_negative_order_is_refused():
    f = Function("f", [("double", "x")], target(), "double")
    with pytest.raises(ValueError, match="order -1: give 0 or more"):
        VectorEmitter(f).polygamma(-1, Value("%x", "double"))
