"""The functions of `kernels.cpp` and `attention.cpp` on torch's tensors, where there is a C++ compiler."""

import ctypes
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from espnet2_valle.common.compiled import load_or_warn

NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
PLACES = 2**32  # different random numbers of a seed
HEAD_DIM = 64  # of attention on the matrix unit
PART = 64  # positions over which a norm's gradients are summed by one thread


def available(x: torch.Tensor) -> bool:
    """Whether these functions are there for what `x` is part of: a training step on a CPU."""
    return (
        x.device.type == "cpu"
        and x.dtype in NAMES
        and 0 < x.numel() < PLACES
        and torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and _library() is not None
    )


def drop(
    x: torch.Tensor, base: torch.Tensor | None, kind: torch.dtype, seed: int, probability: float
) -> torch.Tensor:
    """Dropout: 0 with `probability`, else x / (1 - probability); added to `base` if there is one.

    Args:
        x: of float32 or bfloat16; base: of the same shape, float32.
        kind: type of what is returned.
        seed: 32 bits, from which it follows where x is dropped.
    """
    x, out = x.contiguous(), torch.empty(x.shape, dtype=kind)
    base = None if base is None else base.contiguous()
    least, scale = _threshold(probability)
    _function(f"drop_{NAMES[x.dtype]}_{NAMES[kind]}")(
        _address(x), _address(base), _address(out), _count(x.numel()), _bits(seed), least, scale
    )
    return out


def drop_rectified(x: torch.Tensor, seed: int, probability: float) -> torch.Tensor:
    """Dropout of max(x, 0)."""
    x = x.contiguous()
    out = torch.empty_like(x)
    least, scale = _threshold(probability)
    _function(f"drop_rectified_{NAMES[x.dtype]}")(
        _address(x), _address(out), _count(x.numel()), _bits(seed), least, scale
    )
    return out


def drop_rectified_back(gradient: torch.Tensor, out: torch.Tensor, probability: float) -> torch.Tensor:
    """Gradient of `drop_rectified`'s input, from that of its output and the output."""
    gradient, to = gradient.contiguous(), torch.empty_like(out)
    _function(f"drop_rectified_back_{NAMES[out.dtype]}")(
        _address(gradient), _address(out), _address(to), _count(out.numel()), _threshold(probability)[1]
    )
    return to


def weigh(scores: torch.Tensor, lengths: torch.Tensor, causal: bool) -> None:
    """Softmax over the keys that a query sees, 0 elsewhere, in place.

    Args:
        scores: (rows, time, time) of queries and keys, contiguous.
        lengths: (rows,) int64, at least 1: keys from there on are padding.
        causal: a query sees no keys behind its own position.
    """
    rows, time, _ = scores.shape
    _function(f"weigh_{NAMES[scores.dtype]}")(
        _address(scores), _address(lengths), _count(rows), _count(time), ctypes.c_bool(causal)
    )


def weigh_back(gradients: torch.Tensor, weights: torch.Tensor, lengths: torch.Tensor, causal: bool) -> None:
    """Gradients of weights (rows, time, time), see `weigh`, to those of scores, in place."""
    rows, time, _ = weights.shape
    sizes = _count(rows), _count(time)
    _function(f"weigh_back_{NAMES[weights.dtype]}")(
        _address(gradients), _address(weights), _address(lengths), *sizes, ctypes.c_bool(causal)
    )


def has_attention(x: torch.Tensor, head_dim: int) -> bool:
    """Whether there are `attend` and `attend_back` for what `x` is part of: there is a matrix unit."""
    return (
        head_dim == HEAD_DIM
        and x.dtype == torch.bfloat16
        and available(x)
        and bool(_function("attention_is_there", ctypes.c_bool)())
    )


