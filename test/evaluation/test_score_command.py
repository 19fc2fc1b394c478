import json
from pathlib import Path

import pytest
from scoring_stubs import StubPlan, write

from espnet2_valle.bin import score
from espnet2_valle.common.errors import InputError

TEXTS = {"a1": "one two", "a2": "three", "b1": "four five", "b2": "two two one"}
FIGURES = ("word_accuracy", "wer", "cer", "sim_prompt", "sim_other", "prompt_beats_other", "dnsmos")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of two speakers and three pairs; returns the options of the command."""
    data = tmp_path / "dump"
    voices = {"a": 0.9, "b": 0.3}
    wavs = {u: write(data / "wav" / f"{u}.wav", text, voices[u[0]]) for u, text in TEXTS.items()}
    scp(data / "wav.scp", wavs)
    scp(data / "text", TEXTS)
    (tmp_path / "pairs").write_text("p1 a2 a1 b1\np2 a1 a2 b1\np3 b2 b1 a1\n")
    said = {"p1": "one two", "p2": "three", "p3": "four four"}
    for system in ("codec", "valle"):
        scp(
            tmp_path / system / "wav.scp",
            {p: write(tmp_path / system / f"{p}.wav", text, 0.6) for p, text in said.items()},
        )
    (tmp_path / "outcomes").write_text("p1 ok\np2 ok\np3 hit_length_cap\n")
    (tmp_path / "times").write_text("data 1.5\ntrain ar 60\n")
    monkeypatch.setattr(score, "DefaultPlan", lambda *_: StubPlan(str(tmp_path / "log")))
    return {
        "pairs": tmp_path / "pairs",
        "data_dir": data,
        "system": [f"{name}={tmp_path / name / 'wav.scp'}" for name in ("codec", "valle")],
        "outcomes": [f"valle={tmp_path / 'outcomes'}"],
        "stage_times": tmp_path / "times",
        "output_dir": tmp_path / "exp",
    }


def scp(path, entries):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key} {value}\n" for key, value in sorted(entries.items())))


def call(options):
    argv = []
    for key, value in options.items():
        for item in value if isinstance(value, list) else [value]:
            argv += [f"--{key}", str(item)]
    score.main(argv)


def test_scores_json_is_what_others_read(run, capsys):
    call(run)
    scores = json.loads((run["output_dir"] / "scores.json").read_text())
    assert list(scores["systems"]) == ["ground_truth", "codec", "valle"]
    for system in scores["systems"].values():
        assert system["n"] == 3
        assert sum(system["outcomes"].values()) == 3
        for metric in FIGURES:
            assert system[metric].keys() == {"value", "low", "high"}
            assert system[metric]["low"] <= system[metric]["value"] <= system[metric]["high"]
    assert scores["systems"]["ground_truth"]["word_accuracy"]["value"] == 1.0
    assert scores["systems"]["valle"]["wer"]["value"] == pytest.approx(1 / 5)
    assert scores["systems"]["valle"]["outcomes"] == {"hit_length_cap": 1, "ok": 2}
    assert scores["relative_word_accuracy"]["valle"]["value"] == 1.0
    assert scores["judge"] == "tones"
    assert scores["second_judge"]["name"] == "tones again"
    assert scores["second_judge"]["systems"]["valle"]["wer"]["value"] == pytest.approx(1 / 5)
    assert scores["second_judge"]["relative_word_accuracy"] == scores["relative_word_accuracy"]
    assert "second_wer" in {test["measure"] for test in scores["paired_tests"]}
    assert "second_speaker_encoder" not in scores
    assert scores["pairs"] == 3
    assert scores["commit"] is None or len(scores["commit"]) == 40
    assert scores["seconds_by_stage"] == {"data": 1.5, "train ar": 60.0}
    table = capsys.readouterr().out
    assert "| Word accuracy" in table
    assert "VALL-E" in table
    assert "80.0 %" in table


def test_results_table_names_systems_judges_outcomes_and_command(run):
    call(run)
    text = (run["output_dir"] / "RESULTS.md").read_text()
    for part in (
        "Codec resynthesis",
        "judge: tones",
        "Second recogniser",
        "hit_length_cap",
        "train ar",
        "--pairs",
    ):
        assert part in text
    assert len((run["output_dir"] / "scores" / "valle.jsonl").read_text().splitlines()) == 3


def test_scoring_twice_gives_the_same_bytes(run):
    call(run)
    before = (run["output_dir"] / "scores.json").read_bytes()
    call(run)
    assert (run["output_dir"] / "scores.json").read_bytes() == before


def test_ground_truth_alone_is_enough(run):
    call({key: run[key] for key in ("pairs", "data_dir", "output_dir")})
    scores = json.loads((run["output_dir"] / "scores.json").read_text())
    assert list(scores["systems"]) == ["ground_truth"]
    assert "relative_word_accuracy" not in scores


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("pairs", "p1 a2 a1 zz\n", "pair 'p1' has other utterance 'zz'"),
        ("pairs", "p1 zz a1 b1\n", "pair 'p1' has prompt utterance 'zz'"),
        ("pairs", "p1 a1 - b1\n", "pair 'p1' has target utterance '-'"),
        ("pairs", "p1 a2 a1 b1\np1 a1 a2 b1\n", "pair 'p1' is there twice"),
        ("pairs", "", "has no pair"),
        ("vocabulary", "", "has no word"),
        ("stage_times", "data soon\n", "'data soon' is not `stage seconds`"),
    ],
)
def test_bad_files_are_named_with_value_and_remedy(run, tmp_path, option, value, message):
    path = tmp_path / "bad"
    path.write_text(value)
    with pytest.raises(InputError) as caught:
        call({**run, option: path})
    assert message in str(caught.value)
    assert str(path) in caught.value.where
    assert not (run["output_dir"] / "scores.json").exists()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("system", "valle", "'valle' is not NAME=FILE"),
        ("system", ["x=1", "x=2"], "'x' is there twice"),
        ("system", "../x=1", "has a slash"),
        ("outcomes", "vale={tmp}/outcomes", "no system is called 'vale'"),
        ("system", "ground_truth={tmp}/valle/wav.scp", "ground_truth is taken from --data_dir"),
        ("system", "valle={tmp}/nothing", "no such file"),
        ("system", "valle={tmp}/dump/wav.scp", "has audio for none of the 3 pairs"),
        ("stage_times", "{tmp}/nothing", "no such file of stage times"),
        ("vocabulary", "{tmp}/nothing", "no such vocabulary"),
    ],
)
def test_bad_options_are_refused(run, tmp_path, option, value, message):
    values = [item.format(tmp=tmp_path) for item in ([value] if isinstance(value, str) else value)]
    with pytest.raises(InputError, match=message):
        call({**run, option: values})
    assert not (run["output_dir"] / "scores.json").exists()


def test_a_judge_that_is_not_there_is_named(tmp_path):
    from espnet2_valle.evaluation.scorers import DefaultPlan

    with pytest.raises(InputError, match="no such recogniser"):
        DefaultPlan(str(tmp_path / "judge"))


def test_the_judge_is_known_by_the_content_of_its_model(tmp_path):
    from espnet2_valle.evaluation.scorers import DefaultPlan

    (tmp_path / "config.yaml").write_text("a: 1")
    model = tmp_path / "valid.loss.best.pth"
    model.write_bytes(b"1")
    first = DefaultPlan(str(tmp_path)).identity()
    assert DefaultPlan(str(tmp_path)).identity() == first
    assert DefaultPlan(str(tmp_path), ("one",)).identity() != first
    model.write_bytes(b"2")
    assert DefaultPlan(str(tmp_path)).identity() != first
    assert DefaultPlan().identity() != DefaultPlan(None, ("one",)).identity()


def test_judges_are_known_as_in_earlier_versions(tmp_path):
    from espnet2_valle.evaluation.scorers import DefaultPlan

    for name, content in (("config.yaml", "a: 1\n"), ("tokens.txt", "one\n"), ("phones.json", "{}")):
        (tmp_path / name).write_text(content)
    for name, content in (("acc.best", "weights"), ("loss.ave", "other")):
        (tmp_path / f"valid.{name}.pth").write_text(content)
    identity = DefaultPlan(str(tmp_path), ("two", "one")).identity()
    assert identity == (
        "['resemblyzer', 'ESPnet CTC recogniser', 'DNSMOS P.835 overall', 'False basic'] "
        "e4175bac2aba7aa560ed0ef519a313552f4ce2a5"
    )


def test_the_real_scorers_work_together(run, tmp_path, monkeypatch):
    """Resemblyzer, DNSMOS and pocketsphinx, as a user without a trained judge has them."""
    for package in ("resemblyzer", "speechmos", "pocketsphinx"):
        pytest.importorskip(package)
    from espnet2_valle.evaluation.scorers import DefaultPlan

    monkeypatch.setattr(score, "DefaultPlan", DefaultPlan)
    vocabulary = tmp_path / "vocabulary"
    vocabulary.write_text("one\ntwo\nthree\nfour\nfive\n")
    Path(run["pairs"]).write_text("p1 a2 a1 b1\n")
    call({**run, "vocabulary": vocabulary})
    scores = json.loads((run["output_dir"] / "scores.json").read_text())
    assert scores["judge"] == "pocketsphinx with a grammar"
    assert "second_judge" not in scores
    assert 1 <= scores["systems"]["valle"]["dnsmos"]["value"] <= 5
    assert 0 < scores["systems"]["valle"]["sim_prompt"]["value"] <= 1


def test_two_speaker_encoders_stand_side_by_side(run, monkeypatch, capsys):
    log = run["output_dir"].parent / "log"
    monkeypatch.setattr(score, "DefaultPlan", lambda *_: StubPlan(str(log), "two", two_encoders=True))
    (Path(run["data_dir"]) / "utt2spk").write_text(
        "".join(f"{utterance} {utterance[0]}\n" for utterance in TEXTS)
    )
    config = run["output_dir"].parent / "settings.yaml"
    config.write_text("reference_utterances: 10\n")
    call({**run, "config": config})
    scores = json.loads((run["output_dir"] / "scores.json").read_text())
    assert (scores["speaker_encoder"], scores["second_speaker_encoder"]) == ("level", "peak")
    valle = scores["systems"]["valle"]
    for name in ("sim_prompt", "sim_other"):
        assert valle[name]["value"] < valle[f"second_{name}"]["value"] <= 1
    assert 0 <= valle["second_prompt_beats_other"]["value"] <= 1
    assert "second_sim_prompt" in valle["by_speaker"]
    assert "second_sim_prompt" in {test["measure"] for test in scores["paired_tests"]}
    assert (
        scores["second_speaker_reference"]["other"]["value"] > scores["speaker_reference"]["other"]["value"]
    )
    text = (run["output_dir"] / "RESULTS.md").read_text()
    assert "speaker encoders: level, second peak" in text
    assert "| Similarity to the prompt, second encoder" in text
    assert "By peak, on" in text
    assert "Similarity to the prompt, second encoder: " in text  # a paired test
    assert "Similarity to the prompt, second encoder" in capsys.readouterr().out


def test_training_times_stand_beside_the_scores(run, capsys, caplog):
    run["training"] = ["valle=data,train ar", "codec=nothing"]
    call(run)
    systems = json.loads((run["output_dir"] / "scores.json").read_text())["systems"]
    assert systems["valle"]["training_minutes"]["value"] == pytest.approx(61.5 / 60)
    assert "training_minutes" not in systems["codec"]
    assert "--stage_times has no 'nothing'" in caplog.text
    assert "Training time in minutes" in capsys.readouterr().out


def test_a_training_time_of_no_system_is_refused(run):
    run["training"] = ["vits=data"]
    with pytest.raises(InputError, match="--training: no system is called 'vits'"):
        call(run)
