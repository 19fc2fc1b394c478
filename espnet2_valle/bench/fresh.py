"""Work in a fresh Python process, timed from its start to its end."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from espnet2_valle.common.errors import InputError


@dataclass(frozen=True)
class Finished:
    """A process that has ended.

    Attributes:
        result: of its function.
        seconds: wall-clock time, Python's start included.
    """

    result: Any
    seconds: float


def run_fresh(
    function: Callable[..., Any], *args: Any, environment: Mapping[str, str] | None = None, **options: Any
) -> Finished:
    """Call a function in a process of its own, which inherits nothing but the environment.

    Args:
        function: of a module; what it prints goes to standard error.
        args, options: of the function, which are pickled, as is its result.
        environment: set for the process, in addition to this one's.

    Raises:
        InputError: the function raised it.
        RuntimeError: the process ended in another way.
    """
    receiver, sender = get_context("spawn").Pipe(duplex=False)
    process = get_context("spawn").Process(target=_work, args=(sender, function, args, options))
    start = time.perf_counter()
    with _environment(environment or {}):
        process.start()
    sender.close()
    try:
        result = receiver.recv()
    except EOFError:
        process.join()
        status = process.exitcode
        raise RuntimeError(f"{function.__name__} ended with status {status}: see what it said") from None
    process.join()
    seconds = time.perf_counter() - start
    if isinstance(result, InputError):
        raise result
    return Finished(result, seconds)


def _work(sender: Connection, function: Callable[..., Any], args: Any, options: Any) -> None:
    with redirect_stdout(sys.stderr):
        try:
            result = function(*args, **options)
        except InputError as error:
            result = error
    sender.send(result)


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Within the block, some variables are set: libraries such as OpenMP read them when they are loaded."""
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
