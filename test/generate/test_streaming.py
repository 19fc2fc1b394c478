import itertools
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch

from espnet2_valle.bin import valle_stream
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.seeds import seed_of
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.generate.request import Request
from espnet2_valle.generate.say import cut_text
from espnet2_valle.generate.sentences import Sentence, read_text
from espnet2_valle.generate.streaming import Streamer, choose_chunks
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.valle.chunks import Chunks

from .conftest import RATE, buzz


@pytest.fixture(scope="module")
def text2speech(files):
    return Text2Speech.from_files(**files, min_duration_ratio=0.9)


def request(text2speech, text="a b c a", pitch=110, seed=0):
    return text2speech.prepare(Request(text, buzz(pitch, 1.0), "b c", RATE, seed))


def streamed(streamer, prepared):
    state = streamer.start(prepared)
    return list(streamer.run(state)), state


@pytest.mark.parametrize("chunks", [Chunks(4, 10), Chunks(10, 10), Chunks(3, 1), Chunks(7, 3)])
def test_joined_chunks_are_the_whole(text2speech, chunks):
    streamer = Streamer.of(text2speech, chunks)
    for seed in range(2):
        prepared = request(text2speech, seed=seed)
        wavs, state = streamed(streamer, prepared)
        wav, codes, outcome = streamer.whole(prepared)
        assert torch.equal(torch.cat(state.codes), codes)
        assert np.array_equal(np.concatenate(wavs), wav)
        assert state.outcome is outcome
        assert len(wav) == pytest.approx(len(codes) / 50 * text2speech.fs, abs=1)
        bounds = list(chunks.bounds(len(codes)))
        assert [len(part) for part in state.codes] == [end - start for start, end in bounds]


def test_streams_that_share_a_model_do_not_meet(text2speech):
    streamer = Streamer.of(text2speech, Chunks(4, 10))
    prepared = [
        request(text2speech, text, pitch, n) for n, (text, pitch) in enumerate([("a b c", 110), ("c a", 220)])
    ]
    alone = [np.concatenate(streamed(streamer, each)[0]) for each in prepared]
    states = [streamer.start(each) for each in prepared]
    together = [[], []]
    for wavs in itertools.zip_longest(*(streamer.run(state) for state in states), fillvalue=np.zeros(0)):
        for heard, wav in zip(together, wavs, strict=True):
            heard.append(wav)
    for heard, expected in zip(together, alone, strict=True):
        assert np.array_equal(np.concatenate(heard), expected)
    assert not np.array_equal(alone[0], alone[1])


def test_the_first_chunk_leaves_before_the_last_code_is_drawn(files):
    text2speech = Text2Speech.from_files(**files, watermark="none")  # which would hold more back
    streamer = Streamer.of(text2speech, Chunks(4, 10))
    state = streamer.start(request(text2speech))
    wav = streamer.advance(state)
    assert not state.ar.finished
    held_back = round(text2speech.codec.right_context * 50)
    assert len(wav) == (4 - held_back) * text2speech.codec.hop_length


def test_a_model_that_ends_at_once_has_not_spoken(files, monkeypatch):
    silent = Text2Speech.from_files(**files, min_duration_ratio=0.0)
    monkeypatch.setattr(silent.ar, "_predict", ending(silent.ar))
    streamer = Streamer.of(silent)
    wavs, state = streamed(streamer, request(silent))
    assert wavs == []
    assert state.outcome is Outcome.NO_SPEECH
    assert streamer.whole(request(silent))[2] is Outcome.NO_SPEECH


def ending(model):
    """Logits that allow the end alone."""

    def predict(hidden):
        logits = torch.full((*hidden.shape[:2], model.group_size, model.end + 1), -1e9)
        logits[..., model.end] = 0.0
        return logits

    return predict


def test_a_model_trained_whole_is_named(text2speech, caplog):
    Streamer.of(text2speech)
    assert "trained without chunk_frames" in caplog.text
    assert "best_of" not in caplog.text


def test_options_that_a_stream_cannot_use_are_named(files, caplog):
    Streamer.of(Text2Speech.from_files(**files, best_of=2))
    assert "best_of and retries are not used" in caplog.text


def test_chunks_are_those_of_training(text2speech, monkeypatch):
    assert choose_chunks(text2speech.nar, 50.0) == Chunks(10, 25)
    assert choose_chunks(text2speech.nar, 50.0, 0.1, 0.04) == Chunks(2, 2)
    monkeypatch.setattr(text2speech.nar, "chunk_frames", 40)
    assert choose_chunks(text2speech.nar, 50.0) == Chunks(10, 40)
    assert choose_chunks(text2speech.nar, 50.0, seconds=0.3) == Chunks(10, 15)


