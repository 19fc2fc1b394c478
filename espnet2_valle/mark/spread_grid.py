"""The time-frequency grid of the spread-spectrum watermark, and the keyed signs on its cells.

A cell is a band of a frame. The grid repeats each period, so that a part of a recording is enough; all is
given in seconds and Hz, so that the mark is the same at every rate.
"""

import hashlib
from functools import lru_cache

import numpy as np

HOP = 0.024  # seconds from frame to frame; a frame is two of them long
SLOTS = 42  # frames of a period, about a second
LOWEST = 200.0  # Hz
WIDTH = 250 / 3  # of a band, Hz
BANDS = 44  # up to 3867 Hz: what telephones pass on, also 2 % faster
BLOCKS = 2  # parts of the grid, each with one byte of the payload
VALUES = 256  # of a byte
FLOOR = 1e-9  # power of a band that is taken for silence
PERIOD = 8.0  # dB of contrast in which a cell says both signs once
IN_TIME = 0.25  # weight of the neighbours in time; speech resembles those in frequency more


def band_weights(length: int, rate: float, speed: float = 1.0) -> np.ndarray:
    """Share of each bin of a transform in each band.

    Args:
        length: samples of a frame.
        rate: in Hz.
        speed: of the sound against that which was marked; its frequencies are so much higher.

    Returns:
        (length // 2 + 1, BANDS) float64.
    """
    bins = np.fft.rfftfreq(length, 1 / rate)[:, None]
    half = rate / length / 2
    lower = (LOWEST + WIDTH * np.arange(BANDS)) * speed
    upper = lower + WIDTH * speed
    overlap = np.minimum(bins + half, upper) - np.maximum(bins - half, lower)
    return np.clip(overlap / (2 * half), 0.0, 1.0)


def band_power(power: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean power of the bands: (..., bins) and (bins, BANDS) -> (..., BANDS)."""
    return power @ (weights / weights.sum(axis=0)) + FLOOR


def decibels(power: np.ndarray) -> np.ndarray:
    """Levels in dB of powers."""
    return 10 * np.log10(power)


def contrast(before: np.ndarray, level: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Level of each cell against the mean of its four neighbours, in dB, in which speech varies little.

    Args:
        before, level, after: (..., BANDS) of three frames, each a hop later; bands meet at the ends.
    """
    in_time = (before + after) / 2
    return level - IN_TIME * in_time - (1 - IN_TIME) * beside(level)


def beside(bands: np.ndarray) -> np.ndarray:
    """Mean of the two neighbours of each band (..., BANDS); bands meet at the ends.

    For the few bands of a frame this takes a third of the time of `np.roll`.
    """
    around = np.concatenate([bands[..., -1:], bands, bands[..., :1]], axis=-1)
    return (around[..., :-2] + around[..., 2:]) / 2


def phase(contrast: np.ndarray) -> np.ndarray:
    """Place of a contrast in dB within the period, as an angle.

    The sine of it is what a cell says: dither modulation (Chen and Wornell, "Quantization index modulation",
    IEEE Transactions on Information Theory 47(4), 2001), so that each cell can be made to say its sign by a
    small change, whatever its contrast was.
    """
    return 2 * np.pi / PERIOD * contrast


def hann(length: int) -> np.ndarray:
    """Periodic Hann window (length,)."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


@lru_cache(maxsize=4)
def codebook(key: str) -> np.ndarray:
    """The signs of a key.

    Each is a bit of SHAKE-256, so that without the key nothing is known of it, and for any sound that was
    made without it the signs are as good as tossed coins.

    Returns:
        (BLOCKS, VALUES, SLOTS * BANDS / BLOCKS) int8, +1 and -1; blocks alternate in time and frequency.
    """
    cells = SLOTS * BANDS // BLOCKS
    data = hashlib.shake_256(key.encode("utf-8")).digest(BLOCKS * VALUES * cells // 8)
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8))
    return (1 - 2 * bits.astype(np.int8)).reshape(BLOCKS, VALUES, cells)


@lru_cache(maxsize=4)
def spectra(key: str) -> np.ndarray:
    """Conjugate spectra, along the frames of a period, of the signs of each value of each block.

    Returns:
        (SLOTS // 2 + 1, BANDS, BLOCKS * VALUES) complex64.
    """
    grids = np.zeros((BLOCKS, VALUES, SLOTS, BANDS), dtype=np.float32)
    for block, values in enumerate(codebook(key)):
        grids[block][:, _block_mask() == block] = values
    transformed = np.fft.rfft(grids.reshape(-1, SLOTS, BANDS), axis=1)
    return np.ascontiguousarray(transformed.conj().transpose(1, 2, 0).astype(np.complex64))


@lru_cache(maxsize=1)
def _block_mask() -> np.ndarray:
    return (np.arange(SLOTS)[:, None] + np.arange(BANDS)) % BLOCKS


def signs(key: str, payload: int) -> np.ndarray:
    """Signs (SLOTS, BANDS) float64 of a payload of 16 bits."""
    book = codebook(key)
    grid = np.zeros((SLOTS, BANDS))
    for block, value in enumerate(divmod(payload, VALUES)):
        grid[_block_mask() == block] = book[block, value]
    return grid
