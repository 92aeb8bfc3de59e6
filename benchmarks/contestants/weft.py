"""weft: `weft.nn` and `weft.train` through `weft.compile`, the engine as asked."""

import math
from typing import Any

import numpy as np

import weft
from benchmarks.contestants.kinds import Epoch, Setting
from benchmarks.workloads import Workload
from weft import nn
from weft import train as training
from weft.apps.bench.problem import BETA_1, BETA_2, EPSILON, Layers, Problem
from weft.train.descent import build_step


def network(workload: Workload) -> nn.Network:
    """Describe a workload's network."""
    layers: list[nn.Layer] = []
    for block in workload.blocks:
        inside = [nn.Dense(workload.hidden[i], workload.unit) for i in block]
        layers += inside if len(block) == 1 else [nn.Skip(inside)]
    if workload.cost == "cross_entropy":
        return nn.Network(layers, nn.Categorical(workload.outputs))
    return nn.Network(layers, nn.Gaussian())


def train(problem: Problem, setting: Setting) -> Epoch:
    """Build epochs of training."""
    workload = problem.workload
    described = network(workload)
    symbols = described.symbols(workload.inputs)
    x = weft.input("x", ("n", workload.inputs))
    y = described.output.target(problem.y)
    cost, _ = described.cost(symbols, x, y, nn.Predict())
    leaves, _ = weft.flatten(symbols)
    named = {leaf.name: leaf for leaf in leaves}
    optimizer = training.Adam(workload.learning_rate, BETA_1, BETA_2, EPSILON)
    first = _values(leaves, problem.layers)
    moments = optimizer.init({leaf.name: value for leaf, value in first.items()})
    moment_leaves = weft.tree_map(
        lambda a: weft.parameter("moment", a.shape, a.dtype), moments
    )
    step = build_step(cost, named, moment_leaves, optimizer)
    held = weft.flatten(moment_leaves)[0]
    updates = {leaf: step.params[name] for name, leaf in named.items()}
    updates |= zip(held, weft.flatten(step.moments)[0], strict=True)
    program = weft.compile(
        [x, y, *step.numbers.values()],
        cost,
        updates=updates,
        state=first | dict(zip(held, weft.flatten(moments)[0], strict=True)),
        engine=setting.engine,
        threads=setting.threads,
    )
    numbers = [np.float64(step.values[name]) for name in step.numbers]
    # The Gaussian's constant, which the other costs leave out.
    constant = 0.0 if workload.cost == "cross_entropy" else 0.5 * math.log(2 * math.pi)

    def epoch(order: np.ndarray) -> float:
        costs = program.run([problem.X, problem.y, *numbers], order, workload.batch)
        return float(costs.mean()) - constant

    return epoch


def hvp(problem: Problem, setting: Setting) -> Epoch:
    """Build epochs of Hessian-vector products."""
    workload = problem.workload
    described = network(workload)
    symbols = described.symbols(workload.inputs)
    x = weft.input("x", ("n", workload.inputs))
    y = described.output.target(problem.y)
    cost, _ = described.cost(symbols, x, y, nn.Predict())
    leaves, _ = weft.flatten(symbols)
    given = [weft.input(f"v/{leaf.name}", leaf.shape) for leaf in leaves]
    program = weft.compile(
        [x, y, *given],
        weft.hvp(cost, leaves, given),
        state=_values(leaves, problem.layers),
        engine=setting.engine,
        threads=setting.threads,
    )
    direction = [part for layer in problem.direction for part in layer]
    X, targets = problem.X[: workload.batch], problem.y[: workload.batch]

    def epoch(order: np.ndarray) -> float:
        for _ in range(workload.steps):
            product = program(X, targets, *direction)
        return float(sum(map(np.vdot, product, direction)))

    return epoch


def predict(problem: Problem, setting: Setting) -> Epoch:
    """Build epochs of predictions, one call per batch."""
    workload = problem.workload
    described = network(workload)
    symbols = described.symbols(workload.inputs)
    x = weft.input("x", ("n", workload.inputs))
    program = weft.compile(
        [x],
        described.predict(symbols, x),
        state=_values(weft.flatten(symbols)[0], problem.layers),
        engine=setting.engine,
        threads=setting.threads,
    )

    def epoch(order: np.ndarray) -> float:
        total = 0.0
        for start in range(0, workload.rows, workload.batch):
            rows = problem.X[start : start + workload.batch]
            total += float(program(rows)[0, 0])
        return total / workload.steps

    return epoch


def _values(leaves: list[weft.Node], layers: Layers) -> dict[weft.Node, Any]:
    """Pair parameter leaves with arrays; both go layer by layer, W before b."""
    arrays = [part for layer in layers for part in layer]
    return dict(zip(leaves, arrays, strict=True))
