"""Ways to break weft, one thing at a time, and the claims that must notice.

A mutation is a name, the claims that have to fail under it, and a context in which weft
is broken: a derivative that is a little off, a value that overflows, a rule that
rewrites to something else. Records are frozen, so they are changed behind their backs.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, is_dataclass, replace
from functools import partial, wraps
from importlib import import_module
from typing import Any

import numpy as np

import weft
from weft import nn, rewrite
from weft.apps import verify
from weft.curvature import estimates, lanczos
from weft.differentiate import numeric, reverse, second
from weft.graph.tree import tree_map
from weft.nn import diagram, pairing
from weft.nn import network as networks
from weft.ops import OPS
from weft.ops.record import Derivative


@contextmanager
def changed(target: Any, **fields: Any) -> Iterator[None]:
    """Give an object other attributes for a while."""
    put = object.__setattr__ if is_dataclass(target) else setattr
    put = setattr if isinstance(target, type) else put
    before = {name: getattr(target, name) for name in fields}
    try:
        for name, value in fields.items():
            put(target, name, value)
        yield
    finally:
        for name, value in before.items():
            put(target, name, value)


def derivative(op: str, **modes: Any) -> AbstractContextManager[None]:
    """Give an op other modes; what is made of the old one's function."""
    old = OPS[op].derivative
    assert old is not None
    vjp = modes.get("vjp", lambda f: f)(old.vjp)
    jvp = modes.get("jvp", lambda f: f)(old.jvp)
    return changed(OPS[op], derivative=Derivative(vjp, jvp))


def scaled(op: str, *modes: str, factor: float = 1.01) -> AbstractContextManager[None]:
    """Make an op's derivative one per cent too large."""

    def worse(rule: Callable[..., Any]) -> Callable[..., Any]:
        def apply(*args: Any) -> Any:
            part = rule(*args)
            return None if part is None else part * factor

        return apply

    return derivative(op, **dict.fromkeys(modes or ("vjp", "jvp"), worse))


def value(op: str, forward: Callable[..., Any]) -> AbstractContextManager[None]:
    """Make an op compute something else."""
    return changed(OPS[op], forward=forward)


def doubled(module: Any) -> AbstractContextManager[None]:
    """Let the table of Algorithm 6.2 begin with 2 in place of 1."""
    whole = module.accumulate

    def accumulate(order: Any, seeds: Any, *rest: Any, **more: Any) -> Any:
        return whole(order, {n: 2 * ct for n, ct in seeds.items()}, *rest, **more)

    return changed(module, accumulate=accumulate)


def again(module: Any) -> AbstractContextManager[None]:
    """Let Algorithm 6.2 take each step twice; the second time nothing is added."""
    whole = module.accumulate

    def accumulate(
        order: Any, seeds: Any, needed: Any, step: Any, keep: Any = None
    ) -> Any:
        def twice(*args: Any) -> Any:
            step(*args)
            return step(*args)

        return whole(order, seeds, needed, twice, keep)

    return changed(module, accumulate=accumulate)


@contextmanager
def both(*contexts: AbstractContextManager[None]) -> Iterator[None]:
    with ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context)
        yield


def rewritten(name: str) -> AbstractContextManager[None]:
    """Let a rule lead to twice the value, wherever it applies."""
    (rule,) = (rule for phase in phases() for rule in phase if rule.name == name)
    whole = rule.replacement

    def wrong(node: Any) -> Any:
        after = whole(node)
        return after if after is None or after.dtype.kind != "f" else after * 2

    return changed(rule, replacement=wrong)


def forgotten(name: str) -> AbstractContextManager[None]:
    """Let a rule apply nowhere."""
    (rule,) = (rule for phase in phases() for rule in phase if rule.name == name)
    return changed(rule, replacement=lambda node: None)


def phases() -> list[Any]:
    """The phases of rewriting that there are."""
    names = ("CANONICAL", "STABLE", "FAST")
    return [getattr(rewrite, name) for name in names if hasattr(rewrite, name)]


