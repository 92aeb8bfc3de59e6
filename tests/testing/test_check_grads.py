"""The checker itself: it finds what is wrong, and says which mode, where, how much."""

import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import weft
from weft.graph import GraphError, WeftError
from weft.ops import OPS
from weft.ops.emitter import Emitter
from weft.ops.record import Derivative, elementwise, explicit
from weft.ops.sample import reals
from weft.testing import GradientError, NumpyEmitter, check_grads, in_float64
from weft.testing.strategies import arrays, graphs, shapes
from weft.testing.strategies import reals as numbers


@pytest.fixture(autouse=True)
def no_new_ops(monkeypatch):
    """Ops made here are forgotten again."""
    monkeypatch.setattr(weft.graph.json, "_ops", dict(weft.graph.json._ops))
    known = dict(OPS)
    yield
    OPS.clear()
    OPS.update(known)


def wrong(name, slope=np.cos, curve=lambda x: -weft.sin(x), vjp=1.0, jvp=1.0):
    """Sin with a derivative that is off by a factor in one mode."""

    def cosine(x):
        return weft.cos(x)

    return explicit(
        name,
        forward=np.sin,
        rule=lambda x: (x.shape, x.dtype),
        vjp=[lambda ct, out, x: ct * cosine(x) * vjp],
        jvp=lambda tangents, out, x: tangents[0] * cosine(x) * jvp,
        batch=lambda inputs, batched: inputs[0],
        cases=lambda rng: [],
        latex="",
    )


AT = np.array([[0.1, 0.5], [1.0, -2.0]])


# What passes ----------------------------------------------------------------------


def test_functions_of_arrays():
    check_grads(weft.tanh, AT)
    check_grads(weft.tanh, [0.5, 1.0])
    check_grads(weft.tanh, 0.5)
    check_grads(lambda x, y: {"a": x @ y, "b": [x / (3 + y)]}, AT, AT)
    check_grads(weft.matmul, AT, AT, order=3)


def test_nodes_with_a_feed():
    x, W = weft.input("x", ("n", 2)), weft.parameter("W", (2, 3))
    check_grads(weft.softmax(x @ W), {x: AT, W: np.ones((2, 3)) / 3})
    check_grads([x @ W, weft.sin(x)], {x: AT, W: np.ones((2, 3))}, wrt=W)


def test_float32_is_checked_as_float64():
    x = weft.input("x", (2, 2), "float32")
    check_grads(weft.cast(weft.exp(x), "float32") * np.float32(0.1), {x: AT})
    check_grads(weft.exp, AT.astype("float32"))


def test_whole_numbers_are_carried_along():
    check_grads(lambda x, k: weft.take(x, k) ** 2, AT, np.array([1, 0, 1]))
    x, k = weft.input("x", (3,), "float64"), weft.input("k", ("m",), "int64")
    outputs = [weft.take(x, k), weft.size(k), k]
    check_grads(outputs, {x: [1.0, 2.0, 3.0], k: [0, 0]})


def test_symbols_may_be_bound_by_a_leaf_that_is_not_used():
    x, length = weft.input("x", (), "float64"), weft.input("length", ("n",))
    check_grads(weft.broadcast_to(x, ("n",)) * x, {x: 2.0, length: np.zeros(3)})


def test_either_side_of_a_kink():
    for kink in ("left", "right"):
        check_grads(weft.relu, [-1.0, 0.1, 2.0], kink=kink)


def test_the_same_every_time(monkeypatch):
    seen = []
    original = weft.testing.gradients.evaluate

    def recorded(outputs, feed):
        seen.append([np.asarray(v).tolist() for v in feed.values()])
        return original(outputs, feed)

    monkeypatch.setattr(weft.testing.gradients, "evaluate", recorded)
    check_grads(weft.tanh, AT, seed=3)
    first = list(seen)
    seen.clear()
    check_grads(weft.tanh, AT, seed=3)
    assert seen == first
    seen.clear()
    check_grads(weft.tanh, AT, seed=4)
    assert seen != first


# What fails -----------------------------------------------------------------------


def message(*args, **kwargs):
    with pytest.raises(GradientError) as caught:
        check_grads(*args, **kwargs)
    assert isinstance(caught.value, (WeftError, AssertionError))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_wrong_forward_mode_is_named():
    said = message(wrong("off_forward", jvp=1.1), AT)
    assert said.startswith("the forward mode of off_forward is wrong, output off_for")
    place = re.search(
        r"at \[(\d), (\d)\]: it gives (\S+), finite differences (\S+) ", said
    )
    i, j, gives, wants = place.groups()
    assert np.isclose(float(gives), 1.1 * float(wants))
    off, allowed = re.search(r"off by (\S+), allowed (\S+)\)", said).groups()
    assert float(off) > float(allowed)
    assert np.isclose(float(off), abs(float(gives) - float(wants)), rtol=0.1)
    assert np.isclose(abs(np.cos(AT[int(i), int(j)])), abs(float(wants)), rtol=0.6)


def test_a_wrong_reverse_mode_is_named_with_the_entry():
    op = wrong("off_reverse", vjp=np.array([[1.0, 1.0], [1.0, 1.3]]))
    said = message(op, AT)
    assert said.startswith(
        "the reverse mode of off_reverse is wrong, the derivative for"
    )
    assert "argument 0: float64(2, 2) at [1, 1]" in said


