"""A sound like that of many voices."""

import numpy as np


def babble(seconds, rate=24000, seed=0):
    """Noise with the spectrum and the syllables of speech, (S,) float32."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    noise = np.cumsum(rng.standard_normal(len(time))) + 3 * rng.standard_normal(len(time))
    noise -= np.convolve(noise, np.ones(rate // 100) / (rate // 100), "same")
    wav = noise * (0.2 + np.sin(2 * np.pi * 3 * time) ** 2)
    return (0.1 * wav / wav.std()).astype(np.float32)
