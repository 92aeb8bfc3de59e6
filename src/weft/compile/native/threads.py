"""Threads that help a leader, and one that leads while Python waits.

They belong to the process, sleep while nothing runs, and are told when to go home by
the control block of the run they help in.
"""

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from weft.compile.native.control import Cell
from weft.compile.native.executor import leader, worker
from weft.compile.native.library import Library
from weft.ops.sample import Array


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _pool(role: str) -> ThreadPoolExecutor:
    """Return the threads of this process that lead, or those that help.

    They are apart, so that no leader waits for a thread that waits for leaders.
    """
    if hasattr(os, "register_at_fork"):
        # The threads of a parent are not there in its child.
        os.register_at_fork(after_in_child=_pool.cache_clear)
    return ThreadPoolExecutor(max_workers=64, thread_name_prefix=f"weft-{role}")


@cache
def sleep_address() -> int:
    """Return the address of a C function that sleeps; 0 if there is none."""
    try:
        function = ctypes.CDLL(None).usleep
    except (AttributeError, OSError, TypeError):  # not on Windows
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@cache
def entry_points(library: Library) -> tuple[Any, Any]:
    """Return the leader and the worker as functions of a control block's address."""
    kernels = [leader(library.target), worker(library.target)]
    addresses = library.addresses(kernels)
    lead = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
    help = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    return lead(addresses["weft_leader"]), help(addresses["weft_worker"])


def lead(library: Library, control: Array, helpers: int, interruptible: bool) -> int:
    """Take the steps that a control block asks for.

    Parameters
    ----------
    library : Library
    control : array of int64
    helpers : int
        How many threads to call for help.
    interruptible : bool
        Whether to lead on another thread, so that this one can be interrupted.

    Returns
    -------
    int
        How many steps were taken.

    Raises
    ------
    KeyboardInterrupt
        As soon as the step in progress has been given up.
    """
    run, help = entry_points(library)
    address = ctypes.c_void_p(control.ctypes.data)
    control[Cell.WORKERS] = helpers
    control[Cell.QUIT] = 0
    control[Cell.SLEEP] = sleep_address()
    helping = [_pool("help").submit(help, address) for _ in range(helpers)]
    try:
        if not interruptible:
            return int(run(address))
        leading = _pool("lead").submit(run, address)
        try:
            return int(leading.result())
        except BaseException:
            control[Cell.STOP] = 1
            leading.result()
            raise
    finally:
        control[Cell.QUIT] = 1
        for one in helping:
            if not one.cancel():
                one.result()
