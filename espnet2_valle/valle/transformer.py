"""The Transformer that the AR and the NAR model share."""

from typing import Any, Protocol, TypeAlias

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from espnet2_valle.valle.cache import KVCache
from espnet2_valle.valle.embeddings import SHAPE_STEP
from espnet2_valle.valle.packing import Packing, packed_length
from espnet2_valle.valle.padding import Padding
from espnet2_valle.valle.rows import round_up

# Of rows (batch,), of all, or stage and length of each part of a packed sequence.
Stage: TypeAlias = torch.Tensor | int | tuple[tuple[int, int], ...]
# What full attention sees: bool, broadcastable to (batch, heads, time, time); or all but padding.
Mask: TypeAlias = torch.Tensor | Padding
LONGEST_PLAIN = 512  # positions; see `_plain_is_faster`


class DecodeStep(Protocol):
    """A step of incremental decoding in place of the Transformer's own, such as in compiled code.

    Attributes:
        dtype: of the caches that it takes.
    """

    dtype: torch.dtype

    def serves(self, x: torch.Tensor, cache: KVCache) -> bool:
        """Check that this can take the step of causal input `x` (batch, time, width)."""
        ...

    def __call__(self, x: torch.Tensor, cache: KVCache) -> torch.Tensor:
        """Add a position to each row and advance the cache: (batch, 1, width) -> (batch, 1, width)."""
        ...


class AdaptiveLayerNorm(nn.Module):
    """LayerNorm whose scale and shift depend on the NAR stage (VALL-E, sec. 4.2.2).

    AdaLN(h, s) = a_s LayerNorm(h) + b_s. The paper projects a stage embedding linearly to
    (a_s, b_s); over a handful of stages that is a table of one (a, b) per stage, which is
    what is kept here. It starts as the identity: a = 1, b = 0 for every stage.

    Args:
        width: channels of the input.
        num_stages: rows of the table; with one stage this is a plain LayerNorm.
    """

    def __init__(self, width: int, num_stages: int = 1):
        super().__init__()
        self.width = width
        self.scale = nn.Parameter(torch.ones(num_stages, width))
        self.shift = nn.Parameter(torch.zeros(num_stages, width))

    def forward(self, x: torch.Tensor, stage: Stage = 0) -> torch.Tensor:
        """Normalise `x` (batch, time, width).

        Args:
            x: input.
            stage: (batch,) int64 of rows, one for all, or stage and length of each part of `time`.
        """
        if isinstance(stage, tuple):
            parts = x.split([length for _, length in stage], dim=1)
            return torch.cat([self(part, number) for part, (number, _) in zip(parts, stage)], dim=1)
        if isinstance(stage, int):
            scale, shift = self.scale[stage].to(x.dtype), self.shift[stage].to(x.dtype)  # sharded: bfloat16
            return F.layer_norm(x, (self.width,), scale, shift)
        normalised = F.layer_norm(x, (self.width,))
        stage = stage.unsqueeze(1)
        return normalised * self.scale[stage] + self.shift[stage]


