"""Requests to the models: as the user says them, and in the models' terms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from espnet2_valle.common.provenance import Provenance
from espnet2_valle.generate.options import SamplingOptions
from espnet2_valle.generate.prefill import Utterance
from espnet2_valle.generate.prompt import Prompt
from espnet2_valle.generate.stopping import Limits
from espnet2_valle.ns2.control import Control
from espnet2_valle.text.unknown import name_words
from espnet2_valle.valle.languages import SpokenLanguages
from espnet2_valle.valle.styles import SpokenStyle


@dataclass(frozen=True)
class Request:
    """One text to say; see `Text2Speech.__call__` for the meaning of each attribute.

    Attributes:
        sampling: how codes are drawn; None: as the model's options say.
        control: of durations and pitch, or a line of it; of NaturalSpeech 2 models alone.
        lang, prompt_lang, accent: languages; None: as the model's options say.
        style: some of `StyleOptions`, in place of the model's options.
    """

    text: str
    prompt_speech: Prompt
    prompt_text: str | None = None
    prompt_fs: int | None = None
    seed: int | None = None
    sampling: SamplingOptions | None = None
    control: Control | str | None = None
    lang: str | None = None
    prompt_lang: str | None = None
    accent: str | None = None
    style: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """A request in the models' terms.

    Attributes:
        request: what was asked; the text is marked as of its language where that decides how it is read.
        text: (text_time,) ids of prompt text and text together.
        prompt: (prompt_time, Q) codes.
        first: (prompt_time,) its codebook 1.
        limits: when to stop.
        seed: of the first candidate.
        prompt_tokens: how many of the ids are the prompt's.
        unknown: words that the model cannot say as they are, and why; see `TextEncoder.unknown`.
        provenance: of the voice.
        languages: None only for models without language IDs.
        style: None: the models are told none.
        relative_rate: how many times as fast as the prompt it is said.
    """

    request: Request
    text: torch.Tensor
    prompt: torch.Tensor
    first: torch.Tensor
    limits: Limits
    seed: int
    prompt_tokens: int
    unknown: Mapping[str, str] = field(default_factory=dict)
    provenance: Provenance = Provenance()
    languages: SpokenLanguages | None = None
    style: SpokenStyle | None = None
    relative_rate: float = 1.0

    @property
    def lanes(self) -> int:
        """Rows of a batch that a candidate takes: two where it is guided."""
        return 2 if self.style and self.style.baseline else 1

    @property
    def problem(self) -> str | None:
        """The words that the model cannot say as they are, in words."""
        if not self.unknown:
            return None
        return f"text: the model never learnt what is in {name_words(self.unknown)}"

    def utterance(self, seed: int) -> Utterance:
        """The request to the AR model, drawing from `seed`."""
        generator = torch.Generator(self.text.device).manual_seed(seed)
        sampling = self.request.sampling
        given = self.text, self.first, self.limits, generator, self.prompt_tokens
        return Utterance(*given, sampling, self.languages, self.style, self.relative_rate)