def _growing(rule: Callable[..., Any]) -> Callable[..., Any]:
    calls = [0]

    def apply(*args: Any) -> Any:
        calls[0] += 1
        part = rule(*args)
        for k in range(calls[0] // 200):
            part = part + k * 1e-9
        return part

    return apply


def _other_adjoint(rule: Callable[..., Any]) -> Callable[..., Any]:
    """``dH = G W`` in place of ``G W'``."""

    def apply(i: int, ct: Any, out: Any, inputs: Any, params: Any) -> Any:
        y = inputs[1]
        if i == 0 and y.shape[-1] == y.shape[-2]:
            return ct @ y
        return rule(i, ct, out, inputs, params)

    return apply


def _left_only(rule: Callable[..., Any]) -> Callable[..., Any]:
    def apply(i: int, *args: Any) -> Any:
        part = rule(i, *args)
        return part * 1.01 if i == 0 else part

    return apply


def _naive_log_softmax(x: Any, axis: Any) -> Any:
    return np.log(np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True))


def _naive_softmax(x: Any, axis: Any) -> Any:
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


def _and_table(name: str) -> Any:
    table = weft.tables.builtin.built_in(name)
    y = np.array([0, 0, 0, 1])

    class And:
        matrix = staticmethod(table.matrix)

        @staticmethod
        def column(_: str) -> Any:
            return type("Column", (), {"values": y})

    return And


def _sin_slope(rule: Callable[..., Any]) -> Callable[..., Any]:
    """The cosine as a sine of its own: right, but nothing is shared."""

    def apply(i: int, ct: Any, out: Any, inputs: Any, params: Any) -> Any:
        return ct * OPS["sin"](inputs[0] + np.pi / 2)

    return apply


def _dearer(cost: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*args: Any, **sizes: Any) -> Any:
        found = cost(*args, **sizes)
        return replace(found, flops=found.flops * 1.1)

    return apply


def _quadratic(cost: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*args: Any, n: int, **sizes: Any) -> Any:
        found = cost(*args, n=n, **sizes)
        return replace(found, flops=found.flops * n)

    return apply


