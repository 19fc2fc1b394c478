"""Figures of a benchmark with their bars, printed as a table and written as JSON lines."""

import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from espnet2_valle.common.fileio import atomic_open


@dataclass(frozen=True)
class Metric:
    """One measured metric.

    Attributes:
        metric: its name; keeps its meaning from release to release.
        value: what was measured, a median where it is a time.
        unit: such as "s", "ms/step", "tokens/s", or "ratio".
        bar: what is aimed at, such as ">= 10", or "" where there is no aim.
        config: what it was measured on: sizes, type of numbers, threads.
    """

    metric: str
    value: float
    unit: str
    bar: str = ""
    config: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Return whether the bar is met; None without a bar."""
        if not self.bar:
            return None
        sign, limit = self.bar.split()
        return self.value >= float(limit) if sign == ">=" else self.value <= float(limit)


def render(metrics: Iterable[Metric]) -> str:
    """The metrics as a Markdown table."""
    lines = ["| metric | value | unit | bar | met | config |", "|---|---|---|---|---|---|"]
    for metric in metrics:
        config = ", ".join(f"{key} {value}" for key, value in metric.config.items())
        met = {None: "", True: "yes", False: "no"}[metric.met]
        cells = (metric.metric, f"{metric.value:.4g}", metric.unit, metric.bar, met, config)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_json(metrics: Iterable[Metric], path: str | Path) -> None:
    """One JSON object a line for each metric: metric, value, unit, bar, config."""
    with atomic_open(path) as stream:
        for metric in metrics:
            stream.write(json.dumps(dataclasses.asdict(metric)) + "\n")


def median_seconds(function: Callable[[], object], repeats: int = 5, warm_up: int = 1) -> float:
    """Median wall-clock seconds of calling `function`, after `warm_up` calls that are not counted."""
    for _ in range(warm_up):
        function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
