from pathlib import Path

import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.libri import librispeech_pairs
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import NO_OTHER, Pair


def a_set(seconds):
    """{utterance: seconds}, utterances named SPEAKER-NUMBER."""
    keys = list(seconds)
    return DataDir(Path("test"), dict.fromkeys(keys, "w"), dict.fromkeys(keys, "t"), {k: k[0] for k in keys})


def test_the_lists_of_the_field():
    seconds = {
        "a-1": 4.0,
        "a-2": 3.99,
        "a-3": 10.0,
        "a-4": 10.01,
        "a-5": 7.0,
        "b-1": 5.0,
        "b-2": 6.0,
        "c-1": 9,
    }
    lists = librispeech_pairs(a_set(seconds), seconds)
    assert lists["pairs"] == [
        Pair("a-1", "a-5", "a-1", "b-1"),  # the first one's prompt is the last
        Pair("a-3", "a-1", "a-3", "b-2"),
        Pair("a-5", "a-3", "a-5", "b-1"),
        Pair("b-1", "b-2", "b-1", "c-1"),
        Pair("b-2", "b-1", "b-2", "c-1"),
    ]
    assert [pair.target_utt for pair in lists["pairs_continuation"]] == [
        "a-1",
        "a-3",
        "a-5",
        "b-1",
        "b-2",
        "c-1",
    ]
    assert all(pair.prompt_utt == pair.target_utt for pair in lists["pairs_continuation"])
    assert lists["pairs_continuation"][-1].other_utt == "a-1"


def test_the_order_of_the_files_does_not_matter():
    seconds = {f"{speaker}-{n}": 4.0 + n for speaker in "abc" for n in range(5)}
    turned = dict(reversed(seconds.items()))
    assert librispeech_pairs(a_set(seconds), seconds) == librispeech_pairs(a_set(turned), turned)


def test_one_speaker_has_no_other_voice():
    lists = librispeech_pairs(a_set({"a-1": 5.0, "a-2": 5.0}), {"a-1": 5.0, "a-2": 5.0})
    assert {pair.other_utt for pair in lists["pairs"]} == {NO_OTHER}


def test_a_set_without_such_utterances_is_refused():
    seconds = {"a-1": 5.0, "a-2": 3.0, "b-1": 5.0}
    with pytest.raises(InputError, match="no speaker has two utterances of 4 to 10 s"):
        librispeech_pairs(a_set(seconds), seconds)
