"""Scores within a language and across languages."""

import logging

import numpy as np
import pytest

from espnet2_valle.common.audio import write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.evaluation import labels as module
from espnet2_valle.evaluation.inputs import Asked, read_asked
from espnet2_valle.evaluation.languages import by_language, group_pairs, language_scores
from espnet2_valle.evaluation.run import ScoringInputs, check_recognizers
from espnet2_valle.evaluation.settings import Settings
from espnet2_valle.evaluation.table import language_parts
from espnet2_valle.evaluation.utterance import UtteranceScore
from espnet2_valle.report.page import heard_sections

LANGUAGES = {"p1": ("en", "en"), "p2": ("en", "de"), "p3": ("de", "de"), "p4": ("de", "en")}


def row(pair, heard, similarity):
    return UtteranceScore(pair, "", "one two", heard, None, 1.0, similarity, 0.1, 3.0)


def test_pairs_are_those_within_a_language_and_across():
    assert group_pairs(LANGUAGES) == {
        "within": ["p3", "p1"],
        "across": ["p2", "p4"],
        "within de": ["p3"],
        "within en": ["p1"],
        "across de": ["p2"],
        "across en": ["p4"],
    }
    assert group_pairs({"p1": ("en", "en"), "p2": ("en", "en")}) == {}
    assert by_language({"valle": []}, {}) == {}


def test_figures_of_each_group_and_what_crossing_costs():
    rows = [
        row("p1", "one two", 0.8),
        row("p2", "one", 0.6),
        row("p3", "one two", 0.8),
        row("p4", "one two", 0.6),
    ]
    scores = by_language({"valle": rows}, LANGUAGES)
    groups = scores["by_language"]
    assert groups["within"]["pairs"] == 2
    assert groups["within"]["systems"]["valle"]["word_accuracy"]["value"] == 1
    assert groups["across"]["systems"]["valle"]["word_accuracy"]["value"] == pytest.approx(0.75)
    assert groups["across de"]["systems"]["valle"]["word_accuracy"]["value"] == pytest.approx(0.5)
    assert scores["across_over_within"]["valle"] == pytest.approx({"word_accuracy": 0.75, "sim_prompt": 0.75})
    text = "\n".join(language_parts(scores))
    assert "across de (1)" in text
    assert (
        "VALL-E, across as a share of within: word accuracy 75.0 %, similarity to the prompt 75.0 %." in text
    )
    assert language_parts({}) == []


def test_languages_are_read_from_the_data_directory(tmp_path):
    for name, lines in {
        "wav.scp": "a /x/a.wav\nb /x/b.wav\n",
        "text": "a one\nb two\n",
        "utt2lang": "a English\nb deu\n",
        "pairs": "p1 a b -\np2 a a -\n",
    }.items():
        (tmp_path / name).write_text(lines)
    asked = read_asked(str(tmp_path / "pairs"), str(tmp_path), None, None, Settings())
    assert asked.languages == {"p1": ("en", "de"), "p2": ("en", "en")}


class Ear:
    """A recogniser of languages that hears a louder one in louder sounds."""

    labels = ("de", "en")

    def posteriors(self, wav, rate, where):
        loud = float(np.abs(wav).max())
        return {"en": loud, "de": 1 - loud}


@pytest.fixture
def heard(tmp_path, monkeypatch):
    """Sound files of a system whose German by an English voice (p2) sounds English."""
    monkeypatch.setattr(module, "open_recognizer", lambda *_: Ear())
    wavs = {}
    for pair, level in {"p1": 0.9, "p2": 0.8, "p3": 0.1, "p4": 0.7}.items():
        wavs[pair] = str(tmp_path / f"{pair}.wav")
        write_audio(wavs[pair], np.full(800, level, np.float32), 8000)
    return {"valle": [wavs]}


def test_languages_that_are_heard_are_counted_within_and_across(heard, tmp_path):
    rows = {"valle": [row(pair, "one two", 0.8) for pair in LANGUAGES]}
    scores = language_scores(rows, heard, LANGUAGES, "exp/language", tmp_path / "scores")
    assert scores.keys() == {"by_language", "across_over_within", "language"}
    assert scores["language"]["labels"] == ["de", "en"]
    found = scores["language"]["systems"]["valle"]
    assert found["confusion"] == {"de": [1, 1, 0], "en": [0, 2, 0]}
    assert found["accuracy"]["value"] == 0.75
    assert found["within"]["accuracy"]["value"] == 1
    assert found["across"]["accuracy"]["value"] == 0.5
    assert found["across"]["confusion"] == {"de": [0, 1, 0], "en": [0, 1, 0]}
    text = "\n".join(language_parts(scores))
    assert "Language recognised |" in text
    (line,) = [line for line in text.splitlines() if "75.0 %" in line and "100.0 %" in line]
    assert [cell.split(" (")[0].strip() for cell in line.split("|")[1:-1]] == [
        "VALL-E", "75.0 %", "100.0 %", "50.0 %",
    ]  # fmt: skip
    (shown,) = heard_sections(scores)
    assert shown["id"] == "languages"
    assert [one.split(" (")[0] for one in shown["matrices"][0]["accuracies"]] == [
        "75.0 %", "within 100.0 %", "across 50.0 %",
    ]  # fmt: skip
    more = {**LANGUAGES, "p5": ("en", "und")}
    again = language_scores(rows, heard, more, "exp/language", tmp_path / "scores")
    assert again["language"] == scores["language"]
    assert "language" not in language_scores(rows, heard, LANGUAGES, None, tmp_path / "scores")


def test_recognisers_are_looked_at_before_anything_is_scored(heard, tmp_path, caplog):
    inputs = ScoringInputs(tmp_path, language_recognizer="exp/language")
    check_recognizers(inputs, Asked([], languages={**LANGUAGES, "p5": ("en", "und")}))
    with pytest.raises(InputError, match="exp/language: does not know 'fr' of the test set"):
        check_recognizers(inputs, Asked([], languages={"p1": ("en", "fr")}))
    with caplog.at_level(logging.WARNING):
        check_recognizers(inputs, Asked([], languages={"p1": ("en", "en")}))
    assert "--language_recognizer hears nothing: all pairs are of one language" in caplog.text
