"""Work on many items at once, in the order given, with a progress bar.

What a worker needs beside the item, a codec or a recogniser, is loaded by the function through `lru_cache`: a
worker is one process with one thread, and does all its work in it, so that happens once.
"""

import logging
import reprlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from tqdm import tqdm

from espnet2_valle.common.checks import check_device
from espnet2_valle.common.errors import InputError, WorkError
from espnet2_valle.jobs.config import LOCAL, SSH, ClusterConfig

if TYPE_CHECKING:
    from distributed import Client, Future

Item = TypeVar("Item")
Result = TypeVar("Result")
Placed = tuple[int, Any]  # an item's place, and the item

TASK_SECONDS = 0.5  # items are handed out in tasks of about this length: Dask takes some ms for each
LONGEST_TASK = 1024  # items
TASKS_A_WORKER = 2  # one at work and one that waits there, so that no worker waits for a busy driver
GPU_IS_FULL = "OutOfMemoryError"  # torch's, which is not loaded for work that needs none
SHOWN = 3  # items named in an error


class Workers:
    """Workers of one configuration, started when they are first needed and kept until the end.

    Args:
        config: where they run.
        device: where their work computes, see `open_client`.

    Raises:
        InputError: they would run on this machine, which has no such device.
    """

    def __init__(self, config: ClusterConfig, device: str = "cpu"):
        if config.env == LOCAL and device != "cpu":
            check_device(device, "--device")
        self.config = config.on(device)
        self.device = device
        self.running = ExitStack()
        self.client: Client | None = None
        self.n_workers = 0

    def start(self, n_workers: int) -> "Client":
        """A client of at least so many workers; those on the machines of `ssh` are always all."""
        if self.client is None:
            from espnet2_valle.jobs.cluster import open_client

            self.client = self.running.enter_context(open_client(self.config, n_workers, self.device))
        elif n_workers > self.n_workers and self.config.env != SSH:
            self.client.cluster.scale(n_workers)
        self.n_workers = max(n_workers, self.n_workers)
        return self.client

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *ended: Any) -> None:
        self.client = None
        self.running.close()


_current: Workers | None = None


@contextmanager
def use_cluster(path: str | None = None, device: str = "cpu") -> Iterator[None]:
    """Within the block `parallel_map` works where a file of conf/cluster says, on workers it starts once.

    Args:
        path: the file; None is processes of this machine.
        device: where the work computes. On `cuda`, all GPUs, there is a worker for each and nj counts not;
            `cuda` is its own GPU to each of them. On `cuda:N` there is one worker.

    Raises:
        InputError: a file at fault, see `ClusterConfig`, or no such device on this machine.
    """
    global _current
    outer = _current
    with Workers(ClusterConfig.load(path) if path else ClusterConfig(), device) as _current:
        try:
            yield
        finally:
            _current = outer


def parallel_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    nj: int = 1,
    title: str = "",
    worth: int = 1,
    keep_errors: bool = False,
    total: int | None = None,
) -> Iterator[Any]:
    """Yield `function(item)` for each item, in order, while workers work ahead.

    Nothing starts before the first result is asked for. The bar shows rate and time left. One local worker is
    this process. A worker that dies is replaced and its items are done again; an item at which workers die
    again and again is a WorkError that names it. Outside of `use_cluster`, workers live as long as the call.

    Args:
        function: picklable (a module's function or functools.partial of one).
        items: what to work on; taken as the work goes on if they are a sequence or their number is given.
        nj: number of workers, where neither the cluster's configuration nor the number of GPUs says it.
        title: what the bar says.
        worth: so many items are worth a worker of their own, which takes seconds to start.
        keep_errors: yield an InputError in its item's place rather than raise it.
        total: number of items.

    Raises:
        InputError: of `function`, or an item at which workers die, or no worker is left. Results before it
            are yielded, the remaining work is dropped.
        Exception: whatever else `function` raises.
    """
    if total is None:
        items = items if isinstance(items, Sequence) else list(items)
        total = len(items)
    with tqdm(total=total, desc=title or None, dynamic_ncols=True, mininterval=1.0) as bar:
        for result in _results(function, items, total, nj, worth, title):
            if isinstance(result, InputError) and not keep_errors:
                raise result
            bar.update()
            yield result


