"""ESPnet's trainer with what it lacks.

Checkpoints inside an epoch, a running average of the weights, exact gradients under accumulation and on
several ranks, a stop at a loss that is not finite, and throughput in the log.

The random numbers of a step follow from seed, epoch, step and rank alone. With the iterator over a training
index, whose batches do so too, a broken-off training goes on as if nothing had happened.
"""

import argparse
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from espnet2.iterators.abs_iter_factory import AbsIterFactory
from espnet2.train.distributed_utils import DistributedOption
from espnet2.train.reporter import SubReporter
from espnet2.train.trainer import Trainer

from espnet2_valle.common.errors import InputError
from espnet2_valle.train import sharding, step_checkpoint
from espnet2_valle.train.compute_dtype import gradient_scaler
from espnet2_valle.train.ema import WeightAverage
from espnet2_valle.train.epoch import Epoch
from espnet2_valle.train.forecast import Expected, Forecast
from espnet2_valle.train.iterator import Batch
from espnet2_valle.train.options import VALLETrainerOptions, add_arguments, build_options
from espnet2_valle.train.skipping import skip


class VALLETrainer(Trainer):
    """ESPnet's trainer, epoch by epoch, with an epoch of our own.

    Attributes:
        average: of the weights, or None; the model holds it from validation to the next epoch's start.
        scaler: of gradients, which lets all pass but those of float16.
        forecast: of the training's end.
        pending: the checkpoint to go on from, until the first epoch has taken it up.
    """

    average: ClassVar[WeightAverage | None] = None
    scaler: ClassVar[torch.amp.GradScaler]
    forecast: ClassVar[Forecast]
    pending: ClassVar[dict[str, Any] | None] = None

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """See `options.add_arguments`."""
        add_arguments(parser)

    @classmethod
    def build_options(cls, args: argparse.Namespace) -> VALLETrainerOptions:
        """See `options.build_options`."""
        return build_options(args)

    @classmethod
    def run(
        cls,
        model: torch.nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        schedulers: Sequence[Any],
        train_iter_factory: AbsIterFactory,
        valid_iter_factory: AbsIterFactory,
        plot_attention_iter_factory: AbsIterFactory | None,
        trainer_options: VALLETrainerOptions,
        distributed_option: DistributedOption,
    ) -> None:
        """Train from where the last checkpoint was written."""
        output_dir = Path(trainer_options.output_dir)
        cls.pending = None
        if trainer_options.resume:
            if not distributed_option.distributed or distributed_option.dist_rank == 0:
                step_checkpoint.repair(output_dir)
            if distributed_option.distributed:
                torch.distributed.barrier()
            cls.pending = step_checkpoint.find(output_dir)
            sharded = isinstance(model, sharding.FSDPModule)
            if sharded and cls.pending is None and (output_dir / step_checkpoint.EPOCH).exists():
                raise InputError(
                    output_dir / step_checkpoint.STEP,
                    "is not there, and has the optimiser's states of a training with --fsdp",
                    "Train anew with --resume false, starting from the last epoch's model by --init_param "
                    "(in run.sh's --ar_args or --nar_args)",
                )
        if cls.pending is not None:
            train_iter_factory = skip(train_iter_factory, cls.pending["epoch"], cls.pending["steps"])
        decay = trainer_options.ema_decay
        cls.average = WeightAverage(model, decay) if decay else None
        device = "cuda" if trainer_options.ngpu > 0 else "cpu"
        cls.scaler = gradient_scaler(model.compute_dtype, device)
        cls.forecast = Forecast(Expected.of(trainer_options.expected))
        if trainer_options.compile:
            model.compiled_part.compile(backend=trainer_options.compile_backend, dynamic=True)
        if isinstance(model, sharding.FSDPModule):
            model = sharding.ShardedModel(model, optimizers[0], keep=distributed_option.dist_rank == 0)
            optimizers = [sharding.IdleOptimizer([model.idle])]
        super().run(
            model=model,
            optimizers=optimizers,
            schedulers=schedulers,
            train_iter_factory=train_iter_factory,
            valid_iter_factory=valid_iter_factory,
            plot_attention_iter_factory=plot_attention_iter_factory,
            trainer_options=trainer_options,
            distributed_option=distributed_option,
        )

    @classmethod
    def train_one_epoch(
        cls,
        model: torch.nn.Module,
        iterator: Iterable[Batch],
        optimizers: Sequence[torch.optim.Optimizer],
        schedulers: Sequence[Any],
        scaler: None,
        reporter: SubReporter,
        summary_writer: Any,
        options: VALLETrainerOptions,
        distributed_option: DistributedOption,
    ) -> bool:
        """Train on the batches of `iterator`.

        Returns:
            whether not one update was made.

        Raises:
            InputError: a loss that is not finite; it names the batch.
        """
        optimizer = optimizers[0]
        sharded = _sharded(model)
        if sharded is not None:
            model, optimizer = sharded.model, sharded.optimizer
        epoch = Epoch(
            model, optimizer, schedulers[0], reporter, options, distributed_option, cls.average, cls.scaler
        )
        state, cls.pending = cls.pending, None
        epoch.take_up(state)
        steps = epoch.step + len(iterator)  # type: ignore[arg-type]
        interval = options.log_interval or max(steps // 20, 10)
        model.train()
        cls.forecast.begin()
        for names, batch in reporter.measure_iter_time(iterator, "iter_time"):
            epoch.step += 1
            closes_window = epoch.step % options.accum_grad == 0 or epoch.step == steps
            epoch.accumulate(names, batch, closes_window)
            if closes_window:
                epoch.update(names)
            reporter.next()
            cls.forecast.step(options.max_epoch * steps - (reporter.get_epoch() - 1) * steps - epoch.step)
            if epoch.step % interval == 0:
                logging.info(reporter.log_message(-interval))
                if summary_writer is not None:
                    reporter.tensorboard_add_scalar(summary_writer, -interval)
                if options.use_wandb:
                    reporter.wandb_log()
            if closes_window and options.save_interval and epoch.unsaved >= options.save_interval:
                epoch.save()
        epoch.save()
        return epoch.updates == 0

    @classmethod
    def validate_one_epoch(cls, model: torch.nn.Module, **kwargs: Any) -> None:
        """Validate the average of the weights, if there is one; ESPnet then saves what was validated."""
        if cls.average is not None:
            cls.average.swap(averaged=True)
        super().validate_one_epoch(model=model, **kwargs)
        sharded = _sharded(model)
        if sharded is not None:
            sharded.gather()


def _sharded(model: torch.nn.Module) -> sharding.ShardedModel | None:
    """The stand-in of a sharded model in what ESPnet's trainer hands out; None if it is no such model."""
    bare = getattr(model, "module", model)
    return bare if isinstance(bare, sharding.ShardedModel) else None
