"""The one way out: every synthesised waveform passes here before anyone hears it, and is signed."""

import numpy as np

from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.prompt import SILENCE_DB
from espnet2_valle.mark.abs_watermark import AbsWatermark

PEAK = 0.99  # full scale is left to no one: 16-bit files would clip
KNEE = 0.9  # where a stream's peaks begin to be bent


def finish(
    wav: np.ndarray, rate: int, outcome: Outcome, watermark: AbsWatermark | None
) -> tuple[np.ndarray, Outcome]:
    """Check, sign and level what is about to leave.

    Args:
        wav: (S,) float32 from the codec.
        rate: in Hz.
        outcome: what decoding said.
        watermark: signs it; None leaves it unsigned.

    Returns:
        wav (S,) float32 within +-0.99, and the outcome, NO_SPEECH where nothing is to be heard.

    Raises:
        FloatingPointError: the codec returned NaN or infinity.
    """
    _check_finite(wav)
    if len(wav) == 0 or np.sqrt(np.mean(wav**2)) < 10 ** (SILENCE_DB / 20):
        return wav, Outcome.NO_SPEECH
    if watermark:
        wav = watermark.embed(wav, rate)
    peak = float(np.abs(wav).max())
    return (wav * (PEAK / peak) if peak > PEAK else wav), outcome


class StreamTail:
    """`finish` for a waveform that leaves in chunks.

    A chunk's level must not depend on the chunk, so peaks are not scaled but bent: each sample by itself, and
    only above the knee. With a watermark, what leaves is a little behind what comes.

    Args:
        rate: in Hz.
        watermark: signs it; None leaves it unsigned.
    """

    def __init__(self, rate: int, watermark: AbsWatermark | None) -> None:
        self._mark = watermark.stream(rate) if watermark else None
        self._energy = 0.0
        self._samples = 0

    def pass_on(self, wav: np.ndarray) -> np.ndarray:
        """Check, sign and limit the next chunk (S,) float32; returns what is settled, within +-0.99.

        Raises:
            FloatingPointError: the codec returned NaN or infinity.
        """
        _check_finite(wav)
        self._energy += float(np.sum(wav.astype(np.float64) ** 2))
        self._samples += len(wav)
        return _bent(self._mark.push(wav) if self._mark else wav)

    def flush(self) -> np.ndarray:
        """The rest, when no more chunks come."""
        return _bent(self._mark.flush()) if self._mark else np.zeros(0, dtype=np.float32)

    def outcome(self, outcome: Outcome) -> Outcome:
        """NO_SPEECH where nothing was to be heard in all chunks, else `outcome`."""
        if self._samples == 0 or self._energy / self._samples < 10 ** (SILENCE_DB / 10):
            return Outcome.NO_SPEECH
        return outcome


def _check_finite(wav: np.ndarray) -> None:
    if not np.isfinite(wav).all():
        raise FloatingPointError("the codec returned samples that are not finite")


def _bent(wav: np.ndarray) -> np.ndarray:
    """Limit samples (S,) to +-0.99."""
    excess = np.maximum(np.abs(wav) - KNEE, 0.0)
    bent = KNEE + (PEAK - KNEE) * np.tanh(excess / (PEAK - KNEE))
    return np.where(excess > 0, np.sign(wav) * bent, wav).astype(np.float32)
