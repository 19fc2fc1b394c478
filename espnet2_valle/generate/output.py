"""The one way out: every synthesised waveform passes here before anyone hears it."""

import numpy as np

from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.prompt import SILENCE_DB

PEAK = 0.99  # full scale is left to no one: 16-bit files would clip


def finish(wav: np.ndarray, outcome: Outcome) -> tuple[np.ndarray, Outcome]:
    """Check and level what is about to leave.

    Args:
        wav: (S,) float32 from the codec.
        outcome: what decoding said.

    Returns:
        wav (S,) float32 within +-0.99, and the outcome, NO_SPEECH where nothing is to be heard.

    Raises:
        FloatingPointError: the codec returned NaN or infinity.
    """
    if not np.isfinite(wav).all():
        raise FloatingPointError("the codec returned samples that are not finite")
    if len(wav) == 0 or np.sqrt(np.mean(wav**2)) < 10 ** (SILENCE_DB / 20):
        return wav, Outcome.NO_SPEECH
    peak = float(np.abs(wav).max())
    return (wav * (PEAK / peak) if peak > PEAK else wav), outcome
