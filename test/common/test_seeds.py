"""Seeds of candidates and attempts."""

import random

import pytest

from espnet2_valle.common.seeds import derive_seed, shuffled


def test_the_first_go_keeps_its_seed_and_others_differ():
    assert derive_seed(7, 0, 0) == 7
    seeds = {derive_seed(7, attempt, candidate) for attempt in range(4) for candidate in range(4)}
    assert len(seeds) == 16
    assert derive_seed(7, 1, 2) == derive_seed(7, 1, 2)


@pytest.mark.parametrize("count", [0, 1, 2, 20, 100, 3000])
def test_what_is_drawn_one_by_one_is_a_sample_of_all(count):
    expected = random.Random(count).sample(range(count), count)
    assert list(shuffled(count, random.Random(count))) == expected
