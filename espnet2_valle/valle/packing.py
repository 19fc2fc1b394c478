"""Batches without padding: rows laid behind one another as one long sequence, each seeing itself alone."""

import functools
from collections.abc import Callable

import torch
from torch.nn import functional as F
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from espnet2_valle.valle.embeddings import length_mask, round_up

STEP = 128  # a block of flex_attention; packed lengths are multiples, so that few shapes are compiled
FILLER = -1  # the row of what fills the last block up


class Packing:
    """The rows of a padded batch in one sequence, and what each position of it sees.

    On a GPU attention leaves out the blocks in which no position sees another (FlexAttention, Dong et al.,
    2024). On a CPU, for tests, it is computed under the same mask in full. Neither has dropout.

    Args:
        lengths: (batch,) of the rows.
        time: padded length.
        causal: a position sees none behind it.
        ranks: (batch, time), where a position sees ranks up to its own; None: it sees its whole row.
    """

    def __init__(self, lengths: torch.Tensor, time: int, causal: bool, ranks: torch.Tensor | None = None):
        self.inside = length_mask(lengths, time)
        self.filled = packed_length(lengths) - int(lengths.sum())
        row = torch.arange(len(lengths), device=lengths.device).unsqueeze(1).expand(-1, time)
        self.row = F.pad(row[self.inside], (0, self.filled), value=FILLER)
        rank = None if ranks is None else F.pad(ranks[self.inside], (0, self.filled))
        self.mask = _mask(self.row, causal, rank)

    def pack(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, time, width) -> (1, positions, width)."""
        return F.pad(x[self.inside], (0, 0, 0, self.filled)).unsqueeze(0)

    def unpack(self, packed: torch.Tensor) -> torch.Tensor:
        """(1, positions, width) -> (batch, time, width), zeros behind each row's end."""
        x = packed.new_zeros(*self.inside.shape, packed.shape[2])
        return x.masked_scatter(self.inside.unsqueeze(2), packed[0, : len(self.row) - self.filled])

    def per_position(self, values: torch.Tensor) -> torch.Tensor:
        """(batch,) values of rows -> (1, positions) of their positions."""
        return values[self.row.clamp(min=0)].unsqueeze(0)

    def attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Attention over (1, heads, positions, head_dim)."""
        if query.device.type == "cpu":
            return F.scaled_dot_product_attention(query, key, value, attn_mask=self.dense_mask)
        return _compiled_flex_attention()(query, key, value, block_mask=self.block_mask)

    @functools.cached_property
    def dense_mask(self) -> torch.Tensor:
        """(positions, positions), True where the first sees the second."""
        position = torch.arange(len(self.row), device=self.row.device)
        return self.mask(0, 0, position.unsqueeze(1), position.unsqueeze(0))

    @functools.cached_property
    def block_mask(self) -> object:
        """The same for `flex_attention`."""
        length = len(self.row)
        return create_block_mask(self.mask, None, None, length, length, device=self.row.device)


def packed_length(lengths: torch.Tensor) -> int:
    """Positions that rows of `lengths` (batch,) take, packed."""
    return round_up(int(lengths.sum()), STEP)


def _mask(row: torch.Tensor, causal: bool, rank: torch.Tensor | None) -> Callable[..., torch.Tensor]:
    """The visibility of a key, as `flex_attention` asks: by batch, head, and positions of query and key."""

    def visible(batch: object, head: object, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        same = row[query] == row[key]
        if causal:
            same = same & (query >= key)
        return same if rank is None else same & (rank[key] <= rank[query])

    return visible


@functools.cache
def _compiled_flex_attention() -> Callable[..., torch.Tensor]:
    return torch.compile(flex_attention, dynamic=True)
