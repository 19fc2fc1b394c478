"""Answers of HTTP: refusals, a whole file, a sound that is sent as it is made, and the same as events."""

import base64
import json
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing

import anyio
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from espnet2_valle.serve.formats import FORMATS, Encoder, whole_file
from espnet2_valle.serve.metrics import Metrics
from espnet2_valle.serve.refusal import Refusal
from espnet2_valle.serve.speaking import Heard

EVENTS = "text/event-stream"


def refused(refusal: Refusal) -> Response:
    """The answer to a request that is not served."""
    return JSONResponse(refusal.content, refusal.status, refusal.headers)


class SpeechAnswer(Response):
    """Speech that is sent while it is made.

    Nothing is sent before there is sound: until then a refusal can still be told by its status. What goes
    wrong later ends the connection, since a sound without its end must not look complete.

    Args:
        heard: what is said.
        form: a key of `FORMATS`.
        rate: of the sound in Hz.
        events: as server-sent events, the sound in base64.
        whole: all of it is known at once, so that the file has its length in its head.
        comment: that the file carries: consent and origin of the voice.
        metrics: counts.
        patience: seconds until the first sound.
        done: called at the end, however it comes.
    """

    def __init__(
        self,
        heard: AsyncGenerator[Heard, None],
        form: str,
        rate: int,
        events: bool,
        whole: bool,
        comment: str | None,
        metrics: Metrics,
        patience: float,
        done: Callable[[], None],
    ):
        self.heard, self.form, self.rate, self.events, self.whole = heard, form, rate, events, whole
        self.comment = comment
        self.metrics, self.patience, self.done = metrics, patience, done
        self.background = None
        self._begun = time.perf_counter()
        self._started = False
        self._end = "client_gone"
        self._refusal: Refusal | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, until it is sent or the client has gone."""
        try:
            async with anyio.create_task_group() as group:

                async def watch() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    group.cancel_scope.cancel()

                group.start_soon(watch)
                await self._answer(send)
                group.cancel_scope.cancel()
            if self._refusal is not None and not self._started:
                await refused(self._refusal)(scope, receive, send)
        finally:
            self.metrics.ended.labels(self._end).inc()
            if self._refusal is not None:
                self.metrics.refused.labels(self._refusal.code).inc()
            self.metrics.total.observe(time.perf_counter() - self._begun)
            self.done()

    async def _answer(self, send: Send) -> None:
        try:
            async with aclosing(self.heard):
                await self._send_all(send)
            self._end = "ok"
        except Refusal as refusal:
            self._end = "broken" if self._started else "refused"
            self._refusal = refusal
            if self._started and self.events:
                await send(_body(_event("error", **refusal.content), more=False))

    async def _send_all(self, send: Send) -> None:
        encoder = Encoder(self.form, self.rate, self.comment)
        samples, outcome = 0, ""
        with anyio.move_on_after(self.patience) as first:
            async for heard in self.heard:
                first.deadline = float("inf")
                samples += len(heard.wav)
                outcome = heard.outcome.value if heard.outcome else outcome
                if not samples:
                    continue
                if self.whole:
                    data = await anyio.to_thread.run_sync(
                        whole_file, self.form, self.rate, heard.wav, self.comment
                    )
                else:
                    data = await anyio.to_thread.run_sync(encoder.encode, heard.wav)
                await self._start(send, len(data) if self.whole else None)
                self.metrics.sound.inc(len(heard.wav) / self.rate)
                if data:
                    await send(_body(self._packed(data)))
        if first.cancelled_caught:
            raise Refusal(503, "nothing was said in time: try again", "too_slow", retry=True)
        if not samples:
            raise Refusal(422, f"no speech came out ({outcome}): try another seed or voice", "no_speech")
        rest = b"" if self.whole else encoder.close()
        if self.events:
            done = _event("speech.audio.done", outcome=outcome, seconds=samples / self.rate, usage=None)
            await send(_body(self._packed(rest) + done, more=False))
        else:
            await send(_body(rest, more=False))

    async def _start(self, send: Send, length: int | None) -> None:
        if self._started:
            return
        self.metrics.first.observe(time.perf_counter() - self._begun)
        headers = {"content-type": EVENTS if self.events else FORMATS[self.form].media_type}
        headers |= {"cache-control": "no-store", "x-content-type-options": "nosniff"}
        if length is not None and not self.events:
            headers["content-length"] = str(length)
        self._started = True
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})

    def _packed(self, data: bytes) -> bytes:
        if not self.events or not data:
            return data
        return _event("speech.audio.delta", audio=base64.b64encode(data).decode())


def _body(data: bytes, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def _event(kind: str, **content: object) -> bytes:
    return f"data: {json.dumps({'type': kind, **content})}\n\n".encode()


def plain(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by their names in lower case."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
