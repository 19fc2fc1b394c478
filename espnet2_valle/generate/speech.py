"""The result of a synthesis: speech, its codes, and how it ended."""

import base64
import html
import io
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import soundfile
import torch

from espnet2_valle.common.audio import check_writable, write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.provenance import Provenance
from espnet2_valle.generate.outcome import Outcome, rank


@dataclass(frozen=True, eq=False)
class Speech:
    """The result of synthesising one text; `speech["wav"]` is `speech.wav`, as ESPnet's results have it.

    A notebook shows it as a player.

    Attributes:
        wav: (S,) float32.
        fs: its rate in Hz, the model's.
        codes: (T, Q) int64.
        outcome: how it ended.
        log_probability: mean over the codes of codebook 1; None where nothing was drawn.
        tries: attempts made.
        problem: why the prompt or the text was rejected, or which words have tokens that the model never
            learnt.
        score: what the scorer of candidates gave it, if there is one.
        provenance: consent and origin of the voice, as a prepared prompt states them; files carry it.
    """

    wav: torch.Tensor
    fs: int
    codes: torch.Tensor
    outcome: Outcome
    log_probability: float | None = None
    tries: int = 1
    problem: str | None = None
    score: float | None = None
    provenance: Provenance = Provenance()

    def __getitem__(self, name: str) -> Any:
        if name not in self.keys():
            raise KeyError(name)
        return getattr(self, name)

    def keys(self) -> list[str]:
        """Names of the attributes, so that `dict(speech)` holds them all."""
        return [field.name for field in fields(self)]

    def save(self, path: str | Path) -> None:
        """Write the sound to a file, whose suffix tells the format, as 16-bit PCM.

        Raises:
            InputError: there is no sound, or no such format.
        """
        if not len(self.wav):
            raise InputError(path, f"nothing to save: {self._ended}", "Try another seed, prompt or text")
        check_writable(path, "path")
        write_audio(path, self.wav.numpy(), self.fs, self.provenance.comment())

    @property
    def _ended(self) -> str:
        """The outcome, and why, in words."""
        return self.outcome.value + (f" ({self.problem})" if self.problem else "")

    def _repr_html_(self) -> str:
        """A player, with the sound inside it, and how it ended."""
        seconds = f"{len(self.wav) / self.fs:.2f} s" if len(self.wav) else "no sound"
        told = f"<div>{seconds}, {html.escape(self._ended)}</div>"
        if not len(self.wav):
            return told
        sound = io.BytesIO()
        soundfile.write(sound, self.wav.numpy(), self.fs, format="WAV", subtype="PCM_16")
        data = base64.b64encode(sound.getvalue()).decode()
        return f'<audio controls src="data:audio/wav;base64,{data}"></audio>{told}'

    @property
    def rank(self) -> tuple[int, float, float]:
        """The larger, the better: the outcome decides, then the score if there is one, then likelihood."""
        likelihood = float("-inf") if self.log_probability is None else self.log_probability
        return (*rank(self.outcome, likelihood if self.score is None else self.score), likelihood)
