"""Requests that enter and leave a running batch get what they get alone."""

import numpy as np
import pytest
import soundfile
import torch

from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.request import Request
from espnet2_valle.generate.scheduler import Scheduler
from espnet2_valle.generate.streaming import Streamer
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.valle.chunks import Chunks

from .conftest import RATE, buzz

TEXTS = ("a b", "c", "b c a b c a", "a a a a", "c b")


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    soundfile.write(path, buzz(110, 1.0), RATE)
    return str(path)


def opened(files, **options):
    """In float64, where sums in another order decide nothing; the C++ steps are of float32."""
    text2speech = Text2Speech.from_files(**files, native="never", max_duration_ratio=1.5, **options)
    text2speech.ar.double()
    return text2speech


@pytest.fixture
def text2speech(files):
    return opened(files)


def requests(text2speech, voice):
    return [text2speech.prepare(Request(text, voice, "b c", seed=seed)) for seed, text in enumerate(TEXTS)]


def served(scheduler, prepared, streamed=False, pause=2):
    """Pieces of each request, all asked for with some steps between them."""
    pieces = {}
    waiting = list(enumerate(prepared))
    step = 0
    while waiting or not scheduler.idle:
        if waiting and step % pause == 0:
            scheduler.submit(*waiting.pop(0), streamed)
        for piece in scheduler.step():
            pieces.setdefault(piece.ticket, []).append(piece)
        step += 1
    return pieces


def sound(pieces):
    return np.concatenate([piece.wav for piece in pieces])


@pytest.mark.parametrize("rows", [2, 16])
@pytest.mark.parametrize("options", [{}, {"best_of": 2, "retries": 2}], ids=["plain", "candidates, retries"])
def test_a_whole_request_gets_what_it_gets_alone(files, voice, rows, options):
    text2speech = opened(files, **options)
    prepared = requests(text2speech, voice)
    pieces = served(Scheduler(text2speech, rows), prepared)
    for ticket, text in enumerate(TEXTS):
        alone = text2speech(text, voice, "b c", seed=ticket)
        (piece,) = pieces[ticket]
        assert piece.outcome is alone.outcome
        assert np.array_equal(piece.wav, alone.wav.numpy())


def test_a_stream_gets_what_it_gets_alone_in_chunks(text2speech, voice):
    streamer = Streamer.of(text2speech, Chunks(4, 10))
    pieces = served(Scheduler(text2speech, 3, streamer), requests(text2speech, voice), streamed=True)
    alone = streamer.synthesise(requests(text2speech, voice))
    for ticket, speech in enumerate(alone):
        assert pieces[ticket][-1].outcome is speech.outcome
        assert all(piece.outcome is None for piece in pieces[ticket][:-1])
        assert np.array_equal(sound(pieces[ticket]), speech.wav.numpy())
    assert max(map(len, pieces.values())) > 1


def test_what_is_cancelled_gives_its_place_to_others(text2speech, voice):
    scheduler = Scheduler(text2speech, 1)
    first, second, *_ = requests(text2speech, voice)
    scheduler.submit(1, first, True)
    scheduler.submit(2, second, False)
    scheduler.step()
    assert scheduler.rows == 1
    scheduler.cancel(1)
    pieces = []
    while not scheduler.idle:
        pieces += scheduler.step()
    assert {piece.ticket for piece in pieces} == {2}
    assert not scheduler._decoder.results
    scheduler.cancel(2)  # is no error


def test_one_that_fails_says_so_and_the_others_go_on(text2speech, voice, monkeypatch):
    choose = text2speech.choose

    def failing(prepared, candidates):
        if prepared[0].request.text == "c":
            raise FloatingPointError("not finite")
        return choose(prepared, candidates)

    monkeypatch.setattr(text2speech, "choose", failing)
    pieces = served(Scheduler(text2speech, 8), requests(text2speech, voice)[:3])
    failed = pieces[1][-1]
    assert failed.failed
    assert failed.last
    assert (failed.outcome, failed.problem) == (None, "not finite")
    assert all(pieces[ticket][-1].outcome for ticket in (0, 2))


def test_words_that_were_never_learnt_are_told_with_the_last_piece(text2speech, voice):
    prepared = text2speech.prepare(Request("a z", voice, "b c"))
    with torch.inference_mode():
        for streamed in (False, True):
            pieces = served(Scheduler(text2speech, 2), [prepared], streamed)[0]
            assert "never learnt" in pieces[-1].problem
            assert pieces[-1].outcome is not Outcome.OK
