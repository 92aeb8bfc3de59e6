"""Random numbers as pure functions: of a seed, a step, a stream and a sample's index.

Nothing is drawn from a hidden state. The generator is Philox4x32-10 (Salmon et al.
2011, "Parallel random numbers: as easy as 1, 2, 3"), a keyed bijection of a counter:
the key is made of the seed and of the stream's name (a layer's path), the counter of
the step, the position of the sample in the whole batch, and the element within the
sample. So the same numbers come out however a batch is cut up among workers.
"""

import hashlib
import math
from typing import Any

import numpy as np

from weft.graph.dim import Shape, as_shape
from weft.graph.dtype import FLOAT32, as_dtype, is_float
from weft.graph.errors import DTypeError
from weft.graph.leaf import constant
from weft.graph.node import DType, Node, names_operands
from weft.ops.arithmetic import sqrt
from weft.ops.broadcast import elementwise_shape
from weft.ops.index import arange
from weft.ops.logic import less
from weft.ops.record import Facts, Op, Value, align, explicit
from weft.ops.sample import Array, Case
from weft.ops.special import cos, log1p

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(32)


def philox(counter: tuple[Array, ...], key: tuple[Array, Array]) -> tuple[Array, ...]:
    """Return the four 32-bit words of Philox4x32-10 for each counter.

    Parameters
    ----------
    counter : four arrays of uint64 below 2**32, broadcastable
    key : two arrays of uint64 below 2**32, broadcastable

    Returns
    -------
    four arrays of uint64 below 2**32

    Examples
    --------
    The first known answer of the authors' test suite:

    >>> zero = np.zeros(1, np.uint64)
    >>> [hex(int(w[0])) for w in philox((zero,) * 4, (zero, zero))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for i in range(ROUNDS):
        if i:
            k0 = (k0 + np.uint64(WEYL[0])) & _LOW
            k1 = (k1 + np.uint64(WEYL[1])) & _LOW
        p0, p1 = np.uint64(MULTIPLIERS[0]) * c0, np.uint64(MULTIPLIERS[1]) * c2
        c0, c1, c2, c3 = (
            (p1 >> _WORD) ^ c1 ^ k0,
            p1 & _LOW,
            (p0 >> _WORD) ^ c3 ^ k1,
            p0 & _LOW,
        )
    return c0, c1, c2, c3


def stream_key(stream: str) -> int:
    """Return the 64 bits that a stream's name adds to the key."""
    return int.from_bytes(hashlib.blake2b(stream.encode(), digest_size=8).digest())


