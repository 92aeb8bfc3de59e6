"""JAX: jitted functions of a tree of parameters.

An epoch is either one call of `jax.lax.scan`, or one jitted call per step.
"""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.contestants.kinds import Epoch, Setting
from benchmarks.workloads import Workload
from weft.apps.bench.problem import BETA_1, BETA_2, EPSILON, Problem


def train(problem: Problem, setting: Setting) -> Epoch:
    """Build epochs of training."""
    workload = problem.workload
    params = jax.tree.map(jnp.asarray, problem.layers)
    zeros = jax.tree.map(jnp.zeros_like, params)
    # A copy: the state is donated, and two parts of it may not share their memory.
    state = (params, zeros, jax.tree.map(jnp.copy, zeros), jnp.zeros((), jnp.int32))
    X, y = jnp.asarray(problem.X), jnp.asarray(problem.y)

    def step(state, X, y, rows):
        params, m, v, t = state
        loss, grads = jax.value_and_grad(_loss(workload))(params, X[rows], y[rows])
        return _adam(params, grads, m, v, t + 1, workload.learning_rate), loss

    def scanned(state, X, y, batches):
        return jax.lax.scan(lambda s, rows: step(s, X, y, rows), state, batches)

    one = jax.jit(step, donate_argnums=0)
    whole = jax.jit(scanned, donate_argnums=0)

    def by_steps(order: np.ndarray) -> float:
        nonlocal state
        losses = []
        for rows in _batches(order, workload):
            state, loss = one(state, X, y, rows)
            losses.append(loss)
        jax.block_until_ready(state)
        return float(np.mean(losses))

    def by_scan(order: np.ndarray) -> float:
        nonlocal state
        state, losses = whole(state, X, y, _batches(order, workload))
        jax.block_until_ready(state)
        return float(losses.mean())

    return by_steps if setting.variant == "step" else by_scan


def hvp(problem: Problem, setting: Setting) -> Epoch:
    """Build epochs of Hessian-vector products, forward over reverse."""
    workload = problem.workload
    params = jax.tree.map(jnp.asarray, problem.layers)
    direction = jax.tree.map(jnp.asarray, problem.direction)
    X = jnp.asarray(problem.X[: workload.batch])
    y = jnp.asarray(problem.y[: workload.batch])

    @jax.jit
    def product(params, direction, X, y):
        slope = jax.grad(lambda p: _loss(workload)(p, X, y))
        return jax.jvp(slope, (params,), (direction,))[1]

    def epoch(order: np.ndarray) -> float:
        for _ in range(workload.steps):
            found = jax.block_until_ready(product(params, direction, X, y))
        parts = jax.tree.map(jnp.vdot, found, direction)
        return float(sum(jax.tree.leaves(parts)))

    return epoch


def predict(problem: Problem, setting: Setting) -> Epoch:
    """Build epochs of predictions, one call per batch."""
    workload = problem.workload
    params = jax.tree.map(jnp.asarray, problem.layers)
    probabilities = jax.jit(
        lambda params, x: jax.nn.softmax(_raw(workload, params, x), axis=1)
    )

    def epoch(order: np.ndarray) -> float:
        total = 0.0
        for start in range(0, workload.rows, workload.batch):
            rows = problem.X[start : start + workload.batch]
            total += float(np.asarray(probabilities(params, rows))[0, 0])
        return total / workload.steps

    return epoch


def _batches(order: np.ndarray, workload: Workload) -> np.ndarray:
    return order.astype(np.int32).reshape(workload.steps, workload.batch)


def _raw(workload: Workload, params, x):
    unit = {"relu": jax.nn.relu, "tanh": jnp.tanh}[workload.unit]
    for block in workload.blocks:
        h = x
        for i in block:
            W, b = params[i]
            h = unit(h @ W + b)
        x = h if len(block) == 1 else x + h
    W, b = params[-1]
    return x @ W + b


def _loss(workload: Workload):
    def cross_entropy(params, x, y):
        log_p = jax.nn.log_softmax(_raw(workload, params, x), axis=1)
        # One-hot: its gradient is a product; that of a gather is a slow scatter.
        return -(log_p * jax.nn.one_hot(y, workload.outputs)).sum(axis=1).mean()

    def squared_error(params, x, y):
        return 0.5 * jnp.square(y - _raw(workload, params, x)[:, 0]).mean()

    return cross_entropy if workload.cost == "cross_entropy" else squared_error


def _adam(params, grads, m, v, t, learning_rate):
    """Kingma and Ba (2015), end of section 2, as weft has it."""
    # -expm1(t log(beta)) is 1 - beta^t without cancellation in float32.
    first = -jnp.expm1(t * np.log(BETA_1))
    second = -jnp.expm1(t * np.log(BETA_2))
    rate = learning_rate * jnp.sqrt(second) / first
    m = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, m, grads)
    v = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, v, grads)
    new = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) + EPSILON), params, m, v
    )
    return new, m, v, t
