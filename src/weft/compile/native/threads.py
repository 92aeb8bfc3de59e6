"""Threads that help a leader, and one that leads while Python waits.

They live as long as the run they are for: starting one takes some tens of microseconds,
and only runs that take much longer get any. They are told when to go home by the run's
control block.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

from weft.compile.native.control import Cell
from weft.compile.native.executor import leader, worker
from weft.compile.native.library import Library
from weft.compile.native.tickets import MOST_HELPERS
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
    help = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
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

    def finish(job: threading.Event) -> None:
        # However often one is interrupted: nothing may be left running behind. (A
        # thread's own `join` takes it for ended once it has been interrupted.)
        while not job.is_set():
            try:
                job.wait()
            except BaseException as error:
                control[Cell.STOP] = 1
                interruptions.append(error)

    helping: list[threading.Event] = []
    try:
        for _ in range(min(helpers, MOST_HELPERS)):
            job = _started(help, address, len(helping) + 1)
            if job is not None:
                helping.append(job)
        control[Cell.WORKERS] = len(helping)
        leading = None
        if interruptible:
            leading = _started(lambda: taken.append(int(run(address))))
        if leading is None:
            taken.append(int(run(address)))
        else:
            finish(leading)
    finally:
        control[Cell.QUIT] = 1
        for job in helping:
            finish(job)
    if interruptions:
        raise interruptions[0]
    return taken[0]


def _started(target: Callable[..., object], *args: object) -> threading.Event | None:
    """Start a thread; return what is set at its end, or None where none can be had."""
    ended = threading.Event()

    def work() -> None:
        try:
            target(*args)
        finally:
            ended.set()

    thread = threading.Thread(target=work, name="weft", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # Python is about to end
        return None
    return ended
