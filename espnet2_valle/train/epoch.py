"""An epoch of training: gradients, updates, reports and checkpoints."""

import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from espnet2.schedulers.abs_scheduler import AbsBatchStepScheduler
from espnet2.torch_utils.device_funcs import to_device
from espnet2.train.distributed_utils import DistributedOption
from espnet2.train.reporter import SubReporter

from espnet2_valle.common.errors import InputError
from espnet2_valle.train import sharding, step_checkpoint
from espnet2_valle.train.ema import WeightAverage
from espnet2_valle.train.meter import Meter
from espnet2_valle.train.options import VALLETrainerOptions

LENGTHS = "_lengths"  # how names of lengths end


class Epoch:
    """One epoch of training: gradients, updates, reports and checkpoints.

    Attributes:
        step: batches seen, those before a resume included.
        unsaved: batches since the last checkpoint.
        updates: of the weights.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        scheduler: Any,
        reporter: SubReporter,
        options: VALLETrainerOptions,
        distributed: DistributedOption,
        average: WeightAverage | None,
        scaler: torch.amp.GradScaler,
    ):
        self.model = model
        self.bare_model = getattr(model, "module", model)
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.reporter = reporter
        self.options = options
        self.average = average
        self.scaler = scaler
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

    def take_up(self, state: dict[str, Any] | None) -> None:
        """Let the model hold what is trained, and continue from the checkpoint `state` if there is one."""
        if self.average is not None:
            self.average.swap(averaged=False)
        self.reported = step_checkpoint.NOTHING_REPORTED
        if self.rank == 0 and self.reporter.get_epoch() > 1:
            self.reported = step_checkpoint.reporter_state(self.output_dir)
        if state is None:
            return
        self.bare_model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(sharding.share_optimizer_state(state["optimizers"][0], self.optimizer))
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["schedulers"][0])
        if self.average is not None and state["average"] is not None:
            self.average.load_state_dict(state["average"])
        if state["scaler"] and self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])
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
        # As arrays, which what copies or shards models leaves where they are.
        lengths = {name: value.numpy() for name, value in batch.items() if name.endswith(LENGTHS)}
        rest = {name: value for name, value in batch.items() if name not in lengths}
        with sharding.exchanging(self.model, closes_window):
            loss, stats, weight = self.model(
                utt_id=names, **lengths, **to_device(rest, self.device, non_blocking=True)
            )
            self.scaler.scale((loss * weight).sum()).backward()
        means, sums = self.meter.forward(batch, stats, weight)
        if not np.isfinite(means["loss"]):
            self._stop(names, loss)
        self.weight += sums["weight"]
        self.meter.report(self.reporter, means, sums)

    def _stop(self, names: list[str], loss: torch.Tensor) -> None:
        """End the training; each rank names its own batch."""
        batch = " ".join(names) if not torch.isfinite(loss).all() else "a batch of another rank"
        remedy = "lower the learning rate or raise the warm-up"
        if self.scaler.is_enabled():
            remedy = f"train in float32, whose numbers may be larger: --model_conf bf16=false; or {remedy}"
        raise InputError(
            f"step {self.step} of epoch {self.reporter.get_epoch()}",
            f"the loss is not finite. Utterances: {batch}",
            f"Look at them; if nothing is wrong with them, {remedy}",
        )

    def update(self, names: list[str]) -> None:
        """Make an update from the gradients of a window, as if it had been one batch on one rank."""
        self.scaler.unscale_(self.optimizer)
        gradients = [p.grad for p in self.bare_model.parameters() if p.grad is not None]
        # Ranks have averaged sums: times ranks over the predictions of all is the mean over predictions.
        torch._foreach_mul_(gradients, self.world_size / self.weight)
        self.weight = 0.0
        norm = torch.nn.utils.clip_grad_norm_(
            self.bare_model.parameters(), self.options.grad_clip, self.options.grad_clip_type
        )
        norm = float(sharding.gather(norm, keep=True))  # waits for a GPU
        report: dict[str, float] = {}
        if np.isfinite(norm):
            report = {"grad_norm": norm, "clip": 100.0 * (norm > self.options.grad_clip)}
            self.scaler.step(self.optimizer)
            if isinstance(self.scheduler, AbsBatchStepScheduler):
                self.scheduler.step()
            if self.average is not None:
                self.average.update()
            self.updates += 1
        else:
            logging.warning("gradient norm %s: no update from %s", norm, " ".join(names))
        if self.scaler.is_enabled():
            report["loss_scale"] = self.scaler.get_scale()
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        rates = {f"optim0_lr{n}": group["lr"] for n, group in enumerate(self.optimizer.param_groups)}
        now = time.perf_counter()
        self.reporter.register({**report, **rates, "train_time": now - self.started})
        self.started = now

    def save(self) -> None:
        """Write a checkpoint from which the epoch can go on; all ranks have to call this."""
        if self.unsaved:
            average, scheduler = self.average, self.scheduler
            state = {
                "model": self.bare_model.state_dict(),
                "optimizers": [self.optimizer.state_dict()],
                "schedulers": [scheduler.state_dict() if scheduler is not None else None],
                "scaler": self.scaler.state_dict(),
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
