"""A decoding step in native code: `step.cpp`, given the weights and caches that torch holds."""

import ctypes
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from espnet2_valle.valle.cache import KVCache
from espnet2_valle.valle.quantize import Bfloat16Linear, Int8Linear

if TYPE_CHECKING:
    from espnet2_valle.valle.transformer import AdaptiveLayerNorm, Transformer

SOURCES = Path(__file__).parent  # of the C++ code
# Type of a model's linear layers -> type of their weights, which the cache has too.
KINDS = {nn.Linear: torch.float32, Bfloat16Linear: torch.bfloat16, Int8Linear: torch.int8}
FUNCTIONS = {torch.float32: "step_float32", torch.bfloat16: "step_bfloat16", torch.int8: "step_int8"}


class _Linear(ctypes.Structure):
    _fields_ = [("weight", ctypes.c_void_p), ("scale", ctypes.c_void_p), ("bias", ctypes.c_void_p)]


class _Norm(ctypes.Structure):
    _fields_ = [("scale", ctypes.c_void_p), ("shift", ctypes.c_void_p)]


class _Layer(ctypes.Structure):
    _fields_ = [
        ("attention_norm", _Norm),
        ("qkv", _Linear),
        ("attention_out", _Linear),
        ("feed_forward_norm", _Norm),
        ("expand", _Linear),
        ("contract", _Linear),
    ]


class _Model(ctypes.Structure):
    _fields_ = [
        ("layers", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("heads", ctypes.c_int64),
        ("feed_forward", ctypes.c_int64),
        ("layer", ctypes.POINTER(_Layer)),
        ("norm", _Norm),
    ]


class _Cache(ctypes.Structure):
    _fields_ = [
        ("buffer", ctypes.c_void_p),
        ("capacity", ctypes.c_int64),
        ("max_length", ctypes.c_int64),
        ("length", ctypes.c_int64),
        ("starts", ctypes.POINTER(ctypes.c_int64)),
    ]


class NativeStep:
    """The `DecodeStep` on a CPU: one position of each row with a cache, in compiled code.

    To be made when the weights are those to decode with: they are read where they lie, but biases and norms
    of other types than float32 are copied.

    Args:
        transformer: with one stage and linear layers of one kind; see `espnet2_valle.valle.quantize`.
        library: from `compiled.load_library`.

    Attributes:
        dtype: of the weights, and of the caches that it takes.
    """

    def __init__(self, transformer: "Transformer", library: ctypes.CDLL):
        block = transformer.blocks[0]
        self.dtype = KINDS[type(block.expand)]
        self._tensors: list[torch.Tensor] = []
        layers = (_Layer * len(transformer.blocks))(
            *(
                _Layer(
                    self._norm(block.attention_norm),
                    self._linear(block.attention.qkv),
                    self._linear(block.attention.out),
                    self._norm(block.feed_forward_norm),
                    self._linear(block.expand),
                    self._linear(block.contract),
                )
                for block in transformer.blocks
            )
        )
        self._model = _Model(
            len(transformer.blocks),
            transformer.width,
            transformer.heads,
            block.expand.weight.shape[0],
            layers,
            self._norm(transformer.norm),
        )
        self._function = getattr(library, FUNCTIONS[self.dtype])
        self._function.restype = None

    def serves(self, x: torch.Tensor, cache: KVCache) -> bool:
        """See `DecodeStep.serves`."""
        return (
            cache.dtype == self.dtype
            and x.shape[1] == 1
            and x.dtype == torch.float32
            and not torch.is_grad_enabled()
        )

    def __call__(self, x: torch.Tensor, cache: KVCache) -> torch.Tensor:
        """Add a position to each row.

        Args:
            x: (batch, 1, width) float32.
            cache: of the earlier positions; it is advanced.

        Returns:
            (batch, 1, width) float32

        Raises:
            IndexError: the cache is full.
        """
        cache.check_room(1)
        x = x.clone(memory_format=torch.contiguous_format)
        capacity, max_length = cache.buffer.shape[2], cache.max_length
        starts = (ctypes.c_int64 * cache.batch)(*cache.starts)
        given = _Cache(cache.buffer.data_ptr(), capacity, max_length, cache.length, starts)
        self._function(
            ctypes.byref(self._model),
            ctypes.byref(given),
            ctypes.c_void_p(x.data_ptr()),
            ctypes.c_int(cache.batch),
            ctypes.c_int(torch.get_num_threads()),
        )
        cache.advance(1)
        return x

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """A copied or sent model has other weights: None takes this one's place, and torch does the step."""
        return (type(None), ())

    def _norm(self, norm: "AdaptiveLayerNorm") -> _Norm:
        return _Norm(self._pointer(norm.scale[0]), self._pointer(norm.shift[0]))

    def _linear(self, linear: nn.Module) -> _Linear:
        if KINDS.get(type(linear)) is not self.dtype:
            raise TypeError(f"{type(linear).__name__} among layers of {self.dtype}")
        bias = None if linear.bias is None else self._pointer(linear.bias)
        scale = self._pointer(linear.scale) if self.dtype == torch.int8 else None
        return _Linear(self._pointer(linear.weight, self.dtype), scale, bias)

    def _pointer(self, tensor: torch.Tensor, dtype: torch.dtype = torch.float32) -> int:
        """Address of the tensor's numbers; of a copy where they are of another type."""
        tensor = tensor.detach().to(dtype).contiguous()
        self._tensors.append(tensor)
        return tensor.data_ptr()