def test_the_argument_is_named():
    op = wrong("off", vjp=2.0)
    x, y = weft.input("x", (2,), "float64"), weft.input("y", (2,), "float64")
    said = message(weft.sin(x) + op(y), {x: [1.0, 2.0], y: [1.0, 2.0]})
    assert "the derivative for y: float64(2,) at" in said
    check_grads(weft.sin(x) + op(y), {x: [1.0, 2.0], y: [1.0, 2.0]}, wrt=x)


@pytest.mark.parametrize("size", [1e-3, 1e-5, 5e-6])
@pytest.mark.parametrize("mode", ["vjp", "jvp"])
def test_small_errors_are_found(size, mode):
    message(wrong("slightly", **{mode: 1 + size}), AT)


@pytest.mark.parametrize("size", [1e-8, 1e-10])
@pytest.mark.parametrize("mode", ["vjp", "jvp"])
def test_rounding_is_no_error(size, mode):
    check_grads(wrong("rounded", **{mode: 1 + size}), AT)


def test_a_wrong_second_derivative_is_found_and_named():
    """First derivatives right, their own derivative wrong."""
    slope = elementwise(
        "bad_cos",
        forward=np.cos,
        partials=(lambda out, x: weft.sin(x),),  # the sign is missing
        emit=lambda e, x: e.cos(x),
        latex="",
        sample=reals(-1, 1),
    )
    curve = elementwise(
        "good_sin",
        forward=np.sin,
        partials=(lambda out, x: slope(x),),
        emit=lambda e, x: e.sin(x),
        latex="",
        sample=reals(-1, 1),
    )
    check_grads(curve, AT, order=1)
    said = message(curve, AT, order=2)
    assert said.startswith("the forward mode of the forward mode of good_sin is wrong")


def test_a_missing_path_is_found():
    def forgetful(x):
        return x * weft.stop_gradient(x)

    message(forgetful, AT)


def test_a_nan_is_no_success():
    op = explicit(
        "nan_slope",
        forward=np.sin,
        rule=lambda x: (x.shape, x.dtype),
        vjp=[lambda ct, out, x: ct * np.nan],
        jvp=lambda tangents, out, x: tangents[0] * weft.cos(x),
        batch=lambda inputs, batched: inputs[0],
        cases=lambda rng: [],
        latex="",
    )
    assert "it gives nan" in message(op, AT)


def test_a_kink_cannot_be_checked_at_itself():
    message(weft.relu, [0.0])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: check_grads(weft.log, [-1.0]), "not finite"),
        (lambda: check_grads(weft.exp(weft.input("x", ()))), "one mapping"),
        (lambda: check_grads(weft.exp(weft.input("x", ())), [1.0]), "one mapping"),
        (lambda: check_grads(lambda k: k + 1, [1, 2]), "no derivative to check"),
        (lambda: check_grads(lambda x: x > 0, [1.0]), "no derivative to check"),
        (lambda: check_grads(weft.exp, [1.0], wrt=3), "a function was given"),
    ],
)
def test_what_cannot_be_checked(call, said):
    with pytest.raises(GraphError, match=said):
        call()


# The other tools ------------------------------------------------------------------


def test_a_graph_in_float64():
    x, k = weft.input("x", ("n", 2), simplex=1), weft.input("k", ("n",), "int32")
    W = weft.parameter("W", (2, 2))
    y = weft.cast(x @ W + 0.1, "float32") * weft.one_hot(k, 2)
    (again,), twins = in_float64([y])
    assert {n.dtype.name for n in weft.topological([again])} == {"float64", "int32"}
    assert twins[x].params["simplex"] == 1
    assert twins[k] is k
    assert twins[y] is again
    feed = {x: AT, k: [0, 1], W: AT}
    doubled = {twins[leaf]: value for leaf, value in feed.items()}
    assert np.allclose(weft.evaluate(y, feed), weft.evaluate(again, doubled))
    assert in_float64([again])[0] == [again]


def test_the_numpy_emitter_speaks_every_word():
    words = Emitter.__abstractmethods__
    assert words <= set(vars(NumpyEmitter))
    assert NumpyEmitter.__final__
    e, x = NumpyEmitter(), np.array([0.5, 2.0])
    assert np.array_equal(e.fma(x, x, x), x * x + x)
    assert e.const(1, x.astype("float32")).dtype == np.float32
    assert np.array_equal(e.select(e.less(x, e.const(1, x)), x, e.neg(x)), [0.5, -2.0])


@given(shapes(max_ndim=2, max_side=3))
def test_shapes_are_small(shape):
    assert len(shape) <= 2
    assert all(0 <= side <= 3 for side in shape)


@given(arrays((2, 3), numbers(-1, 1, avoid=(0.0,)), "float32"))
def test_arrays_keep_clear(array):
    assert array.shape == (2, 3)
    assert array.dtype == np.float32
    assert np.all(np.abs(array) >= 0.05)
    assert np.all(np.abs(array) <= 1)


@given(graphs(kinks=True, scalar=True), st.just(None))
def test_graphs_know_their_value(graph, _):
    assert graph.output.shape == ()
    assert set(weft.leaves([graph.output])) <= {
        *graph.leaves,
        *(n for n in weft.leaves([graph.output]) if n.op.name == "constant"),
    }
    found = weft.evaluate(graph.output, graph.feed)
    assert np.allclose(found, graph.value, rtol=1e-12, atol=1e-13)
    assert np.isfinite(found)


def test_hypothesis_is_needed_by_the_strategies_alone():
    code = (
        "import sys, weft.testing; "
        "print('hypothesis' in sys.modules, 'scipy' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["False", "False"]


def test_both_modes_or_none():
    with pytest.raises(TypeError):
        Derivative(vjp=lambda *_: None)
