"""Where people meet the engine: scikit-learn's contract, tables in, predictions out.

`TabularClassifier` and `TabularRegressor` take raw tables; `MLPClassifier` and
`MLPRegressor` take what scikit-learn's estimators of those names take. `load` brings
any of them back from a model file.
"""

from weft.estimators.loading import load
from weft.estimators.mlp_classifier import MLPClassifier
from weft.estimators.mlp_regressor import MLPRegressor
from weft.estimators.modelfile import ModelFileError
from weft.estimators.tabular import TabularClassifier, TabularRegressor

__all__ = [
    "MLPClassifier",
    "MLPRegressor",
    "ModelFileError",
    "TabularClassifier",
    "TabularRegressor",
    "load",
]
