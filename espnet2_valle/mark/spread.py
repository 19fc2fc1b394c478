"""A keyed spread-spectrum watermark in the time-frequency plane.

Each cell of a grid of short frames and narrow bands is made a little louder or softer, as the key's sign
there says (Bender et al., "Techniques for data hiding", 1996; Tachibana et al., "An audio watermarking method
robust against time- and frequency-fluctuation", 2001: levels outlive phases). The mark is informed
of the sound (Cox et al., "Watermarking as communications with side information", 1999): what a cell says
repeats each few dB of its contrast, see `spread_grid.phase`, and the gains of a frame are those that
make its cells say the most for their energy. A cell that a small gain turns gets one, and one that already
says its sign, or is as far from it as can be, is left alone.
"""

import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.mark.abs_watermark import AbsMarkStream, AbsWatermark, Detection
from espnet2_valle.mark.spread_detector import detect
from espnet2_valle.mark.spread_grid import (
    HOP,
    IN_TIME,
    SLOTS,
    band_power,
    band_weights,
    beside,
    contrast,
    decibels,
    hann,
    phase,
    signs,
)

LOWEST_RATE = 8000  # the bands need it
STRENGTH = 2.0  # dB of gain where a change of contrast says the most
LARGEST = 4.0  # dB that a cell is changed by at most
KEPT = 0.6  # share of a cell's gain that is left where frames and bands overlap
PASSED_ON = 0.2  # share that the frames beside it get
REACH = 60.0  # dB below the loudest band where cells are left alone: noise would hide them
RAMP = 15.0  # dB from there to where they are changed as much as others
FORGETS = 0.3  # dB by which the loudest band is taken for softer with each frame
ROUNDS, DAMPING = 6, 0.5  # of the search for the gains of a frame, which act on their neighbours' cells


class Spread(AbsWatermark):
    """The spread-spectrum watermark.

    Args:
        key: text that decides the signs; only who knows it finds the mark.
        payload: number of 16 bits that the mark carries.
    """

    def __init__(self, key: str, payload: int = 0):
        self.key = key
        self.payload = payload

    def stream(self, rate: int) -> "SpreadStream":
        """Begin to mark a recording; what leaves is three hops, 72 ms, behind what comes.

        Raises:
            InputError: a rate below 8000 Hz.
        """
        if rate < LOWEST_RATE:
            raise InputError("watermark", f"needs {LOWEST_RATE} Hz, not {rate}", "Turn it off: none")
        return SpreadStream(signs(self.key, self.payload), rate)

    def detect(self, wav: np.ndarray, rate: int) -> Detection:
        """Look for the key's mark in `wav` (S,) at `rate` Hz; see `spread_detector`."""
        return detect(wav, rate, self.key)


class SpreadStream(AbsMarkStream):
    """Analysis and synthesis with overlapping frames, one after the other.

    Args:
        signs: (SLOTS, BANDS) of one period.
        rate: in Hz.
    """

    def __init__(self, signs: np.ndarray, rate: int):
        self._signs = signs
        self._hop = round(HOP * rate)
        length = 2 * self._hop
        self._heard = hann(length)  # as the detector sees a frame
        self._window = np.sqrt(self._heard)
        self._weights = band_weights(length, rate)
        self._pending = np.zeros(self._hop)  # half a frame before the first sample
        self._frame = 0  # to be marked next
        self._waiting: tuple[np.ndarray, np.ndarray] | None = None  # its spectrum and levels
        self._before: np.ndarray | None = None  # levels of the marked frame before it
        self._gained = 0.0 * self._weights[0]  # its gains
        self._loudest = -np.inf
        self._tail = np.zeros(self._hop)  # what the last frame adds to the next
        self._taken = self._given = 0

    def push(self, wav: np.ndarray) -> np.ndarray:
        """Take the next samples; see the interface."""
        self._taken += len(wav)
        return self._advance(wav)

    def flush(self) -> np.ndarray:
        """The rest, when no more samples come."""
        return self._advance(np.zeros(4 * self._hop))

    def _advance(self, wav: np.ndarray) -> np.ndarray:
        pending = np.concatenate([self._pending, wav.astype(np.float64)])
        pieces = [np.zeros(0)]
        start = 0
        while start + 2 * self._hop <= len(pending):
            pieces.append(self._next(pending[start : start + 2 * self._hop]))
            start += self._hop
        self._pending = pending[start:]
        settled = np.concatenate(pieces)[: self._taken - self._given]
        self._given += len(settled)
        return settled.astype(np.float32)

    def _next(self, frame: np.ndarray) -> np.ndarray:
        """Take the frame after the one that waits; returns the hop of samples that is settled by it."""
        power = np.abs(np.fft.rfft(frame * self._heard)) ** 2
        level = decibels(band_power(power, self._weights))
        former, self._waiting = self._waiting, (np.fft.rfft(frame * self._window), level)
        if former is None:
            return np.zeros(0)
        gains = self._gains(former[1], level)
        sound = np.fft.irfft(former[0] * 10 ** (self._weights @ gains / 20)) * self._window
        settled = self._tail + sound[: self._hop]
        self._tail = sound[self._hop :]
        self._frame += 1
        return settled if self._frame > 1 else settled[:0]  # the first lies before the first sample

    def _gains(self, level: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Gains (BANDS,) in dB of a frame with these levels before one with those."""
        self._loudest = max(self._loudest - FORGETS, float(level.max()))
        weight = np.clip((level - self._loudest + REACH) / RAMP, 0.0, 1.0) * self._signs[self._frame % SLOTS]
        level = level + PASSED_ON * self._gained
        before = level if self._before is None else self._before
        gains = np.zeros_like(level)
        for _ in range(ROUNDS):
            slope = weight * np.cos(phase(contrast(before, level + KEPT * gains, after)))
            gains += DAMPING * (STRENGTH * (slope - (1 - IN_TIME) * beside(slope)) - gains)
        gains = np.clip(gains, -LARGEST, LARGEST)
        self._before, self._gained = level + KEPT * gains, gains
        return gains
