"""Networks: the chain, XOR by hand, costs, descriptions, errors."""

import json
import warnings

import numpy as np
import pytest

import weft
from weft import nn
from weft.graph.tree import flatten, tree_map

XOR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
ANSWER = np.array([0.0, 1.0, 1.0, 0.0])

# Equations 6.3 to 6.6 of the book.
BOOK = {
    "0": {"W": np.array([[1.0, 1.0], [1.0, 1.0]]), "b": np.array([0.0, -1.0])},
    "output": {"W": np.array([[1.0], [-2.0]]), "b": np.array([0.0])},
}


def fed(network, params, outputs_of, x, **leaves):
    """Evaluate ``outputs_of(symbols, x)`` with parameters and rows."""
    width = x.shape[1]
    dtype = str(flatten(params)[0][0].dtype)
    symbols = network.symbols(width, dtype)
    node = weft.input("x", ("n", width), dtype)
    outputs = outputs_of(symbols, node)
    feed = dict(zip(flatten(symbols)[0], flatten(params)[0], strict=True))
    return weft.evaluate(outputs, {**feed, node: x, **leaves})


# XOR ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_books_network_is_exact(dtype):
    network = nn.mlp([2], "relu", nn.Gaussian())
    params = tree_map(lambda a: a.astype(dtype), BOOK)
    prediction = fed(network, params, network.predict, XOR.astype(dtype))
    assert prediction.tolist() == [0, 1, 1, 0] and prediction.dtype == dtype
    hidden = fed(network, params, network.hidden, XOR.astype(dtype))
    assert hidden.tolist() == [[0, 0], [1, 0], [1, 0], [2, 1]]


def test_a_linear_model_of_xor_is_one_half_everywhere():
    """The normal equations of the mean squared error give w = 0, b = 0.5."""
    network = nn.mlp([], output=nn.Gaussian())
    symbols = network.symbols(2, "float64")["output"]
    x, y = weft.input("x", ("n", 2), "float64"), weft.input("y", ("n",), "float64")
    cost, _ = network.cost({"output": symbols}, x, y, nn.Predict())
    wrt = [symbols["W"], symbols["b"]]
    zero = {symbols["W"]: np.zeros((2, 1)), symbols["b"]: np.zeros(1)}
    rows = {x: XOR, y: ANSWER}
    # The cost is quadratic: one Newton step from anywhere is the solution.
    slope = weft.evaluate(weft.grad(cost, wrt), {**zero, **rows})
    columns = [
        weft.evaluate(weft.hvp(cost, wrt, direction), {**zero, **rows})
        for direction in (
            [weft.constant(np.eye(3)[i][:2, None]), weft.constant(np.eye(3)[i][2:])]
            for i in range(3)
        )
    ]
    hessian = np.array([np.concatenate([c[0][:, 0], c[1]]) for c in columns])
    solution = np.linalg.solve(hessian, -np.concatenate([slope[0][:, 0], slope[1]]))
    assert np.allclose(solution, [0, 0, 0.5], rtol=0, atol=1e-12)
    best = {symbols["W"]: solution[:2, None], symbols["b"]: solution[2:]}
    value = weft.evaluate(cost, {**best, **rows})
    # J = 1/4 sum (y - 1/2)^2 is 1/4; the cost is half of it and the normaliser.
    assert 2 * (value - 0.5 * np.log(2 * np.pi)) == pytest.approx(0.25, abs=1e-14)


# The chain ----------------------------------------------------------------------------

NETWORK = nn.Network(
    [nn.Dense(5, "tanh"), nn.Dropout(0.3), nn.Skip(nn.Dense(5, "relu"))],
    nn.Categorical(3),
)
ROWS = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)


