"""Figures of the signal against a recording of the same words by the same speaker."""

from collections.abc import Callable

import numpy as np

from espnet2_valle.asr.normalise import basic
from espnet2_valle.common.audio import resample
from espnet2_valle.common.extras import import_extra

# (wav, rate, reference, reference rate, text) -> metric -> value, None where it cannot be measured
SignalMetrics = Callable[[np.ndarray, int, np.ndarray, int, str], dict[str, float | None]]

RATE = 16000
FRAME_MS = 10.0
NUM_CEPSTRA = 24
# Silence before and after speech: 40 dB below the loudest, by windows of 25 ms every 10 ms.
TRIM = {"top_db": 40.0, "frame_length": 400, "hop_length": 160}
MEL_SLOPE, MEL_BREAK = 1127.0, 700.0
MCD_SCALE = 10 / np.log(10) * np.sqrt(2)  # from cepstra of natural logarithms to decibels (Kubichek, 1993)
CENTS = 1200.0
MIN_SECONDS = 0.1
MIN_VOICED = 10  # frames that both have pitch: fewer tell nothing


def signal_metrics(
    wav: np.ndarray, rate: int, reference: np.ndarray, reference_rate: int, text: str
) -> dict[str, float | None]:
    """Compare two recordings of one text, after trimming silence and aligning them by dynamic time warping.

    Args:
        wav: (samples,) float32.
        rate: of `wav` in Hz.
        reference: (samples,) float32.
        reference_rate: of `reference` in Hz.
        text: that both say.

    Returns:
        mcd: mel-cepstral distortion in dB, 24 cepstra without energy, of WORLD's envelope on a mel axis.
        f0_rmse: in cents, on aligned frames that are voiced in both; f0_correlation: of log F0 on these.
        voicing_error: share of the aligned frames that are voiced in one only.
        speaking_rate: words a second of trimmed speech; rate_ratio: that over the reference's.
    """
    one, other = _trimmed(wav, rate), _trimmed(reference, reference_rate)
    if min(len(one), len(other)) < MIN_SECONDS * RATE:
        return {}
    pitch, cepstra = analyse(one)
    reference_pitch, reference_cepstra = analyse(other)
    librosa = import_extra("librosa", "signal figures")
    _, path = librosa.sequence.dtw(cepstra.T, reference_cepstra.T)
    mine, theirs = path[::-1].T
    distances = np.linalg.norm(cepstra[mine] - reference_cepstra[theirs], axis=1)
    words = len(basic(text).split())
    return {
        "mcd": float(MCD_SCALE * distances.mean()),
        **compare_pitch(pitch[mine], reference_pitch[theirs]),
        "speaking_rate": words * RATE / len(one),
        "rate_ratio": len(other) / len(one),
    }


def analyse(wav: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F0 (frames,) in Hz, 0 where unvoiced, and cepstra (frames, NUM_CEPSTRA) of `wav` (samples,) at RATE."""
    import pyworld

    samples = wav.astype(np.float64)
    pitch, times = pyworld.dio(samples, RATE, frame_period=FRAME_MS)
    pitch = pyworld.stonemask(samples, pitch, times, RATE)
    return pitch, mel_cepstra(pyworld.cheaptrick(samples, pitch, times, RATE))


def mel_cepstra(envelope: np.ndarray) -> np.ndarray:
    """Cepstra 1 to NUM_CEPSTRA of power spectra (frames, frequencies) on a mel axis.

    They are those of the minimum-phase filter: log amplitude = c0 + sum of c_m cos(m w).
    """
    count = envelope.shape[1]
    hertz = np.linspace(0, RATE / 2, count)
    mels = MEL_SLOPE * np.log1p(hertz / MEL_BREAK)
    even = MEL_BREAK * np.expm1(np.linspace(0, mels[-1], count) / MEL_SLOPE)
    logs = np.log(np.maximum(envelope, np.finfo(float).tiny))
    warped = np.stack([np.interp(even, hertz, row) for row in logs])
    return np.fft.irfft(warped, axis=1)[:, 1 : NUM_CEPSTRA + 1]


def compare_pitch(pitch: np.ndarray, reference: np.ndarray) -> dict[str, float | None]:
    """f0_rmse, f0_correlation and voicing_error of two aligned contours (frames,) in Hz, 0 where unvoiced."""
    voiced, should = pitch > 0, reference > 0
    both = voiced & should
    metrics: dict[str, float | None] = {
        "f0_rmse": None,
        "f0_correlation": None,
        "voicing_error": float((voiced != should).mean()),
    }
    if both.sum() >= MIN_VOICED:
        one, other = np.log2(pitch[both]), np.log2(reference[both])
        metrics["f0_rmse"] = float(CENTS * np.sqrt(np.mean((one - other) ** 2)))
        if one.std() > 0 and other.std() > 0:
            metrics["f0_correlation"] = float(np.corrcoef(one, other)[0, 1])
    return metrics


def _trimmed(wav: np.ndarray, rate: int) -> np.ndarray:
    librosa = import_extra("librosa", "signal figures")
    return librosa.effects.trim(resample(wav, rate, RATE), **TRIM)[0]
