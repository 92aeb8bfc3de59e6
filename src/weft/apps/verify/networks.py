"""What a network is: a chain of functions, drawn in two ways; width and depth (6.4)."""

import json
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import numpy as np

import weft
from weft.apps.verify.claim import Evidence, at_most, claim, evidence, exactly, true
from weft.apps.verify.tools import Array, drawn, gap, rng, same_bits
from weft.graph.tree import flatten

nn = weft.nn

_INPUTS, _WIDTHS = 4, (5, 3)


def _network() -> tuple[Any, Any]:
    """Return a network of two hidden layers, and its parameters."""
    network = nn.mlp(_WIDTHS, ["tanh", "relu"], nn.Gaussian())
    return network, drawn(network.init(seed=3, in_features=_INPUTS))


def _given(network: Any, values: Any, x: Any, rows: Array) -> tuple[Any, Any]:
    """Return the symbols of a network's parameters, and what to feed."""
    params = network.symbols(_INPUTS, "float64")
    leaves = zip(flatten(params)[0], flatten(values)[0], strict=True)
    return params, {**dict(leaves), x: rows}


@claim(
    "S1",
    "a network is a chain of functions, without feedback",
    "Multilayer perceptrons (MLP)",
)
def chain() -> Evidence:
    """f(x) = f3(f2(f1(x))): each layer is a function of its own, and one after the
    other they are the network, to the last bit; a graph that feeds back is refused.
    """
    network, values = _network()
    rows = rng().normal(size=(20, _INPUTS))
    x = weft.input("x", ("n", _INPUTS), "float64")
    params, feed = _given(network, values, x, rows)
    whole = weft.evaluate(network.forward(params, x, nn.Predict())[0], feed)
    h, functions = rows, 0
    for name, layer in zip(values, [*network.layers, network.output], strict=True):
        # A graph of its own for each function: numbers go in, and numbers come out.
        at = weft.input("h", ("n", h.shape[1]), "float64")
        own = {key: weft.constant(value) for key, value in values[name].items()}
        if layer is network.output:
            node = at @ own["W"] + own["b"]
        else:
            node, _ = layer(own, at, nn.Predict())
        h, functions = weft.evaluate(node, {at: h}), functions + 1
    written = json.loads(weft.to_json([weft.tanh(x + 1)]))
    written["nodes"][2]["inputs"] = [3, 1]  # x + 1 is made to need tanh(x + 1)
    try:
        weft.from_json(json.dumps(written))
        refused = ""
    except weft.GraphError as error:
        refused = str(error)
    return evidence(
        f"{functions} functions one after the other give the bits of the network; "
        f"feedback: {refused}",
        exactly("functions in the chain", functions, len(_WIDTHS) + 1),
        true("the same bits", same_bits(h, whole)),
        true("feedback is refused", "before its inputs" in refused),
    )


def _drawn(picture: Any) -> dict[str, int]:
    """Count the boxes and the arrows in the text of a picture."""
    groups = [g.get("class") for g in ElementTree.fromstring(picture.svg).iter()]
    return {kind: groups.count(kind) for kind in ("node", "edge")}


@claim("S10", "two ways to draw a network", "Figure 6.2")
def drawings() -> Evidence:
    """One picture has a node for each unit and an arrow for each weight, the other a
    node for each layer and an arrow between one and the next.
    """
    shapes = ((2, 2, 1), (4, 5, 3, 1), (3, 7, 6, 2, 2))
    wrong, said = 0, ""
    for sizes in shapes:
        inputs, *widths, outputs = sizes
        network = nn.mlp(widths, "relu", nn.Gaussian(outputs))
        found = {
            style: _drawn(weft.draw(network, in_features=inputs, style=style))
            for style in ("neurons", "layers")
        }
        weights = sum(a * b for a, b in pairwise(sizes))
        wanted = {
            "neurons": {"node": sum(sizes), "edge": weights},
            "layers": {"node": len(sizes), "edge": len(sizes) - 1},
        }
        wrong += sum(found[style] != counts for style, counts in wanted.items())
        said = ", ".join(
            f"by {style} {counts['node']} nodes and {counts['edge']} arrows"
            for style, counts in found.items()
        )
    return evidence(
        f"{len(shapes)} networks; {'-'.join(map(str, shapes[-1]))}: {said}",
        exactly("pictures with a wrong count", wrong, 0),
    )


@claim("S44", "width and depth", "Architecture Basics")
def architecture() -> Evidence:
    """h1 = g1(W1'x + b1), h2 = g2(W2'h1 + b2): the list of widths says how deep and how
    wide a network is, and so how many parameters it has.
    """
    network, values = _network()
    rows = rng(1).normal(size=(30, _INPUTS))
    x = weft.input("x", ("n", _INPUTS), "float64")
    params, feed = _given(network, values, x, rows)
    found = weft.evaluate([network.hidden(params, x, k) for k in (0, 1)], feed)
    h1 = np.tanh(rows @ values["0"]["W"] + values["0"]["b"])
    h2 = np.maximum(0, h1 @ values["1"]["W"] + values["1"]["b"])
    sizes = (_INPUTS, *_WIDTHS, 1)
    count = sum((a + 1) * b for a, b in pairwise(sizes))
    total = network.summary(_INPUTS).splitlines()[-1].split()[-1]
    return evidence(
        f"depth {len(network.layers) + 1}, widths {_WIDTHS}, {count} parameters; both "
        "hidden layers as by hand",
        exactly("depth", len(network.layers) + 1, 3),
        true("widths", tuple(h.shape[1] for h in found) == _WIDTHS),
        at_most("h1", gap(found[0], h1), 1e-15),
        at_most("h2", gap(found[1], h2), 1e-15),
        exactly("parameters", sum(v.size for v in flatten(values)[0]), count),
        exactly("parameters, as the summary says", int(total), count),
    )


CLAIMS = (chain, drawings, architecture)
