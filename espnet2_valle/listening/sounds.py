"""The sounds of a listening test: equal levels, spoiled copies, tones for the headphone check."""

import random

import numpy as np

LEVEL_WINDOW = 0.02  # seconds
ACTIVE_DB = 40.0  # below the loudest window: not speech
PEAK = 0.99
TONE_HERTZ = 200.0  # long waves cancel between loudspeakers wherever one sits
TONE_SECONDS, GAP_SECONDS, RAMP_SECONDS = 1.0, 0.5, 0.1
TONE_LEVEL = 0.3
SOFTER_DB = 6.0
NUM_TONES = 3
CHECK_RATE = 16000
FILTER_ORDER = 8


def at_level(wav: np.ndarray, rate: int, level: float) -> np.ndarray:
    """`wav` (samples,) with its speech at `level` dBFS, or as near as it comes without clipping."""
    size = max(1, round(LEVEL_WINDOW * rate))
    padded = np.pad(wav, (0, -len(wav) % size))
    powers = np.square(padded.reshape(-1, size).astype(np.float64)).mean(axis=1)
    if not powers.any():
        return wav
    active = powers[powers > powers.max() * 10 ** (-ACTIVE_DB / 10)].mean()
    gain = 10 ** (level / 20) / np.sqrt(active)
    return (wav * min(gain, PEAK / np.abs(wav).max())).astype(np.float32)


def add_modulated_noise(wav: np.ndarray, ratio: float, seed: int) -> np.ndarray:
    """`wav` (samples,) spoiled by noise that follows it, `ratio` dB below it: ITU-T P.810's unit."""
    noise = np.random.default_rng(seed).normal(size=len(wav))
    return (wav * (1 + 10 ** (-ratio / 20) * noise)).astype(np.float32)


def low_pass(wav: np.ndarray, rate: int, hertz: float) -> np.ndarray:
    """`wav` (samples,) without what lies above `hertz`: an anchor of BS.1534."""
    from scipy.signal import butter, sosfiltfilt

    if hertz >= rate / 2:
        return wav
    return sosfiltfilt(butter(FILTER_ORDER, hertz, fs=rate, output="sos"), wav).astype(np.float32)


def headphone_check(seed: int) -> tuple[np.ndarray, int]:
    """Three tones, one softer and one in opposite phase, after Woods et al. (2017).

    On headphones the softer one is softest; on loudspeakers that in opposite phase, since it cancels out.

    Returns:
        (samples, 2) float32 at CHECK_RATE, and which tone (1 to 3) is the softer one.
    """
    order = random.Random(seed).sample(range(NUM_TONES), NUM_TONES)
    time = np.arange(round(TONE_SECONDS * CHECK_RATE)) / CHECK_RATE
    ramp = np.clip(np.minimum(time, TONE_SECONDS - time) / RAMP_SECONDS, 0, 1)
    tone = TONE_LEVEL * ramp * np.sin(2 * np.pi * TONE_HERTZ * time)
    soft = tone * 10 ** (-SOFTER_DB / 20)
    gap = np.zeros((round(GAP_SECONDS * CHECK_RATE), 2))
    tones = [np.stack(sides, axis=1) for sides in ((tone, tone), (soft, soft), (tone, -tone))]
    parts = [part for which in order for part in (tones[which], gap)]
    return np.concatenate(parts[:-1]).astype(np.float32), order.index(1) + 1
