"""How alike two voices are."""

from abc import ABC, abstractmethod

import numpy as np

from espnet2_valle.common.audio import resample
from espnet2_valle.score.extras import import_extra

RESEMBLYZER_RATE = 16000


class AbsSpeakerEncoder(ABC):
    """Turns a recording into a vector of the voice in it."""

    name: str

    @abstractmethod
    def embed(self, wav: np.ndarray, rate: int) -> np.ndarray:
        """Embed a voice.

        Args:
            wav: (samples,) float32, not silent.
            rate: in Hz.

        Returns:
            A vector (dimensions,) of length 1.
        """


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Cosine of two unit vectors."""
    return float(np.dot(one, other))


class ResemblyzerEncoder(AbsSpeakerEncoder):
    """Resemblyzer's GE2E speaker encoder; its weights come with its wheel."""

    name = "Resemblyzer"

    def __init__(self) -> None:
        resemblyzer = import_extra("resemblyzer", "speaker similarity")
        self._preprocess = resemblyzer.preprocess_wav
        self._encoder = resemblyzer.VoiceEncoder(device="cpu", verbose=False)

    def embed(self, wav: np.ndarray, rate: int) -> np.ndarray:
        """See the base class. Long pauses are cut, unless nothing would be left."""
        mono = resample(wav, rate, RESEMBLYZER_RATE)
        voiced = self._preprocess(mono, RESEMBLYZER_RATE)
        vector = self._encoder.embed_utterance(voiced if len(voiced) else mono)
        return vector / np.linalg.norm(vector)