def attend(
    qkv: torch.Tensor, lengths: torch.Tensor, heads: int, causal: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Multi-head attention with heads of HEAD_DIM.

    Args:
        qkv: (batch, time, 3 * width) bfloat16, contiguous: queries, keys and values, each head by head.
        lengths: (batch,) int64, at least 1: keys from there on are padding.
        causal: a query sees no keys behind its own position.

    Returns:
        (batch, time, width), and the logarithm to base 2 of each query's sum of powers, (batch, heads, time).
    """
    batch, time, width = qkv.shape
    out, sums = qkv.new_empty(batch, time, width // 3), torch.empty(batch, heads, time)
    _function("attend")(
        *map(_address, (qkv, lengths, out, sums)), *map(_count, (batch, time, heads)), ctypes.c_bool(causal)
    )
    return out, sums


def attend_back(
    gradient: torch.Tensor,
    qkv: torch.Tensor,
    lengths: torch.Tensor,
    out: torch.Tensor,
    sums: torch.Tensor,
    causal: bool,
) -> torch.Tensor:
    """Gradient of `attend`'s qkv, from that of its output, what it was given and what it returned."""
    batch, heads, time = sums.shape
    gradient, to = gradient.contiguous(), torch.empty_like(qkv)
    tensors = map(_address, (qkv, lengths, out, sums, gradient, to))
    _function("attend_back")(*tensors, *map(_count, (batch, time, heads)), ctypes.c_bool(causal))
    return to


def normalise(
    x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, kind: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """LayerNorm.

    Args:
        x: (batch, time, width) float32.
        scale, shift: (batch or 1, width) float32.
        kind: type of what is returned.

    Returns:
        (batch, time, width), and mean and inverse deviation of each position, (batch, time, 2) float32.
    """
    x, scale, shift = x.contiguous(), scale.contiguous(), shift.contiguous()
    out, stats = torch.empty(x.shape, dtype=kind), torch.empty(*x.shape[:2], 2)
    _function(f"normalise_{NAMES[kind]}")(
        *map(_address, (x, scale, shift, out, stats)), *map(_count, x.shape), ctypes.c_bool(len(scale) == 1)
    )
    return out, stats


def normalise_back(
    gradient: torch.Tensor, x: torch.Tensor, scale: torch.Tensor, stats: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of `normalise`'s x, scale and shift, float32, from that of its output."""
    gradient, x, scale = gradient.contiguous(), x.contiguous(), scale.contiguous()
    batch, time, width = x.shape
    to = torch.empty_like(x)
    for_scale, for_shift = (torch.empty(batch, -(-time // PART), width) for _ in range(2))
    _function(f"normalise_back_{NAMES[gradient.dtype]}")(
        *map(_address, (gradient, x, scale, stats, to, for_scale, for_shift)),
        *map(_count, x.shape),
        ctypes.c_bool(len(scale) == 1),
        _count(PART),
    )
    summed = (0, 1) if len(scale) == 1 else (1,)
    return to, for_scale.sum(summed).view_as(scale), for_shift.sum(summed).view_as(scale)


def transpose(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(rows, columns) bfloat16 -> (columns, rows), contiguous, and the sums of columns, float32."""
    x = x.contiguous()
    out, sums = torch.empty(x.shape[::-1], dtype=x.dtype), torch.empty(x.shape[1])
    _function("transpose_bfloat16")(_address(x), _address(out), _address(sums), *map(_count, x.shape))
    return out, sums


_count, _bits = ctypes.c_int64, ctypes.c_uint32


def _address(tensor: torch.Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def _threshold(probability: float) -> tuple[ctypes.c_uint32, ctypes.c_float]:
    """The least random bits with which a number is kept, and what it is then multiplied by."""
    return _bits(min(round(probability * PLACES), PLACES - 1)), ctypes.c_float(1 / (1 - probability))


@functools.cache
def _function(name: str, returned: type | None = None) -> Callable[..., Any]:
    library = _library()
    assert library is not None
    function = getattr(library, name)
    function.restype = returned
    return function


@functools.cache
def _library() -> ctypes.CDLL | None:
    """The compiled code, or None, with the reason in the log."""
    return load_or_warn(Path(__file__).parent, "training steps are left to torch, which takes longer")[0]
