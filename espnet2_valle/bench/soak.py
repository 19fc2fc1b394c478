"""Minutes of mixed requests to a service: some clients vanish, some bodies lie, and its worker is killed."""

import os
import random
import signal
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import requests

from espnet2_valle.bench.metric import Metric
from espnet2_valle.bench.service import ANSWER_SECONDS, VOICE, Service, body_of

MINUTE = 60.0
KILLS = (0.3, 0.6)  # of the time
BEFORE, AFTER = (0.15, 0.3), (0.85, 1.0)  # of the time: when memory is compared; both lie well behind a start
LOOK_SECONDS = 1.0
SETTLE_SECONDS = 30.0
FORMATS = ("mp3", "opus", "flac", "wav", "pcm")
SPEECH = "/v1/audio/speech"
HEAD = f"POST {SPEECH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def soak(
    service: Service, texts: Sequence[str], minutes: float, clients: int, about: dict[str, Any]
) -> list[Metric]:
    """Ask for minutes, and look at what the service has come to.

    Args:
        service: with a voice.
        texts: to be said.
        minutes: of asking.
        clients: that ask at once.
        about: the service, for the metrics.
    """
    ends: Counter[str] = Counter()
    lock, begun = threading.Lock(), time.monotonic()
    seconds = minutes * MINUTE
    files = service.files()

    def passed() -> float:
        return (time.monotonic() - begun) / seconds

    def client(number: int) -> None:
        draw = random.Random(number)
        while passed() < 1:
            way = draw.choices(list(WAYS), [weight for _, weight in WAYS.values()])[0]
            end = WAYS[way][0](service, draw.choice(texts), draw)
            with lock:
                ends[f"{way}: {end}"] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    memory, kills = [], list(KILLS)
    while any(thread.is_alive() for thread in threads):
        time.sleep(LOOK_SECONDS)
        memory.append((passed(), service.memory()))
        if kills and passed() > kills[0] and (workers := service.workers()):
            kills.pop(0)
            os.kill(workers[0], signal.SIGKILL)
    figures, left = _settled(service, files)
    answered = sum(count for name, count in ends.items() if name in ("speech: ok", "speech: refused"))
    asked = sum(count for name, count in ends.items() if name.startswith("speech: "))
    ratio = _median(memory, AFTER) / _median(memory, BEFORE)
    about = {**about, "minutes": minutes, "clients": clients}
    told: dict[str, Any] = dict(about)
    told.update(sorted(ends.items()))
    return [
        Metric("soak_requests_for_speech", asked, "requests", "", told),
        Metric("soak_unanswered", asked - answered, "requests", "<= 0", about),
        Metric(
            "soak_worker_restarts", figures["valle_worker_restarts"], "workers", f">= {len(KILLS)}", about
        ),
        Metric(
            "soak_memory_after_over_before",
            ratio,
            "ratio",
            "<= 1.05",
            {"MiB": round(_median(memory, BEFORE))},
        ),
        Metric("soak_open_files_left", left, "files", "<= 0", about),
        Metric("soak_active_left", figures["valle_active_requests"], "requests", "<= 0", about),
        Metric("soak_rows_left", figures["valle_decoder_rows"], "rows", "<= 0", about),
    ]


def _settled(service: Service, files: int) -> tuple[dict[str, float], int]:
    """The service's figures, and how many more files than before it has open, when connections have ended."""
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        figures = service.figures()
        time.sleep(LOOK_SECONDS)  # the connection that asked for them is one of its open files
        left = service.files() - files
        if time.monotonic() > end or (left <= 0 and not figures["valle_active_requests"]):
            return figures, left


def _speech(service: Service, text: str, draw: random.Random) -> str:
    """A client that waits for its answer."""
    body: dict[str, Any] = {"model": "valle", "voice": VOICE, "input": text}
    body |= {"response_format": draw.choice(FORMATS)}
    body |= {"seed": draw.randrange(1000), "stream": draw.random() < 0.5}
    try:
        answer = requests.post(service.url(SPEECH), json=body, timeout=ANSWER_SECONDS)
    except requests.RequestException as error:
        return type(error).__name__
    if answer.status_code == 200:
        return "ok" if len(answer.content) > 1000 else "empty"
    return "refused" if answer.json()["error"]["message"] else "refused without a reason"


def _vanish(service: Service, text: str, draw: random.Random) -> str:
    """A client that goes before it has its answer."""
    body = body_of(text)
    with service.connect() as connection:
        connection.sendall(f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        time.sleep(draw.uniform(0, 1))
    return "gone"


def _lie(service: Service, text: str, draw: random.Random) -> str:
    """A client whose body is not what it says, or does not come."""
    body = body_of(text)
    sent, length = draw.choice(
        [
            (body, len(body) + 10),
            (body, 10**12),
            (body[:-5], len(body) - 5),
            (b"\xff" * 50, 50),
            (b"", len(body)),
        ]
    )
    with service.connect() as connection:
        connection.sendall(f"{HEAD}Content-Length: {length}\r\n\r\n".encode() + sent)
        try:
            start = connection.recv(12)
        except OSError as error:
            return type(error).__name__
    return start.decode().removeprefix("HTTP/1.1 ") or "closed"


def _stall(service: Service, text: str, draw: random.Random) -> str:
    """A client that begins a request and falls silent."""
    with service.connect() as connection:
        connection.sendall(HEAD[: draw.randrange(len(HEAD))].encode())
        time.sleep(draw.uniform(0, 2))
    return "gone"


Way = Callable[[Service, str, random.Random], str]
WAYS: dict[str, tuple[Way, float]] = {
    "speech": (_speech, 6),
    "vanishes": (_vanish, 2),
    "lies": (_lie, 1),
    "stalls": (_stall, 1),
}


def _median(memory: Sequence[tuple[float, float]], window: tuple[float, float]) -> float:
    return statistics.median(value for at, value in memory if window[0] <= at <= window[1])
