"""The one error a user is meant to read."""

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