def test_a_network_is_the_composition_of_its_layers_bit_for_bit():
    params = NETWORK.init(0, 4)
    h = weft.constant(ROWS)
    for i, layer in enumerate(NETWORK.layers):
        own = tree_map(weft.constant, params[str(i)])
        h, _ = layer(own, weft.constant(h.numpy()), nn.Predict())  # each by itself
        found = fed(NETWORK, params, lambda p, x, i=i: NETWORK.hidden(p, x, i), ROWS)
        assert np.array_equal(found, h.numpy())
    head = tree_map(weft.constant, params["output"])
    raw = NETWORK.output.raw(head, weft.constant(h.numpy())).numpy()
    assert np.array_equal(fed(NETWORK, params, NETWORK.raw, ROWS), raw)


def test_the_output_is_linear_in_the_last_features():
    params = NETWORK.init(0, 4)
    phi = fed(NETWORK, params, NETWORK.hidden, ROWS)
    raw = fed(NETWORK, params, NETWORK.raw, ROWS)
    assert np.allclose(phi @ params["output"]["W"] + params["output"]["b"], raw)


def test_permuting_hidden_units_changes_no_output():
    network = nn.mlp([6], "tanh", nn.Gaussian())
    params = network.init(0, 4, "float64")
    order = np.array([3, 1, 5, 0, 2, 4])
    permuted = {
        "0": {"W": params["0"]["W"][:, order], "b": params["0"]["b"][order]},
        "output": {**params["output"], "W": params["output"]["W"][order]},
    }
    rows = ROWS.astype("float64")
    one, two = (fed(network, p, network.predict, rows) for p in (params, permuted))
    assert np.allclose(one, two, rtol=1e-14)


def test_prediction_ignores_the_rows_beside():
    params = NETWORK.init(0, 4)
    whole = fed(NETWORK, params, NETWORK.predict, ROWS)
    part = fed(NETWORK, params, NETWORK.predict, ROWS[2:3])
    assert np.allclose(whole[2:3], part, rtol=1e-6)


# Costs --------------------------------------------------------------------------------


def cost_of(network, params, x, y, weight=None, mode=None):
    dtype = flatten(params)[0][0].dtype
    target = network.output.as_target(y, dtype)
    leaf = network.output.target(target)
    w = weft.input("w", ("n",), dtype)
    feed = {leaf: target}
    if weight is not None:
        feed[w] = weight
    mode = mode or nn.Predict()

    def build(p, x):
        cost, _ = network.cost(p, x, leaf, mode, None if weight is None else w)
        return [cost, network.per_example(p, x, leaf, mode)]

    symbols = network.symbols(x.shape[1], dtype)
    node = weft.input("x", ("n", x.shape[1]), dtype)
    feed |= dict(zip(flatten(symbols)[0], flatten(params)[0], strict=True))
    return weft.evaluate(build(symbols, node), {**feed, node: x})


@pytest.mark.parametrize("mode", [nn.Predict(), nn.Train(seed=3, step=1)])
def test_the_cost_is_the_mean_of_the_per_example_costs(mode):
    params = NETWORK.init(0, 4, "float64")
    labels = np.array([0, 1, 2, 0, 1, 2, 0])
    cost, each = cost_of(NETWORK, params, ROWS.astype("float64"), labels, mode=mode)
    assert each.shape == (7,) and (each > 0).all()
    assert abs(cost - each.mean()) <= 4 * np.spacing(cost)


def test_a_weight_of_two_is_the_row_twice():
    params = NETWORK.init(0, 4, "float64")
    rows, labels = ROWS.astype("float64"), np.array([0, 1, 2, 0, 1, 2, 0])
    weight = np.array([2.0, 0, 1, 1, 3, 0, 1])
    again = np.repeat(np.arange(7), weight.astype(int))
    weighted, _ = cost_of(NETWORK, params, rows, labels, weight)
    repeated, _ = cost_of(NETWORK, params, rows[again], labels[again])
    assert weighted == pytest.approx(repeated, rel=1e-14)
    ones, _ = cost_of(NETWORK, params, rows, labels, np.ones(7))
    plain, _ = cost_of(NETWORK, params, rows, labels)
    assert ones == plain


