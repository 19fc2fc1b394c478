"""The schedule of a training, shortened where it would pass over few recordings again and again."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_PASSES = 100.0  # an hour of speech takes some dozens; of a minute, validation is best after five
# Options of ESPnet's and torch's schedulers that count steps.
STEPS = ("warmup_steps", "warmup_steps_list", "total_steps", "max_steps", "first_cycle_steps")


@dataclass(frozen=True)
class Schedule:
    """Length of a training.

    Attributes:
        max_epoch: epochs.
        num_iters_per_epoch: batches of an epoch; None: one pass over the data.
        scheduler_conf: of the learning rate's scheduler, whose steps are as many as all batches.
    """

    max_epoch: int
    num_iters_per_epoch: int | None
    scheduler_conf: Mapping[str, Any]

    def passes(self, batches: float) -> float:
        """Passes over data of so many batches."""
        return self.steps(batches) / batches

    def steps(self, batches: float) -> float:
        """Batches in all, of data that have so many."""
        return self.max_epoch * (self.num_iters_per_epoch or batches)

    def bounded(self, batches: int, max_passes: float) -> "Schedule":
        """The schedule in proportion, for at most so many passes over data of `batches` batches.

        Epochs become shorter before they become fewer, so that there are some to choose among.
        """
        if self.passes(batches) <= max_passes:
            return self
        most = max(1, math.ceil(max_passes * batches))
        if self.num_iters_per_epoch is None:
            epochs, length = max(1, int(max_passes)), None
        else:
            length = max(1, most // self.max_epoch)
            epochs = min(self.max_epoch, most // length)
        shorter = Schedule(epochs, length, self.scheduler_conf)
        share = shorter.steps(batches) / self.steps(batches)
        conf = {
            key: _scaled(value, share) if key in STEPS else value
            for key, value in self.scheduler_conf.items()
        }
        return Schedule(epochs, length, conf)


def _scaled(value: Any, share: float) -> Any:
    """A number of steps, or a list of such, times `share`; steps of a list stay apart."""
    if isinstance(value, list | tuple):
        return [max(number, math.ceil(step * share)) for number, step in enumerate(value)]
    return max(1, math.ceil(value * share)) if isinstance(value, int | float) else value
