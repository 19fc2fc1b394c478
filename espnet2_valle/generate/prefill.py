"""Texts and prompts as the AR model has read them, several at once where that pays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from espnet2_valle.generate.options import SamplingOptions
from espnet2_valle.generate.stopping import Limits
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.cache import KVCache
from espnet2_valle.valle.languages import SpokenLanguages
from espnet2_valle.valle.rows import on_device
from espnet2_valle.valle.styles import SpokenStyle

Row = TypeVar("Row")


@dataclass(frozen=True)
class Utterance:
    """A request to the AR model.

    Attributes:
        text: (text_time,) ids of prompt text and text together.
        prompt: (prompt_time,) codebook 1 of the prompt.
        limits: when to stop it.
        generator: its own source of randomness.
        prompt_tokens: how many of the ids are the prompt's: over its groups, the speaking rate. 0: not known.
        sampling: how its codes are drawn; None: as the decoder's others.
        languages: None only for models without language IDs.
        style: None: the model is told none.
        relative_rate: how many times as fast as the prompt it is said, see `VALLEAR.relative_rate`.
    """

    text: torch.Tensor
    prompt: torch.Tensor
    limits: Limits
    generator: torch.Generator
    prompt_tokens: int = 0
    sampling: SamplingOptions | None = None
    languages: SpokenLanguages | None = None
    style: SpokenStyle | None = None
    relative_rate: float = 1.0

    @property
    def beginning(self) -> tuple[int, ...]:
        """Identity of text, prompt, languages and style: utterances of which it is the same begin alike."""
        return tuple(map(id, (self.text, self.prompt, self.languages, self.style)))


@dataclass(frozen=True)
class Prefixes:
    """Texts and prompts as the model has read them.

    Attributes:
        caches: of one row each.
        logits: (N, G, classes) of the next group.
        rates, origins: (N,) of what is to be said, see `VALLEAR.pace`.
        prompts: codes of each one's whole groups.
    """

    caches: list[KVCache]
    logits: torch.Tensor
    rates: torch.Tensor
    origins: torch.Tensor
    prompts: list[list[int]]


def at_once(rows: Sequence[Row], device: torch.device) -> list[Sequence[Row]]:
    """The rows that one pass over whole sequences takes: all of them on a GPU, one at a time on a CPU.

    A sequence keeps a CPU busy by itself, and padding costs: `valle benchmark decode` compares both.
    """
    return [[row] for row in rows] if device.type == "cpu" else [rows]


def read_prefixes(model: VALLEAR, utterances: Sequence[Utterance]) -> Prefixes:
    """Read texts and prompts in one pass.

    Args:
        model: in evaluation mode.
        utterances: at least one.
    """
    texts = [one.text for one in utterances]
    device = texts[0].device
    # Lengths stay on the CPU, see `valle.rows`.
    grouped = [model.group(one.prompt[None], torch.tensor([len(one.prompt)])) for one in utterances]
    groups = [one[0] for one, _ in grouped]
    tokens = torch.tensor([one.prompt_tokens for one in utterances])
    counts = torch.cat([count for _, count in grouped])
    rates = on_device(model.position_rates(tokens, counts), device)
    relative = torch.tensor([one.relative_rate for one in utterances])
    pace, origins = (on_device(one, device) for one in model.pace(tokens, counts, relative))
    positions = [len(text) + 1 + len(group) for text, group in zip(texts, groups)]
    cache = model.new_cache(len(utterances), max(positions))
    languages = [one.languages for one in utterances]
    styles = [one.style and one.style.weights for one in utterances]
    logits = model.prefill(texts, groups, cache, rates, languages, styles)
    prompts = [group.flatten().tolist() for group in groups]
    return Prefixes(cache.split(positions), logits, pace, origins, prompts)


def joined(parts: Sequence[Prefixes]) -> Prefixes:
    """The prefixes of several passes, behind one another."""
    return Prefixes(
        [cache for part in parts for cache in part.caches],
        torch.cat([part.logits for part in parts]),
        torch.cat([part.rates for part in parts]),
        torch.cat([part.origins for part in parts]),
        [prompt for part in parts for prompt in part.prompts],
    )
