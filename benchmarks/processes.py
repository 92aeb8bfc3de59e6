"""Processes of their own: for thread settings, for clean memory, for a first time.

Numbers of threads are read from the environment when a library is loaded, so whoever is
measured lives in a process that was spawned with the right one. A `Process` stays alive
and answers calls, which lets contestants take turns.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Self, final

from benchmarks.workloads import BenchmarkError


@final
class Process:
    """A process that calls functions for us, one after the other.

    Parameters
    ----------
    environment : mapping of str to str
        Variables in addition to our own.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def submit(self, function: Callable[..., Any], *args: Any) -> "Future[Any]":
        """Ask for a call; the process is spawned by the first one."""
        with _variables(self._environment):
            return self._pool.submit(_guarded, function, *args)

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function there and return what it returns.

        Raises
        ------
        BenchmarkError
            If it raises, or the process dies.
        """
        return answer(self.submit(function, *args))


def answer(future: "Future[Any]") -> Any:
    """Wait for what a process was asked for."""
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise BenchmarkError("the process ended before it answered") from error


def call_alone(
    environment: Mapping[str, str], function: Callable[..., Any], *args: Any
) -> Any:
    """Call a function in a fresh process."""
    with Process(environment) as process:
        return process.call(function, *args)


def _guarded(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function; errors travel as text, for not all can be sent to a process."""
    try:
        return function(*args)
    except Exception as error:
        line = next(iter(str(error).splitlines()), "")
        raise BenchmarkError(f"{type(error).__name__}: {line}") from None


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
