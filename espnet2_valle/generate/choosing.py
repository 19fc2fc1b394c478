"""Choosing among the candidates of an utterance by what a recogniser hears in them."""

from collections.abc import Callable

import torch

from espnet2_valle.asr.recognizer import AbsRecognizer
from espnet2_valle.asr.registry import CHOOSERS
from espnet2_valle.asr.word_scorer import WordScorer
from espnet2_valle.common.registry import Component

LIKELIEST = "log_probability"  # the chooser that listens to nothing
# Speech (S,), its rate in Hz, what was to be said -> the larger, the better.
Scorer = Callable[[torch.Tensor, int, str], float]


def check_chooser(component: Component) -> None:
    """Raise InputError unless there is such a recogniser with such options."""
    CHOOSERS.check(component)


def build_scorer(component: Component | None, device: str = "cpu") -> Scorer | None:
    """Load the recogniser that compares candidates, on a device if it can choose; None where none does.

    Raises:
        InputError: it cannot be had.
    """
    if component is None:
        return None
    chosen = CHOOSERS.build(component, device=device)
    return WordScorer(chosen) if isinstance(chosen, AbsRecognizer) else chosen
