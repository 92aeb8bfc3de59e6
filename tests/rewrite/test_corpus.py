"""Naive losses in disguise, in float32, against their closed forms in mpmath.

Each must come out within 4 units in the last place, also where it is nearly certain,
and its gradient within 4 of the larger of prediction and target, whether it is derived
before or after rewriting. The quick tier takes every loss and every disguise at least
once, the full tier all 2,000.
"""

import importlib.util
import sys
from itertools import product
from pathlib import Path

import mpmath
import numpy as np

import weft

_spec = importlib.util.spec_from_file_location(
    "weft_naive_losses", Path(__file__).with_name("corpus.py")
)
corpus = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = corpus
_spec.loader.exec_module(corpus)

ALLOWED = 4


def last_place(value):
    return float(np.spacing(np.float32(abs(float(value)))))


def failures(loss, reduction, disguise, truths):
    """Return what is wrong with one loss in one disguise."""
    written = corpus.write(loss, reduction, disguise)
    cost = weft.simplify(written.cost)
    before = weft.simplify(weft.grad(written.cost, written.logits))
    after = weft.simplify(weft.grad(cost, written.logits))
    wrong = set()
    if weft.simplify([cost, before]) != [cost, before]:
        wrong.add("not settled")
    for case, (z, t, w) in enumerate(corpus.feeds(loss)):
        key = loss.name, reduction, case
        if key not in truths:
            truths[key] = corpus.exact(loss, reduction, z, t, w)
        value, slope, scale = truths[key]
        feed = {written.logits: z, written.target: t, written.weight: w}
        got = weft.evaluate({"cost": cost, "before": before, "after": after}, feed)
        error = abs(mpmath.mpf(float(got["cost"])) - value)
        if not error <= ALLOWED * last_place(value):
            wrong.add("value")
        for order in ("before", "after"):
            for found, exact, size in zip(
                np.ravel(got[order]), np.ravel(slope), np.ravel(scale), strict=True
            ):
                error = abs(mpmath.mpf(float(found)) - exact)
                if not error <= ALLOWED * last_place(size):
                    wrong.add(f"gradient taken {order}")
    return wrong


# What is not yet right: through casts to float64 and back, the gradient of these two,
# taken before rewriting, loses digits.
NOT_YET = {(name, "cast"): {"gradient taken before"} for name in ("margin", "tanh")}


def test_naive_losses_in_disguise(count):
    cases = list(product(corpus.FORMULAS, corpus.REDUCTIONS, corpus.DISGUISES))
    assert len(cases) == 2000
    # 17 shares no divisor with 25, 4 and 20: losses and disguises all have their turn.
    sample = cases[:: count(17, 1)]
    assert {c[0].name for c in sample} == {loss.name for loss in corpus.FORMULAS}
    assert {c[2].name for c in sample} == {d.name for d in corpus.DISGUISES}
    truths = {}
    wrong = {
        (loss.name, reduction, disguise.name): found
        for loss, reduction, disguise in sample
        if (found := failures(loss, reduction, disguise, truths))
        and found != NOT_YET.get((loss.name, disguise.name))
    }
    assert wrong == {}


def test_naive_losses_fail_as_they_are_written():
    loss = next(f for f in corpus.FORMULAS if f.name == "shares soft_kept")
    written = corpus.write(loss, "sum", corpus.DISGUISES[0])
    z, t, w = corpus.feeds(loss)[-4]
    feed = {written.logits: z, written.target: t, written.weight: w}
    assert not np.isfinite(weft.evaluate(written.cost, feed))


def test_the_cost_of_an_answer_that_is_nearly_certain():
    z = weft.input("z", (2,))
    e = weft.exp(z)
    cost = -weft.log(e / weft.sum(e))[0]
    found = weft.evaluate(weft.simplify(cost), {z: [20.0, 0.0]})
    np.testing.assert_allclose(found, 2.0611536e-9, rtol=1e-6)
