"""The page of `valle demo` as an application: its parts, and what they do on a click."""

from collections.abc import AsyncIterator
from typing import Any

from espnet2_valle.generate.styles import STRENGTH
from espnet2_valle.serve.asked import LANGUAGES
from espnet2_valle.serve.fields import draw, fields_of
from espnet2_valle.serve.keys import Keys
from espnet2_valle.serve.options import ALWAYS, AUTO
from espnet2_valle.serve.page import RECORDED, Page, sampling_of
from espnet2_valle.serve.refusal import Refusal
from espnet2_valle.serve.takes import SOUND, STYLE, Take, player, table
from espnet2_valle.valle.styles import ATTRIBUTES, EMOTION

TAKES = 8  # that stay on the page


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
    """The page's parts, and what happens on a click.

    Raises:
        InputError: see `fields_of`.
    """
    given = sampling_of(page.spec)
    fields = fields_of(page.pool.known, page.spec.model.options)
    lang, prompt_lang, accent = LANGUAGES
    names = [RECORDED, *(name for name, _ in page.voices.items())]
    chunks = page.spec.options.streaming == ALWAYS or (
        page.spec.options.streaming == AUTO and page.pool.streams
    )

    async def on_say(
        name: str, recording: str | None, prompt_text: str, text: str,
        temperature: float, top_p: float, seed: float, streamed: bool, takes: list[Take], *asked: Any,
    ) -> AsyncIterator[tuple[str, str, list[Take]]]:  # fmt: skip
        try:
            said = page.say(
                name, recording, prompt_text, text, int(seed), streamed, dict(zip(shown, asked)),
                temperature=temperature, top_p=top_p,
            )  # fmt: skip
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
                shown = draw(gradio, fields, [prompt_lang])
            with gradio.Column():
                text = gradio.Textbox(label="Text to say", lines=4)
                shown |= draw(gradio, fields, [lang, accent])
                shown |= draw(gradio, fields, [EMOTION, STRENGTH])
                if fields.keys() & {*ATTRIBUTES}:
                    with gradio.Accordion("Speaking rate, pitch and energy", open=False):
                        for pair in (ATTRIBUTES[:2], ATTRIBUTES[2:]):
                            shown |= draw(gradio, fields, pair)
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
        inputs += shown.values()
        button.click(on_say, inputs, [now, below, takes], show_progress="minimal")
    return blocks
