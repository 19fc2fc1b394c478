"""`valle demo`: a page to try a model: a voice, a text, speech heard as it comes, takes compared.

The speech is heard while it is made: the page's player reads an MP3 that grows. What it is like is told
behind it, and earlier takes stay beside it, with their settings.
"""

import asyncio
import os

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.extras import import_extra
from espnet2_valle.evaluation.speaker import AbsSpeakerEncoder, ResemblyzerEncoder
from espnet2_valle.serve.keys import Keys, check_binding
from espnet2_valle.serve.server import ServeSpec, opened_pool
from espnet2_valle.serve.voices import Voices


def demo(spec: ServeSpec) -> None:
    """Serve the page until the process is stopped.

    Raises:
        InputError: the extra `demo`, the model, a voice or a key cannot be had, or the address not be used.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # nothing is told to anyone
    import_extra("gradio", "the page", "demo")
    uvicorn = import_extra("uvicorn", "the page", "demo")
    from espnet2_valle.serve.layout import create_page
    from espnet2_valle.serve.page import Page

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


def _encoder() -> AbsSpeakerEncoder | None:
    """A speaker encoder, if the extra `score` is there."""
    try:
        return ResemblyzerEncoder()
    except InputError:
        return None
