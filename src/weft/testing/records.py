"""The promises of one op's record, held against it on its own samples.

What a record says is believed by everything above it: differentiation, batching, the
compiler. `check_record` is the belief put to the test, on each case that the record
itself draws, and names the case on which it fails.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.compile.interpret import evaluate
from weft.differentiate.batched import vmap
from weft.differentiate.forward import jvp
from weft.differentiate.reverse import vjp
from weft.graph.dtype import FLOAT32, FLOAT64, is_float
from weft.graph.errors import GraphError, WeftError
from weft.graph.json import from_json, to_json
from weft.graph.latex import latex
from weft.graph.leaf import input
from weft.graph.node import Node, intern
from weft.graph.text import text
from weft.ops.record import Op
from weft.ops.sample import Array, Case
from weft.testing.gradients import check_grads
from weft.testing.numpy_emitter import NumpyEmitter

_COPIES = 3  # rows of a batch
_ULP = 4


def check_record(op: Op, surrogate: bool = False, batches: bool = True) -> None:
    """Check what the record of an op promises.

    On each of its samples: the value has the shape and type that its rule says, also in
    float32; both modes of the derivative are what finite differences say, at first and
    second order, and are the same in numbers as in symbols; a batch is a loop; scalar
    code computes what ``forward`` does; it can be written and read.

    Parameters
    ----------
    op : Op
    surrogate : bool
        Whether its derivative is meant to be another function's, as that of a
        straight-through estimator: only its two modes are held against each other.
    batches : bool
        Whether it has a rule for a new leading axis.

    Raises
    ------
    GraphError
        If a promise is broken, naming it and the sample.

    Examples
    --------
    >>> import weft
    >>> weft.testing.check_record(weft.ops.OPS["softplus"])
    """
    cases = list(op.cases(np.random.default_rng(0)))
    if not cases:
        raise GraphError(f"the record of {op.name!r} has no samples to check it on")
    samples = [(case, _built(op, case)) for case in cases]
    for promise, check in _PROMISES.items():
        if (surrogate and check is _slopes) or (not batches and check is _batches):
            continue
        for case, built in samples:
            with np.errstate(all="ignore"):
                _hold(op, case, promise, check, built)


def _hold(
    op: Op, case: Case, promise: str, check: Callable[..., str], built: "_Built"
) -> None:
    try:
        wrong = check(built)
    except WeftError as error:
        wrong = str(error)
    except Exception as error:  # whatever a rule that somebody wrote may raise
        wrong = f"{type(error).__name__}: {error}"
        if isinstance(error, TypeError) and "ufunc" in wrong:
            wrong += "; rules are given nodes: write them in weft's functions"
        if isinstance(error, NameError):
            wrong += f"; a rule finds the op itself as weft.OPS[{op.name!r}]"
    if wrong:
        raise GraphError(
            f"the record of {op.name!r} breaks a promise, {promise}: {wrong} "
            f"(sample {case.label!r}: {_shown(case)})"
        ) from None


def _shown(case: Case) -> str:
    args = [np.array2string(np.asarray(a), precision=4, threshold=8) for a in case.args]
    params = [f"{name}={value!r}" for name, value in case.params.items()]
    return ", ".join([" ".join(arg.split()) for arg in args] + params)


@final
@dataclass(frozen=True)
class _Built:
    """One sample of an op: its leaves and its node."""

    op: Op
    args: tuple[Array, ...]
    params: Any
    leaves: tuple[Node, ...]

    @property
    def node(self) -> Node:
        if not self.leaves:  # an op without arguments is not called but interned
            return intern(self.op, (), self.params)
        node: Node = self.op(*self.leaves, **self.params)
        return node

    @property
    def feed(self) -> dict[Node, Array]:
        return dict(zip(self.leaves, self.args, strict=True))

    @property
    def floats(self) -> list[Node]:
        return [leaf for leaf in self.leaves if is_float(leaf.dtype)]

    @property
    def differentiable(self) -> bool:
        flows = self.op.derivative is not None and is_float(self.node.dtype)
        return flows and bool(self.floats)

    def forward(self, args: Any) -> Array:
        return np.asarray(self.op.forward(*args, **self.params))


def _built(op: Op, case: Case) -> _Built:
    args = tuple(np.asarray(arg) for arg in case.args)
    leaves = tuple(input(f"x{i}", a.shape, a.dtype) for i, a in enumerate(args))
    return _Built(op, args, case.params, leaves)


# The promises: each returns what is wrong, or nothing -----------------------------


def _value(built: _Built) -> str:
    value, node = built.forward(built.args), built.node
    if (value.shape, value.dtype) != (node.shape, node.dtype):
        return (
            f"forward gives {value.dtype}{list(value.shape)}, and the rule says "
            f"{node.dtype}{list(node.shape)}"
        )
    return ""


def _float32(built: _Built) -> str:
    if not built.floats or FLOAT64 in built.params.values():
        return ""
    narrow = tuple(a.astype(FLOAT32) if is_float(a.dtype) else a for a in built.args)
    return _value(_built(built.op, Case("", narrow, built.params)))


def _slopes(built: _Built) -> str:
    if built.differentiable:
        check_grads(built.node, built.feed)
        if built.op.right is not None:
            check_grads(built.node, built.feed, kink="right")
    return ""


def _modes(built: _Built) -> str:
    if not built.differentiable:
        return ""
    rng = np.random.default_rng(1)
    node, floats = built.node, built.floats
    u = rng.normal(size=built.forward(built.args).shape).astype(node.dtype)
    v = {x: rng.normal(size=x.shape).astype(x.dtype) for x in floats}
    pushed, pulled = evaluate((jvp(node, v), vjp(node, floats, u)), built.feed)
    ahead = np.vdot(u, pushed)
    back = sum(np.vdot(p, v[x]) for x, p in zip(floats, pulled, strict=True))
    room = 1e-9 if node.dtype == FLOAT64 else 1e-5
    if not np.isclose(ahead, back, rtol=room, atol=room):
        return f"<u, Jv> is {ahead:.9g}, and <J'u, v> is {back:.9g}"
    return _in_numbers(built, u, dict(zip(floats, pulled, strict=True)))


def _in_numbers(built: _Built, u: Array, symbolic: dict[Node, Array]) -> str:
    derivative, value = built.op.derivative, built.forward(built.args)
    assert derivative is not None
    for i, leaf in enumerate(built.leaves):
        if leaf not in symbolic:
            continue
        found = derivative.vjp(i, u, value, built.args, built.params)
        numbers = np.zeros(leaf.shape) if found is None else np.asarray(found)
        if not _close(numbers, symbolic[leaf]):
            return f"for argument {i} the rule gives other numbers for arrays"
    return ""


def _batches(built: _Built) -> str:
    for chosen in itertools.product([False, True], repeat=len(built.args)):
        if not any(chosen):
            continue
        stacks, rows = {}, []
        feed = built.feed
        for leaf, arg, has in zip(built.leaves, built.args, chosen, strict=True):
            # The same values in another order: still within the op's domain.
            turned = [np.roll(arg, k) if has else arg for k in range(_COPIES)]
            rows.append(turned)
            if has:
                stacks[leaf] = input("stack", (_COPIES, *arg.shape), arg.dtype)
                feed[stacks[leaf]] = np.stack(turned)
        found = evaluate(vmap(built.node, stacks), feed)
        loop = [built.forward(args) for args in zip(*rows, strict=True)]
        if not _close(found, np.stack(loop)):
            which = [i for i, has in enumerate(chosen) if has]
            return f"with a leading axis on arguments {which} it is no loop over it"
    return ""


def _emits(built: _Built) -> str:
    if built.op.emit is None:
        return ""
    value = built.forward(built.args)
    emitted = np.asarray(built.op.emit(NumpyEmitter(), *built.args, **built.params))
    if emitted.shape != value.shape or emitted.dtype != value.dtype:
        return f"it gives {emitted.dtype}{list(emitted.shape)}"
    if not is_float(value.dtype):
        return "" if np.array_equal(emitted, value) else "it gives other values"
    room = _ULP * np.spacing(np.maximum(np.abs(emitted), np.abs(value)))
    same = (np.isnan(emitted) & np.isnan(value)) | (emitted == value)
    off = ~(same | (np.abs(emitted - value) <= room))
    if off.any():
        return f"it gives {emitted[off][0]!r} where forward gives {value[off][0]!r}"
    return ""


def _written(built: _Built) -> str:
    text(built.node)
    latex(built.node)
    document = to_json(built.node)
    return "" if to_json(from_json(document)) == document else "it reads otherwise"


def _close(a: Array, b: Array) -> bool:
    scale = max(float(np.max(np.abs(b), initial=0)), 1.0) if b.dtype.kind == "f" else 0
    return a.shape == b.shape and np.allclose(
        a, b, rtol=1e-9, atol=1e-12 * scale, equal_nan=True
    )


_PROMISES = {
    "shape and type of its value": _value,
    "the same in float32": _float32,
    "its derivative": _slopes,
    "both modes agree": _modes,
    "a rule for a new leading axis": _batches,
    "scalar code": _emits,
    "text, LaTeX and JSON": _written,
}
