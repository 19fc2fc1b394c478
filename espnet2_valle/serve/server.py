"""`valle serve`: workers, then HTTP, until it is told to stop; then what is being said is said to its end."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.extras import import_extra
from espnet2_valle.generate.opening import ModelSpec
from espnet2_valle.serve.keys import Keys, check_binding
from espnet2_valle.serve.options import ServeOptions
from espnet2_valle.serve.pool import Pool
from espnet2_valle.serve.refusal import Refusal
from espnet2_valle.serve.voices import Voices


@dataclass(frozen=True)
class ServeSpec:
    """A service, or a page, as the command line names it.

    Attributes:
        model: to speak with.
        voices: folder of prepared prompts, or None.
        keys: file of keys, or None.
        options: see there.
        longform_config: pauses between sentences.
        host, port: to listen on.
        workers: processes, each with the models.
        threads: of each; 0 leaves it to torch.
        recognizer: transcribes uploads without text.
    """

    model: ModelSpec
    voices: str | None
    keys: str | None
    options: ServeOptions
    longform_config: str
    host: str
    port: int
    workers: int
    threads: int
    recognizer: str


def serve(spec: ServeSpec) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        InputError: the extra `serve`, the model, a voice or a key cannot be had, or the address not be used.
    """
    for package in ("fastapi", "uvicorn", "websockets", "multipart"):
        import_extra(package, "the service", "serve")
    from espnet2_valle.serve.app import Service
    from espnet2_valle.serve.http import make_server

    keys = Keys.load(spec.keys) if spec.keys else Keys()
    check_binding(spec.host, keys)
    voices = Voices(spec.voices, spec.options.max_voices)

    async def run() -> None:
        async with opened_pool(spec, voices) as pool:
            seed = spec.model.options.seed
            service = Service(pool, voices, keys, spec.options, seed, spec.longform_config)
            await make_server(service, spec.host, spec.port).serve()

    asyncio.run(run())


@asynccontextmanager
async def opened_pool(spec: ServeSpec, voices: Voices) -> AsyncIterator[Pool]:
    """Workers that have opened the model, to which all voices belong.

    Raises:
        InputError: the model cannot be had, or a voice is of another codec.
    """
    pool = Pool(spec.model, spec.options, spec.workers, spec.threads, spec.recognizer)
    await pool.start()
    try:
        for name, voice in voices.items():
            try:
                await pool.check(name, voice)
            except Refusal as refusal:
                where = Path(spec.voices or "", name)
                raise InputError(where, refusal.message, "Prepare it with the model's codec") from refusal
        logging.info("%d worker(s) ready", pool.ready)
        yield pool
    finally:
        await pool.stop()