def test_training_masks_follow_seed_and_step():
    params = NETWORK.init(0, 4)
    labels = np.zeros(7, int)

    def at(seed, step):
        return cost_of(NETWORK, params, ROWS, labels, mode=nn.Train(seed, step))[0]

    assert at(1, 2) == at(1, 2) and at(1, 2) != at(1, 3) and at(1, 2) != at(2, 2)


# Parameters ---------------------------------------------------------------------------


def test_leaves_are_named_by_their_paths():
    symbols = NETWORK.symbols(4, "float64")
    names = [leaf.name for leaf in flatten(symbols)[0]]
    assert names == ["0/W", "0/b", "2/0/W", "2/0/b", "output/W", "output/b"]
    assert all(leaf.dtype == "float64" for leaf in flatten(symbols)[0])
    assert NETWORK.symbols(4)["0"]["W"] is not NETWORK.symbols(4)["0"]["W"]


def test_arrays_and_leaves_are_one_tree():
    params, symbols = NETWORK.init(0, 4), NETWORK.symbols(4)
    shapes = tree_map(lambda a, s: a.shape == s.shape, params, symbols)
    assert all(flatten(shapes)[0])
    assert all(a.dtype == np.float32 for a in flatten(params)[0])


def test_the_seed_decides_and_the_type_only_rounds():
    one, two, other = (flatten(NETWORK.init(seed, 4))[0] for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[0], other[0])
    wide = flatten(NETWORK.init(5, 4, "float64"))[0]
    assert all(
        np.array_equal(a, b.astype("f4")) for a, b in zip(one, wide, strict=True)
    )


@pytest.mark.parametrize("value", [nn.Zeros(), nn.Constant(0.5)])
def test_equal_weights_everywhere_are_warned_of(value):
    network = nn.Network(
        [nn.Dense(3, "tanh", weights=value)], nn.Gaussian(weights=value)
    )
    with pytest.warns(nn.SymmetryWarning, match="compute the same"):
        network.init(0, 2)


def test_what_breaks_the_symmetry_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.mlp([3], weights=nn.Zeros()).init(0, 2)  # the output's weights differ
        nn.mlp([], output=nn.Gaussian(weights=nn.Zeros())).init(0, 2)  # convex
        nn.mlp([1], weights=nn.Constant(1.0)).init(0, 2)  # one unit is no crowd


# Descriptions -------------------------------------------------------------------------


def test_a_network_is_plain_data():
    network = nn.mlp(
        [8, 4],
        [nn.Maxout(3), nn.Unit(lambda z: z * weft.sigmoid(z))],
        nn.HeteroscedasticGaussian(2, bias=nn.Constant(0.5)),
        dropout=[0.1, 0.2],
        input_dropout=0.3,
        norm="batch",
        weights=nn.Orthogonal(),
    )
    text = json.dumps(network.describe(), allow_nan=False)
    again = nn.Network.from_description(text)
    assert again.describe() == network.describe()
    assert again.layers[:2] == network.layers[:2] and again.output == network.output
    params = network.init(0, 3)
    rows = ROWS[:, :3]
    one, two = (fed(n, params, n.predict, rows) for n in (network, again))
    assert np.array_equal(one, two)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("{", "not JSON"),
        ("[1, 2]", "not the description of a network"),
        ('{"kind": "ReLU"}', "not the description of a network"),
        ('{"kind": "Teapot"}', "'Teapot', which is not known"),
        ('{"kind": ["a"]}', "not known"),
        ('{"kind": "Network", "layers": []}', "Network cannot be read, it is damaged"),
        ('{"kind": "Network", "layers": 3, "output": null}', "is no layer"),
        ('{"kind": "Dropout", "p": 0.5, "q": 1}', "Dropout cannot be read"),
        ('{"kind": "Dropout", "p": "half"}', "Dropout cannot be read"),
    ],
)
def test_damaged_descriptions_are_refused(data, words):
    with pytest.raises(nn.DescriptionError, match=words):
        nn.Network.from_description(data)


