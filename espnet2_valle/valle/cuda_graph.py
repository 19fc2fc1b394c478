"""Decoding steps on a GPU as CUDA graphs: hundreds of kernels are launched at once instead of one by one.

A graph repeats what was recorded, with the same shapes at the same addresses. So the step attends to a span
of the cache that grows only every `SPAN` positions, where it is recorded anew, and what changes from step to
step lies in tensors. All of this state is in here.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from espnet2_valle.valle.cache import KVCache
from espnet2_valle.valle.embeddings import round_up
from espnet2_valle.valle.quantize import Bfloat16Linear, Int8Linear

if TYPE_CHECKING:
    from espnet2_valle.valle.transformer import Transformer

SPAN = 256  # positions; a recording costs about three steps
Compute = Callable[[], torch.Tensor]


class _StaticCache(KVCache):
    """A filled cache seen through shapes that do not change: `position` says where the next entry goes.

    Args:
        cache: whose buffer this writes to; it is zeroed behind what is filled: what is masked must be finite.
        span: positions that are attended to; those behind `position` are masked.
    """

    def __init__(self, cache: KVCache, span: int):
        device = cache.buffer.device
        self.buffer = cache.buffer
        self.head_dim = cache.head_dim
        self.length = cache.length
        self.starts = list(cache.starts)
        self.span = span
        self.position = torch.tensor([cache.length], device=device)
        self._places = torch.arange(span, device=device)
        self._before = self._places < torch.tensor(self.starts, device=device).unsqueeze(1)
        self.buffer[..., cache.length : span, :] = 0

    def serves(self, cache: KVCache) -> bool:
        """Check that the next step of `cache` is within the span, with the same rows."""
        return cache.buffer is self.buffer and cache.starts == self.starts and cache.length < self.span

    def append(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See `KVCache.append`; returns the whole span."""
        keys, values = self.buffer[layer, :, : self.batch, :, : self.span]
        keys.index_copy_(2, self.position, key.to(keys.dtype))
        values.index_copy_(2, self.position, value.to(values.dtype))
        return keys, values

    def mask(self, time: int) -> torch.Tensor:
        """See `KVCache.mask`: (batch, 1, 1, span)."""
        hidden = self._before | (self._places > self.position)
        zeros = torch.zeros(hidden.shape, dtype=self.dtype, device=hidden.device)
        return zeros.masked_fill(hidden, float("-inf"))[:, None, None]


def capture(compute: Compute) -> Compute:
    """Record the kernels that `compute` launches; what is returned launches them again.

    Raises:
        RuntimeError: CUDA cannot record them.
    """
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        compute()  # libraries set themselves up, which cannot be recorded
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = compute()

    def replay() -> torch.Tensor:
        graph.replay()
        return result

    return replay


class GraphedStep:
    """The `DecodeStep` on a GPU: one position of each row with a cache, replayed from a recording.

    Where recording fails, the log says so, and from then on torch launches each kernel.

    Args:
        transformer: with weights of the type to decode with, on its device.
        record: what records.

    Attributes:
        dtype: of the caches that it takes: that of the weights, bfloat16 for int8.
    """

    def __init__(self, transformer: "Transformer", record: Callable[[Compute], Compute] = capture):
        small = isinstance(transformer.blocks[0].expand, (Bfloat16Linear, Int8Linear))
        self.dtype = torch.bfloat16 if small else transformer.norm.scale.dtype
        self._transformer = transformer
        self._record = record
        self._failed = False
        self._cache: _StaticCache | None = None

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
        if self._cache is None or not self._cache.serves(cache):
            try:
                self._start(x, cache)
            except RuntimeError as error:
                logging.warning(f"steps are not recorded as CUDA graphs, which takes longer: {error}")
                self._failed, self._cache = True, None
                return self._transformer(x, causal=True, cache=cache)
        assert self._cache is not None
        self._x.copy_(x)
        self._cache.position.fill_(cache.length)
        y = self._replay().clone()
        cache.advance(1)
        return y

    def _start(self, x: torch.Tensor, cache: KVCache) -> None:
        """Record a step over the next span. It writes where the step itself writes then."""
        span = min(round_up(cache.length + 1, SPAN), cache.max_length)
        static = _StaticCache(cache, span)
        self._x, self._cache = x.clone(), static
        run = self._transformer.run_blocks
        self._replay = self._record(lambda: run(self._x, causal=True, cache=static))

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """As with `NativeStep`: a copied or sent model has other weights."""
        return (type(None), ())
