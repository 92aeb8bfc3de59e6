"""Hidden units: affine maps, kinks, the hyperbolic tangent, low rank (section 6.3)."""

from collections.abc import Callable
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
from weft.apps.verify.tools import built, exact, gap, largest, rng, ulps

nn = weft.nn
_PREDICT = nn.Predict()

_Spellings = dict[str, Callable[[Any], Any]]

_RECTIFIERS: _Spellings = {
    "relu(x)": lambda x: weft.relu(x),
    "maximum(x, 0)": lambda x: weft.maximum(x, 0),
    "maximum(0, x)": lambda x: weft.maximum(0, x),
    "where(x > 0, x, 0)": lambda x: weft.where(x > 0, x, 0),
    "where(x >= 0, x, 0)": lambda x: weft.where(x >= 0, x, 0),
    "where(x < 0, 0, x)": lambda x: weft.where(x < 0, 0, x),
    "where(x <= 0, 0, x)": lambda x: weft.where(x <= 0, 0, x),
    "clip(x, 0, inf)": lambda x: weft.clip(x, 0, np.inf),
    "x * (x > 0)": lambda x: x * (x > 0),
    "x * (x >= 0)": lambda x: x * (x >= 0),
    "(x + abs(x)) / 2": lambda x: (x + weft.abs(x)) / 2,
    "0.5 * (x + abs(x))": lambda x: 0.5 * (x + weft.abs(x)),
}
_MAGNITUDES: _Spellings = {
    "abs(x)": lambda x: weft.abs(x),
    "maximum(x, -x)": lambda x: weft.maximum(x, -x),
    "where(x > 0, x, -x)": lambda x: weft.where(x > 0, x, -x),
    "where(x >= 0, x, -x)": lambda x: weft.where(x >= 0, x, -x),
    "where(x < 0, -x, x)": lambda x: weft.where(x < 0, -x, x),
    "where(x <= 0, -x, x)": lambda x: weft.where(x <= 0, -x, x),
    "x * sign(x)": lambda x: x * weft.sign(x),
    "sqrt(square(x))": lambda x: weft.sqrt(weft.square(x)),
}


@claim("S32", "a hidden unit is affine, then elementwise", "Hidden units")
def affine() -> Evidence:
    """A layer of hidden units is g(x W + b), g applied to each element by itself, for
    every unit of which the book has a formula.
    """
    rows = rng().normal(size=(40, 6))
    x = weft.input("x", ("n", 6), "float64")
    errors = {}
    for name, (function, _) in weft.testing.textbook.UNITS.items():
        layer = nn.Dense(5, "abs" if name == "absolute_value" else name)
        params = layer.init(rng(1), (6,))
        params = {key: rng(2).normal(size=v.shape) for key, v in params.items()}
        own = {key: weft.constant(value) for key, value in params.items()}
        node, _ = layer(own, x, nn.Predict())
        by_hand = function(rows @ params["W"] + params["b"])
        errors[name] = gap(weft.evaluate(node, {x: rows}), by_hand)
    return evidence(
        f"{len(errors)} units agree with NumPy to {largest(errors.values()):.1g}",
        *[at_most(name, error, 1e-14) for name, error in errors.items()],
    )


@claim("S34", "one-sided derivatives at a kink", "ReLu is not differentiable at 0!")
def kinks() -> Evidence:
    """At 0 a rectifier has the slope 0 from the left and 1 from the right, an absolute
    value -1 and 1, however it is written; weft returns the one that is asked for, that
    from the left by default, or says where there are two.
    """
    x = weft.input("x", (), "float64")
    wrong: list[str] = []
    for spellings, below in ((_RECTIFIERS, 0.0), (_MAGNITUDES, -1.0)):
        for name, function in spellings.items():
            node = function(x)
            found = weft.kinks(node, {x: 0.0})
            sides = [(float(k.left[0]), float(k.right[0])) for k in found]
            slopes = [
                float(weft.evaluate(weft.grad(node, x, kink=side), {x: 0.0}))
                for side in ("left", "right")
            ]
            slopes.append(float(weft.backprop(node, x, {x: 0.0})))
            try:
                weft.backprop(node, x, {x: 0.0}, kink="report")
                reported = False
            except weft.KinkError:
                reported = True
            smooth = not weft.kinks(node, {x: 0.5})
            if not (
                sides == [(below, 1.0)]
                and slopes == [below, 1.0, below]
                and reported
                and smooth
            ):
                wrong.append(name)
    count = len(_RECTIFIERS) + len(_MAGNITUDES)
    return evidence(
        f"{len(_RECTIFIERS)} spellings of the rectifier have slopes 0 and 1 at 0, "
        f"{len(_MAGNITUDES)} of the absolute value -1 and 1, and all are reported",
        exactly("spellings", count, 20),
        exactly(
            f"spellings with other slopes ({', '.join(wrong) or 'none'})", len(wrong), 0
        ),
    )


