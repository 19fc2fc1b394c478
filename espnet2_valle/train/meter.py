"""Meter of training steps for the log: loss and accuracy over all ranks, speed, padding."""

import time
from collections.abc import Mapping
from typing import ClassVar

import torch
from espnet2.train.reporter import SubReporter

from espnet2_valle.train.throughput import counter_of, matmul_rate
from espnet2_valle.valle.rows import on_device

TERA = 1e12
SUMS = ("weight", "positions", "padded", "flops")


class Meter:
    """Meter that sums up steps over all ranks.

    Args:
        model: an ESPnetVALLEModel, or another that `counter_of` knows.
        device: "cpu" or "cuda".
        peak_tflops: what one device could compute in a second, in 10^12 operations; 0: it is measured.
        world_size: ranks.
    """

    _measured: ClassVar[dict[tuple[str, torch.dtype], float]] = {}  # once a process

    def __init__(self, model: torch.nn.Module, device: str, peak_tflops: float, world_size: int):
        self.counter = counter_of(model)
        self.world_size = world_size
        kind = device, model.compute_dtype
        if not peak_tflops and kind not in self._measured:
            self._measured[kind] = matmul_rate(*kind)
        self.peak = world_size * (peak_tflops * TERA if peak_tflops else self._measured[kind])
        self.former = time.perf_counter()

    def forward(
        self, batch: Mapping[str, torch.Tensor], stats: Mapping[str, torch.Tensor], weight: torch.Tensor
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Figures of a forward pass over all ranks, which have to call this together.

        A GPU is waited for once: call this behind the backward pass.

        Args:
            batch: lengths (batch,), on the CPU, as the model takes them.
            stats: means over this rank's predictions, (1,) each.
            weight: this rank's number of predictions, (1,).

        Returns:
            the means over all predictions; and "weight", "positions", "padded" and "flops", summed up.
        """
        lengths = self.counter.lengths(batch)
        padded = self.counter.computed(lengths)
        known = [float(lengths.sum()), float(padded), self.counter.step(lengths, 0)]
        weight = weight.double()
        total = torch.cat(
            [
                weight,
                on_device(torch.tensor(known, dtype=torch.double), weight.device),
                *(value.double() * weight for value in stats.values()),
            ]
        )
        if self.world_size > 1:
            torch.distributed.all_reduce(total)
        numbers = total.tolist()
        sums = dict(zip(SUMS, numbers))
        sums["flops"] += self.counter.predicting(sums["weight"])
        means = {name: value / sums["weight"] for name, value in zip(stats, numbers[len(SUMS) :])}
        return means, sums

    def report(self, reporter: SubReporter, means: Mapping[str, float], sums: Mapping[str, float]) -> None:
        """Register a step's metrics; an average over steps is weighted as the metric is defined."""
        now = time.perf_counter()
        seconds, self.former = now - self.former, now
        speed = {
            "tokens_per_s": sums["positions"] / seconds,
            "mfu": sums["flops"] / seconds / self.peak,
        }
        reporter.register(dict(means), sums["weight"])
        reporter.register(speed, seconds)
        reporter.register({"padding": 1 - sums["positions"] / sums["padded"]}, sums["padded"])
