"""Back-propagation as the chain rule: factors, products, sharing (6.5.1 to 6.5.5)."""

from itertools import pairwise
from typing import Any

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
from weft.apps.verify.counting import counted_backprop, written_out
from weft.apps.verify.tools import Array, built, central, gap, largest, rng, same_bits
from weft.graph.walk import topological


def small_network() -> tuple[dict[str, Any], dict[Any, Array]]:
    """Return the slide's network, node by node, and numbers for its leaves.

    z = Wx + c, h = g(z), yhat = w'h + b, J = (y - yhat)^2.
    """
    draw = rng(2)
    nodes: dict[str, Any] = {
        "W": weft.parameter("W", (2, 3), "float64"),
        "c": weft.parameter("c", (2,), "float64"),
        "w": weft.parameter("w", (2,), "float64"),
        "b": weft.parameter("b", (), "float64"),
        "x": weft.input("x", (3,), "float64"),
        "y": weft.input("y", (), "float64"),
    }
    feed = {leaf: draw.normal(size=leaf.shape) for leaf in nodes.values()}
    nodes["z"] = nodes["W"] @ nodes["x"] + nodes["c"]
    nodes["h"] = weft.tanh(nodes["z"])
    nodes["yhat"] = nodes["w"] @ nodes["h"] + nodes["b"]
    nodes["J"] = weft.square(nodes["y"] - nodes["yhat"])
    return nodes, feed


@claim("S57", "dJ/dc_1, factor by factor", "Compute the gradient")
def factors() -> Evidence:
    """dJ/dc_1 is the product of dJ/dyhat, dyhat/dh_1, dh_1/dz_1 and dz_1/dc_1, and weft
    writes the factors down.
    """
    net, feed = small_network()
    chain = ("J", "yhat", "h", "z", "c")
    matrices = weft.evaluate(
        [weft.jacobian(net[a], net[b]) for a, b in pairwise(chain)],
        feed,
    )
    parts = [float(np.atleast_2d(m)[0, 0]) for m in matrices]
    product = float(np.prod(parts))

    def cost(c: Array) -> float:
        return float(weft.evaluate(net["J"], {**feed, net["c"]: c}))

    numeric = central(cost, feed[net["c"]])[0]
    gradient = weft.evaluate(weft.grad(net["J"], net["c"]), feed)[0]
    derivation = str(built("derive")(net["J"], net["c"]))
    said = " x ".join(f"{part:.4f}" for part in parts)
    return evidence(
        f"{said} = {product:.6f}, numerically {numeric:.6f}; derived in "
        f"{len(derivation.splitlines())} lines",
        at_most("product against the numeric derivative", gap(product, numeric), 1e-8),
        at_most("product against the gradient", gap(product, gradient), 1e-13),
        true("the derivation names tanh", "tanh" in derivation),
    )


@claim("S58", "the chain rules", "Chain Rule; Back-Propagation (6.44, 6.46)")
def chain_rules() -> Evidence:
    """For z = f(g(x)) the gradient is the Jacobian of g, transposed, times the gradient
    of f; component by component it is a sum of products.
    """
    worst = {"J'g = vjp": 0.0, "J v = jvp": 0.0, "sum of products": 0.0}
    ops = (weft.tanh, weft.sin, weft.softplus, weft.sigmoid, weft.exp)
    for seed in range(10):
        draw = rng(seed)
        n, m = (int(k) for k in draw.integers(2, 6, 2))
        x = weft.input("x", (n,), "float64")
        first, second = (ops[k] for k in draw.integers(len(ops), size=2))
        A, B = draw.normal(size=(m, n)), draw.normal(size=(m, m))
        y = first(weft.constant(A) @ x) + weft.sum(second(x))
        z = weft.sum(second(weft.constant(B) @ y))
        feed, v = {x: draw.normal(size=n)}, draw.normal(size=n)
        J, g, total, back, ahead = weft.evaluate(
            [
                weft.jacobian(y, x),
                weft.grad(z, y),
                weft.grad(z, x),
                weft.vjp(y, x, weft.grad(z, y)),
                weft.jvp(y, {x: weft.constant(v)}),
            ],
            feed,
        )
        by_hand = [sum(g[j] * J[j, i] for j in range(m)) for i in range(n)]
        for name, a, b in (
            ("J'g = vjp", J.T @ g, back),
            ("J v = jvp", J @ v, ahead),
            ("sum of products", by_hand, total),
        ):
            worst[name] = largest([worst[name], gap(a, b)])
    return evidence(
        f"10 random composites: J'g, Jv, sums agree to {largest(worst.values()):.1g}",
        *[at_most(name, error, 1e-12) for name, error in worst.items()],
    )