class SelfAttention(nn.Module):
    """Multi-head self-attention: causal, full with padding masked, or over a cache."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        x: torch.Tensor,
        causal: bool,
        mask: Mask | Packing | None = None,
        cache: KVCache | None = None,
        layer: int = 0,
        last: int | None = None,
    ) -> torch.Tensor:
        """Attend within `x`, and to the cached past where there is one.

        Args:
            x: (batch, time, width).
            causal: position t sees positions <= t only.
            mask: for full attention; or how `x` is packed, which says what is causal too.
            cache: past keys and values. Causal input longer than one step needs an empty cache.
            layer: which of the cache's layers this is.
            last: see `Transformer.forward`.

        Returns:
            (batch, time or last, width)
        """
        batch, time, width = x.shape
        qkv = self.qkv(x)
        dropout = self.dropout if self.training else 0.0
        query, key, value = qkv.view(batch, time, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if cache is not None:
            if causal and cache.length and time > 1:
                raise ValueError("a filled cache takes one causal step at a time")
            keys, values = cache.append(layer, key, value)
            if time == 1:
                return self.out(_attend_once(query, keys, values, cache.mask(time)))
            if cache.length:
                key, value = keys.to(query.dtype), values.to(query.dtype)
        if last is not None:
            query = query[:, :, time - last :]
            causal = False  # the last position sees all
            mask = mask[:, :, -last:] if isinstance(mask, torch.Tensor) else mask
        if isinstance(mask, Packing):
            return self.out(mask.attend(query, key, value).transpose(1, 2).reshape(batch, time, width))
        if isinstance(mask, Padding):
            if mask.serves(query):
                return self.out(mask.attend(query, key, value, dropout).transpose(1, 2).flatten(2))
            mask = mask.mask
        attend = _attend_plainly if _plain_is_faster(query) else F.scaled_dot_product_attention
        attended = attend(query, key, value, attn_mask=mask, dropout_p=dropout, is_causal=causal)
        return self.out(attended.transpose(1, 2).flatten(2))


def _plain_is_faster(query: torch.Tensor) -> bool:
    """Choose `_attend_plainly` where it beats `scaled_dot_product_attention` at training.

    Forward and backward in bfloat16 on a CPU took a third of the time at 160 positions, three fifths at 512
    and as much at 960 (causal); in float32 more. It keeps the scores, which long sequences make large.
    """
    small = query.device.type == "cpu" and query.shape[2] <= LONGEST_PLAIN
    return small and query.dtype == torch.bfloat16 and query.requires_grad


def _attend_plainly(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None,
    dropout_p: float,
    is_causal: bool,
) -> torch.Tensor:
    """`scaled_dot_product_attention` as two products and a softmax; the arguments are those of torch."""
    scores = torch.matmul(query * query.shape[3] ** -0.5, key.transpose(2, 3))
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, float("-inf"))
    if is_causal:
        scores = scores + torch.full_like(scores[0, 0], float("-inf")).triu(1)
    return torch.matmul(F.dropout(scores.softmax(-1), dropout_p), value)


def _attend_once(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    """Attention of one query to a cache, as two products that run at the speed of memory.

    `scaled_dot_product_attention` is made for many queries: with one it takes several times as long on a CPU.

    Args:
        query: (batch, heads, 1, head_dim); keys, values: (batch, heads, seen, head_dim).
        mask: additive (batch, 1, 1, seen), or None.

    Returns:
        (batch, 1, heads * head_dim)
    """
    batch, heads, _, head_dim = query.shape
    query = (query.to(keys.dtype) * head_dim**-0.5).reshape(batch * heads, 1, head_dim)
    scores = torch.bmm(query, keys.flatten(0, 1).transpose(1, 2))
    if mask is not None:
        scores = (scores.view(batch, heads, 1, -1) + mask).flatten(0, 1)
    return torch.bmm(scores.softmax(-1), values.flatten(0, 1)).view(batch, 1, heads * head_dim)


class Block(nn.Module):
    """Pre-norm attention and feed-forward, each with a residual path."""

    def __init__(
        self,
        width: int,
        heads: int,
        feed_forward: int,
        dropout: float,
        attention_dropout: float,
        num_stages: int,
    ):
        super().__init__()
        self.attention_norm = AdaptiveLayerNorm(width, num_stages)
        self.attention = SelfAttention(width, heads, attention_dropout)
        self.feed_forward_norm = AdaptiveLayerNorm(width, num_stages)
        self.expand = nn.Linear(width, feed_forward)
        self.contract = nn.Linear(feed_forward, width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: torch.Tensor,
        causal: bool,
        mask: Mask | Packing | None,
        stage: Stage,
        cache: KVCache | None,
        layer: int,
        last: int | None = None,
    ) -> torch.Tensor:
        """(batch, time, width) -> (batch, time or last, width)."""
        attended = self.attention(self.attention_norm(x, stage), causal, mask, cache, layer, last)
        x = x[:, x.shape[1] - attended.shape[1] :] + self.dropout(attended)
        hidden = self.dropout(F.relu(self.expand(self.feed_forward_norm(x, stage))))
        return x + self.dropout(self.contract(hidden))


class Transformer(nn.Module):
    """A stack of blocks with a final norm.

    Args:
        layers, width, heads, feed_forward, dropout: as in the papers (12, 1024, 16, 4096, 0.1).
        num_stages: NAR stages that the norms tell apart; 1 for the AR model.
        attention_dropout: of attention weights. With it a CPU keeps all weights of a batch, in float32: the
            `paper` models then need 24 GB for a step of 6000 positions. Packed attention has none.

    Attributes:
        decode_step: takes over the steps of incremental decoding; None: torch does them.
        activation_checkpointing: in training keep only each block's input, and compute the rest again for the
            backward pass: a third more work for a fraction of the memory.
        packed: whether training computes no padding, see `Packing`.

    Raises:
        ValueError: `width` is not a multiple of `heads`.
    """

    def __init__(
        self,
        layers: int,
        width: int,
        heads: int,
        feed_forward: int,
        dropout: float,
        num_stages: int = 1,
        attention_dropout: float = 0.0,
    ):
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of heads {heads}")
        self.width = width
        self.heads = heads
        self.blocks = nn.ModuleList(
            Block(width, heads, feed_forward, dropout, attention_dropout, num_stages) for _ in range(layers)
        )
        self.norm = AdaptiveLayerNorm(width, num_stages)
        self.decode_step: DecodeStep | None = None
        self.activation_checkpointing = False
        self.packed = False
        self._scale_residual_outputs()

    def _scale_residual_outputs(self) -> None:
        """Shrink what each block adds at the start, so that depth does not blow up the sum (GPT-2)."""
        factor = (2 * len(self.blocks)) ** -0.5
        with torch.no_grad():
            for block in self.blocks:
                block.attention.out.weight.mul_(factor)
                block.contract.weight.mul_(factor)

    @property
    def cache_dtype(self) -> torch.dtype:
        """Type of keys and values in a cache: that in which the linear layers give them.

        On a CPU it is float32, in which torch's products of one row are fast everywhere.
        """
        weight = self.blocks[0].attention.qkv.weight
        if weight.device.type == "cpu":
            return self.norm.scale.dtype
        return torch.bfloat16 if weight.dtype == torch.int8 else weight.dtype

    def new_cache(self, batch: int, max_length: int) -> KVCache:
        """An empty cache for `batch` sequences of up to `max_length` positions."""
        dtype = self.decode_step.dtype if self.decode_step else self.cache_dtype
        head_dim, device = self.width // self.heads, self.norm.scale.device
        return KVCache(len(self.blocks), batch, self.heads, max_length, head_dim, dtype, device)

    def _apply(self, *args: Any, **kwargs: Any) -> "Transformer":
        """Whatever moves or converts the weights leaves the decoding step with those that were."""
        self.decode_step = None
        return super()._apply(*args, **kwargs)

    def forward(
        self,
        x: torch.Tensor,
        causal: bool,
        mask: Mask | None = None,
        stage: Stage = 0,
        cache: KVCache | None = None,
        packing: Packing | None = None,
        last: int | None = None,
        taps: dict[int, torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Run all blocks.

        Args:
            x: (batch, time, width).
            causal: see `SelfAttention`.
            mask: for full attention, or None.
            stage: NAR stage of each row (batch,), or one for all.
            cache: state of incremental decoding; it is advanced by `time`.
            packing: how the rows are packed, in place of `mask` and `stage`; None: they are not.
            last: compute the output of so many positions at the end alone, which spares most of the last
                block; None means all. 0 fills a cache. Causal input takes 0 or 1.
            taps: of the blocks whose numbers, from 0, are its keys, what they read is kept in it.

        Returns:
            (batch, time, width), or (batch, last, width)
        """
        if self.decode_step and cache and causal and self.decode_step.serves(x, cache):
            return self.decode_step(x, cache)
        if packing is not None:
            packed = self.run_blocks(packing.pack(x), causal, packing, packing.stages, cache, taps=taps)
            if taps is not None:
                taps.update({layer: packing.unpack(read) for layer, read in taps.items()})
            return packing.unpack(packed)
        return self.run_blocks(x, causal, mask, stage, cache, last, taps)

    def computed_positions(self, lengths: torch.Tensor) -> int:
        """Positions that a training step computes on rows of `lengths` (batch,), on the CPU, with padding."""
        if self.packed:
            return packed_length(lengths)
        return len(lengths) * round_up(int(lengths.max()), SHAPE_STEP)

    def run_blocks(
        self,
        x: torch.Tensor,
        causal: bool,
        mask: Mask | Packing | None = None,
        stage: Stage = 0,
        cache: KVCache | None = None,
        last: int | None = None,
        taps: dict[int, torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """`forward` in torch's way, without anything packed."""
        time = x.shape[1]
        recompute = self.activation_checkpointing and self.training and torch.is_grad_enabled()
        for layer, block in enumerate(self.blocks):
            of_block = last if layer == len(self.blocks) - 1 else None
            if taps is not None and layer in taps:
                taps[layer] = x
            if recompute:
                x = checkpoint(block, x, causal, mask, stage, cache, layer, of_block, use_reentrant=False)
            else:
                x = block(x, causal, mask, stage, cache, layer, of_block)
        if cache is not None:
            cache.advance(time)
        return self.norm(x, stage)
