"""Judges that need no model, in a module of its own so that worker processes can import them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from espnet2_valle.asr.recognizer import AbsRecognizer
from espnet2_valle.evaluation.mos import AbsQualityScorer
from espnet2_valle.evaluation.scorers import ALL, AbsScorerPlan, Judges, Scorers
from espnet2_valle.evaluation.speaker import AbsSpeakerEncoder

RATE = 8000
WORDS = ("zero", "one", "two", "three", "four", "five")
WORD_SECONDS = 0.1


def say(words: str, voice: float = 1.0) -> np.ndarray:
    """A tone for each word; `voice` sets the level, by which the stub tells speakers apart."""
    time = np.arange(int(WORD_SECONDS * RATE)) / RATE
    tones = [np.sin(2 * np.pi * 200 * (WORDS.index(word) + 1) * time) for word in words.split()]
    return (voice * np.concatenate(tones)).astype(np.float32)


def write(path: Path, words: str, voice: float = 1.0) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, say(words, voice), RATE)
    return str(path)


class ToneRecognizer(AbsRecognizer):
    """Reads back what `say` said."""

    def transcribe(self, wav: np.ndarray, rate: int) -> str:
        tones = wav.reshape(-1, int(WORD_SECONDS * rate))
        peaks = np.abs(np.fft.rfft(tones)).argmax(axis=1) / WORD_SECONDS
        return " ".join(WORDS[round(peak / 200) - 1] for peak in peaks)


class LevelEncoder(AbsSpeakerEncoder):
    """The level as an angle: equal levels are equal voices."""

    name = "level"

    def embed(self, wav: np.ndarray, rate: int) -> np.ndarray:
        angle = np.sqrt(2 * np.mean(wav**2))
        return np.array([np.cos(angle), np.sin(angle)])


class PeakEncoder(AbsSpeakerEncoder):
    """The same of the peak, half as far apart."""

    name = "peak"

    def embed(self, wav: np.ndarray, rate: int) -> np.ndarray:
        angle = 0.5 * np.abs(wav).max()
        return np.array([np.cos(angle), np.sin(angle)])


class LevelQuality(AbsQualityScorer):
    """Louder is better."""

    name = "loudness"

    def score(self, wav: np.ndarray, rate: int) -> float:
        return 1 + 4 * float(np.abs(wav).max())


@dataclass(frozen=True)
class StubPlan(AbsScorerPlan):
    """Two judges that agree, of voices too if asked. `log` gets a line each time the models are loaded."""

    log: str
    version: str = "1"
    two_encoders: bool = False

    @property
    def recognizer_name(self) -> str:
        return "tones"

    @property
    def second_name(self) -> str:
        return "tones again"

    @property
    def speaker_name(self) -> str:
        return LevelEncoder.name

    @property
    def second_speaker_name(self) -> str | None:
        return PeakEncoder.name if self.two_encoders else None

    def identity(self) -> str:
        return self.version

    def build(self) -> Scorers:
        with open(self.log, "a") as stream:
            stream.write("built\n")
        second = PeakEncoder() if self.two_encoders else None
        judges = {ALL: Judges(ToneRecognizer(), ToneRecognizer())}
        return Scorers(judges, LevelEncoder(), LevelQuality(), second_speaker=second)
