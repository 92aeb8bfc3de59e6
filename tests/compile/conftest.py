"""Engines side by side: what one computes is held against what the other does."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import weft

Array = np.ndarray

# How far a value may be off, relative to the largest of its array.
ROOM = {"float64": 1e-12, "float32": 2e-5}


def difference(found: Any, expected: Any, room: float, least: float = 1e-30) -> str:
    """Say how an array differs from the expected one; "" if it does not.

    Whole numbers, truth values, NaN and infinities have to be the same; other floats
    may be off by `room` times the largest, or `least` if all are smaller.
    """
    found, expected = np.asarray(found), np.asarray(expected)
    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        return f"{found.dtype}{found.shape} for {expected.dtype}{expected.shape}"
    with np.printoptions(threshold=20):
        shown = f"{found}\nfor\n{expected}"
    if expected.dtype.kind != "f":
        return "" if np.array_equal(found, expected) else shown
    finite = np.isfinite(expected)
    if not np.array_equal(found[~finite], expected[~finite], equal_nan=True):
        return shown
    scale = np.max(np.abs(expected[finite]), initial=least)
    off = np.max(np.abs(found[finite] - expected[finite]), initial=0.0) / scale
    return "" if off <= room else f"off by {off:.2g}:\n{shown}"


def check_agreement(
    inputs: Sequence[weft.Node],
    outputs: Mapping[str, weft.Node],
    *feeds: Sequence[Any],
    state: Mapping[weft.Node, Any] | None = None,
    least: float = 1e-30,
) -> None:
    """Compute named outputs with both engines, for every feed, and compare them.

    Where anything is float32, no more than its digits can be asked for.
    """
    types = {node.dtype.name for node in weft.topological(list(outputs.values()))}
    room = max(ROOM[name] for name in types | {"float64"} if name in ROOM)
    native, reference = (
        weft.compile(inputs, dict(outputs), state=state, engine=engine)
        for engine in ("native", "reference")
    )
    for arrays in feeds:
        found, expected = native(*arrays), reference(*arrays)
        for name, node in outputs.items():
            said = difference(found[name], expected[name], room, least)
            fed = [np.shape(a) for a in arrays]
            assert not said, f"{name} for {fed}: {said}\n{weft.text(node)}"


@pytest.fixture(scope="session")
def agree() -> Callable[..., None]:
    """Hold native against reference: ``agree(inputs, {name: node}, arrays, ...)``."""
    return check_agreement


@pytest.fixture(scope="session")
def differs() -> Callable[..., str]:
    """Say how two arrays differ: ``differs(found, expected)`` is "" if they do not."""
    return difference
