"""A small world codec's options and made-up voices to fit it on."""

import numpy as np

RATE = 16000

OPTIONS = {
    "sample_rate": RATE,
    "frame_rate": 50,
    "codebook_size": 64,
    "features": {"split": 6000.0, "num_cepstra": 12, "num_high": 2},
    "stages": [
        {"voicing": 4.0, "pitch": 0.1, "c0": 0.3, "c1-11": 1.0, "high": 0.1, "breath": 0.1},
        {"pitch": 5.0, "gain": 0.5},
        {"c0-11": 1.0},
    ],
    "smoothing": 0.02,
    "max_smoothing": 0.15,
    "fit": {"max_frames": 2000, "iterations": 3},
}


def vowel(seconds, f0, formants=(700, 1200, 2600), seed=0, rate=RATE):
    """A buzz at `f0` Hz through resonances, with pauses and a little noise: sounds like a voice to WORLD."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(f0 * (1 + 0.1 * np.sin(2 * np.pi * 2 * time))) / rate
    wav = np.zeros_like(time)
    for harmonic in range(1, int(rate / 2 / f0 / 1.2)):
        gain = sum(1 / (1 + ((harmonic * f0 - formant) / 120) ** 2) for formant in formants)
        wav += (gain + 0.01) * np.sin(harmonic * phase)
    wav *= np.sin(2 * np.pi * 1.5 * time) > -0.6
    wav += 0.002 * rng.standard_normal(len(wav))
    return (0.1 * wav / np.abs(wav).max()).astype(np.float32)


def voices():
    """Eight seconds of four voices."""
    return [
        vowel(2.0, 100, (600, 1000, 2500), 1),
        vowel(2.0, 140, (300, 2200, 2900), 2),
        vowel(2.0, 200, (700, 1200, 2600), 3),
        vowel(2.0, 260, (400, 900, 2400), 4),
    ]
