"""Attention in training on a CPU: products by torch, what is between them by `kernels`."""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from espnet2_valle.valle.fused import kernels

LONGEST_CAUSAL = 512  # positions; beyond, torch's own is faster, which leaves out blocks that see nothing
LONGEST_KEPT = 512  # positions up to which attention weights are kept for the gradient; beyond, made again
ROOM = 1 << 23  # attention weights at a time


def serves(query: torch.Tensor, mask: torch.Tensor | None, causal: bool, dropout: float) -> bool:
    """Whether `attend` can be given this and is faster: in bfloat16, with the rows' padding alone hidden."""
    plain = mask is None or mask.shape[1:3] == (1, 1)
    served = plain and not dropout and query.requires_grad and query.dtype == torch.bfloat16
    short = not causal or query.shape[2] <= LONGEST_CAUSAL
    return served and short and kernels.available(query)


def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, causal: bool
) -> torch.Tensor:
    """What `scaled_dot_product_attention` computes, of (batch, heads, time, head_dim) each.

    Args:
        query, key, value: of one type.
        mask: additive (batch, 1, 1, time), 0 and from a row's end on minus infinity, or None.
        causal: position t sees positions <= t only.
    """
    batch, heads, time, _ = query.shape
    lengths = torch.full((batch,), time) if mask is None else (mask[:, 0, 0] == 0).sum(1)
    return _Attention.apply(query, key, value, lengths.repeat_interleave(heads), causal)


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
