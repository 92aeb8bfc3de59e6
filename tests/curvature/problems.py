"""Small networks, with everything an operator may be made from."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

import weft


@dataclass(frozen=True, eq=False)
class Problem:
    """A network of float64 on some rows."""

    cost: weft.Node
    losses: weft.Node
    outputs: weft.Node
    wrt: Any
    feed: dict[weft.Node, Any]
    rows: weft.Node


def network(widths=(3, 5, 4), rows=17, unit=weft.tanh, seed=0, dtype="float64"):
    """Build a classifier with a dict of parameters per layer."""
    rng = np.random.default_rng(seed)
    x = weft.input("x", ("n", widths[0]), dtype)
    y = weft.input("y", ("n", widths[-1]), dtype)
    feed = {
        x: rng.normal(size=(rows, widths[0])),
        y: np.eye(widths[-1])[rng.integers(widths[-1], size=rows)],
    }
    wrt, h = {}, x
    for i, (m, n) in enumerate(pairwise(widths)):
        W, b = weft.parameter(f"W{i}", (m, n), dtype), weft.parameter("b", (n,), dtype)
        wrt[str(i)] = {"W": W, "b": b}
        feed[W], feed[b] = rng.normal(size=(m, n)) / m**0.5, 0.1 * rng.normal(size=n)
        h = h @ W + b
        if i < len(widths) - 2:
            h = unit(h)
    losses = -weft.sum(y * weft.log_softmax(h), 1)
    return Problem(weft.mean(losses), losses, h, wrt, feed, x)


def dense_hessian(cost, wrt, feed):
    """Return the Hessian by `weft.hessian`, put together from its blocks."""
    leaves = weft.flatten(wrt)[0]
    blocks = weft.evaluate(weft.hessian(cost, leaves), feed)
    sizes = [int(np.prod(leaf.shape)) for leaf in leaves]
    return np.block(
        [
            [block.reshape(m, n) for block, n in zip(row, sizes, strict=True)]
            for row, m in zip(blocks, sizes, strict=True)
        ]
    )


def jacobian(outputs, wrt, feed):
    """Return d outputs / d wrt as a matrix, outputs flattened."""
    parts = weft.evaluate(weft.jacobian(outputs, weft.flatten(wrt)[0]), feed)
    count = int(np.prod(weft.evaluate(outputs, feed).shape))
    return np.concatenate([part.reshape(count, -1) for part in parts], axis=1)
