"""The service: POST /v1/audio/speech as OpenAI has it, voices, a WebSocket, health and figures.

POST   /v1/audio/speech         a text to sound: wav, flac, mp3, opus, pcm; see `SpeechRequest`
GET    /v1/models, /v1/voices   what there is
POST   /v1/voices               (key) a recording becomes a voice: multipart `name`, `file`, `text`, `consent`
DELETE /v1/voices/NAME          (key) an uploaded voice goes
WS     /v1/audio/stream         text in, sound out; see `espnet2_valle.serve.websocket`
GET    /health, /metrics        for what watches over it

A request names a voice, never a file or an address: nothing that it says is opened.
"""

from dataclasses import dataclass, replace
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, Response

from espnet2_valle.common.provenance import Provenance
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.serve.answers import SpeechAnswer, refused
from espnet2_valle.serve.asked import SpeechRequest, check_model, check_supported, parsed
from espnet2_valle.serve.keys import Keys, identify, is_holder
from espnet2_valle.serve.limits import Admission, BodyLimits
from espnet2_valle.serve.metrics import Metrics
from espnet2_valle.serve.options import ALWAYS, AUTO, ServeOptions
from espnet2_valle.serve.pool import Pool
from espnet2_valle.serve.refusal import Refusal, invalid
from espnet2_valle.serve.speaking import listed, say_all, sentences_of
from espnet2_valle.serve.voices import Voices
from espnet2_valle.serve.websocket import converse

VOICES = "/v1/voices"
FIELDS = 6  # of an upload's form
FIELD_BYTES = 10000


@dataclass
class Service:
    """All that requests share.

    Attributes:
        pool: of workers.
        voices, keys, options: see there.
        seed: of what gives none.
        longform_config: pauses between sentences.
    """

    pool: Pool
    voices: Voices
    keys: Keys
    options: ServeOptions
    seed: int
    longform_config: str

    def __post_init__(self) -> None:
        self.admission = Admission(self.options)
        pool = self.pool
        self.metrics = Metrics(
            lambda: self.admission.active, lambda: pool.rows, lambda: pool.ready, lambda: pool.restarts
        )

    def caller(self, request: Request | WebSocket, key: str | None = None) -> str:
        """Name whoever asks, and count the request; see `identify` and `Admission.count`."""
        peer = request.client.host if request.client else None
        caller = identify(self.keys, peer, request.headers, key)
        self.admission.count(caller)
        return caller

    def voice(self, name: str) -> PreparedPrompt:
        """The voice of a name, with a statement of consent where one is required.

        Raises:
            Refusal: there is none, or it has none.
        """
        voice = self.voices.get(name)
        if self.options.require_consent and not voice.provenance.consent:
            raise Refusal(403, f"the voice {name!r} has no statement of consent", "no_consent", "voice")
        return voice

    def streamed(self, wanted: bool | None) -> bool:
        """Tell whether speech is made chunk by chunk."""
        if wanted is not None:
            return wanted
        return self.options.streaming == ALWAYS or (self.options.streaming == AUTO and self.pool.streams)


def create_app(service: Service) -> FastAPI:
    """The application of a service."""
    app = FastAPI(title="valle", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(BodyLimits, options=service.options, larger={VOICES: service.options.max_upload_bytes})

    @app.exception_handler(Refusal)
    async def refuse(request: Request, refusal: Refusal) -> Response:
        service.metrics.refused.labels(refusal.code).inc()
        return refused(refusal)

    @app.post("/v1/audio/speech")
    async def speech(request: Request) -> Response:
        return await answer_speech(service, request)

    @app.get("/v1/models")
    async def models(request: Request) -> Any:
        service.caller(request)
        data = [{"id": name, "object": "model", "owned_by": "valle"} for name in service.options.model_names]
        return {"object": "list", "data": data}

    @app.get(VOICES)
    async def voices(request: Request) -> Any:
        service.caller(request)
        return {"object": "list", "data": [described(service, name) for name, _ in service.voices.items()]}

    @app.post(VOICES)
    async def upload(request: Request) -> Response:
        return await add_voice(service, request)

    @app.delete(f"{VOICES}/{{name}}")
    async def remove(request: Request, name: str) -> Any:
        need_key(service.caller(request))
        service.voices.remove(name)
        return {"id": name, "object": "voice", "deleted": True}

    @app.websocket("/v1/audio/stream")
    async def stream(websocket: WebSocket) -> None:
        await converse(service, websocket)

    @app.get("/health")
    async def health() -> Response:
        well = bool(service.pool.ready) and not service.admission.closed
        content = {"status": "ok" if well else "unavailable", "workers": service.pool.ready}
        return JSONResponse(content, 200 if well else 503)

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        service.caller(request)
        content, kind = service.metrics.page()
        return Response(content, media_type=kind)

    return app


async def answer_speech(service: Service, request: Request) -> Response:
    """Answer POST /v1/audio/speech."""
    caller = service.caller(request)
    options = service.options
    asked = parsed(SpeechRequest, await request.body())
    check_model(asked.model, options.model_names)
    check_supported(asked)
    if len(asked.input) > options.max_characters:
        raise invalid(f"input: has more than {options.max_characters} characters", "input", "too_long")
    voice = service.voice(asked.voice_name)
    sentences = sentences_of(asked.input, options.max_words, service.longform_config)
    streamed, alone = service.streamed(asked.stream), len(sentences) == 1
    seed = service.seed if asked.seed is None else asked.seed
    leave = service.admission.enter(caller)
    service.metrics.characters.inc(len(asked.input))
    heard = say_all(service.pool, listed(sentences), voice, seed, streamed, alone, None, asked.wishes)
    return SpeechAnswer(
        heard,
        asked.response_format,
        service.pool.rate,
        asked.stream_format == "sse",
        alone and not streamed,
        voice.provenance.comment(),
        service.metrics,
        options.answer_seconds,
        leave,
    )


async def add_voice(service: Service, request: Request) -> Response:
    """Answer POST /v1/voices."""
    need_key(service.caller(request))
    async with request.form(max_files=1, max_fields=FIELDS, max_part_size=FIELD_BYTES) as form:
        name, text, file = (form.get(field) for field in ("name", "text", "file"))
        stated = {field: form.get(field) or "" for field in ("consent", "origin")}
        provenance = Provenance(**{field: str(value) for field, value in stated.items()})
        if not isinstance(name, str) or not isinstance(file, UploadFile):
            raise invalid("send multipart/form-data with `name`, `file` and, best, `text`", "file")
        service.voices.check_new(name)
        if service.options.require_consent and not provenance.consent:
            raise invalid("consent: state that whoever speaks agrees", "consent")
        made = await service.pool.prepare(await file.read(), text if isinstance(text, str) and text else None)
    service.voices.add(name, replace(made.voice, provenance=provenance))
    content = {**described(service, name), "text": made.voice.text, "warnings": list(made.findings)}
    return JSONResponse(content, 201)


def described(service: Service, name: str) -> dict[str, Any]:
    """The description of a voice, as JSON."""
    voice = service.voices.get(name)
    seconds = round(len(voice.codes) / voice.spec.frame_rate, 2)
    told = {"id": name, "object": "voice", "seconds": seconds, "uploaded": service.voices.is_uploaded(name)}
    return {**told, **voice.provenance.to_dict()}


def need_key(caller: str) -> None:
    """Raise Refusal unless the caller holds a key."""
    if not is_holder(caller):
        raise Refusal(403, "holders of a key alone may do this", "key_needed")
