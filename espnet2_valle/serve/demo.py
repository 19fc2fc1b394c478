"""`valle demo`: a page to try a model: a voice, a text, speech heard as it comes, takes compared.

The speech is heard while it is made: the page's player reads an MP3 that grows. What it is like is told
behind it, and earlier takes stay beside it, with their settings.
"""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.extras import import_extra
from espnet2_valle.evaluation.speaker import AbsSpeakerEncoder, ResemblyzerEncoder, similarity
from espnet2_valle.generate.options import SamplingOptions
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.serve.formats import Encoder, whole_file
from espnet2_valle.serve.keys import Keys, check_binding
from espnet2_valle.serve.limits import Admission
from espnet2_valle.serve.options import ALWAYS, AUTO
from espnet2_valle.serve.pool import Pool
from espnet2_valle.serve.refusal import Refusal
from espnet2_valle.serve.server import ServeSpec, opened_pool
from espnet2_valle.serve.speaking import listed, say_all, sentences_of
from espnet2_valle.serve.takes import SOUND, STYLE, Take, player, table
from espnet2_valle.serve.voices import Voices

TAKES = 8  # that stay on the page
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
        **draw: Any,
    ) -> AsyncIterator["str | Take"]:
        """Say a text.

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
            sampling = SamplingOptions(**{**_sampling(self.spec), **draw})
        except InputError as error:
            raise Refusal(400, str(error), "invalid_value") from error
        self.admission.count("page")
        leave = self.admission.enter("page")
        token, growing = self.open_sound()
        try:
            voice = await self.voice(name, recording, prompt_text)
            begun, first = time.perf_counter(), 0.0
            yield token
            encoder = Encoder("mp3", self.pool.rate)
            wavs, outcomes, problems = [], [], []
            heard = say_all(
                self.pool, listed(sentences), voice, seed, streamed, len(sentences) == 1, sampling
            )
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
            settings = ", ".join(f"{key} {value:g}" for key, value in draw.items())
            settings += f", seed {seed}, {'chunk by chunk' if streamed else 'sentence by sentence'}"
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


def demo(spec: ServeSpec) -> None:
    """Serve the page until the process is stopped.

    Raises:
        InputError: the extra `demo`, the model, a voice or a key cannot be had, or the address not be used.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # nothing is told to anyone
    import_extra("gradio", "the page", "demo")
    uvicorn = import_extra("uvicorn", "the page", "demo")
    keys = Keys.load(spec.keys) if spec.keys else Keys()
    check_binding(spec.host, keys)
    voices = Voices(spec.voices, spec.options.max_voices, whole=True)

    async def run() -> None:
        async with opened_pool(spec, voices) as pool:
            app = create_page(Page(pool, voices, spec, _encoder()), keys)
            config = uvicorn.Config(
                app, spec.host, spec.port, log_config=None, access_log=False, server_header=False
            )
            print(f"http://{spec.host}:{spec.port}", flush=True)
            await uvicorn.Server(config).serve()

    asyncio.run(run())


def create_page(page: Page, keys: Keys) -> Any:
    """The page as an application."""
    import gradio
    from fastapi import FastAPI
    from starlette.responses import Response, StreamingResponse

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get(f"{SOUND}/{{token}}")
    async def sound(token: str) -> Response:
        if token not in page.sounds:
            return Response(status_code=404)
        return StreamingResponse(
            page.sounds[token].read(), media_type="audio/mpeg", headers={"Cache-Control": "no-store"}
        )

    theme = gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])
    login = (lambda name, key: keys.holder(key) == name) if keys else None
    return gradio.mount_gradio_app(
        app, layout(page, gradio), path="", theme=theme, css=STYLE, auth=login, show_error=True,
        max_file_size=page.spec.options.max_upload_bytes,
    )  # fmt: skip


def layout(page: Page, gradio: Any) -> Any:
    """The page's parts, and what happens on a click."""
    given = _sampling(page.spec)
    names = [RECORDED, *(name for name, _ in page.voices.items())]
    chunks = page.spec.options.streaming == ALWAYS or (
        page.spec.options.streaming == AUTO and page.pool.streams
    )

    async def on_say(
        name: str, recording: str | None, prompt_text: str, text: str,
        temperature: float, top_p: float, seed: float, streamed: bool, takes: list[Take],
    ) -> AsyncIterator[tuple[str, str, list[Take]]]:  # fmt: skip
        try:
            said = page.say(
                name, recording, prompt_text, text, int(seed), streamed, temperature=temperature, top_p=top_p
            )
            async for one in said:
                if isinstance(one, Take):
                    takes = [one, *takes][:TAKES]
                    yield gradio.skip(), table(takes), takes
                else:
                    yield player(one), gradio.skip(), takes
        except Refusal as refusal:
            raise gradio.Error(refusal.message) from refusal

    with gradio.Blocks(title="valle demo", analytics_enabled=False) as blocks:
        gradio.Markdown(
            "# Say it in this voice\nThree seconds of a voice, and a text. Use no voice without its owner's "
            "consent, and say that the speech is synthetic."
        )
        takes = gradio.State([])
        with gradio.Row():
            with gradio.Column():
                name = gradio.Dropdown(names, value=names[0], label="Voice", visible=len(names) > 1)
                recording = gradio.Audio(type="filepath", label="Recording of the voice, about three seconds")
                prompt_text = gradio.Textbox(
                    label="What is said in it", placeholder="left empty: a recogniser listens"
                )
            with gradio.Column():
                text = gradio.Textbox(label="Text to say", lines=4)
                with gradio.Accordion("Settings", open=False):
                    temperature = gradio.Slider(0, 2, given["temperature"], step=0.05, label="temperature")
                    top_p = gradio.Slider(0.05, 1, given["top_p"], step=0.05, label="top_p")
                    seed = gradio.Number(page.spec.model.options.seed, precision=0, label="seed")
                    streamed = gradio.Checkbox(
                        chunks, label="chunk by chunk (sooner; else sentence by sentence)"
                    )
                button = gradio.Button("Say it", variant="primary")
                now = gradio.HTML(elem_classes="now")
        below = gradio.HTML(elem_classes="takes")
        inputs = [name, recording, prompt_text, text, temperature, top_p, seed, streamed, takes]
        button.click(on_say, inputs, [now, below, takes], show_progress="minimal")
    return blocks


def _sampling(spec: ServeSpec) -> dict[str, Any]:
    """Options of drawing codes as the model's options have them."""
    return dict(vars(spec.model.options.sampling))


def _encoder() -> AbsSpeakerEncoder | None:
    """A speaker encoder, if the extra `score` is there."""
    try:
        return ResemblyzerEncoder()
    except InputError:
        return None
