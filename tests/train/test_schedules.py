"""Schedules are pure functions of where the fit stands; stopping counts failures."""

import math

import numpy as np
import pytest

from weft import nn, train
from weft.train.stopping import improved


def ahead(epoch=0, epochs=10, steps=4, rows=100, lr=0.5, costs=()):
    epochs_so_far = tuple(
        train.Epoch(i + 1, c, c, 2 * c, lr, 0.0, {"accuracy": -c})
        for i, c in enumerate(costs)
    )
    return train.Ahead(lr, epoch, epochs, steps, rows, train.History(epochs_so_far))


def whole(schedule, epochs=10, steps=4):
    """Return the rates of a whole fit."""
    return np.concatenate(
        [schedule.rates(ahead(e, epochs, steps)) for e in range(epochs)]
    )


ALL = [
    train.ConstantRate(),
    train.InverseScaling(),
    train.Exponential(),
    train.StepDecay(3),
    train.Cosine(),
    train.Cosine(warmup=0.2, floor=0.1),
    train.OneCycle(),
    train.Adaptive(),
]


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_every_step_has_a_rate_above_zero(schedule):
    rates = whole(schedule)
    assert rates.shape == (40,) and rates.dtype == np.float64
    assert (rates > 0).all() and (rates <= 0.5).all()
    assert np.array_equal(rates, whole(schedule))
    assert nn.from_data(nn.to_data(schedule)) == schedule


def test_rates_by_formula():
    assert train.InverseScaling(0.7).rates(ahead(3)).tolist() == [0.5 / 301**0.7] * 4
    assert train.Exponential(0.9).rates(ahead(3))[0] == pytest.approx(0.5 * 0.9**3)
    steps = [train.StepDecay(2, 0.1).rates(ahead(e))[0] for e in range(5)]
    assert np.allclose(steps, [0.5, 0.5, 0.05, 0.05, 0.005])


def test_cosine_rises_and_falls():
    rates = whole(train.Cosine(warmup=0.25, floor=0.1))
    assert np.allclose(rates[:10], 0.5 * np.arange(1, 11) / 10)
    assert (np.diff(rates[10:]) < 0).all()
    middle = 10 + 15  # half of the way down
    assert rates[middle] == pytest.approx(0.5 * (0.1 + 0.9 * 0.5))
    end = 0.5 * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 29 / 30)))
    assert rates[-1] == pytest.approx(end)


def test_one_cycle_goes_up_and_down_once():
    rates = whole(train.OneCycle(rise=0.25, start=10, end=100))
    assert rates[0] == pytest.approx(0.05) and rates.argmax() == 10
    assert rates.max() == 0.5 and rates[-1] < 0.01
    assert (np.diff(rates[:11]) > 0).all() and (np.diff(rates[10:]) < 0).all()


def test_adaptive_divides_after_failing_twice():
    schedule = train.Adaptive(patience=1, min_delta=0.1)

    def rate(*costs):
        return schedule.rates(ahead(costs=costs))[0]

    assert rate() == rate(1.0) == rate(1.0, 0.95) == 0.5
    assert rate(1.0, 0.95, 0.94) == pytest.approx(0.1)
    assert rate(1.0, 0.95, 0.94, 0.93) == pytest.approx(0.1)  # counts anew
    assert rate(1.0, 0.95, 0.94, 0.93, 0.92) == pytest.approx(0.02)
    assert rate(1.0, 0.95, 0.5, 0.45) == 0.5


def test_adaptive_ends_where_the_rate_is_too_small():
    schedule = train.Adaptive(patience=0, least=0.05)
    assert not schedule.finished(ahead(costs=[1, 1, 1]))  # 0.5, 0.1, 0.02
    assert schedule.finished(ahead(costs=[1, 1, 1, 1]))
    assert schedule.rates(ahead(costs=[1, 1, 1, 1]))[0] == pytest.approx(0.02)


def test_adaptive_may_watch_another_measure():
    falling = [3.0, 2.0, 1.0]
    schedule = train.Adaptive(patience=1, metric="accuracy", greater_is_better=True)
    assert schedule.rates(ahead(costs=falling))[0] == 0.5
    schedule = train.Adaptive(patience=1, metric="accuracy")
    assert schedule.rates(ahead(costs=falling))[0] == pytest.approx(0.1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: train.InverseScaling(0.0),
        lambda: train.Exponential(-1.0),
        lambda: train.StepDecay(0),
        lambda: train.Cosine(warmup=1.0),
        lambda: train.Cosine(floor=2.0),
        lambda: train.OneCycle(rise=0.0),
        lambda: train.Adaptive(factor=1.0),
        lambda: train.Adaptive(patience=-1),
        lambda: train.EarlyStopping(patience=-1),
        lambda: train.EarlyStopping(min_delta=-0.1),
    ],
)
def test_impossible_settings_are_refused(make):
    with pytest.raises(train.FitError):
        make()


# Stopping -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "min_delta", "expected"),
    [
        ([], 0.0, []),
        ([1], 0.0, [True]),
        ([1, 1], 0.0, [True, False]),
        ([1, 0.99, 0.98], 0.015, [True, False, False]),
        ([1, 2, 0.5], 0.0, [True, False, True]),
        ([1, math.nan, 0.5], 0.0, [True, False, True]),
        ([math.nan, 1.0, 2.0], 0.0, [True, False, False]),
    ],
)
def test_what_counts_as_an_improvement(values, min_delta, expected):
    assert improved(values, min_delta).tolist() == expected


def test_early_stopping_counts_like_scikit_learn():
    """Held against its rule as code: the best so far moves by any improvement."""
    rng = np.random.default_rng(0)
    for tol, patience in ((0.0, 2), (0.05, 3), (0.2, 5)):
        values = np.abs(rng.normal(size=200)).cumsum()[::-1] / 50 + rng.random(200) / 3
        best, count, stop = math.inf, 0, None
        for epoch, value in enumerate(values, start=1):
            count = count + 1 if value > best - tol else 0
            best = min(best, value)
            if count > patience:
                stop = epoch
                break
        stopping = train.EarlyStopping(patience, tol)
        ours = next((n for n in range(1, 201) if stopping.enough(values[:n])), None)
        assert ours == stop and stop is not None


def test_greater_may_be_better():
    stopping = train.EarlyStopping(patience=0, greater_is_better=True)
    assert not stopping.enough([0.1, 0.2]) and stopping.enough([0.2, 0.1])
    assert nn.from_data(nn.to_data(stopping)) == stopping
