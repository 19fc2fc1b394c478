from hypothesis import given
from hypothesis import strategies as st

from espnet2_valle.corpus.join import choose_joins, join_ids

UTTS = st.dictionaries(
    st.text("abc", min_size=1, max_size=4), st.tuples(st.integers(1, 50), st.sampled_from("xyz")), max_size=12
)


@given(UTTS, st.integers(0, 80), st.integers(0, 5))
def test_joins_are_of_one_speaker_and_short_enough(utts, max_frames, seed):
    frames = {utt: length for utt, (length, _) in utts.items()}
    speakers = {utt: speaker for utt, (_, speaker) in utts.items()}
    joins = choose_joins(frames, speakers, max_frames, seed)
    assert joins == choose_joins(frames, speakers, max_frames, seed)
    assert len({first for first, _ in joins}) == len(joins)
    for first, second in joins:
        assert first != second
        assert speakers[first] == speakers[second]
        assert frames[first] + frames[second] <= max_frames


def test_every_utterance_that_can_finds_a_companion():
    frames = {"a": 10, "b": 20, "c": 90, "d": 10}
    speakers = {"a": "x", "b": "x", "c": "x", "d": "y"}
    assert choose_joins(frames, speakers, 40, seed=0) == [("a", "b"), ("b", "a")]


def test_texts_are_joined_with_the_word_space_where_there_is_one():
    assert join_ids([3, 4], [5], 2) == [3, 4, 2, 5]
    assert join_ids([3, 4], [5], None) == [3, 4, 5]
