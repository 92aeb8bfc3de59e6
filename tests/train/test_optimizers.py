"""Optimizers: scikit-learn's steps, the papers' formulas bit for bit, in both types."""

import numpy as np
import pytest
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

import weft
from weft import train
from weft.graph.tree import flatten, tree_map

ALL = [
    train.SGD(0.1),
    train.SGD(0.1, momentum=0.9),
    train.SGD(0.1, momentum=0.8, nesterov=True),
    train.Adam(0.01),
    train.AdamW(0.01, decay=0.1),
    train.RMSProp(0.01),
    train.AdaGrad(0.1),
]
SHAPES = {"0/W": (3, 4), "0/b": (4,), "output/W": (4, 1)}


def drawn(steps, dtype="float64", seed=0):
    """Return first parameters, and gradients for some steps."""
    rng = np.random.default_rng(seed)
    params = {name: rng.normal(size=s).astype(dtype) for name, s in SHAPES.items()}
    grads = [
        {name: rng.normal(size=s).astype(dtype) for name, s in SHAPES.items()}
        for _ in range(steps)
    ]
    return params, grads


def run(optimizer, params, grads, rates=None, engine="auto"):
    """Take steps with a compiled program; return the parameters after each."""

    def leaves(make, tree, prefix=""):
        return tree_map(lambda a: make(prefix + "p", a.shape, a.dtype), tree)

    p, g = leaves(weft.parameter, params), leaves(weft.input, params)
    first = optimizer.init(params)
    state = leaves(weft.parameter, first)
    names = ["lr", *optimizer.numbers()]
    numbers = {name: weft.input(name, (), "float64") for name in names}
    new, new_state = optimizer.update(p, g, state, numbers)
    targets, values = flatten([p, state])[0], flatten([new, new_state])[0]
    program = weft.compile(
        [*g.values(), *numbers.values()],
        [],
        updates=dict(zip(targets, values, strict=True)),
        state=dict(zip(targets, flatten([params, first])[0], strict=True)),
        engine=engine,
    )
    found = []
    for t, grad in enumerate(grads):
        lr = optimizer.lr if rates is None else rates[t]
        program(*grad.values(), lr, *optimizer.numbers().values())
        found.append({name: np.array(program.state[leaf]) for name, leaf in p.items()})
    return found


def scikit_learns(make, params, grads):
    arrays = [a.copy() for a in params.values()]
    optimizer = make(arrays)
    found = []
    for grad in grads:
        optimizer.update_params(arrays, list(grad.values()))
        found.append({n: a.copy() for n, a in zip(params, arrays, strict=True)})
    return found


@pytest.mark.parametrize(
    ("optimizer", "make"),
    [
        (
            train.SGD(0.1),
            lambda p: SGDOptimizer(p, 0.1, momentum=0.0, nesterov=False),
        ),
        (
            train.SGD(0.05, momentum=0.9),
            lambda p: SGDOptimizer(p, 0.05, momentum=0.9, nesterov=False),
        ),
        (
            train.SGD(0.05, momentum=0.7, nesterov=True),
            lambda p: SGDOptimizer(p, 0.05, momentum=0.7, nesterov=True),
        ),
        (train.Adam(), AdamOptimizer),
        (
            train.Adam(0.02, beta_1=0.8, beta_2=0.99, epsilon=1e-6),
            lambda p: AdamOptimizer(p, 0.02, beta_1=0.8, beta_2=0.99, epsilon=1e-6),
        ),
    ],
    ids=["sgd", "momentum", "nesterov", "adam", "adam-tuned"],
)
def test_every_step_is_scikit_learns(optimizer, make):
    params, grads = drawn(steps=50)
    ours, theirs = run(optimizer, params, grads), scikit_learns(make, params, grads)
    for a, b in zip(ours, theirs, strict=True):
        for name in params:
            # Equal but for the last bit of a power, of which there are two versions.
            assert np.allclose(a[name], b[name], rtol=1e-14, atol=1e-15)


def test_sgd_equals_scikit_learns_bit_for_bit():
    params, grads = drawn(steps=20)
    optimizer = train.SGD(0.05, momentum=0.9, nesterov=True)
    theirs = scikit_learns(
        lambda p: SGDOptimizer(p, 0.05, momentum=0.9, nesterov=True), params, grads
    )
    for a, b in zip(run(optimizer, params, grads), theirs, strict=True):
        assert all(np.array_equal(a[name], b[name]) for name in params)


# By hand ------------------------------------------------------------------------------


