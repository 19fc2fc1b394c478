"""The result of a synthesis: attributes, ESPnet's way to ask for them, a player, a file."""

import base64
import io
import re
from typing import get_type_hints

import numpy as np
import pytest
import soundfile
import torch

from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.speech import Speech

CODES = torch.zeros(2, 8, dtype=torch.long)


def speech(outcome=Outcome.OK, log_probability=-1.0, score=None):
    return Speech(torch.full((4,), 0.5), 8000, CODES, outcome, log_probability, score=score)


def test_it_answers_by_name_as_espnets_results_do():
    said = speech()
    assert said["wav"] is said.wav
    assert said["outcome"] is Outcome.OK
    assert dict(said).keys() == {
        *("wav", "fs", "codes", "outcome", "log_probability", "tries", "problem", "score", "provenance")
    }
    for name in ("loudness", "keys", "rank"):
        with pytest.raises(KeyError, match=name):
            said[name]


def test_the_outcome_goes_before_the_score_and_that_before_the_likelihood():
    ranked = [
        speech(Outcome.NO_SPEECH, None),
        speech(Outcome.STUCK, 0.0, score=9.0),
        speech(Outcome.OK, -2.0, score=-1.0),
        speech(Outcome.OK, -1.0, score=-1.0),
        speech(Outcome.OK, -3.0, score=0.0),
    ]
    worst_last = ranked[::-1]
    assert sorted(worst_last, key=lambda one: one.rank) == ranked
    assert speech(log_probability=-1.0).rank > speech(log_probability=-2.0).rank


def test_every_attribute_has_its_type():
    hints = get_type_hints(Speech)
    assert set(speech().keys()) <= set(hints)
    assert isinstance(speech().fs, int)


def test_a_notebook_shows_a_player_that_holds_the_sound():
    shown = speech()._repr_html_()
    found = re.search(r'<audio controls src="data:audio/wav;base64,([^"]+)"', shown)
    wav, rate = soundfile.read(io.BytesIO(base64.b64decode(found[1])))
    assert rate == 8000
    assert np.allclose(wav, 0.5, atol=1e-4)
    assert "ok" in shown


def test_a_notebook_shows_why_there_is_no_sound_and_reads_no_markup_in_it():
    silent = Speech(torch.empty(0), 8000, CODES[:0], Outcome.TEXT_REJECTED, problem="has <b>markup</b>")
    shown = silent._repr_html_()
    assert "<audio" not in shown
    assert "text_rejected (has &lt;b&gt;markup&lt;/b&gt;)" in shown


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_it_saves_itself(suffix, tmp_path):
    speech().save(tmp_path / f"a.{suffix}")
    wav, rate = soundfile.read(tmp_path / f"a.{suffix}")
    assert rate == 8000
    assert np.allclose(wav, 0.5, atol=1e-4)


def test_what_cannot_be_saved_says_why(tmp_path):
    silent = Speech(torch.empty(0), 8000, CODES[:0], Outcome.NO_SPEECH)
    with pytest.raises(InputError, match="no_speech"):
        silent.save(tmp_path / "a.wav")
    with pytest.raises(InputError, match="no format"):
        speech().save(tmp_path / "a.docx")
    assert not list(tmp_path.iterdir())
