"""A graph as data: an exact round trip through JSON.

The document lists the nodes in topological order, each by op name, inputs (positions
in the list) and params, then the tree of outputs. Reading it applies the named ops
again, so shapes and types are inferred anew and held against what is written; nothing
in a document is ever executed. Floats and arrays keep their bits.
"""

import base64
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from weft.graph.dim import Dim, as_dim, as_shape
from weft.graph.dtype import as_dtype
from weft.graph.errors import GraphError, WeftError
from weft.graph.leaf import CONSTANT, INPUT, PARAMETER, Leaf, constant, input, parameter
from weft.graph.node import Node, Operation, intern
from weft.graph.tree import flatten
from weft.graph.walk import topological

FORMAT = "weft-graph"
VERSION = 1

_ops: dict[str, Operation] = {}


def register(op: Operation) -> None:
    """Make `op` known by its name to `from_json`.

    Raises
    ------
    GraphError
        If another op has that name.
    """
    if op.name in _ops or op.name in (INPUT.name, PARAMETER.name, CONSTANT.name):
        raise GraphError(
            f"there is an op called {op.name!r} already: choose a new name"
        )
    _ops[op.name] = op


def unregister(op: Operation) -> None:
    """Make `op` unknown to `from_json`, and its name free."""
    if _ops.get(op.name) is op:
        del _ops[op.name]


def registered() -> dict[str, Operation]:
    """Return every op that is known by name."""
    return dict(_ops)


def to_json(nodes: Any) -> str:
    """Write a graph as JSON.

    Parameters
    ----------
    nodes : Node or tree of Node
        Dicts (with string keys), lists and tuples of nodes.

    Returns
    -------
    str
        A document that `from_json` turns into an equal graph.

    Examples
    --------
    >>> import weft
    >>> x = weft.input("x", ("n",))
    >>> y = weft.from_json(weft.to_json(weft.exp(x)))
    >>> print(weft.text(y), y.shape)
    exp(x) ('n',)
    """
    outputs, _ = flatten(nodes)
    for output in outputs:
        if not isinstance(output, Node):
            what = type(output).__name__
            raise GraphError(f"{what} is neither a node nor a tree of nodes")
    order = topological(outputs)
    index = {node: i for i, node in enumerate(order)}
    document = {
        "format": FORMAT,
        "version": VERSION,
        "nodes": [_node(node, index) for node in order],
        "outputs": _tree(nodes, index),
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def _node(node: Node, index: dict[Node, int]) -> dict[str, Any]:
    written: dict[str, Any] = {
        "op": node.op.name,
        "shape": [_encode(size) for size in node.shape],
        "dtype": str(node.dtype),
    }
    if node.inputs:
        written["inputs"] = [index[i] for i in node.inputs]
    params = {name: _encode(value) for name, value in node.params.items()}
    if params:
        written["params"] = params
    return written


def _tree(tree: Any, index: dict[Node, int]) -> Any:
    if isinstance(tree, Node):
        return index[tree]
    if isinstance(tree, dict):
        if not all(isinstance(key, str) for key in tree):
            raise GraphError("only dicts with string keys can be written as JSON")
        return {"dict": {key: _tree(part, index) for key, part in tree.items()}}
    if type(tree) in (list, tuple):
        return {type(tree).__name__: [_tree(part, index) for part in tree]}
    raise GraphError(f"{type(tree).__name__} is neither a node nor a tree of nodes")


def _encode(value: Any) -> Any:
    if isinstance(value, tuple):
        return {"tuple": [_encode(part) for part in value]}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, Dim):
        return {"dim": str(value)}
    if isinstance(value, np.dtype):
        return {"dtype": str(value)}
    if isinstance(value, np.ndarray):
        # Little endian, whatever the machine.
        data = value.astype(value.dtype.newbyteorder("<")).tobytes()
        return {
            "array": base64.b64encode(data).decode("ascii"),
            "dtype": str(value.dtype),
            "shape": list(value.shape),
        }
    return value


def _decode(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "array" in value:
        data = base64.b64decode(value["array"], validate=True)
        dtype = as_dtype(value["dtype"])
        array = np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype)
        return array.reshape(value["shape"])
    ((kind, content),) = value.items()
    decoders: dict[str, Callable[[Any], Any]] = {
        "tuple": lambda parts: tuple(map(_decode, parts)),
        "float": float,
        "dim": as_dim,
        "dtype": as_dtype,
    }
    return decoders[kind](content)


def from_json(text: str) -> Any:
    """Build the graph that a JSON document describes.

    Parameters
    ----------
    text : str
        What `to_json` wrote.

    Returns
    -------
    Node or tree of Node
        Its leaves are new leaves; interior nodes are interned as always.

    Raises
    ------
    GraphError
        If the text is damaged, from a newer version, or uses an op that is unknown.
    """
    try:
        document = json.loads(text)
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise GraphError("this is no graph that weft wrote")
        version = document["version"]
        if type(version) is not int or version < 1:
            raise GraphError(f"the graph is damaged: its version is {version!r}")
        if version > VERSION:
            raise GraphError(
                f"the graph is of format {version}, this weft reads up to {VERSION}: "
                "upgrade weft"
            )
        nodes: list[Node] = []
        for written in document["nodes"]:
            nodes.append(_read(written, nodes))
        return _untree(document["outputs"], nodes)
    except WeftError:
        raise
    except (
        *(ValueError, KeyError, TypeError, IndexError, AttributeError),
        *(OverflowError, RecursionError),
    ) as error:
        raise GraphError(
            f"the graph cannot be read, it is damaged ({type(error).__name__}: {error})"
        ) from error


def _read(written: dict[str, Any], nodes: list[Node]) -> Node:
    name = written["op"]
    params = {key: _decode(v) for key, v in written.get("params", {}).items()}
    shape = as_shape(tuple(_decode(size) for size in written["shape"]))
    dtype = as_dtype(written["dtype"])
    if name == CONSTANT.name:
        node = constant(params["value"])
    elif name == INPUT.name:
        node = input(params["name"], shape, dtype, params["simplex"])
    elif name == PARAMETER.name:
        node = parameter(params["name"], shape, dtype)
    else:
        op = _ops.get(name)
        if op is None or isinstance(op, Leaf):
            raise GraphError(
                f"the graph uses the op {name!r}, which is not known here: import the "
                "module that defines it, or upgrade weft"
            )
        positions = written.get("inputs", [])
        if any(not 0 <= i < len(nodes) for i in positions):
            raise GraphError("the graph is damaged: a node stands before its inputs")
        node = intern(op, tuple(nodes[i] for i in positions), params)
    if (node.shape, node.dtype) != (shape, dtype):
        raise GraphError(
            f"the graph is damaged: {name} gives {node.dtype}{list(node.shape)}, but "
            f"{dtype}{list(shape)} is written"
        )
    return node


def _untree(tree: Any, nodes: list[Node]) -> Any:
    if type(tree) is int:
        if not 0 <= tree < len(nodes):
            raise GraphError("the graph is damaged: an output is no node of it")
        return nodes[tree]
    ((kind, parts),) = tree.items()
    if kind == "dict":
        return {key: _untree(part, nodes) for key, part in parts.items()}
    return {"list": list, "tuple": tuple}[kind](_untree(part, nodes) for part in parts)
