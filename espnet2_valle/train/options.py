"""The options of the trainer."""

import argparse
import dataclasses

from espnet2.train.trainer import TrainerOptions
from espnet2.utils.build_dataclass import build_dataclass
from espnet2.utils.nested_dict_action import NestedDictAction
from espnet2.utils.types import str2bool

from espnet2_valle.common.errors import InputError

UNSUPPORTED = {
    "use_amp": "Choose model_conf: bf16: auto, which takes what the device multiplies fastest",
    "sharded_ddp": "Leave it out",
    "grad_noise": "Leave it out",
    "create_graph_in_tensorboard": "Leave it out",
    "no_forward_run": "Leave it out",
}


@dataclasses.dataclass
class VALLETrainerOptions(TrainerOptions):
    """ESPnet's options and ours; see `add_arguments`."""

    ema_decay: float
    save_interval: int
    compile: bool
    compile_backend: str
    peak_tflops: float
    fsdp: bool
    expected: dict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the trainer's own options."""
    group = parser.add_argument_group(description="Trainer related, beyond ESPnet's")
    group.add_argument(
        "--ema_decay",
        type=float,
        default=0.0,
        help="validate and save a running average of the weights, such as 0.999; 0: the weights",
    )
    group.add_argument(
        "--save_interval",
        type=int,
        default=0,
        help="steps between checkpoints inside an epoch; 0: at its end only",
    )
    group.add_argument("--compile", type=str2bool, default=False, help="torch.compile the Transformer")
    group.add_argument("--compile_backend", type=str, default="inductor", help="of torch.compile")
    group.add_argument(
        "--peak_tflops",
        type=float,
        default=0.0,
        help="of a device, of which the log says the share (mfu); 0: measured with a matrix product",
    )
    group.add_argument(
        "--fsdp",
        type=str2bool,
        default=False,
        help="shard weights, gradients and optimiser states over ranks: for models that one cannot hold",
    )
    group.add_argument(
        "--expected",
        action=NestedDictAction,
        default={},
        help="seconds and steps that this config took, and on what; a far slower training is told",
    )


def build_options(args: argparse.Namespace) -> VALLETrainerOptions:
    """Options of this trainer.

    Raises:
        InputError: an option of ESPnet's trainer that this one does not know.
    """
    for name, remedy in UNSUPPORTED.items():
        if getattr(args, name):
            raise InputError(f"--{name}", "this trainer does not know it", remedy)
    if args.fsdp and (args.compile or args.use_adapter):
        raise InputError("--fsdp", "does not go with --compile or --use_adapter", "Leave one out")
    if args.fsdp and args.model_conf.get("alignment_weight"):
        raise InputError(
            "--fsdp",
            "does not go with alignment_weight of --model_conf: it needs weights that are in shards",
            "Give --model_conf alignment_weight=0 (in run.sh's --train_args)",
        )
    if args.compile and args.model_conf.get("packed"):
        raise InputError(
            "--compile",
            "does not go with packed of --model_conf",
            "Give --model_conf packed=false (in run.sh's --train_args)",
        )
    return build_dataclass(VALLETrainerOptions, args)
