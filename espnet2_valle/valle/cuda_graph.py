"""Decoding steps on a GPU as CUDA graphs: hundreds of kernels are launched at once instead of one by one.

A graph repeats what was recorded, with the same shapes at the same addresses. So the cache of a request moves
into a buffer that stays, a lane, and the next request finds what was recorded over it: one graph for each
number of rows, rounded up to a power of two, and each span of positions, a multiple of `SPAN`. What changes
from step to step lies in tensors. A lane serves one request at a time: any number may be under way.
"""

import logging
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from espnet2_valle.valle.cache import KVCache
from espnet2_valle.valle.rows import round_up

if TYPE_CHECKING:
    from espnet2_valle.valle.transformer import Transformer

SPAN = 256  # positions; a recording costs about three steps
CAPACITY = 1024  # positions of a lane's buffer are a multiple of this, so that it serves the next request too
# Of the difference between the first replay and torch's step, against the latter.
TOLERANCES = {torch.float32: 1e-3, torch.bfloat16: 0.05}
Compute = Callable[[], torch.Tensor]


class _Lane:
    """A buffer for the cache of one request at a time, and what was recorded over it.

    Args:
        cache: of the first request, whose sizes are rounded up.
        x: input of a step, (batch, 1, width).

    Attributes:
        buffer: as of `KVCache`, but for `rows` rows and `capacity` positions.
        x, position, starts: input, (rows, 1, width), (1,) and (rows,): what a step reads.
        replays: steps over the first rows and the first positions, by how many they are.
    """

    def __init__(self, cache: KVCache, x: torch.Tensor):
        layers, _, _, heads, _, entry = cache.buffer.shape
        rows, capacity, device = _power_of_two(cache.batch), round_up(cache.max_length, CAPACITY), x.device
        shape = (layers, 2, rows, heads, capacity, entry)
        self.buffer = torch.zeros(shape, dtype=cache.dtype, device=device)
        self.head_dim = cache.head_dim
        self.x = torch.zeros(rows, *x.shape[1:], dtype=x.dtype, device=device)
        self.position = torch.zeros(1, dtype=torch.long, device=device)
        self.starts = torch.zeros(rows, dtype=torch.long, device=device)
        self.replays: dict[tuple[int, int], Compute] = {}
        self._starts: list[int] = []
        self._cache: weakref.ref[KVCache] | None = None

    @property
    def cache(self) -> KVCache | None:
        """The cache that lies here; None when its request is gone."""
        return self._cache() if self._cache is not None else None

    def fits(self, rows: int, length: int) -> bool:
        """Check that so many rows and positions fit."""
        return rows <= self.buffer.shape[2] and length <= self.buffer.shape[4]

    def adopt(self, cache: KVCache) -> None:
        """Move a cache here. What is masked must be finite, so that nothing of a former one stays."""
        filled = cache.buffer[:, :, : cache.batch, :, : cache.length]
        self.buffer.zero_()
        self.buffer[:, :, : cache.batch, :, : cache.length] = filled
        cache.buffer = self.buffer[:, :, : cache.batch, :, : cache.max_length]
        self._cache, self._starts = weakref.ref(cache), []

    def set(self, x: torch.Tensor, cache: KVCache) -> None:
        """Give the next step its input and its place."""
        self.x[: len(x)].copy_(x)
        self.position.fill_(cache.length)
        if self._starts != cache.starts:
            self._starts = list(cache.starts)
            self.starts.zero_()
            self.starts[: cache.batch] = torch.tensor(self._starts, device=self.starts.device)


