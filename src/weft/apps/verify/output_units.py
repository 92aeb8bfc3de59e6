"""Output units: what a sigmoid, a softmax and a linear layer promise (6.2.2)."""

import math
from decimal import Decimal
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
from weft.apps.verify.tools import (
    Array,
    built,
    drawn,
    exact,
    exact_cross_entropy,
    exact_softplus,
    gap,
    largest,
    rng,
    ulps,
)
from weft.nn import DescriptionError, TargetError

nn = weft.nn
_LOGITS = np.float32(
    [-1e4, -200, -89.5, -20, -3, -0.7, -1e-3, 0, 1e-6, 0.4, 2.5, 17, 88, 300, 1e4]
)


def slopes(unit: Any, raw: Array, y: Array) -> Array:
    """Return the gradient of the rows' costs with respect to the raw outputs."""
    z = weft.input("raw", ("n", unit.size), raw.dtype)
    target = unit.target(y)
    return weft.backprop(weft.sum(unit.nll(z, target)), z, {z: raw, target: y})


def costs(unit: Any, raw: Array, y: Array) -> Array:
    """Return the rows' costs."""
    z = weft.input("raw", ("n", unit.size), raw.dtype)
    target = unit.target(y)
    return weft.evaluate(unit.nll(z, target), {z: raw, target: y})


@claim("S18", "a linear output is the mean of a Gaussian", "Linear output units")
def linear() -> Evidence:
    """The likelihood of N(y; yhat, I) and the squared error have the same minimum: they
    differ by a constant, and their gradients are equal.
    """
    draw = rng()
    y, raw = draw.normal(size=(200, 3)), draw.normal(size=(200, 3)) * 5
    unit = nn.Gaussian(3)
    rest = costs(unit, raw, y) - 0.5 * np.sum((y - raw) ** 2, axis=1)
    expected = 1.5 * math.log(2 * math.pi)
    return evidence(
        f"NLL - SE/2 = {rest.mean():.6f} = 3/2 log 2 pi in 200 rows, slopes yhat - y",
        at_most("spread of the difference", np.ptp(rest), 1e-12),
        at_most("distance from 3/2 log 2 pi", abs(rest.mean() - expected), 1e-12),
        at_most("error of the gradient", gap(slopes(unit, raw, y), raw - y), 1e-14),
    )


@claim("S19", "a clipped linear probability cannot learn", "Sigmoid output units")
def clipped() -> Evidence:
    """P = max(0, min(1, z)) has no gradient at all where z has left [0, 1], however
    wrong it is; the sigmoid has one there. weft refuses it, and its linter names it.
    """
    outside = np.array([[-4.0], [-0.2], [1.1], [30.0]])
    wrong = np.array([1.0, 1.0, 0.0, 0.0])
    unit = nn.pair("clipped", "binary_cross_entropy", allow_mismatch=True)
    inside = slopes(unit, np.array([[0.25]]), np.array([1.0]))[0, 0]
    findings = nn.lint(nn.Network((), unit))
    healthy = nn.lint(nn.Network((), nn.Bernoulli()))
    sigmoid = np.abs(slopes(nn.Bernoulli(), outside, wrong)).min()
    try:
        nn.pair("clipped", "binary_cross_entropy")
        refusal = ""
    except DescriptionError as error:
        refusal = str(error)
    return evidence(
        f"slopes 0 0 0 0 outside, {inside:g} inside; the sigmoid's are at least "
        f"{sigmoid:.2f}; the linter names "
        f"{findings[0].unit if findings else 'nothing'}",
        exactly("slope outside", np.abs(slopes(unit, outside, wrong)).max(), 0),
        exactly("slope of -log z at 1/4", inside, -4),
        at_least("the sigmoid's slope there", sigmoid, 0.5),
        true("the linter names the unit", [f for f in findings if "clip" in f.unit]),
        exactly("findings about the sigmoid", len(healthy), 0),
        true("the pair is refused", "sigmoid" in refusal),
    )


@claim("S20", "the sigmoid of a logit is the probability", "Sigmoid output units")
def sigmoid() -> Evidence:
    """Yhat = sigmoid(z) with the logit z = w'h + b: what the network predicts is the
    sigmoid of its raw output, and of no other number.
    """
    network = nn.mlp([5], "tanh", nn.Bernoulli())
    values = drawn(network.init(seed=0, in_features=3))
    params = weft.graph.tree.tree_map(weft.constant, values)
    x = weft.input("x", ("n", 3), "float64")
    rows = rng().normal(size=(50, 3)) * 20
    raw, p, h = weft.evaluate(
        [network.raw(params, x), network.predict(params, x), network.hidden(params, x)],
        {x: rows},
    )
    z = (h @ values["output"]["W"] + values["output"]["b"])[:, 0]
    mean = network.output.distribution(raw).mean()
    return evidence(
        "50 rows: yhat = 1 / (1 + exp(-z)) with z = w'h + b, by hand and by weft",
        at_most("raw output against w'h + b", gap(raw[:, 0], z), 1e-14),
        at_most(
            "prediction against 1/(1+exp(-z))", gap(p, 1 / (1 + np.exp(-z))), 1e-15
        ),
        at_most("distribution against prediction", gap(mean, p), 1e-15),
    )


