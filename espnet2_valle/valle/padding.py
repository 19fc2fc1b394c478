"""Padded rows that see themselves alone, by kernels that take no mask."""

import functools

import torch
from torch.nested import nested_tensor_from_jagged
from torch.nn import functional as F

from espnet2_valle.valle.rows import length_mask, on_device, take


class Padding:
    """The padding of a batch, of which full attention sees nothing.

    On a GPU attention computes the rows without it, as jagged tensors: FlashAttention (Dao et al., 2022)
    takes rows of several lengths, but no mask. On a CPU, and in compiled code, it is masked.

    Args:
        lengths: (batch,) of the rows, on the CPU.
        time: padded length.
        device: of the batch.
        left: padding is before the rows, not behind them.

    Attributes:
        mask: (batch, 1, 1, time) bool, True where there is no padding.
    """

    def __init__(self, lengths: torch.Tensor, time: int, device: torch.device, left: bool = False):
        self.lengths, self.device, self.left = lengths, device, left
        self.mask = self._inside(on_device(lengths, device), time)[:, None, None]
        self._jagged_places = functools.cache(self._find_places)

    def serves(self, query: torch.Tensor) -> bool:
        """Check that `attend` is to be used, and not `mask`."""
        return query.device.type != "cpu" and not torch.compiler.is_compiling()

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, dropout: float = 0.0
    ) -> torch.Tensor:
        """Attention over (batch, heads, time, head_dim).

        Args:
            query: may be the last positions alone where rows are padded on the left.
            key, value: of all positions.
            dropout: of attention weights.

        Returns:
            as `query`, zeros where it is padding.
        """
        batch, heads, time, head_dim = query.shape
        attended = F.scaled_dot_product_attention(
            self._jagged(query), self._jagged(key), self._jagged(value), dropout_p=dropout
        )
        places = self._jagged_places(time)[0]
        filled = query.new_zeros(batch * time, heads, head_dim)
        filled = filled.index_put((places,), attended.transpose(1, 2).values())
        return filled.view(batch, time, heads, head_dim).transpose(1, 2)

    def _jagged(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, heads, time, head_dim) -> the same without padding, jagged."""
        places, offsets, shortest, longest = self._jagged_places(x.shape[2])
        rows = take(x.transpose(1, 2), places)
        jagged = nested_tensor_from_jagged(rows, offsets, min_seqlen=shortest, max_seqlen=longest)
        return jagged.transpose(1, 2)

    def _find_places(self, time: int) -> tuple[torch.Tensor, torch.Tensor, int, int]:
        """Places of what is no padding in the last `time` positions; the rows' offsets, shortest, longest."""
        lengths = self.lengths.clamp(max=time)
        places = self._inside(lengths, time).flatten().nonzero().squeeze(1)
        offsets = F.pad(lengths.cumsum(0), (1, 0))
        both = on_device(torch.cat([offsets, places]), self.device)
        return both[len(offsets) :], both[: len(offsets)], int(lengths.min()), int(lengths.max())

    def _inside(self, lengths: torch.Tensor, time: int) -> torch.Tensor:
        """(batch, time) bool, True where there is no padding."""
        inside = length_mask(lengths, time)
        return inside.flip(1) if self.left else inside