def _rounded(compile: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(compile)
    def apply(*args: Any, memory: int | None = None, **more: Any) -> Any:
        program = compile(*args, memory=memory, **more)
        if memory is None:
            return program
        return lambda *arrays: [np.nextafter(a, 9) for a in program(*arrays)]

    return apply


def _other_mode(mode: str) -> AbstractContextManager[None]:
    """Let one of the ways to a product with the Hessian be a little off."""
    whole = second._SECOND[mode]

    def wrong(*args: Any) -> Any:
        return tree_map(lambda part: part * 1.001, whole(*args))

    return _item(second._SECOND, mode, wrong)


def _scaled_signs(signs: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: 1.5 * signs(*args)


def _off_diagonal(tridiagonal: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*args: Any) -> Any:
        alphas, betas = tridiagonal(*args)
        return alphas, 1.01 * betas

    return apply


def _spoilt(found: Any) -> Any:
    """Put NaN for all but the first array that was found, as if one went astray."""
    keys = list(found)[1:] if isinstance(found, dict) else range(1, len(found))
    for key in keys:
        found[key] = tree_map(lambda part: np.asarray(part) * np.nan, found[key])
    return found


def _spoilt_backprop(backprop: Callable[..., Any]) -> Callable[..., Any]:
    calls = [0]

    def apply(*args: Any, **more: Any) -> Any:
        calls[0] += 1
        found = backprop(*args, **more)
        if isinstance(found, np.ndarray):
            return found * np.nan if calls[0] > 1 else found
        return _spoilt(found if isinstance(found, dict) else list(found))

    return apply


def _spoilt_programs(compile: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(compile)
    def apply(*args: Any, **more: Any) -> Any:
        program = compile(*args, **more)
        return lambda *arrays: _spoilt(list(program(*arrays)))

    return apply


@dataclass(frozen=True)
class Mutation:
    """One thing broken, and who has to notice."""

    name: str
    rows: str
    broken: Callable[[], AbstractContextManager[None]]


def _on(target: Any, **fields: Any) -> Callable[[], AbstractContextManager[None]]:
    return partial(changed, target, **fields)


# In their packages the functions of these names stand before the modules.
_dense = import_module("weft.curvature.dense")
_define = import_module("weft.testing.define")
_pair = nn.pair
_whole_nll = nn.HeteroscedasticGaussian.nll

MUTATIONS = (
    # The vocabulary: derivatives, values, machine code.
    Mutation("softplus: slope 1 % off", "S21 S81", partial(scaled, "softplus")),
    Mutation(
        "softplus: log(1 + exp(x))",
        "S21",
        partial(value, "softplus", lambda x: np.log(1 + np.exp(x))),
    ),
    Mutation("square: slope 1 % off", "S61 S57", partial(scaled, "square")),
    Mutation(
        "square: value 1 % off", "S6", partial(value, "square", lambda x: 1.01 * x * x)
    ),
    Mutation("tanh: slope 1 % off", "S40 S57 S63 S69 S73 S79", partial(scaled, "tanh")),
    Mutation("tanh: forward mode off", "S58 S79 S83", partial(scaled, "tanh", "jvp")),
    Mutation(
        "tanh: reverse mode off", "S58 S72 S77 S82", partial(scaled, "tanh", "vjp")
    ),
    Mutation(
        "tanh: NumPy and machine code differ",
        "S32 S40 S64",
        partial(value, "tanh", lambda x: 1.001 * np.tanh(x)),
    ),
    Mutation("abs: slope 1 % off", "S72 S73", partial(scaled, "abs")),
    Mutation("sin: slope 1 % off", "S65", partial(scaled, "sin")),
    Mutation(
        "sin: slope shares nothing", "S62", partial(derivative, "sin", vjp=_sin_slope)
    ),
    Mutation("add: slope 1 % off", "S65 S67 S71", partial(scaled, "add")),
    Mutation(
        "add: slope costs more each time",
        "S66",
        partial(derivative, "add", vjp=_growing),
    ),
    Mutation(
        "sigmoid: value off",
        "S20 S28 S29",
        partial(value, "sigmoid", lambda x: 1 / (1 + np.exp(-x)) + 1e-6),
    ),
    Mutation(
        "relu: slope at 0 is that on the right",
        "S8 S34",
        lambda: changed(OPS["relu"], derivative=OPS["relu"].right),
    ),
    Mutation(
        "relu: leaks",
        "S8 S9",
        partial(value, "relu", lambda x: np.maximum(x, 0.01 * x)),
    ),
    Mutation(
        "matmul: adjoint not transposed",
        "S72 S73",
        partial(derivative, "matmul", vjp=_other_adjoint),
    ),
    Mutation("matmul: slope 1 % off", "S7 S75", partial(scaled, "matmul")),
    Mutation(
        "matmul: left adjoint off",
        "S72 S73 S75 S84",
        partial(derivative, "matmul", vjp=_left_only),
    ),
    Mutation(
        "softmax: slope of the identity",
        "S25",
        lambda: derivative("softmax", vjp=lambda _: lambda i, ct, *rest: ct),
    ),
    Mutation("softmax: not shifted", "S26", partial(value, "softmax", _naive_softmax)),
    Mutation(
        "softmax: not normalised",
        "S22 S26 S28",
        partial(
            value,
            "softmax",
            lambda x, axis: np.exp(x - x.max(axis=axis, keepdims=True)),
        ),
    ),
    Mutation(
        "log_softmax: naive", "S23", partial(value, "log_softmax", _naive_log_softmax)
    ),
    Mutation("log_softmax: slope off", "S23", partial(scaled, "log_softmax")),
    # Differentiation.
    Mutation("symbols begin with 2", "S58 S68 S80", partial(doubled, reverse)),
    Mutation("numbers begin with 2", "S18 S59 S67 S68 S74", partial(doubled, numeric)),
    Mutation("numbers: each step is taken twice", "S59 S66", partial(again, numeric)),
    Mutation("the mean is a sum", "S6", _on(weft, mean=weft.sum)),
    Mutation(
        "hvp is the gradient",
        "S83 S84",
        _on(weft, hvp=lambda cost, wrt, v, **mode: weft.grad(cost, wrt)),
    ),
    *(
        Mutation(f"hvp: mode {mode} off", "S83", partial(_other_mode, mode))
        for mode in ("forward", "reverse", "finite")
    ),
    # What is left of a trace and a density when the estimate is wrong.
    Mutation(
        "random signs are of size 3/2",
        "S82",
        lambda: changed(estimates, _signs=_scaled_signs(estimates._signs)),
    ),
    Mutation(
        "the size that is refused is not readable",
        "S81",
        lambda: changed(_dense, _readable=lambda count: f"{count} bytes"),
    ),
    Mutation(
        "Lanczos: the off-diagonal off",
        "S82",
        lambda: changed(lanczos, tridiagonal=_off_diagonal(lanczos.tridiagonal)),
    ),
    Mutation(
        "equal expressions are two nodes",
        "S62",
        _on(weft, sin=lambda x: OPS["sin"](x + np.random.default_rng().normal())),
    ),
    # Not a number, where it does not come first.
    Mutation(
        "all derivatives but one are NaN",
        "S61 S71 S72 S73 S74",
        lambda: changed(weft, backprop=_spoilt_backprop(weft.backprop)),
    ),
    Mutation(
        "all outputs of a program but one are NaN",
        "S73 S83",
        lambda: changed(weft, compile=_spoilt_programs(weft.compile)),
    ),
    Mutation(
        "a linear unit predicts NaN",
        "S28",
        _on(nn.Gaussian, prediction=lambda self, raw: raw * np.nan),
    ),
    # Rewriting.
    *(
        Mutation(f"rule {name} doubles", rows, partial(rewritten, name))
        for name, rows in (
            ("neutral", "S78 S81"),
            ("implicit_broadcast", "S73 S81"),
            ("product_of_exponentials", "S21 S23 S26 S78"),
            ("log_of_exponentials", "S21 S23"),
            ("distributed", "S78"),
            ("view_of_formula", "S78"),
        )
    ),
    Mutation(
        "rule view_of_formula never applies",
        "S78",
        partial(forgotten, "view_of_formula"),
    ),
    Mutation("reshape: slope 1 % off", "S78", partial(scaled, "reshape")),
    Mutation(
        "a definition is not checked",
        "S79",
        lambda: changed(_define, check_record=lambda *args, **more: None),
    ),
    # What a program costs.
    Mutation(
        "the cost is off by a tenth",
        "S76",
        lambda: changed(weft, cost=_dearer(weft.cost)),
    ),
    Mutation(
        "a budget changes the numbers",
        "S60",
        lambda: changed(weft, compile=_rounded(weft.compile)),
    ),
    # Networks.
    Mutation(
        "Gaussian: constant left out",
        "S18",
        _on(
            nn.Gaussian,
            nll=lambda self, raw, y: 0.5 * weft.sum(weft.square(y - raw), axis=1),
        ),
    ),
    Mutation(
        "clipped is a sigmoid",
        "S19",
        lambda: _item(pairing._OUTPUTS, "clipped", weft.sigmoid),
    ),
    Mutation("the linter sees nothing", "S19", _on(nn, lint=lambda network: ())),
    Mutation(
        "several labels pass for one",
        "S22",
        _on(nn.Categorical, as_target=lambda self, y, dtype: np.asarray(y)),
    ),
    Mutation(
        "the fixed logit is 1",
        "S24",
        _on(
            nn.Categorical,
            logits=lambda self, raw: (
                raw
                if self.reference_class is None
                else weft.concatenate([raw[:, :1] * 0 + 1, raw], axis=1)
            ),
        ),
    ),
    Mutation(
        "softmax is paired with squared error",
        "S27",
        _on(
            nn.Categorical,
            nll=lambda self, raw, y: weft.sum(
                weft.square(y - weft.softmax(raw)), axis=1
            ),
        ),
    ),
    Mutation(
        "wrong pairs are taken",
        "S19 S29",
        _on(
            nn,
            pair=lambda output, loss, n=1, allow_mismatch=False: _pair(
                output, loss, n, allow_mismatch=True
            ),
        ),
    ),
    Mutation(
        "two rows of the table are swapped",
        "S28",
        _on(nn, OUTPUT_TYPES=nn.OUTPUT_TYPES[1::-1] + nn.OUTPUT_TYPES[2:]),
    ),
    Mutation(
        "precision: constant left out",
        "S30",
        _on(
            nn.HeteroscedasticGaussian,
            nll=lambda self, raw, y: _whole_nll(self, raw, y) - 0.9189385,
        ),
    ),
    Mutation(
        "precision: log beta left out",
        "S30",
        _on(
            nn.HeteroscedasticGaussian,
            nll=lambda self, raw, y: _whole_nll(self, raw, y) + 0.5 * raw[:, 1],
        ),
    ),
    Mutation(
        "L2 is off",
        "S70",
        _on(nn.L2, omega=lambda self, params: weft.constant(1.0, "float64")),
    ),
    Mutation(
        "weights of rows are forgotten",
        "S12",
        _on(networks, weighted_mean=lambda values, weight: weft.mean(values)),
    ),
    Mutation(
        "layers come in the opposite order",
        "S1 S44",
        _on(nn.Network, body=property(lambda n: nn.Sequential(*n.layers[::-1]))),
    ),
    Mutation(
        "a graph may feed back",
        "S1",
        _on(weft, from_json=lambda text: None),
    ),
    Mutation(
        "each unit is drawn with one arrow",
        "S10",
        lambda: changed(diagram, _mixes=lambda *_: False),
    ),
    Mutation(
        "an affine map forgets its bias",
        "S43",
        _on(nn.Affine, __call__=lambda self, params, x, mode: (x @ params["W"], {})),
    ),
    Mutation(
        "hidden units forget their bias",
        "S12 S32 S44",
        _on(nn.HiddenUnit, preactivation=lambda self, params, x: x @ params["W"]),
    ),
    Mutation(
        "output units forget their bias",
        "S1 S12 S20",
        _on(nn.OutputUnit, raw=lambda self, params, h: h @ params["W"]),
    ),
    Mutation(
        "a map of low rank is twice as large",
        "S43",
        _on(
            nn.LowRankAffine,
            __call__=lambda self, params, x, mode: (
                2 * (x @ params["U"]) @ params["V"] + params["b"],
                {},
            ),
        ),
    ),
    Mutation(
        "the cost is a sum over the rows",
        "S12 S14",
        _on(networks, weighted_mean=lambda values, weight: weft.sum(values)),
    ),
    Mutation(
        "the work grows with the square of the rows",
        "S14",
        lambda: changed(weft, cost=_quadratic(weft.cost)),
    ),
    Mutation(
        "where is no spelling of a kink",
        "S34",
        lambda: changed(OPS["where"], spelling=None),
    ),
    # Data.
    Mutation("XOR is AND", "S5", _on(verify.xor, built_in=_and_table)),
)


@contextmanager
def _item(mapping: dict[str, Any], key: str, value: Any) -> Iterator[None]:
    before = mapping[key]
    mapping[key] = value
    try:
        yield
    finally:
        mapping[key] = before
