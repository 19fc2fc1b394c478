"""Low-rank adapters (LoRA: Hu et al., 2021) by ESPnet's `--use_adapter true --adapter lora`.

ESPnet puts loralib's layers into the model. Here they are kept from what would change the weights below them,
and folded into those when a trained model is loaded, so that whoever uses it sees a model like any other.
"""

import argparse
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import torch
from espnet2.layers.create_adapter_fn import create_lora_adapter
from espnet2.utils.get_default_kwargs import get_default_kwargs

from espnet2_valle.common.errors import InputError

DOWN, UP = "lora_A", "lora_B"


def check_adapter(args: argparse.Namespace) -> None:
    """Raise InputError where a training cannot use the adapters that its options ask for."""
    if not args.use_adapter:
        return
    if args.adapter != "lora":
        raise InputError("--adapter", f"'{args.adapter}' does not fit these models", "Choose lora")
    if args.save_strategy != "all":
        raise InputError(
            "--save_strategy",
            f"'{args.save_strategy}' leaves out the weights that the adapters add to",
            "Choose all",
        )
    if find_spec("loralib") is None:
        raise InputError("--adapter lora", "needs loralib", "pip install 'espnet2_valle[finetune]'")


def keep_apart(model: torch.nn.Module) -> None:
    """Let adapters add to their layers' outputs and leave the weights alone.

    loralib adds them to the weights at each validation and takes them out again behind it: rounding then
    moves what is meant to be frozen, and checkpoints differ in what their weights mean.

    Args:
        model: just built, so that its adapters are zero still.
    """
    from loralib import LoRALayer

    for module in model.modules():
        if isinstance(module, LoRALayer):
            module.merge_weights = module.merged = False


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
