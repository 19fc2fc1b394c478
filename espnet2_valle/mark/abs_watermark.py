"""The interface of all watermarks."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Detection:
    """The result of looking for a watermark.

    Attributes:
        marked: the mark was found.
        chance: probability that sound which is not marked looks at least this much as if it were, all places
            and speeds that were tried accounted for.
        payload: the number that the mark carries; None where none was found or the kind carries none.
    """

    marked: bool
    chance: float
    payload: int | None = None


class AbsMarkStream(ABC):
    """The marking of one recording that comes in pieces. How it is cut does not change what comes out."""

    @abstractmethod
    def push(self, wav: np.ndarray) -> np.ndarray:
        """Take the next samples (S,) float32; returns those that are settled by now, perhaps none."""

    @abstractmethod
    def flush(self) -> np.ndarray:
        """The rest, when no more samples come."""


class AbsWatermark(ABC):
    """A kind of watermark, with its key and payload."""

    @abstractmethod
    def stream(self, rate: int) -> AbsMarkStream:
        """Begin to mark a recording at `rate` Hz."""

    @abstractmethod
    def detect(self, wav: np.ndarray, rate: int) -> Detection:
        """Look for the mark in `wav` (S,) float32 at `rate` Hz, whatever its payload."""

    def embed(self, wav: np.ndarray, rate: int) -> np.ndarray:
        """Mark `wav` (S,) float32 at `rate` Hz; returns as many samples, the same as in pieces."""
        stream = self.stream(rate)
        return np.concatenate([stream.push(wav), stream.flush()])
