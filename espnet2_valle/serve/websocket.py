"""Text in, sound out, over a WebSocket.

The client sends JSON: first {"type": "start", "voice": NAME}, with `response_format`, `seed`, `stream` and
`key` if wanted; then {"type": "text", "text": ...} as the text is written, {"type": "flush"} to have said
what there is, {"type": "end"} at its end. A sentence is said when it is complete.

The service sends the sound as binary messages, {"type": "sentence", "text", "outcome", "problem"} behind each
sentence, {"type": "done"} at the end, and {"type": "error", "error": {...}} before it closes on an error.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from starlette.websockets import WebSocket, WebSocketDisconnect

from espnet2_valle.generate.sentences import Sentence
from espnet2_valle.serve.asked import Flush, Later, Start, Text, check_model, parsed
from espnet2_valle.serve.formats import Encoder
from espnet2_valle.serve.refusal import Refusal, invalid
from espnet2_valle.serve.speaking import Heard, Writing, say_all

if TYPE_CHECKING:
    from espnet2_valle.serve.app import Service

SENTENCES = 4  # that wait to be said; then no more text is read
POLICY, TRY_AGAIN, FAULT = 1008, 1013, 1011  # close codes
Waiting = asyncio.Queue[Sentence | Refusal | None]  # None: the text is complete


async def converse(service: "Service", websocket: WebSocket) -> None:
    """Serve one WebSocket to its end."""
    await websocket.accept()
    end = "client_gone"
    try:
        await _serve(service, websocket)
        await websocket.close()
        end = "ok"
    except WebSocketDisconnect:
        pass
    except Refusal as refusal:
        end = "refused"
        service.metrics.refused.labels(refusal.code).inc()
        code = FAULT if refusal.status == 500 else TRY_AGAIN if refusal.retry else POLICY
        with suppress(WebSocketDisconnect, TimeoutError, asyncio.TimeoutError, RuntimeError):
            await _send(service, websocket, {"type": "error", **refusal.content})
            await websocket.close(code, refusal.message[:100])
    finally:
        service.metrics.ended.labels(end).inc()


async def _serve(service: "Service", websocket: WebSocket) -> None:
    """Serve one that has been accepted.

    Raises:
        Refusal: of what is asked.
        WebSocketDisconnect: the client has gone.
    """
    start = parsed(Start, await _receive(service, websocket))
    caller = service.caller(websocket, start.key)
    if start.model is not None:
        check_model(start.model, service.options.model_names)
    voice = service.voice(start.voice)
    leave = service.admission.enter(caller)
    waiting: Waiting = asyncio.Queue(SENTENCES)
    reader = asyncio.create_task(_read(service, websocket, waiting))
    try:
        seed = service.seed if start.seed is None else start.seed
        encoder = Encoder(start.response_format, service.pool.rate, voice.provenance.comment())
        streamed, wishes = service.streamed(start.stream), start.wishes
        heard = say_all(service.pool, _taken(waiting), voice, seed, streamed, alone=False, wishes=wishes)
        speaker = asyncio.create_task(_speak(service, websocket, heard, encoder))
        try:
            # The reader ends first only where the client has gone.
            await asyncio.wait({reader, speaker}, return_when=asyncio.FIRST_COMPLETED)
            if reader.done() and not speaker.done():
                reader.result()
            await speaker
        finally:
            speaker.cancel()
            with suppress(asyncio.CancelledError, Refusal, WebSocketDisconnect):
                await speaker
    finally:
        reader.cancel()
        with suppress(asyncio.CancelledError, WebSocketDisconnect):
            await reader
        leave()


async def _read(service: "Service", websocket: WebSocket, waiting: Waiting) -> None:
    """Read the text, then watch for the client's going.

    Raises:
        WebSocketDisconnect: the client has gone.
    """
    writing, came = Writing(service.options.max_words, service.longform_config), 0
    done = False
    try:
        while not done:
            message = parsed(Later, f'{{"message": {await _receive(service, websocket)}}}').message
            if isinstance(message, Text):
                came += len(message.text)
                service.metrics.characters.inc(len(message.text))
                if came > service.options.max_characters:
                    most = service.options.max_characters
                    raise invalid(f"the text has more than {most} characters", "text", "too_long")
                sentences = writing.add(message.text)
            else:
                done = not isinstance(message, Flush)
                sentences = writing.finish()
            for sentence in sentences:
                await waiting.put(sentence)
        await waiting.put(None)
    except Refusal as refusal:
        await waiting.put(refusal)
    while True:
        await websocket.receive_text()  # nothing more is expected


async def _taken(waiting: Waiting) -> AsyncIterator[Sentence]:
    """Sentences as they come.

    Raises:
        Refusal: one came in place of a sentence.
    """
    while True:
        sentence = await waiting.get()
        if sentence is None:
            return
        if isinstance(sentence, Refusal):
            raise sentence
        yield sentence


async def _speak(
    service: "Service", websocket: WebSocket, heard: AsyncGenerator[Heard, None], encoder: Encoder
) -> None:
    """Send what is said, and what is told of it."""
    async with aclosing(heard):
        async for part in heard:
            data = await asyncio.to_thread(encoder.encode, part.wav)
            service.metrics.sound.inc(len(part.wav) / service.pool.rate)
            if data:
                await _send(service, websocket, data)
            if part.outcome is not None:
                told = {"text": part.text, "outcome": part.outcome.value, "problem": part.problem}
                await _send(service, websocket, {"type": "sentence", **told})
    rest = encoder.close()
    if rest:
        await _send(service, websocket, rest)
    await _send(service, websocket, {"type": "done"})


async def _receive(service: "Service", websocket: WebSocket) -> str:
    """The next message.

    Raises:
        Refusal: none came for too long, or it is no text.
        WebSocketDisconnect: the client has gone.
    """
    try:
        message = await asyncio.wait_for(websocket.receive(), service.options.idle_seconds)
    except (TimeoutError, asyncio.TimeoutError) as error:
        raise Refusal(408, "nothing was said for too long", "idle") from error
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1006))
    if message.get("text") is None:
        raise invalid("messages are JSON, in text frames")
    text: str = message["text"]
    return text


async def _send(service: "Service", websocket: WebSocket, message: bytes | dict[str, object]) -> None:
    """Send a message to a client that reads.

    Raises:
        WebSocketDisconnect: it does not, or has gone.
    """
    sent = websocket.send_bytes(message) if isinstance(message, bytes) else websocket.send_json(message)
    try:
        await asyncio.wait_for(sent, service.options.write_seconds)
    except (TimeoutError, asyncio.TimeoutError) as error:
        raise WebSocketDisconnect(1006) from error
