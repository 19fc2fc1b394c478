"""What happens on a click: sounds that grow, takes, and what is refused."""

import asyncio

import pytest

from espnet2_valle.serve.page import RECORDED, SOUNDS, Sound
from espnet2_valle.serve.refusal import Refusal

from .conftest import RATE, WORD


def said(page, text, name="ann", recording=None, prompt_text="", asked=None, **draw):
    async def run():
        given = name, recording, prompt_text, text, 3, False, asked or {}
        return [one async for one in page.say(*given, **draw)]

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


def test_languages_and_style_are_asked_for_and_told_with_the_take(page):
    style = {"emotion": "happy:0.6+sad:0.4", "emotion_strength": 2.5, "energy": "3.5", "pitch_level": "auto"}
    _, take = said(page, "one", asked={"lang": "de", "prompt_lang": "", **style}, top_p=0.5)
    assert page.pool.wishes == [{"lang": "de", "prompt_lang": "", "style": style}]
    assert take.settings == (
        "lang de, emotion happy:0.6+sad:0.4, emotion_strength 2.5, energy 3.5, top_p 0.5, seed 3, "
        "sentence by sentence"
    )
    _, take = said(page, "one")
    assert page.pool.wishes[1] == {}
    assert take.settings == "seed 3, sentence by sentence"


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
        ("one", "ann", {"asked": {"emotion_strength": 20.1}}),
        ("one", "ann", {"asked": {"emotion_reference": "/etc/passwd"}}),
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
