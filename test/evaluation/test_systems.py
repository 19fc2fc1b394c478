import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scoring_stubs import RATE, StubPlan, write

from espnet2_valle.common.errors import InputError
from espnet2_valle.evaluation import systems
from espnet2_valle.evaluation.scorers import load_scorers
from espnet2_valle.evaluation.systems import (
    compare_words,
    count_outcomes,
    read_rows,
    score_system,
    summarise,
)
from espnet2_valle.evaluation.utterance import Trial, fingerprint

TEXTS = ["one two three", "two three", "four five one two", "three"]


@pytest.fixture
def plan(tmp_path):
    return StubPlan(str(tmp_path / "log"))


@pytest.fixture
def trials(tmp_path):
    prompt = write(tmp_path / "prompt.wav", "five", voice=0.9)
    other = write(tmp_path / "other.wav", "five", voice=0.2)
    return [Trial(f"p{number}", text, prompt, other) for number, text in enumerate(TEXTS)]


@pytest.fixture
def wavs(tmp_path):
    said = ["one two three", "two four", "four five one two", "three three"]
    return {f"p{n}": write(tmp_path / "out" / f"p{n}.wav", text, voice=0.8) for n, text in enumerate(said)}


def loads(plan):
    return len(Path(plan.log).read_text().splitlines()) if Path(plan.log).exists() else 0


def test_figures_of_a_system(tmp_path, plan, trials, wavs):
    rows = score_system("valle", trials, wavs, plan, tmp_path / "rows.jsonl")
    assert [row.heard for row in rows] == ["one two three", "two four", "four five one two", "three three"]
    scores = summarise(rows, {})
    assert scores["wer"]["value"] == pytest.approx(2 / 10)
    assert scores["word_accuracy"]["value"] == pytest.approx(8 / 10)
    assert scores["sim_prompt"]["value"] == pytest.approx(np.cos(0.1), abs=1e-3)
    assert scores["sim_other"]["value"] == pytest.approx(np.cos(0.6), abs=1e-3)
    assert scores["prompt_beats_other"]["value"] == 1.0
    assert scores["dnsmos"]["value"] == pytest.approx(1 + 4 * 0.8, abs=0.1)
    assert scores["n"] == scores["n_audio"] == 4
    assert scores["outcomes"] == {"ok": 4}


def test_missing_empty_and_silent_outputs_count_with_all_words_deleted(tmp_path, plan, trials, wavs):
    del wavs["p0"]
    soundfile.write(wavs["p1"], np.zeros(0), RATE)
    soundfile.write(wavs["p2"], np.zeros(RATE), RATE)
    rows = score_system("valle", trials, wavs, plan, tmp_path / "rows.jsonl")
    scores = summarise(rows, {"p0": "prompt_rejected", "p1": "ok", "p3": "hit_length_cap"})
    assert scores["wer"]["value"] == pytest.approx((3 + 2 + 4 + 1) / 10)
    assert scores["word_accuracy"]["value"] == 0.0
    assert (scores["n"], scores["n_audio"]) == (4, 1)
    assert scores["sim_prompt"]["value"] == pytest.approx(np.cos(0.1), abs=1e-3)
    assert scores["outcomes"] == {"hit_length_cap": 1, "no_audio": 2, "prompt_rejected": 1}


def test_no_audio_at_all_gives_no_similarity_but_an_error_rate(tmp_path, plan, trials, wavs):
    soundfile.write(wavs["p0"], np.zeros(0), RATE)
    rows = score_system("valle", trials, {"p0": wavs["p0"]}, plan, tmp_path / "rows.jsonl")
    scores = summarise(rows, {})
    assert scores["wer"]["value"] == 1.0
    assert scores["sim_prompt"] == scores["dnsmos"] == {"value": None, "low": None, "high": None}
    assert scores["outcomes"] == {"no_audio": 4}


def test_a_set_with_one_speaker_has_no_other_voice(tmp_path, plan, trials, wavs):
    alone = [Trial(t.pair_id, t.text, t.prompt, None) for t in trials]
    scores = summarise(score_system("valle", alone, wavs, plan, tmp_path / "rows.jsonl"), {})
    assert scores["sim_other"]["value"] is None
    assert scores["prompt_beats_other"]["value"] is None
    assert scores["sim_prompt"]["value"] > 0.9


def test_scoring_again_computes_nothing(tmp_path, plan, trials, wavs, monkeypatch):
    path = tmp_path / "rows.jsonl"
    first = score_system("valle", trials, wavs, plan, path)
    monkeypatch.setattr(systems, "parallel_map", lambda *_: pytest.fail("scored again"))
    assert score_system("valle", trials, wavs, plan, path) == first


