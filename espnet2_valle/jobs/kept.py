"""Work on many items whose results are kept, so that a run that was broken off goes on where it was."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from espnet2_valle.common.resume import Journal
from espnet2_valle.jobs.pool import parallel_map

Item = TypeVar("Item")


def kept_map(
    function: Callable[[Item], Any],
    items: Mapping[str, Item],
    states: Mapping[str, str],
    path: str | Path,
    nj: int,
    title: str,
    worth: int = 1,
) -> dict[str, Any]:
    """Result of `function` for each item, in order; what was made of the same before is taken from a file.

    Args:
        function: its results are what JSON holds.
        items: by name.
        states: of each, which changes with what its result is made from.
        path: of the file, lines of name, state and result.
        nj, title, worth: see `parallel_map`.

    Raises:
        InputError: the file is damaged.
    """
    with Journal(path, ensure_ascii=False) as journal:
        found = {key: result for key, state, result in journal.read() if states.get(key) == state}
        pending = [key for key in items if key not in found]
        made = parallel_map(function, [items[key] for key in pending], nj, title, worth)
        for key, result in zip(pending, made):
            found[key] = result
            journal.append([key, states[key], result])
    return {key: found[key] for key in items}
