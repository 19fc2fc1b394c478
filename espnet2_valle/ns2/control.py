"""Durations and pitch in the user's hand: whole numbers of frames, and F0 frame by frame."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from espnet2_valle.common.errors import InputError

SEMITONES = 12.0  # in an octave
SLOWEST, FASTEST = 0.25, 4.0
MOST_SEMITONES = 24.0
WIDEST = 4.0  # of a pitch range
KEYS = ("speed", "pitch", "pitch_range")
EXAMPLE = "Give such as 'speed=0.8 pitch=2 1-2:speed=0.6'"


@dataclass(frozen=True)
class Control:
    """Wishes for an utterance, or for some of its words.

    Attributes:
        speed: times as fast as the model would say it.
        pitch: semitones up.
        pitch_range: times the distance from the utterance's mean pitch, on a scale of semitones.
        words: (first, last) words, counted from 1, that have wishes of their own beside those of all.
        durations: (S,) frames of each token, edges included, in place of those predicted; None: predicted.
        contour: (N,) F0 in Hz over the utterance, 0 where unvoiced, stretched to its length; None: predicted.

    Raises:
        InputError: a value out of range, or spans that are none.
    """

    speed: float = 1.0
    pitch: float = 0.0
    pitch_range: float = 1.0
    words: Mapping[tuple[int, int], "Control"] = field(default_factory=dict)
    durations: np.ndarray | None = None
    contour: np.ndarray | None = None

    def __post_init__(self) -> None:
        ranges = {
            "speed": SLOWEST <= self.speed <= FASTEST,
            "pitch": abs(self.pitch) <= MOST_SEMITONES,
            "pitch_range": 0 <= self.pitch_range <= WIDEST,
        }
        for name, valid in ranges.items():
            if not valid:
                raise InputError(
                    f"control {name}",
                    f"{getattr(self, name):g} is out of range",
                    f"Give speed from {SLOWEST:g} to {FASTEST:g}, pitch from -{MOST_SEMITONES:g} to "
                    f"{MOST_SEMITONES:g} semitones, pitch_range from 0 to {WIDEST:g}",
                )
        for (first, last), control in self.words.items():
            if not 1 <= first <= last:
                raise InputError("control", f"words {first}-{last} are no span", "Count words from 1")
            if control.words:
                raise InputError("control", f"words {first}-{last} have spans in them", "Give one level")

    def within(self, other: "Control") -> "Control":
        """These wishes on top of those of `other`, which are for everything."""
        return replace(
            self,
            speed=self.speed * other.speed,
            pitch=self.pitch + other.pitch,
            pitch_range=self.pitch_range * other.pitch_range,
        )


def parse_control(text: str) -> Control:
    """Control as one line: `speed=0.8 pitch=2 pitch_range=1.5`, and `2-3:speed=0.5` for words 2 to 3.

    Raises:
        InputError: a word that is no such wish, or a value out of range.
    """
    wishes: dict[tuple[int, int] | None, dict[str, Any]] = {None: {}}
    for word in text.split():
        span, colon, wish = word.rpartition(":")
        name, _, value = wish.partition("=")
        try:
            place = _span(span) if colon else None
            number = float(value)
        except ValueError as error:
            raise InputError("control", f"'{word}' is no wish", EXAMPLE) from error
        if name not in KEYS or not np.isfinite(number):
            raise InputError("control", f"'{word}' is no wish", EXAMPLE)
        wishes.setdefault(place, {})[name] = number
    spans = {place: Control(**made) for place, made in wishes.items() if place is not None}
    return Control(**wishes[None], words=spans)


def _span(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    return int(first), int(last if dash else first)


def scaled_durations(frames: np.ndarray, speed: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Durations (S,) int64 of predicted ones, rounded so that their sum is right.

    What rounding takes from one token the next ones get: the length of every stretch is within half a frame
    of what was asked for, but where sounds need more than they would get.

    Args:
        frames: (S,) predicted, 0 or more.
        speed: (S,) times as fast.
        least: (S,) frames that each needs.
    """
    ends = np.cumsum(np.maximum(frames, 0.0) / speed)
    placed = np.diff(np.rint(ends), prepend=0.0).astype(np.int64)
    short = np.maximum(least - placed, 0)
    placed = placed + short
    for place in np.flatnonzero(short):  # neighbours lend what a sound lacks
        for step in (1, -1, 2, -2):
            other = place + step
            while 0 <= other < len(placed) and short[place] and placed[other] > least[other]:
                placed[other] -= 1
                short[place] -= 1
    return placed


def shifted_pitch(
    log_f0: np.ndarray, pitch: np.ndarray, pitch_range: np.ndarray, centre: float
) -> np.ndarray:
    """Natural log of F0 (T,) with the wishes of each frame.

    Args:
        log_f0: (T,) of F0 in Hz.
        pitch: (T,) semitones up.
        pitch_range: (T,) times the distance from `centre`.
        centre: natural log of the utterance's mean F0.
    """
    return np.asarray(centre + (log_f0 - centre) * pitch_range + pitch * np.log(2.0) / SEMITONES)


def stretched(contour: np.ndarray, frames: int) -> np.ndarray:
    """Natural log of F0 (frames,) of a contour (N,) in Hz, lines through where it is unvoiced.

    Raises:
        InputError: it is nowhere voiced.
    """
    contour = np.asarray(contour, dtype=np.float64)
    voiced = np.flatnonzero(contour > 0)
    if contour.ndim != 1 or not len(voiced):
        raise InputError("control contour", "has no voiced frame", "Give F0 in Hz, (frames,)")
    places = np.linspace(0, len(contour) - 1, frames) if frames > 1 else np.zeros(frames)
    return np.asarray(np.interp(places, voiced, np.log(contour[voiced])))
