"""Saturation, what not to mix, and a variance that is learnt (section 6.2.2)."""

import math
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
from weft.apps.verify.figures import sigmoid_with_target_one
from weft.apps.verify.output_units import costs, slopes
from weft.apps.verify.tools import Array, built, gap, largest, rng, same_bits
from weft.nn import DescriptionError

nn = weft.nn


@claim("S25", "softmax saturates both ways", "Saturation")
def saturation() -> Evidence:
    """An output of a softmax goes to 1 and stops to move where its logit is far above
    all others, and to 0 where another one is; the cost goes on to feel it.
    """
    raw = np.array([[30.0, 0, 0], [0.0, 30, 0], [0.2, 0.1, 0.0], [-30.0, 0, 0]])
    monitor = nn.saturation(nn.Categorical(3).distribution(raw))
    z = weft.input("z", (3,), "float64")
    own = [weft.evaluate(weft.grad(weft.softmax(z)[0], z), {z: row})[0] for row in raw]
    felt = slopes(nn.Categorical(3), raw, np.zeros(4, np.int64))[1, 0]
    return evidence(
        f"d softmax_1 / d z_1 = {own[0]:.1g} and {own[1]:.1g} far above and below, "
        f"{own[2]:.2f} between; seen by the monitor; the wrong one's cost has slope "
        f"{felt:.6f}",
        at_most("slope far above", own[0], 1e-12),
        at_most("slope far below", own[1], 1e-12),
        at_least("slope between", own[2], 0.2),
        exactly("share at 1, first output", monitor.at_one[0], 0.25),
        exactly("share at 0, first output", monitor.at_zero[0], 0.5),
        at_most("slope of the cost, very wrong", felt, -0.999),
    )


@claim("S26", "softmax(z) = softmax(z - max z)", "Saturation")
def shift() -> Evidence:
    """A softmax does not change when one number is added to all its logits, so that it
    need not overflow; written naively, neither does it in weft.
    """
    rows = np.float32([[1e4, 1e4 - 2, -1e4], [3, 1, -2], [0, 0, 0], [-1e4, -1e4, -1e4]])
    z = weft.input("z", (4, 3))
    p = weft.softmax(z)
    found = weft.evaluate(p, {z: rows})
    wide = np.exp(rows.astype(np.float64) - rows.max(axis=1, keepdims=True))
    wide /= wide.sum(axis=1, keepdims=True)
    shifted = [weft.evaluate(p, {z: rows + np.float32(c)}) for c in (-64, 7, 1024)]

    simplify = built("simplify")
    exps = weft.exp(z)
    naive = simplify(exps / weft.sum(exps, axis=-1, keepdims=True))
    mended = weft.evaluate(naive, {z: rows})
    return evidence(
        "logits of 1e4 in float32: no NaN, also written naively; bitwise the same "
        "shifted by -64, 7 and 1024",
        at_most("error", np.abs(found - wide).max(), 1.2e-7),
        true("bitwise the same, shifted", all(same_bits(found, s) for s in shifted)),
        at_most(
            "error of the naive form, simplified", np.abs(mended - wide).max(), 1.2e-7
        ),
    )


def _steps_to_learn(unit: Any, start: Array, limit: int) -> tuple[int, float]:
    """Descend from logits that are wrong: steps until the answer is right, and P."""
    logits, y = start.copy(), np.array([[1.0, 0.0, 0.0]])
    for step in range(limit + 1):
        p = unit.distribution(logits).mean()[0, 0]
        if p > 0.5:
            return step, float(p)
        logits = logits - 0.5 * slopes(unit, logits, y)
    return limit + 1, float(p)


@claim("S27", "squared error on a softmax learns badly", "Saturation")
def squared_error() -> Evidence:
    """From a start that is sure of the wrong class, descent on the likelihood mends it;
    descent on the squared error of the same softmax is not moving ten times later.
    """
    start = np.array([[-10.0, 10.0, 0.0]])
    squared = nn.pair("softmax", "squared_error", 3, allow_mismatch=True)
    steps, _ = _steps_to_learn(nn.Categorical(3), start, 100)
    longer, p = _steps_to_learn(squared, start, 10 * steps)
    ratio = (
        np.abs(slopes(nn.Categorical(3), start, np.eye(3)[:1])).max()
        / np.abs(slopes(squared, start, np.eye(3)[:1])).max()
    )
    return evidence(
        f"likelihood: right after {steps} steps; squared error: P = {p:.1g} after "
        f"{10 * steps}; its gradient is {ratio:.1g} times smaller",
        at_most("steps with the likelihood", steps, 100),
        at_least("steps with the squared error / steps", longer / steps, 10),
        at_most("P of the right class then", p, 1e-3),
        at_least("ratio of the gradients", ratio, 1e4),
    )


