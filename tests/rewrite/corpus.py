"""Naive losses in many disguises, generated: 25 formulas x 4 reductions x 20 disguises.

A `Loss` is a formula as it stands in a book, of logits and targets, and the same cost
in closed form, computed by mpmath from the logits alone. A `Disguise` changes how the
formula is written and not what it says. Logits lie on a grid of eighths, so that their
differences are exact in float32 and what is measured is the formula.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import mpmath
import numpy as np

import weft

N = weft.Node


def same(u: N) -> N:
    return u


# Disguises ------------------------------------------------------------------------


@final
@dataclass(frozen=True)
class Disguise:
    """How a formula is written.

    Parameters
    ----------
    name : str
    logits : callable
        What is done to the logits, without changing them.
    middle : callable
        What is done to a probability before its logarithm is taken, likewise.
    moved : callable
        What is done to probabilities, targets and weights alike; it may change shapes.
    swap : bool
        Whether operands stand in the other order.
    shift : bool
        Whether something is subtracted from the logits before the exponential.
    turned : bool
        Whether rows are columns while probabilities are computed.
    """

    name: str
    logits: Callable[[N], N] = same
    middle: Callable[[N], N] = same
    moved: Callable[[N], N] = same
    swap: bool = False
    shift: bool = False
    turned: bool = False


def flat(u: N) -> N:
    return weft.reshape(u, (-1,))


def stacked(u: N) -> N:
    return weft.stack([u, 1 - u], 0)[0]


def joined(u: N) -> N:
    return weft.concatenate([u[:1], u[1:]])


def of_a_larger(z: N) -> N:
    return weft.concatenate([z, z * 3], 0)[: z.shape[0]]


def broadcast(z: N) -> N:
    return weft.broadcast_to(z, (2, *z.shape))[1]


def named(z: N) -> N:
    parts = {"logits": z}
    parts["again"] = weft.stop_gradient(parts["logits"]) * 0 + parts["logits"]
    return parts["logits"]


DISGUISES = [
    Disguise("plain"),
    Disguise("flattened", moved=flat),
    Disguise("transposed", moved=lambda u: u.T if u.ndim > 1 else u[None, :].T),
    Disguise("turned", turned=True),
    Disguise("slice of a larger", logits=of_a_larger),
    Disguise("stack then index", middle=stacked),
    Disguise("joined halves", middle=joined),
    Disguise("minus minus logits", logits=lambda z: -(0 - z)),
    Disguise("minus minus", middle=lambda u: -(u * -1)),
    Disguise("scaled logits", logits=lambda z: (2 * z) / 2),
    Disguise("scaled", middle=lambda u: (u * 4) / 4),
    Disguise("times one", middle=lambda u: u * np.ones((1,), np.float32)),
    Disguise("plus zero", logits=lambda z: 0 + z, middle=lambda u: u + 0.0),
    Disguise("squeezed", middle=lambda u: weft.squeeze(weft.expand_dims(u, 0), 0)),
    Disguise(
        "cast",
        logits=lambda z: weft.cast(z, "float64"),
        middle=lambda u: weft.cast(u, "float32"),
    ),
    Disguise("named parts", logits=named),
    Disguise("swapped", swap=True),
    Disguise("shifted", shift=True),
    Disguise("where", middle=lambda u: weft.where(u >= 0, u, u)),
    Disguise("broadcast", logits=broadcast),
]


# Probabilities --------------------------------------------------------------------


def _add(d: Disguise, a: Any, b: Any) -> N:
    return b + a if d.swap else a + b


def _mul(d: Disguise, a: Any, b: Any) -> N:
    return b * a if d.swap else a * b


def by_op(z: N, d: Disguise) -> N:
    return weft.sigmoid(z)


def by_reciprocal(z: N, d: Disguise) -> N:
    if d.shift:
        m = weft.maximum(-z, 0)
        return weft.exp(-m) / _add(d, weft.exp(-m), weft.exp(-z - m))
    return 1 / _add(d, 1, weft.exp(-z))


def by_quotient(z: N, d: Disguise) -> N:
    if d.shift:
        m = weft.maximum(z, 0)
        return weft.exp(z - m) / _add(d, weft.exp(-m), weft.exp(z - m))
    return weft.exp(z) / _add(d, 1, weft.exp(z))


def soft_op(z: N, d: Disguise) -> N:
    return weft.softmax(z.T, 0).T if d.turned else weft.softmax(z)


def soft_kept(z: N, d: Disguise) -> N:
    if d.turned:
        e = weft.exp(z.T)
        return (e / weft.sum(e, 0)).T
    if d.shift:
        z = z - weft.max(z, -1, keepdims=True)
    e = weft.exp(z)
    return e / weft.sum(e, -1, keepdims=True)


def soft_squeezed(z: N, d: Disguise) -> N:
    if d.shift:
        z = z - weft.stop_gradient(weft.max(z, -1))[:, None]
    e = weft.exp(z)
    total = weft.sum(e, -1)
    return _mul(d, e, (1 / total)[:, None])


# Losses ---------------------------------------------------------------------------


@final
@dataclass(frozen=True)
class Loss:
    """A formula: elements to be added up, and the closed form of a row.

    Parameters
    ----------
    name : str
    labelled : bool
        Whether targets are labels (or 0 and 1) rather than shares.
    categorical : bool
    elements : callable
        ``elements(z, t, w, disguise)``: what is added up; w is the weight per row.
    """

    name: str
    labelled: bool
    categorical: bool
    elements: Callable[..., N]


def _bernoulli(spelling: Any) -> Any:
    def elements(z: N, y: N, w: N, d: Disguise) -> N:
        s = d.middle(spelling(d.logits(z), d))
        s, y, w = d.moved(s), d.moved(y), d.moved(w)
        right, wrong = _mul(d, y, weft.log(s)), _mul(d, 1 - y, weft.log(1 - s))
        return -_mul(d, w, _add(d, right, wrong))

    return elements


def _chosen(spelling: Any) -> Any:
    def elements(z: N, y: N, w: N, d: Disguise) -> N:
        s = spelling(d.logits(z), d)
        chosen = d.middle(weft.where(y > 0.5, s, 1 - s))
        return -_mul(d, d.moved(w), weft.log(d.moved(chosen)))

    return elements


def _powers(spelling: Any) -> Any:
    def elements(z: N, y: N, w: N, d: Disguise) -> N:
        s = d.middle(spelling(d.logits(z), d))
        s, y, w = d.moved(s), d.moved(y), d.moved(w)
        return -_mul(d, w, weft.log(_mul(d, s**y, (1 - s) ** (1 - y))))

    return elements


def _margin(z: N, y: N, w: N, d: Disguise) -> N:
    m = (1 - 2 * y) * d.logits(z)
    return _mul(d, d.moved(w), weft.log(d.moved(d.middle(_add(d, 1, weft.exp(m))))))


def _softplus(z: N, y: N, w: N, d: Disguise) -> N:
    u = d.logits(z)
    rise = weft.log(d.moved(d.middle(_add(d, 1, weft.exp(u)))))
    return _mul(d, d.moved(w), rise - _mul(d, d.moved(y), d.moved(u)))


def _by_tanh(z: N, y: N, w: N, d: Disguise) -> N:
    m = (2 * y - 1) * d.logits(z)
    s = d.middle(_add(d, 1, weft.tanh(m / 2)) / 2)
    return -_mul(d, d.moved(w), weft.log(d.moved(s)))


def _cross_entropy(spelling: Any) -> Any:
    def elements(z: N, p: N, w: N, d: Disguise) -> N:
        q = d.moved(d.middle(spelling(d.logits(z), d)))
        wide = d.moved(weft.broadcast_to(w[:, None], z.shape))
        return -_mul(d, wide, _mul(d, d.moved(p), weft.log(q)))

    return elements


def _by_label(spelling: Any) -> Any:
    def elements(z: N, y: N, w: N, d: Disguise) -> N:
        q = d.middle(spelling(d.logits(z), d))
        chosen = weft.take_along_axis(q, y[:, None], -1)[:, 0]
        return -_mul(d, d.moved(w), weft.log(d.moved(chosen)))

    return elements


def _by_one_hot(spelling: Any) -> Any:
    def elements(z: N, y: N, w: N, d: Disguise) -> N:
        q = d.middle(spelling(d.logits(z), d))
        chosen = weft.sum(_mul(d, weft.one_hot(y, z.shape[1], q.dtype), q), -1)
        return -_mul(d, d.moved(w), weft.log(d.moved(chosen)))

    return elements


def _total_less_chosen(z: N, y: N, w: N, d: Disguise) -> N:
    u = d.logits(z)
    total = d.middle(weft.sum(weft.exp(u), -1))
    chosen = weft.take_along_axis(u, y[:, None], -1)[:, 0]
    return _mul(d, d.moved(w), weft.log(d.moved(total)) - d.moved(chosen))


def _of_differences(z: N, y: N, w: N, d: Disguise) -> N:
    u = d.logits(z)
    apart = u - weft.take_along_axis(u, y[:, None], -1)
    total = d.middle(weft.sum(weft.exp(apart), -1))
    return _mul(d, d.moved(w), weft.log(d.moved(total)))


def _of_products(z: N, p: N, w: N, d: Disguise) -> N:
    q = d.middle(soft_kept(d.logits(z), d))
    likelihood = weft.log(q**p)
    return -_mul(
        d, d.moved(weft.broadcast_to(w[:, None], z.shape)), d.moved(likelihood)
    )


def _two_logarithms(z: N, p: N, w: N, d: Disguise) -> N:
    e = d.middle(weft.exp(d.logits(z)))
    apart = weft.log(e) - weft.log(weft.sum(e, -1, keepdims=True))
    wide = d.moved(weft.broadcast_to(w[:, None], z.shape))
    return -_mul(d, wide, _mul(d, d.moved(p), d.moved(apart)))


SIGMOIDS = [by_op, by_reciprocal, by_quotient]
SOFTMAXES = [soft_op, soft_kept, soft_squeezed]
FORMULAS = [
    *(Loss(f"bernoulli {s.__name__}", False, False, _bernoulli(s)) for s in SIGMOIDS),
    *(Loss(f"chosen {s.__name__}", True, False, _chosen(s)) for s in SIGMOIDS),
    *(Loss(f"powers {s.__name__}", False, False, _powers(s)) for s in SIGMOIDS),
    Loss("margin", True, False, _margin),
    Loss("softplus", False, False, _softplus),
    Loss("tanh", True, False, _by_tanh),
    *(Loss(f"shares {s.__name__}", False, True, _cross_entropy(s)) for s in SOFTMAXES),
    *(Loss(f"label {s.__name__}", True, True, _by_label(s)) for s in SOFTMAXES),
    *(Loss(f"one-hot {s.__name__}", True, True, _by_one_hot(s)) for s in SOFTMAXES),
    Loss("total less chosen", True, True, _total_less_chosen),
    Loss("of differences", True, True, _of_differences),
    Loss("of products", False, True, _of_products),
    Loss("two logarithms", False, True, _two_logarithms),
]
REDUCTIONS = ["sum", "mean", "half", "weighted"]


@final
@dataclass(frozen=True)
class Written:
    """A loss in a disguise, as graph.

    Parameters
    ----------
    cost, logits, target, weight : Node
    """

    cost: N
    logits: N
    target: N
    weight: N


def write(loss: Loss, reduction: str, disguise: Disguise) -> Written:
    """Build the graph of a loss, as naively as it is written."""
    wide = (3,) if loss.categorical else ()
    z = weft.input("z", (2, *wide))
    if loss.categorical and loss.labelled:
        t = weft.input("label", (2,), "int64")
    elif loss.categorical:
        t = weft.input("p", (2, 3), simplex=-1)
    else:
        t = weft.input("y", (2,))
    w = weft.input("w", (2,))
    used = w if reduction == "weighted" else weft.constant(np.ones(2, np.float32))
    cost = weft.cast(weft.sum(loss.elements(z, t, used, disguise)), "float32")
    if reduction == "mean":
        cost = cost / 2
    if reduction == "half":
        cost = 0.5 * cost
    return Written(cost, z, t, w)


# What is fed, and what should come out --------------------------------------------

SINGLE = [0.0, 0.125, -0.5, 3.0, -3.0, 17.0, -17.0, 20.0, -20.0, 88.0, -88.0, 120.0]
SINGLE += [-120.0, 1000.125, -1000.125, 1e4, -1e4]
ROWS = [
    (0.0, 0.0, 0.0),
    (1.0, -2.5, 0.125),
    (20.0, 0.0, 0.0),
    (0.0, 20.0, -20.0),
    (90.0, 0.0, 89.0),
    (-100.0, -200.0, -300.0),
    (1e4, -1e4, 0.0),
    (1e4, 1e4, 9999.875),
]


def feeds(loss: Loss) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return logits, target and weight of every case, two rows of a kind each."""
    w = np.array([0.5, 4.0], np.float32)
    cases = []
    if loss.categorical:
        for row in ROWS:
            z = np.array([row, row], np.float32)
            if loss.labelled:
                cases += [(z, np.array([k, k]), w) for k in range(3)]
            else:
                hot = np.eye(3, dtype=np.float32)
                cases += [(z, hot[[k, k]], w) for k in range(3)]
                cases.append((z, np.tile(np.float32([0.25, 0.5, 0.25]), (2, 1)), w))
    else:
        shares = [0.0, 1.0] if loss.labelled else [0.0, 1.0, 0.25]
        for x in SINGLE:
            z = np.array([x, x], np.float32)
            cases += [(z, np.full(2, y, np.float32), w) for y in shares]
    return cases


