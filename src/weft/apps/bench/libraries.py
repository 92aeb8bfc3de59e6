"""The libraries, each doing a workload in its own best-known way.

A library is a function from a problem and a number of threads to a *turn*: a function
that takes the order of the rows, does all steps, and returns a number by which the
libraries are compared: the mean cost of the steps, or the mean first probability.
"""

import math
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from weft.apps.bench.problem import BETA_1, BETA_2, EPSILON, Array, Problem
from weft.apps.bench.workloads import Workload
from weft.compile import Program
from weft.compile import compile as compile_graph
from weft.graph import flatten, input, parameter, tree_map

Turn = Callable[[Array], float]


def installed() -> dict[str, Callable[[Problem, int], Turn]]:
    """Return the libraries that are installed, weft first."""
    peers = {
        "PyTorch": ("torch", pytorch),
        "JAX": ("jax", jax),
        "scikit-learn": ("sklearn", scikit_learn),
    }
    there = {
        name: library for name, (module, library) in peers.items() if find_spec(module)
    }
    return {"weft": weft} | there


def can(name: str, workload: Workload) -> bool:
    """Tell whether a library has what a workload needs."""
    return name != "scikit-learn" or not workload.skips


def _one_by_one(problem: Problem, predict: Callable[[Array], Any]) -> Turn:
    """Predict row after row."""

    def turn(order: Array) -> float:
        total = 0.0
        for i in range(problem.workload.rows):
            total += float(predict(problem.X[i : i + 1])[0, 0])
        return total / problem.workload.rows

    return turn


# weft ---------------------------------------------------------------------------------


def program_of(problem: Problem, threads: int) -> tuple[Program, list[Any]]:
    """Return weft's program for a workload, and what it is given beside rows."""
    from weft import nn, train
    from weft.train.descent import build_step

    workload = problem.workload
    parts: list[nn.Layer] = []
    for block in workload.blocks:
        inside = [nn.Dense(workload.hidden[i], workload.unit) for i in block]
        parts += inside if len(block) == 1 else [nn.Skip(inside)]
    squared = workload.cost == "squared_error"
    output = nn.Gaussian() if squared else nn.Categorical(workload.outputs)
    network = nn.Network(parts, output)
    symbols = network.symbols(workload.inputs)
    leaves, _ = flatten(symbols)
    arrays = [part for layer in problem.layers for part in layer]
    first = dict(zip(leaves, arrays, strict=True))
    x = input("x", ("n", workload.inputs))
    if workload.task == "predict":
        answer = network.predict(symbols, x)
        return compile_graph(
            [x], answer, state=first, engine="native", threads=threads
        ), []
    y = network.output.target(problem.y)
    cost, _ = network.cost(symbols, x, y, nn.Predict())
    optimizer = train.Adam(workload.learning_rate, BETA_1, BETA_2, EPSILON)
    moments = optimizer.init({leaf.name: value for leaf, value in first.items()})
    held = tree_map(lambda a: parameter("moment", a.shape, a.dtype), moments)
    names = {leaf.name: leaf for leaf in leaves}
    step = build_step(cost, names, held, optimizer)
    moment_leaves = flatten(held)[0]
    updates = {leaf: step.params[name] for name, leaf in names.items()}
    updates |= zip(moment_leaves, flatten(step.moments)[0], strict=True)
    program = compile_graph(
        [x, y, *step.numbers.values()],
        cost,
        updates,
        first | dict(zip(moment_leaves, flatten(moments)[0], strict=True)),
        engine="native",
        threads=threads,
    )
    return program, [np.float64(step.values[name]) for name in step.numbers]


def weft(problem: Problem, threads: int) -> Turn:
    """Run weft's own: an epoch in one call."""
    program, numbers = program_of(problem, threads)
    workload = problem.workload
    if workload.task == "predict":
        return _one_by_one(problem, program)
    # The Gaussian's constant, which the other libraries' costs leave out.
    squared = workload.cost == "squared_error"
    constant = 0.5 * math.log(2 * math.pi) if squared else 0.0

    def turn(order: Array) -> float:
        costs = program.run([problem.X, problem.y, *numbers], order, workload.batch)
        return float(costs.mean()) - constant

    return turn


# PyTorch ------------------------------------------------------------------------------


