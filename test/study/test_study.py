"""The command on a whole small system with random weights."""

import json
import shutil
from dataclasses import dataclass, replace

import numpy as np
import pytest
import yaml

from espnet2_valle.asr.recognizer import AbsRecognizer
from espnet2_valle.bin import study, valle_inference
from espnet2_valle.codec.build import load_codec
from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import read_scp
from espnet2_valle.data.pairs import read_pairs
from espnet2_valle.evaluation.inputs import read_trials
from espnet2_valle.evaluation.mos import AbsQualityScorer
from espnet2_valle.evaluation.scorers import ALL, AbsScorerPlan, Judges, Scorers
from espnet2_valle.evaluation.speaker import AbsSpeakerEncoder
from espnet2_valle.evaluation.utterance import UtteranceScore
from espnet2_valle.generate import decode_pairs
from espnet2_valle.report.page import Run
from espnet2_valle.report.read import RunFiles, read_alignments
from espnet2_valle.study import completion, making, run

STUDY = {
    "title": "Small",
    "axis": "x",
    "voice": "reference",
    "variants": [
        {"name": "plain", "codebooks": 2},
        {"name": "one level", "codebooks": 1},
        {"name": "long", "prompt": {"seconds": 2.0}},
        {"name": "voice", "prompt": {"disturbance": "voice", "snr": 5}},
        {"name": "cold", "decode": {"temperature": 0.0}},
        {"name": "resynthesis", "source": "codec"},
    ],
}


class Judge(AbsRecognizer):
    def transcribe(self, wav, rate):
        return "a b"


class Encoder(AbsSpeakerEncoder):
    def embed(self, wav, rate):
        spectrum = np.abs(np.fft.rfft(wav, 512))
        return spectrum / np.linalg.norm(spectrum)


class Quality(AbsQualityScorer):
    def score(self, wav, rate):
        return 3.0


@dataclass(frozen=True)
class Plan(AbsScorerPlan):
    recognizer_name = "stub"
    second_name = None

    def identity(self):
        return "stub"

    def build(self):
        return Scorers({ALL: Judges(Judge())}, Encoder(), Quality())


@pytest.fixture
def given(system, tmp_path, monkeypatch):
    """Options of the command for the small system."""
    monkeypatch.setattr(run, "DefaultPlan", lambda *_: Plan())
    shutil.copytree(system / "data", tmp_path / "test")
    shutil.copy(system / "pairs", tmp_path / "test" / "pairs")
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(STUDY))
    (tmp_path / "decode.yaml").write_text("max_duration_ratio: 1.0\n")
    return [
        f"--exp={system}",
        f"--data_dir={tmp_path / 'test'}",
        "--inference_model=model.pth",
        f"--decode_config={tmp_path / 'decode.yaml'}",
        f"--output_dir={tmp_path / 'out'}",
    ]


def test_a_study_is_decoded_scored_and_written_down_once(given, tmp_path, monkeypatch):
    command = [str(tmp_path / "small.yaml"), *given, f"--results={tmp_path / 'RESULTS.md'}"]
    study.main(command)
    results = json.loads((tmp_path / "out" / "small.json").read_text())
    assert [result["name"] for result in results] == [variant["name"] for variant in STUDY["variants"]]
    by_name = {result["name"]: result for result in results}
    assert by_name["long"]["prompt_seconds"] == pytest.approx(1.1, abs=0.15)  # all that a speaker has
    assert (
        by_name["resynthesis"]["summary"]["sim_prompt"]["value"]
        > by_name["plain"]["summary"]["sim_prompt"]["value"]
    )
    assert by_name["plain"]["p"] == {}
    assert sum(by_name["cold"]["summary"]["outcomes"].values()) == 3
    assert len(list((tmp_path / "out" / "speech").iterdir())) == 5, "levels share what was decoded"
    text = (tmp_path / "RESULTS.md").read_text()
    assert text.startswith("<!-- study small -->\n## Small\n\n    valle study ")
    assert (tmp_path / "studies" / "small.png").is_file()

    def again(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr(decode_pairs, "_synthesise", again)
    monkeypatch.setattr(making, "change_prompts", again)
    study.main(command)
    assert json.loads((tmp_path / "out" / "small.json").read_text()) == results
    assert (tmp_path / "RESULTS.md").read_text() == text


def test_prompts_are_changed_as_asked(given, tmp_path):
    study.main([str(tmp_path / "small.yaml"), *given])
    made = {
        json.loads(path.read_text())["prompt"]["disturbance"]: path.parent
        for path in tmp_path.glob("out/speech/*/made_from.json")
        if "prompt" in json.loads(path.read_text())
    }
    clean, rate = read_audio(tmp_path / "test" / "wav" / "low_0.wav")
    mixed, _ = read_audio(made["voice"] / "data" / "wav" / "low-prompt-p1.wav", rate)
    added = mixed - clean
    assert 10 * np.log10(np.mean(clean**2) / np.mean(added**2)) == pytest.approx(5, abs=0.1)
    spectrum = np.abs(np.fft.rfft(added))
    assert np.argmax(spectrum) / len(added) * rate == pytest.approx(220, rel=0.1), "the other speaker's pitch"


def test_the_nar_model_completes_codebook_1_of_recordings(given, system, tmp_path, monkeypatch):
    variants = [
        {"name": "completed", "source": "nar"},
        {"name": "one level", "source": "nar", "codebooks": 1},
    ]
    (tmp_path / "small.yaml").write_text(yaml.safe_dump({**STUDY, "variants": variants}))
    study.main([str(tmp_path / "small.yaml"), *given])
    codec = load_codec(system / "codec" / "codec.yaml")
    (folder,) = (tmp_path / "out" / "speech").iterdir()
    for pair in read_pairs(system / "pairs"):
        said = np.load(folder / "codes" / f"{pair.pair_id}.npy")
        wav = read_audio(tmp_path / "test" / "wav" / f"{pair.target_utt}.wav", codec.sample_rate)[0]
        np.testing.assert_array_equal(said[:, 0], codec.encode(wav)[:, 0])
        assert said.shape[1] == codec.num_codebooks
    results = json.loads((tmp_path / "out" / "small.json").read_text())
    assert [result["summary"]["n"] for result in results] == [3, 3]

    def again(*_):
        raise AssertionError("completed again")

    monkeypatch.setattr(completion, "_complete", again)
    study.main([str(tmp_path / "small.yaml"), *given])


def test_fewer_pairs_are_taken_in_turns_of_speakers(given, tmp_path):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump({**STUDY, "variants": STUDY["variants"][4:5]}))
    study.main([str(tmp_path / "small.yaml"), *given, "--num_pairs=2"])
    summary = json.loads((tmp_path / "out" / "small.json").read_text())[0]["summary"]
    assert (summary["n"], summary["n_speakers"]) == (2, 2)


