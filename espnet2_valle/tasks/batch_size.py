"""Positions of a batch: a number, or what fills the GPUs that a training has (`--batch_bins auto`)."""

import argparse
import logging
from pathlib import Path

import torch

from espnet2_valle.common.conf import read_yaml
from espnet2_valle.common.errors import InputError
from espnet2_valle.train.memory import AUTO, FULL, HALF, Setting, agreed_positions, memory_of
from espnet2_valle.valle.espnet_model import ESPnetVALLEModel

OPTION = "--batch_bins"
GIVE = "Give a number of positions, as `valle plan` tells for a GPU"


def accept_auto(parser: argparse.ArgumentParser) -> None:
    """Let ESPnet's option of a batch's size take `auto`."""
    (action,) = (each for each in parser._actions if OPTION in each.option_strings)
    action.type = _bins
    action.help = f"positions of a batch over all GPUs; {AUTO}: as many as their memory holds"


def _bins(value: str) -> int | str:
    return AUTO if value == AUTO else int(value)


def choose_batch_bins(args: argparse.Namespace, model: ESPnetVALLEModel) -> int:
    """Positions of a batch over all devices; every rank has to call this.

    A training that goes on keeps what it began with, since batches follow from it.

    Args:
        args: of the training.
        model: on its device, with what is frozen and adapters in place.

    Raises:
        InputError: `auto` without a GPU, or one without room for a single position.
    """
    if args.batch_bins != AUTO:
        return args.batch_bins
    if not args.ngpu:
        raise InputError(f"{OPTION} {AUTO}", "there is no GPU whose memory it could go by", GIVE)
    begun = Path(args.output_dir, "config.yaml")
    if args.resume and begun.is_file():
        bins = read_yaml(begun, "--output_dir").get("batch_bins")
        if isinstance(bins, int):
            logging.info(f"{OPTION} {AUTO}: {bins} positions, as this training began with")
            return bins
    setting = Setting(
        torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1,
        args.fsdp,
        args.ema_decay > 0,
        FULL if model.compute_dtype == torch.float32 else HALF,
    )
    free, total = torch.cuda.mem_get_info()
    size = free + torch.cuda.memory_reserved()  # what the model takes of it already is part of its states
    bins = agreed_positions(memory_of(model, setting).positions(size))
    if bins <= 0:
        raise InputError(
            f"{OPTION} {AUTO}",
            f"{size / 2**30:.1f} GiB of the GPU's {total / 2**30:.1f} are free, no room for this model",
            'Free it of other processes, or shard the model over several (run.sh --train_args "--fsdp true")',
        )
    logging.info(f"{OPTION} {AUTO}: {bins} positions for {size / 2**30:.1f} GiB on each of {setting.devices}")
    return bins
