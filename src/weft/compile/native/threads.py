"""Threads that help a leader, and one that leads while Python waits.

They live as long as the run they are for: starting one takes some tens of microseconds,
and only runs that take much longer get any. They are told when to go home by the run's
control block.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from contextlib import suppress
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
    control[Cell.QUIT] = 0
    control[Cell.SLEEP] = sleep_address()
    taken: list[int] = []
    interruptions: list[BaseException] = []

    def finish(thread: threading.Thread) -> None:
        # However often one is interrupted: nothing may be left running behind.
        while thread.is_alive():
            try:
                thread.join()
            except BaseException as error:
                control[Cell.STOP] = 1
                interruptions.append(error)

    helping: list[threading.Thread] = []
    try:
        helping.extend(_started(help, address) for _ in range(helpers))
        helping = [thread for thread in helping if thread.ident is not None]
        control[Cell.WORKERS] = len(helping)
        leading = None
        if interruptible:
            leading = _started(lambda: taken.append(int(run(address))))
        if leading is None or leading.ident is None:
            taken.append(int(run(address)))
        else:
            finish(leading)
    finally:
        control[Cell.QUIT] = 1
        for thread in helping:
            finish(thread)
    if interruptions:
        raise interruptions[0]
    return taken[0]


def _started(target: Callable[..., object], *args: object) -> threading.Thread:
    """Return a thread that runs; one that never will, where Python is about to end."""
    thread = threading.Thread(target=target, args=args, name="weft", daemon=True)
    with suppress(RuntimeError):
        thread.start()
    return thread
