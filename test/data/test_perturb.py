import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.perturb import parse_factors, perturb_speed

RATE = 16000
PITCH = 400.0  # Hz


@pytest.fixture
def voices(tmp_path):
    """Two speakers, one tone each."""
    tone = 0.3 * np.sin(2 * np.pi * PITCH * np.arange(RATE) / RATE)
    data = DataDir(tmp_path / "train", {}, {}, {})
    for speaker in ("ann", "bob"):
        path = tmp_path / f"{speaker}.flac"
        soundfile.write(path, tone, RATE)
        data.wavs[f"{speaker}-1"] = str(path)
        data.texts[f"{speaker}-1"] = f"hello {speaker}"
        data.speakers[f"{speaker}-1"] = speaker
    return data


def heard_pitch(wav):
    return np.abs(np.fft.rfft(wav * np.hanning(len(wav)))).argmax() * RATE / len(wav)


@pytest.mark.parametrize("factor", [0.8, 0.95, 1.25])
def test_a_copy_lasts_one_over_the_factor_and_sounds_higher_by_it(voices, tmp_path, factor):
    larger = perturb_speed(voices, voices, [factor], tmp_path / "train_sp")
    wav, rate = soundfile.read(larger.wavs[f"sp{factor:g}-ann-1"])
    assert rate == RATE
    assert len(wav) == pytest.approx(RATE / factor, abs=2)
    assert heard_pitch(wav) == pytest.approx(PITCH * factor, rel=0.01)


def test_every_copy_is_a_voice_of_its_own_with_the_same_text(voices, tmp_path):
    perturb_speed(voices, voices, [0.9, 1.1], tmp_path / "train_sp")
    larger = DataDir.load(tmp_path / "train_sp")
    assert set(larger.by_speaker()) == {"ann", "bob", "sp0.9-ann", "sp0.9-bob", "sp1.1-ann", "sp1.1-bob"}
    assert larger.texts["sp1.1-bob-1"] == "hello bob"
    assert {u: larger.wavs[u] for u in voices.wavs} == voices.wavs


def test_a_second_run_writes_only_what_is_missing_or_made_from_something_else(voices, tmp_path):
    larger = perturb_speed(voices, voices, [0.9], tmp_path / "train_sp")
    ann, bob = Path(larger.wavs["sp0.9-ann-1"]), Path(larger.wavs["sp0.9-bob-1"])
    first, before = ann.read_bytes(), bob.stat().st_mtime_ns
    ann.unlink()
    left = ann.with_name(".unfinished.ann.flac")  # by a run that was killed
    left.touch()
    perturb_speed(voices, voices, [0.9], tmp_path / "train_sp")
    assert ann.read_bytes() == first
    assert not left.exists()
    assert bob.stat().st_mtime_ns == before
    again = ann.stat().st_mtime_ns
    source = Path(voices.wavs["bob-1"])
    earlier = source.stat().st_mtime - 100
    soundfile.write(source, np.ones(RATE) / 2, RATE)
    os.utime(source, (earlier, earlier))
    perturb_speed(voices, voices, [0.9], tmp_path / "train_sp")
    assert soundfile.read(bob)[0].mean() == pytest.approx(0.5, abs=0.01)
    assert ann.stat().st_mtime_ns == again


def test_two_processes_write_the_same_bytes_as_one(voices, tmp_path):
    one = perturb_speed(voices, voices, [0.9, 1.1], tmp_path / "one")
    two = perturb_speed(voices, voices, [0.9, 1.1], tmp_path / "two", nj=2)
    copies = [u for u in one.wavs if u.startswith("sp")]
    assert len(copies) == 4
    for copy in copies:
        assert Path(one.wavs[copy]).read_bytes() == Path(two.wavs[copy]).read_bytes()


def test_a_faster_copy_of_a_narrow_recording_is_no_wider(voices, tmp_path):
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, RATE)
    recorded = voices.subset(voices.wavs)
    for utterance in recorded.wavs:
        recorded.wavs[utterance] = str(tmp_path / f"narrow-{utterance}.wav")
        soundfile.write(recorded.wavs[utterance], noise, RATE // 2)
    larger = perturb_speed(voices, recorded, [1.25], tmp_path / "train_sp")
    wav, rate = soundfile.read(larger.wavs["sp1.25-ann-1"])
    power = np.abs(np.fft.rfft(wav)) ** 2
    edge = len(power) * (RATE // 4) // (RATE // 2)
    assert rate == RATE
    assert power[round(1.02 * edge) :].sum() < 1e-4 * power.sum()
    assert power[round(0.7 * edge) : round(0.9 * edge)].sum() > 0.1 * power.sum()


def test_a_set_made_from_another_is_refused(voices, tmp_path):
    other = voices.subset(["ann-1"])
    with pytest.raises(InputError, match="lacks 'bob-1'"):
        perturb_speed(voices, other, [0.9], tmp_path / "train_sp")


def test_factors_are_sorted_and_each_taken_once():
    assert parse_factors("1.1 0.9 1.10") == [0.9, 1.1]


@pytest.mark.parametrize("words", ["", "1", "1.0 0.9", "fast", "0.1", "3", "nan", "inf"])
def test_what_is_no_speed_is_refused(words):
    with pytest.raises(InputError, match="--factors"):
        parse_factors(words)


def test_an_unreadable_sound_file_is_named(voices, tmp_path):
    (tmp_path / "ann.flac").write_bytes(b"not sound")
    with pytest.raises(InputError, match="ann.flac"):
        perturb_speed(voices, voices, [0.9], tmp_path / "train_sp")
    assert not (tmp_path / "train_sp" / "wav.scp").exists()


def test_copies_are_of_the_same_part_language_and_emotion(voices, tmp_path):
    long = tmp_path / "long.flac"
    tone, _ = soundfile.read(voices.wavs["ann-1"])
    soundfile.write(long, np.concatenate([np.zeros(RATE), tone, np.zeros(RATE)]), RATE)
    names = dict.fromkeys(voices.wavs)
    kept = {"languages": dict.fromkeys(names, "de"), "emotions": dict.fromkeys(names, "sleepy")}
    recorded = replace(voices, wavs=dict.fromkeys(names, str(long)), spans=dict.fromkeys(names, (1.0, 2.0)))
    larger = perturb_speed(replace(voices, **kept), recorded, [1.25], tmp_path / "train_sp")
    wav, _ = soundfile.read(larger.wavs["sp1.25-ann-1"])
    assert len(wav) == pytest.approx(RATE / 1.25, abs=2)
    assert heard_pitch(wav) == pytest.approx(PITCH * 1.25, rel=0.01)
    loaded = DataDir.load(tmp_path / "train_sp")
    assert (loaded.languages["sp1.25-bob-1"], loaded.emotions["sp1.25-bob-1"]) == ("de", "sleepy")
