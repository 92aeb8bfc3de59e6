"""Penalties are terms of the cost; a constraint is a projection."""

import numpy as np
import pytest

import weft
from weft import nn
from weft.graph.tree import tree_map
from weft.testing import check_grads

PARAMS = {
    "0": {"W": np.array([[1.0, -2.0], [0.5, 0.0]]), "b": np.array([9.0, 9.0])},
    "1": {"U": np.array([[2.0]]), "V": np.array([[-3.0]]), "alpha": np.array([9.0])},
    "output": {"W": np.array([[4.0], [-1.0]]), "b": np.array([9.0])},
}
WEIGHTS = [p for part in PARAMS.values() for name, p in part.items() if name.isupper()]


def constants(dtype="float64"):
    return tree_map(lambda a: weft.constant(a.astype(dtype)), PARAMS)


def test_weights_alone_are_penalised():
    squares = sum((w**2).sum() for w in WEIGHTS)
    sizes = sum(abs(w).sum() for w in WEIGHTS)
    assert nn.L2(0.1).omega(constants()).numpy() == pytest.approx(squares / 2)
    assert nn.L1(0.1).omega(constants()).numpy() == pytest.approx(sizes)
    assert nn.L2(0.1)(constants()).numpy() == pytest.approx(0.1 * squares / 2)


def test_a_network_without_weights_has_no_penalty():
    assert nn.L2(0.1).omega({"b": weft.constant([1.0])}).numpy() == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_penalties_keep_the_type(dtype):
    for penalty in (nn.L1(0.1), nn.L2(0.1)):
        assert penalty.omega(constants(dtype)).dtype == dtype


def test_gradients():
    leaves = tree_map(lambda a: weft.parameter("p", a.shape, "float64"), PARAMS)
    feed = dict(zip(weft.flatten(leaves)[0], weft.flatten(PARAMS)[0], strict=True))
    feed[leaves["0"]["W"]] = PARAMS["0"]["W"] + 0.1  # no weight at the kink
    for penalty in (nn.L1(0.1), nn.L2(0.1)):
        check_grads(penalty(leaves), feed)


def test_l1_leaves_a_weight_of_zero_where_it_is():
    leaves = tree_map(lambda a: weft.parameter("p", a.shape, "float64"), PARAMS)
    slope = weft.grad(nn.L1(1.0).omega(leaves), leaves["0"]["W"])
    feed = dict(zip(weft.flatten(leaves)[0], weft.flatten(PARAMS)[0], strict=True))
    assert weft.evaluate(slope, feed).tolist() == [[1, -1], [1, 0]]


def test_max_norm_scales_long_vectors_back_and_leaves_the_rest():
    new = nn.MaxNorm(1.0).project(constants(), weft.constant(1.0, "float64"))
    found = tree_map(lambda node: node.numpy(), new)
    assert np.allclose(np.linalg.norm(found["0"]["W"], axis=0), 1)
    assert np.allclose(found["output"]["W"], PARAMS["output"]["W"] / np.sqrt(17))
    assert np.array_equal(found["0"]["b"], PARAMS["0"]["b"])
    loose = nn.MaxNorm(100.0).project(constants(), weft.constant(100.0, "float64"))
    assert np.array_equal(loose["0"]["W"].numpy(), PARAMS["0"]["W"])


def test_max_norm_leaves_a_vector_of_zeros():
    params = {"W": weft.constant(np.zeros((3, 2)))}
    new = nn.MaxNorm(1.0).project(params, weft.constant(1.0, "float64"))
    assert np.array_equal(new["W"].numpy(), np.zeros((3, 2)))


@pytest.mark.parametrize("make", [nn.L1, nn.L2])
@pytest.mark.parametrize("strength", [-0.1, float("inf"), float("nan")])
def test_impossible_strengths_are_refused(make, strength):
    with pytest.raises(nn.DescriptionError, match="at least 0"):
        make(strength)


def test_impossible_bounds_are_refused():
    with pytest.raises(nn.DescriptionError, match="above 0"):
        nn.MaxNorm(0)
