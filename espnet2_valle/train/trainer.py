"""ESPnet's trainer with what it lacks.

Checkpoints inside an epoch, a running average of the weights, exact gradients under accumulation and on
several ranks, a stop at a loss that is not finite, and throughput in the log.

The random numbers of a step follow from seed, epoch, step and rank alone. With the iterator over a training
index, whose batches do so too, a broken-off training goes on as if nothing had happened.
"""

import argparse
import dataclasses
import itertools
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from espnet2.iterators.abs_iter_factory import AbsIterFactory
from espnet2.schedulers.abs_scheduler import AbsBatchStepScheduler
from espnet2.torch_utils.device_funcs import to_device
from espnet2.train.distributed_utils import DistributedOption
from espnet2.train.reporter import SubReporter
from espnet2.train.trainer import Trainer, TrainerOptions
from espnet2.utils.build_dataclass import build_dataclass
from espnet2.utils.types import str2bool

from espnet2_valle.common.errors import InputError
from espnet2_valle.train import sharding, step_checkpoint
from espnet2_valle.train.ema import WeightAverage
from espnet2_valle.train.iterator import IndexIterFactory
from espnet2_valle.train.meter import Meter

Batch = tuple[list[str], dict[str, torch.Tensor]]
UNSUPPORTED = {
    "use_amp": "Choose model_conf: bf16: true, which needs no gradient scaler",
    "sharded_ddp": "Leave it out",
    "grad_noise": "Leave it out",
    "create_graph_in_tensorboard": "Leave it out",
    "no_forward_run": "Leave it out",
}


@dataclasses.dataclass
class VALLETrainerOptions(TrainerOptions):
    """ESPnet's options and ours; see `VALLETrainer.add_arguments`."""

    ema_decay: float
    save_interval: int
    compile: bool
    compile_backend: str
    peak_tflops: float
    fsdp: bool