@claim("S21", "the cost of a sigmoid is softplus((1 - 2y) z)", "Saturation")
def softplus() -> Evidence:
    """-log P(y) = softplus((1 - 2y) z), which does not shrink the gradient where the
    answer is very wrong; written naively, it becomes just that.
    """
    simplify = built("simplify")
    z = weft.input("z", (len(_LOGITS),))
    worst = {"softplus": 0.0, "naive, simplified": 0.0}
    slope_error, extreme = 0.0, 0.0
    for y in (0.0, 1.0):
        target = weft.constant(np.float32(y))
        p = 1 / (1 + weft.exp(-z))
        naive = simplify(-(weft.log(p) if y else weft.log(1 - p)))
        stable = weft.softplus((1 - 2 * target) * z)
        sign = 1 - 2 * y
        references = [
            exact(lambda t, s=sign: exact_softplus(Decimal(s) * t), v) for v in _LOGITS
        ]
        for name, node in zip(worst, (stable, naive), strict=True):
            found = weft.evaluate(node, {z: _LOGITS})
            errors = [ulps(v, r) for v, r in zip(found, references, strict=True)]
            worst[name] = largest([worst[name], *errors])
            slope = weft.evaluate(weft.grad(weft.sum(node), z), {z: _LOGITS})
            steep = np.exp(np.minimum(-sign * _LOGITS.astype(np.float64), 700))
            true_slope = sign / (1 + steep)
            slope_error = largest([slope_error, *np.abs(slope - true_slope)])
            extreme = largest([extreme, abs(abs(slope[-1 if sign > 0 else 0]) - 1)])
    return evidence(
        f"|z| <= 1e4 in float32: {worst['softplus']:.2f} ulp, written naively "
        f"{worst['naive, simplified']:.2f} ulp; slope -1 and 1 where most wrong",
        at_most("ulp of softplus", worst["softplus"], 2),
        at_most("ulp of the naive form, simplified", worst["naive, simplified"], 2),
        at_most("error of the slopes", slope_error, 2e-7),
        at_most("1 - |slope| where most wrong", extreme, 1e-7),
    )


@claim(
    "S22",
    "softmax is a soft arg-max",
    "Softmax output units",
    correction="the slide says multi-label; it is multi-class: labels that may hold "
    "together need a sigmoid each",
)
def softmax() -> Evidence:
    """softmax(z) is a distribution over n categories that exclude one another, and
    tends to the winner's indicator; several labels at once are refused.
    """
    z = rng().normal(size=(100, 7)).astype(np.float32) * 4
    x = weft.input("z", ("n", 7))
    unit = nn.Categorical(7)
    p, sharp = weft.evaluate([unit.prediction(x), weft.softmax(1000 * x)], {x: z})
    winner = np.eye(7)[z.argmax(axis=1)]
    apart = np.diff(np.sort(z, axis=1)[:, -2:], axis=1)[:, 0] > 0.05
    try:
        unit.as_target(np.array([[1, 1, 0, 0, 0, 0, 0]]), np.dtype("float32"))
        said = ""
    except TargetError as error:
        said = str(error)
    several = nn.Bernoulli(7).as_target(np.ones((1, 7)), np.dtype("float32"))
    return evidence(
        "sums to 1 in 100 rows, keeps the order, tends to the winner; two labels in a "
        "row: use Bernoulli(7)",
        at_most("|sum - 1|", np.abs(p.sum(axis=1) - 1).max(), 1e-6),
        at_least("least probability", p.min(), 0),
        true("order is kept", np.array_equal(p.argsort(), z.argsort())),
        at_most("softmax(1000 z) - winner", np.abs(sharp - winner)[apart].max(), 1e-6),
        true("several labels are refused", "Bernoulli(7)" in said),
        exactly("and taken by sigmoids", several.sum(), 7),
    )


