"""Layers: affine maps, dropout, normalisation.

Every layer here acts on rows that are vectors, and each row's value depends on that row
alone, but for `BatchNorm` while it trains.
"""

from dataclasses import dataclass
from typing import Any, final

from weft.graph.node import Node
from weft.nn.description import DescriptionError, register
from weft.nn.initialisers import Constant, Initialiser, LeCun, Lengths, Zeros
from weft.nn.layer import Layer, Parameter, Tree, Updates, features
from weft.nn.mode import Mode, Train
from weft.ops import arithmetic, reduce
from weft.ops.random import random_bernoulli

_LECUN = LeCun()
_ZEROS = Zeros()


def check_width(n: Any, layer: Layer) -> None:
    """Raise DescriptionError unless `n` is a whole number of at least 1."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise DescriptionError(
            f"{type(layer).__name__} of width {n!r}: give a whole number of at least 1"
        )


@final
@dataclass(frozen=True, repr=False)
class Affine(Layer):
    """x W + b.

    Parameters
    ----------
    n : int
        The number of outputs.
    weights : Initialiser
        `LeCun` by default, which keeps the size of the signal.
    bias : Initialiser

    Examples
    --------
    >>> import numpy as np
    >>> from weft import nn
    >>> params = nn.Affine(3).init(np.random.default_rng(0), (2,))
    >>> {name: value.shape for name, value in params.items()}
    {'W': (2, 3), 'b': (3,)}
    """

    n: int
    weights: Initialiser = _LECUN
    bias: Initialiser = _ZEROS

    def __post_init__(self) -> None:
        check_width(self.n, self)

    def parameters(self, in_shape: Lengths) -> dict[str, Any]:
        """Name weights (in, n) and bias (n,)."""
        shape = (features(in_shape, self), self.n)
        return {
            "W": Parameter(shape, self.weights),
            "b": Parameter((self.n,), self.bias),
        }

    def out_shape(self, in_shape: Lengths) -> Lengths:
        """Return (n,)."""
        features(in_shape, self)
        return (self.n,)

    def __call__(self, params: Tree, x: Node, mode: Mode) -> tuple[Node, Updates]:
        """Build x W + b."""
        return x @ params["W"] + params["b"], {}


@final
@dataclass(frozen=True, repr=False)
class LowRankAffine(Layer):
    """x U V + b: an affine map of rank at most `rank`, with fewer weights.

    Instead of in * n weights it has rank * (in + n) (book, section 6.3.3). The product
    of the two factors starts with the variance that a full matrix would have.

    Parameters
    ----------
    n : int
        The number of outputs.
    rank : int
    weights : Initialiser
        For each factor; it should keep the size of a signal, as `LeCun` does.
    bias : Initialiser

    Examples
    --------
    >>> import numpy as np
    >>> from weft import nn
    >>> params = nn.LowRankAffine(100, rank=5).init(np.random.default_rng(0), (80,))
    >>> sum(value.size for name, value in params.items() if name != "b")
    900
    """

    n: int
    rank: int
    weights: Initialiser = _LECUN
    bias: Initialiser = _ZEROS

    def __post_init__(self) -> None:
        check_width(self.n, self)
        check_width(self.rank, self)

    def parameters(self, in_shape: Lengths) -> dict[str, Any]:
        """Name the factors (in, rank) and (rank, n) and the bias (n,)."""
        return {
            "U": Parameter((features(in_shape, self), self.rank), self.weights),
            "V": Parameter((self.rank, self.n), self.weights),
            "b": Parameter((self.n,), self.bias),
        }

    def out_shape(self, in_shape: Lengths) -> Lengths:
        """Return (n,)."""
        features(in_shape, self)
        return (self.n,)

    def __call__(self, params: Tree, x: Node, mode: Mode) -> tuple[Node, Updates]:
        """Build x U V + b, the narrow product first."""
        return (x @ params["U"]) @ params["V"] + params["b"], {}


@final
@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """While training, set each number to 0 with probability p and scale up the rest.

    Srivastava et al. (2014), in the inverted form: what is kept is divided by 1 - p, so
    that prediction needs no correction. The mask is a function of seed, step, the
    layer's path and the row's position, and so the same in every rerun.

    Parameters
    ----------
    p : float
        In [0, 1). It may be changed from step to step at run time (`Layer.numbers`).

    Examples
    --------
    >>> import weft
    >>> from weft import nn
    >>> x = weft.constant([[1.0] * 8])
    >>> node, _ = nn.Dropout(0.5)({}, x, nn.Train(seed=0, step=0))
    >>> sorted(set(node.numpy().ravel().tolist()))
    [0.0, 2.0]
    """

    p: float

    def __post_init__(self) -> None:
        if not 0 <= self.p < 1:
            raise DescriptionError(
                f"Dropout of {self.p}: give a probability of at least 0 and below 1"
            )

    def numbers(self) -> dict[str, float]:
        """Return the rate."""
        return {"p": float(self.p)}

    def out_shape(self, in_shape: Lengths) -> Lengths:
        """Return the same shape."""
        return in_shape

    def __call__(self, params: Tree, x: Node, mode: Mode) -> tuple[Node, Updates]:
        """Build the masked input, or the input itself where nothing is dropped."""
        if not isinstance(mode, Train):
            return x, {}
        p = mode.number("p", self.p)
        if not isinstance(p, Node) and p == 0:
            return x, {}
        keep = 1 - p
        # The mask compares float32 numbers: a wider rate would widen all of them.
        threshold = arithmetic.cast(keep, "float32") if isinstance(p, Node) else keep
        mask = random_bernoulli(
            threshold, mode.seed, mode.step, x.shape, mode.path, mode.index
        )
        scale = arithmetic.cast(1 / keep, x.dtype) if isinstance(p, Node) else 1 / keep
        return x * (arithmetic.cast(mask, x.dtype) * scale), {}


@final
@dataclass(frozen=True, repr=False)
class LayerNorm(Layer):
    """Each row brought to mean 0 and variance 1, then scaled and shifted per feature.

    Ba et al. (2016), "Layer normalization".

    Parameters
    ----------
    epsilon : float
        Added to the variance.

    Examples
    --------
    >>> import weft
    >>> from weft import nn
    >>> params = {"gain": weft.constant([1.0, 1.0]), "shift": weft.constant([0.0, 0.0])}
    >>> x = weft.constant([[1.0, 3.0]])
    >>> nn.LayerNorm(0.0)(params, x, nn.Predict())[0].numpy()
    array([[-1.,  1.]], dtype=float32)
    """

    epsilon: float = 1e-5

    def parameters(self, in_shape: Lengths) -> dict[str, Any]:
        """Name gain and shift, of the shape of a row."""
        return {
            "gain": Parameter(in_shape, Constant(1.0)),
            "shift": Parameter(in_shape, Zeros()),
        }

    def out_shape(self, in_shape: Lengths) -> Lengths:
        """Return the same shape."""
        features(in_shape, self)
        return in_shape

    def __call__(self, params: Tree, x: Node, mode: Mode) -> tuple[Node, Updates]:
        """Build the normalised rows."""
        centred = x - reduce.mean(x, axis=-1, keepdims=True)
        variance = reduce.mean(arithmetic.square(centred), axis=-1, keepdims=True)
        normal = centred / arithmetic.sqrt(variance + self.epsilon)
        return normal * params["gain"] + params["shift"], {}


@final
@dataclass(frozen=True, repr=False)
class BatchNorm(Layer):
    """Each feature brought to mean 0 and variance 1, then scaled and shifted.

    Ioffe and Szegedy (2015), "Batch normalization". While training, mean and variance
    are those of the batch (rows count alike, whatever their sample weights), and
    running ones are kept for prediction: they are parameters that the layer updates
    itself. A batch of a single row has no variance: choose a batch size that leaves
    none over.

    Parameters
    ----------
    rate : float
        In (0, 1]: how far the running statistics move towards the batch's in a step.
    epsilon : float
        Added to the variance.

    Examples
    --------
    >>> from weft import nn
    >>> sorted(nn.BatchNorm().parameters((4,)))
    ['gain', 'mean', 'shift', 'variance']
    """

    rate: float = 0.1
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise DescriptionError(
                f"BatchNorm with rate {self.rate}: give a number above 0, at most 1"
            )

    def parameters(self, in_shape: Lengths) -> dict[str, Any]:
        """Name gain and shift, which are trained, and the running mean and variance."""
        return {
            "gain": Parameter(in_shape, Constant(1.0)),
            "shift": Parameter(in_shape, Zeros()),
            "mean": Parameter(in_shape, Zeros()),
            "variance": Parameter(in_shape, Constant(1.0)),
        }

    def out_shape(self, in_shape: Lengths) -> Lengths:
        """Return the same shape."""
        features(in_shape, self)
        return in_shape

    def __call__(self, params: Tree, x: Node, mode: Mode) -> tuple[Node, Updates]:
        """Build the normalised batch and, in training, the next running statistics."""
        mean, variance = params["mean"], params["variance"]
        updates: dict[str, Any] = {}
        if isinstance(mode, Train):
            now = reduce.mean(x, axis=0), reduce.variance(x, axis=0)
            updates = {
                "mean": mean + self.rate * (now[0] - mean),
                "variance": variance + self.rate * (now[1] - variance),
            }
            mean, variance = now
        normal = (x - mean) / arithmetic.sqrt(variance + self.epsilon)
        return normal * params["gain"] + params["shift"], updates


register(Affine, LowRankAffine, Dropout, LayerNorm, BatchNorm)
