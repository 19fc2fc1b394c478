"""Attacks on a watermark: the changes that sound goes through before someone looks for it."""

import io
from collections.abc import Callable

import numpy as np
import soundfile

from espnet2_valle.common.audio import resample

Attack = Callable[[np.ndarray, int], tuple[np.ndarray, int]]  # samples (S,) float32 and their rate in Hz

NOISE_DB = 20.0  # signal above noise
LOW_PASS = 4000.0  # Hz
SPEED = 0.02
CUT_SECONDS = 1.0
MP3_KBPS, OPUS_KBPS = 64.0, 24.0
MP3_RATES = (32.0, 320.0), (8.0, 160.0)  # kb/s that libsndfile's levels span, from 32 kHz on and below
OPUS_RATES = (7.0, 259.5)  # measured


def resampled(target: int) -> Attack:
    """Resampling to `target` Hz."""
    return lambda wav, rate: (resample(wav, rate, target), target)


def at_speed(factor: float) -> Attack:
    """Playing `factor` times as fast, higher as well."""

    def attack(wav: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
        import soxr

        return soxr.resample(wav, rate * factor, rate, quality="VHQ").astype(np.float32), rate

    return attack


def gained(decibels: float) -> Attack:
    """Another level."""
    return lambda wav, rate: (wav * np.float32(10 ** (decibels / 20)), rate)


def noisy(wav: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
    """White noise, over the whole clip 20 dB below it."""
    noise = np.random.default_rng(len(wav)).standard_normal(len(wav))
    level = np.sqrt(np.mean(wav.astype(np.float64) ** 2)) * 10 ** (-NOISE_DB / 20)
    return (wav + level * noise).astype(np.float32), rate


def low_passed(wav: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
    """Nothing above 4 kHz."""
    from scipy.signal import butter, sosfiltfilt

    sections = butter(10, LOW_PASS, fs=rate, output="sos")
    return sosfiltfilt(sections, wav).astype(np.float32), rate


def cut(wav: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
    """Without its first second."""
    return wav[round(CUT_SECONDS * rate) :], rate


def mp3(wav: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
    """MP3 of 64 kb/s."""
    lowest, highest = MP3_RATES[rate < 32000]
    level = (highest - MP3_KBPS) / (highest - lowest)
    return _coded(wav, rate, "MP3", "MPEG_LAYER_III", level, bitrate_mode="CONSTANT")


def opus(wav: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
    """Opus of 24 kb/s."""
    lowest, highest = OPUS_RATES
    return _coded(wav, rate, "OGG", "OPUS", (highest - OPUS_KBPS) / (highest - lowest))


def _coded(
    wav: np.ndarray, rate: int, format: str, subtype: str, level: float, **more: str
) -> tuple[np.ndarray, int]:
    stream = io.BytesIO()
    with soundfile.SoundFile(
        stream, "w", rate, 1, format=format, subtype=subtype, compression_level=level, **more
    ) as sink:
        sink.write(wav)
    stream.seek(0)
    return soundfile.read(stream, dtype="float32")


ATTACKS: dict[str, Attack] = {
    "none": lambda wav, rate: (wav, rate),
    "8 kHz": resampled(8000),
    "16 kHz": resampled(16000),
    "mp3 64 kb/s": mp3,
    "opus 24 kb/s": opus,
    "noise 20 dB": noisy,
    "gain -12 dB": gained(-12.0),
    "low-pass 4 kHz": low_passed,
    "speed +2 %": at_speed(1 + SPEED),
    "speed -2 %": at_speed(1 - SPEED),
    "first second cut": cut,
}
