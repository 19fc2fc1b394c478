"""Opening trained models from their training config and weights."""

from collections.abc import Mapping
from typing import Any

import torch
from espnet2.layers.create_adapter_fn import create_lora_adapter
from espnet2.utils.get_default_kwargs import get_default_kwargs

DOWN, UP = "lora_A", "lora_B"


def fold(state: Mapping[str, torch.Tensor], adapter_conf: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The weights of a model without adapters that computes the same: W + alpha / rank B A.

    Args:
        state: of a model with adapters: `NAME.weight` (out, in), `NAME.lora_A` (rank, in), `NAME.lora_B`
            (out, rank).
        adapter_conf: of the training; what it lacks is ESPnet's default.
    """
    conf = {**get_default_kwargs(create_lora_adapter), **adapter_conf}
    folded = {name: value for name, value in state.items() if not name.endswith((DOWN, UP))}
    for name in state:
        if name.endswith(DOWN):
            layer = name.removesuffix(DOWN)
            change = state[layer + UP].double() @ state[name].double()
            weight = state[f"{layer}weight"]
            folded[f"{layer}weight"] = (weight + conf["alpha"] / conf["rank"] * change).to(weight.dtype)
    return folded