@pytest.mark.parametrize("change", ["audio", "text", "prompt", "judge"])
def test_a_changed_part_is_scored_again(tmp_path, plan, trials, wavs, change):
    path = tmp_path / "rows.jsonl"
    before = score_system("valle", trials, wavs, plan, path)
    if change == "audio":
        write(Path(wavs["p1"]), "two three", voice=0.8)
    elif change == "text":
        trials[1] = Trial("p1", "two four", trials[1].prompt, trials[1].other)
    elif change == "prompt":
        trials[1] = Trial("p1", trials[1].text, write(tmp_path / "new.wav", "one", 0.5), trials[1].other)
    else:
        plan = StubPlan(plan.log, version="2")
    after = score_system("valle", trials, wavs, plan, path)
    changed = [a.fingerprint != b.fingerprint for a, b in zip(before, after)]
    assert changed == ([True] * 4 if change == "judge" else [False, True, False, False])
    assert read_rows(path) == after


def test_interrupted_scoring_keeps_its_rows_and_ends_like_an_uninterrupted_one(
    tmp_path, plan, trials, wavs, monkeypatch
):
    whole = score_system("valle", trials, wavs, plan, tmp_path / "whole.jsonl")
    path, real = tmp_path / "rows.jsonl", systems.parallel_map

    def killed(function, items, nj, title, keep_errors):
        yield from real(function, items[:2], nj, title, keep_errors=keep_errors)
        raise KeyboardInterrupt

    monkeypatch.setattr(systems, "parallel_map", killed)
    with pytest.raises(KeyboardInterrupt):
        score_system("valle", trials, wavs, plan, path)
    assert len(read_rows(path)) == 2
    left = []
    monkeypatch.setattr(
        systems,
        "parallel_map",
        lambda f, items, *rest, **more: left.extend(items) or real(f, items, *rest, **more),
    )
    assert score_system("valle", trials, wavs, plan, path) == whole
    assert len(left) == 2
    assert path.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_kill_loses_no_row_and_leaves_no_trace(tmp_path, plan, trials, wavs, monkeypatch):
    newer = StubPlan(plan.log, version="2")
    whole = score_system("valle", trials, wavs, newer, tmp_path / "whole.jsonl")
    path = tmp_path / "rows.jsonl"
    score_system("valle", trials, wavs, plan, path)
    with monkeypatch.context() as killed:
        killed.setattr(systems, "write_rows", lambda *_: None)  # before the file is put in order
        score_system("valle", trials, wavs, newer, path)
    assert len(read_rows(path)) == 2 * len(trials)
    cut_off = path.read_bytes()[:-9]
    monkeypatch.setattr(systems, "parallel_map", lambda *_, **__: pytest.fail("scored again"))
    assert score_system("valle", trials, wavs, newer, path) == whole
    assert path.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    path.write_bytes(cut_off)
    assert read_rows(path)[-1] == whole[-2]


def test_rows_of_pairs_that_are_not_asked_for_now_stay(tmp_path, plan, trials, wavs):
    path = tmp_path / "rows.jsonl"
    rows = score_system("valle", trials, wavs, plan, path)
    assert score_system("valle", trials[:2], wavs, plan, path) == rows[:2]
    assert read_rows(path) == rows


def test_rows_are_known_as_in_earlier_versions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        Path(f"{name}.wav").write_text(f"sound of {name}")
    trial = Trial("p1", "what é", "a.wav", "b.wav", "spk", None, "a.wav", 3.0, 1.5)
    assert fingerprint(trial, "b.wav", "judge") == "f691dc39f8e1e91949c3ea43b2da2445aa50fc9c"
    assert fingerprint(trial, None, "judge") == "4b9b9e8528592e94978562697a755aa2c7e4bf2b"


def test_parallel_scoring_equals_serial(tmp_path, plan, trials, wavs):
    serial = score_system("valle", trials, wavs, plan, tmp_path / "serial.jsonl", nj=1)
    parallel = score_system("valle", trials, wavs, plan, tmp_path / "parallel.jsonl", nj=2)
    assert parallel == serial
    assert (tmp_path / "serial.jsonl").read_bytes() == (tmp_path / "parallel.jsonl").read_bytes()
    assert loads(plan) <= 3  # once here, once in each worker


def test_a_recording_that_pairs_share_is_judged_once(tmp_path, plan, trials, monkeypatch):
    wavs = {trial.pair_id: write(tmp_path / f"{trial.pair_id}.wav", "one two") for trial in trials}
    real, tasks = systems.parallel_map, []
    monkeypatch.setattr(
        systems,
        "parallel_map",
        lambda f, items, *rest, **more: tasks.extend(items) or real(f, items, *rest, **more),
    )
    rows = score_system("codec", trials, wavs, plan, tmp_path / "rows.jsonl")
    assert len(tasks) == 1
    assert [row.text for row in rows] == TEXTS


