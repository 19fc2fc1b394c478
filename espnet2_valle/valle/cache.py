"""The state that incremental decoding carries from step to step."""

import copy
from collections.abc import Sequence

import torch

from espnet2_valle.valle.quantize import INT8_MAX
from espnet2_valle.valle.rows import round_up

SCALE_BYTES = torch.float32.itemsize
SPARE = 256  # positions that a cache which has to grow has more than it needs


class KVCache:
    """Keys and values of every layer, in one buffer that never grows.

    All rows end at the same position: shorter ones start later, and what lies before their start is masked.
    So each step writes one column, whatever the rows' lengths.

    Args:
        num_layers, batch, heads, max_length, head_dim: sizes of the buffer
            (num_layers, 2, batch, heads, max_length, entry). An entry is head_dim numbers, in int8
            with their scale, a float32, behind them.
        dtype: what is stored: float32, bfloat16 or int8.
        device: of the model.
    """

    def __init__(
        self,
        num_layers: int,
        batch: int,
        heads: int,
        max_length: int,
        head_dim: int,
        dtype: torch.dtype,
        device: torch.device,
    ):
        entry = head_dim + SCALE_BYTES if dtype == torch.int8 else head_dim
        shape = (num_layers, 2, batch, heads, max_length, entry)
        self.buffer = torch.empty(shape, dtype=dtype, device=device)
        self.head_dim = head_dim
        self.length = 0
        self.starts = [0] * batch
        self._mask: torch.Tensor | None = None

    @staticmethod
    def stack(parts: Sequence["KVCache"], room: int) -> "KVCache":
        """Filled caches of one row each, as one batch with `room` more positions."""
        layers, _, _, heads, _, _ = parts[0].buffer.shape
        head_dim, dtype, device = parts[0].head_dim, parts[0].dtype, parts[0].buffer.device
        length = max(part.length for part in parts)
        stacked = KVCache(layers, len(parts), heads, length + room, head_dim, dtype, device)
        stacked.length = length
        for row, part in enumerate(parts):
            stacked._put(row, part.buffer[:, :, 0, :, : part.length])
        stacked._mask = stacked._hide_before_start()
        return stacked

    def admit(self, parts: Sequence["KVCache"], room: int) -> "KVCache":
        """Add filled caches of one row each behind the rows that are there.

        Args:
            parts: what is added.
            room: positions that will be needed by the row that goes on for longest.

        Returns:
            this cache, or a larger one in its place.
        """
        layers, _, capacity, heads, _, _ = self.buffer.shape
        rows = self.batch + len(parts)
        longest = max([self.length - min(self.starts), *(part.length for part in parts)])
        in_place = longest <= self.length and self.length + room <= self.max_length
        old = [self.buffer[:, :, row, :, start : self.length] for row, start in enumerate(self.starts)]
        cache = self
        if rows > capacity or longest + room > self.max_length:
            positions = round_up(longest + room + SPARE, SPARE)
            more = max(rows, 2 * capacity)
            cache = KVCache(layers, more, heads, positions, self.head_dim, self.dtype, self.buffer.device)
            in_place = False
        elif not in_place:
            old = [content.clone() for content in old]  # what is written to lies over what is read
        cache.starts = self.starts + [0] * len(parts)
        if not in_place:
            cache.length = longest
            for row, content in enumerate(old):
                cache._put(row, content)
        for row, part in enumerate(parts, len(old)):
            cache._put(row, part.buffer[:, :, 0, :, : part.length])
        cache._mask = cache._hide_before_start()
        return cache

    def _put(self, row: int, content: torch.Tensor) -> None:
        """Let a row end where all do, with `content` (layers, 2, heads, time, entry)."""
        start = self.length - content.shape[3]
        self.starts[row] = start
        self.buffer[:, :, row, :, :start] = 0  # masked, but 0 * NaN would not be
        self.buffer[:, :, row, :, start : self.length] = content

    def split(self, lengths: Sequence[int]) -> list["KVCache"]:
        """Rows that begin at the first position and end at these, as caches of one row in the same memory."""
        parts = []
        for row, length in enumerate(lengths):
            part = copy.copy(self)
            part.buffer = self.buffer[:, :, row : row + 1]
            part.length, part.starts, part._mask = length, [0], None
            parts.append(part)
        return parts

    @property
    def batch(self) -> int:
        """Rows that are still decoded."""
        return len(self.starts)

    @property
    def dtype(self) -> torch.dtype:
        """Of what is stored."""
        return self.buffer.dtype

    @property
    def max_length(self) -> int:
        """Positions that fit."""
        return self.buffer.shape[4]

    def append(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Store `key` and `value` (batch, heads, time, head_dim) behind what `layer` holds.

        `length` moves only by `advance`, when all layers have stored their part.

        Returns:
            all keys and all values so far, (batch, heads, seen, head_dim) each, from the first position
            that any row has.

        Raises:
            IndexError: the buffer is full.
        """
        time = key.shape[2]
        self.check_room(time)
        first, end = min(self.starts), self.length + time
        keys, values = self.buffer[layer, :, : self.batch, :, first:end]
        keys[:, :, -time:] = self._pack(key)
        values[:, :, -time:] = self._pack(value)
        return self._unpack(keys), self._unpack(values)

    def check_room(self, time: int) -> None:
        """Raise IndexError unless `time` more positions fit."""
        end = self.length + time
        if end > self.max_length:
            raise IndexError(f"the cache holds {self.max_length} positions, {end} are wanted")

    def mask(self, time: int) -> torch.Tensor | None:
        """Additive mask (batch, 1, 1, seen) for what `append` returns; None where all of it counts."""
        if self._mask is None:
            return None
        return self._mask[:, None, None, min(self.starts) : self.length + time]

    def advance(self, time: int) -> None:
        """Count `time` more positions as stored."""
        self.length += time

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these, given in ascending order."""
        for target, row in enumerate(rows):
            if target != row:
                stored = slice(self.starts[row], self.length)
                self.buffer[:, :, target, :, stored] = self.buffer[:, :, row, :, stored]
        self.starts = [self.starts[row] for row in rows]
        self._mask = self._hide_before_start()

    def _hide_before_start(self) -> torch.Tensor | None:
        """(batch, max_length): -inf before each row's start; None when all rows start together."""
        if len(set(self.starts)) <= 1:
            return None
        starts = torch.tensor(self.starts, device=self.buffer.device)
        hidden = torch.arange(self.max_length, device=self.buffer.device) < starts.unsqueeze(1)
        dtype = torch.float32 if self.dtype == torch.int8 else self.dtype
        zeros = torch.zeros(hidden.shape, dtype=dtype, device=hidden.device)
        return zeros.masked_fill(hidden, float("-inf"))

    def _pack(self, x: torch.Tensor) -> torch.Tensor:
        """(..., head_dim) -> (..., entry)"""
        if self.dtype != torch.int8:
            return x
        x = x.float()
        scale = (x.abs().amax(-1, keepdim=True) / INT8_MAX).clamp(min=torch.finfo(torch.float32).tiny)
        return torch.cat([(x / scale).round().to(torch.int8), scale.view(torch.int8)], dim=-1)

    def _unpack(self, entries: torch.Tensor) -> torch.Tensor:
        """(..., entry) -> (..., head_dim)"""
        if self.dtype != torch.int8:
            return entries
        numbers, scale = entries.split([self.head_dim, SCALE_BYTES], dim=-1)
        return numbers * scale.contiguous().view(torch.float32)


class GrowingCache(KVCache):
    """One row of a filled cache, which from then on makes room when it is full.

    For streams, whose length no one knows beforehand.

    Args:
        cache: what to go on from. The row is shared until it grows; no one else may write to it.
        row: of its batch.
    """

    def __init__(self, cache: KVCache, row: int):
        self.buffer = cache.buffer[:, :, row : row + 1]
        self.head_dim = cache.head_dim
        self.length = cache.length
        self.starts = [0]
        self._mask = None

    def append(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See `KVCache.append`; the room at least doubles where it does not suffice."""
        end = self.length + key.shape[2]
        if end > self.max_length:
            shape = list(self.buffer.shape)
            shape[4] = max(end, 2 * self.max_length)
            grown = self.buffer.new_empty(shape)
            grown[..., : self.max_length, :] = self.buffer
            self.buffer = grown
        return super().append(layer, key, value)
