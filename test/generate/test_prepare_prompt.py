"""The command that makes a prompt of a recording."""

import json
import shutil

import numpy as np
import pytest
import soundfile

from espnet2_valle.asr.recognizer import AbsRecognizer
from espnet2_valle.bin import valle_prepare_prompt
from espnet2_valle.codec.build import load_codec
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.prompt import PreparedPrompt

from .conftest import RATE, buzz


@pytest.fixture(scope="module")
def codec(system):
    return load_codec(system / "codec" / "codec.yaml")


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
    monkeypatch.setattr(valle_prepare_prompt, "open_recognizer", lambda choice: Ears())
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
    monkeypatch.setattr(valle_prepare_prompt, "open_recognizer", lambda choice: Ears())
    for added, message in (
        ([], "hears no word"),
        (["--model_tag=some/model"], "--codec_config: one of it"),
        ([f"--output={tmp_path}/voice.wav"], "--output"),
        (["--seconds=0"], "--seconds"),
    ):
        with pytest.raises(InputError, match=message):
            valle_prepare_prompt.main([*command, *added])
    assert not (tmp_path / "voice.npz").exists()


def test_judges_are_found_by_their_directory(tmp_path):
    shutil.rmtree(tmp_path)
    with pytest.raises(InputError, match="no trained recogniser"):
        valle_prepare_prompt.open_recognizer(str(tmp_path))
