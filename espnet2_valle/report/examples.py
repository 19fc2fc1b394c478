"""Pairs that the report lets one hear, and what is shown of each."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from espnet2_valle.asr.wer import align_words
from espnet2_valle.common.audio import read_first_seconds
from espnet2_valle.common.errors import InputError
from espnet2_valle.evaluation.aggregate import badness
from espnet2_valle.evaluation.utterance import SILENCE_PEAK, UtteranceScore
from espnet2_valle.report.media import audio_uri, spectrogram_uri

RANDOM, BEST, WORST = "random", "best", "worst"


@dataclass(frozen=True)
class Clip:
    """One recording of an example.

    Attributes:
        title: what it is.
        note: of whom, or why it is missing.
        audio: data URI, or None.
        picture: spectrogram as data URI, or None.
        seconds: of audio.
        heard: aligned words (to be said, heard), None where no recogniser listened.
        row: its scores, None where it was not scored.
    """

    title: str
    note: str = ""
    audio: str | None = None
    picture: str | None = None
    seconds: float = 0.0
    heard: list[tuple[str, str]] | None = None
    row: UtteranceScore | None = None


@dataclass(frozen=True)
class AlignmentPicture:
    """Plot of where the model looked in its text.

    Attributes:
        picture: as data URI.
        note: what is shown.
    """

    picture: str
    note: str


@dataclass(frozen=True)
class Example:
    """One pair: why it was chosen, the text, the recordings, and where the model looked."""

    pair_id: str
    choice: str
    text: str
    outcome: str
    clips: list[Clip] = field(default_factory=list)
    alignment: AlignmentPicture | None = None


def choose(rows: Sequence[UtteranceScore], count: int, seed: int = 0) -> dict[str, str]:
    """Choose pairs to listen to: half at random, a quarter the best and a quarter the worst.

    The order is by word errors for each word to be said, then by similarity to the prompt; no audio is worst.

    Args:
        rows: of the system under test.
        count: how many, all if there are fewer.
        seed: of the random half.

    Returns:
        pair_id -> `random`, `best` or `worst`, the random ones first.
    """
    ranked = [row.pair_id for row in sorted(rows, key=badness)]
    count = min(count, len(ranked))
    extremes = count // 4
    best, worst = ranked[:extremes], ranked[len(ranked) - extremes :]
    rest = ranked[extremes : len(ranked) - extremes]
    drawn = sorted(random.Random(seed).sample(rest, count - 2 * extremes))
    return {
        **dict.fromkeys(drawn, RANDOM),
        **dict.fromkeys(best, BEST),
        **dict.fromkeys(reversed(worst), WORST),
    }


def make_clip(
    title: str,
    path: str | None,
    row: UtteranceScore | None = None,
    note: str = "",
    seconds: float | None = None,
) -> Clip:
    """Read a recording, or its first `seconds`, and make its player and picture; a note where that fails."""
    heard = align_words(row.text, row.heard) if row is not None else None
    if path is None:
        return Clip(title, "There is no recording.", heard=heard, row=row)
    try:
        wav, rate = read_first_seconds(path, seconds)
    except InputError as error:
        return Clip(title, f"The recording cannot be read: {error.problem}.", heard=heard, row=row)
    if np.abs(wav).max() <= SILENCE_PEAK:
        note = "silent"
    return Clip(title, note, audio_uri(wav, rate), spectrogram_uri(wav, rate), len(wav) / rate, heard, row)


def listing(rows: Sequence[UtteranceScore], outcomes: Mapping[str, str]) -> list[dict]:
    """All pairs of a system for the long table, worst first."""
    return [
        {
            "row": row,
            "heard": align_words(row.text, row.heard),
            "outcome": outcomes.get(row.pair_id, ""),
            "wer": badness(row)[0] if row.has_audio else 1.0,
        }
        for row in sorted(rows, key=badness, reverse=True)
    ]