class _Span(KVCache):
    """The first rows and positions of a lane, as a cache whose shapes do not change.

    Args:
        lane: whose tensors say where the next entry goes, and where rows start.
        rows, span: of the buffer; positions behind the lane's are masked.
    """

    def __init__(self, lane: _Lane, rows: int, span: int):
        self.buffer = lane.buffer[:, :, :rows, :, :span]
        self.head_dim = lane.head_dim
        self.length = 0
        self.starts = [0] * rows
        self._position, self._before = lane.position, lane.starts[:rows]
        self._places = torch.arange(span, device=lane.buffer.device)

    def append(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See `KVCache.append`; returns the whole span."""
        keys, values = self.buffer[layer]
        keys.index_copy_(2, self._position, key.to(keys.dtype))
        values.index_copy_(2, self._position, value.to(values.dtype))
        return keys, values

    def mask(self, time: int) -> torch.Tensor:
        """See `KVCache.mask`: (rows, 1, 1, span)."""
        hidden = (self._places < self._before.unsqueeze(1)) | (self._places > self._position)
        zeros = torch.zeros(hidden.shape, dtype=self.dtype, device=hidden.device)
        return zeros.masked_fill(hidden, float("-inf"))[:, None, None]


def capture(compute: Compute, device: torch.device) -> Compute:
    """Record the kernels that `compute` launches; what is returned launches them again.

    Args:
        compute: works on tensors of `device`.
        device: a GPU, whichever is torch's current one.

    Raises:
        RuntimeError: CUDA cannot record them.
    """
    with torch.cuda.device(device):
        aside = torch.cuda.Stream(device)
        aside.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(aside):
            compute()  # libraries set themselves up, which cannot be recorded
        torch.cuda.current_stream(device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=aside, capture_error_mode="thread_local"):
            result = compute()

    def replay() -> torch.Tensor:
        with torch.cuda.device(device):
            graph.replay()
        return result

    return replay


class GraphedStep:
    """The `DecodeStep` on a GPU: one position of each row with a cache, replayed from a recording.

    The first replay of each recording is compared with torch's own step. Where recording fails or they
    differ, the log says so, and from then on torch launches each kernel.

    Args:
        transformer: with weights of the type to decode with, on its device.
        record: what records.

    Attributes:
        dtype: of the caches that it takes.
    """

    def __init__(
        self, transformer: "Transformer", record: Callable[[Compute, torch.device], Compute] = capture
    ):
        self.dtype = transformer.cache_dtype
        self._transformer = transformer
        self._record = record
        self._failed = False
        self._lanes: list[_Lane] = []
        self._lock = threading.Lock()

    def serves(self, x: torch.Tensor, cache: KVCache) -> bool:
        """See `DecodeStep.serves`."""
        fits = cache.dtype == self.dtype and x.shape[1] == 1
        return fits and not self._failed and not torch.is_grad_enabled()

    def __call__(self, x: torch.Tensor, cache: KVCache) -> torch.Tensor:
        """Add a position to each row: (batch, 1, width) -> (batch, 1, width).

        Raises:
            IndexError: the cache is full.
        """
        cache.check_room(1)
        try:
            lane = self._lane(x, cache)
            lane.set(x, cache)
            size = _power_of_two(cache.batch), min(round_up(cache.length + 1, SPAN), lane.buffer.shape[4])
            if size not in lane.replays:
                return self._first(x, cache, lane, size)
        except RuntimeError as error:
            self._fail(str(error))
            return self._transformer.run_blocks(x, causal=True, cache=cache)
        y = lane.replays[size]()[: cache.batch].clone()
        cache.advance(1)
        return y

    def _lane(self, x: torch.Tensor, cache: KVCache) -> _Lane:
        """The lane that has the cache, or a free one, which it moves into."""
        with (
            self._lock,
            torch.inference_mode(False),
            torch.no_grad(),
        ):  # a lane outlives the mode of a request
            for lane in self._lanes:
                if lane.cache is cache:
                    return lane
            free = [lane for lane in self._lanes if lane.cache is None]
            fitting = [lane for lane in free if lane.fits(cache.batch, cache.max_length)]
            if not fitting:
                made = _Lane(cache, x)
                covered = [lane for lane in free if made.fits(lane.buffer.shape[2], lane.buffer.shape[4])]
                self._lanes = [lane for lane in self._lanes if lane not in covered] + [made]
                fitting = [made]
            lane = min(fitting, key=lambda lane: lane.buffer.numel())
            lane.adopt(cache)
            return lane

    def _first(self, x: torch.Tensor, cache: KVCache, lane: _Lane, size: tuple[int, int]) -> torch.Tensor:
        """Record a step of the size, and do it both ways."""
        rows, run = size[0], self._transformer.run_blocks
        with self._lock, torch.inference_mode(False), torch.no_grad():
            lane.x.zero_()  # a replay that does nothing then leaves the result of another input
            span = _Span(lane, *size)
            replay = self._record(lambda: run(lane.x[:rows], causal=True, cache=span), x.device)
        lane.set(x, cache)
        y = replay()[: cache.batch].clone()
        expected = run(x, causal=True, cache=cache)
        if (y - expected).norm() <= TOLERANCES.get(self.dtype, 0.0) * expected.norm():
            lane.replays[size] = replay
        else:
            self._fail("a replay differs from torch's step")
        return expected

    def _fail(self, reason: str) -> None:
        logging.warning(f"steps are not recorded as CUDA graphs, which takes longer: {reason}")
        self._failed = True

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """As with `NativeStep`: a copied or sent model has other weights."""
        return (type(None), ())


def _power_of_two(rows: int) -> int:
    """The smallest power of two that is not below `rows`."""
    return 1 << (rows - 1).bit_length()
