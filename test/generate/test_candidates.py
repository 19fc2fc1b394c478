from espnet2_valle.common.seeds import derive_seed
from espnet2_valle.generate.outcome import PREFERENCE, Outcome, rank


def test_the_first_go_keeps_its_seed_and_others_differ():
    assert derive_seed(7, 0, 0) == 7
    seeds = {derive_seed(7, attempt, candidate) for attempt in range(4) for candidate in range(4)}
    assert len(seeds) == 16
    assert derive_seed(7, 1, 2) == derive_seed(7, 1, 2)


def test_the_outcome_counts_before_the_score():
    assert rank(Outcome.OK, -9.0) > rank(Outcome.STUCK, 0.0)
    assert rank(Outcome.OK, -1.0) > rank(Outcome.OK, -2.0)
    assert set(PREFERENCE) == set(Outcome)
