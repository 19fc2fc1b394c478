"""Text in, sound out, over a WebSocket."""

import json
import socket

import pytest

pytest.importorskip("websockets")

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from .conftest import KEY, WORD, until


def opened(served):
    return connect(f"ws://127.0.0.1:{served.port}/v1/audio/stream")


def talk(served, *messages):
    """What comes until the other end closes: bytes of sound, told events, the close code."""
    sound, told = b"", []
    with opened(served) as connection:
        for message in messages:
            connection.send(message if isinstance(message, bytes | str) else json.dumps(message))
        try:
            while True:
                message = connection.recv(timeout=20)
                if isinstance(message, bytes):
                    sound += message
                else:
                    told.append(json.loads(message))
        except ConnectionClosed as closed:
            return sound, told, closed.rcvd.code


def text(words):
    return {"type": "text", "text": words}


START, END = {"type": "start", "voice": "ann"}, {"type": "end"}


def test_sentences_are_said_as_they_become_complete(start):
    served = start()
    parts = [text("One two thr"), text("ee. Four"), text(" five.\n\nsix"), END]
    sound, told, code = talk(served, START, *parts)
    said = [one["text"] for one in told if one["type"] == "sentence"]
    assert said == ["One two three.", "Four five.", "six"]
    assert told[-1] == {"type": "done"}
    assert len(sound) == 2 * 6 * WORD
    assert code == 1000


def test_a_sentence_does_not_wait_for_the_next_and_flush_ends_one(start):
    served = start()
    with opened(served) as connection:
        connection.send(json.dumps({**START, "stream": True, "seed": 5}))
        connection.send(json.dumps(text("one two. three")))
        until(lambda: [asked[0] for asked in served.pool.asked] == ["one two."])
        connection.send(json.dumps({"type": "flush"}))
        until(lambda: [asked[0] for asked in served.pool.asked] == ["one two.", "three"])


def test_languages_and_style_are_those_of_the_first_message(start):
    served = start()
    talk(served, {**START, "emotion": "sad", "lang": "de"}, text("one."), END)
    assert served.pool.wishes == [{"lang": "de", "style": {"emotion": "sad"}}]


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["{"], "invalid_value"),
        ([text("one")], "invalid_value"),
        ([b"bytes"], "invalid_value"),
        ([{**START, "voice": "/etc/passwd"}], "voice_not_found"),
        ([{**START, "file": "x"}], "invalid_value"),
        ([START, {"type": "play"}], "invalid_value"),
        ([START, text("x" * 5000)], "too_long"),
        ([START, text("refused"), END], "cannot_be_said"),
        ([START, text("one broken"), END], "worker_died"),
    ],
)
def test_what_cannot_be_served_is_told(start, messages, code):
    served = start()
    _, told, closed = talk(served, *messages)
    assert told[-1]["type"] == "error"
    assert told[-1]["error"]["code"] == code
    assert closed in (1008, 1013)
    until(lambda: served.service.admission.active == 0)


def test_a_key_is_in_the_first_message_and_silence_is_not_waited_for(start):
    served = start({"lab": KEY}, idle_seconds=0.3)
    assert talk(served, {**START, "key": "wrong"})[1][-1]["error"]["code"] == "invalid_api_key"
    assert talk(served, {**START, "key": KEY}, text("one"), END)[2] == 1000
    assert talk(served)[1][-1]["error"]["code"] == "idle"


def test_what_a_client_that_has_gone_asked_for_is_dropped(start):
    served = start()
    connection = opened(served)
    connection.send(json.dumps(START))
    connection.send(json.dumps(text("slow. ")))
    until(lambda: served.pool.asked)
    connection.socket.shutdown(socket.SHUT_RDWR)
    until(lambda: served.pool.left)
    until(lambda: served.service.admission.active == 0)
