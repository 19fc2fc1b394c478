"""Cut long recordings into training utterances at pauses between aligned words or sentences."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of the cut pieces.

    Attributes:
        shortest: seconds that an utterance lasts at least.
        longest: seconds that it lasts at most; VALL-E trains on 10 to 20.
        pause: seconds of the longest one in an utterance; a longer one may be music, or unaligned speech.
    """

    shortest: float = 10.0
    longest: float = 20.0
    pause: float = 1.0


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Unit:
    """A stretch of a recording, from `start` to `end` in seconds, in which `text` is said."""

    start: float
    end: float
    text: str


def cut(units: Sequence[Unit], limits: Limits) -> list[Unit]:
    """Join neighbouring words or sentences of one recording into utterances.

    Each ends at the longest pause that its allowed length reaches. What cannot be part of an utterance of
    allowed length, such as a single sentence between two long pauses, is left out.

    Args:
        units: in the order of time.
        limits: lengths and pauses.
    """
    pieces: list[Unit] = []
    first = 0
    while first < len(units):
        last = _last_unit(units, first, limits)
        if last is None:
            first += 1
            continue
        text = " ".join(unit.text for unit in units[first : last + 1])
        pieces.append(Unit(units[first].start, units[last].end, text))
        first = last + 1
    return pieces


def _last_unit(units: Sequence[Unit], first: int, limits: Limits) -> int | None:
    """The unit before the longest pause at which an utterance that begins with `first` may end."""
    best, best_pause = None, -1.0
    for last in range(first, len(units)):
        seconds = units[last].end - units[first].start
        if seconds > limits.longest:
            break
        pause = units[last + 1].start - units[last].end if last + 1 < len(units) else float("inf")
        if seconds >= limits.shortest and pause >= best_pause:
            best, best_pause = last, pause
        if pause > limits.pause:
            break
    return best
