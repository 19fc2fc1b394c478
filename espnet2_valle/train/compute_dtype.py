"""The type of number in which a training multiplies: what `bf16` of `model_conf` comes to on a machine."""

import logging

import torch

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.machine import Choice, bfloat16, training_type

AUTO = "auto"
RANKED = ("float32", "float16", "bfloat16")  # a GPU that is fast at one is so at those before it
SCALER_START = 1024.0  # the loss is summed over predictions: torch's 65536 would overflow for a dozen steps


def choose_dtype(bf16: bool | str, device: str, sharded: bool = False) -> Choice:
    """Choose the type of number of a training's products; ranks agree on what all of them do fast.

    Args:
        bf16: "auto": what the device multiplies fastest; True: bfloat16; False: float32.
        device: "cpu" or "cuda".
        sharded: with --fsdp, where float16 would lack its scaler.

    Raises:
        InputError: another value of `bf16`.
    """
    if bf16 is not True and bf16 is not False and bf16 != AUTO:
        raise InputError("--model_conf", f"bf16 is {bf16!r}", "Give auto, true or false")
    if bf16 == AUTO:
        choice = training_type(device)
        if sharded and choice.value == "float16":
            choice = Choice("float32", f"{choice.why}, but --fsdp has no gradient scaler")
        return _agree(choice)
    if not bf16:
        return Choice("float32", "bf16: false")
    found = bfloat16(device)
    if found.value != "bfloat16":
        logging.warning(
            f"bf16: true, but {found.why}: a step may take 20 times as long. Give --model_conf bf16=auto"
        )
    return Choice("bfloat16", "bf16: true")


def gradient_scaler(dtype: torch.dtype, device: str) -> torch.amp.GradScaler:
    """A scaler that keeps small gradients of float16 from vanishing; with other types it does nothing."""
    return torch.amp.GradScaler(device, init_scale=SCALER_START, enabled=dtype == torch.float16)


def _agree(choice: Choice) -> Choice:
    """The lowest of what ranks chose: they may run on different machines."""
    if not torch.distributed.is_initialized():
        return choice
    chosen: list[Choice | None] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(chosen, choice)
    return min((each for each in chosen if each is not None), key=lambda each: RANKED.index(each.value))
