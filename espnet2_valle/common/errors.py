"""The errors that a user is meant to read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InputError(Exception):
    """Something the user gave cannot be used, and the user can mend it.

    Args:
        where: the file, option or item at fault.
        problem: what is wrong with it, with the offending value.
        remedy: what to do about it.
    """

    def __init__(self, where: str | Path, problem: str, remedy: str):
        super().__init__(f"{where}: {problem}. {remedy}")
        self.where = str(where)
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:  # crosses process boundaries in parallel jobs
        return (type(self), (self.where, self.problem, self.remedy))


class WorkError(InputError):
    """An item was not worked on for want of something else: the worker died, or lacked a package or file.

    It says nothing of the item, so no shard that holds it is done: the next run tries it again.
    """


@contextmanager
def work_errors() -> Iterator[None]:
    """Blame what the block finds wrong on the worker, whatever item it was given.

    Raises:
        WorkError: in place of an InputError.
    """
    try:
        yield
    except InputError as error:
        raise WorkError(error.where, error.problem, error.remedy) from error
