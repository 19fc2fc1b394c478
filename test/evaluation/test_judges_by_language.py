"""Texts of several languages, each judged by the recogniser and the normaliser of its own."""

import json
from dataclasses import dataclass

import pytest
from scoring_stubs import LevelEncoder, LevelQuality, StubPlan, ToneRecognizer, write

from espnet2_valle.asr.normalise import characters
from espnet2_valle.asr.recognizer import AbsRecognizer
from espnet2_valle.bin import score
from espnet2_valle.common.errors import InputError
from espnet2_valle.evaluation.scorers import Judges, Scorers
from espnet2_valle.evaluation.systems import read_rows

TEXTS = {"a1": "one two", "a2": "three", "b1": "你好", "b2": "世界"}
LANGUAGES = {"a1": "English", "a2": "en", "b1": "cmn", "b2": "zh"}
CONFIG = "by_language:\n  en: {judge: none}\n  zh: {judge: none, normaliser: characters}\n"


class OneMandarin(AbsRecognizer):
    """Hears the same in everything."""

    def transcribe(self, wav, rate):
        return "你坏！"


@dataclass(frozen=True)
class TwoLanguages(StubPlan):
    """Tones are English."""

    languages = ("en", "zh")
    second_name = None

    def build(self):
        with open(self.log, "a") as stream:
            stream.write("built\n")
        judges = {"en": Judges(ToneRecognizer()), "zh": Judges(OneMandarin(), normalise=characters)}
        return Scorers(judges, LevelEncoder(), LevelQuality())


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Options of the command for pairs within and across two languages."""
    monkeypatch.setattr(score, "DefaultPlan", lambda *_: TwoLanguages(str(tmp_path / "log")))
    wavs = {key: write(tmp_path / f"{key}.wav", "one two", 0.5) for key in TEXTS}
    wavs["a2"] = write(tmp_path / "a2.wav", "three", 0.5)
    for name, lines in (("wav.scp", wavs), ("text", TEXTS), ("utt2lang", LANGUAGES)):
        (tmp_path / name).write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
    (tmp_path / "pairs").write_text("p1 a2 a1 -\np2 b1 a2 -\np3 a1 b1 -\np4 b1 b2 -\n")
    (tmp_path / "score.yaml").write_text(CONFIG)
    options = {"pairs": "pairs", "data_dir": "", "config": "score.yaml", "output_dir": "exp"}
    return [f"--{name}={tmp_path / value}" for name, value in options.items()]


def test_each_text_is_heard_and_counted_in_its_language(command, tmp_path):
    score.main(command)
    rows = {row.pair_id: row for row in read_rows(tmp_path / "exp" / "scores" / "ground_truth.jsonl")}
    assert {pair: (row.text, row.heard) for pair, row in rows.items()} == {
        "p1": ("one two", "one two"),
        "p2": ("three", "three"),
        "p3": ("你 好", "你 坏"),
        "p4": ("世 界", "你 坏"),
    }
    groups = json.loads((tmp_path / "exp" / "scores.json").read_text())["by_language"]
    wer = {name: found["systems"]["ground_truth"]["wer"]["value"] for name, found in groups.items()}
    assert wer["within en"] == wer["across en"] == 0
    assert (wer["across zh"], wer["within zh"]) == (0.5, 1)
    score.main(command)
    assert (tmp_path / "log").read_text() == "built\n", "rows are kept"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "b2 fr",
            "utt2lang: 'b2' is 'fr', for which the scoring config has no judge, but for en, zh. Add 'fr'",
        ),
        ("", "utt2lang: does not tell the language of 'b2', .* Write a line `utterance language`"),
    ],
)
def test_a_text_that_no_judge_hears_is_refused_before_anything_is_scored(command, tmp_path, line, message):
    path = tmp_path / "utt2lang"
    path.write_text(path.read_text().replace("b2 zh\n", f"{line}\n" if line else ""))
    with pytest.raises(InputError, match=message):
        score.main(command)
    assert not (tmp_path / "log").exists()


def test_a_list_that_tells_no_languages_is_refused(command, tmp_path):
    (tmp_path / "meta.lst").write_text("u1|five|a1.wav|one two|a2.wav\n")
    with pytest.raises(InputError, match="--list: tells no languages.*Give --pairs and a --data_dir"):
        score.main([f"--list={tmp_path / 'meta.lst'}", *command[2:]])
