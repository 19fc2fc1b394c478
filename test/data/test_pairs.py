from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import NO_OTHER, Pair, make_pairs, read_pairs, write_pairs


def a_set(speakers, utterances, texts=None):
    keys = [f"{speaker}-{n}" for speaker in speakers for n in range(utterances)]
    texts = texts or {key: f"text {key}" for key in keys}
    return DataDir(Path("test"), {k: f"{k}.wav" for k in keys}, texts, {k: k.split("-")[0] for k in keys})


def lengths(data, seconds=3.0):
    return dict.fromkeys(data.wavs, seconds)


@settings(max_examples=50, deadline=None)
@given(
    speakers=st.integers(1, 5),
    utterances=st.integers(2, 6),
    count=st.integers(1, 40),
    seed=st.integers(0, 3),
)
def test_pairs_keep_the_rules(speakers, utterances, count, seed):
    data = a_set([f"s{n}" for n in range(speakers)], utterances)
    pairs = make_pairs(data, lengths(data), count=count, seed=seed)
    assert len(pairs) == min(count, speakers * utterances * (utterances - 1))
    assert len({pair.pair_id for pair in pairs}) == len(pairs)
    assert len({(pair.prompt_utt, pair.target_utt) for pair in pairs}) == len(pairs)
    for pair in pairs:
        speaker = data.speakers[pair.target_utt]
        assert data.speakers[pair.prompt_utt] == speaker
        assert pair.prompt_utt != pair.target_utt
        if speakers == 1:
            assert pair.other_utt == NO_OTHER
        else:
            assert data.speakers[pair.other_utt] != speaker


def test_the_same_seed_gives_the_same_list_and_another_seed_another():
    data = a_set("abcd", 8)
    assert make_pairs(data, lengths(data), count=20) == make_pairs(data, lengths(data), count=20)
    assert make_pairs(data, lengths(data), count=20) != make_pairs(data, lengths(data), count=20, seed=1)


def test_a_short_list_has_all_speakers():
    data = a_set("abcd", 8)
    pairs = make_pairs(data, lengths(data), count=8)
    spoken = [data.speakers[pair.target_utt] for pair in pairs]
    assert all(spoken.count(speaker) == 2 for speaker in "abcd")


def test_targets_are_of_unseen_speakers_and_the_other_voice_may_be_seen():
    test, train = a_set("abn", 4), a_set("ab", 9)
    pairs = make_pairs(test, lengths(test), train, count=12)
    assert {test.speakers[pair.target_utt] for pair in pairs} == {"n"}
    assert {test.speakers[pair.other_utt] for pair in pairs} <= {"a", "b"}


def test_targets_have_unseen_texts_if_there_are_any():
    texts = {"n-0": "seen", "n-1": "new", "n-2": "seen", "n-3": "newer"}
    test = a_set("n", 4, texts)
    train = a_set("a", 1, {"a-0": "seen"})
    pairs = make_pairs(test, lengths(test), train)
    assert {pair.target_utt for pair in pairs} == {"n-1", "n-3"}


def test_the_same_texts_everywhere_still_give_pairs():
    test, train = a_set("n", 2, dict.fromkeys(["n-0", "n-1"], "x")), a_set("a", 1, {"a-0": "x"})
    assert len(make_pairs(test, lengths(test), train)) == 2


def test_prompts_are_the_ones_nearest_three_seconds():
    data = a_set("a", 30)
    seconds = {utterance: 1.0 + n * 0.25 for n, utterance in enumerate(data.wavs)}
    pairs = make_pairs(data, seconds, count=30)
    assert len(pairs) == 30
    assert max(abs(seconds[pair.prompt_utt] - 3.0) for pair in pairs) <= 1.5
    assert len({pair.prompt_utt for pair in pairs}) > 3  # not one prompt for all


def test_prompts_keep_within_the_limits():
    data = a_set("ab", 4)
    seconds = {u: 0.5 if u.endswith("0") else 12.0 if u.endswith("1") else 5.0 for u in data.wavs}
    pairs = make_pairs(data, seconds, min_prompt=1.0, max_prompt=10.0)
    assert {pair.prompt_utt[-1] for pair in pairs} == {"2", "3"}
    assert {pair.target_utt[-1] for pair in pairs} == {"0", "1", "2", "3"}


@pytest.mark.parametrize(("utterances", "seconds"), [(1, 3.0), (5, 0.5), (5, 11.0)])
def test_no_possible_pair_is_an_error_that_says_why(utterances, seconds):
    data = a_set("abc", utterances)
    with pytest.raises(InputError, match="no test pair can be made: no speaker has two utterances") as caught:
        make_pairs(data, lengths(data, seconds))
    assert f"they last {seconds} to {seconds} s, {3 * utterances} utterances of 3 speakers" in str(
        caught.value
    )


def test_a_written_list_is_read_again(tmp_path):
    pairs = [Pair("b", "p", "t", "o"), Pair("a", "q", "u", NO_OTHER)]
    write_pairs(tmp_path / "pairs", pairs)
    assert (tmp_path / "pairs").read_text() == "a q u -\nb p t o\n"
    assert read_pairs(tmp_path / "pairs") == [pairs[1], pairs[0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a p t\n", "pairs:1: 3 columns in place of 4"),
        ("a p t o\na p u o\n", "pairs:2: pair 'a' is there twice"),
        ("", "has no pair"),
    ],
)
def test_bad_lists_are_named(tmp_path, content, message):
    (tmp_path / "pairs").write_text(content)
    with pytest.raises(InputError, match=message):
        read_pairs(tmp_path / "pairs")


def test_a_list_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no such list of pairs"):
        read_pairs(tmp_path / "pairs")
