"""Drawing one code from the AR model's logits."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from espnet2_valle.common.errors import InputError


@dataclass(frozen=True)
class SamplingOptions:
    """How codes are drawn.

    Attributes:
        temperature: divides the logits; 0 takes the most likely code.
        top_k: keep the k most likely codes; 0 keeps all.
        top_p: keep the most likely codes up to this share, the one that crosses it included; 1 keeps all.
        repetition_window: K of repetition-aware sampling (VALL-E 2, sec. 3.3.1); 0 turns it off.
        repetition_threshold: t_r; a code that makes up more of the last K codes is drawn anew from all codes.

    Raises:
        InputError: a value outside its range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_window: int = 0
    repetition_threshold: float = 0.1

    def __post_init__(self) -> None:
        ranges = {
            "temperature": self.temperature >= 0,
            "top_k": self.top_k >= 0,
            "top_p": 0 < self.top_p <= 1,
            "repetition_window": self.repetition_window >= 0,
            "repetition_threshold": 0 <= self.repetition_threshold <= 1,
        }
        for name, valid in ranges.items():
            if not valid:
                raise InputError(
                    f"--{name}", f"{getattr(self, name)} is out of range", "See conf/decode.yaml"
                )


def sample_code(
    logits: torch.Tensor, history: Sequence[int], options: SamplingOptions, generator: torch.Generator
) -> int:
    """Draw one code.

    Args:
        logits: (classes,); -inf forbids a code.
        history: codes drawn before, oldest first (for repetition-aware sampling).
        options: how to draw.
        generator: the utterance's own source of randomness.

    Returns:
        the code.
    """
    if options.temperature == 0:
        return int(logits.argmax())
    full = torch.softmax(logits.float() / options.temperature, dim=-1)
    code = _draw(_nucleus(_top_k(full, options.top_k), options.top_p), generator)
    window = history[-options.repetition_window :] if options.repetition_window else ()
    if window and window.count(code) / options.repetition_window > options.repetition_threshold:
        code = _draw(full, generator)
    return code


def _top_k(probabilities: torch.Tensor, k: int) -> torch.Tensor:
    if not 0 < k < len(probabilities):
        return probabilities
    values, indices = probabilities.topk(k)
    return torch.zeros_like(probabilities).scatter(0, indices, values)


def _nucleus(probabilities: torch.Tensor, p: float) -> torch.Tensor:
    if p == 1:
        return probabilities
    values, indices = (probabilities / probabilities.sum()).sort(descending=True)
    before = values.cumsum(0) - values
    return torch.zeros_like(probabilities).scatter(0, indices, values * (before < p))


def _draw(weights: torch.Tensor, generator: torch.Generator) -> int:
    return int(torch.multinomial(weights, 1, generator=generator))
