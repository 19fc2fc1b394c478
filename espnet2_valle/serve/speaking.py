"""A text of any length to sound, sentence by sentence, as fast as it is taken."""

import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.seeds import seed_of
from espnet2_valle.generate.options import SamplingOptions
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.generate.say import cut_text
from espnet2_valle.generate.sentences import Sentence
from espnet2_valle.serve.pool import Pool
from espnet2_valle.serve.refusal import invalid
from espnet2_valle.text.characters import check_characters, check_said

END = re.compile(r"[.!?…。！？]+[\"'”’»)\]]*\s+|\n\s*\n")  # of a sentence, with the white space behind it


@dataclass(frozen=True)
class Heard:
    """A part of the sound of a text.

    Attributes:
        wav: (S,) float32, perhaps empty.
        text: of the sentence, where it ends here.
        outcome: with it, how the sentence ended.
        problem: words that the model never learnt.
    """

    wav: np.ndarray
    text: str | None = None
    outcome: Outcome | None = None
    problem: str | None = None


def sentences_of(text: str, max_words: int, longform_config: str) -> list[Sentence]:
    """Cut a text; a short one is one sentence.

    Raises:
        Refusal: there is nothing in it that can be said.
    """
    try:
        check_said(text, "input")
        check_characters(text, "input")
        return cut_text(text, max_words, longform_config)
    except InputError as error:
        raise invalid(f"{error.where}: {error.problem}", "input") from error


async def say_all(
    pool: Pool,
    sentences: AsyncIterable[Sentence],
    voice: PreparedPrompt,
    seed: int,
    streamed: bool,
    alone: bool,
    sampling: SamplingOptions | None = None,
    wishes: Mapping[str, Any] | None = None,
) -> AsyncGenerator[Heard, None]:
    """Say sentences, each when what is before it was taken: a slow listener holds back the work, not memory.

    Args:
        pool: of workers.
        sentences: perhaps still being written.
        voice: of all.
        seed: each sentence draws from one of its own that is made of it; one that stands `alone` from it.
        streamed: chunk by chunk.
        alone: there is one sentence.
        sampling: how codes are drawn; None: as the model's options say.
        wishes: of languages and style, see `messages.Speak`.

    Raises:
        Refusal: see `Pool.speak`.
    """
    number = 0
    async for sentence in sentences:
        own = seed if alone else seed_of(seed, number)
        pieces = pool.speak(sentence.text, voice, own, streamed, sampling, wishes)
        async with aclosing(pieces):
            async for piece in pieces:
                wav = piece.wav
                if piece.last:
                    silence = round(sentence.pause * pool.rate)
                    wav = np.concatenate([wav, np.zeros(silence, dtype=np.float32)])
                    yield Heard(wav, sentence.text, piece.outcome, piece.problem)
                else:
                    yield Heard(wav)
        number += 1


async def listed(sentences: list[Sentence]) -> AsyncIterator[Sentence]:
    """A list as `say_all` takes it."""
    for sentence in sentences:
        yield sentence


class Writing:
    """A text that is still being written, of which whole sentences are taken.

    Args:
        max_words: longer sentences are cut.
        longform_config: pauses between them.
    """

    def __init__(self, max_words: int, longform_config: str):
        self._max_words, self._config = max_words, longform_config
        self._rest = ""

    def add(self, text: str) -> list[Sentence]:
        """Add a part of the text; returns the sentences that are complete by now.

        Raises:
            Refusal: see `sentences_of`.
        """
        self._rest += text
        ends = [match.end() for match in END.finditer(self._rest)]
        if not ends:
            return []
        done, self._rest = self._rest[: ends[-1]], self._rest[ends[-1] :]
        return self._cut(done)

    def finish(self) -> list[Sentence]:
        """The rest.

        Raises:
            Refusal: see `sentences_of`.
        """
        done, self._rest = self._rest, ""
        return self._cut(done)

    def _cut(self, text: str) -> list[Sentence]:
        if not any(map(str.isalnum, text)):
            return []
        return sentences_of(text.strip(), self._max_words, self._config)
