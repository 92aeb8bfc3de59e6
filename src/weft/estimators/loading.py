"""From a model file back to an estimator."""

from pathlib import Path
from typing import Any

from weft.estimators import modelfile
from weft.estimators.mlp_classifier import MLPClassifier
from weft.estimators.mlp_regressor import MLPRegressor
from weft.estimators.modelfile import ModelFileError
from weft.estimators.tabular import TabularClassifier, TabularRegressor
from weft.graph.errors import WeftError

_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor)
}


def load(path: str | Path) -> Any:
    """Read an estimator from the file that its `save` wrote.

    Nothing in the file is executed.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    estimator
        Predicts with the same bits as the one that was saved.

    Raises
    ------
    ModelFileError
        If there is no such file, or it is not a model file, is damaged, or was written
        by a newer version of weft.
    """
    tensors, metadata = modelfile.read(path)
    kind = _KINDS.get(metadata.get("estimator", ""))
    if kind is None:
        raise ModelFileError(
            f"{path} holds a {metadata.get('estimator')!r}, which this version of weft "
            "does not know"
        )
    try:
        return kind.from_parts(tensors, metadata)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, WeftError):
            raise ModelFileError(f"{path} cannot be used: {error}") from error
        raise ModelFileError(f"{path} is not whole: {error!r}") from error
