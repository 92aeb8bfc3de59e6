"""Layers: values, shapes, gradients, masks, statistics; errors name the layer."""

import math

import numpy as np
import pytest

import weft
from weft import nn
from weft.graph.tree import flatten, tree_map, unflatten
from weft.testing import check_grads


def built(layer, rows, mode=None, params=None, seed=3):
    """Return a layer's graph in float64, its updates, its leaves and what to feed."""
    width = rows.shape[1]
    values = params or layer.init(np.random.default_rng(seed), (width,))
    leaves = tree_map(lambda a: weft.parameter("p", a.shape, "float64"), values)
    x = weft.input("x", ("n", width), "float64")
    node, updates = layer(leaves, x, mode or nn.Predict())
    feed = dict(zip(flatten(leaves)[0], flatten(values)[0], strict=True))
    return node, updates, leaves, {**feed, x: rows}


ROWS = np.random.default_rng(0).normal(size=(6, 4))

LAYERS = [
    nn.Affine(3),
    nn.LowRankAffine(5, rank=2),
    nn.LayerNorm(),
    nn.BatchNorm(),
    nn.Dense(3, "tanh"),
    nn.Dense(3, "tanh", norm=nn.LayerNorm()),
    nn.Dense(3, "sigmoid", norm=nn.BatchNorm()),
    nn.Sequential(nn.Affine(6), nn.Maxout(2), nn.LayerNorm()),
    nn.Skip([nn.Dense(5, "silu"), nn.Affine(4)]),
]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_gradients(layer):
    node, _, _, feed = built(layer, ROWS)
    check_grads(node, feed)


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_gradients_while_training(layer):
    node, _, _, feed = built(layer, ROWS, nn.Train(seed=0, step=0))
    check_grads(node, feed)


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_the_stated_shape_is_the_shape(layer):
    node, _, leaves, feed = built(layer, ROWS)
    value = weft.evaluate(node, feed)
    assert value.shape == (6, *layer.out_shape((4,)))
    assert node.shape[1:] == layer.out_shape((4,))
    stated = layer.parameters((4,))
    assert tree_map(lambda p: p.shape, stated) == tree_map(lambda p: p.shape, leaves)


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_layers_are_written_and_read(layer):
    data = nn.to_data(layer)
    assert nn.from_data(data) == layer and eval(repr(layer), vars(nn)) == layer


# Affine -----------------------------------------------------------------------------


def test_affine_is_the_product_and_the_bias():
    node, _, leaves, feed = built(nn.Affine(3), ROWS)
    expected = ROWS @ feed[leaves["W"]] + feed[leaves["b"]]
    assert np.array_equal(weft.evaluate(node, feed), expected)


def test_low_rank_counts_and_reproduces_the_full_map():
    layer = nn.LowRankAffine(3, rank=3)
    stated = layer.parameters((4,))
    assert math.prod(stated["U"].shape) + math.prod(stated["V"].shape) == 3 * (4 + 3)
    full = np.random.default_rng(1).normal(size=(4, 3))
    u, s, vt = np.linalg.svd(full, full_matrices=False)
    params = {"U": u * s, "V": vt, "b": np.zeros(3)}
    node, _, _, feed = built(layer, ROWS, params=params)
    assert np.allclose(weft.evaluate(node, feed), ROWS @ full, rtol=1e-12)


def test_low_rank_starts_with_the_variance_of_a_full_matrix():
    params = nn.LowRankAffine(300, rank=50).init(np.random.default_rng(0), (200,))
    assert np.var(params["U"] @ params["V"]) == pytest.approx(1 / 200, rel=0.1)


@pytest.mark.parametrize("n", [0, -1, 2.5, True, "3"])
def test_widths_are_whole_numbers(n):
    for make in (nn.Affine, lambda n: nn.Dense(n, "relu"), nn.Categorical, nn.Gaussian):
        with pytest.raises(nn.DescriptionError, match="whole number"):
            make(n)


# Dropout ----------------------------------------------------------------------------


def mask_of(p, rows=400, width=50, seed=0, step=0, path="", numbers=None, index=None):
    mode = nn.Train(seed, step, index=index, numbers=numbers or {}, path=path)
    x = weft.constant(np.ones((rows, width)))
    return nn.Dropout(p)({}, x, mode)[0]


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropout_keeps_the_right_part_and_the_mean(p):
    values = mask_of(p).numpy()
    dropped = (values == 0).mean()
    assert abs(dropped - p) < 4 * math.sqrt(p * (1 - p) / values.size)
    assert np.allclose(values[values != 0], 1 / (1 - p))


