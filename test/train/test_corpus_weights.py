"""Sampling weights: how often a pass draws the utterances of each corpus."""

from collections import Counter

import numpy as np
import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.train.batches import BatchPlan, BatchRule
from espnet2_valle.train.concatenate import ALONE
from espnet2_valle.train.corpus_weights import (
    check_temperature,
    check_weights,
    draw,
    language_weights,
    weights_of,
)
from espnet2_valle.train.index import TrainingIndex
from espnet2_valle.train.index_writer import IndexWriter

SPEAKERS = ("big-a", "big-b", "sp0.9-big-a", "small-a")


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """Utterances of two corpora by turns, 90 of `big` and 30 of `small`."""
    folder = tmp_path_factory.mktemp("index")
    with IndexWriter(folder, num_codebooks=2) as writer:
        for n in range(120):
            speaker = SPEAKERS[n % 4]
            writer.add(f"{speaker}-{n:03}", speaker, [1] * (1 + n % 5), "codes.ark", 0, frames=5 + n % 17)
    return TrainingIndex(folder)


def drawn(index, weights, seed=0, join=0):
    """How often a pass has each item, by the corpus of its first utterance."""
    rule = BatchRule(300, 4, lambda tokens, frames: tokens + frames, max_join_frames=join, weights=weights)
    plan = BatchPlan(index, rule, (seed,))
    items = Counter(item for number in range(len(plan)) for item in plan.batch(number))
    corpora = {"big": {}, "small": {}}
    for item, count in items.items():
        corpora["small" if index.speaker(item[0]) == "small-a" else "big"][item] = count
    return corpora


def test_a_whole_weight_draws_each_utterance_so_often(index):
    found = drawn(index, {"small": 3})
    assert (len(found["big"]), set(found["big"].values())) == (90, {1})
    assert (len(found["small"]), set(found["small"].values())) == (30, {3})


def test_a_share_is_drawn_anew_in_each_pass(index):
    passes = [drawn(index, {"big": 0.5, "small": 1.5}, seed) for seed in range(20)]
    assert set().union(*(one["big"].values() for one in passes)) == {1}
    assert set().union(*(one["small"].values() for one in passes)) == {1, 2}
    assert all(len(one["small"]) == 30 for one in passes)
    assert np.mean([len(one["big"]) for one in passes]) == pytest.approx(45, abs=4)
    assert np.mean([sum(one["small"].values()) for one in passes]) == pytest.approx(45, abs=3)
    assert len({frozenset(one["big"]) for one in passes}) == 20
    assert drawn(index, {"big": 0.5, "small": 1.5}, 3) == passes[3]


def test_joined_utterances_have_the_weight_of_their_speaker(index):
    found = drawn(index, {"small": 2, "big": 0}, join=20)
    assert found["big"] == {}
    assert set(found["small"].values()) == {2}
    assert any(second != ALONE for _, second in found["small"])


def test_small_weights_leave_one_at_least():
    counts = [draw(np.array([0.0, 1e-6]), np.random.default_rng(seed)) for seed in range(5)]
    assert all(count.tolist() == [0, 1] for count in counts)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            {"smal": 2},
            "no speaker of .* is of a corpus 'smal'. Name a corpus as the speakers in .*speakers.txt",
        ),
        ({"small": 0, "big": 0}, "leaves nothing to learn from"),
    ],
)
def test_weights_that_cannot_be_are_named(index, weights, message):
    with pytest.raises(InputError, match=f"--corpus_weights: {message}"):
        weights_of(index, weights)


@pytest.mark.parametrize("weight", [-1, "two", True, None, float("nan"), float("inf")])
def test_a_weight_is_a_number(weight):
    with pytest.raises(InputError, match="--corpus_weights: an4: .* is no weight"):
        check_weights({"an4": weight})
    check_weights({"an4": 0.5, "so762": 0})


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """Utterances of two languages, 80 of `en` and 20 twice as long ones of `de`."""
    folder = tmp_path_factory.mktemp("languages")
    with IndexWriter(folder, num_codebooks=2) as writer:
        for n in range(100):
            language, frames = ("de", 20) if n % 5 == 0 else ("en", 10)
            writer.add(f"utt{n:03}", "s", [1], "codes.ark", 0, frames, language)
    return TrainingIndex(folder)


@pytest.mark.parametrize(("temperature", "ratio"), [(1, 2), (2, 2**0.5), (1e9, 1), (np.inf, 1)])
def test_a_temperature_evens_the_shares_of_languages(spoken, temperature, ratio):
    weights = language_weights(spoken, temperature)
    frames = weights * spoken.frames
    german = spoken.columns["language"] == spoken.languages.index("de")
    assert frames[~german].sum() / frames[german].sum() == pytest.approx(ratio)
    assert frames.sum() == pytest.approx(spoken.frames.sum())


def test_a_pass_draws_by_temperature(spoken):
    rule = BatchRule(300, 4, lambda tokens, frames: tokens + frames, language_temperature=np.inf)
    plan = BatchPlan(spoken, rule, (0,))
    drawn = Counter(
        spoken.languages[spoken.columns["language"][item[0]]]
        for number in range(len(plan))
        for item in plan.batch(number)
    )
    assert drawn["en"] == pytest.approx(60, abs=8)
    assert drawn["de"] == pytest.approx(30, abs=6)


@pytest.mark.parametrize("temperature", [0.5, 0, -1, np.nan])
def test_what_is_no_temperature_is_refused(temperature):
    with pytest.raises(InputError, match="--language_temperature: .* is out of range"):
        check_temperature(temperature)
    check_temperature(1)
    check_temperature(np.inf)
