"""The state that incremental decoding carries from step to step."""

import torch


class KVCache:
    """Keys and values of every layer, in one buffer that never grows.

    Args:
        num_layers, batch, heads, max_length, head_dim: sizes of the buffer
            (num_layers, 2, batch, heads, max_length, head_dim).
        dtype, device: of the model's activations.
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
        shape = (num_layers, 2, batch, heads, max_length, head_dim)
        self.buffer = torch.empty(shape, dtype=dtype, device=device)
        self.length = 0

    @property
    def max_length(self) -> int:
        """Positions that fit."""
        return self.buffer.shape[4]

    def append(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Store `key` and `value` (batch, heads, time, head_dim) behind what `layer` holds.

        `length` moves only by `advance`, when all layers have stored their part.

        Returns:
            all keys and all values so far, (batch, heads, length + time, head_dim) each.

        Raises:
            IndexError: the buffer is full.
        """
        end = self.length + key.shape[2]
        if end > self.max_length:
            raise IndexError(f"the cache holds {self.max_length} positions, {end} are wanted")
        self.buffer[layer, 0, :, :, self.length : end] = key
        self.buffer[layer, 1, :, :, self.length : end] = value
        return self.buffer[layer, 0, :, :, :end], self.buffer[layer, 1, :, :, :end]

    def advance(self, time: int) -> None:
        """Count `time` more positions as stored."""
        self.length += time


class GrowingCache(KVCache):
    """One row of a filled cache, which from then on makes room when it is full.

    For streams, whose length no one knows beforehand.

    Args:
        cache: what to go on from; it is not changed.
        row: of its batch.
    """

    def __init__(self, cache: KVCache, row: int):
        self.buffer = cache.buffer[:, :, row : row + 1].clone()
        self.length = cache.length

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
