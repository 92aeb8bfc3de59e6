"""Random formulas of exponentials, and their gradients, keep their values.

Made of what rules look for and of what may mislead them: slices and totals that stand
beside another row, choices with zeros and guards, differences of a value and itself,
logarithms of what may be negative. Where the formula as it is written is finite and of
moderate size, in all its parts, so must be what it is simplified to, and equal.
"""

import numpy as np

import weft
from weft.graph.walk import topological
from weft.rewrite import simplify

a = weft.input("a", (3, 3), "float64")
b = weft.input("b", (3,), "float64")
c = weft.input("c", (3, 1), "float64")
LEAVES = (a, b, c)
# Of moderate size is what keeps digits enough, also where it is taken from its like.
LARGEST = 1e6


def _reduced(rng, x):
    axis = int(rng.integers(x.ndim))
    keepdims = bool(rng.integers(2))
    which = (weft.sum, weft.logsumexp, weft.max)[rng.integers(3)]
    return which(x, axis, keepdims=keepdims)


def _part(rng, x):
    axis = int(rng.integers(x.ndim))
    if x.shape[axis] != 3:
        return x
    if rng.integers(2):
        start, stop = ((0, 1), (1, 2), (0, 3), (1, 3))[rng.integers(4)]
        piece = slice(start, stop)
    else:
        piece = int(rng.integers(3))
    return x[(slice(None),) * axis + (piece,)]


def _total_beside(rng, x):
    axis = int(rng.integers(x.ndim))
    keepdims = bool(rng.integers(2))
    part = _part(rng, x) if rng.integers(2) else x
    if rng.integers(2):
        return part - weft.logsumexp(x, axis, keepdims=keepdims)
    return weft.exp(part) / weft.sum(weft.exp(x), axis, keepdims=keepdims)


def _choice(rng, x, y):
    condition = x > float(rng.normal())
    branches = [(x, y), (x, 0.0), (0.0, y), (x, 1.0)][rng.integers(4)]
    whole = x + y
    return weft.where(condition, *branches) * (
        weft.exp(whole) if rng.integers(2) else 1
    )


def _guarded(rng, x, y):
    base = (x, weft.exp(x) - 1, weft.softmax(x, -1) - 0.2)[rng.integers(3)]
    safe = weft.where(base > 0, base, 1)
    return (weft.log(safe), y / safe, weft.where(base > 0, weft.log(safe), 0))[
        rng.integers(3)
    ]


ONE = (
    lambda rng, x: weft.exp(x),
    lambda rng, x: weft.exp(-x),
    lambda rng, x: weft.log(x),
    lambda rng, x: weft.log(1 + weft.exp(x)),
    lambda rng, x: weft.log1p(weft.exp(x)),
    lambda rng, x: weft.log(1 - weft.exp(x)),
    lambda rng, x: weft.softplus(x),
    lambda rng, x: weft.sigmoid(x),
    lambda rng, x: 1 - weft.sigmoid(x),
    lambda rng, x: weft.tanh(x),
    lambda rng, x: weft.square(x),
    lambda rng, x: weft.sqrt(weft.sum(weft.square(x), -1)),
    lambda rng, x: weft.abs(-x),
    lambda rng, x: 1 / x,
    lambda rng, x: x * float(rng.choice([-1, 2, 0.5, 3])),
    lambda rng, x: x - x,
    lambda rng, x: weft.softmax(x, int(rng.integers(x.ndim))),
    lambda rng, x: weft.log_softmax(x, int(rng.integers(x.ndim))),
    lambda rng, x: weft.expm1(x),
    lambda rng, x: weft.transpose(x),
    _reduced,
    _part,
    _part,
    _total_beside,
    _total_beside,
)
TWO = (
    lambda rng, x, y: x + y,
    lambda rng, x, y: x - y,
    lambda rng, x, y: x * y,
    lambda rng, x, y: x / y,
    lambda rng, x, y: weft.maximum(x, y),
    lambda rng, x, y: weft.maximum(x, 1e-12),
    lambda rng, x, y: weft.minimum(x, y),
    lambda rng, x, y: weft.exp(x) + weft.exp(y),
    lambda rng, x, y: weft.log(weft.exp(x) + y * weft.exp(y)),
    lambda rng, x, y: weft.exp(x) ** y,
    lambda rng, x, y: weft.softmax(x, -1) * weft.exp(y),
    lambda rng, x, y: weft.log(weft.sum(weft.square(x) * weft.exp(y), -1)),
    _choice,
    _guarded,
)


def formula(rng):
    """Draw a formula of a few steps, each of what there is already."""
    known = list(LEAVES)
    while len(known) < len(LEAVES) + rng.integers(2, 7):
        # What was made last is looked at more often.
        x, y = (known[max(rng.integers(-2, len(known)), -1)] for _ in range(2))
        try:
            if rng.integers(2) and x.ndim:
                known.append(ONE[rng.integers(len(ONE))](rng, x))
            else:
                known.append(TWO[rng.integers(len(TWO))](rng, x, y))
        except weft.ShapeError:
            continue
        except weft.GraphError:
            continue
    return known[-1]


def feeds(rng):
    """Return points: ordinary ones, with equal numbers and zeros, and larger ones."""
    yield {leaf: rng.normal(size=leaf.shape) for leaf in LEAVES}
    yield {leaf: rng.integers(-1, 3, leaf.shape).astype(float) for leaf in LEAVES}
    yield {leaf: rng.normal(size=leaf.shape) * 4 for leaf in LEAVES}


def differing(seed):
    """Tell where a formula and what it is simplified to are not the same."""
    rng = np.random.default_rng(seed)
    node = formula(rng)
    cost = weft.sum(node)
    used = [leaf for leaf in weft.leaves([cost]) if leaf in LEAVES]
    if not used:
        return []
    slopes = weft.grad(cost, used)
    written = [node, *slopes]
    changed = simplify(written)
    again = weft.grad(weft.sum(changed[0]), used)
    every = topological(written)
    wrong = []
    for feed in feeds(rng):
        feed = {leaf: feed[leaf] for leaf in used}
        with np.errstate(all="ignore"):
            parts = weft.evaluate(every, feed)
            if not all(np.all(np.abs(part) < LARGEST) for part in parts):
                continue
            after = weft.evaluate([*changed, *again], feed)
        values = dict(zip(every, parts, strict=True))
        before = [values[node] for node in written]
        names = [
            "value",
            *(["gradient"] * len(used)),
            *(["gradient of it"] * len(used)),
        ]
        pairs = zip(names, [*before, *before[1:]], after, strict=True)
        for name, old, new in pairs:
            scale = max(1.0, np.max(np.abs(old), initial=0))
            with np.errstate(all="ignore"):
                off = np.abs(new - old) > 1e-6 * scale
            if np.any(off | ~np.isfinite(new)):
                wrong.append((name, feed, old, new))
    return wrong


def test_random_formulas_keep_their_values(count):
    wrong = [seed for seed in range(count(150, 2000)) if differing(seed)]
    assert wrong == []
