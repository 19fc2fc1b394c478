"""Forecast of a training's end after its first steps, with a warning if its config promised far less."""

import logging
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import build

STEPS = 20  # after which it is said
FAR_TOO_LONG = 10  # times what was expected


@dataclass(frozen=True)
class Expected:
    """The `expected` section of a training config: the run that it was made with.

    Attributes:
        seconds: that the training took.
        steps: that it had.
        machine: that it ran on.
    """

    seconds: float
    steps: int
    machine: str

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> "Expected | None":
        """The section, checked; None where it is empty.

        Raises:
            InputError: an unknown or missing key, or a number that is none.
        """
        if not section:
            return None
        return build(cls, section, "expected")

    def __post_init__(self) -> None:
        for name in ("seconds", "steps"):
            if getattr(self, name) <= 0:
                raise InputError(name, f"is {getattr(self, name)}", "Give what the training took")


class Forecast:
    """Listener to a training's first steps.

    Args:
        expected: by the config, or None.
    """

    def __init__(self, expected: Expected | None = None):
        self.expected = expected
        self.seconds: list[float] = []
        self.former = time.perf_counter()

    def begin(self) -> None:
        """Start the clock; at the beginning of each epoch, lest a validation be taken for a step."""
        self.former = time.perf_counter()

    def step(self, remaining: int) -> None:
        """Note a step, after which `remaining` ones are left; say once when they will have been made."""
        if len(self.seconds) == STEPS:
            return
        now = time.perf_counter()
        self.seconds.append(now - self.former)
        self.former = now
        if len(self.seconds) == STEPS:
            self._say(remaining)

    def _say(self, remaining: int) -> None:
        typical = statistics.median(self.seconds)  # the first steps of a process take longer
        left = timedelta(seconds=round(typical * remaining))
        end = datetime.now() + left
        logging.info(
            f"a step takes {typical:.2f} s: the training will end at {end:%Y-%m-%d %H:%M} (in {left}), "
            "validations not counted"
        )
        if self.expected is None:
            return
        times = typical / (self.expected.seconds / self.expected.steps)
        if times >= FAR_TOO_LONG:
            logging.warning(
                f"a step takes {times:.0f} times as long as on the machine that the config was measured on "
                f"({self.expected.machine}). `valle benchmark machine` shows what this one does well; "
                "other work on its cores, or bf16: true where bfloat16 is slow, could be why"
            )
