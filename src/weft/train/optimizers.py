"""Optimizers: formulas for the next parameters, in graph.

An optimizer is a frozen description. Given parameters, their gradients and its own
state as nodes, `update` builds the next parameters and the next state; a program
applies both at once. Learning rate, momentum and the like are run-time numbers: scalars
of float64, brought to the parameters' type only where they meet them, so that
``1 - beta**t`` keeps its digits in float32 too. Changing them builds nothing anew.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from weft.graph.node import Node
from weft.graph.tree import flatten, paths, tree_map, unflatten
from weft.nn.description import Description, register
from weft.nn.layer import is_weight
from weft.ops import arithmetic, reduce
from weft.train.errors import FitError

Tree = Any
Numbers = Mapping[str, Node]


class Optimizer(Description, ABC):
    """A rule for one step of descent.

    A class of one's own has the field `lr` and defines `update`, and `init` and
    `numbers` where it keeps state or has further numbers.

    Examples
    --------
    Descent by the sign of the gradient:

    >>> import weft
    >>> @dataclass(frozen=True, repr=False)
    ... class SignDescent(Optimizer):
    ...     lr: float = 0.01
    ...
    ...     def update(self, params, grads, state, numbers):
    ...         def step(p, g):
    ...             return p - weft.cast(numbers["lr"], p.dtype) * weft.sign(g)
    ...
    ...         return weft.tree_map(step, params, grads), {}
    >>> p, g = weft.constant([1.0, 1.0]), weft.constant([-5.0, 3.0])
    >>> numbers = {"lr": weft.constant(0.5, "float64")}
    >>> SignDescent().update({"W": p}, {"W": g}, {}, numbers)[0]["W"].numpy()
    array([1.5, 0.5], dtype=float32)
    """

    lr: float

    def numbers(self) -> dict[str, float]:
        """Return the run-time numbers by name, without the learning rate."""
        return {}

    def init(self, params: Tree) -> dict[str, Any]:
        """Return the state before the first step.

        Parameters
        ----------
        params : tree of numpy.ndarray
            What is to be trained.

        Returns
        -------
        dict of trees of numpy.ndarray
            Empty by default.
        """
        return {}

    @abstractmethod
    def update(
        self, params: Tree, grads: Tree, state: Mapping[str, Any], numbers: Numbers
    ) -> tuple[Tree, dict[str, Any]]:
        """Build one step.

        Parameters
        ----------
        params, grads : tree of Node
        state : dict of trees of Node
            Like what `init` returns.
        numbers : dict of Node of shape (), float64
            Those that `numbers` names, and ``"lr"``.

        Returns
        -------
        params : tree of Node
            Their next values.
        state : dict of trees of Node
        """


def _check(optimizer: Optimizer, **ranges: tuple[float, float]) -> None:
    if not 0 < optimizer.lr < float("inf"):
        raise FitError(f"a learning rate of {optimizer.lr}: give a number above 0")
    for name, (low, high) in ranges.items():
        value = getattr(optimizer, name)
        if not low <= value < high:
            raise FitError(
                f"{name} is {value}: give at least {low:g} and less than {high:g}"
            )


def _zeros(params: Tree) -> Tree:
    return tree_map(np.zeros_like, params)


def _as(number: Node, like: Node) -> Node:
    node: Node = arithmetic.cast(number, like.dtype)
    return node


def _split(pairs: Tree, structure_of: Tree) -> tuple[Tree, ...]:
    """Turn a flat list of tuples into as many trees."""
    _, structure = flatten(structure_of)
    columns = zip(*pairs, strict=True)
    return tuple(unflatten(structure, column) for column in columns)


def _flat(*trees: Tree) -> Any:
    return zip(*(flatten(tree)[0] for tree in trees), strict=True)


_INFINITY = float("inf")


@final
@dataclass(frozen=True, repr=False)
class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if wanted.

    ``v <- momentum v - lr g`` and ``theta <- theta + v``; with Nesterov's correction
    ``theta <- theta + momentum v - lr g`` with the new v (book, Algorithms 8.1 to 8.3,
    in the form that scikit-learn has). Without momentum it is ``theta - lr g``.

    Parameters
    ----------
    lr : float
        The learning rate epsilon, above 0.
    momentum : float
        In [0, 1).
    nesterov : bool

    Examples
    --------
    >>> from weft import train
    >>> train.SGD(0.1, momentum=0.9)
    SGD(0.1, momentum=0.9)
    """

    lr: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        _check(self, momentum=(0, 1))

    def numbers(self) -> dict[str, float]:
        """Return the momentum, if there is any."""
        return {"momentum": self.momentum} if self.momentum else {}

    def init(self, params: Tree) -> dict[str, Any]:
        """Return velocities of 0, if there is momentum."""
        return {"velocity": _zeros(params)} if self.momentum else {}

    def update(
        self, params: Tree, grads: Tree, state: Mapping[str, Any], numbers: Numbers
    ) -> tuple[Tree, dict[str, Any]]:
        """Build one step."""
        if not self.momentum:
            step = tree_map(lambda p, g: p - _as(numbers["lr"], p) * g, params, grads)
            return step, {}

        def one(p: Node, g: Node, v: Node) -> tuple[Node, Node]:
            momentum, lr = _as(numbers["momentum"], p), _as(numbers["lr"], p)
            new = momentum * v - lr * g
            return p + (momentum * new - lr * g if self.nesterov else new), new

        pairs = [one(*parts) for parts in _flat(params, grads, state["velocity"])]
        step, velocity = _split(pairs, params)
        return step, {"velocity": velocity}


