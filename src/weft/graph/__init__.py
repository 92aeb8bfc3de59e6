"""The language: one frozen node, its shapes and types, ways through it, and as data.

Everything weft does is said in graphs of `Node`: a network, its gradient, a training
step. This floor knows nothing of what an op computes or of how it is differentiated;
it builds nodes, interns them, walks over them and writes them down.
"""

from weft.graph.dim import Dim, as_dim, as_shape
from weft.graph.dtype import DTYPES, as_dtype
from weft.graph.errors import (
    DebugError,
    DTypeError,
    FeedError,
    GraphError,
    ShapeError,
    WeftError,
)
from weft.graph.json import from_json, to_json
from weft.graph.latex import latex
from weft.graph.leaf import constant, input, parameter
from weft.graph.node import Node
from weft.graph.origin import origin_of
from weft.graph.text import text
from weft.graph.tree import flatten, paths, tree_map, unflatten
from weft.graph.walk import leaves, topological

__all__ = [
    "DTYPES",
    "DTypeError",
    "Dim",
    "DebugError",
    "FeedError",
    "GraphError",
    "Node",
    "ShapeError",
    "WeftError",
    "as_dim",
    "as_dtype",
    "as_shape",
    "constant",
    "flatten",
    "from_json",
    "input",
    "latex",
    "leaves",
    "origin_of",
    "parameter",
    "paths",
    "text",
    "to_json",
    "topological",
    "tree_map",
    "unflatten",
]
