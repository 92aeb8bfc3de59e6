"""Rows: order as a pure function, checks that say what is wrong and where."""

import numpy as np
import pytest
from scipy import sparse

from weft import nn, train
from weft.train.data import Rows, as_rows, batch_weights

GAUSSIAN = nn.mlp([], output=nn.Gaussian())
F4 = np.dtype("float32")


def test_an_order_is_a_permutation_and_a_function_of_seed_and_epoch():
    orders = {(s, e): tuple(train.order(s, e, 50)) for s in range(3) for e in range(3)}
    assert len(set(orders.values())) == 9
    for (seed, epoch), taken in orders.items():
        assert sorted(taken) == list(range(50))
        assert tuple(train.order(seed, epoch, 50)) == taken
    assert train.order(0, 3, 4, shuffle=False).tolist() == [0, 1, 2, 3]


def test_rows_are_converted_and_those_of_weight_zero_left_out():
    rows = as_rows(GAUSSIAN, [[1, 2], [3, 4], [5, 6]], [0, 1, 2], [1, 0, 2], F4)
    assert rows.X.tolist() == [[1, 2], [5, 6]] and rows.y.tolist() == [0, 2]
    assert rows.weight.tolist() == [1, 2] and len(rows) == 2
    assert {a.dtype for a in (rows.X, rows.y, rows.weight)} == {F4}


@pytest.mark.parametrize(("count", "size"), [(10, 3), (9, 3), (2, 5)])
def test_batch_weights_are_sums_over_batches(count, size):
    rng = np.random.default_rng(0)
    weight, taken = rng.random(count), rng.permutation(count)
    weighted = Rows(np.zeros((count, 1)), np.zeros(count), weight)
    expected = [weight[taken[i : i + size]].sum() for i in range(0, count, size)]
    assert np.allclose(batch_weights(weighted, taken, size), expected)
    plain = Rows(np.zeros((count, 1)), np.zeros(count))
    lengths = [len(taken[i : i + size]) for i in range(0, count, size)]
    assert batch_weights(plain, taken, size).tolist() == lengths


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ([1, 2, 3], r"shape \(3,\): give one row per example"),
        (np.zeros((0, 3)), r"shape \(0, 3\)"),
        (np.zeros((3, 0)), r"shape \(3, 0\)"),
        (np.zeros((3, 2, 2)), "one row per example"),
        ([["a", "b"]], "encode text"),
        ([[1, 2], [3]], "not an array of numbers"),
        (sparse.csr_array(np.eye(3)), "sparse matrix dense"),
        ([[0.0, 1.0], [np.nan, 0.0]], "holds nan in row 1, column 0"),
        ([[0.0, np.inf]], "holds inf in row 0, column 1"),
        ([[0.0, 1e300]], "holds 1e.300 in row 0, column 1.*float32"),
        (None, "not an array of numbers"),
        ([[1 + 2j]], "not an array of numbers"),
    ],
)
def test_inputs_that_cannot_be_used(X, words):
    with pytest.raises(train.DataError, match=words):
        as_rows(GAUSSIAN, X, np.zeros(3), None, F4)


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        ([1, 1], r"shape \(2,\): give \(3,\)"),
        ([[1], [1], [1]], r"shape \(3, 1\)"),
        (1.0, r"shape \(\)"),
        ([1, -1, 1], "negative"),
        ([0, 0, 0], "at least one"),
        ([1, np.nan, 1], "not a finite number"),
        (["a", "b", "c"], "not a finite number"),
        ([1e-60, 1e-60, 1e-60], "add up to 0 in float32: divide them by their mean"),
        ([1e38, 2e38, 3e38], "add up to inf in float32"),
        ([1e39, 1, 1], "add up to inf in float32"),
    ],
)
def test_weights_that_cannot_be_used(weight, words):
    with pytest.raises(train.DataError, match=words):
        as_rows(GAUSSIAN, np.zeros((3, 2)), np.zeros(3), weight, F4)


def test_inputs_and_targets_must_match():
    with pytest.raises(train.DataError, match="X has 3 rows and y has 2"):
        as_rows(GAUSSIAN, np.zeros((3, 2)), np.zeros(2), None, F4)
    with pytest.raises(nn.TargetError, match=r"y\[:, 0\]"):
        as_rows(GAUSSIAN, np.zeros((3, 2)), np.zeros((3, 1)), None, F4)
