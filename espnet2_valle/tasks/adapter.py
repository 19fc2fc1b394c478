"""Low-rank adapters (LoRA: Hu et al., 2021) by ESPnet's `--use_adapter true --adapter lora`.

ESPnet puts loralib's layers into the model. Here they are kept from what would change the weights below them,
and folded into those when a trained model is loaded, so that whoever uses it sees a model like any other.
"""

import argparse
from importlib.util import find_spec

import torch

from espnet2_valle.common.errors import InputError


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
