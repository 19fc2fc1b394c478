"""Parts of a Transformer block in training, with gradients; on a CPU by `kernels`, else by torch."""

from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from espnet2_valle.valle.fused import kernels


def add_dropped(x: torch.Tensor, y: torch.Tensor, dropout: float, training: bool) -> torch.Tensor:
    """x + dropout(y)."""
    if not training or not dropout:
        return x + y
    if x.dtype == torch.float32 and x.shape == y.shape and kernels.available(y):
        return _AddDropped.apply(x, y, dropout)
    return x + F.dropout(y, dropout)


def drop_rectified(x: torch.Tensor, dropout: float, training: bool) -> torch.Tensor:
    """dropout(relu(x))."""
    if not training or not dropout:
        return F.relu(x)
    if kernels.available(x):
        return _DropRectified.apply(x, dropout)
    return F.dropout(F.relu(x), dropout)


def normalises(x: torch.Tensor, scale: torch.Tensor) -> bool:
    """Whether `normalise` serves a LayerNorm: in training in bfloat16, of (batch, time, width) float32."""
    served = x.dim() == 3 and x.dtype == scale.dtype == torch.float32 and scale.requires_grad
    return served and _in_bfloat16(x) and kernels.available(x)


def normalise(x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """LayerNorm of x (batch, time, width) by scale and shift (batch or 1, width), as bfloat16."""
    return _Normalised.apply(x, scale, shift)


def linear(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """`layer(x)`; of an ordinary linear layer whose products are in bfloat16, with a faster gradient."""
    ordinary = type(layer) is nn.Linear and type(layer.weight) is nn.Parameter and layer.bias is not None
    if ordinary and _in_bfloat16(x) and layer.weight.requires_grad and kernels.available(x):
        return _Linear.apply(x, layer.weight, layer.bias)
    return layer(x)


def _in_bfloat16(x: torch.Tensor) -> bool:
    return torch.is_autocast_enabled(x.device.type) and torch.get_autocast_dtype("cpu") == torch.bfloat16


def _seed() -> int:
    """Random bits, drawn as torch's dropout draws them: the same after the same `torch.manual_seed`."""
    return int(torch.randint(2**31, ()))


class _AddDropped(torch.autograd.Function):
    """The random numbers are made again for the gradient, which keeps nothing."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, y: torch.Tensor, dropout: float) -> torch.Tensor:
        ctx.seed, ctx.dropout, ctx.kind = _seed(), dropout, y.dtype
        return kernels.drop(y, x, x.dtype, ctx.seed, dropout)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        return gradient, kernels.drop(gradient, None, ctx.kind, ctx.seed, ctx.dropout), None


class _DropRectified(torch.autograd.Function):
    """Keeps its output, which the next layer keeps too: where it is not 0 the gradient passes."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, dropout: float) -> torch.Tensor:
        ctx.dropout = dropout
        out = kernels.drop_rectified(x, _seed(), dropout)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (out,) = ctx.saved_tensors
        return kernels.drop_rectified_back(gradient, out, ctx.dropout), None


class _Normalised(torch.autograd.Function):
    """In one pass each way, where torch takes one more for each of scale, shift and type."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        out, stats = kernels.normalise(x, scale, shift, torch.bfloat16)
        ctx.save_for_backward(x, scale, stats)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return kernels.normalise_back(gradient, *ctx.saved_tensors)


class _Linear(torch.autograd.Function):
    """A linear layer under autocast. For the weight's gradient oneDNN turns a factor round, at half the speed
    of the product, which `kernels.transpose` does faster."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        ctx.kind = x.dtype
        x, weight = x.to(torch.bfloat16), weight.to(torch.bfloat16)
        ctx.save_for_backward(x, weight)
        return F.linear(x, weight, bias.to(torch.bfloat16))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x, weight = ctx.saved_tensors
        rows = gradient.reshape(-1, gradient.shape[-1])
        for_x = (rows @ weight).view(x.shape).to(ctx.kind)
        turned, for_bias = kernels.transpose(rows)
        for_weight = turned @ x.reshape(-1, x.shape[-1])
        return for_x, for_weight.float(), for_bias
