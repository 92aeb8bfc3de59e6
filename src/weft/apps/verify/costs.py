"""The cost as a mean of losses (section 6.2)."""

import numpy as np

import weft
from weft.apps.verify.claim import Evidence, at_least, at_most, claim, evidence
from weft.apps.verify.tools import drawn, gap, largest, line_fit, rng
from weft.graph.tree import flatten

nn = weft.nn


@claim("S12", "the cost is the mean of the rows' losses", "Conditional Distributions")
def mean_of_losses() -> Evidence:
    """J is the mean of L over the rows; a weight of 2 counts a row twice."""
    network = nn.mlp([4], "tanh", nn.Gaussian())
    values = drawn(network.init(seed=0, in_features=3))
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


@claim(
    "S14",
    "the gradient is the mean of the rows' gradients, O(m)",
    "Stochastic gradient descent",
)
def mean_of_gradients() -> Evidence:
    """The gradient of J is the mean of the gradients of L, row by row, and the work
    grows in proportion to the m rows.
    """
    network = nn.mlp([4], "tanh", nn.Gaussian())
    params = network.symbols(3, "float64")
    values = drawn(network.init(seed=0, in_features=3))
    x, y = weft.input("x", ("n", 3), "float64"), weft.input("y", ("n",), "float64")
    cost, _ = network.cost(params, x, y, nn.Predict())
    leaves = flatten(params)[0]
    state = dict(zip(leaves, flatten(values)[0], strict=True))
    rows, answers = rng().normal(size=(31, 3)), rng(1).normal(size=31)
    gradient = weft.grad(cost, leaves)
    whole = weft.evaluate(gradient, {**state, x: rows, y: answers})
    loss = weft.sum(network.per_example(params, x, y, nn.Predict()))
    one_by_one = zip(rows[:, None], answers[:, None], strict=True)
    each = [
        weft.backprop(loss, leaves, {**state, x: row, y: answer})
        for row, answer in one_by_one
    ]
    means = [np.mean(parts, axis=0) for parts in zip(*each, strict=True)]
    error = largest(map(gap, whole, means))
    sizes = (64, 128, 256, 512, 1024)
    work = [weft.cost(gradient, n=m).flops for m in sizes]
    per_row, fit = line_fit(sizes, work)
    return evidence(
        f"the mean of {len(each)} gradients to {error:.1g}; {per_row:.0f} operations a "
        f"row (R^2 {fit:.7f})",
        at_most("gradient of J against the mean", error, 1e-14),
        at_least("R^2 of operations against rows", fit, 0.99999),
        at_least("operations a row", per_row, 1),
        at_most("what does not depend on the rows", 1 - per_row * 64 / work[0], 0.05),
    )


CLAIMS = (mean_of_losses, mean_of_gradients)
