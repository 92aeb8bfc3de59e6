"""Descriptions: frozen data that say what a network is made of.

A description is a frozen dataclass whose fields are numbers, strings, tuples and other
descriptions. It holds no values that are learnt, prints as the call that makes it, is
equal to every other one that says the same, and can be written as plain JSON data and
read back (`to_data`, `from_data`). Reading builds registered classes only; nothing is
executed from a file.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, Self

from weft.graph.errors import WeftError


class DescriptionError(WeftError, ValueError):
    """A description that cannot be written or read, or a name that is not known."""


class Description:
    """Base of all descriptions.

    A class of one's own derives from one of the abstract bases (`Layer`, `HiddenUnit`,
    `OutputUnit`, ...), is declared with ``@dataclass(frozen=True, repr=False)``, and is
    made known to `from_data` by `register`.

    Examples
    --------
    >>> from weft import nn
    >>> nn.Affine(64), nn.LeakyReLU(0.2), nn.Dense(8, nn.ReLU(), dropout=0.5)
    (Affine(64), LeakyReLU(0.2), Dense(8, ReLU(), dropout=0.5))
    """

    def __repr__(self) -> str:
        shown: list[str] = []
        for i, field in enumerate(_fields(self)):
            value = getattr(self, field.name)
            if not _is_default(field, value):
                plain = i == 0 or field.default is MISSING
                shown.append(repr(value) if plain else f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def to_fields(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {f.name: to_data(getattr(self, f.name)) for f in _fields(self)}

    @classmethod
    def from_fields(cls, data: Mapping[str, Any]) -> Self:
        """Build the description from what `to_fields` returned."""
        return cls(**{name: from_data(value) for name, value in data.items()})


def _fields(description: Description) -> tuple[Field[Any], ...]:
    return fields(description)  # type: ignore[arg-type]


def _is_default(field: Field[Any], value: Any) -> bool:
    if field.default is MISSING:
        return False
    return type(value) is type(field.default) and bool(value == field.default)


_kinds: dict[str, type[Description]] = {}


def register(*kinds: type[Description]) -> None:
    """Make classes known to `from_data` by their names.

    Parameters
    ----------
    *kinds : subclasses of Description

    Raises
    ------
    DescriptionError
        If another class has that name.

    Examples
    --------
    >>> from weft import nn
    >>> nn.register(nn.ReLU)  # known already: nothing happens
    """
    for kind in kinds:
        if _kinds.setdefault(kind.__name__, kind) is not kind:
            raise DescriptionError(
                f"there is a description called {kind.__name__!r} already: choose a "
                "new name"
            )


def to_data(value: Any) -> Any:
    """Write a description as plain data: dicts, lists, numbers and strings.

    Parameters
    ----------
    value : Description, number, str, None, or a tuple of them

    Returns
    -------
    dict, list, number, str or None
        Fit for `json.dumps`.

    Raises
    ------
    DescriptionError
        If something in it is not data.

    Examples
    --------
    >>> from weft import nn
    >>> to_data(nn.Dropout(0.5))
    {'kind': 'Dropout', 'p': 0.5}
    """
    if isinstance(value, Description):
        kind = type(value).__name__
        if _kinds.get(kind) is not type(value):
            raise DescriptionError(
                f"{kind} is not registered, so it could not be read back: call "
                f"weft.nn.register({kind})"
            )
        return {"kind": kind, **value.to_fields()}
    if isinstance(value, (tuple, list)):
        return [to_data(part) for part in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise DescriptionError(
        f"{value!r} is not data: a description consists of numbers, strings and other "
        "descriptions"
    )


def from_data(data: Any) -> Any:
    """Build what `to_data` wrote.

    Parameters
    ----------
    data : dict, list, number, str or None

    Returns
    -------
    Description, tuple, number, str or None

    Raises
    ------
    DescriptionError
        If it names a kind that is not known, or is damaged.

    Examples
    --------
    >>> from_data({"kind": "Dropout", "p": 0.5})
    Dropout(0.5)
    """
    if isinstance(data, list):
        return tuple(from_data(part) for part in data)
    if not isinstance(data, dict):
        return data
    content = dict(data)
    name = content.pop("kind", None)
    kind = _kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        raise DescriptionError(
            f"the description names {name!r}, which is not known here: import the "
            "module that registers it, or upgrade weft"
        )
    try:
        return kind.from_fields(content)
    except (TypeError, KeyError, AttributeError) as error:
        raise DescriptionError(
            f"the description of {name} cannot be read, it is damaged or from another "
            f"version ({error})"
        ) from error


def nearest(name: str, known: Iterable[str], what: str) -> DescriptionError:
    """Return the error for a name that is not among `known`, with the nearest one.

    Examples
    --------
    >>> print(nearest("rleu", ["relu", "tanh"], "unit"))
    there is no unit 'rleu': did you mean 'relu'? Known are relu, tanh
    """
    names = sorted(known)
    close = difflib.get_close_matches(name.lower(), names, n=1)
    hint = f" did you mean {close[0]!r}?" if close else ""
    return DescriptionError(
        f"there is no {what} {name!r}:{hint} Known are {', '.join(names)}"
    )
