"""A service in a process of its own, for benchmarks: begun, asked, watched, ended."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from espnet2_valle.common.conf import read_yaml
from espnet2_valle.common.errors import InputError

VOICE = "voice"
START_SECONDS, STOP_SECONDS, ANSWER_SECONDS = 300.0, 60.0, 300.0
ADDRESS = re.compile(r"on (http://[\d.]+):(\d+)")
UNLIMITED = {"requests_per_minute": 1e6, "burst": 1_000_000, "concurrent": 1000}
PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20


@dataclass(frozen=True)
class Service:
    """A running service.

    Attributes:
        process: its number.
        host, port: its address.
    """

    process: int
    host: str
    port: int

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"{self.host}:{self.port}{path}"

    def workers(self) -> list[int]:
        """Process numbers of its workers; the one that tracks their resources is none."""
        return [each for each in _children(self.process) if b"spawn_main" in _words(each)]

    def memory(self) -> float:
        """Memory of the service and its workers, MiB."""
        return sum(_resident(each) for each in (self.process, *self.workers())) / MIB

    def files(self) -> int:
        """Files that the service has open."""
        return len(os.listdir(f"/proc/{self.process}/fd"))

    def figures(self) -> dict[str, float]:
        """Figures that it tells Prometheus."""
        page = requests.get(self.url("/metrics"), timeout=ANSWER_SECONDS).text
        return {
            name: float(value)
            for name, value in (line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
        }

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection((self.host.removeprefix("http://"), self.port), ANSWER_SECONDS)


@contextmanager
def started(words: Sequence[str], prompt: str | Path, serve_config: str | Path) -> Iterator[Service]:
    """A service with one voice, `VOICE`.

    Args:
        words: options of `valle serve`: the model and how it decodes.
        prompt: prepared prompt.
        serve_config: its limits, but for those of one caller: all requests are of one.

    Raises:
        InputError: it does not begin; what it says is told.
    """
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as log:
        Path(folder, f"{VOICE}.npz").write_bytes(Path(prompt).read_bytes())
        limits = {**read_yaml(serve_config, "--serve_config"), **UNLIMITED}
        Path(folder, "serve.yaml").write_text(json.dumps(limits), encoding="utf-8")
        command = [sys.executable, "-m", "espnet2_valle", "serve", *words, "--voices", folder, "--port", "0"]
        command += ["--serve_config", f"{folder}/serve.yaml"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            host, port = _address(process, log.fileno())
            yield Service(process.pid, host, port)
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def ask(
    service: Service, text: str, seed: int, form: str = "pcm", stream: bool = False
) -> tuple[float, float, int]:
    """Ask for speech as a client does.

    Returns:
        seconds to the first byte of sound and to the last, and bytes.

    Raises:
        requests.RequestException: it was not answered, or refused.
    """
    body = {"model": "valle", "voice": VOICE, "input": text, "response_format": form}
    begun = time.perf_counter()
    url = service.url("/v1/audio/speech")
    with requests.post(
        url, json={**body, "seed": seed, "stream": stream}, stream=True, timeout=ANSWER_SECONDS
    ) as answer:
        answer.raise_for_status()
        first, count = 0.0, 0
        for part in answer.iter_content(None):
            first = first or time.perf_counter() - begun
            count += len(part)
    return first, time.perf_counter() - begun, count


def body_of(text: str) -> bytes:
    """The body of a request, for clients that send it themselves."""
    return json.dumps({"model": "valle", "voice": VOICE, "input": text, "response_format": "wav"}).encode()


def _address(process: "subprocess.Popen[bytes]", log: int) -> tuple[str, int]:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        said = os.pread(log, 1 << 20, 0).decode()
        found = ADDRESS.search(said) if "serving" in said else None
        if found:
            return found[1], int(found[2])
        time.sleep(0.1)
    said = os.pread(log, 1 << 20, 0).decode().strip()
    raise InputError("valle serve", f"did not begin ({said[-500:]})", "Correct the options that it was given")


def _children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children")
    every = list(found.parent.parent.glob("*/children"))
    return [int(word) for path in every for word in path.read_text().split()]


def _words(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:  # it has ended
        return b""


def _resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE
    except OSError:  # it has ended
        return 0
