"""Prompts of training utterances: another one of the speaker, or a piece that does not count."""

import numpy as np
import pytest
from ns2_training_samples import write_timed_archive

from espnet2_valle.codec.build import load_codec
from espnet2_valle.common.errors import InputError
from espnet2_valle.train.concatenate import ALONE
from espnet2_valle.train.index import TrainingIndex
from espnet2_valle.train.timed_utterances import PromptRule, TimedUtterances


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_timed_archive(tmp_path_factory.mktemp("timed"))


def utterances(archive, source):
    index = TrainingIndex(archive / "index")
    return TimedUtterances(index, archive / "timing", f"{archive}/codec.yaml", 4, PromptRule(source, 5, 9))


def test_an_utterance_has_all_that_the_model_takes(archive):
    name, data = utterances(archive, "other")[3, ALONE, 7]
    assert name == "utt3"
    frames = len(data["codes"])
    assert data["text"][0] == data["text"][-1] == 4
    assert data["durations"].sum() == frames == len(data["latent"]) == len(data["pitch"])
    assert len(data["durations"]) == len(data["text"])
    assert np.exp(data["pitch"]).min() >= 79
    assert (data["scored"] == 1).all()
    np.testing.assert_array_equal(data["latent"], load_codec(archive / "codec.yaml").latent(data["codes"]))


def test_another_prompt_is_of_the_same_speaker_and_another_utterance(archive):
    data = utterances(archive, "other")
    index = data.index
    for draw in range(30):
        other = data.companion(3, np.random.default_rng(draw))
        assert other != 3
        assert index.speaker(other) == index.speaker(3)
    lengths = {len(data[3, ALONE, draw][1]["prompt"]) for draw in range(30)}
    assert lengths == {5, 6, 7, 8, 9}


def test_an_own_prompt_does_not_count(archive):
    _, data = utterances(archive, "own")[3, ALONE, 7]
    hidden = np.flatnonzero(data["scored"] == 0)
    np.testing.assert_array_equal(data["latent"][hidden], data["prompt"])
    assert 5 <= len(hidden) <= 9


def test_the_draw_decides(archive):
    data = utterances(archive, "own")
    one, again, other = (data[3, ALONE, draw][1]["scored"] for draw in (7, 7, 8))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_timing_of_other_codes_is_told(archive):
    data = utterances(archive, "other")
    with pytest.raises(InputError, match="'utt3' has .* frames of .* tokens, not 3 of 9"):
        data.timed("utt3", 9, 3)
    with pytest.raises(InputError, match="'utt9' of the index is not in it"):
        data.timed("utt9", 9, 3)
