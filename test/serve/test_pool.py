"""Real workers with a tiny model: they say what `Text2Speech` says, and others follow when they die."""

import asyncio
import io
import os
import signal

import numpy as np
import pytest
import soundfile

from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.opening import ModelSpec
from espnet2_valle.generate.options import DecodingOptions
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.serve.options import ServeOptions
from espnet2_valle.serve.pool import Pool
from espnet2_valle.serve.refusal import Refusal
from espnet2_valle.serve.worker import read_upload
from espnet2_valle.zoo.trained import ModelFiles

from ..generate.conftest import RATE, buzz, styled, system  # noqa: F401

TEXT = "a b c a b c"


def sound(seconds=1.0, rate=RATE, channels=1, format="WAV"):
    wav = np.resize(buzz(110, 1.0), round(seconds * rate))
    file = io.BytesIO()
    soundfile.write(file, np.stack([wav] * channels, axis=1), rate, format=format)
    return file.getvalue()


async def said(pool, text, voice, seed, streamed=False, **style):
    pieces = pool.speak(text, voice, seed, streamed, None, {"style": style} if style else None)
    return [piece async for piece in pieces]


def test_workers_say_what_is_said_alone_and_die_unnoticed(styled):  # noqa: F811
    options = DecodingOptions(native="never", max_duration_ratio=2.0)
    model = ModelSpec(ModelFiles(**styled), options=options)
    text2speech = Text2Speech.from_files(**styled, native="never", max_duration_ratio=2.0)
    voice = PreparedPrompt.encode(buzz(110, 1.0), "b c", text2speech.codec)
    alone = [text2speech(TEXT, voice, seed=seed).wav.numpy() for seed in range(4)]

    async def run():
        pool = Pool(model, ServeOptions(retries=1), 1, 1, "none")
        await pool.start()
        try:
            await pool.check("ann", voice)
            assert pool.rate == RATE
            pieces = await asyncio.gather(*(said(pool, TEXT, voice, seed) for seed in range(4)))
            for expected, got in zip(alone, pieces, strict=True):
                assert np.array_equal(np.concatenate([piece.wav for piece in got]), expected)

            assert pool.known.emotions == ("angry", "happy", "neutral", "sad")
            glad = await said(pool, TEXT, voice, 0, emotion="happy", emotion_strength=2.0)
            expected = text2speech(TEXT, voice, seed=0, emotion="happy", emotion_strength=2.0).wav.numpy()
            assert np.array_equal(np.concatenate([piece.wav for piece in glad]), expected)
            with pytest.raises(Refusal, match="does not know 'shy'"):
                await said(pool, TEXT, voice, 0, emotion="shy")

            with pytest.raises(Refusal, match="has no symbol"):
                await said(pool, "???", voice, 0)
            made = await pool.prepare(sound(), "b c")
            assert made.voice.text == "b c"
            with pytest.raises(Refusal, match="hears no word"):
                await pool.prepare(sound(), None)

            stream = pool.speak(TEXT, voice, 9, True)
            whole = np.concatenate([piece.wav for piece in await said(pool, TEXT, voice, 9, True)])
            first = await stream.__anext__()
            os.kill(pool.pids[0], signal.SIGKILL)  # some of it has been heard
            rest = [piece.wav async for piece in stream]
            assert np.array_equal(np.concatenate([first.wav, *rest]), whole)
            assert pool.restarts == 1

            waiting = asyncio.create_task(said(pool, TEXT, voice, 0))
            for _ in range(2):  # each worker that tries it
                while not pool.ready:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0)
                os.kill(pool.pids[0], signal.SIGKILL)
                died = pool.restarts
                while pool.restarts == died:
                    await asyncio.sleep(0.01)
            with pytest.raises(Refusal, match="worker died") as refused:
                await waiting
            assert refused.value.retry
        finally:
            await pool.stop()

    asyncio.run(run())


def test_a_model_that_cannot_be_opened_is_told():
    async def run():
        pool = Pool(ModelSpec(ModelFiles(model_tag="/absent/model.zip")), ServeOptions(), 1, 1, "none")
        with pytest.raises(InputError, match="absent"):
            await pool.start()

    asyncio.run(run())


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG"])
def test_an_upload_is_read(format):
    samples, rate = read_upload(sound(channels=2, format=format), 2.0)
    assert (samples.shape, rate) == ((RATE, 2), RATE)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        b"[{}]" * 100,
        sound(3.0),
        sound(channels=3),
        sound(rate=4000),
        sound()[:30],
    ],
)
def test_an_upload_that_is_no_prompt_is_refused(content):
    with pytest.raises(InputError, match="recording"):
        read_upload(content, 2.0)


def test_an_upload_without_finite_samples_is_refused():
    file = io.BytesIO()
    soundfile.write(file, np.full(RATE, np.nan, dtype=np.float32), RATE, format="WAV", subtype="FLOAT")
    with pytest.raises(InputError, match="NaN"):
        read_upload(file.getvalue(), 2.0)