def test_only_data_can_be_written():
    class Mine(nn.Layer):
        def out_shape(self, in_shape):
            return in_shape

        def __call__(self, params, x, mode):
            return x, {}

    with pytest.raises(nn.DescriptionError, match="not registered"):
        nn.to_data(Mine())
    with pytest.raises(nn.DescriptionError, match="is not data"):
        nn.to_data(nn.Constant(weft.sin))


def test_summary_counts_every_parameter():
    text = NETWORK.summary(4)
    total = sum(a.size for a in flatten(NETWORK.init(0, 4))[0])
    assert text.splitlines()[-1].split() == ["total", str(total)]
    assert "Dropout(0.3)" in text and "(n, 5)" in text


def test_units_and_rates_may_differ_by_layer():
    network = nn.mlp((4, 3), ["cos", "tanh"], nn.Gaussian(), dropout=(0, 0.5))
    assert [layer.unit for layer in network.layers] == [nn.Cos(), nn.Tanh()]
    assert network.numbers() == {"1/dropout/p": 0.5}
    assert nn.mlp(4).layers == nn.mlp([4]).layers


# Errors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.mlp([4, 3], ["relu"]), "1 units were given for 2 hidden layers"),
        (lambda: nn.mlp([4], dropout=[0.1, 0.2]), "2 dropout rates"),
        (lambda: nn.mlp([4], norm="bach"), "choose 'batch' or 'layer'"),
        (lambda: nn.mlp([4], norm=3), "BatchNorm"),
        (lambda: nn.Network([], None), "None is no output unit"),
        (lambda: nn.mlp([4], output="gaussian"), "is no output unit"),
        (lambda: nn.mlp(["4"]), "'4': give a whole number"),
        (lambda: nn.mlp([4.5]), "4.5: give a whole number"),
    ],
)
def test_networks_that_cannot_be_are_refused(make, words):
    with pytest.raises(nn.DescriptionError, match=words):
        make()


def test_shapes_are_named_with_the_layer():
    network = nn.mlp([5, 6], "relu", nn.Gaussian())
    params = tree_map(weft.constant, network.init(0, 4))
    wrong = weft.input("x", ("n", 3))
    with pytest.raises(
        weft.ShapeError, match=r"layer 0 \(Dense\(5, ReLU\(\)\)\): .*'W'"
    ):
        network.raw(params, wrong)
    params["output"]["W"] = weft.constant(np.zeros((9, 1), "f4"))
    with pytest.raises(weft.ShapeError, match=r"output \(Gaussian\(\)\): .*'W'"):
        network.raw(params, weft.input("x", ("n", 4)))
    with pytest.raises(weft.ShapeError, match=r"output \(Gaussian\(\)\): .*y\[:, 0\]"):
        good = tree_map(weft.constant, network.init(0, 4))
        x, y = weft.input("x", ("n", 4)), weft.input("y", ("n", 1))
        network.cost(good, x, y, nn.Predict())


def test_inputs_and_weights_are_checked():
    network = nn.mlp([5])
    symbols = network.symbols(4)
    x, y = weft.input("x", ("n", 4)), weft.input("y", ("n",))
    for bad in (weft.input("x", (4,)), weft.input("x", ("n", 4), "int64")):
        with pytest.raises(weft.ShapeError, match="float node of shape"):
            network.raw(symbols, bad)
    with pytest.raises(weft.ShapeError, match="one weight per row"):
        network.cost(symbols, x, y, nn.Predict(), weft.input("w", ("n", 1)))
    for layer in (2, -2):
        with pytest.raises(weft.ShapeError, match="there is no layer"):
            nn.mlp([5]).hidden(symbols, x, layer)


@pytest.mark.parametrize("features", [0, -3, 2.0, True, None])
def test_the_number_of_features_is_whole(features):
    with pytest.raises(weft.ShapeError):
        nn.mlp([3]).init(0, features)


@pytest.mark.parametrize("dtype", ["int64", "bool", "float16", None])
def test_networks_compute_in_floats(dtype):
    with pytest.raises(weft.DTypeError):
        nn.mlp([3]).init(0, 2, dtype)
