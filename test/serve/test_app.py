"""The service over real HTTP, with a stand-in for its workers."""

import base64
import io
import json
import socket
import threading

import pytest
import requests
import soundfile

from .conftest import KEY, RATE, WORD, until

SPEECH = "/v1/audio/speech"
ASKED = {"model": "tts-1", "voice": "ann", "input": "one two", "response_format": "wav"}
HOLDER = {"Authorization": f"Bearer {KEY}"}


def ask(served, more=None, **options):
    return requests.post(f"{served.url}{SPEECH}", json={**ASKED, **(more or {})}, timeout=20, **options)


def figures(served):
    lines = requests.get(f"{served.url}/metrics", timeout=20).text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def raw(served, head, body=b""):
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=20)
    connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
    return connection


def post(length, host="127.0.0.1"):
    return f"POST {SPEECH} HTTP/1.1\nHost: {host}\nContent-Type: application/json\nContent-Length: {length}"


def answer(connection):
    """All that comes until the other end closes."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("wav", "audio/wav"),
        ("mp3", "audio/mpeg"),
        ("flac", "audio/flac"),
        ("opus", "audio/ogg"),
        ("pcm", "audio/pcm"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_each_format_is_served(start, name, kind, stream):
    served = start()
    got = ask(served, {"response_format": name, "stream": stream})
    assert got.status_code == 200
    assert got.headers["content-type"] == kind
    assert ("content-length" in got.headers) is not stream
    if name == "pcm":
        assert len(got.content) == 2 * 2 * WORD
    elif not stream:
        assert soundfile.info(io.BytesIO(got.content)).frames == 2 * WORD
    assert served.pool.asked == [("one two", "hello", 7, stream)]


def test_the_default_is_mp3_and_a_voice_may_be_named_by_an_object(start):
    served = start()
    body = {"model": "valle", "voice": {"id": "ann"}, "input": "one", "seed": 3}
    got = requests.post(f"{served.url}{SPEECH}", json=body, timeout=20)
    assert got.headers["content-type"] == "audio/mpeg"
    assert served.pool.asked[0][2] == 3


def test_a_long_text_is_said_sentence_by_sentence_with_seeds_of_their_own(start):
    pytest.importorskip("sentencex")
    served = start(max_words=3)
    got = ask(served, {"input": "One two three. Four five six.", "response_format": "pcm"})
    assert [text for text, *_ in served.pool.asked] == ["One two three.", "Four five six."]
    assert len({seed for *_, seed, _ in served.pool.asked}) == 2
    assert len(got.content) > 2 * 6 * WORD  # and a pause


def test_languages_and_style_are_those_of_the_request(start):
    served = start()
    style = {"emotion": "happy:0.6+sad:0.4", "emotion_strength": 2, "speaking_rate": 4, "energy": "auto"}
    assert ask(served, {"lang": "de", **style}).status_code == 200
    assert ask(served).status_code == 200
    assert served.pool.wishes == [{"lang": "de", "style": style}, {}]


def test_events_carry_the_sound_and_the_outcome(start):
    got = ask(start(), {"response_format": "pcm", "stream_format": "sse", "stream": True})
    assert got.headers["content-type"] == "text/event-stream"
    events = [json.loads(line[6:]) for line in got.text.splitlines() if line]
    sound = b"".join(base64.b64decode(one["audio"]) for one in events if one["type"] == "speech.audio.delta")
    assert len(sound) == 2 * 2 * WORD
    assert events[-1]["type"] == "speech.audio.done"
    assert events[-1]["outcome"] == "ok"


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"voice": "nobody"}, 404, "voice_not_found"),
        ({"voice": "../ann"}, 404, "voice_not_found"),
        ({"voice": "/etc/passwd"}, 404, "voice_not_found"),
        ({"voice": "http://127.0.0.1/x.wav"}, 404, "voice_not_found"),
        ({"model": "gpt-5"}, 404, "model_not_found"),
        ({"input": " "}, 400, "invalid_value"),
        ({"input": "a\x00b"}, 400, "invalid_value"),
        ({"input": "x" * 5000}, 400, "too_long"),
        ({"input": 3}, 400, "invalid_value"),
        ({"response_format": "aac"}, 400, "invalid_value"),
        ({"speed": 2}, 400, "invalid_value"),
        ({"instructions": "whisper"}, 400, "invalid_value"),
        ({"seed": -1}, 400, "invalid_value"),
        ({"emotion_strength": -1}, 400, "invalid_value"),
        ({"emotion": "happy", "emotion_strength": 1e300}, 400, "invalid_value"),
        ({"emotion_reference": "/etc/passwd"}, 400, "invalid_value"),
        ({"file": "/etc/passwd"}, 400, "invalid_value"),
        ({"input": "refused"}, 400, "cannot_be_said"),
        ({"input": "silent"}, 422, "no_speech"),
        ({"input": "broken"}, 503, "worker_died"),
    ],
)
def test_what_cannot_be_served_is_refused_with_a_reason(start, more, status, code):
    served = start()
    got = ask(served, more)
    assert got.status_code == status
    error = got.json()["error"]
    assert error["code"] == code
    assert error["message"]
    until(lambda: served.service.admission.active == 0)
    assert figures(served)[f'valle_refusals_total{{code="{code}"}}'] == 1


def test_a_body_that_is_no_json_or_too_large_is_refused(start):
    served = start(max_body_bytes=1000)
    assert requests.post(f"{served.url}{SPEECH}", data=b"{", timeout=20).status_code == 400
    assert ask(served, {"input": "x" * 2000}).status_code == 413
    # Chunked, so that no length is declared.
    chunks = (b"x" * 500 for _ in range(10))
    assert requests.post(f"{served.url}{SPEECH}", data=chunks, timeout=20).status_code == 413
    assert answer(raw(served, post(10**12))).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_come_is_not_waited_for(start):
    served = start(read_seconds=0.3)
    assert answer(raw(served, post(100), b"{")).startswith(b"HTTP/1.1 408")
    half = socket.create_connection(("127.0.0.1", served.port), timeout=20)
    half.sendall(b"GET /hea")
    assert half.recv(1) == b""


def test_a_client_that_does_not_read_is_left(start):
    served = start(write_seconds=0.3)
    body = json.dumps({**ASKED, "input": "long"}).encode()
    connection = raw(served, post(len(body)), body)
    until(lambda: served.pool.left == ["long"])
    until(lambda: served.service.admission.active == 0)
    connection.close()


@pytest.mark.parametrize("words", ["slow", "long"])
def test_what_a_client_that_has_gone_asked_for_is_dropped(start, words):
    served = start()
    body = json.dumps({**ASKED, "input": words}).encode()
    connection = raw(served, post(len(body)), body)
    until(lambda: served.pool.asked)
    connection.close()
    until(lambda: served.pool.left == [words])
    until(lambda: figures(served).get('valle_speech_requests_total{end="client_gone"}') == 1)
    assert served.service.admission.active == 0


def test_what_breaks_in_the_middle_does_not_look_complete(start):
    served = start()
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask(served, {"input": "one broken", "stream": True})
    events = ask(served, {"input": "one broken", "stream": True, "stream_format": "sse"}).text
    assert "worker_died" in events.splitlines()[-2]
    assert figures(served)['valle_speech_requests_total{end="broken"}'] == 2


def in_background(served, count, headers=None):
    threads = [
        threading.Thread(target=ask, args=(served, {"input": "slow"}), kwargs={"headers": headers})
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    until(lambda: served.service.admission.active == count)
    return threads


def test_a_caller_has_so_many_requests_at_once_and_all_have_so_many(start):
    served = start({"lab": KEY}, concurrent=2, queue=3)
    threads = in_background(served, 2)
    assert ask(served).json()["error"]["code"] == "too_many_at_once"
    threads += [threading.Thread(target=ask, args=(served, {"input": "slow"}), kwargs={"headers": HOLDER})]
    threads[-1].start()
    until(lambda: served.service.admission.active == 3)
    full = ask(served, headers=HOLDER)
    assert (full.status_code, full.json()["error"]["code"]) == (503, "queue_full")
    assert int(full.headers["retry-after"]) > 0
    served.pool.gate.set()
    for thread in threads:
        thread.join()
    assert ask(served).status_code == 200


def test_a_caller_has_so_many_requests_a_minute(start):
    served = start(requests_per_minute=0.1, burst=2)
    assert [ask(served).status_code for _ in range(3)] == [200, 200, 429]


def test_what_is_not_said_in_time_is_refused(start):
    served = start(answer_seconds=0.2)
    got = ask(served, {"input": "slow"})
    assert (got.status_code, got.json()["error"]["code"]) == (503, "too_slow")
    until(lambda: served.pool.left == ["slow"])


@pytest.mark.parametrize("path", ["/v1/voices", "/v1/models", "/metrics"])
def test_nothing_but_health_is_told_to_strangers(start, path):
    served = start({"lab": KEY})
    stranger = {"X-Forwarded-For": "1.2.3.4"}
    assert requests.get(f"{served.url}{path}", headers=stranger, timeout=20).status_code == 401
    assert requests.get(f"{served.url}{path}", headers=stranger | HOLDER, timeout=20).status_code == 200
    assert requests.get(f"{served.url}/health", headers=stranger, timeout=20).json()["status"] == "ok"
    assert ask(served, headers=stranger).status_code == 401
    assert not served.pool.asked


def test_a_service_without_a_worker_is_not_well(start):
    served = start()
    served.pool.ready = 0
    assert requests.get(f"{served.url}/health", timeout=20).status_code == 503


def upload(served, name, content=b"RIFF", headers=HOLDER, **fields):
    return requests.post(
        f"{served.url}/v1/voices",
        data={"name": name, **fields},
        files={"file": ("x.wav", content)},
        headers=headers,
        timeout=20,
    )


def test_holders_of_keys_upload_voices_and_remove_them(start):
    served = start({"lab": KEY})
    made = upload(served, "bob", text="what is said")
    assert made.status_code == 201
    assert (made.json()["text"], made.json()["warnings"]) == ("what is said", ["noisy"])
    assert upload(served, "eve").json()["text"] == "heard"
    listed = requests.get(f"{served.url}/v1/voices", timeout=20).json()["data"]
    assert [one["id"] for one in listed] == ["ann", "bob", "eve"]
    assert ask(served, {"voice": "bob"}).status_code == 200
    gone = requests.delete(f"{served.url}/v1/voices/bob", headers=HOLDER, timeout=20)
    assert gone.json()["deleted"]
    assert ask(served, {"voice": "bob"}).status_code == 404


def test_an_upload_that_cannot_be_is_refused(start):
    served = start({"lab": KEY}, max_upload_bytes=10000)
    assert upload(served, "bob", headers=None).status_code == 403
    assert upload(served, "../bob").status_code == 400
    assert upload(served, "ann").status_code == 409
    assert upload(served, "bob", b"noise").status_code == 400
    assert upload(served, "bob", b"x" * 20000).status_code == 413
    form = requests.post(f"{served.url}/v1/voices", data={"name": "bob"}, headers=HOLDER, timeout=20)
    assert form.status_code == 400
    assert [name for name, _ in served.service.voices.items()] == ["ann"]


def test_what_is_being_said_when_the_service_is_stopped_is_said_to_its_end(start):
    served = start()
    answers = []
    thread = threading.Thread(target=lambda: answers.append(ask(served, {"input": "slow"})))
    thread.start()
    until(lambda: served.pool.asked)
    served.server.should_exit = True
    until(lambda: served.service.admission.closed)
    served.pool.gate.set()
    thread.join()
    assert answers[0].status_code == 200
    assert len(answers[0].content) > 2 * WORD
    served.thread.join(20)
    assert not served.thread.is_alive()


def test_the_client_of_openai_works_as_it_is(start):
    openai = pytest.importorskip("openai")
    served = start()
    client = openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0)
    assert "tts-1" in {model.id for model in client.models.list()}
    content = client.audio.speech.create(model="tts-1", voice="ann", input="one two", response_format="flac")
    assert soundfile.info(io.BytesIO(content.read())).samplerate == RATE
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="ann", input="one two", response_format="pcm", extra_body={"stream": True}
    ) as streamed:
        assert sum(map(len, streamed.iter_bytes())) == 2 * 2 * WORD
    with pytest.raises(openai.NotFoundError, match="there is no voice"):
        client.audio.speech.create(model="tts-1", voice="nobody", input="one")


def test_files_carry_the_consent_that_an_upload_states_and_it_can_be_required(start):
    served = start({"lab": KEY}, require_consent=True)
    assert upload(served, "bob").status_code == 400
    assert upload(served, "bob", consent="I agree", origin="studio").json()["consent"] == "I agree"
    assert ask(served, {"voice": "ann"}).json()["error"]["code"] == "no_consent"
    for name in ("wav", "flac", "opus", "mp3"):
        for stream in (False, True):
            got = ask(served, {"voice": "bob", "response_format": name, "stream": stream})
            with soundfile.SoundFile(io.BytesIO(got.content)) as file:
                assert json.loads(file.comment) == {
                    "synthetic_speech": True,
                    "consent": "I agree",
                    "origin": "studio",
                }
