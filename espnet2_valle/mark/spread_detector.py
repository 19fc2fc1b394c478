"""The detector of the spread-spectrum watermark: no original, any beginning, speed and rate.

For every offset in the period and every speed, cells of all periods are added up and compared with the signs
of each value of each byte. The statistic z of sound made without the key is a sum of independent coin tosses,
weighted and scaled to variance 1, whatever the sound is; so P(z >= x) <= 3.18 Q(x), with Q that of the normal
distribution (Bentkus and Dzindzalieta, "A tight Gaussian bound for weighted sums of Rademacher random
variables", 2015). What is allowed to chance is divided among the hypotheses (Bonferroni): one half among
those of a sound that begins where the marked one did, at its speed, one half among all.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from espnet2_valle.common.audio import resample
from espnet2_valle.mark.abs_watermark import Detection
from espnet2_valle.mark.spread_grid import (
    BANDS,
    BLOCKS,
    HOP,
    IN_TIME,
    SLOTS,
    VALUES,
    band_power,
    band_weights,
    beside,
    contrast,
    decibels,
    hann,
    phase,
    spectra,
)

RATE = 16000  # the detector's own, Hz
PHASES = 4  # offsets tried within a hop
SPEED_REACH = 0.024  # speeds tried, either way
DRIFT = 0.02  # seconds that two neighbouring speeds part over a sound
COARSEST_STEP = 0.005  # between speeds
WINDOW = 10.0  # seconds looked at as one; of longer recordings, windows that overlap by half
BEYOND_DOUBT = 1e-12  # probability of chance from which on nothing more is tried
LIMIT = 1e-4  # probability of chance from which on sound counts as marked
BEGINNING = (0, 0), (0, 1), (SLOTS - 1, PHASES - 1)  # frame and offset in it, up to a coder's delay
BEGINNING_SHARE = 0.5  # of what is allowed to chance
TAIL_FACTOR = 3.18  # Bentkus and Dzindzalieta's constant, 1 / (4 Q(sqrt 2))
LOUD = 99  # percentile of levels that stands for the loudest, for noise does not hide
REACH, RAMP = 60.0, 10.0  # dB below it where cells say nothing, and dB from there to where they say all
QUIET = 10  # percentile of a band's power that stands for its noise
NOISE_FACTOR = 1.5  # power of the noise above that
LEAST = 0.05  # power above the noise, over it, that a cell is taken to have at least
LEFT = 0.2  # share of its power that is left at least where noise is taken out of it
ERROR = 3.8  # dB by which the level of a cell is off where the noise is as strong; measured with white noise


def detect(wav: np.ndarray, rate: int, key: str) -> Detection:
    """Look for the mark of `key` in `wav` (S,) at `rate` Hz, until it is found beyond doubt."""
    sound = resample(wav.astype(np.float32), rate, RATE).astype(np.float64)
    chance, payload = 1.0, 0
    for probability, number in candidates(list(cut(sound)), key):
        if probability < chance:
            chance, payload = probability, number
        if chance <= BEYOND_DOUBT:
            break
    marked = chance <= LIMIT
    return Detection(marked, chance, payload if marked else None)


def chance_of(statistic: float) -> float:
    """Bound on the probability that one hypothesis reaches `statistic` by chance."""
    from scipy.special import ndtr

    return TAIL_FACTOR * float(ndtr(-statistic))


def cut(sound: np.ndarray) -> Iterator[np.ndarray]:
    """Windows of a sound; the last is as long as the others, and a short sound is one."""
    size, hop = round(WINDOW * RATE), round(WINDOW * RATE / 2)
    count = max(0, -(-(len(sound) - size) // hop)) + 1
    for number in range(count):
        start = max(0, min(number * hop, len(sound) - size))
        window = sound[start : start + size]
        if len(window) > 2 * HOP * RATE:
            yield window


def candidates(windows: Sequence[np.ndarray], key: str) -> Iterator[tuple[float, int]]:
    """Probability of chance and payload of the best hypotheses about each window (S,) at each speed."""
    book = spectra(key)
    tried = sum(len(speeds(window)) for window in windows) * SLOTS * PHASES * VALUES**BLOCKS
    for number, window in enumerate(windows):
        for speed, grids in zip(speeds(window), folded(window)):
            statistics, payloads = search(grids, book)
            place = np.unravel_index(int(statistics.argmax()), statistics.shape)
            yield chance_of(statistics[place]) * tried / (1 - BEGINNING_SHARE), int(payloads[place])
            if number == 0 and speed == 1.0:
                best, payload = max((statistics[place], int(payloads[place])) for place in BEGINNING)
                yield chance_of(best) * len(BEGINNING) * VALUES**BLOCKS / BEGINNING_SHARE, payload


def search(grids: np.ndarray, book: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best payload for folded cells at each offset.

    Args:
        grids: (n, SLOTS, BANDS), of n offsets within a hop.
        book: `spectra` of a key.

    Returns:
        statistics (SLOTS, n) float64 and payloads (SLOTS, n), by the frame in which the period begins.
    """
    norm = np.sqrt((grids**2).sum(axis=(1, 2)))
    heard = np.fft.rfft(grids, axis=1).astype(np.complex64).transpose(1, 0, 2)
    scores = np.fft.irfft(heard @ book, n=SLOTS, axis=0).reshape(SLOTS, len(grids), BLOCKS, VALUES)
    statistics = scores.max(axis=3).sum(axis=2) / np.maximum(norm, np.finfo(np.float32).tiny)
    high, low = np.moveaxis(scores.argmax(axis=3), 2, 0)
    return statistics, high * VALUES + low


