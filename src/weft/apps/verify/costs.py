"""The cost as a mean of losses (section 6.2)."""

import numpy as np

import weft
from weft.apps.verify.claim import Evidence, at_most, claim, evidence
from weft.apps.verify.tools import gap, rng

nn = weft.nn


@claim("S12", "the cost is the mean of the rows' losses", "Conditional Distributions")
def mean_of_losses() -> Evidence:
    """J is the mean of L over the rows; a weight of 2 counts a row twice."""
    network = nn.mlp([4], "tanh", nn.Gaussian())
    values = network.init(seed=0, in_features=3, dtype="float64")
    params = weft.graph.tree.tree_map(weft.constant, values)
    x, y = weft.input("x", ("n", 3), "float64"), weft.input("y", ("n",), "float64")
    w = weft.input("w", ("n",), "float64")
    mode = nn.Predict()
    each = network.per_example(params, x, y, mode)
    plain, _ = network.cost(params, x, y, mode)
    weighted, _ = network.cost(params, x, y, mode, sample_weight=w)
    rows, answers = rng().normal(size=(31, 3)), rng(1).normal(size=31)
    counts = rng(2).integers(0, 4, 31)
    losses, J = weft.evaluate([each, plain], {x: rows, y: answers})
    by_weight = weft.evaluate(weighted, {x: rows, y: answers, w: counts.astype(float)})
    repeated = weft.evaluate(
        plain, {x: np.repeat(rows, counts, axis=0), y: np.repeat(answers, counts)}
    )
    part = values["0"], values["output"]
    hand = weft.testing.algorithm_6_3(
        rows[0],
        answers[:1],
        [p["W"].T for p in part],
        [p["b"] for p in part],
        ["tanh", "identity"],
    )
    first = losses[0] - 0.5 * np.log(2 * np.pi)
    return evidence(
        f"J = {float(J):.6f}, mean of 31 losses; weights as repeated rows "
        f"{float(by_weight):.6f}",
        at_most("J against the mean of L", gap(losses.mean(), J), 1e-15),
        at_most("weights against repeated rows", gap(by_weight, repeated), 1e-14),
        at_most("a loss by hand", gap(first, hand.cost), 1e-14),
    )


CLAIMS = (mean_of_losses,)
