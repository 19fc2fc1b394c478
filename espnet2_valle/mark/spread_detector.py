"""The detector of the spread-spectrum watermark: no original, any beginning, speed and rate.

For every offset in the period and every speed, cells of all periods are added up and compared with the signs
of each value of each byte. The statistic z of sound made without the key is a sum of independent coin tosses,
weighted and scaled to variance 1, whatever the sound is; so P(z >= x) <= 3.18 Q(x), with Q that of the normal
distribution (Bentkus and Dzindzalieta, "A tight Gaussian bound for weighted sums of Rademacher random
variables", 2015), and the probability of chance is at most that times the number of hypotheses.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from espnet2_valle.common.audio import resample
from espnet2_valle.mark.abs_watermark import Detection
from espnet2_valle.mark.spread_grid import (
    BANDS,
    BLOCKS,
    HOP,
    SLOTS,
    VALUES,
    band_weights,
    blocks,
    codebook,
    contrast,
    hann,
    levels,
)

RATE = 16000  # the detector's own, Hz
PHASES = 4  # offsets tried within a hop
SPEED_REACH = 0.024  # speeds tried, either way
DRIFT = 0.02  # seconds that two neighbouring speeds part over a sound
COARSEST_STEP = 0.005  # between speeds
WINDOW = 10.0  # seconds looked at as one; of longer recordings, windows that overlap by half
BEYOND_DOUBT = 1e-12  # probability of chance from which on nothing more is tried
LIMIT = 1e-4  # probability of chance from which on sound counts as marked
TAIL_FACTOR = 3.18  # Bentkus and Dzindzalieta's constant, 1 / (4 Q(sqrt 2))
CLIP = 1.0  # dB: a cell that leans further says no more
LOUD = 99  # percentile of levels that stands for the loudest, for noise does not hide
REACH = 60.0  # dB below it where cells say nothing
QUIET = 10  # percentile of a band's levels that stands for its noise
ABOVE_NOISE = 1.0  # dB above the noise where a cell begins to say something
RAMP = 10.0  # dB from saying nothing to saying all


def detect(wav: np.ndarray, rate: int, key: str) -> Detection:
    """Look for the mark of `key` in `wav` (S,) at `rate` Hz, until it is found beyond doubt."""
    sound = resample(wav.astype(np.float32), rate, RATE).astype(np.float64)
    windows = list(cut(sound))
    tried = sum(len(speeds(window)) for window in windows) * PHASES * SLOTS * VALUES**BLOCKS
    chance, payload = 1.0, 0
    for statistic, number in candidates(windows, key):
        probability = chance_of(statistic) * tried
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
    """Statistic and payload of the best hypothesis about each window (S,) at each speed."""
    book = codebook(key).astype(np.float32)
    for window in windows:
        for grids in folded(window):
            yield search(grids, book)


def search(grids: np.ndarray, book: np.ndarray) -> tuple[float, int]:
    """The best hypothesis about folded cells.

    Args:
        grids: (n, SLOTS, BANDS), of n offsets within a hop.
        book: signs (BLOCKS, VALUES, SLOTS * BANDS / BLOCKS) float32.

    Returns:
        its statistic and payload.
    """
    cells = blocks(rolled(grids)).reshape(-1, BLOCKS, book.shape[-1]).astype(np.float32)
    norm = np.sqrt((cells**2).sum(axis=(1, 2)))
    scores = [cells[:, block] @ book[block].T for block in range(BLOCKS)]
    statistic = sum(score.max(axis=1) for score in scores) / np.maximum(norm, np.finfo(np.float32).tiny)
    place = int(statistic.argmax())
    high, low = (int(score[place].argmax()) for score in scores)
    return float(statistic[place]), high * VALUES + low


def rolled(grids: np.ndarray) -> np.ndarray:
    """Every offset in the period: (n, SLOTS, BANDS) -> (n, SLOTS, SLOTS, BANDS)."""
    order = (np.arange(SLOTS)[:, None] + np.arange(SLOTS)) % SLOTS
    return grids[:, order]


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
        level = levels(power, band_weights(length, RATE, speed))
        weight = trust(level)
        grids = []
        for phase in range(PHASES):
            place = np.arange(phase, len(level) - 0.5, PHASES / speed).round().astype(int)
            grids.append(_fold(level[place], weight[place]))
        yield np.stack(grids)


def speeds(sound: np.ndarray) -> list[float]:
    """Speeds to try for a sound, the likeliest first: as far apart as two of them sound alike over it."""
    step = min(COARSEST_STEP, DRIFT * RATE / len(sound))
    count = int(np.ceil(SPEED_REACH / step))
    return [1 + SPEED_REACH * number / count for number in sorted(range(-count, count + 1), key=abs)]


def trust(level: np.ndarray) -> np.ndarray:
    """Weight of each cell (T, BANDS), 0 to 1: none where noise lies over it or the mark leaves it alone."""
    loud = level - np.percentile(level, LOUD) + REACH
    clear = level - np.percentile(level, QUIET, axis=0) - ABOVE_NOISE
    return np.clip(np.minimum(loud, clear) / RAMP, 0.0, 1.0)


def _fold(level: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sums over the periods of how cells (T, BANDS) lean -> (SLOTS, BANDS)."""
    before, after = np.roll(level, 1, axis=0), np.roll(level, -1, axis=0)
    lean = weight * np.clip(contrast(before, level, after) / CLIP, -1.0, 1.0)
    missing = -len(lean) % SLOTS
    return np.pad(lean, ((0, missing), (0, 0))).reshape(-1, SLOTS, BANDS).sum(axis=0)