def _uniform_forward(
    seed: Array, step: Array, index: Array, shape: Any, stream: str, dtype: DType
) -> Array:
    key = np.asarray(seed, np.int64).astype(np.uint64) ^ np.uint64(stream_key(stream))
    steps = np.asarray(step, np.int64).astype(np.uint64)
    samples = np.asarray(index, np.int64).astype(np.uint64)
    count = math.prod(shape)
    per_word = 1 if dtype == FLOAT32 else 2  # 32-bit words for one number
    blocks = -(-count * per_word // 4)
    lead = np.broadcast_shapes(key.shape, steps.shape, samples.shape)
    key, steps, samples = (a[..., None] for a in (key, steps, samples))
    # Samples and steps have 48 bits each; their upper halves share the last word.
    upper = (samples >> _WORD) & np.uint64(0xFFFF)
    counter = (
        np.arange(blocks, dtype=np.uint64),
        samples & _LOW,
        steps & _LOW,
        upper | (((steps >> _WORD) & np.uint64(0xFFFF)) << np.uint64(16)),
    )
    words = philox(counter, (key & _LOW, key >> _WORD))
    flat = np.empty((*lead, blocks, 4), np.uint64)
    for k, word in enumerate(words):
        flat[..., k] = word
    bits = flat.reshape(*lead, blocks * 4)[..., : count * per_word]
    if per_word == 1:
        value = (bits >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)
    else:
        pairs = bits.reshape(*lead, count, 2)
        mantissa = (pairs[..., 0] >> np.uint64(5) << np.uint64(26)) | (
            pairs[..., 1] >> np.uint64(6)
        )
        value = mantissa.astype(np.float64) * 2.0**-53
    return np.reshape(value, (*lead, *shape))


def _uniform_rule(
    seed: Node, step: Node, index: Node, shape: Shape, stream: str, dtype: DType
) -> tuple[Shape, DType]:
    for node in (seed, step, index):
        if node.dtype.kind != "i":
            raise DTypeError(f"seed, step and index are integers, not {node.dtype}")
    if not is_float(dtype):
        raise DTypeError(f"uniform numbers are floats, not {dtype}")
    return (*elementwise_shape((seed, step, index)), *shape), dtype


_uniform: Op = explicit(
    "random_uniform",
    forward=_uniform_forward,
    rule=_uniform_rule,
    differentiable=False,
    batch=lambda inputs, batched, **params: _uniform(*align(inputs, batched), **params),
    cases=lambda rng: [
        Case(
            label,
            (np.array(7), np.array(3), index),
            {"shape": shape, "stream": "a", "dtype": np.dtype(dtype)},
        )
        for label, index, shape, dtype in (
            ("float32", np.arange(3), (5,), "float32"),
            ("float64", np.arange(2), (2, 3), "float64"),
            ("one-each", np.arange(4), (), "float64"),
            ("empty", np.arange(0), (3,), "float64"),
        )
    ],
    latex=r"u_{{\mathrm{{{stream}}}}}",
    facts=Facts(low=0, high=1),
    doc="Uniform numbers in [0, 1), a function of seed, step, stream and position.",
)


@names_operands
def random_uniform(
    seed: Value,
    step: Value,
    shape: Any,
    stream: str = "",
    index: Value | None = None,
    dtype: Any = "float32",
) -> Node:
    """Return uniform random numbers in [0, 1).

    Parameters
    ----------
    seed, step : Node or int
        Integers: a run, and a position in it.
    shape : int, str or sequence of them
        The first axis counts samples; () is one number.
    stream : str
        A name that keeps different uses apart, such as a layer's path.
    index : Node of integers of shape (n,), optional
        The position of each sample in the whole batch; 0, 1, ... by default.
    dtype : str or numpy.dtype
        float32 (24 random bits) or float64 (53).

    Returns
    -------
    Node

    Examples
    --------
    >>> import weft
    >>> u = weft.random_uniform(1, 0, (2, 3), stream="mask")
    >>> part = weft.random_uniform(1, 0, ("k", 3), "mask", index=weft.constant([1]))
    >>> bool((u.numpy()[1] == part.numpy()[0]).all())
    True
    """
    lead, rest = as_shape(shape)[:1], as_shape(shape)[1:]
    if index is not None:
        samples = index
    else:
        samples = arange(*lead) if lead else constant(0)
    nodes = [v if isinstance(v, Node) else constant(v) for v in (seed, step, samples)]
    node: Node = _uniform(*nodes, shape=rest, stream=stream, dtype=as_dtype(dtype))
    return node


@names_operands
def random_normal(
    seed: Value,
    step: Value,
    shape: Any,
    stream: str = "",
    index: Value | None = None,
    dtype: Any = "float32",
) -> Node:
    """Return standard normal random numbers, by the method of Box and Muller (1958).

    Parameters
    ----------
    seed, step, shape, stream, index, dtype
        As in `random_uniform`.

    Returns
    -------
    Node

    Examples
    --------
    >>> import weft
    >>> weft.random_normal(1, 0, (1000,)).numpy().std().round(1)
    np.float32(1.0)
    """
    radius = random_uniform(seed, step, shape, stream + "/radius", index, dtype)
    angle = random_uniform(seed, step, shape, stream + "/angle", index, dtype)
    node: Node = sqrt(-2 * log1p(-radius)) * cos((2 * math.pi) * angle)
    return node


@names_operands
def random_bernoulli(
    p: Value,
    seed: Value,
    step: Value,
    shape: Any,
    stream: str = "",
    index: Value | None = None,
) -> Node:
    """Return masks that are True with probability `p`.

    Parameters
    ----------
    p : Node or float
        Broadcast against `shape`; may be a run-time value.
    seed, step, shape, stream, index
        As in `random_uniform`.

    Returns
    -------
    Node of bool

    Examples
    --------
    >>> import weft
    >>> weft.random_bernoulli(0.5, 1, 0, (1000,)).numpy().mean().round(1)
    np.float64(0.5)
    """
    node: Node = less(random_uniform(seed, step, shape, stream, index), p)
    return node
