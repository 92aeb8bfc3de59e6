"""scikit-learn: `MLPClassifier`, an epoch being one call of `partial_fit`.

There are no skips and no Hessians, so it takes no part in those workloads.
"""

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.contestants.kinds import Epoch, Setting
from weft.apps.bench.problem import BETA_1, BETA_2, EPSILON, Array, Problem


def train(problem: Problem, setting: Setting) -> Epoch:
    """Build epochs of training."""
    model, y = _started(problem)

    def epoch(order: Array) -> float:
        model.partial_fit(problem.X[order], y[order])
        return float(model.loss_)

    return epoch


def predict(problem: Problem, setting: Setting) -> Epoch:
    """Build epochs of predictions, one call per batch."""
    workload = problem.workload
    model, _ = _started(problem)

    def epoch(order: Array) -> float:
        total = 0.0
        for start in range(0, workload.rows, workload.batch):
            rows = problem.X[start : start + workload.batch]
            total += float(model.predict_proba(rows)[0, 0])
        return total / workload.steps

    return epoch


def _started(problem: Problem) -> tuple[MLPClassifier, Array]:
    """Return a model with the first parameters, and targets in its form."""
    workload = problem.workload
    model = MLPClassifier(
        workload.hidden,
        activation=workload.unit,
        solver="adam",
        alpha=0.0,
        batch_size=workload.batch,
        learning_rate_init=workload.learning_rate,
        shuffle=False,  # the rows come shuffled
        beta_1=BETA_1,
        beta_2=BETA_2,
        epsilon=EPSILON,
    )
    # Of two classes scikit-learn makes one logistic output. As two labels they are two
    # outputs, and those can be told to be a softmax, like everybody's.
    y = np.eye(2, dtype=np.int64)[problem.y] if workload.outputs == 2 else problem.y
    count = max(workload.batch, workload.outputs)
    rows = slice(0, min(count, workload.rows))
    model.partial_fit(problem.X[rows], y[rows], classes=np.arange(workload.outputs))
    model.out_activation_ = "softmax"
    for W, b, (first_W, first_b) in zip(
        model.coefs_, model.intercepts_, problem.layers, strict=True
    ):
        W[...], b[...] = first_W, first_b
    del model._optimizer  # its moments are those of the call above
    return model, y
