"""PyTorch, eager: `torch.nn` modules, autograd, fused Adam."""

import numpy as np
import torch
from torch import nn

from benchmarks.contestants.kinds import Epoch, Setting
from weft.apps.bench.problem import BETA_1, BETA_2, EPSILON, Layers, Problem


class _Skip(nn.Module):
    """x + f(x)."""

    def __init__(self, *inside: nn.Module) -> None:
        super().__init__()
        self.inside = nn.Sequential(*inside)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inside(x)


def train(problem: Problem, setting: Setting) -> Epoch:
    """Build epochs of training."""
    torch.set_num_threads(setting.threads)
    batch = problem.workload.batch
    network, cost = _network(problem), _cost(problem)
    optimizer = torch.optim.Adam(
        network.parameters(),
        problem.workload.learning_rate,
        (BETA_1, BETA_2),
        EPSILON,
        fused=True,
    )
    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)

    def epoch(order: np.ndarray) -> float:
        losses = []
        for rows in torch.from_numpy(order).split(batch):
            loss = cost(network(X[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return float(torch.stack(losses).mean())

    return epoch


def hvp(problem: Problem, setting: Setting) -> Epoch:
    """Build epochs of Hessian-vector products, reverse over reverse.

    `torch.func.jvp` over `torch.func.grad` took 1.4 times as long.
    """
    torch.set_num_threads(setting.threads)
    workload = problem.workload
    network, cost = _network(problem), _cost(problem)
    params = list(network.parameters())
    direction = _tensors(problem.direction)
    X = torch.from_numpy(problem.X[: workload.batch])
    y = torch.from_numpy(problem.y[: workload.batch])

    def epoch(order: np.ndarray) -> float:
        for _ in range(workload.steps):
            slopes = torch.autograd.grad(cost(network(X), y), params, create_graph=True)
            product = torch.autograd.grad(slopes, params, grad_outputs=direction)
        return float(sum(map(torch.sum, map(torch.mul, product, direction))))

    return epoch


def predict(problem: Problem, setting: Setting) -> Epoch:
    """Build epochs of predictions, one call per batch."""
    torch.set_num_threads(setting.threads)
    workload = problem.workload
    network = _network(problem).eval()

    @torch.inference_mode()
    def epoch(order: np.ndarray) -> float:
        total = 0.0
        for start in range(0, workload.rows, workload.batch):
            rows = problem.X[start : start + workload.batch]
            out = torch.softmax(network(torch.from_numpy(rows)), 1).numpy()
            total += float(out[0, 0])
        return total / workload.steps

    return epoch


def _network(problem: Problem) -> nn.Module:
    workload = problem.workload
    unit = {"relu": nn.ReLU, "tanh": nn.Tanh}[workload.unit]
    linear = [nn.Linear(m, n) for m, n in workload.shapes]
    parts: list[nn.Module] = []
    for block in workload.blocks:
        inside = [part for i in block for part in (linear[i], unit())]
        parts += inside if len(block) == 1 else [_Skip(*inside)]
    network = nn.Sequential(*parts, linear[-1])
    with torch.no_grad():
        for layer, (W, b) in zip(linear, problem.layers, strict=True):
            layer.weight.copy_(torch.from_numpy(W).T)
            layer.bias.copy_(torch.from_numpy(b))
    return network


def _cost(problem: Problem):
    if problem.workload.cost == "cross_entropy":
        return nn.functional.cross_entropy
    return lambda raw, y: 0.5 * nn.functional.mse_loss(raw[:, 0], y)


def _tensors(layers: Layers) -> list[torch.Tensor]:
    """Return weights as `torch.nn.Linear` holds them, transposed, and biases."""
    return [
        part
        for W, b in layers
        for part in (torch.from_numpy(W).T.contiguous(), torch.from_numpy(b))
    ]
