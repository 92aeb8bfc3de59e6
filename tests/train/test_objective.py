"""What may change without building anything anew: every number is an input."""

import numpy as np
import pytest

import weft
from weft import nn, train
from weft.train.data import as_rows
from weft.train.descent import build_step
from weft.train.objective import chosen, objective, row_leaves

X, Y = np.zeros((4, 3)), np.zeros(4)
F4 = np.dtype("float32")


def graph(rate, strength, bound, clip, optimizer, weight=None):
    """Return the whole step as JSON, and its numbers."""
    network = nn.mlp([5], "relu", nn.Gaussian(), dropout=rate)
    rows = as_rows(network, X, Y, weight, F4)
    penalties = [nn.L2(strength, per_row=True), nn.L1(2 * strength)]
    params = network.symbols(3)
    goal = objective(network, params, row_leaves(rows, network, F4), penalties)
    moments = {
        name: {path: weft.parameter(path, leaf.shape) for path, leaf in part.items()}
        if isinstance(part, dict)
        else weft.parameter(name, (), "int64")
        for name, part in optimizer.init(
            {path: np.zeros(leaf.shape, F4) for path, leaf in goal.params.items()}
        ).items()
    }
    step = build_step(
        goal.cost, goal.params, moments, optimizer, [nn.MaxNorm(bound)], clip
    )
    outputs = [goal.cost, goal.nll, step.params, step.moments]
    return weft.to_json(outputs), {**goal.values, **step.values}


@pytest.mark.parametrize("weight", [None, np.ones(4)], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    ("one", "two"),
    [
        (train.SGD(0.1, momentum=0.9), train.SGD(0.2, momentum=0.5)),
        (train.Adam(0.1), train.Adam(0.2, beta_1=0.5, beta_2=0.9, epsilon=1e-5)),
        (train.AdamW(0.1), train.AdamW(0.2, 0.5, 0.6, 0.7, 1e-3)),
        (train.RMSProp(), train.RMSProp(0.5, rho=0.5, delta=1e-3)),
        (train.AdaGrad(), train.AdaGrad(0.5, delta=1e-3)),
    ],
    ids=["sgd", "adam", "adamw", "rmsprop", "adagrad"],
)
def test_numbers_are_no_part_of_the_graph(one, two, weight):
    a, values_a = graph(0.1, 0.01, 1.0, 5.0, one, weight)
    b, values_b = graph(0.5, 0.1, 3.0, 7.0, two, weight)
    assert a == b
    assert values_a.keys() == values_b.keys()
    assert all(values_a[name] != values_b[name] for name in values_a)
    assert values_a["0/dropout/p"] == 0.1 and values_b["penalty/1"] == 0.2
    assert values_b["constraint/0"] == 3.0 and values_b["clip_norm"] == 7.0


def test_paths_are_chosen_by_their_beginnings():
    known = ["0/W", "0/b", "00/W", "output/W"]
    assert chosen("0", known) == {"0/W", "0/b"}
    assert chosen(["0/b", "output"], known) == {"0/b", "output/W"}
    with pytest.raises(weft.WeftError, match="did you mean 'output/W'"):
        chosen(["output/w"], known)
