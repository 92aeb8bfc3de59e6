"""Random graphs: native equals reference, in values and in gradients.

What Hypothesis shrinks a failure to is printed as text, with the sizes it fails at.
"""

import math

import numpy as np
from hypothesis import given, note, settings

import weft
from weft.graph.dim import resolve
from weft.testing.strategies import graphs

SIZES = (0, 1, 7, 8, 1000)
# A gradient may come to nothing but rounding: what is added up to it is not smaller.
LEAST = 0.01
# Values and gradients beyond this say that the graph multiplies what is rounded.
TAME = 30
# A batch times itself, and again, would fill any memory: so many elements per node.
MOST = 100_000
# A hundred graphs and more at first, thousands in the full tier.
FEW = settings(max_examples=settings().max_examples // 2)


def with_gradients(graph):
    """Return the output of a graph, and how its mean changes with every leaf."""
    slopes = weft.grad(weft.mean(weft.sin(graph.output)), list(graph.leaves))
    named = zip((leaf.name for leaf in graph.leaves), slopes, strict=True)
    return {"value": graph.output, **{f"by {name}": slope for name, slope in named}}


def rows_like(value, count):
    """Return as many rows as wanted, each a little different from one of `value`."""
    rng = np.random.default_rng(count)
    rows = value[rng.integers(0, len(value), count)]
    return (rows * rng.uniform(0.98, 1.02, rows.shape)).astype(value.dtype)


def split(graph):
    """Return the inputs of a graph and the values of its parameters."""
    inputs = [leaf for leaf in graph.leaves if leaf.op.name == "input"]
    return inputs, {p: v for p, v in graph.feed.items() if p not in inputs}


def check(graph, agree):
    note(weft.text(graph.output))
    inputs, held = split(graph)
    arrays = [graph.feed[x] for x in inputs]
    agree(inputs, with_gradients(graph), arrays, state=held, least=LEAST)


def is_small(outputs, size):
    """Tell whether all that is computed has few elements, before any is computed."""
    shapes = (node.shape for node in weft.topological(list(outputs.values())))
    return all(
        math.prod(resolve(length, {"n": size}) for length in shape) <= MOST
        for shape in shapes
    )


def is_tame(outputs, feed):
    """Tell whether rounding stays small: other rows may lead far from those drawn."""
    values = weft.evaluate(list(outputs.values()), feed)
    return all(np.all(np.abs(v) < TAME) for v in values if np.isfinite(v).all())


def check_batches(graph, agree):
    note(weft.text(graph.output))
    inputs, held = split(graph)
    outputs = with_gradients(graph)
    feeds = [
        {x: rows_like(graph.feed[x], size) for x in inputs}
        for size in SIZES
        if is_small(outputs, size)
    ]
    tame = [list(feed.values()) for feed in feeds if is_tame(outputs, feed | held)]
    agree(inputs, outputs, *tame, state=held, least=LEAST)


@given(graph=graphs(kinks=True))
def test_graphs(graph, agree):
    check(graph, agree)


@FEW
@given(graph=graphs(kinks=True, dtype="float32"))
def test_graphs_in_float32(graph, agree):
    check(graph, agree)


@given(graph=graphs(kinks=True, batch="n"))
def test_batches(graph, agree):
    """The same program for batches of any size."""
    check_batches(graph, agree)


@FEW
@given(graph=graphs(kinks=True, batch="n", dtype="float32"))
def test_batches_in_float32(graph, agree):
    check_batches(graph, agree)
