"""A small server for a listening test: the page, and an interface that stores ratings.

POST /api/raters            {"about": {...}}  -> 201 {"token", "seed", "block"}
GET  /api/ratings           with the token    -> 200 {"seed", "block", "finished", "ratings"}: one's own
PUT  /api/ratings/TRIAL     with the token, {"scores": {stimulus: value}, "seconds", "plays"} -> 200: stored;
                            a value is null where the recording could not be loaded
POST /api/finish            with the token    -> 200; nothing can be changed afterwards

429 and 503 mean that an address asks too much at once; Retry-After says in how many seconds to ask again.
The token goes in `Authorization: Bearer`. For TLS put it behind a proxy (--trust_proxy).

It stands on the standard library, not on FastAPI with uvicorn: raters come from the open internet, and what
keeps one of them from stopping the test for the others lies below a web framework. uvicorn has no time limit
for a request that does not arrive or for a reply that is not read (https://github.com/Kludex/uvicorn/issues/157)
and no bound on the connections of one address. What FastAPI would do instead, five routes and a dozen checks,
is the smaller part.
"""

import json
import logging
import math
import re
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.limits import ConnectionLimiter, RateLimiter
from espnet2_valle.listening.build import DATABASE, PUBLIC
from espnet2_valle.listening.sounds import NUM_TONES
from espnet2_valle.listening.store import Store

MAX_BODY = 8192  # bytes: a rating has some hundred
MAX_ABOUT = 1000  # characters
MAX_SECONDS, MAX_PLAYS = 86400.0, 10000
READ_TIMEOUT = 15.0  # seconds of silence on a connection
CHUNK = 16384  # bytes that are sent at a time: the timeout is for each
# Of one address: ten browsers, each with the six connections that it opens at most. As many again are told
# that they are too many; what goes beyond is closed.
CONNECTIONS, MOST_CONNECTIONS, ALL_CONNECTIONS = 64, 128, 512
RETRY_SECONDS = 2
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".wav": "audio/wav",
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "media-src 'self' blob:; connect-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Connection": "close",
}


class Refusal(Exception):
    """A request that is not served.

    Args:
        status: of the reply.
        reason: for people.
        retry: whether asking again soon will do.
    """

    def __init__(self, status: int, reason: str, retry: bool = False):
        super().__init__(reason)
        self.status, self.retry = status, retry