def test_a_batch_of_streams_has_what_a_batch_has(text2speech):
    streamer = Streamer.of(text2speech, Chunks(4, 10))
    requests = [
        Request("a b c", buzz(110, 1.0), "b c", RATE, 1),
        Request("a", np.zeros(RATE, dtype=np.float32), "b", RATE),
        Request("c a", buzz(220, 1.0), "a", RATE, 2),
    ]
    first, rejected, last = text2speech.batch(requests, streamer.synthesise)
    plain = text2speech.batch(requests)
    assert rejected["outcome"] is Outcome.PROMPT_REJECTED
    for streamed_one, plain_one, asked in ((first, plain[0], requests[0]), (last, plain[2], requests[2])):
        wav, codes, outcome = streamer.whole(text2speech.prepare(asked))
        assert np.array_equal(streamed_one["wav"].numpy(), wav)
        assert torch.equal(streamed_one["codes"], codes)
        assert streamed_one["outcome"] is outcome
        assert streamed_one.keys() == plain_one.keys()
        assert torch.equal(streamed_one["codes"][:, 0], plain_one["codes"][:, 0])  # the same random numbers
        assert streamed_one["log_probability"] == pytest.approx(plain_one["log_probability"], abs=1e-5)


def options(files, system, output):
    prompt = system / "data" / "wav" / "low_0.wav"
    command = [*[f"--{name}={path}" for name, path in files.items()], "--min_duration_ratio=0.9"]
    return [
        *command,
        "--text=a b c",
        f"--prompt_speech={prompt}",
        "--prompt_text=a b",
        f"--output_wav={output}",
    ]


def test_the_command_writes_what_the_stream_says(files, system, tmp_path, capsysbinary):
    valle_stream.main(options(files, system, tmp_path / "out.wav"))
    written, rate = soundfile.read(tmp_path / "out.wav", dtype="int16")
    assert rate == RATE
    assert b"of speech in" in capsysbinary.readouterr().err
    valle_stream.main(options(files, system, "-"))
    piped = np.frombuffer(capsysbinary.readouterr().out, dtype="<i2")
    assert np.abs(piped.astype(int) - written).max() <= 1
    with pytest.raises(InputError, match="--chunk_seconds"):
        valle_stream.main([*options(files, system, "-"), "--chunk_seconds=0.001"])


def test_nothing_but_samples_goes_to_standard_output(files, system, tmp_path):
    valle_stream.main(options(files, system, tmp_path / "out.wav"))
    command = [sys.executable, "-m", "espnet2_valle.bin.valle_stream", *options(files, system, "-")]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    assert len(done.stdout) == 2 * soundfile.info(tmp_path / "out.wav").frames


def test_the_file_that_streams_go_to_has_the_format_of_its_name(files, system, tmp_path):
    for name in ("out.wav", "out.flac"):
        valle_stream.main(options(files, system, tmp_path / name))
    assert soundfile.info(tmp_path / "out.flac").format == "FLAC"
    flac, wav = (soundfile.read(tmp_path / name, dtype="int16")[0] for name in ("out.flac", "out.wav"))
    assert np.abs(flac.astype(int) - wav).max() <= 1
    with pytest.raises(InputError, match="out.txt has '.txt'"):
        valle_stream.main(options(files, system, tmp_path / "out.txt"))


def test_sentences_are_streams_one_behind_the_other(text2speech):
    streamer = Streamer.of(text2speech, Chunks(4, 10))
    voice = PreparedPrompt.encode(buzz(110, 1.0), "b c", text2speech.codec)
    taken = []

    def sentences():
        for text, pause in (("a b", 0.1), ("c a", 0.0)):
            taken.append(text)
            yield Sentence(text, pause)

    stream = streamer.read(text2speech, sentences(), voice)
    heard = [next(stream)]
    assert taken == ["a b"]  # what comes later may not be written yet
    heard += stream
    alone = []
    for number, (text, pause) in enumerate((("a b", 2400), ("c a", 0))):
        asked = Request(text, voice, seed=seed_of(text2speech.seed, number))
        alone += [*streamed(streamer, text2speech.prepare(asked))[0], np.zeros(pause)]
    assert np.array_equal(np.concatenate(heard), np.concatenate(alone))


def test_the_command_cuts_long_texts(files, system, tmp_path):
    pytest.importorskip("sentencex")
    (tmp_path / "text").write_text("a b. c a\n\nb\n")
    given = [
        option for option in options(files, system, tmp_path / "out.wav") if not option.startswith("--text")
    ]
    conf = find("longform.yaml")
    given += [f"--longform_config={conf}", f"--text_file={tmp_path}/text", "--max_words=2"]
    text = read_text(tmp_path / "text")
    assert [one.text for one in cut_text(text, 2, conf)] == ["a b.", "c a", "b"]
    valle_stream.main(given)
    assert soundfile.info(tmp_path / "out.wav").duration > 2 * 0.8  # two paragraphs with their pauses
    for more, message in (["--text=a"], "Give one"), (["--max_words=0"], "--max_words: 0"):
        with pytest.raises(InputError, match=message):
            valle_stream.main([*given, *more])
