"""Findings of every kind, made without training anything."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from weft.apps.report import (
    Classification,
    Column,
    Findings,
    History,
    Layer,
    Model,
    Note,
    Regression,
    Rows,
)

NASTY = (
    "<script>alert(\"1\")</script> & 'two'\n$x^2$ \x00 \ud800 \u202e {0} {{ 7 * 7 }}"
)


@pytest.fixture(scope="session")
def classification() -> Callable[..., Classification]:
    """Make an outcome whose probabilities know the truth by `skill`."""

    def make(
        n: int = 400,
        k: int = 3,
        skill: float = 2.0,
        seed: int = 0,
        names: list[str] | None = None,
        **more: Any,
    ) -> Classification:
        draw = np.random.default_rng(seed)
        y_true = draw.integers(0, k, n)
        scores = draw.normal(size=(n, k))
        scores[np.arange(n), y_true] += skill
        p = np.exp(scores)
        p /= p.sum(axis=1, keepdims=True)
        given = {"probabilities": p, "train_counts": np.arange(k) + 100} | more
        names = names or [f"class {i}" for i in range(k)]
        return Classification(names, y_true, p.argmax(axis=1), **given)

    return make


@pytest.fixture(scope="session")
def regression() -> Callable[..., Regression]:
    """Make an outcome with normal residuals of standard deviation `spread`."""

    def make(
        n: int = 400, spread: float = 1.0, said: float | None = 1.0, seed: int = 0
    ) -> Regression:
        draw = np.random.default_rng(seed)
        y_pred = draw.normal(50, 5, n)
        y_true = y_pred + draw.normal(0, spread, n)
        deviation = None if said is None else np.full(n, said)
        return Regression(
            y_true, y_pred, deviation, train_mean=50.0, train_deviation=5.0
        )

    return make


@pytest.fixture(scope="session")
def findings() -> Callable[..., Findings]:
    """Make findings around an outcome, every part of them filled."""

    def make(outcome: Classification | Regression, **more: Any) -> Findings:
        given: dict[str, Any] = {
            "title": "A fit",
            "source": "table.csv",
            "target": "target",
            "history": History(
                [1, 2, 3, 4],
                [2.0, 0.5, 0.2, 0.1],
                [2.1, 0.7, 0.6, 0.65],
                [0.01, 0.01, 0.001, 0.001],
                [0.1, 0.2, 0.3, 0.4],
                best_epoch=3,
                stopped="the validation cost had not fallen for 1 epoch",
            ),
            "model": Model(
                [
                    Layer("dense 1", "4 → 8", "relu", 40),
                    Layer("output", "8 → 3", "", 27),
                ],
                "categorical",
                "Adam",
                {"Learning rate": 0.01},
                seed=3,
                seconds=75.2,
                versions={"weft": "0.1.0"},
                command="weft fit table.csv --target target",
            ),
            "columns": [
                Column("height", "number", "standardised", 12, note="median imputed"),
                Column("colour", "category", "one input per level", 0, 5),
                Column("id", "number", "dropped", note="one value per row", used=False),
            ],
            "notes": [
                Note("dropped", "id has a value of its own in every row."),
                Note("imputed", "12 missing values of height."),
                Note("warning", "The learning rate was halved."),
                Note("information", "One thread was used."),
            ],
            "model_file": "my model.weft",
        } | more
        return Findings(
            rows=Rows(900, 100, outcome.rows),
            outcome=outcome,
            **given,
        )

    return make


@pytest.fixture(scope="session")
def nasty(classification: Callable[..., Classification]) -> Findings:
    """Markup, control characters and half characters wherever a name can stand."""
    outcome = classification(names=[NASTY, "<b>bold</b>", "</svg>--><i>"])
    return Findings(
        NASTY,
        NASTY,
        NASTY,
        Rows(1, 1, outcome.rows),
        outcome,
        NASTY,
        NASTY,
        History([1, 2], [1.0, 0.5], stopped=NASTY, cost=NASTY),
        Model([Layer(NASTY, NASTY, NASTY, 1)], NASTY, NASTY, {NASTY: NASTY}, 1, 1.0),
        [Column(NASTY, NASTY, NASTY, 1, 2, NASTY)],
        [Note("warning", NASTY), Note("dropped", NASTY), Note(NASTY, NASTY)],
        NASTY,
        NASTY,
    )
