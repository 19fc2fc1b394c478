"""The result of a synthesis: attributes, and ESPnet's way to ask for them."""

import pytest
import torch

from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.speech import Speech


def speech(outcome=Outcome.OK, log_probability=-1.0, score=None):
    return Speech(torch.ones(4), torch.zeros(2, 8, dtype=torch.long), outcome, log_probability, score=score)


def test_it_answers_by_name_as_espnets_results_do():
    said = speech()
    assert said["wav"] is said.wav
    assert said["outcome"] is Outcome.OK
    assert dict(said).keys() == {*("wav", "codes", "outcome", "log_probability", "tries", "problem", "score")}
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
