"""The programs an estimator predicts with: made when first needed, kept beside it.

They are no part of an estimator's state, which is arrays and plain data: nothing of
them is copied, pickled or saved, and predicting changes nothing about the estimator.
"""

from typing import Any
from weakref import WeakKeyDictionary

from weft.nn import Network
from weft.train import Evaluator

_made: WeakKeyDictionary[Any, tuple[Any, Evaluator]] = WeakKeyDictionary()


def evaluator_of(
    estimator: Any, network: Network, in_features: int, dtype: Any = "float32"
) -> Evaluator:
    """Return the evaluator of a fitted estimator's network.

    Parameters
    ----------
    estimator : object
        Its attribute `engine` says what computes.
    network : Network
    in_features : int
    dtype : str or numpy.dtype

    Returns
    -------
    Evaluator
        The same one until the network, its inputs or the engine change.
    """
    key = (network, in_features, str(dtype), estimator.engine)
    known = _made.get(estimator)
    if known is None or known[0] != key:
        evaluator = Evaluator(network, in_features, dtype, engine=estimator.engine)
        known = _made[estimator] = (key, evaluator)
    return known[1]
