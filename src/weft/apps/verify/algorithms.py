"""Algorithms 6.1 and 6.2: the table, its cost, and the naive sum (section 6.5.6)."""

import time
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
)
from weft.apps.verify.counting import counted_backprop
from weft.apps.verify.tools import gap, largest, line_fit, random_graph, same_bits
from weft.graph.walk import topological


@claim("S64", "Algorithm 6.1", "Forward propagation (Algorithm 6.1)")
def forward() -> Evidence:
    """A graph of scalars is computed node after node, each from its parents; the
    interpreter does so to the letter, and machine code gives the same number.
    """
    worst, sizes = {"interpreter": 0.0, "machine code": 0.0}, []
    for seed, size in enumerate((5, 40, 200)):
        cost, feed = random_graph(seed, size)
        u: dict[Any, Any] = dict(feed)
        order = topological([cost])
        for node in order:  # u_i <- f_i(parents of u_i)
            if node not in u:
                parents = [u[parent] for parent in node.inputs]
                constant = node.params.get("value")
                u[node] = constant if not parents else node.op.forward(*parents)
        program = weft.compile([], cost, state=feed, engine="native")
        for name, found in (
            ("interpreter", weft.evaluate(cost, feed)),
            ("machine code", program()),
        ):
            worst[name] = largest([worst[name], gap(found, u[cost])])
        sizes.append(len(order))
    return evidence(
        f"graphs of {', '.join(map(str, sizes))} scalars: interpreter "
        f"{worst['interpreter']:.1g}, machine code {worst['machine code']:.1g} away",
        exactly("interpreter", worst["interpreter"], 0),
        at_most("machine code", worst["machine code"], 1e-13),
    )


@claim("S65", "Algorithm 6.2", "Backward propagation (Algorithm 6.2)")
def table() -> Evidence:
    """The grad_table has the derivative of the output by every node, not by the inputs
    alone: each entry is what nudging that node shows.
    """
    worst, entries = 0.0, 0
    for seed in range(4):
        cost, feed = random_graph(seed, 40)
        found = weft.backprop(cost, list(feed), feed, table=True)
        order = [n for n in topological([cost]) if n.op.name != "constant"]
        values = dict(zip(order, weft.evaluate(order, feed), strict=True))
        for node in order:
            # A node that is fed is not computed: so any of them can be nudged.
            step = 1e-6 * (1 + abs(float(values[node])))
            up, down = (
                float(weft.evaluate(cost, {**feed, node: values[node] + s}))
                for s in (step, -step)
            )
            error = abs((up - down) / (2 * step) - float(found[node]))
            worst = largest([worst, error / (1 + abs(float(found[node])))])
        entries += len(order)
    return evidence(
        f"{entries} entries of 4 tables agree with central differences to {worst:.1g}",
        at_least("entries", entries, 150),
        at_most("largest error", worst, 1e-7),
    )


@claim(
    "S66",
    "back-propagation is linear in the edges",
    "Efficiency",
    correction="the slide takes for granted that each partial derivative costs O(1), "
    "which holds for scalars",
)
def linear_cost() -> Evidence:
    """The cost grows in proportion to the edges of the graph: for each edge one partial
    derivative, one product and one addition.
    """
    edges, products, additions, nodes = [], [], [], []
    for seed, size in enumerate((50, 100, 200, 400, 800, 1600, 3200)):
        cost, feed = random_graph(seed, size, leaves=1)
        (leaf,) = feed
        order = topological([cost])
        edges.append(sum(len(n.inputs) for n in order))
        count, _ = counted_backprop(cost, leaf, feed)
        products.append(count.products)
        additions.append(count.additions)
        nodes.append(len(topological([weft.grad(cost, leaf)])))
    steps, fit = line_fit(edges, products)
    _, fit_add = line_fit(edges, additions)
    grown, fit_graph = line_fit(edges, nodes)
    return evidence(
        f"{edges[0]} to {edges[-1]:,} edges: {steps:.3f} products per edge (R^2 "
        f"{fit:.6f}); the gradient's graph has {grown:.2f} nodes per edge (R^2 "
        f"{fit_graph:.6f})",
        at_least("R^2 of products", fit, 0.999),
        at_least("R^2 of additions", fit_add, 0.999),
        at_least("R^2 of the gradient's nodes", fit_graph, 0.999),
        at_most("products per edge", largest(np.divide(products, edges)), 1),
        at_most("additions per edge", largest(np.divide(additions, edges)), 1),
    )


