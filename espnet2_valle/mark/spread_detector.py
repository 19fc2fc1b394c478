"""The detector of the spread-spectrum watermark: no original, any beginning, speed and rate.

For every offset in the period and every speed, cells of all periods are added up and compared with the signs
of each value of each byte. The statistic z of sound made without the key is a sum of independent coin tosses,
weighted and scaled to variance 1, whatever the sound is; so P(z >= x) <= 3.18 Q(x), with Q that of the normal
distribution (Bentkus and Dzindzalieta, "A tight Gaussian bound for weighted sums of Rademacher random
variables", 2015), and the probability of chance is at most that times the number of hypotheses.
"""

from collections.abc import Iterator

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
LIMIT = 1e-4  # probability of chance from which on sound counts as marked
TAIL_FACTOR = 3.18  # Bentkus and Dzindzalieta's constant, 1 / (4 Q(sqrt 2))
CLIP = 1.0  # dB: a cell that leans further says no more
LOUD = 99  # percentile of levels that stands for the loudest, for noise does not hide
REACH = 60.0  # dB below it where cells say nothing
QUIET = 10  # percentile of a band's levels that stands for its noise
ABOVE_NOISE = 1.0  # dB above the noise where a cell begins to say something
RAMP = 10.0  # dB from saying nothing to saying all


def detect(wav: np.ndarray, rate: int, key: str) -> Detection:
    """Look for the mark of `key` in `wav` (S,) at `rate` Hz."""
    sound = resample(wav.astype(np.float32), rate, RATE).astype(np.float64)
    windows = list(cut(sound))
    found = [search(window, key) for window in windows]
    if not found:
        return Detection(False, 1.0)
    best, payload, _ = max(found)
    chance = min(1.0, chance_of(best) * sum(tried for *_, tried in found))
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


def search(sound: np.ndarray, key: str) -> tuple[float, int, int]:
    """The best of all hypotheses about one window (S,): its statistic and payload, and how many there are."""
    book = codebook(key).astype(np.float32)
    best, payload, tried = 0.0, 0, 0
    for grids in folded(sound):
        cells = blocks(rolled(grids)).reshape(-1, BLOCKS, book.shape[-1]).astype(np.float32)
        norm = np.sqrt((cells**2).sum(axis=(1, 2)))
        scores = [cells[:, block] @ book[block].T for block in range(BLOCKS)]
        tops = [score.max(axis=1) for score in scores]
        statistic = sum(tops) / np.maximum(norm, np.finfo(np.float32).tiny)
        tried += len(cells) * VALUES**BLOCKS
        place = int(statistic.argmax())
        if statistic[place] > best:
            best = float(statistic[place])
            high, low = (int(score[place].argmax()) for score in scores)
            payload = high * VALUES + low
    return best, payload, tried


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
    for speed in speeds(len(sound) / RATE):
        level = levels(power, band_weights(length, RATE, speed))
        weight = trust(level)
        grids = []
        for phase in range(PHASES):
            place = np.arange(phase, len(level) - 0.5, PHASES / speed).round().astype(int)
            grids.append(_fold(level[place], weight[place]))
        yield np.stack(grids)


def speeds(seconds: float) -> np.ndarray:
    """Speeds to try for a sound of this length: as far apart as two of them sound alike over it."""
    step = min(COARSEST_STEP, DRIFT / seconds)
    count = int(np.ceil(SPEED_REACH / step))
    return 1 + SPEED_REACH * np.arange(-count, count + 1) / count


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
