"""Work on many items at once, in the order given, with a progress bar."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel_map(
    function: Callable[[Item], Result], items: Iterable[Item], nj: int = 1, title: str = ""
) -> Iterator[Result]:
    """Yield `function(item)` for each item, in order, while `nj` processes work ahead.

    Nothing starts before the first result is asked for. The bar shows rate and time left.

    Args:
        function: picklable when nj > 1 (a module's function or functools.partial of one).
        items: what to work on; a sequence lets the bar know its end.
        nj: number of processes; 1 works in this one.
        title: what the bar says.

    Raises:
        Whatever `function` raises; the remaining work is dropped.
    """
    items = items if hasattr(items, "__len__") else list(items)
    bar = tqdm(total=len(items), desc=title or None, dynamic_ncols=True, mininterval=1.0)  # type: ignore[arg-type]
    with bar:
        for result in _results(function, items, nj):
            bar.update()
            yield result


def _results(function: Callable[[Item], Result], items: Iterable[Item], nj: int) -> Iterator[Result]:
    if nj <= 1:
        yield from map(function, items)
        return
    from joblib import Parallel, delayed, parallel_config

    # One thread in each worker: numpy's own threads would fight over the same cores.
    with parallel_config(backend="loky", inner_max_num_threads=1):
        pool = Parallel(n_jobs=nj, return_as="generator", batch_size="auto")
        yield from pool(delayed(function)(item) for item in items)