@claim("S59", "one product per operation", "Chain Rule")
def one_product_each() -> Evidence:
    """Back-propagation makes one product of a Jacobian and a gradient for each
    operation and argument on the way: on a chain, as many as there are operations.
    """
    x = weft.input("x", (5,), "float64")
    chain = x
    # Each with its value and, by that value h at a, its derivative.
    ops: Any = (
        (weft.tanh, np.tanh, lambda h, a: 1 - h**2),
        (weft.sin, np.sin, lambda h, a: np.cos(a)),
        (weft.softplus, lambda a: np.log1p(np.exp(a)), lambda h, a: 1 - np.exp(-h)),
        (weft.exp, np.exp, lambda h, a: h),
        (weft.sigmoid, lambda a: 1 / (1 + np.exp(-a)), lambda h, a: h * (1 - h)),
    )
    feed = {x: rng().normal(size=5)}
    h, along = feed[x], np.ones(5)
    for k in range(24):
        function, value, derivative = ops[k % len(ops)]
        chain, (a, h) = function(chain), (h, value(h))
        along = along * derivative(h, a)
    cost = weft.sum(chain)
    on_chain, gradient = counted_backprop(cost, x, feed)
    net, values = small_network()
    on_net, slope = counted_backprop(net["J"], net["c"], values)
    t = np.tanh(values[net["W"]] @ values[net["x"]] + values[net["c"]])
    off = values[net["w"]] @ t + values[net["b"]] - values[net["y"]]
    by_hand = 2 * off * values[net["w"]] * (1 - t**2)
    order = topological([net["J"]])
    reached = {net["c"]}
    edges = 0
    for node in order:
        into = sum(i in reached for i in node.inputs)
        edges += into
        if into:
            reached.add(node)
    return evidence(
        f"{on_chain.products} products for a chain of 25 operations, {on_net.products} "
        f"for the {edges} edges between c and J",
        exactly("products on a chain of 25", on_chain.products, 25),
        exactly("products less edges", on_net.products - edges, 0),
        at_most("the gradient by hand", gap(gradient, along), 1e-12),
        at_most("and c's", gap(slope, by_hand), 1e-14),
    )


@claim("S60", "table filling trades memory for speed", "Back-Propagation")
def memory() -> Evidence:
    """What is stored need not be computed again; with a budget of bytes part of it is,
    and the numbers are the same to the last bit.
    """
    built("compile", parameter="memory")
    x, y = weft.input("x", ("n", 16)), weft.input("y", ("n",))
    network = weft.nn.mlp([16] * 24, "tanh", weft.nn.Gaussian())
    values = network.init(seed=0, in_features=16)
    params = network.symbols(16)
    cost, _ = network.cost(params, x, y, weft.nn.Predict())
    leaves, _ = weft.graph.tree.flatten(params)
    arrays, _ = weft.graph.tree.flatten(values)
    outputs = [cost, *weft.grad(cost, leaves)]
    state = dict(zip(leaves, arrays, strict=True))
    rows = rng().normal(size=(256, 16)).astype(np.float32)
    target = rows[:, 0].copy()
    # As much as all may take, to learn how much that is; then 60 % of it.
    plain = weft.compile([x, y], outputs, state=state, memory=1 << 40)
    expected = plain(rows, target)
    without = plain.saving.bytes
    budget = int(without * 0.6)
    spare = weft.compile([x, y], outputs, state=state, memory=budget)
    found = spare(rows, target)
    saving = spare.saving
    same = all(same_bits(a, b) for a, b in zip(expected, found, strict=True))
    return evidence(
        f"24 layers of 16, 256 rows: {without:,} bytes without a budget, "
        f"{saving.bytes:,} of {budget:,} with one; {len(saving.again)} steps computed "
        f"again, {saving.passes:.2f} forward passes; the same bits",
        true("the same bits", same),
        at_most("bytes / budget", saving.bytes / budget, 1),
        at_least("steps computed again", len(saving.again), 1),
        at_most("forward passes computed again", saving.passes, 1),
    )


