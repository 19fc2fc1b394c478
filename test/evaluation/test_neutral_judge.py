"""Scoring what others made: lists, folders, several samples, continuation, reference similarities."""

import json

import numpy as np
import pytest
import soundfile
from scoring_stubs import RATE, StubPlan, say, write

from espnet2_valle.bin import score
from espnet2_valle.common.errors import InputError
from espnet2_valle.evaluation.lists import read_list, read_outputs
from espnet2_valle.evaluation.settings import read_settings
from espnet2_valle.evaluation.speaker_verification import (
    choose,
    equal_error_rate,
    equal_error_rate_metric,
    other_speaker_metric,
)

LINES = {"u1": "one two three", "u2": "four five", "u3": "two two"}


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A list with reference recordings by two voices; returns its path."""
    monkeypatch.setattr(score, "DefaultPlan", lambda *_: StubPlan(str(tmp_path / "log")))
    lines = []
    for number, (key, text) in enumerate(LINES.items()):
        voice = (0.9, 0.3)[number % 2]
        write(tmp_path / "prompts" / f"{voice}.wav", "five", voice)
        write(tmp_path / "real" / f"{key}.wav", text, voice)
        lines.append(f"{key}|five|prompts/{voice}.wav|{text}|real/{key}.wav\n")
    (tmp_path / "meta.lst").write_text("".join(lines))
    return tmp_path / "meta.lst"


def answer(folder, said, voice=0.9):
    for key, text in said.items():
        write(folder / f"{key}.wav", text, voice)
    return folder


def judge(tmp_path, *options):
    score.main([*map(str, options), "--output_dir", str(tmp_path / "exp")])
    return json.loads((tmp_path / "exp" / "scores.json").read_text())


def test_a_folder_of_another_system_is_scored_against_a_list(asked, tmp_path):
    folder = answer(tmp_path / "other lab", {**LINES, "u2": "four four"})
    scores = judge(tmp_path, "--list", asked, "--system", f"vits={folder}")
    assert list(scores["systems"]) == ["ground_truth", "vits"]
    assert scores["systems"]["vits"]["wer"]["value"] == pytest.approx(1 / 7)
    assert scores["systems"]["vits"]["word_errors"] == {
        "substitutions": 1, "deletions": 0, "insertions": 0, "words": 7,
    }  # fmt: skip
    assert [row["pair_id"] for row in scores["systems"]["vits"]["worst"]] == ["u2"]
    assert scores["systems"]["ground_truth"]["wer"]["value"] == 0
    (test,) = [test for test in scores["paired_tests"] if test["measure"] == "wer"]
    assert (test["system"], test["base"]) == ("vits", "ground_truth")
    assert test["difference"]["value"] == pytest.approx(1 / 7)
    assert scores["systems"]["vits"]["n_speakers"] == 2
    by_speaker = scores["systems"]["vits"]["by_speaker"]["wer"]
    assert by_speaker["low"] == 0
    assert by_speaker["high"] == pytest.approx(1 / 2)


def test_a_list_without_references_has_no_ground_truth(asked, tmp_path):
    asked.write_text("".join(line.rpartition("|")[0] + "\n" for line in asked.read_text().splitlines()))
    scores = judge(tmp_path, "--list", asked, "--system", f"a={answer(tmp_path / 'a', LINES)}")
    assert list(scores["systems"]) == ["a"]
    with pytest.raises(InputError, match="no system is given"):
        judge(tmp_path, "--list", asked)


def test_samples_are_one_system_and_their_best_another(asked, tmp_path):
    first = answer(tmp_path / "s1", {**LINES, "u1": "one one one"})
    second = answer(tmp_path / "s2", {**LINES, "u2": "five four"})
    scores = judge(tmp_path, "--list", asked, "--system", f"valle={first},{second}")
    single, best = scores["systems"]["valle"], scores["systems"]["valle_best_of_2"]
    assert single["wer"]["value"] == pytest.approx((2 / 7 + 2 / 7) / 2)
    assert single["by_sample"]["wer"]["values"] == pytest.approx([2 / 7, 2 / 7])
    assert (single["n"], single["samples"], best["n"]) == (6, 2, 3)
    assert best["wer"]["value"] == 0
    assert single["outcomes"] == {"ok": 6}
    rows = [json.loads(line) for line in (tmp_path / "exp/scores/valle_best_of_2.jsonl").open()]
    assert [row["heard"] for row in rows] == list(LINES.values())


def test_outcomes_of_each_sample_are_counted(asked, tmp_path):
    folders = [answer(tmp_path / name, LINES) for name in ("s1", "s2")]
    for name, outcome in (("o1", "ok"), ("o2", "hit_length_cap")):
        (tmp_path / name).write_text("".join(f"{key} {outcome}\n" for key in LINES))
    given = f"valle={folders[0]},{folders[1]}"
    outcomes = f"valle={tmp_path / 'o1'},{tmp_path / 'o2'}"
    scores = judge(tmp_path, "--list", asked, "--system", given, "--outcomes", outcomes)
    assert scores["systems"]["valle"]["outcomes"] == {"hit_length_cap": 3, "ok": 3}


def test_a_continuation_is_judged_by_its_new_part(asked, tmp_path):
    """The prompt part has the right voice and the new part another: only the latter may count."""
    config = tmp_path / "continuation.yaml"
    config.write_text("protocol: continuation\nprompt_seconds: 0.1\n")
    folder = tmp_path / "half"
    folder.mkdir()
    for key, text in LINES.items():
        head, _, rest = text.partition(" ")
        voice = 0.9 if key != "u2" else 0.3
        soundfile.write(folder / f"{key}.wav", np.concatenate([say(head, voice), say(rest, 0.6)]), RATE)
    scores = judge(tmp_path, "--list", asked, "--config", config, "--system", f"half={folder}")
    metrics = scores["systems"]["half"]
    assert (scores["protocol"], scores["prompt_seconds"]) == ("continuation", 0.1)
    assert metrics["wer"]["value"] == 0
    assert metrics["sim_prompt"]["value"] == pytest.approx(np.cos(0.3), abs=1e-3)
    assert scores["systems"]["ground_truth"]["sim_prompt"]["value"] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("u1|five|prompts/0.9.wav\n", "3 columns in place of 4 or 5"),
        ("u1|five|prompts/no.wav|one\n", "no such sound file"),
        ("u1|x|prompts/0.9.wav|one\nu1.wav|x|prompts/0.9.wav|one\n", "'u1' is there twice"),
        ("\n", "has no line"),
    ],
)
def test_bad_lists_are_named(asked, content, message):
    asked.write_text(content)
    with pytest.raises(InputError, match=message):
        read_list(asked)


def test_bad_folders_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has no .wav"):
        read_outputs(tmp_path / "empty")
    for name in ("a", "b"):
        write(tmp_path / "twice" / name / "u1.wav", "one")
    with pytest.raises(InputError, match="would be 'u1'"):
        read_outputs(tmp_path / "twice")


def test_pairs_and_list_exclude_each_other(asked, tmp_path):
    with pytest.raises(InputError, match="beside --pairs"):
        judge(tmp_path, "--list", asked, "--pairs", asked)
    with pytest.raises(InputError, match="is missing"):
        judge(tmp_path, "--pairs", asked)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("judges: whisper\n", "there is no key 'judges'"),
        ("protocol: sideways\n", "there is no 'sideways'"),
        ("signal: perhaps\n", "signal is 'perhaps'. Write true or false"),
        ("judge: [1]\n", "is no scorer"),
        ("- 1\n", "holds no keys"),
        ("a: [\n", "is not YAML"),
    ],
)
def test_bad_configurations_are_named(tmp_path, text, message):
    path = tmp_path / "conf.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_settings(path)


def test_equal_error_rate_of_known_cases():
    assert equal_error_rate([0.9, 0.8], [0.2, 0.1])[0] == 0
    assert equal_error_rate([0.1, 0.2], [0.8, 0.9])[0] == 1
    rate, threshold = equal_error_rate([0.9, 0.8, 0.7, 0.3], [0.75, 0.2, 0.1, 0.0])
    assert rate == pytest.approx(0.25)
    assert 0.3 < threshold <= 0.75
    assert equal_error_rate([0.5] * 3, [0.5] * 3)[0] == pytest.approx(0.5)


def test_a_weight_counts_a_pair_as_often():
    same, other = [0.9, 0.8, 0.3], [0.7, 0.4, 0.1]
    often = equal_error_rate([0.9, 0.3, 0.3], [0.7, 0.7, 0.7, 0.1])
    assert equal_error_rate(same, other, np.array([1, 0, 2]), np.array([3, 0, 1])) == often


def test_the_interval_of_the_equal_error_rate_is_over_speakers():
    same = [(who, who, 0.9 if who != "odd" else 0.1) for who in ("a", "b", "c", "odd") for _ in range(5)]
    other = [("a", "b", 0.2), ("a", "c", 0.3), ("b", "c", 0.2), ("a", "odd", 0.2), ("b", "odd", 0.0)]
    metric = equal_error_rate_metric(same, other, seed=0)
    assert metric == equal_error_rate_metric(same, other, seed=0)
    assert metric["low"] == 0, "often the odd speaker is not drawn"
    assert metric["low"] < metric["value"] < metric["high"]
    clear = equal_error_rate_metric(same[:10], other[:3], seed=0)
    assert (clear["value"], clear["low"], clear["high"]) == (0, 0, 0)


def test_the_interval_between_speakers_knows_that_both_could_be_others():
    """All comparisons have `a` first: only the second speakers tell how far such figures vary."""
    other = [("a", who, value) for who, value in (("b", 0.1), ("c", 0.5), ("d", 0.9)) for _ in range(3)]
    metric = other_speaker_metric(other, seed=0)
    assert metric == other_speaker_metric(other, seed=0)
    assert metric["value"] == pytest.approx(0.5)
    assert metric["low"] == pytest.approx(0.1)
    assert metric["high"] == pytest.approx(0.9)


def test_reference_recordings_take_turns():
    speakers = {f"{who}{n}": who for who, count in (("a", 9), ("b", 2), ("c", 2)) for n in range(count)}
    chosen = choose(dict.fromkeys(speakers, "x"), speakers, 6, seed=0)
    assert sorted(speakers[key] for key in chosen) == ["a", "a", "b", "b", "c", "c"]


def test_similarities_of_real_recordings_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(score, "DefaultPlan", lambda *_: StubPlan(str(tmp_path / "log")))
    data = tmp_path / "dump"
    utterances = {f"{who}{n}": (who, voice) for who, voice in (("a", 0.9), ("b", 0.3)) for n in range(3)}
    files = {"wav.scp": {}, "text": {}, "utt2spk": {}}
    for key, (who, voice) in utterances.items():
        files["wav.scp"][key] = write(data / f"{key}.wav", "one two", voice)
        files["text"][key], files["utt2spk"][key] = "one two", who
    for name, entries in files.items():
        (data / name).write_text("".join(f"{key} {value}\n" for key, value in entries.items()))
    (tmp_path / "pairs").write_text("p1 a0 a1 b0\np2 b0 b1 a0\n")
    (tmp_path / "conf.yaml").write_text("reference_utterances: 10\n")
    options = ("--pairs", tmp_path / "pairs", "--data_dir", data, "--config", tmp_path / "conf.yaml")
    reference = judge(tmp_path, *options)["speaker_reference"]
    assert reference["same"]["value"] == pytest.approx(1, abs=1e-3)
    assert reference["other"]["value"] == pytest.approx(np.cos(0.6), abs=1e-3)
    assert (reference["eer"], reference["n_utterances"], reference["n_speakers"]) == (0, 6, 2)


def test_figures_of_versa_are_read_back(asked, tmp_path, capsys):
    folder = answer(tmp_path / "a", LINES)
    results = tmp_path / "versa.txt"
    lines = [{"key": key, "utmos": n, "text": "x", "bad": float("nan")} for n, key in enumerate(LINES, 2)]
    results.write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = ("--list", asked, "--system", f"a={folder}", "--versa")
    scores = judge(tmp_path, *options, f"a={results}")
    assert scores["systems"]["a"]["versa_utmos"]["value"] == pytest.approx(3)
    assert "versa_utmos" not in scores["systems"]["ground_truth"]
    assert not {"versa_text", "versa_bad"} & set(scores["systems"]["a"])
    assert "VERSA: utmos" in capsys.readouterr().out
    for content in ("[]", "{}", "{"):
        results.write_text(content)
        with pytest.raises(InputError, match="is no object with a key"):
            judge(tmp_path, *options, f"a={results}")
    results.write_text("")
    with pytest.raises(InputError, match="no system is called 'b'"):
        judge(tmp_path, *options, f"b={results}")
