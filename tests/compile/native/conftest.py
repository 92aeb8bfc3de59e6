"""Elementwise kernels to try scalar code with: one loop over flat arrays."""

import ctypes
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from weft.compile.native.ir import Function, memory_type, register_type, vector
from weft.compile.native.library import Kernel, library
from weft.compile.native.target import target
from weft.compile.native.vector import VectorEmitter

Array = np.ndarray


def run_elementwise(
    name: str,
    emit: Callable,
    args: Sequence[Array],
    dtype: np.dtype,
    target_name: str,
    lanes: int | None = None,
) -> Array:
    """Compile what `emit` writes, and run it on arrays of one shape.

    Two kernels of one `name`, argument types, target and lanes must be the same.
    """
    dtypes = [arg.dtype for arg in args]
    machine = target(target_name)
    widest = max(np.dtype(d).itemsize for d in [*dtypes, dtype])
    lanes = lanes or machine.lanes(widest)
    kernel = _kernel(name, emit, dtypes, dtype, target_name, lanes)
    address = library(target_name).addresses([kernel])[kernel.name]
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (len(args) + 1), ctypes.c_int64)
    size = -(-args[0].size // lanes) * lanes
    padded = [np.resize(arg, size) for arg in args]
    result = np.empty(size, dtype)
    call(address)(*(a.ctypes.data for a in [*padded, result]), size)
    return result[: args[0].size].reshape(args[0].shape)


def _kernel(
    name: str,
    emit: Callable,
    dtypes: Sequence[np.dtype],
    dtype: np.dtype,
    target_name: str,
    lanes: int,
) -> Kernel:
    kinds = [memory_type(d) for d in [*dtypes, dtype]]
    signature = "_".join([name, *map(str, dtypes), str(dtype), str(lanes)])
    params = [*(("ptr", f"p{i}") for i in range(len(kinds))), ("i64", "size")]
    f = Function(f"elementwise_{signature}", params, target(target_name))
    *pointers, size = f.params
    with f.loop(0, size, lanes) as loop:
        addresses = [
            f.at(p, loop.index, kind) for p, kind in zip(pointers, kinds, strict=True)
        ]
        scalars = []
        for address, kind, d in zip(addresses, kinds, dtypes, strict=False):
            x = f.load(address, vector(kind, lanes))
            scalars.append(x if register_type(d) == kind else f.compare("ne", x, 0))
        value = emit(VectorEmitter(f), *scalars)
        if value.element != kinds[-1]:
            wide = vector(kinds[-1], lanes)
            value = f.op(f"zext {value.text} to {wide}", wide)
        f.store(value, addresses[-1])
    return Kernel(f.name, f.finish(), frozenset(f.declarations))


@pytest.fixture(scope="session")
def elementwise() -> Callable[..., Array]:
    """Run scalar code on arrays: ``elementwise(name, emit, args, dtype, target)``."""
    return run_elementwise
