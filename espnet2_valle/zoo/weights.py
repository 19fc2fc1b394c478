"""Weights in files: tensors by name, read without running what a file says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from espnet2_valle.common.errors import InputError

SAFE = ".safetensors"


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """Tensors by name, on the CPU, of a .safetensors file or of one that `torch.save` wrote.

    Of the latter, which is a pickle, torch reads tensors and plain containers, and refuses all else.

    Raises:
        InputError: it is cut short, holds other things, or names code.
    """
    try:
        if Path(path).suffix == SAFE:
            return load_file(path)
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises whatever a damaged or hostile file leads it to
        raise _no_weights(path, error) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise InputError(path, "holds no tensors by name", "Give the weights of stage 5 or 6")
    return dict(state)


def write_weights(state: Mapping[str, torch.Tensor], path: str | Path) -> None:
    """Write tensors by name as .safetensors. Each gets bytes of its own, which that format asks for."""
    save_file({name: value.detach().clone().contiguous() for name, value in state.items()}, path)


def _no_weights(path: str | Path, error: Exception) -> InputError:
    reason = (str(error).splitlines() or [repr(error)])[0]
    return InputError(
        path,
        f"cannot be read as weights alone ({reason})",
        "Fetch or pack it again; do not use it if it was meant to hold code",
    )
