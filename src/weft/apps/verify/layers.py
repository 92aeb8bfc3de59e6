"""Algorithms 6.3 and 6.4: a layered network, its gradients and their cost (6.5.7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

import numpy as np

import weft
from weft.apps.verify.claim import (
    Evidence,
    at_least,
    at_most,
    claim,
    evidence,
    exactly,
    true,
)
from weft.apps.verify.tools import Array, built, central, gap, largest, line_fit, rng
from weft.graph.errors import ShapeError
from weft.graph.tree import flatten, tree_map

nn = weft.nn


@final
@dataclass(frozen=True)
class Example:
    """A random network as weft's graph, and what goes into it.

    Parameters
    ----------
    cost : Node
    params : tree of Node
    feed : mapping of Node to array
        Values of parameters, x and y.
    a, h : list of Node
        Pre-activations and activations; ``h[0]`` is x.
    units : list of str
        Those of the hidden layers.
    book : tuple
        The arguments of Algorithms 6.3 and 6.4, without lambda.
    strength : float
        lambda, the weight of the penalty on the weights.
    """

    cost: Any
    params: Any
    feed: dict[Any, Any]
    a: list[Any]
    h: list[Any]
    units: list[str]
    book: tuple[Any, ...]
    strength: float

    @property
    def leaves(self) -> list[Any]:
        """The parameters, in the order of the tree."""
        return flatten(self.params)[0]

    def cost_by_book(self) -> float:
        """Return what Algorithm 6.3 computes, the penalty being on weights alone."""
        found = weft.testing.algorithm_6_3(*self.book, lam=self.strength)
        *_, b, _ = self.book
        return float(found.cost - self.strength * sum(0.5 * np.sum(v**2) for v in b))

    def slopes_by_book(self) -> list[dict[str, Array]]:
        """Return what Algorithm 6.4 computes, a layer at a time, in the same way."""
        W, b = weft.testing.algorithm_6_4(*self.book, lam=self.strength)
        *_, biases, _ = self.book
        return [
            {"W": w.T, "b": g - self.strength * v}
            for w, g, v in zip(W, b, biases, strict=True)
        ]


def _unit(name: str) -> Any:
    """Return weft's unit of a name in the book's algorithms."""
    return nn.unit("abs" if name == "absolute_value" else name)


def example(
    seed: int, strength: float = 0.0, among: Sequence[str] | None = None
) -> Example:
    """Draw a network of one to four hidden layers, and one row of data.

    Parameters
    ----------
    seed : int
    strength : float
        lambda of the penalty on the weights.
    among : sequence of str, optional
        The units to choose from; all that work on each element by default.
    """
    draw = rng(seed)
    depth = int(draw.integers(1, 5))
    widths = [int(k) for k in draw.integers(1, 6, depth)]
    names = list(among or weft.testing.textbook.UNITS)
    units = [str(u) for u in draw.choice(names, depth)]
    inputs, outputs = (int(k) for k in draw.integers(1, 5, 2))
    network = nn.mlp(widths, [_unit(u) for u in units], nn.Gaussian(outputs))
    values = network.init(seed=seed, in_features=inputs, dtype="float64")
    values = tree_map(lambda v: draw.normal(size=v.shape) / np.sqrt(v.shape[0]), values)
    params = network.symbols(inputs, "float64")
    shape = (1,) if outputs == 1 else (1, outputs)
    x, y = weft.input("x", (1, inputs), "float64"), weft.input("y", shape, "float64")
    # The layers one by one, so that each a and h can be asked for.
    h, a = [x], []
    for name in [*map(str, range(depth)), "output"]:
        a.append(h[-1] @ params[name]["W"] + params[name]["b"])
        h.append(
            a[-1] if name == "output" else _unit(units[int(name)]).value({}, a[-1])
        )
    loss = weft.sum(network.nll(h[-1], y)) - 0.5 * np.log(2 * np.pi) * outputs
    cost = loss + nn.L2(strength)(params) if strength else loss
    row, target = draw.normal(size=inputs), draw.normal(size=outputs)
    feed = dict(zip(flatten(params)[0], flatten(values)[0], strict=True))
    feed |= {x: row[None], y: target.reshape(shape)}
    W, b = ([values[name][part] for name in params] for part in ("W", "b"))
    # The book's vectors are columns: W h + b.
    book = (row, target, [w.T for w in W], b, [*units, "identity"])
    return Example(cost, params, feed, a, h, units, book, strength)


@claim("S70", "Algorithm 6.3", "Forward propagation for a neural network")
def penalised() -> Evidence:
    """The total cost is the loss plus lambda times a penalty on the parameters, and
    with lambda = 0 it is the loss to the last bit.
    """
    worst = 0.0
    for seed in range(20):
        found = example(seed, strength=0.3)
        value = weft.evaluate(found.cost, found.feed)
        worst = largest([worst, gap(value, found.cost_by_book())])
    rows, answers = rng().normal(size=(40, 3)), rng(1).normal(size=40)
    network = nn.mlp([6], "tanh", nn.Gaussian())
    fits = [
        weft.train.fit(
            network, rows, answers, epochs=3, penalties=p, engine="reference"
        ).params
        for p in ((), (nn.L2(0.0),), (nn.L2(0.1),))
    ]
    none, zero, some = ([a.tobytes() for a in flatten(tree)[0]] for tree in fits)
    return evidence(
        f"20 random networks: J = L + 0.3 Omega to {worst:.1g}; fits with lambda = 0 "
        "and without a penalty have the same bits",
        at_most("J against L + lambda Omega", worst, 1e-13),
        true("lambda = 0 is no penalty", none == zero),
        true("lambda = 0.1 is one", none != some),
    )


@claim("S71", "gradients of biases and weights", "Gradients of biases and weights")
def parameters() -> Evidence:
    """The gradient by a bias is that by the pre-activation; by a weight it is that
    times the activation below, plus lambda times the penalty's.
    """
    worst, depth = {"b": 0.0, "W": 0.0}, 0
    for seed in range(20):
        found = example(seed, strength=0.2)
        nodes = [*found.leaves, *found.a]
        slopes = dict(
            zip(nodes, weft.backprop(found.cost, nodes, found.feed), strict=True)
        )
        hs = weft.evaluate(found.h[:-1], found.feed)
        for k, name in enumerate(found.params):
            own, g = found.params[name], slopes[found.a[k]]
            depth += 1
            penalty = found.strength * found.feed[own["W"]]
            pairs = {
                "b": (slopes[own["b"]], g[0]),
                "W": (slopes[own["W"]], hs[k].T @ g + penalty),
            }
            for part, (a, b) in pairs.items():
                worst[part] = largest([worst[part], gap(a, b)])
    return evidence(
        f"{depth} layers: db = g to {worst['b']:.1g}, dW = g h' + lambda dOmega to "
        f"{worst['W']:.1g}",
        *[at_most(f"d{part}", error, 1e-12) for part, error in worst.items()],
    )


@claim("S72", "gradients of representations", "Gradient of representations")
def representations() -> Evidence:
    """The gradient by a hidden layer is W' times that by the pre-activation above, and
    that by a pre-activation is the hidden layer's times f'(a), element by element.
    """
    worst, units = {"h": 0.0, "a": 0.0}, weft.testing.textbook.UNITS
    for seed in range(20):
        found = example(seed)
        slopes = weft.backprop(found.cost, [*found.a, *found.h], found.feed)
        by_a, by_h = slopes[: len(found.a)], slopes[len(found.a) :]
        values = weft.evaluate(found.a, found.feed)
        for k, name in enumerate(found.params):
            W = found.feed[found.params[name]["W"]]
            worst["h"] = largest([worst["h"], gap(by_h[k], by_a[k] @ W.T)])
            if k < len(found.units):
                own = by_h[k + 1] * units[found.units[k]][1](values[k])
                worst["a"] = largest([worst["a"], gap(by_a[k], own)])
    return evidence(
        f"20 random networks: W'g to {worst['h']:.1g}, g * f'(a) to {worst['a']:.1g}",
        *[
            at_most(f"gradient by {part}", error, 1e-11)
            for part, error in worst.items()
        ],
    )


@claim("S73", "Algorithm 6.4", "Backward propagation for a neural network")
def backward() -> Evidence:
    """Algorithm 6.4, written out in NumPy, gives the gradients that weft finds by
    itself, for 200 random networks with all the usual units, and compiled as well.
    """
    worst, compiled, units = 0.0, 0.0, set()
    for seed in range(200):
        found = example(seed, strength=0.1 * (seed % 2))
        by_name = weft.backprop(found.cost, found.params, found.feed)
        units |= set(found.units)
        for part, own in zip(by_name.values(), found.slopes_by_book(), strict=True):
            worst = largest([worst, *(gap(part[k], own[k]) for k in ("b", "W"))])
        if seed == 7:
            leaves = found.leaves
            state = {leaf: found.feed[leaf] for leaf in leaves}
            inputs = [n for n in found.feed if n not in state]
            program = weft.compile(
                inputs, weft.grad(found.cost, leaves), state=state, engine="native"
            )
            values = program(*[found.feed[n] for n in inputs])
            expected = flatten(by_name)[0]
            compiled = largest(map(gap, values, expected))
    return evidence(
        f"200 networks with {len(units)} units: gradients agree to {worst:.1g}, "
        f"compiled to {compiled:.1g}",
        exactly("units", len(units), len(weft.testing.textbook.UNITS)),
        at_most("error", worst, 1e-10),
        at_most("error, compiled", compiled, 1e-12),
    )


@claim("S74", "a gradient by a layer says how it should change", "Algorithm 6.4")
def counterfactual() -> Evidence:
    """Nudge a hidden layer by -eps g: the cost drops by eps |g|^2, and what is missing
    from that is of second order in eps.
    """
    # A kink would bend the cost at first order.
    found = example(33, among=["tanh", "sigmoid", "softplus", "cos", "silu"])
    ratios, bends = [], []
    for h in found.h[1:-1]:
        g = weft.backprop(found.cost, h, found.feed)
        value, before = weft.evaluate([h, found.cost], found.feed)
        missing = []
        # A step of a given length, or rounding hides what is missing where g is small.
        for length in (1e-3, 5e-4):
            eps = length / np.linalg.norm(g)
            after = weft.evaluate(found.cost, {**found.feed, h: value - eps * g})
            promised = eps * float(np.sum(g * g))
            missing.append(1 - float(before - after) / promised)
        ratios.append(abs(missing[1]))
        bends.append(missing[0] / missing[1])
    return evidence(
        f"{len(ratios)} hidden layers: the cost drops by eps |g|^2 to "
        f"{largest(ratios):.1g} where |eps g| = 5e-4; half the step, half the error",
        exactly("hidden layers", len(ratios), 4),
        at_most("missing from eps |g|^2", largest(ratios), 1e-2),
        at_most("error ratio - 2", largest(abs(b - 2) for b in bends), 0.05),
    )


@claim(
    "S75",
    "gradients of a matrix product",
    "Gradients for matrix multiplication",
    correction="the slide calls G W' the update for W and H' G what is propagated "
    "back: it is the other way round, as the shapes show",
)
def product() -> Evidence:
    """For U = H W and the gradient G of U: G W' has the shape of H and is propagated
    back, H' G has that of W and is its update.
    """
    draw = rng()
    H, W = draw.normal(size=(5, 3)), draw.normal(size=(3, 4))
    G = draw.normal(size=(5, 4))
    h, w = weft.input("H", (5, 3), "float64"), weft.parameter("W", (3, 4), "float64")
    cost = weft.sum(weft.constant(G) * weft.sin(h @ w))
    g = G * np.cos(H @ W)
    dH, dW = weft.backprop(cost, (h, w), {h: H, w: W})
    numeric_H = central(lambda v: np.sum(G * np.sin(v @ W)), H)
    numeric_W = central(lambda v: np.sum(G * np.sin(H @ v)), W)
    try:
        weft.vjp(h @ w, w, weft.constant(G @ W.T))
        refused = False
    except ShapeError:
        refused = True
    return evidence(
        f"dH = G W' of shape {dH.shape}, dW = H' G of shape {dW.shape}; swapped, the "
        "shapes do not fit",
        at_most("dH against G W'", gap(dH, g @ W.T), 1e-14),
        at_most("dW against H' G", gap(dW, H.T @ g), 1e-14),
        at_most("dH numerically", gap(dH, numeric_H), 1e-8),
        at_most("dW numerically", gap(dW, numeric_W), 1e-8),
        true("a gradient of the wrong shape is refused", refused),
    )


def _products(outputs: Any, n: int) -> int:
    """Count the multiply-adds of all matrix products in a graph, for n rows."""
    from weft.graph.dim import resolve
    from weft.graph.walk import topological

    total = 0
    for node in topological(flatten(outputs)[0]):
        if node.op.name == "matmul":
            left = [resolve(size, {"n": n}) for size in node.inputs[0].shape]
            right = resolve(node.inputs[1].shape[-1], {"n": n})
            total += int(np.prod(left)) * right
    return total


@claim(
    "S76",
    "a batch costs O(w), and memory O(m n_h)",
    "Backprop for a batch of samples",
    correction="the slide gives both directions the same cost; backward there are two "
    "products for each one forward, though both are O(w)",
)
def batch() -> Evidence:
    """Forward there is one multiply-add per weight and row, backward there are two (one
    fewer for the first layer); stored are m rows of the hidden units, known before.
    """
    widths, inputs, n = [80, 60, 40], 100, 64
    network = nn.mlp(widths, "tanh", nn.Gaussian())
    params = network.symbols(inputs)
    x, y = weft.input("x", ("n", inputs)), weft.input("y", ("n",))
    cost, _ = network.cost(params, x, y, nn.Predict())
    sizes = [inputs, *widths, 1]
    layers = [a * b for a, b in pairwise(sizes)]
    w = sum(layers)
    ahead = _products(cost, n)
    leaves = flatten(params)[0]
    back = _products([cost, weft.grad(cost, leaves)], n) - ahead

    estimate = built("cost")
    outputs = [cost, *weft.grad(cost, leaves)]
    rows = (64, 128, 256, 512)
    figures = [estimate(outputs, n=m) for m in rows]
    slope, fit = line_fit(rows, [f.peak_bytes for f in figures])
    instrumented = 2 * (ahead + back)
    return evidence(
        f"{w:,} weights, {n} rows: {ahead / n:,.0f} multiply-adds per row forward, "
        f"{back / n:,.0f} backward ({back / ahead:.2f} times); memory grows by "
        f"{slope:.0f} bytes per row (R^2 {fit:.5f})",
        exactly("multiply-adds forward / (rows w)", ahead / (n * w), 1),
        exactly(
            "backward / (rows (2 w - first layer))", back / (n * (2 * w - layers[0])), 1
        ),
        at_most(
            "estimate against products counted",
            abs(figures[0].flops / instrumented - 1),
            0.05,
        ),
        at_least("R^2 of memory against rows", fit, 0.999),
        at_least("bytes per row / 4 n_h", slope / (4 * sum(widths)), 0.9),
        at_most("bytes per row / 4 n_h, at most", slope / (4 * sum(widths)), 3),
    )


CLAIMS = (
    penalised,
    parameters,
    representations,
    backward,
    counterfactual,
    product,
    batch,
)
