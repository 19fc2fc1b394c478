"""Perth, Resemble AI's published watermark (https://github.com/resemble-ai/Perth, MIT), with its weights.

A network changes the magnitudes of a spectrum, and another tells whether it did; no key, no payload.
"""

import contextlib
import io

import numpy as np

from espnet2_valle.common.extras import import_extra
from espnet2_valle.mark.abs_watermark import AbsMarkStream, AbsWatermark, Detection

FOUND = 0.5  # the network's answer, 0 to 1, from which on it says that there is a mark
# Share of unmarked real speech in which it finds one, roughly: it did in 1 of 84 recordings.
FALSE_POSITIVES = 0.01


class Perth(AbsWatermark):
    """Perth's implicit watermark.

    Raises:
        InputError: the package is missing.
    """

    def __init__(self) -> None:
        perth = import_extra("perth", "the watermark perth", "perth")
        with contextlib.redirect_stdout(io.StringIO()):  # it tells of its checkpoint
            self._model = perth.PerthImplicitWatermarker()

    def stream(self, rate: int) -> "WholeStream":
        """Begin to mark a recording; the network hears all of it, so nothing leaves before the end."""
        return WholeStream(self, rate)

    def embed(self, wav: np.ndarray, rate: int) -> np.ndarray:
        """Mark `wav` (S,); see the interface."""
        if len(wav) == 0:
            return wav
        marked = np.asarray(self._model.apply_watermark(wav, sample_rate=rate), dtype=np.float32)
        return np.pad(marked, (0, max(0, len(wav) - len(marked))))[: len(wav)]

    def detect(self, wav: np.ndarray, rate: int) -> Detection:
        """Ask the network; the chance is how often it is wrong about real speech, whatever its answer."""
        if len(wav) == 0:
            return Detection(False, 1.0)
        answer = float(np.mean(self._model.get_watermark(wav, sample_rate=rate, round=False)))
        marked = answer >= FOUND
        return Detection(marked, FALSE_POSITIVES if marked else 1.0)


class WholeStream(AbsMarkStream):
    """The marking of a recording that is held back until it is whole."""

    def __init__(self, watermark: AbsWatermark, rate: int):
        self._watermark = watermark
        self._rate = rate
        self._pieces = [np.zeros(0, dtype=np.float32)]

    def push(self, wav: np.ndarray) -> np.ndarray:
        """Keep the next samples; returns none."""
        self._pieces.append(wav)
        return wav[:0]

    def flush(self) -> np.ndarray:
        """All of it, marked."""
        return self._watermark.embed(np.concatenate(self._pieces), self._rate)
