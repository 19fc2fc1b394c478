"""The Transformer that the AR and the NAR model share."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from espnet2_valle.valle.cache import KVCache


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

    def forward(self, x: torch.Tensor, stage: torch.Tensor | None = None) -> torch.Tensor:
        """Normalise `x` (batch, time, width) for `stage` (batch,), int64; None means stage 0 for all."""
        if stage is None:
            return F.layer_norm(x, (self.width,), self.scale[0], self.shift[0])
        normalised = F.layer_norm(x, (self.width,))
        return normalised * self.scale[stage].unsqueeze(1) + self.shift[stage].unsqueeze(1)


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
        mask: torch.Tensor | None = None,
        cache: KVCache | None = None,
        layer: int = 0,
    ) -> torch.Tensor:
        """Attend within `x`, and to the cached past where there is one.

        Args:
            x: (batch, time, width).
            causal: position t sees positions <= t only.
            mask: additive, broadcastable to (batch, heads, time, time); for full attention.
            cache: past keys and values. Longer input than one step needs an empty cache.
            layer: which of the cache's layers this is.

        Returns:
            (batch, time, width)
        """
        batch, time, width = x.shape
        query, key, value = self.qkv(x).view(batch, time, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if cache is not None:
            if cache.length and time > 1:
                raise ValueError("a filled cache takes one step at a time")
            key, value = cache.append(layer, key, value)
        # One query that sees every key needs no mask; `is_causal` without a mask keeps the fast kernels.
        attended = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=causal and time > 1,
        )
        return self.out(attended.transpose(1, 2).reshape(batch, time, width))


class Block(nn.Module):
    """Pre-norm attention and feed-forward, each with a residual path."""

    def __init__(self, width: int, heads: int, feed_forward: int, dropout: float, num_stages: int):
        super().__init__()
        self.attention_norm = AdaptiveLayerNorm(width, num_stages)
        self.attention = SelfAttention(width, heads, dropout)
        self.feed_forward_norm = AdaptiveLayerNorm(width, num_stages)
        self.expand = nn.Linear(width, feed_forward)
        self.contract = nn.Linear(feed_forward, width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: torch.Tensor,
        causal: bool,
        mask: torch.Tensor | None,
        stage: torch.Tensor | None,
        cache: KVCache | None,
        layer: int,
    ) -> torch.Tensor:
        """(batch, time, width) -> (batch, time, width)."""
        attended = self.attention(self.attention_norm(x, stage), causal, mask, cache, layer)
        x = x + self.dropout(attended)
        hidden = self.dropout(F.relu(self.expand(self.feed_forward_norm(x, stage))))
        return x + self.dropout(self.contract(hidden))


class Transformer(nn.Module):
    """A stack of blocks with a final norm.

    Args:
        layers, width, heads, feed_forward, dropout: as in the papers (12, 1024, 16, 4096, 0.1).
        num_stages: NAR stages that the norms tell apart; 1 for the AR model.

    Attributes:
        activation_checkpointing: in training keep only each block's input, and compute the rest again for the
            backward pass: a third more work for a fraction of the memory.

    Raises:
        ValueError: `width` is not a multiple of `heads`.
    """

    def __init__(
        self, layers: int, width: int, heads: int, feed_forward: int, dropout: float, num_stages: int = 1
    ):
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of heads {heads}")
        self.width = width
        self.heads = heads
        self.blocks = nn.ModuleList(
            Block(width, heads, feed_forward, dropout, num_stages) for _ in range(layers)
        )
        self.norm = AdaptiveLayerNorm(width, num_stages)
        self.activation_checkpointing = False
        self._scale_residual_outputs()

    def _scale_residual_outputs(self) -> None:
        """Shrink what each block adds at the start, so that depth does not blow up the sum (GPT-2)."""
        factor = (2 * len(self.blocks)) ** -0.5
        with torch.no_grad():
            for block in self.blocks:
                block.attention.out.weight.mul_(factor)
                block.contract.weight.mul_(factor)

    def new_cache(self, batch: int, max_length: int) -> KVCache:
        """An empty cache for `batch` sequences of up to `max_length` positions."""
        weight = self.norm.scale
        head_dim = self.width // self.heads
        return KVCache(len(self.blocks), batch, self.heads, max_length, head_dim, weight.dtype, weight.device)

    def forward(
        self,
        x: torch.Tensor,
        causal: bool,
        mask: torch.Tensor | None = None,
        stage: torch.Tensor | None = None,
        cache: KVCache | None = None,
    ) -> torch.Tensor:
        """Run all blocks.

        Args:
            x: (batch, time, width).
            causal: see `SelfAttention`.
            mask: additive attention mask, or None.
            stage: (batch,) NAR stage of each row, or None.
            cache: state of incremental decoding; it is advanced by `time`.

        Returns:
            (batch, time, width)
        """
        recompute = self.activation_checkpointing and self.training and torch.is_grad_enabled()
        for layer, block in enumerate(self.blocks):
            if recompute:
                x = checkpoint(block, x, causal, mask, stage, cache, layer, use_reentrant=False)
            else:
                x = block(x, causal, mask, stage, cache, layer)
        if cache is not None:
            cache.advance(x.shape[1])
        return self.norm(x, stage)
