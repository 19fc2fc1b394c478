"""Prompts made longer, shorter or worse: pure functions of samples and a seeded generator."""

from collections.abc import Mapping, Sequence

import numpy as np

DISTURBANCES = ("noise", "voice", "music")
PEAK = 0.95  # a mixture that would clip is scaled down as a whole
PAUSE_SECONDS = 0.1  # between recordings that are joined
NUM_NEAREST = 3  # recordings of about the wanted length among which one is drawn
CHORDS = ((0, 4, 7), (-3, 0, 4), (-7, -3, 0), (-5, -1, 2))  # semitones from the tonic: I vi IV V
CHORD_SECONDS = 0.8
TONIC_HERTZ = 261.63
NUM_HARMONICS = 5
NOTE_DECAY = 2.0  # of a note's amplitude, per second


def mix(speech: np.ndarray, disturbance: np.ndarray, snr: float) -> np.ndarray:
    """Lay a disturbance under speech.

    Args:
        speech: (S,) float32.
        disturbance: (T,), at the same rate; cut, or repeated until it is as long as the speech.
        snr: power of the speech over that of the disturbance, both over the whole length, in dB.

    Returns:
        (S,) float32 within +-PEAK; as loud as before unless it would exceed that.
    """
    under = np.resize(disturbance, speech.shape).astype(np.float64)
    power = float(np.mean(under**2))
    if power == 0.0:
        raise ValueError("the disturbance is silent")
    gain = np.sqrt(np.mean(speech.astype(np.float64) ** 2) / power) * 10 ** (-snr / 20)
    mixed = speech + gain * under
    return (mixed * min(1.0, PEAK / np.abs(mixed).max())).astype(np.float32)


def pink_noise(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Noise (samples,) whose power falls by 3 dB an octave, as most rooms' does."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    spectrum /= np.sqrt(np.maximum(1, np.arange(len(spectrum))))
    spectrum[0] = 0
    return np.fft.irfft(spectrum, samples)


def music(samples: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    """A progression of plucked chords (samples,) in a key drawn from `rng`."""
    tonic = TONIC_HERTZ * 2 ** (int(rng.integers(-6, 6)) / 12)
    length = int(CHORD_SECONDS * rate)
    time = np.arange(length) / rate
    order = np.arange(1, NUM_HARMONICS + 1)[:, None]
    bars = []
    for chord in CHORDS:
        pitches = [tonic * 2 ** (note / 12) for note in chord]
        tones = [(np.sin(2 * np.pi * pitch * order * time) / order).sum(axis=0) for pitch in pitches]
        bars.append(np.sum(tones, axis=0) * np.exp(-NOTE_DECAY * time))
    return np.resize(np.concatenate(bars), samples)


def join(wavs: Sequence[np.ndarray], rate: int) -> np.ndarray:
    """Recordings (S,) one behind the other, with pauses between them."""
    pause = np.zeros(int(PAUSE_SECONDS * rate), dtype=np.float32)
    parts = [part for wav in wavs for part in (pause, wav)]
    return np.concatenate(parts[1:])


def choose_recordings(durations: Mapping[str, float], seconds: float, rng: np.random.Generator) -> list[str]:
    """Recordings that last about `seconds` together, none twice; at least one.

    Each is drawn among the NUM_NEAREST whose length is nearest to what is missing, until another one would
    take the sum further away.

    Args:
        durations: seconds of each recording there is; not empty.
        seconds: wanted.
        rng: of the choice.
    """
    left = dict(durations)
    chosen: list[str] = []
    missing = seconds
    while left and missing > 0:
        nearest = sorted(left, key=lambda name: (abs(left[name] - missing), name))[:NUM_NEAREST]
        name = nearest[int(rng.integers(len(nearest)))]
        if chosen and abs(missing - left[name]) >= missing:
            break
        chosen.append(name)
        missing -= left.pop(name)
    return chosen