def by_hand(optimizer, p, grads, weight=True):
    """The formulas as the papers write them, on one array, in its own type."""
    kind = p.dtype.type
    m = v = r = np.zeros_like(p)
    for t, g in enumerate(grads, start=1):
        lr = kind(optimizer.lr)
        if isinstance(optimizer, train.SGD):
            if optimizer.momentum:
                mu = kind(optimizer.momentum)
                v = mu * v - lr * g
                p = p + (mu * v - lr * g if optimizer.nesterov else v)
            else:
                p = p - lr * g
        elif isinstance(optimizer, train.RMSProp):
            r = kind(optimizer.rho) * r + kind(1 - optimizer.rho) * (g * g)
            p = p - lr * g / np.sqrt(kind(optimizer.delta) + r)
        elif isinstance(optimizer, train.AdaGrad):
            r = r + g * g
            p = p - lr * g / (kind(optimizer.delta) + np.sqrt(r))
        else:
            b1, b2 = optimizer.beta_1, optimizer.beta_2
            m = kind(b1) * m + kind(1 - b1) * g
            v = kind(b2) * v + kind(1 - b2) * (g * g)
            powers = np.power([b1, b2], float(t))
            rate = optimizer.lr * np.sqrt(1 - powers[1]) / (1 - powers[0])
            if isinstance(optimizer, train.AdamW) and weight:
                p = p - kind(optimizer.lr * optimizer.decay) * p
            old = p
            p = old - kind(rate) * m / (np.sqrt(v) + kind(optimizer.epsilon))
    return p


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ALL, ids=repr)
def test_steps_are_the_formulas_bit_for_bit(optimizer, dtype):
    params, grads = drawn(steps=10, dtype=dtype)
    found = run(optimizer, params, grads, engine="reference")[-1]
    native = run(optimizer, params, grads, engine="native")[-1]
    for name, p in params.items():
        expected = by_hand(optimizer, p, [g[name] for g in grads], name != "0/b")
        assert found[name].dtype == dtype
        assert np.array_equal(found[name], expected), name
        # Its powers of the betas may differ in the last bits.
        np.testing.assert_array_max_ulp(native[name], expected, 64)


def test_adamw_decays_biases_only_if_asked():
    params, grads = drawn(steps=3)
    zero = [tree_map(np.zeros_like, g) for g in grads]
    weights = run(train.AdamW(0.1, decay=0.5), params, zero)[-1]
    assert np.array_equal(weights["0/b"], params["0/b"])
    assert np.allclose(weights["0/W"], params["0/W"] * 0.95**3)
    both = run(train.AdamW(0.1, decay=0.5, weights_only=False), params, zero)[-1]
    assert np.allclose(both["0/b"], params["0/b"] * 0.95**3)


def test_adamw_without_decay_is_adam():
    params, grads = drawn(steps=5)
    one, two = (
        run(o, params, grads)[-1]
        for o in (train.AdamW(0.01, decay=0.0), train.Adam(0.01))
    )
    assert all(np.array_equal(one[name], two[name]) for name in params)


def test_adams_first_steps_keep_their_digits_in_float32():
    """1 - 0.999 in float32 would be off by 5e-5; the numbers are float64."""
    params, grads = drawn(steps=1, dtype="float32")
    wide = {n: p.astype("float64") for n, p in params.items()}
    wide_grads = [{n: g.astype("float64") for n, g in grads[0].items()}]
    narrow = run(train.Adam(0.01), params, grads)[-1]
    exact = run(train.Adam(0.01), wide, wide_grads)[-1]
    for name in params:
        step = narrow[name].astype("float64") - params[name]
        assert np.allclose(step, exact[name] - wide[name], rtol=2e-4, atol=1e-9)


def test_the_learning_rate_is_a_run_time_number():
    params, grads = drawn(steps=2)
    optimizer = train.SGD(0.1)
    found = run(optimizer, params, grads, rates=[0.5, 0.0])
    expected = params["0/W"] - 0.5 * grads[0]["0/W"]
    assert np.array_equal(found[0]["0/W"], expected)
    assert np.array_equal(found[1]["0/W"], expected)


@pytest.mark.parametrize("optimizer", ALL, ids=repr)
def test_optimizers_are_written_and_read(optimizer):
    assert weft.nn.from_data(weft.nn.to_data(optimizer)) == optimizer


def test_momentum_without_need_keeps_no_state():
    assert train.SGD(0.1).init({"W": np.zeros(3)}) == {}


# Clipping -----------------------------------------------------------------------------


@pytest.mark.parametrize("bound", [0.5, 1000.0])
def test_clipping_bounds_the_norm_of_all_gradients_together(bound):
    _, (grads,) = drawn(steps=1)
    nodes = {name: weft.constant(g) for name, g in grads.items()}
    clipped = train.clip_by_norm(nodes, weft.constant(bound, "float64"))
    found = {name: node.numpy() for name, node in clipped.items()}
    norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
    new = np.sqrt(sum((g**2).sum() for g in found.values()))
    assert new == pytest.approx(min(norm, bound))
    for name, g in grads.items():
        assert np.allclose(found[name], g * min(1, bound / norm))
        assert bound < norm or np.array_equal(found[name], g)


def test_clipping_leaves_a_gradient_of_zero():
    nodes = {"W": weft.constant(np.zeros(3))}
    clipped = train.clip_by_norm(nodes, weft.constant(1.0, "float64"))
    assert np.array_equal(clipped["W"].numpy(), np.zeros(3))


@pytest.mark.parametrize(
    "make",
    [
        lambda: train.SGD(0.0),
        lambda: train.SGD(-1.0),
        lambda: train.SGD(float("nan")),
        lambda: train.SGD(0.1, momentum=1.0),
        lambda: train.Adam(beta_1=1.0),
        lambda: train.Adam(beta_2=-0.1),
        lambda: train.AdamW(decay=-1.0),
        lambda: train.RMSProp(rho=1.0),
        lambda: train.AdaGrad(delta=-1.0),
    ],
)
def test_impossible_settings_are_refused(make):
    with pytest.raises(train.FitError, match="give"):
        make()


def test_gradients_whose_squares_overflow_are_clipped_and_not_lost():
    grads = [weft.constant([3e25, 4e25])]
    (clipped,) = train.clip_by_norm(grads, weft.constant(1.0, "float64"))
    np.testing.assert_allclose(clipped.numpy(), [0.6, 0.8], rtol=1e-6)