def test_comparison_with_the_codec(tmp_path, plan, trials, wavs):
    valle = score_system("valle", trials, wavs, plan, tmp_path / "valle.jsonl")
    perfect = {t.pair_id: write(tmp_path / "codec" / f"{t.pair_id}.wav", t.text) for t in trials}
    codec = score_system("codec", trials, perfect, plan, tmp_path / "codec.jsonl")
    assert compare_words(valle, codec)["value"] == pytest.approx(0.8)
    assert compare_words(codec, codec)["value"] == 1.0


def test_outcomes_of_pairs_that_decoding_does_not_mention(tmp_path, plan, trials, wavs):
    rows = score_system("valle", trials, wavs, plan, tmp_path / "rows.jsonl")
    assert count_outcomes(rows, {"p3": "no_speech", "unknown": "ok"}) == {"no_speech": 1, "ok": 3}


def test_a_system_of_other_pairs_is_refused(tmp_path, plan, trials, wavs):
    with pytest.raises(
        InputError, match=r"system valle: has audio for none of the 4 pairs \(the first is 'p0'\)"
    ):
        score_system("valle", trials, {"q": wavs["p0"]}, plan, tmp_path / "rows.jsonl")


def test_listed_audio_that_is_not_there_is_refused(tmp_path, plan, trials, wavs):
    wavs["p2"] = str(tmp_path / "gone.wav")
    with pytest.raises(InputError, match="gone.wav: cannot be read"):
        score_system("valle", trials, wavs, plan, tmp_path / "rows.jsonl")


def test_unreadable_audio_is_refused_and_the_rest_is_kept(tmp_path, plan, trials, wavs):
    Path(wavs["p3"]).write_text("not a sound")
    with pytest.raises(InputError, match="p3.wav: not a readable sound file"):
        score_system("valle", trials, wavs, plan, tmp_path / "rows.jsonl")
    assert len(read_rows(tmp_path / "rows.jsonl")) == 3


def test_unreadable_audio_within_the_allowed_share_counts_as_silence(tmp_path, plan, trials, wavs, caplog):
    path = tmp_path / "rows.jsonl"
    Path(wavs["p3"]).write_text("not a sound")
    for _ in range(2):  # a rerun looks again, and says it again
        caplog.clear()
        rows = score_system("valle", trials, wavs, plan, path, max_bad=0.25)
        assert "system valle: 1 of 4 utterances are bad and LEFT OUT" in caplog.text
        assert "p3.wav: not a readable sound file" in caplog.text
    assert (rows[3].has_audio, rows[3].heard, rows[3].text) == (False, "", "three")
    assert len(read_rows(path)) == 3
    write(Path(wavs["p3"]), "three", voice=0.8)
    assert score_system("valle", trials, wavs, plan, path, max_bad=0.25)[3].heard == "three"
    assert len(read_rows(path)) == 4


@pytest.mark.parametrize("line", ["{", '{"pair_id": "p0"}', "[]"])
def test_a_damaged_file_of_rows_is_named(tmp_path, plan, trials, wavs, line):
    path = tmp_path / "rows.jsonl"
    score_system("valle", trials, wavs, plan, path)
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(InputError, match=r"rows.jsonl:5: not a row of scores"):
        score_system("valle", trials, wavs, plan, path)


def test_rows_are_json_that_others_can_read(tmp_path, plan, trials, wavs):
    path = tmp_path / "rows.jsonl"
    score_system("valle", trials, wavs, plan, path)
    row = json.loads(path.read_text().splitlines()[1])
    assert row["pair_id"] == "p1"
    assert (row["text"], row["heard"]) == ("two three", "two four")


@dataclass(frozen=True)
class BrokenPlan(StubPlan):
    """Judges that cannot be loaded."""

    def build(self):
        raise InputError("judge", "is not there", "Train it")


@pytest.mark.parametrize("nj", [1, 2])
def test_a_judge_that_cannot_be_had_is_no_fault_of_the_recordings(tmp_path, trials, wavs, nj):
    load_scorers.cache_clear()
    with pytest.raises(InputError, match="^judge: is not there. Train it$"):
        score_system("valle", trials, wavs, BrokenPlan("log"), tmp_path / "rows.jsonl", nj, max_bad=1.0)


def test_samples_of_a_pair_are_no_pairs_of_their_own(tmp_path, plan, trials, wavs):
    rows = score_system("valle", trials, wavs, plan, tmp_path / "rows.jsonl")
    for name in ("wer", "second_wer"):
        assert summarise(rows * 5, {})[name] == summarise(rows, {})[name]
    assert summarise(rows, {})["second_wer"] == summarise(rows, {})["wer"]


def test_all_samples_are_compared_with_the_codec(tmp_path, plan, trials, wavs):
    valle = score_system("valle", trials, wavs, plan, tmp_path / "valle.jsonl")
    perfect = {t.pair_id: write(tmp_path / "codec" / f"{t.pair_id}.wav", t.text) for t in trials}
    codec = score_system("codec", trials, perfect, plan, tmp_path / "codec.jsonl")
    assert compare_words([*valle, *codec], codec)["value"] == pytest.approx(0.9)
