"""Among the ways to differentiate: modes, algebra, own operations, orders (6.5.9)."""

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
from weft.apps.verify.tools import built, gap, largest, rng
from weft.differentiate.elimination import eliminate, elimination_costs
from weft.graph.walk import topological
from weft.ops.record import OPS, Op, forget


def _multiplications(node: Any) -> int:
    """Count the multiply-adds of the matrix products that a node is computed from."""
    total = 0
    for part in topological([node]):
        if part.op.name == "matmul":
            left, right = part.inputs
            total += int(np.prod(part.shape)) * int(left.shape[-1])
            assert left.shape[-1] == right.shape[-2]
    return total


@claim("S77", "reverse and forward accumulation", "Backprop and the general field")
def modes() -> Evidence:
    """Both modes give one Jacobian; reverse takes a pass per output, forward a pass per
    input, so that they cost the same where there are as many of either, and weft
    chooses by shape.
    """
    jacobian = built("jacobian", parameter="mode")
    plan = built("differentiate.plan_jacobian")
    draw, n, hidden = rng(), 12, 10
    x = weft.input("x", (n,), "float64")
    h = weft.tanh(weft.constant(draw.normal(size=(hidden, n))) @ x)
    outputs, worst, chosen = (3, 6, 12, 24, 48), 0.0, []
    excess = []
    for m in outputs:
        y = weft.constant(draw.normal(size=(m, hidden))) @ h
        both = [jacobian(y, x, mode=mode) for mode in ("forward", "reverse")]
        ahead, back = weft.evaluate(both, {x: draw.normal(size=n)})
        worst = largest([worst, gap(ahead, back)])
        forward, reverse = map(_multiplications, both)
        excess.append(forward / reverse)
        chosen.append(plan(y, x).mode)
    expected = ["reverse" if m <= n else "forward" for m in outputs]
    return evidence(
        f"{n} inputs, {outputs} outputs: forward costs "
        + ", ".join(f"{e:.2f}" for e in excess)
        + f" times reverse; chosen {', '.join(chosen)}",
        at_most("difference of the Jacobians", worst, 1e-13),
        at_least("forward / reverse with few outputs", excess[0], 1.5),
        at_most("forward / reverse with many", excess[-1], 0.67),
        at_most("|forward / reverse - 1| with as many", abs(excess[2] - 1), 0.3),
        true("the cheaper one is chosen", chosen == expected),
    )


@claim(
    "S78",
    "softmax and cross-entropy simplify to q - p",
    "Backprop and the general field: simplifying algebraic expressions",
    correction="the slide's q - p holds where sum(p) = 1 only; it is q sum(p) - p "
    "otherwise",
)
def simplified() -> Evidence:
    """The gradient of a naive -sum p log q with q = exp z / sum exp z becomes, as a
    graph, q sum(p) - p, and q - p where p is known to sum to 1; also
    along a transposed axis and behind a reshape.
    """
    rows = np.log(np.array([[1.0, 2, 3, 4]]))
    weights = np.array([[0.1, 0.6, 0.3, 0.5]])
    q = np.array([[0.1, 0.2, 0.3, 0.4]])
    by_hand = q * weights.sum() - weights
    z = weft.input("z", ("n", 4), "float64")
    p = weft.input("p", ("n", 4), "float64")
    known = weft.input("p", ("n", 4), "float64", simplex=-1)

    def cost(logits: Any, target: Any, axis: int = -1) -> Any:
        exps = weft.exp(logits)
        softmax = exps / weft.sum(exps, axis=axis, keepdims=True)
        return -weft.sum(target * weft.log(softmax))

    raw = weft.grad(cost(z, p), z)
    value = weft.evaluate(raw, {z: rows, p: weights})
    off = float(np.abs((q - weights) - by_hand).max())

    simplify = built("simplify")
    softmax = weft.softmax(z)
    general, special = (simplify(weft.grad(cost(z, t), z)) for t in (p, known))
    total = weft.sum(p, axis=-1, keepdims=True)
    wanted = [simplify(form) for form in (softmax * total - p, total * softmax - p)]
    flipped = weft.transpose(z), weft.transpose(known)
    behind = simplify(weft.grad(cost(*flipped, axis=0), z))
    blocks = weft.input("z", ("n", 2, 2), "float64")
    flat = weft.reshape(blocks, ("n", 4))
    reshaped = simplify(weft.grad(cost(flat, known), blocks))
    # One node: interning tells that two graphs are the same.
    form = simplify(weft.reshape(weft.softmax(flat) - known, ("n", 2, 2)))
    again = weft.evaluate([general, special], {z: rows, p: weights, known: weights})
    shares = weights / weights.sum()
    in_blocks = weft.evaluate(reshaped, {blocks: rows.reshape(1, 2, 2), known: shares})
    return evidence(
        f"gradient: {weft.text(general)}, with sum(p) = 1: {weft.text(special)}; for "
        f"sum(p) = {weights.sum():g} q - p is off by {off:.2g}",
        at_most("gradient against q sum(p) - p", gap(value, by_hand), 1e-14),
        at_least("error of q - p", off, 0.1),
        true("the graph is q sum(p) - p", general in wanted),
        true("it is q - p where sum(p) = 1", special is simplify(softmax - known)),
        true("it is q - p along a transposed axis", behind is special),
        true("it is q - p in blocks, behind a reshape", reshaped is form),
        at_most("simplified, in numbers", gap(again[0], by_hand), 1e-14),
        at_most("in blocks", gap(in_blocks, (q - shares).reshape(1, 2, 2)), 1e-14),
    )


