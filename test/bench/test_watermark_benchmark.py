"""The benchmark of watermarks: what it measures, and that it goes on where it was."""

import json

import numpy as np
import pytest
import soundfile
from babble import babble

from espnet2_valle.bench import watermark
from espnet2_valle.bench.attacks import ATTACKS, CUT_SECONDS, SPEED
from espnet2_valle.bin import benchmark

RATE = 16000


def test_attacks_do_what_they_are_called():
    wav = (0.1 * np.random.default_rng(0).standard_normal(3 * RATE)).astype(np.float32)
    sounds = {name: attack(wav, RATE) for name, attack in ATTACKS.items()}
    seconds = {name: len(sound) / rate for name, (sound, rate) in sounds.items()}
    assert seconds.pop("first second cut") == 3 - CUT_SECONDS
    assert seconds.pop("speed +2 %") == pytest.approx(3 / (1 + SPEED), abs=0.01)
    assert seconds.pop("speed -2 %") == pytest.approx(3 / (1 - SPEED), abs=0.01)
    assert all(value == pytest.approx(3, abs=0.1) for value in seconds.values())
    assert sounds["8 kHz"][1] == 8000
    noise = sounds["noise 20 dB"][0] - wav
    assert 10 * np.log10(np.mean(wav**2) / np.mean(noise**2)) == pytest.approx(20, abs=0.1)
    high = np.abs(np.fft.rfft(sounds["low-pass 4 kHz"][0]))[len(wav) * 5 // 16 :]
    assert high.max() < 0.01 * np.abs(np.fft.rfft(wav)).max()


def test_a_run_that_was_broken_off_goes_on(tmp_path, monkeypatch, capsys):
    for seed, name in enumerate(("a", "b")):
        soundfile.write(tmp_path / f"{name}.wav", babble(3, RATE, seed), RATE)
    monkeypatch.setattr(watermark, "LENGTHS", (2.0, 4.0))
    monkeypatch.setattr(watermark, "DNSMOSScorer", lambda: type("", (), {"score": lambda *_: 3.0})())
    monkeypatch.setattr(watermark, "import_extra", lambda *_: type("", (), {"pesq": lambda *_: 4.5}))
    watermark.tools.cache_clear()
    words = ["watermark", "--real_dir", str(tmp_path), "--output_dir", f"{tmp_path}/work", "--json"]
    benchmark.main([*words, f"{tmp_path}/1.json", "--num_utterances", "1", "--other_keys", "2"])
    journal = tmp_path / "work" / "spread.jsonl"
    assert len(journal.read_text().splitlines()) == 2
    benchmark.main([*words, f"{tmp_path}/2.json", "--num_utterances", "2", "--other_keys", "2"])
    assert len(journal.read_text().splitlines()) == 4  # two clips of each, none twice
    metrics = [json.loads(line) for line in (tmp_path / "2.json").read_text().splitlines()]
    found = [one for one in metrics if one["metric"] == "watermark.found"]
    assert len(found) == 2 * len(ATTACKS)
    assert {one["value"] for one in found if one["config"]["seconds"] == "4"} == {1.0}
    assert {one["value"] for one in metrics if one["metric"] == "watermark.false_positives"} == {0.0}
    (claimed,) = (one for one in metrics if one["config"].get("claimed") == "0.0001")
    assert claimed["config"]["trials"] == 4 + 2 * 2
    assert "watermark.pesq" in capsys.readouterr().out
    watermark.tools.cache_clear()