def test_masks_of_different_places_are_independent():
    values = mask_of(0.5, rows=2000, width=8).numpy() > 0
    rows = np.corrcoef(values[:-1].ravel(), values[1:].ravel())[0, 1]
    columns = np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]
    assert abs(rows) < 4 / math.sqrt(values.size)
    assert abs(columns) < 4 / math.sqrt(values.size)


def test_the_mask_is_a_function_of_seed_step_path_and_position():
    same = mask_of(0.5).numpy()
    assert np.array_equal(mask_of(0.5).numpy(), same)
    for other in (
        mask_of(0.5, seed=1),
        mask_of(0.5, step=1),
        mask_of(0.5, path="2"),
    ):
        assert 0.4 < (other.numpy() == same).mean() < 0.6
    part = mask_of(0.5, rows=3, index=weft.constant([7, 0, 399])).numpy()
    assert np.array_equal(part, same[[7, 0, 399]])


def test_the_rate_may_be_a_run_time_number():
    rate = weft.input("p", (), "float64")
    node = mask_of(0.9, path="3", numbers={"3/p": rate})
    assert np.array_equal(
        weft.evaluate(node, {rate: 0.5}), mask_of(0.5, path="3").numpy()
    )
    assert np.array_equal(weft.evaluate(node, {rate: 0.0}), np.ones((400, 50)))


def test_dropout_does_nothing_in_prediction_or_at_rate_zero():
    x = weft.constant(ROWS)
    assert nn.Dropout(0.5)({}, x, nn.Predict())[0] is x
    assert nn.Dropout(0.0)({}, x, nn.Train(0, 0))[0] is x


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, float("nan")])
def test_impossible_rates_are_refused(p):
    for make in (nn.Dropout, lambda p: nn.Dense(3, "relu", dropout=p)):
        with pytest.raises(nn.DescriptionError, match="probability"):
            make(p)


def test_each_layer_of_a_network_has_a_mask_of_its_own():
    layers = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.5)))
    x = weft.constant(np.ones((500, 20)))
    nodes, _ = layers.trace({}, x, nn.Train(0, 0))
    first, both = (node.numpy() for node in nodes)
    kept_twice = (both > 0)[first > 0].mean()
    assert 0.45 < kept_twice < 0.55
    assert layers.numbers() == {"0/p": 0.5, "1/0/p": 0.5}


# Normalisation ----------------------------------------------------------------------


def test_layer_norm_brings_each_row_to_mean_0_and_variance_1():
    node, updates, _, feed = built(nn.LayerNorm(epsilon=0.0), 3 * ROWS + 5)
    value = weft.evaluate(node, feed)
    assert np.allclose(value.mean(axis=1), 0, atol=1e-12) and updates == {}
    assert np.allclose(value.std(axis=1), 1)


def test_batch_norm_trains_on_the_batch_and_keeps_running_statistics():
    rows = 3 * ROWS + 5
    layer = nn.BatchNorm(rate=0.25, epsilon=0.0)
    node, updates, _, feed = built(layer, rows, nn.Train(0, 0))
    value, new = weft.evaluate([node, updates], feed)
    assert np.allclose(value.mean(axis=0), 0, atol=1e-12)
    assert np.allclose(value.std(axis=0), 1)
    assert set(new) == {"mean", "variance"}
    assert np.allclose(new["mean"], 0.75 * 0 + 0.25 * rows.mean(axis=0))
    assert np.allclose(new["variance"], 0.75 * 1 + 0.25 * rows.var(axis=0))


def test_batch_norm_predicts_with_what_it_kept():
    params = {
        "gain": np.full(4, 2.0),
        "shift": np.arange(4.0),
        "mean": np.full(4, 5.0),
        "variance": np.full(4, 9.0),
    }
    node, updates, _, feed = built(nn.BatchNorm(epsilon=0.0), ROWS, params=params)
    assert np.allclose(weft.evaluate(node, feed), (ROWS - 5) / 3 * 2 + np.arange(4.0))
    assert updates == {}
    one, _, _, alone = built(nn.BatchNorm(epsilon=0.0), ROWS[:1], params=params)
    assert np.array_equal(weft.evaluate(one, alone), weft.evaluate(node, feed)[:1])


