"""Language IDs of texts and of audio (VALL-E X, Zhang et al., 2023, arXiv 2303.03926)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from espnet2_valle.valle.rows import length_mask, on_device

NONE, TEXT, AUDIO, BOTH = LANGUAGE_IDS = ("none", "text", "audio", "both")


class LanguageEmbedding(nn.Module):
    """A learned embedding of each language, for what is added to those of tokens or of frames.

    Args:
        languages: how many.
        width: channels.
    """

    def __init__(self, languages: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(languages, width) * width**-0.5)
        self.scale = math.sqrt(width)

    def forward(self, languages: torch.Tensor) -> torch.Tensor:
        """(...,) numbers of languages -> (..., width)."""
        return F.embedding(languages, self.weight) * self.scale


class BatchLanguages(NamedTuple):
    """Languages in a batch, by their numbers.

    Attributes:
        text: (batch, text_time) of each token.
        codes: (batch, time) of each frame.
    """

    text: torch.Tensor
    codes: torch.Tensor


@dataclass(frozen=True)
class SpokenLanguages:
    """Languages of one utterance that is to be said, by their numbers.

    Attributes:
        text: (text_time,) of each token of prompt text and text.
        prompt: of the prompt's frames.
        target: of the frames that are to be made.
    """

    text: torch.Tensor
    prompt: int
    target: int


class LanguageIDs(nn.Module):
    """The embeddings that a model adds for languages, those of `language_id`.

    Args:
        language_id: what is told its language: none, text, audio or both. The paper's is audio.
        languages: their names, whose order gives the numbers.
        width: channels.

    Raises:
        ValueError: another `language_id`, or no list of different languages.
    """

    def __init__(self, language_id: str, languages: Sequence[str], width: int):
        super().__init__()
        if language_id not in LANGUAGE_IDS:
            raise ValueError(f"language_id must be one of {', '.join(LANGUAGE_IDS)}, not {language_id!r}")
        if language_id != NONE and (not languages or len(set(languages)) != len(languages)):
            raise ValueError(f"language_id {language_id} needs languages, each once, not {languages!r}")
        told = {NONE: (), TEXT: (TEXT,), AUDIO: (AUDIO,), BOTH: (TEXT, AUDIO)}[language_id]
        self.names = tuple(languages) if told else ()
        self.tables = nn.ModuleDict({kind: LanguageEmbedding(len(languages), width) for kind in told})

    def of_text(
        self, embedded: torch.Tensor, languages: torch.Tensor | None, lengths: torch.Tensor
    ) -> torch.Tensor:
        """Embeddings of texts with those of their languages.

        Args:
            embedded: (batch, time + 1, width) of `TextEmbedding`; the end mark is of no language.
            languages: (batch, time); None only where there are no embeddings of them.
            lengths: (batch,) of the texts.

        Raises:
            ValueError: the model is to be told languages and is not.
        """
        if TEXT not in self.tables:
            return embedded
        inside = length_mask(on_device(lengths, embedded.device), embedded.shape[1] - 1).unsqueeze(2)
        added = self.tables[TEXT](_told(languages)) * inside
        return embedded + F.pad(added, (0, 0, 0, 1)).to(embedded.dtype)

    def of_audio(self, embedded: torch.Tensor, languages: torch.Tensor | int | None) -> torch.Tensor:
        """Embeddings of audio positions with those of their languages.

        Args:
            embedded: (batch, time, width).
            languages: (batch, time) or (batch, 1), or that of all; None only where there are no embeddings of
                them.

        Raises:
            ValueError: the model is to be told languages and is not.
        """
        if AUDIO not in self.tables:
            return embedded
        if isinstance(languages, int):
            languages = torch.tensor([[languages]], device=embedded.device)
        return embedded + self.tables[AUDIO](_told(languages)).to(embedded.dtype)


def _told(languages: torch.Tensor | None) -> torch.Tensor:
    if languages is None:
        raise ValueError("a model with a language_id has to be told the languages")
    return languages
