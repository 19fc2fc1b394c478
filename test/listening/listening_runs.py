"""A small listening test on disk, a client for its server, and its page's scripts outside a browser."""

import http.client
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from scoring_stubs import write

from espnet2_valle.evaluation.utterance import Trial
from espnet2_valle.listening.build import Design, build_test

PAGE = Path(__file__).parents[2] / "espnet2_valle" / "listening"
SYSTEMS = ("ground_truth", "codec", "valle")


def make_test(folder: Path, **options: Any) -> Path:
    """A test of six pairs and three systems; returns its folder."""
    trials, systems = [], {name: {} for name in SYSTEMS}
    for number in range(6):
        pair = f"p{number}"
        prompt, other = (write(folder / f"{who}{number}.wav", "five", 0.5) for who in ("prompt", "other"))
        for name in SYSTEMS:
            systems[name][pair] = write(folder / name / f"{pair}.wav", "one two", 0.4)
        trials.append(Trial(pair, "one two", prompt, other, reference=systems["ground_truth"][pair]))
    given = {"num_items": 4, "per_rater": 0, "num_training": 1, "num_gold": 1, "num_checks": 1, **options}
    build_test(Design(**given), trials, systems, folder / "test")
    return folder / "test"


def page_of(test: Path) -> dict[str, Any]:
    return json.loads((test / "public" / "test.json").read_text())


def key_of(test: Path) -> dict[str, Any]:
    return json.loads((test / "key.json").read_text())


def request(
    port: int,
    method: str,
    path: str,
    body: Any = None,
    token: str = "",
    headers: dict[str, str] | None = None,
) -> tuple[int, Any, dict[str, str]]:
    """One request: status, JSON or bytes, headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    connection.request(method, path, data, sent)
    reply = connection.getresponse()
    content, found = reply.read(), dict(reply.getheaders())
    connection.close()
    return (
        reply.status,
        json.loads(content) if found.get("Content-Type") == "application/json" else content,
        found,
    )


def run_scripts(names: list[str], before: str, script: str) -> Any:
    """What `script` hands to `tell`, after `before` and the page's scripts `names`; skips without node."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    body = f"""
    const told = [];
    const tell = (value) => told.push(value);
    {before}
    {"".join((PAGE / name).read_text() for name in names)}
    (async () => {{
      {script}
      console.log(JSON.stringify(told));
    }})();
    """
    done = subprocess.run([node, "-e", body], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
