"""What a contestant is asked for.

Each library's module has some of the functions `train`, `hvp` and `predict`. Each takes
a problem and a setting and returns an *epoch*: a function that takes the order of the
rows, does all steps, and returns a number by which contestants are compared: the mean
cost of the steps, ``v' H v``, or the mean of the first probability.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

Epoch = Callable[[np.ndarray], float]


@final
@dataclass(frozen=True)
class Setting:
    """How a contestant runs.

    Parameters
    ----------
    threads : int
    variant : str
        JAX: "scan", or "step" for one call per step.
    engine : str
        weft's.
    """

    threads: int = 1
    variant: str = ""
    engine: str = "auto"