def test_running_statistics_come_back_from_inside():
    network = nn.mlp([3, 3], "relu", nn.Gaussian(), norm="batch")
    x = weft.input("x", ("n", 4))
    _, updates = network.forward(network.symbols(4), x, nn.Train(0, 0))
    assert {k: set(v["norm"]) for k, v in updates.items()} == {
        "0": {"mean", "variance"},
        "1": {"mean", "variance"},
    }


def test_running_statistics_come_back_from_under_a_skip():
    layer = nn.Skip([nn.BatchNorm(), nn.Sequential(nn.BatchNorm())])
    _, updates, _, feed = built(layer, ROWS, nn.Train(0, 0))
    assert set(updates) == {"0", "1"} and set(updates["1"]) == {"0"}
    new = weft.evaluate(updates["0"]["mean"], feed)
    assert np.allclose(new, 0.1 * ROWS.mean(axis=0))


# Composition ------------------------------------------------------------------------


def test_a_skip_adds_its_input():
    layer = nn.Skip(nn.Affine(4))
    node, _, leaves, feed = built(layer, ROWS)
    inner = leaves["0"]
    expected = ROWS + (ROWS @ feed[inner["W"]] + feed[inner["b"]])
    assert np.array_equal(weft.evaluate(node, feed), expected)


def test_an_empty_sequence_is_the_identity():
    x = weft.constant(ROWS)
    assert nn.Sequential()({}, x, nn.Predict()) == (x, {})
    assert nn.Sequential().out_shape((4,)) == (4,)


def test_what_is_drawn_depends_on_seed_and_place_alone():
    one = nn.Sequential(nn.Affine(3), nn.Affine(2))
    two = nn.Sequential(nn.LowRankAffine(3, 1), nn.Affine(2), nn.Affine(9))
    a, b = (layer.init(np.random.default_rng(0), (4,)) for layer in (one, two))
    assert np.array_equal(a["1"]["W"], b["1"]["W"])


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([nn.Affine(5), nn.Maxout(3)], r"layer 1 \(Maxout\(3\)\): .*groups of 3"),
        (
            [nn.Affine(5), nn.Skip(nn.Dense(3, "relu"))],
            r"layer 1 \(Skip\(.*end it with Affine\(5\)",
        ),
        (
            [nn.Sequential(nn.Affine(5), nn.Maxout(2))],
            r"layer 0 \(Sequential.*layer 1 \(Maxout\(\)\)",
        ),
    ],
)
def test_layers_that_do_not_fit_are_named(layers, words):
    with pytest.raises(weft.ShapeError, match=words):
        nn.Sequential(*layers).parameters((4,))


def test_parameters_that_do_not_fit_are_named():
    layers = nn.Sequential(nn.Affine(5), nn.Affine(2))
    x = weft.input("x", ("n", 4))
    params = tree_map(weft.constant, layers.init(np.random.default_rng(0), (4,)))
    params["1"] = {
        "W": weft.constant(np.zeros((4, 2))),
        "b": weft.constant(np.zeros(2)),
    }
    words = r"layer 1 \(Affine\(2\)\): .*'W' has shape \(4, 2\) instead of \(5, 2\)"
    with pytest.raises(weft.ShapeError, match=words):
        layers(params, x, nn.Predict())
    with pytest.raises(weft.ShapeError, match=r"layer 1 .*'W' is missing"):
        layers({"0": params["0"]}, x, nn.Predict())


@pytest.mark.parametrize("given", [[nn.ReLU], ["relu"], 3, [nn.Gaussian()]])
def test_what_is_no_layer_is_refused(given):
    for make in (nn.Skip, lambda given: nn.Network(given, nn.Gaussian())):
        with pytest.raises(nn.DescriptionError, match="is no layer"):
            make(given)


def test_trees_keep_their_structure():
    layer = nn.Sequential(nn.Dropout(0.5), nn.Affine(2))
    params = layer.init(np.random.default_rng(0), (3,))
    leaves, structure = flatten(params)
    assert params["0"] == {} and unflatten(structure, leaves).keys() == params.keys()