def folded(sound: np.ndarray) -> Iterator[np.ndarray]:
    """For each speed, the sums of the cells of all periods, by offset within a hop.

    Yields:
        (PHASES, SLOTS, BANDS) float64.
    """
    hop, length = round(HOP * RATE), round(2 * HOP * RATE)
    step = hop // PHASES
    padded = np.pad(sound, (length // 2, length // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)[::step]
    power = np.abs(np.fft.rfft(frames * hann(length), axis=1)) ** 2
    for speed in speeds(sound):
        level, weight = listen(band_power(power, band_weights(length, RATE, speed)))
        grids = []
        for offset in range(PHASES):
            place = np.arange(offset, len(level) - 0.5, PHASES / speed).round().astype(int)
            grids.append(_fold(level[place], weight[place]))
        yield np.stack(grids)


def speeds(sound: np.ndarray) -> list[float]:
    """Speeds to try for a sound, the likeliest first: as far apart as two of them sound alike over it."""
    step = min(COARSEST_STEP, DRIFT * RATE / len(sound))
    count = int(np.ceil(SPEED_REACH / step))
    return [1 + SPEED_REACH * number / count for number in sorted(range(-count, count + 1), key=abs)]


def listen(power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Levels of cells (T, BANDS) in dB without the noise that lies over them, and their weights, 0 to 1.

    An error of a contrast that is normal takes as much from its sine as the weight says; there are none where
    the mark leaves cells alone.

    Args:
        power: (T, BANDS).
    """
    noise = NOISE_FACTOR * np.percentile(power, QUIET, axis=0)
    variance = ERROR**2 / np.maximum(power / noise - 1, LEAST)
    variance += (1 - IN_TIME) ** 2 / 2 * beside(variance)
    level = decibels(power)
    loud = np.clip((level - np.percentile(level, LOUD) + REACH) / RAMP, 0.0, 1.0)
    weight = loud * np.exp(-(phase(np.sqrt(variance)) ** 2) / 2)
    return decibels(np.maximum(power - noise, LEFT * power)), weight


def _fold(level: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sums over the periods of what cells (T, BANDS) say -> (SLOTS, BANDS)."""
    before, after = np.roll(level, 1, axis=0), np.roll(level, -1, axis=0)
    said = weight * np.sin(phase(contrast(before, level, after)))
    missing = -len(said) % SLOTS
    return np.pad(said, ((0, missing), (0, 0))).reshape(-1, SLOTS, BANDS).sum(axis=0)