def _moments(m: Node, v: Node, g: Node, numbers: Numbers) -> tuple[Node, Node]:
    """The running means of the gradient and of its square."""
    beta_1, beta_2 = numbers["beta_1"], numbers["beta_2"]
    new_m = _as(beta_1, g) * m + _as(1 - beta_1, g) * g
    new_v = _as(beta_2, g) * v + _as(1 - beta_2, g) * arithmetic.square(g)
    return new_m, new_v


def _corrected(numbers: Numbers, t: Node) -> Node:
    """The learning rate, corrected for moments that started at 0."""
    time = arithmetic.cast(t, "float64")
    second = 1 - arithmetic.power(numbers["beta_2"], time)
    first = 1 - arithmetic.power(numbers["beta_1"], time)
    rate: Node = numbers["lr"] * arithmetic.sqrt(second) / first
    return rate


def _adam(
    params: Tree, grads: Tree, state: Mapping[str, Any], numbers: Numbers, decay: Any
) -> tuple[Tree, dict[str, Any]]:
    t = state["t"] + 1
    rate = _corrected(numbers, t)
    rows = []
    names = paths(params)
    for name, (p, g, m, v) in zip(
        names, _flat(params, grads, state["m"], state["v"]), strict=True
    ):
        m, v = _moments(m, v, g, numbers)
        epsilon = _as(numbers["epsilon"], p)
        step = _as(rate, p) * m / (arithmetic.sqrt(v) + epsilon)
        rows.append((decay(name, p) - step, m, v))
    new, m, v = _split(rows, params)
    return new, {"m": m, "v": v, "t": t}


def _adam_state(params: Tree) -> dict[str, Any]:
    return {
        "m": _zeros(params),
        "v": _zeros(params),
        "t": np.zeros((), np.int64),
    }


@final
@dataclass(frozen=True, repr=False)
class Adam(Optimizer):
    """Steps of a size that adapts to each parameter's gradients.

    Kingma and Ba (2015), "Adam: a method for stochastic optimization", in the form of
    the end of its section 2 (the one that scikit-learn has): with running means m and v
    of the gradient and its square, ``theta <- theta - lr_t m / (sqrt(v) + epsilon)``,
    where ``lr_t = lr sqrt(1 - beta_2^t) / (1 - beta_1^t)``.

    Parameters
    ----------
    lr : float
        The learning rate, above 0.
    beta_1, beta_2 : float
        In [0, 1): how slowly the means forget.
    epsilon : float
        At least 0; keeps the division defined.

    Examples
    --------
    >>> from weft import train
    >>> train.Adam(0.003)
    Adam(0.003)
    """

    lr: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        _check(self, beta_1=(0, 1), beta_2=(0, 1), epsilon=(0, _INFINITY))

    def numbers(self) -> dict[str, float]:
        """Return both betas and epsilon."""
        return {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }

    def init(self, params: Tree) -> dict[str, Any]:
        """Return means of 0 and the time 0."""
        return _adam_state(params)

    def update(
        self, params: Tree, grads: Tree, state: Mapping[str, Any], numbers: Numbers
    ) -> tuple[Tree, dict[str, Any]]:
        """Build one step."""
        return _adam(params, grads, state, numbers, lambda name, p: p)


@final
@dataclass(frozen=True, repr=False)
class AdamW(Optimizer):
    """Adam with weight decay beside the adaptive step, not inside it.

    Loshchilov and Hutter (2019), "Decoupled weight decay regularization": each step
    also takes away ``lr * decay * theta``.

    Parameters
    ----------
    lr : float
        The learning rate, above 0.
    decay : float
        At least 0.
    beta_1, beta_2, epsilon : float
        As in `Adam`.
    weights_only : bool
        Whether biases, gains and the like are left alone (`weft.nn.is_weight`).

    Examples
    --------
    >>> from weft import train
    >>> train.AdamW(decay=0.1)
    AdamW(decay=0.1)
    """

    lr: float = 1e-3
    decay: float = 0.01
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    weights_only: bool = True

    def __post_init__(self) -> None:
        _check(
            self,
            beta_1=(0, 1),
            beta_2=(0, 1),
            epsilon=(0, _INFINITY),
            decay=(0, _INFINITY),
        )

    def numbers(self) -> dict[str, float]:
        """Return both betas, epsilon and the decay."""
        return {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "decay": self.decay,
        }

    def init(self, params: Tree) -> dict[str, Any]:
        """Return means of 0 and the time 0."""
        return _adam_state(params)

    def update(
        self, params: Tree, grads: Tree, state: Mapping[str, Any], numbers: Numbers
    ) -> tuple[Tree, dict[str, Any]]:
        """Build one step."""
        rate = numbers["lr"] * numbers["decay"]

        def decayed(name: str, p: Node) -> Node:
            if self.weights_only and not is_weight(name):
                return p
            return p - _as(rate, p) * p

        return _adam(params, grads, state, numbers, decayed)


