"""What a listening test consists of: blind, balanced, at one level, with checks that tell."""

import json
from collections import Counter

import numpy as np
import pytest
import soundfile
from listening_runs import SYSTEMS, key_of, make_test, page_of
from scoring_stubs import RATE, say, write

from espnet2_valle.bin import listening_make
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.listening import sounds
from espnet2_valle.listening.build import Design
from espnet2_valle.listening.make import read_design


def roles(test):
    return Counter(trial["role"] for trial in key_of(test)["trials"].values())


@pytest.mark.parametrize(
    ("kind", "trials", "gold", "stimuli"),
    [("mos", 12, 2, 1), ("smos", 12, 2, 1), ("cmos", 8, 2, 2), ("mushra", 4, 0, 4)],
)
def test_each_kind_has_its_trials(tmp_path, kind, trials, gold, stimuli):
    test = make_test(tmp_path, kind=kind)
    page, key = page_of(test), key_of(test)
    assert roles(test) == Counter(test=trials, gold=gold, training=1) - Counter()
    assert len(page["blocks"][0]) == trials + gold
    for name, trial in page["trials"].items():
        assert len(trial["stimuli"]) == stimuli
        assert {s["id"] for s in trial["stimuli"]} == set(key["trials"][name]["systems"])
        assert (trial["reference"] is not None) == (kind in ("smos", "mushra"))
    trained = {key["trials"][name]["item"] for name in page["training"]}
    tested = {trial["item"] for trial in key["trials"].values() if trial["role"] == "test"}
    assert not trained & tested


def test_the_public_folder_tells_nothing_of_the_systems(tmp_path):
    test = make_test(tmp_path, kind="mushra")
    public = test / "public"
    text = (public / "test.json").read_text() + (public / "index.html").read_text()
    assert not any(name in text for name in (*SYSTEMS, "hidden", "anchor", "gold", "spoiled", "p0"))
    page = page_of(test)
    addresses = [s["src"] for t in page["trials"].values() for s in t["stimuli"]]
    addresses += [t["reference"] for t in page["trials"].values()]
    assert len(set(addresses)) == len(addresses)  # a hidden reference has another address than the reference
    assert all((public / address).is_file() for address in addresses)
    assert not (public / "key.json").exists()


def test_blocks_share_the_trials_evenly(tmp_path):
    test = make_test(tmp_path, per_rater=5, num_items=4)
    page, key = page_of(test), key_of(test)
    gold = {name for name, trial in key["trials"].items() if trial["role"] == "gold"}
    counts = Counter(name for block in page["blocks"] for name in block)
    assert all(gold <= set(block) and len(block) == len(set(block)) == 7 for block in page["blocks"])
    tested = [counts[name] for name in counts if name not in gold]
    assert len(tested) == 12
    assert max(tested) - min(tested) <= 1


def test_all_speech_has_one_level(tmp_path):
    test = make_test(tmp_path, level=-20.0)
    clean = [s["src"] for t in page_of(test)["trials"].values() for s in t["stimuli"]][0]
    wav, _ = soundfile.read(test / "public" / clean)
    assert 10 * np.log10(np.mean(wav**2)) == pytest.approx(-20, abs=0.3)


def test_level_leaves_pauses_out_and_does_not_clip():
    speech = say("one two", 0.1)
    padded = np.concatenate([speech, np.zeros(10 * RATE, dtype=np.float32)])
    loud = sounds.at_level(padded, RATE, -26.0)
    assert 10 * np.log10(np.mean(loud[: len(speech)] ** 2)) == pytest.approx(-26, abs=0.3)
    assert np.abs(sounds.at_level(speech, RATE, 0.0)).max() <= 1.0
    assert not sounds.at_level(np.zeros(100, dtype=np.float32), RATE, -26.0).any()


def test_modulated_noise_has_the_ratio_asked_for():
    speech = say("one two three four five", 0.5)
    noise = sounds.add_modulated_noise(speech, 10.0, 0) - speech
    assert 10 * np.log10(np.sum(speech**2) / np.sum(noise**2)) == pytest.approx(10, abs=0.5)


def test_an_anchor_has_nothing_above_its_limit():
    noise = np.random.default_rng(0).normal(size=16000).astype(np.float32)
    power = np.abs(np.fft.rfft(sounds.low_pass(noise, 16000, 3500))) ** 2
    assert power[4500:].sum() < 1e-3 * power[:3500].sum()
    assert sounds.low_pass(noise, 6000, 3500) is noise


def test_the_softer_tone_is_softest_on_headphones_and_the_opposed_one_through_the_air():
    tones, answer = sounds.headphone_check(3)
    starts = [round(n * 1.5 * sounds.CHECK_RATE) for n in range(3)]
    parts = [tones[start : start + sounds.CHECK_RATE] for start in starts]
    each_ear = [np.abs(part).max() for part in parts]
    mixed = [np.abs(part.sum(axis=1)).max() for part in parts]
    assert int(np.argmin(each_ear)) + 1 == answer
    assert int(np.argmin(mixed)) + 1 != answer
    assert len({sounds.headphone_check(seed)[1] for seed in range(9)}) == 3


def test_made_by_the_command_from_pairs(tmp_path, capsys):
    data = tmp_path / "dump"
    wavs = {key: write(data / f"{key}.wav", "one two", 0.5) for key in ("a1", "a2", "b1")}
    (data / "wav.scp").write_text("".join(f"{key} {path}\n" for key, path in wavs.items()))
    (data / "text").write_text("a1 one two\na2 one two\nb1 one two\n")
    (tmp_path / "pairs").write_text("p1 a1 a2 b1\n")
    write(tmp_path / "out" / "p1.wav", "one two", 0.3)
    (tmp_path / "conf.yaml").write_text("num_training: 0\nnum_checks: 0\ntitle: Ours\n")
    options = ["--test_dir", tmp_path / "t", "--pairs", tmp_path / "pairs", "--data_dir", data]
    options += ["--system", f"valle={tmp_path / 'out'}", "--config", tmp_path / "conf.yaml", "--kind", "smos"]
    listening_make.main([*map(str, options)])
    assert json.loads(capsys.readouterr().out) == {
        "items": 1, "test": 2, "gold": 2, "training": 0, "checks": 0,
    }  # fmt: skip
    assert "<title>Ours</title>" in (tmp_path / "t" / "public" / "index.html").read_text()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("kinds: mos\n", "no key 'kinds'"),
        ("num_items: many\n", "num_items is 'many'. Write a whole number"),
        ("kind: a\n", "no 'a'"),
    ],
)
def test_bad_configurations_are_named(tmp_path, config, message):
    (tmp_path / "conf.yaml").write_text(config)
    with pytest.raises(InputError, match=message):
        read_design(str(tmp_path / "conf.yaml"), None)


def test_the_shipped_configuration_is_the_default():
    assert read_design(str(find("score/listening.yaml")), None) == Design()


def test_what_cannot_be_made_is_said(tmp_path):
    test = make_test(tmp_path)
    (test / "ratings.sqlite").touch()
    with pytest.raises(InputError, match="already has ratings"):
        make_test(tmp_path)
    with pytest.raises(InputError, match="no system is called 'x'"):
        make_test(tmp_path / "b", kind="cmos", base="x")
