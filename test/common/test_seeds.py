"""Seeds of candidates and attempts."""

from espnet2_valle.common.seeds import derive_seed


def test_the_first_go_keeps_its_seed_and_others_differ():
    assert derive_seed(7, 0, 0) == 7
    seeds = {derive_seed(7, attempt, candidate) for attempt in range(4) for candidate in range(4)}
    assert len(seeds) == 16
    assert derive_seed(7, 1, 2) == derive_seed(7, 1, 2)
