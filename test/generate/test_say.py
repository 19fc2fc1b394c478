"""`valle say`: a text from anywhere, a voice with or without its text, speech to wherever."""

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from espnet2_valle.asr.recognizer import AbsRecognizer
from espnet2_valle.bin import valle_inference
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate import arguments

from .conftest import RATE, buzz


class Ears(AbsRecognizer):
    def transcribe(self, wav, rate):
        return "b c"


class Card(SimpleNamespace):
    """Stands for the module sounddevice."""

    class PortAudioError(Exception):
        pass

    def query_devices(self, kind):
        return {"name": kind}

    def play(self, wav, rate, blocking):
        self.heard = wav, rate


@pytest.fixture
def say(files, tmp_path, monkeypatch):
    """Call the command with some words, in a folder with a voice and texts."""
    soundfile.write(tmp_path / "me.wav", buzz(110, 1.0), RATE)
    (tmp_path / "short.txt").write_text("a b")
    monkeypatch.chdir(tmp_path)
    model = [word for name, value in files.items() for word in (f"--{name}", value)]

    def run(*words, prompt_text="b c", stdin=b""):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin)))
        text = ["--prompt_text", prompt_text] if prompt_text else []
        valle_inference.main([*words, "--prompt", "me.wav", *text, *model])

    return run


@pytest.fixture
def reference(say, tmp_path):
    say("--text", "a b", "--output_wav", "reference.wav")
    return (tmp_path / "reference.wav").read_bytes()


def test_words_a_file_and_standard_input_say_the_same(say, reference, tmp_path):
    for number, words in enumerate((("a b",), ("--text_file", "short.txt"), ("-",))):
        say(*words, "-o", f"{number}.wav", stdin=b"a b\n" if words == ("-",) else b"")
        assert (tmp_path / f"{number}.wav").read_bytes() == reference


def test_a_pipe_gets_a_sound_file_and_nothing_else(say, reference, capfdbinary):
    say("a b", "-o", "-")
    assert capfdbinary.readouterr().out == reference


def test_without_a_file_the_sound_card_plays(say, reference, monkeypatch):
    card = Card()
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    say("a b")
    wav, rate = card.heard
    assert rate == RATE
    assert np.array_equal(wav, soundfile.read(io.BytesIO(reference), dtype="float32")[0])


def test_a_machine_without_a_sound_card_says_so_before_any_work(say, monkeypatch):
    card = Card(query_devices=lambda kind: (_ for _ in ()).throw(Card.PortAudioError("no device")))
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    monkeypatch.setattr(valle_inference, "say", None)
    with pytest.raises(InputError, match="sound card: cannot be played on .no device.. Give --output_wav"):
        say("a b")


def test_a_voice_without_its_text_is_transcribed(say, reference, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(arguments, "open_recognizer", lambda choice: Ears())
    say("a b", "-o", "heard.wav", prompt_text=None)
    assert "please check: b c" in capsys.readouterr().err
    assert soundfile.info(tmp_path / "heard.wav").frames > 0


def test_a_long_text_is_said_sentence_by_sentence(say, tmp_path, capsys):
    pytest.importorskip("sentencex")
    say("-", "-o", "long.flac", stdin=b"Abc cab bac cabca abcab. " * 3)
    assert soundfile.info(tmp_path / "long.flac").frames > 0
    counts = capsys.readouterr().out.removeprefix("long.flac: ").split(", ")
    assert sum(int(one.split()[0]) for one in counts) == 3


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        (("a", "--text", "b"), b"", "given twice"),
        ((), b"", "one of it and --text_file is needed"),
        (("a", "--text_file", "short.txt"), b"", "one of it and --text_file is needed"),
        (("-",), b"", "standard input: is empty"),
        (("-",), b"\xff\xfe", "standard input: is not UTF-8"),
    ],
)
def test_a_text_that_is_not_one_is_refused(say, words, stdin, message):
    with pytest.raises(InputError, match=message):
        say(*words, "-o", "a.wav", stdin=stdin)
