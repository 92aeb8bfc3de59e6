"""Trees are taken apart and put together, and nothing is left behind."""

import gc
from collections import namedtuple

import numpy as np
import pytest

import weft
from weft.graph.errors import GraphError
from weft.graph.tree import flatten, paths, unflatten

Pair = namedtuple("Pair", "left right")
TREE = {"a": [1, (2, 3)], "b": Pair(4, {"c": 5}), "d": []}


def test_a_tree_comes_back_as_it_was():
    leaves, structure = flatten(TREE)
    assert leaves == [1, 2, 3, 4, 5]
    again = unflatten(structure, leaves)
    assert again == TREE
    assert type(again["b"]) is Pair
    assert paths(TREE) == ["a/0", "a/1/0", "a/1/1", "b/0", "b/1/c"]


@pytest.mark.parametrize(("leaves", "said"), [([1] * 4, "fewer"), ([1] * 6, "more")])
def test_leaves_and_places_are_as_many(leaves, said):
    with pytest.raises(GraphError, match=f"{said} leaves were given"):
        unflatten(flatten(TREE)[1], leaves)


def garbage(call):
    """Return how many objects a call leaves to the garbage collector."""
    call()
    gc.collect()
    gc.disable()
    try:
        call()
        return gc.collect()
    finally:
        gc.enable()


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_calls_leave_no_garbage(engine):
    leaves, structure = flatten(TREE)
    for call in (
        lambda: flatten(TREE),
        lambda: unflatten(structure, leaves),
        lambda: paths(TREE),
    ):
        assert garbage(call) == 0
    x = weft.input("x", (3,), "float64")
    outputs = {"a": weft.exp(x), "b": [weft.sin(x)]}
    program = weft.compile([x], outputs, engine=engine)
    assert garbage(lambda: program(np.ones(3))) == 0