_OWN = "log_cosh"


def _log_cosh(slope: Any) -> Op:
    """Define an operation as a user would; it is checked before it is there."""
    op: Op = weft.define(
        _OWN,
        lambda x: np.logaddexp(x, -x) - math.log(2),
        partials=[lambda out, x: slope(x)],
        emit=lambda e, x: e.sub(
            e.add(e.abs(x), e.log1p(e.exp(e.mul(e.const(-2, x), e.abs(x))))),
            e.const(math.log(2), x),
        ),
        sample=[(-3, 3)],
    )
    return op


@claim("S79", "an operation is a record", "Specialized libraries vs. generation")
def own_operation() -> Evidence:
    """An operation of one's own takes ten lines: value, derivative, scalar code. It is
    differentiated in both modes and twice, compiled, and a wrong rule is refused when
    the operation is defined.
    """
    at = np.array([-2.5, -0.3, 0.4, 1.9])
    refusals = {}
    for name, declared in (
        ("wrong", lambda: _log_cosh(weft.sigmoid)),
        ("missing", lambda: weft.define(_OWN, np.sinh, sample=[(-1, 1)])),
    ):
        try:
            forget(declared())
            refusals[name] = ""
        except weft.GraphError as error:
            refusals[name] = str(error)
    free = _OWN not in OPS
    op = _log_cosh(weft.tanh)
    try:
        x = weft.input("x", (4,), "float64")
        slope, bend, push = weft.evaluate(
            [
                weft.grad(weft.sum(op(x)), x),
                weft.hvp(weft.sum(op(x)), x, weft.constant(np.ones(4))),
                weft.jvp(op(x), {x: weft.constant(np.ones(4))}),
            ],
            {x: at},
        )
        program = weft.compile([x], op(x), engine="native")
        compiled = gap(program(at), np.log(np.cosh(at)))
    finally:
        forget(op)
    return evidence(
        f"log cosh: both modes and second order agree with differences, compiled to "
        f"{compiled:.1g}; a wrong derivative and a missing one are not defined",
        at_most("reverse mode", gap(slope, np.tanh(at)), 1e-15),
        at_most("forward mode", gap(push, np.tanh(at)), 1e-15),
        at_most("second order", gap(bend, 1 - np.tanh(at) ** 2), 1e-14),
        at_most("compiled", compiled, 1e-14),
        true(
            "a wrong rule is refused",
            "breaks a promise, its derivative" in refusals["wrong"],
        ),
        true("a missing rule is refused", "no derivative" in refusals["missing"]),
        true("what is refused leaves the name free", free),
    )


@claim("S80", "back-propagation is not always the cheapest", "Backprop is not optimal")
def elimination() -> Evidence:
    """The chain rule may be applied in any order: here neither from the inputs nor from
    the outputs, but from the middle, is the cheapest, with one and the same Jacobian.
    """
    x, y = (weft.parameter(name, (), "float64") for name in ("x", "y"))
    a = weft.sin(x + y)
    middle = [a, weft.tanh(a)]
    middle.append(weft.exp(middle[1]))
    outputs = [f(middle[2]) for f in (weft.sin, weft.cos, weft.tanh, weft.softplus)]
    feed = {x: 0.4, y: -1.1}
    costs = elimination_costs(outputs, [x, y])
    found, made = eliminate(outputs, [x, y], feed, costs.order)
    expected = np.array([weft.evaluate(weft.grad(o, [x, y]), feed) for o in outputs])
    return evidence(
        f"multiplications: forward {costs.forward}, reverse {costs.reverse}, best "
        f"{costs.best} (by {', '.join(node.op.name for node in costs.order)})",
        at_most("best less forward", costs.best - costs.forward, -1),
        at_most("best less reverse", costs.best - costs.reverse, -1),
        exactly("multiplications made", made, costs.best),
        at_most("the Jacobian", gap(found, expected), 1e-14),
    )


CLAIMS = (modes, simplified, own_operation, elimination)
