"""Lengths and pitches are compared with what was asked for."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from codec_samples import vowel

from espnet2_valle.bench import control
from espnet2_valle.generate.control_lines import split_control
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.speech import Speech

RATE, PITCH, SECONDS = 16000, 150.0, 1.2


class Obedient:
    """Says a vowel, nearly at the speed and nearly at the pitch that is asked for."""

    seed = 0

    def batch(self, requests):
        return [self.say(split_control(request.control)[0]) for request in requests]

    def say(self, asked):
        off = 0.02 if asked.speed != 1 else 0.0
        pitch = PITCH * 2 ** ((asked.pitch + (0.3 if asked.pitch else 0.0)) / 12)
        wav = vowel(SECONDS / asked.speed * (1 + off), pitch)
        return Speech(torch.from_numpy(wav), RATE, torch.empty(0, 1), Outcome.OK)


@pytest.fixture
def measured(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / f"{name}.wav").write_bytes(b"RIFF")
    (tmp_path / "wav.scp").write_text("".join(f"{name} {tmp_path}/{name}.wav\n" for name in "ab"))
    (tmp_path / "text").write_text("a one\nb two\n")
    (tmp_path / "utt2spk").write_text("a s\nb s\n")
    (tmp_path / "pairs").write_text("p a b -\n")
    monkeypatch.setattr(control.Text2Speech, "from_pretrained", lambda tag: Obedient())
    args = SimpleNamespace(
        model_tag="m.zip",
        pairs=tmp_path / "pairs",
        data_dir=tmp_path,
        num_pairs=9,
        speeds=[0.8],
        semitones=[-3.0, 3.0],
    )
    return control.measure(args)


def test_errors_are_those_of_what_was_said(measured):
    length, low, high = measured
    assert (length.metric, length.config["speed"], length.met) == ("control_length_error", 0.8, True)
    assert length.value == pytest.approx(0.02, abs=0.002)
    for metric in (low, high):
        assert metric.metric == "control_pitch_error"
        assert metric.value == pytest.approx(0.3, abs=0.15)


def test_silence_has_no_pitch():
    silent = Speech(torch.zeros(RATE), RATE, torch.empty(0, 1), Outcome.OK)
    assert np.isnan(control.median_f0(silent))
