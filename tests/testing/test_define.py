"""One's own ops: in ten lines, refused where they are wrong, at home everywhere."""

import subprocess
import sys

import numpy as np
import pytest

import weft
from weft.graph import GraphError
from weft.graph import json as graph_json
from weft.ops import OPS
from weft.ops.sample import Case
from weft.testing import check_grads, check_record

F = "float64"


@pytest.fixture(autouse=True)
def no_new_ops(monkeypatch):
    """Ops made here are forgotten again."""
    monkeypatch.setattr(graph_json, "_ops", dict(graph_json._ops))
    known = dict(OPS)
    yield
    OPS.clear()
    OPS.update(known)


def swish(**changes):
    given = {
        "forward": lambda x: x / (1 + np.exp(-x)),
        "partials": [lambda out, x: out + weft.sigmoid(x) * (1 - out)],
        "sample": [(-4, 4)],
        **changes,
    }
    return weft.define("own_swish", given.pop("forward"), **given)


def scalar_swish(e, x):
    one = e.const(1, x)
    return e.div(x, e.add(one, e.exp(e.neg(x))))


@pytest.mark.parametrize("name", OPS)
def test_every_op_of_weft_keeps_its_promises(name):
    check_record(OPS[name])


# What a user's op can do ----------------------------------------------------------


@pytest.mark.parametrize("emit", [None, scalar_swish], ids=["called", "emitted"])
@pytest.mark.parametrize("engine", ["reference", "native"])
def test_an_op_of_elements_trains_on_both_engines(emit, engine):
    op = swish(emit=emit)
    rng = np.random.default_rng(0)
    x, W = weft.input("x", ("n", 3)), weft.parameter("W", (3, 2))
    cost = weft.mean(op(x @ W) ** 2)
    expected = -1, weft.mean(weft.silu(x @ W) ** 2)
    results = []
    for formula in (cost, expected[1]):
        step = weft.compile(
            [x],
            formula,
            {W: W - 0.1 * weft.grad(formula, W)},
            {W: rng.normal(size=(3, 2)).astype(np.float32) * 0 + 0.5},
            engine=engine,
        )
        data = np.random.default_rng(1).normal(size=(8, 3)).astype(np.float32)
        results.append([float(step(data)) for _ in range(5)])
    assert np.allclose(*results, rtol=1e-5)
    assert results[0][-1] < results[0][0]


def test_orders_modes_and_batches():
    op = swish()
    check_grads(op, [0.5, -1.0], order=3)
    x, xs = weft.input("x", (), F), weft.input("xs", ("n",), F)
    third = weft.grad(weft.grad(weft.grad(op(x), x), x), x)
    same = weft.grad(weft.grad(weft.grad(weft.silu(x), x), x), x)
    at = np.linspace(-2, 2, 5)
    batched = [weft.vmap(node, {x: xs}) for node in (third, same)]
    assert np.allclose(*weft.evaluate(batched, {xs: at}))
    assert weft.text(op(x)) == "own_swish(x)"
    assert weft.latex(op(x)) == r"\operatorname{own\_swish}\left(x\right)"
    assert op(np.array([0.0])) == 0


def test_a_linear_op():
    op = weft.define(
        "own_flip",
        lambda x: x[::-1],
        rule=lambda x: (x.shape, x.dtype),
        adjoints=[lambda ct, out, x: weft.OPS["own_flip"](ct)],
        sample=[(np.arange(3.0),), (np.ones((2, 2)),)],
    )
    x = weft.input("x", ("n",), F)
    weights = np.array([1.0, 2.0, 3.0])
    cost = weft.sum(op(x)[:3] * weights)
    found = weft.evaluate(weft.grad(cost, x), {x: [1.0, 2.0, 3.0]})
    assert np.array_equal(found, weights[::-1])
    with pytest.raises(GraphError, match="no rule for a new leading axis: give batch="):
        weft.vmap(op(x), {x: weft.input("xs", ("b", "n"), F)})


def test_an_op_with_both_modes_spelt_out():
    op = weft.define(
        "own_norm",
        lambda x, axis: np.sqrt(np.sum(x * x, axis)),
        rule=lambda x, axis: (x.shape[:axis] + x.shape[axis + 1 :], x.dtype),
        vjp=[
            lambda ct, out, x, axis: weft.ops.structure.expand_dims(ct / out, axis) * x
        ],
        jvp=lambda tangents, out, x, axis: weft.sum(tangents[0] * x, axis) / out,
        batch=lambda inputs, batched, axis: weft.OPS["own_norm"](
            *inputs, axis=axis + 1
        ),
        sample=[Case("rows", (np.arange(1.0, 7.0).reshape(2, 3),), {"axis": 1})],
    )
    x = weft.input("x", ("n", 3), F)
    check_grads(op(x, axis=1), {x: [[1.0, 2.0, 2.0]]})
    xs = weft.input("xs", ("b", "n", 3), F)
    assert weft.vmap(op(x, axis=1), {x: xs}).shape == (
        weft.as_dim("b"),
        weft.as_dim("n"),
    )


def test_an_op_with_a_kink():
    op = weft.define(
        "own_hinge",
        lambda x: np.maximum(1 - x, 0),
        partials=[lambda out, x: -weft.cast(x <= 1, x.dtype)],
        right_partials=[lambda out, x: -weft.cast(x < 1, x.dtype)],
        sample=[weft.ops.sample.reals(-2, 3, avoid=[1])],
    )
    x = weft.input("x", (), F)
    for side, slope in (("left", -1), ("right", 0)):
        assert weft.evaluate(weft.grad(op(x), x, kink=side), {x: 1.0}) == slope
    (kink,) = weft.kinks(op(x), {x: 1.0})
    assert (kink.left, kink.right) == (-1, 0)