@claim("S61", "forward, then backward", "Simple Back-Prop Example")
def steps() -> Evidence:
    """Activations are computed from the input to the loss, derivatives in the opposite
    order, each from the one before.
    """
    x, w, v = (weft.parameter(name, (), "float64") for name in ("x", "w", "v"))
    named = {"z": w * x}
    named["h"] = weft.sigmoid(named["z"])
    named["yhat"] = v * named["h"]
    named["J"] = weft.square(named["yhat"])
    feed = {x: 0.7, w: -1.3, v: 2.1}
    names = {node: name for name, node in named.items()}
    forward = [names[n] for n in topological([named["J"]]) if n in names]
    table = weft.backprop(named["J"], w, feed, table=True)
    backward = [names[n] for n in table if n in names]
    h = 1 / (1 + np.exp(1.3 * 0.7))
    by_hand = {"J": 1.0, "yhat": 2 * 2.1 * h}
    by_hand["h"] = by_hand["yhat"] * 2.1
    by_hand["z"] = by_hand["h"] * h * (1 - h)
    error = largest(gap(table[named[name]], value) for name, value in by_hand.items())
    return evidence(
        f"forward {' -> '.join(forward)}; backward "
        + " -> ".join(
            f"dJ/d{name} = {float(table[named[name]]):.4f}" for name in backward
        ),
        true("forward order", forward == ["z", "h", "yhat", "J"]),
        true("backward order", backward == ["J", "yhat", "h", "z"]),
        at_most("error of the derivatives", error, 1e-14),
    )


@claim("S62", "repeated subexpressions", "Repeated Subexpressions (6.49 to 6.52)")
def sharing() -> Evidence:
    """dz/dw = f'(f(f(w))) f'(f(w)) f'(w) with z = f(f(f(w))): f is computed three
    times, where the expressions written out ask for it six times.
    """
    w = weft.parameter("w", (), "float64")
    z = weft.sin(weft.sin(weft.sin(w)))
    slope = weft.grad(z, w)
    once = sum(n.op.name == "sin" for n in topological([z, slope]))
    naive = written_out([z, slope], "sin")
    value = float(weft.evaluate(slope, {w: 0.9}))
    a, b = np.sin(0.9), np.sin(np.sin(0.9))
    again = weft.sin(weft.sin(weft.sin(w)))
    return evidence(
        f"f computed {once} times, not {naive}; dz/dw = {value:.6f} as by hand",
        exactly("f in the graph", once, 3),
        exactly("f in the expressions written out", naive, 6),
        true("equal expressions are one node", again is z),
        at_most("error", gap(value, np.cos(b) * np.cos(a) * np.cos(0.9)), 1e-15),
    )


@claim("S63", "a derivative is more graph", "Symbol-to-Symbol Differentiation")
def symbol_to_symbol() -> Evidence:
    """Symbol-to-symbol differentiation adds nodes that refer to those of the function;
    the new graph is computed anew for any values, and can be drawn.
    """
    net, feed = small_network()
    before = weft.to_json([net["J"]])
    gradient = weft.grad(net["J"], net["W"])
    forward, added = set(topological([net["J"]])), topological([gradient])
    own = [n for n in added if n not in forward]
    shared = [n for n in added if n in forward and n.inputs]
    worst = 0.0
    for seed in range(3):
        values = {leaf: rng(seed).normal(size=leaf.shape) for leaf in feed}
        t = np.tanh(values[net["W"]] @ values[net["x"]] + values[net["c"]])
        yhat = values[net["w"]] @ t + values[net["b"]]
        g = 2 * (yhat - values[net["y"]]) * values[net["w"]] * (1 - t**2)
        by_hand = np.outer(g, values[net["x"]])
        worst = largest([worst, gap(weft.evaluate(gradient, values), by_hand)])
    refer = sum(any(i in forward for i in n.inputs) for n in own)
    # Constants are written into the boxes that they go into.
    picture = built("draw")([net["J"], gradient], views=True)
    boxes = sum(n.op.name != "constant" for n in forward.union(added))
    return evidence(
        f"{len(own)} nodes added, {refer} of them refer to the forward graph and "
        f"{len(shared)} forward nodes are used again; drawn with "
        f"{picture.count('node')} boxes",
        true("nodes are added", len(own) > 0),
        true("forward nodes are used again", net["h"] in added and len(shared) > 0),
        true("the forward graph is as before", weft.to_json([net["J"]]) == before),
        at_most("error at three points", worst, 1e-13),
        exactly("boxes drawn", picture.count("node"), boxes),
    )


CLAIMS = (
    factors,
    chain_rules,
    one_product_each,
    memory,
    steps,
    sharing,
    symbol_to_symbol,
)
