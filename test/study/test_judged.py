"""What the command says of two small corpora, with judges that need no model."""

import json

import numpy as np
import pytest

from espnet2_valle.asr.recognizer import AbsRecognizer
from espnet2_valle.bin import judge_check
from espnet2_valle.common.audio import audio_seconds, read_audio, write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.registry import Component
from espnet2_valle.evaluation import utterance
from espnet2_valle.evaluation.mos import AbsQualityScorer
from espnet2_valle.evaluation.scorers import ALL, Judges, Scorers
from espnet2_valle.evaluation.settings import LanguageSettings, Settings
from espnet2_valle.study import judge_check as checking
from espnet2_valle.study import judged

from ..generate.conftest import RATE, buzz
from .test_study import Encoder, Judge, Plan, Quality


@pytest.fixture
def corpora(tmp_path, system, monkeypatch):
    """Options of the command: two speakers with text, three with one recording each and none."""
    for name, speakers, count, text in (("read", 2, 2, "a b"), ("voices", 3, 1, "")):
        lines = ["id|speaker|text"]
        for speaker in range(speakers):
            for number in range(count):
                key = f"s{speaker}_{number}"
                wav = buzz(100 + 80 * speaker, 2.2, seed=number)
                write_audio(tmp_path / name / "wav" / f"{key}.wav", wav, RATE)
                lines.append(f"{key}|s{speaker}|{text} {number if text else ''}".rstrip())
        (tmp_path / name / "metadata.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(checking, "choose_plan", lambda *_: Plan())
    codec = f"--codec_config={system / 'codec' / 'codec.yaml'}"
    return [f"--corpus=read={tmp_path / 'read'}", f"--corpus=voices={tmp_path / 'voices'}", codec]


def test_two_runs_agree_to_the_last_digit(corpora, tmp_path):
    for name in ("one", "two"):
        judge_check.main([*corpora, f"--output_dir={tmp_path / name}"])
    one, two = ((tmp_path / name / "judged.json").read_text() for name in ("one", "two"))
    assert one == two
    found = json.loads(one)
    real = found["read"]["systems"]["ground_truth"]
    assert (found["read"]["pairs"], found["read"]["speakers"], found["read"]["halved"]) == (4, 2, False)
    assert real["sim_prompt"]["value"] > real["sim_other"]["value"]
    assert real["voices"]["eer"] == 0
    assert real["wer"]["value"] == pytest.approx(1 / 3)  # "a b" is heard, and a number was said too
    assert set(found["read"]["systems"]) == {"ground_truth", "codec"}


class Deaf(AbsRecognizer):
    def transcribe(self, wav, rate):
        return "a"


class Blunt(Encoder):
    name = "blunt"

    def embed(self, wav, rate):
        return np.array([1.0, 0.0])


class SecondQuality(AbsQualityScorer):
    key = "distillmos"

    def score(self, wav, rate):
        return 4.0


class TwoOfEach(Plan):
    """Two recognisers, two encoders, two predictors of opinions."""

    second_name = "deaf"
    second_speaker_name = "blunt"

    def identity(self):
        return "two"

    def build(self):
        judges = {ALL: Judges(Judge(), Deaf())}
        return Scorers(judges, Encoder(), Quality(), (SecondQuality(),), second_speaker=Blunt())


def test_two_scorers_of_each_kind_stand_side_by_side(corpora, tmp_path, monkeypatch):
    monkeypatch.setattr(checking, "choose_plan", lambda *_: TwoOfEach())
    judge_check.main([*corpora, f"--output_dir={tmp_path / 'out'}"])
    found = json.loads((tmp_path / "out" / "judged.json").read_text())
    real = found["read"]["systems"]["ground_truth"]
    assert found["read"]["second_judge"] == "deaf"
    assert found["read"]["second_speaker_encoder"] == "blunt"
    assert real["second_wer"]["value"] == pytest.approx(2 / 3)  # "a" is heard of three words
    assert real["second_sim_prompt"]["value"] == real["second_sim_other"]["value"] == 1
    assert real["voices"]["eer"] == 0
    assert real["second_voices"]["eer"] == 0.5  # it tells nobody apart
    halves = found["voices"]["systems"]["ground_truth"]
    assert (halves["voices"]["eer_interval"]["value"], halves["second_voices"]["eer_interval"]["value"]) == (
        0,
        0.5,
    )
    text = (tmp_path / "out" / "judged.md").read_text()
    header = next(line for line in text.splitlines() if line.startswith("|"))
    assert [cell.strip() for cell in header.split("|")[4:-1]] == [
        "WER", "WER, second recogniser", "same speaker", "other speaker", "DNSMOS", "EER",
        "same speaker, second encoder", "other speaker, second encoder", "EER, second encoder", "DistillMOS",
    ]  # fmt: skip
    assert "Speaker encoders: Resemblyzer, second blunt." in text
    assert "read: stub, second deaf" in text


def test_single_recordings_are_halved_and_without_text_no_words_are_counted(corpora, tmp_path):
    judge_check.main([*corpora, f"--output_dir={tmp_path / 'out'}", f"--results={tmp_path / 'RESULTS.md'}"])
    found = json.loads((tmp_path / "out" / "judged.json").read_text())["voices"]
    halves = sorted((tmp_path / "out" / "voices" / "halves").glob("*.wav"))
    assert len(halves) == found["pairs"] == 6
    assert [audio_seconds(path) for path in halves] == pytest.approx([1.1] * 6)
    assert found["systems"]["ground_truth"]["wer"]["value"] is None
    text = (tmp_path / "RESULTS.md").read_text()
    assert "voices: each speaker has one recording" in text
    line = next(line for line in text.splitlines() if line.startswith("| voices, ground truth"))
    assert line.split("|")[4].strip() == "–"
    real = found["systems"]["ground_truth"]
    assert real["sim_prompt"]["value"] > real["sim_other"]["value"]
    assert real["voices"]["eer_interval"]["value"] == 0


def test_a_recording_without_partner_makes_no_other_count_twice(corpora, tmp_path):
    for key, pitch, speaker in (("s0_2", 100, "s0"), ("alone", 300, "s9")):
        write_audio(tmp_path / "read" / "wav" / f"{key}.wav", buzz(pitch, 2.2, seed=2), RATE)
        with (tmp_path / "read" / "metadata.csv").open("a") as stream:
            stream.write(f"{key}|{speaker}|a b 0\n")
    judge_check.main([corpora[0], corpora[2], f"--output_dir={tmp_path / 'out'}"])
    found = json.loads((tmp_path / "out" / "judged.json").read_text())["read"]
    assert found["pairs"] == 5
    assert found["systems"]["ground_truth"]["voices"]["n_utterances"] == 5


def test_without_text_there_is_no_judge_and_few_words_are_a_grammar(corpora, tmp_path):
    read, voices = (
        judged.read_corpus(name, str(tmp_path / name), tmp_path / "h") for name in ("read", "voices")
    )
    assert judged.choose_plan(voices, Settings(), None).settings.judge.name == "none"
    two = Settings(Component("whisper"), Component("pocketsphinx"))
    assert judged.choose_plan(voices, two, None).second_name is None
    assert judged.choose_plan(read, two, None).second_name == "pocketsphinx, free text"
    assert judged.choose_plan(read, two, str(tmp_path)).second_name == "pocketsphinx, free text"
    beside = judged.choose_plan(read, Settings(Component("whisper")), str(tmp_path))
    assert (beside.recognizer_name, beside.second_name) == ("whisper", "ESPnet CTC recogniser")
    assert judged.choose_plan(read, Settings(), None).vocabulary == ()  # each word is too rare
    many = judged.Corpus("many", read.recordings * 10)
    assert judged.choose_plan(many, Settings(), None).vocabulary == ("0", "1", "a", "b")


def test_judges_by_language_need_recordings_that_tell_theirs(corpora, tmp_path):
    read, voices = (
        judged.read_corpus(name, str(tmp_path / name), tmp_path / "h") for name in ("read", "voices")
    )
    settings = Settings(by_language={"en": LanguageSettings(Component("whisper"))})
    assert judged.choose_plan(voices, settings, None).languages == ()
    with pytest.raises(InputError, match="corpus read: does not tell the language of 's"):
        judged.choose_plan(read, settings, None)
    english = judged.Corpus("read", [one._replace(language="eng") for one in read.recordings])
    plan = judged.choose_plan(english, settings, str(tmp_path))
    assert (plan.languages, plan.second_name) == (("en",), "en: ESPnet CTC recogniser")


def test_a_judge_of_no_corpus_is_named(corpora, tmp_path):
    with pytest.raises(InputError, match="no corpus is called 'other'"):
        judge_check.main([*corpora, "--judge=other=x", f"--output_dir={tmp_path}"])


def test_the_halves_are_the_recording(tmp_path):
    wav = buzz(100, 2.0)
    write_audio(tmp_path / "c" / "s" / "u.wav", wav, RATE)
    write_audio(tmp_path / "c" / "t" / "v.wav", wav, RATE)
    corpus = judged.read_corpus("c", str(tmp_path / "c"), tmp_path / "halves")
    assert corpus.halved
    assert [recording.speaker for recording in corpus.recordings] == ["s", "s", "t", "t"]
    parts = [read_audio(recording.wav)[0] for recording in corpus.recordings[:2]]
    assert np.allclose(np.concatenate(parts), wav, atol=1e-4)


def test_a_recording_that_changed_is_halved_and_encoded_anew(corpora, tmp_path):
    def run(output):
        utterance._voice.cache_clear()  # a process takes it that recordings stay as they are
        judge_check.main([*corpora[1:], f"--output_dir={tmp_path / output}"])
        return {path: path.stat().st_mtime_ns for path in (tmp_path / output / "voices").glob("*/*.wav")}

    before = run("out")
    assert run("out") == before
    write_audio(tmp_path / "voices" / "wav" / "s1_0.wav", buzz(260, 2.4), RATE)
    after = run("out")
    changed = [path for path in after if after[path] != before[path]]
    assert len(before) == len(after) == 12
    assert len(changed) == 4
    assert all("s1_0" in path.name for path in changed)
    run("fresh")
    kept, new = ((tmp_path / name / "judged.json").read_text() for name in ("out", "fresh"))
    assert kept == new
