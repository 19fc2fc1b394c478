"""Work that is cut into shards: a manifest says which are done, and a killed run goes on with the others."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from espnet2_valle.common.errors import InputError, WorkError
from espnet2_valle.common.resume import Journal, digest, file_state
from espnet2_valle.jobs.pool import parallel_map

Item = TypeVar("Item")
Name = TypeVar("Name")
Result = TypeVar("Result")
BAD = "bad"


class Manifest:
    """A file of JSON lines for each shard that is done, each whole or absent.

    Its first line is a digest of all that the shard's results depend on, so that a run with other inputs does
    the shard again.

    Args:
        directory: gets `shard.N`, N from 1.
    """

    def __init__(self, directory: str | Path):
        self.directory = Path(directory)

    def path(self, number: int) -> Path:
        """The file that says that shard `number` is done."""
        return self.directory / f"shard.{number}"

    def is_done(self, number: int, mark: str) -> bool:
        """Tell whether shard `number` was made from what the digest `mark` stands for."""
        return Journal(self.path(number)).begins_with(mark)

    def write(self, number: int, mark: str | None, rows: Iterable[Any]) -> None:
        """Say that shard `number` is done; `rows` are JSON values.

        With the mark None it is done for this run only.
        """
        Journal(self.path(number)).rewrite(chain([mark], rows))

    def rows(self, number: int) -> list[Any]:
        """The rows of a shard that is done."""
        return Journal(self.path(number)).rows()[1:]

    def size(self) -> int:
        """Rows of the first shard, which has as many as any other; 0 if it is not there."""
        return max(0, sum(1 for _ in Journal(self.path(1)).lines()) - 1)

    def forget(self, number: int) -> None:
        """Shard `number` is done no more."""
        self.path(number).unlink(missing_ok=True)


def cut(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """Shards of `size` items."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def numbered_shards(items: Iterable[Item], size: int) -> Iterator[tuple[int, list[Item]]]:
    """Shards of `size` items, from number 1 on; the items are taken one shard at a time."""
    rest = iter(items)
    return enumerate(iter(lambda: list(islice(rest, size)), []), 1)


def work_on_shards(
    function: Callable[[Item], Result],
    shards: Iterable[tuple[Name, Sequence[Item]]],
    nj: int = 1,
    title: str = "",
    worth: int = 1,
    total: int | None = None,
) -> Iterator[tuple[Name, list[Result | InputError]]]:
    """Yield each shard's name and results, an InputError in place of a bad item's; see `parallel_map`.

    Args:
        function, nj, title, worth: of `parallel_map`.
        shards: names and items, at least one each; taken as the work goes on if `total` is given.
        total: number of items in all shards.
    """
    begun: deque[tuple[Name, int]] = deque()

    def items() -> Iterator[Item]:
        for name, shard in shards:
            begun.append((name, len(shard)))
            yield from shard

    results: list[Result | InputError] = []
    for result in parallel_map(function, items(), nj, title, worth, keep_errors=True, total=total):
        results.append(result)
        if len(results) == begun[0][1]:
            yield begun.popleft()[0], results
            results = []


def lasting(mark: str, results: Iterable[Any]) -> str | None:
    """The mark of a shard with these results: None if one is a WorkError, which another run may not meet."""
    return None if any(isinstance(result, WorkError) for result in results) else mark


def bad_row(error: InputError) -> dict[str, list[str]]:
    """An item's error as a row of a manifest."""
    return {BAD: [error.where, error.problem, error.remedy]}


def error_of(row: Any) -> InputError | None:
    """The error that `bad_row` made a row of; None for any other row."""
    return InputError(*row[BAD]) if isinstance(row, dict) and BAD in row else None


def shard_state(depends_on: str, shard: Iterable[tuple[str, str | Path]]) -> str:
    """A digest of all that a shard of (key, file) depends on: its files, and what `depends_on` stands for."""
    return digest([depends_on, *(f"{key} {file_state(path)}" for key, path in shard)])
