"""The page as it is served, and the fields that it has."""

import asyncio

import pytest

from espnet2_valle.generate.known import Known
from espnet2_valle.serve.keys import Keys
from espnet2_valle.serve.layout import create_page, layout

gradio = pytest.importorskip("gradio")
PLAIN = [
    *("Voice", "Recording of the voice, about three seconds", "What is said in it", "Text to say"),
    *("temperature", "top_p", "seed", "chunk by chunk (sooner; else sentence by sentence)"),
]


def labels(page):
    """Labels of what a visitor can set, in their order on the page."""
    blocks = layout(page, gradio).blocks.values()
    kinds = gradio.Dropdown, gradio.Audio, gradio.Textbox, gradio.Slider, gradio.Number, gradio.Checkbox
    return [block.label for block in blocks if isinstance(block, kinds)]


def test_the_page_is_served(page):
    client = pytest.importorskip("starlette.testclient").TestClient(create_page(page, Keys()))
    with client:
        assert "valle demo" in client.get("/").text
        assert client.get("/sound/unknown").status_code == 404
        token, sound = page.open_sound()
        sound.add(b"mp3")
        sound.end()
        got = client.get(f"/sound/{token}")
    assert (got.content, got.headers["content-type"]) == (b"mp3", "audio/mpeg")


def test_fields_are_there_for_what_a_model_knows(page):
    assert labels(page) == PLAIN
    page.pool.known = Known(("de", "en"), ("de", "en"), ("happy", "sad"), {"energy": 5})
    assert labels(page) == [
        *PLAIN[:3],
        *("Language of the prompt", "Text to say", "Language", "Accent"),
        *("Emotion", "Strength", "Energy"),
        *PLAIN[4:],
    ]


def test_what_a_visitor_chooses_is_asked_for(page):
    page.pool.known = Known(("de", "en"), (), ("happy", "sad"), {"energy": 5})
    blocks = layout(page, gradio)
    click = next(iter(blocks.fns.values()))
    values = {"Voice": "ann", "Text to say": "one", "Language": "de", "Energy": "4"}
    given = [values.get(block.label, block.value) for block in click.inputs]

    async def run():
        return [shown async for shown in click.fn(*given)]

    *_, (_, below, takes) = asyncio.run(run())
    style = {"emotion": "", "emotion_strength": 1.0, "energy": "4"}
    assert page.pool.wishes == [{"lang": "de", "prompt_lang": "", "style": style}]
    assert "lang de, energy 4, temperature 1" in below
    assert len(takes) == 1
