"""A network in numbers: raw outputs, features, costs and distributions of many rows.

Rows are taken in pieces, so that memory is bounded however many there are. The programs
are compiled when they are first needed, take the parameters as inputs and keep nothing.
"""

from collections.abc import Callable, Iterator
from typing import Any, final

import numpy as np

from weft.compile import Program, compile
from weft.graph.dtype import as_dtype
from weft.graph.leaf import input as make_input
from weft.graph.node import Node
from weft.graph.tree import flatten, paths, unflatten
from weft.nn.distribution import Distribution
from weft.nn.layer import Tree, check_shapes
from weft.nn.network import Network
from weft.train.data import Rows, as_inputs, as_rows

Array = np.ndarray[Any, Any]


@final
class Evaluator:
    """Evaluates a network with given parameters.

    Parameters
    ----------
    network : Network
    in_features : int
    dtype : {"float32", "float64"}
    engine : str
        As in `weft.compile`.
    batch_size : int
        How many rows are taken at once.
    threads : int, optional
        As in `weft.compile`.
    calls : int
        About how often it will be asked: a few times are not worth compiling.

    Examples
    --------
    >>> import numpy as np
    >>> from weft import nn, train
    >>> network = nn.mlp([8], "relu", nn.Bernoulli())
    >>> params = network.init(seed=0, in_features=2)
    >>> evaluator = train.Evaluator(network, in_features=2)
    >>> evaluator.predict(params, np.zeros((3, 2)))
    array([0.5, 0.5, 0.5], dtype=float32)
    """

    def __init__(
        self,
        network: Network,
        in_features: int,
        dtype: Any = "float32",
        engine: str = "auto",
        batch_size: int = 4096,
        threads: int | None = None,
        calls: int = 1,
    ) -> None:
        self.network = network
        self.dtype = as_dtype(dtype)
        self._engine, self._threads, self._calls = engine, threads, calls
        self._batch_size = batch_size
        self._stated = network.parameters(in_features)
        found, structure = flatten(self._stated)
        self._leaves = [
            make_input(path, part.shape, self.dtype)
            for path, part in zip(paths(self._stated), found, strict=True)
        ]
        self._params = unflatten(structure, self._leaves)
        self._x = make_input("x", ("n", in_features), self.dtype)
        self._programs: dict[Any, Program] = {}

    def raw(self, params: Tree, X: Any) -> Array:
        """Return the raw outputs of rows.

        Parameters
        ----------
        params : nested dict of numpy.ndarray
        X : array-like, shape (rows, in_features)

        Returns
        -------
        numpy.ndarray, shape (rows, output.size)
        """
        program = self._program("raw", lambda: self.network.raw(self._params, self._x))
        return self._over(program, params, [as_inputs(X, self.dtype)])[0]

    def predict(self, params: Tree, X: Any) -> Array:
        """Return the predictions for rows: means, or probabilities.

        Parameters
        ----------
        params : nested dict of numpy.ndarray
        X : array-like, shape (rows, in_features)

        Returns
        -------
        numpy.ndarray, shape (rows,) or (rows, k)
        """
        program = self._program(
            "predict", lambda: self.network.predict(self._params, self._x)
        )
        return self._over(program, params, [as_inputs(X, self.dtype)])[0]

    def hidden(self, params: Tree, X: Any, layer: int = -1) -> Array:
        """Return what a layer gives for rows: the learnt features.

        Parameters
        ----------
        params : nested dict of numpy.ndarray
        X : array-like, shape (rows, in_features)
        layer : int
            From 0; -1 for the last one.

        Returns
        -------
        numpy.ndarray, shape (rows, width)
        """
        program = self._program(
            ("hidden", layer),
            lambda: self.network.hidden(self._params, self._x, layer),
        )
        return self._over(program, params, [as_inputs(X, self.dtype)])[0]

    def distribution(
        self, params: Tree, X: Any, dispersion: Array | None = None
    ) -> Distribution:
        """Return the distributions of the targets of rows.

        Parameters
        ----------
        params : nested dict of numpy.ndarray
        X : array-like, shape (rows, in_features)
        dispersion : numpy.ndarray, optional
            What was estimated after the fit (`Fit.dispersion`).

        Returns
        -------
        Distribution
        """
        return self.network.output.distribution(self.raw(params, X), dispersion)

    def nll(self, params: Tree, X: Any, y: Any) -> Array:
        """Return the negative log-likelihood of each row.

        Parameters
        ----------
        params : nested dict of numpy.ndarray
        X : array-like, shape (rows, in_features)
        y : array-like, shape (rows, *output.target_shape)

        Returns
        -------
        numpy.ndarray, shape (rows,)
        """
        rows = as_rows(self.network, X, y, None, self.dtype)
        return self.score(params, rows)[1]

    def cost(
        self, params: Tree, X: Any, y: Any, sample_weight: Array | None = None
    ) -> float:
        """Return the (weighted) mean negative log-likelihood of rows, in float64."""
        each = self.nll(params, X, y).astype(np.float64)
        return float(np.average(each, weights=sample_weight))

    def score(self, params: Tree, rows: Rows) -> tuple[Array, Array]:
        """Return raw outputs and negative log-likelihoods of rows checked already.

        Returns
        -------
        raw : numpy.ndarray, shape (rows, output.size)
        nll : numpy.ndarray, shape (rows,)
        """
        y = self.network.output.target(rows.y)
        key = ("score", y.shape, y.dtype)

        def both() -> list[Node]:
            raw = self.network.raw(self._params, self._x)
            return [raw, self.network.nll(raw, y)]

        program = self._program(key, both, [y])
        raw, nll = self._over(program, params, [rows.X, rows.y])
        return raw, nll

    def _program(
        self,
        key: Any,
        outputs: Callable[[], Node | list[Node]],
        rows: list[Node] | None = None,
    ) -> Program:
        if key not in self._programs:
            inputs = [self._x, *(rows or []), *self._leaves]
            self._programs[key] = compile(
                inputs,
                outputs(),
                engine=self._engine,
                threads=self._threads,
                steps=self._calls,
            )
        return self._programs[key]

    def _over(self, program: Program, params: Tree, arrays: list[Array]) -> list[Array]:
        check_shapes(self._stated, params)
        values = flatten(params)[0]
        parts = [
            flatten(program(*piece, *values))[0]
            for piece in _pieces(arrays, self._batch_size)
        ]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _pieces(arrays: list[Array], size: int) -> Iterator[list[Array]]:
    for start in range(0, len(arrays[0]), size):
        yield [array[start : start + size] for array in arrays]