def exact(
    loss: Loss, reduction: str, z: np.ndarray, t: np.ndarray, w: np.ndarray
) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return the cost, its gradient, and the scale of its errors, in closed form."""
    with mpmath.workdps(50):
        factor = {"mean": mpmath.mpf(1) / 2, "half": mpmath.mpf(1) / 2}
        total, slopes, scales = mpmath.mpf(0), [], []
        for row, target, weight in zip(z, t, w, strict=True):
            v = mpmath.mpf(float(weight)) if reduction == "weighted" else mpmath.mpf(1)
            v *= factor.get(reduction, 1)
            if loss.categorical:
                hot = np.eye(3)[target] if loss.labelled else target
                cost, q = _categorical(row, hot)
            else:
                hot = np.array([target])
                cost, q = _binary(float(row), float(target))
            total += v * cost
            slope = [v * (a - float(b)) for a, b in zip(q, hot, strict=True)]
            scale = [v * max(a, float(b)) for a, b in zip(q, hot, strict=True)]
            slopes.append(slope if loss.categorical else slope[0])
            # The largest of the row, as the errors are those of a softmax.
            largest = max(scale)
            scales.append([largest] * 3 if loss.categorical else largest)
        return total, np.array(slopes, object), np.array(scales, object)


def _binary(x: float, y: float) -> tuple[Any, list[Any]]:
    def softplus(v: float) -> Any:
        return max(v, 0) + mpmath.log1p(mpmath.exp(-abs(v)))

    cost = (1 - y) * softplus(x) + y * softplus(-x)
    return cost, [1 / (1 + mpmath.exp(-mpmath.mpf(x)))]


def _categorical(row: np.ndarray, p: np.ndarray) -> tuple[Any, list[Any]]:
    top = int(np.argmax(row))
    apart = [mpmath.mpf(float(x)) - float(row[top]) for x in row]
    others = sum(mpmath.exp(a) for k, a in enumerate(apart) if k != top)
    rest = mpmath.log1p(others)
    logs = [a - rest for a in apart]
    cost = -sum((float(b) * a for a, b in zip(logs, p, strict=True)), mpmath.mpf(0))
    return cost, [mpmath.exp(a) for a in logs]