def _results(
    function: Callable[[Item], Result], items: Iterable[Item], total: int, nj: int, worth: int, title: str
) -> Iterator[Result | InputError]:
    workers = _current or Workers(ClusterConfig())
    wanted = min(workers.config.workers(nj, workers.device), -(-total // worth))
    if total <= worth or (wanted == 1 and workers.config.env == LOCAL):
        yield from (_attempt(function, item) for item in items)
        return
    with ExitStack() as ending:
        if workers is not _current:
            ending.enter_context(workers)
        yield from _Handout(workers, wanted, function, items, title)


def _attempt(function: Callable[[Item], Result], item: Item) -> Result | InputError:
    try:
        return function(item)
    except InputError as error:
        return error
    except RuntimeError as error:
        if type(error).__name__ != GPU_IS_FULL:
            raise
        return WorkError(
            "--device",
            f"the GPU's memory does not suffice for {_names([item])} ({str(error).splitlines()[0]})",
            "Give a smaller --batch_size, or fewer gpu_workers in the file of --cluster, and run again",
        )


def _work(
    function: Callable[[Item], Result], items: Sequence[Item]
) -> tuple[list[Result | InputError], float]:
    """A worker's task: results of some items, and the seconds they took."""
    start = time.perf_counter()
    return [_attempt(function, item) for item in items], time.perf_counter() - start


class _Handout:
    """Distributor of items to workers in tasks of about equal length; it yields results in the items' order.

    Dask counts the death of a worker against every task that waited there, so an item is only found guilty
    when it was worked on alone.
    """

    def __init__(
        self,
        workers: Workers,
        n_workers: int,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        title: str,
    ):
        from distributed import as_completed

        self.config = workers.config
        self.client = workers.start(n_workers)
        self.n_workers = n_workers
        self.function = function
        self.title = title or getattr(function, "__name__", "work")
        self.todo = iter(enumerate(items))
        self.suspects: deque[Placed] = deque()
        self.trial: Future | None = None  # of a suspect, while nothing else runs
        self.task_items = 1
        self.running: dict[Future, list[Placed]] = {}
        self.finished: dict[int, list[Any]] = {}  # results by the place of the first
        self.ended = as_completed()

    def __iter__(self) -> Iterator[Any]:
        place = 0
        try:
            self._hand_out()
            for future in self.ended:
                self._take(future)
                self._hand_out()
                while place in self.finished:
                    results = self.finished.pop(place)
                    place += len(results)
                    yield from results
        finally:
            if self.running:  # else the workers may have ended before this generator does
                self.client.cancel(list(self.running))

    def _hand_out(self) -> None:
        """Keep every worker busy, or let all come to rest but one that has a suspect."""
        if self.suspects:
            if not self.running:
                self.trial = self._submit([self.suspects.popleft()])
            return
        while len(self.running) < TASKS_A_WORKER * self.n_workers:
            part = list(islice(self.todo, self.task_items))
            if not part:
                return
            self._submit(part)

    def _submit(self, part: list[Placed]) -> "Future":
        future = self.client.submit(_work, self.function, [item for _, item in part], pure=False)
        self.running[future] = part
        self.ended.add(future)
        return future

    def _take(self, future: "Future") -> None:
        """Keep the results of a task that ended; suspect its items if workers died."""
        from distributed.scheduler import KilledWorker, NoWorkerError

        part = self.running.pop(future)
        items = [item for _, item in part]
        try:
            results, seconds = future.result()
        except KilledWorker:
            if future is self.trial:
                self.finished[part[0][0]] = [self._deadly(items[0])]
            else:
                self.suspects.extend(part)
            return
        except NoWorkerError as error:
            raise self._no_workers() from error
        except Exception:
            logging.error("%s: failed at %s", self.title, _names(items))
            raise
        self.finished[part[0][0]] = results
        self._adapt(seconds)

    def _adapt(self, seconds: float) -> None:
        """Make tasks longer or shorter, slowly: the first one of a worker loads models."""
        if seconds < TASK_SECONDS / 2:
            self.task_items = min(2 * self.task_items, LONGEST_TASK)
        elif seconds > TASK_SECONDS * 2:
            self.task_items = max(self.task_items // 2, 1)

    def _deadly(self, item: Any) -> WorkError:
        return WorkError(
            self.title,
            f"{self.config.allowed_failures + 1} workers died while working on {_names([item])}",
            "They were killed, by hand or for want of memory, or crashed: remove the item, or give a worker "
            "more memory (fewer with --nj, or options of --cluster), and run again to go on",
        )

    def _no_workers(self) -> InputError:
        return InputError(
            self.config.path,
            f"{self.title} had no worker for {self.config.no_workers_timeout:g} s",
            "See why in the cluster's queue and the workers' log; no_workers_timeout sets the time",
        )


def _names(items: Sequence[Any]) -> str:
    """Some items, so that a reader finds them."""
    shorten = reprlib.Repr()
    shorten.maxstring = shorten.maxother = 200
    shown = ", ".join(shorten.repr(item) for item in items[:SHOWN])
    return shown if len(items) <= SHOWN else f"{shown} or {len(items) - SHOWN} more"
