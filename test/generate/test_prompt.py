"""The one way from a prompt, whatever it is given as, to codes."""

import dataclasses

import numpy as np
import pytest
import soundfile
import torch
import yaml

from espnet2_valle.bin import codec_fit
from espnet2_valle.codec.build import load_codec
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.prompt import Given, PreparedPrompt, load_prompt, open_prompt, open_prompts
from espnet2_valle.generate.request import Request
from espnet2_valle.generate.text2speech import Text2Speech

from .conftest import RATE, buzz


def test_file_and_samples_are_the_same_prompt(tmp_path):
    wav = buzz(120, 1.0)
    soundfile.write(tmp_path / "p.wav", wav, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(load_prompt(tmp_path / "p.wav", None, RATE), load_prompt(wav, RATE, RATE))


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_any_rate_is_brought_to_the_codecs(rate):
    time = np.arange(rate) / rate
    wav = (0.3 * np.sin(2 * np.pi * 200 * time)).astype(np.float32)
    out = load_prompt(wav, rate, RATE)
    assert abs(len(out) - RATE) < RATE * 0.01
    peak = np.fft.rfft(out).__abs__().argmax() * RATE / len(out)
    assert abs(peak - 200) < 3


def test_stereo_is_mixed_down_and_said(caplog):
    wav = buzz(120, 1.0)
    mixed = load_prompt(np.stack([wav, wav], axis=1), RATE, RATE)
    np.testing.assert_allclose(mixed, load_prompt(wav, RATE, RATE), atol=1e-6)
    assert "2 channels" in caplog.text


@pytest.mark.parametrize("share", [1.0, 0.98, 0.8])
def test_channels_of_opposite_phase_are_heard_and_the_reason_is_told(tmp_path, caplog, share):
    wav = buzz(120, 1.0)
    both = np.stack([wav, -share * wav], axis=1)
    soundfile.write(tmp_path / "p.wav", both, RATE, subtype="FLOAT")
    for prompt, rate in ((both, RATE), (tmp_path / "p.wav", None)):
        caplog.clear()
        np.testing.assert_array_equal(load_prompt(prompt, rate, RATE), load_prompt(wav, RATE, RATE))
        assert "the mean of its channels cancels them (opposite phase" in caplog.text


def test_a_long_prompt_is_told_with_what_to_do(tmp_path, caplog):
    load_prompt(buzz(120, 4.0), RATE, RATE)
    assert caplog.text == ""
    soundfile.write(tmp_path / "long.wav", np.tile(buzz(120, 3.0), 7), RATE)
    load_prompt(tmp_path / "long.wav", None, RATE)
    assert "long.wav: 21.0 s long; about 3 s are enough" in caplog.text
    assert "valle_prepare_prompt" in caplog.text


def test_16_bit_samples_are_scaled():
    wav = buzz(120, 1.0)
    loaded = load_prompt((wav * 32767).astype(np.int16), RATE, RATE)
    np.testing.assert_allclose(loaded, load_prompt(wav, RATE, RATE), atol=1e-3)


def test_silent_edges_are_trimmed_to_a_margin():
    wav = buzz(120, 1.0)
    padded = np.concatenate([np.zeros(RATE), wav, np.zeros(RATE)]).astype(np.float32)
    assert 1.0 <= len(load_prompt(padded, RATE, RATE)) / RATE <= 1.15
    np.testing.assert_array_equal(load_prompt(padded, RATE, RATE, trim=False), padded)


def test_a_model_that_is_to_leave_them_hears_the_whole_prompt(files):
    wav = buzz(120, 1.0)
    padded = np.concatenate([np.zeros(RATE), wav, np.zeros(RATE)]).astype(np.float32)
    trimmed, whole = (Text2Speech.from_files(**files, trim_prompt=trim) for trim in (True, False))
    length = len(whole.encode_prompt(padded, RATE))
    assert length == pytest.approx(3 * whole.codec.frame_rate, abs=1)
    assert len(trimmed.encode_prompt(padded, RATE)) < length / 2
    assert len(whole.prepare(Request("c", padded, "a b", RATE)).prompt) == length


@pytest.mark.parametrize(
    ("wav", "message"),
    [
        (buzz(120, 0.2), "lasts 0.20 s"),
        (np.zeros(RATE, dtype=np.float32), "silent"),
        (np.sign(buzz(120, 1.0)), "clipped"),
        (np.full(RATE, np.nan, dtype=np.float32), "NaN"),
        (np.zeros((2, 2, RATE), dtype=np.float32), "shape"),
    ],
)
def test_prompts_that_cannot_serve(wav, message):
    with pytest.raises(InputError, match=message):
        load_prompt(wav, RATE, RATE)


def test_samples_need_their_rate(tmp_path):
    with pytest.raises(InputError, match="prompt_fs"):
        load_prompt(buzz(120, 1.0), None, RATE)
    with pytest.raises(InputError, match="no such audio file"):
        load_prompt(tmp_path / "none.wav", None, RATE)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(InputError, match="not a readable sound file"):
        load_prompt(tmp_path / "text.wav", None, RATE)


@pytest.fixture(scope="module")
def codec(system):
    return load_codec(system / "codec" / "codec.yaml")


def test_what_is_saved_comes_back(codec, tmp_path):
    prompt = PreparedPrompt.encode(buzz(110, 1.0), "a b", codec)
    prompt.save(tmp_path / "voice.npz")
    loaded = PreparedPrompt.load(tmp_path / "voice.npz", codec)
    assert (loaded.text, loaded.spec) == ("a b", codec.spec)
    np.testing.assert_array_equal(loaded.codes, codec.encode(buzz(110, 1.0)))
    np.testing.assert_array_equal(loaded.wav, prompt.wav)
    again = tmp_path / "again.npz"
    loaded.save(again)
    assert again.read_bytes() == (tmp_path / "voice.npz").read_bytes()


def test_whatever_a_prompt_is_given_as(files, codec, tmp_path):
    text2speech = Text2Speech.from_files(**files)
    soundfile.write(tmp_path / "voice.wav", buzz(110, 1.0), RATE, subtype="FLOAT")
    expected = text2speech.prepare(Request("c", tmp_path / "voice.wav", "a b"))
    prompt = PreparedPrompt.encode(load_prompt(tmp_path / "voice.wav", None, RATE), "a b", codec)
    prompt.save(tmp_path / "voice.npz")
    for given in (prompt, tmp_path / "voice.npz", str(tmp_path / "voice.npz")):
        prepared = text2speech.prepare(Request("c", given))
        assert torch.equal(prepared.prompt, expected.prompt)
        assert torch.equal(prepared.text, expected.text)
        assert prepared.limits == expected.limits
    samples, codes = torch.from_numpy(buzz(110, 1.0)), text2speech.encode_prompt(buzz(110, 1.0), RATE)
    for given, rate in ((samples, RATE), (codes, None)):
        assert torch.equal(text2speech.prepare(Request("c", given, "a b", rate)).prompt, expected.prompt)
        assert np.array_equal(open_prompt(given, "a b", rate, codec).codes, expected.prompt.numpy())
    with pytest.raises(InputError, match="prompt_text"):
        text2speech.prepare(Request("c", tmp_path / "voice.wav"))
    with pytest.raises(InputError, match="prompt_text"):
        PreparedPrompt.encode(buzz(110, 1.0), " ", codec)


def test_prompts_of_a_batch_are_encoded_at_once_and_are_those_of_each_alone(codec, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "voice.wav", buzz(110, 1.0), RATE, subtype="FLOAT")
    PreparedPrompt.encode(buzz(150, 1.0), "c", codec).save(tmp_path / "voice.npz")
    given = [
        Given(tmp_path / "voice.wav", "a b"),
        Given(tmp_path / "gone.wav", "a"),
        Given(tmp_path / "voice.npz"),
        Given(buzz(220, 1.4), "c", RATE),
        Given(buzz(180, 1.4), None, RATE),
    ]
    asked = []
    encode_batch = type(codec).encode_batch
    monkeypatch.setattr(
        type(codec), "encode_batch", lambda self, wavs: asked.append(len(wavs)) or encode_batch(self, wavs)
    )
    voices = open_prompts(given, codec)
    assert asked == [2]
    for place in (0, 2, 3):
        alone = open_prompt(*dataclasses.astuple(given[place]), codec)
        np.testing.assert_array_equal(voices[place].codes, alone.codes)
        np.testing.assert_array_equal(voices[place].wav, alone.wav)
        assert (voices[place].text, voices[place].spec) == (alone.text, alone.spec)
    assert "gone.wav" in str(voices[1])
    assert "prompt_text: is empty" in str(voices[4])


def test_another_codec_is_refused(system, codec, tmp_path):
    PreparedPrompt.encode(buzz(110, 1.0), "a b", codec).save(tmp_path / "voice.npz")
    config = yaml.safe_load((system / "world.yaml").read_text())
    fits = {"other": {**config, "fit": {"seed": 7}}, "small": {**config, "codebook_size": 8}}

    for name, message in (("other", "other codebooks"), ("small", "codebook_size=16.*codebook_size=8")):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(fits[name]))
        command = ["--codec=world", f"--config={tmp_path}/{name}.yaml", f"--wav_scp={system}/data/wav.scp"]
        codec_fit.main([*command, f"--output_dir={tmp_path}/{name}"])
        with pytest.raises(InputError, match=message):
            PreparedPrompt.load(tmp_path / "voice.npz", load_codec(tmp_path / name / "codec.yaml"))
        prompt = PreparedPrompt.load(tmp_path / "voice.npz", codec)
        other = load_codec(tmp_path / name / "codec.yaml")
        with pytest.raises(InputError, match=f"prompt_speech: was made.*{message}"):
            open_prompt(prompt, None, None, other)


def test_files_that_are_no_prompt(codec, tmp_path):
    with pytest.raises(InputError, match="no such prepared prompt"):
        PreparedPrompt.load(tmp_path / "none.npz", codec)
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    for name in ("text", "other"):
        with pytest.raises(InputError, match="not a prepared prompt"):
            PreparedPrompt.load(tmp_path / f"{name}.npz", codec)
