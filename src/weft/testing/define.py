"""One's own op: a record in about ten lines, checked before anybody can use it.

A function that can be written in weft's functions needs no record: it is a Python
function. A record is for what NumPy computes and weft does not, for numerics or scalar
code of one's own, or for a derivative of one's own.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from weft.graph.errors import GraphError
from weft.graph.node import Node
from weft.ops.broadcast import float_rule
from weft.ops.record import (
    OPS,
    Batch,
    Facts,
    Infer,
    Op,
    elementwise,
    explicit,
    forget,
    linear,
    restore,
)
from weft.ops.sample import Case, Cases, Domain, reals
from weft.testing.records import check_record

# The ops defined here, which alone may be defined anew.
_own: dict[str, Op] = {}


def define(
    name: str,
    forward: Callable[..., Any],
    *,
    sample: Any,
    partials: Sequence[Any] | None = None,
    right_partials: Sequence[Any] | None = None,
    adjoints: Sequence[Any] | None = None,
    vjp: Sequence[Any] | None = None,
    jvp: Callable[..., Any] | None = None,
    differentiable: bool = True,
    surrogate: bool = False,
    rule: Infer | None = None,
    batch: Callable[..., Node] | None = None,
    emit: Callable[..., Any] | None = None,
    text: str = "",
    latex: str = "",
    facts: Facts | None = None,
    doc: str = "",
    replace: bool = False,
) -> Op:
    """Define an op of one's own, and check it.

    The derivative is declared in the weakest way that fits. `partials` are for an op on
    each element by itself, which then broadcasts and batches of its own accord;
    `adjoints` for a linear op; `vjp` and `jvp` for any other. Rules are given nodes as
    well as arrays, so they are written in weft's functions; both modes of every order
    follow from them.

    Parameters
    ----------
    name : str
        Unique among ops; graphs written as JSON call it by this name, and can be read
        wherever it is defined.
    forward : callable
        ``forward(*arrays, **params)`` in NumPy: what it means. The engines call it
        where there is no `emit`.
    sample : sequence
        What it is checked on. For an op on elements, per argument a range
        ``(low, high)`` or a `weft.ops.sample.Domain` that keeps clear of kinks. For
        others, tuples of arrays or `weft.ops.sample.Case`s; or a function of a random
        generator that lists them.
    partials, right_partials : sequence, optional
        Per argument ``p(out, *args, **params)``, or 1, -1, or None for no derivative;
        on the right side of kinks.
    adjoints : sequence, optional
        Per argument ``adjoint(ct, out, *args, **params)``: the transpose of the op as a
        function of that argument, or None.
    vjp : sequence, optional
        Per argument ``vjp(ct, out, *args, **params)``, or None.
    jvp : callable, optional
        ``jvp(tangents, out, *args, **params)``; a tangent of None is zero.
    differentiable : bool
        False says that no derivative flows.
    surrogate : bool
        True says that the derivative is not that of `forward`, and on purpose: it is
        not held against finite differences.
    rule : callable, optional
        ``rule(*nodes, **params) -> (shape, dtype)``. An op on elements of floats needs
        none.
    batch : callable, optional
        ``batch(nodes, batched, **params)``: the op with a new leading axis on the
        arguments that are `batched`. An op on elements needs none; others are refused
        by `weft.vmap` without one.
    emit : callable, optional
        ``emit(e, *scalars, **params)``: one element in the words of
        `weft.ops.emitter.Emitter`. An op with it is compiled, and fused with its
        neighbours.
    text, latex : str
        Templates: ``{0}`` is the first argument.
    facts : weft.ops.record.Facts, optional
    doc : str
        One sentence.
    replace : bool
        Whether an op of one's own of that name may be defined anew, as in a notebook.

    Returns
    -------
    Op
        To be called on nodes, arrays and numbers.

    Raises
    ------
    GraphError
        If the declaration is incomplete, the name is taken, or a check fails: it says
        which promise is broken, on which sample. The name stays free.

    Examples
    --------
    >>> import numpy as np
    >>> import weft
    >>> sinc = weft.testing.define(
    ...     "sinc_example",
    ...     lambda x: np.sin(x) / x,
    ...     partials=[lambda out, x: (weft.cos(x) - out) / x],
    ...     sample=[(0.5, 3)],
    ... )
    >>> x = weft.input("x", ())
    >>> round(float(weft.evaluate(weft.grad(sinc(x), x), {x: 2.0})), 4)
    -0.4354
    """
    old = _own.get(name)
    if replace and old is not None and OPS.get(name) is old:
        forget(old)
    else:
        old = None
    rest: dict[str, Any] = {
        "forward": forward,
        "emit": emit,
        "text": text,
        "facts": facts or Facts(),
        "doc": doc or f"{name}, defined by a user.",
    }
    declared = {
        "partials": partials is not None,
        "adjoints": adjoints is not None,
        "vjp and jvp": vjp is not None or jvp is not None,
        "differentiable=False": not differentiable,
    }
    op: Op | None = None
    try:
        if sum(declared.values()) != 1:
            raise GraphError(
                f"the op {name!r} declares {_listed(declared)}: give exactly one of "
                f"{', '.join(declared)}"
            )
        rules = partials or adjoints or vjp or ()
        rest["latex"] = latex or _latex(name, len(rules))
        if partials is not None or (not differentiable and rule is None):
            op = elementwise(
                name,
                partials=partials,
                right_partials=right_partials,
                differentiable=differentiable,
                rule=rule or (float_rule if differentiable else None),
                sample=_domains(name, sample),
                **rest,
            )
        else:
            rest |= {"batch": batch or _no_batch(name), "cases": _cases(sample)}
            rest["rule"] = _given(name, rule)
            if adjoints is not None:
                op = linear(name, adjoints=adjoints, **rest)
            else:
                op = explicit(
                    name, vjp=vjp, jvp=jvp, differentiable=differentiable, **rest
                )
        check_record(op, surrogate, batches=batch is not None or op.promotes)
    except BaseException:
        if op is not None:
            forget(op)
        if old is not None:
            restore(old)
        raise
    _own[name] = op
    return op


def _listed(declared: dict[str, bool]) -> str:
    return " and ".join(k for k, given in declared.items() if given) or "no derivative"


def _latex(name: str, arity: int) -> str:
    word = name.replace("_", r"\_")
    args = ", ".join(f"{{{i}}}" for i in range(max(arity, 1)))
    return rf"\operatorname{{{{{word}}}}}\left({args}\right)"


def _domains(name: str, sample: Any) -> Any:
    if isinstance(sample, Domain) or callable(sample):
        return sample
    try:
        return [d if isinstance(d, Domain) else reals(*d) for d in sample]
    except TypeError:
        raise GraphError(
            f"the samples of {name!r} are one range (low, high) per argument, not "
            f"{sample!r}"
        ) from None


def _cases(sample: Any) -> Cases:
    if callable(sample):
        cases: Cases = sample
        return cases
    listed = [
        one if isinstance(one, Case) else Case(str(i), tuple(map(np.asarray, one)))
        for i, one in enumerate(sample)
    ]
    return lambda rng: listed


def _given(name: str, rule: Infer | None) -> Infer:
    if rule is None:
        raise GraphError(
            f"the op {name!r} has no rule for shape and type: give rule=, such as "
            "lambda x: (x.shape, x.dtype)"
        )
    return rule


def _no_batch(name: str) -> Batch:
    def refuse(*_: Any, **__: Any) -> Node:
        raise GraphError(
            f"the op {name!r} has no rule for a new leading axis: give batch= where it "
            "is defined"
        )

    return refuse
