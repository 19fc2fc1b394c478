from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from espnet2_valle.corpus.cutting import Limits, Unit, cut

SENTENCES = st.lists(st.tuples(st.floats(0, 3), st.floats(0.1, 12)), max_size=40)
LIMITS = Limits(shortest=10, longest=20, pause=1)


def laid_out(pauses_and_lengths):
    """Units behind one another, the text of each its number."""
    units, time = [], 0.0
    for number, (pause, length) in enumerate(pauses_and_lengths):
        units.append(Unit(time + pause, time + pause + length, str(number)))
        time += pause + length
    return units


@given(SENTENCES)
def test_utterances_have_the_allowed_length_and_are_whole_runs_of_units(given_units):
    units = laid_out(given_units)
    pieces = cut(units, LIMITS)
    said = [int(word) for piece in pieces for word in piece.text.split()]
    assert said == sorted(set(said))
    for piece in pieces:
        first, *_, last = [int(word) for word in [*piece.text.split(), piece.text.split()[-1]]]
        assert piece.text.split() == [str(number) for number in range(first, last + 1)]
        assert (piece.start, piece.end) == (units[first].start, units[last].end)
        assert LIMITS.shortest <= piece.end - piece.start <= LIMITS.longest
        assert all(b.start - a.end <= LIMITS.pause for a, b in pairwise(units[first : last + 1]))


def test_an_utterance_ends_at_the_longest_pause_in_reach():
    units = laid_out([(0.1, 4), (0.1, 4), (0.1, 4), (0.8, 4), (0.1, 4), (0.1, 4), (0.1, 4)])
    assert [piece.text for piece in cut(units, LIMITS)] == ["0 1 2", "3 4 5 6"]


def test_words_are_joined_as_sentences_are():
    words = laid_out([(0.0625, 0.3125)] * 60)
    pieces = cut(words, LIMITS)
    assert [len(piece.text.split()) for piece in pieces] == [53]  # what is left is shorter than 10 s


def test_a_long_pause_parts_and_what_is_too_short_is_left_out():
    units = laid_out([(0, 6), (0.2, 6), (5, 3), (5, 11)])
    assert [piece.text for piece in cut(units, LIMITS)] == ["0 1", "3"]


def test_a_unit_that_is_too_long_is_left_out():
    assert [piece.text for piece in cut(laid_out([(0, 25), (0.1, 12)]), LIMITS)] == ["1"]
