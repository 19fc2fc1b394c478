"""Batches without padding: rows laid behind one another as one long sequence, each seeing itself alone."""

import functools
from collections.abc import Callable

import torch
from torch.nn import functional as F
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from espnet2_valle.valle.rows import on_device, round_up, take

STEP = 128  # a block of flex_attention; packed lengths are multiples, so that few shapes are compiled
FILLER = -1  # the row of what fills the last block up


class Packing:
    """The rows of a padded batch in one sequence, and what each position of it sees.

    On a GPU attention leaves out the blocks in which no position sees another (FlexAttention, Dong et al.,
    2024). On a CPU, for tests, it is computed under the same mask in full. Neither has dropout.

    Args:
        lengths: (batch,) of the rows, on the CPU.
        time: padded length.
        device: of the sequence.
        causal: a position sees none behind it.
        ranks: (batch, time) on the device, where a position sees ranks up to its own; None: it sees its row.
        stages: (batch,) on the CPU: rows of a stage are laid side by side; None: rows keep their order.

    Attributes:
        stages: stage and number of positions of each part of the sequence.
    """

    def __init__(
        self,
        lengths: torch.Tensor,
        time: int,
        device: torch.device,
        causal: bool,
        ranks: torch.Tensor | None = None,
        stages: torch.Tensor | None = None,
    ):
        stages = torch.zeros_like(lengths) if stages is None else stages
        order = stages.argsort(stable=True)
        lengths = lengths[order]
        self.shape = len(lengths), time
        self.causal, self.ranked = causal, ranks is not None
        self.filled = packed_length(lengths) - int(lengths.sum())
        self.stages = _parts(stages[order], lengths, self.filled)
        self.bounds = F.pad(torch.cat([lengths, torch.tensor([self.filled])]).cumsum(0), (1, 0))
        row = order.repeat_interleave(lengths)
        place = row * time + torch.arange(len(row)) - self.bounds[:-2].repeat_interleave(lengths)
        row, self.place = on_device(torch.stack([row, place]), device)
        self.row = F.pad(row, (0, self.filled), value=FILLER)
        rank = None if ranks is None else F.pad(take(ranks, self.place), (0, self.filled))
        self.mask = _mask(self.row, causal, rank)

    def pack(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, time, width) -> (1, positions, width)."""
        return F.pad(take(x, self.place), (0, 0, 0, self.filled)).unsqueeze(0)

    def unpack(self, packed: torch.Tensor) -> torch.Tensor:
        """(1, positions, width) -> (batch, time, width), zeros behind each row's end."""
        (batch, time), width = self.shape, packed.shape[2]
        x = packed.new_zeros(batch * time, width).index_put((self.place,), packed[0, : len(self.place)])
        return x.view(batch, time, width)

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
    def block_mask(self) -> BlockMask:
        """The same for `flex_attention`: blocks, not positions, are held against where rows begin and end."""
        blocks = torch.arange(len(self.row) // STEP)
        begin, end = blocks * STEP, (blocks + 1) * STEP
        row, last = (torch.bucketize(edge, self.bounds, right=True) - 1 for edge in (begin, end - 1))
        low, high = self.bounds[row] // STEP, (self.bounds[last + 1] - 1) // STEP
        # Of a block within one row, the blocks that the row covers need no look at single positions.
        full_low = -(-self.bounds[row] // STEP)
        full_high = torch.where(row == last, self.bounds[row + 1] // STEP - 1, -1)
        if self.causal:
            high, full_high = torch.minimum(high, blocks), torch.minimum(full_high, blocks - 1)
        if self.ranked:
            full_high = torch.full_like(full_high, -1)
        edges = on_device(torch.stack([low, high, full_low, full_high]), self.row.device).unsqueeze(2)
        key = torch.arange(len(blocks), device=self.row.device)
        visible = (key >= edges[0]) & (key <= edges[1])
        full = (key >= edges[2]) & (key <= edges[3])
        return BlockMask.from_kv_blocks(
            *_ordered(visible & ~full), *_ordered(full), BLOCK_SIZE=STEP, mask_mod=self.mask
        )


def packed_length(lengths: torch.Tensor) -> int:
    """Positions that rows of `lengths` (batch,) take, packed."""
    return round_up(int(lengths.sum()), STEP)


def _parts(stages: torch.Tensor, lengths: torch.Tensor, filled: int) -> tuple[tuple[int, int], ...]:
    """Stage and positions of each run of equal `stages` (batch,); the last one has what fills up."""
    parts: dict[int, int] = {}
    for stage, length in zip(stages.tolist(), lengths.tolist()):
        parts[stage] = parts.get(stage, 0) + length
    last = int(stages[-1])
    return tuple({**parts, last: parts[last] + filled}.items())


def _ordered(blocks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Blocks (queries, keys) bool -> their number in each row (1, 1, queries), and (1, 1, queries, keys)
    the numbers of keys, those first."""
    numbers = blocks.to(torch.int32)
    order = numbers.argsort(dim=1, descending=True, stable=True)
    return numbers.sum(1).to(torch.int32)[None, None], order.to(torch.int32)[None, None]


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
