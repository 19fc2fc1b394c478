"""Batch plans: every utterance once, within the budget, the same work on every rank, ever new."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_samples import random_index

from espnet2_valle.common.errors import InputError
from espnet2_valle.train.batches import BatchPlan, BatchRule
from espnet2_valle.train.concatenate import ALONE, choose_companions


def rule(**changes):
    options = {"bins": 400, "step": 8, "positions": lambda tokens, frames: tokens + 1 + frames}
    return BatchRule(**{**options, **changes})


def batches(plan, ranks=1):
    return [[plan.batch(number, rank) for rank in range(ranks)] for number in range(len(plan))]


def padded(index, items):
    return max(
        -(-int(sum(index.tokens[n] + index.frames[n] for n in item if n != ALONE) + 1) // 8) * 8
        for item in items
    )


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    return random_index(tmp_path_factory.mktemp("index"), 500)


@settings(deadline=None, max_examples=30)
@given(st.integers(50, 2000), st.integers(1, 4), st.integers(0, 9))
def test_a_pass_gives_every_utterance_once_within_the_budget(index, bins, ranks, seed):
    plan = BatchPlan(index, rule(bins=bins, world_size=ranks), (seed,))
    given_out = batches(plan, ranks)
    for shares in given_out:
        items = [item for share in shares for item in share]
        assert len({len(share) for share in shares}) == 1
        assert len(shares[0]) == 1 or len(items) * padded(index, items) <= bins
    counts = Counter(first for shares in given_out for share in shares for first, _ in share)
    assert sorted(counts) == list(range(len(index)))
    assert sum(counts.values()) < len(index) + ranks  # the last batch may be filled up


def test_padding_is_what_the_step_costs(index):
    plan = BatchPlan(index, rule(bins=150, step=1), (0,))
    used = cost = 0
    for shares in batches(plan):
        lengths = [int(index.tokens[n] + index.frames[n] + 1) for n, _ in shares[0]]
        used += sum(lengths)
        cost += max(lengths) * len(lengths)
    assert cost < used * 1.03


def test_few_shapes_occur(index):
    plan = BatchPlan(index, rule(bins=300, step=16), (0,))
    shapes = Counter((len(shares[0]), -(-padded(index, shares[0]) // 16)) for shares in batches(plan))
    assert len(shapes) <= 2 * (60 + 9) // 16 + 2


def test_passes_differ_and_repeat_exactly(index):
    passes = [batches(BatchPlan(index, rule(), (7, number))) for number in (0, 1, 0)]
    assert passes[0] == passes[2]
    mixes = [{frozenset(shares[0]) for shares in one} for one in passes]
    assert len(mixes[0] & mixes[1]) < len(mixes[0]) / 2
    fixed = [batches(BatchPlan(index, rule(), (7, number), shuffle=False)) for number in (0, 1)]
    assert fixed[0] == fixed[1]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 130), st.integers(0, 5))
def test_companions_are_others_of_the_same_speaker_that_fit(index, max_frames, seed):
    companions = choose_companions(index, max_frames, np.random.default_rng(seed))
    speaker = index.columns["speaker"]
    for first, second in enumerate(companions):
        fits = (speaker == speaker[first]) & (index.frames + index.frames[first] <= max_frames)
        fits[first] = False
        assert fits[second] if second != ALONE else not fits.any()


def test_each_fitting_companion_is_as_likely(tmp_path):
    small = random_index(tmp_path, 4, speakers=1, longest=2)
    drawn = [choose_companions(small, 2, np.random.default_rng(seed))[1] for seed in range(300)]
    assert set(drawn) == {0, 2, 3}
    assert min(Counter(drawn).values()) > 60


def test_joined_utterances_come_beside_the_single_ones(index):
    plan = BatchPlan(index, rule(bins=2000, max_join_frames=60, separator=2), (3,))
    items = Counter(item for shares in batches(plan) for item in shares[0])
    joined = {item for item in items if item[1] != ALONE}
    assert set(items.values()) == {1}
    assert len(items) == len(index) + len(joined)
    assert all(index.frames[first] + index.frames[second] <= 60 for first, second in joined)
    other = BatchPlan(index, rule(bins=2000, max_join_frames=60), (4,))
    assert joined != {item for shares in batches(other) for item in shares[0] if item[1] != ALONE}


def test_an_empty_index_is_named(tmp_path):
    with pytest.raises(InputError, match="has no utterance"):
        BatchPlan(random_index(tmp_path, 0), rule(), (0,))
