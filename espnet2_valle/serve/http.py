"""uvicorn with the service's limits, and an end at which nothing that is being said is cut off."""

from socket import socket

import uvicorn

from espnet2_valle.common.errors import InputError
from espnet2_valle.serve.app import Service, create_app
from espnet2_valle.serve.protocol import patient_protocol

KEEP_ALIVE = 5  # seconds
HEAD_BYTES = 16384  # of a request


class Server(uvicorn.Server):
    """Server that tells its address, and at its end takes nothing new.

    Args:
        config: of uvicorn.
        service: that is served.
    """

    def __init__(self, config: uvicorn.Config, service: Service):
        super().__init__(config)
        self._service = service

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """See uvicorn.

        Raises:
            InputError: the address cannot be listened on.
        """
        where = f"{self.config.host}:{self.config.port}"
        try:
            await super().startup(sockets)
        except SystemExit:
            remedy = "Choose another --port or --host"
            raise InputError(where, "cannot be listened on (see the log)", remedy) from None
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        print(f"serving {len(self._service.voices)} voices on http://{host}:{port}", flush=True)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """See uvicorn."""
        self._service.admission.closed = True
        await super().shutdown(sockets)


def make_server(service: Service, host: str, port: int) -> Server:
    """The server of a service; `await server.serve()` returns after SIGINT or SIGTERM."""
    options = service.options
    config = uvicorn.Config(
        create_app(service),
        host,
        port,
        http=patient_protocol(options.read_seconds, options.write_seconds),
        ws="websockets-sansio",
        ws_max_size=options.max_body_bytes,
        limit_concurrency=options.connections,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=max(1, round(options.shutdown_seconds)),
        h11_max_incomplete_event_size=HEAD_BYTES,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        lifespan="off",
        log_config=None,
    )
    return Server(config, service)