class ListeningServer(ThreadingHTTPServer):
    """Server of one test.

    Args:
        test_dir: written by `build_test`; the ratings go there.
        host: to listen on.
        port: to listen on, 0 for any.
        trust_proxy: take visitors' addresses from the last entry of X-Forwarded-For.
        raters_per_day: from one address.

    Raises:
        InputError: there is no test, or the port is taken.
    """

    daemon_threads = True
    request_queue_size = MOST_CONNECTIONS  # the base class's five are less than one browser opens

    def __init__(
        self,
        test_dir: str | Path,
        host: str = "127.0.0.1",
        port: int = 8000,
        trust_proxy: bool = False,
        raters_per_day: int = 30,
    ):
        public = Path(test_dir) / PUBLIC
        if not (public / "test.json").is_file():
            raise InputError(test_dir, "has no listening test", "Make one first: valle listening make")
        self.test: dict[str, Any] = json.loads((public / "test.json").read_text(encoding="utf-8"))
        # Only what lay there at the start is served: no request can name another file.
        self.files = {f"/{path.relative_to(public)}": path for path in public.rglob("*") if path.is_file()}
        self.files["/"] = public / "index.html"
        self.trust_proxy, self.raters_per_day = trust_proxy, raters_per_day
        self.reads, self.writes = RateLimiter(10, 150), RateLimiter(2, 40)
        self.connections = ConnectionLimiter(CONNECTIONS, MOST_CONNECTIONS, ALL_CONNECTIONS)
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            raise InputError(
                f"{host}:{port}", f"cannot be listened on ({error.strerror})", "Choose another --port"
            ) from error
        self.store = Store(Path(test_dir) / DATABASE)

    def allowed(self, rater: dict[str, Any]) -> set[str]:
        """Trials that a rater may answer."""
        checks = {check["id"] for check in self.test["checks"]}
        return checks | set(self.test["training"]) | set(self.test["blocks"][rater["block"]])

    def process_request(self, request: Any, client_address: Any) -> None:
        """As the base class, but with a bound on the connections of one visitor and of all."""
        # Behind a proxy all connections are the proxy's, which has limits of its own.
        visitor = "" if self.trust_proxy else client_address[0]
        if self.trust_proxy or self.connections.enter(visitor):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """As the base class; the connection is no longer counted at its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            if not self.trust_proxy:
                self.connections.leave(client_address[0])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Visitors who leave in the middle are no errors."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, socket.timeout)):
            super().handle_error(request, client_address)


def serve(test_dir: str, host: str, port: int, trust_proxy: bool, raters_per_day: int) -> None:
    """Serve one test until the process is stopped; the address is printed for those who asked for any port.

    Args and errors: see `ListeningServer`.
    """
    server = ListeningServer(test_dir, host, port, trust_proxy, raters_per_day)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as by Ctrl-C
    print(f"http://{host}:{server.server_address[1]}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        logging.info("stopped")
    finally:
        server.server_close()
        server.store.close()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: ListeningServer
    protocol_version = "HTTP/1.1"
    server_version = "listening"
    sys_version = ""
    timeout = READ_TIMEOUT

    def log_message(self, format: str, *args: Any) -> None:
        """Keep no log of who asked for what."""

    def do_GET(self) -> None:
        """A file of the page, or one's own ratings."""
        self._answer(self._get)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """A new rater, or the end."""
        self._answer(self._post)

    def do_PUT(self) -> None:
        """A rating."""
        self._answer(self._put)

    def _answer(self, serve: Any) -> None:
        self.close_connection = True
        try:
            if self.server.connections.crowded(self.client_address[0]):
                raise Refusal(503, "too many connections from this address", retry=True)
            limiter = self.server.reads if self.command in ("GET", "HEAD") else self.server.writes
            if not limiter.allows(self._visitor()):
                raise Refusal(429, "too many requests", retry=True)
            serve()
        except Refusal as refusal:
            headers = {"Retry-After": str(RETRY_SECONDS)} if refusal.retry else {}
            self._send_json({"error": str(refusal)}, refusal.status, headers)

    def _get(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/api/ratings":
            rater = self._rater()
            ratings = self.server.store.ratings(rater.pop("id"))
            self._send_json({**rater, "ratings": ratings})
        elif path in self.server.files:
            self._send_file(self.server.files[path])
        else:
            raise Refusal(404, "there is no such page")

    def _post(self) -> None:
        if self.path == "/api/raters":
            about = self._body().get("about", {})
            if not isinstance(about, dict) or len(json.dumps(about)) > MAX_ABOUT:
                raise Refusal(400, "about is no small object")
            visitor = self._visitor()
            if self.server.store.raters_of(visitor) >= self.server.raters_per_day:
                raise Refusal(429, "too many raters from this address today")
            blocks = len(self.server.test["blocks"])
            self._send_json(self.server.store.new_rater(about, visitor, blocks), 201)
        elif self.path == "/api/finish":
            self.server.store.finish(self._rater()["id"])
            self._send_json({"finished": True})
        else:
            raise Refusal(404, "there is no such page")

    def _put(self) -> None:
        prefix, _, trial = self.path.rpartition("/")
        if prefix != "/api/ratings":
            raise Refusal(404, "there is no such page")
        rater = self._rater()
        if rater["finished"]:
            raise Refusal(409, "the test is finished")
        if trial not in self.server.allowed(rater):
            raise Refusal(404, "this rater has no such trial")
        body = self._body()
        scores = self._scores(trial, body.get("scores"))
        seconds = _number(body.get("seconds", 0), 0, MAX_SECONDS)
        plays = int(_number(body.get("plays", 0), 0, MAX_PLAYS))
        self.server.store.rate(rater["id"], trial, scores, seconds, plays)
        self._send_json({"stored": True})

    def _scores(self, trial: str, scores: Any) -> dict[str, float | None]:
        """Checked: a value within the scale for each stimulus, None for one that could not be loaded."""
        test = self.server.test
        if trial in test["trials"]:
            names = {stimulus["id"] for stimulus in test["trials"][trial]["stimuli"]}
            low, high = test["low"], test["high"]
        else:
            names, low, high = {"choice"}, 1, NUM_TONES
        if not isinstance(scores, dict) or set(scores) != names:
            raise Refusal(400, "scores are not those of the trial's recordings")
        return {name: None if value is None else _number(value, low, high) for name, value in scores.items()}

    def _visitor(self) -> str:
        forwarded = self.headers.get("X-Forwarded-For", "") if self.server.trust_proxy else ""
        return forwarded.rpartition(",")[2].strip() or self.client_address[0]

    def _rater(self) -> dict[str, Any]:
        found = re.fullmatch(r"Bearer ([\w-]{20,100})", self.headers.get("Authorization", ""))
        rater = self.server.store.rater(found[1]) if found else None
        if rater is None:
            raise Refusal(401, "no rater has this token")
        return rater

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,10}", length):
            raise Refusal(411, "the length is missing")
        if int(length) > MAX_BODY:
            raise Refusal(413, "too large")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise Refusal(400, "not JSON") from error
        if not isinstance(body, dict):
            raise Refusal(400, "no object")
        return body

    def _send_json(
        self, content: dict[str, Any], status: int = 200, more: dict[str, str] | None = None
    ) -> None:
        data = json.dumps(content).encode()
        headers = {"Content-Type": TYPES[".json"], "Cache-Control": "no-store", **(more or {})}
        self._send(status, data, headers)

    def _send_file(self, path: Path) -> None:
        """A file, or the part of it that a player asks for."""
        data = path.read_bytes()
        headers = {
            "Content-Type": TYPES.get(path.suffix, "application/octet-stream"),
            "Accept-Ranges": "bytes",
        }
        wanted = re.fullmatch(r"bytes=(\d{1,15})-(\d{0,15})", self.headers.get("Range", ""))
        if not wanted:
            return self._send(200, data, headers)
        start, end = int(wanted[1]), min(int(wanted[2] or len(data) - 1), len(data) - 1)
        if start > end:
            return self._send(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
        return self._send(206, data[start : end + 1], headers)

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, **headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            for start in range(0, len(data), CHUNK):
                self.wfile.write(data[start : start + CHUNK])


def _number(value: Any, low: float, high: float) -> float:
    """A finite number within bounds.

    Raises:
        Refusal: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise Refusal(400, "not a number")
    if not low <= value <= high:
        raise Refusal(400, f"not within {low} to {high}")
    return float(value)
