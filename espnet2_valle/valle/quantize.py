"""Linear layers with smaller weights for inference: decoding is bound by reading them from memory.

This is the one place that knows of torch's private int8 product.
"""

import functools

import torch
from torch import nn
from torch.nn import functional as F

from espnet2_valle.common.machine import fast_type

DTYPES = ("float32", "bfloat16", "int8")
FEW_ROWS = (
    16  # up to here the int8 product is bound by memory; beyond, unpacking once to a wider type is faster
)
COLUMNS = (
    64  # of the input must be a multiple of this: with others torch's int8 product can crash the process
)
INT8_MAX = 127


class Bfloat16Linear(nn.Module):
    """A linear layer computed in bfloat16, whatever type comes in."""

    def __init__(self, linear: nn.Linear):
        super().__init__()
        self.register_buffer("weight", linear.weight.detach().to(torch.bfloat16))
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().to(torch.bfloat16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., in) -> (..., out) bfloat16."""
        return F.linear(x.to(torch.bfloat16), self.weight, self.bias)


class Int8Linear(nn.Module):
    """A linear layer for a CPU whose weights are kept as int8 with one scale for each output channel."""

    def __init__(self, linear: nn.Linear):
        super().__init__()
        weight = linear.weight.detach().float()
        scale = (weight.abs().amax(dim=1) / INT8_MAX).clamp(min=torch.finfo(torch.float32).tiny)
        # Rounded first, so that the integers are the best ones for the scale that is used.
        scale = scale.to(torch.bfloat16)
        integers = (weight / scale.float().unsqueeze(1)).round().clamp(-INT8_MAX, INT8_MAX)
        self.register_buffer("weight", integers.to(torch.int8))
        self.register_buffer("scale", scale)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().to(torch.bfloat16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., in) -> (..., out) bfloat16."""
        flat = x.reshape(-1, x.shape[-1]).to(torch.bfloat16)
        fits = len(flat) <= FEW_ROWS and flat.shape[1] % COLUMNS == 0
        if fits and has_int8_product():
            y = torch._weight_int8pack_mm(flat, self.weight, self.scale)
        else:
            wide = fast_type(flat.device)
            y = (F.linear(flat.to(wide), self.weight.to(wide)) * self.scale.to(wide)).to(torch.bfloat16)
        if self.bias is not None:
            y = y + self.bias
        return y.view(*x.shape[:-1], -1)


@functools.cache
def has_int8_product() -> bool:
    """Check that this torch multiplies bfloat16 by int8 weights on the CPU, and correctly."""
    x = torch.eye(COLUMNS, dtype=torch.bfloat16)
    weight = torch.arange(COLUMNS**2).remainder(INT8_MAX).view(COLUMNS, COLUMNS).to(torch.int8)
    try:
        y = torch._weight_int8pack_mm(x, weight, torch.ones(COLUMNS, dtype=torch.bfloat16))
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
    return torch.equal(y.t(), weight.to(torch.bfloat16))


def convert_linears(model: nn.Module, dtype: str) -> None:
    """Replace every `nn.Linear` in `model` by one with weights of `dtype`, for inference only.

    Norms, embeddings and the residual path stay as they are.

    Raises:
        ValueError: unknown `dtype`.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {DTYPES}, not {dtype!r}")
    if dtype == "float32":
        return
    kind = Bfloat16Linear if dtype == "bfloat16" else Int8Linear
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                setattr(module, name, kind(child))
