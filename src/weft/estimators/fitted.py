"""What an estimator keeps of a fit, and how it becomes part of a model file.

Everything here is arrays and plain data. Programs are made from it when they are needed
and are never part of an estimator's state.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from weft import nn, train
from weft.estimators.modelfile import ModelFileError
from weft.graph.errors import WeftError
from weft.graph.tree import flatten, paths, unflatten
from weft.tables import Encoding

Array = NDArray[Any]


@final
@dataclass(frozen=True)
class FitSummary:
    """How a fit went.

    Parameters
    ----------
    train_rows, validation_rows : int
        Rows that the parameters were fitted to, and rows that decided when to stop.
    batch_size : int
    epochs : int
        How many were done.
    best_epoch : int
        The one whose parameters were kept, from 1.
    stopped : str
        Why it ended: "epochs", "patience", "interrupted", "diverged", ...
    message : str
        The same in words.
    seconds : float
    """

    train_rows: int
    validation_rows: int
    batch_size: int
    epochs: int
    best_epoch: int
    stopped: str
    message: str
    seconds: float

    @staticmethod
    def of(
        fit: train.Fit, train_rows: int, validation_rows: int, batch_size: int
    ) -> "FitSummary":
        """Return the summary of a fit."""
        return FitSummary(
            train_rows,
            validation_rows,
            batch_size,
            len(fit.history),
            fit.best_epoch,
            fit.stopped,
            fit.message,
            fit.seconds,
        )


# Parameters as tensors --------------------------------------------------------------


def to_tensors(params: Mapping[str, Any], prefix: str = "params") -> dict[str, Array]:
    """Return a tree of arrays as named arrays.

    Examples
    --------
    >>> list(to_tensors({"0": {"W": np.zeros(1)}}))
    ['params/0/W']
    """
    found, _ = flatten(params)
    names = [f"{prefix}/{path}" for path in paths(params)]
    return dict(zip(names, found, strict=True))


def from_tensors(
    tensors: Mapping[str, Array],
    network: nn.Network,
    in_features: int,
    prefix: str = "params",
) -> dict[str, Any]:
    """Return the tree of a network's parameters from named arrays.

    Raises
    ------
    ModelFileError
        If one is missing or has another shape than the network says.
    """
    stated = network.parameters(in_features)
    wanted, structure = flatten(stated)
    found = []
    for path, part in zip(paths(stated), wanted, strict=True):
        array = tensors.get(f"{prefix}/{path}")
        if array is None or array.shape != part.shape:
            raise ModelFileError(
                f"the model file does not hold the parameter {path!r} of shape "
                f"{part.shape} that its network has"
            )
        found.append(array)
    tree: dict[str, Any] = unflatten(structure, found)
    return tree


# Settings and history as JSON -------------------------------------------------------


def settings_to_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return constructor arguments as JSON data.

    Raises
    ------
    WeftError
        If one is neither plain data nor a description.
    """
    return {name: _plain(name, value) for name, value in settings.items()}


def _plain(name: str, value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, np.floating, np.integer)):
        number = value.item() if isinstance(value, np.generic) else value
        return number if math.isfinite(number) else {"float": repr(float(number))}
    if isinstance(value, Encoding):
        return {"encoding": asdict(value)}
    if isinstance(value, nn.Description):
        return {"description": nn.to_data(value)}
    if isinstance(value, np.random.RandomState):
        return None  # its state is no setting: a later fit draws anew
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(name, part) for part in value]
    if isinstance(value, Mapping):
        pairs = [[_plain(name, k), _plain(name, v)] for k, v in value.items()]
        return {"mapping": pairs}
    if callable(value):
        return {"description": nn.to_data(nn.unit(value))}
    raise WeftError(
        f"the setting {name}={value!r} cannot be saved: give plain data or a "
        "description such as nn.ReLU()"
    )


def settings_from_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the constructor arguments that `settings_to_json` wrote."""
    return {name: _value(part) for name, part in data.items()}


def _value(data: Any) -> Any:
    if isinstance(data, list):
        return tuple(_value(part) for part in data)
    if not isinstance(data, dict):
        return data
    if "float" in data:
        return float(data["float"])
    if "encoding" in data:
        return Encoding(**data["encoding"])
    if "mapping" in data:
        return {_value(k): _value(v) for k, v in data["mapping"]}
    return nn.from_data(data["description"])


def history_to_json(history: train.History) -> dict[str, list[float | None]]:
    """Return a history as JSON data; NaN becomes null."""
    return {
        name: [value if math.isfinite(value) else None for value in values]
        for name, values in history.as_dict().items()
    }


def history_from_json(data: Mapping[str, Any]) -> train.History:
    """Return the history that `history_to_json` wrote."""
    columns = {
        name: [math.nan if v is None else float(v) for v in values]
        for name, values in data.items()
    }
    own = ("cost", "nll", "validation", "lr", "seconds")
    extra = [name for name in columns if name not in own]
    return train.History(
        tuple(
            train.Epoch(
                number=i + 1,
                metrics={name: columns[name][i] for name in extra},
                **{name: columns[name][i] for name in own},
            )
            for i in range(len(columns.get("cost", [])))
        )
    )
