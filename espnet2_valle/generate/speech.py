"""The result of a synthesis: speech, its codes, and how it ended."""

from dataclasses import dataclass, fields
from typing import Any

import torch

from espnet2_valle.generate.outcome import Outcome, rank


@dataclass(frozen=True, eq=False)
class Speech:
    """The result of synthesising one text; `speech["wav"]` is `speech.wav`, as ESPnet's results have it.

    Attributes:
        wav: (S,) float32 at the model's rate.
        codes: (T, Q) int64.
        outcome: how it ended.
        log_probability: mean over the codes of codebook 1; None where nothing was drawn.
        tries: attempts made.
        problem: why the prompt or the text was rejected, or which words have tokens that the model never
            learnt.
        score: what the scorer of candidates gave it, if there is one.
    """

    wav: torch.Tensor
    codes: torch.Tensor
    outcome: Outcome
    log_probability: float | None = None
    tries: int = 1
    problem: str | None = None
    score: float | None = None

    def __getitem__(self, name: str) -> Any:
        if name not in self.keys():
            raise KeyError(name)
        return getattr(self, name)

    def keys(self) -> list[str]:
        """Names of the attributes, so that `dict(speech)` holds them all."""
        return [field.name for field in fields(self)]

    @property
    def rank(self) -> tuple[int, float, float]:
        """The larger, the better: the outcome decides, then the score if there is one, then likelihood."""
        likelihood = float("-inf") if self.log_probability is None else self.log_probability
        return (*rank(self.outcome, likelihood if self.score is None else self.score), likelihood)
