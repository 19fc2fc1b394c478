"""The server: what is acknowledged stays, nobody reaches another's ratings, nobody floods it."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from listening_runs import make_test, page_of, request

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.limits import ConnectionLimiter, RateLimiter
from espnet2_valle.listening import server as server_module
from espnet2_valle.listening.server import ListeningServer
from espnet2_valle.listening.store import Store

ROOT = Path(__file__).parents[2]


@pytest.fixture
def test_dir(tmp_path):
    return make_test(tmp_path)


@pytest.fixture
def server(test_dir):
    serving = ListeningServer(test_dir, port=0)
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield serving
    serving.shutdown()
    thread.join()
    serving.server_close()
    serving.store.close()


def port_of(server):
    return server.server_address[1]


def join(port):
    status, rater, _ = request(port, "POST", "/api/raters", {"about": {"hearing": "yes"}})
    assert status == 201
    return rater


def scores_for(page, trial, value=4):
    return {"scores": {s["id"]: value for s in page["trials"][trial]["stimuli"]}, "seconds": 2.5, "plays": 1}


def test_a_rater_rates_reads_back_and_finishes(server):
    port, page = port_of(server), server.test
    rater = join(port)
    trial = page["blocks"][rater["block"]][0]
    assert request(port, "PUT", f"/api/ratings/{trial}", scores_for(page, trial), rater["token"])[0] == 200
    status, mine, _ = request(port, "GET", "/api/ratings", token=rater["token"])
    assert status == 200
    assert mine["ratings"] == {trial: scores_for(page, trial)["scores"]}
    assert (mine["seed"], mine["block"], mine["finished"]) == (rater["seed"], rater["block"], False)
    assert "id" not in mine
    request(port, "PUT", f"/api/ratings/{trial}", scores_for(page, trial, 2), rater["token"])
    assert request(port, "POST", "/api/finish", {}, rater["token"])[0] == 200
    late = request(port, "PUT", f"/api/ratings/{trial}", scores_for(page, trial, 5), rater["token"])
    assert late[0] == 409
    (stored,) = server.store.everything()
    assert set(stored["answers"][trial]["scores"].values()) == {2.0}


def test_nobody_reaches_anothers_ratings(server):
    port, page = port_of(server), server.test
    one, other = join(port), join(port)
    trial = page["blocks"][0][0]
    request(port, "PUT", f"/api/ratings/{trial}", scores_for(page, trial, 5), one["token"])
    assert request(port, "GET", "/api/ratings", token=other["token"])[1]["ratings"] == {}
    request(port, "PUT", f"/api/ratings/{trial}", scores_for(page, trial, 1), other["token"])
    mine = request(port, "GET", "/api/ratings", token=one["token"])[1]["ratings"]
    assert set(mine[trial].values()) == {5.0}
    for token in ("", "x" * 43, one["token"][:-1]):
        assert request(port, "GET", "/api/ratings", token=token)[0] == 401
        assert request(port, "PUT", f"/api/ratings/{trial}", scores_for(page, trial), token)[0] == 401
    database = (Path(server.files["/"]).parents[1] / "ratings.sqlite").read_bytes()
    database += (Path(server.files["/"]).parents[1] / "ratings.sqlite-wal").read_bytes()
    assert one["token"].encode() not in database
    assert b"127.0.0.1" not in database


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[" * 5000,
        b"[]",
        {},
        {"scores": {}},
        {"scores": {"stranger": 3}},
        {"scores": 3},
        {"scores": {"STIMULUS": 6}},
        {"scores": {"STIMULUS": "5"}},
        {"scores": {"STIMULUS": True}},
        {"scores": {"STIMULUS": 3}, "seconds": -1},
        {"scores": {"STIMULUS": 3}, "plays": 1e300},
        b'{"scores": {"STIMULUS": NaN}}',
    ],
)
def test_what_is_no_rating_is_refused(server, body):
    port, page = port_of(server), server.test
    rater = join(port)
    trial = page["blocks"][0][0]
    stimulus = page["trials"][trial]["stimuli"][0]["id"]
    if isinstance(body, dict) and isinstance(body.get("scores"), dict):
        named = {stimulus if k == "STIMULUS" else k: v for k, v in body["scores"].items()}
        body = {**body, "scores": named}
    elif isinstance(body, bytes):
        body = body.replace(b"STIMULUS", stimulus.encode())
    assert request(port, "PUT", f"/api/ratings/{trial}", body, rater["token"])[0] == 400
    assert server.store.everything()[0]["answers"] == {}


def test_trials_of_other_blocks_and_unknown_ones_are_refused(tmp_path):
    test = make_test(tmp_path, per_rater=2)
    serving = ListeningServer(test, port=0)
    rater = {"block": 0}
    assert serving.allowed(rater) < set(page_of(test)["trials"]) | {c["id"] for c in page_of(test)["checks"]}
    serving.server_close()
    serving.store.close()


def test_only_the_public_files_are_served(server):
    port = port_of(server)
    status, page, headers = request(port, "GET", "/")
    assert status == 200
    assert b"listening.js" in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for path in (
        "/../key.json",
        "/%2e%2e/key.json",
        "/key.json",
        "/audio/",
        "//etc/passwd",
        "/ratings.sqlite",
    ):
        assert request(port, "GET", path)[0] == 404
    with pytest.raises(Exception, match="501"):
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/", method="DELETE"))


def test_players_may_ask_for_parts(server):
    port = port_of(server)
    path = next(path for path in server.files if path.startswith("/audio"))
    whole = request(port, "GET", path)[1]
    status, part, headers = request(port, "GET", path, headers={"Range": "bytes=10-19"})
    assert (status, part) == (206, whole[10:20])
    assert headers["Content-Range"] == f"bytes 10-19/{len(whole)}"
    assert request(port, "GET", path, headers={"Range": "bytes=5-"})[1] == whole[5:]
    assert request(port, "GET", path, headers={"Range": f"bytes={len(whole)}-"})[0] == 416
    assert request(port, "HEAD", path)[2]["Content-Length"] == str(len(whole))


def test_a_large_body_is_not_read(server):
    port = port_of(server)
    assert request(port, "POST", "/api/raters", headers={"Content-Length": "9000000"})[0] == 413
    assert request(port, "POST", "/api/raters", headers={"Content-Length": "-1"})[0] == 411
    assert request(port, "POST", "/api/raters", {"about": {"x": "y" * 2000}})[0] == 400


def test_one_visitor_cannot_flood_it(server):
    port = port_of(server)
    statuses = [request(port, "POST", "/api/raters", {"about": {}})[0] for _ in range(60)]
    assert statuses.count(201) == server.raters_per_day
    assert set(statuses) == {201, 429}
    assert len(server.store.everything()) == server.raters_per_day


@contextlib.contextmanager
def held(port, count):
    """Connections over which something is asked and not yet to the end."""
    connections = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(count)]
    for connection in connections:
        connection.sendall(b"GET / HTTP/1.1\r\n")
    yield
    for connection in connections:
        connection.close()


def test_a_visitor_with_too_many_connections_is_told_to_come_back(server):
    server.connections = ConnectionLimiter(each=3, most=10, total=100)
    with held(port_of(server), 3):
        status, _, headers = request(port_of(server), "GET", "/")
    assert status == 503
    assert 0 < int(headers["Retry-After"]) < 10


def test_many_idle_connections_of_one_visitor_are_closed(server):
    server.connections = ConnectionLimiter(each=1, most=3, total=100)
    with held(port_of(server), 3):
        more = socket.create_connection(("127.0.0.1", port_of(server)), timeout=5)
        with contextlib.suppress(ConnectionError):
            assert more.recv(1) == b""  # without a word
        more.close()


def test_several_raters_share_an_address(server):
    with held(port_of(server), 6 * 6):  # six browsers at their limit
        assert request(port_of(server), "GET", "/")[0] == 200


def test_who_asks_too_fast_is_told_when_to_come_back(server):
    server.reads = RateLimiter(rate=0.001, burst=1)
    assert request(port_of(server), "GET", "/")[0] == 200
    status, _, headers = request(port_of(server), "GET", "/")
    assert status == 429
    assert 0 < int(headers["Retry-After"]) < 10


def test_a_recording_that_could_not_be_loaded_has_no_score(server):
    port, page = port_of(server), server.test
    rater = join(port)
    trial = page["blocks"][rater["block"]][0]
    body = scores_for(page, trial, None)
    assert request(port, "PUT", f"/api/ratings/{trial}", body, rater["token"])[0] == 200
    assert request(port, "GET", "/api/ratings", token=rater["token"])[1]["ratings"] == {trial: body["scores"]}
    assert set(server.store.everything()[0]["answers"][trial]["scores"].values()) == {None}


def test_a_visitor_on_a_slow_line_gets_the_whole_file(test_dir, monkeypatch):
    monkeypatch.setattr(server_module.Handler, "timeout", 1.0)  # of silence, not of the whole
    size = 20_000_000  # more than the network keeps on its way
    (test_dir / "public" / "audio" / "long.wav").write_bytes(bytes(size))
    serving = ListeningServer(test_dir, port=0)
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.connect(("127.0.0.1", port_of(serving)))
    connection.sendall(b"GET /audio/long.wav HTTP/1.1\r\n\r\n")
    got = 0
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            got += len(part)
            time.sleep(0.01)
    connection.close()
    serving.shutdown()
    thread.join()
    serving.server_close()
    serving.store.close()
    assert got > size


def test_a_slow_visitor_is_let_go(server, monkeypatch):
    monkeypatch.setattr(server_module.Handler, "timeout", 0.2)
    connection = socket.create_connection(("127.0.0.1", port_of(server)), timeout=5)
    connection.sendall(b"PUT /api/ratings/x HTTP/1.1\r\nContent-Length: 100\r\n")
    assert connection.recv(1) == b""
    connection.close()


def test_a_bucket_refills():
    now = [0.0]
    limiter = RateLimiter(rate=1, burst=2, most=2, clock=lambda: now[0])
    assert [limiter.allows("a") for _ in range(3)] == [True, True, False]
    assert limiter.allows("b")
    now[0] = 1.0
    assert [limiter.allows("a") for _ in range(2)] == [True, False]
    limiter.allows("c")
    assert len(limiter._buckets) == 2  # however many come, no more are remembered


def test_an_acknowledged_rating_survives_a_kill(test_dir):
    page = page_of(test_dir)
    words = [sys.executable, "-m", "espnet2_valle", "listening", "serve", "--port", "0"]
    process = subprocess.Popen(
        [*words, "--test_dir", str(test_dir)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        port = int(process.stdout.readline().strip().rstrip("/").rpartition(":")[2])
        rater = join(port)
        for trial in page["blocks"][0][:5]:
            body = scores_for(page, trial)
            assert request(port, "PUT", f"/api/ratings/{trial}", body, rater["token"])[0] == 200
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    store = Store(test_dir / "ratings.sqlite")
    assert len(store.everything()[0]["answers"]) == 5
    found = store.rater(rater["token"])
    assert found is not None
    assert len(store.ratings(found["id"])) == 5
    store.close()


def test_blocks_are_given_out_evenly(tmp_path):
    store = Store(tmp_path / "r.sqlite")
    blocks = [store.new_rater({}, "here", 3)["block"] for _ in range(7)]
    assert blocks == [0, 1, 2, 0, 1, 2, 0]
    store.close()


def test_a_folder_without_test_and_a_taken_port_are_named(server, tmp_path, test_dir):
    with pytest.raises(InputError, match="has no listening test"):
        ListeningServer(tmp_path)
    with pytest.raises(InputError, match="cannot be listened on"):
        ListeningServer(test_dir, port=port_of(server))