def test_several_runs_need_a_study_over_runs(given, system, tmp_path):
    with pytest.raises(InputError, match="--exp: 2 given. small.yaml wants one run"):
        study.main([str(tmp_path / "small.yaml"), *given, f"--exp=b={system}"])


def test_runs_are_compared_with_one_another(given, system, tmp_path):
    over = {"title": "R", "axis": "x", "over": "runs", "variants": [{"name": "as is"}]}
    (tmp_path / "runs.yaml").write_text(yaml.safe_dump(over))
    shutil.copytree(system, tmp_path / "second")
    study.main(
        [
            str(tmp_path / "runs.yaml"),
            f"--exp=2={tmp_path / 'second'}",
            *given,
            "--exp",
            f"1={system}",
            "--seeds",
            "0",
            "1",
        ]
    )
    results = json.loads((tmp_path / "out" / "runs.json").read_text())
    assert [(result["name"], result["x"]) for result in results] == [
        ("2, as is", 2.0),
        (f"{system.name}, as is", None),
        ("1, as is", 1.0),
    ]
    assert all(result["summary"]["samples"] == 2 for result in results)


def test_decoding_is_as_the_recipes_but_for_what_is_given(tmp_path):
    conf = find("decode.yaml")
    options = run.read_decoding(str(conf), "cpu")
    given = yaml.safe_load(conf.read_text())
    assert {name: options[name] for name in ("top_p", "max_repeat_seconds", "seed")} == {
        name: given[name] for name in ("top_p", "max_repeat_seconds", "seed")
    }
    assert options["device"] == "cpu"
    (tmp_path / "decode.yaml").write_text("heat: 1\n")
    with pytest.raises(InputError, match="decode.yaml: there is no option 'heat'"):
        run.read_decoding(str(tmp_path / "decode.yaml"), "cpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variants": [{"name": "a", "decode": {"heat": 1}}]}, "variant a: there is no option 'heat'"),
        ({"variants": [{"name": "a", "codebooks": 9}]}, "9, but the codec has 2"),
    ],
)
def test_what_cannot_be_studied_is_said(given, tmp_path, change, message):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump({**STUDY, **change}))
    with pytest.raises(InputError, match=message):
        study.main([str(tmp_path / "small.yaml"), *given])


def test_the_report_shows_where_the_model_looked(system, files, tmp_path):
    """Not of a study, but of the same small system."""
    options = [f"--{name}={path}" for name, path in files.items()]
    options += [f"--pairs={system}/pairs", f"--data_dir={system}/data"]
    valle_inference.main([*options, f"--output_dir={tmp_path / 'decode'}", "--max_duration_ratio=1.0"])
    files = RunFiles(
        system,
        system,
        str(system / "pairs"),
        system / "data",
        {"valle": f"{tmp_path}/decode/wav.scp"},
        inference_model="model.pth",
    )
    trials = read_trials(
        read_pairs(system / "pairs"),
        read_scp(system / "data" / "wav.scp"),
        read_scp(system / "data" / "text"),
        "pairs",
    )
    rows = [UtteranceScore(trial.pair_id, "", "a b", "a", None, 1.0, 0.5, None, 3.0) for trial in trials]
    examples = [trial.pair_id for trial in trials]
    made = Run(
        "small",
        {"systems": {"valle": {}}},
        {"valle": rows},
        {trial.pair_id: trial for trial in trials},
        {},
        {},
        {},
    )
    found = read_alignments(files, made, examples)
    assert found.keys() == {"p1", "p2", "p3"}
    assert all("layer 1, head" in one.note for one in found.values())
    (tmp_path / "pairs").write_text("p1 low_1 low_1 high_0\np2 high_1 high_0 low_0\n")
    files = replace(files, pairs=str(tmp_path / "pairs"))
    assert read_alignments(files, made, examples).keys() == {"p2"}, "p1 is a continuation"
    files = replace(files, inference_model="other.pth")
    assert read_alignments(files, made, examples) == {}
