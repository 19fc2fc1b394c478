"""ESPnet's two TTS tasks with a limit on the time of training, so that systems are compared at equal time."""

import argparse
import dataclasses
import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch
from espnet2.tasks.gan_tts import GANTTSTask
from espnet2.tasks.tts import TTSTask
from espnet2.train.distributed_utils import DistributedOption
from espnet2.train.gan_trainer import GANTrainer, GANTrainerOptions
from espnet2.train.trainer import Trainer, TrainerOptions
from espnet2.utils.build_dataclass import build_dataclass

from espnet2_valle.common.fileio import atomic_open

SPENT = "train_seconds"  # in the training directory: what the epochs have taken so far
Item = TypeVar("Item")


@dataclasses.dataclass
class LimitedOptions(TrainerOptions):
    """ESPnet's options and the limit; 0 is none."""

    train_minutes: float


@dataclasses.dataclass
class LimitedGANOptions(GANTrainerOptions):
    """The same for opponents."""

    train_minutes: float


def until(items: Iterable[Item], deadline: float) -> Iterator[Item]:
    """The items until the clock `time.monotonic` passes `deadline`, at least one."""
    for item in items:
        yield item
        if time.monotonic() >= deadline:
            return


class LimitedEpochs:
    """Epochs that end when the time is over. Mixed in before one of ESPnet's trainers.

    The time is counted over resumptions too. ESPnet ends a training after an epoch that says it was stuck.
    """

    options_class: type[TrainerOptions]  # ESPnet's options of the trainer, with the limit

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """ESPnet's options and the limit."""
        super().add_arguments(parser)  # type: ignore[misc]
        parser.add_argument(
            "--train_minutes",
            type=float,
            default=0.0,
            help="end after the epoch in which so many minutes of training and validation are over; "
            "0: no limit",
        )

    @classmethod
    def build_options(cls, args: argparse.Namespace) -> TrainerOptions:
        """Options of this trainer."""
        return build_dataclass(cls.options_class, args)

    @classmethod
    def train_one_epoch(
        cls, *, iterator: Iterable[Any], options: Any, distributed_option: DistributedOption, **more: Any
    ) -> bool:
        """See ESPnet's trainer; returns True where the training is to end."""
        started = time.monotonic()
        path = Path(options.output_dir) / SPENT
        before = float(path.read_text(encoding="utf-8")) if path.is_file() else 0.0
        if options.train_minutes > 0:
            iterator = until(iterator, started + 60 * options.train_minutes - before)
        more |= {"options": options, "distributed_option": distributed_option}
        stuck = super().train_one_epoch(iterator=iterator, **more)  # type: ignore[misc]
        spent = before + time.monotonic() - started
        if not distributed_option.distributed or distributed_option.dist_rank == 0:
            with atomic_open(path) as stream:
                stream.write(f"{spent:.3f}\n")
        over = 0 < 60 * options.train_minutes <= spent
        if distributed_option.distributed:  # all ranks end together
            flag = torch.tensor(int(over), device="cuda" if options.ngpu > 0 else "cpu")
            torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
            over = bool(flag)
        if over:
            logging.info("%.1f minutes of training are over: it ends here, as asked", spent / 60)
        return stuck or over


class LimitedTrainer(LimitedEpochs, Trainer):
    """ESPnet's trainer with a limit of time."""

    options_class = LimitedOptions


class LimitedGANTrainer(LimitedEpochs, GANTrainer):
    """ESPnet's trainer of opponents with a limit of time."""

    options_class = LimitedGANOptions


class LimitedTTSTask(TTSTask):
    """Task that espnet2.bin.tts_train runs, with a limit of time."""

    trainer = LimitedTrainer


class LimitedGANTTSTask(GANTTSTask):
    """Task that espnet2.bin.gan_tts_train runs, with a limit of time."""

    trainer = LimitedGANTrainer


TASKS: dict[str, Any] = {"tts": LimitedTTSTask, "gan_tts": LimitedGANTTSTask}
