"""Scores within a language and across languages."""

import pytest

from espnet2_valle.evaluation.inputs import read_asked
from espnet2_valle.evaluation.languages import by_language, group_pairs
from espnet2_valle.evaluation.settings import Settings
from espnet2_valle.evaluation.table import language_parts
from espnet2_valle.evaluation.utterance import UtteranceScore

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
        "utt2lang": "a en\nb de\n",
        "pairs": "p1 a b -\np2 a a -\n",
    }.items():
        (tmp_path / name).write_text(lines)
    asked = read_asked(str(tmp_path / "pairs"), str(tmp_path), None, None, Settings())
    assert asked.languages == {"p1": ("en", "de"), "p2": ("en", "en")}
