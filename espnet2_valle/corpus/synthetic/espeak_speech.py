"""Utterances spoken by espeak-ng's voices, as a corpus wants them: one rate, one level, short edges."""

import numpy as np

from espnet2_valle.common.audio import resample
from espnet2_valle.corpus.synthetic.espeak import Espeak, EspeakVoice

_RMS = 0.06  # level of every utterance, -24 dBFS
_PEAK = 0.95
_SILENCE_RATIO = 0.02  # of the peak: below it an edge is silent
_INT16 = 32768.0


def speak(
    text: str, voice: EspeakVoice, sample_rate: int, edge_seconds: float, gain: float = 0.0
) -> np.ndarray:
    """Let a voice speak.

    Args:
        text: what it says; voice: see `EspeakVoice`.
        sample_rate: in Hz.
        edge_seconds: of silence at both ends.
        gain: dB above the level that all have.

    Returns:
        wav (S,) float32 at `sample_rate`, of even level, with `edge_seconds` of silence at both ends, or (0,)
        where there is nothing to speak.

    Raises:
        InputError: see `Espeak`.
    """
    samples, rate = Espeak().say(text, voice)
    if not samples.any():
        return np.zeros(0, np.float32)
    wav = resample(samples.astype(np.float32) / _INT16, rate, sample_rate)
    wav = _trim(wav, round(edge_seconds * sample_rate))
    level = _RMS * 10 ** (gain / 20)
    factor = min(level / float(np.sqrt(np.mean(wav**2))), _PEAK / float(np.abs(wav).max()))
    return (wav * factor).astype(np.float32)


def speaker_name(voice: EspeakVoice) -> str:
    """Name of the voice as a speaker of a corpus."""
    return f"{voice.variant.lower()}-{voice.accent}-{voice.pitch:02d}"


def _trim(wav: np.ndarray, edge: int) -> np.ndarray:
    """Cut (S,) so that exactly `edge` samples lie before and after the sounding part."""
    loud = np.flatnonzero(np.abs(wav) > _SILENCE_RATIO * np.abs(wav).max())
    padded = np.pad(wav, edge)
    return padded[loud[0] : loud[-1] + 1 + 2 * edge]