def pytorch(problem: Problem, threads: int) -> Turn:
    """Run PyTorch, eager: modules, autograd, fused Adam."""
    import torch
    from torch import nn

    class Skip(nn.Module):
        def __init__(self, *inside: nn.Module) -> None:
            super().__init__()
            self.inside = nn.Sequential(*inside)

        def forward(self, x: Any) -> Any:
            return x + self.inside(x)

    torch.set_num_threads(threads)
    workload = problem.workload
    unit = {"relu": nn.ReLU, "tanh": nn.Tanh}[workload.unit]
    linear = [nn.Linear(m, n) for m, n in workload.shapes]
    parts: list[Any] = []
    for block in workload.blocks:
        inside = [part for i in block for part in (linear[i], unit())]
        parts += inside if len(block) == 1 else [Skip(*inside)]
    network = nn.Sequential(*parts, linear[-1])
    with torch.no_grad():
        for layer, (W, b) in zip(linear, problem.layers, strict=True):
            layer.weight.copy_(torch.from_numpy(W).T)
            layer.bias.copy_(torch.from_numpy(b))
    if workload.task == "predict":

        @torch.inference_mode()
        def predict(row: Array) -> Any:
            return torch.softmax(network(torch.from_numpy(row)), 1).numpy()

        return _one_by_one(problem, predict)
    optimizer = torch.optim.Adam(
        network.parameters(),
        workload.learning_rate,
        (BETA_1, BETA_2),
        EPSILON,
        fused=True,
    )
    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)

    def cost(raw: Any, y: Any) -> Any:
        if workload.cost == "squared_error":
            return 0.5 * nn.functional.mse_loss(raw[:, 0], y)
        return nn.functional.cross_entropy(raw, y)

    def turn(order: Array) -> float:
        losses = []
        for rows in torch.from_numpy(order).split(workload.batch):
            loss = cost(network(X[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return float(torch.stack(losses).mean())

    return turn


# JAX ----------------------------------------------------------------------------------


def jax(problem: Problem, threads: int) -> Turn:
    """Run JAX: a turn is one ``lax.scan``; its threads are chosen as it is loaded."""
    import jax
    import jax.numpy as jnp

    workload = problem.workload
    unit = {"relu": jax.nn.relu, "tanh": jnp.tanh}[workload.unit]
    params = jax.tree.map(jnp.asarray, problem.layers)

    def raw(params: Any, x: Any) -> Any:
        for block in workload.blocks:
            h = x
            for i in block:
                W, b = params[i]
                h = unit(h @ W + b)
            x = h if len(block) == 1 else x + h
        W, b = params[-1]
        return x @ W + b

    if workload.task == "predict":
        answer = jax.jit(lambda params, x: jax.nn.softmax(raw(params, x), axis=1))
        return _one_by_one(problem, lambda row: np.asarray(answer(params, row)))

    def cost(params: Any, x: Any, y: Any) -> Any:
        if workload.cost == "squared_error":
            return 0.5 * jnp.square(y - raw(params, x)[:, 0]).mean()
        log_p = jax.nn.log_softmax(raw(params, x), axis=1)
        return -(log_p * jax.nn.one_hot(y, workload.outputs)).sum(axis=1).mean()

    X, y = jnp.asarray(problem.X), jnp.asarray(problem.y)

    def step(state: Any, rows: Any) -> Any:
        params, m, v, t = state
        loss, slopes = jax.value_and_grad(cost)(params, X[rows], y[rows])
        t = t + 1
        first, second = (-jnp.expm1(t * np.log(beta)) for beta in (BETA_1, BETA_2))
        rate = workload.learning_rate * jnp.sqrt(second) / first
        m = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, m, slopes)
        v = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, v, slopes)
        params = jax.tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v) + EPSILON), params, m, v
        )
        return (params, m, v, t), loss

    scan = jax.jit(lambda state, batches: jax.lax.scan(step, state, batches))
    zeros = jax.tree.map(jnp.zeros_like, params)
    state = (params, zeros, zeros, jnp.zeros((), jnp.int32))

    def turn(order: Array) -> float:
        nonlocal state
        batches = order.astype(np.int32).reshape(workload.steps, workload.batch)
        state, losses = jax.block_until_ready(scan(state, batches))
        return float(losses.mean())

    return turn


# scikit-learn -------------------------------------------------------------------------


def scikit_learn(problem: Problem, threads: int) -> Turn:
    """Run scikit-learn's `MLPClassifier`: a turn is one ``partial_fit``."""
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    workload = problem.workload
    model = MLPClassifier(
        workload.hidden,
        alpha=0.0,
        batch_size=workload.batch,
        learning_rate_init=workload.learning_rate,
        shuffle=False,  # the rows come shuffled
        beta_1=BETA_1,
        beta_2=BETA_2,
        epsilon=EPSILON,
    )
    # Of two classes it makes one logistic output. As two labels they are two outputs,
    # and those can be told to be a softmax, like everybody's.
    y = np.eye(2, dtype=np.int64)[problem.y] if workload.outputs == 2 else problem.y
    count = min(max(workload.batch, workload.outputs), workload.rows)
    classes = np.arange(workload.outputs)
    model.partial_fit(problem.X[:count], y[:count], classes=classes)
    model.out_activation_ = "softmax"
    for W, b, (first_W, first_b) in zip(
        model.coefs_, model.intercepts_, problem.layers, strict=True
    ):
        W[...], b[...] = first_W, first_b
    del model._optimizer  # its moments are those of the call above
    predict = _one_by_one(problem, model.predict_proba)

    def turn(order: Array) -> float:
        with threadpool_limits(threads):
            if workload.task == "predict":
                return predict(order)
            model.partial_fit(problem.X[order], y[order])
            return float(model.loss_)

    return turn