@final
@dataclass(frozen=True, repr=False)
class RMSProp(Optimizer):
    """Steps divided by the running root mean square of the gradient.

    Hinton (2012); book, Algorithm 8.5: ``r <- rho r + (1 - rho) g^2`` and
    ``theta <- theta - lr g / sqrt(delta + r)``.

    Parameters
    ----------
    lr : float
        The learning rate, above 0.
    rho : float
        In [0, 1): how slowly the mean forgets.
    delta : float
        At least 0; keeps the division defined.

    Examples
    --------
    >>> from weft import train
    >>> train.RMSProp(0.01)
    RMSProp(0.01)
    """

    lr: float = 1e-3
    rho: float = 0.9
    delta: float = 1e-6

    def __post_init__(self) -> None:
        _check(self, rho=(0, 1), delta=(0, _INFINITY))

    def numbers(self) -> dict[str, float]:
        """Return rho and delta."""
        return {"rho": self.rho, "delta": self.delta}

    def init(self, params: Tree) -> dict[str, Any]:
        """Return means of 0."""
        return {"r": _zeros(params)}

    def update(
        self, params: Tree, grads: Tree, state: Mapping[str, Any], numbers: Numbers
    ) -> tuple[Tree, dict[str, Any]]:
        """Build one step."""

        def one(p: Node, g: Node, r: Node) -> tuple[Node, Node]:
            rho = numbers["rho"]
            new = _as(rho, p) * r + _as(1 - rho, p) * arithmetic.square(g)
            root = arithmetic.sqrt(_as(numbers["delta"], p) + new)
            return p - _as(numbers["lr"], p) * g / root, new

        pairs = [one(*parts) for parts in _flat(params, grads, state["r"])]
        step, r = _split(pairs, params)
        return step, {"r": r}


@final
@dataclass(frozen=True, repr=False)
class AdaGrad(Optimizer):
    """Steps divided by the root of all squared gradients so far.

    Duchi et al. (2011); book, Algorithm 8.4: ``r <- r + g^2`` and
    ``theta <- theta - lr g / (delta + sqrt(r))``.

    Parameters
    ----------
    lr : float
        The learning rate, above 0.
    delta : float
        At least 0; keeps the division defined.

    Examples
    --------
    >>> from weft import train
    >>> train.AdaGrad(0.1)
    AdaGrad(0.1)
    """

    lr: float = 0.01
    delta: float = 1e-7

    def __post_init__(self) -> None:
        _check(self, delta=(0, _INFINITY))

    def numbers(self) -> dict[str, float]:
        """Return delta."""
        return {"delta": self.delta}

    def init(self, params: Tree) -> dict[str, Any]:
        """Return sums of 0."""
        return {"r": _zeros(params)}

    def update(
        self, params: Tree, grads: Tree, state: Mapping[str, Any], numbers: Numbers
    ) -> tuple[Tree, dict[str, Any]]:
        """Build one step."""

        def one(p: Node, g: Node, r: Node) -> tuple[Node, Node]:
            new = r + arithmetic.square(g)
            root = _as(numbers["delta"], p) + arithmetic.sqrt(new)
            return p - _as(numbers["lr"], p) * g / root, new

        pairs = [one(*parts) for parts in _flat(params, grads, state["r"])]
        step, r = _split(pairs, params)
        return step, {"r": r}


def clip_by_norm(grads: Tree, bound: Node) -> Tree:
    """Scale gradients back so that their norm, over all of them, is at most `bound`.

    The direction stays (book, section 10.11.1; Pascanu et al. 2013).

    Parameters
    ----------
    grads : tree of Node
    bound : Node of shape (), float64
        Above 0.

    Returns
    -------
    tree of Node

    Examples
    --------
    >>> import weft
    >>> g = weft.constant([3.0, 4.0])
    >>> clip_by_norm({"W": g}, weft.constant(1.0, "float64"))["W"].numpy()
    array([0.6, 0.8], dtype=float32)
    """
    found, structure = flatten(grads)
    total = None
    for g in found:
        # In float64: squares of exploding gradients overflow float32, and then the
        # scale would be 0.
        square = reduce.sum(arithmetic.square(arithmetic.cast(g, "float64")))
        total = square if total is None else total + square
    if total is None:
        return grads
    # bound / 0 is infinite, and the smaller of that and 1 is 1.
    scale = arithmetic.minimum(bound / arithmetic.sqrt(total), 1)
    return unflatten(structure, [g * _as(scale, g) for g in found])


register(SGD, Adam, AdamW, RMSProp, AdaGrad)
