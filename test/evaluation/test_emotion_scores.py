"""Emotions that are heard in the systems' speech, against those that were to be heard."""

import numpy as np
import pytest

from espnet2_valle.common.audio import write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.evaluation import labels as module
from espnet2_valle.evaluation.emotions import emotion_scores, intended_of
from espnet2_valle.evaluation.inputs import read_asked
from espnet2_valle.evaluation.settings import Settings
from espnet2_valle.evaluation.table import emotion_parts
from espnet2_valle.evaluation.utterance import UtteranceScore
from espnet2_valle.report.page import group_sections, heard_sections

INTENDED = {"p1": "happy", "p2": "sad", "p3": "happy", "p4": "sad"}


class Ear:
    """A recogniser that tells emotions by the level of a sound, and counts what it hears."""

    labels = ("happy", "sad", "shy")
    heard = 0

    def posteriors(self, wav, rate, where):
        Ear.heard += 1
        loud = float(np.abs(wav).max())
        if loud < 0.01:
            raise InputError(where, "is too short", "Give a longer one")
        return {"happy": loud, "sad": 0.5, "shy": 0.0}


@pytest.fixture
def systems(tmp_path, monkeypatch):
    """Sound files of a system in which a recogniser hears happy, sad, sad, and nothing."""
    monkeypatch.setattr(module, "open_recognizer", lambda *_: Ear())
    Ear.heard = 0
    wavs = {}
    for pair, level in zip(INTENDED, (0.9, 0.1, 0.2, 0.0)):
        wavs[pair] = str(tmp_path / f"{pair}.wav")
        write_audio(wavs[pair], np.full(800, level, np.float32), 8000)
    return {"valle": [wavs]}


def row(pair, heard):
    return UtteranceScore(pair, "", "one two", heard, None, 1.0, 0.8, 0.1, 3.0)


def test_accuracy_and_confusion_are_counted_and_kept(systems, tmp_path):
    rows = {"valle": [row(pair, "one two" if pair < "p3" else "one") for pair in INTENDED]}
    scores = emotion_scores(rows, systems, INTENDED, "exp/emotion", tmp_path / "scores")
    found = scores["emotion"]["systems"]["valle"]
    assert scores["emotion"]["labels"] == ["happy", "sad", "shy"]
    assert found["confusion"] == {"happy": [1, 1, 0, 0], "sad": [0, 1, 0, 1]}
    assert found["accuracy"]["value"] == 0.5
    assert scores["by_emotion"]["happy"]["pairs"] == 2
    assert scores["by_emotion"]["happy"]["systems"]["valle"]["word_accuracy"]["value"] == 0.75
    assert Ear.heard == 4
    assert emotion_scores(rows, systems, INTENDED, "exp/emotion", tmp_path / "scores") == scores
    assert Ear.heard == 4
    text = "\n".join(emotion_parts(scores))
    assert "| VALL-E |" in text
    assert "50.0 %" in text
    assert "| nothing |" in text
    assert "happy (2)" in text


def test_the_page_shows_matrices_and_groups(systems, tmp_path):
    rows = {"valle": [row(pair, "one two") for pair in INTENDED]}
    scores = emotion_scores(rows, systems, INTENDED, "exp/emotion", tmp_path / "scores")
    (shown,) = heard_sections(scores)
    assert (shown["id"], shown["title"]) == ("emotions", "Emotions")
    assert shown["matrices"][0]["header"] == ["happy", "sad", "shy", "nothing"]
    assert shown["matrices"][0]["rows"][0] == (
        "happy",
        [{"count": count, "share": int(count) / 2} for count in ("1", "1", "0", "0")],
    )
    assert [group["title"] for group in group_sections(scores)] == ["By emotion"]
    assert heard_sections({}) == []
    assert group_sections({}) == []


def test_without_a_recogniser_or_several_emotions_there_is_less(systems, tmp_path):
    rows = {"valle": [row(pair, "one two") for pair in INTENDED]}
    assert emotion_scores(rows, systems, INTENDED, None, tmp_path).keys() == {"by_emotion"}
    assert emotion_scores(rows, systems, dict.fromkeys(INTENDED, "sad"), "x", tmp_path) == {}
    assert emotion_parts({}) == []
    assert intended_of({"p1": "sad", "p2": "unknown", "p3": "shy"}) == {"p1": "sad", "p3": "shy"}


def test_an_emotion_that_the_recogniser_does_not_know_is_refused(systems, tmp_path):
    with pytest.raises(InputError, match="does not know 'calm' of the test set"):
        emotion_scores({"valle": []}, systems, {"p1": "calm", "p2": "sad"}, "x", tmp_path)


def test_emotions_are_those_of_the_targets(tmp_path):
    for name, lines in {
        "wav.scp": "a /x/a.wav\nb /x/b.wav\n",
        "text": "a one\nb two\n",
        "utt2emo": "a sad\nb happy\n",
        "pairs": "p1 a b -\np2 b a -\n",
    }.items():
        (tmp_path / name).write_text(lines)
    asked = read_asked(str(tmp_path / "pairs"), str(tmp_path), None, None, Settings())
    assert asked.emotions == {"p1": "happy", "p2": "sad"}