@claim("S23", "the cost of a softmax is -z_i + log sum exp z", "Softmax output units")
def cross_entropy() -> Evidence:
    """-log softmax(z)_i = -z_i + log sum_j exp z_j, also where it is nearly certain,
    and its gradient is q - onehot(i); written naively, it becomes just that.
    """
    rows = np.float32(
        [
            [20, 0, -3],
            [0, 20, 1],
            [1e4, -1e4, 0],
            [-1e4, 1e4, 3],
            [0.5, 0.25, -0.125],
            [88, 89, 90],
            [-104, -103, -105],
        ]
    )
    labels = np.zeros(len(rows), np.int64)
    references = [exact_cross_entropy(0, row) for row in rows]
    found = costs(nn.Categorical(3), rows, labels)
    error = largest(ulps(v, r) for v, r in zip(found, references, strict=True))
    wide = rows.astype(np.float64)
    q = np.exp(wide - wide.max(axis=1, keepdims=True))
    q /= q.sum(axis=1, keepdims=True)
    onehot = np.eye(3)[labels]
    slope = slopes(nn.Categorical(3), rows, labels)
    sure = costs(nn.Categorical(2), np.float32([[20, 0]]), np.array([0]))[0]

    simplify = built("simplify")
    z, p = weft.input("z", ("n", 3)), weft.input("p", ("n", 3), simplex=-1)
    exps = weft.exp(z)
    softmax = exps / weft.sum(exps, axis=1, keepdims=True)
    naive = simplify(-weft.sum(p * weft.log(softmax), axis=1))
    feed = {z: rows, p: onehot.astype(np.float32)}
    both = weft.evaluate([naive, weft.grad(weft.sum(naive), z)], feed)
    mended = largest(ulps(v, r) for v, r in zip(both[0], references, strict=True))
    return evidence(
        f"{error:.2f} ulp, written naively {mended:.2f} ulp, cost of z = (20, 0) "
        f"{sure:.3g}; gradient q - onehot",
        at_most("ulp of the cost", error, 4),
        at_most(
            "cost of (20, 0) against 2.06e-9", abs(float(sure) - 2.0611536e-9), 1e-15
        ),
        at_most("error of q - onehot", np.abs(slope - (q - onehot)).max(), 2.4e-7),
        at_most("ulp of the naive cost, simplified", mended, 4),
        at_most("its gradient", np.abs(both[1] - (q - onehot)).max(), 2.4e-7),
    )


def _softmax_regression(unit: Any) -> tuple[float, Array, Array]:
    """Fit it by Newton's method: least cost per row, weights, eigenvalues of H."""
    draw = rng(3)
    x = np.column_stack([draw.normal(size=(150, 2)), np.ones(150)])
    chance = np.exp(x @ draw.normal(size=(3, 3)))
    y = np.array([draw.choice(3, p=row / row.sum()) for row in chance])
    count = 3 * unit.size
    theta = weft.parameter("theta", (count,), "float64")
    raw = weft.constant(x) @ weft.reshape(theta, (3, unit.size))
    cost = weft.mean(unit.nll(raw, weft.constant(y)))
    nodes = [cost, weft.grad(cost, theta), weft.hessian(cost, theta)]
    at = np.zeros(count)
    for _ in range(12):
        _, g, H = weft.evaluate(nodes, {theta: at})
        at = at - np.linalg.lstsq(H, g, rcond=1e-10)[0]
    least, _, H = weft.evaluate(nodes, {theta: at})
    return float(least), at.reshape(3, unit.size), np.linalg.eigvalsh(H)


@claim("S24", "one logit may be fixed", "Softmax output units")
def reference_class() -> Evidence:
    """With one logit held at 0 the best likelihood is the same, there is one column of
    weights fewer, and the Hessian has lost the directions in which it is flat.
    """
    full, W, free = _softmax_regression(nn.Categorical(3))
    held, V, fixed = _softmax_regression(nn.Categorical(3, reference_class=0))
    flat = int(np.sum(free < 1e-10 * free.max()))
    return evidence(
        f"least cost {full:.8f} with {W.shape[1]} columns, {held:.8f} with "
        f"{V.shape[1]}; flat directions {flat} and "
        f"{int(np.sum(fixed < 1e-10 * fixed.max()))}, least curvature "
        f"{fixed.min():.2g}",
        at_most("difference of the least costs", abs(full - held), 1e-10),
        exactly("columns fewer", W.shape[1] - V.shape[1], 1),
        exactly("flat directions of all logits", flat, 3),
        at_least("least curvature with one fixed", fixed.min() / fixed.max(), 1e-6),
        at_most("the same weights", gap(W[:, 1:] - W[:, :1], V), 1e-6),
    )


CLAIMS = (
    linear,
    clipped,
    sigmoid,
    softplus,
    softmax,
    cross_entropy,
    reference_class,
)
