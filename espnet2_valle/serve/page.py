"""Speech on the page of `valle demo`: a voice and a text become a sound that grows, and then a take."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.evaluation.speaker import AbsSpeakerEncoder, similarity
from espnet2_valle.generate.options import SamplingOptions
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.serve.asked import Wishes, parsed
from espnet2_valle.serve.fields import told
from espnet2_valle.serve.formats import Encoder, whole_file
from espnet2_valle.serve.limits import Admission
from espnet2_valle.serve.pool import Pool
from espnet2_valle.serve.refusal import Refusal
from espnet2_valle.serve.server import ServeSpec
from espnet2_valle.serve.speaking import listed, say_all, sentences_of
from espnet2_valle.serve.takes import Take
from espnet2_valle.serve.voices import Voices

RECORDED = "(the recording)"
SOUNDS = 64  # that can be read; older ones go


class Sound:
    """A sound that grows. Any number of players may read it, each from its beginning: browsers ask again."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._ended = False
        self._grown = asyncio.Event()

    def add(self, data: bytes) -> None:
        """Add bytes."""
        self._parts.append(data)
        self._tell()

    def end(self) -> None:
        """Say that no more come."""
        self._ended = True
        self._tell()

    async def read(self) -> AsyncIterator[bytes]:
        """The bytes as they come."""
        place = 0
        while place < len(self._parts) or not self._ended:
            if place == len(self._parts):
                await self._grown.wait()
                continue
            place += 1
            yield self._parts[place - 1]

    def _tell(self) -> None:
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()


@dataclass
class Page:
    """All that visitors share.

    Attributes:
        pool: of workers.
        voices: to choose from beside a recording.
        spec: options and seed.
        encoder: of voices, or None.
        sounds: by their tokens, the last ones.
    """

    pool: Pool
    voices: Voices
    spec: ServeSpec
    encoder: AbsSpeakerEncoder | None
    sounds: dict[str, Sound] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.admission = Admission(self.spec.options)

    def open_sound(self) -> tuple[str, Sound]:
        """A new sound, and its token."""
        token = secrets.token_urlsafe(16)
        sound = self.sounds[token] = Sound()
        while len(self.sounds) > SOUNDS:
            self.sounds.pop(next(iter(self.sounds)))
        return token, sound

    async def voice(self, name: str, recording: str | None, text: str) -> PreparedPrompt:
        """The voice that is chosen, or a recording that the page has taken in.

        Raises:
            Refusal: it cannot be used.
        """
        if name != RECORDED:
            return self.voices.get(name)
        if not recording:
            raise Refusal(400, "record or upload a voice first, about three seconds", "no_voice")
        content = await asyncio.to_thread(Path(recording).read_bytes)
        if len(content) > self.spec.options.max_upload_bytes:
            raise Refusal(413, "the recording is too large", "body_too_large")
        return (await self.pool.prepare(content, text.strip() or None)).voice

    async def say(
        self,
        name: str,
        recording: str | None,
        prompt_text: str,
        text: str,
        seed: int,
        streamed: bool,
        asked: dict[str, Any],
        **draw: Any,
    ) -> AsyncIterator["str | Take"]:
        """Say a text.

        Args:
            name: of the voice; RECORDED: that of the recording.
            recording: path of the file, and `prompt_text` what is said in it; "": it is transcribed.
            text, seed, streamed: see `say_all`.
            asked: languages and style, as `Wishes` has them.
            draw: some of `SamplingOptions`.

        Yields:
            the token of its sound as soon as there is some to come, and at the end the take.

        Raises:
            Refusal: it cannot be said.
        """
        options = self.spec.options
        if len(text) > options.max_characters:
            raise Refusal(400, f"the text has more than {options.max_characters} characters", "too_long")
        sentences = sentences_of(text, options.max_words, self.spec.longform_config)
        try:
            sampling = SamplingOptions(**{**sampling_of(self.spec), **draw})
        except InputError as error:
            raise Refusal(400, str(error), "invalid_value") from error
        wishes = parsed(Wishes, json.dumps(asked)).wishes
        self.admission.count("page")
        leave = self.admission.enter("page")
        token, growing = self.open_sound()
        try:
            voice = await self.voice(name, recording, prompt_text)
            begun, first = time.perf_counter(), 0.0
            yield token
            encoder = Encoder("mp3", self.pool.rate)
            wavs, outcomes, problems = [], [], []
            alone = len(sentences) == 1
            heard = say_all(self.pool, listed(sentences), voice, seed, streamed, alone, sampling, wishes)
            async for part in heard:
                if len(part.wav):
                    first = first or time.perf_counter() - begun
                    wavs.append(part.wav)
                    growing.add(encoder.encode(part.wav))
                if part.outcome:
                    outcomes.append(part.outcome.value)
                problems += [part.problem] if part.problem else []
            total = time.perf_counter() - begun
            growing.add(encoder.close())
            wav = np.concatenate([np.zeros(0, dtype=np.float32), *wavs])
            if not len(wav):
                raise Refusal(
                    422, f"no speech came out ({', '.join(outcomes)}): try another seed", "no_speech"
                )
            alike = await asyncio.to_thread(self.alike, wav, voice)
            sound = whole_file("mp3", self.pool.rate, wav)
            chosen = [*told(asked), *(f"{key} {value:g}" for key, value in draw.items())]
            manner = "chunk by chunk" if streamed else "sentence by sentence"
            settings = ", ".join([*chosen, f"seed {seed}", manner])
            seconds, problem = len(wav) / self.pool.rate, "; ".join(dict.fromkeys(problems)) or None
            yield Take(sound, text, settings, tuple(outcomes), first, total, seconds, alike, problem)
        finally:
            growing.end()
            leave()

    def alike(self, wav: np.ndarray, voice: PreparedPrompt) -> float | None:
        """Similarity of speech to its prompt, if that can be told."""
        if self.encoder is None or not len(voice.wav):
            return None
        embed, rate = self.encoder.embed, self.pool.rate
        return similarity(embed(wav, rate), embed(voice.wav, rate))


def sampling_of(spec: ServeSpec) -> dict[str, Any]:
    """Options of drawing codes, by name, as the model's options have them."""
    return dict(vars(spec.model.options.sampling))
