"""Learning XOR, the example of section 6.1."""

from collections.abc import Sequence
from typing import Any

import numpy as np

import weft
from weft.apps.verify.claim import Evidence, at_most, claim, evidence, exactly, true
from weft.apps.verify.tools import Array, gap, same_bits
from weft.tables.builtin import built_in

# The four corners, and what the book takes for W, c, w (equations 6.4 to 6.6); b is 0.
CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR = np.array([0.0, 1.0, 1.0, 0.0])
W = np.array([[1.0, 1.0], [1.0, 1.0]])
C = np.array([0.0, -1.0])
LAST = np.array([[1.0], [-2.0]])


def separable(points: Array, labels: Sequence[float]) -> bool:
    """Tell whether a line has the points labelled 1 on one side and the rest beyond.

    A linear program: find w and b with ``sign (w . x + b) >= 1`` for every point.

    Examples
    --------
    >>> separable(CORNERS, [0, 0, 0, 1])
    True
    """
    from scipy.optimize import linprog

    sign = np.where(np.asarray(labels) > 0, 1.0, -1.0)[:, None]
    rows = -sign * np.column_stack([points, np.ones(len(points))])
    columns = rows.shape[1]
    found = linprog(
        np.zeros(columns), rows, -np.ones(len(rows)), bounds=[(None, None)] * columns
    )
    if found.status not in (0, 2):
        raise ArithmeticError(found.message)
    return bool(found.status == 0)


def textbook() -> tuple[Any, dict[str, Any]]:
    """Return the network of equation 6.3, and its parameters."""
    network = weft.nn.mlp(2, "relu", weft.nn.Gaussian())
    params = {"0": {"W": W, "b": C}, "output": {"W": LAST, "b": np.zeros(1)}}
    return network, params


@claim("S5", "XOR is not linearly separable", "XOR is not linearly separable")
def not_separable() -> Evidence:
    """No line parts the inputs whose XOR is 1 from the others; one does for AND, OR."""
    table = built_in("xor")
    x = table.matrix(["x1", "x2"]).astype(float)
    y = np.asarray(table.column("y").values)
    both, either = x.min(axis=1), x.max(axis=1)
    return evidence(
        "linear program: infeasible for XOR, feasible for AND and for OR",
        true("the table is that of XOR", np.array_equal(y, either - both)),
        exactly("separable: XOR", separable(x, y), 0),
        exactly("separable: AND", separable(x, both), 1),
        exactly("separable: OR", separable(x, either), 1),
    )


@claim("S6", "the cost is a mean square", "Linear model?")
def mean_squared_error() -> Evidence:
    """The cost of XOR is a quarter of the sum of four squared errors."""
    f = weft.input("f", (4,), "float64")
    cost = weft.mean(weft.square(weft.constant(XOR) - f))
    half, spread = np.full(4, 0.5), np.array([0.25, -1.0, 2.0, 0.5])
    value = float(weft.evaluate(cost, {f: half}))
    by_hand = 0.25 * float(np.sum((XOR - spread) ** 2))
    return evidence(
        f"J = {value} at the constant 1/2, and as by hand elsewhere",
        exactly("J at 1/2", value, 0.25),
        exactly("J elsewhere", weft.evaluate(cost, {f: spread}), by_hand),
    )


@claim("S7", "the best linear model is 1/2", "Linear model? Normal equations?")
def normal_equations() -> Evidence:
    """The normal equations of XOR give w = (0, 0), b = 1/2: a line learns nothing."""
    theta = weft.parameter("theta", (3,), "float64")
    x = weft.constant(np.column_stack([CORNERS, np.ones(4)]))
    cost = weft.mean(weft.square(weft.constant(XOR) - x @ theta))
    # The cost is quadratic: its Hessian H and its gradient g at 0 are the equations.
    g, H = weft.evaluate(
        [weft.grad(cost, theta), weft.hessian(cost, theta)], {theta: np.zeros(3)}
    )
    found = -np.linalg.solve(H, g)
    rest = weft.backprop(cost, theta, {theta: found})
    w1, w2, b = found.round(12) + 0.0
    return evidence(
        f"H theta = -g gives w = ({w1:g}, {w2:g}), b = {b:g}",
        at_most("distance from (0, 0, 1/2)", np.abs(found - [0, 0, 0.5]).max(), 1e-12),
        at_most("gradient there", np.abs(rest).max(), 1e-12),
        exactly("cost there", weft.evaluate(cost, {theta: [0.0, 0.0, 0.5]}), 0.25),
    )


@claim("S8", "the rectifier", "Rectified Linear Activation")
def rectifier() -> Evidence:
    """max(0, z) is 0 below 0, z above; its slope is 0 below, 1 above, either at 0."""
    z = weft.input("z", (5,), "float64")
    at = np.array([-2.0, -1e-300, 0.0, 1e-300, 2.0])
    spellings = {"relu(z)": weft.relu(z), "max(0, z)": weft.maximum(0.0, z)}
    left, right = np.array([0.0, 0, 0, 1, 1]), np.array([0.0, 0, 1, 1, 1])
    criteria = []
    for name, node in spellings.items():
        value = weft.evaluate(node, {z: at})
        one = weft.constant(np.ones(5))
        for kink, table in (("left", left), ("right", right)):
            back = weft.grad(weft.sum(node), z, kink=kink)
            ahead = weft.jvp(node, {z: one}, kink=kink)
            for mode, slope in (("reverse", back), ("forward", ahead)):
                found = weft.evaluate(slope, {z: at})
                label = f"{name}, {mode} slopes from the {kink}"
                criteria.append(true(label, np.array_equal(found, table)))
        criteria.append(true(f"{name}, values", same_bits(value, np.maximum(at, 0.0))))
    return evidence(
        "values and slopes 0 0 [0|1] 1 1 at -2, -1e-300, 0, 1e-300, 2, in both modes",
        *criteria,
    )


@claim(
    "S9",
    "one hidden layer solves XOR",
    "Solving XOR (equations 6.3 to 6.6)",
    correction="the slide gives W, c and w and leaves out b, which is 0",
)
def solved() -> Evidence:
    """With the book's W, c, w and b = 0 the network is XOR, exactly: its hidden layer
    moves the corners so that a line parts them.
    """
    network, values = textbook()
    params = network.symbols(2, "float64")
    x = weft.input("x", ("n", 2), "float64")
    feed = {x: CORNERS}
    for name, part in params.items():
        feed |= {leaf: values[name][key] for key, leaf in part.items()}
    nodes = [network.predict(params, x), network.hidden(params, x)]
    output, hidden = weft.evaluate(nodes, feed)
    there = [leaf for part in params.values() for leaf in part.values()]
    compiled = weft.compile(
        [x], nodes[0], state={leaf: feed[leaf] for leaf in there}, engine="native"
    )
    moved = {tuple(row) for row in hidden.tolist()}
    shown = " ".join(f"({a:g}, {b:g})" for a, b in sorted(moved))
    return evidence(
        f"outputs {output.astype(int).tolist()}, hidden points {shown}, which a line "
        "parts",
        true("the outputs are XOR", np.array_equal(output, XOR)),
        true("so says the compiled network", np.array_equal(compiled(CORNERS), XOR)),
        exactly("separable: the hidden points", separable(hidden, XOR), 1),
        at_most(
            "distance from max(0, xW + c)",
            gap(hidden, np.maximum(CORNERS @ W + C, 0)),
            0,
        ),
    )


CLAIMS = (not_separable, mean_squared_error, normal_equations, rectifier, solved)
