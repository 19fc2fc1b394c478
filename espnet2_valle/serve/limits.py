"""Limits of requests: how many at once, of one caller and of all, how large, how slow."""

from collections.abc import Awaitable, Callable, Mapping

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from espnet2_valle.common.limits import RateLimiter
from espnet2_valle.serve.answers import plain, refused
from espnet2_valle.serve.options import ServeOptions
from espnet2_valle.serve.refusal import Refusal

MINUTE = 60.0


class Admission:
    """Requests for speech that are being answered, and how many of them may be.

    Args:
        options: the limits.
    """

    def __init__(self, options: ServeOptions):
        self._options = options
        self._rates = RateLimiter(options.requests_per_minute / MINUTE, options.burst)
        self._active: dict[str, int] = {}
        self.closed = False

    @property
    def active(self) -> int:
        """Requests that are being answered or wait."""
        return sum(self._active.values())

    def count(self, caller: str) -> None:
        """Count a request of any kind.

        Raises:
            Refusal: there have been too many.
        """
        if not self._rates.allows(caller):
            raise Refusal(429, "too many requests: ask more slowly", "rate_limit_exceeded", retry=True)

    def enter(self, caller: str) -> Callable[[], None]:
        """Begin a request for speech; returns what has to be called at its end.

        Raises:
            Refusal: it is one too many.
        """
        if self.closed:
            raise Refusal(503, "the service is being stopped", "stopping", retry=True)
        if self.active >= self._options.queue:
            raise Refusal(503, "the queue is full: try again", "queue_full", retry=True)
        if self._active.get(caller, 0) >= self._options.concurrent:
            raise Refusal(429, "too many requests at once", "too_many_at_once", retry=True)
        self._active[caller] = self._active.get(caller, 0) + 1
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                self._active[caller] -= 1
                if not self._active[caller]:
                    del self._active[caller]

        return leave


class BodyLimits:
    """Middleware that bounds the size of bodies, and the time until they are there.

    Args:
        app: behind it.
        options: the limits.
        larger: path -> bytes, where other ones hold.
    """

    def __init__(self, app: ASGIApp, options: ServeOptions, larger: Mapping[str, int]):
        self._app, self._options, self._larger = app, options, larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._larger.get(scope["path"], self._options.max_body_bytes)
        declared = plain(scope["headers"]).get("content-length", "0")
        if not declared.isdigit() or int(declared) > most:
            await refused(_too_large(most))(scope, receive, send)
            return
        await self._app(scope, self._bounded(receive, most), send)

    def _bounded(self, receive: Receive, most: int) -> Callable[[], Awaitable[Message]]:
        came, complete = 0, False
        deadline = anyio.current_time() + self._options.read_seconds

        async def bounded() -> Message:
            nonlocal came, complete
            if complete:
                return await receive()
            try:
                with anyio.fail_after(max(0.0, deadline - anyio.current_time())):
                    message = await receive()
            except TimeoutError as error:
                raise Refusal(408, "the body did not come in time", "body_too_slow") from error
            if message["type"] == "http.request":
                came += len(message.get("body", b""))
                complete = not message.get("more_body", False)
                if came > most:
                    raise _too_large(most)
            return message

        return bounded


def _too_large(most: int) -> Refusal:
    return Refusal(413, f"the body has more than {most} bytes", "body_too_large")
