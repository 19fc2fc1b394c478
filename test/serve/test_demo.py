"""The page: what happens on a click, what is shown, and that it is served."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from espnet2_valle.evaluation.speaker import AbsSpeakerEncoder
from espnet2_valle.generate.opening import ModelSpec
from espnet2_valle.serve.demo import RECORDED, SOUNDS, Page, Sound, create_page
from espnet2_valle.serve.keys import Keys
from espnet2_valle.serve.options import ServeOptions
from espnet2_valle.serve.refusal import Refusal
from espnet2_valle.serve.server import ServeSpec
from espnet2_valle.serve.takes import Take, player, table
from espnet2_valle.serve.voices import Voices

from .conftest import RATE, WORD, StubPool, a_voice

TAKE = Take(b"mp3", "<b>one</b>", "top_p 1", ("ok",), 0.5, 1.0, 2.0, None, None)


class Level(AbsSpeakerEncoder):
    name = "level"

    def embed(self, wav, rate):
        return np.array([1.0, 0.0])


@pytest.fixture
def page(tmp_path):
    voice = replace(a_voice("hi"), wav=np.full(RATE, 0.1, dtype=np.float32))
    voice.save(tmp_path / "ann.npz")
    (tmp_path / "me.wav").write_bytes(b"RIFF")
    spec = ServeSpec(
        ModelSpec(), str(tmp_path), None, ServeOptions(), "conf/longform.yaml", "127.0.0.1", 0, 1, 0, "none"
    )
    return Page(StubPool(), Voices(tmp_path, 9, whole=True), spec, Level())


def said(page, text, name="ann", recording=None, prompt_text="", **draw):
    async def run():
        return [one async for one in page.say(name, recording, prompt_text, text, 3, False, **draw)]

    return asyncio.run(run())


def test_a_click_gives_a_sound_that_grows_and_then_a_take(page):
    token, take = said(page, "one two", temperature=0.5, top_p=0.9)
    assert take.seconds == 2 * WORD / RATE
    assert take.outcomes == ("ok",)
    assert take.alike == 1.0
    assert take.settings == "temperature 0.5, top_p 0.9, seed 3, sentence by sentence"

    async def read():
        return b"".join([part async for part in page.sounds[token].read()])

    assert asyncio.run(read()) == asyncio.run(read())  # browsers ask again
    assert len(asyncio.run(read())) > 500
    assert page.admission.active == 0


def test_a_recording_is_made_a_voice(page, tmp_path):
    _, take = said(page, "one", RECORDED, str(tmp_path / "me.wav"), "what is said")
    assert page.pool.asked[0][1] == "what is said"
    assert said(page, "one", RECORDED, str(tmp_path / "me.wav"))
    assert page.pool.asked[1][1] == "heard"
    assert take.alike is not None


@pytest.mark.parametrize(
    ("text", "name", "more"),
    [
        ("one", RECORDED, {}),
        (" ", "ann", {}),
        ("x" * 5000, "ann", {}),
        ("refused", "ann", {}),
        ("silent", "ann", {}),
        ("one", "ann", {"top_p": 2.0}),
        ("one", "../ann", {}),
    ],
)
def test_what_cannot_be_said_is_refused(page, text, name, more):
    with pytest.raises(Refusal):
        said(page, text, name, **more)
    assert page.admission.active == 0


def test_a_sound_is_read_while_it_grows():
    async def run():
        sound = Sound()
        read = asyncio.create_task(_collect(sound))
        for part in (b"a", b"b"):
            sound.add(part)
            await asyncio.sleep(0)
        sound.end()
        return await read

    async def _collect(sound):
        return [part async for part in sound.read()]

    assert asyncio.run(run()) == [b"a", b"b"]


def test_sounds_do_not_pile_up(page):
    tokens = [page.open_sound()[0] for _ in range(SOUNDS + 5)]
    assert list(page.sounds) == tokens[5:]


def test_takes_are_shown_side_by_side_and_their_texts_are_no_markup():
    shown = table([replace(TAKE, alike=0.876, problem="x & y"), TAKE])
    assert shown.count("<audio") == 2
    assert "&lt;b&gt;one" in shown
    assert "<b>one" not in shown
    for part in ("0.88", "not told", "ok (x &amp; y)", "0.50 s"):
        assert part in shown
    assert 'autoplay src="/sound/abc"' in player("abc")


def test_the_page_is_served(page):
    pytest.importorskip("gradio")
    client = pytest.importorskip("starlette.testclient").TestClient(create_page(page, Keys()))
    with client:
        assert "valle demo" in client.get("/").text
        assert client.get("/sound/unknown").status_code == 404
        token, sound = page.open_sound()
        sound.add(b"mp3")
        sound.end()
        got = client.get(f"/sound/{token}")
    assert (got.content, got.headers["content-type"]) == (b"mp3", "audio/mpeg")