@claim("S28", "the output decides the cost", "Output Types")
def table() -> Evidence:
    """Binary, Bernoulli, sigmoid, binary cross-entropy; discrete, multinoulli, softmax,
    discrete cross-entropy; continuous, Gaussian, linear, mean squared error: one
    argument chooses all of them.
    """
    slide = [
        ("binary", "Bernoulli", "sigmoid", "binary cross-entropy"),
        ("discrete", "multinoulli", "softmax", "discrete cross-entropy"),
        ("continuous", "Gaussian", "linear", "mean squared error"),
    ]
    rows = [
        (r.target, r.distribution, r.layer, r.cost)
        for r in nn.OUTPUT_TYPES
        if r.on_slide
    ]
    printed = nn.output_types().splitlines()
    z = weft.constant(np.array([[0.3, -1.2, 2.0]]))
    sizes = {"sigmoid": 3, "softmax": 3, "linear": 3}
    links = {
        "sigmoid": 1 / (1 + np.exp([[-0.3, 1.2, -2.0]])),
        "softmax": np.exp([[0.3, -1.2, 2.0]]) / np.exp([0.3, -1.2, 2.0]).sum(),
        "linear": np.array([[0.3, -1.2, 2.0]]),
    }
    error = largest(
        gap(r.unit(sizes[r.output]).prediction(z).numpy(), links[r.output])
        for r in nn.OUTPUT_TYPES
        if r.on_slide
    )
    chosen = [nn.pair(r.output, r.loss, 3) == r.unit(3) for r in nn.OUTPUT_TYPES]
    more = len(nn.OUTPUT_TYPES) - len(slide)
    return evidence(
        f"the slide's 3 rows and {more} more; each unit has the layer its row says",
        true("the slide's rows", rows == slide),
        exactly("lines of the table", len(printed), 1 + len(nn.OUTPUT_TYPES)),
        at_most("the layers compute what the table says", error, 1e-15),
        true("each pair gives its unit", all(chosen)),
    )


@claim("S29", "do not mix and match", "Don't mix and match")
def mismatch() -> Evidence:
    """A sigmoid with target 1: its likelihood has slope -1 where the answer is wrong,
    the squared error has none there; such a pair is refused, unless it is asked for to
    be studied.
    """
    z = np.linspace(-20, 5, 6)[:, None]
    unit = nn.pair("sigmoid", "squared_error", allow_mismatch=True)
    ones = np.ones(len(z))
    right, wrong = slopes(nn.Bernoulli(), z, ones), slopes(unit, z, ones)
    s = 1 / (1 + np.exp(-z))
    refusals = 0
    for output, loss, named in (
        ("sigmoid", "squared_error", "binary_cross_entropy"),
        ("softmax", "squared_error", "cross_entropy"),
        ("linear", "binary_cross_entropy", "squared_error"),
        ("softmax", "binary_cross_entropy", "cross_entropy"),
    ):
        try:
            nn.pair(output, loss, 2)
        except DescriptionError as error:
            refusals += f"'{named}'" in str(error) and "allow_mismatch" in str(error)
    figure = sigmoid_with_target_one()
    return evidence(
        f"at z = -20 the slopes are {right[0, 0]:.3f} and {wrong[0, 0]:.1g}; 4 wrong "
        f"pairs refused, each with the right cost; figure of {len(figure):,} bytes",
        at_most("slope of the likelihood", right[0, 0], -0.999),
        at_most("|slope| of the squared error", abs(wrong[0, 0]), 1e-8),
        at_most("the latter by formula", gap(wrong, (s - 1) * s * (1 - s)), 1e-12),
        exactly("refused, with the right cost named", refusals, 4),
        true("the figure has two curves", figure.count(b"<polyline") == 2),
    )


@claim(
    "S30",
    "a network can learn the variance",
    "Other output units (equation 3.22)",
    correction="the slide says proportional to; it is equal up to a constant, "
    "log(2 pi) / 2, which matters when likelihoods are compared",
)
def precision() -> Evidence:
    """-log N(y; mu, 1/beta) = -(log beta)/2 + beta (y - mu)^2 / 2 + log(2 pi)/2. Where
    the noise varies, learning beta gives a better likelihood and honest intervals.
    """
    draw = rng(1)
    raw, target = draw.normal(size=(50, 2)), draw.normal(size=50)
    beta = np.exp(raw[:, 1])
    slide = -0.5 * raw[:, 1] + 0.5 * beta * (target - raw[:, 0]) ** 2
    rest = costs(nn.HeteroscedasticGaussian(), raw, target) - slide

    def data(rows: int) -> tuple[Array, Array]:
        x = draw.uniform(-1, 1, size=(rows, 1))
        noise = np.exp(1.5 * x[:, 0] - 1)
        return x, np.sin(3 * x[:, 0]) + noise * draw.normal(size=rows)

    x, y = data(3000)
    test, answers = data(20_000)
    found = {}
    for unit in (nn.Gaussian(), nn.HeteroscedasticGaussian()):
        network = nn.mlp([16], "tanh", unit)
        fitted = weft.train.fit(
            network,
            x,
            y,
            optimizer=weft.train.LBFGS(),
            epochs=150,
            dtype="float64",
            engine="reference",
        )
        evaluator = weft.train.Evaluator(network, in_features=1)
        raw = evaluator.raw(fitted.params, x)
        spread = unit.dispersion(raw, y)
        seen = unit.distribution(evaluator.raw(fitted.params, test), spread)
        low, high = seen.interval(0.9)
        covered = float(np.mean((low <= answers) & (answers <= high)))
        found[type(unit).__name__] = (-float(seen.log_prob(answers).mean()), covered)
    fixed, learnt = found["Gaussian"], found["HeteroscedasticGaussian"]
    return evidence(
        f"NLL {learnt[0]:.3f} with beta learnt, {fixed[0]:.3f} with one variance for "
        f"all; the 90 % interval holds {100 * learnt[1]:.1f} % of 20,000 new rows",
        at_most("spread of NLL - formula", np.ptp(rest), 1e-12),
        at_most("constant", abs(rest.mean() - 0.5 * math.log(2 * math.pi)), 1e-12),
        at_least("NLL gained", fixed[0] - learnt[0], 0.2),
        at_least("coverage", learnt[1], 0.88),
        at_most("coverage, at most", learnt[1], 0.92),
    )


CLAIMS = (saturation, shift, squared_error, table, mismatch, precision)
