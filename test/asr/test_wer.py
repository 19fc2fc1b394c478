import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet2_valle.asr.wer import align_words, count_characters, count_words, normalise

TEXTS = st.lists(st.sampled_from(["one", "two", "three", "four"]), max_size=8).map(" ".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello,  World!", "hello world"),
        ("“Don’t”, he said.", "don't he said"),
        ("'tis a well-known dogs' life", "tis a well known dogs life"),
        ("Ｆｕｌｌ width", "full width"),
        ("设定二十九度。", "设定二十九度"),
        ("Crème brûlée", "crème brûlée"),
        (" ... ", ""),
    ],
)
def test_normalise(text, expected):
    assert normalise(text) == expected


@given(st.text(max_size=30))
def test_normalising_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize(
    ("reference", "heard", "expected"),
    [
        ("one two three", "one two three", (3, 0, 0, 0)),
        ("one two three", "one too three", (2, 1, 0, 0)),
        ("one two three", "one three", (2, 0, 1, 0)),
        ("one two three", "one two two three", (3, 0, 0, 1)),
        ("one two three", "", (0, 0, 3, 0)),
        ("", "one", (0, 0, 0, 1)),
        ("One, TWO!", "one two", (2, 0, 0, 0)),
    ],
)
def test_word_counts(reference, heard, expected):
    counts = count_words(reference, heard)
    assert (counts.hits, counts.substitutions, counts.deletions, counts.insertions) == expected
    assert counts.length == len(reference.split())
    assert counts.errors == sum(expected[1:])


def test_character_counts_include_spaces():
    assert count_characters("a b", "ab").deletions == 1
    assert count_characters("four", "for").errors == 1


def test_spaces_between_characters_that_are_words_do_not_count():
    counts = count_characters("你 好 吗 朋 友", "你 号 吗 朋 友")
    assert (counts.errors, counts.length) == (1, 5)


@given(TEXTS, TEXTS)
def test_alignment_agrees_with_the_counts_and_loses_no_word(reference, heard):
    pairs = align_words(reference, heard)
    assert [said for said, _ in pairs if said] == reference.split()
    assert [got for _, got in pairs if got] == heard.split()
    assert sum(said != got for said, got in pairs) == count_words(reference, heard).errors
