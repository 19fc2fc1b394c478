"""A service whose workers are a stand-in: each word is a tenth of a second of a tone."""

import asyncio
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")

from espnet2_valle.codec.spec import CodecSpec
from espnet2_valle.evaluation.speaker import AbsSpeakerEncoder
from espnet2_valle.generate.known import Known
from espnet2_valle.generate.opening import ModelSpec
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.generate.scheduler import Piece
from espnet2_valle.serve.app import Service
from espnet2_valle.serve.http import make_server
from espnet2_valle.serve.keys import Keys
from espnet2_valle.serve.messages import Made
from espnet2_valle.serve.options import ServeOptions
from espnet2_valle.serve.page import Page
from espnet2_valle.serve.refusal import Refusal, invalid
from espnet2_valle.serve.server import ServeSpec
from espnet2_valle.serve.voices import Voices

RATE = 24000
WORD = RATE // 10
KEY = "k" * 24
PATIENCE = 20.0  # seconds


class StubPool:
    """Says words; `slow`, `broken`, `refused`, `silent` and `long` among them are what they say."""

    rate, rows, ready, restarts, streams = RATE, 0, 1, 0, False

    def __init__(self):
        self.known = Known()
        self.asked, self.left, self.wishes = [], [], []
        self.gate = threading.Event()

    async def speak(self, text, voice, seed, streamed, sampling=None, wishes=None):
        self.asked.append((text, voice.text, seed, streamed))
        self.wishes.append(wishes)
        try:
            words = text.split()
            if "refused" in words:
                raise invalid("text: has no symbol", code="cannot_be_said")
            wavs = [np.full(WORD, 0.25, dtype=np.float32) for _ in words]
            for wav in wavs if streamed else []:
                yield Piece(1, wav)
            if "broken" in words:
                raise Refusal(503, "the worker died", "worker_died")
            while "slow" in words and not self.gate.is_set():
                await asyncio.sleep(0.01)
            if "long" in words:
                for _ in range(3000):
                    await asyncio.sleep(0)
                    yield Piece(1, np.random.default_rng(0).uniform(-0.5, 0.5, RATE).astype(np.float32))
            rest = np.zeros(0, dtype=np.float32) if streamed or "silent" in words else np.concatenate(wavs)
            yield Piece(1, rest, Outcome.NO_SPEECH if "silent" in words else Outcome.OK)
        finally:
            self.left.append(text)

    async def prepare(self, content, text):
        if content == b"noise":
            raise invalid("recording: is no readable sound file", code="cannot_be_said")
        return Made(1, a_voice(text or "heard"), ("noisy",))


def a_voice(text="hello"):
    spec = CodecSpec(name="stub", sample_rate=RATE, frame_rate=50, num_codebooks=2, codebook_size=16)
    codes = np.zeros((100, 2), dtype=np.int16)
    return PreparedPrompt(np.zeros(RATE, dtype=np.float32), codes, text, spec, codes)


def until(true, seconds=PATIENCE):
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def start(tmp_path):
    """Begin a service; returns its address, stand-in and the server."""
    running = []

    def begin(keys=None, **options):
        a_voice().save(tmp_path / "voices" / "ann.npz")
        pool = StubPool()
        chosen = ServeOptions(**{"model_names": ("valle", "tts-1"), **options})
        voices = Voices(tmp_path / "voices", chosen.max_voices)
        service = Service(pool, voices, Keys(keys or {}), chosen, 7, "conf/longform.yaml")
        server = make_server(service, "127.0.0.1", 0)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
        thread.start()
        until(lambda: server.started)
        running.append((server, thread))
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        return SimpleNamespace(url=url, port=port, pool=pool, service=service, server=server, thread=thread)

    yield begin
    for server, thread in running:
        server.should_exit = server.force_exit = True
        thread.join(PATIENCE)


class Level(AbsSpeakerEncoder):
    """Says of all voices that they are alike."""

    name = "level"

    def embed(self, wav, rate):
        return np.array([1.0, 0.0])


@pytest.fixture
def page(tmp_path):
    """The page of a stand-in, with the voice `ann`; me.wav is a recording."""
    voice = replace(a_voice("hi"), wav=np.full(RATE, 0.1, dtype=np.float32))
    voice.save(tmp_path / "ann.npz")
    (tmp_path / "me.wav").write_bytes(b"RIFF")
    spec = ServeSpec(
        ModelSpec(), str(tmp_path), None, ServeOptions(), "conf/longform.yaml", "127.0.0.1", 0, 1, 0, "none"
    )
    return Page(StubPool(), Voices(tmp_path, 9, whole=True), spec, Level())
