import json
import shutil

import numpy as np
import pytest
import soundfile
import torch
import yaml

from espnet2_valle.asr.recognizer import AbsRecognizer
from espnet2_valle.bin import codec_fit, valle_prepare_prompt
from espnet2_valle.codec.build import load_codec
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.prepared_prompt import PreparedPrompt, load_prompt, open_prompt
from espnet2_valle.generate.request import Request
from espnet2_valle.generate.text2speech import Text2Speech

from .conftest import RATE, buzz


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
    text2speech = Text2Speech(**files)
    soundfile.write(tmp_path / "voice.wav", buzz(110, 1.0), RATE, subtype="FLOAT")
    expected = text2speech.prepare(Request("c", tmp_path / "voice.wav", "a b"))
    prompt = PreparedPrompt.encode(load_prompt(tmp_path / "voice.wav", None, RATE), "a b", codec)
    prompt.save(tmp_path / "voice.npz")
    for given in (prompt, tmp_path / "voice.npz", str(tmp_path / "voice.npz")):
        prepared = text2speech.prepare(Request("c", given))
        assert torch.equal(prepared.prompt, expected.prompt)
        assert torch.equal(prepared.text, expected.text)
        assert prepared.limits == expected.limits
    with pytest.raises(InputError, match="prompt_text"):
        text2speech.prepare(Request("c", tmp_path / "voice.wav"))
    with pytest.raises(InputError, match="prompt_text"):
        PreparedPrompt.encode(buzz(110, 1.0), " ", codec)


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


class Ears(AbsRecognizer):
    def transcribe(self, wav, rate):
        assert rate == RATE
        return "a b" if len(wav) < 4.2 * RATE else "too much"


def options(system, folder):
    command = [f"--codec_config={system}/codec/codec.yaml", f"--output={folder}/voice.npz", "--voices=no"]
    return [*command, f"--prompt_speech={folder}/recording.flac", f"--report={folder}/report.json"]


def test_the_command_cuts_transcribes_and_reports(system, codec, tmp_path, monkeypatch, capsys):
    pause = np.zeros(RATE // 2, dtype=np.float32)
    wav = np.concatenate([pause, *[part for n in range(3) for part in (buzz(120, 2.6, n), pause)]])
    soundfile.write(tmp_path / "recording.flac", np.stack([wav, wav], axis=1), RATE)
    monkeypatch.setattr(valle_prepare_prompt, "_recognizer", lambda choice: Ears())
    valle_prepare_prompt.main([*options(system, tmp_path), f"--output_wav={tmp_path}/heard.wav"])
    prompt = PreparedPrompt.load(tmp_path / "voice.npz", codec)
    report = json.loads((tmp_path / "report.json").read_text())
    assert prompt.text == report["text"] == "a b"
    assert report["channels"] == 2
    assert report["end"] - report["start"] < 4.2
    assert len(soundfile.read(tmp_path / "heard.wav")[0]) == len(prompt.wav)
    assert "please check: a b" in capsys.readouterr().out
    valle_prepare_prompt.main([*options(system, tmp_path), "--prompt_text=a b c"])
    whole = PreparedPrompt.load(tmp_path / "voice.npz", codec)
    assert whole.text == "a b c"
    assert len(whole.wav) > 8 * RATE


def test_the_command_says_what_it_cannot_do(system, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "recording.flac", buzz(120, 1.0), RATE)
    command = options(system, tmp_path)
    monkeypatch.setattr(Ears, "transcribe", lambda self, wav, rate: "")
    monkeypatch.setattr(valle_prepare_prompt, "_recognizer", lambda choice: Ears())
    for added, message in (
        ([], "hears no word"),
        (["--model_tag=x.zip"], "--codec_config: one of it"),
        ([f"--output={tmp_path}/voice.wav"], "--output"),
        (["--seconds=0"], "--seconds"),
    ):
        with pytest.raises(InputError, match=message):
            valle_prepare_prompt.main([*command, *added])
    assert not (tmp_path / "voice.npz").exists()


def test_judges_are_found_by_their_directory(tmp_path):
    shutil.rmtree(tmp_path)
    with pytest.raises(InputError, match="no trained judge"):
        valle_prepare_prompt._recognizer(str(tmp_path))