@claim("S67", "the naive sum runs over all paths", "Efficiency")
def paths() -> Evidence:
    """Two nodes wide and twenty deep a graph has some 80 edges and 2^20 paths: both
    ways give one number, and the table gives it thousands of times sooner.
    """
    depth = 20
    p, q = (weft.parameter(name, (), "float64") for name in ("p", "q"))
    u, v = p, q
    for _ in range(depth):
        u, v = u + v, u - v
    # [[1, 1], [1, -1]] to the power 20 is 2^10 on the diagonal.
    cost, feed = u + v, {p: 0.5, q: 0.25}
    count, quick = counted_backprop(cost, p, feed)
    edges = sum(len(n.inputs) for n in topological([cost]))
    ways = {p: 1, q: 0}
    for node in topological([cost]):
        ways[node] = ways.get(node, sum(ways.get(i, 0) for i in node.inputs))
    begun = time.process_time()
    naive = weft.path_sum(cost, p, feed)
    slow = time.process_time() - begun
    begun = time.process_time()
    for _ in range(20):
        weft.backprop(cost, p, feed)
    fast = (time.process_time() - begun) / 20
    return evidence(
        f"{edges} edges, {ways[cost]:,} paths: both give {float(naive):g}; "
        f"{1000 * fast:.2f} ms against {slow:.1f} s, {slow / fast:,.0f} times",
        exactly("paths", ways[cost], 2**depth),
        exactly("edges", edges, 4 * depth + 2),
        exactly("naive sum", naive, 1024),
        exactly("table", quick, 1024),
        at_most("products of the table", count.products, edges),
        at_least("ratio of the times", slow / fast, 1000),
    )


@claim(
    "S68",
    "two approaches to a derivative",
    "Two implementation approaches",
    correction="the slide gives one approach to PyTorch and the other to TensorFlow, "
    "which was so in 2016; today each of them does both",
)
def two_approaches() -> Evidence:
    """From symbols to numbers, or from symbols to symbols: both run over one graph with
    one set of rules, and give the same numbers.
    """
    same, worst, entries = True, 0.0, 0
    for seed in range(5):
        cost, feed = random_graph(seed, 60)
        leaves = list(feed)
        numbers = weft.backprop(cost, leaves, feed)
        symbols = weft.evaluate(weft.grad(cost, leaves), feed)
        for a, b in zip(numbers, symbols, strict=True):
            same = same and same_bits(a, b)
            worst = largest([worst, gap(a, b)])
            entries += 1
    return evidence(
        f"{entries} derivatives of 5 random graphs: "
        f"{'the same bits' if same else f'at most {worst:.1g} apart'}",
        at_most("difference", worst, 1e-13),
    )


@claim("S69", "differentiate again for higher orders", "Two implementation approaches")
def higher_orders() -> Evidence:
    """A gradient is a graph, so grad(grad(f)) needs nothing new: the fourth derivatives
    of tanh, softplus and x^x are those of the closed forms.
    """
    x = weft.input("x", (9,), "float64")
    at = np.array([-3.0, -1.2, -0.5, -1e-3, 0.0, 0.3, 0.8, 1.7, 4.0])
    t, s = np.tanh(at), 1 / (1 + np.exp(-at))
    closed = {
        "tanh": (weft.tanh, at, 8 * t * (2 - 3 * t**2) * (1 - t**2)),
        "softplus": (weft.softplus, at, s * (1 - s) * (1 - 6 * s + 6 * s**2)),
    }
    up = np.abs(at) + 0.2
    one, power = 1 + np.log(up), up**up
    fourth = one**4 + 6 * one**2 / up + 3 / up**2 - 4 * one / up**2 + 2 / up**3
    closed["x^x"] = (lambda z: z**z, up, power * fourth)
    errors = {}
    for name, (function, points, expected) in closed.items():
        node = function(x)
        for _ in range(4):
            node = weft.grad(weft.sum(node), x)
        errors[name] = gap(weft.evaluate(node, {x: points}), expected)
    said = ", ".join(f"{name} {error:.1g}" for name, error in errors.items())
    return evidence(
        f"fourth derivatives at 9 points, relative errors: {said}",
        *[at_most(name, error, 1e-8) for name, error in errors.items()],
    )


CLAIMS = (forward, table, linear_cost, paths, two_approaches, higher_orders)
