"""Operations of a training step, and those that the device could do."""

import time
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import nn

from espnet2_valle.ns2.espnet_model import ESPnetNS2Model
from espnet2_valle.ns2.model import NaturalSpeech2
from espnet2_valle.valle.abs_valle import AbsVALLE
from espnet2_valle.valle.embeddings import SHAPE_STEP
from espnet2_valle.valle.rows import round_up

FORWARD_AND_BACKWARD = 3  # a backward pass computes twice what a forward pass does
MEASURED_SIZES = {"cpu": 1024, "cuda": 8192}  # of square matrices
MEASURED_ROUNDS = 5
SMALL, SLOW_SECONDS = 256, 0.005  # a product that small that takes so long tells enough of a slow type


class StepCounter(Protocol):
    """Counter of what a training step computes, of one kind of model."""

    def lengths(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Positions (batch,) of the rows of a batch."""
        ...

    def computed(self, lengths: torch.Tensor) -> int:
        """Positions that are computed of rows of these lengths, with padding."""
        ...

    def step(self, lengths: torch.Tensor, predictions: float) -> float:
        """Operations of a training step."""
        ...

    def predicting(self, predictions: float) -> float:
        """Operations of so many predictions, of those of a step."""
        ...


class FlopCounter:
    """Floating-point operations of training steps: matrix products that the model needs, padding left out.

    Of a forward pass over t positions: 2 t P for P weights in linear layers, 4 L t^2 d for attention in L
    layers of width d (half of it where attention is causal), and 2 N C d for N predictions of C classes.

    Args:
        valle: the model.
    """

    def __init__(self, valle: AbsVALLE):
        self.valle = valle
        self.weights = sum(m.weight.numel() for m in valle.modules() if isinstance(m, nn.Linear))
        transformer = valle.transformer
        attention = 4 * len(transformer.blocks) * transformer.width
        self.attention = attention / 2 if valle.causal else attention
        self.head = 2 * valle.codes.size * transformer.width

    def lengths(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """See `StepCounter`."""
        return self.valle.positions(batch["text_lengths"], batch["codes_lengths"])

    def computed(self, lengths: torch.Tensor) -> int:
        """See `StepCounter`."""
        return self.valle.transformer.computed_positions(lengths)

    def step(self, lengths: torch.Tensor, predictions: float) -> float:
        """Operations of a training step on sequences of `lengths` (batch,), on the CPU."""
        each = lengths.tolist()
        forward = 2 * self.weights * sum(each) + self.attention * sum(length**2 for length in each)
        return FORWARD_AND_BACKWARD * forward + self.predicting(predictions)

    def predicting(self, predictions: float) -> float:
        """Operations of so many predictions, of those of a step."""
        return FORWARD_AND_BACKWARD * self.head * predictions


class FrameFlopCounter:
    """Floating-point operations of a diffusion model: those of linear layers and convolutions on frames.

    Attention, and what works on tokens and prompts, which are few beside the frames, are left out.

    Args:
        ns2: the model.
    """

    def __init__(self, ns2: NaturalSpeech2):
        layers = [*ns2.wavenet.modules(), *ns2.pitch_predictor.modules(), ns2.pitch_in]
        self.weights = sum(m.weight.numel() for m in layers if isinstance(m, nn.Linear | nn.Conv1d))

    def lengths(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """See `StepCounter`."""
        return batch["latent_lengths"]

    def computed(self, lengths: torch.Tensor) -> int:
        """See `StepCounter`."""
        return len(lengths) * round_up(int(lengths.max()), SHAPE_STEP)

    def step(self, lengths: torch.Tensor, predictions: float) -> float:
        """See `StepCounter`."""
        return FORWARD_AND_BACKWARD * 2 * self.weights * float(lengths.sum())

    def predicting(self, predictions: float) -> float:
        """See `StepCounter`."""
        return 0.0


def counter_of(model: nn.Module) -> StepCounter:
    """The counter of a model that ESPnet's trainer sees."""
    return FrameFlopCounter(model.ns2) if isinstance(model, ESPnetNS2Model) else FlopCounter(model.valle)


def matmul_rate(device: str, dtype: torch.dtype) -> float:
    """Operations a second of a large square matrix product, the best of a few."""
    small = _fastest_product(device, dtype, SMALL)
    if small > SLOW_SECONDS:
        return 2 * SMALL**3 / small
    size = MEASURED_SIZES[device]
    return 2 * size**3 / _fastest_product(device, dtype, size)


def _fastest_product(device: str, dtype: torch.dtype, size: int) -> float:
    """Seconds of the fastest of a few products."""
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    for _ in range(MEASURED_ROUNDS):
        start = time.perf_counter()
        product = left @ right
        product[0, 0].item()  # waits for a GPU
        best = min(best, time.perf_counter() - start)
    return best
