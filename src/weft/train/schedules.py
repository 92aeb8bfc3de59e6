"""Schedules: the learning rates of the coming epoch, one per step.

A schedule is a frozen description and a pure function of where the fit stands
(`Ahead`): asked twice it says the same, and a fit that is continued goes on where it
stopped.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from weft.nn.description import Description, register
from weft.train.errors import FitError
from weft.train.history import History
from weft.train.stopping import improved

Array = np.ndarray[Any, Any]


@final
@dataclass(frozen=True)
class Ahead:
    """Where a fit stands before an epoch.

    Parameters
    ----------
    lr : float
        The optimizer's own learning rate.
    epoch : int
        The number of epochs done so far.
    epochs : int
        How many there will be in the end.
    steps : int
        The number of steps of an epoch.
    rows : int
        The number of training rows.
    history : History
        The epochs so far.

    Examples
    --------
    >>> Ahead(0.1, epoch=1, epochs=2, steps=2, rows=8).progress
    array([0.5 , 0.75])
    """

    lr: float
    epoch: int
    epochs: int
    steps: int
    rows: int
    history: History = field(default_factory=History)

    @property
    def progress(self) -> Array:
        """How much of the whole fit lies before each step of the epoch, in [0, 1)."""
        done = self.epoch * self.steps + np.arange(self.steps)
        return np.asarray(done / max(self.epochs * self.steps, 1))


class Schedule(Description, ABC):
    """A rule for the learning rate.

    A class of one's own defines `rates`, and `finished` where it may end the fit.

    Examples
    --------
    >>> @dataclass(frozen=True, repr=False)
    ... class Halving(Schedule):
    ...     def rates(self, ahead):
    ...         return np.full(ahead.steps, ahead.lr * 0.5**ahead.epoch)
    >>> Halving().rates(Ahead(0.1, epoch=1, epochs=9, steps=2, rows=8))
    array([0.05, 0.05])
    """

    @abstractmethod
    def rates(self, ahead: Ahead) -> Array:
        """Return the learning rates of the coming epoch.

        Parameters
        ----------
        ahead : Ahead

        Returns
        -------
        numpy.ndarray, shape (steps,)
        """

    def finished(self, ahead: Ahead) -> bool:
        """Tell whether the fit should stop here; never, by default."""
        return False


def _same(rate: float, ahead: Ahead) -> Array:
    return np.full(ahead.steps, rate)


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < float("inf"):
            raise FitError(f"{name} is {value}: give a number above 0")


@final
@dataclass(frozen=True, repr=False)
class ConstantRate(Schedule):
    """The optimizer's learning rate throughout.

    Examples
    --------
    >>> ConstantRate().rates(Ahead(0.1, epoch=0, epochs=9, steps=2, rows=8))
    array([0.1, 0.1])
    """

    def rates(self, ahead: Ahead) -> Array:
        """Return lr for each step."""
        return _same(ahead.lr, ahead)


@final
@dataclass(frozen=True, repr=False)
class InverseScaling(Schedule):
    """lr / (t + 1)^power, with t the number of rows seen before the epoch.

    The meaning of scikit-learn's ``learning_rate="invscaling"``.

    Parameters
    ----------
    power : float
        Above 0.

    Examples
    --------
    >>> InverseScaling(0.5).rates(Ahead(0.1, epoch=1, epochs=9, steps=1, rows=99))
    array([0.01])
    """

    power: float = 0.5

    def __post_init__(self) -> None:
        _positive(power=self.power)

    def rates(self, ahead: Ahead) -> Array:
        """Return the same rate for each step of the epoch."""
        seen = ahead.epoch * ahead.rows
        return _same(ahead.lr / (seen + 1) ** self.power, ahead)


@final
@dataclass(frozen=True, repr=False)
class Exponential(Schedule):
    """lr * factor^epoch.

    Parameters
    ----------
    factor : float
        Above 0, usually a little below 1.

    Examples
    --------
    >>> Exponential(0.5).rates(Ahead(0.1, epoch=1, epochs=9, steps=1, rows=8))
    array([0.05])
    """

    factor: float = 0.95

    def __post_init__(self) -> None:
        _positive(factor=self.factor)

    def rates(self, ahead: Ahead) -> Array:
        """Return the same rate for each step of the epoch."""
        return _same(ahead.lr * self.factor**ahead.epoch, ahead)


@final
@dataclass(frozen=True, repr=False)
class StepDecay(Schedule):
    """lr multiplied by `factor` after every so many epochs.

    Parameters
    ----------
    every : int
        At least 1.
    factor : float
        Above 0.

    Examples
    --------
    >>> StepDecay(every=2).rates(Ahead(1.0, epoch=5, epochs=9, steps=1, rows=8))
    array([0.01])
    """

    every: int = 30
    factor: float = 0.1

    def __post_init__(self) -> None:
        _positive(every=self.every, factor=self.factor)

    def rates(self, ahead: Ahead) -> Array:
        """Return the same rate for each step of the epoch."""
        return _same(ahead.lr * self.factor ** (ahead.epoch // self.every), ahead)


@final
@dataclass(frozen=True, repr=False)
class Cosine(Schedule):
    """A short rise from 0 to lr, then half a cosine down to a floor, step by step.

    Loshchilov and Hutter (2017), "SGDR", without restarts.

    Parameters
    ----------
    warmup : float
        The part of the whole fit that the rise takes, in [0, 1).
    floor : float
        The last rate as a part of lr, in [0, 1].

    Examples
    --------
    >>> Cosine().rates(Ahead(1.0, epoch=1, epochs=2, steps=2, rows=8)).round(3)
    array([0.5  , 0.146])
    """

    warmup: float = 0.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.warmup < 1 and 0 <= self.floor <= 1):
            raise FitError(
                f"Cosine with warmup {self.warmup} and floor {self.floor}: both are "
                "parts, between 0 and 1"
            )

    def rates(self, ahead: Ahead) -> Array:
        """Return one rate for each step."""
        # The rise ends at its last step, so that no step has rate 0.
        total = max(ahead.epochs * ahead.steps, 1)
        rising = (ahead.progress + 1 / total) / max(self.warmup, 1 / total)
        left = (ahead.progress - self.warmup) / (1 - self.warmup)
        wave = 0.5 * (1 + np.cos(math.pi * np.clip(left, 0, 1)))
        falling = self.floor + (1 - self.floor) * wave
        return np.asarray(ahead.lr * np.minimum(rising, 1) * falling)


@final
@dataclass(frozen=True, repr=False)
class OneCycle(Schedule):
    """From lr / start up to lr and down to lr / end, along two half cosines.

    Smith and Topin (2019), "Super-convergence".

    Parameters
    ----------
    rise : float
        The part of the whole fit that goes up, in (0, 1).
    start, end : float
        What lr is divided by at first and at last.

    Examples
    --------
    >>> ahead = Ahead(1.0, epoch=0, epochs=1, steps=5, rows=8)
    >>> OneCycle(rise=0.4).rates(ahead).round(2)
    array([0.04, 0.52, 1.  , 0.75, 0.25])
    """

    rise: float = 0.3
    start: float = 25.0
    end: float = 1e4

    def __post_init__(self) -> None:
        _positive(start=self.start, end=self.end)
        if not 0 < self.rise < 1:
            raise FitError(f"rise is {self.rise}: give a part between 0 and 1")

    def rates(self, ahead: Ahead) -> Array:
        """Return one rate for each step."""
        t = ahead.progress
        up = 0.5 * (1 - np.cos(math.pi * np.clip(t / self.rise, 0, 1)))
        fall = np.clip((t - self.rise) / (1 - self.rise), 0, 1)
        down = 0.5 * (1 + np.cos(math.pi * fall))
        rising = 1 / self.start + (1 - 1 / self.start) * up
        falling = 1 / self.end + (1 - 1 / self.end) * down
        return np.asarray(ahead.lr * np.where(t < self.rise, rising, falling))


@final
@dataclass(frozen=True, repr=False)
class Adaptive(Schedule):
    """lr divided by `factor` whenever a measure fails to improve for too long.

    The meaning of scikit-learn's ``learning_rate="adaptive"``: after more than
    `patience` epochs in a row without improvement the rate is divided and the count
    starts again; once the rate is at or below `least`, the fit ends instead.

    Parameters
    ----------
    patience : int
        1 divides after two failures in a row.
    min_delta : float
        How much better than the best so far counts as an improvement.
    factor : float
        Above 1.
    least : float
    metric : str
        As in `EarlyStopping`.
    greater_is_better : bool

    Examples
    --------
    >>> from weft.train import Epoch, History
    >>> costs = [1.0, 1.0, 1.0]
    >>> epochs = [Epoch(i, c, c, 0.0, 0.5, 0.0) for i, c in enumerate(costs)]
    >>> ahead = Ahead(0.5, epoch=3, epochs=9, steps=1, rows=8, history=History(epochs))
    >>> Adaptive(patience=1).rates(ahead)
    array([0.1])
    """

    patience: int = 1
    min_delta: float = 1e-4
    factor: float = 5.0
    least: float = 1e-6
    metric: str = "cost"
    greater_is_better: bool = False

    def __post_init__(self) -> None:
        if self.patience < 0 or not self.factor > 1:
            raise FitError(
                f"Adaptive with patience {self.patience} and factor {self.factor}: "
                "patience is at least 0, and factor above 1"
            )

    def _walk(self, ahead: Ahead) -> tuple[float, bool]:
        values = ahead.history[self.metric]
        if self.greater_is_better:
            values = -values
        rate, fails = ahead.lr, 0
        for better in improved(values, self.min_delta):
            fails = 0 if better else fails + 1
            if fails > self.patience:
                if rate <= self.least:
                    return rate, True
                rate, fails = rate / self.factor, 0
        return rate, False

    def rates(self, ahead: Ahead) -> Array:
        """Return the same rate for each step of the epoch."""
        return _same(self._walk(ahead)[0], ahead)

    def finished(self, ahead: Ahead) -> bool:
        """Tell whether the rate would fall below the least one."""
        return self._walk(ahead)[1]


register(
    ConstantRate, InverseScaling, Exponential, StepDecay, Cosine, OneCycle, Adaptive
)