def test_a_straight_through_estimator():
    op = weft.define(
        "own_round", np.rint, partials=[1], sample=[(-3, 3)], surrogate=True
    )
    x = weft.input("x", (3,), F)
    at = {x: [0.4, 0.6, -1.2]}
    assert np.array_equal(weft.evaluate(op(x), at), [0, 1, -1])
    y = weft.sum(op(x) ** 2)
    assert np.array_equal(weft.backprop(y, x, at), [0, 2, -2])
    assert np.array_equal(weft.evaluate(weft.jvp(op(x), {x: np.ones(3)}), at), [1] * 3)


def test_an_op_without_derivative():
    op = weft.define("own_sign", np.sign, differentiable=False, sample=[(-3, 3)])
    x = weft.input("x", (), F)
    assert weft.evaluate(weft.grad(x + op(x), x), {x: 2.0}) == 1


# What is refused ------------------------------------------------------------------

WRONG = {
    "slope": (
        {"partials": [lambda out, x: weft.sigmoid(x)]},
        r"its derivative: the forward mode of own_swish.* is wrong.* \(sample 'scalar'",
    ),
    "curvature-hidden": (  # right at first order alone
        {"partials": [lambda out, x: weft.stop_gradient(out + weft.sigmoid(x))]},
        "breaks a promise, its derivative",
    ),
    "in-numpy": (
        {"partials": [lambda out, x: np.exp(x)]},
        "write them in weft's functions",
    ),
    "scalar-code": ({"emit": lambda e, x: e.tanh(x)}, "scalar code: it gives"),
    "type": (
        {"forward": lambda x: (x / (1 + np.exp(-x))).astype(np.float32)},
        "forward gives float32.* and the rule says float64",
    ),
    "always-float64": (
        {"forward": lambda x: np.float64(x) / (1 + np.exp(-x))},
        "the same in float32: forward gives float64",
    ),
    "shape": ({"forward": lambda x: np.sum(x)}, "forward gives .* and the rule says"),
    "not-finite": ({"forward": lambda x: x + np.nan}, "not finite"),
    "number": ({"partials": [2]}, "its derivative: .*'int' object is not callable"),
    "latex": ({"latex": "{1}"}, "text, LaTeX and JSON"),
    "sample": ({"sample": [3]}, "one range"),
    "nothing": ({"partials": None}, "declares no derivative: give exactly one of"),
    "twice": ({"differentiable": False}, "declares partials and differentiable=False"),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_record_is_refused(changes, message):
    with pytest.raises(GraphError, match=message):
        swish(**changes)
    assert "own_swish" not in OPS
    assert "own_swish" not in graph_json.registered()
    swish()  # the name stayed free


def test_a_wrong_side_mode_batch_or_rule_is_refused():
    right = {
        "forward": lambda x: 2 * x,
        "rule": lambda x: (x.shape, x.dtype),
        "vjp": [lambda ct, out, x: 2 * ct],
        "jvp": lambda tangents, out, x: 2 * tangents[0],
        "batch": lambda inputs, batched: 2 * inputs[0],
        "sample": [(np.arange(3.0),)],
    }
    for changes, message in (
        ({"vjp": [lambda ct, out, x: 3 * ct]}, "its derivative: the reverse mode"),
        ({"jvp": lambda tangents, out, x: tangents[0]}, "the forward mode"),
        ({"vjp": None}, "incomplete: give vjp= and jvp="),
        ({"batch": lambda inputs, batched: inputs[0]}, "no loop over it"),
        (
            {"batch": lambda inputs, batched: op(*inputs)},
            r"finds the op itself as weft.OPS\['own_d",
        ),
        ({"rule": None}, "give rule="),
        ({"rule": lambda x: ((), x.dtype)}, "the rule says"),
        ({"sample": []}, "no samples"),
    ):
        given = {**right, **changes}
        with pytest.raises(GraphError, match=message):
            weft.define("own_double", given.pop("forward"), **given)
        assert "own_double" not in OPS
    op = weft.define("own_double", right.pop("forward"), **right)


def test_a_surrogate_has_two_modes_that_agree():
    with pytest.raises(GraphError, match="both modes agree"):
        weft.define(
            "own_round",
            np.rint,
            rule=lambda x: (x.shape, x.dtype),
            vjp=[lambda ct, out, x: ct],
            jvp=lambda tangents, out, x: 2 * tangents[0],
            sample=[(np.arange(3.0),)],
            surrogate=True,
        )


def test_names():
    first = swish()
    with pytest.raises(GraphError, match="already"):
        swish()
    second = swish(replace=True)
    assert OPS["own_swish"] is second
    assert second is not first
    with pytest.raises(GraphError, match="breaks a promise"):
        swish(replace=True, partials=[1])
    assert OPS["own_swish"] is second  # a refused one replaces nothing
    with pytest.raises(GraphError, match="already"):
        weft.define("tanh", np.tanh, partials=[1], sample=[(0, 1)], replace=True)
    assert OPS["tanh"](0.0) == 0


# As data --------------------------------------------------------------------------


def test_a_graph_with_it_can_be_read_where_it_is_defined():
    op = swish()
    x = weft.input("x", ("n",), F)
    document = weft.to_json(weft.grad(weft.sum(op(x)), x))
    assert weft.to_json(weft.from_json(document)) == document
    code = "import sys, weft; weft.from_json(sys.stdin.read())"
    done = subprocess.run(
        [sys.executable, "-c", code], input=document, capture_output=True, text=True
    )
    assert "the graph uses the op 'own_swish', which is not known here" in done.stderr
    assert "import the module that defines it" in done.stderr
