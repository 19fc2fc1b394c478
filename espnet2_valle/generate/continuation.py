"""VALL-E's continuation: the first seconds of a recording are the prompt, its whole text is known."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet2_valle.common.audio import audio_seconds, read_audio
from espnet2_valle.common.errors import InputError

SECONDS = 3.0  # of the recording that are the prompt


@dataclass(frozen=True)
class Divided:
    """A text in two.

    Attributes:
        prompt_text: what is said in the prompt, about.
        rest: what is to be said.
    """

    prompt_text: str
    rest: str


def divide_text(path: str | Path, text: str, seconds: float = SECONDS) -> Divided:
    """Divide the text of a recording between the words nearest to `seconds`, were all letters as long.

    The models read both parts as one text, as the paper has it, wherever it is divided. The place tells them
    the pace of the prompt, which bounds the output's length and sets its positions; that much of the
    recording's own length is given away.

    Raises:
        InputError: the recording is not longer than the prompt, or the text has one word.
    """
    total = audio_seconds(path)
    words = text.split()
    if total <= seconds or len(words) < 2:
        raise InputError(
            path,
            f"lasts {total:.1f} s, with {len(words)} words",
            f"To be continued, a recording must be longer than {seconds:g} s and have two words or more",
        )
    wanted = len(text) * seconds / total
    ends = np.cumsum([len(word) + 1 for word in words[:-1]])
    place = 1 + int(np.abs(ends - wanted).argmin())
    return Divided(" ".join(words[:place]), " ".join(words[place:]))


def read_beginning(path: str | Path, sample_rate: int, seconds: float = SECONDS) -> np.ndarray:
    """The prompt: the first `seconds` of a recording (samples,) at `sample_rate` Hz.

    Raises:
        InputError: see `read_audio`.
    """
    return read_audio(path, sample_rate, (0.0, seconds))[0]
