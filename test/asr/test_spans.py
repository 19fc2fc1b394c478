"""Durations in frames: their sum is the utterance, and each sound has a frame."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet2_valle.asr.spans import ends_of, even_ends, least_frames, whole_frames
from espnet2_valle.common.errors import InputError
from espnet2_valle.text.roles import Role


@given(st.lists(st.sampled_from(list(Role)), min_size=1, max_size=12), st.integers(0, 40), st.integers(0, 9))
def test_durations_sum_to_the_frames_and_keep_the_least(kinds, more, seed):
    kinds = np.array([*kinds, Role.PAUSE])
    least = least_frames(kinds)
    frames = int(least.sum()) + more
    ends = np.sort(np.random.default_rng(seed).uniform(-3, frames + 3, len(kinds)))
    durations = whole_frames(ends, least, frames, "u")
    assert durations.sum() == frames
    assert (durations >= least).all()


def test_ends_that_fit_are_kept():
    durations = whole_frames(np.array([2.2, 5.0, 5.0, 9.0]), np.array([0, 1, 0, 1]), 9, "u")
    assert durations.tolist() == [2, 3, 0, 4]


def test_too_few_frames_name_the_utterance():
    with pytest.raises(InputError, match="utterance a: 1 frames are too few for the 2 sounds"):
        whole_frames(np.ones(2), np.ones(2, dtype=int), 1, "utterance a")


def test_what_lies_between_is_divided():
    """edge, sound, mark, sound, pause, sound, edge: found at 4..6, 8..10 and 20..24 of 30 frames."""
    kinds = np.array([1, 2, 0, 2, 1, 2, 1])
    spans = np.array([(4.0, 6.0), (8.0, 10.0), (20.0, 24.0)])
    ends = ends_of(spans, [1, 3, 5], kinds, 30, margin=1.0)
    np.testing.assert_allclose(ends, [3, 7, 7, 11, 19, 25, 30])


def test_sounds_that_were_not_found_share_the_gap():
    ends = ends_of(np.array([(2.0, 4.0)]), [1], np.array([1, 2, 2, 2, 1]), 13, margin=0.0)
    np.testing.assert_allclose(ends, [2, 4, 7, 10, 13])


@pytest.mark.parametrize(
    ("begin", "end", "ends"), [(0, 10, [0, 4, 6, 6, 10, 10]), (2, 7, [2, 4, 5, 5, 7, 10])]
)
def test_a_first_guess_gives_pauses_less_marks_nothing_and_the_edges_what_is_silent(begin, end, ends):
    found = even_ends(np.array([1, 2, 1, 0, 2, 1]), begin, end, 10)
    np.testing.assert_allclose(found, ends)
