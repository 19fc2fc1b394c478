"""Attention in training on a CPU: on its matrix unit, or torch's products and what `kernels` do between."""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from espnet2_valle.valle.fused import kernels

LONGEST_CAUSAL = 512  # positions; beyond, torch's own is faster, which leaves out blocks that see nothing
LONGEST_KEPT = 512  # positions up to which attention weights are kept for the gradient; beyond, made again
ROOM = 1 << 23  # attention weights at a time


def attend(
    qkv: torch.Tensor, heads: int, mask: torch.Tensor | None, causal: bool, dropout: float
) -> torch.Tensor | None:
    """Multi-head self-attention of a training step in bfloat16.

    Args:
        qkv: (batch, time, 3 * width), queries, keys and values.
        mask: additive, broadcastable to (batch, heads, time, time), or None.
        causal: position t sees positions <= t only.
        dropout: of attention weights.

    Returns:
        (batch, time, width), what `scaled_dot_product_attention` computes; None where that is the better
        choice: outside of training, in another type, with a mask that hides more than the rows' padding.
    """
    batch, time, width = qkv.shape
    plain = mask is None or mask.shape[1:3] == (1, 1)
    if not plain or dropout or not qkv.requires_grad or qkv.dtype != torch.bfloat16:
        return None
    lengths = torch.full((batch,), time) if mask is None else (mask[:, 0, 0] == 0).sum(1)
    if kernels.has_attention(qkv, width // 3 // heads):
        return _OnMatrixUnit.apply(qkv, lengths, heads, causal)
    if kernels.available(qkv) and not (causal and time > LONGEST_CAUSAL):
        query, key, value = qkv.view(batch, time, 3, heads, -1).permute(2, 0, 3, 1, 4)
        attended = _Attention.apply(query, key, value, lengths.repeat_interleave(heads), causal)
        return attended.transpose(1, 2).flatten(2)
    return None


class _OnMatrixUnit(torch.autograd.Function):
    """No weights are kept: backward makes them again, a block at a time."""

    @staticmethod
    def forward(ctx: Any, qkv: torch.Tensor, lengths: torch.Tensor, heads: int, causal: bool) -> torch.Tensor:
        qkv = qkv.contiguous()
        out, sums = kernels.attend(qkv, lengths, heads, causal)
        ctx.save_for_backward(qkv, lengths, out, sums)
        ctx.causal = causal
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        qkv, lengths, out, sums = ctx.saved_tensors
        return kernels.attend_back(gradient, qkv, lengths, out, sums, ctx.causal), None, None, None


class _Attention(torch.autograd.Function):
    """A few rows' heads at a time, so that their weights stay in a cache."""

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        lengths: torch.Tensor,
        causal: bool,
    ) -> torch.Tensor:
        ctx.shape, ctx.causal = query.shape, causal
        scaled = query * query.shape[3] ** -0.5
        query, key, value = (x.reshape(-1, *x.shape[2:]) for x in (scaled, key, value))
        out, kept = torch.empty_like(value), []
        for rows in _parts(query):
            weights = _weights(query[rows], key[rows], lengths[rows], causal)
            torch.bmm(weights, value[rows], out=out[rows])
            if query.shape[1] <= LONGEST_KEPT:
                kept.append(weights)
        ctx.save_for_backward(query, key, value, lengths, *kept)
        return out.view(ctx.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, lengths, *kept = ctx.saved_tensors
        gradient = gradient.reshape(query.shape)
        for_query, for_key, for_value = (torch.empty_like(x) for x in (query, key, value))
        for number, rows in enumerate(_parts(query)):
            q, k, v = query[rows], key[rows], value[rows]
            weights = kept[number] if kept else _weights(q, k, lengths[rows], ctx.causal)
            torch.bmm(weights.transpose(1, 2), gradient[rows], out=for_value[rows])
            for_scores = torch.bmm(gradient[rows], v.transpose(1, 2))
            kernels.weigh_back(for_scores, weights, lengths[rows], ctx.causal)
            torch.bmm(for_scores, k, out=for_query[rows])
            torch.bmm(for_scores.transpose(1, 2), q, out=for_key[rows])
        for_query *= ctx.shape[3] ** -0.5
        return *(x.view(ctx.shape) for x in (for_query, for_key, for_value)), None, None


def _parts(query: torch.Tensor) -> list[slice]:
    rows, time, _ = query.shape
    together = max(1, ROOM // time**2)
    return [slice(row, min(row + together, rows)) for row in range(0, rows, together)]


def _weights(query: torch.Tensor, key: torch.Tensor, lengths: torch.Tensor, causal: bool) -> torch.Tensor:
    """Attention weights (rows, time, time) of scaled queries."""
    scores = torch.bmm(query, key.transpose(1, 2))
    kernels.weigh(scores, lengths, causal)
    return scores
