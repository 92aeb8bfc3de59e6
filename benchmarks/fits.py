"""Whole fits with scikit-learn's own estimators, and weft's in their place.

One import is changed and nothing else. The time is that of `fit`, compiling and
everything loaded on the way included; each fit has a process of its own.
"""

import importlib
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, final

import numpy as np

from benchmarks.contestants import THREADS, environment, library
from benchmarks.processes import call_alone
from benchmarks.workloads import BenchmarkError, named
from weft.apps.bench import problem

# Steps in all: short enough to repeat, long enough that speed tells.
_LONG = {"tiny": 25_000, "small": 25_000, "table": 2_000, "mnist": 2_000}
_DEFAULT = ("iris", "digits", "breast_cancer", "diabetes")


@final
@dataclass(frozen=True)
class Fit:
    """One fit, or the median of several.

    Parameters
    ----------
    task : str
        A workload, or a set of scikit-learn's.
    estimator : str
        Whose it is, and on how many threads.
    library : str
    seconds : float
    epochs : int
    loss : float
        What the estimator says of its last epoch.
    score : float
        On the rows fitted: accuracy, or R2.
    """

    task: str
    estimator: str
    library: str
    seconds: float
    epochs: int
    loss: float
    score: float

    def as_data(self) -> dict[str, Any]:
        """Return the result as JSON data."""
        return asdict(self)


def measure(
    engine: str = "auto",
    quick: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[list[Fit], dict[str, str]]:
    """Fit everything in turn, medians of three (quick: one); default fits, of five.

    Returns
    -------
    list of Fit
        The default fits last.
    dict of str to str
        Who failed, and why.
    """
    found, left_out = [], {}
    for task in (*_LONG, *_DEFAULT):
        say(f"{task} ...")
        repeats = 1 if quick else 3 if task in _LONG else 5
        taken: dict[tuple[str, int], list[Fit]] = {}
        for _ in range(repeats):
            for key in ("weft", "sklearn"):
                if not library(key).installed:
                    continue
                for threads in THREADS:
                    try:
                        fit = _fit(task, key, threads, engine)
                    except BenchmarkError as error:
                        left_out[library(key).title] = str(error)
                        continue
                    taken.setdefault((key, threads), []).append(fit)
        found += [_middle(fits) for fits in taken.values()]
    return found, left_out


def ratios(fits: Sequence[Fit]) -> dict[str, float]:
    """Return how many times faster weft's best setting is, by task."""
    best: dict[str, dict[str, float]] = {}
    for fit in fits:
        of_task = best.setdefault(fit.task, {})
        of_task[fit.library] = min(fit.seconds, of_task.get(fit.library, fit.seconds))
    return {
        task: seconds["sklearn"] / seconds["weft"]
        for task, seconds in best.items()
        if len(seconds) == 2
    }


def _fit(task: str, key: str, threads: int, engine: str) -> Fit:
    found = call_alone(environment(library(key), threads), fit_once, task, key, engine)
    plural = "s" if threads > 1 else ""
    name = f"{library(key).title}, {threads} thread{plural}"
    return Fit(task, name, key, *found)


def _middle(fits: Sequence[Fit]) -> Fit:
    return replace(fits[0], seconds=statistics.median(fit.seconds for fit in fits))


def fit_once(task: str, key: str, engine: str) -> tuple[float, int, float, float]:
    """Fit an estimator in this process.

    Returns
    -------
    seconds : float
    epochs : int
    loss, score : float
    """
    module = importlib.import_module(
        {"sklearn": "sklearn.neural_network"}.get(key, key)
    )
    X, y, settings = _long(task) if task in _LONG else _default(task)
    name = "MLPRegressor" if task == "diabetes" else "MLPClassifier"
    if key == "weft":
        settings["engine"] = engine
    model = getattr(module, name)(random_state=0, **settings)
    with warnings.catch_warnings():
        # A number of steps is asked for, not convergence.
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
    return seconds, int(model.n_iter_), float(model.loss_), float(model.score(X, y))


def _long(task: str) -> tuple[Any, Any, dict[str, Any]]:
    """A workload's rows, and the settings that make so many steps of its network."""
    (workload,) = named([task])
    given = problem.make(workload)
    epochs = _LONG[task] // workload.steps
    settings = {
        "hidden_layer_sizes": workload.hidden,
        "batch_size": workload.batch,
        "learning_rate_init": workload.learning_rate,
        "max_iter": epochs,
        "n_iter_no_change": epochs + 1,  # never stop early
    }
    return given.X, given.y, settings


def _default(task: str) -> tuple[Any, Any, dict[str, Any]]:
    """A set of scikit-learn's, scaled to mean 0 and variance 1; no settings."""
    from sklearn import datasets

    X, y = getattr(datasets, f"load_{task}")(return_X_y=True)
    spread = X.std(axis=0)
    return (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1), y, {}
