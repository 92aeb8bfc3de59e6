"""weft: deep feedforward networks as graphs.

A network is a graph; a gradient is more graph; training is a graph that updates itself;
the compiler turns it into a program. Everything here starts from `weft.input`,
`weft.parameter` and functions with NumPy's names; networks live in `weft.nn`, training
in `weft.train`, and whoever has a table begins with `weft.TabularClassifier`,
`weft.TabularRegressor` or the command ``weft fit``.

What is heavy to import (scikit-learn above all) is loaded when it is first used.
"""

from importlib import import_module as _import_module
from typing import Any as _Any

from weft.compile import *  # noqa: F403
from weft.differentiate import *  # noqa: F403
from weft.graph import *  # noqa: F403
from weft.graph.node import define_methods as _define_methods
from weft.ops import *  # noqa: F403
from weft.rewrite import simplify  # noqa: F401

# How notebooks show nodes is loaded when one is shown.
_define_methods(
    repr_latex=lambda node: _import_module("weft.show.notebook").repr_latex(node),
    repr_svg=lambda node: _import_module("weft.show.notebook").repr_svg(node),
)

# Public name -> the module that has it; a name equal to its module's is the module.
_LAZY = {
    "curvature": "weft.curvature",
    "nn": "weft.nn",
    "train": "weft.train",
    "tables": "weft.tables",
    "testing": "weft.testing",
    "define": "weft.testing",
    "derive": "weft.show",
    "draw": "weft.show",
    "trace": "weft.show",
    "MLPClassifier": "weft.estimators",
    "MLPRegressor": "weft.estimators",
    "TabularClassifier": "weft.estimators",
    "TabularRegressor": "weft.estimators",
    "load": "weft.estimators",
}


def __getattr__(name: str) -> _Any:
    if name == "__version__":
        from importlib.metadata import version  # slow to import, seldom asked for

        return version("weft")
    if name not in _LAZY:
        raise AttributeError(f"module 'weft' has no attribute {name!r}")
    module = _import_module(_LAZY[name])
    return module if _LAZY[name] == f"weft.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY, "__version__"])
