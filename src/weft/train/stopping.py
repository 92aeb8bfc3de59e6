"""When to stop: how long a measure may fail to improve."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.nn.description import Description, register
from weft.train.errors import FitError


def improved(values: Any, min_delta: float = 0.0) -> np.ndarray[Any, Any]:
    """Tell for each epoch whether it improved on all before it.

    Parameters
    ----------
    values : sequence of float
        Smaller is better; NaN never improves.
    min_delta : float
        By how much at least.

    Returns
    -------
    numpy.ndarray of bool
        True for the first epoch.

    Examples
    --------
    >>> improved([3.0, 2.0, 2.5, 1.95], min_delta=0.1).tolist()
    [True, True, False, False]
    """
    array = np.asarray(values, np.float64)
    best = np.fmin.accumulate(array) if array.size else array
    better = np.ones(array.shape, bool)
    better[1:] = (array[1:] < best[:-1]) & (array[1:] <= best[:-1] - min_delta)
    return better


@final
@dataclass(frozen=True, repr=False)
class EarlyStopping(Description):
    """Stop when a measure has failed to improve for more than `patience` epochs.

    Book, Algorithm 7.1. The parameters of the best epoch are kept. What is compared
    with is always the best so far, as in scikit-learn, so that many small improvements
    add up.

    Parameters
    ----------
    patience : int
        At least 0.
    min_delta : float
        How much better than the best so far counts as an improvement.
    metric : str
        "validation" (the cost of the validation rows), "cost" (of the training rows),
        or the name of one of the metrics given to `fit`.
    greater_is_better : bool
        For a metric such as accuracy.

    Examples
    --------
    >>> stopping = EarlyStopping(patience=1)
    >>> stopping.fails([1.0, 0.5, 0.6, 0.7]), stopping.enough([1.0, 0.5, 0.6, 0.7])
    (2, True)
    """

    patience: int = 10
    min_delta: float = 0.0
    metric: str = "validation"
    greater_is_better: bool = False

    def __post_init__(self) -> None:
        if self.patience < 0 or self.min_delta < 0:
            raise FitError(
                f"patience is {self.patience} and min_delta {self.min_delta}: neither "
                "can be negative"
            )

    def fails(self, values: Any) -> int:
        """Return how many epochs in a row, up to the last, did not improve."""
        losses = -np.asarray(values) if self.greater_is_better else values
        better = improved(losses, self.min_delta)
        return int(len(better) - 1 - np.flatnonzero(better)[-1]) if len(better) else 0

    def enough(self, values: Any) -> bool:
        """Tell whether it is time to stop."""
        return self.fails(values) > self.patience


register(EarlyStopping)