class VALLETrainer(Trainer):
    """Trains as ESPnet's trainer does, epoch by epoch, with an epoch of our own.

    Attributes:
        average: of the weights, or None; the model holds it from validation to the next epoch's start.
        pending: the checkpoint to go on from, until the first epoch has taken it up.
    """

    average: ClassVar[WeightAverage | None] = None
    pending: ClassVar[dict[str, Any] | None] = None

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
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

    @classmethod
    def build_options(cls, args: argparse.Namespace) -> VALLETrainerOptions:
        """Options of this trainer.

        Raises:
            InputError: an option of ESPnet's trainer that this one does not know.
        """
        for name, remedy in UNSUPPORTED.items():
            if getattr(args, name):
                raise InputError(f"--{name}", "this trainer does not know it", remedy)
        if args.fsdp and (args.compile or args.use_adapter):
            raise InputError("--fsdp", "does not go with --compile or --use_adapter", "Leave one out")
        return build_dataclass(VALLETrainerOptions, args)

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
                    "Train anew with --resume false, starting from the last epoch's model by --init_param",
                )
        if cls.pending is not None:
            train_iter_factory = _skip(train_iter_factory, cls.pending["epoch"], cls.pending["steps"])
        decay = trainer_options.ema_decay
        cls.average = WeightAverage(model, decay) if decay else None
        if trainer_options.compile:
            model.valle.transformer.compile(backend=trainer_options.compile_backend, dynamic=True)
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
        epoch = _Epoch(cls, model, optimizer, schedulers[0], reporter, options, distributed_option)
        epoch.take_up()
        steps = epoch.step + len(iterator)  # type: ignore[arg-type]
        interval = options.log_interval or max(steps // 20, 10)
        model.train()
        for names, batch in reporter.measure_iter_time(iterator, "iter_time"):
            epoch.step += 1
            closes_window = epoch.step % options.accum_grad == 0 or epoch.step == steps
            epoch.accumulate(names, batch, closes_window)
            if closes_window:
                epoch.update(names)
            reporter.next()
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


class _Epoch:
    """One epoch of training: gradients, updates, reports and checkpoints.

    Attributes:
        step: batches seen, those before a resume included.
        unsaved: batches since the last checkpoint.
        updates: of the weights.
    """

    def __init__(
        self,
        trainer: type[VALLETrainer],
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        scheduler: Any,
        reporter: SubReporter,
        options: VALLETrainerOptions,
        distributed: DistributedOption,
    ):
        self.trainer = trainer
        self.model = model
        self.bare_model = getattr(model, "module", model)
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.reporter = reporter
        self.options = options
        self.rank = torch.distributed.get_rank() if distributed.distributed else 0
        self.world_size = torch.distributed.get_world_size() if distributed.distributed else 1
        self.device = "cuda" if options.ngpu > 0 else "cpu"
        self.output_dir = Path(options.output_dir)
        self.meter = Meter(self.bare_model, self.device, options.peak_tflops, self.world_size)
        self.step = self.saved = self.updates = 0
        self.weight = 0.0
        self.started = time.perf_counter()

    @property
    def unsaved(self) -> int:
        return self.step - self.saved

    def take_up(self) -> None:
        """Let the model hold what is trained, and continue from a checkpoint if there is one."""
        average = self.trainer.average
        if average is not None:
            average.swap(averaged=False)
        state, self.trainer.pending = self.trainer.pending, None
        self.reported = step_checkpoint.NOTHING_REPORTED
        if self.rank == 0 and self.reporter.get_epoch() > 1:
            self.reported = step_checkpoint.reporter_state(self.output_dir)
        if state is None:
            return
        self.bare_model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(sharding.share_optimizer_state(state["optimizers"][0], self.optimizer))
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["schedulers"][0])
        if average is not None and state["average"] is not None:
            average.load_state_dict(state["average"])
        if state["epoch"] != self.reporter.get_epoch():
            return
        self.step = self.saved = state["steps"]
        self.updates = state["updates"]
        self.reporter.stats.update(state["stats"])
        self.reporter.count = state["count"]
        self.reporter.total_count = state["total_count"]
        self.reporter.start_time -= state["seconds"]
        logging.info("going on behind step %d of epoch %d", self.step, state["epoch"])

    def accumulate(self, names: list[str], batch: dict[str, torch.Tensor], closes_window: bool) -> None:
        """Add a batch's gradient, weighted by what it predicts; ranks exchange gradients once a window."""
        _seed(self.options.seed, self.reporter.get_epoch(), self.step, self.rank)
        batch = to_device(batch, self.device)
        with sharding.exchanging(self.model, closes_window):
            loss, stats, weight = self.model(utt_id=names, **batch)
            means, sums = self.meter.forward(batch, stats, weight)
            if not np.isfinite(means["loss"]):
                self._stop(names, loss)
            (loss * weight).sum().backward()
        self.weight += sums["weight"]
        self.meter.report(self.reporter, means, sums)

    def _stop(self, names: list[str], loss: torch.Tensor) -> None:
        """End the training; each rank names its own batch."""
        batch = " ".join(names) if not torch.isfinite(loss).all() else "a batch of another rank"
        raise InputError(
            f"step {self.step} of epoch {self.reporter.get_epoch()}",
            f"the loss is not finite. Utterances: {batch}",
            "Look at them; if nothing is wrong with them, lower the learning rate or raise the warm-up",
        )

    def update(self, names: list[str]) -> None:
        """Make an update from the gradients of a window, as if it had been one batch on one rank."""
        gradients = [p.grad for p in self.bare_model.parameters() if p.grad is not None]
        # Ranks have averaged sums: times ranks over the predictions of all is the mean over predictions.
        torch._foreach_mul_(gradients, self.world_size / self.weight)
        self.weight = 0.0
        norm = torch.nn.utils.clip_grad_norm_(
            self.bare_model.parameters(), self.options.grad_clip, self.options.grad_clip_type
        )
        norm = sharding.gather(norm, keep=True)
        report: dict[str, float] = {}
        if torch.isfinite(norm):
            report = {"grad_norm": float(norm), "clip": 100.0 * bool(norm > self.options.grad_clip)}
            self.optimizer.step()
            if isinstance(self.scheduler, AbsBatchStepScheduler):
                self.scheduler.step()
            if self.trainer.average is not None:
                self.trainer.average.update()
            self.updates += 1
        else:
            logging.warning("gradient norm %s: no update from %s", float(norm), " ".join(names))
        self.optimizer.zero_grad(set_to_none=True)
        rates = {f"optim0_lr{n}": group["lr"] for n, group in enumerate(self.optimizer.param_groups)}
        now = time.perf_counter()
        self.reporter.register({**report, **rates, "train_time": now - self.started})
        self.started = now

    def save(self) -> None:
        """Write a checkpoint from which the epoch can go on; all ranks have to call this."""
        if self.unsaved:
            average, scheduler = self.trainer.average, self.scheduler
            state = {
                "model": self.bare_model.state_dict(),
                "optimizers": [self.optimizer.state_dict()],
                "schedulers": [scheduler.state_dict() if scheduler is not None else None],
                "scaler": None,
                "reporter": self.reported,
                "average": average.state_dict() if average is not None else None,
                "epoch": self.reporter.get_epoch(),
                "steps": self.step,
                "updates": self.updates,
                "stats": dict(self.reporter.stats),
                "count": self.reporter.count,
                "total_count": self.reporter.total_count,
                "seconds": time.perf_counter() - self.reporter.start_time,
            }
            state = sharding.gather(state, keep=self.rank == 0)
            if self.rank == 0:
                step_checkpoint.save_whole(state, self.output_dir / step_checkpoint.STEP)
        self.saved = self.step


def _seed(*numbers: int) -> None:
    """Draw the random numbers of a step from these numbers alone."""
    torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1))


def _skip(factory: AbsIterFactory, epoch: int, steps: int) -> AbsIterFactory:
    """A factory whose first iterator of `epoch` begins behind its first `steps` batches."""
    if isinstance(factory, IndexIterFactory):
        factory.skip(epoch, steps)
        return factory
    return _SkippingFactory(factory, epoch, steps)


class _SkippingFactory(AbsIterFactory):
    """For ESPnet's own iterators, which have to read the batches that are skipped."""

    def __init__(self, factory: AbsIterFactory, epoch: int, steps: int):
        self.factory, self.epoch, self.steps = factory, epoch, steps

    def build_iter(self, epoch: int, shuffle: bool | None = None) -> Any:
        iterator = self.factory.build_iter(epoch, shuffle)
        return _Rest(iterator, self.steps) if epoch == self.epoch else iterator


class _Rest:
    """What an iterable of known length has behind its first `steps` items."""

    def __init__(self, iterable: Any, steps: int):
        self.iterable, self.steps = iterable, steps

    def __len__(self) -> int:
        return max(0, len(self.iterable) - self.steps)

    def __iter__(self) -> Iterator[Batch]:
        return itertools.islice(iter(self.iterable), self.steps, None)
