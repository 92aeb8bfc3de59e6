"""Ops that NumPy computes inside a native program.

An op without code of its own, such as a sort or one that a user has defined by arrays,
is called back: by the leader only, between two kernels, for as long as it takes the
interpreter lock. It is slow, and it is right.
"""

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import final

import numpy as np

from weft.graph.node import Node
from weft.ops.propagate import compute, resolved
from weft.ops.sample import Array

_SIGNATURE = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, *[ctypes.c_int64] * 4, use_errno=False
)


@final
class HostCall:
    """An op on given arrays, as a function that native code can call.

    Parameters
    ----------
    node : Node
    inputs : sequence of array
    target : array
        Written to.
    bindings : mapping of str to int
    failed : callable
        Called where the op raises: native code has to be told.

    Attributes
    ----------
    address : int
        Of the function.
    error : Exception or None
        What went wrong in the last call.
    """

    def __init__(
        self,
        node: Node,
        inputs: Sequence[Array],
        target: Array,
        bindings: Mapping[str, int],
        failed: Callable[[], None],
    ) -> None:
        self._failed = failed
        self.error: BaseException | None = None
        self._node, self._inputs, self._target = node, inputs, target
        self._params = resolved(node.params, bindings)
        self._function = _SIGNATURE(self._run)
        self.address = int(ctypes.cast(self._function, ctypes.c_void_p).value or 0)

    def _run(self, words: int, r0: int, r1: int, c0: int, c1: int) -> None:
        try:
            with np.errstate(all="ignore"):
                self._target[...] = compute(self._node, self._inputs, self._params)
        except BaseException as error:
            # An exception cannot pass through native code: it is raised behind it.
            self.error = error
            self._failed()
