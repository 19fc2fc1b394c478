"""No speech leaves unsigned, whichever way it takes."""

import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import espnet2_valle
from espnet2_valle.bin import valle_inference, valle_longform, valle_stream
from espnet2_valle.generate.opening import open_streamer, open_text2speech
from espnet2_valle.generate.options import DecodingOptions
from espnet2_valle.generate.request import Request
from espnet2_valle.generate.scheduler import Scheduler, run
from espnet2_valle.generate.streaming import Streamer
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.mark.abs_watermark import AbsMarkStream, AbsWatermark, Detection
from espnet2_valle.mark.registry import DEFAULT, WATERMARKS
from espnet2_valle.zoo.trained import ModelFiles

from .conftest import RATE, buzz

STAMP = 0.25  # what becomes of every sample that is signed


class Stamp(AbsWatermark):
    """Puts one value in place of all samples, and holds some back."""

    def __init__(self, key, payload):
        self.key, self.payload = key, payload

    def stream(self, rate):
        return StampStream()

    def detect(self, wav, rate):
        return Detection(True, 0.0)


class StampStream(AbsMarkStream):
    def __init__(self):
        self._held = 0

    def push(self, wav):
        self._held += len(wav)
        return self._give(self._held // 2)

    def flush(self):
        return self._give(self._held)

    def _give(self, count):
        self._held -= count
        return np.full(count, STAMP, dtype=np.float32)


@pytest.fixture
def model(files, monkeypatch):
    """Words that name a model; what is signed by default gets the stamp."""
    monkeypatch.setitem(WATERMARKS._entries, DEFAULT, Stamp)
    open_text2speech.cache_clear()
    open_streamer.cache_clear()
    yield [word for name, value in files.items() for word in (f"--{name}", value)]
    open_text2speech.cache_clear()
    open_streamer.cache_clear()


@pytest.fixture
def text2speech(model, files):
    return Text2Speech.from_files(**files)


def request(text="a b"):
    return Request(text, buzz(110, 1.0), "b c", RATE)


def signed(wav):
    """Tell whether all that is heard in (S,) was signed, at whatever level it is."""
    heard = np.abs(np.asarray(wav, dtype=np.float64))
    heard = heard[heard > 1e-3]
    return len(heard) > 0 and np.ptp(heard) < 1e-3


def chunks(streamer, prepared):
    return np.concatenate(list(streamer.run(streamer.start(prepared))))


PYTHON = {
    "call": lambda model: model("a b", buzz(110, 1.0), "b c", RATE).wav.numpy(),
    "batch": lambda model: model.batch([request(), request()])[1].wav.numpy(),
    "stream": lambda model: chunks(Streamer.of(model), model.prepare(request())),
    "stream as a whole": lambda model: Streamer.of(model).whole(model.prepare(request()))[0],
    "stream of pairs": lambda model: Streamer.of(model).synthesise([model.prepare(request())])[0].wav.numpy(),
    "service": lambda model: scheduled(model, streamed=False),
    "service that streams": lambda model: scheduled(model, streamed=True),
}


def scheduled(model, streamed):
    scheduler = Scheduler(model, 2)
    scheduler.submit(0, model.prepare(request()), streamed)
    return np.concatenate([piece.wav for piece in run(scheduler)[0]])


@pytest.mark.parametrize("path", PYTHON)
def test_from_python(path, text2speech):
    assert signed(PYTHON[path](text2speech))


def test_from_the_command_line(model, system, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "me.wav", buzz(110, 1.0), RATE)
    (tmp_path / "long.txt").write_text("a b. b c.")
    voice = [*model, "--prompt_speech", str(tmp_path / "me.wav"), "--prompt_text", "b c", "--output_wav"]
    say = ["--text", "a b", *voice]
    valle_inference.main([*say, f"{tmp_path}/say.wav"])
    valle_stream.main([*say, f"{tmp_path}/stream.wav"])
    valle_longform.main(["--text_file", f"{tmp_path}/long.txt", *voice, f"{tmp_path}/longform.wav"])
    pairs = ["--pairs", f"{system}/pairs", "--data_dir", f"{system}/data", *model]
    valle_inference.main([*pairs, "--output_dir", f"{tmp_path}/decode"])
    valle_inference.main([*pairs, "--output_dir", f"{tmp_path}/streamed", "--streaming", "true"])
    written = sorted(tmp_path.rglob("*.wav"))
    assert len(written) == 1 + 3 + 3 + 3
    for path in written:
        assert signed(soundfile.read(path)[0]) == (path.name != "me.wav"), path


def test_raw_samples_on_standard_output(model, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "me.wav", buzz(110, 1.0), RATE)
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=raw, write=sys.stdout.write))
    voice = ["--prompt_speech", str(tmp_path / "me.wav"), "--prompt_text", "b c"]
    valle_stream.main([*model, "--text", "a b", *voice, "--output_wav", "-"])
    assert signed(np.frombuffer(raw.getvalue(), dtype="<i2") / 32768)


def test_it_can_be_turned_off(model, files):
    unsigned = Text2Speech.from_files(**files, watermark="none")
    assert not signed(PYTHON["call"](unsigned))
    assert not signed(PYTHON["stream"](unsigned))


def test_no_other_code_makes_sound_of_codes():
    """A new way from codes to a waveform has to pass the tail, and be tested above."""
    package = Path(espnet2_valle.__file__).parent
    makes = re.compile(r"codec\.decode(_batch|_part|_latent)?\(|\bCodecStream\(")
    rooms = [
        room for room in ("generate", "serve", "listening", "report", "bin") if (package / room).is_dir()
    ]
    found = {
        path.relative_to(package).as_posix()
        for room in rooms
        for path in (package / room).glob("*.py")
        if makes.search(path.read_text())
    }
    assert found == {"generate/text2speech.py", "generate/streaming.py", "generate/diffusion.py"}


def test_what_a_diffusion_model_says(ns2_files, monkeypatch, system, tmp_path):
    monkeypatch.setitem(WATERMARKS._entries, DEFAULT, Stamp)
    open_text2speech.cache_clear()
    model = Text2Speech.open(ModelFiles(**ns2_files), "cpu", DecodingOptions())
    assert signed(PYTHON["call"](model))
    assert signed(PYTHON["batch"](model))
    words = [word for name, value in ns2_files.items() for word in (f"--{name}", value)]
    pairs = ["--pairs", f"{system}/pairs", "--data_dir", f"{system}/data", *words]
    valle_inference.main([*pairs, "--output_dir", f"{tmp_path}/decode"])
    soundfile.write(tmp_path / "me.wav", buzz(110, 1.0), RATE)
    (tmp_path / "long.txt").write_text("a b. b c.")
    voice = [*words, "--prompt_speech", str(tmp_path / "me.wav"), "--prompt_text", "b c", "--output_wav"]
    valle_inference.main(["--text", "a b", *voice, f"{tmp_path}/say.wav"])
    valle_longform.main(["--text_file", f"{tmp_path}/long.txt", *voice, f"{tmp_path}/longform.wav"])
    open_text2speech.cache_clear()
    written = sorted(tmp_path.rglob("*.wav"))
    assert len(written) == 1 + 3 + 2
    for path in written:
        assert signed(soundfile.read(path)[0]) == (path.name != "me.wav"), path
