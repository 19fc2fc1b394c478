"""Outcomes in the order of preference."""

from espnet2_valle.generate.outcome import PREFERENCE, Outcome, rank


def test_the_outcome_counts_before_the_score():
    assert rank(Outcome.OK, -9.0) > rank(Outcome.STUCK, 0.0)
    assert rank(Outcome.OK, -1.0) > rank(Outcome.OK, -2.0)
    assert set(PREFERENCE) == set(Outcome)