@claim("S40", "tanh(z) = 2 sigmoid(2z) - 1", "Other hidden units")
def tangent() -> Evidence:
    """tanh(z) = 2 sigmoid(2z) - 1, and near 0 it is nearly the identity; written by the
    sigmoid, which loses digits there, it becomes tanh in weft.
    """
    at = np.float32([-9, -2.5, -0.7, -1e-3, -1e-6, 1e-6, 1e-3, 0.2, 1.1, 4.0, 12.0])
    z = weft.input("z", at.shape)
    found = weft.evaluate(weft.tanh(z), {z: at})
    references = [exact(lambda t: 2 / (1 + (-2 * t).exp()) - 1, v) for v in at]
    error = largest(ulps(v, r) for v, r in zip(found, references, strict=True))
    written = 2 * weft.sigmoid(2 * z) - 1
    loose = weft.evaluate(written, {z: at})
    lost = largest(ulps(v, r) for v, r in zip(loose, references, strict=True))
    small = np.linspace(-0.1, 0.1, 21)
    w = weft.input("w", small.shape, "float64")
    t, slope = weft.evaluate(
        [weft.tanh(w), weft.grad(weft.sum(weft.tanh(w)), w)], {w: small}
    )
    cubic = np.abs(t - small + small**3 / 3)
    return evidence(
        f"float32: {error:.2f} ulp from 2 sigmoid(2z) - 1, which so written is "
        f"{lost:.2g} ulp away; tanh(z) - z + z^3/3 is at most {cubic.max():.1g} within "
        "0.1",
        at_most("ulp", error, 1.5),
        at_least("ulp, written by the sigmoid", lost, 100),
        true("it becomes tanh", built("simplify")(written) is weft.tanh(z)),
        exactly("slope at 0", slope[10], 1),
        at_most("tanh(z) - (z - z^3/3), as of |z|^5", cubic.max() / 0.1**5, 2 / 15),
    )


@claim("S43", "linear hidden units: W = UV", "Other hidden units")
def low_rank() -> Evidence:
    """A layer of q linear hidden units makes W = U V, with q (n + p) weights in place
    of n p; the best such W is as far off as the singular values left out, and for
    q = min(n, p) nothing is.
    """
    n, p = 12, 8
    W, b = rng().normal(size=(n, p)), rng(1).normal(size=p)
    left, sizes, right = np.linalg.svd(W, full_matrices=False)
    x = weft.input("x", ("n", n), "float64")
    rows = rng(2).normal(size=(30, n))
    dense, _ = nn.Affine(p)({"W": weft.constant(W), "b": weft.constant(b)}, x, _PREDICT)
    whole = weft.evaluate(dense, {x: np.eye(n)})
    counts, excess = [], []
    for q in range(1, p + 1):
        layer = nn.LowRankAffine(p, rank=q)
        stated = layer.init(rng(3), (n,))
        counts.append(sum(v.size for k, v in stated.items() if k != "b") - q * (n + p))
        own = {"U": left[:, :q] * sizes[:q], "V": right[:q], "b": b}
        node, _ = layer({k: weft.constant(v) for k, v in own.items()}, x, _PREDICT)
        off = np.linalg.norm(weft.evaluate(node, {x: np.eye(n)}) - whole, 2)
        excess.append(abs(off - (sizes[q] if q < p else 0.0)))
    full = gap(*weft.evaluate([node, dense], {x: rows}))
    return evidence(
        f"{n} x {p}: q ({n} + {p}) weights for q = 1 to {p}; the error is the first "
        f"singular value left out, to {largest(excess):.1g}; with q = {p} the outputs "
        f"agree to {full:.1g}",
        true("weights less q (n + p)", counts == [0] * p),
        at_most("error less the singular value left out", largest(excess), 1e-13),
        at_most("q = min(n, p) against the dense layer", full, 1e-14),
    )


CLAIMS = (affine, kinks, tangent, low_rank)
