"""uvicorn's HTTP, with the patience that it lacks: a client that does not send, or does not read, is left."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

CLOSE_SECONDS = 5.0  # for what is still to be sent when a connection is closed


def patient_protocol(read_seconds: float, write_seconds: float) -> type[H11Protocol]:
    """A protocol that ends connections whose request does not come, or whose answer is not read, in time.

    uvicorn has no such limits: https://github.com/Kludex/uvicorn/issues/157

    Args:
        read_seconds: until a request's head is there.
        write_seconds: until a client takes something of what waits for it.
    """

    class PatientProtocol(H11Protocol):
        _timer: asyncio.TimerHandle | None = None
        _closer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._timer = self.loop.call_later(read_seconds, self._end_if_idle)

        def data_received(self, data: bytes) -> None:
            asked = self.cycle
            super().data_received(data)
            if self.cycle is not asked and self._timer is not None:
                self._timer.cancel()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self._timer is not None:
                self._timer.cancel()
            if not self.transport.is_closing():
                self._timer = self.loop.call_later(read_seconds, self._end_if_idle)
            else:
                self._closer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._closer = self.loop.call_later(write_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self._closer is not None:
                self._closer.cancel()

        def connection_lost(self, exc: Exception | None) -> None:
            for timer in (self._timer, self._closer):
                if timer is not None:
                    timer.cancel()
            super().connection_lost(exc)

        def _end_if_idle(self) -> None:
            """End a connection on which no request is being answered."""
            busy: Any = self.cycle is not None and not self.cycle.response_complete
            if not busy and self in self.connections:
                self.transport.abort()

    return PatientProtocol
