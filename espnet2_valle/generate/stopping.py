"""Limits for an utterance that will not end by itself."""

from collections import deque
from dataclasses import dataclass

MAX_CYCLE = 12  # frames; the longest cycle that counts as repeating oneself: 4 groups of 3


@dataclass(frozen=True)
class Limits:
    """Bounds on what is generated, in codec frames, the prompt not counted.

    Attributes:
        min_frames, max_frames: shortest and longest output.
        max_repeat_frames: repeating the same code or cycle of codes for this long ends it; 0 for never.
    """

    min_frames: int
    max_frames: int
    max_repeat_frames: int = 0


class RepetitionTrap:
    """Detector of a code, or a cycle of up to `MAX_CYCLE` codes, repeated for too long: silence or a loop.

    Args:
        max_frames: as `Limits.max_repeat_frames`.
    """

    def __init__(self, max_frames: int):
        self.max_frames = max_frames
        self._recent: deque[int] = deque(maxlen=MAX_CYCLE)
        self._runs = [0] * MAX_CYCLE

    def add(self, code: int) -> bool:
        """Take the next code; whether the trap has closed."""
        if not self.max_frames:
            return False
        for index, earlier in enumerate(self._recent):  # newest first: `index` + 1 frames ago
            self._runs[index] = self._runs[index] + 1 if earlier == code else 0
        self._recent.appendleft(code)
        return max(self._runs) >= self.max_frames
