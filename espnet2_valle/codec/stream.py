"""Codes in pieces -> sound in pieces, joined without a seam."""

import numpy as np

from espnet2_valle.codec.abs_codec import AbsCodec

FADE_SECONDS = 0.008  # how long one piece goes over into the next
MATCH_SECONDS = 0.02  # of sound in which pieces are compared; a period of a deep voice fits in
SHIFT_SECONDS = 0.008  # a piece is moved by this at most; half a period of a deep voice


class CodecStream:
    """Decoder of one utterance, piece by piece. It owns all that has to be known at a seam.

    Each piece is decoded with a little of what came before, and held back by a little of what is still to
    come. Where pieces meet, the new one is moved by a few milliseconds to where it resembles the old one most
    (a vocoder's pulses start anew in each call), and the old one fades into it. Moves do not add up: each
    is against the piece's own place in time.

    Args:
        codec: which decodes.
        utterance: (T, q) codes from which the codec takes what belongs to the utterance as a whole, its
            level; the prompt's.
    """

    def __init__(self, codec: AbsCodec, utterance: np.ndarray):
        rate = codec.sample_rate
        self._codec = codec
        self._utterance = utterance
        self._left = int(np.ceil(codec.left_context * codec.frame_rate))
        self._right = int(np.ceil(codec.right_context * codec.frame_rate))
        self._fade = int(FADE_SECONDS * rate)
        self._match = int(MATCH_SECONDS * rate)
        self._shift = int(SHIFT_SECONDS * rate)
        self._codes = utterance[:0]  # frames from `_first` on: what the next piece may need
        self._first = 0
        self._sent = 0  # samples that have left
        self._old = np.zeros(0, dtype=np.float32)  # what the former piece would have gone on with

    def push(self, codes: np.ndarray) -> np.ndarray:
        """Add `codes` (t, q); returns the samples (s,) float32 that are settled by now, perhaps none."""
        self._codes = np.concatenate([self._codes, codes])
        return self._decode_to(self._first + len(self._codes) - self._right)

    def flush(self) -> np.ndarray:
        """The rest, when no more codes come."""
        return self._decode_to(self._first + len(self._codes))

    def _decode_to(self, frame: int) -> np.ndarray:
        """Samples up to the beginning of `frame`."""
        hop = self._codec.hop_length
        end = round(frame * hop)
        if end <= self._sent:
            return np.zeros(0, dtype=np.float32)
        decoded = self._codec.decode_part(self._codes, self._utterance)
        # Silence at both ends, so that a piece may be moved.
        padded = np.pad(decoded, self._shift)
        origin = round(self._first * hop) - self._shift
        begin = self._sent - origin
        begin += best_shift(self._old, padded[begin - self._shift :], self._shift)
        stop = begin + end - self._sent
        piece = fade(self._old[: self._fade], padded[begin:stop])
        self._old = padded[stop : stop + self._match].copy()
        self._sent = end
        forgotten = max(0, min(int(end / hop), frame) - self._left - self._first)
        self._codes, self._first = self._codes[forgotten:], self._first + forgotten
        return piece


def best_shift(old: np.ndarray, new: np.ndarray, reach: int) -> int:
    """By how much `new` has to be read later to look like `old`.

    Args:
        old: (n,) samples.
        new: samples of which those from `reach` on are at the time of `old`.
        reach: largest shift either way.

    Returns:
        -reach .. reach, 0 without anything to compare.
    """
    length = min(len(old), len(new) - 2 * reach)
    if length <= 0 or not old[:length].any():
        return 0
    new = new[: length + 2 * reach].astype(np.float64)
    products = np.correlate(new, old[:length].astype(np.float64), mode="valid")
    energies = np.convolve(new**2, np.ones(length), mode="valid")
    return int(np.argmax(products / np.sqrt(energies + np.finfo(np.float32).tiny))) - reach


def fade(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Go over from `old` to `new`, both (n,) or longer, over the length of `old`; the power stays even."""
    length = min(len(old), len(new))
    if length == 0:
        return new.copy()
    old, begun = old[:length], new[:length]
    rising = (np.arange(length) + 0.5) / length
    power = float(np.sqrt(np.dot(old, old) * np.dot(begun, begun)))
    likeness = max(0.0, float(np.dot(old, begun)) / power) if power > 0 else 1.0
    weight = np.sqrt(rising**2 + (1 - rising) ** 2 + 2 * rising * (1 - rising) * likeness)
    mixed = ((1 - rising) * old + rising * begun) / weight
    return np.concatenate([mixed, new[length:]]).astype(np.float32)
