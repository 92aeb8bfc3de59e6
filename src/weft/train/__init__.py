"""Training: a network and data become fitted parameters.

>>> import numpy as np
>>> from weft import nn, train
>>> X = np.linspace(-1, 1, 50)[:, None]
>>> network = nn.mlp([16], "tanh", nn.Gaussian())
>>> fitted = train.fit(network, X, X[:, 0] ** 2, optimizer=train.LBFGS(), epochs=100)
>>> bool(fitted.dispersion < 1e-4)
True
"""

from weft.train.callbacks import Beginning, Callback, ProgressBar
from weft.train.data import order
from weft.train.errors import DataError, DivergenceWarning, FitError
from weft.train.evaluate import Evaluator
from weft.train.history import Epoch, History
from weft.train.lbfgs import LBFGS
from weft.train.loop import fit
from weft.train.metrics import accuracy, r2, rmse
from weft.train.newton import NewtonCG
from weft.train.optimizers import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Optimizer,
    RMSProp,
    clip_by_norm,
)
from weft.train.result import Fit, State
from weft.train.schedules import (
    Adaptive,
    Ahead,
    ConstantRate,
    Cosine,
    Exponential,
    InverseScaling,
    OneCycle,
    Schedule,
    StepDecay,
)
from weft.train.stopping import EarlyStopping

__all__ = [
    # the fit
    "fit",
    "Fit",
    "State",
    "Epoch",
    "History",
    "Evaluator",
    "order",
    "FitError",
    "DataError",
    "DivergenceWarning",
    # optimizers
    "Optimizer",
    "SGD",
    "Adam",
    "AdamW",
    "RMSProp",
    "AdaGrad",
    "LBFGS",
    "NewtonCG",
    "clip_by_norm",
    # schedules
    "Schedule",
    "Ahead",
    "ConstantRate",
    "InverseScaling",
    "Exponential",
    "StepDecay",
    "Cosine",
    "OneCycle",
    "Adaptive",
    # stopping, metrics, callbacks
    "EarlyStopping",
    "accuracy",
    "rmse",
    "r2",
    "Callback",
    "Beginning",
    "ProgressBar",
]
